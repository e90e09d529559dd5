package session

import (
	"encoding/json"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// Bounds of a declaration.
const (
	maxPurpose = 256
	maxPerson  = 256
	maxPrompt  = 1 << 20
)

// Declaration is what an enforcement point says about an agent's run.
type Declaration struct {
	Key
	Purpose    string
	OnBehalfOf string
	// Prompt is a prompt of the user; in a delegated run, what the delegating
	// agent asked for. Empty for none.
	Prompt string
	// Parent is the decision that delegated; nil for none.
	Parent *Parent
}

// Parent is an allowed decision of another run, which gave work to this one.
type Parent struct {
	Receipt string
	Key     Key
	Roles   []string // of the delegating agent at that decision
}

// Check refuses a declaration that could never be taken.
func (d Declaration) Check() error {
	switch {
	case len(d.Purpose) > maxPurpose || len(d.OnBehalfOf) > maxPerson:
		return aims.Errorf(aims.Invalid, nil, "purpose or on_behalf_of is too long: at most %d bytes", maxPurpose)
	case len(d.Prompt) > maxPrompt:
		return aims.Errorf(aims.Invalid, nil, "the prompt has %d bytes, at most %d", len(d.Prompt), maxPrompt)
	}
	return nil
}

// Declare takes a declaration. changed is false when it says nothing new; else
// the entry is its receipt. A contradiction to what is known of the run, or a
// delegation that may not be, is aims.Denied.
func (t *Tx) Declare(d Declaration) (entry ledger.Entry, changed bool, err error) {
	h, err := t.get(d.Key.name())
	if err != nil {
		return entry, false, err
	}
	before, _ := t.current(d.Key, h)
	next := before.next(t.now)
	if err := next.purpose(d); err != nil {
		return entry, false, err
	}
	if d.Parent != nil && next.Parent == "" {
		if err := t.delegate(next, *d.Parent); err != nil {
			return entry, false, err
		}
	} else if d.Parent != nil && next.Parent != d.Parent.Receipt {
		return entry, false, contradicts("parent")
	}
	if err := next.behalf(d); err != nil {
		return entry, false, err
	}
	prompted, err := next.prompted(d.Prompt)
	if err != nil {
		return entry, false, err
	}
	if before.ID != "" && !prompted && before.Purpose == next.Purpose && before.OnBehalfOf == next.OnBehalfOf && before.Parent == next.Parent {
		return entry, false, nil
	}
	if entry, err = next.declared(d, prompted); err == nil {
		t.s.memory.set(d.Key.name(), next)
	}
	return entry, true, err
}

func contradicts(what string) error {
	return aims.Errorf(aims.Denied, nil, "this session was declared with another %s: begin another session", what)
}

func (r *Run) purpose(d Declaration) error {
	if r.Purpose != "" && d.Purpose != "" && r.Purpose != d.Purpose {
		return contradicts("purpose")
	}
	if d.Purpose != "" {
		r.Purpose = d.Purpose
	}
	return nil
}

// behalf sets on whose behalf the run acts. A delegated one acts for whom the
// delegating one acts, and for nobody else.
func (r *Run) behalf(d Declaration) error {
	switch {
	case d.OnBehalfOf == "" || d.OnBehalfOf == r.OnBehalfOf:
		return nil
	case r.Parent != "":
		return aims.Errorf(aims.Denied, nil, "a delegated run acts on behalf of whom the delegating one acts, and of nobody else")
	case r.OnBehalfOf != "":
		return contradicts("on_behalf_of")
	}
	r.OnBehalfOf = d.OnBehalfOf
	return nil
}

// prompted adds a prompt that is new.
func (r *Run) prompted(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	mark := r.mark(text)
	if slices.Contains(r.Said, mark) {
		return false, nil
	}
	if len(r.Said) >= maxPrompts {
		return false, aims.Errorf(aims.Exhausted, nil, "this session has %d prompts: begin another one", maxPrompts)
	}
	r.Said = append(r.Said[:len(r.Said):len(r.Said)], mark)
	if r.Parent == "" {
		r.Prompts = append(r.Prompts[:len(r.Prompts):len(r.Prompts)], unsettled)
		return true, nil
	}
	// An agent wrote it, after all that it has read: it is no word of the user.
	if len(r.Results) >= maxResults {
		r.overflow(r.Labels)
		return true, nil
	}
	r.Results = append(r.Results, Result{unsettled, unseen, r.Labels})
	return true, nil
}

// delegate makes a run the child of another: it inherits what that one has
// read, whom it acts for and what the user told it.
func (t *Tx) delegate(r *Run, p Parent) error {
	if r.Calls+r.Refusals > 0 || r.OnBehalfOf != "" || len(r.Said) > 0 {
		return aims.Errorf(aims.Denied, nil, "this session has begun without a parent: begin another session for the delegated work")
	}
	h, err := t.get(p.Key.name())
	if err != nil {
		return err
	}
	parent, _ := t.current(p.Key, h)
	if parent.ID == "" {
		return aims.Errorf(aims.Denied, nil, "the delegating run has ended")
	}
	chain := append([]Delegator{{Actor: p.Key.Actor, Session: p.Key.Session, Run: parent.ID, Roles: p.Roles}}, parent.Chain...)
	if err := acyclic(r.Key, chain); err != nil {
		return err
	}
	if len(chain) > t.s.o.MaxDepth {
		return aims.Errorf(aims.Denied, nil, "work was delegated %d times, at most %d", len(chain), t.s.o.MaxDepth)
	}
	r.Parent, r.Chain, r.OnBehalfOf, r.Prompts = p.Receipt, chain, parent.OnBehalfOf, parent.Prompts
	r.label(parent.Labels)
	return nil
}

// acyclic refuses work that comes back: to a run that is in the chain, or to an
// agent that gave it to another.
func acyclic(k Key, chain []Delegator) error {
	away := false
	for _, d := range chain {
		away = away || d.Actor != k.Actor
		if d.Actor == k.Actor && (away || d.Session == k.Session) {
			return aims.Errorf(aims.Denied, nil, "the work was delegated by %s already: it cannot come back to it", strings.TrimPrefix(d.Actor, "agent:"))
		}
	}
	return nil
}

// declared is the receipt of a declaration.
func (r *Run) declared(d Declaration, prompted bool) (ledger.Entry, error) {
	detail, err := json.Marshal(struct {
		Session    string   `json:"session,omitempty"`
		Purpose    string   `json:"purpose,omitempty"`
		OnBehalfOf string   `json:"on_behalf_of,omitempty"`
		Parent     string   `json:"parent,omitempty"`
		Depth      int      `json:"depth,omitempty"`
		Labels     []string `json:"labels,omitempty"` // inherited
	}{r.Session, r.Purpose, r.OnBehalfOf, r.Parent, r.Depth(), r.Labels})
	if err != nil {
		return ledger.Entry{}, err
	}
	kind, id, _ := strings.Cut(r.Actor, ":")
	event := receipt.Event{
		Actor: receipt.Party{Type: kind, ID: id}, Name: "session.declared", Object: receipt.Object{Type: "session", ID: r.ID}, Detail: detail,
	}
	if prompted {
		return entryOf(event, []byte(d.Prompt))
	}
	return entryOf(event, nil)
}
