package criteria

import (
	"aims/internal/evidence/observed"
)

// Measure is a value that records and receipts give by themselves (ISO 42001 9.1).
type Measure struct {
	ID, Text string
	Unit     string // "share", "hours" or "count"
	// From are the records that it is computed from, by evidence source.
	From []string
	// value is nothing where there was nothing to measure.
	value func(in *Input) (v float64, ok bool)
}

// Of is its value in a period; not ok where there was nothing to measure.
func (m Measure) Of(in *Input) (v float64, ok bool) { return m.value(in.prepare()) }

// Measures are those that are computed.
func Measures() []Measure {
	receipts := []string{"decision_receipt"}
	share := func(part, whole func(observed.Day) uint64) func(*Input) (float64, bool) {
		return func(in *Input) (float64, bool) {
			var p, w uint64
			for _, d := range in.days() {
				p, w = p+part(d), w+whole(d)
			}
			return float64(p) / float64(max(w, 1)), w > 0
		}
	}
	decisions := func(d observed.Day) uint64 { return d.Decisions }
	return []Measure{
		{"decisions", "calls that were decided", "count", receipts, countDecisions},
		{"denied-share", "decisions that denied", "share", receipts, share(func(d observed.Day) uint64 { return d.Denied }, decisions)},
		{"held-share", "decisions that held a call for people", "share", receipts, share(func(d observed.Day) uint64 { return d.Held }, decisions)},
		{"failed-share", "outcomes other than success", "share", receipts, share(func(d observed.Day) uint64 { return d.Failed }, func(d observed.Day) uint64 { return d.Outcomes })},
		{"unregistered-share", "decisions about agents that were not registered", "share", []string{"agent_discovery"}, share(func(d observed.Day) uint64 { return d.Unregistered }, decisions)},
		{"approval-hours", "mean time until a request for approval was settled", "hours", []string{"human_approval"}, approvalHours},
		{"rehearsal-share", "scenarios that ended as expected in the newest rehearsal", "share", []string{"attack_run"}, rehearsalShare},
		{"policy-known-share", "people who must know the AI policy and acknowledged it", "share", []string{"policy_acknowledgement"}, knownShare},
		{"nonconformities-open", "nonconformities that are open", "count", []string{"nonconformity"}, openCases},
	}
}

func countDecisions(in *Input) (float64, bool) {
	var n uint64
	for _, d := range in.days() {
		n += d.Decisions
	}
	return float64(n), n > 0
}

func approvalHours(in *Input) (float64, bool) {
	var micros, n int64
	for _, a := range in.Observed.Approvals {
		if a.Ended > 0 && in.during(a.Ended) {
			micros, n = micros+a.Ended-a.Requested, n+1
		}
	}
	return float64(micros) / 3.6e9 / float64(max(n, 1)), n > 0
}

func rehearsalShare(in *Input) (float64, bool) {
	for i := len(in.Observed.Rehearsals) - 1; i >= 0; i-- {
		if r := in.Observed.Rehearsals[i]; in.during(r.At) && r.Scenarios > 0 {
			return float64(r.AsExpected) / float64(r.Scenarios), true
		}
	}
	return 0, false
}

func knownShare(in *Input) (float64, bool) {
	known, all := 0, 0
	for _, d := range in.policies() {
		for _, p := range in.readers(d) {
			all++
			if _, ok := in.acknowledged(d.ID, p.ID); ok {
				known++
			}
		}
	}
	return float64(known) / float64(max(all, 1)), all > 0
}

func openCases(in *Input) (float64, bool) {
	open := 0
	cases := in.cases("nonconformity")
	for _, c := range cases {
		if c.Closed == 0 {
			open++
		}
	}
	return float64(open), len(cases) > 0
}

// value is the value of a measure in the period: computed, or the newest that
// people recorded in the monitoring plan.
func (in *Input) value(n *Count, measure string) (v float64, ok bool) {
	if m, computed := find(Measures(), func(m Measure) bool { return m.ID == measure }); computed {
		n.flows = true
		return m.value(in)
	}
	for _, m := range in.Registers.Registers.Monitoring {
		if m.Measure != measure {
			continue
		}
		in.saw(n, "monitoring", m.ID)
		for _, r := range m.Recorded {
			if in.on(r.On) {
				v, ok = r.Value, true
			}
		}
	}
	return v, ok
}

// within says whether a value lies within its bounds.
func within(v float64, least, most *float64) bool {
	return (least == nil || v >= *least) && (most == nil || v <= *most)
}
