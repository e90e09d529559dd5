package inventory

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// Agent is what is known of an agent (ISO 42001 A.6.2.2, A.9.3, A.9.4). One that
// only exists as a key is not registered: it has no stage. Slices and maps of an
// Agent must not be changed.
type Agent struct {
	ID string `json:"id"`
	// Stage is one of Stages; empty for an agent that nobody registered.
	Stage string `json:"stage"`
	// Operator and Owner are ids of people: who runs it, and who answers for it.
	Operator string `json:"operator,omitempty"`
	Owner    string `json:"owner,omitempty"`
	// Purposes are what it may be used for, by their ids; PurposeTexts say in a
	// sentence what some of them mean.
	Purposes     []string          `json:"purposes,omitempty"`
	PurposeTexts map[string]string `json:"purpose_texts,omitempty"`
	// Delegates are the agents that it may give work to.
	Delegates []string `json:"delegates,omitempty"`
	// Suspended says that the kill switch was pulled for it, Suspension why.
	// Also an agent that nobody registered can be suspended.
	Suspended  bool  `json:"suspended"`
	Suspension *Stop `json:"suspension,omitempty"`

	Created time.Time `json:"created,omitzero"`
	Changed time.Time `json:"changed,omitzero"`
}

// Registered says whether somebody registered the agent.
func (a Agent) Registered() bool { return a.Stage != "" }

// Agent is what is known of an agent; ok is false when nobody registered or
// suspended it, and then it has its id and nothing else.
func (i *Inventory) Agent(id string) (a Agent, ok bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.agent(id)
}

// agent is called with mu or change held.
func (c *contents) agent(id string) (a Agent, ok bool) {
	registered, stop := c.agents[id], c.stops[target{AgentTarget, id}]
	if registered != nil {
		a = *registered
	}
	a.ID, a.Suspended, a.Suspension = id, stop != nil, stop
	return a, registered != nil || stop != nil
}

// Agents lists the agents that somebody registered or suspended, by their ids.
func (i *Inventory) Agents() []Agent {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.list()
}

// list is called with mu held.
func (c *contents) list() []Agent {
	agents := []Agent{}
	for id := range c.agents {
		a, _ := c.agent(id)
		agents = append(agents, a)
	}
	for t := range c.stops {
		if t.kind == AgentTarget && c.agents[t.id] == nil {
			a, _ := c.agent(t.id)
			agents = append(agents, a)
		}
	}
	slices.SortFunc(agents, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	return agents
}

// Bounds of what an agent is registered with.
const (
	maxPurposes    = 64
	maxPurposeText = 280 // characters
	maxDelegates   = 64
)

var (
	actorID   = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
	purposeID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// Check says with aims.Invalid what is wrong with an agent by itself.
func (a *Agent) Check() error {
	if !actorID.MatchString(a.ID) {
		return aims.Errorf(aims.Invalid, nil, "%q is no id of an agent; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", printable(a.ID))
	}
	if !slices.Contains(Stages(), a.Stage) {
		return aims.Errorf(aims.Invalid, nil, "%q is no stage; expected one of %s", printable(a.Stage), strings.Join(Stages(), ", "))
	}
	for role, id := range map[string]string{"operator": a.Operator, "owner": a.Owner} {
		if id != "" && !actorID.MatchString(id) {
			return aims.Errorf(aims.Invalid, nil, "%s: %q is no id of a person; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", role, printable(id))
		}
	}
	return cmp.Or(a.checkPurposes(), a.checkDelegates())
}

func (a *Agent) checkPurposes() error {
	if len(a.Purposes) > maxPurposes {
		return aims.Errorf(aims.Invalid, nil, "%d purposes; at most %d", len(a.Purposes), maxPurposes)
	}
	for _, p := range a.Purposes {
		if !purposeID.MatchString(p) {
			return aims.Errorf(aims.Invalid, nil, "%q is no id of a purpose; expected 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit", printable(p))
		}
	}
	for p, text := range a.PurposeTexts {
		if !slices.Contains(a.Purposes, p) {
			return aims.Errorf(aims.Invalid, nil, "a sentence about the purpose %q, which is not among the purposes", printable(p))
		}
		if text == "" || utf8.RuneCountInString(text) > maxPurposeText || !showable(text) {
			return aims.Errorf(aims.Invalid, nil, "the sentence about the purpose %s is empty, has more than %d characters, or some that cannot be shown", p, maxPurposeText)
		}
	}
	return nil
}

func (a *Agent) checkDelegates() error {
	if len(a.Delegates) > maxDelegates {
		return aims.Errorf(aims.Invalid, nil, "%d agents to delegate to; at most %d", len(a.Delegates), maxDelegates)
	}
	for _, id := range a.Delegates {
		if !actorID.MatchString(id) {
			return aims.Errorf(aims.Invalid, nil, "%q is no id of an agent to delegate to", printable(id))
		}
	}
	return nil
}

// normal is an agent in the form in which it is kept.
func (a Agent) normal() *Agent {
	a.Purposes, a.Delegates = sorted(a.Purposes), sorted(a.Delegates)
	a.PurposeTexts = maps.Clone(a.PurposeTexts)
	if len(a.PurposeTexts) == 0 {
		a.PurposeTexts = nil
	}
	a.Suspended, a.Suspension = false, nil // the stops say it
	return &a
}

func (a *Agent) equal(o *Agent) bool {
	return o != nil && a.Stage == o.Stage && a.Operator == o.Operator && a.Owner == o.Owner &&
		slices.Equal(a.Purposes, o.Purposes) && maps.Equal(a.PurposeTexts, o.PurposeTexts) && slices.Equal(a.Delegates, o.Delegates)
}

// PutAgent registers an agent or changes one, and returns it as it is then.
// a.Changed is that of the agent that this one was made from, zero to register
// one: when it is another by now, it fails with aims.Conflict. So it does for a
// stage that Next does not lead to, for one that only DeployAgent leads to, and
// for delegation in a circle. Whether an agent is suspended is not changed by it,
// and Created is not taken from a.
func (i *Inventory) PutAgent(ctx context.Context, by aims.Actor, decision string, a Agent) (Agent, error) {
	return i.enter(ctx, by, decision, a, nil)
}

// enter is PutAgent, through a gate where there is one.
func (i *Inventory) enter(ctx context.Context, by aims.Actor, decision string, a Agent, through *Gate) (Agent, error) {
	if err := a.Check(); err != nil {
		return Agent{}, err
	}
	err := i.alter(ctx, func() error {
		next, old := a.normal(), i.agents[a.ID]
		if err := i.mayPut(old, next, through); err != nil {
			return err
		}
		if next.equal(old) {
			return nil
		}
		return i.putAgent(ctx, by, decision, old, next, through)
	})
	if err != nil {
		return Agent{}, err
	}
	done, _ := i.Agent(a.ID)
	return done, nil
}

// mayPut says what speaks against an agent's new state. old is nil for a new one.
func (i *Inventory) mayPut(old, next *Agent, through *Gate) error {
	stage := ""
	if old != nil {
		stage = old.Stage
	}
	switch {
	case old == nil && !next.Changed.IsZero():
		return aims.Errorf(aims.NotFound, nil, "no agent %q is registered", next.ID)
	case old != nil && next.Changed.IsZero():
		return aims.Errorf(aims.Conflict, nil, "the agent %s is registered already, in stage %s", next.ID, stage)
	case old != nil && !next.Changed.Equal(old.Changed):
		return aims.Errorf(aims.Conflict, nil, "the agent %s was changed meanwhile, at %s; look at it again", next.ID, old.Changed.Format(time.RFC3339))
	case stage == Retired && !next.equal(old):
		return aims.Errorf(aims.Conflict, nil, "the agent %s is retired and stays as it was; register another", next.ID)
	case next.Stage != stage:
		if err := i.mayMove(next, stage, through); err != nil {
			return err
		}
	}
	return i.mayDelegate(next, false)
}

func (i *Inventory) mayMove(next *Agent, from string, through *Gate) error {
	event := eventTo(from, next.Stage)
	switch {
	case event == "" && from == "":
		return aims.Errorf(aims.Conflict, nil, "an agent is registered in one of the stages %s, not %s", strings.Join(reachable(""), ", "), next.Stage)
	case event == "" && next.Stage == Suspended:
		return aims.Errorf(aims.Conflict, nil, "suspending has a reason and a verb of its own: `aims agents suspend`")
	case event == "" && from == Suspended && next.Stage == Deployed:
		return aims.Errorf(aims.Conflict, nil, "resuming is a verb of its own: `aims agents resume`")
	case event == "":
		return aims.Errorf(aims.Conflict, nil, "%s is in stage %s, from which it goes to %s, not to %s", next.ID, from, strings.Join(reachable(from), " or "), next.Stage)
	case event == ToDeployment && i.stops[target{AgentTarget, next.ID}] != nil:
		return aims.Errorf(aims.Conflict, nil, "%s is suspended; it is resumed before it is deployed", next.ID)
	case next.Stage == Deployed && through == nil:
		return aims.Errorf(aims.Conflict, nil, "%s goes into operation through the gate only: `aims agents move %s deployed`", next.ID, next.ID)
	}
	return nil
}

// mayDelegate refuses delegation to agents that are not registered, and in a
// circle: work that comes back to where it came from has no end and no author.
// With coming, an agent that is not registered yet is about to be.
func (c *contents) mayDelegate(next *Agent, coming bool) error {
	for _, id := range next.Delegates {
		if id != next.ID && c.agents[id] == nil && !coming {
			return aims.Errorf(aims.Invalid, nil, "%s cannot delegate to %q: no such agent is registered", next.ID, id)
		}
	}
	seen := map[string]bool{}
	var circle func(path []string) []string
	circle = func(path []string) []string {
		at := path[len(path)-1]
		delegates := next.Delegates
		if at != next.ID {
			delegates = nil
			if known := c.agents[at]; known != nil {
				delegates = known.Delegates
			}
		}
		for _, id := range delegates {
			if id == next.ID {
				return append(path, id)
			}
			if !seen[id] {
				seen[id] = true
				if found := circle(append(path, id)); found != nil {
					return found
				}
			}
		}
		return nil
	}
	if found := circle([]string{next.ID}); found != nil {
		return aims.Errorf(aims.Conflict, nil, "delegation in a circle: %s", strings.Join(found, " → "))
	}
	return nil
}

// agentDetail is what the receipt of a registration or change says.
type agentDetail struct {
	// Event is what moved it to another stage; empty when it stayed.
	Event  LifeEvent   `json:"event,omitempty"`
	Before *agentState `json:"before,omitempty"`
	After  *agentState `json:"after"`
}

type agentState struct {
	Stage string `json:"stage"`
	agentFacts
}

func (a *Agent) state() *agentState { return &agentState{a.Stage, a.facts()} }

func (i *Inventory) putAgent(ctx context.Context, by aims.Actor, decision string, old, next *Agent, through *Gate) error {
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		entry, err := storeAgent(ctx, tx, by, decision, old, next)
		if err != nil || through == nil || next.Stage != Deployed || old != nil && old.Stage == Deployed {
			return entry, err
		}
		return through.before(ctx, tx, i.known, by, decision, next.ID, entry)
	})
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.agents[next.ID] = next
	i.version++
	return nil
}

// storeAgent stores an agent and returns the receipt of that. old is nil for a new one.
func storeAgent(ctx context.Context, tx *store.Tx, by aims.Actor, decision string, old, next *Agent) (ledger.Entry, error) {
	name, stage, detail := "agent.registered", "", agentDetail{After: next.state()}
	next.Created, next.Changed = moment(tx), moment(tx)
	if old != nil {
		name, stage, detail.Before = "agent.changed", old.Stage, old.state()
		next.Created, next.Changed = old.Created, after(old.Changed, tx)
	}
	detail.Event = eventTo(stage, next.Stage)
	if err := saveAgent(ctx, tx, next); err != nil {
		return ledger.Entry{}, err
	}
	return agentEvent(by, decision, name, next.ID, detail)
}

func agentEvent(by aims.Actor, decision, name, id string, detail agentDetail) (ledger.Entry, error) {
	object := receipt.Object{Type: aims.AgentType, ID: id}
	entry, err := happened(by, decision, name, object, detail)
	if err == nil && len(entry.Body) > ledger.MaxBody {
		detail.Before = nil // an earlier receipt has it
		entry, err = happened(by, decision, name, object, detail)
	}
	return entry, err
}
