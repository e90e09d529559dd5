// Package soa is the statement of applicability: for each of the 38 controls of
// Annex A, the decision on it joined with the risks that it treats, the rules in
// force that enforce it, what is shown of it now, and who approved the decision
// (ISO 42001 6.1.3). It is pure, so that a verifier builds the same statement
// from the same records.
package soa

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
	"aims/iso42001"
)

// On and ID name the statement where it is approved as a whole: a mark of the
// kind approve with the digest that was shown.
const (
	On = record.OnStatement
	ID = record.StatementID
)

// Rule is a rule of the policy set in force.
type Rule struct {
	ID string `json:"id"`
	// Policy is the digest of the set, by which its text is found.
	Policy string `json:"policy"`
	// Controls are those that the rule names itself.
	Controls []string `json:"-"`
}

// Input is what a statement is built from, all at one place of the log.
type Input struct {
	Registers record.State
	// Statuses are those of the 70 requirements; InForce the rules that decide now.
	Statuses []criteria.Status
	InForce  []Rule
}

// The decisions on a control.
const (
	Kept      = "applicable"
	Excluded  = "excluded"
	Undecided = "undecided"
)

// Risk is a risk that a control treats.
type Risk struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Level is likelihood × highest severity; 0 when it was not assessed.
	Level int `json:"level"`
}

// Evidence is what is shown of a control now.
type Evidence struct {
	State      criteria.State `json:"state"`
	Population int            `json:"population"`
	Exceptions int            `json:"exceptions"`
	Newest     string         `json:"newest,omitempty"` // RFC 3339
	Receipts   []string       `json:"receipts"`
}

// Approval is who approved something and when.
type Approval struct {
	By      string `json:"by"`
	At      string `json:"at"` // RFC 3339
	Receipt string `json:"receipt"`
}

// Row is the statement on one control.
type Row struct {
	Control        string    `json:"control"`
	Title          string    `json:"title"`
	Area           string    `json:"area"`
	Decision       string    `json:"decision"` // Kept, Excluded or Undecided
	Justification  string    `json:"justification"`
	Implementation string    `json:"implementation"`
	How            string    `json:"how"`
	Owner          string    `json:"owner"`
	Risks          []Risk    `json:"risks"`
	Obligations    []string  `json:"obligations"`
	Documents      []string  `json:"documents"`
	Rules          []Rule    `json:"rules"`
	Evidence       Evidence  `json:"evidence"`
	Approval       *Approval `json:"approval"` // of the decision as it is; nil without
	// Wanting says what the row lacks before it can be relied on.
	Wanting []string `json:"wanting"`
	// Digest is over everything that the row joins, without counts and times.
	Digest string `json:"digest"`
}

// Statement is the statement of applicability.
type Statement struct {
	Rows   []Row  `json:"rows"`
	Digest string `json:"digest"` // over those of the rows
	// Approval is that of this very statement; Approved the newest of an earlier
	// one, whose digest is Earlier: then this statement is stale.
	Approval *Approval `json:"approval"`
	Approved *Approval `json:"approved_earlier,omitempty"`
	Earlier  string    `json:"earlier_digest,omitempty"`
}

// Stale says whether an earlier statement was approved and this one was not.
func (s Statement) Stale() bool { return s.Approval == nil && s.Approved != nil }

// Build joins the statement. An error means that the input names a control that
// is not one of the 38.
func Build(in Input) (Statement, error) {
	j, err := newJoin(in)
	if err != nil {
		return Statement{}, err
	}
	var s Statement
	whole := sha256.New()
	for _, control := range iso42001.Controls() {
		row := j.row(control)
		s.Rows = append(s.Rows, row)
		fmt.Fprintf(whole, "%s %s\n", row.Control, row.Digest)
	}
	s.Digest = "sha256:" + hex.EncodeToString(whole.Sum(nil))
	s.approve(in.Registers)
	return s, nil
}

// approve finds the newest approval of the statement that counts.
func (s *Statement) approve(registers record.State) {
	m, ok, _ := registers.StatementApproved()
	switch {
	case !ok:
	case m.Digest == s.Digest:
		s.Approval = approvalOf(m)
	default:
		s.Approved, s.Earlier = approvalOf(m), m.Digest
	}
}

func approvalOf(m record.Mark) *Approval {
	return &Approval{By: m.By, At: time.UnixMicro(m.At).UTC().Format(time.RFC3339), Receipt: m.Receipt}
}

// join holds what rows are looked up in.
type join struct {
	in        Input
	decisions map[string]record.Applicability
	risks     map[string]record.Risk
	statuses  map[string]criteria.Status
}

func newJoin(in Input) (*join, error) {
	j := &join{in: in, decisions: map[string]record.Applicability{}, risks: map[string]record.Risk{}, statuses: map[string]criteria.Status{}}
	for _, d := range in.Registers.Registers.Applicability {
		r, err := iso42001.Get(d.ID)
		if err != nil {
			return nil, err
		}
		if r.Kind != iso42001.Control {
			return nil, fmt.Errorf("%s is a clause: applicability is decided of the 38 controls only", d.ID)
		}
		j.decisions[d.ID] = d
	}
	for _, r := range in.Registers.Registers.Risks {
		j.risks[r.ID] = r
	}
	for _, s := range in.Statuses {
		j.statuses[s.ID] = s
	}
	return j, nil
}

func (j *join) row(control iso42001.Requirement) Row {
	d := j.decisions[control.ID]
	row := Row{Control: control.ID, Title: control.Title, Area: control.Area, Decision: decision(d), Justification: d.Justification,
		Implementation: d.Implementation, How: d.How, Owner: d.Owner, Risks: j.risksOf(control.ID, d), Obligations: sorted(d.Obligations),
		Documents: sorted(d.Documents), Rules: j.rulesOf(control.ID, d), Evidence: j.evidence(control.ID)}
	if m, ok := j.in.Registers.Approved("applicability", control.ID); ok {
		row.Approval = approvalOf(m)
	}
	row.Wanting = append(row.wanting(), j.unknown(d)...)
	row.Digest = row.digest()
	return row
}

func decision(d record.Applicability) string {
	switch {
	case d.Applicable == nil:
		return Undecided
	case *d.Applicable:
		return Kept
	}
	return Excluded
}

// risksOf are those that the decision names and those that name the control.
func (j *join) risksOf(control string, d record.Applicability) []Risk {
	out := []Risk{}
	for _, r := range j.in.Registers.Registers.Risks {
		if slices.Contains(r.Controls, control) || slices.Contains(d.Risks, r.ID) {
			out = append(out, Risk{r.ID, r.Title, r.Level()})
		}
	}
	slices.SortFunc(out, func(a, b Risk) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// rulesOf are the rules in force that name the control and those that the
// decision names.
func (j *join) rulesOf(control string, d record.Applicability) []Rule {
	out := []Rule{}
	for _, r := range j.in.InForce {
		if slices.Contains(r.Controls, control) || slices.Contains(d.Rules, r.ID) {
			out = append(out, Rule{ID: r.ID, Policy: r.Policy})
		}
	}
	slices.SortFunc(out, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Policy, b.Policy)) })
	return slices.CompactFunc(out, func(a, b Rule) bool { return a.ID == b.ID && a.Policy == b.Policy })
}

// unknown says which rules a decision claims and no set in force has.
func (j *join) unknown(d record.Applicability) []string {
	var out []string
	for _, id := range sorted(d.Rules) {
		if !slices.ContainsFunc(j.in.InForce, func(r Rule) bool { return r.ID == id }) {
			out = append(out, fmt.Sprintf("names the rule %s, which no policy in force has", id))
		}
	}
	return out
}

func (j *join) evidence(control string) Evidence {
	s, ok := j.statuses[control]
	if !ok {
		return Evidence{State: criteria.NothingToShow, Receipts: []string{}}
	}
	e := Evidence{State: s.State, Receipts: []string{}}
	for _, r := range s.Results {
		e.Population += r.Population
		e.Exceptions += len(r.Exceptions)
		e.Newest = max(e.Newest, r.Newest) // RFC 3339 in UTC sorts as text
		for _, id := range r.Receipts {
			if !slices.Contains(e.Receipts, id) {
				e.Receipts = append(e.Receipts, id)
			}
		}
	}
	return e
}

// wanting says what speaks against relying on the row.
func (r *Row) wanting() []string {
	out := []string{}
	switch r.Decision {
	case Undecided:
		return append(out, "not decided yet")
	case Excluded:
		if r.Justification == "" {
			out = append(out, "left out without a reason")
		}
	case Kept:
		out = append(out, r.wantingOfKept()...)
	}
	if r.Approval == nil {
		out = append(out, "the decision as it is now was not approved")
	}
	return out
}

func (r *Row) wantingOfKept() []string {
	var out []string
	if r.Justification == "" {
		out = append(out, "kept without a reason")
	}
	if len(r.Risks) == 0 && len(r.Obligations) == 0 {
		out = append(out, "no risk and no obligation asks for it")
	}
	if r.Implementation == "" {
		out = append(out, "how far it is in place is not said")
	}
	if r.Implementation == "implemented" && r.Evidence.State != criteria.Shown && r.Evidence.State != criteria.Evidence {
		out = append(out, fmt.Sprintf("said to be implemented; the records say %s", Words(r.Evidence.State)))
	}
	return out
}

// digest is over what the row joins: counts and times of evidence move with
// every call and are left out, its state is in.
func (r *Row) digest() string {
	approver := ""
	if r.Approval != nil {
		approver = r.Approval.Receipt
	}
	text, err := json.Marshal([]any{r.Control, r.Decision, r.Justification, r.Implementation, r.How, r.Owner,
		r.Risks, r.Obligations, r.Documents, r.Rules, r.Evidence.State, approver})
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	if out == nil {
		out = []string{}
	}
	return slices.Compact(out)
}

// Words is a state as a person reads it.
func Words(s criteria.State) string {
	switch s {
	case criteria.Shown:
		return "evidence towards it, attested"
	case criteria.Evidence:
		return "evidence towards it, not attested"
	case criteria.Partial:
		return "part of it shown"
	case criteria.Exceptions:
		return "exceptions"
	case criteria.Stale:
		return "out of date"
	case criteria.Contradiction:
		return "attested against the records"
	case criteria.NotApplicable:
		return "left out by decision"
	}
	return "nothing to show yet"
}
