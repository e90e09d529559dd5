package evidence

import (
	"context"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
)

// Point is the value of a measure for a stretch of time; From is included,
// Until is not.
type Point struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Value is absent where there was nothing to measure.
	Value *float64 `json:"value,omitempty"`
	// Population is the size of what it was computed from.
	Population uint64 `json:"population"`
}

// Series is a measure over time (ISO 42001 9.1).
type Series struct {
	ID      string   `json:"id"`
	Meaning string   `json:"meaning"`
	Unit    string   `json:"unit"`
	Of      string   `json:"of"`
	Sources []string `json:"sources"`
	// Whole is the value for the whole period, Points those of its steps.
	Whole  Point   `json:"whole"`
	Points []Point `json:"points"`
	// Expected are the objectives and the lines of the monitoring plan that name it.
	Expected []Expectation `json:"expected"`
}

// Expectation is what an objective or a line of the monitoring plan expects of a
// measure, and what it is.
type Expectation struct {
	Kind    string   `json:"kind" enum:"objective,monitoring"`
	ID      string   `json:"id"`
	Owner   string   `json:"owner"`
	AtLeast *float64 `json:"at_least,omitempty"`
	AtMost  *float64 `json:"at_most,omitempty"`
	Due     string   `json:"due,omitempty"`
	// Found is the value that counts: that of the whole period for an objective,
	// that of the last interval for a line of the plan.
	Found Point `json:"found"`
	// Met is absent where there is no value or no bound.
	Met *bool `json:"met,omitempty"`
}

// Measures are the series of a view, each in steps of a length; of one measure
// where it is named. Measures of the monitoring plan that people record are
// there as well.
func (s *Service) Measures(ctx context.Context, v View, id string, step time.Duration) (list []Series, err error) {
	list = []Series{}
	err = s.Look(ctx, v, func(in *criteria.Input) error {
		if step <= 0 || in.Until.Sub(in.From)/step > mostSteps {
			return aims.Errorf(aims.Invalid, nil, "the steps are too short for the period; expected at most %d", mostSteps)
		}
		for _, m := range criteria.Measures() {
			if id == "" || id == m.ID {
				list = append(list, computed(in, m, step))
			}
		}
		for _, m := range recordedMeasures(in.Registers.Registers) {
			if id == "" || id == m {
				list = append(list, recorded(in, m))
			}
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = aims.Errorf(aims.NotFound, nil, "there is no measure %q; computed are %s", id, strings.Join(measureIDs(), ", "))
	}
	return list, err
}

// mostSteps bounds how many values a series has.
const mostSteps = 3700

func measureIDs() (ids []string) {
	for _, m := range criteria.Measures() {
		ids = append(ids, m.ID)
	}
	return ids
}

func computed(in *criteria.Input, m criteria.Measure, step time.Duration) Series {
	s := Series{ID: m.ID, Meaning: m.Text, Unit: m.Unit, Of: m.Of, Sources: m.From, Points: []Point{}, Expected: []Expectation{}}
	over := func(from, until time.Time) Point {
		part := *in
		part.From, part.Until = from, until
		value, of := m.Value(&part)
		return pointOf(from, until, value, of)
	}
	s.Whole = over(in.From, in.Until)
	for from := in.From; from.Before(in.Until); from = from.Add(step) {
		until := from.Add(step)
		if until.After(in.Until) {
			until = in.Until
		}
		s.Points = append(s.Points, over(from, until))
	}
	s.expect(in, over)
	return s
}

func pointOf(from, until time.Time, value float64, of uint64) Point {
	p := Point{From: from.UTC(), Until: until.UTC(), Population: of}
	if of > 0 {
		p.Value = &value
	}
	return p
}

// expect adds who expects something of the measure.
func (s *Series) expect(in *criteria.Input, over func(from, until time.Time) Point) {
	for _, o := range in.Registers.Registers.Objectives {
		if o.Measure == s.ID {
			s.Expected = append(s.Expected, Expectation{
				Kind: "objective", ID: o.ID, Owner: o.Owner, AtLeast: o.AtLeast, AtMost: o.AtMost, Due: string(o.Due), Found: over(in.From, in.Until),
			}.judged())
		}
	}
	for _, m := range in.Registers.Registers.Monitoring {
		if m.Measure == s.ID {
			from := in.Until.AddDate(0, 0, -max(1, m.EveryDays))
			s.Expected = append(s.Expected, Expectation{
				Kind: "monitoring", ID: m.ID, Owner: m.Owner, AtLeast: m.AtLeast, AtMost: m.AtMost, Found: over(from, in.Until),
			}.judged())
		}
	}
}

func (e Expectation) judged() Expectation {
	if v := e.Found.Value; v != nil && (e.AtLeast != nil || e.AtMost != nil) {
		met := (e.AtLeast == nil || *v >= *e.AtLeast) && (e.AtMost == nil || *v <= *e.AtMost)
		e.Met = &met
	}
	return e
}

// recordedMeasures are the measures of the monitoring plan that nothing computes.
func recordedMeasures(r record.Registers) (ids []string) {
	known := map[string]bool{}
	for _, id := range measureIDs() {
		known[id] = true
	}
	for _, m := range r.Monitoring {
		if !known[m.Measure] {
			known[m.Measure] = true
			ids = append(ids, m.Measure)
		}
	}
	return ids
}

// recorded is a measure that people take: each value stands for its day.
func recorded(in *criteria.Input, id string) Series {
	s := Series{ID: id, Meaning: "recorded by people in the monitoring plan", Unit: "as recorded", Of: "values", Sources: []string{"monitoring_plan"}, Points: []Point{}, Expected: []Expectation{}}
	over := func(from, until time.Time) Point {
		found := pointOf(from, until, 0, 0)
		each(in.Registers.Registers, id, func(day time.Time, value float64) {
			if !day.Before(from.Truncate(dayLength)) && day.Before(until) {
				found.Value = &value // the newest
				found.Population++
			}
		})
		return found
	}
	each(in.Registers.Registers, id, func(day time.Time, value float64) {
		if !day.Before(in.From.Truncate(dayLength)) && day.Before(in.Until) {
			s.Points = append(s.Points, pointOf(day, day.Add(dayLength), value, 1))
		}
	})
	s.Whole = over(in.From, in.Until)
	s.expect(in, over)
	return s
}

const dayLength = 24 * time.Hour

// each goes through the recorded values of a measure.
func each(r record.Registers, id string, fn func(day time.Time, value float64)) {
	for _, m := range r.Monitoring {
		if m.Measure != id {
			continue
		}
		for _, v := range m.Recorded {
			if day, err := time.Parse(time.DateOnly, string(v.On)); err == nil { // the register checks it
				fn(day, v.Value)
			}
		}
	}
}
