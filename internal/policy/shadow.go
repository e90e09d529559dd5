package policy

import (
	"context"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/pdp"
	"aims/receipt"
)

// Shadow tries a published bundle beside the active one: it decides too, and
// has no effect. An empty digest ends that.
func (a *Administration) Shadow(ctx context.Context, by aims.Actor, decision, digest string, c pdp.Catalog) error {
	a.change.Lock()
	defer a.change.Unlock()
	var in *InForce
	if digest != "" {
		b, err := a.Bundle(ctx, digest)
		if err != nil {
			return err
		}
		set, _, err := a.Compile(b, c.Tools)
		if err != nil {
			return err
		}
		in = inForce(set, b)
	}
	_, err := a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		row, err := readEnvironment(ctx, tx, a.o.Environment)
		switch {
		case err != nil:
			return ledger.Entry{}, err
		case row.set == "":
			return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "no policies are active here that others could be tried beside")
		case row.candidate == digest:
			return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "that is so already")
		}
		name, object := "policy.shadow_started", digest
		if digest == "" {
			name, object = "policy.shadow_ended", row.candidate
		}
		row.candidate = digest
		if err := saveEnvironment(ctx, tx, row); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, name, receipt.Object{Type: bundleObject, ID: object}, map[string]string{"environment": row.name})
	})
	if err != nil {
		return unrecorded(err, "the candidate was not recorded")
	}
	a.candidate.Store(in)
	return nil
}

// recompileCandidate compiles the candidate for the present tools. One that
// does not compile with them goes on as it is.
func (a *Administration) recompileCandidate() {
	in := a.candidate.Load()
	if in == nil {
		return
	}
	set, _, err := a.Compile(in.source, a.tools)
	if err != nil {
		a.log.Warn("the candidate does not compile with the tools that there are now; it goes on as it is", "bundle", in.Bundle, "error", err)
	} else if set.Digest() != in.Set.Digest() {
		a.candidate.Store(inForce(set, in.source))
	}
}

// Refresh takes over what another process has put in force in this
// environment. It is the step of a ticker.
func (a *Administration) Refresh(ctx context.Context) (changed bool, err error) {
	a.change.Lock()
	defer a.change.Unlock()
	row, err := a.environment(ctx, a.o.Environment)
	if err != nil || row.set == "" {
		return false, unreadable(err, "what is in force")
	}
	active := a.InForce()
	if active == nil || active.Set.Digest() != row.set || row.bundle != "" && active.Bundle != row.bundle {
		in, err := a.restore(ctx, row)
		if err != nil {
			return false, err
		}
		a.active.Store(in)
		changed = true
		a.log.Info("another process has activated policies", "digest", row.set, "bundle", row.bundle)
	}
	return changed, a.refreshCandidate(ctx, row.candidate)
}

func (a *Administration) refreshCandidate(ctx context.Context, digest string) error {
	now := a.candidate.Load()
	if digest == "" {
		a.candidate.Store(nil)
		return nil
	}
	if now != nil && now.Bundle == digest || a.unfit == digest || !a.compiledOnce {
		return nil
	}
	b, err := a.Bundle(ctx, digest)
	if err != nil {
		return err
	}
	set, _, err := a.Compile(b, a.tools)
	if err != nil {
		a.unfit = digest // which is said once
		return err
	}
	a.candidate.Store(inForce(set, b))
	return nil
}
