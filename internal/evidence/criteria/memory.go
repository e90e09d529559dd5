package criteria

import (
	"slices"

	"aims/internal/register/record"
)

// memory keeps answers that cost a look at every mark or at every record.
type memory struct {
	criteria     map[string][]Criterion // by requirement
	ran          map[string]ran         // by criterion
	approvals    map[record.Key]answer
	acknowledged map[string]map[string]record.Mark
	roles        map[holder][]record.Role
	unfilled     map[record.Key]string // the first such field; nil until somebody asks
}

// ran is how a criterion ended.
type ran struct {
	result Result
	count  *Count
}

// holder is a person on a day.
type holder struct {
	person string
	on     record.Date
}

func remember() *memory {
	m := &memory{map[string][]Criterion{}, map[string]ran{}, map[record.Key]answer{}, map[string]map[string]record.Mark{}, map[holder][]record.Role{}, nil}
	for _, c := range All() {
		m.criteria[c.Requirement] = append(m.criteria[c.Requirement], c)
	}
	return m
}

// run evaluates a criterion once.
func (in *Input) run(c Criterion) (Result, *Count) {
	r, known := in.memory.ran[c.ID]
	if !known {
		r.result, r.count = c.run(in)
		in.memory.ran[c.ID] = r
	}
	return r.result, r.count
}

// shows says whether a criterion of another requirement is met.
func (in *Input) shows(requirement string) bool {
	return slices.ContainsFunc(in.memory.criteria[requirement], func(c Criterion) bool {
		if c.Joins {
			return false
		}
		r, _ := in.run(c)
		return r.Outcome == Met
	})
}

type answer struct {
	mark record.Mark
	ok   bool
}

// approval is the current approval of a record by somebody who did not write it.
func (in *Input) approval(kind, id string) (record.Mark, bool) {
	key := record.Key{Kind: kind, ID: id}
	a, known := in.memory.approvals[key]
	if !known {
		a.mark, a.ok = in.Registers.Approved(kind, id)
		in.memory.approvals[key] = a
	}
	return a.mark, a.ok
}

// acknowledged is a person's acknowledgement of the present version of a document.
func (in *Input) acknowledged(document, person string) (record.Mark, bool) {
	marks, known := in.memory.acknowledged[document]
	if !known {
		marks = in.Registers.Acknowledged(document)
		in.memory.acknowledged[document] = marks
	}
	m, ok := marks[person]
	return m, ok
}

// unfilled is the first field of a record whose text is still to be written;
// empty for none.
func (in *Input) unfilled(kind, id string) string {
	if in.memory.unfilled == nil {
		in.memory.unfilled = map[record.Key]string{}
		for _, p := range in.Registers.Registers.Unfilled() {
			if key := (record.Key{Kind: p.Kind, ID: p.ID}); in.memory.unfilled[key] == "" {
				in.memory.unfilled[key] = p.Field
			}
		}
	}
	return in.memory.unfilled[record.Key{Kind: kind, ID: id}]
}
