package report

import (
	"fmt"
	"strings"

	"aims/internal/evidence"
)

// measures is the measures of the management system and what is expected of
// them (ISO 42001 9.1, 6.2).
func measures(h Head, list []evidence.Series) document {
	whole, values := measureParts(list)
	return document{title: "Measures of the management system", head: h, parts: []part{whole, values}}
}

// measureParts are the measures for the whole period, and by its steps.
func measureParts(list []evidence.Series) (whole, values part) {
	whole = part{name: "Measures", columns: []column{{"Measure", 34}, {"Meaning", 68}, {"Value", 20}, {"Unit", 12}, {"Computed from", 16}, {"Of what", 34}, {"What is expected of it", 60}}}
	values = part{in: onSheet, name: "Values", columns: []column{{"Measure", 34}, {"From", 21}, {"Until", 21}, {"Value", 14}, {"Unit", 12}, {"Computed from", 14}}}
	for _, s := range list {
		var expected []string
		for _, e := range s.Expected {
			expected = append(expected, expectationText(e))
		}
		whole.rows = append(whole.rows, cells(s.ID, s.Meaning, value(s.Whole), s.Unit, int(s.Whole.Population), s.Of, dash(bullets(expected))))
		for _, p := range s.Points {
			values.rows = append(values.rows, cells(s.ID, p.From, p.Until, value(p), s.Unit, int(p.Population)))
		}
	}
	return whole, values
}

// value is a point's value; where nothing was there to measure, it says so.
func value(p evidence.Point) any {
	if p.Value == nil {
		return "nothing to measure"
	}
	return *p.Value
}

// boundsText is what a measure is expected to be.
func boundsText(atLeast, atMost *float64) string {
	var bounds []string
	if atLeast != nil {
		bounds = append(bounds, fmt.Sprintf("at least %g", *atLeast))
	}
	if atMost != nil {
		bounds = append(bounds, fmt.Sprintf("at most %g", *atMost))
	}
	return strings.Join(bounds, ", ")
}

func expectationText(e evidence.Expectation) string {
	verdict := "nothing to compare"
	if e.Met != nil {
		verdict = map[bool]string{true: "reached", false: "not reached"}[*e.Met]
	}
	return fmt.Sprintf("%s %s: %s; found %s: %s", e.Kind, e.ID, dash(boundsText(e.AtLeast, e.AtMost)), onPaperText(value(e.Found)), verdict)
}
