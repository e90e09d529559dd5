package approval

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// objectType is the type of an approval in receipts.
const objectType = "approval"

// detail is what the receipt of a step says. It names the receipt of the hold,
// which has the salted digest of the arguments: an unsalted one could be
// guessed from the log. People whom the session names are in the facts of that
// decision, which can be erased.
type detail struct {
	// Hold is the receipt of the decision that held the call.
	Hold   string `json:"hold"`
	Action string `json:"action,omitempty"`
	// Roles are, by role, how many people are needed; Quorum how many in all.
	Roles   map[string]int `json:"roles,omitempty"`
	Quorum  int            `json:"quorum,omitempty"`
	Expires time.Time      `json:"expires,omitzero"`
	// Policy is the set that held the call.
	Policy string `json:"policy,omitempty"`
	// Given are the roles in which a person granted it.
	Given []string `json:"given,omitempty"`
	// State is what the step led to.
	State State `json:"state"`
}

func entry(by aims.Actor, name, decision, id string, d detail) (ledger.Entry, error) {
	return eventEntry(receipt.Event{Actor: receipt.Party(by), Name: name, Decision: decision, Object: receipt.Object{Type: objectType, ID: id}}, d)
}

func eventEntry(e receipt.Event, detail any) (ledger.Entry, error) {
	var err error
	if e.Detail, err = json.Marshal(detail); err != nil {
		return ledger.Entry{}, err
	}
	e.ID = aims.NewID("rcp")
	body, err := receipt.Encode(e)
	return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
}

// caller is who made the call.
func (b Binding) caller() aims.Actor {
	if id, ok := strings.CutPrefix(b.Agent, aims.PersonType+":"); ok {
		return aims.Actor{Type: aims.PersonType, ID: id}
	}
	return aims.Actor{Type: aims.AgentType, ID: b.Agent}
}

// RequestedEntry is the receipt of a request that OpenIn returned as Fresh. It
// belongs behind the receipt of the hold, in the same change.
func RequestedEntry(r Request) (ledger.Entry, error) {
	return entry(r.caller(), "approval.requested", r.Decision, r.ID, detail{
		Hold: r.Decision, Action: r.Action, Roles: r.need(), Quorum: max(1, r.Quorum), Expires: r.Expires, Policy: r.Policy, State: Pending,
	})
}

// UsedEntry is the receipt of a request that UseIn took. It belongs behind the
// receipt of the decision that released the call, which has the id decision,
// in the same change.
func UsedEntry(r Request, decision string) (ledger.Entry, error) {
	return entry(r.caller(), "approval.used", decision, r.ID, detail{Hold: r.Decision, State: Used})
}

// votedEntry is the receipt of a vote. What the person wrote lies beside the
// log, behind its own salt.
func votedEntry(by aims.Actor, r Request, v Vote) (ledger.Entry, error) {
	e := receipt.Event{
		Actor: receipt.Party(by), Name: "approval.denied", Decision: v.Decision, Object: receipt.Object{Type: objectType, ID: r.ID},
	}
	if v.Grant {
		e.Name = "approval.granted"
	}
	var kept []ledger.Payload
	if v.Note != "" {
		note := ledger.Payload{Name: receipt.InputPayload, Data: []byte(v.Note)}
		rand.Read(note.Salt[:]) // it never fails; without randomness the process ends
		e.Input = note.Salt.Digest(note.Data)
		kept = append(kept, note)
	}
	entry, err := eventEntry(e, detail{Hold: r.Decision, Given: v.Roles, State: r.State})
	entry.Payloads = kept
	return entry, err
}

// endedEntry is the receipt of what time or a policy did to a request.
func endedEntry(r Request, to State) (ledger.Entry, error) {
	d := detail{Hold: r.Decision, State: to}
	if to == Void {
		d.Policy = r.Policy
	}
	return entry(aims.System, "approval."+string(to), "", r.ID, d)
}

// forgottenEntry is the receipt of requests that were removed.
func forgottenEntry(count int64, before time.Time) (ledger.Entry, error) {
	return eventEntry(receipt.Event{Actor: receipt.Party(aims.System), Name: "approvals.forgotten", Object: receipt.Object(aims.System)}, struct {
		Count  int64     `json:"count"`
		Before time.Time `json:"before"`
	}{count, before.UTC()})
}
