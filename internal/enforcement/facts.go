package enforcement

import (
	"slices"
	"sync"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/inventory"

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

// records keeps parts of contexts from one call to the next: Cedar hashes a
// record when it is made, which costs more than most decisions.
type records struct {
	sessions cache[sessionFacts]
	tools    cache[toolFacts]
}

type sessionFacts struct{ id, channel, protocol string }

type toolFacts struct {
	pin                                string
	quarantined, readOnly, destructive bool
}

// context is the context of a call without what the input contributes.
func (r *records) context(c Call, t inventory.State) cedar.Record {
	session := r.sessions.get(sessionFacts{c.Session, c.Channel, c.Protocol}, newSession)
	if c.Channel == Management {
		return cedar.NewRecord(cedar.RecordMap{"session": session, "matter": c.Matter.record()})
	}
	if c.Tool == "" {
		return cedar.NewRecord(cedar.RecordMap{"session": session})
	}
	tool := r.tools.get(toolFacts{t.Pin, t.Quarantined, t.ReadOnly, t.Destructive}, newTool)
	return cedar.NewRecord(cedar.RecordMap{
		"session": session, "tool": tool, "provenance": cedar.Record{}, "budget": cedar.Record{},
		"sinks": cedar.NewRecord(cedar.RecordMap{
			"all": cedar.Set{}, "user": cedar.Set{}, "used": cedar.Set{}, "trusted": cedar.Set{}, "untrusted": cedar.Set{}, "made_up": cedar.Set{},
		}),
	})
}

func newSession(f sessionFacts) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"id": cedar.String(f.id), "channel": cedar.String(f.channel), "protocol": cedar.String(f.protocol),
		"purpose": cedar.String(""), "on_behalf_of": cedar.String(""), "depth": cedar.Long(0), "prompted": cedar.False,
		"labels": cedar.Set{}, "tools": cedar.Set{}, "calls": cedar.Long(0), "refusals": cedar.Long(0),
	})
}

func newTool(f toolFacts) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"pin": cedar.String(f.pin), "quarantined": cedar.Boolean(f.quarantined),
		"read_only": cedar.Boolean(f.readOnly), "destructive": cedar.Boolean(f.destructive),
		"effects": cedar.Set{}, "labels": cedar.Set{}, "new": cedar.False, "used": cedar.False, "implied": cedar.False,
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
	return cedar.NewRecord(cedar.RecordMap{"authors": cedar.NewSet(authors...), "roles": cedar.NewSet(roles...)})
}

// cache keeps records by the facts that they are made of.
type cache[K comparable] struct {
	mu   sync.RWMutex
	made map[K]cedar.Record
}

// maxCached bounds the memory of a cache; beyond it begins anew.
const maxCached = 10_000

func (c *cache[K]) get(facts K, newRecord func(K) cedar.Record) cedar.Record {
	c.mu.RLock()
	r, ok := c.made[facts]
	c.mu.RUnlock()
	if ok {
		return r
	}
	r = newRecord(facts)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || len(c.made) >= maxCached {
		c.made = map[K]cedar.Record{}
	}
	c.made[facts] = r
	return r
}

// principals keeps the entities of callers from one call to the next.
type principals struct {
	mu    sync.RWMutex
	known map[aims.Actor]*member
}

// member is a principal with its roles. It is never changed.
type member struct {
	roles    []string
	uid      cedar.EntityUID
	entities cedar.EntityMap
}

// of is the entity of a caller, in the roles that it has now.
func (p *principals) of(caller identity.Principal) (cedar.EntityUID, cedar.EntityMap, error) {
	p.mu.RLock()
	m := p.known[caller.Actor]
	p.mu.RUnlock()
	if m != nil && slices.Equal(m.roles, caller.Roles) {
		return m.uid, m.entities, nil
	}
	m, err := newMember(caller)
	if err != nil {
		return cedar.EntityUID{}, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxCached {
		p.known = map[aims.Actor]*member{}
	}
	p.known[caller.Actor] = m
	return m.uid, m.entities, nil
}

func newMember(caller identity.Principal) (*member, error) {
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
		entity.Attributes = cedar.NewRecord(cedar.RecordMap{"stage": cedar.String(""), "suspended": cedar.False, "operator": cedar.String("")})
	}
	return &member{roles: slices.Clone(caller.Roles), uid: uid, entities: cedar.EntityMap{uid: entity}}, nil
}
