// Package criteria says of each of the 70 requirements of ISO/IEC 42001:2023
// what the registers and the receipts show towards it. It is pure: the same
// records and the same log give the same results on an auditor's machine.
//
// A result shows that something operated, never that it was the right thing;
// an empty population is "nothing to show", never a pass.
package criteria

import (
	"fmt"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Input is what the criteria look at: the registers and the facts of the log at
// one place of it, and the period that is judged.
type Input struct {
	Registers record.State
	Observed  *observed.Facts
	// From and Until bound the period; records count as they are at Until.
	From, Until time.Time
}

// Criterion is one question that records answer.
type Criterion struct {
	// ID is the requirement and a number, "6.1.2/3".
	ID          string
	Requirement string
	// Text says what must hold, in our own words.
	Text string
	// Sources are the evidence sources that it uses, by their ids in the facts.
	Sources []string
	// Fresh is how long its evidence counts; 0 when age does not matter.
	Fresh time.Duration
	Check func(*Input, *Count)
}

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
}

// Exception is one of the population that does not hold.
type Exception struct {
	On   string `json:"on"` // kind/id, an agent, a tool or a receipt
	Text string `json:"text"`
}

// Look adds one of the population, and an exception where it does not hold.
func (c *Count) Look(holds bool, on, format string, args ...any) {
	c.Population++
	if !holds {
		c.Exceptions = append(c.Exceptions, Exception{on, fmt.Sprintf(format, args...)})
	}
}

// Saw notes evidence: its time and its receipt.
func (c *Count) Saw(at int64, receipt string) {
	if at > c.Newest {
		c.Newest = at
	}
	const most = 5
	if receipt != "" && len(c.Receipts) < most {
		c.Receipts = append(c.Receipts, receipt)
	}
}

// Outcome is how a criterion ended.
type Outcome string

const (
	Met         Outcome = "met"
	NotMet      Outcome = "not_met"
	NothingYet  Outcome = "nothing_to_show"
	OutOfDate   Outcome = "out_of_date" // it held, and its evidence is older than it may be
	Unavailable Outcome = "unavailable" // what it needs was erased or cannot be read here; Note says why
)

// Result is a criterion's answer over its whole population.
type Result struct {
	Criterion   string      `json:"criterion"`
	Requirement string      `json:"requirement"`
	Text        string      `json:"text"`
	Outcome     Outcome     `json:"outcome"`
	Of          string      `json:"of"`
	Population  int         `json:"population"`
	Exceptions  []Exception `json:"exceptions"`
	From        string      `json:"from"`  // RFC 3339
	Until       string      `json:"until"` // RFC 3339
	Newest      string      `json:"newest,omitempty"`
	FreshUntil  string      `json:"fresh_until,omitempty"`
	Receipts    []string    `json:"receipts"`
	Note        string      `json:"note,omitempty"`
	Sources     []string    `json:"sources"`
}

// State is what is shown of a requirement.
type State string

const (
	// Shown: every criterion is met, and where the facts ask for a person, a
	// person attested it and the attestation is current.
	Shown State = "shown"
	// Evidence: every criterion is met; a person's attestation is missing.
	Evidence State = "evidence"
	// Partial: some criteria are met, others have nothing to show yet.
	Partial State = "partial"
	// Exceptions: at least one criterion is not met.
	Exceptions State = "exceptions"
	// Stale: evidence or attestation was there and is out of date.
	Stale State = "stale"
	// Contradiction: a person attests what the records do not show.
	Contradiction State = "contradiction"
	// NothingToShow: every population is empty.
	NothingToShow State = "nothing_to_show"
	// NotApplicable: a control that the approved statement of applicability leaves out.
	NotApplicable State = "not_applicable"
)

// Status is what is shown of one requirement.
type Status struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Area    string   `json:"area"`
	State   State    `json:"state"`
	Owner   string   `json:"owner"`
	Due     string   `json:"due"`
	Since   string   `json:"since,omitempty"`
	Reasons []string `json:"reasons"`
	Results []Result `json:"results"`
	// Attestation is a person's, current or not; nil when there is none.
	Attestation *record.Mark `json:"attestation,omitempty"`
	Ceiling     string       `json:"ceiling"`
	NotShown    string       `json:"not_shown_by_machine"`
}

// run evaluates one criterion.
func (c Criterion) run(in *Input) Result {
	var n Count
	c.Check(in, &n)
	r := Result{Criterion: c.ID, Requirement: c.Requirement, Text: c.Text, Of: n.Of, Population: n.Population,
		Exceptions: append([]Exception{}, n.Exceptions...), Receipts: append([]string{}, n.Receipts...), Note: n.Note, Sources: c.Sources,
		From: in.From.UTC().Format(time.RFC3339), Until: in.Until.UTC().Format(time.RFC3339)}
	if n.Newest > 0 {
		r.Newest = time.UnixMicro(n.Newest).UTC().Format(time.RFC3339)
	}
	r.Outcome = c.outcome(in, &n)
	if c.Fresh > 0 && n.Newest > 0 {
		r.FreshUntil = time.UnixMicro(n.Newest).Add(c.Fresh).UTC().Format(time.RFC3339)
	}
	return r
}

func (c Criterion) outcome(in *Input, n *Count) Outcome {
	switch {
	case n.Population == 0:
		return NothingYet
	case len(n.Exceptions) > 0:
		return NotMet
	case c.Fresh > 0 && n.Newest > 0 && in.Until.After(time.UnixMicro(n.Newest).Add(c.Fresh)):
		return OutOfDate
	}
	return Met
}
