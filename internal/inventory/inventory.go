// Package inventory knows what exists: the MCP servers, their tools, and the
// pin of every tool's definition, so that a definition that changes after it
// was trusted is noticed before anybody acts on it (ISO 42001 4.3, A.4, A.10).
package inventory

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/pdp"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the migrations of the tables of this package.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		// The path is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return store.Schema{Name: "inventory", Migrations: files}
}

// Options bound and tune an Inventory.
type Options struct {
	// RequireApproval quarantines every tool until it is approved; otherwise a
	// tool is trusted as it is when it is first seen.
	RequireApproval bool
	// MaxTools bounds the tools that are known of one server; 0 for 1024.
	MaxTools int
	// MaxDefinition bounds a tool's definition in bytes; 0 for 128 KiB.
	MaxDefinition int
	// Log is told of quarantines; nil for no log.
	Log *slog.Logger
}

// maxSightings bounds the receipts that one tool can cause between two
// approvals: a server that shows another definition at every list fills no disk.
const maxSightings = 16

// Inventory is the tools of all servers, in memory and in its tables.
type Inventory struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options

	// change is held by whoever alters the inventory, so that memory follows
	// the database in the order of the commits.
	change sync.Mutex

	mu      sync.RWMutex
	servers map[string]*server
	version uint64
}

type server struct {
	tools   map[string]*record
	list    string // pin of the last list
	dropped bool   // it was recorded that tools were too many
}

// record is a tool as the inventory keeps it. A record that others can see is never written to.
type record struct {
	State
	fingerprint string          // of the observed definition without its name
	raw         [32]byte        // SHA-256 of the bytes that were observed last
	unusable    bool            // the observed definition cannot be approved
	seen        map[string]bool // sightings that have their receipt
}

// Open reads the inventory from its tables. No tool counts as listed until its
// server has listed it again.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Inventory, error) {
	o.MaxTools = cmp.Or(o.MaxTools, 1024)
	o.MaxDefinition = cmp.Or(o.MaxDefinition, 128<<10)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	i := &Inventory{db: db, ledger: log, o: o, servers: map[string]*server{}}
	if err := i.load(ctx); err != nil {
		return nil, fmt.Errorf("inventory: read the tools: %w", err)
	}
	return i, nil
}

// Tool is what is known of a tool. It costs no query.
func (i *Inventory) Tool(server, name string) (State, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	r := i.record(server, name)
	if r == nil {
		return State{}, false
	}
	return r.State, true
}

// record is called with mu or change held.
func (i *Inventory) record(server, name string) *record {
	s, ok := i.servers[server]
	if !ok {
		return nil
	}
	return s.tools[name]
}

// Tools lists what is known, by server and name; of all servers when server is empty.
func (i *Inventory) Tools(server string) []State {
	i.mu.RLock()
	defer i.mu.RUnlock()
	states := []State{}
	for name, s := range i.servers {
		if server != "" && name != server {
			continue
		}
		for _, r := range s.tools {
			states = append(states, r.State)
		}
	}
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Name, b.Name))
	})
	return states
}

// ListPin is the digest of the server's last list as a whole: SHA-256 over the
// RFC 8785 form of its tools' pinned fields, in the order of their names.
// Empty before the first list.
func (i *Inventory) ListPin(server string) string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if s, ok := i.servers[server]; ok {
		return s.list
	}
	return ""
}

// Catalog is the approved definitions, also of tools that are not listed at
// the moment, so that a policy about them stays valid.
func (i *Inventory) Catalog() pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage { return s.Definition })
}

// CatalogWith is the catalog as it would be if the tool's observed definition
// were approved.
func (i *Inventory) CatalogWith(server, tool string) pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage {
		if s.Server == server && s.Name == tool {
			return s.Observed
		}
		return s.Definition
	})
}

// CatalogWithout is the catalog as it would be if the tool were forgotten.
func (i *Inventory) CatalogWithout(server, tool string) pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage {
		if s.Server == server && s.Name == tool {
			return nil
		}
		return s.Definition
	})
}

// catalog describes each tool by the definition that is chosen for it, if any.
func (i *Inventory) catalog(choose func(State) json.RawMessage) pdp.Catalog {
	var c pdp.Catalog
	for _, s := range i.Tools("") {
		var d definitionFields
		if definition := choose(s); len(definition) == 0 || json.Unmarshal(definition, &d) != nil {
			continue // only what was canonicalised is ever approved
		}
		readOnly, destructive := d.hints()
		c.Tools = append(c.Tools, pdp.Tool{Server: s.Server, Name: s.Name, InputSchema: d.InputSchema, ReadOnly: readOnly, Destructive: destructive})
	}
	return c
}

// Version grows whenever the catalog changes.
func (i *Inventory) Version() uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.version
}

// Difference compares a tool's observed definition with the approved one,
// field by field.
func (i *Inventory) Difference(server, tool string) ([]Difference, error) {
	s, ok := i.Tool(server, tool)
	if !ok {
		return nil, unknown(server, tool)
	}
	return difference(s.Definition, s.Observed), nil
}

// Approve puts a tool's observed definition in force. It names the pin that
// the approver has seen: when the server shows another one by now, or the tool
// needs no approval, it fails with aims.Conflict.
func (i *Inventory) Approve(ctx context.Context, by aims.Actor, decision, server, tool, pin string) error {
	i.change.Lock()
	defer i.change.Unlock()
	old := i.record(server, tool)
	switch {
	case old == nil:
		return unknown(server, tool)
	case old.Pin != pin:
		return aims.Errorf(aims.Conflict, nil, "%s of %s is now %s; look at that definition before approving it", tool, server, old.Pin)
	case old.unusable:
		return aims.Errorf(aims.Conflict, nil, "the definition of %s of %s is unusable; its server has to change it", tool, server)
	case !old.Quarantined && old.Approved == pin:
		return aims.Errorf(aims.Conflict, nil, "this definition of %s of %s is approved already", tool, server)
	}
	r := *old
	r.Approved, r.Definition, r.Quarantined, r.seen = pin, r.Observed, false, map[string]bool{}
	r.setHints()
	_, err := i.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		r.Changed = tx.Now
		if err := saveTool(ctx, tx, &r); err != nil {
			return ledger.Entry{}, err
		}
		if err := forgetSightings(ctx, tx, server, tool); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "tool.approved", server, tool, toolDetail{
			Pin: pin, Before: old.Approved, Flags: old.Flags, Difference: brief(difference(old.Definition, old.Observed)),
		})
	})
	if err != nil {
		return changeFailed(err)
	}
	i.put(&r, true)
	return nil
}

// Forget removes a tool that its server no longer lists, so that a name that
// will not come back takes no place. If it does come back, it is new.
func (i *Inventory) Forget(ctx context.Context, by aims.Actor, decision, server, tool string) error {
	i.change.Lock()
	defer i.change.Unlock()
	old := i.record(server, tool)
	if old == nil {
		return unknown(server, tool)
	}
	if old.Listed {
		return aims.Errorf(aims.Conflict, nil, "%s still lists %s", server, tool)
	}
	_, err := i.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if err := deleteTool(ctx, tx, server, tool); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "tool.forgotten", server, tool, toolDetail{Pin: old.Pin, Before: old.Approved})
	})
	if err != nil {
		return changeFailed(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.servers[server].tools, tool)
	i.version++
	return nil
}

// put makes a record visible. catalog says that its approved definition changed.
func (i *Inventory) put(r *record, catalog bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.servers[r.Server]
	if !ok {
		s = &server{tools: map[string]*record{}}
		i.servers[r.Server] = s
	}
	s.tools[r.Name] = r
	if catalog {
		i.version++
	}
}

func unknown(server, tool string) error {
	return aims.Errorf(aims.NotFound, nil, "no tool %q of a server %q is known", tool, server)
}
