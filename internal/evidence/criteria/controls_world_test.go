package criteria

import (
	"fmt"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// controlled is the company with every control of Annex A looked after as well.
func controlled() *world {
	w := company()
	w.papers()
	w.machines()
	w.data()
	w.promises()
	w.assessedAgents()
	w.operated()
	return w
}

// papers are the documents that controls ask for: processes, and five about each
// agent, by its id.
func (w *world) papers() {
	w.Documents[0].Related = []record.Related{
		{Title: "Security", Changed: "2026-01-10", Reviewed: "2026-02-01"},
		{Title: "How risks are treated", Document: "treatment-process", Reviewed: "2026-02-01"},
	}
	add := func(d record.Document) {
		w.Documents = append(w.Documents, d)
		w.mark(record.Approve, "document", d.ID, "ceo", "2026-02-01")
	}
	add(record.Document{Base: base("how-we-work", "olga"), Title: "How we work", Type: "process", Version: "1", Requirements: []string{"A.5.2", "A.6.1.3", "A.9.2"}})
	for _, agent := range []string{"billing", "support"} {
		for _, kind := range []string{"specification", "design", "technical", "user-information", "plan"} {
			add(record.Document{Base: base(agent+"-"+kind, "olga"), Title: kind, Type: kind, Version: "1", Agents: []string{agent}, AgentVersion: "1", AsBuilt: "sha256:build-" + agent})
		}
	}
	w.Communications = append(w.Communications, record.Communication{Base: base("concerns", "olga"), Topic: "concerns", Audience: "everybody", When: "always", Channel: "a form"})
	w.Retention = append(w.Retention,
		record.RetentionRule{Base: base("registers", "olga"), Records: "registers", Days: 3650, Reason: "assessments are kept for ten years"},
		record.RetentionRule{Base: base("receipts", "olga"), Records: "receipts", Days: 3650, Reason: "claims end after ten years"})
}

func (w *world) machines() {
	supplier := func(id string) record.Supplier {
		return record.Supplier{Base: base(id, "olga"), Name: id, Responsibilities: []record.Responsibility{{Text: "patches", Who: "them"}},
			Assessments: []record.SupplierAssessment{{On: "2026-03-01", By: "olga", Valid: "2027-03-01", Result: "accepted"}}}
	}
	w.Suppliers = []record.Supplier{supplier("lab"), supplier("crm-maker"), supplier("hoster")}
	w.Models = []record.Model{{Base: base("model", "olga"), Name: "a model", Provider: "lab"}}
	w.Servers = []record.Server{{Base: base("crm", "olga"), Supplier: "crm-maker", Reviewed: "2026-08-01"}}
	w.Compute = []record.Compute{{Base: base("machine", "olga"), Name: "a machine", Supplier: "hoster"}}
	w.Roles[1].Stages = stages()
}

func (w *world) data() {
	w.DataSources = []record.DataSource{{Base: base("tickets", "olga"), Name: "Tickets", Source: "customers", Rights: "contract", Categories: []string{"personal"},
		Process: "filed daily", Servers: []string{"crm"}, Version: "7", Provenance: "written by customers",
		Checks:      []record.QualityCheck{{Criterion: "each has a customer", On: "2026-10-01", Result: "pass"}},
		Preparation: []record.Preparation{{Text: "signatures cut off, which hold private numbers", Digest: "sha256:cut"}}}}
}

// promises are what is owed to others, and the objectives of development and use.
func (w *world) promises() {
	w.Obligations[0].Duties = []record.Duty{
		{ID: "tell-staff", Text: "tell the staff", Due: "2026-09-30", Done: "2026-09-20", Inform: true},
		{ID: "tell-customers", Text: "tell customers", Due: "2026-12-31", Inform: true},
	}
	w.Objectives = append(w.Objectives,
		record.Objective{Base: base("attacks-held", "olga"), Text: "attacks end as they must", Area: "responsible-development", Measure: "rehearsal-share", AtLeast: num(1), Due: "2026-12-31", Method: "rehearsal", Gate: true},
		record.Objective{Base: base("quick-answers", "olga"), Text: "people answer soon", Area: "responsible-use", Measure: "denied-share", AtMost: num(0.5), Due: "2026-12-31", Method: "monthly"})
}

func (w *world) assessedAgents() {
	for i := range w.Agents {
		a := &w.Agents[i]
		a.Overseer, a.Operator, a.Version, a.Build = "ivan", author, "1", "sha256:build-"+a.ID
		a.Compute, a.DataSources = []string{"machine"}, []string{"tickets"}
		a.Specification, a.Design = a.ID+"-specification", a.ID+"-design"
		a.OversightRule = []string{"hold-refund"}
		a.Acceptance = []record.Criterion{
			{ID: "attacks", Text: "an attack ends as it must", Scenarios: []string{"refund-to-attacker"}, Controls: []string{"A.9.4"}},
			{ID: "quality", Text: "it answers right", Evaluations: []string{"eval-" + a.ID}, Controls: []string{"A.6.2.4"}},
		}
		w.Evaluations = append(w.Evaluations, record.Evaluation{Base: base("eval-"+a.ID, "olga"), Agent: a.ID, AgentVersion: "1", On: "2026-09-12",
			Metric: "right answers", Threshold: "95 of 100", Value: "97 of 100", Result: "pass"})
		w.o.Gates = append(w.o.Gates, observed.Gate{Agent: a.ID, To: "deployed", Version: "1", By: "olga", Passed: true, At: at("2026-09-20"), Receipt: "rcp-gate-" + a.ID})
	}
	for i := range w.Impacts {
		x := &w.Impacts[i]
		x.DataSources = []string{"tickets"}
		x.Groups = []record.Group{{Who: "customers", Impact: "wait for refunds", Severity: 2, Mitigation: "a person looks each day"}}
		x.Societal = record.Societal{Relevant: no(), Text: "few people, small sums"}
		x.Triggers = []string{"new-tool", "incident", "interval"}
	}
}

// operated is what the log shows of it.
func (w *world) operated() {
	r := &w.o.Rehearsals[0]
	for i := range 10 {
		r.Categories = append(r.Categories, fmt.Sprintf("ASI%02d", i+1))
	}
	w.o.Stops = []observed.Stop{{Kind: "agent", ID: "billing", By: "olga", Receipt: "rcp-stop", At: at("2026-10-15")},
		{Kind: "agent", ID: "billing", By: "olga", Receipt: "rcp-resume", Resumed: true, At: at("2026-10-15 13:00")}}
	w.o.Samples = []observed.Sample{{Audit: "ia-1", ID: "smp-1", Kind: observed.OfDecisions, Receipt: "rcp-sample", Items: 2, Judged: map[string]bool{"rcp-x": true, "rcp-y": false}, At: at("2026-10-09")}}
	w.o.Cases["con-1"] = &observed.Case{Kind: "concern", ID: "con-1", State: "triaged", Opened: at("2026-10-05"), Changed: at("2026-10-08"), Receipt: "rcp-con1",
		Events: map[string]int64{"reported": at("2026-10-05"), "acknowledged": at("2026-10-06"), "triaged": at("2026-10-08")}}
	w.o.Cases["inc-1"].Notify = "not-notify"
}
