package criteria

import (
	"slices"
	"strings"
	"testing"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// fault breaks one thing in the company.
type fault struct {
	criterion string
	outcome   Outcome
	// on is what the exception must name, says what it must say; where there is
	// none, says what was done.
	on, says string
	breaks   func(*world)
}

func TestOneFaultIsNamed(t *testing.T) {
	faults := slices.Concat(contextFaults(), leadershipFaults(), riskFaults(), impactFaults(), supportFaults(), operationFaults(), evaluationFaults(), improvementFaults())
	tried := map[string]bool{}
	for _, f := range faults {
		tried[f.criterion] = tried[f.criterion] || f.outcome == NotMet || f.outcome == OutOfDate
		t.Run(f.criterion+" "+f.says, func(t *testing.T) { f.try(t, company()) })
	}
	for _, c := range clauses() {
		// Freshness is tried in its own test.
		if !tried[c.ID] {
			t.Errorf("no fault is tried for %s", c.ID)
		}
	}
}

// try breaks one thing in a world in which nothing is wrong.
func (f fault) try(t *testing.T, w *world) {
	f.breaks(w)
	r := w.result(t, f.criterion)
	if r.Outcome != f.outcome {
		t.Fatalf("%s, expected %s: %s", r.Outcome, f.outcome, r.reason())
	}
	if f.on == "" { // nothing is wrong with any of the population
		return
	}
	if !slices.ContainsFunc(r.Exceptions, func(e Exception) bool { return e.On == f.on && strings.Contains(e.Text, f.says) }) {
		t.Errorf("no exception on %s that says %q: %+v", f.on, f.says, r.Exceptions)
	}
	if len(r.Exceptions) > r.Population {
		t.Errorf("%d exceptions in a population of %d", len(r.Exceptions), r.Population)
	}
	if why := r.reason(); len(r.Exceptions) <= 5 && !strings.Contains(strings.ToLower(why), strings.ToLower(bare(f.on))) {
		t.Errorf("the reason does not name %s: %s", bare(f.on), why)
	}
}

func contextFaults() []fault {
	return []fault{
		{"4.2/1", NotMet, "party/customers", "no requirement", func(w *world) { w.Parties[0].Requirements = nil }},
		{"4.2/2", NotMet, "obligation/gdpr", "no decision", func(w *world) { w.Obligations[0].Applies = nil }},
		{"4.1/1", OutOfDate, "organisation/org", "to be reviewed by 2026-11-22", func(w *world) { w.Organisation[0].ReviewBy = "2026-11-22" }},
		{"4.1/1", Met, "", "on its last day", func(w *world) { w.Organisation[0].ReviewBy = "2026-11-23" }},
		{"4.1/1", NotMet, "organisation/org", "never reviewed", func(w *world) { w.Organisation[0].Reviewed = "" }},
		{"4.1/1", NotMet, "organisation/org", "sets no day", func(w *world) { w.Organisation[0].ReviewBy = "" }},
		{"4.1/2", NotMet, "organisation/org", "no decision", func(w *world) { w.Organisation[0].ClimateRelevant = nil }},
		{"4.1/2", NotMet, "organisation/org", "with a reason", func(w *world) { w.Organisation[0].ClimateReason = "" }},
		{"4.1/3", NotMet, "agent/billing", "no intended purpose", func(w *world) { w.Agents[0].Purposes = nil }},
		{"4.1/3", NotMet, "agent/billing", "no role", func(w *world) { w.Agents[0].System = "" }},
		{"4.1/3", NotMet, "agent/shadow", "no record", shadow},
		{"4.2/1", NotMet, "party/customers", "requirement p1", func(w *world) { w.Parties[0].Requirements[0].Decision = "" }},
		{"4.2/1", NotMet, "party/customers", "requirement p1", func(w *world) { w.Parties[0].Requirements[0].Decision = "not_addressed" }},
		{"4.2/2", NotMet, "party/customers/p1", "addressed by no", func(w *world) { w.Parties[0].Requirements[0].Through = nil }},
		{"4.2/2", NotMet, "obligation/gdpr", "nobody to whom", func(w *world) { w.Obligations[0].Parties = nil }},
		{"4.3/1", NotMet, "scope/scope", "no approval", func(w *world) { w.unmark(record.Approve, "scope", "scope") }},
		{"4.3/1", NotMet, "scope/scope", "other than its author", func(w *world) {
			w.unmark(record.Approve, "scope", "scope")
			w.mark(record.Approve, "scope", "scope", author, "2026-02-01")
		}},
		{"4.3/1", OutOfDate, "scope/scope", "reviewed by 2026-10-01", func(w *world) { w.Scope[0].ReviewBy = "2026-10-01" }},
		{"4.3/2", NotMet, "agent/support", "neither in scope", func(w *world) { w.Agents[1].InScope = nil }},
		{"4.3/2", NotMet, "agent/support", "no reason", func(w *world) { w.Agents[1].ScopeReason = "" }},
		{"4.3/2", NotMet, "agent/unknown", "has no record", func(w *world) { w.o.Lives["unknown"] = &observed.Life{Stage: "design"} }},
		{"4.3/3", NotMet, "agent/shadow", "has no record", shadow},
		{"4.3/3", NotMet, "agent/support", "without an approved reason", func(w *world) { w.Agents[1].InScope = no() }},
		{"4.3/3", Met, "", "left out by an approved reason", func(w *world) {
			w.Agents[1].InScope = no()
			w.mark(record.Approve, "agent", "support", "ceo", "2026-09-01")
		}},
		{"4.4/1", NotMet, "7.2", "no owner", func(w *world) {
			w.Owners[slices.IndexFunc(w.Owners, func(o record.RequirementOwner) bool { return o.ID == "7.2" })].Owner = ""
		}},
		{"4.4/1", NotMet, "7.4", "no current evidence", func(w *world) { w.Communications = nil; w.Notifications = nil }},
	}
}

// shadow is an agent that is seen and that nobody registered.
func shadow(w *world) {
	w.o.Agents["shadow"] = &observed.Agent{First: at("2026-11-01"), Last: at("2026-11-20"), Receipt: "rcp-shadow"}
}

func leadershipFaults() []fault {
	return []fault{
		{"5.1/1", NotMet, "document/ai-policy", "no approval", func(w *world) { w.unmark(record.Approve, "document", "ai-policy") }},
		{"5.1/2", NotMet, "management_review/mr-1", "names nobody", func(w *world) { w.ManagementReviews[0].Chair = "" }},
		{"5.1/1", NotMet, "document/ai-policy", "olga, who held no role of top management", func(w *world) {
			w.unmark(record.Approve, "document", "ai-policy")
			w.mark(record.Approve, "document", "ai-policy", "olga", "2026-02-01")
		}},
		{"5.1/1", NotMet, "document/ai-policy", "ceo, who held no role", func(w *world) { w.Assignments[1].From = "2026-02-02" }},
		{"5.1/2", NotMet, "management_review/mr-1", "chaired by olga", func(w *world) { w.ManagementReviews[0].Chair = "olga" }},
		{"5.2/1", NotMet, "document/ai-policy", "no approval", func(w *world) { w.unmark(record.Approve, "document", "ai-policy") }},
		{"5.2/1", OutOfDate, "document/ai-policy", "to be reviewed", func(w *world) { w.Documents[0].ReviewBy = "2026-01-31" }},
		{"5.2/2", NotMet, "person/ivan", "has not acknowledged ai-policy, approved on 2026-02-01, by 2026-03-04", forgetful},
		{"5.2/2", Met, "", "a recorded exception", func(w *world) { forgetful(w); w.People[2].Excused = "parental leave" }},
		{"5.2/3", NotMet, "rule/hold-refund", "serves no statement", func(w *world) { w.Documents[0].Statements[0].Rules = []string{"permit-support"} }},
		{"5.2/3", Met, "", "a rule by which people manage the installation", func(w *world) {
			w.o.Rules["house-administer"] = &observed.Rule{Decisions: 9, Last: at("2026-11-22"), Receipt: "rcp-house"}
		}},
		{"5.3/1", NotMet, "role/treasurer", "held by nobody", func(w *world) { w.Assignments[2].Until = "2026-11-22" }},
		{"5.3/1", NotMet, "role/treasurer", "held by nobody", func(w *world) { w.People[1].Left = "2026-11-23" }},
		{"5.3/1", NotMet, "role/treasurer", "accepted by nobody", func(w *world) { w.Assignments[2].Accepted = "" }},
		{"5.3/2", NotMet, "approval/apr-1", "olga as treasurer", func(w *world) { w.Assignments[2].From = "2026-11-21" }},
		{"5.3/2", NotMet, "risk/leak", "was approved by its author", func(w *world) { w.mark(record.Approve, "risk", "leak", author, "2026-09-11") }},
		{"5.3/2", NotMet, "risk/leak", "who held no role", func(w *world) { w.mark(record.Accept, "risk", "leak", author, "2026-09-11") }},
		{"5.3/3", NotMet, "access_review/access-2026", "key of old-agent", func(w *world) { w.AccessReviews[0].Decisions[0].Done = "" }},
		{"5.3/3", OutOfDate, "access_review/access-2026", "of 2025-11-20", func(w *world) { w.AccessReviews[0].On = "2025-11-20" }},
	}
}

// forgetful leaves one person without an acknowledgement.
func forgetful(w *world) {
	w.marks = slices.DeleteFunc(w.marks, func(m record.Mark) bool { return m.Kind == record.Acknowledge && m.By == "ivan" })
}

func riskFaults() []fault {
	return []fault{
		{"6.1.1/1", NotMet, "risk_criteria/criteria", "after the assessment of 2026-01-19", func(w *world) { w.Risks[0].Assessed = "2026-01-19" }},
		{"6.1.1/1", NotMet, "risk_criteria/criteria", "no approval", func(w *world) { w.unmark(record.Approve, "risk_criteria", "criteria") }},
		{"6.1.1/2", NotMet, "risk/leak", "no owner", func(w *world) { w.Risks[1].Owner = "" }},
		{"6.1.1/2", NotMet, "risk/leak", "no decision", func(w *world) { w.Risks[1].Decision = "" }},
		{"6.1.1/3", NotMet, "the register of risks", "no opportunity", func(w *world) { w.Risks = w.Risks[:2] }},
		{"6.1.2/1", NotMet, "agent/billing", "before change/new-tool", func(w *world) { w.Changes[0].Made = "2026-09-11" }},
		{"6.1.2/1", NotMet, "agent/billing", "no risk assessment", func(w *world) {
			for i := range w.Risks {
				w.Risks[i].Agents = []string{"support"}
			}
		}},
		{"6.1.2/2", NotMet, "risk/leak", "for individuals and societies", func(w *world) {
			w.Risks[1].Consequences.Individuals.Text, w.Risks[1].Consequences.Society.Text = "", " "
		}},
		{"6.1.2/3", NotMet, "risk/leak", "not on the scales", func(w *world) { w.Risks[1].Likelihood = 4 }},
		{"6.1.2/3", NotMet, "risk/leak", "without a person's acceptance", func(w *world) { w.unmark(record.Accept, "risk", "leak") }},
		{"6.1.3/1", NotMet, "A.7.4", "not decided", func(w *world) {
			w.Applicability = slices.DeleteFunc(w.Applicability, func(a record.Applicability) bool { return a.ID == "A.7.4" })
		}},
		{"6.1.3/1", NotMet, "applicability/A.2.2", "no reason", func(w *world) { w.Applicability[0].Justification = " " }},
		{"6.1.3/2", NotMet, "applicability/A.2.2", "traces to no", func(w *world) { w.Applicability[0].Risks = nil }},
		{"6.1.3/2", NotMet, "risk/leak", "accepted by nobody", func(w *world) {
			w.Treatments = w.Treatments[:1]
			w.unmark(record.Accept, "risk", "leak")
		}},
		{"6.1.3/3", NotMet, "applicability/A.2.2", "before the latest risk assessment of 2026-11-01", func(w *world) { w.Risks[0].Assessed = "2026-11-01" }},
		{"6.1.3/3", NotMet, "applicability/A.2.2", "no approval", func(w *world) { w.unmark(record.Approve, "applicability", "A.2.2") }},
		{"6.1.3/4", NotMet, "applicability/A.9.2", "neither a rule", func(w *world) {
			w.o.Rules = nil
			w.Agents[0].OversightRule, w.Agents[1].OversightRule = nil, nil
		}},
	}
}

func impactFaults() []fault {
	return []fault{
		{"6.1.4/1", NotMet, "agent/billing", "without a day", func(w *world) { w.Impacts[0].ReviewBy = "" }},
		{"6.1.4/1", NotMet, "agent/billing", "no approved impact assessment", func(w *world) { w.unmark(record.Approve, "impact_assessment", "impact-billing") }},
		{"6.1.4/1", NotMet, "agent/billing", "due again since 2026-10-01 because of billing with tool crm___pay", func(w *world) {
			w.o.Reopened = []observed.Reopening{{Agent: "billing", Cause: "tool crm___pay",
				Event: observed.Event{On: "impact-billing", Digest: record.Digest(w.Impacts[0]), At: at("2026-10-01"), Receipt: "rcp_1"}}}
		}},
		{"6.1.4/1", Met, "", "an earlier version was due again", func(w *world) {
			w.o.Reopened = []observed.Reopening{{Agent: "billing", Cause: "tool crm___pay", Event: observed.Event{On: "impact-billing", Digest: "sha256:earlier", At: at("2026-09-01")}}}
		}},
		{"6.1.4/1", NotMet, "agent/billing", "is to stop", func(w *world) { w.Impacts[0].Result = "stop" }},
		{"6.1.4/1", OutOfDate, "agent/billing", "ended on 2026-11-20", func(w *world) { w.Impacts[0].ReviewBy = "2026-11-20" }},
		{"6.1.4/1", Met, "", "with a recorded reason", func(w *world) { w.Impacts = w.Impacts[1:]; w.Agents[0].NoImpact = "it only counts" }},
		{"6.1.4/2", NotMet, "agent/billing", "tool files___read", func(w *world) { w.o.Agents["billing"].ToolLast["files___read"] = at("2026-11-01") }},
		{"6.1.4/2", NotMet, "agent/billing", "purpose marketing", func(w *world) { w.o.Agents["billing"].PurposeLast["marketing"] = at("2026-11-01") }},
		{"6.1.4/2", NotMet, "agent/billing", "model other", func(w *world) { w.Agents[0].Models = []string{"model", "other"} }},
		{"6.1.4/2", NotMet, "agent/billing", "jurisdiction US", func(w *world) { w.Agents[0].Jurisdictions = []string{"US"} }},
		{"6.1.4/2", Met, "", "a tool and a purpose of before the period", func(w *world) {
			w.o.Agents["billing"].ToolLast["old___read"] = at("2026-03-01")
			w.o.Agents["billing"].PurposeLast["marketing"] = at("2026-03-01")
		}},
		{"6.1.4/3", NotMet, "impact_assessment/impact-billing", "names no risk", func(w *world) { w.Impacts[0].Risks = nil }},
		{"6.1.4/3", NotMet, "impact_assessment/impact-billing", "not in the register", func(w *world) { w.Impacts[0].Risks = []string{"ghost"} }},
		{"6.2/1", NotMet, "objective/few-denied", "no target, no method of evaluation", func(w *world) { w.Objectives[0].AtMost, w.Objectives[0].Method = nil, "" }},
		{"6.2/2", NotMet, "objective/few-denied", "no value of denied-share", func(w *world) { w.o.Days = nil }},
		{"6.3/1", NotMet, "policy/set2", "without an approval", func(w *world) { w.o.Policies["sha256:set2"].Approved = 0 }},
		{"6.3/1", NotMet, "policy/set2", "after it was put in force", func(w *world) { w.o.Policies["sha256:set2"].Approved = at("2026-09-06") }},
		{"6.3/1", NotMet, "policy/set2", "by its author", func(w *world) { w.o.Policies["sha256:set2"].Approver = "olga" }},
		{"6.3/2", NotMet, "change/new-tool", "made unplanned", func(w *world) { w.Changes[0].Unplanned = true }},
		{"6.3/2", Met, "", "unplanned with a nonconformity", func(w *world) { w.Changes[0].Unplanned, w.Changes[0].Nonconformity = true, "nc-1" }},
		{"6.3/2", NotMet, "change/new-tool", "no approval", func(w *world) { w.unmark(record.Approve, "change", "new-tool") }},
		{"6.3/2", NotMet, "policy/set2", "without a record", func(w *world) { w.Changes[0].After = "" }},
	}
}

func supportFaults() []fault {
	return []fault{
		{"7.1/2", NotMet, "management_review/mr-1/d1", "due on 2026-10-01", func(w *world) { w.ManagementReviews[0].Decisions[0].Due = "2026-10-01" }},
		{"7.1/2", NotMet, "nonconformity/nc-1", "due on 2026-10-01", func(w *world) { w.o.Cases["nc-1"].Closed, w.o.Cases["nc-1"].Due = 0, "2026-10-01" }},
		{"7.1/1", NotMet, "resource_plan/plan-2026", "no approval", func(w *world) { w.unmark(record.Approve, "resource_plan", "plan-2026") }},
		{"7.1/1", OutOfDate, "resource_plan/plan-2026", "none follows", func(w *world) { w.ResourcePlans[0].Until = "2026-06-30" }},
		{"7.1/2", NotMet, "treatment/redact", "due on 2026-10-01", func(w *world) { w.Treatments[1].Extended.Until = "2026-10-01" }},
		{"7.1/2", NotMet, "treatment/redact", "due on 2026-10-01", func(w *world) { // an extension without a reason is none
			w.Treatments[1].Due = "2026-10-01"
			w.Treatments[1].Extended.Reason = ""
		}},
		{"7.1/2", NotMet, "approval/apr-1", "waits for people", func(w *world) {
			w.o.Approvals["apr-1"].Requested, w.o.Approvals["apr-1"].Ended = at("2026-11-01"), 0
		}},
		{"7.2/1", NotMet, "role/auditor", "without a current record", func(w *world) {
			w.Competences[0].ValidDays = 30
			w.Training[0].On, w.Training[2].On = "2026-11-01", "2026-11-01"
		}},
		{"7.2/1", NotMet, "role/auditor", "says nothing", func(w *world) { w.Roles[2].Competences = nil }},
		{"7.2/1", NotMet, "role/auditor", "without a current record", func(w *world) { w.Training[1].Effective = no() }},
		{"7.2/2", NotMet, "approval/apr-1", "no valid record of oversight", func(w *world) { w.Training[2].On = "2026-11-21" }},
		{"7.3/1", NotMet, "person/ivan", "has not acknowledged", forgetful},
		{"7.3/1", Met, "", "a recorded exception", func(w *world) { forgetful(w); w.People[2].Excused = "parental leave" }},
		{"7.4/1", NotMet, "topic/incidents", "not in the plan", func(w *world) { w.Communications = w.Communications[1:] }},
		{"7.4/1", NotMet, "notification/n1", "sent on 2026-10-02", func(w *world) { w.Notifications[0].Sent = "2026-10-02" }},
		{"7.4/1", NotMet, "notification/n1", "not sent", func(w *world) { w.Notifications[0].Sent = "" }},
		{"7.5.1/1", NotMet, "6.1.3/AI risk treatment process", "no current approved record", func(w *world) { w.Documents[1].Items = nil }},
		{"7.5.1/1", NotMet, "4.3/AIMS scope", "no current approved record", func(w *world) { w.unmark(record.Approve, "scope", "scope") }},
		{"7.5.2/1", NotMet, "document/treatment-process", "no approval", func(w *world) { w.unmark(record.Approve, "document", "treatment-process") }},
		{"7.5.2/1", NotMet, "document/treatment-process", "no owner", func(w *world) { w.Documents[1].Owner = "" }},
		{"7.5.3/1", NotMet, "audit/ia-1", "found 2 exceptions", func(w *world) { w.o.Tests[0].Exceptions = 2 }},
		{"7.5.3/1", NothingYet, "", "never verified", func(w *world) { w.o.Tests = w.o.Tests[1:] }},
		{"7.5.3/2", NotMet, "retention_rule/payloads", "erased on 2026-11-20", func(w *world) { erase(w, 41_500, "2026-11-20") }},
		{"7.5.3/3", NotMet, "receipt/rcp-e", "under no rule", func(w *world) { erase(w, 10, "2026-11-20"); w.o.Erasures[0].Rule = "" }},
		{"7.5.3/3", NotMet, "audit/ia-1", "found 1 exceptions", func(w *world) { w.o.Tests[1].Exceptions = 1 }},
	}
}

// erase erases payloads of decisions up to an entry.
func erase(w *world, to uint64, day string) {
	w.o.Erasures = append(w.o.Erasures, observed.Erasure{Event: observed.Event{Receipt: "rcp-e", At: at(day)}, From: 10, To: to, Names: []string{"facts"}, Rule: "half a year"})
}

func operationFaults() []fault {
	return []fault{
		{"8.2/1", NotMet, "agent/billing", "no interval", func(w *world) { w.RiskCriteria[0].AssessEveryDays = 0 }},
		{"8.3/1", NotMet, "treatment/redact", "no day", func(w *world) { w.Treatments[1].Due = "" }},
		{"8.1/1", NotMet, "day/2026-11-20", "more outcomes", func(w *world) { w.o.Days[2].Outcomes = 300 }},
		{"8.1/1", Met, "", "outcomes on the next day", func(w *world) { w.o.Days[2].Outcomes, w.o.Days[3].Outcomes = 60, 120 }},
		{"8.1/1", NotMet, "audit/ia-1", "found 1 exceptions", func(w *world) { w.o.Tests[1].Exceptions = 1 }},
		{"8.1/2", NotMet, "policy/rogue", "never put in force", func(w *world) {
			w.o.Policies["sha256:rogue"] = &observed.Policy{Decisions: 1, First: at("2026-11-01"), Last: at("2026-11-01")}
		}},
		{"8.1/2", NotMet, "policy/set1", "after it was replaced", func(w *world) { w.o.Policies["sha256:set1"].Last = at("2026-09-07") }},
		{"8.1/2", NotMet, "policy/set2", "before it was put in force", func(w *world) { w.o.Policies["sha256:set2"].First = at("2026-09-04") }},
		{"8.1/2", NotMet, "policy/set2", "without an approval", func(w *world) { w.o.Policies["sha256:set2"].Approved = 0 }},
		{"8.1/3", NotMet, "tool/crm___reply", "nobody has looked", func(w *world) { w.o.Pins = w.o.Pins[:2] }},
		{"8.1/3", NotMet, "tool/crm___reply", "nobody has looked", func(w *world) { w.o.Pins[2].Event = "removed" }},
		{"8.1/3", NotMet, "tool/crm___reply", "only after", func(w *world) { w.o.Pins[2].At = at("2026-09-20") }},
		{"8.1/4", NotMet, "audit/ia-1", "found 3 exceptions", func(w *world) { w.o.Tests[2].Exceptions = 3 }},
		{"8.1/4", Unavailable, "", "erased before an audit", func(w *world) { w.o.Tests = w.o.Tests[:2]; erase(w, 41_000, "2026-11-20") }},
		{"8.1/4", Met, "", "erased after an audit", func(w *world) { erase(w, 41_000, "2026-11-20") }},
		{"8.2/1", OutOfDate, "agent/billing", "over 180 days ago", func(w *world) { assess(w, "2026-05-01") }},
		{"8.2/1", NotMet, "agent/billing", "has no risk assessment", func(w *world) { assess(w, "") }},
		{"8.2/2", NotMet, "agent/support", "tool crm___reply changed on 2026-09-08", func(w *world) { assess(w, "2026-09-07") }},
		{"8.3/1", NotMet, "treatment/redact", "was due on 2026-10-30", func(w *world) { w.Treatments[1].Extended = nil }},
		{"8.3/2", NotMet, "treatment/hold", "no evidence", func(w *world) { w.Treatments[0].Effective = nil }},
		{"8.3/2", NotMet, "treatment/hold", "before it was done", func(w *world) { w.Treatments[0].Effective.On = "2026-09-19" }},
		{"8.3/2", NotMet, "treatment/hold", "refund-to-attacker", func(w *world) { w.o.Rehearsals[0].Scenario["refund-to-attacker"] = false }},
		{"8.4/1", NotMet, "agent/billing", "no approved impact assessment", func(w *world) { w.Impacts = w.Impacts[1:] }},
		{"8.4/1", NotMet, "agent/shadow", "no approved impact assessment", func(w *world) { w.o.Lives["shadow"] = &observed.Life{Stage: "deployed"} }},
		{"8.4/1", OutOfDate, "agent/billing", "ended on 2026-11-20", func(w *world) { w.Impacts[0].ReviewBy = "2026-11-20" }},
		{"8.4/2", NotMet, "agent/billing", "without a screening", func(w *world) { w.Changes[0].Significant = nil }},
		{"8.4/2", NotMet, "agent/support", "tool crm___reply", func(w *world) { w.Impacts[1].Assessed = "2026-09-01" }},
		{"8.4/2", Met, "", "a screened change names the pin", func(w *world) {
			w.Impacts[1].Assessed = "2026-09-01"
			w.Changes = append(w.Changes, record.Change{Base: base("pin", "olga"), Title: "pin", Significant: no(), Screening: "a comma", After: "sha256:p2", Made: "2026-09-09"})
		}},
	}
}

// assess dates all risk assessments.
func assess(w *world, on record.Date) {
	for i := range w.Risks {
		w.Risks[i].Assessed = on
	}
}

func evaluationFaults() []fault {
	return []fault{
		{"9.1/1", NotMet, "monitoring/satisfied", "no interval", func(w *world) { w.Monitoring[1].EveryDays = 0 }},
		{"9.2.2/2", NotMet, "certification/cert/f1", "no day", func(w *world) {
			w.Certification[0].Findings = []record.BodyFinding{{ID: "f1", Stage: "stage1", Requirement: "8.1", Grade: "minor", Text: "x"}}
		}},
		{"9.3.1/1", NotMet, "management_review/mr-1", "nobody who took part", func(w *world) { w.ManagementReviews[0].Attended = nil }},
		{"9.3.3/1", NotMet, "management_review/mr-1/d1", "no due date", func(w *world) { w.ManagementReviews[0].Decisions[0].Due = "" }},
		{"9.1/1", NotMet, "monitoring/satisfied", "no value of customers-satisfied", func(w *world) { w.Monitoring[1].Recorded = nil }},
		{"9.1/1", OutOfDate, "monitoring/satisfied", "of the last 30 days", func(w *world) { w.Monitoring[1].EveryDays = 30 }},
		{"9.1/2", NotMet, "monitoring/satisfied", "value of 2026-10-01", func(w *world) { w.Monitoring[1].Recorded[0].Text = "" }},
		{"9.1/3", NotMet, "monitoring/denied", "not as expected", func(w *world) { w.Monitoring[0].AtMost = num(0.01) }},
		{"9.1/3", Met, "", "answered by a nonconformity", func(w *world) {
			w.Monitoring[0].AtMost = num(0.01)
			w.o.Cases["nc-1"].Requirement = "9.1"
		}},
		{"9.1/3", NotMet, "incident/inc-1", "not answered within 3 days", func(w *world) { w.o.Cases["inc-1"].Events["assessed"] = at("2026-10-09") }},
		{"9.1/3", NotMet, "incident/inc-1", "not answered within 3 days", func(w *world) { delete(w.o.Cases["inc-1"].Events, "assessed") }},
		{"9.2.1/1", NotMet, "4.1", "not audited and not planned", func(w *world) { w.Audits[0].Requirements = w.Audits[0].Requirements[1:] }},
		{"9.2.1/1", NotMet, "A.2.2", "planned for 2026-12-10", func(w *world) { w.Audits[0].Held = ""; w.AuditProgrammes[0].Audits[0].Planned = "2026-12-10" }},
		{"9.2.1/2", NotMet, "audit/ia-1", "no conclusion", func(w *world) { w.Audits[0].Conclusion = "" }},
		{"9.2.1/2", NotMet, "certification/cert", "stage 2 on 2026-10-01", func(w *world) { w.Certification[0].Stage2 = "2026-10-01" }},
		{"9.2.2/1", NotMet, "audit/ia-1/ivan", "answers for 4.1", func(w *world) { w.Owners[0].Owner = "ivan" }},
		{"9.2.2/1", NotMet, "audit/ia-1/olga", "answers for", func(w *world) { w.Audits[0].Auditors = []string{"olga"} }},
		{"9.2.2/2", NotMet, "nonconformity/nc-1", "no owner", func(w *world) { w.o.Cases["nc-1"].Closed, w.o.Cases["nc-1"].Owner = 0, "" }},
		{"9.2.2/2", NotMet, "nonconformity/nc-1", "no day", func(w *world) { w.o.Cases["nc-1"].Closed = 0 }},
		{"9.3.1/1", NotMet, "management_review/mr-2", "planned for 2026-11-01", func(w *world) {
			w.ManagementReviews = append(w.ManagementReviews, record.ManagementReview{Base: base("mr-2", "ceo"), Planned: "2026-11-01"})
		}},
		{"9.3.1/1", OutOfDate, "management_review/mr-1", "of 2025-10-20", func(w *world) { w.ManagementReviews[0].Held, w.Certification = "2025-10-20", nil }},
		{"9.3.1/1", NotMet, "certification/cert", "no management review", func(w *world) { w.Certification[0].Stage2 = "2026-10-20" }},
		{"9.3.2/1", NotMet, "management_review/mr-1", "no frozen inputs", func(w *world) { w.o.Frozen = nil }},
		{"9.3.2/1", NotMet, "management_review/mr-1", "after it was held", func(w *world) { w.o.Frozen["mr-1"].At = at("2026-10-21") }},
		{"9.3.2/1", NotMet, "management_review/mr-1", "other inputs", func(w *world) { w.o.Frozen["mr-1"].Digest = "sha256:others" }},
		{"9.3.3/1", NotMet, "management_review/mr-1/d1", "no owner", func(w *world) { w.ManagementReviews[0].Decisions[0].Owner = "" }},
		{"9.3.3/1", NotMet, "management_review/mr-1/d1", "nobody above", func(w *world) { w.ManagementReviews[0].Decisions[0].Due = "2026-11-20" }},
		{"9.3.3/1", Met, "", "overdue and escalated", func(w *world) {
			w.ManagementReviews[0].Decisions[0].Due, w.ManagementReviews[0].Decisions[0].Escalated = "2026-11-20", "ceo"
		}},
	}
}

func improvementFaults() []fault {
	return []fault{
		{"10.2/1", Met, "", "a scenario that failed and ended as expected later", func(w *world) {
			w.o.Rehearsals[0].AsExpected, w.o.Rehearsals[0].Scenario["refund-to-attacker"] = 0, false
			w.o.Rehearsals = append(w.o.Rehearsals, observed.Rehearsal{Receipt: "rcp-r2", Scenarios: 1, AsExpected: 1, Scenario: map[string]bool{"refund-to-attacker": true}, At: at("2026-10-02")})
		}},
		{"10.1/1", NotMet, "the period", "none finished", func(w *world) {
			w.ManagementReviews[0].Decisions[1].Done = ""
			w.o.Cases["nc-1"].Closed = 0
		}},
		{"10.2/1", NotMet, "audit/ia-1", "no nonconformity", func(w *world) { w.o.Tests[2].Exceptions = 3 }},
		{"10.2/1", Met, "", "a failed test with a nonconformity", func(w *world) {
			w.o.Tests[2].Exceptions = 3
			w.o.Cases["nc-1"].About = []string{"rcp-t2"}
		}},
		{"10.2/1", NotMet, "rehearsal/rcp-r1", "did not end as expected", func(w *world) { w.o.Rehearsals[0].AsExpected = 0 }},
		{"10.2/1", NotMet, "change/new-tool", "was unplanned", func(w *world) { w.Changes[0].Unplanned = true }},
		{"10.2/2", NotMet, "nonconformity/nc-1", "without a review of action a1", func(w *world) { w.o.Cases["nc-1"].Actions[0].Effective = 0 }},
		{"10.2/2", NotMet, "nonconformity/nc-1", "older than action a1", func(w *world) { w.o.Cases["nc-1"].Actions[0].Effective = at("2026-09-17") }},
		{"10.2/2", NotMet, "nonconformity/nc-1", "without an action", func(w *world) { w.o.Cases["nc-1"].Actions = nil }},
		{"10.2/3", NotMet, "nonconformity/nc-1", "less than 14 days", func(w *world) { w.o.Cases["nc-1"].Actions[0].Implemented = at("2026-10-25") }},
	}
}
