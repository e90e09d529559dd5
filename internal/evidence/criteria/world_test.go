package criteria

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

// world is a small company with two agents, support and billing, judged on 23
// November 2026 for the quarter before.
type world struct {
	record.Registers
	o      *observed.Facts
	marks  []record.Mark
	erased []record.Key // records whose text retention erased
	from   time.Time
	until  time.Time
}

func at(day string) int64 {
	t, err := time.Parse("2006-01-02 15:04", day)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, day); err != nil {
			panic(err)
		}
		t = t.Add(12 * time.Hour)
	}
	return t.UnixMicro()
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func num(f float64) *float64 { return &f }

func base(id, owner string) record.Base {
	return record.Base{ID: id, Owner: owner, ReviewBy: "2027-06-30"}
}

// mark adds a mark of a person on the record as it will be.
func (w *world) mark(kind record.MarkKind, on, id, by, day string) {
	w.marks = append(w.marks, record.Mark{Kind: kind, On: on, ID: id, By: by, At: at(day), Receipt: fmt.Sprintf("rcp-m%d", len(w.marks))})
}

// unmark takes marks away.
func (w *world) unmark(kind record.MarkKind, on, id string) {
	w.marks = slices.DeleteFunc(w.marks, func(m record.Mark) bool { return m.Kind == kind && m.On == on && m.ID == id })
}

// written is when every record was written, by whom, and from which entry on.
const (
	written = "2026-01-05"
	author  = "wanda"
)

// input is the world as criteria see it.
func (w *world) input() *Input {
	s := record.State{Registers: w.Registers, Versions: map[record.Key]record.Version{}}
	index := uint64(1)
	w.Registers.Each(func(kind, id string, rec any) {
		key := record.Key{Kind: kind, ID: id}
		s.Versions[key] = record.Version{Digest: record.Digest(rec), Number: 1, By: author, At: at(written), Index: index, Receipt: "rcp-" + kind + "-" + id}
		if slices.Contains(w.erased, key) {
			w.o.Erasures = append(w.o.Erasures, observed.Erasure{
				Event: observed.Event{At: at("2026-11-01"), Receipt: "rcp-erased"}, From: index, To: index, Names: []string{"input"}, Rule: "nine months",
			})
		}
		index++
	})
	for i, m := range w.marks {
		m.Index = 1_000 + uint64(i)
		if m.On != record.OnRequirement {
			m.Digest = s.Versions[record.Key{Kind: m.On, ID: m.ID}].Digest
		}
		s.Marks = append(s.Marks, m)
	}
	return &Input{Registers: s, Observed: w.o, From: w.from, Until: w.until}
}

// status evaluates and picks one requirement.
func (w *world) status(t testing.TB, requirement string) Status {
	t.Helper()
	all, err := Evaluate(w.input())
	if err != nil {
		t.Fatal(err)
	}
	s, ok := find(all, func(s Status) bool { return s.ID == requirement })
	if !ok {
		t.Fatalf("no status of %s", requirement)
	}
	return s
}

// result picks the result of one criterion.
func (w *world) result(t testing.TB, criterion string) Result {
	t.Helper()
	c, ok := find(All(), func(c Criterion) bool { return c.ID == criterion })
	if !ok {
		t.Fatalf("no criterion %s", criterion)
	}
	r, _ := w.input().prepare().run(c)
	return r
}

func empty() *world {
	return &world{o: &observed.Facts{}, from: time.Date(2026, 8, 24, 0, 0, 0, 0, time.UTC), until: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

// company is a world in which every clause requirement is looked after.
func company() *world {
	w := empty()
	w.context()
	w.people()
	w.agents()
	w.risks()
	w.performance()
	w.log()
	return w
}

func (w *world) context() {
	w.Organisation = []record.Organisation{{Base: base("org", "ceo"), Name: "A company", AIRoles: []string{"deployer"},
		ClimateRelevant: no(), ClimateReason: "two small agents on rented machines", Reviewed: "2026-09-01"}}
	w.Parties = []record.Party{{Base: base("customers", "ceo"), Name: "Customers", Type: "customer",
		Requirements: []record.PartyRequirement{{ID: "p1", Text: "a person decides on refunds", Decision: "addressed", Through: []string{"risk/wrong-refund"}}}}}
	w.Obligations = []record.Obligation{{Base: base("gdpr", "ceo"), Title: "Data protection", Source: "law", Parties: []string{"customers"}, Applies: yes()}}
	w.Scope = []record.Scope{{Base: base("scope", "ceo"), Statement: "support and billing"}}
	w.mark(record.Approve, "scope", "scope", "ceo", "2026-02-01")
	w.Documents = []record.Document{
		{Base: base("ai-policy", "ceo"), Title: "AI policy", Type: "ai-policy", Version: "3", Reviewed: "2026-02-01",
			Statements: []record.Statement{{ID: "s1", Text: "people decide on refunds", Enforceable: true, Rules: []string{"hold-refund", "permit-support"}}}},
		{Base: base("treatment-process", "ceo"), Title: "How risks are treated", Type: "process", Version: "1",
			Items: []string{"6.1.3"}, Requirements: []string{"4.4"}},
	}
	for _, d := range w.Documents {
		w.mark(record.Approve, "document", d.ID, "ceo", "2026-02-01")
	}
	for _, p := range []string{"ceo", "olga", "ivan", author} {
		w.mark(record.Acknowledge, "document", "ai-policy", p, "2026-02-10")
	}
	for _, r := range iso42001.Clauses() {
		w.Owners = append(w.Owners, record.RequirementOwner{Base: base(r.ID, "olga"), Due: "2026-12-31"})
	}
	w.Retention = []record.RetentionRule{{Base: base("payloads", "olga"), Records: "payloads", Days: 180, Reason: "complaints come within six months"}}
}

func (w *world) people() {
	for _, p := range []string{"ceo", "olga", "ivan", author} {
		w.People = append(w.People, record.Person{Base: base(p, ""), Name: p})
	}
	w.Competences = []record.Competence{{Base: base("oversight", "olga"), Title: "watching agents", ValidDays: 730}}
	w.Roles = append(w.Roles, []record.Role{
		{Base: base("management", ""), Title: "Management", TopManagement: true, Competences: []string{"oversight"}},
		{Base: base("treasurer", ""), Title: "Treasurer", Competences: []string{"oversight"}, Grants: "treasurer"},
		{Base: base("auditor", ""), Title: "Auditor", Competences: []string{"oversight"}},
	}...)
	for role, p := range map[string]string{"management": "ceo", "treasurer": "olga", "auditor": "ivan"} {
		w.Assignments = append(w.Assignments, record.Assignment{Base: base(role+"-"+p, ""), Role: role, Person: p, From: "2026-01-01", Accepted: "2026-01-02"})
		w.Training = append(w.Training, record.Training{Base: base("training-"+p, ""), Person: p, Competence: "oversight", On: "2026-01-03", Effective: yes(), Evaluated: "2026-02-03"})
	}
	slices.SortFunc(w.Assignments, func(a, b record.Assignment) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(w.Training, func(a, b record.Training) int { return cmp.Compare(a.ID, b.ID) })
	w.ResourcePlans = []record.ResourcePlan{{Base: base("plan-2026", "ceo"), From: "2026-01-01", Until: "2026-12-31", Items: []record.ResourceItem{{Text: "a day a week of Olga"}}}}
	w.mark(record.Approve, "resource_plan", "plan-2026", "ceo", "2026-01-10")
	w.AccessReviews = []record.AccessReview{{Base: base("access-2026", "olga"), On: "2026-06-01", By: "olga",
		Decisions: []record.AccessDecision{{Subject: "old-agent", Grant: "key", Decision: "revoke", Done: "2026-06-02"}}}}
	for _, topic := range []string{"incidents", "policy", "changes", "interested-parties"} {
		w.Communications = append(w.Communications, record.Communication{Base: base(topic, "olga"), Topic: topic, Audience: "all", When: "at once", Channel: "mail"})
	}
	w.Notifications = []record.Notification{{Base: base("n1", "olga"), Topic: "changes", To: "customers", Due: "2026-10-01", Sent: "2026-09-30"}}
}

func (w *world) agents() {
	w.Systems = []record.AISystem{{Base: base("desk", "olga"), Name: "Desk", Role: "deployer"}}
	w.Purposes = []record.Purpose{{Base: base("support", ""), Text: "answers customers"}, {Base: base("refunds", ""), Text: "prepares refunds"}}
	for agent, purpose := range map[string]string{"support": "support", "billing": "refunds"} {
		w.Agents = append(w.Agents, record.Agent{Base: base(agent, "olga"), System: "desk", InScope: yes(), ScopeReason: "it acts on customers",
			Purposes: []string{purpose}, Servers: []string{"crm"}, Models: []string{"model"}, Jurisdictions: []string{"EU"}})
		w.Impacts = append(w.Impacts, record.ImpactAssessment{Base: base("impact-"+agent, "olga"), Agents: []string{agent}, Assessed: "2026-09-15",
			IntendedUse: "support", Purposes: []string{purpose}, Servers: []string{"crm"}, Models: []string{"model"}, Jurisdictions: []string{"EU"},
			Risks: []string{"wrong-refund"}, Result: "proceed"})
		w.mark(record.Approve, "impact_assessment", "impact-"+agent, "ceo", "2026-09-16")
	}
	slices.SortFunc(w.Agents, func(a, b record.Agent) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(w.Impacts, func(a, b record.ImpactAssessment) int { return cmp.Compare(a.ID, b.ID) })
}

func (w *world) risks() {
	scale := []record.Scale{{Level: 1, Text: "low"}, {Level: 2, Text: "middle"}, {Level: 3, Text: "high"}}
	w.RiskCriteria = []record.RiskCriteria{{Base: base("criteria", "ceo"), Process: "in a meeting", Likelihood: scale, Severity: scale, AcceptUpTo: 2, AssessEveryDays: 180}}
	w.mark(record.Approve, "risk_criteria", "criteria", "ceo", "2026-01-20")
	consequences := record.Consequences{Organisation: record.Consequence{Text: "money lost", Severity: 2},
		Individuals: record.Consequence{Text: "a refund too late", Severity: 2}, Society: record.Consequence{Text: "none: few people"}}
	w.Risks = []record.Risk{
		{Base: base("wrong-refund", "olga"), Title: "A wrong refund", Consequences: consequences, Likelihood: 2, Criteria: "criteria", Assessed: "2026-09-10", Decision: "treat"},
		{Base: base("leak", "olga"), Title: "A leak", Consequences: consequences, Likelihood: 3, Criteria: "criteria", Assessed: "2026-09-10", Decision: "accept"},
		{Base: base("faster", "olga"), Title: "Answers come faster", Opportunity: true, Decision: "pursue", Assessed: "2026-09-10"},
	}
	for _, r := range w.Risks {
		w.mark(record.Approve, "risk", r.ID, "ceo", "2026-09-11")
	}
	w.mark(record.Accept, "risk", "leak", "ceo", "2026-09-11")
	w.Treatments = []record.Treatment{
		{Base: base("hold", "olga"), Risks: []string{"wrong-refund"}, Text: "people release refunds", Due: "2026-09-30", Done: "2026-09-20",
			Effective: &record.Effectiveness{On: "2026-10-05", Text: "every refund was held", Scenarios: []string{"refund-to-attacker"}}},
		{Base: base("redact", "olga"), Risks: []string{"leak"}, Text: "redact", Due: "2026-10-30", Extended: &record.Extension{Until: "2027-01-31", Reason: "the vendor is late"}},
	}
	for _, r := range w.Treatments {
		w.mark(record.Approve, "treatment", r.ID, "ceo", "2026-09-11")
	}
	for _, c := range iso42001.Controls() {
		a := record.Applicability{Base: base(c.ID, "olga"), Applicable: yes(), Justification: "the agents need it", Implementation: "planned", Risks: []string{"wrong-refund"}}
		if c.ID == "A.9.2" {
			a.Implementation, a.Rules = "implemented", []string{"hold-refund"}
		}
		w.Applicability = append(w.Applicability, a)
		w.mark(record.Approve, "applicability", c.ID, "ceo", "2026-09-12")
	}
}

func (w *world) performance() {
	w.Objectives = []record.Objective{{Base: base("few-denied", "olga"), Text: "agents rarely try what they must not", Area: "management",
		Measure: "denied-share", AtMost: num(0.2), Due: "2026-12-31", Method: "monthly"}}
	w.mark(record.Approve, "objective", "few-denied", "ceo", "2026-02-01")
	w.Monitoring = []record.Monitoring{
		{Base: base("denied", "olga"), Measure: "denied-share", Method: "computed", EveryDays: 30, AtMost: num(0.2)},
		{Base: base("satisfied", "olga"), Measure: "customers-satisfied", Method: "survey", EveryDays: 90, Recorded: []record.Value{{On: "2026-10-01", Value: 0.9, Text: "survey of October, 212 answers"}}},
	}
	w.Changes = []record.Change{{Base: base("new-tool", "olga"), Title: "Refunds from chat", Agents: []string{"billing"}, Planned: "2026-09-01", Made: "2026-09-05",
		Significant: yes(), Screening: "touches money", After: "sha256:set2"}}
	w.mark(record.Approve, "change", "new-tool", "ceo", "2026-08-30")
	every := []string{"4", "5", "6", "7", "8", "9", "10", "A.2", "A.3", "A.4", "A.5", "A.6", "A.7", "A.8", "A.9", "A.10"}
	w.AuditProgrammes = []record.AuditProgramme{{Base: base("2026", "ceo"), From: "2026-01-01", Until: "2026-12-31", Basis: "risks",
		Audits: []record.PlannedAudit{{Audit: "ia-1", Requirements: every, Planned: "2026-10-10"}}}}
	w.mark(record.Approve, "audit_programme", "2026", "ceo", "2026-01-10")
	w.Audits = []record.Audit{{Base: base("ia-1", "ceo"), Programme: "2026", Title: "All", Requirements: every, Scope: "all", From: "2026-01-01", Until: "2026-10-01",
		Lead: "ivan", Held: "2026-10-10", Conclusion: "works, two findings"}}
	w.ManagementReviews = []record.ManagementReview{{Base: base("mr-1", "ceo"), Planned: "2026-10-20", Held: "2026-10-20", Chair: "ceo", Attended: []string{"ceo", "olga"},
		Inputs: "sha256:inputs", Decisions: []record.Decision{
			{ID: "d1", Text: "redact more", Type: "improvement", Owner: "olga", Due: "2026-12-01"},
			{ID: "d2", Text: "train the second treasurer", Type: "improvement", Owner: "olga", Due: "2026-11-10", Done: "2026-11-05"}}}}
	w.Certification = []record.Certification{{Base: base("cert", "ceo"), Body: "a body", Stage1: "2026-12-01", Stage2: "2027-01-20"}}
}

func (w *world) log() {
	o := w.o
	o.Size, o.First, o.Last = 50_000, at(written), at("2026-11-23 11:00")
	for i := range 5 {
		o.Days = append(o.Days, observed.Day{Day: fmt.Sprintf("2026-11-%02d", 18+i), Index: 40_000 + uint64(i)*1_000, Decisions: 100, Allowed: 90, Denied: 5, Held: 5, Outcomes: 90})
	}
	o.Agents = map[string]*observed.Agent{}
	o.Lives = map[string]*observed.Life{}
	for agent, purpose := range map[string]string{"support": "support", "billing": "refunds"} {
		o.Agents[agent] = &observed.Agent{First: at("2026-02-01"), Last: at("2026-11-22"), Allowed: 225, Receipt: "rcp-" + agent,
			Tools: map[string]uint64{"crm___reply": 200}, Purposes: map[string]uint64{purpose: 250}, Servers: map[string]uint64{"crm": 250},
			ToolLast: map[string]int64{"crm___reply": at("2026-11-22")}, PurposeLast: map[string]int64{purpose: at("2026-11-22")},
			PurposeAllowed: map[string]int64{purpose: at("2026-11-22")}, AllowedFirst: at("2026-02-02")}
		o.Lives[agent] = &observed.Life{Stage: "deployed", Registered: at("2026-02-01"), FirstDeploy: at("2026-02-01 13:00"), Changed: at("2026-09-20"), Receipt: "rcp-life-" + agent}
	}
	o.Tools = map[string]*observed.Tool{"crm___reply": {First: at("2026-02-01"), Last: at("2026-11-22"), Allowed: 450, Receipt: "rcp-reply"}}
	o.Policies = map[string]*observed.Policy{
		"sha256:set1": {Decisions: 900, First: at("2026-02-01"), Last: at("2026-09-05 08:00"), Approved: at("2026-01-30"), Author: "olga", Approver: "ceo", Receipt: "rcp-set1"},
		"sha256:set2": {Decisions: 500, First: at("2026-09-05 10:00"), Last: at("2026-11-22"), Approved: at("2026-09-04"), Author: "olga", Approver: "ceo", Receipt: "rcp-set2"},
	}
	o.Activations = []observed.Activation{
		{Digest: "sha256:set1", By: "olga", Receipt: "rcp-a1", At: at("2026-01-31")},
		{Digest: "sha256:set2", By: "olga", Receipt: "rcp-a2", At: at("2026-09-05 09:00")},
	}
	o.Rules = map[string]*observed.Rule{"hold-refund": {Decisions: 50, Held: 50, Last: at("2026-11-22"), Called: at("2026-11-22"), HeldLast: at("2026-11-22"), Receipt: "rcp-hold", Controls: map[string]uint64{"A.9.2": 50}},
		"permit-support": {Decisions: 450, Last: at("2026-11-22"), Called: at("2026-11-22"), Receipt: "rcp-permit"}}
	o.Pins = []observed.PinChange{
		{Tool: "crm___reply", Event: "pinned", Pin: "sha256:p1", At: at("2026-02-01"), Receipt: "rcp-p1"},
		{Tool: "crm___reply", Event: "quarantined", Quarantined: true, Pin: "sha256:p2", At: at("2026-09-08"), Receipt: "rcp-p2"},
		{Tool: "crm___reply", Event: "approved", Pin: "sha256:p2", At: at("2026-09-09"), Receipt: "rcp-p3"},
	}
	o.Approvals = map[string]*observed.Approval{"apr-1": {ID: "apr-1", Agent: "billing", Tool: "crm___refund", Requested: at("2026-11-20"), Ended: at("2026-11-20 13:00"), State: "used",
		By: []string{"olga"}, Given: []observed.Vote{{By: "olga", Roles: []string{"treasurer"}, Granted: true, Receipt: "rcp-v1", At: at("2026-11-20 13:00")}}, Receipt: "rcp-v1"}}
	o.Rehearsals = []observed.Rehearsal{{Policy: "sha256:set2", By: "olga", Receipt: "rcp-r1", Scenarios: 1, AsExpected: 1, Scenario: map[string]bool{"refund-to-attacker": true}, At: at("2026-10-01")}}
	for i, test := range []string{observed.TestIntegrity, observed.TestCompleteness, observed.TestDecisions} {
		o.Tests = append(o.Tests, observed.AuditTest{Audit: "ia-1", Test: test, By: "ivan", Receipt: fmt.Sprintf("rcp-t%d", i), Population: 40_000, At: at("2026-10-09")})
	}
	o.Frozen = map[string]*observed.Event{"mr-1": {Name: "review.frozen", On: "mr-1", By: "olga", Digest: "sha256:inputs", Receipt: "rcp-f1", At: at("2026-10-19")}}
	o.Cases = map[string]*observed.Case{
		"nc-1": {Kind: "nonconformity", ID: "nc-1", State: "closed", Grade: "minor", Requirement: "8.1", Owner: "olga", Opened: at("2026-08-30"), Changed: at("2026-10-30"), Closed: at("2026-10-30"),
			Receipt: "rcp-nc1", Actions: []observed.CaseAction{{ID: "a1", Owner: "olga", Due: "2026-09-20", Implemented: at("2026-09-18"), Effective: at("2026-10-28")}}},
		"inc-1": {Kind: "incident", ID: "inc-1", State: "resolved", Owner: "olga", Opened: at("2026-10-02"), Changed: at("2026-10-04"), Closed: at("2026-10-04"), Receipt: "rcp-i1",
			Events: map[string]int64{"reported": at("2026-10-02"), "assessed": at("2026-10-03")}},
	}
}
