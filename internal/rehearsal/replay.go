// Package rehearsal replays recorded trajectories through the enforcement
// function of live traffic, on state that is thrown away (ISO 42001 A.6.2.4). It
// decides; what the runs really were it neither knows nor can read.
// docs/rehearsal.md says what the figures mean.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/policy/bundle"
	"aims/internal/rehearsal/stage"
	"aims/internal/rehearsal/trajectory"
	"aims/internal/session"
	"aims/pdp"
	"aims/receipt"
)

// Protocol says which history a recorded run is granted.
type Protocol string

const (
	// Cold is the first day of a purpose: history of other purposes only.
	Cold Protocol = "cold"
	// Warm adds ordinary runs of the same purpose, by other models.
	Warm Protocol = "warm"
)

// Replay is what to decide again.
type Replay struct {
	// Runs are all that there are, Suites the tools that they had.
	Runs   []trajectory.Run
	Suites []trajectory.Suite
	// Benign are the runs that were ordinary work. They are history where the
	// protocol grants it; nothing else depends on them.
	Benign   map[trajectory.Key]bool
	Protocol Protocol
	// Models are those whose runs are decided; the others are history only.
	Models []string
	// Policies are tried beside one that permits agents every tool.
	Policies []pdp.Source
	// Abreast is how many runs are decided side by side; 0 for 64. It changes
	// nothing but the time that it takes.
	Abreast int
}

// permitted is what the recorded agents could do before there were policies.
const permitted = `@id("rehearsal-permits")
@reason("the recorded agents had all their tools")
permit (principal is Agent, action in Action::"call_tool", resource);
`

// Run decides every call of the runs, and returns the runs in the order of
// their models and ids.
func (r *Replay) Run(ctx context.Context) (judged []trajectory.Judged, err error) {
	told := newRecollection()
	on, err := stage.Open(ctx, enforcement.Options{Recorded: told.of})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, on.Discard(context.WithoutCancel(ctx))) }()
	s := &replaying{Stage: on, replay: r, told: told}
	if s.servers, err = s.register(ctx, r.Suites); err != nil {
		return nil, err
	}
	b, err := bundle.FromSources(append([]pdp.Source{{Name: "rehearsal.cedar", Text: []byte(permitted)}}, r.Policies...))
	if err != nil {
		return nil, err
	}
	if err := s.Activate(ctx, b); err != nil {
		return nil, err
	}
	if err := s.cast(ctx); err != nil {
		return nil, err
	}
	return s.playAll(ctx)
}

// replaying is a stage on which runs are replayed.
type replaying struct {
	*stage.Stage
	replay  *Replay
	servers *servers
	told    *recollection
	// purposes and agents have plain names here: nothing that is decided may
	// depend on what they are called.
	purposes map[string]string
	agents   map[[2]string]string // model and purpose
}

func (s *replaying) chosen(model string) bool { return slices.Contains(s.replay.Models, model) }

// playAll replays the runs of the chosen models.
func (s *replaying) playAll(ctx context.Context) ([]trajectory.Judged, error) {
	var judged []trajectory.Judged
	for i := range s.replay.Runs {
		if run := &s.replay.Runs[i]; s.chosen(run.Model) {
			judged = append(judged, trajectory.Judged{Run: run})
		}
	}
	slices.SortFunc(judged, func(a, b trajectory.Judged) int { return a.Key.Compare(b.Key) })
	err := s.abreast(ctx, len(judged), func(ctx context.Context, i int) error {
		if err := s.play(ctx, fmt.Sprintf("run-%d", i), &judged[i]); err != nil {
			return fmt.Errorf("the run %q of %s: %w", judged[i].ID, judged[i].Model, err)
		}
		return nil
	})
	return judged, err
}

// abreast does n things side by side, until one fails.
func (s *replaying) abreast(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	width := s.replay.Abreast
	if width <= 0 {
		width = 64
	}
	queue := make(chan int)
	var wg sync.WaitGroup
	for range min(width, n) {
		wg.Go(func() {
			for i := range queue {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		queue <- i
	}
	close(queue)
	wg.Wait()
	return context.Cause(ctx)
}

// play replays one run. It goes on as it was recorded, whatever is decided.
func (s *replaying) play(ctx context.Context, id string, j *trajectory.Judged) error {
	agent := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: s.agents[[2]string{j.Model, j.Purpose}]}}
	_, err := s.Declare(ctx, enforcement.Declaration{
		Principal: agent, Session: id, Channel: enforcement.MCP, Purpose: s.purposes[j.Purpose], Prompt: j.Prompt,
	})
	if err != nil {
		return err
	}
	run := s.told.begin(id, j.Run)
	defer s.told.end(id)
	for i, c := range j.Calls {
		run.call = i
		call := enforcement.Call{
			Principal: agent, Session: id, Channel: enforcement.MCP, Method: "tools/call",
			Server: s.servers.find(j.Suite, c.Tool), Tool: c.Tool, Input: c.Args,
		}
		ruling, err := s.Decide(ctx, call)
		if err != nil && !decided(err) {
			return err
		}
		j.Verdicts = append(j.Verdicts, verdict(ruling, err))
		j.Policies = append(j.Policies, determining(ruling, err))
		labels, err := s.goOn(ctx, call, ruling, err, []byte(c.Result))
		if err != nil {
			return err
		}
		run.hears(i, labels, c.Args)
	}
	return nil
}

// decided says that an error is an answer: the call was refused, because there
// is no such tool or because its arguments do not fit.
func decided(err error) bool {
	code, _ := aims.Public(err)
	return code == aims.Denied || code == aims.Invalid
}

func verdict(r enforcement.Ruling, err error) authz.Verdict {
	if err != nil {
		return authz.Deny
	}
	return r.Verdict
}

func determining(r enforcement.Ruling, err error) []string {
	switch {
	case err != nil:
		code, _ := aims.Public(err)
		return []string{"(refused: " + string(code) + ")"}
	case r.Allowed():
		return nil
	}
	var ids []string
	for _, reason := range r.Reasons {
		ids = append(ids, reason.Policy)
	}
	return ids
}

// goOn lets the run read the recorded result, whatever was decided, and returns
// its labels. The outcome of what was allowed is unknown, so that no run is
// history of another: that is what the protocol grants, and nothing else.
func (s *replaying) goOn(ctx context.Context, c enforcement.Call, r enforcement.Ruling, refused error, result []byte) ([]string, error) {
	labels := []string{inventory.Untrusted}
	if tool, known := s.Inventory.Tool(c.Server, c.Tool); known {
		labels = tool.Labels
	}
	if refused == nil && r.Allowed() && len(result) > 0 {
		return labels, s.Enforcer.Close(ctx, r, enforcement.Outcome{Status: receipt.Unknown, Result: result})
	}
	err := s.Record(ctx, "rehearsal.went-on", receipt.Object{Type: "session", ID: c.Session}, func(t *session.Tx) error {
		return t.Read(session.KeyOf(c.Principal.Actor, c.Session), r.Index, labels, false, session.Content{})
	})
	return labels, err
}
