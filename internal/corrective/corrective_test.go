package corrective_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

func TestLifeOfANonconformity(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ok := t.Context(), must[corrective.Nonconformity](t)
	n := w.planned(corrective.ProcessAction, "no-approval")
	if n.State != corrective.Planned || n.Owner != "otto" || n.Due != w.date(5*day) || n.Requirement != "A.9.2" {
		t.Fatalf("%+v", n)
	}
	before := w.event() // recorded before the action is implemented
	w.clock.Advance(time.Hour)
	n = ok(w.Implement(ctx, by("otto"), n.ID, corrective.Implementation{Action: "a1", Note: "done"}))
	if n.State != corrective.Implemented {
		t.Fatal(n.State)
	}
	finds := corrective.ReviewFinds{Effective: true, Note: "looked"}
	if _, err := w.Review(ctx, by("rex"), n.ID, finds); code(err) != aims.Conflict || !strings.Contains(err.Error(), "is reviewed from") {
		t.Errorf("before its day: %v", err)
	}
	w.clock.Advance(11 * day)
	if _, err := w.Review(ctx, by("rex"), n.ID, finds); code(err) != aims.Conflict || !strings.Contains(err.Error(), "nothing to review") {
		t.Errorf("without data: %v", err)
	}
	old := corrective.ReviewFinds{Effective: true, Note: "looked", Evidence: []string{before}}
	if _, err := w.Review(ctx, by("rex"), n.ID, old); code(err) != aims.Invalid {
		t.Errorf("on data before the action: %v", err)
	}
	own := corrective.ReviewFinds{Effective: true, Note: "looked", Evidence: []string{n.Steps[len(n.Steps)-1].Receipt}}
	if _, err := w.Review(ctx, by("rex"), n.ID, own); code(err) != aims.Invalid {
		t.Errorf("on the receipt of the action itself: %v", err)
	}
	w.seen = 7
	for _, who := range []corrective.By{by("otto"), {Actor: aims.Actor{Type: aims.AgentType, ID: "rex"}}} {
		if _, err := w.Review(ctx, who, n.ID, finds); code(err) != aims.Denied {
			t.Errorf("%s reviewed: %v", who.Actor, err)
		}
	}
	n = ok(w.Review(ctx, by("rex"), n.ID, finds))
	if n.State != corrective.Verified || n.Actions[0].State != corrective.Effective || n.Reviews[0].Observed.Population != 7 {
		t.Fatalf("%+v", n)
	}
	if n = ok(w.Close(ctx, by("rex"), n.ID, "")); n.State != corrective.Closed || n.Due != "" {
		t.Fatalf("%+v", n)
	}
	shown := ok(w.Nonconformity(ctx, n.ID, time.Time{}))
	if shown.Actions[0].Text != "ask" || shown.Steps[0].Words["statement"] != "a payment without approval" {
		t.Errorf("%+v", shown)
	}
}

func TestIneffectiveActionsReopen(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ok := t.Context(), must[corrective.Nonconformity](t)
	n := w.planned(corrective.ProcessAction, "no-approval")
	ok(w.Implement(ctx, by("otto"), n.ID, corrective.Implementation{Action: "a1", Note: "done"}))
	w.clock.Advance(11 * day)
	evidence := w.event()
	n = ok(w.Review(ctx, by("rex"), n.ID, corrective.ReviewFinds{Note: "again", Evidence: []string{evidence}}))
	if n.State != corrective.Reopened || n.Round != 2 || n.Actions[0].State != corrective.Ineffective {
		t.Fatalf("%+v", n)
	}
	if _, err := w.Implement(ctx, by("otto"), n.ID, corrective.Implementation{Action: "a1", Note: "done"}); code(err) != aims.Conflict {
		t.Errorf("an action of the round before: %v", err)
	}
	if n = w.plan(n.ID, corrective.TrainingAction, "no-approval", ok); n.Actions[1].ID != "a2" || n.Actions[1].Round != 2 {
		t.Errorf("%+v", n.Actions)
	}
}

func TestSameCauseComesBack(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ok := t.Context(), must[corrective.Nonconformity](t)
	first := w.closed("no-approval")

	// Raised with the key of the cause: the one that there is goes on.
	again := finding()
	again.Cause, again.Grade = "no-approval", corrective.Major
	n := ok(w.Raise(ctx, by("mara"), again))
	if n.ID != first.ID || n.State != corrective.Reopened || n.Grade != corrective.Major || n.Occurrences != 2 || n.Round != 2 {
		t.Fatalf("%+v", n)
	}
	// While it is open, it was seen once more.
	if n = ok(w.Raise(ctx, by("mara"), again)); n.ID != first.ID || n.Occurrences != 3 || n.State != corrective.Reopened {
		t.Fatalf("%+v", n)
	}
	// Found out later: the new one is merged into it.
	other := ok(w.Raise(ctx, by("mara"), finding()))
	ok(w.Correct(ctx, by("mara"), other.ID, "called back"))
	n = ok(w.Analyse(ctx, by("mara"), other.ID, corrective.CauseAnalysis{Extent: "e", RootCause: "r", Cause: "no-approval"}))
	if n.ID != first.ID || n.Occurrences != 4 {
		t.Fatalf("%+v", n)
	}
	if other = ok(w.Nonconformity(ctx, other.ID, time.Time{})); other.State != corrective.Merged || other.MergedInto != first.ID {
		t.Errorf("%+v", other)
	}
	// Another requirement is another matter.
	again.Requirement = "8.3"
	if n = ok(w.Raise(ctx, by("mara"), again)); n.ID == first.ID {
		t.Error("the cause of another requirement reopened it")
	}
}

func TestRecurrenceHasAWindow(t *testing.T) {
	w := newWorld(t, func(o *corrective.Options) { o.Recurrence = 30 * day })
	first := w.closed("no-approval")
	w.clock.Advance(31 * day)
	again := finding()
	again.Cause = "no-approval"
	n, err := w.Raise(t.Context(), by("mara"), again)
	if err != nil || n.ID == first.ID || n.State != corrective.Raised {
		t.Errorf("%+v, %v", n, err)
	}
}

// An action that changes policy is not implemented without its proof.
func TestPolicyActionNeedsProof(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	n := w.planned(corrective.PolicyAction, "no-approval")
	done := corrective.Implementation{Action: "a1", Note: "done"}
	if _, err := w.Implement(ctx, by("otto"), n.ID, done); code(err) != aims.Invalid {
		t.Errorf("without a case: %v", err)
	}
	done.Case = w.event()
	if _, err := w.Implement(ctx, by("otto"), n.ID, done); code(err) != aims.Conflict || !strings.Contains(err.Error(), "rehears") || !strings.Contains(err.Error(), "replay") {
		t.Errorf("with an empty proof: %v", err)
	}
	w.proof = corrective.PolicyProof{
		Policy: "sha256:new", Bundle: "sha256:b", Before: "allow", After: "deny",
		Replay:    corrective.ReplayProof{Policy: "sha256:new", Decided: 2, List: "sha256:l"},
		Rehearsal: corrective.RehearsalProof{Bundle: "sha256:b", Scenarios: 1, AsExpected: 1},
	}
	w.policy = "sha256:newer"
	if _, err := w.Implement(ctx, by("otto"), n.ID, done); code(err) != aims.Conflict || !strings.Contains(err.Error(), "policy in force is another") {
		t.Errorf("with the proof of another policy: %v", err)
	}
	if got, _ := w.Nonconformity(ctx, n.ID, time.Time{}); got.State != corrective.Planned {
		t.Errorf("it is %s without a proof", got.State)
	}
	w.policy = "sha256:new"
	got, err := w.Implement(ctx, by("otto"), n.ID, done)
	if err != nil || got.State != corrective.Implemented || got.Actions[0].Proof.Case != done.Case {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWaivingIsForOthers(t *testing.T) {
	w := newWorld(t, nil)
	n := w.planned(corrective.ProcessAction, "no-approval")
	for _, who := range []string{"mara", "otto"} { // who answers for it, who owns an action
		if _, err := w.Waive(t.Context(), by(who), n.ID, "it is fine"); code(err) != aims.Denied {
			t.Errorf("%s waived: %v", who, err)
		}
	}
	got, err := w.Waive(t.Context(), by("rex"), n.ID, "it is fine")
	if err != nil || got.State != corrective.Waived || got.Actions[0].State != corrective.Dropped {
		t.Errorf("%+v, %v", got, err)
	}
}

// What is refused leaves nothing in the tables and nothing in the log.
func TestRefusedStepsLeaveNothingBehind(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	n := must[corrective.Nonconformity](t)(w.Raise(ctx, by("mara"), finding()))
	size := w.ledger.Size()
	unknown, noReceipt, noGrade := finding(), finding(), finding()
	unknown.Requirement, noReceipt.Evidence, noGrade.Grade = "A.11.1", []string{aims.NewID("rcp")}, "closed"
	for what, f := range map[string]corrective.NewNonconformity{"an unknown requirement": unknown, "a made-up receipt": noReceipt, "a made-up grade": noGrade} {
		if _, err := w.Raise(ctx, by("mara"), f); code(err) != aims.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.Close(ctx, by("mara"), n.ID, ""); code(err) != aims.Conflict {
		t.Errorf("closed at once: %v", err)
	}
	if _, err := w.Correct(ctx, by("mara"), "nc_none", "x"); code(err) != aims.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
	if w.ledger.Size() != size {
		t.Errorf("the log has %d entries more", w.ledger.Size()-size)
	}
}

// A concern of somebody who does not say who they are: what they wrote is in the
// vault and nowhere else, and nothing leads to them.
func TestConcernOfNobody(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	const secret = "my manager oona switched the guard off"
	c, token, err := w.ReportAnonymously(ctx, secret)
	if err != nil || c.Reporter != nil || c.State != corrective.Reported {
		t.Fatalf("%+v, %v", c, err)
	}
	ok := must[corrective.Concern](t)
	ok(w.Acknowledge(ctx, by("mara"), c.ID, "we read it"))
	ok(w.Triage(ctx, by("mara"), c.ID, corrective.Security, "hana", "look at the guard"))
	ok(w.Answer(ctx, by("hana"), c.ID, "it is on again"))
	seen := ok(w.Follow(ctx, token))
	shown, err := json.Marshal(seen)
	if err != nil || !bytes.Contains(shown, []byte(secret)) || !bytes.Contains(shown, []byte("it is on again")) {
		t.Errorf("%s, %v", shown, err)
	}
	for _, hidden := range []string{"hana", "mara", "look at the guard", "security"} {
		if bytes.Contains(shown, []byte(hidden)) {
			t.Errorf("the reporter sees %q", hidden)
		}
	}
	if seen = ok(w.Supplement(ctx, token, "oona did it again")); seen.State != corrective.Triaged {
		t.Errorf("it is %s after more was said", seen.State)
	}
	if _, err := w.Follow(ctx, "concern_wrong"); code(err) != aims.NotFound {
		t.Errorf("a made-up token: %v", err)
	}
	for leaf, err := range w.ledger.Entries(ctx, 0, w.ledger.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := receipt.DecodeEvent(leaf.Body)
		if err != nil || bytes.Contains(leaf.Raw, []byte("oona")) || bytes.Contains(leaf.Raw, []byte(token)) {
			t.Fatalf("the log: %s, %v", leaf.Raw, err)
		}
		if unnamed := e.Name == "concern.reported" || e.Name == "concern.supplemented"; unnamed && (e.Actor != receipt.Party(aims.System) || e.Decision != "") {
			t.Errorf("the log says who it was: %s", leaf.Body)
		}
	}
	w.eraseAll()
	if seen = ok(w.Follow(ctx, token)); !seen.Steps[0].Erased || len(seen.Steps[0].Words) > 0 {
		t.Errorf("%+v", seen.Steps[0])
	}
	w.log.Close()
	w.neverOnDisk("oona", token)
}

// eraseAll erases what people wrote.
func (w *world) eraseAll() {
	w.t.Helper()
	_, err := w.ledger.Erase(w.t.Context(), ledger.Erasure{
		Erasure: receipt.Erasure{From: 0, To: w.ledger.Size() - 1, Names: []string{receipt.InputPayload}, Rule: "test"}, Actor: aims.System,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// neverOnDisk looks through the files of the database, if it has files.
func (w *world) neverOnDisk(texts ...string) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(w.log.Place.File + suffix)
		if err != nil {
			continue
		}
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				w.t.Errorf("%s%s holds %q", w.log.Place.File, suffix, text)
			}
		}
	}
}

func TestAnonymousReportsAreBounded(t *testing.T) {
	w := newWorld(t, func(o *corrective.Options) { o.AnonymousPerHour = 2 })
	for i, want := range []aims.Code{"", "", aims.Exhausted} {
		if _, _, err := w.ReportAnonymously(t.Context(), "x"); code(err) != want {
			t.Errorf("report %d: %v", i, err)
		}
	}
	w.clock.Advance(30 * time.Minute)
	if _, _, err := w.ReportAnonymously(t.Context(), "x"); err != nil {
		t.Errorf("half an hour later: %v", err)
	}
	if _, _, err := w.ReportConcern(t.Context(), by("ada"), "x"); err != nil {
		t.Errorf("by name: %v", err)
	}
	w = newWorld(t, func(o *corrective.Options) { o.Anonymous = false })
	if _, _, err := w.ReportAnonymously(t.Context(), "x"); code(err) != aims.Denied {
		t.Errorf("where the operator does not have it: %v", err)
	}
}

func TestNobodyHandlesTheirOwnConcern(t *testing.T) {
	w := newWorld(t, nil)
	c, _, err := w.ReportConcern(t.Context(), by("mara"), "x")
	if err != nil || *c.Reporter != by("mara").Actor {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := w.Acknowledge(t.Context(), by("mara"), c.ID, ""); code(err) != aims.Denied {
		t.Errorf("acknowledged their own: %v", err)
	}
	must[corrective.Concern](t)(w.Acknowledge(t.Context(), by("rex"), c.ID, ""))
	if _, err := w.Triage(t.Context(), by("rex"), c.ID, corrective.Safety, "mara", ""); code(err) != aims.Denied {
		t.Errorf("given to its reporter: %v", err)
	}
}

func TestIncidentIsClosedWhenPeopleWereTold(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ok := t.Context(), must[corrective.Incident](t)
	future := corrective.NewIncident{Severity: corrective.High, Statement: "x", Happened: w.clock.Now().Add(time.Hour)}
	if _, err := w.ReportIncident(ctx, by("otto"), future); code(err) != aims.Invalid {
		t.Errorf("from the future: %v", err)
	}
	i := ok(w.ReportIncident(ctx, by("otto"), corrective.NewIncident{Severity: corrective.High, Statement: "a stranger was paid", Happened: w.clock.Now()}))
	ok(w.Contain(ctx, by("mara"), i.ID, "stopped"))
	ok(w.Resolve(ctx, by("mara"), i.ID, "paid back"))
	if _, err := w.CloseIncident(ctx, by("mara"), i.ID, ""); code(err) != aims.Conflict {
		t.Errorf("closed without a decision: %v", err)
	}
	ok(w.DecideNotification(ctx, by("mara"), i.ID, []corrective.Notice{{To: "users", Due: w.date(day)}}, "their money"))
	if _, err := w.Notified(ctx, by("mara"), i.ID, "press", ""); code(err) != aims.Conflict {
		t.Errorf("somebody was told whom nobody decided: %v", err)
	}
	if _, err := w.CloseIncident(ctx, by("mara"), i.ID, ""); code(err) != aims.Conflict {
		t.Errorf("closed before they were told: %v", err)
	}
	ok(w.Notified(ctx, by("mara"), i.ID, "users", "we are sorry"))
	f := finding()
	f.Source, f.Incident = corrective.FromIncident, i.ID
	n := must[corrective.Nonconformity](t)(w.Raise(ctx, by("mara"), f))
	if i = ok(w.CloseIncident(ctx, by("mara"), i.ID, "")); i.State != corrective.Closed || i.Nonconformities[0] != n.ID || i.Notify != corrective.Notify {
		t.Errorf("%+v", i)
	}
}

// busy is an installation in which much has happened.
func busy(t *testing.T) *world {
	w := newWorld(t, nil)
	ctx := t.Context()
	w.closed("no-approval")
	again := finding()
	again.Cause = "no-approval"
	must[corrective.Nonconformity](t)(w.Raise(ctx, by("mara"), again))
	w.planned(corrective.TrainingAction, "other")
	better := finding()
	better.Grade = corrective.Opportunity
	must[corrective.Nonconformity](t)(w.Raise(ctx, by("mara"), better))
	i := must[corrective.Incident](t)(w.ReportIncident(ctx, by("otto"), corrective.NewIncident{Severity: corrective.Low, Statement: "x", Happened: w.clock.Now()}))
	must[corrective.Incident](t)(w.Assess(ctx, by("mara"), i.ID, corrective.High, "users"))
	if _, _, err := w.ReportAnonymously(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	return w
}

// The tables hold what the log amounts to, and nothing else.
func TestTablesAreWhatTheLogAmountsTo(t *testing.T) {
	w := busy(t)
	ctx := t.Context()
	fold, err := corrective.Fold(w.ledger.Entries(ctx, 0, w.ledger.Size()), w.o)
	if err != nil {
		t.Fatal(err)
	}
	ncs := must[[]corrective.Nonconformity](t)(w.Nonconformities(ctx, corrective.Filter{}))
	incidents := must[[]corrective.Incident](t)(w.Incidents(ctx, corrective.Filter{}))
	concerns := must[[]corrective.Concern](t)(w.Concerns(ctx, corrective.Filter{}))
	unexported := cmpopts.IgnoreUnexported(corrective.Nonconformity{}, corrective.Concern{})
	got := corrective.Cases{Nonconformities: map[string]*corrective.Nonconformity{}, Incidents: map[string]*corrective.Incident{}, Concerns: map[string]*corrective.Concern{}}
	for i := range ncs {
		got.Nonconformities[ncs[i].ID] = &ncs[i]
	}
	for i := range incidents {
		got.Incidents[incidents[i].ID] = &incidents[i]
	}
	for i := range concerns {
		got.Concerns[concerns[i].ID] = &concerns[i]
	}
	if len(ncs) != 3 || len(incidents) != 1 || len(concerns) != 1 {
		t.Fatalf("%d nonconformities, %d incidents, %d concerns", len(ncs), len(incidents), len(concerns))
	}
	if diff := cmp.Diff(fold, got, unexported); diff != "" {
		t.Errorf("the log and the tables differ (-log +tables):\n%s", diff)
	}
	// The table of states says the same as the steps.
	states := map[string]string{}
	err = w.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT id, state FROM corrective_case`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, state string
			if err := rows.Scan(&id, &state); err != nil {
				return err
			}
			states[id] = state
		}
		return rows.Err()
	})
	want := map[string]string{}
	for id, n := range fold.Nonconformities {
		want[id] = string(n.State)
	}
	for id, i := range fold.Incidents {
		want[id] = string(i.State)
	}
	for id, c := range fold.Concerns {
		want[id] = string(c.State)
	}
	if diff := cmp.Diff(want, states); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// A state that somebody writes into the database past everything changes
// nothing: what happened says what the state is.
func TestStateCannotBeWritten(t *testing.T) {
	w := newWorld(t, nil)
	n := must[corrective.Nonconformity](t)(w.Raise(t.Context(), by("mara"), finding()))
	err := w.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE corrective_case SET state = 'verified'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := must[corrective.Nonconformity](t)(w.Nonconformity(t.Context(), n.ID, time.Time{})); got.State != corrective.Raised {
		t.Errorf("it is %s", got.State)
	}
	if _, err := w.Close(t.Context(), by("rex"), n.ID, ""); code(err) != aims.Conflict {
		t.Errorf("closed by a written state: %v", err)
	}
}

func TestAsOf(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ok := t.Context(), must[corrective.Nonconformity](t)
	type moment struct {
		at    time.Time
		state corrective.State
	}
	n := ok(w.Raise(ctx, by("mara"), finding()))
	moments := []moment{{w.clock.Now(), corrective.Raised}}
	w.clock.Advance(time.Hour)
	ok(w.Correct(ctx, by("mara"), n.ID, "x"))
	moments = append(moments, moment{w.clock.Now().Add(-time.Microsecond), corrective.Raised}, moment{w.clock.Now(), corrective.Corrected})
	w.clock.Advance(time.Hour)
	ok(w.Withdraw(ctx, by("mara"), n.ID, "x"))
	moments = append(moments, moment{w.clock.Now().Add(-time.Microsecond), corrective.Corrected}, moment{w.clock.Now(), corrective.Withdrawn}, moment{time.Time{}, corrective.Withdrawn})
	for _, m := range moments {
		if got := ok(w.Nonconformity(ctx, n.ID, m.at)); got.State != m.state {
			t.Errorf("at %s it was %s, want %s", m.at, got.State, m.state)
		}
		list := must[[]corrective.Nonconformity](t)(w.Nonconformities(ctx, corrective.Filter{At: m.at, Open: true}))
		if open := m.state != corrective.Withdrawn; (len(list) == 1) != open {
			t.Errorf("at %s: %d are open", m.at, len(list))
		}
	}
	if _, err := w.Nonconformity(ctx, n.ID, moments[0].at.Add(-time.Microsecond)); code(err) != aims.NotFound {
		t.Errorf("before it was raised: %v", err)
	}
}

func TestOverdue(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	n := w.planned(corrective.ProcessAction, "no-approval")
	c, _, err := w.ReportAnonymously(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	what := func(at time.Duration) (out []string) {
		for _, d := range must[[]corrective.Duty](t)(w.Overdue(ctx, w.clock.Now().Add(at))) {
			out = append(out, d.ID+" "+d.What+" "+d.Owner)
		}
		return out
	}
	if got := what(5 * day); got != nil {
		t.Errorf("on its last day: %q", got)
	}
	want := []string{n.ID + " action a1 otto"}
	if diff := cmp.Diff(want, what(6*day)); diff != "" {
		t.Error(diff)
	}
	want = append(want, c.ID+" acknowledgement ")
	if diff := cmp.Diff(want, what(8*day)); diff != "" {
		t.Error(diff)
	}
}
