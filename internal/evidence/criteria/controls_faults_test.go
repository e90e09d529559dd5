package criteria

import (
	"slices"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// later is a day after the end of the period.
const later = record.Date("2026-11-24")

// document is one of the documents, to be changed.
func (w *world) document(id string) *record.Document {
	return &w.Documents[slices.IndexFunc(w.Documents, func(d record.Document) bool { return d.ID == id })]
}

// disapproved takes the approval of a document away.
func disapproved(id string) func(*world) {
	return func(w *world) { w.unmark(record.Approve, "document", id) }
}

// overdue sets the day of the next review of a document to yesterday.
func overdue(id string) func(*world) {
	return func(w *world) { w.document(id).ReviewBy = "2026-11-22" }
}

// stray is a deployed agent that stands in no register and was allowed something.
func stray(w *world) {
	w.o.Lives["stray"] = &observed.Life{Stage: "deployed", Changed: at("2026-10-01"), Receipt: "rcp-stray"}
	w.o.Agents["stray"] = &observed.Agent{First: at("2026-10-01"), Last: at("2026-11-20"), Allowed: 1, Receipt: "rcp-stray",
		ToolLast: map[string]int64{"crm___reply": at("2026-11-20")}, PurposeAllowed: map[string]int64{"": at("2026-11-20")}}
}

// idle is an agent that was last seen before the period.
func idle(w *world) { w.o.Agents["billing"].Last = at("2026-08-01") }

func policyFaults() []fault {
	return []fault{
		{"A.2.2/1", NotMet, "document/ai-policy", "no approval", disapproved("ai-policy")},
		{"A.2.2/1", OutOfDate, "document/ai-policy", "to be reviewed by 2026-11-22", overdue("ai-policy")},
		{"A.2.2/1", NothingYet, "", "no AI policy", func(w *world) { w.Documents = w.Documents[1:] }},
		{"A.2.2/2", NotMet, "document/ai-policy", "s1, which names no rule", func(w *world) { w.Documents[0].Statements[0].Rules = nil }},
		{"A.2.2/2", NotMet, "document/ai-policy", "whose rules (never) decided nothing", func(w *world) { w.Documents[0].Statements[0].Rules = []string{"never"} }},
		{"A.2.2/2", NotMet, "document/ai-policy", "decided nothing since 2026-08-24", func(w *world) {
			w.o.Rules["hold-refund"].Last, w.o.Rules["permit-support"].Last = at("2026-08-01"), at("2026-08-01")
		}},
		{"A.2.3/1", NotMet, "document/ai-policy", `never compared with "Security"`, func(w *world) { w.Documents[0].Related[0].Reviewed = "" }},
		{"A.2.3/1", NotMet, "document/ai-policy", "which changed on 2026-03-01", func(w *world) { w.Documents[0].Related[0].Changed = "2026-03-01" }},
		{"A.2.3/1", NotMet, "document/ai-policy", `when "Security" changed last`, func(w *world) { w.Documents[0].Related[0].Changed = "" }},
		{"A.2.3/1", NotMet, "document/ai-policy", `"How risks are treated", which changed on 2026-01-05`, func(w *world) { w.Documents[0].Related[1].Reviewed = "2026-01-04" }},
		{"A.2.4/1", OutOfDate, "document/ai-policy", "to be reviewed by 2026-11-22", overdue("ai-policy")},
		{"A.2.4/1", NotMet, "document/ai-policy", "names no day", func(w *world) { w.Documents[0].ReviewBy = "" }},
		{"A.2.4/1", NotMet, "document/ai-policy", "never reviewed", func(w *world) { w.Documents[0].Reviewed = ""; disapproved("ai-policy")(w) }},
		{"A.3.2/1", NotMet, "agent/stray", "without a record", stray},
		{"A.3.2/1", NotMet, "agent/billing", "no owner who is with", func(w *world) { w.Agents[0].Owner = "" }},
		{"A.3.2/1", NotMet, "agent/billing", "no overseer who is with", func(w *world) { w.Agents[0].Overseer = "" }},
		{"A.3.2/1", NotMet, "agent/billing", "no overseer who is with", func(w *world) { w.People[2].Left = "2026-11-01" }},
		{"A.3.2/2", NotMet, "approval/apr-1", "released by olga, who operates billing", func(w *world) { w.o.Lives["billing"].Operator = "olga" }},
		{"A.3.2/2", NotMet, "approval/apr-1", "released by olga, who operates billing", func(w *world) { w.Agents[0].Operator = "olga" }},
		{"A.3.3/1", NothingYet, "", "a concern of more than a year ago", func(w *world) { w.o.Cases["con-1"].Opened = at("2025-11-20") }},
		{"A.3.3/2", NotMet, "concern/con-1", "on 2026-10-20, after 2026-10-12", func(w *world) { w.o.Cases["con-1"].Events["acknowledged"] = at("2026-10-20") }},
		{"A.3.3/2", NotMet, "concern/con-1", "still waits", func(w *world) { delete(w.o.Cases["con-1"].Events, "acknowledged") }},
		{"A.3.3/2", NotMet, "concern/con-1", "closed on 2026-11-01 without having been acknowledged", func(w *world) {
			delete(w.o.Cases["con-1"].Events, "acknowledged")
			w.o.Cases["con-1"].Closed = at("2026-11-01")
		}},
		{"A.3.3/2", Met, "", "answered at once and closed", func(w *world) {
			delete(w.o.Cases["con-1"].Events, "acknowledged")
			w.o.Cases["con-1"].Closed = at("2026-10-07")
		}},
	}
}

func resourceFaults() []fault {
	return []fault{
		{"A.4.2/1", NotMet, "agent/stray", "without a record", stray},
		{"A.4.2/1", NotMet, "agent/billing", "uses files___read", func(w *world) { w.o.Agents["billing"].ToolLast["files___read"] = at("2026-11-01") }},
		{"A.4.2/1", NotMet, "agent/billing", "uses crm___reply", func(w *world) { w.Agents[0].Tools = []string{"crm___other"} }},
		{"A.4.2/1", Met, "", "what it used before the period", func(w *world) { w.o.Agents["billing"].ToolLast["files___read"] = at("2026-08-01") }},
		{"A.4.3/1", NotMet, "agent/billing", "uses crm, which stands behind none", func(w *world) { w.Agents[0].DataSources = nil }},
		{"A.4.3/1", NotMet, "agent/billing", "uses crm, which stands behind none", func(w *world) { w.DataSources[0].Servers = nil }},
		{"A.4.3/1", Met, "", "a server that was asked for and denied", func(w *world) { w.o.Agents["billing"].Servers["files"] = 9 }},
		{"A.4.4/1", NotMet, "tool/crm___reply", "stands in no register", func(w *world) { w.Servers = nil }},
		{"A.4.4/1", Met, "", "a tool of a server without a record", func(w *world) { w.Servers, w.Tools = nil, []record.Tool{{Base: base("crm___reply", "olga")}} }},
		{"A.4.4/2", NotMet, "tool/crm___reply", "never reviewed", func(w *world) { w.Servers[0].Reviewed = "" }},
		{"A.4.4/2", OutOfDate, "tool/crm___reply", "to be reviewed by 2026-11-22", func(w *world) { w.Servers[0].ReviewBy = "2026-11-22" }},
		{"A.4.4/2", NotMet, "tool/crm___reply", "on 2026-11-01 without a pin", func(w *world) { w.o.Tools["crm___reply"].UnpinnedLast = at("2026-11-01") }},
		{"A.4.4/2", NotMet, "tool/files___read", "never reviewed", func(w *world) { // pinned, and never called
			w.o.Pins = append(w.o.Pins, observed.PinChange{Tool: "files___read", Event: "pinned", At: at("2026-10-01")})
		}},
		{"A.4.4/2", Met, "", "in quarantine", func(w *world) {
			w.o.Pins = append(w.o.Pins, observed.PinChange{Tool: "files___read", Event: "quarantined", Quarantined: true, At: at("2026-10-01")})
		}},
		{"A.4.5/1", NotMet, "agent/billing", "does not say where it runs", func(w *world) { w.Agents[0].Compute = nil }},
		{"A.4.5/1", NotMet, "agent/billing", "runs on ghost", func(w *world) { w.Agents[0].Compute = []string{"machine", "ghost"} }},
		{"A.4.6/1", NotMet, "stage retired", "nobody's", func(w *world) { w.Roles[1].Stages = stages()[:4] }},
		{"A.4.6/1", NotMet, "stage design", "nobody's", func(w *world) { w.Assignments[2].Until = "2026-11-22" }},
		{"A.4.6/1", NotMet, "stage design", "which competences it takes", func(w *world) { w.Roles[1].Competences = nil }},
		{"A.4.6/1", NotMet, "stage design", "nobody with the competences", func(w *world) { w.Training[2].Effective = no() }},
	}
}

func assessmentFaults() []fault {
	return []fault{
		{"A.5.2/1", NotMet, "document/how-we-work", "no approval", disapproved("how-we-work")},
		{"A.5.2/1", OutOfDate, "document/how-we-work", "to be reviewed", overdue("how-we-work")},
		{"A.5.2/1", NothingYet, "", "no document", func(w *world) { w.document("how-we-work").Requirements = nil }},
		{"A.5.2/2", NotMet, "impact_assessment/impact-billing", "names nothing", func(w *world) { w.Impacts[0].Triggers = nil }},
		{"A.5.2/2", NotMet, "impact_assessment/impact-billing", "sets no day", func(w *world) { w.Impacts[0].ReviewBy = "" }},
		{"A.5.2/2", NotMet, "impact_assessment/impact-billing", "after incident inc-1", func(w *world) { w.o.Cases["inc-1"].About = []string{"agent/billing"} }},
		{"A.5.2/2", Met, "", "an incident that was assessed", func(w *world) {
			w.o.Cases["inc-1"].About = []string{"agent/billing"}
			w.Impacts[0].Assessed = "2026-10-10"
		}},
		{"A.5.3/1", NothingYet, "", "no assessment", func(w *world) { w.Impacts = nil }},
		{"A.5.3/2", NotMet, "retention_rule/registers", "no time", func(w *world) { w.Retention[1].Days = 0 }},
		{"A.5.4/1", NotMet, "impact_assessment/impact-billing", "nobody who is affected", func(w *world) { w.Impacts[0].Groups = nil }},
		{"A.5.4/1", NotMet, "impact_assessment/impact-billing", "no severity for customers", func(w *world) { w.Impacts[0].Groups[0].Severity = 0 }},
		{"A.5.4/1", NotMet, "impact_assessment/impact-billing", "what is done for customers", func(w *world) { w.Impacts[0].Groups[0].Mitigation = " " }},
		{"A.5.4/2", NotMet, "agent/billing", "which impact-billing does not look at", func(w *world) { w.Impacts[0].DataSources = nil }},
		{"A.5.4/2", NotMet, "agent/billing", "without an impact assessment", func(w *world) { w.Impacts = w.Impacts[1:] }},
		{"A.5.5/1", NotMet, "impact_assessment/impact-billing", "does not decide", func(w *world) { w.Impacts[0].Societal.Relevant = nil }},
		{"A.5.5/1", NotMet, "impact_assessment/impact-billing", "or why none", func(w *world) { w.Impacts[0].Societal.Text = " " }},
	}
}

func developmentFaults() []fault {
	return []fault{
		{"A.6.1.2/1", NotMet, "objective/attacks-held", "no measure", func(w *world) { w.Objectives[1].Measure = "" }},
		{"A.6.1.2/1", NotMet, "objective/attacks-held", "by no gate", func(w *world) { w.Objectives[1].Gate = false }},
		{"A.6.1.3/1", NotMet, "agent/billing", "past the gate", func(w *world) { w.o.Gates = w.o.Gates[1:] }},
		{"A.6.1.3/1", NotMet, "agent/billing", "did not pass the gate on 2026-09-20: owner_named", func(w *world) {
			w.o.Gates[0].Passed, w.o.Gates[0].Failed = false, []string{"owner_named"}
		}},
		{"A.6.1.3/1", NotMet, "agent/billing", "as version 1, and its record names version 2", func(w *world) { w.Agents[0].Version = "2" }},
		{"A.6.1.3/2", NotMet, "document/how-we-work", "no approval", disapproved("how-we-work")},
		{"A.6.1.3/2", OutOfDate, "document/how-we-work", "to be reviewed", overdue("how-we-work")},
		{"A.6.2.2/1", NotMet, "agent/billing", "no specification", func(w *world) { w.Agents[0].Specification = "" }},
		{"A.6.2.2/1", NotMet, "agent/billing", "ghost, which is not in the register", func(w *world) { w.Agents[0].Specification = "ghost" }},
		{"A.6.2.2/1", NotMet, "agent/billing", "which has no approval", disapproved("billing-specification")},
		{"A.6.2.2/1", NotMet, "agent/billing", "to be reviewed by 2026-11-22", overdue("billing-specification")},
		{"A.6.2.2/1", NotMet, "agent/billing", "no acceptance criterion", func(w *world) { w.Agents[0].Acceptance = nil }},
		{"A.6.2.2/1", NotMet, "agent/billing", "attacks without a test", func(w *world) { w.Agents[0].Acceptance[0].Scenarios = nil }},
		{"A.6.2.2/1", NotMet, "agent/billing", "or a control", func(w *world) { w.Agents[0].Acceptance[0].Controls = nil }},
		{"A.6.2.3/1", NotMet, "agent/billing", "no design", func(w *world) { w.Agents[0].Design = "" }},
		{"A.6.2.3/1", NotMet, "agent/billing", "which has no approval", disapproved("billing-design")},
		{"A.6.2.3/1", NotMet, "agent/billing", "is built as sha256:other", func(w *world) { w.Agents[0].Build = "sha256:other" }},
		{"A.6.2.3/1", NotMet, "agent/billing", "nothing that is named", func(w *world) { w.document("billing-design").AsBuilt = "" }},
		{"A.6.2.3/1", NotMet, "agent/billing", "no digest of its build", func(w *world) { w.Agents[0].Build, w.document("billing-design").AsBuilt = "", "" }},
		{"A.6.2.4/1", NotMet, "agent/stray", "without a record", stray},
		{"A.6.2.4/1", NotMet, "agent/billing", "failed the acceptance criterion attacks", func(w *world) { w.o.Rehearsals[0].Scenario["refund-to-attacker"] = false }},
		{"A.6.2.4/1", NotMet, "agent/billing", "criterion attacks, for which no run", func(w *world) { w.o.Rehearsals = nil }},
		{"A.6.2.4/1", NotMet, "agent/billing", "failed the acceptance criterion quality", func(w *world) { w.Evaluations[0].Result = "fail" }},
		{"A.6.2.4/1", NotMet, "agent/billing", "for version 2", func(w *world) { w.Agents[0].Version = "2" }},
		{"A.6.2.4/2", NotMet, "ASI07", "no scenario", func(w *world) { w.o.Rehearsals[0].Categories = slices.Delete(w.o.Rehearsals[0].Categories, 6, 7) }},
		{"A.6.2.4/2", OutOfDate, "", "too old", func(w *world) { w.o.Rehearsals[0].At = at("2026-08-01") }},
		{"A.6.2.4/3", NotMet, "the rehearsal of 2026-10-01", "in 0 of 1 scenarios", func(w *world) { w.o.Rehearsals[0].AsExpected = 0 }},
		{"A.6.2.4/3", NotMet, "the rehearsal of 2026-10-01", "set1, and set2 is in force", func(w *world) { w.o.Rehearsals[0].Policy = "sha256:set1" }},
		{"A.6.2.4/3", OutOfDate, "", "too old", func(w *world) { w.o.Rehearsals[0].At = at("2026-08-01") }},
		{"A.6.2.5/1", NotMet, "agent/stray", "without being registered", stray},
		{"A.6.2.5/1", NotMet, "agent/billing", "since 2026-01-31, before it was first deployed on 2026-02-01", func(w *world) { w.o.Agents["billing"].AllowedFirst = at("2026-01-31") }},
		{"A.6.2.5/1", NotMet, "agent/billing", "never deployed", func(w *world) { w.o.Lives["billing"].FirstDeploy = 0 }},
		{"A.6.2.5/1", NotMet, "agent/billing", "3 calls while it was not deployed", func(w *world) { w.o.Agents["billing"].AllowedWithoutDeployed = 3 }},
		{"A.6.2.5/2", NotMet, "agent/support", "neither a plan", disapproved("support-plan")},
		{"A.6.2.5/2", NotMet, "agent/support", "neither a plan", overdue("support-plan")},
		{"A.6.2.5/2", Met, "", "a change is the plan", disapproved("billing-plan")},
		{"A.6.2.5/2", NotMet, "agent/billing", "neither a plan", func(w *world) { disapproved("billing-plan")(w); w.unmark(record.Approve, "change", "new-tool") }},
	}
}

func inUseFaults() []fault {
	return []fault{
		{"A.6.2.6/1", NotMet, "agent/billing", "watched by no line", func(w *world) {
			w.Monitoring[0].Agents, w.Monitoring[1].Agents = []string{"support"}, []string{"support"}
		}},
		{"A.6.2.6/1", NotMet, "agent/billing", "not seen", idle},
		{"A.6.2.6/2", NotMet, "the kill switch", "not used since 2026-08-24", func(w *world) { w.o.Stops = nil }},
		{"A.6.2.6/2", NotMet, "the kill switch", "not used", func(w *world) { w.o.Stops = w.o.Stops[1:] }},
		{"A.6.2.7/1", NotMet, "agent/stray", "without a record", stray},
		{"A.6.2.7/1", NotMet, "agent/billing", "no technical documentation in force", disapproved("billing-technical")},
		{"A.6.2.7/1", NotMet, "agent/billing", "no technical documentation in force", overdue("billing-technical")},
		{"A.6.2.7/1", NotMet, "agent/billing", "of its version 1", func(w *world) { w.document("billing-technical").AgentVersion = "0" }},
		{"A.6.2.8/1", NotMet, "agent/billing", "no test of the log shows", func(w *world) { idle(w); w.o.Tests = nil }},
		{"A.6.2.8/1", NotMet, "agent/billing", "no test of the log shows", func(w *world) { idle(w); w.o.Tests[1].Exceptions = 1 }},
		{"A.6.2.8/1", Met, "", "idle by a test of the log", idle},
		{"A.6.2.8/2", NotMet, "audit/ia-1", "found 1 exceptions", func(w *world) { w.o.Tests[0].Exceptions = 1 }},
		{"A.6.2.8/2", NotMet, "audit/ia-1", "found 2 exceptions", func(w *world) { w.o.Tests[1].Exceptions = 2 }},
		{"A.6.2.8/2", NothingYet, "", "never tested", func(w *world) { w.o.Tests = nil }},
		{"A.6.2.8/3", NotMet, "retention_rule/receipts", "no time", func(w *world) { w.Retention[2].Days = 0 }},
		{"A.6.2.8/3", NotMet, "retention_rule/receipts", "no reason", func(w *world) { w.Retention[2].Reason = " " }},
	}
}

func dataFaults() []fault {
	return []fault{
		{"A.7.2/1", NotMet, "data_source/tickets", "no owner", func(w *world) { w.DataSources[0].Owner = "" }},
		{"A.7.2/1", NotMet, "data_source/tickets", "no process", func(w *world) { w.DataSources[0].Process = " " }},
		{"A.7.3/1", NotMet, "data_source/tickets", "where it comes from", func(w *world) { w.DataSources[0].Source = " " }},
		{"A.7.3/1", NotMet, "data_source/tickets", "by which right", func(w *world) { w.DataSources[0].Rights = " " }},
		{"A.7.4/1", NotMet, "data_source/tickets", "no quality criterion", func(w *world) { w.DataSources[0].Checks = nil }},
		{"A.7.4/1", NotMet, "data_source/tickets", "no check", func(w *world) { w.DataSources[0].Checks[0].Result = "" }},
		{"A.7.4/1", NotMet, "data_source/tickets", "no check with a day", func(w *world) { w.DataSources[0].Checks[0].On = "" }},
		{"A.7.4/1", NotMet, "data_source/tickets", "no check with a day", func(w *world) { w.DataSources[0].Checks[0].On = later }},
		{"A.7.4/1", NotMet, "data_source/tickets", "failed its quality criterion", func(w *world) { w.DataSources[0].Checks[0].Result = "fail" }},
		{"A.7.5/1", NotMet, "server/crm", "states its provenance", func(w *world) { w.DataSources[0].Provenance = "" }},
		{"A.7.5/1", NotMet, "server/crm", "behind no data source", func(w *world) { w.DataSources[0].Servers = nil }},
		{"A.7.5/2", NotMet, "data_source/tickets", "known of its history", func(w *world) { w.DataSources[0].Provenance = " " }},
		{"A.7.6/1", NotMet, "data_source/tickets", "preparation step 1", func(w *world) { w.DataSources[0].Preparation[0].Digest = "" }},
		{"A.7.6/1", NotMet, "data_source/tickets", "no version of the data", func(w *world) { w.DataSources[0].Version = "" }},
	}
}

func informationFaults() []fault {
	return []fault{
		{"A.8.2/1", NotMet, "agent/billing", "no information for users in force", disapproved("billing-user-information")},
		{"A.8.2/1", NotMet, "agent/billing", "of its version 2", func(w *world) { w.Agents[0].Version = "2" }},
		{"A.8.3/1", NotMet, "the plan of communication", "no line on concerns", func(w *world) { w.Communications = w.Communications[:4] }},
		{"A.8.3/2", NotMet, "concern/con-1", "triaged on 2026-10-21, after 2026-10-19", func(w *world) { w.o.Cases["con-1"].Events["triaged"] = at("2026-10-21") }},
		{"A.8.3/2", NotMet, "concern/con-1", "still waits", func(w *world) { delete(w.o.Cases["con-1"].Events, "triaged") }},
		{"A.8.4/1", NotMet, "incident/inc-1", "no decision whether people are told", func(w *world) { w.o.Cases["inc-1"].Notify = "" }},
		{"A.8.4/2", NotMet, "the plan of communication", "no line on incidents", func(w *world) { w.Communications = w.Communications[1:] }},
		{"A.8.5/1", NotMet, "obligation/gdpr", "tell-customers, which was due on 2026-11-22 and is not done", func(w *world) { w.Obligations[0].Duties[1].Due = "2026-11-22" }},
		{"A.8.5/1", NotMet, "obligation/gdpr", "done on 2026-10-02 only", func(w *world) { w.Obligations[0].Duties[0].Done = "2026-10-02" }},
		{"A.8.5/1", NothingYet, "", "an obligation that does not apply", func(w *world) { w.Obligations[0].Applies = no() }},
	}
}

func thirdPartyFaults() []fault {
	return []fault{
		{"A.9.2/1", NotMet, "agent/billing", "held no call for people since 2026-08-24", func(w *world) { w.o.Rules["hold-refund"].HeldLast = at("2026-08-01") }},
		{"A.9.2/1", NotMet, "agent/billing", "oversight point gone", func(w *world) { w.Agents[0].OversightRule = []string{"gone"} }},
		{"A.9.2/1", NotMet, "agent/billing", "oversight point permit-support", func(w *world) { w.Agents[0].OversightRule = []string{"permit-support"} }},
		{"A.9.2/2", NotMet, "document/how-we-work", "no approval", disapproved("how-we-work")},
		{"A.9.2/2", OutOfDate, "document/how-we-work", "to be reviewed", overdue("how-we-work")},
		{"A.9.3/1", NotMet, "objective/quick-answers", "neither a measure", func(w *world) { w.Objectives[2].Measure = "" }},
		{"A.9.3/1", Met, "", "a reason instead of a measure", func(w *world) { w.Objectives[2].Measure, w.Objectives[2].Note = "", "asked in talks" }},
		{"A.9.4/1", NotMet, "agent/stray", "without a record", stray},
		{"A.9.4/1", NotMet, "agent/billing", "the tool files___read", func(w *world) { w.o.Agents["billing"].ToolLast["files___read"] = at("2026-11-01") }},
		{"A.9.4/1", NotMet, "agent/billing", "the tool crm___reply", func(w *world) { w.Agents[0].Tools = []string{"crm___other"} }},
		{"A.9.4/1", NotMet, "agent/billing", "the purpose marketing", func(w *world) { w.o.Agents["billing"].PurposeAllowed["marketing"] = at("2026-11-01") }},
		{"A.9.4/1", Met, "", "another purpose that was denied", func(w *world) { w.o.Agents["billing"].PurposeLast["marketing"] = at("2026-11-01") }},
		{"A.9.4/2", NotMet, "the decisions since 2026-08-24", "sampled by no internal audit", func(w *world) { w.o.Samples = nil }},
		{"A.9.4/2", NotMet, "the decisions since 2026-08-24", "sampled by no internal audit", func(w *world) { w.o.Samples[0].Kind = "approvals" }},
		{"A.9.4/2", NotMet, "audit/ia-1", "1 of 2 items have a result", func(w *world) { delete(w.o.Samples[0].Judged, "rcp-y") }},
		{"A.10.2/1", NotMet, "supplier/lab", "supplies model/model, and it is not said who does what", func(w *world) { w.Suppliers[0].Responsibilities = nil }},
		{"A.10.2/1", NotMet, "supplier/crm-maker", "supplies server/crm", func(w *world) { w.Suppliers[1].Responsibilities = nil }},
		{"A.10.2/1", NotMet, "supplier/ghost", "supplies compute/machine", func(w *world) { w.Compute[0].Supplier = "ghost" }},
		{"A.10.3/1", NotMet, "supplier/lab", "never assessed", func(w *world) { w.Suppliers[0].Assessments = nil }},
		{"A.10.3/1", NotMet, "supplier/lab", "never assessed", func(w *world) { w.Suppliers[0].Assessments[0].On = later }},
		{"A.10.3/1", NotMet, "supplier/lab", "refused on 2026-03-01", func(w *world) { w.Suppliers[0].Assessments[0].Result = "refused" }},
		{"A.10.3/1", OutOfDate, "supplier/lab", "counted until 2026-11-22", func(w *world) { w.Suppliers[0].Assessments[0].Valid = "2026-11-22" }},
		{"A.10.3/2", NotMet, "tool/crm___reply", "on 2026-11-01 without a pin", func(w *world) { w.o.Tools["crm___reply"].UnpinnedLast = at("2026-11-01") }},
		{"A.10.3/2", Met, "", "without a pin before the period", func(w *world) { w.o.Tools["crm___reply"].UnpinnedLast = at("2026-08-01") }},
		{"A.10.4/1", NotMet, "party/customers", "p1, which traces to no control", func(w *world) { w.Parties[0].Requirements[0].Through = nil }},
		{"A.10.4/1", NotMet, "party/customers", "traces to no control", func(w *world) { w.Parties[0].Requirements[0].Through = []string{"objective/few-denied"} }},
		{"A.10.4/1", Met, "", "a decision on a control", func(w *world) { w.Parties[0].Requirements[0].Through = []string{"applicability/A.9.2"} }},
		{"A.10.4/1", Met, "", "an objective of responsible use", func(w *world) { w.Parties[0].Requirements[0].Through = []string{"objective/quick-answers"} }},
		{"A.10.4/1", Met, "", "a document that names a control", func(w *world) { w.Parties[0].Requirements[0].Through = []string{"document/how-we-work"} }},
	}
}
