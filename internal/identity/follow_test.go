package identity_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/identity"
)

// another opens the directory a second time, as another process on the
// database does.
func (w *world) another() *identity.Directory {
	w.t.Helper()
	d, err := identity.Open(w.t.Context(), w.db, w.ledger, w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// TestOtherProcessesFollow checks that keys that one process makes and
// revokes, and roles that it changes, are so in another that asks for changes.
func TestOtherProcessesFollow(t *testing.T) {
	w := newWorld(t, nil)
	other := w.another()
	key, secret := mustKey(t, w, identity.NewKey{Actor: agent, Roles: []string{"clerk"}})
	refresh := func() {
		t.Helper()
		if err := other.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	if p, err := other.Authenticate(t.Context(), secret); err != nil || !cmp.Equal(p.Roles, []string{"clerk"}) {
		t.Fatalf("a new key: %v, %v", p, err)
	}
	if _, err := w.ChangeRoles(t.Context(), person, "", agent, nil, []string{"clerk"}); err != nil {
		t.Fatal(err)
	}
	refresh()
	if p, err := other.Authenticate(t.Context(), secret); err != nil || len(p.Roles) != 0 {
		t.Errorf("roles after they were taken: %v, %v", p.Roles, err)
	}
	if err := w.RevokeKey(t.Context(), person, "", key.ID); err != nil {
		t.Fatal(err)
	}
	refresh()
	if _, err := other.Authenticate(t.Context(), secret); code(err) != aims.Unauthenticated {
		t.Errorf("a key that the other process revoked: %v", err)
	}
}

// TestStaleProcessChangesNothingUnseen checks a process that has not yet
// heard of a change: what it is asked to change is judged by what is true.
func TestStaleProcessChangesNothingUnseen(t *testing.T) {
	w := newWorld(t, nil)
	first, _, _, err := w.Bootstrap(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := mustKey(t, w, identity.NewKey{Actor: person, Roles: []string{"admin"}})
	stale := w.another()
	if err := w.RevokeKey(t.Context(), person, "", first.ID); err != nil {
		t.Fatal(err)
	}
	if err := stale.RevokeKey(t.Context(), person, "", second.ID); code(err) != aims.Conflict {
		t.Errorf("the last administrator's key, where the other's is believed to be good: %v", err)
	}
	if _, err := stale.ChangeRoles(t.Context(), person, "", person, nil, []string{"admin"}); code(err) != aims.Conflict {
		t.Errorf("the last administrator's role: %v", err)
	}
	if _, err := w.ChangeRoles(t.Context(), person, "", person, []string{"clerk"}, nil); err != nil {
		t.Fatal(err)
	}
	roles, err := stale.ChangeRoles(t.Context(), person, "", person, []string{"owner"}, nil)
	if err != nil || !cmp.Equal(roles, []string{"admin", "clerk", "owner"}) {
		t.Errorf("a role beside one that the other process gave: %v, %v", roles, err)
	}
}

// TestTwoAdministratorsTakeEachOthersRole checks that at any interleaving one stays.
func TestTwoAdministratorsTakeEachOthersRole(t *testing.T) {
	w := newWorld(t, nil)
	ann, bob := aims.Actor{Type: aims.PersonType, ID: "ann"}, aims.Actor{Type: aims.PersonType, ID: "bob"}
	mustKey(t, w, identity.NewKey{Actor: ann, Roles: []string{"admin"}})
	mustKey(t, w, identity.NewKey{Actor: bob, Roles: []string{"admin"}})
	processes := []*identity.Directory{w.Directory, w.another()}
	for range 5 {
		var both sync.WaitGroup
		for i, victim := range []aims.Actor{ann, bob} {
			both.Go(func() {
				_, err := processes[i].ChangeRoles(t.Context(), victim, "", victim, nil, []string{"admin"})
				if err != nil && code(err) != aims.Conflict {
					t.Error(err)
				}
			})
		}
		both.Wait()
		admins := 0
		for _, p := range w.another().Actors() {
			if cmp.Equal(p.Roles, []string{"admin"}) {
				admins++
				continue
			}
			if _, err := processes[0].ChangeRoles(t.Context(), p.Actor, "", p.Actor, []string{"admin"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if admins != 1 {
			t.Fatalf("%d administrators are left", admins)
		}
	}
}
