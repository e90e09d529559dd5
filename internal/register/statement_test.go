package register_test

import (
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/register"
	"aims/internal/register/record"
)

// Whoever decided on a control since the last approval approves no statement that
// holds it, and an approval by them would not count.
func TestStatementIsApprovedByWhoDidNotDecide(t *testing.T) {
	w := newWorld(t)
	decided := func(why string) string {
		return "applicability:\n  - {id: A.9.2, applicable: true, justification: " + why + "}\n"
	}
	statement := func(by, digest string) error {
		_, err := w.Mark(t.Context(), person(by), nil, decision, record.Mark{Kind: record.Approve, On: record.OnStatement, ID: record.StatementID, Digest: digest})
		return err
	}
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	base := w.apply("ada", register.Base{}, decided("one")).Next
	base = w.apply("bob", base, decided("two")).Next
	refused(t, statement("ada", one), aims.Denied, "somebody else")
	refused(t, statement("bob", one), aims.Denied, "somebody else")
	refused(t, statement("carl", ""), aims.Invalid, "digest")
	w.ok(statement("carl", one))
	refused(t, statement("carl", one), aims.Conflict, "counts once")
	w.ok(statement("ada", one)) // since carl's approval she decided nothing
	w.apply("carl", base, decided("three"))
	refused(t, statement("carl", two), aims.Denied, "somebody else")
	w.ok(statement("bob", two))
	_, err := w.mark("bob", record.Withdraw, record.OnStatement, record.StatementID)
	w.ok(err)
	if m, ok, authors := w.state().StatementApproved(); !ok || m.By != "ada" || len(authors) != 1 || authors[0] != "carl" {
		t.Errorf("approved by %+v, %v; authors since %v", m, ok, authors)
	}
	forged := w.state()
	forged.Marks = append(forged.Marks, record.Mark{Kind: record.Approve, On: record.OnStatement, ID: record.StatementID, Digest: two, By: "carl", Index: 1 << 40})
	if m, _, _ := forged.StatementApproved(); m.By == "carl" {
		t.Error("an approval by who decided counts")
	}
	for _, m := range []record.Mark{
		{Kind: record.Approve, On: record.OnStatement, ID: "other", Digest: one},
		{Kind: record.Accept, On: record.OnStatement, ID: record.StatementID, Digest: one},
		{Kind: record.Acknowledge, On: record.OnStatement, ID: record.StatementID, Digest: one},
	} {
		_, err := w.Mark(t.Context(), person("dora"), nil, decision, m)
		refused(t, err, aims.Invalid, "as a whole")
	}
	w.sound()
}
