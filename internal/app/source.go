package app

import (
	"context"
	"time"

	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
	"aims/pdp"
	"aims/receipt"
)

// OpenSource opens the log in a database, a SQLite file or a postgres:// DSN,
// for verification, also while a server writes it. The caller closes it.
func OpenSource(ctx context.Context, database string, now func() time.Time) (receipt.Source, func(), error) {
	var db *store.DB
	var err error
	if isDSN(database) {
		db, err = postgres.OpenReadOnly(ctx, database, now, Schemas()...)
	} else {
		db, err = sqlite.OpenReadOnly(ctx, database, now, Schemas()...)
	}
	if err != nil {
		return nil, nil, err
	}
	src, err := openSource(ctx, db)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return src, func() { db.Close() }, nil // read only: nothing is lost
}

func openSource(ctx context.Context, db *store.DB) (receipt.Source, error) {
	policies, err := policy.Open(ctx, db, nil, policy.Options{})
	if err != nil {
		return nil, err
	}
	sets, err := PolicySets(ctx, policies)
	if err != nil {
		return nil, err
	}
	return ledger.NewSource(ctx, db, sets)
}

// Compile is the decision point that recorded decisions are made again with,
// for receipt.Verify.
func Compile(set receipt.PolicySet) (string, receipt.Decider, error) {
	sources := make([]pdp.Source, len(set.Sources))
	for i, s := range set.Sources {
		sources[i] = pdp.Source(s)
	}
	compiled, err := pdp.Compile(sources, set.Schema)
	if err != nil {
		return "", nil, err
	}
	return compiled.Digest(), compiled.Redecide, nil
}
