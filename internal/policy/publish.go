package policy

import (
	"context"
	"errors"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/policy/bundle"
	"aims/internal/store"
	"aims/pdp"
	"aims/receipt"
)

// Publication says what a publication did.
type Publication struct {
	Digest string `json:"digest"`
	// Changed is false when the bundle was published already.
	Changed bool       `json:"changed"`
	Losses  []pdp.Loss `json:"losses,omitempty"`
}

// Publish stores a bundle under its digest for review, for good. It fails with
// aims.Invalid when the bundle does not compile for the tools, when a test of
// it fails, or when a rule of it is void; Problems has the places.
func (a *Administration) Publish(ctx context.Context, by aims.Actor, decision string, b *bundle.Bundle, c pdp.Catalog) (Publication, error) {
	r, err := Prepare(b, a.Circumstances(c.Tools))
	done := Publication{Digest: b.Digest, Losses: r.Losses}
	if err != nil {
		return done, err
	}
	if err := r.ready(true); err != nil {
		return done, err
	}
	_, err = a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if err := saveBundle(ctx, tx, b, Unpublished, by); err != nil {
			return ledger.Entry{}, err
		}
		row, err := readBundle(ctx, tx, b.Digest)
		if err != nil {
			return ledger.Entry{}, err
		}
		if row.state != Unpublished {
			return ledger.Entry{}, errAlready
		}
		if row.state, err = next(row.state, publish); err != nil {
			return ledger.Entry{}, err
		}
		row.author = by.String()
		if err := moveBundle(ctx, tx, row); err != nil {
			return ledger.Entry{}, err
		}
		return publishedEntry(by, decision, r)
	})
	if errors.Is(err, errAlready) {
		return done, nil
	}
	if err != nil {
		return Publication{}, unrecorded(err, "the policy bundle was not published")
	}
	done.Changed = true
	a.log.Info("a policy bundle is published", "digest", b.Digest, "name", b.Meta.Name, "by", by.String())
	return done, nil
}

// Approve records that a person has approved a published bundle. Whoever
// published it cannot; policy refuses that too.
func (a *Administration) Approve(ctx context.Context, by aims.Actor, decision, digest string) error {
	_, err := a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		row, err := readBundle(ctx, tx, digest)
		if err != nil {
			return ledger.Entry{}, err
		}
		if row.author == by.String() {
			return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "who published a policy bundle does not approve it")
		}
		if row.state, err = next(row.state, approve); err != nil {
			return ledger.Entry{}, err
		}
		if err := saveApproval(ctx, tx, digest, by.String()); err != nil {
			return ledger.Entry{}, err
		}
		if err := moveBundle(ctx, tx, row); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "policy.approved", receipt.Object{Type: bundleObject, ID: digest}, nil)
	})
	if err != nil {
		return unrecorded(err, "the approval was not recorded")
	}
	a.log.Info("a policy bundle is approved", "digest", digest, "by", by.String())
	return nil
}

// Authors are who had a part in a bundle: they do not approve it.
func (a *Administration) Authors(ctx context.Context, digest string) ([]aims.Actor, error) {
	var row bundleRow
	err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = readBundle(ctx, tx, digest)
		return err
	})
	if err != nil {
		return nil, unreadable(err, "the policy bundle")
	}
	return []aims.Actor{parseActor(row.author)}, nil
}

// Listed is a bundle and what became of it.
type Listed struct {
	Digest    string    `json:"digest"`
	Name      string    `json:"name,omitempty"`
	State     State     `json:"state" enum:"unpublished,published,approved"`
	Author    string    `json:"author"`
	Created   time.Time `json:"created"`
	Approvals []Given   `json:"approvals,omitempty"`
	// Environments are its states in them.
	Environments map[string]State `json:"environments,omitempty"`
	// Activated is when it was last activated anywhere.
	Activated *time.Time `json:"activated,omitempty"`
}

// Given is one approval.
type Given struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// List lists the bundles, newest first.
func (a *Administration) List(ctx context.Context) ([]Listed, error) {
	list := []Listed{}
	err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = listBundles(ctx, tx)
		return err
	})
	return list, unreadable(err, "the policy bundles")
}
