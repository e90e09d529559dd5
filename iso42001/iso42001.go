// Package iso42001 is what ISO/IEC 42001:2023 asks for, as facts: the 32 clause
// requirements and 38 Annex A controls with our own summaries, what can serve
// as evidence towards each and how far a machine can show it, and where other
// frameworks have something near. It holds no text of the standard, knows no
// clock and keeps no state; whatever it returns is the caller's own copy.
//
// A record of a machine shows that a control operated, never that it was the
// right control: say "evidence towards", and leave the conclusion to people.
package iso42001

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind tells a clause requirement, which always binds, from an Annex A control,
// which binds where the statement of applicability keeps it (ISO 42001 6.1.3).
type Kind string

const (
	Clause  Kind = "clause"
	Control Kind = "control"
)

// Mode is how far a machine can go in showing something.
type Mode string

const (
	Automatic Mode = "automatic" // computed from records that the product made or observed
	Assisted  Mode = "assisted"  // a named person attests; the record is attached, checked and dated
	Manual    Mode = "manual"    // outside material or judgement only
)

func (m Mode) known() bool { return m == Automatic || m == Assisted || m == Manual }

// Requirement is one of the 70.
type Requirement struct {
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Title string `json:"title"`
	// DisplayTitle stands alone: the standard titles three clauses "General".
	DisplayTitle string `json:"display_title"`
	// Area is the clause ("4" to "10") or Annex A area ("A.2" to "A.10").
	Area string `json:"area"`
	// Parent is the nearest group above: "6.1" for 6.1.2, "A.6.2" for A.6.2.8.
	Parent string `json:"parent"`
	// ObjectiveID is the objective that a control serves; "" for a clause.
	ObjectiveID string `json:"objective_id,omitempty"`
	// AnnexB is the guidance on a control; "" for a clause.
	AnnexB  string `json:"annex_b,omitempty"`
	Summary string `json:"summary"`
	// Points are what a clause asks for, paraphrased from secondary sources.
	Points                []string   `json:"points,omitempty"`
	DocumentedInformation Documented `json:"documented_information"`
	// Ceiling is the best honest mode for the whole of the requirement.
	Ceiling           Mode          `json:"ceiling"`
	Evidence          []EvidenceUse `json:"evidence"`
	MachineChecks     []string      `json:"machine_checks"`
	NotShownByMachine string        `json:"not_shown_by_machine"`
}

// Documented is what a requirement asks to be documented by name
// (ISO 42001 7.5).
type Documented struct {
	Required bool     `yaml:"required" json:"required"`
	Items    []string `yaml:"items" json:"items"`
	Note     string   `yaml:"note" json:"note,omitempty"`
}

// EvidenceUse is what one source shows of one requirement.
type EvidenceUse struct {
	Source string `yaml:"source" json:"source"`
	Mode   Mode   `yaml:"mode" json:"mode"`
	Shows  string `yaml:"shows" json:"shows"`
}

// Source is a kind of record that can serve as evidence.
type Source struct {
	ID          string `yaml:"id" json:"id"`
	Description string `yaml:"description" json:"description"`
}

// Document is one entry of the list of documented information that the standard
// asks for by name.
type Document struct {
	Clause string `yaml:"clause" json:"clause"`
	Item   string `yaml:"item" json:"item"`
}

// Area is a clause or an area of Annex A, with its requirements in order.
type Area struct {
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Title string `json:"title"`
	// Groups lie between area and requirement, where the standard has them: 6.1,
	// 7.5, 9.2, 9.3, A.6.1, A.6.2.
	Groups       []Group     `json:"groups,omitempty"`
	Objectives   []Objective `json:"objectives,omitempty"`
	Requirements []string    `json:"requirements"`
}

type Group struct {
	ID    string `yaml:"id" json:"id"`
	Title string `yaml:"title" json:"title"`
}

// Objective is what the controls of an area or group are for.
type Objective struct {
	ID      string `json:"id"`
	Of      string `json:"of"` // the area or group
	Summary string `json:"summary"`
}

// About is what to say wherever the facts are shown.
type About struct {
	Standard    string          `json:"standard"`
	Edition     string          `json:"edition"`
	TextPolicy  string          `json:"text_policy"`
	WordingRule string          `json:"wording_rule"`
	Modes       map[Mode]string `json:"modes"`
	Ceiling     string          `json:"ceiling"`
	// NotRequired lists what the standard is often said to ask for and does not.
	NotRequired []string `json:"not_required"`
	// AsOf is the date of the crosswalk; ReadingRules bind whoever shows it.
	AsOf         string   `json:"as_of"`
	ReadingRules []string `json:"reading_rules"`
}

// UnknownError says that an id is none of the 70.
type UnknownError struct {
	ID string
	// Hint says what may have been meant; "" where nothing is obvious.
	Hint string
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("%q is no requirement of ISO/IEC 42001:2023: the 70 ids are closed (32 clause requirements, 38 Annex A controls)", e.ID)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Requirements is all 70 in the order of the standard, clauses first.
func Requirements() []Requirement { return cloneAll(read().requirements) }

// Clauses is the 32 clause requirements.
func Clauses() []Requirement { return cloneAll(read().requirements[:len(read().standard.Clauses)]) }

// Controls is the 38 controls of Annex A.
func Controls() []Requirement { return cloneAll(read().requirements[len(read().standard.Clauses):]) }

// Get finds a requirement by its exact id. The error is an *UnknownError.
func Get(id string) (Requirement, error) {
	f := read()
	i, known := f.byID[id]
	if !known {
		return Requirement{}, &UnknownError{ID: id, Hint: f.hint(id)}
	}
	return f.requirements[i].clone(), nil
}

// Areas is clauses 4 to 10 and Annex A areas A.2 to A.10.
func Areas() []Area {
	areas := slices.Clone(read().areas)
	for i, a := range areas {
		areas[i].Groups = slices.Clone(a.Groups)
		areas[i].Objectives = slices.Clone(a.Objectives)
		areas[i].Requirements = slices.Clone(a.Requirements)
	}
	return areas
}

// Sources is every kind of record that the requirements name as evidence.
func Sources() []Source { return slices.Clone(read().standard.EvidenceSources) }

// DocumentedInformation is the documented information that the standard asks for by name.
func DocumentedInformation() []Document { return slices.Clone(read().standard.DocumentedInformation) }

// Facts says what the facts are and how they are to be read.
func Facts() About {
	s, c := read().standard, read().crosswalk.Meta
	return About{
		Standard: s.Meta.Standard, Edition: s.Meta.Edition, TextPolicy: s.Meta.TextPolicy,
		WordingRule: s.Meta.WordingRule, Modes: maps.Clone(s.Meta.Modes), Ceiling: s.Meta.EvidenceCeiling,
		NotRequired: slices.Clone(s.NotRequired), AsOf: c.AsOf, ReadingRules: slices.Clone(c.ReadingRules),
	}
}

func (r Requirement) clone() Requirement {
	r.Points = slices.Clone(r.Points)
	r.DocumentedInformation.Items = slices.Clone(r.DocumentedInformation.Items)
	r.Evidence = slices.Clone(r.Evidence)
	r.MachineChecks = slices.Clone(r.MachineChecks)
	return r
}

func cloneAll(list []Requirement) []Requirement {
	out := make([]Requirement, len(list))
	for i, r := range list {
		out[i] = r.clone()
	}
	return out
}

// build joins the lists of the file into requirements and areas.
func (f *facts) build() {
	areas := map[string]*Area{}
	for _, g := range f.standard.ClauseGroups {
		if top, _, inner := strings.Cut(g.ID, "."); inner && areas[top] != nil {
			areas[top].Groups = append(areas[top].Groups, g)
			continue
		}
		areas[g.ID] = &Area{ID: g.ID, Kind: Clause, Title: g.Title}
	}
	for _, a := range f.standard.AnnexA {
		area := &Area{ID: a.ID, Kind: Control, Title: a.Title}
		if a.Objective.ID != "" {
			area.Objectives = append(area.Objectives, Objective{a.Objective.ID, a.ID, a.Objective.Summary})
		}
		for _, s := range a.SubAreas {
			area.Groups = append(area.Groups, Group{s.ID, s.Title})
			area.Objectives = append(area.Objectives, Objective{s.Objective.ID, s.ID, s.Objective.Summary})
		}
		areas[a.ID] = area
	}
	for _, c := range f.standard.Clauses {
		top, _, _ := strings.Cut(c.ID, ".")
		r := c.requirement(Clause, top, c.Parent)
		r.DisplayTitle, r.Points, r.DocumentedInformation = c.DisplayTitle, c.Points, c.DocumentedInformation
		f.add(r, areas[top])
	}
	for _, c := range f.standard.Controls {
		r := c.requirement(Control, c.Area, c.ID[:max(0, strings.LastIndex(c.ID, "."))])
		r.ObjectiveID, r.AnnexB = c.ObjectiveID, c.AnnexB
		f.add(r, areas[c.Area])
	}
	for _, g := range f.standard.ClauseGroups {
		if !strings.Contains(g.ID, ".") {
			f.areas = append(f.areas, *areas[g.ID])
		}
	}
	for _, a := range f.standard.AnnexA {
		f.areas = append(f.areas, *areas[a.ID])
	}
}

func (q requirementFact) requirement(kind Kind, area, parent string) Requirement {
	return Requirement{
		ID: q.ID, Kind: kind, Title: q.Title, DisplayTitle: q.Title, Area: area, Parent: parent,
		Summary: q.Summary, Ceiling: q.EvidenceCeiling, Evidence: q.AgentEvidence,
		MachineChecks: q.MachineChecks, NotShownByMachine: q.NotShownByMachine,
	}
}

func (f *facts) add(r Requirement, area *Area) {
	f.byID[r.ID] = len(f.requirements)
	f.requirements = append(f.requirements, r)
	if area != nil {
		area.Requirements = append(area.Requirements, r.ID)
	}
}

func (f *facts) areaTitle(id string) string {
	for _, a := range f.areas {
		if a.ID == id {
			return a.Title
		}
	}
	return ""
}

// hint finds what a wrong id may have meant: another spelling of one of the 70,
// or something of the standard that is no requirement by itself.
func (f *facts) hint(id string) string {
	plain := strings.ToUpper(strings.Join(strings.Fields(id), ""))
	for _, prefix := range []string{"ISO/IEC", "ISO", "42001:2023", "42001", ":", "CLAUSE", "CONTROL", "ANNEX"} {
		plain = strings.TrimPrefix(plain, prefix)
	}
	plain = strings.Trim(plain, ".")
	for _, a := range f.areas {
		for _, o := range a.Objectives {
			if o.ID == plain {
				return fmt.Sprintf("%s is the objective of %s; its controls are %s", plain, o.Of, f.under(o.Of))
			}
		}
	}
	if list := f.under(plain); list != "" {
		return fmt.Sprintf("%s is a heading over %s", plain, list)
	}
	for _, try := range []string{plain, "A." + strings.TrimLeft(plain, "AB.")} {
		if _, known := f.byID[try]; known {
			return fmt.Sprintf("did you mean %s (%s)?", try, f.requirements[f.byID[try]].DisplayTitle)
		}
	}
	for parent := plain; strings.Contains(parent, "."); {
		parent = parent[:strings.LastIndex(parent, ".")]
		if _, known := f.byID[parent]; known {
			return fmt.Sprintf("the nearest is %s (%s)", parent, f.requirements[f.byID[parent]].DisplayTitle)
		}
		if list := f.under(parent); list != "" && parent != "A" {
			return fmt.Sprintf("under %s there are %s", parent, list)
		}
	}
	return ""
}

func (f *facts) under(heading string) string {
	var ids []string
	for _, r := range f.requirements {
		if heading != "" && strings.HasPrefix(r.ID, heading+".") {
			ids = append(ids, r.ID)
		}
	}
	return strings.Join(ids, ", ")
}
