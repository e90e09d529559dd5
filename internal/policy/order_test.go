package policy_test

import (
	"io/fs"
	"sync"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger/ledgertest"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/pdp"
)

// An installation of before there were bundles goes on with its set, and its
// first recompilation stores the bundle.
func TestSetsOfBeforeThereWereBundles(t *testing.T) {
	schema, _, err := pdp.GenerateSchema(catalog)
	if err != nil {
		t.Fatal(err)
	}
	set, err := pdp.Compile([]pdp.Source{
		{Name: "house/house.cedar", Text: []byte(`@id("house-x") permit (principal, action == Action::"tools/list", resource);`)}, {Name: "pay.cedar", Text: []byte(permitPay)},
	}, schema)
	if err != nil {
		t.Fatal(err)
	}
	at := storetest.SQLite(t)
	storeOldSet(t, at, set)
	w := newWorldAt(t, policy.Options{}, at)
	if w.Active().Digest() != set.Digest() || w.pay(99, false) != authz.Allow || len(w.Own().Files()) != 1 {
		t.Fatal("the set of before is not in force")
	}
	if done, err := w.Recompile(t.Context(), catalog); err != nil || !done.Changed {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := w.Bundle(t.Context(), w.InForce().Bundle); err != nil {
		t.Errorf("the bundle is not stored: %v", err)
	}
	w.activate(paying(t, 10).Files(), catalog)
	if _, err := w.Rollback(t.Context(), person, "", policy.DefaultEnvironment, catalog); err != nil || w.pay(99, false) != authz.Allow {
		t.Errorf("back to the set of before: %v", err)
	}
}

// storeOldSet makes a database as the first version of the tables held it.
func storeOldSet(t *testing.T, at storetest.Place, set *pdp.Set) {
	t.Helper()
	old := policy.Schema()
	first, err := fs.ReadFile(old.Migrations, "00001_sets.sql")
	if err != nil {
		t.Fatal(err)
	}
	old.Migrations = fstest.MapFS{"00001_sets.sql": {Data: first}}
	db := at.MustOpen(t, ledgertest.Noon, old)
	defer db.Close()
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		exec := func(query string, args ...any) {
			if err == nil {
				_, err = tx.Exec(query, args...)
			}
		}
		exec(`INSERT INTO policy_text (digest, text) VALUES ('schema', $1)`, set.Schema())
		exec(`INSERT INTO policy_set (digest, schema_digest, created) VALUES ($1, 'schema', 5)`, set.Digest())
		for i, s := range set.Sources() {
			exec(`INSERT INTO policy_text (digest, text) VALUES ($1, $2)`, s.Name, s.Text)
			exec(`INSERT INTO policy_file (set_digest, position, name, text_digest) VALUES ($1, $2, $3, $3)`, set.Digest(), i, s.Name)
		}
		exec(`INSERT INTO policy_active (id, digest, activated) VALUES (1, $1, 7)`, set.Digest())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever people do in whatever order, in two processes at once: what is in
// force where review is required was approved by somebody other than its author,
// a rollback goes where the history says, and each change has one receipt.
func TestLifeCycleHoldsUnderAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, policy.Options{ReviewRequired: true})
		ctx := t.Context()
		other, err := policy.Open(ctx, w.db, w.ledger, policy.Options{ReviewRequired: true})
		if err != nil {
			rt.Fatal(err)
		}
		processes := []*policy.Administration{w.Administration, other}
		bundles := []*bundle.Bundle{paying(t, 10), paying(t, 20), paying(t, 30)}
		authors, approved := map[string]aims.Actor{}, map[string]bool{}
		var history []string // the stack that rollbacks go down
		receipts := 0
		people := []aims.Actor{person, bob, cyd}
		step := func(rt *rapid.T) {
			p := rapid.SampledFrom(processes).Draw(rt, "process")
			by := rapid.SampledFrom(people).Draw(rt, "by")
			b := rapid.SampledFrom(bundles).Draw(rt, "bundle")
			done, changes := false, false
			switch rapid.SampledFrom([]string{"publish", "approve", "activate", "rollback", "refresh"}).Draw(rt, "what") {
			case "publish":
				_, known := authors[b.Digest]
				pub, err := p.Publish(ctx, by, "", b, catalog)
				if err != nil || pub.Changed == known {
					rt.Fatalf("publish: %+v, %v", pub, err)
				}
				if !known {
					authors[b.Digest], done = by, true
				}
			case "approve":
				author, known := authors[b.Digest]
				err := p.Approve(ctx, by, "", b.Digest)
				if err == nil && (!known || author == by) {
					rt.Fatalf("%s approved what %v published", by, author)
				}
				done = err == nil
				approved[b.Digest] = approved[b.Digest] || done
			case "activate":
				act, err := p.ActivateDigest(ctx, by, "", b.Digest, policy.DefaultEnvironment, catalog)
				if (err == nil) != approved[b.Digest] {
					rt.Fatalf("activate: approved %v, %v", approved[b.Digest], err)
				}
				if done = act.Changed; done {
					history, changes = append(history, b.Digest), true
				}
			case "rollback":
				act, err := p.Rollback(ctx, by, "", policy.DefaultEnvironment, catalog)
				if (err == nil) != (len(history) > 1) {
					rt.Fatalf("rollback of %v: %v", history, err)
				}
				if err == nil {
					history, done, changes = history[:len(history)-1], true, true
					if act.Bundle != history[len(history)-1] {
						rt.Fatalf("rolled back to %s, the history is %v", act.Bundle, history)
					}
				}
			case "refresh":
				if _, err := p.Refresh(ctx); err != nil {
					rt.Fatal(err)
				}
			}
			if done {
				receipts++
			}
			if changes && p.InForce().Bundle != history[len(history)-1] {
				rt.Fatalf("in force is %s, not %s", p.InForce().Bundle, history[len(history)-1])
			}
			if in := p.InForce(); in != nil && !approved[in.Bundle] {
				rt.Fatal("something is in force that nobody approved")
			}
		}
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			step(rt)
		}
		if got := int(w.ledger.Size()); got != receipts {
			rt.Fatalf("%d receipts of %d changes", got, receipts)
		}
	})
}

// A process that has not yet seen what another put in force still leads back
// from it, and does not say that there is nothing to do.
func TestRollbackOfWhatAnotherProcessActivated(t *testing.T) {
	w := newWorld(t, policy.Options{})
	other, err := policy.Open(t.Context(), w.db, w.ledger, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := paying(t, 10), paying(t, 99)
	if _, err := w.Activate(t.Context(), person, "", good, catalog); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Activate(t.Context(), bob, "", bad, catalog); err != nil {
		t.Fatal(err)
	}
	done, err := w.Rollback(t.Context(), person, "", policy.DefaultEnvironment, catalog)
	if err != nil || !done.Changed || done.Bundle != good.Digest {
		t.Fatalf("the rollback did %+v, %v", done, err)
	}
	if _, err := other.Refresh(t.Context()); err != nil || other.InForce().Bundle != good.Digest {
		t.Errorf("the other process enforces %s, %v", other.InForce().Bundle, err)
	}
}

// Many activate at once: the pointer is what the database says, and the log
// has one receipt for each change.
func TestConcurrentActivations(t *testing.T) {
	w := newWorld(t, policy.Options{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	changed := 0
	for i := range 16 {
		b := paying(t, 10+i%4)
		wg.Go(func() {
			done, err := w.Activate(t.Context(), person, "", b, catalog)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if done.Changed {
				changed++
			}
		})
	}
	wg.Wait()
	in := w.InForce()
	if int(w.ledger.Size()) != changed {
		t.Errorf("%d receipts of %d changes", w.ledger.Size(), changed)
	}
	if _, err := w.Refresh(t.Context()); err != nil || w.InForce() != in {
		t.Errorf("what decides is not what is stored: %v", err)
	}
}
