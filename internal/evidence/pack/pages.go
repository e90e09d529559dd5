package pack

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
)

//go:embed pages.html
var pagesText string

// page is what a page shows.
type page struct {
	View  *View
	Title string
	Area  iso42001.Area
	Rows  []criteria.Status
	Areas []areaLine
	Cases []observed.Case
	Lists []list
}

// areaLine counts the states of an area's requirements.
type areaLine struct {
	iso42001.Area
	Page   string
	Counts []stateCount
}

type stateCount struct {
	Words string
	Count int
}

// list is the records of one kind.
type list struct {
	Kind    string
	Records []recordLine
}

type recordLine struct {
	ID, Title, Approved string
	Version             record.Version
}

// pages are the pages to be read without software.
func (v *View) pages() ([]File, error) {
	t, err := template.New("pages").Funcs(template.FuncMap{
		"words": soa.Words, "day": dayOf, "outcome": outcomeWords, "anchor": func(id string) string { return strings.ReplaceAll(id, ".", "-") },
		"join": func(list []string) string { return strings.Join(list, ", ") }, "title": title,
	}).Parse(pagesText)
	if err != nil {
		return nil, err
	}
	var out []File
	add := func(name, body string, p page) error {
		p.View = v
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, body, p); err != nil {
			return fmt.Errorf("pages/%s: %w", name, err)
		}
		out = append(out, File{"pages/" + name, b.Bytes()})
		return nil
	}
	if err := add("index.html", "index", page{Title: "Audit pack", Areas: v.areas()}); err != nil {
		return nil, err
	}
	for _, a := range iso42001.Areas() {
		if err := add(pageOf(a.ID), "area", page{Title: a.ID + " " + a.Title, Area: a, Rows: v.of(a.ID)}); err != nil {
			return nil, err
		}
	}
	for _, p := range []struct {
		name, body string
		page       page
	}{
		{"soa.html", "soa", page{Title: "Statement of applicability"}},
		{"findings.html", "findings", page{Title: "Findings", Cases: v.cases()}},
		{"registers.html", "registers", page{Title: "Registers", Lists: v.lists()}},
		{"sample.html", "sample", page{Title: "Sample of decisions"}},
	} {
		if err := add(p.name, p.body, p.page); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func pageOf(area string) string { return "area-" + area + ".html" }

func (v *View) of(area string) (out []criteria.Status) {
	for _, s := range v.Statuses {
		if s.Area == area {
			out = append(out, s)
		}
	}
	return out
}

func (v *View) areas() (out []areaLine) {
	for _, a := range iso42001.Areas() {
		counts := map[string]int{}
		for _, s := range v.of(a.ID) {
			counts[soa.Words(s.State)]++
		}
		line := areaLine{Area: a, Page: pageOf(a.ID)}
		for words, n := range counts {
			line.Counts = append(line.Counts, stateCount{words, n})
		}
		slices.SortFunc(line.Counts, func(a, b stateCount) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Words, b.Words)) })
		out = append(out, line)
	}
	return out
}

func (v *View) lists() (out []list) {
	v.State.Registers.Each(func(kind, id string, rec any) {
		if len(out) == 0 || out[len(out)-1].Kind != kind {
			out = append(out, list{Kind: kind})
		}
		line := recordLine{ID: id, Title: titleOf(rec), Version: v.State.Versions[record.Key{Kind: kind, ID: id}]}
		if m, ok := v.State.Approved(kind, id); ok {
			line.Approved = m.By + " on " + dayOf(m.At)
		}
		last := &out[len(out)-1]
		last.Records = append(last.Records, line)
	})
	return out
}

// titleOf is what a record calls itself.
func titleOf(rec any) string {
	switch r := rec.(type) {
	case record.Risk:
		return r.Title
	case record.Document:
		return r.Title + " " + r.Version
	case record.Agent:
		return r.Name
	case record.AISystem:
		return r.Name
	case record.Party:
		return r.Name
	case record.Person:
		return r.Name
	case record.Role:
		return r.Title
	case record.Supplier:
		return r.Name
	case record.Model:
		return r.Name
	case record.DataSource:
		return r.Name
	case record.Obligation:
		return r.Title
	case record.Threat:
		return r.Title
	case record.Treatment:
		return r.Text
	case record.Objective:
		return r.Text
	case record.Purpose:
		return r.Text
	case record.Change:
		return r.Title
	case record.Audit:
		return r.Title
	case record.Applicability:
		return title(r.ID)
	}
	return ""
}

func dayOf(micros int64) string {
	if micros == 0 {
		return ""
	}
	return time.UnixMicro(micros).UTC().Format(time.DateOnly)
}

func outcomeWords(o criteria.Outcome) string {
	switch o {
	case criteria.Met:
		return "holds"
	case criteria.NotMet:
		return "does not hold"
	case criteria.OutOfDate:
		return "out of date"
	case criteria.Unavailable:
		return "cannot be derived"
	}
	return "nothing to show yet"
}
