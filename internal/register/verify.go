package register

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

// Verification compares the tables with the log that they follow from.
type Verification struct {
	// Size is how many entries of the log were read; Receipts are those of the
	// registers, Records and Marks what there is by them.
	Size     uint64 `json:"size"`
	Receipts int    `json:"receipts"`
	Records  int    `json:"records"`
	Marks    int    `json:"marks"`
	// Erased are the entries whose content was erased: of those, only names and
	// numbers can be compared.
	Erased []uint64 `json:"erased"`
	// Differences says what the tables have otherwise, or would have at all.
	Differences []string `json:"differences"`
}

// Verify makes the registers again from the log and compares them with the
// tables: whatever was changed in these without a receipt shows.
func (r *Register) Verify(ctx context.Context) (Verification, error) {
	v := Verification{Size: r.ledger.Size(), Erased: []uint64{}, Differences: []string{}}
	again := replay{Verification: &v, register: r, state: record.State{}}
	for leaf, err := range r.ledger.Entries(ctx, 0, v.Size) {
		if err != nil {
			return v, err
		}
		if leaf.Kind != receipt.EventKind || !bytes.Contains(leaf.Body, []byte(`"name":"register.`)) {
			continue
		}
		if err := again.add(ctx, leaf); err != nil {
			return v, err
		}
	}
	var stored record.State
	err := r.db.View(ctx, func(tx *store.Tx) (err error) {
		if stored, err = load(tx, max(v.Size, 1)-1); err == nil {
			// Reading checks each against its digest, earlier versions too.
			_, err = readContents(tx, `SELECT kind, id || ' ' || CAST(number AS TEXT), digest, content FROM register_version WHERE event <> 'removed'`)
		}
		return err
	})
	if damage, ok := errors.AsType[*aims.Error](err); ok && damage.Code == aims.Internal {
		v.Differences = append(v.Differences, damage.Text)
		return v, nil
	}
	if err != nil {
		return v, failed(err, "the registers could not be read")
	}
	v.Records, v.Marks = len(stored.Versions), len(stored.Marks)
	v.compare(stored, again.state)
	return v, nil
}

// replay makes the registers again, receipt by receipt.
type replay struct {
	*Verification
	register *Register
	state    record.State
}

func (p *replay) add(ctx context.Context, leaf ledger.Leaf) error {
	e, err := receipt.DecodeEvent(leaf.Body)
	if err != nil {
		return err
	}
	p.Receipts++
	content, erased, err := p.content(ctx, leaf.Index, e)
	if err != nil {
		return err
	}
	if erased {
		p.Erased = append(p.Erased, leaf.Index)
	}
	switch e.Name {
	case ChangedEvent:
		v := record.Version{By: e.Actor.ID, At: leaf.Time.UnixMicro(), Index: leaf.Index, Receipt: e.ID}
		if erased {
			content, err = p.stored(ctx, leaf.Index, e.Detail)
		}
		if err == nil {
			err = p.state.ApplyChange(content, v)
		}
	case MarkedEvent:
		err = p.mark(leaf, e, content, erased)
	default:
		err = fmt.Errorf("an event %q", e.Name)
	}
	if err != nil {
		p.Differences = append(p.Differences, fmt.Sprintf("the receipt %d cannot be followed: %s", leaf.Index, err))
	}
	return nil
}

// content is what lies beside a receipt; erased says that it did.
func (p *replay) content(ctx context.Context, index uint64, e *receipt.Event) (content []byte, erased bool, err error) {
	if e.Input == "" {
		return nil, false, nil
	}
	payloads, err := p.register.ledger.Payloads(ctx, index)
	for _, kept := range payloads {
		if kept.Name == receipt.InputPayload && !kept.Erased && kept.Salt.Digest(kept.Data) == e.Input {
			return kept.Data, false, nil
		}
	}
	return nil, true, err
}

// stored is the content of a receipt as the tables have it, for one whose own
// was erased.
func (p *replay) stored(ctx context.Context, index uint64, detail []byte) ([]byte, error) {
	var d changedDetail
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	var body record.ChangeBody
	err := p.register.db.View(ctx, func(tx *store.Tx) error {
		for _, c := range d.Changes {
			text, err := contentOf(tx, record.Key{Kind: c.Kind, ID: c.ID}, index)
			if err != nil {
				return err
			}
			body.Changes = append(body.Changes, record.RecordChange{Kind: c.Kind, ID: c.ID, Event: c.Event, Record: text})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(body)
}

func (p *replay) mark(leaf ledger.Leaf, e *receipt.Event, content []byte, erased bool) error {
	m, err := record.MarkOf(e.Detail)
	if err != nil {
		return err
	}
	m.By, m.At, m.Index, m.Receipt = e.Actor.ID, leaf.Time.UnixMicro(), leaf.Index, e.ID
	if erased {
		m.Note = erasedNote
	} else if content != nil {
		var note noteBody
		if err := json.Unmarshal(content, &note); err != nil {
			return err
		}
		m.Note = note.Note
	}
	return p.state.ApplyMark(m)
}

// erasedNote stands for a note that nobody knows any more; notes are trimmed,
// so that it is none.
const erasedNote = " "

// compare says where the tables differ from what the log gives.
func (v *Verification) compare(stored, again record.State) {
	say := func(format string, args ...any) { v.Differences = append(v.Differences, fmt.Sprintf(format, args...)) }
	keys := maps.Clone(again.Changes)
	if keys == nil {
		keys = map[record.Key][]record.Version{}
	}
	maps.Copy(keys, stored.Changes)
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(a, b record.Key) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	}) {
		if !slices.Equal(stored.Changes[key], again.Changes[key]) {
			say("%s/%s: the tables have %d versions, the log has %d, or they are not the same", key.Kind, key.ID, len(stored.Changes[key]), len(again.Changes[key]))
			continue
		}
		is, _ := stored.Registers.Get(key.Kind, key.ID)
		was, _ := again.Registers.Get(key.Kind, key.ID)
		if (is == nil) != (was == nil) || is != nil && record.Digest(is) != record.Digest(was) {
			say("%s/%s: the tables hold another record than the log", key.Kind, key.ID)
		}
	}
	for i := range max(len(stored.Marks), len(again.Marks)) {
		if i >= len(stored.Marks) || i >= len(again.Marks) || !sameMark(stored.Marks[i], again.Marks[i]) {
			say("marks: the tables have %d, the log has %d, or they are not the same from number %d on", len(stored.Marks), len(again.Marks), i)
			return
		}
	}
}

func sameMark(stored, again record.Mark) bool {
	if again.Note == erasedNote {
		again.Note = stored.Note
	}
	same := slices.Equal(stored.Roles, again.Roles)
	stored.Roles, again.Roles = nil, nil
	return same && reflect.DeepEqual(stored, again)
}
