package rehearsal

import (
	"context"
	"fmt"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/inventory"
	"aims/internal/rehearsal/stage"
	"aims/internal/rehearsal/trajectory"
	"aims/internal/session"
	"aims/receipt"
)

// archivist has the history of all purposes; no run that is decided is its own.
var archivist = aims.Actor{Type: aims.AgentType, ID: "archivist"}

// cast registers an agent for each model and purpose, and grants it the history
// that the protocol allows: of other purposes, and, in Warm, what other models
// did for the same one.
func (s *replaying) cast(ctx context.Context) error {
	s.purposes, s.agents = map[string]string{}, map[[2]string]string{}
	past := map[string][]trajectory.Run{} // by purpose
	var wanted []trajectory.Run           // one for each agent
	for _, run := range s.replay.Runs {
		if s.purposes[run.Purpose] == "" {
			s.purposes[run.Purpose] = fmt.Sprintf("purpose-%d", len(s.purposes))
		}
		if s.replay.Benign[run.Key] {
			past[run.Purpose] = append(past[run.Purpose], run)
		}
		of := [2]string{run.Model, run.Purpose}
		if s.agents[of] == "" && s.chosen(run.Model) {
			s.agents[of] = fmt.Sprintf("agent-%d", len(s.agents))
			wanted = append(wanted, run)
		}
	}
	for purpose := range past {
		if err := s.remember(ctx, archivist, purpose, past[purpose]); err != nil {
			return err
		}
	}
	for _, run := range wanted {
		id := s.agents[[2]string{run.Model, run.Purpose}]
		agent := inventory.Agent{ID: id, Stage: inventory.Deployed, Purposes: []string{s.purposes[run.Purpose]}}
		if _, err := s.Inventory.DeployAgent(ctx, stage.Director(), "", agent, inventory.Gate{}); err != nil {
			return err
		}
		if s.replay.Protocol != Warm {
			continue
		}
		var others []trajectory.Run
		for _, r := range past[run.Purpose] {
			if r.Model != run.Model {
				others = append(others, r)
			}
		}
		if err := s.remember(ctx, aims.Actor{Type: aims.AgentType, ID: id}, run.Purpose, others); err != nil {
			return err
		}
	}
	return nil
}

// remember grants an agent what runs used for a purpose, in calls that succeeded.
func (s *replaying) remember(ctx context.Context, agent aims.Actor, purpose string, runs []trajectory.Run) error {
	if len(runs) == 0 {
		return nil
	}
	return s.Record(ctx, "history.granted", receipt.Object{Type: aims.AgentType, ID: agent.ID}, func(t *session.Tx) error {
		for _, run := range runs {
			for _, c := range run.Calls {
				server := s.servers.find(run.Suite, c.Tool)
				tool, known := s.Inventory.Tool(server, c.Tool)
				if c.Failed || !known {
					continue
				}
				used := enforcement.UsesOf(server+"___"+c.Tool, tool.Sinks, c.Args)
				if err := t.Used(session.KeyOf(agent, run.Model+" "+run.ID), s.purposes[purpose], used); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
