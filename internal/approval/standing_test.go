package approval_test

import (
	"testing"

	"aims/internal/aims"
	"aims/internal/approval"
)

// seats are the roles that people hold at the moment.
type seats map[string][]string

func (s seats) holds(person, role string) bool {
	for _, held := range s[person] {
		if held == role {
			return true
		}
	}
	return false
}

func newSeatedWorld(t *testing.T) (*world, seats) {
	s := seats{"ada": {"treasurer"}, "bea": {"treasurer"}, "cem": {"treasurer"}}
	return newWorld(t, func(o *approval.Options) { o.Holds = s.holds }), s
}

// TestGrantOfWhoLostTheRoleReleasesNothing checks a grant between the vote and
// the call: the person's role is taken, and with it the grant.
func TestGrantOfWhoLostTheRoleReleasesNothing(t *testing.T) {
	w, s := newSeatedWorld(t)
	r := w.granted()
	s["ada"] = []string{"clerk"}
	if got := w.get(r.ID); got.State != approval.Pending || len(got.Remaining()) != 1 || len(got.Votes) != 0 {
		t.Errorf("it is %s, still needed %v, votes %v", got.State, got.Remaining(), got.Votes)
	}
	if _, ok, err := w.Granted(t.Context(), binding()); ok || err != nil {
		t.Errorf("granted: %v, %v", ok, err)
	}
	// Also where it was read while it was good.
	if err := w.use(w.Approvals, r.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("use: %v", err)
	}
	// The agent asks again: it is the same request, it waits, and people are told.
	again := w.mustOpen(request("treasurer"))
	if again.ID != r.ID || again.State != approval.Pending || !again.Fresh {
		t.Errorf("asked again: %+v", again)
	}
	if got, err := w.vote(w.Approvals, "ada", nil, r.ID, true); code(err) != aims.Denied {
		t.Errorf("who lost the role votes again: %s, %v", got.State, err)
	}
	if got, err := w.vote(w.Approvals, "bea", s["bea"], r.ID, true); err != nil || got.State != approval.Granted {
		t.Fatalf("another treasurer: %s, %v", got.State, err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); err != nil {
		t.Errorf("use: %v", err)
	}
}

// TestQuorumWithOneWhoLostTheRole checks that a second grant does not complete
// a request whose first does not stand, with and without the agent asking again.
func TestQuorumWithOneWhoLostTheRole(t *testing.T) {
	w, s := newSeatedWorld(t)
	two := request("treasurer")
	two.Quorums = map[string]int{"treasurer": 2}
	r := w.mustOpen(two)
	vote := func(who string, want approval.State) {
		t.Helper()
		if got, err := w.vote(w.Approvals, who, s[who], r.ID, true); err != nil || got.State != want {
			t.Fatalf("%s: %s, %v", who, got.State, err)
		}
	}
	vote("ada", approval.Pending)
	if _, err := w.vote(w.Approvals, "ada", s["ada"], r.ID, true); code(err) != aims.Conflict {
		t.Errorf("the same person twice: %v", err)
	}
	delete(s, "ada")
	vote("bea", approval.Pending)
	vote("cem", approval.Granted)
	delete(s, "bea")
	if got := w.get(r.ID); got.State != approval.Pending {
		t.Errorf("with one of two left it is %s", got.State)
	}
	s["dora"] = []string{"treasurer"}
	vote("dora", approval.Granted)
	if _, ok, err := w.Granted(t.Context(), binding()); !ok || err != nil {
		t.Errorf("granted: %v, %v", ok, err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); err != nil {
		t.Errorf("use: %v", err)
	}
}

// TestRoleThatComesBack checks that a request is not stuck between a grant that
// counts again and one that does not: who got the role back votes again.
func TestRoleThatComesBack(t *testing.T) {
	w, s := newSeatedWorld(t)
	r := w.granted()
	delete(s, "ada")
	w.mustOpen(request("treasurer"))
	s["ada"] = []string{"treasurer"}
	if got := w.get(r.ID); got.State != approval.Pending || len(got.Remaining()) != 1 {
		t.Errorf("it is %s, still needed %v", got.State, got.Remaining())
	}
	if got, err := w.vote(w.Approvals, "ada", s["ada"], r.ID, true); err != nil || got.State != approval.Granted {
		t.Errorf("ada again: %s, %v", got.State, err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); err != nil {
		t.Errorf("use: %v", err)
	}
}
