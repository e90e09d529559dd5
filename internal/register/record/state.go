package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Event says what happened to a record in a change.
type Event string

const (
	Created Event = "created"
	Changed Event = "changed"
	Removed Event = "removed"
)

// ChangeBody is the content of a receipt register.changed. It may be erased
// after its retention; the receipt itself holds kinds, ids and numbers only.
type ChangeBody struct {
	Changes []RecordChange `json:"changes"`
}

// RecordChange is what happened to one record.
type RecordChange struct {
	Kind   string          `json:"kind"`
	ID     string          `json:"id"`
	Event  Event           `json:"event"`
	Record json.RawMessage `json:"record,omitempty"` // none when it was removed
}

// Clone copies the state, so that applying to one leaves the other as it is.
func (s State) Clone() State {
	s.Registers = s.Registers.Clone()
	s.Versions = maps.Clone(s.Versions)
	s.Marks = slices.Clone(s.Marks)
	s.Changes = maps.Clone(s.Changes)
	for key, list := range s.Changes {
		s.Changes[key] = slices.Clip(list)
	}
	return s
}

// ApplyChange replays the body of a receipt register.changed. Of v, By, At, Index
// and Receipt are that receipt's; number and digest are worked out here. An error
// leaves the state as it was: the body is not what a register can have written
// at this place of the log.
func (s *State) ApplyChange(body []byte, v Version) error {
	var in ChangeBody
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("a change of registers: %w", err)
	}
	if v.By == "" {
		return errors.New("a change of registers: nobody made it")
	}
	records := make([]reflect.Value, len(in.Changes))
	seen := map[Key]bool{}
	for i, c := range in.Changes {
		key := Key{c.Kind, c.ID}
		if seen[key] {
			return fmt.Errorf("%s/%s changes twice in one change", c.Kind, c.ID)
		}
		seen[key] = true
		rec, err := s.follows(c, v)
		if err != nil {
			return err
		}
		records[i] = rec
	}
	if s.Versions == nil {
		s.Versions = map[Key]Version{}
	}
	if s.Changes == nil {
		s.Changes = map[Key][]Version{}
	}
	for i, c := range in.Changes {
		s.apply(c, records[i], v)
	}
	return nil
}

// follows checks that a change can come next, and reads its record.
func (s *State) follows(c RecordChange, v Version) (rec reflect.Value, err error) {
	k, ok := kindNamed(c.Kind)
	if !ok {
		return rec, unknownKind(c.Kind)
	}
	key := Key{c.Kind, c.ID}
	if before := s.Changes[key]; len(before) > 0 && before[len(before)-1].Index >= v.Index {
		return rec, fmt.Errorf("%s/%s: receipt %d comes after %d", c.Kind, c.ID, v.Index, before[len(before)-1].Index)
	}
	_, there := s.Registers.Get(c.Kind, c.ID)
	switch {
	case c.Event == Created && there:
		return rec, fmt.Errorf("%s/%s is created, and it exists", c.Kind, c.ID)
	case (c.Event == Changed || c.Event == Removed) && !there:
		return rec, fmt.Errorf("%s/%s is %s, and it does not exist", c.Kind, c.ID, c.Event)
	case c.Event == Removed && len(c.Record) > 0:
		return rec, fmt.Errorf("%s/%s is removed and has a record", c.Kind, c.ID)
	case c.Event == Removed:
		return rec, nil
	case c.Event != Created && c.Event != Changed:
		return rec, fmt.Errorf("%s/%s: %q is no event; expected created, changed or removed", c.Kind, c.ID, c.Event)
	}
	if rec, err = decode(k, c.Record); err != nil {
		return rec, err
	}
	if idOf(rec) != c.ID {
		return rec, fmt.Errorf("%s/%s holds the record %q", c.Kind, c.ID, idOf(rec))
	}
	return rec, nil
}

func (s *State) apply(c RecordChange, rec reflect.Value, v Version) {
	key := Key{c.Kind, c.ID}
	v.Number, v.Digest, v.Event = len(s.Changes[key])+1, "", c.Event
	if c.Event == Removed {
		s.Registers.Remove(c.Kind, c.ID)
		delete(s.Versions, key)
	} else {
		k, _ := kindNamed(c.Kind) // follows found it
		v.Digest = Digest(rec.Interface())
		s.Registers.put(k, rec)
		s.Versions[key] = v
	}
	s.Changes[key] = append(s.Changes[key], v)
}

// MarkOf reads the detail of a receipt register.marked; who, when and where in
// the log are the receipt's own, the note its payload's.
func MarkOf(detail []byte) (Mark, error) {
	var m Mark
	dec := json.NewDecoder(bytes.NewReader(detail))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Mark{}, fmt.Errorf("a mark: %w", err)
	}
	return m, nil
}

// ApplyMark replays a receipt register.marked. What a mark is worth is asked
// later, of the whole: see Approved.
func (s *State) ApplyMark(m Mark) error {
	switch {
	case !slices.Contains([]MarkKind{Approve, Acknowledge, Accept, Attest, Withdraw}, m.Kind):
		return fmt.Errorf("%q is no mark; expected approve, acknowledge, accept, attest or withdraw", m.Kind)
	case m.By == "":
		return errors.New("a mark that nobody gave")
	case (m.Kind == Attest) && m.On != OnRequirement:
		return fmt.Errorf("an attestation is of a requirement, not of a %q", m.On)
	case m.On == OnRequirement && m.Kind != Attest && m.Kind != Withdraw:
		return fmt.Errorf("a requirement is attested; %s is of records", m.Kind)
	case m.On != OnRequirement && m.Kind != Withdraw && m.Digest == "":
		return fmt.Errorf("%s names no digest of what was seen", m.Kind)
	case len(s.Marks) > 0 && s.Marks[len(s.Marks)-1].Index >= m.Index:
		return fmt.Errorf("the mark of receipt %d comes after that of %d", m.Index, s.Marks[len(s.Marks)-1].Index)
	}
	s.Marks = append(s.Marks, m)
	return nil
}
