package enforcement

import (
	"errors"
	"slices"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/policy"
	"aims/internal/session"
	"aims/pdp"

	"github.com/cedar-policy/cedar-go"
)

// attempt is what has been found out about a call so far.
type attempt struct {
	facts
	id       string // of its receipt
	decision authz.Decision
	cause    string
	encoded  []byte // the facts as they are recorded
	// foreseen says that it is decided at its place in the log only.
	foreseen bool

	// binding is what an approval would have to be good for, of a held call.
	binding approval.Binding
	// granted is the approval that it was decided with, pending the id of the one
	// that it waits for.
	granted *approval.Request
	pending string
}

// facts are what a call is decided from beside its input, and where they were
// taken from, so that it can be told whether they still hold.
type facts struct {
	inForce   *policy.InForce
	set       *pdp.Set // that is in force
	inventory uint64   // its version
	view      *session.View

	agent inventory.Agent
	tool  inventory.State
	// run is what is known of the run; for management, nothing.
	run *session.Run
	// used says that the run's purpose has used the tool before.
	used      bool
	uses      *session.Uses
	directory *session.Directory
	args      arguments
	traced    *traced
	arguments []argument // what speaks for them
	confirms  bool       // the tool completes a call that was decided before
	charges   []charge
	spending  cedar.Record // the charges as policies see them
}

// arguments are what follows from a call's input and the schema alone.
type arguments struct {
	set        *pdp.Set // whose schema it is
	input      cedar.Record
	undeclared cedar.Set
}

// judge is a decision without its receipt, from what a view shows; nil for
// management. With an error the call is refused, and the attempt has what was
// found out.
func (e *Enforcer) judge(c Call, v *session.View) (attempt, error) {
	return e.judgeWith(c, v, nil, nil)
}

// judgeWith is judge with an approval, after an attempt at the same call; nil
// for none.
func (e *Enforcer) judgeWith(c Call, v *session.View, granted *approval.Request, before *attempt) (attempt, error) {
	a := attempt{id: aims.NewID("rcp"), granted: granted}
	a.inventory, a.view = e.inventory.Version(), v
	if a.inForce = e.policy.InForce(); a.inForce == nil {
		return a, aims.Errorf(aims.Unavailable, nil, "no policy is active: everything is refused")
	}
	a.set = a.inForce.Set
	a.decision.Policy = a.set.Digest()
	if err := e.gather(c, &a.facts); err != nil {
		return a, err
	}
	if !a.set.Has(c.Action) {
		return a, aims.Errorf(aims.Denied, nil, "there is no such action, so no policy can permit it")
	}
	if before != nil && before.args.set == a.set {
		a.args = before.args
	} else if err := a.read(c); err != nil {
		return a, err
	}
	if before != nil && before.inventory == a.inventory {
		a.traced = before.traced
	}
	if err := e.compute(c, &a.facts); err != nil {
		return a, err
	}
	return a, e.decide(c, &a)
}

// foresee does of a decision what does not depend on the calls before it. It
// is for runs that are busy: what they did would have moved before the
// decision comes to its place, and it would be made twice.
func (e *Enforcer) foresee(c Call, v *session.View) (attempt, error) {
	a := attempt{id: aims.NewID("rcp"), foreseen: true}
	a.inventory, a.view = e.inventory.Version(), v
	if a.inForce = e.policy.InForce(); a.inForce == nil {
		return a, errTakeAgain
	}
	a.set = a.inForce.Set
	if err := e.gather(c, &a.facts); err != nil {
		return a, err
	}
	if err := a.read(c); err != nil {
		return a, err
	}
	return a, e.trace(c, &a.facts)
}

// decide decides from the facts that were taken.
func (e *Enforcer) decide(c Call, a *attempt) error {
	request, entities, err := e.request(c, &a.facts, a.granted)
	if err != nil {
		return err
	}
	delegators, err := e.delegators(a.run, entities)
	if err != nil {
		return err
	}
	if a.encoded, err = pdp.EncodeFactsFor(request, delegators, entities); err != nil {
		return aims.Errorf(aims.Invalid, err, "the facts of the call cannot be recorded")
	}
	a.decision = a.set.DecideFor(request, delegators, entities)
	return nil
}

// read reads the call's input by the schema.
func (f *facts) read(c Call) error {
	input, undeclared, err := f.set.Input(c.Action, c.Input)
	if err != nil {
		return invalidInput(err)
	}
	f.args = arguments{set: f.set, input: input, undeclared: newSet(undeclared)}
	return nil
}

// compute takes the facts that follow from the arguments and the run.
func (e *Enforcer) compute(c Call, f *facts) (err error) {
	if c.Tool == "" {
		return nil
	}
	if f.traced == nil {
		if err := e.trace(c, f); err != nil {
			return err
		}
	}
	if err := e.vouch(f); err != nil {
		return err
	}
	f.confirms = e.completes(f.tool.Definition, f.tool.Approved)
	if len(f.inForce.Meta.Budgets) > 0 {
		f.charges, f.spending, err = f.charge(c)
	}
	return err
}

// gather takes the facts of the tool, the agent and the run.
func (e *Enforcer) gather(c Call, f *facts) (err error) {
	if c.Tool != "" {
		if f.tool, err = e.tool(c); err != nil {
			return err
		}
	}
	if c.Channel == Management {
		return nil
	}
	if asks, _ := e.inventory.Agent(c.Via.ID); c.Via.Type == aims.AgentType && asks.Suspended {
		// Else a suspended agent would go on under the names of others.
		return aims.Errorf(aims.Denied, nil, "stopped: %s, which asks, is suspended until a person resumes it", c.Via)
	}
	if c.Principal.Type == aims.AgentType {
		f.agent, _ = e.inventory.Agent(c.Principal.ID)
	}
	if f.run, err = f.view.Run(c.run()); err != nil {
		return err
	}
	if err := mayGoOn(f.run, f.agent); err != nil {
		return err
	}
	if c.Tool != "" && f.run.Purpose != "" {
		if f.uses, err = f.view.Uses(c.run().Actor, f.run.Purpose); err != nil {
			return err
		}
		f.used = f.uses.Runs(session.Use{Kind: session.ToolUse, Value: c.Action}) > 0
	}
	if len(f.tool.Sinks) > 0 {
		f.directory, err = f.view.Trusted()
	}
	return err
}

// mayGoOn refuses a run about which too much would have to be remembered, and
// one whose purpose was taken from its agent.
func mayGoOn(r *session.Run, a inventory.Agent) error {
	if r.Full != "" {
		return aims.Errorf(aims.Denied, nil, "%s", r.Full)
	}
	if r.Purpose != "" && !slices.Contains(a.Purposes, r.Purpose) {
		return aims.Errorf(aims.Denied, nil, "the purpose %q is no longer registered for this agent", r.Purpose)
	}
	return nil
}

// run is the run that a call is part of.
func (c Call) run() session.Key { return session.KeyOf(c.Principal.Actor, c.Session) }

// request is the Cedar request of a call, without its input.
func (e *Enforcer) request(c Call, f *facts, granted *approval.Request) (cedar.Request, cedar.EntityMap, error) {
	m, err := e.entities.of(c.Principal, f.agent)
	if err != nil {
		return cedar.Request{}, nil, err
	}
	on := resource(c)
	entities := cedar.EntityMap{m.uid: m.entity}
	if c.Channel != Management {
		entities[on] = cedar.Entity{UID: on, Attributes: e.records.stopped(e.inventory.Stopped(c.Server))}
	}
	return cedar.Request{
		Principal: m.uid,
		Action:    cedar.NewEntityUID("Action", cedar.String(c.Action)),
		Resource:  on,
		Context:   e.records.context(c, f, granted),
	}, entities, nil
}

// delegators adds those who delegated to a run to the entities, in the roles of
// the decisions that did it and with what is known of them now.
func (e *Enforcer) delegators(r *session.Run, entities cedar.EntityMap) ([]cedar.EntityUID, error) {
	if r == nil || len(r.Chain) == 0 {
		return nil, nil
	}
	var uids []cedar.EntityUID
	for _, d := range r.Chain {
		actor := aims.Actor{Type: aims.AgentType, ID: actorID(d.Actor)}
		known, _ := e.inventory.Agent(actor.ID)
		m, err := newMember(identity.Principal{Actor: actor, Roles: d.Roles}, known)
		if err != nil {
			return nil, err
		}
		if _, there := entities[m.uid]; !there { // else an agent gave it to itself
			entities[m.uid] = m.entity
			uids = append(uids, m.uid)
		}
	}
	return uids, nil
}

func (r *records) stopped(is bool) cedar.Record {
	return r.stops.get(is, func() cedar.Record { return cedar.NewRecord(cedar.RecordMap{"stopped": cedar.Boolean(is)}) })
}

func invalidInput(err error) error {
	var input *pdp.InputError
	if errors.As(err, &input) {
		return aims.Errorf(aims.Invalid, nil, "%s", input.Error())
	}
	return aims.Errorf(aims.Invalid, err, "the arguments cannot be judged")
}

// tool finds the tool that a call names, as it is at this moment.
func (e *Enforcer) tool(c Call) (inventory.State, error) {
	t, known := e.inventory.Tool(c.Server, c.Tool)
	switch {
	case !known:
		return t, aims.Errorf(aims.Denied, nil, "there is no such tool")
	case !t.Listed:
		return t, aims.Errorf(aims.Denied, nil, "the server does not list this tool now")
	case t.Approved == "":
		return t, aims.Errorf(aims.Denied, nil, "this tool is in quarantine: nobody has approved it yet")
	}
	return t, nil
}
