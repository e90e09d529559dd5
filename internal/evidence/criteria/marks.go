package criteria

import "aims/internal/register/record"

// memory keeps answers that cost a look at every mark or at every record.
type memory struct {
	results      map[string][]Result
	approvals    map[record.Key]answer
	acknowledged map[string]map[string]record.Mark
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
