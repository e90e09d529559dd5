package criteria

import (
	"aims/internal/evidence/measure"
)

// Measure is a value that records and receipts give by themselves (ISO 42001 9.1).
type Measure struct {
	ID, Text string
	Unit     string // share (from 0 to 1), count, per day, hours, seconds or ms
	// Of says what the population is from which it is computed.
	Of string
	// From are the records that it is computed from, by evidence source.
	From []string
	// value is that of the input's period and the size of the population: where
	// that is 0, there was nothing to measure.
	value func(in *Input) (v float64, of uint64)
}

// Value is its value in a period with the size of the population; nothing was
// there to measure where that is 0.
func (m Measure) Value(in *Input) (v float64, of uint64) { return m.value(in.prepare()) }

// Measures are those that are computed: of the log alone, and of records.
func Measures() []Measure {
	var list []Measure
	for _, m := range measure.All() {
		list = append(list, Measure{m.ID, m.Meaning, m.Unit, m.Of, m.From, func(in *Input) (float64, uint64) {
			return m.Over(in.Observed, measure.Period{From: in.From, Until: in.Until})
		}})
	}
	return append(list, Measure{
		"policy-known-share", "people who must know the AI policy and acknowledged it", "share", "people who must know it",
		[]string{"policy_acknowledgement"}, knownShare,
	})
}

func knownShare(in *Input) (float64, uint64) {
	var known, all uint64
	for _, d := range in.policies() {
		for _, p := range in.readers(d) {
			all++
			if _, ok := in.acknowledged(d.ID, p.ID); ok {
				known++
			}
		}
	}
	return float64(known) / float64(max(all, 1)), all
}

// value is the value of a measure in the period: computed, or the newest that
// people recorded in the monitoring plan.
func (in *Input) value(n *Count, measure string) (v float64, ok bool) {
	if m, computed := find(Measures(), func(m Measure) bool { return m.ID == measure }); computed {
		n.flows = true
		v, of := m.value(in)
		return v, of > 0
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
