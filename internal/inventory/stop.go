package inventory

import (
	"cmp"
	"context"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/lookalike"
	"aims/internal/store"
	"aims/receipt"
)

// The kinds of what can be stopped.
const (
	AgentTarget  = aims.AgentType
	ServerTarget = "server"
)

// AllServers names all servers at once, also those that are not yet known.
const AllServers = "*"

// target is what a stop is about.
type target struct{ kind, id string }

func (t target) String() string {
	if t == (target{ServerTarget, AllServers}) {
		return "all servers"
	}
	return "the " + t.kind + " " + t.id
}

// Stop is a pulled kill switch.
type Stop struct {
	// Type is AgentTarget or ServerTarget, ID whose, AllServers for all of them.
	Type   string     `json:"type"`
	ID     string     `json:"id"`
	Reason string     `json:"reason"`
	By     aims.Actor `json:"by"`
	Since  time.Time  `json:"since"`
}

// Stopped says whether calls to a server are stopped. The empty name stands for
// an endpoint that merges several servers, which only AllServers stops.
func (i *Inventory) Stopped(server string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.stops[target{ServerTarget, AllServers}] != nil || i.stops[target{ServerTarget, server}] != nil
}

// Stops lists what is stopped now, agents first, by their ids.
func (i *Inventory) Stops() []Stop {
	i.mu.RLock()
	defer i.mu.RUnlock()
	stops := make([]Stop, 0, len(i.stops))
	for _, s := range i.stops {
		stops = append(stops, *s)
	}
	slices.SortFunc(stops, func(a, b Stop) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) })
	return stops
}

// StopServer stops calls to a server, or with AllServers to all of them: from
// the next decision on, in other processes with their next Refresh. It fails
// with aims.Conflict when that is stopped already.
func (i *Inventory) StopServer(ctx context.Context, by aims.Actor, decision, server, reason string) error {
	if server == "" || server != printable(server) {
		return aims.Errorf(aims.Invalid, nil, "%q is no name of a server; %s stands for all", printable(server), AllServers)
	}
	return i.stop(ctx, by, decision, target{ServerTarget, server}, reason)
}

// ResumeServer ends what StopServer began with the same name, and nothing else.
func (i *Inventory) ResumeServer(ctx context.Context, by aims.Actor, decision, server, reason string) error {
	return i.resume(ctx, by, decision, target{ServerTarget, server}, reason)
}

// SuspendAgent stops everything that an agent does, registered or not, whatever
// credential it shows and wherever it asks, as StopServer does with a server. A
// deployed agent goes to the stage Suspended.
func (i *Inventory) SuspendAgent(ctx context.Context, by aims.Actor, decision, id, reason string) error {
	if !actorID.MatchString(id) {
		return aims.Errorf(aims.Invalid, nil, "%q is no id of an agent; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", printable(id))
	}
	return i.stop(ctx, by, decision, target{AgentTarget, id}, reason)
}

// ResumeAgent ends a suspension. An agent in the stage Suspended is deployed again.
func (i *Inventory) ResumeAgent(ctx context.Context, by aims.Actor, decision, id, reason string) error {
	return i.resume(ctx, by, decision, target{AgentTarget, id}, reason)
}

const maxReason = 500 // characters

func checkReason(reason string) error {
	if reason == "" || utf8.RuneCountInString(reason) > maxReason || !showable(reason) {
		return aims.Errorf(aims.Invalid, nil, "expected a reason of 1 to %d characters that can be shown", maxReason)
	}
	return nil
}

// showable says whether a person who reads text sees all of it.
func showable(text string) bool {
	for _, r := range text {
		if !unicode.IsGraphic(r) || lookalike.Invisible(r) {
			return false
		}
	}
	return utf8.ValidString(text)
}

func (i *Inventory) stop(ctx context.Context, by aims.Actor, decision string, t target, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	return i.alter(ctx, func() error {
		if s := i.stops[t]; s != nil {
			return aims.Errorf(aims.Conflict, nil, "%s is stopped since %s by %s: %s", t, s.Since.Format(time.RFC3339), s.By, s.Reason)
		}
		agent := i.agentMoved(t, ToSuspension)
		return i.switchTo(ctx, t, agent, &Stop{Type: t.kind, ID: t.id, Reason: reason, By: by}, func() (ledger.Entry, error) {
			return stopEvent(by, decision, t, stopNames[t.kind].stopped, stopDetail{Reason: reason, Stage: stageOf(agent)})
		})
	})
}

func (i *Inventory) resume(ctx context.Context, by aims.Actor, decision string, t target, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	return i.alter(ctx, func() error {
		s := i.stops[t]
		if s == nil {
			return aims.Errorf(aims.Conflict, nil, "%s is not stopped", t)
		}
		agent := i.agentMoved(t, FromSuspension)
		return i.switchTo(ctx, t, agent, nil, func() (ledger.Entry, error) {
			return stopEvent(by, decision, t, stopNames[t.kind].resumed, stopDetail{Reason: reason, Stage: stageOf(agent), Stopped: s})
		})
	})
}

// agentMoved is a registered agent in the stage that the event leads to; nil
// where the target is none or the event moves it nowhere.
func (i *Inventory) agentMoved(t target, event LifeEvent) *Agent {
	old := i.agents[t.id]
	if t.kind != AgentTarget || old == nil {
		return nil
	}
	stage, ok := Next(old.Stage, event)
	if !ok {
		return nil
	}
	next := *old
	next.Stage = stage
	return &next
}

func stageOf(a *Agent) string {
	if a == nil {
		return ""
	}
	return a.Stage
}

// switchTo stores a stop, or with nil its end, and the agent that it moves.
//
// A stop is in force from within its transaction on, and not only after it:
// whatever is decided behind it in the log is decided with it, however long the
// commit takes. When it cannot be stored, it is taken back. Its end is in force
// only when it is durable.
func (i *Inventory) switchTo(ctx context.Context, t target, agent *Agent, stop *Stop, entry func() (ledger.Entry, error)) error {
	stopBefore, agentBefore := i.stops[t], i.agents[t.id]
	var stopNow *Stop
	agentNow := agentBefore
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if agent != nil {
			moved := *agent
			moved.Changed = after(agentBefore.Changed, tx)
			if err := saveAgent(ctx, tx, &moved); err != nil {
				return ledger.Entry{}, err
			}
			agentNow = &moved
		}
		if stop == nil {
			if err := deleteStop(ctx, tx, t); err != nil {
				return ledger.Entry{}, err
			}
			return entry()
		}
		begun := *stop
		begun.Since = moment(tx)
		if err := saveStop(ctx, tx, &begun); err != nil {
			return ledger.Entry{}, err
		}
		stopNow = &begun
		i.setStop(t, stopNow, agentNow)
		return entry()
	})
	if err != nil {
		i.setStop(t, stopBefore, agentBefore)
		return err
	}
	i.setStop(t, stopNow, agentNow)
	return nil
}

func (i *Inventory) setStop(t target, stop *Stop, agent *Agent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.stops, t); stop != nil {
		i.stops[t] = stop
	}
	if t.kind == AgentTarget && agent != nil {
		i.agents[t.id] = agent
	}
	i.version++
}

// stopNames are the names of the events.
var stopNames = map[string]struct{ stopped, resumed string }{
	AgentTarget:  {"agent.suspended", "agent.resumed"},
	ServerTarget: {"server.stopped", "server.resumed"},
}

// stopDetail is what the receipt of a stop or of its end says.
type stopDetail struct {
	Reason string `json:"reason"`
	// Stage is the stage that a registered agent is in from then on, when it is another.
	Stage string `json:"stage,omitempty"`
	// Stopped is the stop that ended.
	Stopped *Stop `json:"stopped,omitempty"`
}

func stopEvent(by aims.Actor, decision string, t target, name string, detail stopDetail) (ledger.Entry, error) {
	return happened(by, decision, name, receipt.Object{Type: t.kind, ID: t.id}, detail)
}
