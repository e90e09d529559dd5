package policy_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"aims/internal/policy"
	"aims/internal/policy/bundle"
)

// Bundles and what is in force, as of each moment, are what they were then.
func TestPoliciesAt(t *testing.T) {
	w := newWorld(t, policy.Options{})
	ctx := t.Context()
	first, second, third := paying(t, 100, "bundle.yaml", "name: first\n"), paying(t, 200), paying(t, 300, "bundle.yaml", "name: third\n")
	activate := func(b *bundle.Bundle) func() error {
		return func() error { _, err := w.Activate(ctx, person, "", b, catalog); return err }
	}
	var moments []time.Time
	var lists [][]policy.Listed
	var sets []string
	for _, do := range []func() error{
		func() error { _, err := w.Publish(ctx, person, "", first, catalog); return err },
		func() error { return w.Approve(ctx, bob, "", first.Digest) },
		activate(first), activate(second),
		func() error { _, err := w.Publish(ctx, person, "", third, catalog); return err },
		func() error { _, err := w.Rollback(ctx, bob, "", w.Environment(), catalog); return err },
		activate(third),
	} {
		w.clock.Advance(time.Hour)
		if err := do(); err != nil {
			t.Fatal(err)
		}
		list, err := w.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		set := ""
		if in := w.InForce(); in != nil {
			set = in.Set.Digest()
		}
		moments, lists, sets = append(moments, w.clock.Now()), append(lists, list), append(sets, set)
	}
	for n, at := range moments {
		got, err := w.ListAt(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range [][]policy.Listed{got, lists[n]} {
			for i := range all {
				if len(all[i].Environments) == 0 {
					all[i].Environments = nil
				}
			}
			slices.SortFunc(all, func(a, b policy.Listed) int { return cmp.Compare(a.Digest, b.Digest) })
		}
		if diff := gocmp.Diff(lists[n], got); diff != "" {
			t.Errorf("bundles as of step %d (-were +as of):\n%s", n, diff)
		}
		in, err := w.InForceAt(ctx, at)
		if err != nil || (in == nil) != (sets[n] == "") || in != nil && in.Set.Digest() != sets[n] {
			t.Errorf("in force as of step %d: %+v, %v; want %s", n, in, err, sets[n])
		}
		if digest, err := w.DigestAt(ctx, at); err != nil || digest != sets[n] {
			t.Errorf("digest as of step %d: %s, %v; want %s", n, digest, err, sets[n])
		}
	}
}
