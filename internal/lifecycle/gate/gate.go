// Package gate says of an agent which preconditions of its deployment hold, and
// of the others what is missing (ISO 42001 A.6.1.3, A.6.2.4, A.6.2.5). It is
// pure: the same registers and the same log give the same answer on an
// auditor's machine.
//
// Which preconditions are needed is for policy to say, not for this package.
package gate

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Input is what the preconditions are judged from, at one place of the log.
type Input struct {
	Registers record.State
	Observed  *observed.Facts
	// Agent is the agent as the runtime knows it, or is about to.
	Agent Agent
	// Policy is the digest of the policy set in force; Today is the day, UTC.
	Policy string
	Today  record.Date
}

// Agent is what the runtime knows of an agent beside its record.
type Agent struct{ ID, Owner string }

// Precondition is one thing that is known of an agent before its deployment.
type Precondition struct {
	Name  string `json:"name"`
	Holds bool   `json:"holds"`
	// Missing says what speaks against it, Do what would help; empty when it holds.
	Missing []string `json:"missing,omitempty"`
	Do      string   `json:"do,omitempty"`
}

// questions ask for the preconditions, in the order in which they are shown. What
// a question answers is missing; nothing is, when the precondition holds.
var questions = []struct {
	name string
	ask  func(*asked) []string
	do   string
}{
	{"documented", (*asked).documented, "write the agent's record and apply it: `aims schema agent`"},
	{"owner_named", (*asked).owner, "name the owner in the agent's record"},
	{"overseer_named", (*asked).overseer, "name the overseer in the agent's record"},
	{"impact_assessment_approved", (*asked).assessed, "assess its impact, and have somebody else approve that: `aims approve impact_assessment ID`"},
	{"impact_assessment_covers", (*asked).covered, "assess what is new in a new version of the impact assessment, and have it approved"},
	{"risks_treated", (*asked).risks, "decide each risk, do its treatment or have its owner accept it: `aims accept risk ID`"},
	{"rehearsal_passed", (*asked).rehearsed, "rehearse the policy in force: `aims rehearse --active --record`"},
	{"tools_pinned", (*asked).tools, "look at each tool and approve it: `aims tools approve SERVER TOOL`"},
	{"monitoring_planned", (*asked).monitored, "add a line about the agent to the monitoring plan"},
	{"acceptance_met", (*asked).accepted, "run what its acceptance criteria name for this version, and record the results"},
}

// Evaluate says of each precondition whether it holds.
func Evaluate(in Input) []Precondition {
	a := &asked{Input: in}
	a.record, a.known = find(in.Registers.Registers.Agents, func(r record.Agent) bool { return r.ID == in.Agent.ID })
	list := make([]Precondition, len(questions))
	for i, q := range questions {
		missing := q.ask(a)
		list[i] = Precondition{Name: q.name, Holds: len(missing) == 0}
		if len(missing) > 0 {
			list[i].Missing, list[i].Do = few(missing), q.do
		}
	}
	return list
}

// asked is an agent of which the preconditions are asked.
type asked struct {
	Input
	record record.Agent
	known  bool
}

func find[T any](list []T, is func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	return found, false
}

// most bounds what is listed of one precondition.
const most = 20

func few(list []string) []string {
	if len(list) <= most {
		return list
	}
	return append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
}

// unless is what is missing, or nothing.
func unless(holds bool, format string, args ...any) []string {
	if holds {
		return nil
	}
	return []string{fmt.Sprintf(format, args...)}
}

func (a *asked) documented() []string {
	return unless(a.known, "%s has no record in the register of agents", a.Agent.ID)
}

func (a *asked) owner() []string {
	return unless(a.record.Owner != "" || a.Agent.Owner != "" && !a.known, "nobody is named who answers for it")
}

func (a *asked) overseer() []string {
	return unless(a.record.Overseer != "", "nobody is named who watches it and can stop it")
}

// concerns says whether a list of agents names this one; an empty list means all.
func (a *asked) concerns(agents []string) bool {
	return len(agents) == 0 || slices.Contains(agents, a.Agent.ID)
}

func (a *asked) assessed() []string {
	x, ok := Assessment(a.Registers.Registers, a.Agent.ID)
	if !ok {
		return unless(a.known && a.record.NoImpact != "", "it has no impact assessment, and its record gives no reason why it needs none")
	}
	var missing []string
	if _, ok := a.Registers.Approved("impact_assessment", x.ID); !ok {
		missing = append(missing, fmt.Sprintf("the present version of its impact assessment %s is not approved by somebody other than its author", x.ID))
	}
	if x.Result == "stop" {
		missing = append(missing, fmt.Sprintf("by its impact assessment %s it is to stop", x.ID))
	}
	if x.ReviewBy != "" && x.ReviewBy < a.Today {
		missing = append(missing, fmt.Sprintf("its impact assessment %s was to be reviewed by %s", x.ID, x.ReviewBy))
	}
	return missing
}

func (a *asked) covered() []string {
	x, ok := Assessment(a.Registers.Registers, a.Agent.ID)
	switch {
	case !a.known:
		return unless(false, "what it may use is not on record, so that nothing can be compared with an assessment")
	case !ok:
		return unless(a.record.NoImpact != "", "no impact assessment says what is within its bounds")
	}
	var missing []string
	for _, c := range Beyond(a.record, x, a.Observed) {
		missing = append(missing, fmt.Sprintf("%s is beyond the bounds of %s", c, x.ID))
	}
	for _, r := range Reopened(a.Observed, x) {
		if beyond := fmt.Sprintf("%s is beyond the bounds of %s", r.Cause, x.ID); r.Agent != a.Agent.ID || !slices.Contains(missing, beyond) {
			missing = append(missing, fmt.Sprintf("%s was reopened because of %s with %s; only a newer, approved version closes that", x.ID, r.Agent, r.Cause))
		}
	}
	return missing
}

func (a *asked) risks() []string {
	var missing []string
	none := true
	for _, r := range a.Registers.Registers.Risks {
		if r.Opportunity || !a.concerns(r.Agents) {
			continue
		}
		none = false
		switch {
		case r.Assessed == "" || r.Level() == 0:
			missing = append(missing, fmt.Sprintf("the risk %s is not assessed", r.ID))
		case r.Decision == "":
			missing = append(missing, fmt.Sprintf("nothing is decided about the risk %s", r.ID))
		case !a.treated(r.ID):
			missing = append(missing, fmt.Sprintf("the risk %s is neither treated nor accepted by a person", r.ID))
		}
	}
	return append(missing, unless(!none, "no risk is on record that concerns it")...)
}

// treated says whether a risk is accepted by a mark, or a treatment of it is done.
func (a *asked) treated(risk string) bool {
	if _, ok := a.Registers.Accepted("risk", risk); ok {
		return true
	}
	return slices.ContainsFunc(a.Registers.Registers.Treatments, func(t record.Treatment) bool {
		if !slices.Contains(t.Risks, risk) {
			return false
		}
		_, accepted := a.Registers.Accepted("treatment", t.ID)
		return accepted || t.Done != ""
	})
}

// rehearsal is the newest rehearsal of the policy in force.
func (a *asked) rehearsal() (observed.Rehearsal, bool) {
	for _, r := range slices.Backward(a.Observed.Rehearsals) {
		if a.Policy != "" && r.Policy == a.Policy {
			return r, true
		}
	}
	return observed.Rehearsal{}, false
}

func (a *asked) rehearsed() []string {
	r, ok := a.rehearsal()
	if !ok {
		return unless(false, "no rehearsal of the policy in force is on record")
	}
	return unless(r.Scenarios > 0 && r.AsExpected == r.Scenarios, "%d of %d scenarios of the newest rehearsal ended as expected", r.AsExpected, r.Scenarios)
}

func (a *asked) tools() []string {
	if !a.known {
		return unless(false, "what it may use is not on record")
	}
	seen := pins(a.Observed)
	var missing []string
	for _, tool := range a.record.Tools {
		if seen[tool] == nil {
			missing = append(missing, fmt.Sprintf("no server has listed the tool %s", tool))
		}
	}
	uses := Tools(a.record, a.Observed)
	for _, tool := range uses {
		if p := seen[tool]; p != nil && !p.usable() {
			missing = append(missing, fmt.Sprintf("the tool %s is in quarantine", tool))
		}
	}
	if len(a.record.Tools) == 0 && len(a.record.Servers) == 0 {
		missing = append(missing, "its record names no server and no tool")
	} else if len(uses) == 0 && len(missing) == 0 {
		missing = append(missing, "no tool of its servers is known: "+strings.Join(a.record.Servers, ", "))
	}
	return missing
}

func (a *asked) monitored() []string {
	return unless(slices.ContainsFunc(a.Registers.Registers.Monitoring, func(m record.Monitoring) bool { return a.concerns(m.Agents) }),
		"no line of the monitoring plan watches it")
}

func (a *asked) accepted() []string {
	if len(a.record.Acceptance) == 0 {
		return unless(false, "its record names no acceptance criterion")
	}
	var missing []string
	for _, c := range a.record.Acceptance {
		missing = append(missing, unless(a.passed(c), "the criterion %s has no test that passed for version %q, or one that failed", c.ID, a.record.Version)...)
	}
	return missing
}

// passed says whether one of a criterion's tests passed, for the agent's version
// and the policy in force, and none failed.
func (a *asked) passed(c record.Criterion) bool {
	passed, failed := false, false
	rehearsal, _ := a.rehearsal()
	for _, s := range c.Scenarios {
		if as, ran := rehearsal.Scenario[s]; ran {
			passed, failed = passed || as, failed || !as
		}
	}
	for _, e := range a.Registers.Registers.Evaluations {
		if slices.Contains(c.Evaluations, e.ID) && e.Agent == a.record.ID && e.AgentVersion == a.record.Version {
			passed, failed = passed || e.Result == "pass", failed || e.Result != "pass"
		}
	}
	return passed && !failed
}
