package criteria

import (
	"fmt"
	"testing"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// grown is the company with many more people, agents, risks and approvals.
func grown() *world {
	w := company()
	for i := range 200 {
		id := fmt.Sprintf("p%d", i)
		w.People = append(w.People, record.Person{Base: base(id, ""), Name: id})
		w.Assignments = append(w.Assignments, record.Assignment{Base: base("treasurer-"+id, ""), Role: "treasurer", Person: id, From: "2026-01-01", Accepted: "2026-01-02"})
		w.Training = append(w.Training, record.Training{Base: base("training-"+id, ""), Person: id, Competence: "oversight", On: "2026-01-03"})
		w.mark(record.Acknowledge, "document", "ai-policy", id, "2026-02-10")
	}
	for i := range 500 {
		r := w.Risks[0]
		r.ID = fmt.Sprintf("risk%d", i)
		w.Risks = append(w.Risks, r)
		w.mark(record.Approve, "risk", r.ID, "ceo", "2026-09-11")
	}
	for i := range 100 {
		a, x := w.Agents[0], w.Impacts[0]
		a.ID, x.ID, x.Agents = fmt.Sprintf("agent%d", i), fmt.Sprintf("impact%d", i), []string{fmt.Sprintf("agent%d", i)}
		w.Agents, w.Impacts = append(w.Agents, a), append(w.Impacts, x)
		w.mark(record.Approve, "impact_assessment", x.ID, "ceo", "2026-09-16")
		w.o.Agents[a.ID] = w.o.Agents["billing"]
		w.o.Lives[a.ID] = w.o.Lives["billing"]
	}
	for i := range 10_000 {
		id := fmt.Sprintf("apr-x%d", i)
		w.o.Approvals[id] = &observed.Approval{ID: id, Requested: at("2026-11-20"), Ended: at("2026-11-20 13:00"), State: "used", Receipt: "rcp-" + id,
			Given: []observed.Vote{{By: fmt.Sprintf("p%d", i%200), Roles: []string{"treasurer"}, Granted: true, Receipt: "rcp-" + id, At: at("2026-11-20 13:00")}}}
	}
	return w
}

// BenchmarkEvaluate is the cost of all 70 once the log is folded.
func BenchmarkEvaluate(b *testing.B) {
	in := grown().input()
	for b.Loop() {
		if _, err := Evaluate(in); err != nil {
			b.Fatal(err)
		}
	}
}
