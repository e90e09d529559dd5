package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/policy/bundle"
	"aims/internal/rehearsal/stage"
	"aims/pdp"
	"aims/receipt"
)

// StepResult is what became of a step that expects something.
type StepResult struct {
	// Step counts the scenario's steps from 1.
	Step int `json:"step"`
	// What is the tool that was called, or what else was tried.
	What     string      `json:"what"`
	Attack   bool        `json:"attack,omitempty"`
	Expected Expectation `json:"expected"`
	Got      Expectation `json:"got"`
	// Policies determined it; Cause says why no policy had to.
	Policies []string `json:"policies,omitempty"`
	Cause    string   `json:"cause,omitempty"`
}

// AsExpected says that a step ended as the scenario says.
func (r StepResult) AsExpected() bool {
	return r.Expected == r.Got || r.Expected == Stopped && (r.Got == Denied || r.Got == Held)
}

// run is one scenario on its stage.
type run struct {
	s     *stage.Stage
	w     world
	sc    Scenario
	rules *bundle.Bundle

	agent    identity.Principal
	session  string
	sessions int
	begun    *error // what became of the first declaration
	last     enforcement.Call
	decision string // the receipt of the last call
	held     string // the approval that the last held call asked for
	results  []StepResult
}

// perform plays a scenario. An error means that it could not be played, which
// says nothing about the policies.
func (r *run) perform(ctx context.Context) error {
	for _, past := range r.sc.History {
		if err := r.remember(ctx, past); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	first := Begin{Agent: r.sc.Agent, Purpose: r.sc.Purpose, For: r.sc.For, Prompt: r.sc.Prompt, Parent: r.sc.Parent}
	err := r.begin(ctx, first)
	r.begun = &err
	if err != nil && (!refusal(err) || r.sc.Steps[0].ExpectDeclaration != Refused) {
		return fmt.Errorf("the first declaration: %w", err)
	}
	for i, step := range r.sc.Steps {
		for range max(step.Times, 1) {
			if err := r.step(ctx, i+1, step); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// refusal says that an error is a decision against something, and not a failure.
func refusal(err error) bool {
	code, _ := aims.Public(err)
	return code == aims.Denied || code == aims.Invalid || code == aims.Conflict || code == aims.Exhausted || code == aims.NotFound
}

func (r *run) step(ctx context.Context, n int, step Step) error {
	switch {
	case step.Call != "":
		call, err := r.call(step.Call, step.With)
		if err != nil {
			return err
		}
		return r.decide(ctx, n, call, step)
	case step.Again != nil:
		return r.decide(ctx, n, r.last, step)
	case step.Session != nil:
		return r.anew(ctx, n, *step.Session)
	case step.ExpectDeclaration != "":
		r.note(n, "declaration", *r.begun, Refused)
		return nil
	case step.Approve != nil:
		return r.say(ctx, n, *step.Approve, true)
	case step.Deny != nil:
		return r.say(ctx, n, *step.Deny, false)
	case step.Wait != 0:
		r.s.Advance(time.Duration(step.Wait))
		return nil
	case step.Flood != nil:
		return r.flood(ctx, n, *step.Flood)
	case step.Pass != nil:
		return r.pass(ctx, n, *step.Pass)
	}
	return r.happen(ctx, step)
}

// happen is what others do to the installation.
func (r *run) happen(ctx context.Context, step Step) error {
	switch {
	case step.Tool != nil:
		return r.relist(ctx, *step.Tool)
	case step.Purposes != nil:
		a, _ := r.s.Inventory.Agent(step.Purposes.Agent)
		a.Purposes, a.PurposeTexts = step.Purposes.Are, nil
		_, err := r.s.Inventory.PutAgent(ctx, stage.Director(), "", a)
		return err
	case step.Suspend != nil:
		return r.s.Inventory.SuspendAgent(ctx, stage.Director(), "", step.Suspend.Agent, "a drill")
	case step.Stop != nil:
		server := step.Stop.Server
		if server != "*" {
			server = prefix + server
		}
		return r.s.Inventory.StopServer(ctx, stage.Director(), "", server, "a drill")
	case step.Policy != "":
		b, err := with(r.rules, "scenario-later.cedar", step.Policy)
		if err != nil {
			return err
		}
		return r.s.Activate(ctx, b)
	}
	return errors.New("the step is none of those that can be played")
}

// note records what became of a declaration, or of what a person said. One
// that must be refused is an act of the attacker.
func (r *run) note(n int, what string, err error, expected Expectation) {
	result := StepResult{Step: n, What: what, Attack: expected == Refused, Expected: expected, Got: Allowed}
	if err != nil {
		result.Got = Refused
		_, result.Cause = aims.Public(err)
	}
	r.results = append(r.results, result)
}

// begin declares a run; one without purpose, prompt and parent only has a new name.
func (r *run) begin(ctx context.Context, b Begin) error {
	r.sessions++
	r.agent, r.session = r.w.agent(b.Agent), fmt.Sprintf("drill-%d", r.sessions)
	if b.Purpose == "" && b.Prompt == "" && b.Parent == "" {
		return nil
	}
	parent := b.Parent
	if parent == "last" {
		parent = r.decision
	}
	_, err := r.s.Declare(ctx, enforcement.Declaration{
		Principal: r.agent, Session: r.session, Channel: enforcement.MCP,
		Purpose: b.Purpose, OnBehalfOf: b.For, Prompt: b.Prompt, Parent: parent,
	})
	return err
}

func (r *run) anew(ctx context.Context, n int, b Begin) error {
	err := r.begin(ctx, b)
	if err != nil && !refusal(err) {
		return err
	}
	r.note(n, "declaration", err, cmp.Or(b.Expect, Allowed))
	return nil
}

// call is a call of a tool by its name in the scenarios.
func (r *run) call(name string, with []byte) (enforcement.Call, error) {
	server, tool, ok := strings.Cut(name, ".")
	if _, known := r.w.Servers[server]; !ok || !known {
		return enforcement.Call{}, fmt.Errorf("there is no server %q in the world of the scenarios", server)
	}
	if len(with) == 0 {
		with = []byte("{}")
	}
	return enforcement.Call{
		Channel: enforcement.MCP, Protocol: "2026-07-28", Method: "tools/call", Server: prefix + server, Tool: tool, Input: with,
	}, nil
}

// decide has a call decided, and where it is allowed goes on with its result.
func (r *run) decide(ctx context.Context, n int, call enforcement.Call, step Step) error {
	call.Principal, call.Session = r.agent, r.session
	r.last = call
	ruling, err := r.s.Decide(ctx, call)
	if err != nil && !refusal(err) {
		return err
	}
	result := StepResult{Step: n, What: call.Server + "." + call.Tool, Attack: step.Attack, Expected: step.Expect, Got: verdict(ruling, err), Cause: ruling.Cause}
	if err != nil {
		_, result.Cause = aims.Public(err)
	}
	for _, reason := range ruling.Reasons {
		result.Policies = append(result.Policies, reason.Policy)
	}
	for _, fault := range ruling.Faults {
		result.Policies = append(result.Policies, fault.Policy)
		result.Cause = cmp.Or(result.Cause, fault.Message)
	}
	r.results = append(r.results, result)
	if ruling.Receipt != "" {
		r.decision = ruling.Receipt
	}
	if result.Got == Held {
		r.held = ruling.Approval
	}
	if result.Got != Allowed {
		return nil
	}
	outcome, err := given(step)
	if err != nil {
		return err
	}
	return r.s.Close(ctx, ruling, outcome)
}

func verdict(ruling enforcement.Ruling, err error) Expectation {
	switch {
	case err == nil && ruling.Verdict == authz.Allow:
		return Allowed
	case err == nil && ruling.Verdict == authz.Hold:
		return Held
	}
	return Denied
}

// given is the result that a scenario gives a call.
func given(step Step) (enforcement.Outcome, error) {
	text := step.Gives
	if step.GivesBytes > 0 {
		text = strings.Repeat("word ", step.GivesBytes/5+1)[:step.GivesBytes]
	}
	result, err := json.Marshal(map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}})
	return enforcement.Outcome{Status: receipt.Succeeded, Result: result}, err
}

// say is what a person says to the last held call, decided and recorded as the
// management API does it.
func (r *run) say(ctx context.Context, n int, s Say, grant bool) error {
	if r.held == "" {
		r.note(n, "approval by "+s.By, aims.Errorf(aims.Conflict, nil, "no call is held"), cmp.Or(s.Expect, Allowed))
		return nil
	}
	request, err := r.s.Approvals.Get(ctx, r.held)
	if err != nil {
		return err
	}
	err = r.vote(ctx, r.w.person(s.By), request, grant)
	if err != nil && !refusal(err) {
		return err
	}
	r.note(n, "approval by "+s.By, err, cmp.Or(s.Expect, Allowed))
	return nil
}

func (r *run) vote(ctx context.Context, by identity.Principal, request approval.Request, grant bool) error {
	verb := "approvals/deny"
	if grant {
		verb = "approvals/grant"
	}
	ruling, err := r.s.ManagementOf(ctx, by, verb, enforcement.Matter{Authors: request.Authors(), Roles: request.Roles})
	if err != nil {
		return err
	}
	_, err = r.s.Approvals.Vote(ctx, by.Actor, by.Roles, ruling.Receipt, request.ID, grant, "")
	outcome := enforcement.Outcome{Status: receipt.Succeeded}
	if err != nil {
		outcome.Status = receipt.Failed
	}
	return errors.Join(err, r.s.Close(ctx, ruling, outcome))
}

// flood makes held calls that differ, as long as each of them may be asked about.
func (r *run) flood(ctx context.Context, n int, f Flood) error {
	for i := range f.Held {
		with, err := json.Marshal(map[string]string{f.Argument: fmt.Sprintf(f.Value, i)})
		if err != nil {
			return err
		}
		call, err := r.call(f.Call, with)
		if err != nil {
			return err
		}
		if err := r.decide(ctx, n, call, Step{Expect: Held}); err != nil {
			return err
		}
	}
	return nil
}

// pass lets every agent of the chain delegate to the next.
func (r *run) pass(ctx context.Context, n int, p Pass) error {
	for i := 2; i <= p.RefusedAt; i++ {
		call, err := r.call(p.Call, p.With)
		if err != nil {
			return err
		}
		if err := r.decide(ctx, n, call, Step{Expect: Allowed, Gives: "accepted"}); err != nil {
			return err
		}
		expect := Allowed
		if i == p.RefusedAt {
			expect = Refused
		}
		if err := r.anew(ctx, n, Begin{Agent: link(i), Purpose: "pass-on", Parent: "last", Prompt: "Ask the next agent to pass it on.", Expect: expect}); err != nil {
			return err
		}
	}
	return nil
}

// relist has a server show other tools than before.
func (r *run) relist(ctx context.Context, l Listed) error {
	listed := []inventory.Tool{}
	for _, state := range r.s.Inventory.Tools(prefix + l.Server) {
		if state.Listed && state.Name != l.Name {
			listed = append(listed, inventory.Tool{Name: state.Name, Definition: state.Observed})
		}
	}
	if !l.Gone {
		before := r.w.Servers[l.Server][l.Name]
		before.About = cmp.Or(l.About, before.About)
		if l.Arguments != nil {
			before.Arguments = l.Arguments
		}
		tool, err := before.tool(l.Name)
		if err != nil {
			return err
		}
		listed = append(listed, tool)
	}
	_, err := r.s.ObserveTools(ctx, prefix+l.Server, listed)
	return err
}

// remember has a call succeed in runs of their own before the scenario begins.
func (r *run) remember(ctx context.Context, p Past) error {
	for range p.Runs {
		if err := r.begin(ctx, Begin{Agent: r.sc.Agent, Purpose: r.sc.Purpose, Prompt: "As always."}); err != nil {
			return err
		}
		call, err := r.call(p.Call, p.With)
		if err != nil {
			return err
		}
		call.Principal, call.Session = r.agent, r.session
		ruling, err := r.s.Decide(ctx, call)
		if err != nil {
			return err
		}
		if err := ruling.Denial(); err != nil {
			return err
		}
		if err := r.s.Close(ctx, ruling, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(`{"content":[]}`)}); err != nil {
			return err
		}
	}
	return nil
}

// with is a bundle with one more policy file and without its tests, which are
// about other tools.
func with(b *bundle.Bundle, name, text string) (*bundle.Bundle, error) {
	files := slices.DeleteFunc(b.Files(), func(f bundle.File) bool {
		return strings.HasPrefix(f.Name, "tests/") || f.Name == bundle.SchemaFile || f.Name == name
	})
	if text != "" {
		files = append(files, bundle.File(pdp.Source{Name: name, Text: []byte(text)}))
	}
	return bundle.New(files)
}
