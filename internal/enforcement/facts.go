package enforcement

import (
	"slices"
	"sync"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/session"
	"aims/pdp"

	"github.com/cedar-policy/cedar-go"
)

// merged is the resource of a request to an endpoint that merges several
// servers. No server can be called that.
const merged = "*"

// resource is what a call acts on.
func resource(c Call) cedar.EntityUID {
	switch {
	case c.Channel == Management:
		return cedar.NewEntityUID("System", cedar.String(aims.System.ID))
	case c.Server == "":
		return cedar.NewEntityUID("McpServer", merged)
	}
	return cedar.NewEntityUID("McpServer", cedar.String(c.Server))
}

// records makes the records of contexts, and keeps what is the same from one
// call to the next: Cedar hashes a record or set when it is made, which costs
// more than most decisions.
type records struct {
	management cache[[3]string, cedar.Record]
	tools      cache[toolFacts, cedar.Record]
	sets       cache[setKey, cedar.Set]
	stops      cache[bool, cedar.Record]
	arguments  cache[argumentFacts, cedar.Record]
	sinks      cache[sinkFacts, cedar.Record]
	confirms   cache[string, bool] // by pin
}

// setKey names a list that is never changed by where it lies.
type setKey struct {
	first *string
	n     int
}

func keyOf(list []string) setKey {
	if len(list) == 0 {
		return setKey{}
	}
	return setKey{&list[0], len(list)}
}

func (r *records) set(list []string) cedar.Set {
	return r.sets.get(keyOf(list), func() cedar.Set { return newSet(list) })
}

func newSet(list []string) cedar.Set {
	values := make([]cedar.Value, len(list))
	for i, s := range list {
		values[i] = cedar.String(s)
	}
	return cedar.NewSet(values...)
}

// toolFacts are what the record of a tool is made of.
type toolFacts struct {
	pin                                string
	quarantined, readOnly, destructive bool
	effects, labels                    setKey
	isNew, used, implied, confirms     bool
}

// context is the context of a call.
func (r *records) context(c Call, f *facts, granted *approval.Request) cedar.Record {
	if c.Channel == Management {
		session := r.management.get([3]string{c.Session, c.Channel, c.Protocol}, func() cedar.Record {
			return r.session(c, &session.Run{}, false)
		})
		context := cedar.RecordMap{"input": f.args.input, "session": session, "matter": c.Matter.record()}
		if c.Action == pdp.DeployVerb {
			context["gate"] = c.Matter.gate()
		}
		return cedar.NewRecord(context)
	}
	context := cedar.RecordMap{"input": f.args.input, "session": r.session(c, f.run, f.uses.Established())}
	if c.Tool != "" {
		context["tool"] = r.tool(f)
		context["budget"] = f.spending
		context["undeclared"] = f.args.undeclared
		if f.traced != nil { // it is not known which arguments there will be otherwise
			context["provenance"], context["sinks"] = r.provenance(f), r.sinkSets(f.arguments)
		}
	}
	if granted != nil {
		context["approval"] = cedar.NewRecord(cedar.RecordMap{"id": cedar.String(granted.ID), "roles": newSet(granted.Roles)})
	}
	return cedar.NewRecord(context)
}

func (r *records) session(c Call, run *session.Run, established bool) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"id": cedar.String(c.Session), "channel": cedar.String(c.Channel), "protocol": cedar.String(c.Protocol),
		"purpose": cedar.String(run.Purpose), "on_behalf_of": cedar.String(run.OnBehalfOf),
		"depth": cedar.Long(run.Depth()), "prompted": cedar.Boolean(run.Prompted()),
		"labels": r.set(run.Labels), "tools": r.set(run.Tools),
		"calls": cedar.Long(run.Calls), "refusals": cedar.Long(run.Refusals), "established": cedar.Boolean(established),
	})
}

func (r *records) tool(f *facts) cedar.Record {
	t := &f.tool
	key := toolFacts{
		pin: t.Pin, quarantined: t.Quarantined, readOnly: t.ReadOnly, destructive: t.Destructive,
		effects: keyOf(t.Effects), labels: keyOf(t.Labels), isNew: !t.Explicit && !f.used, used: f.used, implied: f.traced != nil && f.traced.implied,
		confirms: f.confirms,
	}
	return r.tools.get(key, func() cedar.Record {
		return cedar.NewRecord(cedar.RecordMap{
			"pin": cedar.String(key.pin), "quarantined": cedar.Boolean(key.quarantined),
			"read_only": cedar.Boolean(key.readOnly), "destructive": cedar.Boolean(key.destructive),
			"effects": newSet(t.Effects), "labels": newSet(t.Labels),
			"new": cedar.Boolean(key.isNew), "used": cedar.Boolean(key.used), "implied": cedar.Boolean(key.implied), "confirms": cedar.Boolean(key.confirms),
		})
	})
}

// record is the matter as policies see it.
func (m Matter) record() cedar.Record {
	authors := make([]cedar.Value, 0, len(m.Authors))
	for _, a := range m.Authors {
		if a.Type == aims.PersonType {
			authors = append(authors, cedar.NewEntityUID("Person", cedar.String(a.ID)))
		}
	}
	roles := make([]cedar.Value, len(m.Roles))
	for i, role := range m.Roles {
		roles[i] = cedar.NewEntityUID("Role", cedar.String(role))
	}
	return cedar.NewRecord(cedar.RecordMap{
		"authors": cedar.NewSet(authors...), "roles": cedar.NewSet(roles...), "kind": cedar.String(m.Kind), "mark": cedar.String(m.Mark),
	})
}

// gate is the preconditions as policies see them: what is not said to hold does not.
func (m Matter) gate() cedar.Record {
	facts := cedar.RecordMap{}
	for _, name := range pdp.Preconditions() {
		facts[cedar.String(name)] = cedar.Boolean(m.Gate[name])
	}
	return cedar.NewRecord(facts)
}

// cache keeps values by the facts that they are made of.
type cache[K comparable, V any] struct {
	mu   sync.RWMutex
	made map[K]V
}

// maxCached bounds the memory of a cache; beyond it begins anew.
const maxCached = 10_000

func (c *cache[K, V]) get(facts K, newValue func() V) V {
	c.mu.RLock()
	v, ok := c.made[facts]
	c.mu.RUnlock()
	if ok {
		return v
	}
	v = newValue()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || len(c.made) >= maxCached {
		c.made = map[K]V{}
	}
	c.made[facts] = v
	return v
}

// principals keeps the entities of callers from one call to the next.
type principals struct {
	mu    sync.RWMutex
	known map[aims.Actor]*member
}

// member is a principal with its roles and attributes. It is never changed.
type member struct {
	roles           []string
	stage, operator string
	suspended       bool
	uid             cedar.EntityUID
	entity          cedar.Entity
}

func (m *member) is(caller identity.Principal, a inventory.Agent) bool {
	return m != nil && m.stage == a.Stage && m.operator == a.Operator && m.suspended == a.Suspended && slices.Equal(m.roles, caller.Roles)
}

// of is the entity of a caller, in the roles that it has now and with what is
// known of it as an agent.
func (p *principals) of(caller identity.Principal, a inventory.Agent) (*member, error) {
	p.mu.RLock()
	m := p.known[caller.Actor]
	p.mu.RUnlock()
	if m.is(caller, a) {
		return m, nil
	}
	m, err := newMember(caller, a)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxCached {
		p.known = map[aims.Actor]*member{}
	}
	p.known[caller.Actor] = m
	return m, nil
}

func newMember(caller identity.Principal, a inventory.Agent) (*member, error) {
	var kind cedar.EntityType
	switch caller.Type {
	case aims.AgentType:
		kind = "Agent"
	case aims.PersonType:
		kind = "Person"
	default:
		return nil, aims.Errorf(aims.Unauthenticated, nil, "only agents and people can ask")
	}
	if caller.ID == "" {
		return nil, aims.Errorf(aims.Unauthenticated, nil, "the caller has no id")
	}
	uid := cedar.NewEntityUID(kind, cedar.String(caller.ID))
	roles := make([]cedar.EntityUID, len(caller.Roles))
	for i, r := range caller.Roles {
		roles[i] = cedar.NewEntityUID("Role", cedar.String(r))
	}
	entity := cedar.Entity{UID: uid, Parents: cedar.NewEntityUIDSet(roles...)}
	if kind == "Agent" {
		entity.Attributes = cedar.NewRecord(cedar.RecordMap{
			"stage": cedar.String(a.Stage), "suspended": cedar.Boolean(a.Suspended), "operator": cedar.String(a.Operator),
		})
	}
	return &member{
		roles: slices.Clone(caller.Roles), stage: a.Stage, operator: a.Operator, suspended: a.Suspended, uid: uid, entity: entity,
	}, nil
}
