package register

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/own"
	"aims/internal/register/record"
	"aims/internal/store"
)

// Base is the state of the registers that files were written from: what differs
// between it and the files is what their author wants. Without it, a file that
// is merely old would undo what others changed since.
type Base struct {
	// Index is the newest receipt of the registers then; 0 for empty registers.
	Index uint64 `json:"index" doc:"index in the log of the newest receipt of the registers that the files know of; 0: none"`
	// Behind are records that the files have as they were earlier.
	Behind []Behind `json:"behind,omitempty" doc:"records that the files know as they were earlier"`
}

// Behind is a record of which files have an earlier version.
type Behind struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Index is the newest receipt that the files know; 0: they do not have it.
	Index uint64 `json:"index" doc:"index of the newest receipt that the files know; 0: they do not have the record"`
}

// Planned is one record that would change.
type Planned struct {
	Kind   string               `json:"kind"`
	ID     string               `json:"id"`
	Event  record.Event         `json:"event" enum:"created,changed,removed"`
	Fields []record.FieldChange `json:"fields"`

	before, after []byte
	number        int
}

// Conflict is a record that somebody else changed since the files were written.
type Conflict struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Theirs is what the others did, Fields what of it the files would undo.
	Theirs record.Version       `json:"theirs"`
	Fields []record.FieldChange `json:"fields"`
}

// Plan is what applying files would do.
type Plan struct {
	// Index is the newest receipt of the registers that it was made on.
	Index     uint64     `json:"index"`
	Changes   []Planned  `json:"changes"`
	Conflicts []Conflict `json:"conflicts"`
	// Base is what the files were compared with, Next what they are based on when
	// the plan has been applied.
	Base Base `json:"base"`
	Next Base `json:"next"`
	// Receipts are those of the change, once it is applied.
	Receipts []string `json:"receipts,omitempty"`
}

// Plan is what Apply would do now. It fails with aims.Invalid when the registers
// would be wrong afterwards, and tells conflicts in the plan.
//
// want are the records that the files hold. With whole they are all that the
// base had, so that one of the base that is not among them is to be removed;
// otherwise nothing is, and the zero base is the present.
func (r *Register) Plan(ctx context.Context, base Base, want record.Registers, whole bool) (Plan, error) {
	var p Plan
	err := r.db.View(ctx, func(tx *store.Tx) error {
		made, err := prepare(tx, base, want, whole)
		p = made.Plan
		return err
	})
	return p, failed(err, "the registers could not be read")
}

// prepared is a plan with the state that it was made on.
type prepared struct {
	Plan
	state record.State
}

func prepare(tx *store.Tx, base Base, want record.Registers, whole bool) (p prepared, err error) {
	if p.state, err = load(tx, newest); err != nil {
		return p, err
	}
	if p.Index, err = entryAt(tx, time.Time{}); err != nil {
		return p, err
	}
	if base.Index > p.Index {
		return p, aims.Errorf(aims.Invalid, nil, "the files are based on entry %d of a log, and the newest entry of these registers is %d: they come from another log; export them again", base.Index, p.Index)
	}
	if !whole && base.Index == 0 {
		base.Index = p.Index
	}
	texts, err := wanted(want)
	if err != nil {
		return p, err
	}
	known, err := base.contents(tx)
	if err != nil {
		return p, err
	}
	if !whole {
		base = base.without(known, texts)
	}
	p.Base, p.Next = base, Base{Index: p.Index}
	if err := p.compare(tx, known, texts); err != nil {
		return p, err
	}
	return p, p.check(tx, want)
}

// wanted are the records as canonical JSON.
func wanted(want record.Registers) (map[record.Key][]byte, error) {
	texts := map[record.Key][]byte{}
	var wrong error
	want.Each(func(kind, id string, rec any) {
		key := record.Key{Kind: kind, ID: id}
		text := record.Canonical(rec)
		switch {
		case wrong != nil:
		case texts[key] != nil:
			wrong = aims.Errorf(aims.Invalid, nil, "%s/%s stands twice", kind, id)
		case len(text) > maxRecord:
			wrong = aims.Errorf(aims.Invalid, nil, "%s/%s has %d bytes; at most %d: keep long texts as attachments", kind, id, len(text), maxRecord)
		}
		texts[key] = text
	})
	return texts, wrong
}

// contents are the records of the base.
func (b Base) contents(tx *store.Tx) (map[record.Key][]byte, error) {
	known, err := contents(tx, b.Index)
	if err != nil {
		return nil, err
	}
	for _, old := range b.Behind {
		key := record.Key{Kind: old.Kind, ID: old.ID}
		delete(known, key)
		if old.Index == 0 {
			continue
		}
		text, err := contentOf(tx, key, min(old.Index, b.Index))
		if err != nil {
			return nil, err
		}
		if text != nil {
			known[key] = text
		}
	}
	return known, nil
}

// without is the base of files that are not the whole: what they leave out, they
// do not know. It takes that out of known too.
func (b Base) without(known, texts map[record.Key][]byte) Base {
	b.Behind = slices.DeleteFunc(slices.Clone(b.Behind), func(old Behind) bool {
		key := record.Key{Kind: old.Kind, ID: old.ID}
		if texts[key] == nil && known[key] == nil { // so that it does not count as present below
			known[key] = []byte{}
		}
		return texts[key] == nil
	})
	for key := range known {
		if texts[key] == nil {
			delete(known, key)
			b.Behind = append(b.Behind, Behind{Kind: key.Kind, ID: key.ID})
		}
	}
	b.sort()
	return b
}

func (b Base) sort() {
	slices.SortFunc(b.Behind, func(x, y Behind) int {
		return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(x.ID, y.ID))
	})
}

// of is the index up to which the files know a record; 0 when they do not.
func (b Base) of(key record.Key) uint64 {
	for _, old := range b.Behind {
		if old.Kind == key.Kind && old.ID == key.ID {
			return old.Index
		}
	}
	return b.Index
}

// compare finds what the files want, what others changed, and where both meet.
func (p *prepared) compare(tx *store.Tx, known, texts map[record.Key][]byte) error {
	present, err := contents(tx, newest)
	if err != nil {
		return err
	}
	for _, key := range order(known, texts, present) {
		before, now, after := known[key], present[key], texts[key]
		switch {
		case bytes.Equal(now, after): // it is as the files want it
		case bytes.Equal(before, after): // the files want nothing, others did something
			p.Next.Behind = append(p.Next.Behind, Behind{Kind: key.Kind, ID: key.ID, Index: p.Base.of(key)})
		case bytes.Equal(before, now):
			err = p.plan(key, now, after)
		default:
			err = p.conflict(key, before, now, after)
		}
		if err != nil {
			return err
		}
	}
	p.Next.sort()
	return nil
}

// order is every key once, kinds in the order of the standard.
func order(maps ...map[record.Key][]byte) []record.Key {
	place := map[string]int{}
	for i, k := range record.Kinds() {
		place[k.Name] = i
	}
	seen := map[record.Key]bool{}
	var keys []record.Key
	for _, m := range maps {
		for key := range m {
			if !seen[key] {
				seen[key], keys = true, append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, func(a, b record.Key) int {
		return cmp.Or(place[a.Kind]-place[b.Kind], strings.Compare(a.ID, b.ID))
	})
	return keys
}

func (p *prepared) plan(key record.Key, before, after []byte) error {
	fields, err := differ(key, before, after)
	event := record.Changed
	if before == nil {
		event = record.Created
	} else if after == nil {
		event = record.Removed
	}
	p.Changes = append(p.Changes, Planned{
		Kind: key.Kind, ID: key.ID, Event: event, Fields: fields,
		before: before, after: after, number: len(p.state.Changes[key]) + 1,
	})
	return err
}

// conflict tells what others did to a record that the files change too.
func (p *prepared) conflict(key record.Key, before, now, after []byte) error {
	fields, err := differ(key, before, now)
	c := Conflict{Kind: key.Kind, ID: key.ID, Fields: fields}
	if all := p.state.Changes[key]; len(all) > 0 {
		c.Theirs = all[len(all)-1]
	}
	p.Conflicts = append(p.Conflicts, c)
	return err
}

func differ(key record.Key, before, after []byte) ([]record.FieldChange, error) {
	a, err := recordOf(key, before)
	if err != nil {
		return nil, damaged(key, err)
	}
	b, err := recordOf(key, after)
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "%s/%s cannot be read", key.Kind, key.ID)
	}
	return record.Diff(a, b), nil
}

// check refuses what would leave the registers wrong. Places in files stay
// known, where want has any.
func (p *prepared) check(tx *store.Tx, want record.Registers) error {
	after := p.state.Registers.Clone()
	for _, c := range p.Changes {
		if c.Event == record.Removed {
			after.Remove(c.Kind, c.ID)
		} else if err := after.Put(c.Kind, c.after); err != nil {
			return aims.Errorf(aims.Invalid, err, "%s/%s cannot be read", c.Kind, c.ID)
		}
	}
	return wrong(append(after.Check(day(tx.Now)), p.ownCriteria(after)...))
}

// ownCriteria looks at the expressions of criteria that change: what cannot be
// meant is said now and not when evidence is judged by it.
func (p *prepared) ownCriteria(after record.Registers) (problems []record.Problem) {
	for _, c := range p.Changes {
		rec, _ := after.Get(c.Kind, c.ID)
		if criterion, ok := rec.(record.OwnCriterion); ok && c.Event != record.Removed {
			if err := own.Check(criterion); err != nil {
				problems = append(problems, record.Problem{Kind: c.Kind, ID: c.ID, Text: strings.TrimPrefix(err.Error(), c.Kind+"/"+c.ID+": ")})
			}
		}
	}
	return problems
}

// day is a moment's day in UTC.
func day(at time.Time) record.Date { return record.Date(at.UTC().Format(time.DateOnly)) }

// mostProblems bounds how much is said at once.
const mostProblems = 100

func wrong(problems []record.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var lines []string
	for i, problem := range problems {
		if i == mostProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(problems)-i))
			break
		}
		lines = append(lines, problem.String())
	}
	return aims.Errorf(aims.Invalid, nil, "%s", strings.Join(lines, "\n"))
}

// conflicting is the error of a plan with conflicts.
func (p *Plan) conflicting() error {
	if len(p.Conflicts) == 0 {
		return nil
	}
	var lines []string
	for _, c := range p.Conflicts {
		lines = append(lines, c.String())
	}
	return aims.Errorf(aims.Conflict, nil, "others changed the same records since these files were written; nothing was applied:\n%s", strings.Join(lines, "\n"))
}

// String says what is in conflict, by whom, when, and in which fields.
func (c Conflict) String() string {
	var fields []string
	for _, f := range c.Fields {
		fields = append(fields, cmp.Or(f.Path, "all of it"))
	}
	if len(fields) > 8 {
		fields = append(fields[:8], fmt.Sprintf("and %d more", len(c.Fields)-8))
	}
	return fmt.Sprintf("%s/%s was %s by %s at %s (%s)", c.Kind, c.ID, c.Theirs.Event, c.Theirs.By,
		time.UnixMicro(c.Theirs.At).UTC().Format(time.RFC3339), strings.Join(fields, ", "))
}
