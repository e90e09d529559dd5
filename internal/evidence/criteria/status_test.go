package criteria

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

func TestSeventyInTheOrderOfTheStandard(t *testing.T) {
	for _, w := range []*world{empty(), company()} {
		all, err := Evaluate(w.input())
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, s := range all {
			got = append(got, s.ID)
		}
		for _, r := range iso42001.Requirements() {
			want = append(want, r.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 70 {
			t.Errorf("%d rows: %s", len(got), diff)
		}
	}
}

func TestWithoutALogThereIsAnAnswer(t *testing.T) {
	in := company().input()
	in.Observed = nil
	all, err := Evaluate(in)
	if err != nil || len(all) != 70 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
}

// attest adds an attestation of a requirement.
func attest(w *world, requirement string, until record.Date) {
	w.mark(record.Attest, record.OnRequirement, requirement, "olga", "2026-11-01")
	w.marks[len(w.marks)-1].Until = until
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		name        string
		requirement string
		state       State
		says        string
		change      func(*world)
	}{
		{"nothing", "4.3", NothingToShow, "Nothing to show yet: no statements of the scope", func(w *world) { *w = *empty() }},
		{"attested and nothing there", "4.3", NothingToShow, "no record shows it", func(w *world) { *w = *empty(); attest(w, "4.3", "2027-01-01") }},
		{"met, not attested", "4.3", Evidence, "a person has yet to attest", func(*world) {}},
		{"met and attested", "4.3", Shown, "", func(w *world) { attest(w, "4.3", "2027-01-01") }},
		{"attested to its last day", "4.3", Shown, "", func(w *world) { attest(w, "4.3", "2026-11-23") }},
		{"the attestation ended", "4.3", Stale, "ended on 2026-11-22", func(w *world) { attest(w, "4.3", "2026-11-22") }},
		{"the attestation was withdrawn", "4.3", Evidence, "yet to attest", func(w *world) {
			attest(w, "4.3", "2027-01-01")
			w.mark(record.Withdraw, record.OnRequirement, "4.3", "olga", "2026-11-02")
		}},
		{"exceptions", "4.2", Exceptions, "customers", func(w *world) { w.Parties[0].Requirements = nil }},
		{"attested and exceptions", "4.2", Contradiction, "this contradiction is a finding", func(w *world) { w.Parties[0].Requirements = nil; attest(w, "4.2", "2027-01-01") }},
		{"an attestation that ended contradicts nothing", "4.2", Exceptions, "customers", func(w *world) { w.Parties[0].Requirements = nil; attest(w, "4.2", "2026-11-01") }},
		{"out of date", "6.1.4", Stale, "ended on 2026-11-20", func(w *world) { w.Impacts[0].ReviewBy = "2026-11-20" }},
		{"out of date and attested", "6.1.4", Stale, "ended on 2026-11-20", func(w *world) { w.Impacts[0].ReviewBy = "2026-11-20"; attest(w, "6.1.4", "") }},
		{"the newest evidence is old", "7.5.3", Stale, "counted until 2026-11-05", func(w *world) {
			w.from = w.from.AddDate(0, -2, 0)
			w.o.Tests[0].At = at("2026-08-05")
		}},
		{"some met, some empty", "7.5.3", Partial, "Nothing to show yet", func(w *world) { w.o.Tests = w.o.Tests[1:] }},
		{"some met, some erased", "8.1", Partial, "under rule \"half a year\" on 2026-11-20", func(w *world) { w.o.Tests = w.o.Tests[:2]; erase(w, 41_000, "2026-11-20") }},
		{"ceiling manual needs a person", "9.3.1", Evidence, "yet to attest", func(*world) {}},
		{"ceiling manual with a person", "9.3.1", Shown, "", func(w *world) { attest(w, "9.3.1", "2027-01-01") }},
		{"left out", "A.2.2", NotApplicable, "not for us", func(w *world) { leaveOut(w); w.mark(record.Approve, "applicability", "A.2.2", "ceo", "2026-09-12") }},
		{"left out with nothing in its place", "A.2.2", NotApplicable, "approved by ceo", func(w *world) {
			leaveOut(w)
			w.mark(record.Approve, "applicability", "A.2.2", "ceo", "2026-09-12")
			w.Documents, w.o.Rules = nil, nil
		}},
		{"left out without a reason", "A.2.2", Exceptions, "no justification", func(w *world) {
			leaveOut(w)
			w.Applicability[0].Justification = " "
			w.mark(record.Approve, "applicability", "A.2.2", "ceo", "2026-09-12")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := company()
			c.change(w)
			s := w.status(t, c.requirement)
			if s.State != c.state || !strings.Contains(strings.Join(s.Reasons, "\n"), c.says) {
				t.Errorf("%s is %s, expected %s and %q: %q", s.ID, s.State, c.state, c.says, s.Reasons)
			}
			if done := s.State == Shown; done && len(s.Reasons) > 0 {
				t.Errorf("nothing is left to do, and there are reasons: %q", s.Reasons)
			}
		})
	}
}

// leaveOut leaves a control out without anybody's approval.
func leaveOut(w *world) {
	w.Applicability[0].Applicable, w.Applicability[0].Justification = no(), "not for us"
	w.unmark(record.Approve, "applicability", "A.2.2")
}

func TestLeftOutWithoutApprovalIsLookedAt(t *testing.T) {
	w := company()
	leaveOut(w)
	if s := w.status(t, "A.2.2"); s.State == NotApplicable || !strings.Contains(strings.Join(s.Reasons, " "), "no approval") {
		t.Errorf("%s: %q", s.State, s.Reasons)
	}
	w.mark(record.Approve, "applicability", "A.2.2", author, "2026-09-12")
	if s := w.status(t, "A.2.2"); s.State == NotApplicable {
		t.Error("its author's own approval leaves a control out")
	}
}

func TestReasonsNameWho(t *testing.T) {
	w := company()
	w.unmark(record.Approve, "impact_assessment", "impact-billing")
	w.unmark(record.Approve, "impact_assessment", "impact-support")
	third := w.Agents[0]
	third.ID = "third"
	third.NoImpact = "it only counts"
	w.Agents = append(w.Agents, third)
	want := "2 of 3 agents in scope have no approved impact assessment: billing, support."
	if s := w.status(t, "6.1.4"); !slices.ContainsFunc(s.Reasons, func(why string) bool { return strings.HasPrefix(why, want) }) {
		t.Errorf("no reason %q in %q", want, s.Reasons)
	}
}

func TestOwnerDueAndSince(t *testing.T) {
	w := company()
	s := w.status(t, "4.3")
	if s.Owner != "olga" || s.Due != "2026-12-31" {
		t.Errorf("owner %q, due %q", s.Owner, s.Due)
	}
	w.Owners[2].Due = "2026-11-01"
	w.Scope[0].Statement = "another"
	w.unmark(record.Approve, "scope", "scope")
	if s := w.status(t, "4.3"); !strings.Contains(strings.Join(s.Reasons, " "), "It was to be in place by 2026-11-01.") {
		t.Errorf("what is overdue does not say so: %q", s.Reasons)
	}
	attest(w, "4.2", "")
	s = w.status(t, "4.2")
	if want := time.UnixMicro(at("2026-11-01")).UTC().Format(time.RFC3339); s.State != Shown || s.Since != want || s.Attestation == nil || s.Attestation.By != "olga" {
		t.Errorf("%s since %q, expected %q, by %+v", s.State, s.Since, want, s.Attestation)
	}
}

func TestErasedTextIsNeverAPass(t *testing.T) {
	for _, c := range []struct{ criterion, kind, id string }{
		{"4.3/1", "scope", "scope"}, {"5.2/1", "document", "ai-policy"}, {"6.1.2/2", "risk", "leak"},
		{"6.1.4/1", "impact_assessment", "impact-billing"}, {"8.3/1", "treatment", "hold"}, {"9.2.1/1", "audit", "ia-1"},
	} {
		w := company()
		w.erased = []record.Key{{Kind: c.kind, ID: c.id}}
		r := w.result(t, c.criterion)
		for _, part := range []string{c.kind + "/" + c.id, "nine months", "2026-11-01"} {
			if r.Outcome != Unavailable || !strings.Contains(r.Note, part) {
				t.Errorf("%s: %s, and the note does not name %s: %s", c.criterion, r.Outcome, part, r.Note)
			}
		}
		requirement, _, _ := strings.Cut(c.criterion, "/")
		attest(w, requirement, "")
		w.o.Erasures = nil
		if s := w.status(t, requirement); s.State == Shown || s.State == Evidence {
			t.Errorf("%s is %s with erased evidence", requirement, s.State)
		}
	}
	// An exception is as little known as a pass.
	w := company()
	w.Scope[0].ReviewBy = "2026-01-01"
	w.erased = []record.Key{{Kind: "scope", ID: "scope"}}
	if r := w.result(t, "4.3/1"); r.Outcome != Unavailable {
		t.Errorf("%s of an erased scope", r.Outcome)
	}
}

func TestUnknownIDsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*world){
		"requirement_owner/4.9": func(w *world) { w.Owners[0].ID = "4.9" },
		"applicability/A.6.1.9": func(w *world) { w.Applicability[0].ID = "A.6.1.9" },
		"document/ai-policy":    func(w *world) { w.Documents[0].Requirements = []string{"A.2.1"} },
		"risk/leak":             func(w *world) { w.Risks[1].Controls = []string{"A.11.1"} },
		"treatment/hold":        func(w *world) { w.Treatments[0].Controls = []string{"9.2"} },
		"own_criterion/mine":    func(w *world) { w.OwnCriteria = []record.OwnCriterion{{Base: base("mine", ""), Requirement: "11.1"}} },
		"audit/ia-1":            func(w *world) { w.Audits[0].Requirements = []string{"A.66"} },
		"audit_programme/2026":  func(w *world) { w.AuditProgrammes[0].Audits[0].Requirements = []string{"12"} },
		"the mark of olga":      func(w *world) { attest(w, "A.1", "") },
	} {
		w := company()
		change(w)
		all, err := Evaluate(w.input())
		var unknown *iso42001.UnknownError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), name) || all != nil {
			t.Errorf("%s: %d rows, %v", name, len(all), err)
		}
	}
	in := company().input()
	in.Own = []Result{{Criterion: "mine", Requirement: "4.5"}}
	if _, err := Evaluate(in); err == nil {
		t.Error("a result of a requirement that does not exist is taken")
	}
}

func TestOwnCriteriaCount(t *testing.T) {
	in := company().input()
	in.Own = []Result{{Criterion: "own", Requirement: "4.3", Text: "mine", Outcome: NotMet, Of: "sites", Population: 1, Exceptions: []Exception{{On: "site/berlin", Text: "has no sign"}}}}
	all, err := Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := find(all, func(s Status) bool { return s.ID == "4.3" })
	if s.State != Exceptions || !slices.Contains(s.Reasons, "site/berlin has no sign.") {
		t.Errorf("%s: %q", s.State, s.Reasons)
	}
}

func TestMeasuresOfRecords(t *testing.T) {
	w := company()
	forgetful(w)
	m, ok := find(Measures(), func(m Measure) bool { return m.ID == "policy-known-share" })
	if !ok {
		t.Fatal("the measure is gone")
	}
	if v, of := m.Value(w.input()); v != 0.75 || of != 4 {
		t.Errorf("%v of %d people, expected 0.75 of 4", v, of)
	}
	if v, of := m.Value(empty().input()); v != 0 || of != 0 {
		t.Errorf("%v of %d in an empty world", v, of)
	}
}

// rows are the results by criterion, without those that look at other requirements.
func rows(t rapid.TB, w *world) map[string]Result {
	all, err := Evaluate(w.input())
	if err != nil {
		t.Fatal(err)
	}
	joins := map[string]bool{}
	for _, c := range All() {
		joins[c.ID] = c.Joins
	}
	out := map[string]Result{}
	for _, s := range all {
		for _, r := range s.Results {
			if !joins[r.Criterion] {
				out[r.Criterion] = r
			}
		}
	}
	return out
}

// thinned is the company with parts of the records and of the log missing.
func thinned(t *rapid.T) *world {
	w := company()
	gone := func(name string) bool { return rapid.Bool().Draw(t, name) }
	if gone("people") {
		w.People, w.Assignments = nil, nil
	}
	if gone("risks") {
		w.Risks, w.Treatments = nil, nil
	}
	if gone("documents") {
		w.Documents = nil
	}
	if gone("agents") {
		w.Agents, w.Impacts = nil, nil
	}
	if gone("performance") {
		w.Audits, w.ManagementReviews, w.Monitoring, w.Certification = nil, nil, nil, nil
	}
	if gone("log") {
		w.o = &observed.Facts{}
	}
	if gone("marks") {
		w.marks = nil
	}
	if gone("period") {
		w.until = w.until.AddDate(0, rapid.IntRange(1, 24).Draw(t, "months"), 0)
		w.from = w.until.AddDate(0, -3, 0)
	}
	return w
}

func TestNeverMetWithoutAPopulationAndAlwaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := thinned(t).input()
		first, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Evaluate(in)
		if diff := cmp.Diff(first, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("two evaluations of one input differ:\n%s", diff)
		}
		for _, s := range first {
			for _, r := range s.Results {
				real := slices.ContainsFunc(r.Exceptions, func(e Exception) bool { return !e.OutOfDate })
				if r.Outcome == Met && (r.Population == 0 || len(r.Exceptions) > 0) {
					t.Fatalf("%s is met with a population of %d and %d exceptions", r.Criterion, r.Population, len(r.Exceptions))
				}
				if (r.Outcome == NotMet) != real || len(r.Exceptions) > r.Population {
					t.Fatalf("%s is %s with %d exceptions in %d", r.Criterion, r.Outcome, len(r.Exceptions), r.Population)
				}
				if r.Outcome != Met && r.reason() == "" {
					t.Fatalf("%s is %s without a reason", r.Criterion, r.Outcome)
				}
			}
			if (s.State == Shown || s.State == Evidence) && slices.ContainsFunc(s.Results, func(r Result) bool { return r.Outcome != Met }) {
				t.Fatalf("%s is %s, and not every criterion is met", s.ID, s.State)
			}
		}
	})
}

// An added record changes what asks for its kind, and nothing else.
func TestUnrelatedRecordsChangeNothing(t *testing.T) {
	added := map[string]func(*world){
		"compute": func(w *world) { w.Compute = append(w.Compute, record.Compute{Base: base("x", ""), Name: "x"}) },
		"evaluation": func(w *world) {
			w.Evaluations = append(w.Evaluations, record.Evaluation{Base: base("x", ""), Agent: "support"})
		},
		"threat": func(w *world) { w.Threats = append(w.Threats, record.Threat{Base: base("x", ""), Title: "x"}) },
		"communication": func(w *world) {
			w.Communications = append(w.Communications, record.Communication{Base: base("x", ""), Topic: "other"})
		},
		"access_review": func(w *world) {
			w.AccessReviews = append(w.AccessReviews, record.AccessReview{Base: base("x", ""), On: "2026-10-01"})
		},
		"party": func(w *world) {
			w.Parties = append(w.Parties, record.Party{Base: base("x", ""), Name: "x", Type: "user"})
		},
		"retention_rule": func(w *world) {
			w.Retention = append(w.Retention, record.RetentionRule{Base: base("x", ""), Records: "receipts", Days: 1})
		},
		"objective": func(w *world) {
			w.Objectives = append(w.Objectives, record.Objective{Base: base("x", ""), Text: "x", Area: "management"})
		},
		"resource_plan": func(w *world) {
			w.ResourcePlans = append(w.ResourcePlans, record.ResourcePlan{Base: base("x", ""), From: "2026-01-01", Until: "2026-12-31"})
		},
	}
	reads := map[string][]string{}
	for _, c := range All() {
		reads[c.ID] = c.Reads
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(sorted(added)).Draw(t, "kind")
		w := thinned(t)
		before := rows(t, w)
		added[kind](w)
		for id, after := range rows(t, w) {
			if slices.Contains(reads[id], kind) {
				continue
			}
			if diff := cmp.Diff(before[id], after); diff != "" {
				t.Fatalf("a record of the kind %s changed %s, which reads %v:\n%s", kind, id, reads[id], diff)
			}
		}
	})
}

// What a criterion looks at must be what it says that it reads: erased evidence
// is found by that.
func TestReadsAreComplete(t *testing.T) {
	before := rows(t, company())
	for _, kind := range record.Kinds() {
		w := company()
		company().Registers.Each(func(k, id string, _ any) {
			if k == kind.Name {
				w.Registers.Remove(k, id)
			}
		})
		after := rows(t, w)
		for _, c := range All() {
			if !c.Joins && !slices.Contains(c.Reads, kind.Name) && !cmp.Equal(before[c.ID], after[c.ID]) {
				t.Errorf("%s reads %s and does not say so", c.ID, kind.Name)
			}
		}
	}
}

func TestNothingClaimsCompliance(t *testing.T) {
	for _, w := range []*world{empty(), company()} {
		all, err := Evaluate(w.input())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			for _, r := range s.Results {
				for _, word := range []string{"compliant", "compliance", "certified", "%"} {
					if text := strings.ToLower(r.Text + " " + r.Note + " " + strings.Join(s.Reasons, " ")); strings.Contains(text, word) {
						t.Errorf("%s says %q: %s", r.Criterion, word, text)
					}
				}
			}
		}
	}
}
