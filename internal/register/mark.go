package register

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/iso42001"
)

// maxNote bounds what a person writes with a mark, in bytes.
const maxNote = 2000

// Mark records what a person states of a version of a record, or of a
// requirement (ISO 42001 5.3, 6.1.3, 7.3, 7.5.2). by is that person, as
// authenticated for this very act, roles are those that they hold, and decision is
// the receipt of the decision that let them. Of m, kind, on, id, digest, note and
// until are used.
//
// It fails with aims.Denied for a person who may not state it, whatever policy
// said; with aims.Conflict when m names another version than the present one, or
// the person has stated it already; with aims.NotFound when there is no such
// record; and with aims.Invalid for a mark that makes no sense.
func (r *Register) Mark(ctx context.Context, by aims.Actor, roles []string, decision string, m record.Mark) (record.Mark, error) {
	if by.Type != aims.PersonType || by.ID == "" || decision == "" {
		return m, aims.Errorf(aims.Denied, nil, "only a person whose decision is recorded can state something of a record")
	}
	m.Note = strings.TrimSpace(m.Note)
	if len(m.Note) > maxNote || !utf8.ValidString(m.Note) {
		return m, aims.Errorf(aims.Invalid, nil, "the note has %d bytes; expected text of at most %d", len(m.Note), maxNote)
	}
	m.By, m.Roles = by.ID, slices.Clone(roles)
	_, err := r.ledger.ChangeAt(ctx, func(tx *store.Tx, at ledger.Ref) (ledger.Entry, error) {
		m.At, m.Index, m.Receipt = at.Time.UnixMicro(), at.Index, aims.NewID("rcp")
		s, err := load(tx, newest)
		if err != nil {
			return ledger.Entry{}, err
		}
		if err := entitled(s, m, day(at.Time)); err != nil {
			return ledger.Entry{}, err
		}
		if err := insertMark(tx, m); err != nil {
			return ledger.Entry{}, err
		}
		return markedEntry(by, decision, m)
	})
	if err != nil {
		return record.Mark{}, failed(err, "the mark could not be stored: it does not count")
	}
	r.o.Log.Info("a person marked a record", "mark", m.Kind, "kind", m.On, "id", m.ID, "by", m.By, "entry", m.Index)
	return m, nil
}

// entitled refuses a mark that may not count. Policy may have refused it
// before: this is what holds also where a policy is wrong.
func entitled(s record.State, m record.Mark, today record.Date) error {
	if m.Until != "" && m.Kind != record.Attest {
		return aims.Errorf(aims.Invalid, nil, "only an attestation has an end; %s counts until the record changes", m.Kind)
	}
	switch m.Kind {
	case record.Attest:
		return mayAttest(s, m, today)
	case record.Withdraw:
		return mayWithdraw(s, m)
	case record.Approve, record.Acknowledge, record.Accept:
		if m.On == record.OnStatement {
			return mayApproveStatement(s, m)
		}
	default:
		return aims.Errorf(aims.Invalid, nil, "%.40q is no mark; expected approve, acknowledge, accept, attest or withdraw", m.Kind)
	}
	if err := present(s, m); err != nil {
		return err
	}
	if stands(s, m) {
		return aims.Errorf(aims.Conflict, nil, "%s has stated this of this version of %s/%s already, and counts once", m.By, m.On, m.ID)
	}
	switch m.Kind {
	case record.Acknowledge:
		if m.On != "document" {
			return aims.Errorf(aims.Invalid, nil, "documents are acknowledged; %s/%s is none", m.On, m.ID)
		}
		return nil
	case record.Accept:
		if err := mayAccept(s, m, today); err != nil {
			return err
		}
	}
	if !counts(s, m) {
		return aims.Errorf(aims.Denied, nil, "%s wrote %s/%s, or changed it since it was last released: somebody else must %s it", m.By, m.On, m.ID, m.Kind)
	}
	return nil
}

// mayApproveStatement lets whoever decided on no control since the last approval
// approve the statement of applicability. That the digest is of the present one is
// for the caller to see to: a mark of another one does not count.
func mayApproveStatement(s record.State, m record.Mark) error {
	if m.Kind != record.Approve || m.ID != record.StatementID {
		return aims.Errorf(aims.Invalid, nil, "the statement of applicability is approved as a whole, as %s/%s", record.OnStatement, record.StatementID)
	}
	if !statementDigest.MatchString(m.Digest) {
		return aims.Errorf(aims.Invalid, nil, "the mark does not name the digest of the statement that was shown; expected sha256: and 64 of 0-9 a-f")
	}
	before, ok, authors := s.StatementApproved()
	if slices.Contains(authors, m.By) {
		return aims.Errorf(aims.Denied, nil, "%s decided on controls since the statement was last approved: somebody else must approve it", m.By)
	}
	if ok && before.By == m.By && before.Digest == m.Digest {
		return aims.Errorf(aims.Conflict, nil, "%s has approved this statement already, and counts once", m.By)
	}
	return nil
}

// statementDigest is the form of the digest of a statement of applicability.
var statementDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// present refuses a mark of anything but the present version.
func present(s record.State, m record.Mark) error {
	v, ok := s.Versions[record.Key{Kind: m.On, ID: m.ID}]
	switch {
	case !ok:
		return aims.Errorf(aims.NotFound, nil, "there is no %.40s %.80q", m.On, m.ID)
	case m.Digest == "":
		return aims.Errorf(aims.Invalid, nil, "the mark does not name the digest of the version that was shown")
	case m.Digest != v.Digest:
		return aims.Errorf(aims.Conflict, nil, "%s/%s is another version than the one that was shown: %s %s it at %s; look at it again",
			m.On, m.ID, v.By, v.Event, time.UnixMicro(v.At).UTC().Format(time.RFC3339))
	}
	return nil
}

// counts says whether the mark would count as what it is, once it is given.
func counts(s record.State, m record.Mark) bool {
	s.Marks = append(slices.Clip(s.Marks), m)
	got, ok := s.Approved(m.On, m.ID)
	if m.Kind == record.Accept {
		got, ok = s.Accepted(m.On, m.ID)
	}
	return ok && got.Index == m.Index
}

// stands says whether the person's same statement of the present version was
// made after it was applied, and not taken back.
func stands(s record.State, m record.Mark) bool {
	since := s.Versions[record.Key{Kind: m.On, ID: m.ID}].Index
	for _, old := range standing(s, m.By, m.On, m.ID) {
		if old.Kind == m.Kind && old.Digest == m.Digest && old.Index > since {
			return true
		}
	}
	return false
}

// standing are a person's marks on something that they did not take back.
func standing(s record.State, by, on, id string) []record.Mark {
	var out []record.Mark
	for _, m := range s.Marks {
		switch {
		case m.By != by || m.On != on || m.ID != id:
		case m.Kind == record.Withdraw:
			out = slices.DeleteFunc(out, func(o record.Mark) bool { return m.Digest == "" || m.Digest == o.Digest })
		default:
			out = append(out, m)
		}
	}
	return out
}

func mayWithdraw(s record.State, m record.Mark) error {
	taken := slices.ContainsFunc(standing(s, m.By, m.On, m.ID), func(o record.Mark) bool { return m.Digest == "" || m.Digest == o.Digest })
	if !taken {
		return aims.Errorf(aims.Conflict, nil, "%s has stated nothing of %.40s/%.80s that could be withdrawn", m.By, m.On, m.ID)
	}
	return nil
}

func mayAttest(s record.State, m record.Mark, today record.Date) error {
	if m.On != record.OnRequirement {
		return aims.Errorf(aims.Invalid, nil, "requirements of the standard are attested, not a %.40s", m.On)
	}
	if _, err := iso42001.Get(m.ID); err != nil {
		return aims.Errorf(aims.Invalid, nil, "%s", err)
	}
	if _, err := time.Parse(time.DateOnly, string(m.Until)); err != nil {
		return aims.Errorf(aims.Invalid, nil, "an attestation has an end; expected a day such as %s, found %.40q", today, m.Until)
	}
	if m.Until < today {
		return aims.Errorf(aims.Invalid, nil, "the attestation would have ended already, on %s", m.Until)
	}
	if m.Digest != "" {
		return aims.Errorf(aims.Invalid, nil, "an attestation is of a requirement, which has no digest")
	}
	for _, old := range standing(s, m.By, m.On, m.ID) {
		if old.Until == m.Until {
			return aims.Errorf(aims.Conflict, nil, "%s has attested %s until %s already", m.By, m.ID, m.Until)
		}
	}
	return nil
}

// mayAccept lets the owner of the risk or top management take what is left of
// it (ISO 42001 6.1.3). An ownership or an office that the person wrote down
// alone does not count until somebody else has approved it.
func mayAccept(s record.State, m record.Mark, today record.Date) error {
	var risks []string
	rec, _ := s.Registers.Get(m.On, m.ID)
	switch rec := rec.(type) {
	case record.Risk:
		risks = []string{rec.ID}
	case record.Treatment:
		risks = rec.Risks
	default:
		return aims.Errorf(aims.Invalid, nil, "risks and treatments are accepted; %s/%s is neither", m.On, m.ID)
	}
	owns := len(risks) > 0
	for _, id := range risks {
		found, _ := s.Registers.Get("risk", id)
		risk, _ := found.(record.Risk)
		owns = owns && risk.Owner == m.By && givenByOthers(s, m.By, record.Key{Kind: "risk", ID: id})
	}
	if owns || topManagement(s, m.By, today) {
		return nil
	}
	return aims.Errorf(aims.Denied, nil, "%s neither owns what is accepted (%s) nor holds a role of top management today, by a record that somebody else wrote or approved",
		m.By, "risk/"+strings.Join(risks, ", risk/"))
}

// givenByOthers says whether somebody else wrote the present version of a record,
// or approved it.
func givenByOthers(s record.State, person string, key record.Key) bool {
	v, ok := s.Versions[key]
	if !ok {
		return false
	}
	approved, ok := s.Approved(key.Kind, key.ID)
	return v.By != person || ok && approved.By != person
}

func topManagement(s record.State, person string, today record.Date) bool {
	for _, a := range s.Registers.Assignments {
		if a.Person != person || a.From > today || a.Until != "" && a.Until < today {
			continue
		}
		found, _ := s.Registers.Get("role", a.Role)
		role, _ := found.(record.Role)
		if role.TopManagement && givenByOthers(s, person, record.Key{Kind: "assignment", ID: a.ID}) && givenByOthers(s, person, record.Key{Kind: "role", ID: a.Role}) {
			return true
		}
	}
	return false
}

// Authors are the people who may not approve the present version of a record,
// or accept it: who wrote it or changed it since it was last released; of the
// statement of applicability, who decided on a control since. None when there is
// no such record.
func Authors(s record.State, kind record.MarkKind, on, id string) []string {
	if on == record.OnStatement {
		_, _, authors := s.StatementApproved()
		return authors
	}
	versions := s.Changes[record.Key{Kind: on, ID: id}]
	v, ok := s.Versions[record.Key{Kind: on, ID: id}]
	if !ok {
		return nil
	}
	authors := map[string]bool{}
	for _, c := range versions {
		m := record.Mark{Kind: kind, On: on, ID: id, Digest: v.Digest, By: c.By, Index: newest}
		if !counts(s, m) {
			authors[c.By] = true
		}
	}
	return slices.Sorted(maps.Keys(authors))
}
