package register_test

import (
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/register"
	"aims/internal/register/record"
)

// Whoever wrote a version, or any since the last that was released, approves
// none of it; somebody else does, once, and of what they have seen.
func TestApprovalIsSomebodyElses(t *testing.T) {
	w := newWorld(t)
	base := w.apply("ada", register.Base{}, risks("one")).Next
	_, err := w.mark("ada", record.Approve, "risk", "r1")
	refused(t, err, aims.Denied, "ada wrote risk/r1", "somebody else")
	base = w.apply("bob", base, risks("two")).Next
	_, err = w.mark("ada", record.Approve, "risk", "r1") // she wrote the version before, which nobody released
	refused(t, err, aims.Denied, "somebody else")
	_, err = w.mark("carl", record.Approve, "risk", "r1")
	w.ok(err)
	_, err = w.mark("carl", record.Approve, "risk", "r1")
	refused(t, err, aims.Conflict, "counts once")
	w.apply("bob", base, risks("three"))
	if _, ok := w.state().Approved("risk", "r1"); ok {
		t.Error("an approval outlives the version that it was of")
	}
	_, err = w.mark("ada", record.Approve, "risk", "r1") // since the release she wrote nothing
	w.ok(err)
	if m, ok := w.state().Approved("risk", "r1"); !ok || m.By != "ada" {
		t.Errorf("approved by %+v, %v", m, ok)
	}
	_, err = w.mark("ada", record.Withdraw, "risk", "r1")
	w.ok(err)
	if _, ok := w.state().Approved("risk", "r1"); ok {
		t.Error("an approval that was taken back counts")
	}
	_, err = w.mark("ada", record.Withdraw, "risk", "r1")
	refused(t, err, aims.Conflict, "stated nothing")
	_, err = w.mark("bob", record.Withdraw, "risk", "r1") // what others stated is not his to take back
	refused(t, err, aims.Conflict, "stated nothing")
	w.sound()
}

// The version that was shown is the one that is approved, and no other.
func TestOldVersionIsNotApproved(t *testing.T) {
	w := newWorld(t)
	base := w.apply("ada", register.Base{}, risks("one")).Next
	shown := w.state().Versions[record.Key{Kind: "risk", ID: "r1"}].Digest
	w.apply("ada", base, risks("two"))
	for digest, code := range map[string]aims.Code{shown: aims.Conflict, "": aims.Invalid, "sha256:x": aims.Conflict} {
		_, err := w.Mark(t.Context(), person("carl"), nil, decision, record.Mark{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest})
		refused(t, err, code, "shown")
	}
	_, err := w.mark("carl", record.Approve, "risk", "r9")
	refused(t, err, aims.NotFound, "r9")
}

// The risk that is left is taken by who owns the risk or by top management, and
// an office that somebody gave themselves is none.
func TestAcceptance(t *testing.T) {
	w := newWorld(t)
	files := risks("one") + "treatments: [{id: t1, risks: [r1], text: We look twice.}]\n"
	base := w.apply("ada", register.Base{}, files).Next
	for by, want := range map[string]string{"theo": "neither owns", "ada": "neither owns"} {
		for _, kind := range []string{"risk", "treatment"} {
			id := map[string]string{"risk": "r1", "treatment": "t1"}[kind]
			_, err := w.mark(by, record.Accept, kind, id)
			refused(t, err, aims.Denied, want)
		}
	}
	_, err := w.mark("rita", record.Accept, "treatment", "t1")
	w.ok(err)
	_, err = w.mark("carl", record.Accept, "risk", "r1")
	w.ok(err)

	// Rita changes the treatment: what she wrote somebody else accepts.
	base = w.apply("rita", base, strings.Replace(files, "twice", "once", 1)).Next
	_, err = w.mark("rita", record.Accept, "treatment", "t1")
	refused(t, err, aims.Denied, "rita wrote treatment/t1")
	_, err = w.mark("carl", record.Accept, "treatment", "t1")
	w.ok(err)

	// Theo makes himself a director, and the owner of another risk.
	forged := strings.Replace(files, "twice", "once", 1)
	forged = strings.Replace(forged, "{id: theo-clerk, role: clerk, person: theo, from: 2026-01-01}", "{id: theo-clerk, role: director, person: theo, from: 2026-01-01}", 1)
	base = w.apply("theo", base, forged).Next
	_, err = w.mark("theo", record.Accept, "risk", "r1")
	refused(t, err, aims.Denied, "somebody else wrote or approved")
	w.apply("theo", base, strings.Replace(forged, "owner: rita", "owner: theo", 1))
	_, err = w.mark("theo", record.Accept, "risk", "r1")
	refused(t, err, aims.Denied)
	_, err = w.mark("theo", record.Accept, "treatment", "t1")
	refused(t, err, aims.Denied)
	// Once somebody else approves his office, it is one.
	_, err = w.mark("carl", record.Approve, "assignment", "theo-clerk")
	w.ok(err)
	_, err = w.mark("theo", record.Accept, "treatment", "t1")
	w.ok(err)
	_, err = w.mark("carl", record.Accept, "document", "d")
	refused(t, err, aims.NotFound)
	_, err = w.mark("carl", record.Accept, "person", "rita")
	refused(t, err, aims.Invalid, "risks and treatments")
	w.sound()
}

// Requirements are attested until a day, by ids that there are.
func TestAttestation(t *testing.T) {
	w := newWorld(t)
	attest := func(on, id, until string) error {
		_, err := w.Mark(t.Context(), person("carl"), []string{"top_management"}, decision,
			record.Mark{Kind: record.Attest, On: on, ID: id, Until: record.Date(until), Note: "Looked at."})
		return err
	}
	refused(t, attest("requirement", "6.1.99", "2027-01-01"), aims.Invalid, "6.1.99")
	refused(t, attest("risk", "r1", "2027-01-01"), aims.Invalid, "requirements of the standard")
	refused(t, attest("requirement", "6.1.2", ""), aims.Invalid, "has an end")
	refused(t, attest("requirement", "6.1.2", "2026-02-30"), aims.Invalid, "has an end")
	refused(t, attest("requirement", "6.1.2", "2026-11-22"), aims.Invalid, "ended already")
	w.ok(attest("requirement", "6.1.2", "2027-01-01"))
	refused(t, attest("requirement", "6.1.2", "2027-01-01"), aims.Conflict, "already")
	m, current, ok := w.state().Attested("6.1.2", "2026-12-31")
	if !ok || !current || m.By != "carl" || m.Note != "Looked at." || len(m.Roles) != 1 {
		t.Errorf("%+v, %v, %v", m, current, ok)
	}
	history, err := w.History(t.Context(), "requirement", "6.1.2", time.Time{})
	w.ok(err)
	if len(history) != 1 || history[0].Mark == nil {
		t.Errorf("%+v", history)
	}
	w.sound()
}

// Who is nobody, or no person, states nothing; neither does a mark that is none.
func TestMarksThatAreNone(t *testing.T) {
	w := newWorld(t)
	w.apply("ada", register.Base{}, risks("one"))
	size := w.ledger.Size()
	digest := w.state().Versions[record.Key{Kind: "risk", ID: "r1"}].Digest
	for _, by := range []aims.Actor{{}, aims.System, {Type: aims.AgentType, ID: "carl"}} {
		_, err := w.Mark(t.Context(), by, nil, decision, record.Mark{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest})
		refused(t, err, aims.Denied)
	}
	_, err := w.Mark(t.Context(), person("carl"), nil, "", record.Mark{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest})
	refused(t, err, aims.Denied)
	for _, m := range []record.Mark{
		{Kind: "bless", On: "risk", ID: "r1", Digest: digest},
		{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest, Until: "2027-01-01"},
		{Kind: record.Acknowledge, On: "risk", ID: "r1", Digest: digest},
		{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest, Note: strings.Repeat("x", 3000)},
	} {
		_, err := w.Mark(t.Context(), person("carl"), nil, decision, m)
		refused(t, err, aims.Invalid)
	}
	// Whatever a caller writes into the mark of who gave it, and when, counts for nothing.
	m, err := w.Mark(t.Context(), person("carl"), []string{"clerk"}, decision,
		record.Mark{Kind: record.Approve, On: "risk", ID: "r1", Digest: digest, By: "rita", Roles: []string{"top_management"}, At: 1, Index: 1, Receipt: "rcp_x"})
	w.ok(err)
	if m.By != "carl" || m.Roles[0] != "clerk" || m.Index != size || m.Receipt == "rcp_x" {
		t.Errorf("%+v", m)
	}
	w.sound()
}
