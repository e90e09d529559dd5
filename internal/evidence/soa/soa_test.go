package soa_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"aims/internal/evidence/criteria"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// world has one kept control, one left out, and everything that their rows join.
func world() soa.Input {
	return soa.Input{
		Registers: record.State{Registers: record.Registers{
			Risks: []record.Risk{
				{Base: record.Base{ID: "payee"}, Title: "A mail chooses the payee", Likelihood: 3, Consequences: record.Consequences{Organisation: record.Consequence{Severity: 4}, Society: record.Consequence{Severity: 1}}},
				{Base: record.Base{ID: "secrets"}, Title: "Secrets leave", Controls: []string{"A.9.2"}},
			},
			Applicability: []record.Applicability{
				{Base: record.Base{ID: "A.9.2", Owner: "ana"}, Applicable: yes(), Justification: "Agents pay.", Implementation: "implemented", Risks: []string{"payee"}, Rules: []string{"by-hand"}},
				{Base: record.Base{ID: "A.10.4"}, Applicable: no(), Justification: "No customers."},
			},
		}, Versions: map[record.Key]record.Version{}},
		Statuses: []criteria.Status{{ID: "A.9.2", State: criteria.Evidence, Results: []criteria.Result{{Population: 7, Newest: "2026-11-23T10:00:00Z", Receipts: []string{"rcp_1"}}}}},
		InForce: []soa.Rule{
			{ID: "larger-payments-wait", Policy: "sha256:aa", Controls: []string{"A.9.2"}},
			{ID: "by-hand", Policy: "sha256:aa"},
			{ID: "another", Policy: "sha256:aa", Controls: []string{"A.9.4"}},
		},
	}
}

func build(t *testing.T, in soa.Input) soa.Statement {
	t.Helper()
	s, err := soa.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rowOf(t *testing.T, s soa.Statement, control string) soa.Row {
	t.Helper()
	for _, r := range s.Rows {
		if r.Control == control {
			return r
		}
	}
	t.Fatalf("no row %s", control)
	return soa.Row{}
}

func TestRowsJoinDecisionRisksRulesAndEvidence(t *testing.T) {
	s := build(t, world())
	if len(s.Rows) != 38 {
		t.Fatalf("%d rows, expected 38", len(s.Rows))
	}
	row := rowOf(t, s, "A.9.2")
	row.Digest = ""
	r, err := iso42001.Get("A.9.2")
	if err != nil {
		t.Fatal(err)
	}
	want := soa.Row{Control: "A.9.2", Title: r.Title, Area: "A.9", Decision: soa.Kept, Justification: "Agents pay.", Implementation: "implemented", Owner: "ana",
		Risks:       []soa.Risk{{ID: "payee", Title: "A mail chooses the payee", Level: 12}, {ID: "secrets", Title: "Secrets leave"}},
		Obligations: []string{}, Documents: []string{},
		Rules:    []soa.Rule{{ID: "by-hand", Policy: "sha256:aa"}, {ID: "larger-payments-wait", Policy: "sha256:aa"}},
		Evidence: soa.Evidence{State: criteria.Evidence, Population: 7, Newest: "2026-11-23T10:00:00Z", Receipts: []string{"rcp_1"}},
		Wanting:  []string{"the decision as it is now was not approved"}}
	if diff := gocmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
}

func TestWhatRowsWant(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*soa.Input)
		control string
		want    string
	}{
		{"undecided", func(*soa.Input) {}, "A.2.2", "not decided yet"},
		{"excluded without a reason", func(in *soa.Input) { in.Registers.Registers.Applicability[1].Justification = "" }, "A.10.4", "left out without a reason"},
		{"kept without a reason", func(in *soa.Input) { in.Registers.Registers.Applicability[0].Justification = "" }, "A.9.2", "kept without a reason"},
		{"nothing asks for it", func(in *soa.Input) {
			in.Registers.Registers.Risks = nil
			in.Registers.Registers.Applicability[0].Risks = nil
		}, "A.9.2", "no risk and no obligation asks for it"},
		{"a claim without evidence", func(in *soa.Input) { in.Statuses = nil }, "A.9.2", "said to be implemented; the records say nothing to show yet"},
		{"a rule that is not in force", func(in *soa.Input) { in.InForce = in.InForce[:1] }, "A.9.2", "names the rule by-hand, which no policy in force has"},
	} {
		in := world()
		c.change(&in)
		if got := rowOf(t, build(t, in), c.control).Wanting; !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: the row wants %q, expected %q", c.name, got, c.want)
		}
	}
}

func TestAnInventedControlIsAnError(t *testing.T) {
	for _, id := range []string{"A.11.1", "A.5.1", "6.1.3"} {
		in := world()
		in.Registers.Registers.Applicability = []record.Applicability{{Base: record.Base{ID: id}, Applicable: yes()}}
		if _, err := soa.Build(in); err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("a decision on %s: error %v, expected one that names it", id, err)
		}
	}
}

// Whatever a row joins makes an approved statement stale when it changes;
// numbers that move with every call do not.
func TestAStatementGoesStaleByItself(t *testing.T) {
	approved := build(t, world())
	marks := []record.Mark{{Kind: record.Approve, On: soa.On, ID: soa.ID, Digest: approved.Digest, By: "dora", Index: 9, At: 1}}
	for _, c := range []struct {
		name   string
		stale  bool
		change func(*soa.Input)
	}{
		{"nothing", false, func(*soa.Input) {}},
		{"more evidence of the same kind", false, func(in *soa.Input) { in.Statuses[0].Results[0].Population = 8 }},
		{"decision", true, func(in *soa.Input) { in.Registers.Registers.Applicability[0].Applicable = no() }},
		{"justification", true, func(in *soa.Input) { in.Registers.Registers.Applicability[0].Justification = "Because." }},
		{"risk level", true, func(in *soa.Input) { in.Registers.Registers.Risks[0].Likelihood = 4 }},
		{"a new risk", true, func(in *soa.Input) {
			in.Registers.Registers.Risks = append(in.Registers.Registers.Risks, record.Risk{Base: record.Base{ID: "n"}, Controls: []string{"A.9.2"}})
		}},
		{"policy digest", true, func(in *soa.Input) { in.InForce[0].Policy = "sha256:bb" }},
		{"a rule gone", true, func(in *soa.Input) { in.InForce = in.InForce[1:] }},
		{"evidence state", true, func(in *soa.Input) { in.Statuses[0].State = criteria.Exceptions }},
	} {
		in := world()
		c.change(&in)
		in.Registers.Marks = marks
		s := build(t, in)
		if s.Stale() != c.stale || (s.Approval == nil) != c.stale {
			t.Errorf("after a change of %s: stale %v, expected %v", c.name, s.Stale(), c.stale)
		}
		if changes := soa.Compare(approved, s); c.stale == (len(changes) == 0) {
			t.Errorf("after a change of %s, the comparison says %v", c.name, changes)
		}
	}
}

func TestAWithdrawnApprovalDoesNotCount(t *testing.T) {
	in := world()
	digest := build(t, in).Digest
	in.Registers.Marks = []record.Mark{
		{Kind: record.Approve, On: soa.On, ID: soa.ID, Digest: digest, By: "dora", Index: 9},
		{Kind: record.Withdraw, On: soa.On, ID: soa.ID, By: "eve", Index: 10},
	}
	if build(t, in).Approval == nil {
		t.Error("somebody else took an approval back")
	}
	in.Registers.Marks[1].By = "dora"
	if build(t, in).Approval != nil {
		t.Error("a withdrawn approval counts")
	}
}
