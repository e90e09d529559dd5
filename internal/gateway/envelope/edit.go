package envelope

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Edit is one change to a message's bytes.
type Edit struct {
	at     Span
	name   string // of an inserted member; empty for a replacement
	value  []byte
	insert bool
	follow bool // an inserted member has other members after it
	err    error
}

// Replace puts another JSON value in the place of a field that the message has.
func (m *Message) Replace(f Field, value []byte) Edit {
	if !m.Has(f) {
		return Edit{err: fmt.Errorf("envelope: no %v to replace", f)}
	}
	return Edit{at: m.spans[f], value: value}
}

// Insert puts a new first member into a field that is an object. The object
// must not have a member of that name: the caller knows it from Has; where it
// does not, it uses Set.
func (m *Message) Insert(object Field, name string, value []byte) Edit {
	if !m.IsObject(object) {
		return Edit{err: fmt.Errorf("envelope: no object %v to insert into", object)}
	}
	at := m.spans[object].Start + 1
	return Edit{
		at: Span{at, at}, name: name, value: value, insert: true,
		follow: m.raw[skipSpace(m.raw, at)] != '}',
	}
}

// InsertTop puts a new first member into the message itself.
func (m *Message) InsertTop(name string, value []byte) Edit {
	at := skipSpace(m.raw, 0) + 1
	return Edit{at: Span{at, at}, name: name, value: value, insert: true, follow: true}
}

// Set replaces the member of a field that is an object, or inserts it.
func (m *Message) Set(object Field, name string, value []byte) Edit {
	at, ok := m.Member(object, name)
	if !ok {
		return m.Insert(object, name, value)
	}
	return Edit{at: at, value: value}
}

// Remove takes a member out of a field that is an object, with the comma that
// stood beside it; without such a member it changes nothing. A first member
// cannot be removed together with its neighbour or with an insertion.
func (m *Message) Remove(object Field, name string) Edit {
	at, before, ok := m.find(object, name)
	if !ok {
		return Edit{}
	}
	gone := Span{before, at.End}
	if m.raw[before-1] == '{' {
		if next := skipSpace(m.raw, at.End); m.raw[next] == ',' {
			gone.End = next + 1
		}
	}
	return Edit{at: gone}
}

// Member finds a member by name in a field that is an object. It reads the
// object once; the fields that Parse knows are at hand without it.
func (m *Message) Member(object Field, name string) (Span, bool) {
	at, _, ok := m.find(object, name)
	return at, ok
}

// find is Member, and says where what stands before the member ends.
func (m *Message) find(object Field, name string) (at Span, before int, ok bool) {
	if !m.IsObject(object) {
		return Span{}, 0, false
	}
	base := m.spans[object].Start
	// Parse has accepted these bytes, so no read fails; a failure ends the search.
	d := jsontext.NewDecoder(bytes.NewBuffer(m.Bytes(object)), jsontext.AllowDuplicateNames(true))
	d.ReadToken()
	for d.PeekKind() == '"' {
		before = base + int(d.InputOffset())
		quoted, err := d.ReadValue()
		if err != nil {
			break
		}
		found, _ := text(quoted)
		v, err := d.ReadValue()
		if err != nil {
			break
		}
		if found == name {
			end := base + int(d.InputOffset())
			return Span{end - len(v), end}, before, true
		}
	}
	return Span{}, 0, false
}

// Splice applies edits in one pass and returns the new message; every byte
// outside of the edits is as it was. Edits may not overlap; members inserted
// into one object stand in the order given. Values are trusted to be JSON.
func (m *Message) Splice(edits ...Edit) ([]byte, error) {
	sorted, err := m.arrange(edits)
	if err != nil {
		return nil, err
	}
	size := len(m.raw)
	for _, e := range sorted {
		size += len(e.name) + len(e.value) + len(`"":,`)
	}
	out := make([]byte, 0, size)
	done := 0
	for i, e := range sorted {
		out = append(out, m.raw[done:e.at.Start]...)
		out = appendEdit(out, sorted, i)
		done = e.at.End
	}
	return append(out, m.raw[done:]...), nil
}

// Parts is Splice for a message that is not worth copying: the new message
// in order, most of it the old one's bytes.
func (m *Message) Parts(edits ...Edit) ([][]byte, error) {
	sorted, err := m.arrange(edits)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, 2*len(sorted)+1)
	done := 0
	for i, e := range sorted {
		out = append(out, m.raw[done:e.at.Start:e.at.Start], appendEdit(nil, sorted, i))
		done = e.at.End
	}
	return append(out, m.raw[done:]), nil
}

// arrange puts edits into the order of their places and refuses those that
// cannot be made together.
func (m *Message) arrange(edits []Edit) ([]Edit, error) {
	sorted := slices.Clone(edits)
	slices.SortStableFunc(sorted, func(a, b Edit) int { return cmp.Compare(a.at.Start, b.at.Start) })
	done := 0
	for _, e := range sorted {
		if e.err != nil {
			return nil, e.err
		}
		if e.at.Start < done {
			return nil, fmt.Errorf("envelope: edits overlap at byte %d", e.at.Start)
		}
		if e.insert && !utf8.ValidString(e.name) {
			return nil, fmt.Errorf("envelope: member name %q is not UTF-8", e.name)
		}
		done = e.at.End
	}
	return sorted, nil
}

// appendEdit appends what edit i puts into its place.
func appendEdit(out []byte, sorted []Edit, i int) []byte {
	e := sorted[i]
	if !e.insert {
		return append(out, e.value...)
	}
	out = append(append(AppendString(out, e.name), ':'), e.value...)
	if e.follow || i+1 < len(sorted) && sorted[i+1].insert && sorted[i+1].at == e.at {
		out = append(out, ',')
	}
	return out
}
