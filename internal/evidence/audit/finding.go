package audit

import (
	"context"
	"encoding/json"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
)

// NewFinding is what a finding of an audit is raised with.
type NewFinding struct {
	Requirement string           `json:"requirement" doc:"id of the requirement, such as 8.3 or A.6.2.8"`
	Grade       corrective.Grade `json:"grade" enum:"major,minor,opportunity"`
	Statement   string           `json:"statement" doc:"what is not as it should be; kept beside the log"`
	Evidence    []string         `json:"evidence,omitempty" doc:"receipts; those of work papers too"`
	Responsible string           `json:"responsible,omitempty" doc:"person who answers for it; absent: the owner of the requirement"`
	Deadline    corrective.Date  `json:"deadline,omitempty" doc:"day by which it must be closed"`
}

// Finding is a finding of an audit: a nonconformity or an opportunity.
type Finding struct {
	Nonconformity string           `json:"nonconformity"`
	Requirement   string           `json:"requirement"`
	Grade         corrective.Grade `json:"grade"`
	Evidence      []string         `json:"evidence"`
	Paper         *Paper           `json:"paper,omitempty"`
	// State, Due and Owner are those of the nonconformity now, Statement its words.
	State     string `json:"state,omitempty"`
	Due       string `json:"due,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Statement string `json:"statement,omitempty"`
}

// Find raises a finding of an audit as a nonconformity and keeps where it came
// from. The auditor does not answer for it: that is the owner of the requirement
// unless somebody is named.
func (a *Audits) Find(ctx context.Context, by By, id string, n NewFinding) (Finding, error) {
	s, x, err := a.permitted(ctx, by, id)
	if err != nil {
		return Finding{}, err
	}
	if !Covers(x.Requirements, n.Requirement) {
		return Finding{}, aims.Errorf(aims.Invalid, nil, "the audit %s does not cover %.40q; it covers %v", id, n.Requirement, x.Requirements)
	}
	if n.Responsible == "" {
		for _, o := range s.Registers.Owners {
			if o.ID == n.Requirement {
				n.Responsible = o.Owner
			}
		}
	}
	if n.Responsible == "" || n.Responsible == by.ID {
		return Finding{}, aims.Errorf(aims.Invalid, nil, "nobody is named who answers for %s: name somebody other than the auditor", n.Requirement)
	}
	raised, err := a.p.Corrective.Raise(ctx, corrective.By{Actor: by.Actor, Decision: by.Decision, Roles: by.Roles}, corrective.NewNonconformity{
		Source: corrective.FromAudit, Requirement: n.Requirement, Grade: n.Grade, Statement: n.Statement, Evidence: n.Evidence,
		Responsible: n.Responsible, Deadline: n.Deadline,
	})
	if err != nil {
		return Finding{}, err
	}
	f := Finding{Nonconformity: raised.ID, Requirement: n.Requirement, Grade: n.Grade, Evidence: append([]string{}, n.Evidence...)}
	papers, err := a.keep(ctx, by, nil, draft{kind: foundPaper, subject: id, item: raised.ID, detail: f, content: f})
	if err != nil {
		return f, aims.Errorf(aims.Unavailable, err, "the nonconformity %s is raised, but it was not kept that it comes from %s: find it again with the same words", raised.ID, id)
	}
	f.Paper = &papers[0]
	return f, nil
}

// findings are those of an audit with what became of them.
func (a *Audits) findings(ctx context.Context, id string, at time.Time) ([]Finding, error) {
	papers, err := a.papers(ctx, id, at)
	if err != nil {
		return nil, err
	}
	list := []Finding{}
	for _, p := range papers {
		if p.Kind != foundPaper {
			continue
		}
		var f Finding
		if err := json.Unmarshal(p.Content, &f); err != nil {
			return nil, damaged(p, err)
		}
		f.Paper = &p.Paper
		n, err := a.p.Corrective.Nonconformity(ctx, f.Nonconformity, at)
		if err != nil {
			return nil, err
		}
		f.State, f.Due, f.Owner = string(n.State), string(n.Due), n.Owner
		if len(n.Steps) > 0 {
			f.Statement = n.Steps[0].Words["statement"]
		}
		list = append(list, f)
	}
	return list, nil
}

// look hands what the log shows now to fn.
func (a *Audits) look(ctx context.Context, fn func(*observed.Facts)) error {
	return a.p.Evidence.Look(ctx, evidence.View{}, func(in *criteria.Input) error {
		fn(in.Observed)
		return nil
	})
}
