package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/identity"
)

// Keys and roles as of each moment are what they were then.
func TestKeysAt(t *testing.T) {
	w := newWorld(t, nil)
	ctx, admin := t.Context(), aims.Actor{Type: aims.PersonType, ID: "admin"}
	ada := aims.Actor{Type: aims.PersonType, ID: "ada"}
	var first identity.Key
	make := func(actor aims.Actor, roles ...string) func() error {
		return func() error {
			k, _, err := w.CreateKey(ctx, admin, "", identity.NewKey{Actor: actor, Roles: roles, Expires: w.clock.Now().Add(24 * time.Hour)})
			if first.ID == "" {
				first = k
			}
			return err
		}
	}
	var moments []time.Time
	var were [][]identity.Key
	var actors [][]identity.Principal
	for _, do := range []func() error{
		make(ada, "finance"), make(aims.Actor{Type: aims.AgentType, ID: "billing"}),
		func() error {
			_, err := w.ChangeRoles(ctx, admin, "", ada, []string{"auditor"}, []string{"finance"})
			return err
		},
		make(ada),
		func() error { return w.RevokeKey(ctx, admin, "", first.ID) },
	} {
		w.clock.Advance(time.Hour)
		if err := do(); err != nil {
			t.Fatal(err)
		}
		keys, err := w.Keys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		actors = append(actors, w.Actors())
		moments, were = append(moments, w.clock.Now()), append(were, keys)
	}
	for n, at := range moments {
		got, err := w.KeysAt(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		who, err := w.ActorsAt(ctx, at)
		if err != nil || len(who) != len(actors[n]) {
			t.Fatalf("as of step %d there are %v (%v), there were %v", n, who, err, actors[n])
		}
		for i := range who {
			if who[i].Actor != actors[n][i].Actor || strings.Join(who[i].Roles, " ") != strings.Join(actors[n][i].Roles, " ") {
				t.Errorf("as of step %d: %v, was %v", n, who[i], actors[n][i])
			}
		}
		for i := range got { // no roles are no roles
			if len(got[i].Roles) == 0 {
				got[i].Roles = were[n][i].Roles
			}
		}
		if diff := cmp.Diff(were[n], got); diff != "" {
			t.Errorf("as of step %d (-were +as of):\n%s", n, diff)
		}
	}
}
