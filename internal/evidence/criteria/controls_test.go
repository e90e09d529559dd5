package criteria

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

// ofControls are the criteria of the 38 controls.
func ofControls() []Criterion {
	return slices.DeleteFunc(All(), func(c Criterion) bool { return !strings.HasPrefix(c.Requirement, "A.") })
}

func TestCompanyMeetsEveryControl(t *testing.T) {
	w := controlled()
	for _, c := range ofControls() {
		if r := w.result(t, c.ID); r.Outcome != Met || r.Population == 0 || len(r.Receipts) == 0 {
			t.Errorf("%s: %s of %d %s, %d receipts (%s): %s", c.ID, r.Outcome, r.Population, r.Of, len(r.Receipts), c.Text, r.reason())
		}
	}
}

// Each control fails by each fault that it claims to find, names the record, and
// contradicts whoever attests it all the same.
func TestOneFaultOfAControlIsNamed(t *testing.T) {
	tried, controls := map[string]bool{}, map[string]bool{}
	known := map[string]bool{}
	for _, c := range ofControls() {
		known[c.ID] = true
	}
	for _, f := range slices.Concat(policyFaults(), resourceFaults(), assessmentFaults(), developmentFaults(), inUseFaults(), dataFaults(), informationFaults(), thirdPartyFaults()) {
		if !known[f.criterion] {
			t.Errorf("%s is tried and no criterion of a control", f.criterion)
			continue
		}
		requirement, _, _ := strings.Cut(f.criterion, "/")
		tried[f.criterion], controls[requirement] = tried[f.criterion] || f.outcome != Met, true
		t.Run(f.criterion+" "+f.says, func(t *testing.T) {
			w := controlled()
			f.try(t, w)
			if f.outcome != NotMet {
				return
			}
			attest(w, requirement, "2027-06-30")
			if s := w.status(t, requirement); s.State != Contradiction || !strings.Contains(s.Reasons[0], "olga attested") {
				t.Errorf("attested and not met, %s is %s: %q", requirement, s.State, s.Reasons)
			}
		})
	}
	for _, c := range ofControls() {
		if !tried[c.ID] {
			t.Errorf("no fault is tried for %s", c.ID)
		}
	}
	if len(controls) != len(iso42001.Controls()) {
		t.Errorf("%d controls are tried, expected %d", len(controls), len(iso42001.Controls()))
	}
}

// Whatever text a control rests on, once retention erased it the control is
// unavailable, with the rule and the day, and never shown.
func TestErasedTextOfAControlIsNeverAPass(t *testing.T) {
	for _, c := range ofControls() {
		for _, kind := range c.Reads {
			w := controlled()
			w.Registers.Each(func(k, id string, _ any) {
				if k == kind && len(w.erased) == 0 {
					w.erased = []record.Key{{Kind: k, ID: id}}
				}
			})
			if len(w.erased) == 0 {
				continue // the company has no such record
			}
			attest(w, c.Requirement, "2027-06-30")
			s := w.status(t, c.Requirement)
			r, _ := find(s.Results, func(r Result) bool { return r.Criterion == c.ID })
			why := strings.Join(s.Reasons, "\n")
			if r.Outcome != Unavailable || !strings.Contains(why, `under rule "nine months" on 2026-11-01`) || s.State == Shown || s.State == Evidence {
				t.Errorf("%s with an erased %s is %s, %s: %s", c.ID, kind, r.Outcome, s.State, why)
			}
		}
	}
}

// An earlier version that was erased cannot be read any more, whatever the
// present one says.
func TestErasedVersionOfAnAssessment(t *testing.T) {
	w := controlled()
	in := w.input()
	key := record.Key{Kind: "impact_assessment", ID: "impact-billing"}
	before := in.Registers.Versions[key]
	before.Digest, before.Index = "sha256:before", 0
	now := in.Registers.Versions[key]
	now.Number = 2
	in.Registers.Versions[key] = now
	in.Registers.Changes = map[record.Key][]record.Version{key: {before, now}}
	result := func() Result {
		all, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := find(all, func(s Status) bool { return s.ID == "A.5.3" })
		return s.Results[0]
	}
	if r := result(); r.Outcome != Met || r.Population != 3 {
		t.Fatalf("%s of %d versions: %s", r.Outcome, r.Population, r.reason())
	}
	in.Observed.Erasures = []observed.Erasure{{Event: observed.Event{At: at("2026-11-01")}, Names: []string{"input"}, Rule: "nine months"}}
	if r := result(); r.Outcome != Unavailable || !strings.Contains(r.Note, `version 1 of impact_assessment/impact-billing was erased under rule "nine months" on 2026-11-01`) {
		t.Errorf("%s: %s", r.Outcome, r.Note)
	}
}

// Payloads of decisions that were erased before an audit decided them again leave
// a clause unavailable, with the rule and the day.
func TestErasedPayloadsOfDecisions(t *testing.T) {
	w := company()
	w.o.Tests = w.o.Tests[:2]
	erase(w, 41_000, "2026-11-20")
	attest(w, "8.1", "2027-06-30")
	s := w.status(t, "8.1")
	if s.State == Shown || s.State == Evidence || !strings.Contains(strings.Join(s.Reasons, "\n"), `erased under rule "half a year" on 2026-11-20`) {
		t.Errorf("%s: %q", s.State, s.Reasons)
	}
}

// People whose days are not over are neither an exception nor a pass.
func TestDaysThatAreNotOver(t *testing.T) {
	w := controlled()
	forgetful(w)
	w.unmark(record.Approve, "document", "ai-policy")
	w.mark(record.Approve, "document", "ai-policy", "ceo", "2026-11-10")
	if r := w.result(t, "5.2/2"); r.Outcome != Met || r.Population != 3 || r.FreshUntil != "2026-12-11" || !strings.Contains(r.Note, "1 with days left") {
		t.Errorf("%s of %d, until %s: %s", r.Outcome, r.Population, r.FreshUntil, r.Note)
	}
	w.marks = slices.DeleteFunc(w.marks, func(m record.Mark) bool { return m.Kind == record.Acknowledge })
	if r := w.result(t, "5.2/2"); r.Outcome != NothingYet {
		t.Errorf("nobody acknowledged and everybody has days left: %s of %d", r.Outcome, r.Population)
	}
	w.o.Cases = map[string]*observed.Case{
		"con-2": {Kind: "concern", ID: "con-2", Opened: at("2026-11-20"), Events: map[string]int64{}},
		"inc-2": {Kind: "incident", ID: "inc-2", Opened: at("2026-11-22"), Events: map[string]int64{}},
	}
	for _, id := range []string{"A.3.3/2", "A.8.3/2", "A.8.4/1"} {
		if r := w.result(t, id); r.Outcome != NothingYet || r.FreshUntil == "" {
			t.Errorf("%s of what came yesterday: %s of %d, until %q", id, r.Outcome, r.Population, r.FreshUntil)
		}
	}
}

// What is dated in the future shows no more than what has no date at all.
func TestTheFutureIsNoEvidence(t *testing.T) {
	better := map[Outcome]int{NotMet: 0, OutOfDate: 1, Unavailable: 1, NothingYet: 1, Met: 2}
	for _, kind := range record.Kinds() {
		for _, field := range datesOf(kind.Name) {
			dated := func(d record.Date) map[string]Result {
				w := controlled()
				w.date(kind.Name, field, d)
				return rows(t, w)
			}
			none, future := dated(""), dated("2027-05-01")
			for _, c := range ofControls() {
				if better[future[c.ID].Outcome] > better[none[c.ID].Outcome] {
					t.Errorf("%s is %s with %s of each %s in 2027, and %s without", c.ID, future[c.ID].Outcome, field, kind.Name, none[c.ID].Outcome)
				}
			}
		}
	}
}

// What happened after the period is no evidence for it.
func TestTheLogAfterThePeriodIsNoEvidence(t *testing.T) {
	w := controlled()
	w.from, w.until = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)
	for _, id := range []string{"A.3.2/2", "A.3.3/2", "A.6.2.4/2", "A.6.2.4/3", "A.6.2.8/2", "A.8.3/2", "A.8.4/1"} {
		if r := w.result(t, id); r.Outcome != NothingYet {
			t.Errorf("%s of the second quarter is %s by what came later: %s", id, r.Outcome, r.reason())
		}
	}
	for _, id := range []string{"A.6.1.3/1", "A.6.2.6/2"} {
		if r := w.result(t, id); r.Outcome != NotMet {
			t.Errorf("%s of the second quarter is %s by what came later", id, r.Outcome)
		}
	}
}

func TestEveryCriterionSaysWhatToDo(t *testing.T) {
	todo, first := remedies(), beginnings()
	for _, c := range All() {
		for _, s := range []string{c.Remedy, cmp.Or(c.Begin, c.Remedy)} {
			if s == "" || !strings.HasSuffix(s, ".") || s[:1] != strings.ToUpper(s[:1]) {
				t.Errorf("%s says %q to do", c.ID, s)
			}
		}
		delete(todo, c.ID)
		delete(first, c.ID)
	}
	maps.Copy(todo, first)
	for id := range todo {
		t.Errorf("something is to be done for %s, which does not exist", id)
	}
	for _, s := range []*world{empty(), company()} {
		all, err := Evaluate(s.input())
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range all {
			for _, r := range status.Results {
				if (r.Remedy == "") != (r.Outcome == Met) {
					t.Errorf("%s is %s and says %q to do", r.Criterion, r.Outcome, r.Remedy)
				}
			}
		}
	}
}

func TestVerbsAgree(t *testing.T) {
	for one, more := range map[string]string{
		"has no owner": "have no owner", "was never reviewed": "were never reviewed", "supplies a model": "supply a model", "uses it": "use it",
		"names nothing": "name nothing", "passed the gate": "passed the gate", "does not say": "do not say",
	} {
		if got := agree(one, 2); got != more || agree(one, 1) != one {
			t.Errorf("several %q, expected %q", got, more)
		}
	}
}
