package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/receipt"
)

// asked is a request for approval as its receipts have it.
type asked struct {
	id, hold, action string
	need             map[string]int
	quorum           int
	expires          time.Time
	granted          map[string][]string // roles by person
	denied, used     bool
}

// approvals checks again whether everybody who released a call was entitled to:
// held the role then, was neither the caller nor the person behind it, and was
// one of as many as were needed.
func (a *Audits) approvals(ctx context.Context, r *Result, w *walk) error {
	r.Of = "votes on held calls and their releases"
	requests, roles := map[string]*asked{}, map[string][]string{}
	without := 0
	for _, e := range w.acts {
		switch e.Name {
		case "actor.roles", "key.created":
			learn(roles, e)
			continue
		}
		if !strings.HasPrefix(e.Name, "approval.") {
			continue
		}
		q := requests[e.Object.ID]
		if q == nil {
			q = &asked{id: e.Object.ID, granted: map[string][]string{}}
			requests[q.id] = q
		}
		checked, err := a.approvalEvent(ctx, r, q, e, roles, w.within(e.at))
		if err != nil {
			return err
		}
		if !checked {
			without++
		}
	}
	note := ""
	if without > 0 {
		note = fmt.Sprintf("of %d votes it cannot be said any more which roles the person held or whose the call was: the facts are erased", without)
	}
	r.conclude(note)
	return nil
}

// learn takes over which roles an actor has from an event on.
func learn(roles map[string][]string, e act) {
	var d struct {
		After []string      `json:"after"`
		Actor receipt.Party `json:"actor"`
		Roles []string      `json:"roles"`
	}
	if json.Unmarshal(e.Detail, &d) != nil {
		return // the test of integrity names it
	}
	if e.Name == "actor.roles" {
		roles[e.Object.Type+":"+e.Object.ID] = d.After
	} else if d.Actor.ID != "" {
		roles[d.Actor.Type+":"+d.Actor.ID] = d.Roles
	}
}

// approvalEvent checks one step of a request. It returns false when a vote can
// not be judged any more.
func (a *Audits) approvalEvent(ctx context.Context, r *Result, q *asked, e act, roles map[string][]string, judged bool) (bool, error) {
	var d struct {
		Hold    string         `json:"hold"`
		Action  string         `json:"action"`
		Roles   map[string]int `json:"roles"`
		Quorum  int            `json:"quorum"`
		Expires time.Time      `json:"expires"`
		Given   []string       `json:"given"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		if judged {
			r.Population++
			r.except(entryName(e.index), "the receipt of %s cannot be read", e.Name)
		}
		return true, nil
	}
	switch e.Name {
	case "approval.requested": // also once more, when more people are needed than before
		q.hold, q.action, q.need, q.quorum, q.expires = d.Hold, d.Action, d.Roles, d.Quorum, d.Expires
	case "approval.granted", "approval.denied":
		if judged {
			r.Population++
		}
		return a.vote(ctx, r, q, e, d.Given, roles, judged)
	case "approval.used":
		if judged {
			r.Population++
			return true, a.release(ctx, r, q, e)
		}
		q.used = true
	}
	return true, nil
}

// vote checks one vote, whose person is entitled or not at that moment.
func (a *Audits) vote(ctx context.Context, r *Result, q *asked, e act, given []string, roles map[string][]string, judged bool) (checked bool, err error) {
	place := entryName(e.index)
	except := func(format string, args ...any) {
		if judged {
			r.except(place, "%s: "+format, append([]any{q.id}, args...)...)
		}
	}
	if e.Name == "approval.denied" {
		q.denied = true
	} else {
		q.granted[e.Actor.ID] = append(q.granted[e.Actor.ID], given...)
	}
	if !judged {
		return true, nil
	}
	if e.Actor.Type != aims.PersonType {
		except("%s voted, who is no person", e.Actor.ID)
		return true, nil
	}
	if q.hold == "" {
		except("%s voted before anybody asked", e.Actor.ID)
	}
	if e.Name == "approval.denied" {
		return true, nil // whoever policy lets stop a call stops it
	}
	if !q.expires.IsZero() && e.at.After(q.expires) {
		except("%s granted it after it had expired", e.Actor.ID)
	}
	held, known, err := a.rolesAt(ctx, e, roles)
	if err != nil {
		return true, err
	}
	for _, role := range given {
		if _, needed := q.need[role]; !needed {
			except("%s granted it as %s, a role that it does not need", e.Actor.ID, role)
		}
		if known && !slices.Contains(held, role) {
			except("%s granted it as %s and did not hold that role then", e.Actor.ID, role)
		}
	}
	if len(given) == 0 {
		except("%s granted it without a role that it needs", e.Actor.ID)
	}
	behind, knows, err := a.behind(ctx, q.hold)
	if slices.Contains(behind, strings.ToLower(e.Actor.ID)) {
		except("%s granted a call of their own", e.Actor.ID)
	}
	return known && knows, err
}

// rolesAt are the roles that a voter held: those that the decision which let
// them vote was made from, or those of the log's own receipts.
func (a *Audits) rolesAt(ctx context.Context, e act, logged map[string][]string) (roles []string, known bool, err error) {
	facts, leaf, err := a.factsOf(ctx, e.Decision)
	if err != nil {
		return nil, false, err
	}
	if facts == nil {
		roles, known = logged[e.Actor.Type+":"+e.Actor.ID]
		return roles, known, nil
	}
	if leaf.Actor == nil || leaf.Actor.ID != e.Actor.ID || leaf.Action != strings.Replace(e.Name, "approval.granted", "approvals/grant", 1) {
		return nil, true, nil // it let somebody else, or something else
	}
	return facts.roles(), true, nil
}

// behind are the people who may not release a call, in lower case: a person who
// made it, the operator of the agent, and whom it acted for.
func (a *Audits) behind(ctx context.Context, hold string) (people []string, known bool, err error) {
	facts, d, err := a.factsOf(ctx, hold)
	if err != nil || facts == nil {
		return nil, false, err
	}
	add := func(id string) {
		if id = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(id)), aims.PersonType+":"); id != "" {
			people = append(people, id)
		}
	}
	if d.Actor != nil && d.Actor.Type == aims.PersonType {
		add(d.Actor.ID)
	}
	add(facts.Context.Session.OnBehalfOf)
	add(facts.operator())
	return people, true, nil
}

// release checks the use of an approval: granted by as many as it needs, not
// denied, not over, and once.
func (a *Audits) release(ctx context.Context, r *Result, q *asked, e act) error {
	place := entryName(e.index)
	switch {
	case q.used:
		r.except(place, "%s was used twice", q.id)
	case q.denied:
		r.except(place, "%s was used after somebody denied it", q.id)
	case !q.expires.IsZero() && e.at.After(q.expires):
		r.except(place, "%s was used after it had expired", q.id)
	}
	q.used = true
	if n := len(q.granted); n < max(1, q.quorum) {
		r.except(place, "%s was used with the grants of %d people; it needs %d", q.id, n, max(1, q.quorum))
	}
	for role, need := range q.need {
		n := 0
		for _, given := range q.granted {
			if slices.Contains(given, role) {
				n++
			}
		}
		if n < need {
			r.except(place, "%s was used with the grants of %d people in the role %s; it needs %d", q.id, n, role, need)
		}
	}
	d, _, err := a.decisionOf(ctx, e.Decision)
	switch {
	case err != nil:
		return err
	case d == nil:
		r.except(place, "%s was used by a call that is not in the log", q.id)
	case d.Action != q.action || d.Approval != q.id || d.Verdict != authz.Allow:
		r.except(place, "%s, which was for %s, released another call: %s", q.id, q.action, d.Action)
	}
	return nil
}

func entryName(index uint64) string { return fmt.Sprintf("entry %d", index) }

// facts are what the tests read of the facts of a decision.
type facts struct {
	Principal entityName `json:"principal"`
	Context   struct {
		Session struct {
			OnBehalfOf string `json:"on_behalf_of"`
		} `json:"session"`
	} `json:"context"`
	Entities []struct {
		UID     entityName   `json:"uid"`
		Parents []entityName `json:"parents"`
		Attrs   struct {
			Operator string `json:"operator"`
		} `json:"attrs"`
	} `json:"entities"`
}

type entityName struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// roles are those that the principal held.
func (f *facts) roles() (list []string) {
	for _, e := range f.Entities {
		if e.UID == f.Principal {
			for _, p := range e.Parents {
				if p.Type == "Role" {
					list = append(list, p.ID)
				}
			}
		}
	}
	return list
}

func (f *facts) operator() string {
	for _, e := range f.Entities {
		if e.UID == f.Principal {
			return e.Attrs.Operator
		}
	}
	return ""
}

// decisionOf is a decision or refusal by its id, with its place; nil for none.
func (a *Audits) decisionOf(ctx context.Context, id string) (*receipt.Decision, uint64, error) {
	leaf, err := a.p.Ledger.Find(ctx, id)
	var known *aims.Error
	if errors.As(err, &known) && known.Code == aims.NotFound {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if leaf.Kind != receipt.DecisionKind && leaf.Kind != receipt.RefusalKind {
		return nil, 0, nil
	}
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil {
		return nil, 0, nil
	}
	return d, leaf.Index, nil
}

// factsOf are the recorded facts of a decision; nil when they are erased.
func (a *Audits) factsOf(ctx context.Context, id string) (*facts, *receipt.Decision, error) {
	d, index, err := a.decisionOf(ctx, id)
	if err != nil || d == nil {
		return nil, nil, err
	}
	kept, err := a.p.Ledger.Payloads(ctx, index)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range kept {
		if p.Name == receipt.FactsPayload && !p.Erased && p.Salt.Digest(p.Data) == d.Facts {
			var f facts
			if err := json.Unmarshal(p.Data, &f); err != nil {
				return nil, nil, nil
			}
			return &f, d, nil
		}
	}
	return nil, nil, nil
}
