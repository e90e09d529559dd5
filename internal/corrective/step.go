package corrective

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// CaseStep is one event of a case, as its receipt has it.
type CaseStep struct {
	Number   int        `json:"number" doc:"of the case's events, from 1"`
	Event    Event      `json:"event"`
	By       aims.Actor `json:"by"`
	At       time.Time  `json:"at"`
	Receipt  string     `json:"receipt"`
	Decision string     `json:"decision,omitempty" doc:"the receipt of the decision that let the actor"`
	State    State      `json:"state" doc:"what the event led to"`
	// Words are what people wrote. They lie beside the log; Erased says that
	// they are gone.
	Words  Words           `json:"words,omitempty" doc:"what people wrote; kept beside the log"`
	Erased bool            `json:"erased,omitempty" doc:"what people wrote is erased"`
	Change json.RawMessage `json:"-"`
}

// Words are texts of people by their part, such as statement or root_cause.
type Words map[string]string

// Head is what every case has.
type Head struct {
	ID      string    `json:"id"`
	State   State     `json:"state"`
	Opened  time.Time `json:"opened"`
	Changed time.Time `json:"changed"`
	// Due is the day of the next thing that is due, Owner who owes it.
	Due   Date       `json:"due,omitempty" doc:"day of the next thing that is due"`
	Owner string     `json:"owner,omitempty" doc:"who owes the next thing"`
	Steps []CaseStep `json:"steps,omitempty" doc:"everything that happened, in order"`
}

// subject is a case that steps are applied to.
type subject interface {
	kind() Kind
	head() *Head
	life() machine
	// apply takes what a step says over; the state is already the new one.
	apply(s CaseStep) error
	// keys are what the case is looked up by.
	keys() caseKeys
	// duties are what is owed for it.
	duties(o Options) []Duty
}

// caseKeys are what a case is looked up by; those that it has not are empty.
type caseKeys struct{ requirement, cause, criterion, token string }

// take makes a step part of a subject. It is the only way in which one changes.
func take(c subject, o Options, s CaseStep) error {
	h := c.head()
	if s.Number != len(h.Steps)+1 {
		return aims.Errorf(aims.Internal, nil, "step %d of %s follows %d", s.Number, h.ID, len(h.Steps))
	}
	from := h.State
	// What a step says may decide by which table the case lives: its grade.
	if from == "" {
		if err := c.apply(s); err != nil {
			return err
		}
		h.Opened = s.At
	}
	to, err := c.life().next(string(c.kind())+" "+h.ID, from, s.Event)
	if err != nil {
		return err
	}
	h.State, h.Changed, s.State = to, s.At, to
	if from != "" {
		if err := c.apply(s); err != nil {
			return err
		}
	}
	h.Steps = append(h.Steps, s)
	h.Due, h.Owner = "", ""
	if d, ok := firstDuty(c.duties(o)); ok {
		h.Due, h.Owner = dateOf(d.Due.Add(-time.Microsecond)), d.Owner // the last day on which it is not overdue
	}
	return nil
}

// draft is a step that somebody wants.
type draft struct {
	event  Event
	by     By
	change any
	words  Words
}

// detail is what the receipt of a step says: no words of people.
type detail struct {
	Number      int             `json:"number"`
	State       State           `json:"state"`
	Grade       string          `json:"grade,omitempty"`
	Requirement string          `json:"requirement,omitempty"`
	Owner       string          `json:"owner,omitempty"`
	Due         Date            `json:"due,omitempty"`
	Change      json.RawMessage `json:"change"`
}

// put takes a drafted step and stores it; its entry belongs into the log in the
// same transaction.
func (c *Corrective) put(tx *store.Tx, on subject, d draft) (ledger.Entry, error) {
	h := on.head()
	s := CaseStep{
		Number: len(h.Steps) + 1, Event: d.event, By: d.by.Actor, At: tx.Now.UTC().Truncate(time.Microsecond),
		Receipt: aims.NewID("rcp"), Decision: d.by.Decision, Words: d.words,
	}
	var err error
	if s.Change, err = json.Marshal(d.change); err != nil {
		return ledger.Entry{}, err
	}
	if d.change == nil {
		s.Change = json.RawMessage("{}")
	}
	if err := d.words.check(); err != nil {
		return ledger.Entry{}, err
	}
	if err := take(on, c.o, s); err != nil {
		return ledger.Entry{}, err
	}
	s = h.Steps[len(h.Steps)-1]
	if err := save(tx, on, s); err != nil {
		return ledger.Entry{}, err
	}
	return entryOf(on, s)
}

func entryOf(on subject, s CaseStep) (ledger.Entry, error) {
	h := on.head()
	d := detail{Number: s.Number, State: h.State, Owner: h.Owner, Due: h.Due, Change: s.Change}
	switch v := on.(type) {
	case *Nonconformity:
		d.Grade, d.Requirement = string(v.Grade), v.Requirement
	case *Incident:
		d.Grade = string(v.Severity)
	}
	e := receipt.Event{
		ID: s.Receipt, Actor: receipt.Party(s.By), Name: string(on.kind()) + "." + string(s.Event), Decision: s.Decision,
		Object: receipt.Object{Type: string(on.kind()), ID: h.ID},
	}
	var kept []ledger.Payload
	if len(s.Words) > 0 {
		text, err := json.Marshal(s.Words)
		if err != nil {
			return ledger.Entry{}, err
		}
		words := ledger.Payload{Name: receipt.InputPayload, Data: text}
		rand.Read(words.Salt[:]) // it never fails; without randomness the process ends
		e.Input = words.Salt.Digest(words.Data)
		kept = append(kept, words)
	}
	var err error
	if e.Detail, err = json.Marshal(d); err != nil {
		return ledger.Entry{}, err
	}
	body, err := receipt.Encode(e)
	if err != nil {
		return ledger.Entry{}, aims.Errorf(aims.Invalid, err, "the receipt of this step cannot be written")
	}
	return ledger.Entry{Kind: receipt.EventKind, Body: body, Payloads: kept}, nil
}

// Cases are all cases of a log, by id.
type Cases struct {
	Nonconformities map[string]*Nonconformity
	Incidents       map[string]*Incident
	Concerns        map[string]*Concern
}

// Fold is the cases that the entries of a log amount to, without words: the
// tables of this package can be made from it. Options are those of New, of
// which only the time limits matter. It fails where a step cannot follow the
// one before.
func Fold(leaves iter.Seq2[ledger.Leaf, error], o Options) (Cases, error) {
	all := Cases{map[string]*Nonconformity{}, map[string]*Incident{}, map[string]*Concern{}}
	o = New(nil, nil, o).o
	for leaf, err := range leaves {
		if err != nil {
			return all, err
		}
		if leaf.Kind != receipt.EventKind {
			continue
		}
		e, err := receipt.DecodeEvent(leaf.Body)
		if err != nil {
			return all, err
		}
		on, ok := all.subject(Kind(e.Object.Type), e.Object.ID)
		if !ok {
			continue
		}
		s, err := stepOf(leaf, e)
		if err == nil {
			err = take(on, o, s)
		}
		if err != nil {
			return all, fmt.Errorf("corrective: entry %d: %w", leaf.Index, err)
		}
	}
	return all, nil
}

func (all Cases) subject(k Kind, id string) (subject, bool) {
	switch k {
	case NonconformityKind:
		return at(all.Nonconformities, id, func() *Nonconformity { return &Nonconformity{Head: Head{ID: id}} }), true
	case IncidentKind:
		return at(all.Incidents, id, func() *Incident { return &Incident{Head: Head{ID: id}} }), true
	case ConcernKind:
		return at(all.Concerns, id, func() *Concern { return &Concern{Head: Head{ID: id}} }), true
	}
	return nil, false
}

func at[T any](all map[string]*T, id string, fresh func() *T) *T {
	if all[id] == nil {
		all[id] = fresh()
	}
	return all[id]
}

func stepOf(leaf ledger.Leaf, e *receipt.Event) (CaseStep, error) {
	var d detail
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return CaseStep{}, err
	}
	_, event, _ := strings.Cut(e.Name, ".")
	return CaseStep{
		Number: d.Number, Event: Event(event), By: aims.Actor(e.Actor), At: leaf.Time, Receipt: e.ID, Decision: e.Decision, Change: d.Change,
	}, nil
}

// change runs fn in the transaction that appends the receipts of the steps
// that it takes.
func (c *Corrective) change(ctx context.Context, fn func(tx *store.Tx) ([]ledger.Entry, error)) error {
	_, err := c.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		entries, err := fn(tx)
		if err != nil {
			return ledger.Entry{}, err
		}
		first := entries[0]
		first.Then = entries[1:]
		return first, nil
	})
	return failed(err, "the change could not be stored")
}

// failed words an error of the database; ours pass as they are.
func failed(err error, text string) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s", text)
}
