// Package oscal writes what is known of a management system in NIST OSCAL
// 1.2.1, for tools of auditors that read it: the catalog of the 70 ids in our
// own words, the statement of applicability as a profile of it, the results of
// the criteria, and what is to be done as a plan of action and milestones. It is
// an export, never the working model, and gives the same bytes for the same
// place of the log.
package oscal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/soa"
	"aims/iso42001"
)

const version = "1.2.1"

// namespace makes names of properties ours, and ids of parts the same each time.
const namespace = "https://aims.invalid/ns/oscal"

// disclaimer stands in every file.
const disclaimer = "Identifiers and titles of ISO/IEC 42001:2023 are facts; every text is a summary in our own words, and no text of the standard is reproduced. " +
	"A record of a machine is evidence towards a requirement: it shows that a control operated, never that it was the right control."

// Position is the place of the log that a file was written from.
type Position struct {
	Origin       string // of the log
	Size         uint64
	Root         string
	At           time.Time // of the newest entry
	Organisation string
}

func (p Position) time() string { return p.At.UTC().Format(time.RFC3339) }

// id is the same for the same names at the same place of the same log.
func (p Position) id(names ...string) string {
	name := fmt.Sprintf("%s\n%s\n%d\n%s\n%s", namespace, p.Origin, p.Size, p.Root, strings.Join(names, "\n"))
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()
}

func (p Position) metadata(title string) metadata {
	props := []property{{Name: "log-origin", NS: namespace, Value: p.Origin}, {Name: "log-size", NS: namespace, Value: fmt.Sprint(p.Size)}}
	if p.Root != "" {
		props = append(props, property{Name: "log-root", NS: namespace, Value: p.Root})
	}
	if p.Organisation != "" {
		title = p.Organisation + ": " + title
	}
	return metadata{Title: title, LastModified: p.time(), Version: fmt.Sprint(p.Size), OSCAL: version, Props: props, Remarks: disclaimer}
}

// ControlID is a requirement's id as an OSCAL token, which begins with a letter.
func ControlID(requirement string) string {
	if strings.HasPrefix(requirement, "A.") {
		return requirement
	}
	return "clause-" + requirement
}

func write(name string, v any) ([]byte, error) {
	text, err := json.MarshalIndent(map[string]any{name: v}, "", "  ")
	return append(text, '\n'), err
}

// Catalog writes the 70 requirements as a catalog. It is the same for every
// installation.
func Catalog() ([]byte, error) {
	c := catalog{UUID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(namespace+"/catalog")).String(),
		// The facts are of the edition of the standard, and change with the product only.
		Metadata: metadata{Title: "ISO/IEC 42001:2023 requirements and controls: identifiers, titles and summaries in our own words",
			LastModified: "2026-11-23T00:00:00Z", Version: "ISO/IEC 42001:2023", OSCAL: version, Remarks: disclaimer}}
	at := map[string]int{}
	for _, a := range iso42001.Areas() {
		at[a.ID] = len(c.Groups)
		c.Groups = append(c.Groups, group{ID: ControlID(a.ID), Class: "area", Title: a.Title, Props: []property{{Name: "label", Value: a.ID}}})
	}
	for _, r := range iso42001.Requirements() {
		i, ok := at[r.Area]
		if !ok {
			return nil, fmt.Errorf("the facts have no area %s", r.Area)
		}
		c.Groups[i].Controls = append(c.Groups[i].Controls, controlOf(r))
	}
	return write("catalog", c)
}

func controlOf(r iso42001.Requirement) control {
	c := control{ID: ControlID(r.ID), Class: string(r.Kind), Title: r.DisplayTitle,
		Props: []property{{Name: "label", Value: r.ID}, {Name: "evidence-ceiling", NS: namespace, Value: string(r.Ceiling)}},
		Parts: []part{{ID: ControlID(r.ID) + "_smt", Name: "statement", Prose: r.Summary}}}
	for i, check := range r.MachineChecks {
		c.Parts = append(c.Parts, part{ID: fmt.Sprintf("%s_obj.%d", ControlID(r.ID), i+1), Name: "assessment-objective", Prose: check})
	}
	if r.NotShownByMachine != "" {
		c.Parts = append(c.Parts, part{Name: "guidance", Title: "Not shown by records of machines", Prose: r.NotShownByMachine})
	}
	return c
}

// Profile writes the statement of applicability as a profile of the catalog:
// the clauses, which always bind, and the controls that were kept. Controls
// that were left out or not decided yet are said in its remarks.
func Profile(p Position, s soa.Statement) ([]byte, error) {
	var ids []string
	for _, c := range iso42001.Clauses() {
		ids = append(ids, ControlID(c.ID))
	}
	var alters []alter
	left := []string{}
	for _, row := range s.Rows {
		if row.Decision != soa.Kept {
			left = append(left, fmt.Sprintf("%s %s (%s): %s", row.Control, row.Title, row.Decision, orDash(row.Justification)))
			continue
		}
		ids = append(ids, ControlID(row.Control))
		alters = append(alters, alter{ControlID: ControlID(row.Control), Adds: []addition{{Props: rowProps(row), Parts: rowParts(row)}}})
	}
	meta := p.metadata("statement of applicability")
	meta.Props = append(meta.Props, property{Name: "statement-digest", NS: namespace, Value: s.Digest})
	if s.Approval != nil {
		meta.Props = append(meta.Props, property{Name: "approved-by", NS: namespace, Value: s.Approval.By, Remarks: s.Approval.At + ", " + s.Approval.Receipt})
	}
	if len(left) > 0 {
		meta.Remarks += "\n\nNot included:\n\n" + strings.Join(left, "\n\n")
	}
	return write("profile", profile{UUID: p.id("profile"), Metadata: meta, Imports: []profileImport{{Href: "catalog.json", IncludeControls: []withID{{ids}}}},
		Merge: map[string]bool{"as-is": true}, Modify: modifyOf(alters)})
}

func modifyOf(alters []alter) *modify {
	if len(alters) == 0 {
		return nil
	}
	return &modify{Alters: alters}
}

func rowProps(row soa.Row) []property {
	props := []property{{Name: "evidence-state", NS: namespace, Value: string(row.Evidence.State)}}
	if row.Implementation != "" {
		props = append(props, property{Name: "implementation", NS: namespace, Value: row.Implementation})
	}
	for _, r := range row.Risks {
		props = append(props, property{Name: "risk", NS: namespace, Value: r.ID})
	}
	for _, r := range row.Rules {
		props = append(props, property{Name: "rule", NS: namespace, Value: r.ID, Remarks: "of the policy set " + r.Policy})
	}
	if row.Approval != nil {
		props = append(props, property{Name: "approved-by", NS: namespace, Value: row.Approval.By, Remarks: row.Approval.At + ", " + row.Approval.Receipt})
	}
	return props
}

func rowParts(row soa.Row) []part {
	var parts []part
	for _, p := range []part{{Name: "justification", Prose: row.Justification}, {Name: "implementation", Prose: row.How}} {
		if p.Prose != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

func orDash(s string) string {
	if s == "" {
		return "no reason given"
	}
	return s
}

// Results writes the results of the criteria: an observation for each that had
// something to look at, and a finding for each requirement with exceptions, a
// contradiction or evidence out of date. That nothing was found is no finding:
// whether a requirement is met is the conclusion of a person.
func Results(p Position, from, until time.Time, statuses []criteria.Status) ([]byte, error) {
	r := result{UUID: p.id("result"), Title: "What the records show", Start: from.UTC().Format(time.RFC3339), End: until.UTC().Format(time.RFC3339),
		Description: "Criteria evaluated over whole populations of registers and receipts. A requirement without a finding is not thereby met."}
	var include []controlID
	for _, s := range statuses {
		include = append(include, controlID{ControlID(s.ID)})
		observations, related := p.observations(s)
		r.Observations = append(r.Observations, observations...)
		if f, ok := p.finding(s, related); ok {
			r.Findings = append(r.Findings, f)
		}
	}
	r.Reviewed = reviewed{Selections: []selection{{include}}}
	return write("assessment-results", results{UUID: p.id("assessment-results"), Metadata: p.metadata("results of the criteria"),
		ImportAP: importAP{Href: "#", Remarks: "There is no assessment plan in OSCAL: the criteria are those of the product, over the period of the result."}, Results: []result{r}})
}

func (p Position) observations(s criteria.Status) (out []observation, related []relatedObservation) {
	for _, c := range s.Results {
		if c.Outcome == criteria.NothingYet {
			continue
		}
		o := observation{UUID: p.id("observation", c.Criterion), Title: c.Criterion, Methods: []string{"TEST"}, Collected: c.Until, Expires: c.FreshUntil,
			Description: fmt.Sprintf("%s Looked at %d %s; exceptions: %d.", c.Text, c.Population, c.Of, len(c.Exceptions)), Remarks: c.Note,
			Props: []property{{Name: "outcome", NS: namespace, Value: string(c.Outcome)}, {Name: "population", NS: namespace, Value: fmt.Sprint(c.Population)}, {Name: "exceptions", NS: namespace, Value: fmt.Sprint(len(c.Exceptions))}}}
		for _, id := range c.Receipts {
			o.Evidence = append(o.Evidence, evidence{Href: "#" + id, Description: "Receipt " + id + " of the log " + p.Origin + "."})
		}
		out, related = append(out, o), append(related, relatedObservation{o.UUID})
	}
	return out, related
}

func (p Position) finding(s criteria.Status, related []relatedObservation) (finding, bool) {
	if !slices.Contains([]criteria.State{criteria.Exceptions, criteria.Contradiction, criteria.Stale}, s.State) {
		return finding{}, false
	}
	return finding{UUID: p.id("finding", s.ID), Title: s.ID + " " + s.Title, Description: strings.Join(s.Reasons, "\n\n"), Related: related,
		Target: target{Type: "statement-id", ID: ControlID(s.ID) + "_smt", Status: status{State: "not-satisfied", Reason: "other", Remarks: soa.Words(s.State)}}}, true
}

// Plan writes what is to be done: the open nonconformities, and each
// requirement of which something is missing.
func Plan(p Position, statuses []criteria.Status, cases []observed.Case) ([]byte, error) {
	out := plan{UUID: p.id("poam"), Metadata: p.metadata("plan of action and milestones"), System: systemID{ID: p.Origin}, Items: []planItem{}}
	for _, c := range cases {
		if c.Kind == "nonconformity" && c.Closed == 0 {
			out.Items = append(out.Items, p.caseItem(c))
		}
	}
	for _, s := range statuses {
		if s.State == criteria.Shown || s.State == criteria.NotApplicable {
			continue
		}
		observations, related := p.observations(s)
		out.Observations = append(out.Observations, observations...)
		out.Items = append(out.Items, planItem{UUID: p.id("item", s.ID), Title: s.ID + " " + s.Title, Related: related,
			Description: strings.Join(append([]string{soa.Words(s.State) + "."}, s.Reasons...), "\n\n"), Props: props("owner", s.Owner, "due", s.Due)})
	}
	if len(out.Items) == 0 {
		// The schema asks for one item at least.
		out.Items = append(out.Items, planItem{UUID: p.id("item", "none"), Title: "Nothing is open", Description: "No nonconformity is open and no requirement lacks anything that records could show."})
	}
	return write("plan-of-action-and-milestones", out)
}

func (p Position) caseItem(c observed.Case) planItem {
	item := planItem{UUID: p.id("case", c.ID), Title: "Nonconformity " + c.ID, Description: fmt.Sprintf("Grade %s, against %s; state: %s.", c.Grade, c.Requirement, c.State),
		Props: props("grade", c.Grade, "requirement", c.Requirement, "state", c.State, "owner", c.Owner, "due", c.Due)}
	for _, a := range c.Actions {
		item.Props = append(item.Props, property{Name: "action", NS: namespace, Value: a.ID, Remarks: fmt.Sprintf("owner %s, due %s", orDash(a.Owner), orDash(a.Due))})
	}
	return item
}

// props are pairs of name and value; an empty value is left out.
func props(pairs ...string) (out []property) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, property{Name: pairs[i], NS: namespace, Value: pairs[i+1]})
		}
	}
	return out
}
