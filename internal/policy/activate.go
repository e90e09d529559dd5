package policy

import (
	"context"
	"errors"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/policy/bundle"
	"aims/internal/store"
	"aims/pdp"
)

// Activation says what an activation did.
type Activation struct {
	// Digest is that of the set, as receipts of decisions name it.
	Digest string `json:"digest"`
	Before string `json:"before,omitempty"`
	// Bundle is the bundle that the set was compiled from.
	Bundle      string     `json:"bundle"`
	Environment string     `json:"environment"`
	Losses      []pdp.Loss `json:"losses,omitempty"`
	// Changed is false when the set was the active one already.
	Changed bool `json:"changed"`
}

// Activate puts a bundle in force from the next decision on, in this process's
// environment, without review: it is refused where the configuration asks for
// one. by is who does it, decision the id of the receipt that let them. When it
// fails, the active set stays: with aims.Invalid when the bundle does not
// compile or its tests fail, with aims.Unavailable when the activation could not
// be recorded.
func (a *Administration) Activate(ctx context.Context, by aims.Actor, decision string, b *bundle.Bundle, c pdp.Catalog) (Activation, error) {
	// The first policies of an installation, which permit nothing, are the program's.
	if a.o.ReviewRequired && (by != aims.System || a.Active() != nil) {
		return Activation{}, aims.Errorf(aims.Conflict, nil, "policies go through review here: publish the bundle, have it approved, and activate its digest")
	}
	return a.put(ctx, change{by: by, decision: decision, environment: a.o.Environment, bundle: b}, c)
}

// ActivateDigest puts a published bundle in force in an environment. Where the
// configuration asks for review, it must be approved.
func (a *Administration) ActivateDigest(ctx context.Context, by aims.Actor, decision, digest, environment string, c pdp.Catalog) (Activation, error) {
	if err := CheckEnvironment(environment); err != nil {
		return Activation{}, err
	}
	b, err := a.Bundle(ctx, digest)
	if err != nil {
		return Activation{}, err
	}
	return a.put(ctx, change{by: by, decision: decision, environment: environment, bundle: b, stored: true}, c)
}

// Rollback puts the bundle in force again that was active in an environment
// before the present one. One after the other they lead back to the first.
func (a *Administration) Rollback(ctx context.Context, by aims.Actor, decision, environment string, c pdp.Catalog) (Activation, error) {
	if err := CheckEnvironment(environment); err != nil {
		return Activation{}, err
	}
	target, err := a.rollbackTarget(ctx, environment)
	if err != nil {
		return Activation{}, err
	}
	b, err := a.Bundle(ctx, target.bundle)
	if err != nil {
		return Activation{}, err
	}
	return a.put(ctx, change{by: by, decision: decision, environment: environment, bundle: b, stored: true, back: &target}, c)
}

// Recompile puts the active bundle in force for other tools, as a set of its
// own with its own receipt. Without an active set it does nothing.
func (a *Administration) Recompile(ctx context.Context, c pdp.Catalog) (Activation, error) {
	b := a.Own()
	if b == nil {
		return Activation{}, nil
	}
	return a.put(ctx, change{
		by: aims.System, cause: "the tools, the configuration or the program changed",
		environment: a.o.Environment, bundle: b, same: true,
	}, c)
}

// change is a change of what is in force in an environment.
type change struct {
	by          aims.Actor
	decision    string
	cause       string
	environment string
	bundle      *bundle.Bundle
	// stored says that the bundle is in the database, where its review is too.
	stored bool
	// same says that the bundle is the one in force, for other tools.
	same bool
	// back is the activation that a rollback goes to.
	back *activationRow
}

// errAlready ends a transaction in which there is nothing to do: what was to
// be put in force is in force.
var errAlready = errors.New("policy: in force already")

func (a *Administration) put(ctx context.Context, c change, catalog pdp.Catalog) (Activation, error) {
	a.change.Lock()
	defer a.change.Unlock()
	set, losses, err := a.compiled(c, catalog.Tools)
	done := Activation{Environment: c.environment, Bundle: c.bundle.Digest, Losses: losses}
	if err != nil {
		return done, err
	}
	done.Digest = set.Digest()
	mine := c.environment == a.o.Environment
	if mine {
		a.tools, a.unfit, a.compiledOnce = catalog.Tools, "", true
		a.recompileCandidate()
		// What people ask for is compared with the database: another process may have
		// put something else in force that this one has not seen yet.
		if active := a.InForce(); c.same && active != nil && active.Bundle == done.Bundle && active.Set.Digest() == done.Digest {
			done.Before = done.Digest
			return done, nil
		}
	}
	_, err = a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) { return a.write(ctx, tx, c, &done, set) })
	if err != nil && !errors.Is(err, errAlready) {
		return Activation{}, unrecorded(err, "the policies were not activated")
	}
	if done.Changed = err == nil; done.Changed {
		a.log.Info("policies are active", "environment", c.environment, "digest", done.Digest, "bundle", done.Bundle, "before", done.Before, "by", c.by.String())
	}
	if mine {
		a.active.Store(inForce(set, c.bundle))
	}
	return done, nil
}

// compiled compiles the bundle of a change. The one that is in force is not
// asked for its tests again: with other tools it would otherwise stop to be compiled.
func (a *Administration) compiled(c change, tools []pdp.Tool) (*pdp.Set, []pdp.Loss, error) {
	if c.same {
		return a.Compile(c.bundle, tools)
	}
	r, err := Prepare(c.bundle, a.Circumstances(tools))
	if err == nil {
		err = r.ready(false)
	}
	return r.Set, r.Losses, err
}

// write is the transaction of a change. It goes by what is in force there at
// that moment, which another process may have changed.
func (a *Administration) write(ctx context.Context, tx *store.Tx, c change, done *Activation, set *pdp.Set) (ledger.Entry, error) {
	row, err := readEnvironment(ctx, tx, c.environment)
	if err != nil {
		return ledger.Entry{}, err
	}
	done.Before = row.set
	if c.same && row.bundle != "" && row.bundle != done.Bundle {
		return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "other policies were activated meanwhile")
	}
	if row.bundle == done.Bundle && row.set == done.Digest {
		return ledger.Entry{}, errAlready
	}
	if err := a.saveBundle(ctx, tx, c); err != nil {
		return ledger.Entry{}, err
	}
	if err := saveSet(ctx, tx, set); err != nil {
		return ledger.Entry{}, err
	}
	after := environmentRow{name: c.environment, activation: row.activation, set: done.Digest, bundle: done.Bundle, candidate: row.candidate}
	if row.bundle != done.Bundle {
		if after.activation, err = a.deploy(ctx, tx, c, row, done.Bundle); err != nil {
			return ledger.Entry{}, err
		}
	}
	if err := saveEnvironment(ctx, tx, after); err != nil {
		return ledger.Entry{}, err
	}
	return c.entry(*done, row.bundle, set)
}

// saveBundle stores the bundle where it is not, and checks its review where it must be.
func (a *Administration) saveBundle(ctx context.Context, tx *store.Tx, c change) error {
	if !c.stored {
		return saveBundle(ctx, tx, c.bundle, Unpublished, c.by)
	}
	b, err := readBundle(ctx, tx, c.bundle.Digest)
	if err != nil {
		return err
	}
	if a.o.ReviewRequired && b.state != Approved && !c.same && c.back == nil {
		return aims.Errorf(aims.Conflict, nil, "the policy bundle is %s: only an approved one is activated here", b.state)
	}
	return nil
}

// deploy moves the bundles through their states in the environment and gives
// the number of the activation.
func (a *Administration) deploy(ctx context.Context, tx *store.Tx, c change, row environmentRow, to string) (int64, error) {
	leave, enter := replace, activate
	next := activationRow{environment: c.environment, before: row.activation, bundle: to, actor: c.by.String()}
	if c.back != nil {
		leave, enter = withdraw, restore
		current, err := readActivation(ctx, tx, c.environment, row.activation)
		if err != nil {
			return 0, err
		}
		if current.before != c.back.number {
			return 0, aims.Errorf(aims.Conflict, nil, "other policies were activated meanwhile")
		}
		next.before = c.back.before
	}
	if row.bundle != "" {
		if err := moveDeployment(ctx, tx, c.environment, row.bundle, leave); err != nil {
			return 0, err
		}
	}
	if err := moveDeployment(ctx, tx, c.environment, to, enter); err != nil {
		return 0, err
	}
	return saveActivation(ctx, tx, next)
}

// rollbackTarget is the activation before the present one.
func (a *Administration) rollbackTarget(ctx context.Context, environment string) (activationRow, error) {
	var target activationRow
	err := a.db.View(ctx, func(tx *store.Tx) error {
		row, err := readEnvironment(ctx, tx, environment)
		if err != nil {
			return err
		}
		current, err := readActivation(ctx, tx, environment, row.activation)
		if err != nil {
			return err
		}
		target, err = readActivation(ctx, tx, environment, current.before)
		return err
	})
	if err == nil && target.number == 0 {
		err = aims.Errorf(aims.Conflict, nil, "there is nothing to roll back to: no other policies were active in %s before these", environment)
	}
	return target, unreadable(err, "the history of the policies")
}
