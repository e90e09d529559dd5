package criteria

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// controlsLifecycle asks about the life cycle of AI systems (ISO 42001 A.6).
func controlsLifecycle() []Criterion {
	return slices.Concat(controlsDevelopment(), controlsOperation())
}

func controlsDevelopment() []Criterion {
	return []Criterion{
		ask("A.6.1.2/1", "objective_record deployment_gate", "objective",
			"Each objective of responsible development has a measure that a gate of the life cycle looks at.", developmentObjectives),
		ask("A.6.1.3/1", "design_doc deployment_gate", "agent",
			"Every deployed agent came there through the gate, and passed it in the version that its record names.", deployedThroughGate),
		ask("A.6.1.3/2", "design_doc", "document",
			"The process of design and development is described in a document in force.", developmentProcess),
		ask("A.6.2.2/1", "requirement_spec", "agent document",
			"Each agent in scope has a specification in force, and each of its acceptance criteria names a test and a control.", criteriaTraced),
		ask("A.6.2.3/1", "design_doc agent_register", "agent document",
			"The design of each agent in scope is described in a document in force, for the build that its record names.", designAsBuilt),
		ask("A.6.2.4/1", "evaluation_run attack_run requirement_spec", "agent evaluation",
			"Every acceptance criterion of a deployed agent has a run that passed for its version.", criteriaPassed),
		ask("A.6.2.4/2", "attack_run", "",
			"The newest rehearsal has a scenario for each of ASI01 to ASI10.", categoriesRehearsed).fresh(quarter),
		ask("A.6.2.4/3", "attack_run reperformance", "",
			"The newest rehearsal ran under the policy in force, and ended as expected in every scenario.", rehearsalPassed).fresh(quarter),
		ask("A.6.2.5/1", "deployment_gate decision_receipt", "agent",
			"No call of an agent was allowed before it was deployed.", nothingBeforeGate),
		ask("A.6.2.5/2", "change_record", "agent document change",
			"Each deployment is planned: a plan in force or a change describes it.", deploymentPlanned),
	}
}

func controlsOperation() []Criterion {
	return []Criterion{
		ask("A.6.2.6/1", "monitoring_plan metric_series", "monitoring",
			"Every deployed agent is watched by a line of the monitoring plan and was seen in the period.", liveMonitored),
		ask("A.6.2.6/2", "override_event", "",
			"The kill switch was used in the period, in earnest or as an exercise.", stopExercised),
		ask("A.6.2.7/1", "system_doc agent_register", "agent document",
			"The technical documentation of each deployed agent is in force and is that of its version.", technicalCurrent),
		ask("A.6.2.8/1", "decision_receipt", "",
			"Every deployed agent has receipts in the period, or the log was tested to be complete, so that it was idle.", liveRecorded),
		ask("A.6.2.8/2", "receipt_completeness offline_verification", "",
			"The log verified whenever it was tested in the period: no gap, no broken signature.", recordVerified).fresh(quarter),
		ask("A.6.2.8/3", "monitoring_plan retention_proof", "retention_rule",
			"It is set how long receipts are kept.", receiptsRetained),
	}
}

func developmentObjectives(in *Input, n *Count) {
	n.Of = "objectives of responsible development"
	for _, o := range in.Registers.Registers.Objectives {
		if o.Area != "responsible-development" {
			continue
		}
		switch {
		case o.Measure == "":
			in.look(n, "objective", o.ID, false, "has no measure")
		default:
			in.look(n, "objective", o.ID, o.Gate, "is looked at by no gate")
		}
	}
}

// gate is the newest gate to a stage that an agent was led through.
func (in *Input) gate(agent, to string) (g observed.Gate, ok bool) {
	for _, at := range slices.Backward(in.Observed.Gates) {
		if at.Agent == agent && at.To == to && at.At <= in.Until.UnixMicro() {
			return at, true
		}
	}
	return g, false
}

func deployedThroughGate(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		g, ok := in.gate(id, "deployed")
		if !ok {
			n.Look(false, "agent/"+id, "was deployed past the gate")
			continue
		}
		n.Saw(g.At, g.Receipt)
		a, _ := in.agent(id)
		switch {
		case !g.Passed:
			n.Look(false, "agent/"+id, "did not pass the gate on %s: %s", dayOf(g.At), names(g.Failed))
		default:
			n.Look(a.Version == g.Version, "agent/"+id, "passed the gate on %s as version %s, and its record names version %s", dayOf(g.At), orNothing(g.Version), orNothing(a.Version))
		}
	}
}

func developmentProcess(in *Input, n *Count) {
	in.described(n, "A.6.1.3", "process of design and development")
}

// documentOf says what is wrong with a document that the record of an agent
// names; "" for nothing.
func (in *Input) documentOf(id, what string) string {
	d, ok := get(in.Registers.Registers.Documents, id)
	switch {
	case id == "":
		return "has no " + what
	case !ok:
		return fmt.Sprintf("names the %s %s, which is not in the register", what, id)
	case in.isInForce("document", d.Base):
		return ""
	}
	if _, approved := in.approval("document", id); approved {
		return fmt.Sprintf("has the %s %s, which was to be reviewed by %s", what, id, d.ReviewBy)
	}
	return fmt.Sprintf("has the %s %s, which has no approval", what, id)
}

func criteriaTraced(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		wrong := in.documentOf(a.Specification, "specification")
		if wrong == "" && len(a.Acceptance) == 0 {
			wrong = "has no acceptance criterion"
		}
		for _, c := range a.Acceptance {
			if len(c.Scenarios)+len(c.Evaluations) == 0 || len(c.Controls) == 0 {
				wrong = fmt.Sprintf("has the criterion %s without a test or a control", c.ID)
			}
		}
		in.look(n, "agent", a.ID, wrong == "", "%s", wrong)
	}
}

func designAsBuilt(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		wrong := in.documentOf(a.Design, "design document")
		d, _ := get(in.Registers.Registers.Documents, a.Design)
		switch {
		case wrong != "":
		case a.Build == "":
			wrong = "names no digest of its build, with which its design could be compared"
		case d.AsBuilt != a.Build:
			wrong = fmt.Sprintf("is built as %s, and its design describes %s", a.Build, orNothing(d.AsBuilt))
		}
		in.look(n, "agent", a.ID, wrong == "", "%s", wrong)
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing that is named"
	}
	return s
}

// newestRehearsal is the newest rehearsal up to the end of the period.
func (in *Input) newestRehearsal() (r observed.Rehearsal, ok bool) {
	for _, at := range slices.Backward(in.Observed.Rehearsals) {
		if at.At <= in.Until.UnixMicro() {
			return at, true
		}
	}
	return r, false
}

func criteriaPassed(in *Input, n *Count) {
	n.Of = "acceptance criteria of deployed agents"
	rehearsal, _ := in.newestRehearsal()
	for _, id := range in.deployed() {
		a, known := in.agent(id)
		if !known {
			n.Look(false, "agent/"+id, "is deployed without a record in the register")
		}
		for _, c := range a.Acceptance {
			passed, failed := in.criterionRuns(n, a, c, rehearsal)
			switch {
			case failed:
				in.look(n, "agent", id, false, "failed the acceptance criterion %s in a run for version %s", c.ID, orNothing(a.Version))
			default:
				in.look(n, "agent", id, passed, "has the acceptance criterion %s, for which no run for version %s is on record", c.ID, orNothing(a.Version))
			}
		}
	}
}

// criterionRuns says whether one of a criterion's tests passed for the agent's
// version, and whether one failed.
func (in *Input) criterionRuns(n *Count, a record.Agent, c record.Criterion, r observed.Rehearsal) (passed, failed bool) {
	for _, s := range c.Scenarios {
		if as, ran := r.Scenario[s]; ran {
			n.Saw(r.At, r.Receipt)
			passed, failed = passed || as, failed || !as
		}
	}
	for _, id := range c.Evaluations {
		e, ok := get(in.Registers.Registers.Evaluations, id)
		if ok && e.Agent == a.ID && e.AgentVersion == a.Version && in.happened(e.On) {
			in.saw(n, "evaluation", id)
			passed, failed = passed || e.Result == "pass", failed || e.Result != "pass"
		}
	}
	return passed, failed
}

func categoriesRehearsed(in *Input, n *Count) {
	n.Of = "rehearsals"
	r, ok := in.newestRehearsal()
	if !ok {
		return
	}
	n.Of = "categories of the OWASP Top 10 for Agentic Applications"
	n.Saw(r.At, r.Receipt)
	for i := 1; i <= 10; i++ {
		id := fmt.Sprintf("ASI%02d", i)
		n.Look(slices.Contains(r.Categories, id), id, "has no scenario in the rehearsal of %s", dayOf(r.At))
	}
}

func rehearsalPassed(in *Input, n *Count) {
	n.Of = "rehearsals"
	r, ok := in.newestRehearsal()
	if !ok {
		return
	}
	n.Saw(r.At, r.Receipt)
	var active []string
	for _, f := range in.inForceDuring() {
		if f.until == 0 || f.until > in.Until.UnixMicro() {
			active = append(active, short(f.Digest))
		}
	}
	switch {
	case r.AsExpected != r.Scenarios:
		n.Look(false, "the rehearsal of "+string(dayOf(r.At)), "ended as expected in %d of %d scenarios only", r.AsExpected, r.Scenarios)
	default:
		n.Look(len(active) == 0 || slices.Contains(active, short(r.Policy)), "the rehearsal of "+string(dayOf(r.At)), "ran under the policy %s, and %s is in force", short(r.Policy), names(active))
	}
}

func nothingBeforeGate(in *Input, n *Count) {
	n.Of = "agents with allowed calls"
	for _, id := range sorted(in.Observed.Agents) {
		a := in.Observed.Agents[id]
		if a.Allowed == 0 {
			continue
		}
		n.Saw(a.Last, a.Receipt)
		l := in.Observed.Lives[id]
		switch {
		case l == nil || l.Registered == 0:
			n.Look(false, "agent/"+id, "was allowed calls without being registered")
		case l.FirstDeploy == 0:
			n.Look(false, "agent/"+id, "was allowed calls since %s and was never deployed", dayOf(a.AllowedFirst))
		case a.AllowedFirst < l.FirstDeploy:
			n.Look(false, "agent/"+id, "was allowed calls since %s, before it was first deployed on %s", dayOf(a.AllowedFirst), dayOf(l.FirstDeploy))
		default:
			n.Look(a.AllowedWithoutDeployed == 0, "agent/"+id, "was allowed %d calls while it was not deployed", a.AllowedWithoutDeployed)
		}
	}
}

func deploymentPlanned(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		planned := slices.ContainsFunc(in.documents("plan"), func(d record.Document) bool {
			return slices.Contains(d.Agents, id) && in.isInForce("document", d.Base)
		}) || slices.ContainsFunc(in.Registers.Registers.Changes, func(c record.Change) bool {
			_, approved := in.approval("change", c.ID)
			return slices.Contains(c.Agents, id) && c.Planned != "" && approved
		})
		in.look(n, "agent", id, planned, "has neither a plan in force nor an approved change for its deployment")
	}
}

func liveMonitored(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		watched := slices.ContainsFunc(in.Registers.Registers.Monitoring, func(m record.Monitoring) bool {
			if concerns(m.Agents, id) {
				in.saw(n, "monitoring", m.ID)
			}
			return concerns(m.Agents, id)
		})
		o := in.Observed.Agents[id]
		if o != nil {
			n.Saw(o.Last, o.Receipt)
		}
		switch {
		case !watched:
			n.Look(false, "agent/"+id, "is watched by no line of the monitoring plan")
		default:
			n.Look(o != nil && o.Last >= in.From.UnixMicro(), "agent/"+id, "was not seen in the period")
		}
	}
	n.note("How a model changes within the bounds of its tools is not seen.")
}

func stopExercised(in *Input, n *Count) {
	n.Of = "uses of the kill switch in the period"
	for _, s := range in.Observed.Stops {
		if !s.Resumed && in.during(s.At) {
			n.Saw(s.At, s.Receipt)
			n.Look(true, s.Kind+"/"+s.ID, "")
		}
	}
	if n.Population == 0 && len(in.deployed()) > 0 {
		n.Look(false, "the kill switch", "was not used since %s", day(in.From))
	}
}

// versionDocument judges whether a deployed agent has a document in force of
// some kind for its version.
func (in *Input) versionDocument(n *Count, what string, is func(record.Document) bool) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		a, known := in.agent(id)
		if !known {
			n.Look(false, "agent/"+id, "is deployed without a record in the register")
			continue
		}
		found, current := false, false
		for _, d := range in.Registers.Registers.Documents {
			if is(d) && slices.Contains(d.Agents, id) && in.isInForce("document", d.Base) {
				in.saw(n, "document", d.ID)
				found, current = true, current || d.AgentVersion == a.Version
			}
		}
		switch {
		case !found:
			in.look(n, "agent", id, false, "has no %s in force", what)
		default:
			in.look(n, "agent", id, current, "has no %s of its version %s", what, orNothing(a.Version))
		}
	}
}

func technicalCurrent(in *Input, n *Count) {
	in.versionDocument(n, "technical documentation", func(d record.Document) bool { return d.Type == "technical" })
}

func liveRecorded(in *Input, n *Count) {
	n.Of = "deployed agents"
	tested, complete := find(in.Observed.Tests, func(t observed.AuditTest) bool {
		return t.Test == observed.TestCompleteness && t.Exceptions == 0 && in.during(t.At)
	})
	for _, id := range in.deployed() {
		o := in.Observed.Agents[id]
		acted := o != nil && in.lately(o.Last)
		switch {
		case acted:
			n.Saw(o.Last, o.Receipt)
			n.Look(true, "agent/"+id, "")
		case complete:
			n.Saw(tested.At, tested.Receipt)
			n.note("%s has no receipt; that it was idle follows from the test of %s.", id, dayOf(tested.At))
			n.Look(true, "agent/"+id, "")
		default:
			n.Look(false, "agent/"+id, "has no receipt since %s, and no test of the log shows that it was idle", day(in.From))
		}
	}
	n.note("An agent that works past the enforcement points cannot be seen.")
}

func recordVerified(in *Input, n *Count) {
	n.Of = "tests of the log in the period"
	in.tests(n, observed.TestIntegrity)
	in.tests(n, observed.TestCompleteness)
}

func receiptsRetained(in *Input, n *Count) {
	n.Of = "rules of retention for receipts"
	for _, r := range in.Registers.Registers.Retention {
		if r.Records != "receipts" {
			continue
		}
		in.look(n, "retention_rule", r.ID, r.Days > 0 && strings.TrimSpace(r.Reason) != "", "sets no time for which receipts are kept, or no reason for it")
	}
	if in.Observed.First > 0 && n.Population > 0 {
		n.note("The oldest entry is of %s.", time.UnixMicro(in.Observed.First).UTC().Format(time.DateOnly))
	}
}
