package criteria

import "aims/internal/register/record"

// current finds the newest mark of a kind on a record that names its present
// text and that its author did not take back.
func (in *Input) current(kind record.MarkKind, on, id string, by func(record.Mark) bool) (record.Mark, bool) {
	key := record.Key{Kind: on, ID: id}
	list := in.marks[key]
	for i := len(list) - 1; i >= 0; i-- {
		m := list[i]
		v := in.Registers.Versions[key]
		if m.Kind != kind || (on != "requirement" && (m.Digest == "" || m.Digest != v.Digest)) || !by(m) {
			continue
		}
		withdrawn := false
		for _, later := range list[i+1:] {
			withdrawn = withdrawn || later.Kind == record.Withdraw && later.By == m.By
		}
		if !withdrawn {
			return m, true
		}
	}
	return record.Mark{}, false
}

// approval is the current approval of a record by somebody other than its author.
func (in *Input) approval(kind, id string) (record.Mark, bool) {
	author := in.Registers.Versions[record.Key{Kind: kind, ID: id}].By
	return in.current(record.Approve, kind, id, func(m record.Mark) bool { return m.By != author })
}

// accepted is the current acceptance of a residual risk.
func (in *Input) accepted(kind, id string) (record.Mark, bool) {
	return in.current(record.Accept, kind, id, func(record.Mark) bool { return true })
}

// acknowledged is a person's acknowledgement of the present version of a document.
func (in *Input) acknowledged(document, person string) (record.Mark, bool) {
	return in.current(record.Acknowledge, "document", document, func(m record.Mark) bool { return m.By == person })
}

// attested is the newest attestation of a requirement and whether it counts today.
func (in *Input) attested(requirement string) (m record.Mark, counts, ok bool) {
	m, ok = in.current(record.Attest, "requirement", requirement, func(record.Mark) bool { return true })
	return m, ok && (m.Until == "" || m.Until >= in.today()), ok
}
