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

// contextOf is the context without what the input contributes.
func contextOf(c Call, t inventory.State) cedar.Record {
	session := cedar.NewRecord(cedar.RecordMap{
		"id": cedar.String(c.Session), "channel": cedar.String(c.Channel), "protocol": cedar.String(c.Protocol),
	})
	if c.Tool == "" {
		return cedar.NewRecord(cedar.RecordMap{"session": session})
	}
	return cedar.NewRecord(cedar.RecordMap{
		"session": session,
		"tool": cedar.NewRecord(cedar.RecordMap{
			"pin": cedar.String(t.Pin), "quarantined": cedar.Boolean(t.Quarantined),
			"read_only": cedar.Boolean(t.ReadOnly), "destructive": cedar.Boolean(t.Destructive),
		}),
	})
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

// maxPrincipals bounds the memory of principals; beyond it begins anew.
const maxPrincipals = 10_000

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
	if p.known == nil || len(p.known) >= maxPrincipals {
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
	return &member{
		roles: slices.Clone(caller.Roles), uid: uid,
		entities: cedar.EntityMap{uid: {UID: uid, Parents: cedar.NewEntityUIDSet(roles...)}},
	}, nil
}
