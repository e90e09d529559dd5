package corrective

import (
	"encoding/json"
	"slices"
	"time"

	"aims/internal/aims"
)

// Source is where a nonconformity was found.
type Source string

// The sources of a nonconformity.
const (
	FromAudit         Source = "audit"
	FromCriterion     Source = "criterion"
	FromPerson        Source = "person"
	FromIncident      Source = "incident"
	FromCertification Source = "certification-body"
)

// Grade is how much a nonconformity weighs.
type Grade string

// The grades of a nonconformity.
const (
	Major       Grade = "major"
	Minor       Grade = "minor"
	Opportunity Grade = "opportunity" // for improvement: nothing is wrong
)

// ActionKind is what an action changes.
type ActionKind string

// The kinds of action.
const (
	ProcessAction   ActionKind = "process"
	TrainingAction  ActionKind = "training"
	PolicyAction    ActionKind = "policy" // it carries a proof
	TechnicalAction ActionKind = "technical"
)

// CaseScope is what a nonconformity is about at the enforcement points; empty for
// everything.
type CaseScope struct {
	Agents []string `json:"agents,omitempty" doc:"ids of agents; empty: all"`
	Tools  []string `json:"tools,omitempty" doc:"tools as server___tool; empty: all"`
}

// Nonconformity is a nonconformity or opportunity with what was done about it
// (ISO 42001 10.2).
type Nonconformity struct {
	Head
	Source      Source `json:"source"`
	Requirement string `json:"requirement" doc:"id of the requirement, such as 8.3 or A.6.2.8"`
	Grade       Grade  `json:"grade"`
	Cause       string `json:"cause,omitempty" doc:"key of the cause: the same key of the same requirement is the same cause"`
	// Criterion is the one whose exceptions raised it; it stays when the analysis
	// gives the cause another key.
	Criterion string    `json:"criterion,omitempty" doc:"the criterion whose exceptions raised it"`
	Scope     CaseScope `json:"scope"`
	Evidence  []string  `json:"evidence,omitempty" doc:"receipts"`
	// Responsible is the person who answers for it, RaisedBy who found it.
	Responsible string     `json:"responsible,omitempty"`
	RaisedBy    aims.Actor `json:"raised_by"`
	Incident    string     `json:"incident,omitempty" doc:"the incident that it comes from"`
	// Deadline is a day by which it must be closed, such as that of a
	// certification body.
	Deadline Date `json:"deadline,omitempty"`
	// Round counts how often it was taken up, from 1.
	Round   int                `json:"round" doc:"how often it was taken up, from 1"`
	Actions []CorrectiveAction `json:"actions"`
	// ReviewFrom is the first day on which the effectiveness may be reviewed,
	// ReviewBy the last.
	ReviewFrom Date                  `json:"review_from,omitempty"`
	ReviewBy   Date                  `json:"review_by,omitempty"`
	Reviews    []EffectivenessReview `json:"reviews,omitempty"`
	// Occurrences is how often it was seen, from 1.
	Occurrences int    `json:"occurrences"`
	MergedInto  string `json:"merged_into,omitempty"`
	// since is when the state became what it is.
	since time.Time
}

// CorrectiveAction is one corrective action.
type CorrectiveAction struct {
	ID          string     `json:"id" doc:"within the nonconformity: a1, a2 …"`
	Owner       string     `json:"owner" doc:"id of the person who does it"`
	Due         Date       `json:"due"`
	Kind        ActionKind `json:"kind"`
	Round       int        `json:"round"`
	State       State      `json:"state"`
	Text        string     `json:"text,omitempty"`
	Implemented *time.Time `json:"implemented,omitempty"`
	// By is who recorded that it is implemented.
	By       string       `json:"by,omitempty"`
	Evidence []string     `json:"evidence,omitempty" doc:"receipts"`
	Proof    *PolicyProof `json:"proof,omitempty" doc:"what an action that changes policy has changed"`
}

// EffectivenessReview is what one review of the effectiveness found.
type EffectivenessReview struct {
	Round     int        `json:"round"`
	By        aims.Actor `json:"by"`
	At        time.Time  `json:"at"`
	Effective bool       `json:"effective"`
	// Since is when the last action was implemented, Observed what was recorded
	// from then on.
	Since    time.Time `json:"since"`
	Observed Observed  `json:"observed"`
	Evidence []string  `json:"evidence,omitempty" doc:"receipts since then"`
}

// What the steps of a nonconformity say. Words lie apart.
type (
	raisedChange struct {
		Source      Source    `json:"source"`
		Requirement string    `json:"requirement"`
		Grade       Grade     `json:"grade"`
		Cause       string    `json:"cause,omitempty"`
		Criterion   string    `json:"criterion,omitempty"`
		Scope       CaseScope `json:"scope,omitzero"`
		Evidence    []string  `json:"evidence,omitempty"`
		Responsible string    `json:"responsible,omitempty"`
		Incident    string    `json:"incident,omitempty"`
		Deadline    Date      `json:"deadline,omitempty"`
	}
	analysedChange struct {
		Cause string `json:"cause"`
	}
	plannedChange struct {
		Actions    []plannedAction `json:"actions"`
		ReviewFrom Date            `json:"review_from"`
		ReviewBy   Date            `json:"review_by"`
	}
	plannedAction struct {
		ID    string     `json:"id"`
		Owner string     `json:"owner"`
		Due   Date       `json:"due"`
		Kind  ActionKind `json:"kind"`
	}
	actedChange struct {
		Action   string       `json:"action"`
		Evidence []string     `json:"evidence,omitempty"`
		Proof    *PolicyProof `json:"proof,omitempty"`
	}
	reviewedChange struct {
		Effective bool      `json:"effective"`
		Since     time.Time `json:"since"`
		Observed  Observed  `json:"observed"`
		Evidence  []string  `json:"evidence,omitempty"`
	}
	endedChange struct {
		Roles []string `json:"roles,omitempty"`
	}
	mergedChange struct {
		Into string `json:"into"`
	}
	recurredChange struct {
		From     string   `json:"from,omitempty"` // a nonconformity with the same cause
		Grade    Grade    `json:"grade,omitempty"`
		Evidence []string `json:"evidence,omitempty"`
	}
)

func (n *Nonconformity) kind() Kind  { return NonconformityKind }
func (n *Nonconformity) head() *Head { return &n.Head }
func (n *Nonconformity) life() machine {
	return lifeOf(NonconformityKind, n.Grade)
}
func (n *Nonconformity) keys() caseKeys {
	return caseKeys{requirement: n.Requirement, cause: n.Cause, criterion: n.Criterion}
}

func (n *Nonconformity) apply(s CaseStep) error {
	switch s.Event {
	case WasRaised:
		return n.applyRaised(s)
	case WasObserved, Recurred:
		n.Occurrences++
		return n.applySeen(s)
	case WasAnalysed:
		return said(s, func(c analysedChange) { n.Cause = c.Cause })
	case WasPlanned:
		return n.applyPlanned(s)
	case ActionDone, WasImplemented:
		return n.applyActed(s)
	case WasVerified, WasRefuted:
		return n.applyReviewed(s)
	case WasReopened:
		n.Round++
	case WasWaived:
		return n.moveActions(s.Event, "")
	case WasMerged:
		return said(s, func(c mergedChange) { n.MergedInto = c.Into })
	}
	n.since = s.At
	return nil
}

// said reads what a step says.
func said[T any](s CaseStep, take func(T)) error {
	var c T
	if err := json.Unmarshal(s.Change, &c); err != nil {
		return aims.Errorf(aims.Internal, err, "what the receipt %s says cannot be read", s.Receipt)
	}
	take(c)
	return nil
}

func (n *Nonconformity) applyRaised(s CaseStep) error {
	n.RaisedBy, n.Round, n.Occurrences, n.since = s.By, 1, 1, s.At
	n.Actions = []CorrectiveAction{}
	return said(s, func(c raisedChange) {
		n.Source, n.Requirement, n.Grade, n.Cause, n.Scope = c.Source, c.Requirement, c.Grade, c.Cause, c.Scope
		n.Evidence, n.Responsible, n.Incident, n.Deadline, n.Criterion = c.Evidence, c.Responsible, c.Incident, c.Deadline, c.Criterion
	})
}

// applySeen takes over that it was seen once more: a graver grade counts.
func (n *Nonconformity) applySeen(s CaseStep) error {
	if s.Event == Recurred {
		n.Round++
		n.since = s.At
	}
	return said(s, func(c recurredChange) {
		if c.Grade == Major {
			n.Grade = Major
		}
		for _, id := range c.Evidence {
			if !slices.Contains(n.Evidence, id) {
				n.Evidence = append(n.Evidence, id)
			}
		}
	})
}

func (n *Nonconformity) applyPlanned(s CaseStep) error {
	if err := n.moveActions(s.Event, ""); err != nil {
		return err
	}
	n.since = s.At
	return said(s, func(c plannedChange) {
		for _, a := range c.Actions {
			n.Actions = append(n.Actions, CorrectiveAction{ID: a.ID, Owner: a.Owner, Due: a.Due, Kind: a.Kind, Round: n.Round, State: Planned})
		}
		n.ReviewFrom, n.ReviewBy = c.ReviewFrom, c.ReviewBy
	})
}

func (n *Nonconformity) applyActed(s CaseStep) error {
	var acted actedChange
	if err := said(s, func(c actedChange) { acted = c }); err != nil {
		return err
	}
	a := n.action(acted.Action)
	if a == nil {
		return aims.Errorf(aims.NotFound, nil, "%s has no action %q", n.ID, acted.Action)
	}
	at := s.At
	a.Implemented, a.By, a.Evidence, a.Proof = &at, s.By.ID, acted.Evidence, acted.Proof
	if s.Event == WasImplemented {
		n.since = s.At
	}
	return n.moveActions(s.Event, acted.Action)
}

func (n *Nonconformity) applyReviewed(s CaseStep) error {
	if err := n.moveActions(s.Event, ""); err != nil {
		return err
	}
	n.since = s.At
	err := said(s, func(c reviewedChange) {
		n.Reviews = append(n.Reviews, EffectivenessReview{n.Round, s.By, s.At, c.Effective, c.Since, c.Observed, c.Evidence})
	})
	if s.Event == WasRefuted {
		n.Round++
	}
	return err
}

// moveActions applies an event of the case to one action, or to all of this
// round that it can happen to.
func (n *Nonconformity) moveActions(e Event, only string) error {
	for i := range n.Actions {
		a := &n.Actions[i]
		if a.Round != n.Round || only != "" && a.ID != only {
			continue
		}
		to, err := actionLife.next("action "+a.ID+" of "+n.ID, a.State, e)
		if err != nil && only != "" {
			return err
		}
		if err == nil {
			a.State = to
		}
	}
	return nil
}

func (n *Nonconformity) action(id string) *CorrectiveAction {
	for i := range n.Actions {
		if n.Actions[i].ID == id {
			return &n.Actions[i]
		}
	}
	return nil
}

// current are the actions of this round that were not dropped.
func (n *Nonconformity) current() []CorrectiveAction {
	var now []CorrectiveAction
	for _, a := range n.Actions {
		if a.Round == n.Round && a.State != Dropped {
			now = append(now, a)
		}
	}
	return now
}

// implemented is when the last action of this round was.
func (n *Nonconformity) implemented() time.Time {
	var last time.Time
	for _, a := range n.current() {
		if a.Implemented != nil && a.Implemented.After(last) {
			last = *a.Implemented
		}
	}
	return last
}

func (n *Nonconformity) duties(o Options) []Duty {
	owed := func(what, owner string, due time.Time) Duty {
		return Duty{Kind: NonconformityKind, ID: n.ID, What: what, Owner: owner, Due: due}
	}
	var all []Duty
	if n.State.over() {
		return nil
	}
	if n.Deadline != "" {
		all = append(all, owed("closing", n.Responsible, n.Deadline.End()))
	}
	switch n.State {
	case Raised, Corrected, Analysed, Reopened:
		all = append(all, owed("plan", n.Responsible, n.taken().Add(o.PlanWithin)))
	case Planned:
		for _, a := range n.current() {
			if a.State == Planned {
				all = append(all, owed("action "+a.ID, a.Owner, a.Due.End()))
			}
		}
	case Implemented:
		all = append(all, owed("effectiveness review", n.Responsible, n.ReviewBy.End()))
	case Verified:
		all = append(all, owed("closing", n.Responsible, n.since.Add(o.PlanWithin)))
	}
	return all
}

// taken is when it was raised or reopened last.
func (n *Nonconformity) taken() time.Time {
	at := n.Opened
	for _, s := range n.Steps {
		if s.State == Reopened && s.Event != WasObserved {
			at = s.At
		}
	}
	return at
}
