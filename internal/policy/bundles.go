package policy

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
	"aims/internal/store"
)

// bundleRow is a bundle without its files.
type bundleRow struct {
	digest, name string
	state        State
	author       string
	created      int64
}

// environmentRow is what is in force in an environment; without set, nothing.
type environmentRow struct {
	name                   string
	activation             int64
	set, bundle, candidate string
}

// activationRow is one activation or rollback; number 0 is none.
type activationRow struct {
	environment    string
	number, before int64
	bundle, actor  string
}

// unreadable words an error of the database; what is worded stays as it is.
func unreadable(err error, what string) error {
	if worded(err) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s could not be read", what)
}

// unrecorded words an error of a change; what is worded and says why stays as it is.
func unrecorded(err error, what string) error {
	if code, _ := aims.Public(err); worded(err) && code != aims.Unavailable {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s: it could not be recorded", what)
}

func worded(err error) bool {
	_, ok := errors.AsType[*aims.Error](err)
	return err == nil || ok
}

// environment is what is in force in an environment.
func (a *Administration) environment(ctx context.Context, name string) (environmentRow, error) {
	var row environmentRow
	err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = readEnvironment(ctx, tx, name)
		return err
	})
	return row, err
}

func readEnvironment(ctx context.Context, tx *store.Tx, name string) (environmentRow, error) {
	row := environmentRow{name: name}
	err := tx.QueryRowContext(ctx, `SELECT activation, set_digest, bundle_digest, candidate FROM policy_environment WHERE environment = $1`, name).
		Scan(&row.activation, &row.set, &row.bundle, &row.candidate)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return row, err
}

func saveEnvironment(ctx context.Context, tx *store.Tx, row environmentRow) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO policy_environment (environment, activation, set_digest, bundle_digest, candidate, activated) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (environment) DO UPDATE SET activation = excluded.activation, set_digest = excluded.set_digest,
	bundle_digest = excluded.bundle_digest, candidate = excluded.candidate, activated = excluded.activated`,
		row.name, row.activation, row.set, row.bundle, row.candidate, tx.Now.UnixMicro())
	return err
}

func readActivation(ctx context.Context, tx *store.Tx, environment string, number int64) (activationRow, error) {
	row := activationRow{environment: environment, number: number}
	err := tx.QueryRowContext(ctx, `SELECT before, bundle_digest, actor FROM policy_activation WHERE environment = $1 AND number = $2`, environment, number).
		Scan(&row.before, &row.bundle, &row.actor)
	if errors.Is(err, sql.ErrNoRows) {
		return activationRow{}, nil
	}
	return row, err
}

// saveActivation gives the activation the next number of its environment. The
// head of the log is locked by now, so that nobody else takes it.
func saveActivation(ctx context.Context, tx *store.Tx, row activationRow) (number int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM policy_activation WHERE environment = $1`, row.environment).Scan(&number)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_activation (environment, number, before, bundle_digest, actor, activated) VALUES ($1, $2, $3, $4, $5, $6)`,
		row.environment, number, row.before, row.bundle, row.actor, tx.Now.UnixMicro())
	return number, err
}

// moveDeployment takes a bundle to its next state in an environment.
func moveDeployment(ctx context.Context, tx *store.Tx, environment, digest string, on occurrence) error {
	state := Idle
	err := tx.QueryRowContext(ctx, `SELECT state FROM policy_deployment WHERE environment = $1 AND bundle_digest = $2`, environment, digest).Scan(&state)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if state, err = next(state, on); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_deployment (environment, bundle_digest, state) VALUES ($1, $2, $3)
ON CONFLICT (environment, bundle_digest) DO UPDATE SET state = excluded.state`, environment, digest, string(state))
	return err
}

func readBundle(ctx context.Context, tx *store.Tx, digest string) (bundleRow, error) {
	row := bundleRow{digest: digest}
	err := tx.QueryRowContext(ctx, `SELECT name, state, author, created FROM policy_bundle WHERE digest = $1`, digest).
		Scan(&row.name, &row.state, &row.author, &row.created)
	if errors.Is(err, sql.ErrNoRows) {
		return row, aims.Errorf(aims.NotFound, nil, "there is no policy bundle %.100q", digest)
	}
	return row, err
}

// moveBundle stores the state of a bundle and who published it.
func moveBundle(ctx context.Context, tx *store.Tx, row bundleRow) error {
	_, err := tx.ExecContext(ctx, `UPDATE policy_bundle SET state = $2, author = $3 WHERE digest = $1`, row.digest, string(row.state), row.author)
	return err
}

// saveBundle stores a bundle that is not there yet.
func saveBundle(ctx context.Context, tx *store.Tx, b *bundle.Bundle, state State, by aims.Actor) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO policy_bundle (digest, name, state, author, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING`,
		b.Digest, b.Meta.Name, string(state), by.String(), tx.Now.UnixMicro())
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, f := range b.Files() {
		text, err := saveText(ctx, tx, f.Text)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO policy_bundle_file (bundle_digest, name, text_digest) VALUES ($1, $2, $3)`, b.Digest, f.Name, text)
		if err != nil {
			return err
		}
	}
	return nil
}

func saveApproval(ctx context.Context, tx *store.Tx, digest, approver string) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO policy_approval (bundle_digest, approver, approved) VALUES ($1, $2, $3) ON CONFLICT (bundle_digest, approver) DO NOTHING`,
		digest, approver, tx.Now.UnixMicro())
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return aims.Errorf(aims.Conflict, nil, "you have approved this policy bundle already")
}

// Bundle returns the bundle of a digest.
func (a *Administration) Bundle(ctx context.Context, digest string) (*bundle.Bundle, error) {
	var files []bundle.File
	err := a.db.View(ctx, func(tx *store.Tx) error {
		if _, err := readBundle(ctx, tx, digest); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT f.name, t.text FROM policy_bundle_file f JOIN policy_text t ON t.digest = f.text_digest WHERE f.bundle_digest = $1`, digest)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f bundle.File
			if err := rows.Scan(&f.Name, &f.Text); err != nil {
				return err
			}
			files = append(files, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, unreadable(err, "the policy bundle")
	}
	b, err := bundle.New(files)
	if err != nil || b.Digest != digest {
		return nil, aims.Errorf(aims.Internal, err, "the stored policy bundle %s is not what it was", digest)
	}
	return b, nil
}

func parseActor(text string) aims.Actor {
	kind, id, _ := strings.Cut(text, ":")
	return aims.Actor{Type: kind, ID: id}
}

func listBundles(ctx context.Context, tx *store.Tx) ([]Listed, error) {
	list, at := []Listed{}, map[string]int{}
	err := each(ctx, tx, `SELECT digest, name, state, author, created FROM policy_bundle ORDER BY created DESC, digest`, func(scan func(...any) error) error {
		var l Listed
		var created int64
		err := scan(&l.Digest, &l.Name, &l.State, &l.Author, &created)
		l.Created = time.UnixMicro(created).UTC()
		at[l.Digest] = len(list)
		list = append(list, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, `SELECT bundle_digest, approver, approved FROM policy_approval ORDER BY approved, approver`, func(scan func(...any) error) error {
		var digest, by string
		var approved int64
		err := scan(&digest, &by, &approved)
		l := &list[at[digest]]
		l.Approvals = append(l.Approvals, Given{By: by, At: time.UnixMicro(approved).UTC()})
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, `SELECT bundle_digest, environment, state FROM policy_deployment`, func(scan func(...any) error) error {
		var digest, environment string
		var state State
		err := scan(&digest, &environment, &state)
		l := &list[at[digest]]
		if l.Environments == nil {
			l.Environments = map[string]State{}
		}
		l.Environments[environment] = state
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, each(ctx, tx, `SELECT bundle_digest, MAX(activated) FROM policy_activation GROUP BY bundle_digest`, func(scan func(...any) error) error {
		var digest string
		var activated int64
		err := scan(&digest, &activated)
		when := time.UnixMicro(activated).UTC()
		list[at[digest]].Activated = &when
		return err
	})
}

// each calls fn for every row of a query.
func each(ctx context.Context, tx *store.Tx, query string, fn func(scan func(...any) error) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
