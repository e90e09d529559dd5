package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"aims/internal/evidence"
	"aims/internal/evidence/framework"
)

type measuresCmd struct {
	server
	judged
	Measure string `name:"measure" placeholder:"ID" help:"One measure, with its series."`
	Step    string `name:"step" default:"week" enum:"day,week,month" help:"Length of the steps of a series: day, week or month (30 days)."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (c *measuresCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var list []evidence.Series
	if err := client.Do(ctx, http.MethodGet, "/api/v1/evidence/measures"+c.query("measure", c.Measure, "step", c.Step), nil, &list); err != nil {
		return err
	}
	switch {
	case c.JSON:
		return printJSON(std.out, list)
	case c.Measure == "":
		return printMeasures(std.out, list)
	}
	for _, s := range list {
		if err := printSeries(std.out, s); err != nil {
			return err
		}
	}
	return nil
}

func printMeasures(w io.Writer, list []evidence.Series) error {
	t := table{heading: []string{"MEASURE", "VALUE", "UNIT", "FROM", "EXPECTED", "MEANING"}}
	for _, s := range list {
		expected := "-"
		for _, e := range s.Expected {
			if e.Met != nil && expected != "no" {
				expected = map[bool]string{true: "yes", false: "no"}[*e.Met]
			}
		}
		t.add(s.ID, valueText(s.Whole), s.Unit, fmt.Sprintf("%d %s", s.Whole.Population, s.Of), expected, s.Meaning)
	}
	return t.print(w)
}

// valueText is a value, or a dash where there was nothing to measure.
func valueText(p evidence.Point) string {
	if p.Value == nil {
		return "-"
	}
	return strconv.FormatFloat(*p.Value, 'g', 4, 64)
}

func printSeries(w io.Writer, s evidence.Series) error {
	fmt.Fprintf(w, "%s: %s; unit %s\n", s.ID, s.Meaning, s.Unit)
	t := table{heading: []string{"FROM", "UNTIL", "VALUE", "COMPUTED FROM"}}
	for _, p := range append(s.Points, s.Whole) {
		t.add(p.From.Format(time.DateOnly), p.Until.Format(time.DateOnly), valueText(p), fmt.Sprintf("%d %s", p.Population, s.Of))
	}
	if err := t.print(w); err != nil {
		return err
	}
	for _, e := range s.Expected {
		met := "nothing to compare"
		if e.Met != nil {
			met = map[bool]string{true: "met", false: "NOT met"}[*e.Met]
		}
		fmt.Fprintf(w, "%s/%s expects %s: %s with %s\n", e.Kind, e.ID, bounds(e), met, valueText(e.Found))
	}
	return nil
}

func bounds(e evidence.Expectation) string {
	number := func(v *float64) string { return strconv.FormatFloat(*v, 'g', -1, 64) }
	switch {
	case e.AtLeast != nil && e.AtMost != nil:
		return number(e.AtLeast) + " to " + number(e.AtMost)
	case e.AtLeast != nil:
		return "at least " + number(e.AtLeast)
	case e.AtMost != nil:
		return "at most " + number(e.AtMost)
	}
	return "no value in particular"
}

type coverageCmd struct {
	server
	judged
	Framework string `name:"framework" required:"" help:"eu-ai-act, nist-ai-rmf, iso27001 or owasp-asi."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

func (c *coverageCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var v framework.View
	if err := client.Do(ctx, http.MethodGet, "/api/v1/evidence/coverage"+c.query("framework", c.Framework), nil, &v); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, v)
	}
	return v.Print(std.out)
}
