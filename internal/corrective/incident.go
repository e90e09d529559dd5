package corrective

import (
	"context"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Severity is how much harm an incident did or could have done.
type Severity string

// The severities of an incident.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Incident is something that happened and harmed or could have harmed
// somebody, with what was done about it (ISO 42001 A.8.4).
type Incident struct {
	Head
	Severity   Severity   `json:"severity"`
	ReportedBy aims.Actor `json:"reported_by"`
	// Happened is when it began, as far as is known.
	Happened    time.Time `json:"happened"`
	Responsible string    `json:"responsible,omitempty"`
	Evidence    []string  `json:"evidence,omitempty" doc:"receipts"`
	// Notify is "" until somebody decided, then notify or not-notify.
	Notify          string   `json:"notify,omitempty" enum:"notify,not-notify" doc:"whether anybody is told; absent: not decided yet"`
	Notifications   []Notice `json:"notifications,omitempty"`
	Nonconformities []string `json:"nonconformities,omitempty"`
}

// The decisions about telling somebody.
const (
	Notify    = "notify"
	NotNotify = "not-notify"
)

// Notice is somebody who is to be told.
type Notice struct {
	To   string     `json:"to" doc:"who is told, such as supervisory-authority or users"`
	Due  Date       `json:"due"`
	Done *time.Time `json:"done,omitempty"`
}

// NewIncident is what an incident is reported with.
type NewIncident struct {
	Severity    Severity  `json:"severity" enum:"low,medium,high,critical"`
	Happened    time.Time `json:"happened" doc:"when it began, as far as is known"`
	Statement   string    `json:"statement" doc:"what happened; kept beside the log"`
	Affected    string    `json:"affected,omitempty" doc:"who or what is affected, in words; kept beside the log"`
	Responsible string    `json:"responsible,omitempty" doc:"id of the person who answers for it; absent: who reports it"`
	Evidence    []string  `json:"evidence,omitempty" doc:"receipts"`
}

// What the steps of an incident say. Words lie apart.
type (
	reportedChange struct {
		Severity    Severity  `json:"severity"`
		Happened    time.Time `json:"happened"`
		Responsible string    `json:"responsible,omitempty"`
		Evidence    []string  `json:"evidence,omitempty"`
	}
	notedChange struct {
		When     time.Time `json:"when,omitzero"`
		Evidence []string  `json:"evidence,omitempty"`
	}
	assessedChange struct {
		Severity Severity `json:"severity"`
	}
	decidedChange struct {
		Notify        string   `json:"notify"`
		Notifications []Notice `json:"notifications,omitempty"`
	}
	notifiedChange struct {
		To string `json:"to"`
	}
	linkedChange struct {
		Nonconformity string `json:"nonconformity"`
	}
)

func (i *Incident) kind() Kind     { return IncidentKind }
func (i *Incident) head() *Head    { return &i.Head }
func (i *Incident) life() machine  { return lifeOf(IncidentKind, "") }
func (i *Incident) keys() caseKeys { return caseKeys{} }

func (i *Incident) apply(s CaseStep) error {
	switch s.Event {
	case WasReported:
		i.ReportedBy = s.By
		return said(s, func(c reportedChange) {
			i.Severity, i.Happened, i.Responsible, i.Evidence = c.Severity, c.Happened, c.Responsible, c.Evidence
		})
	case WasNoted:
		return said(s, func(c notedChange) { i.Evidence = append(i.Evidence, c.Evidence...) })
	case WasAssessed:
		return said(s, func(c assessedChange) { i.Severity = c.Severity })
	case WasDecided:
		return said(s, i.applyDecided)
	case WasNotified:
		return said(s, func(c notifiedChange) {
			if n := i.notification(c.To); n != nil {
				at := s.At
				n.Done = &at
			}
		})
	case WasLinked:
		return said(s, func(c linkedChange) {
			if !slices.Contains(i.Nonconformities, c.Nonconformity) {
				i.Nonconformities = append(i.Nonconformities, c.Nonconformity)
			}
		})
	}
	return nil
}

// applyDecided keeps who was told already, whatever is decided now.
func (i *Incident) applyDecided(c decidedChange) {
	told := slices.DeleteFunc(i.Notifications, func(n Notice) bool { return n.Done == nil })
	for _, n := range c.Notifications {
		if !slices.ContainsFunc(told, func(t Notice) bool { return t.To == n.To }) {
			told = append(told, n)
		}
	}
	i.Notify, i.Notifications = c.Notify, told
}

func (i *Incident) notification(to string) *Notice {
	for n := range i.Notifications {
		if i.Notifications[n].To == to {
			return &i.Notifications[n]
		}
	}
	return nil
}

func (i *Incident) duties(o Options) []Duty {
	if i.State.over() {
		return nil
	}
	var all []Duty
	if i.Notify == "" {
		all = append(all, Duty{IncidentKind, i.ID, "decision whom to notify", i.Responsible, i.Opened.Add(o.DecideWithin)})
	}
	for _, n := range i.Notifications {
		if n.Done == nil {
			all = append(all, Duty{IncidentKind, i.ID, "notification of " + n.To, i.Responsible, n.Due.End()})
		}
	}
	return all
}

// ReportIncident opens an incident.
func (c *Corrective) ReportIncident(ctx context.Context, by By, r NewIncident) (Incident, error) {
	err := first(
		among("severity", r.Severity, Low, Medium, High, Critical), needed("statement", r.Statement),
		c.recorded(ctx, "evidence", r.Evidence, time.Time{}, ""),
	)
	if err != nil {
		return Incident{}, err
	}
	if r.Responsible == "" && by.Type == aims.PersonType {
		r.Responsible = by.ID
	}
	if r.Responsible != "" {
		if err := isPerson("responsible", r.Responsible); err != nil {
			return Incident{}, err
		}
	}
	var out Incident
	err = c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		if r.Happened.IsZero() || r.Happened.After(tx.Now) {
			return nil, invalid("happened: expected a time that is not in the future, such as %s", tx.Now.UTC().Format(time.RFC3339))
		}
		i := &Incident{Head: Head{ID: aims.NewID(IncidentKind.prefix())}}
		entry, err := c.put(tx, i, draft{WasReported, by, reportedChange{r.Severity, r.Happened.UTC(), r.Responsible, r.Evidence},
			words("statement", r.Statement, "affected", r.Affected)})
		out = *i
		return []ledger.Entry{entry}, err
	})
	return out, err
}

func (c *Corrective) incidentStep(ctx context.Context, id string, d draft) (Incident, error) {
	return step(ctx, c, id, func(*Incident, time.Time) (draft, error) { return d, nil })
}

// Note adds a line to the timeline of an incident: what happened when.
func (c *Corrective) Note(ctx context.Context, by By, id string, when time.Time, text string, evidence []string) (Incident, error) {
	if err := first(needed("text", text), c.recorded(ctx, "evidence", evidence, time.Time{}, id)); err != nil {
		return Incident{}, err
	}
	return step(ctx, c, id, func(_ *Incident, now time.Time) (draft, error) {
		if when.After(now) {
			return draft{}, invalid("when: expected a time that is not in the future")
		}
		return draft{WasNoted, by, notedChange{when.UTC(), evidence}, words("text", text)}, nil
	})
}

// Assess records how severe an incident is and who is affected.
func (c *Corrective) Assess(ctx context.Context, by By, id string, s Severity, affected string) (Incident, error) {
	if err := first(among("severity", s, Low, Medium, High, Critical), needed("affected", affected)); err != nil {
		return Incident{}, err
	}
	return c.incidentStep(ctx, id, draft{WasAssessed, by, assessedChange{s}, words("affected", affected)})
}

// Contain records that an incident does no more harm.
func (c *Corrective) Contain(ctx context.Context, by By, id, text string) (Incident, error) {
	if err := needed("text", text); err != nil {
		return Incident{}, err
	}
	return c.incidentStep(ctx, id, draft{WasContained, by, nil, words("text", text)})
}

// DecideNotification records whether anybody is told of an incident, whom by
// when, and why. A later decision replaces whom nobody has told yet.
func (c *Corrective) DecideNotification(ctx context.Context, by By, id string, tell []Notice, reason string) (Incident, error) {
	if err := needed("reason", reason); err != nil {
		return Incident{}, err
	}
	change := decidedChange{Notify: NotNotify}
	for _, n := range tell {
		if !causeKey.MatchString(n.To) {
			return Incident{}, invalid("to: %q; expected a name such as supervisory-authority, 1 to 64 of a-z 0-9 . _ -", n.To)
		}
		if err := isDate("due", n.Due); err != nil {
			return Incident{}, err
		}
		change.Notify = Notify
		change.Notifications = append(change.Notifications, Notice{To: n.To, Due: n.Due})
	}
	if len(tell) > maxActions {
		return Incident{}, invalid("notifications: %d; expected at most %d", len(tell), maxActions)
	}
	return c.incidentStep(ctx, id, draft{WasDecided, by, change, words("reason", reason)})
}

// Notified records that somebody was told.
func (c *Corrective) Notified(ctx context.Context, by By, id, to, text string) (Incident, error) {
	return step(ctx, c, id, func(i *Incident, _ time.Time) (draft, error) {
		n := i.notification(to)
		if n == nil || n.Done != nil {
			return draft{}, aims.Errorf(aims.Conflict, nil, "nobody decided that %q is to be told of %s, or they were", to, i.ID)
		}
		return draft{WasNotified, by, notifiedChange{to}, words("text", text)}, nil
	})
}

// Resolve records that an incident is over.
func (c *Corrective) Resolve(ctx context.Context, by By, id, text string) (Incident, error) {
	if err := needed("text", text); err != nil {
		return Incident{}, err
	}
	return c.incidentStep(ctx, id, draft{WasResolved, by, nil, words("text", text)})
}

// CloseIncident ends an incident of which it is decided whom to tell, and of
// which they were told.
func (c *Corrective) CloseIncident(ctx context.Context, by By, id, text string) (Incident, error) {
	return step(ctx, c, id, func(i *Incident, _ time.Time) (draft, error) {
		if i.Notify == "" {
			return draft{}, aims.Errorf(aims.Conflict, nil, "nobody has decided yet whom to tell of %s", i.ID)
		}
		for _, n := range i.Notifications {
			if n.Done == nil {
				return draft{}, aims.Errorf(aims.Conflict, nil, "%s was not told of %s yet", n.To, i.ID)
			}
		}
		return draft{WasClosed, by, nil, words("text", text)}, nil
	})
}

// ReopenIncident takes an incident up again.
func (c *Corrective) ReopenIncident(ctx context.Context, by By, id, reason string) (Incident, error) {
	if err := needed("reason", reason); err != nil {
		return Incident{}, err
	}
	return c.incidentStep(ctx, id, draft{WasReopened, by, nil, words("reason", reason)})
}

// link notes in an incident that a nonconformity was raised because of it.
func (c *Corrective) link(tx *store.Tx, by By, id, nonconformity string) (ledger.Entry, error) {
	i, err := load[Incident](tx, c.o, id, time.Time{})
	if err != nil {
		return ledger.Entry{}, err
	}
	return c.put(tx, i, draft{WasLinked, by, linkedChange{nonconformity}, nil})
}
