package report

import (
	"fmt"
	"time"

	"aims/internal/evidence/oscal"
)

// Head is the place of the log that a report was made from, and the period.
type Head struct {
	oscal.Position
	// AsOf is the moment of log and registers: the same moment gives the same
	// bytes again.
	AsOf, From, Until time.Time
}

// document is a report before it has a format.
type document struct {
	title string
	head  Head
	// facts stand under the title, beside those of the log.
	facts []fact
	parts []part
}

type fact struct{ name, value string }

// medium says where a part stands.
type medium int

const (
	everywhere medium = iota
	onPaper           // PDF: columns joined, so that they fit a page
	onSheet           // XLSX: one thing in a column, so that it can be filtered
)

// part is a table with what is to be said before it.
type part struct {
	in medium
	// name is its heading, and the name of its sheet: 31 characters at most.
	name    string
	text    string
	columns []column
	rows    []row
}

// column is a column's heading and its share of the width, in characters.
type column struct {
	name  string
	width float64
}

// row is a line of cells, strings or numbers; with a section it is a heading
// within a table on paper and stands in no sheet.
type row struct {
	section string
	cells   []any
}

func cells(c ...any) row { return row{cells: c} }

// reading is how every report is to be read.
func reading(h Head) []string {
	return []string{
		"Records are evidence towards a requirement. Whether a requirement is met is the conclusion of a person who looks at the evidence, never of this report.",
		"A record of a machine shows that a control operated, on how many cases and with which exceptions; it does not show that it was the right control.",
		"Nothing to show means that there was nothing to look at. An empty population is never a pass. Every count names what was looked at.",
		"Attested means that a person stated it by name; the attestation ends on its day, and what the records contradict is said beside it.",
		"Titles of requirements are facts about ISO/IEC 42001:2023; all other text is in our own words, and no text of the standard is reproduced.",
		fmt.Sprintf("Everything here follows from the first %d entries of the log %s. The same moment, given as --as-of %s, gives the same report byte for byte; an audit pack of the period lets anybody derive it again offline with aims-verify.",
			h.Size, h.Origin, instant(h.AsOf)),
	}
}

// lines are the facts of the head and those of the report.
func (d document) lines() []fact {
	h := d.head
	newest := "none"
	if h.Size > 0 {
		newest = instant(h.At)
	}
	return append([]fact{
		{"As of", instant(h.AsOf)},
		{"Period", day(h.From) + " to " + day(h.Until.Add(-time.Microsecond))},
		{"Log", h.Origin},
		{"Entries", fmt.Sprintf("%d, the newest of %s", h.Size, newest)},
		{"Root of the log", h.Root},
	}, d.facts...)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// dayOf is the day of a time as records keep it.
func dayOf(micros int64) string { return day(time.UnixMicro(micros)) }

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
