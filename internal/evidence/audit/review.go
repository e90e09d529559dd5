package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
)

// Inputs are what lies before a management review (ISO 42001 9.3.2), as it was
// when it was frozen.
type Inputs struct {
	Review string    `json:"review"`
	At     time.Time `json:"at"`
	// Requirements is what is shown of each of the 70.
	Requirements []Shown `json:"requirements"`
	// Nonconformities are those that are open, with their corrective actions.
	Nonconformities []corrective.Nonconformity `json:"nonconformities"`
	Overdue         []corrective.Duty          `json:"overdue"`
	Measures        []evidence.Series          `json:"measures"`
	Audits          []Audit                    `json:"audits"`
	Objectives      []record.Objective         `json:"objectives"`
	// Context are changes of the organisation's context, of interested parties
	// and of obligations since the last review was held.
	Context []ContextChange `json:"context"`
	// Decisions are those of earlier reviews.
	Decisions []Followed `json:"decisions"`
}

// Shown is what is shown of one requirement.
type Shown struct {
	ID      string         `json:"id"`
	State   criteria.State `json:"state"`
	Reasons []string       `json:"reasons"`
}

// ContextChange is a change of a record about the organisation's context.
type ContextChange struct {
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	Event   string    `json:"event"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Receipt string    `json:"receipt"`
}

// Followed is a decision of a review and whether it was carried out in time.
type Followed struct {
	Review string `json:"review"`
	record.Decision
	Overdue bool `json:"overdue"`
}

// Frozen is where frozen inputs stand.
type Frozen struct {
	Digest string `json:"digest"`
	Paper  Paper  `json:"paper"`
	Inputs Inputs `json:"inputs"`
}

// Review is a management review with its newest frozen inputs.
type Review struct {
	record.ManagementReview
	Frozen *Frozen `json:"frozen,omitempty"`
	// Followed are its decisions with what became of them.
	Followed []Followed `json:"followed"`
	// Exceptions say what is not as it should be.
	Exceptions []string `json:"exceptions"`
}

// Freeze freezes the inputs of a review that was not held yet, and keeps them. It
// fails with aims.Conflict once it was held: nobody freezes afterwards what is
// said to have lain before it.
func (a *Audits) Freeze(ctx context.Context, by By, id string) (Frozen, error) {
	if by.ID == "" || by.Decision == "" || by.Type != aims.PersonType {
		return Frozen{}, aims.Errorf(aims.Denied, nil, "only a person whose decision is recorded freezes the inputs of a review")
	}
	s, r, err := a.review(ctx, id, time.Time{})
	if err != nil {
		return Frozen{}, err
	}
	if r.Held != "" {
		return Frozen{}, aims.Errorf(aims.Conflict, nil, "the review %s was held on %s: its inputs are frozen before that", id, r.Held)
	}
	in, err := a.inputs(ctx, s, id)
	if err != nil {
		return Frozen{}, err
	}
	content, err := json.Marshal(in)
	if err != nil {
		return Frozen{}, err
	}
	f := Frozen{Digest: digestOf(content), Inputs: in}
	states := map[criteria.State]int{}
	for _, r := range in.Requirements {
		states[r.State]++
	}
	detail := struct {
		Digest       string                 `json:"digest"`
		Requirements map[criteria.State]int `json:"requirements"`
	}{f.Digest, states}
	papers, err := a.keep(ctx, by, nil, draft{kind: frozenPaper, subject: id, item: f.Digest, detail: detail, content: in})
	if err != nil {
		return Frozen{}, err
	}
	f.Paper = papers[0]
	return f, nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (a *Audits) review(ctx context.Context, id string, at time.Time) (record.State, record.ManagementReview, error) {
	s, err := a.p.Register.At(ctx, at)
	if err != nil {
		return s, record.ManagementReview{}, err
	}
	rec, ok := s.Registers.Get("management_review", id)
	if !ok {
		return s, record.ManagementReview{}, aims.Errorf(aims.NotFound, nil, "there is no management review %.80q; apply a record of it first", id)
	}
	return s, rec.(record.ManagementReview), nil
}

// inputs are those of now.
func (a *Audits) inputs(ctx context.Context, s record.State, id string) (in Inputs, err error) {
	now := a.p.Now().UTC()
	in = Inputs{Review: id, At: now, Objectives: s.Registers.Objectives, Decisions: followed(s.Registers, id, now)}
	list, err := a.p.Evidence.Status(ctx, time.Time{}, time.Time{}, time.Time{})
	if err != nil {
		return in, err
	}
	for _, r := range list {
		in.Requirements = append(in.Requirements, Shown{r.ID, r.State, r.Reasons})
	}
	if in.Nonconformities, err = a.p.Corrective.Nonconformities(ctx, corrective.Filter{Open: true}); err != nil {
		return in, err
	}
	if in.Overdue, err = a.p.Corrective.Overdue(ctx, now); err != nil {
		return in, err
	}
	if in.Measures, err = a.p.Evidence.Measures(ctx, evidence.View{}, "", 30*24*time.Hour); err != nil {
		return in, err
	}
	if in.Audits, err = a.List(ctx, time.Time{}); err != nil {
		return in, err
	}
	in.Context = contextChanges(s, lastHeld(s.Registers))
	return in, nil
}

// lastHeld is when the newest review was held; zero for never.
func lastHeld(r record.Registers) (last time.Time) {
	for _, x := range r.ManagementReviews {
		if t := moment(x.Held); t.After(last) {
			last = t
		}
	}
	return last
}

func contextChanges(s record.State, since time.Time) []ContextChange {
	list := []ContextChange{}
	for _, kind := range []string{"organisation", "party", "obligation", "scope"} {
		for key, versions := range s.Changes {
			for _, v := range versions {
				if at := time.UnixMicro(v.At).UTC(); key.Kind == kind && !at.Before(since) {
					list = append(list, ContextChange{key.Kind, key.ID, string(v.Event), v.By, at, v.Receipt})
				}
			}
		}
	}
	sortBy(list, func(c ContextChange) string { return c.At.Format(time.RFC3339Nano) + c.Kind + c.ID })
	return list
}

// followed are the decisions of all reviews but one, on a day.
func followed(r record.Registers, except string, now time.Time) []Followed {
	list := []Followed{}
	today := record.Date(now.Format(time.DateOnly))
	for _, x := range r.ManagementReviews {
		for _, d := range x.Decisions {
			if x.ID != except {
				list = append(list, Followed{x.ID, d, d.Done == "" && d.Due != "" && d.Due < today})
			}
		}
	}
	return list
}

// Reviews are the management reviews with what was frozen for them.
func (a *Audits) Reviews(ctx context.Context, at time.Time) ([]Review, error) {
	s, err := a.p.Register.At(ctx, at)
	if err != nil {
		return nil, err
	}
	list := []Review{}
	for _, r := range s.Registers.ManagementReviews {
		one, err := a.Review(ctx, r.ID, at)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// Review is a review as of a time; zero for now.
func (a *Audits) Review(ctx context.Context, id string, at time.Time) (Review, error) {
	_, r, err := a.review(ctx, id, at)
	if err != nil {
		return Review{}, err
	}
	out := Review{ManagementReview: r, Exceptions: []string{}}
	papers, err := a.papers(ctx, id, at)
	if err != nil {
		return out, err
	}
	for _, p := range papers {
		if p.Kind != frozenPaper {
			continue
		}
		f := Frozen{Digest: digestOf(p.Content), Paper: p.Paper}
		if err := json.Unmarshal(p.Content, &f.Inputs); err != nil || f.Digest != p.Item {
			return out, damaged(p, err)
		}
		out.Frozen = &f
	}
	now := at
	if now.IsZero() {
		now = a.p.Now()
	}
	only := record.Registers{ManagementReviews: []record.ManagementReview{r}}
	out.Followed = followed(only, "", now.UTC())
	out.Exceptions = exceptions(out)
	return out, nil
}

func exceptions(r Review) []string {
	list := []string{}
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	switch f := r.Frozen; {
	case f == nil && r.Held != "":
		say("it was held on %s, and no inputs were frozen before it", r.Held)
	case f != nil && r.Held != "" && f.Paper.At.Format(time.DateOnly) > string(r.Held):
		say("its inputs were frozen on %s, after it was held", f.Paper.At.Format(time.DateOnly))
	}
	if r.Inputs != "" && (r.Frozen == nil || r.Inputs != r.Frozen.Digest) {
		say("its record names the inputs %s, which are not those that were frozen", r.Inputs)
	}
	if r.Held != "" && len(r.Decisions) == 0 {
		say("it was held and has no decisions")
	}
	for _, d := range r.Followed {
		if d.Owner == "" {
			say("decision %s has no owner", d.ID)
		}
		if d.Due == "" {
			say("decision %s has no day by which it is due", d.ID)
		}
		if d.Overdue {
			say("decision %s was due on %s and is not done", d.ID, d.Due)
		}
	}
	return list
}

// moment is when a day begins; zero for none.
func moment(d record.Date) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}
