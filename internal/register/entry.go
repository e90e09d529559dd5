package register

import (
	"crypto/rand"
	"encoding/json"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/receipt"
)

// The events of the registers.
const (
	ChangedEvent = "register.changed"
	MarkedEvent  = "register.marked"
)

// Bounds of one change, in bytes. A receipt has at most maxPart of records, and
// at most maxNames of their names, so that these fit into its body; a change has
// at most maxParts receipts, because other writers wait for its transaction.
const (
	maxRecord = 1 << 20
	maxPart   = 1 << 20
	maxNames  = ledger.MaxBody - 4096
	maxParts  = 33
	// nameBytes is what a name takes in a body beside its letters.
	nameBytes = 80
)

// changedDetail is what the receipt of a change says; what the records say lies
// beside the log.
type changedDetail struct {
	Changes []changedRecord `json:"changes"`
	// Part of Of receipts that stand together for one change.
	Part int `json:"part"`
	Of   int `json:"of"`
}

type changedRecord struct {
	Kind    string       `json:"kind"`
	ID      string       `json:"id"`
	Version int          `json:"version"`
	Event   record.Event `json:"event"`
}

// split divides changes among receipts.
func split(changes []Planned) ([][]Planned, error) {
	var parts [][]Planned
	first, bytes, names := 0, 0, 0
	for i, c := range changes {
		name := len(c.Kind) + len(c.ID) + nameBytes
		if i > first && (bytes+len(c.after) > maxPart || names+name > maxNames) {
			parts, first, bytes, names = append(parts, changes[first:i]), i, 0, 0
		}
		bytes, names = bytes+len(c.after), names+name
	}
	parts = append(parts, changes[first:])
	if len(parts) > maxParts {
		return nil, aims.Errorf(aims.Invalid, nil, "%d records change at once, more than fit into one transaction of the log (%d receipts of %d bytes); apply some of the files first",
			len(changes), maxParts, maxPart)
	}
	return parts, nil
}

// changedEntry is the receipt of a part of a change.
func changedEntry(id string, by aims.Actor, decision string, changes []Planned, part, of int) (ledger.Entry, error) {
	d := changedDetail{Part: part, Of: of}
	var body record.ChangeBody
	for _, c := range changes {
		d.Changes = append(d.Changes, changedRecord{c.Kind, c.ID, c.number, c.Event})
		body.Changes = append(body.Changes, record.RecordChange{Kind: c.Kind, ID: c.ID, Event: c.Event, Record: c.after})
	}
	text, err := json.Marshal(body)
	if err != nil {
		return ledger.Entry{}, err
	}
	return event(receipt.Event{
		ID: id, Actor: receipt.Party(by), Name: ChangedEvent, Decision: decision, Object: receipt.Object{Type: "registers", ID: aims.System.ID},
	}, d, text)
}

// markDetail is what the receipt of a mark says: record.MarkOf reads it.
type markDetail struct {
	Kind   record.MarkKind `json:"kind"`
	On     string          `json:"on"`
	ID     string          `json:"id"`
	Digest string          `json:"digest,omitempty"`
	Roles  []string        `json:"roles,omitempty"`
	Until  record.Date     `json:"until,omitempty"`
}

// noteBody is the content of a receipt of a mark with a note.
type noteBody struct {
	Note string `json:"note"`
}

func markedEntry(by aims.Actor, decision string, m record.Mark) (ledger.Entry, error) {
	var note []byte
	if m.Note != "" {
		var err error
		if note, err = json.Marshal(noteBody{m.Note}); err != nil {
			return ledger.Entry{}, err
		}
	}
	return event(receipt.Event{
		ID: m.Receipt, Actor: receipt.Party(by), Name: MarkedEvent, Decision: decision, Object: receipt.Object{Type: m.On, ID: m.ID},
	}, markDetail{m.Kind, m.On, m.ID, m.Digest, m.Roles, m.Until}, note)
}

// event is a receipt with its detail and, where there is any, its content
// behind a salt of its own.
func event(e receipt.Event, detail any, content []byte) (ledger.Entry, error) {
	var err error
	if e.Detail, err = json.Marshal(detail); err != nil {
		return ledger.Entry{}, err
	}
	var kept []ledger.Payload
	if len(content) > 0 {
		p := ledger.Payload{Name: receipt.InputPayload, Data: content}
		rand.Read(p.Salt[:]) // it never fails; without randomness the process ends
		e.Input = p.Salt.Digest(p.Data)
		kept = []ledger.Payload{p}
	}
	body, err := receipt.Encode(e)
	return ledger.Entry{Kind: receipt.EventKind, Body: body, Payloads: kept}, err
}
