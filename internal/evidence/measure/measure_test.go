package measure

import (
	"testing"
	"time"

	"aims/internal/evidence/observed"
	"aims/iso42001"
)

var november = Period{at(1), at(11)}

func at(day int) time.Time   { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }
func micros(h float64) int64 { return at(1).UnixMicro() + int64(h*3.6e9) }
func find(id string) (m Measure) {
	for _, m := range All() {
		if m.ID == id {
			return m
		}
	}
	return m
}

func facts() *observed.Facts {
	f := observed.New()
	f.Size, f.First, f.Last = 10, micros(1), micros(300)
	f.Days = []observed.Day{
		{Day: "2026-10-31", Decisions: 1000, Denied: 1000},
		{Day: "2026-11-01", Decisions: 60, Allowed: 50, Denied: 6, Held: 4, Outcomes: 50, Failed: 5, Micros: 100_000, Managed: 10, Refused: 3, Unregistered: 3},
		{Day: "2026-11-10", Decisions: 40, Allowed: 40, Outcomes: 40},
		{Day: "2026-11-11", Decisions: 1000, Held: 1000},
	}
	for id, hours := range map[string]float64{"a": 1, "b": 2, "c": 3, "d": 10} {
		f.Approvals[id] = &observed.Approval{ID: id, Requested: micros(5), Ended: micros(5 + hours), By: []string{"anna"}}
	}
	f.Approvals["e"] = &observed.Approval{ID: "e", Requested: micros(5), Ended: micros(100)} // nobody answered
	f.Pins = []observed.PinChange{
		{Tool: "x", Event: "pinned", At: micros(1)}, {Tool: "x", Event: "changed", At: micros(2)}, {Tool: "x", Event: "changed", At: micros(4)},
		{Tool: "x", Event: "approved", At: micros(12)}, {Tool: "y", Event: "quarantined", At: micros(20)}, {Tool: "y", Event: "approved", At: micros(250)},
	}
	f.Cases["nc1"] = &observed.Case{Kind: "nonconformity", Opened: micros(1), Actions: []observed.CaseAction{{Due: "2026-11-05"}, {Due: "2026-11-05", Implemented: micros(2)}, {Due: "2027-01-01"}}}
	f.Cases["nc2"] = &observed.Case{Kind: "nonconformity", Opened: micros(1), Closed: micros(3)}
	f.Cases["nc3"] = &observed.Case{Kind: "nonconformity", Opened: micros(1), Closed: micros(250)} // after the period
	f.Rehearsals = []observed.Rehearsal{{Scenarios: 10, AsExpected: 5, At: micros(1)}, {Scenarios: 10, AsExpected: 9, At: micros(2)}}
	f.Stops = []observed.Stop{{At: micros(1)}, {At: micros(2), Resumed: true}}
	return f
}

func TestValues(t *testing.T) {
	for id, want := range map[string]struct {
		value float64
		of    uint64
	}{
		"decisions": {100, 100}, "decisions-per-day": {10, 100}, "denied-share": {0.06, 100}, "held-share": {0.04, 100}, "unregistered-share": {0.03, 100},
		"turned-away": {3, 113}, "outcome-share": {0.9, 100}, "failed-share": {5.0 / 90, 90}, "outcome-latency": {100.0 / 90, 90},
		"approval-hours": {4, 4}, "approval-latency-p50": {7200, 4}, "approval-latency-p90": {36000, 4}, "approval-unanswered-share": {0.2, 5},
		"tool-change-disposal-p50": {10, 1}, "tool-changes-open": {1, 2}, "rehearsal-share": {0.9, 10}, "stops": {1, 10},
		"nonconformities-open": {2, 3}, "actions-overdue": {1, 3}, "incidents": {0, 10},
	} {
		value, of := find(id).Over(facts(), november)
		if diff := value - want.value; diff > 1e-9 || diff < -1e-9 || of != want.of {
			t.Errorf("%s: %v of %d, want %v of %d", id, value, of, want.value, want.of)
		}
	}
}

// An empty log shows nothing: no measure is zero where nobody looked.
func TestNothingIsNotZero(t *testing.T) {
	for _, m := range All() {
		if value, of := m.Over(observed.New(), november); of != 0 || value != 0 {
			t.Errorf("%s of an empty log: %v of %d", m.ID, value, of)
		}
	}
}

func TestMeasuresNameKnownSources(t *testing.T) {
	known := map[string]bool{}
	for _, s := range iso42001.Sources() {
		known[s.ID] = true
	}
	seen := map[string]bool{}
	for _, m := range All() {
		if seen[m.ID] || m.Meaning == "" || m.Unit == "" || m.Of == "" || len(m.From) == 0 {
			t.Errorf("%s is there twice or says too little", m.ID)
		}
		seen[m.ID] = true
		for _, source := range m.From {
			if !known[source] {
				t.Errorf("%s is computed from %q, which is no evidence source", m.ID, source)
			}
		}
	}
}
