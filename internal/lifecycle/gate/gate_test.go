package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/internal/evidence/observed"
	"aims/internal/lifecycle/gate"
	"aims/internal/register/record"
	"aims/pdp"
)

// ready is an agent of which every precondition holds.
func ready() *gate.Input {
	in := &gate.Input{Observed: observed.New(), Agent: gate.Agent{ID: "clerk"}, Policy: "sha256:p", Today: "2026-11-23"}
	r := &in.Registers.Registers
	r.Agents = []record.Agent{{
		Base: record.Base{ID: "clerk", Owner: "ann"}, Overseer: "bob", Version: "2", Servers: []string{"desk"}, Purposes: []string{"pay"},
		Acceptance: []record.Criterion{{ID: "right", Scenarios: []string{"s1"}, Evaluations: []string{"e1"}}},
	}}
	r.Impacts = []record.ImpactAssessment{{
		Base: record.Base{ID: "ia"}, Agents: []string{"clerk"}, Assessed: "2026-10-01", Servers: []string{"desk"}, Purposes: []string{"pay"}, Result: "proceed",
	}}
	r.Risks = []record.Risk{{
		Base: record.Base{ID: "r1"}, Assessed: "2026-10-01", Likelihood: 1, Decision: "treat",
		Consequences: record.Consequences{Society: record.Consequence{Severity: 1}},
	}}
	r.Treatments = []record.Treatment{{Base: record.Base{ID: "t1"}, Risks: []string{"r1"}, Done: "2026-10-02"}}
	r.Monitoring = []record.Monitoring{{Base: record.Base{ID: "m1"}}}
	r.Evaluations = []record.Evaluation{{Base: record.Base{ID: "e1"}, Agent: "clerk", AgentVersion: "2", Result: "pass"}}
	in.Observed.Pins = []observed.PinChange{{Tool: "desk___pay", Event: "pinned"}, {Tool: "desk___pay", Event: "changed"}, {Tool: "desk___pay", Event: "approved"}}
	in.Observed.Rehearsals = []observed.Rehearsal{{Policy: "sha256:p", Scenarios: 2, AsExpected: 2, Scenario: map[string]bool{"s1": true}}}
	return in
}

// evaluate approves the impact assessment as it is, and asks.
func evaluate(in *gate.Input) []gate.Precondition {
	in.Registers.Versions, in.Registers.Changes = map[record.Key]record.Version{}, map[record.Key][]record.Version{}
	for _, x := range in.Registers.Registers.Impacts {
		v := record.Version{Digest: record.Digest(x), Number: 1, By: "ann", Index: 1}
		key := record.Key{Kind: "impact_assessment", ID: x.ID}
		in.Registers.Versions[key], in.Registers.Changes[key] = v, []record.Version{v}
		if x.Note != "draft" {
			in.Registers.Marks = append(in.Registers.Marks, record.Mark{Kind: record.Approve, On: key.Kind, ID: x.ID, Digest: v.Digest, By: "bob", Index: 2})
		}
	}
	return gate.Evaluate(*in)
}

func failed(list []gate.Precondition) (names []string, text string) {
	for _, p := range list {
		if !p.Holds {
			names, text = append(names, p.Name), text+strings.Join(p.Missing, "\n")+"\n"+p.Do
		}
	}
	return names, text
}

// The gate answers what policy can ask.
func TestTheGateSpeaksTheWordsOfPolicies(t *testing.T) {
	var names []string
	for _, p := range evaluate(ready()) {
		names = append(names, p.Name)
		if !p.Holds {
			t.Errorf("of an agent that is ready, %s does not hold: %v", p.Name, p.Missing)
		}
	}
	if d := cmp.Diff(pdp.Preconditions(), names); d != "" {
		t.Error(d)
	}
	// Of an agent that nobody has written down, nothing holds but what needs no paper.
	nobody := evaluate(&gate.Input{Observed: observed.New(), Agent: gate.Agent{ID: "clerk"}})
	if got, _ := failed(nobody); len(got) != len(names) {
		t.Errorf("of an unknown agent only this fails: %v", got)
	}
}

// What is missing is named, and nothing else falls with it.
func TestEachFaultIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*gate.Input, *record.Registers)
		fails  []string
		says   string
	}{
		"owner":         {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Owner = "" }, []string{"owner_named"}, "nobody is named"},
		"overseer":      {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Overseer = "" }, []string{"overseer_named"}, "can stop it"},
		"not approved":  {func(_ *gate.Input, r *record.Registers) { r.Impacts[0].Note = "draft" }, []string{"impact_assessment_approved"}, "somebody other than its author"},
		"to stop":       {func(_ *gate.Input, r *record.Registers) { r.Impacts[0].Result = "stop" }, []string{"impact_assessment_approved"}, "to stop"},
		"review is due": {func(_ *gate.Input, r *record.Registers) { r.Impacts[0].ReviewBy = "2026-11-22" }, []string{"impact_assessment_approved"}, "2026-11-22"},
		"none": {func(_ *gate.Input, r *record.Registers) { r.Impacts = nil },
			[]string{"impact_assessment_approved", "impact_assessment_covers"}, "gives no reason"},
		"none is needed":     {func(_ *gate.Input, r *record.Registers) { r.Impacts = nil; r.Agents[0].NoImpact = "it only counts" }, nil, ""},
		"a purpose more":     {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Purposes = []string{"pay", "sell"} }, []string{"impact_assessment_covers"}, "purpose sell"},
		"a model more":       {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Models = []string{"large"} }, []string{"impact_assessment_covers"}, "model large"},
		"data more":          {func(_ *gate.Input, r *record.Registers) { r.Agents[0].DataSources = []string{"crm"} }, []string{"impact_assessment_covers"}, "data source crm"},
		"a country more":     {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Jurisdictions = []string{"FR"} }, []string{"impact_assessment_covers"}, "jurisdiction FR"},
		"a tool was listed":  {func(_ *gate.Input, r *record.Registers) { r.Impacts[0].Tools = []string{"desk___read"} }, []string{"impact_assessment_covers"}, "tool desk___pay"},
		"undecided":          {func(_ *gate.Input, r *record.Registers) { r.Risks[0].Decision = "" }, []string{"risks_treated"}, "nothing is decided about the risk r1"},
		"unassessed":         {func(_ *gate.Input, r *record.Registers) { r.Risks[0].Likelihood = 0 }, []string{"risks_treated"}, "not assessed"},
		"treatment not done": {func(_ *gate.Input, r *record.Registers) { r.Treatments[0].Done = "" }, []string{"risks_treated"}, "neither treated nor accepted"},
		"of another agent":   {func(_ *gate.Input, r *record.Registers) { r.Risks[0].Agents = []string{"other"} }, []string{"risks_treated"}, "no risk is on record"},
		"another policy":     {func(in *gate.Input, _ *record.Registers) { in.Policy = "sha256:q" }, []string{"rehearsal_passed"}, "no rehearsal of the policy in force"},
		"one went wrong":     {func(in *gate.Input, _ *record.Registers) { in.Observed.Rehearsals[0].AsExpected = 1 }, []string{"rehearsal_passed"}, "1 of 2"},
		"quarantine": {func(in *gate.Input, _ *record.Registers) {
			in.Observed.Pins = append(in.Observed.Pins, observed.PinChange{Tool: "desk___pay", Event: "changed"})
		}, []string{"tools_pinned"}, "desk___pay is in quarantine"},
		"a tool never seen": {func(_ *gate.Input, r *record.Registers) { r.Agents[0].Tools = []string{"desk___pay", "desk___fly"} }, []string{"tools_pinned"}, "listed the tool desk___fly"},
		"not watched":       {func(_ *gate.Input, r *record.Registers) { r.Monitoring[0].Agents = []string{"other"} }, []string{"monitoring_planned"}, "watches it"},
		"another version": {func(_ *gate.Input, r *record.Registers) {
			r.Agents[0].Version = "3"
			r.Agents[0].Acceptance[0].Scenarios = nil
		}, []string{"acceptance_met"}, `version "3"`},
		"a test failed": {func(_ *gate.Input, r *record.Registers) { r.Evaluations[0].Result = "fail" }, []string{"acceptance_met"}, "one that failed"},
		"reopened": {func(in *gate.Input, r *record.Registers) {
			in.Observed.Reopened = []observed.Reopening{{Agent: "other", Cause: "tool desk___fly", Event: observed.Event{On: "ia", Digest: record.Digest(r.Impacts[0])}}}
		}, []string{"impact_assessment_covers"}, "because of other with tool desk___fly"},
		"an earlier version was": {func(in *gate.Input, _ *record.Registers) {
			in.Observed.Reopened = []observed.Reopening{{Agent: "clerk", Cause: "tool desk___fly", Event: observed.Event{On: "ia", Digest: "sha256:earlier"}}}
		}, nil, ""},
	} {
		in := ready()
		c.breaks(in, &in.Registers.Registers)
		got, text := failed(evaluate(in))
		if !slices.Equal(got, c.fails) || !strings.Contains(text, c.says) {
			t.Errorf("%s: this fails: %v, expected %v:\n%s", name, got, c.fails, text)
		}
	}
}

// What an agent did before its assessment was approved is history.
func TestWhatWasDoneOutsideOfTheBounds(t *testing.T) {
	in := ready()
	in.Observed.Agents["clerk"] = &observed.Agent{
		ToolLast: map[string]int64{"desk___pay": 9, "mail___send": 9, "mail___read": 4}, PurposeLast: map[string]int64{"": 9, "pay": 9, "sell": 9, "spy": 4},
	}
	want := []gate.Cause{"tool mail___send", "purpose sell"}
	if d := cmp.Diff(want, gate.Seen("clerk", in.Registers.Registers.Impacts[0], in.Observed, 5)); d != "" {
		t.Error(d)
	}
}
