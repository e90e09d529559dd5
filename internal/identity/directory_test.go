package identity_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/receipt"
)

var (
	agent  = aims.Actor{Type: aims.AgentType, ID: "billing"}
	person = aims.Actor{Type: aims.PersonType, ID: "ada"}
)

func mustKey(t *testing.T, w *world, n identity.NewKey) (identity.Key, string) {
	t.Helper()
	key, secret, err := w.CreateKey(t.Context(), person, "", n)
	if err != nil {
		t.Fatal(err)
	}
	return key, secret.Reveal()
}

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}

func TestKeyAuthenticatesItsActorWithItsRoles(t *testing.T) {
	w := newWorld(t, nil)
	expires := w.clock.Now().Add(time.Hour)
	key, secret := mustKey(t, w, identity.NewKey{Actor: agent, Roles: []string{"finance", "clerk", "finance"}, Expires: expires})
	if !regexp.MustCompile(`^aims_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
		t.Errorf("secret %q is not aims_ and 256 bits in base64url", secret)
	}
	want := identity.Principal{Actor: agent, Roles: []string{"clerk", "finance"}, KeyID: key.ID, Expires: expires}
	for _, when := range []string{"at once", "after a restart"} {
		got, err := w.Authenticate(t.Context(), secret)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", when, d)
		}
		w.reopen()
	}
}

func TestEveryBadCredentialGetsTheSameAnswer(t *testing.T) {
	w := newWorld(t, nil)
	_, good := mustKey(t, w, identity.NewKey{Actor: agent})
	_, expiring := mustKey(t, w, identity.NewKey{Actor: agent, Expires: w.clock.Now().Add(time.Minute)})
	revoked, revokedSecret := mustKey(t, w, identity.NewKey{Actor: agent})
	if err := w.RevokeKey(t.Context(), person, "", revoked.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), expiring); err != nil {
		t.Fatalf("before it expires: %v", err)
	}
	w.clock.Advance(time.Minute)
	sentences := map[string]bool{}
	for name, bearer := range map[string]string{
		"none": "", "unknown": "aims_" + strings.Repeat("A", 43), "expired": expiring, "revoked": revokedSecret,
		"a prefix": good[:len(good)-1], "longer": good + "A", "huge": strings.Repeat("x", 1<<20), "a token without a server": "a.b.c",
	} {
		_, err := w.Authenticate(t.Context(), bearer)
		var ours *aims.Error
		if !errors.As(err, &ours) || ours.Code != aims.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		sentences[ours.Text] = true
		if ours.Cause == nil {
			t.Errorf("%s: the log would not say why", name)
		}
		if bearer != "" && len(bearer) < 100 && strings.Contains(err.Error(), bearer) {
			t.Errorf("%s: the error holds the credential: %v", name, err)
		}
	}
	if len(sentences) != 1 {
		t.Errorf("callers can tell the ways apart: %v", sentences)
	}
}

func TestRevocationHoldsForCallsThatAreUnderWay(t *testing.T) {
	w := newWorld(t, nil)
	key, secret := mustKey(t, w, identity.NewKey{Actor: agent})
	stop, revoked := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				after := false
				select {
				case <-revoked:
					after = true
				case <-stop:
					return
				default:
				}
				if _, err := w.Authenticate(context.Background(), secret); after && err == nil {
					t.Error("a key was let in after RevokeKey had returned")
					return
				} else if after {
					return
				}
			}
		})
	}
	err := w.RevokeKey(t.Context(), person, "", key.ID)
	close(revoked)
	wg.Wait()
	close(stop)
	if err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if _, err := w.Authenticate(t.Context(), secret); code(err) != aims.Unauthenticated {
		t.Errorf("after a restart: %v", err)
	}
}

func TestRevokingTwiceOrNothing(t *testing.T) {
	w := newWorld(t, nil)
	key, _ := mustKey(t, w, identity.NewKey{Actor: agent})
	if err := w.RevokeKey(t.Context(), person, "", "key_none"); code(err) != aims.NotFound {
		t.Errorf("unknown: %v", err)
	}
	if err := w.RevokeKey(t.Context(), person, "", key.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeKey(t.Context(), person, "", key.ID); code(err) != aims.Conflict {
		t.Errorf("twice: %v", err)
	}
	if n := len(w.events()); n != 2 {
		t.Errorf("%d receipts, want one for the key and one for its revocation", n)
	}
}

func TestEveryChangeHasAReceiptWithoutTheSecret(t *testing.T) {
	w := newWorld(t, nil)
	decision := aims.NewID("rcp")
	key, secret, err := w.CreateKey(t.Context(), person, decision, identity.NewKey{Actor: agent, Roles: []string{"clerk"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangeRoles(t.Context(), person, decision, agent, []string{"finance"}, []string{"clerk"}); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeKey(t.Context(), person, decision, key.ID); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range w.events() {
		names = append(names, e.Name+" "+e.Object.Type+":"+e.Object.ID)
		if e.Actor != receipt.Party(person) || e.Decision != decision {
			t.Errorf("%s: by %v on %q", e.Name, e.Actor, e.Decision)
		}
	}
	want := []string{"key.created key:" + key.ID, "actor.roles agent:billing", "key.revoked key:" + key.ID}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	for _, leaf := range w.log() {
		if strings.Contains(leaf, secret.Reveal()) || strings.Contains(leaf, strings.TrimPrefix(secret.Reveal(), "aims_")) {
			t.Errorf("the log holds the secret: %s", leaf)
		}
	}
	p, ok := w.Lookup(agent)
	if !ok || !cmp.Equal(p.Roles, []string{"finance"}) {
		t.Errorf("roles after the change: %v", p.Roles)
	}
}

func TestLedgerFailureChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	key, secret := mustKey(t, w, identity.NewKey{Actor: agent})
	if err := w.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, s, err := w.CreateKey(t.Context(), person, "", identity.NewKey{Actor: agent}); code(err) != aims.Unavailable {
		t.Errorf("a key was made without a receipt: %v", err)
	} else if _, err := w.Authenticate(t.Context(), s.Reveal()); err == nil {
		t.Error("an unrecorded key is let in")
	}
	if err := w.RevokeKey(t.Context(), person, "", key.ID); code(err) != aims.Unavailable {
		t.Errorf("revocation: %v", err)
	}
	if _, err := w.ChangeRoles(t.Context(), person, "", agent, []string{"admin"}, nil); code(err) != aims.Unavailable {
		t.Errorf("roles: %v", err)
	}
	p, err := w.Authenticate(t.Context(), secret)
	if err != nil || len(p.Roles) != 0 {
		t.Errorf("the directory changed: %v, %v", p, err)
	}
}

func TestBootstrapMakesOneKeyEver(t *testing.T) {
	w := newWorld(t, nil)
	key, secret, made, err := w.Bootstrap(t.Context(), "admin")
	if err != nil || !made {
		t.Fatalf("made %v, %v", made, err)
	}
	p, err := w.Authenticate(t.Context(), secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Principal{Actor: aims.Actor{Type: aims.PersonType, ID: "admin"}, Roles: []string{"admin"}, KeyID: key.ID}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	for _, when := range []string{"again", "after a restart"} {
		if _, s, made, err := w.Bootstrap(t.Context(), "mallory"); made || err != nil || s.Reveal() != "" {
			t.Errorf("%s: made %v, %v", when, made, err)
		}
		w.reopen()
	}
	if n := w.ledger.Size(); n != 1 {
		t.Errorf("%d receipts, want 1", n)
	}
}

func TestLastAdministratorCannotBeLockedOut(t *testing.T) {
	w := newWorld(t, nil)
	first, _, _, err := w.Bootstrap(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	admin := first.Actor
	if err := w.RevokeKey(t.Context(), admin, "", first.ID); code(err) != aims.Conflict {
		t.Errorf("the last key: %v", err)
	}
	if _, err := w.ChangeRoles(t.Context(), admin, "", admin, nil, []string{"admin"}); code(err) != aims.Conflict {
		t.Errorf("the last role: %v", err)
	}
	mustKey(t, w, identity.NewKey{Actor: person, Roles: []string{"admin"}})
	if err := w.RevokeKey(t.Context(), person, "", first.ID); err != nil {
		t.Errorf("with another administrator: %v", err)
	}
}

func TestKeysOfOneActorShareItsRoles(t *testing.T) {
	w := newWorld(t, nil)
	mustKey(t, w, identity.NewKey{Actor: agent, Roles: []string{"clerk"}})
	if _, _, err := w.CreateKey(t.Context(), person, "", identity.NewKey{Actor: agent, Roles: []string{"admin"}}); code(err) != aims.Conflict {
		t.Errorf("a second key gave other roles: %v", err)
	}
	second, _ := mustKey(t, w, identity.NewKey{Actor: agent})
	if !cmp.Equal(second.Roles, []string{"clerk"}) {
		t.Errorf("roles of the second key: %v", second.Roles)
	}
	keys, err := w.Keys(t.Context())
	if err != nil || len(keys) != 2 || keys[1].ID != second.ID {
		t.Errorf("keys %v, %v", keys, err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	for _, n := range []identity.NewKey{
		{Actor: aims.Actor{Type: "agent", ID: "Billing"}}, {Actor: aims.Actor{Type: "agent", ID: ""}},
		{Actor: aims.Actor{Type: "agent", ID: "a\"b"}}, {Actor: aims.Actor{Type: "system", ID: "aims"}},
		{Actor: aims.Actor{Type: "agent", ID: strings.Repeat("a", 65)}}, {Actor: agent, Roles: []string{"a b"}},
		{Actor: agent, Roles: []string{""}}, {Actor: agent, Expires: w.clock.Now()},
	} {
		if _, _, err := w.CreateKey(t.Context(), person, "", n); code(err) != aims.Invalid {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if n := w.ledger.Size(); n != 0 {
		t.Errorf("%d receipts of nothing", n)
	}
}

func TestFromHeader(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "", "abc": "", "": "", "Bearer ": "", "Bearer": ""} {
		got, err := identity.FromHeader(header)
		if got != want || (want == "") != (code(err) == aims.Unauthenticated) {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
}
