package evidence

import (
	"slices"

	"aims/internal/evidence/criteria"
)

// Step is something to be done, with what it serves and what waits for it.
type Step struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Do     string `json:"do"`
	// Owners are who answers for what is open in it; Usually says who does it in
	// most organisations, where nobody is named yet.
	Owners  []string `json:"owners"`
	Usually string   `json:"usually"`
	// Open are its requirements of which not everything is shown.
	Open     []string `json:"open"`
	Of       int      `json:"of"`
	Unblocks []string `json:"unblocks"` // names of steps
	// Next is the first thing that is wrong with what is there already; nil while
	// nothing is.
	Next *Next `json:"next,omitempty"`
}

// Next is one exception to a criterion, the first to be done away with.
type Next struct {
	Requirement string `json:"requirement"`
	On          string `json:"on"` // such as kind/id
	Text        string `json:"text"`
	Remedy      string `json:"remedy,omitempty"` // what to do about it
}

func nextOf(s criteria.Status) *Next {
	for _, r := range s.Results {
		for _, x := range r.Exceptions {
			return &Next{s.ID, x.On, x.Text, r.Remedy}
		}
	}
	return nil
}

// plan is a step before it is known what is open in it.
type plan struct {
	name, do, usually string
	requirements      []string
}

// plans are all requirements in the order in which they are put in place: each
// step needs what the steps before it decided.
var plans = []plan{
	{"context", "Describe the organisation, its interested parties and what binds it (organisation, interested_parties, obligations), then `aims apply`.",
		"manager of the AI management system", []string{"4.1", "4.2"}},
	{"scope", "State the scope and which agents are in it (scope, agents); have it approved.", "manager of the AI management system", []string{"4.3", "4.4"}},
	{"policy", "Write the AI policy as a document, have top management approve it and those who must know it acknowledge it.",
		"top management", []string{"5.1", "5.2", "A.2.2", "A.2.3", "A.2.4"}},
	{"roles", "Name roles, who holds them, the competence that they need, and a way to report concerns (people, roles, assignments, competences, training).",
		"top management", []string{"5.3", "7.1", "7.2", "7.3", "A.3.2", "A.3.3", "A.4.6"}},
	{"documents", "Put documents under control: versions, approvals, distribution, retention; plan communication.",
		"manager of the AI management system", []string{"7.4", "7.5.1", "7.5.2", "7.5.3"}},
	{"inventory", "Register AI systems, agents, purposes, models, tools, data, compute and suppliers; look at agents that were seen and never registered.",
		"owners of the agents", []string{"A.4.2", "A.4.3", "A.4.4", "A.4.5", "A.7.2", "A.7.3", "A.7.4", "A.7.5", "A.7.6", "A.10.2", "A.10.3", "A.10.4"}},
	{"risk criteria", "Decide how risks are assessed and which are acceptable (risk_criteria); have it approved.",
		"manager of the AI management system", []string{"6.1.1", "6.1.2"}},
	{"risks and impact", "Assess the risks of each agent and its impact on people and society (risks, impact_assessments); have the assessments approved.",
		"owners of the agents", []string{"6.1.4", "8.2", "8.4", "A.5.2", "A.5.3", "A.5.4", "A.5.5"}},
	{"treatment and applicability", "Treat the risks, accept what is left, and decide on each control of Annex A (treatments, applicability); have the statement approved.",
		"owners of the risks", []string{"6.1.3", "8.3"}},
	{"objectives and monitoring", "Set objectives with measures, plan monitoring, and plan changes (objectives, monitoring_plan, changes).",
		"manager of the AI management system", []string{"6.2", "6.3", "9.1", "A.6.1.2", "A.6.2.6", "A.9.3"}},
	{"life cycle and operation", "Run agents through the gates with specification, design, rehearsal and documentation; enforce policy by approved rules.",
		"owners of the agents", []string{"8.1", "A.6.1.3", "A.6.2.2", "A.6.2.3", "A.6.2.4", "A.6.2.5", "A.6.2.7", "A.6.2.8", "A.8.2", "A.8.3", "A.8.4", "A.8.5", "A.9.2", "A.9.4"}},
	{"internal audit", "Plan the audits of the cycle by risk and hold them, by auditors who own nothing that they audit.", "internal auditor", []string{"9.2.1", "9.2.2"}},
	{"management review", "Freeze the inputs, hold the review, record its decisions.", "top management", []string{"9.3.1", "9.3.2", "9.3.3"}},
	{"correction and improvement", "Answer every nonconformity with correction, cause and action, and look whether the actions helped.",
		"manager of the AI management system", []string{"10.1", "10.2"}},
}

// stepsLeft are the steps in which something is open.
func stepsLeft(list []criteria.Status) []Step {
	by := map[string]criteria.Status{}
	for _, s := range list {
		by[s.ID] = s
	}
	steps := []Step{}
	for i, p := range plans {
		step := Step{Number: i + 1, Name: p.name, Do: p.do, Usually: p.usually, Of: len(p.requirements), Owners: []string{}, Open: []string{}, Unblocks: []string{}}
		for _, id := range p.requirements {
			s := by[id]
			if settled(s.State) {
				continue
			}
			step.Open = append(step.Open, id)
			if step.Next == nil {
				step.Next = nextOf(s)
			}
			if s.Owner != "" && !slices.Contains(step.Owners, s.Owner) {
				step.Owners = append(step.Owners, s.Owner)
			}
		}
		if len(step.Open) > 0 {
			steps = append(steps, step)
		}
	}
	for i := range steps {
		for _, after := range steps[i+1:] {
			if len(steps[i].Unblocks) < 3 { // the next ones; all of them follow
				steps[i].Unblocks = append(steps[i].Unblocks, after.Name)
			}
		}
	}
	return steps
}

// settled says whether nothing more is to be done for a requirement at present.
func settled(s criteria.State) bool { return s == criteria.Shown || s == criteria.NotApplicable }
