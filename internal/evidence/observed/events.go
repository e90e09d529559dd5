package observed

import (
	"encoding/json"
	"slices"
	"strings"

	"aims/receipt"
)

// deployed is the stage in which an agent may act.
const deployed = "deployed"

// personType is the type of parties that stand by their id alone.
const personType = "person"

// named are the events that leave something in the facts.
var named = map[string]func(*Facts, happening){
	"policy.published":    (*Facts).published,
	"policy.approved":     (*Facts).policyApproved,
	"policy.activated":    (*Facts).activated,
	"policy.rolled_back":  (*Facts).activated,
	"tool.pinned":         (*Facts).pinChanged,
	"tool.approved":       (*Facts).pinChanged,
	"tool.changed":        (*Facts).pinChanged,
	"tool.quarantined":    (*Facts).pinChanged,
	"tool.removed":        (*Facts).pinChanged,
	"tool.returned":       (*Facts).pinChanged,
	"tool.forgotten":      (*Facts).pinChanged,
	"agent.registered":    (*Facts).agentChanged,
	"agent.changed":       (*Facts).agentChanged,
	"agent.suspended":     (*Facts).stopped,
	"agent.resumed":       (*Facts).stopped,
	"server.stopped":      (*Facts).stopped,
	"server.resumed":      (*Facts).stopped,
	"approval.requested":  (*Facts).approvalMoved,
	"approval.granted":    (*Facts).approvalMoved,
	"approval.denied":     (*Facts).approvalMoved,
	"approval.used":       (*Facts).approvalMoved,
	"approval.expired":    (*Facts).approvalMoved,
	"approval.void":       (*Facts).approvalMoved,
	"gate.evaluated":      (*Facts).gateEvaluated,
	"assessment.reopened": (*Facts).reopened,
	"rehearsal.recorded":  (*Facts).rehearsed,
	"system.started":      func(f *Facts, h happening) { f.Starts = append(f.Starts, *h.plain()) },
	receipt.ErasedEvent:   (*Facts).erased,
	"actor.roles":         (*Facts).rolesChanged,
	"key.created":         (*Facts).keyCreated,
	"review.frozen":       func(f *Facts, h happening) { f.Frozen[h.event.Object.ID] = h.plain() },
	"audit.tested":        (*Facts).audited,
	"audit.sampled":       (*Facts).sampled,
	"audit.judged":        (*Facts).judged,
}

// applies is what an event of a name does to the facts; nil when it leaves
// nothing in them.
func applies(name string) func(*Facts, happening) {
	if apply := named[name]; apply != nil {
		return apply
	}
	if kind, _, _ := strings.Cut(name, "."); isCase(kind) {
		return (*Facts).caseMoved
	}
	return nil
}

// isCase says whether a kind of object is that corrective action deals with.
func isCase(kind string) bool {
	return kind == "nonconformity" || kind == "incident" || kind == "concern"
}

// movesAgent says whether an event may change an agent's stage or registration.
func movesAgent(e *receipt.Event) bool {
	return e.Object.Type == "agent" && strings.HasPrefix(e.Name, "agent.")
}

// by is who did it.
func (h happening) by() string { return who(h.event.Actor) }

func who(p receipt.Party) string {
	if p.Type == personType {
		return p.ID
	}
	return p.Type + ":" + p.ID
}

// detail reads the event's detail. What has another form than today's leaves
// zero values: the log may be older or newer than the program, and one event
// must not hide all others.
func (h happening) detail(into any) {
	if len(h.event.Detail) > 0 {
		_ = json.Unmarshal(h.event.Detail, into) // see above
	}
}

// plain is the event with the digest that its detail may name.
func (h happening) plain() *Event {
	var d struct {
		Digest string `json:"digest"`
	}
	h.detail(&d)
	return &Event{Name: h.event.Name, On: h.event.Object.ID, By: h.by(), Digest: d.Digest, Receipt: h.event.ID, At: h.at}
}

func (f *Facts) erased(h happening) {
	var d receipt.Erasure
	h.detail(&d)
	f.Erasures = append(f.Erasures, Erasure{Event: *h.plain(), From: d.From, To: d.To, Names: d.Names, Rule: d.Rule})
}

// published notes who wrote a bundle, for the bundle and for the set that it
// was made into.
func (f *Facts) published(h happening) {
	var d struct {
		Set string `json:"set"`
	}
	h.detail(&d)
	for _, digest := range []string{h.event.Object.ID, d.Set} {
		if digest != "" {
			p := f.policy(digest)
			p.Published, p.Author, p.Bundle = h.at, h.by(), h.event.Object.ID
		}
	}
}

func (f *Facts) policyApproved(h happening) {
	for _, p := range f.Policies {
		if p.Bundle == h.event.Object.ID {
			p.Approved, p.Approver = h.at, h.by()
		}
	}
	p := f.policy(h.event.Object.ID)
	p.Approved, p.Approver = h.at, h.by()
}

// activated notes that a set is in force. It takes over who wrote and approved
// the bundle that it was made of.
func (f *Facts) activated(h happening) {
	var d struct {
		Bundle      string `json:"bundle"`
		Environment string `json:"environment"`
	}
	h.detail(&d)
	p := f.policy(h.event.Object.ID)
	if bundle := f.Policies[d.Bundle]; bundle != nil {
		p.Published, p.Author, p.Approved, p.Approver = bundle.Published, bundle.Author, bundle.Approved, bundle.Approver
	}
	p.Activated, p.Bundle = h.at, d.Bundle
	p.Environments[d.Environment] = h.at
	f.Activations = append(f.Activations, Activation{
		Digest: h.event.Object.ID, Environment: d.Environment, By: h.by(), Receipt: h.event.ID,
		Bundle: d.Bundle, Back: h.event.Name == "policy.rolled_back", At: h.at,
	})
}

func (f *Facts) pinChanged(h happening) {
	var d struct {
		Pin         string `json:"pin"`
		Quarantined bool   `json:"quarantined"`
	}
	h.detail(&d)
	if strings.HasPrefix(h.event.Object.ID, SelfCheckServer+"___") && h.event.Actor.Type == "system" {
		return // the installation tried its own quarantine
	}
	_, event, _ := strings.Cut(h.event.Name, ".")
	f.Pins = append(f.Pins, PinChange{
		Tool: h.event.Object.ID, Event: event, Pin: d.Pin, By: h.by(), Receipt: h.event.ID,
		Quarantined: d.Quarantined || event == "quarantined", At: h.at,
	})
}

func (f *Facts) agentChanged(h happening) {
	var d struct {
		After struct {
			Stage     string   `json:"stage"`
			Owner     string   `json:"owner"`
			Operator  string   `json:"operator"`
			Purposes  []string `json:"purposes"`
			Delegates []string `json:"delegates"`
			Tools     []string `json:"tools"`
		} `json:"after"`
	}
	h.detail(&d)
	l := f.life(h.event.Object.ID)
	if h.event.Name == "agent.registered" {
		l.Registered = h.at
	}
	l.Owner, l.Operator, l.Purposes, l.Delegates, l.Tools = d.After.Owner, d.After.Operator, d.After.Purposes, d.After.Delegates, d.After.Tools
	l.move(d.After.Stage, h)
}

// move puts an agent into a stage; "" leaves it where it is.
func (l *Life) move(stage string, h happening) {
	l.Changed, l.Receipt = h.at, h.event.ID
	if stage == "" || stage == l.Stage {
		return
	}
	l.Stage, l.Deployed = stage, 0
	if stage == deployed {
		l.Deployed = h.at
		if l.FirstDeploy == 0 {
			l.FirstDeploy = h.at
		}
	}
}

func (f *Facts) stopped(h happening) {
	resumed := strings.HasSuffix(h.event.Name, ".resumed")
	f.Stops = append(f.Stops, Stop{Kind: h.event.Object.Type, ID: h.event.Object.ID, By: h.by(), Receipt: h.event.ID, Resumed: resumed, At: h.at})
	if !movesAgent(h.event) {
		return
	}
	var d struct {
		Stage string `json:"stage"`
	}
	h.detail(&d)
	l := f.life(h.event.Object.ID)
	l.Suspended = !resumed
	l.move(d.Stage, h)
}

func (f *Facts) approvalMoved(h happening) {
	var d struct {
		Hold   string `json:"hold"`
		Action string `json:"action"`
		Quorum int    `json:"quorum"`
		State  string `json:"state"`
		// Given are the roles in which a person granted it.
		Given []string `json:"given"`
	}
	h.detail(&d)
	a := f.Approvals[h.event.Object.ID]
	if a == nil {
		a = &Approval{ID: h.event.Object.ID}
		f.Approvals[a.ID] = a
	}
	a.State, a.Hold, a.Receipt = d.State, d.Hold, h.event.ID
	switch h.event.Name {
	case "approval.requested": // also once more, when more people are needed than before
		a.Agent, a.Tool, a.Quorum, a.State, a.Ended = h.event.Actor.ID, d.Action, d.Quorum, "requested", 0
		if a.Requested == 0 {
			a.Requested = h.at
		}
		return
	case "approval.granted", "approval.denied":
		if !slices.Contains(a.By, h.by()) {
			a.By = append(a.By, h.by())
		}
		a.Given = append(a.Given, Vote{By: h.by(), Roles: d.Given, Granted: h.event.Name == "approval.granted", Receipt: h.event.ID, At: h.at})
	case "approval.used":
		a.Used = h.at
	}
	if a.State == "pending" { // one of several grants
		a.State = "requested"
	} else if a.Ended == 0 {
		a.Ended = h.at
	}
}

func (f *Facts) gateEvaluated(h happening) {
	var d struct {
		To      string   `json:"to"`
		Version string   `json:"version"`
		Passed  bool     `json:"passed"`
		Failed  []string `json:"failed"`
	}
	h.detail(&d)
	f.Gates = append(f.Gates, Gate{
		Agent: h.event.Object.ID, To: d.To, Version: d.Version, By: h.by(), Receipt: h.event.ID, Passed: d.Passed, Failed: d.Failed, At: h.at,
	})
}

func (f *Facts) reopened(h happening) {
	var d struct {
		Agent string `json:"agent"`
		Cause string `json:"cause"`
	}
	h.detail(&d)
	f.Reopened = append(f.Reopened, Reopening{Event: *h.plain(), Agent: d.Agent, Cause: d.Cause})
}

func (f *Facts) rehearsed(h happening) {
	var d struct {
		Policy     string          `json:"policy"`
		Scenarios  int             `json:"scenarios"`
		AsExpected int             `json:"as_expected"`
		Categories []string        `json:"categories"`
		Scenario   map[string]bool `json:"scenario"`
	}
	h.detail(&d)
	f.Rehearsals = append(f.Rehearsals, Rehearsal{
		Policy: d.Policy, Bundle: h.event.Object.ID, By: h.by(), Receipt: h.event.ID,
		Scenarios: d.Scenarios, AsExpected: d.AsExpected, Categories: d.Categories, Scenario: d.Scenario, At: h.at,
	})
}

func (f *Facts) rolesChanged(h happening) {
	var d struct {
		After []string `json:"after"`
	}
	h.detail(&d)
	actor := receipt.Party{Type: h.event.Object.Type, ID: h.event.Object.ID}
	f.Roles = append(f.Roles, RoleChange{Actor: who(actor), By: h.by(), Receipt: h.event.ID, Roles: d.After, At: h.at})
}

// keyCreated: a new key gives its actor the roles that it is made with.
func (f *Facts) keyCreated(h happening) {
	var d struct {
		Actor receipt.Party `json:"actor"`
		Roles []string      `json:"roles"`
	}
	h.detail(&d)
	if d.Actor.ID != "" {
		f.Roles = append(f.Roles, RoleChange{Actor: who(d.Actor), By: h.by(), Receipt: h.event.ID, Roles: d.Roles, At: h.at})
	}
}

func (f *Facts) audited(h happening) {
	var d struct {
		Test       string `json:"test"`
		Population uint64 `json:"population"`
		Exceptions uint64 `json:"exceptions"`
	}
	h.detail(&d)
	f.Tests = append(f.Tests, AuditTest{
		Audit: h.event.Object.ID, Test: d.Test, By: h.by(), Receipt: h.event.ID, Population: d.Population, Exceptions: d.Exceptions, At: h.at,
	})
}

func (f *Facts) sampled(h happening) {
	var d struct {
		Sample string `json:"sample"`
		Query  struct {
			Kind string `json:"kind"`
		} `json:"query"`
		Items int `json:"items"`
	}
	h.detail(&d)
	f.Samples = append(f.Samples, Sample{
		Audit: h.event.Object.ID, ID: d.Sample, Kind: d.Query.Kind, Receipt: h.event.ID, Items: d.Items, Judged: map[string]bool{}, At: h.at,
	})
}

func (f *Facts) judged(h happening) {
	var d struct {
		Sample   string `json:"sample"`
		Item     string `json:"item"`
		Conforms bool   `json:"conforms"`
	}
	h.detail(&d)
	if i := slices.IndexFunc(f.Samples, func(s Sample) bool { return s.ID == d.Sample }); i >= 0 && d.Item != "" {
		f.Samples[i].Judged[d.Item] = d.Conforms
	}
}
