package criteria

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/register/record"
)

// Count is what a criterion looked at, one after the other.
type Count struct {
	// Of says what the population is, such as "agents in scope".
	Of         string
	Population int
	Exceptions []Exception
	// Newest is the time of the newest evidence, microseconds; Receipts are
	// some receipts behind the result, newest first.
	Newest   int64
	Receipts []string
	// Note says what a reader must know to judge the result.
	Note string
	// Lost says why evidence that the criterion needs cannot be read: by which
	// rule it was erased, and when. Nothing else counts then.
	Lost string

	seen    []seen
	changed int64       // newest change of a record that was looked at
	flows   bool        // evidence other than records was looked at
	ends    record.Date // first day on which some of it is out of date
}

type seen struct {
	at      int64
	receipt string
}

// Exception is one of the population that does not hold.
type Exception struct {
	On   string `json:"on"`   // kind/id, an agent, a tool or a receipt
	Text string `json:"text"` // what is to be said of it: "has no owner"
	// OutOfDate: it held, and its time is over.
	OutOfDate bool `json:"out_of_date,omitempty"`
}

// Look adds one of the population, and an exception where it does not hold.
func (c *Count) Look(holds bool, on, format string, args ...any) {
	c.Population++
	if !holds {
		c.Exceptions = append(c.Exceptions, Exception{On: on, Text: fmt.Sprintf(format, args...)})
	}
}

// Past adds one of the population that held, and whose time is over.
func (c *Count) Past(on, format string, args ...any) {
	c.Population++
	c.Exceptions = append(c.Exceptions, Exception{On: on, Text: fmt.Sprintf(format, args...), OutOfDate: true})
}

// Until notes the last day on which something that holds still counts.
func (c *Count) Until(last record.Date) {
	if last != "" && (c.ends == "" || last < c.ends) {
		c.ends = last
	}
}

// Saw notes evidence of the log: its time and its receipt.
func (c *Count) Saw(at int64, receipt string) {
	c.flows = true
	c.saw(at, receipt)
}

// saw keeps the newest few, whatever the order in which they come.
func (c *Count) saw(at int64, receipt string) {
	const most = 5
	c.Newest = max(c.Newest, at)
	if receipt == "" {
		return
	}
	i, known := slices.BinarySearchFunc(c.seen, seen{at, receipt}, func(a, b seen) int {
		return cmp.Or(cmp.Compare(b.at, a.at), strings.Compare(a.receipt, b.receipt))
	})
	if known || i >= most {
		return
	}
	c.seen = slices.Insert(c.seen, i, seen{at, receipt})
	c.seen = c.seen[:min(len(c.seen), most)]
}

// note adds a sentence to what a reader must know.
func (c *Count) note(format string, args ...any) {
	if c.Note != "" {
		c.Note += " "
	}
	c.Note += fmt.Sprintf(format, args...)
}

// ask makes a criterion. Sources and kinds are separated by spaces.
func ask(id, sources, reads, text string, check func(*Input, *Count)) Criterion {
	requirement, _, _ := strings.Cut(id, "/")
	return Criterion{ID: id, Requirement: requirement, Text: text, Sources: strings.Fields(sources), Reads: strings.Fields(reads), Check: check}
}

// fresh says how long its evidence counts.
func (c Criterion) fresh(d time.Duration) Criterion { c.Fresh = d; return c }

// joins says that it asks what other requirements show.
func (c Criterion) joins() Criterion { c.Joins = true; return c }

// run evaluates one criterion.
func (c Criterion) run(in *Input) (Result, *Count) {
	n := &Count{}
	c.Check(in, n)
	if lost := in.erased(c.Reads); lost != "" && n.Lost == "" {
		n.Lost = lost
	}
	for _, s := range n.seen {
		n.Receipts = append(n.Receipts, s.receipt)
	}
	r := Result{Criterion: c.ID, Requirement: c.Requirement, Text: c.Text, Outcome: c.outcome(in, n), Of: n.Of, Population: n.Population,
		Exceptions: append([]Exception{}, n.Exceptions...), Receipts: append([]string{}, n.Receipts...), Note: n.Note, Sources: c.Sources,
		From: in.From.UTC().Format(time.RFC3339), Until: in.Until.UTC().Format(time.RFC3339), FreshUntil: string(n.ends)}
	if n.Newest > 0 {
		r.Newest = time.UnixMicro(n.Newest).UTC().Format(time.RFC3339)
	}
	if c.Fresh > 0 && n.Newest > 0 {
		if end := day(time.UnixMicro(n.Newest).Add(c.Fresh)); n.ends == "" || end < n.ends {
			r.FreshUntil = string(end)
		}
	}
	switch {
	case r.Outcome == Met:
	case r.Outcome == NothingYet && n.ends == "": // nothing is due either
		r.Remedy = cmp.Or(c.Begin, c.Remedy)
	default:
		r.Remedy = c.Remedy
	}
	if n.Lost != "" {
		r.Note = strings.TrimSpace(n.Lost + " " + n.Note)
	}
	return r, n
}

func (c Criterion) outcome(in *Input, n *Count) Outcome {
	switch {
	case n.Lost != "":
		return Unavailable
	case n.Population == 0:
		return NothingYet
	case slices.ContainsFunc(n.Exceptions, func(e Exception) bool { return !e.OutOfDate }):
		return NotMet
	case len(n.Exceptions) > 0:
		return OutOfDate
	case c.Fresh > 0 && n.Newest > 0 && in.Until.After(time.UnixMicro(n.Newest).Add(c.Fresh)):
		return OutOfDate
	}
	return Met
}
