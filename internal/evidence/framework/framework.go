// Package framework shows what other frameworks find among the evidence towards
// ISO/IEC 42001: each of their references with the requirements that have
// something near it, the state of those, and who says that they are near. It is
// pure: states, answers and the date are handed in.
//
// A pair says that evidence for one is likely useful for the other. Nothing here
// says that one stands for the other, or that a framework is met.
package framework

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/iso42001"
)

// State is what is shown of a requirement at present, in the words of whoever
// computed it.
type State struct {
	State   string
	Reasons []string
}

// View is the coverage of one framework. Its JSON names are stable.
type View struct {
	Framework iso42001.Framework `json:"framework"`
	Title     string             `json:"title"`
	// At is the day for which dates are compared, AsOf that of the facts.
	At      string   `json:"at"`
	AsOf    string   `json:"as_of"`
	Reading []string `json:"reading_rules"`
	// Confidences counts every pair of the framework, shown or not.
	Confidences []iso42001.ConfidenceMeaning `json:"confidences"`
	// Rows is empty for the EU AI Act, which is shown by system.
	Rows    []Row    `json:"rows"`
	Systems []System `json:"systems,omitempty"`
	// NotMapped has no counterpart among the 70; NotJudged was not looked at.
	NotMapped []Uncovered `json:"not_mapped"`
	NotJudged []Uncovered `json:"not_judged"`
	// Timetable is given for the EU AI Act alone.
	Timetable *iso42001.Schedule         `json:"timetable,omitempty"`
	Sources   []iso42001.CrosswalkSource `json:"sources"`
}

// Row is one reference of a framework.
type Row struct {
	Ref   string `json:"ref"`
	Title string `json:"title,omitempty"`
	Pairs []Pair `json:"pairs"`
}

// Pair is a requirement whose evidence is likely useful for a reference. Ref is
// given where it is narrower than that of its row.
type Pair struct {
	Requirement string              `json:"requirement"`
	Title       string              `json:"title"`
	State       string              `json:"state"`
	Reasons     []string            `json:"reasons"`
	Ref         string              `json:"ref,omitempty"`
	Confidence  iso42001.Confidence `json:"confidence"`
	Sources     []string            `json:"sources"`
	Note        string              `json:"note,omitempty"`
}

// Uncovered is references for which nothing is shown, and why.
type Uncovered struct {
	Refs []string `json:"refs"`
	Note string   `json:"note"`
}

// claim finds words of a conclusion that only a certification body, or nobody,
// can draw.
var claim = regexp.MustCompile(`(?i)\b(compliant|certified|equivalent)\b`)

// Coverage is the view of a framework by its name: eu-ai-act, nist-ai-rmf,
// iso27001 or owasp-asi. There must be one state for each of the 70 ids and for
// nothing else. Systems are answers for the EU AI Act, which shows questions
// where they are missing; the other frameworks ignore them. Dates are compared
// with the day of at, where at is. Errors are aims.Invalid.
func Coverage(name string, states map[string]State, systems []Answers, at time.Time) (*View, error) {
	framework, err := iso42001.ParseFramework(name)
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, nil, "%s", err.Error())
	}
	if at.IsZero() {
		return nil, aims.Errorf(aims.Invalid, nil, "no date; expected the day for which coverage is asked")
	}
	if err := checkStates(states); err != nil {
		return nil, err
	}
	about := iso42001.Facts()
	v := &View{
		Framework: framework, Title: framework.Title(), At: at.Format(time.DateOnly), AsOf: about.AsOf,
		Reading: about.ReadingRules, Confidences: confidences(framework),
		Rows: []Row{}, NotMapped: []Uncovered{}, NotJudged: []Uncovered{},
	}
	if framework == iso42001.EUAIAct {
		if err := v.act(states, systems); err != nil {
			return nil, err
		}
	} else {
		v.plain(states)
	}
	v.Sources = v.usedSources()
	return v, nil
}

func checkStates(states map[string]State) error {
	requirements := iso42001.Requirements()
	for _, r := range requirements {
		switch s, given := states[r.ID]; {
		case !given || s.State == "":
			return aims.Errorf(aims.Invalid, nil, "%s has no state; expected one for each of the %d requirements", r.ID, len(requirements))
		case claim.MatchString(s.State):
			return aims.Errorf(aims.Invalid, nil, "%s: the state %q claims what records cannot show; say what evidence there is", r.ID, s.State)
		}
	}
	for id := range states {
		if _, err := iso42001.Get(id); err != nil {
			return aims.Errorf(aims.Invalid, nil, "%s", err.Error())
		}
	}
	return nil
}

// confidences counts the pairs of one framework, strongest first.
func confidences(framework iso42001.Framework) []iso42001.ConfidenceMeaning {
	counted := map[iso42001.Confidence]int{}
	for _, ref := range iso42001.Reverse(framework) {
		for _, p := range ref.Pairs {
			counted[p.Confidence]++
		}
	}
	all := iso42001.Confidences()
	for i, c := range all {
		all[i].Pairs = counted[c.Confidence]
	}
	return all
}

// plain fills the view of a framework of which everything is shown.
func (v *View) plain(states map[string]State) {
	for _, ref := range iso42001.Reverse(v.Framework) {
		row := Row{Ref: ref.Ref, Title: ref.Title}
		for _, p := range ref.Pairs {
			row.Pairs = append(row.Pairs, pair(p, row.Ref, states))
		}
		v.Rows = append(v.Rows, row)
	}
	for _, u := range iso42001.NotMapped() {
		if u.Framework == v.Framework {
			v.NotMapped = append(v.NotMapped, Uncovered{u.Refs, u.Note})
		}
	}
	if v.Framework == iso42001.ISO27001 {
		v.NotJudged = append(v.NotJudged, Uncovered{v.unjudged(), "the facts neither pair these controls with a requirement nor say that they have no counterpart"})
	}
}

// unjudged are the controls of ISO/IEC 27001:2022 Annex A, numbered A.5.1-37,
// A.6.1-8, A.7.1-14 and A.8.1-34, of which the facts say nothing.
func (v *View) unjudged() []string {
	refs := []string{}
	for _, theme := range []struct{ number, controls int }{{5, 37}, {6, 8}, {7, 14}, {8, 34}} {
		for i := range theme.controls {
			ref := fmt.Sprintf("A.%d.%d", theme.number, i+1)
			paired := slices.ContainsFunc(v.Rows, func(r Row) bool { return r.Ref == ref })
			declared := slices.ContainsFunc(v.NotMapped, func(u Uncovered) bool { return slices.Contains(u.Refs, ref) })
			if !paired && !declared {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

func pair(p iso42001.Pair, row string, states map[string]State) Pair {
	out := Pair{
		Requirement: p.Requirement, State: states[p.Requirement].State,
		Reasons:    append([]string{}, states[p.Requirement].Reasons...),
		Confidence: p.Confidence, Sources: p.Sources, Note: p.Note,
	}
	if p.Ref != row {
		out.Ref = p.Ref
	}
	if r, err := iso42001.Get(p.Requirement); err == nil {
		out.Title = r.DisplayTitle
	}
	return out
}

// usedSources are the sources that the shown pairs and dates name.
func (v *View) usedSources() []iso42001.CrosswalkSource {
	used := map[string]bool{}
	mark := func(pairs []Pair) {
		for _, p := range pairs {
			for _, s := range p.Sources {
				used[s] = true
			}
		}
	}
	for _, r := range v.Rows {
		mark(r.Pairs)
	}
	for _, s := range v.Systems {
		for _, d := range s.Duties {
			mark(d.Pairs)
		}
	}
	if v.Timetable != nil {
		for _, s := range v.Timetable.Sources {
			used[s] = true
		}
	}
	return slices.DeleteFunc(iso42001.CrosswalkSources(), func(s iso42001.CrosswalkSource) bool { return !used[s.ID] })
}
