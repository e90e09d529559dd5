package report

import (
	"fmt"
	"strings"

	"aims/internal/evidence"
)

// measures is the measures of the management system and what is expected of
// them (ISO 42001 9.1, 6.2).
func measures(h Head, list []evidence.Series) document {
	whole := part{name: "Measures", columns: []column{{"Measure", 34}, {"Meaning", 70}, {"Value", 14}, {"Unit", 12}, {"Computed from", 12}, {"Of what", 34}, {"What is expected of it", 60}}}
	values := part{in: onSheet, name: "Values", columns: []column{{"Measure", 34}, {"From", 21}, {"Until", 21}, {"Value", 14}, {"Unit", 12}, {"Computed from", 14}}}
	for _, s := range list {
		var expected []string
		for _, e := range s.Expected {
			expected = append(expected, expectationText(e))
		}
		whole.rows = append(whole.rows, cells(s.ID, s.Meaning, value(s.Whole), s.Unit, int(s.Whole.Population), s.Of, dash(bullets(expected))))
		for _, p := range s.Points {
			values.rows = append(values.rows, cells(s.ID, instant(p.From), instant(p.Until), value(p), s.Unit, int(p.Population)))
		}
	}
	return document{title: "Measures of the management system", head: h, parts: []part{whole, values}}
}

// value is a point's value; where nothing was there to measure, it says so.
func value(p evidence.Point) any {
	if p.Value == nil {
		return "nothing to measure"
	}
	return *p.Value
}

func expectationText(e evidence.Expectation) string {
	var bounds []string
	if e.AtLeast != nil {
		bounds = append(bounds, fmt.Sprintf("at least %g", *e.AtLeast))
	}
	if e.AtMost != nil {
		bounds = append(bounds, fmt.Sprintf("at most %g", *e.AtMost))
	}
	verdict := "nothing to compare"
	if e.Met != nil {
		verdict = map[bool]string{true: "reached", false: "not reached"}[*e.Met]
	}
	return fmt.Sprintf("%s %s: %s; found %v: %s", e.Kind, e.ID, dash(strings.Join(bounds, ", ")), value(e.Found), verdict)
}
