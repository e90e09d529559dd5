package approval

import "testing"

// The whole table: every state with every event, and where it leads.
func TestLifeCycle(t *testing.T) {
	states := []State{Pending, Granted, Used, Denied, Expired, Void, State("forged"), State("")}
	events := []event{voted, completed, refused, lapsed, superseded, released, widened, event("forged"), event("")}
	want := map[State]map[event]State{
		Pending: {voted: Pending, completed: Granted, refused: Denied, lapsed: Expired, superseded: Void, widened: Pending},
		Granted: {refused: Denied, lapsed: Expired, superseded: Void, released: Used, widened: Pending},
	}
	for _, s := range states {
		for _, e := range events {
			expected, possible := want[s][e]
			got, ok := next(s, e)
			if got != expected || ok != possible {
				t.Errorf("%q and %q: %q, %v; want %q, %v", s, e, got, ok, expected, possible)
			}
			if ok && e == released && s != Granted {
				t.Errorf("%q is released without a grant", s)
			}
		}
		if s.open() != (s == Pending || s == Granted) {
			t.Errorf("%q is open: %v", s, s.open())
		}
	}
}
