// Package inventory knows what exists: the agents with their stage and
// purposes, the MCP servers, their tools and what those do, and what of it a
// person has stopped. It keeps the pin of every tool's definition, so that one
// that changes after it was trusted is noticed before anybody acts on it
// (ISO 42001 4.3, A.4, A.6, A.10).
package inventory

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"

	"aims/internal/ledger"
	"aims/internal/store"
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

// Inventory is what exists, in memory and in its tables. It is safe for
// concurrent use, and reading it costs no query.
type Inventory struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options

	// change is held by whoever alters the inventory, so that memory follows
	// the database in the order of the commits.
	change sync.Mutex
	known  int64 // version of the tables that memory holds, or inDoubt

	// mu guards the contents and is held, together with change, to write them.
	mu sync.RWMutex
	contents
	version, catalogVersion uint64
}

// contents are what the tables hold and what was observed since the start.
// What the maps hold is never written to.
type contents struct {
	servers map[string]*server
	labels  map[toolName]*Labelling
	agents  map[string]*Agent
	stops   map[target]*Stop
}

func newContents() *contents {
	return &contents{servers: map[string]*server{}, labels: map[toolName]*Labelling{}, agents: map[string]*Agent{}, stops: map[target]*Stop{}}
}

// toolName is the name of a tool among those of all servers.
type toolName struct{ server, name string }

func (t toolName) compare(o toolName) int {
	return cmp.Or(cmp.Compare(t.server, o.server), cmp.Compare(t.name, o.name))
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
	i := &Inventory{db: db, ledger: log, o: o, contents: *newContents()}
	if err := i.reload(ctx); err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
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
func (c *contents) record(server, name string) *record {
	s, ok := c.servers[server]
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

// Version grows whenever anything changes here that a decision may depend on:
// facts that were taken at one version hold as long as it is the same.
func (i *Inventory) Version() uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.version
}

// CatalogVersion grows whenever the catalog changes.
func (i *Inventory) CatalogVersion() uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.catalogVersion
}
