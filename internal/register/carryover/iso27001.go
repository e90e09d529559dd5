package carryover

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"aims/internal/register/record"
	"aims/internal/strict"
	"aims/iso42001"
)

// Origin is what records that were carried over name as theirs.
const Origin = "iso27001"

// Result is what carried over.
type Result struct {
	Registers record.Registers
	Report    Report
}

// Report counts what carried over and says what did not.
type Report struct {
	Documents int    `json:"documents"`
	Proposals int    `json:"proposals"` // controls of ISO 42001 with a note to decide on
	Left      []Left `json:"left"`
}

// Left is a row that did not carry over.
type Left struct {
	Place string `json:"place"`
	Text  string `json:"text"`
}

// ISO27001 reads a statement of applicability and a list of documents; either
// may be nil. The statement becomes proposals for controls of ISO 42001 by the
// crosswalk: what was said of the control of ISO/IEC 27001:2022 as a note, with
// the decision left open, because a control of one standard never stands for one
// of the other. The error is a *strict.Error with the rows that are wrong.
func ISO27001(soa, documents *Sheet) (Result, error) {
	c := carrier{notes: map[string][]string{}, ids: map[string]bool{}}
	c.out.Report.Left = []Left{}
	if soa != nil {
		if err := c.statement(soa); err != nil {
			return Result{}, err
		}
	}
	if documents != nil {
		if err := c.documents(documents); err != nil {
			return Result{}, err
		}
	}
	if len(c.problems) > 0 {
		return Result{}, &strict.Error{Problems: c.problems}
	}
	for _, q := range iso42001.Controls() {
		if notes := c.notes[q.ID]; len(notes) > 0 {
			c.out.Registers.Applicability = append(c.out.Registers.Applicability, record.Applicability{
				Base: record.Base{ID: q.ID, Origin: Origin, Note: strings.Join(notes, "\n")},
			})
		}
	}
	c.out.Report.Documents, c.out.Report.Proposals = len(c.out.Registers.Documents), len(c.out.Registers.Applicability)
	return c.out, nil
}

type carrier struct {
	out      Result
	notes    map[string][]string // by control of ISO 42001
	ids      map[string]bool     // of documents
	problems []strict.Problem
}

func (c *carrier) wrong(s *Sheet, row int, column, format string, args ...any) {
	text := s.place(row, column) + ": " + fmt.Sprintf(format, args...)
	c.problems = append(c.problems, strict.Problem{File: s.file, Line: row, Text: strings.TrimPrefix(text, s.file+" ")})
}

func (c *carrier) left(s *Sheet, row int, column, format string, args ...any) {
	c.out.Report.Left = append(c.out.Report.Left, Left{s.place(row, column), fmt.Sprintf(format, args...)})
}

func (c *carrier) statement(s *Sheet) error {
	if err := s.headings([]column{
		{"control", []string{"control", "control id", "id", "ref", "reference", "annex a", "annex a control", "no", "no.", "number"}, true},
		{"applicable", []string{"applicable", "applicability", "applied", "included", "applicable (y/n)", "applicable?"}, true},
		{"justification", []string{"justification", "reason", "rationale", "justification for inclusion", "justification for inclusion/exclusion", "justification for exclusion"}, false},
		{"how", []string{"how", "implementation", "implementation description", "how implemented", "description of implementation", "comment", "comments"}, false},
		{"status", []string{"status", "implementation status", "implemented"}, false},
	}); err != nil {
		return err
	}
	reverse := map[string]iso42001.Reference{}
	for _, ref := range iso42001.Reverse(iso42001.ISO27001) {
		reverse[ref.Ref] = ref
	}
	seen := map[string]int{}
	for i, row := range s.rows[s.heading:] {
		at := s.heading + i + 1
		name := s.cell(row, "control")
		if name == "" {
			continue
		}
		id, ok := controlID(name)
		if !ok {
			c.wrong(s, at, "control", "%.60q is no control of ISO/IEC 27001:2022; expected A.5.1 to A.5.37, A.6.1 to A.6.8, A.7.1 to A.7.14 or A.8.1 to A.8.34", name)
			continue
		}
		if first, twice := seen[id]; twice {
			c.wrong(s, at, "control", "%s stands in row %d already", id, first)
			continue
		}
		seen[id] = at
		c.control(s, at, row, id, reverse[id])
	}
	return nil
}

// controlID reads 5.1, A.5.1 or A5.1 as A.5.1, of the 93 that there are.
func controlID(text string) (string, bool) {
	found := regexp.MustCompile(`^(?:[Aa]\.? ?)?([5-8])\.([0-9]{1,2})$`).FindStringSubmatch(text)
	if found == nil {
		return "", false
	}
	n, err := strconv.Atoi(found[2])
	most := map[string]int{"5": 37, "6": 8, "7": 14, "8": 34}[found[1]]
	if err != nil || n < 1 || n > most || found[2][0] == '0' {
		return "", false
	}
	return "A." + found[1] + "." + found[2], true
}

func (c *carrier) control(s *Sheet, at int, row []string, id string, ref iso42001.Reference) {
	applicable := s.cell(row, "applicable")
	said, ok := map[string]string{
		"yes": "applicable", "y": "applicable", "true": "applicable", "applicable": "applicable", "x": "applicable", "1": "applicable", "included": "applicable",
		"no": "not applicable", "n": "not applicable", "false": "not applicable", "not applicable": "not applicable", "n/a": "not applicable", "0": "not applicable", "excluded": "not applicable", "": "undecided",
	}[strings.ToLower(applicable)]
	if !ok {
		c.wrong(s, at, "applicable", "%.60q says neither yes nor no; expected yes, no or nothing", applicable)
		return
	}
	note := fmt.Sprintf("ISO/IEC 27001:2022 %s: %s", id, said)
	for _, column := range []string{"status", "justification", "how"} {
		if text := s.cell(row, column); text != "" {
			note += "; " + column + ": " + plain(text)
		}
	}
	carried := false
	for _, pair := range ref.Pairs {
		q, err := iso42001.Get(pair.Requirement)
		if err != nil || q.Kind != iso42001.Control {
			continue
		}
		c.notes[q.ID] = append(c.notes[q.ID], fmt.Sprintf("%s (near it: %s)", note, strings.ReplaceAll(string(pair.Confidence), "_", " ")))
		carried = true
	}
	switch {
	case carried:
	case len(ref.Pairs) > 0:
		c.left(s, at, "control", "%s is near clauses of ISO/IEC 42001 only, which always bind", id)
	case slices.ContainsFunc(iso42001.NotMapped(), func(u iso42001.Unmapped) bool {
		return u.Framework == iso42001.ISO27001 && slices.Contains(u.Refs, id)
	}):
		c.left(s, at, "control", "%s has no counterpart in ISO/IEC 42001", id)
	default:
		c.left(s, at, "control", "the crosswalk does not judge %s", id)
	}
}

// plain is a cell on one line, without characters that no file of records holds.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\uFEFF' || r == '\uFFFE' || r == '\uFFFF'
	}), " ")
}

func (c *carrier) documents(s *Sheet) error {
	if err := s.headings([]column{
		{"title", []string{"title", "document", "document title", "name", "document name"}, true},
		{"id", []string{"id", "document id", "ref", "reference", "no", "no.", "number", "document number"}, false},
		{"type", []string{"type", "document type", "category", "kind"}, false},
		{"version", []string{"version", "revision", "rev", "rev."}, false},
		{"reviewed", []string{"reviewed", "last review", "last reviewed", "review date", "date of review"}, false},
		{"next review", []string{"next review", "review by", "next review date"}, false},
		{"owner", []string{"owner", "document owner"}, false},
	}); err != nil {
		return err
	}
	for i, row := range s.rows[s.heading:] {
		at := s.heading + i + 1
		if title := plain(s.cell(row, "title")); title != "" {
			c.document(s, at, row, title)
		} else if strings.TrimSpace(strings.Join(row, "")) != "" {
			c.left(s, at, "title", "the row has no title")
		}
	}
	return nil
}

func (c *carrier) document(s *Sheet, at int, row []string, title string) {
	id := slug(s.cell(row, "id"))
	if id == "" {
		id = slug(title)
	}
	if id == "" {
		id = fmt.Sprintf("row-%d", at)
	}
	if c.ids[id] {
		c.wrong(s, at, "title", "the document %s stands in an earlier row already; expected an id or title of its own", id)
		return
	}
	c.ids[id] = true
	doc := record.Document{Base: record.Base{ID: id, Origin: Origin}, Title: title, Type: documentType(s.cell(row, "type")), Version: plain(s.cell(row, "version"))}
	if doc.Version == "" {
		doc.Version = "unknown"
	}
	doc.Reviewed = c.day(s, at, row, "reviewed")
	doc.ReviewBy = c.day(s, at, row, "next review")
	if owner := plain(s.cell(row, "owner")); owner != "" {
		doc.Note = "Owner in the list of documents: " + owner
	}
	c.out.Registers.Documents = append(c.out.Registers.Documents, doc)
}

func (c *carrier) day(s *Sheet, at int, row []string, column string) record.Date {
	text := s.cell(row, column)
	if text == "" {
		return ""
	}
	if day := record.Date(text); day.Valid() {
		return day
	}
	c.wrong(s, at, column, "%.60q is no day; expected a form like 2026-11-23", text)
	return ""
}

func documentType(text string) string {
	text = strings.ToLower(text)
	known := []string{"policy", "procedure", "process", "plan", "specification", "design", "technical", "report", "minutes", "record"}
	if slices.Contains(known, text) {
		return text
	}
	return "other"
}

// slug makes an id of a title or number; "" where nothing of it can be one.
func slug(s string) string {
	var out []byte
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			out = append(out, byte(r))
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return strings.Trim(string(out[:min(len(out), 64)]), "-")
}
