package corrective

import (
	"context"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// NewNonconformity is what a nonconformity is raised with.
type NewNonconformity struct {
	Source      Source   `json:"source" enum:"audit,person,incident,certification-body" doc:"criteria raise their own"`
	Requirement string   `json:"requirement" doc:"id of the requirement, such as 8.3 or A.6.2.8"`
	Grade       Grade    `json:"grade" enum:"major,minor,opportunity"`
	Statement   string   `json:"statement" doc:"what is not as it should be, in words; kept beside the log"`
	Cause       string   `json:"cause,omitempty" doc:"key of the cause, where it is known: the same key of the same requirement is the same cause"`
	Agents      []string `json:"agents,omitempty" doc:"agents that it is about; empty: all"`
	Tools       []string `json:"tools,omitempty" doc:"tools that it is about, as server___tool; empty: all"`
	Evidence    []string `json:"evidence,omitempty" doc:"receipts"`
	Responsible string   `json:"responsible,omitempty" doc:"id of the person who answers for it; absent: who raises it"`
	Deadline    Date     `json:"deadline,omitempty" doc:"day by which it must be closed"`
	Incident    string   `json:"incident,omitempty" doc:"the incident that it comes from"`
}

func (c *Corrective) checkFinding(ctx context.Context, f NewNonconformity) error {
	err := first(
		among("source", f.Source, FromAudit, FromPerson, FromIncident, FromCertification),
		among("grade", f.Grade, Major, Minor, Opportunity),
		needed("statement", f.Statement),
	)
	if err != nil {
		return err
	}
	if err := c.o.Known(f.Requirement); err != nil {
		return aims.Errorf(aims.Invalid, err, "requirement: %v", err)
	}
	if f.Cause != "" && !causeKey.MatchString(f.Cause) {
		return invalid("cause: %q is no key; expected 1 to 64 of a-z 0-9 . _ -", f.Cause)
	}
	if f.Responsible != "" {
		if err := isPerson("responsible", f.Responsible); err != nil {
			return err
		}
	}
	if f.Deadline != "" {
		if err := isDate("deadline", f.Deadline); err != nil {
			return err
		}
	}
	if (f.Source == FromIncident) != (f.Incident != "") {
		return invalid("incident: expected the id of the incident for the source incident, and for no other")
	}
	if len(f.Agents)+len(f.Tools) > maxScope {
		return invalid("agents and tools: %d; expected at most %d", len(f.Agents)+len(f.Tools), maxScope)
	}
	return c.recorded(ctx, "evidence", f.Evidence, time.Time{}, "")
}

// Raise raises a nonconformity. Where one of the same requirement and cause is
// open, that one was seen once more; where one was verified or closed less than
// Options.Recurrence ago, it is open again. Either is then what it returns.
func (c *Corrective) Raise(ctx context.Context, by By, f NewNonconformity) (Nonconformity, error) {
	if err := c.checkFinding(ctx, f); err != nil {
		return Nonconformity{}, err
	}
	if f.Responsible == "" && by.Type == aims.PersonType {
		f.Responsible = by.ID
	}
	var out Nonconformity
	err := c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		n, d, err := c.finding(tx, by, f)
		if err != nil {
			return nil, err
		}
		entry, err := c.put(tx, n, d)
		if err != nil {
			return nil, err
		}
		entries := []ledger.Entry{entry}
		if f.Incident != "" {
			linked, err := c.link(tx, by, f.Incident, n.ID)
			if err != nil {
				return nil, err
			}
			entries = append(entries, linked)
		}
		out = *n
		return entries, nil
	})
	return out, err
}

// finding is the nonconformity that a finding goes into, and the step.
func (c *Corrective) finding(tx *store.Tx, by By, f NewNonconformity) (*Nonconformity, draft, error) {
	said := words("statement", f.Statement)
	if f.Cause != "" && f.Grade != Opportunity {
		same, event, err := c.same(tx, f.Requirement, f.Cause, "")
		if err != nil {
			return nil, draft{}, err
		}
		if same != nil {
			return same, draft{event, by, recurredChange{Grade: f.Grade, Evidence: f.Evidence}, said}, nil
		}
	}
	n := &Nonconformity{Head: Head{ID: aims.NewID(NonconformityKind.prefix())}}
	return n, draft{WasRaised, by, raisedChange{
		Source: f.Source, Requirement: f.Requirement, Grade: f.Grade, Cause: f.Cause, Scope: CaseScope{f.Agents, f.Tools},
		Evidence: f.Evidence, Responsible: f.Responsible, Incident: f.Incident, Deadline: f.Deadline,
	}, said}, nil
}

// same is the nonconformity of the same cause that takes up another finding,
// and by which event; nil for none.
func (c *Corrective) same(tx *store.Tx, requirement, cause, except string) (*Nonconformity, Event, error) {
	ids, err := sameCause(tx, requirement, cause, except)
	if err != nil {
		return nil, "", err
	}
	for _, id := range ids {
		n, err := load[Nonconformity](tx, c.o, id, time.Time{})
		if err != nil {
			return nil, "", err
		}
		if n.Grade == Opportunity {
			continue
		}
		for _, e := range []Event{WasObserved, Recurred} {
			if _, ok := n.life()[n.State][e]; ok && (e == WasObserved || c.recent(n, tx.Now)) {
				return n, e, nil
			}
		}
	}
	return nil, "", nil
}

// recent says whether a nonconformity whose actions are implemented comes back
// within the recurrence window.
func (c *Corrective) recent(n *Nonconformity, now time.Time) bool {
	return n.since.Add(c.o.Recurrence).After(now)
}

// CauseAnalysis is what is found out about a nonconformity.
type CauseAnalysis struct {
	Extent    string `json:"extent" doc:"whether there are similar cases elsewhere, or could be; kept beside the log"`
	RootCause string `json:"root_cause" doc:"kept beside the log"`
	Cause     string `json:"cause" doc:"key of the cause: the same key of the same requirement is the same cause"`
}

// Analyse records extent and root cause. Where the cause turns out to be that
// of another nonconformity which is open, or was verified or closed within the
// recurrence window, that one goes on, open, and this one is merged into it.
// It returns the one that goes on.
func (c *Corrective) Analyse(ctx context.Context, by By, id string, a CauseAnalysis) (Nonconformity, error) {
	if err := first(needed("extent", a.Extent), needed("root_cause", a.RootCause)); err != nil {
		return Nonconformity{}, err
	}
	if !causeKey.MatchString(a.Cause) {
		return Nonconformity{}, invalid("cause: %q is no key; expected 1 to 64 of a-z 0-9 . _ -", a.Cause)
	}
	var out Nonconformity
	err := c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		n, err := load[Nonconformity](tx, c.o, id, time.Time{})
		if err != nil {
			return nil, err
		}
		analysed, err := c.put(tx, n, draft{WasAnalysed, by, analysedChange{a.Cause}, words("extent", a.Extent, "root_cause", a.RootCause)})
		if err != nil {
			return nil, err
		}
		out = *n
		other, event, err := c.same(tx, n.Requirement, a.Cause, n.ID)
		if err != nil || other == nil {
			return []ledger.Entry{analysed}, err
		}
		merged, err := c.put(tx, n, draft{WasMerged, by, mergedChange{other.ID}, nil})
		if err != nil {
			return nil, err
		}
		again, err := c.put(tx, other, draft{event, by, recurredChange{From: n.ID, Grade: n.Grade, Evidence: n.Evidence}, nil})
		out = *other
		return []ledger.Entry{analysed, merged, again}, err
	})
	return out, err
}

// ActionPlan is what is to be done about a nonconformity, and when it is looked at
// whether that helped.
type ActionPlan struct {
	Actions []NewAction `json:"actions"`
	// ReviewFrom is the first day of the effectiveness review: the actions must
	// have had time to show something.
	ReviewFrom Date `json:"review_from" doc:"first day of the effectiveness review"`
	ReviewBy   Date `json:"review_by,omitempty" doc:"last day of it; absent: 30 days later"`
}

// NewAction is an action that is planned.
type NewAction struct {
	Text  string     `json:"text" doc:"what is done; kept beside the log"`
	Owner string     `json:"owner" doc:"id of the person who does it"`
	Due   Date       `json:"due"`
	Kind  ActionKind `json:"kind" enum:"process,training,policy,technical"`
}

func (p *ActionPlan) check(now time.Time) error {
	if len(p.Actions) == 0 || len(p.Actions) > maxActions {
		return invalid("actions: %d; expected 1 to %d", len(p.Actions), maxActions)
	}
	last := now
	for _, a := range p.Actions {
		err := first(
			needed("actions.text", a.Text), isPerson("actions.owner", a.Owner), isDate("actions.due", a.Due),
			among("actions.kind", a.Kind, ProcessAction, TrainingAction, PolicyAction, TechnicalAction),
		)
		if err != nil {
			return err
		}
		if a.Due.End().Before(now) {
			return invalid("actions.due: %s is over", a.Due)
		}
		last = latest(last, a.Due.Begin())
	}
	if err := isDate("review_from", p.ReviewFrom); err != nil {
		return err
	}
	if p.ReviewFrom.End().Before(last) {
		return invalid("review_from: %s is before the last action is due, %s", p.ReviewFrom, dateOf(last))
	}
	if p.ReviewBy == "" {
		p.ReviewBy = dateOf(p.ReviewFrom.Begin().Add(30 * day))
	}
	if err := isDate("review_by", p.ReviewBy); err != nil {
		return err
	}
	if p.ReviewBy < p.ReviewFrom {
		return invalid("review_by: %s is before review_from, %s", p.ReviewBy, p.ReviewFrom)
	}
	return nil
}

func latest(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }
