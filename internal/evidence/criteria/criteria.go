// Package criteria says of each of the 70 requirements of ISO/IEC 42001:2023
// what the registers and the receipts show towards it. It is pure: the same
// records and the same log give the same results on an auditor's machine.
//
// A result shows that something operated, never that it was the right thing;
// an empty population is "nothing to show", never a pass.
package criteria

import (
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
	// Own are the results of criteria that the organisation added itself
	// (record.OwnCriterion), which somebody else evaluates; they count as ours do.
	Own []Result

	memory *memory
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
	// Reads are the kinds of record that it needs. Where retention erased the
	// text of one of them, the result is unavailable.
	Reads []string
	// Joins: it asks what other requirements show.
	Joins bool
	// Fresh is how long its evidence counts; 0 when age does not matter.
	Fresh time.Duration
	// Remedy says what to do where it is not met; Begin, where that is something
	// else, what to do so that there is something to show.
	Remedy, Begin string
	Check         func(*Input, *Count)
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
	FreshUntil  string      `json:"fresh_until,omitempty"` // the last day on which it counts
	Receipts    []string    `json:"receipts"`
	Note        string      `json:"note,omitempty"`
	Sources     []string    `json:"sources"`
	// Remedy says what to do; empty where there is nothing to do, or nobody said.
	Remedy string `json:"remedy,omitempty"`
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
