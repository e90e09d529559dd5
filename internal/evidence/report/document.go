package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"aims/internal/evidence/oscal"
	"aims/internal/register/record"
)

// Head is the place of the log that a report was made from, and the period.
type Head struct {
	oscal.Position
	// AsOf is the moment of log and registers: the same moment gives the same
	// bytes again. From and Until bound the period; zero for a report without one.
	AsOf, From, Until time.Time
}

// document is a report before it has a format.
type document struct {
	title string
	head  Head
	// facts stand under the title, beside those of the log.
	facts []fact
	parts []part
	// notes say how this report is to be read, beside what holds for all.
	notes []string
}

type fact struct{ name, value string }

// medium says where a part stands.
type medium int

const (
	everywhere medium = iota
	onPaper           // PDF: columns joined, so that they fit a page
	onSheet           // XLSX: one thing in a column, so that it can be filtered
)

// part is a table with what is to be said before it, or, on paper, only that.
type part struct {
	in medium
	// name is its heading, and the name of its sheet: 31 characters at most.
	name    string
	text    string
	columns []column
	rows    []row
	// empty is what stands where no row does; none when it is not given.
	empty string
	// choices are what may be entered by hand into columns, by their names.
	choices map[string][]string
}

// none is what a table without rows says.
func (p part) none() string {
	if p.empty == "" {
		return "none"
	}
	return p.empty
}

// column is a column's heading and its share of the width, in characters.
type column struct {
	name  string
	width float64
}

// row is a line of cells: text, numbers (int, float64), days (record.Date) or
// moments (time.Time; zero for none). With a section it is a heading within a
// table on paper and stands in no sheet.
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
	out := []fact{{"As of", instant(h.AsOf)}}
	if !h.From.IsZero() {
		period := day(h.From) + " to " + day(h.Until.Add(-time.Microsecond))
		if h.Until.After(h.AsOf) {
			period += ", which was not over"
		}
		out = append(out, fact{"Period", period})
	}
	return append(append(out, []fact{
		{"Log", h.Origin},
		{"Entries", fmt.Sprintf("%d, the newest of %s", h.Size, newest)},
		{"Root of the log", h.Root},
	}...), d.facts...)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// dayOf is the day of a time as records keep it.
func dayOf(micros int64) record.Date { return record.Date(day(time.UnixMicro(micros))) }

// moment is a time in RFC 3339 as a moment, and anything else as the text that it is.
func moment(text string) any {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	return text
}

// figure is a number as people read it: to three places, and what is smaller
// than one to four digits that count.
func figure(v float64) string {
	places := 3
	if size := math.Abs(v); size > 0 && size < 1 {
		places = 3 - int(math.Floor(math.Log10(size)))
	}
	text := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// onPaperText is a cell as it stands on paper.
func onPaperText(v any) string {
	switch v := v.(type) {
	case float64:
		return figure(v)
	case time.Time:
		if v.IsZero() {
			return dash("")
		}
		return v.UTC().Format("2006-01-02 15:04:05Z")
	}
	return dash(fmt.Sprint(v))
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
