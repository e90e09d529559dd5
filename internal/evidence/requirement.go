package evidence

import (
	"context"

	"aims/internal/aims"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/framework"
	"aims/internal/register/record"
	"aims/iso42001"
)

// Requirement is what is shown of one requirement, down to the receipts, with
// what the requirement is.
type Requirement struct {
	criteria.Status
	Summary string `json:"summary"`
	// Text is what the organisation's own licensed copy adds, if it was entered.
	Text string `json:"text,omitempty"`
}

// Requirement is what is shown of one of the 70; aims.NotFound for any other id.
func (s *Service) Requirement(ctx context.Context, v View, id string) (r Requirement, err error) {
	facts, err := iso42001.Get(id)
	if err != nil {
		return r, aims.Errorf(aims.NotFound, nil, "%s", err.Error())
	}
	err = s.Look(ctx, v, func(in *criteria.Input) error {
		list, err := evaluate(in)
		if err != nil {
			return err
		}
		for _, status := range list {
			if status.ID == facts.ID {
				r = Requirement{Status: status, Summary: facts.Summary}
			}
		}
		for _, o := range in.Registers.Registers.Owners {
			if o.ID == facts.ID {
				r.Text = o.Text
			}
		}
		return nil
	})
	return r, err
}

// Coverage is the view of another framework over the same evidence. What of the
// EU AI Act applies is answered in the records of AI systems.
func (s *Service) Coverage(ctx context.Context, v View, name string) (view *framework.View, err error) {
	err = s.Look(ctx, v, func(in *criteria.Input) error {
		list, err := evaluate(in)
		if err != nil {
			return err
		}
		states := map[string]framework.State{}
		for _, status := range list {
			states[status.ID] = framework.State{State: string(status.State), Reasons: status.Reasons}
		}
		view, err = framework.Coverage(name, states, answers(in.Registers.Registers), in.Until)
		return err
	})
	return view, err
}

// answers are what the records of AI systems say about the EU AI Act.
func answers(r record.Registers) []framework.Answers {
	var list []framework.Answers
	for _, s := range r.Systems {
		a := framework.Answers{System: s.ID}
		if act := s.EUAIAct; act != nil {
			a.Prohibited, a.HighRisk, a.Transparency = act.Prohibited, framework.HighRisk(act.HighRisk), act.Transparency
			if act.Role != "" {
				a.Roles = []framework.Role{framework.Role(act.Role)}
			}
		}
		list = append(list, a)
	}
	return list
}
