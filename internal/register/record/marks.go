package record

import "slices"

// OnRequirement is the kind that a mark names when it is of a requirement of the
// standard.
const OnRequirement = "requirement"

// OnStatement and StatementID name the statement of applicability as a whole in a
// mark of it (ISO 42001 6.1.3).
const (
	OnStatement = "statement"
	StatementID = "soa"
)

// standing is the marks of a kind on something that their authors did not take
// back later, in the order of the log. A withdrawal takes back whatever its
// author stated of it before; with a digest, of that version only.
func (s State) standing(kind MarkKind, on, id string) []Mark {
	var out []Mark
	for i, m := range s.Marks {
		if m.Kind == kind && m.On == on && m.ID == id && m.By != "" && !s.withdrawn(m, s.Marks[i+1:]) {
			out = append(out, m)
		}
	}
	return out
}

func (s State) withdrawn(m Mark, later []Mark) bool {
	for _, w := range later {
		if w.Kind == Withdraw && w.On == m.On && w.ID == m.ID && w.By == m.By && (w.Digest == "" || w.Digest == m.Digest) {
			return true
		}
	}
	return false
}

// changesOf is every version of a record, oldest first; none when its author is
// not known.
func (s State) changesOf(key Key) []Version {
	if all := s.Changes[key]; len(all) > 0 {
		return all
	}
	if v, ok := s.Versions[key]; ok {
		return []Version{v}
	}
	return nil
}

// Approved is the newest approval of the present version of a record that counts
// (ISO 42001 7.5.2): it names this version, was given after it was applied, was
// not taken back, and comes from somebody who wrote neither this version nor any
// other since the last approval that counts.
func (s State) Approved(kind, id string) (Mark, bool) { return s.released(Approve, kind, id) }

// Accepted is the newest acceptance of the residual risk of a risk or treatment
// that counts (ISO 42001 6.1.3, 8.3), by the same rule as an approval.
func (s State) Accepted(kind, id string) (Mark, bool) { return s.released(Accept, kind, id) }

func (s State) released(by MarkKind, kind, id string) (found Mark, ok bool) {
	rec, there := s.Registers.Get(kind, id)
	if !there {
		return Mark{}, false
	}
	marks := s.standing(by, kind, id)
	changes := s.changesOf(Key{kind, id})
	authors := map[string]bool{} // since the last one that counts
	last := ""
	for i, c := range changes {
		if ok {
			clear(authors)
		}
		authors[c.By] = true
		found, ok, last = Mark{}, false, c.Digest
		for _, m := range marks {
			before := i+1 == len(changes) || m.Index < changes[i+1].Index
			if m.Index > c.Index && before && m.Digest == c.Digest && !authors[m.By] {
				found, ok = m, true
			}
		}
	}
	if !ok || last != Digest(rec) {
		return Mark{}, false
	}
	return found, true
}

// Acknowledged is who read the present version of a document (ISO 42001 7.3,
// 7.5.3), by person.
func (s State) Acknowledged(docID string) map[string]Mark {
	out := map[string]Mark{}
	rec, there := s.Registers.Get("document", docID)
	changes := s.changesOf(Key{"document", docID})
	if !there || len(changes) == 0 {
		return out
	}
	digest, since := Digest(rec), changes[len(changes)-1].Index
	for _, m := range s.standing(Acknowledge, "document", docID) {
		if m.Digest == digest && m.Index > since {
			out[m.By] = m
		}
	}
	return out
}

// Attested is the attestation of a requirement that counts on a day: the newest
// that has not ended by then, or else the newest that has, which is not current.
func (s State) Attested(requirement string, at Date) (m Mark, current, ok bool) {
	for _, a := range s.standing(Attest, OnRequirement, requirement) {
		still := a.Until == "" || at <= a.Until
		if !ok || still || !current {
			m, current, ok = a, still, true
		}
	}
	return m, current, ok
}

// StatementApproved is the newest approval of the statement of applicability that
// counts: it was not taken back, and comes from somebody who wrote none of the
// decisions on controls that changed since the one before it that counts. The
// authors are those who may not approve it now for that reason, sorted. Whether
// the statement is still the one that was approved, its digest says.
func (s State) StatementApproved() (found Mark, ok bool, authors []string) {
	var decisions []Version
	for key, versions := range s.Changes {
		if key.Kind == "applicability" {
			decisions = append(decisions, versions...)
		}
	}
	since := uint64(0)
	wrote := func(by string, until uint64) bool {
		return slices.ContainsFunc(decisions, func(v Version) bool { return v.By == by && v.Index > since && v.Index <= until })
	}
	for _, m := range s.standing(Approve, OnStatement, StatementID) {
		if !wrote(m.By, m.Index) {
			found, ok, since = m, true, m.Index
		}
	}
	for _, v := range decisions {
		if v.Index > since {
			authors = append(authors, v.By)
		}
	}
	slices.Sort(authors)
	return found, ok, slices.Compact(authors)
}
