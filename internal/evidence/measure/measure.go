// Package measure computes measures of an AI management system from what its log
// shows (ISO 42001 9.1, 6.2, A.6.2.6): one number for a period, with how much
// it was computed from. Where nothing happened there is no number, which is
// something else than zero. It is pure: an auditor computes the same.
package measure

import (
	"time"

	"aims/internal/evidence/observed"
)

// Measure is one thing that is measured.
type Measure struct {
	ID string `json:"id"`
	// Meaning says in a sentence what the number is.
	Meaning string `json:"meaning"`
	// Unit is share (from 0 to 1), count, per day, hours, seconds or ms.
	Unit string `json:"unit"`
	// Of says what the population is from which it is computed.
	Of string `json:"of"`
	// From are the records that it is computed from, by evidence source.
	From  []string `json:"from"`
	value func(*observed.Facts, Period) (value float64, of uint64)
}

// Period is a stretch of time: From is included, Until is not. What happens all
// the time is counted by whole days, UTC.
type Period struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// All is every measure, in a fixed order.
func All() []Measure { return append(append([]Measure{}, traffic...), events...) }

// Over is the measure's value for a period and the size of the population that
// it was computed from; where that is 0, there is nothing to show.
func (m Measure) Over(f *observed.Facts, p Period) (value float64, of uint64) { return m.value(f, p) }

// has says whether a time lies in the period.
func (p Period) has(at int64) bool {
	return at != 0 && !time.UnixMicro(at).Before(p.From) && time.UnixMicro(at).Before(p.Until)
}

// begun says whether a time lies before the period's end.
func (p Period) begun(at int64) bool { return at != 0 && time.UnixMicro(at).Before(p.Until) }

// lasts is the length of the period in days.
func (p Period) lasts() float64 { return p.Until.Sub(p.From).Hours() / 24 }

// sum adds up the days that begin in the period.
func sum(f *observed.Facts, p Period) (total observed.Day) {
	from, until := p.From.UTC().Format(time.DateOnly), p.Until.UTC().Add(-time.Microsecond).Format(time.DateOnly)
	for _, d := range f.Days {
		if d.Day < from || d.Day > until {
			continue
		}
		total.Decisions += d.Decisions
		total.Allowed += d.Allowed
		total.Denied += d.Denied
		total.Held += d.Held
		total.Refused += d.Refused
		total.Outcomes += d.Outcomes
		total.Failed += d.Failed
		total.Micros += d.Micros
		total.Managed += d.Managed
		total.Unregistered += d.Unregistered
	}
	return total
}

func share(part, of uint64) (float64, uint64) {
	if of == 0 {
		return 0, 0
	}
	return float64(part) / float64(of), of
}
