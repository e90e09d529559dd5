package inventory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// observed is one tool of a list, canonicalised and inspected.
type observed struct {
	name        string
	raw         [32]byte
	pin         string
	canonical   []byte // nil when unusable
	fingerprint string
	flags       []Flag
}

// Observe takes note of a server's list of tools, whole and in any order, and
// reports what it brought that was not known. When it returns an error, the
// list must not be shown to anybody: what changed may not be quarantined yet.
//
// It is called at every list. An unchanged list costs one hash per tool and
// writes nothing. The same observed change is one receipt however often it is seen.
//
// A long list is taken up tool by tool, and others may alter the inventory in
// between: nobody waits for a server that floods us before pulling the switch.
func (i *Inventory) Observe(ctx context.Context, name string, tools []Tool) ([]Change, error) {
	seen := i.examine(name, tools)
	list := listPin(seen)
	listed := make(map[string]bool, len(seen))
	for _, o := range seen {
		listed[o.name] = true
	}
	var changes []Change
	dropped := 0
	note := func(step func() (Change, error)) error {
		return i.alter(ctx, func() error {
			c, err := step()
			if err == nil && c.Kind == Dropped && c.Server == "" {
				dropped++
			} else if err == nil && c.Kind != "" {
				changes = append(changes, c)
			}
			return err
		})
	}
	for _, o := range seen {
		if err := note(func() (Change, error) { return i.sight(ctx, name, o, listed, list) }); err != nil {
			return nil, err
		}
	}
	for _, tool := range i.gone(name, listed) {
		if err := note(func() (Change, error) { return i.unlist(ctx, name, tool, list) }); err != nil {
			return nil, err
		}
	}
	if err := note(func() (Change, error) { return i.drop(ctx, name, dropped, list) }); err != nil {
		return nil, err
	}
	i.change.Lock()
	defer i.change.Unlock()
	i.mu.Lock()
	defer i.mu.Unlock()
	if s := i.servers[name]; s != nil {
		s.list = list
	}
	return changes, nil
}

// examine brings a list into the order of its names. A name that is listed
// twice becomes one unusable tool: agents may take either.
func (i *Inventory) examine(server string, tools []Tool) []*observed {
	i.mu.RLock()
	defer i.mu.RUnlock()
	byName := map[string]*observed{}
	for _, t := range tools {
		o := i.examineTool(server, t)
		if other, twice := byName[o.name]; twice {
			o.pin = digest([]byte(other.pin + " " + o.pin))
			o.unusable("listed more than once")
		}
		byName[o.name] = o
	}
	seen := make([]*observed, 0, len(byName))
	for _, o := range byName {
		seen = append(seen, o)
	}
	slices.SortFunc(seen, func(a, b *observed) int { return strings.Compare(a.name, b.name) })
	return seen
}

// maxName bounds a tool's name: it becomes an identifier in policies and receipts.
const maxName = 256

func (i *Inventory) examineTool(server string, t Tool) *observed {
	o := &observed{name: storable(t.Name), raw: sha256.Sum256(t.Definition)}
	if r := i.record(server, o.name); r != nil && r.raw == o.raw && !r.unusable {
		// The bytes are those of last time, and so is everything that follows from them.
		o.pin, o.canonical, o.fingerprint, o.flags = r.Pin, r.Observed, r.fingerprint, r.Flags
		return o
	}
	o.pin = digest(t.Definition)
	if o.name != t.Name {
		o.unusable("a name that is too long or has control characters")
		return o
	}
	if len(t.Definition) > i.o.MaxDefinition {
		o.unusable(fmt.Sprintf("%d bytes, at most %d", len(t.Definition), i.o.MaxDefinition))
		return o
	}
	c, err := canonical(t.Definition)
	if err != nil {
		o.unusable("not canonical JSON (RFC 8785): " + printable(err.Error()))
		return o
	}
	var d definitionFields
	if err := json.Unmarshal(c, &d); err != nil || d.Name != t.Name || t.Name == "" {
		o.unusable("no tool definition of this name")
		return o
	}
	o.canonical, o.pin, o.fingerprint = c, digest(c), fingerprint(c)
	o.flags = inspect(o.name, c)
	return o
}

// storable is a name as it can be a key in the tables: whole when it is sound.
func storable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, name) // replaces invalid UTF-8 too
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

func (o *observed) unusable(why string) {
	o.canonical, o.fingerprint = nil, ""
	o.flags = []Flag{{Unusable, "definition", why}}
}

// listPin is the digest of the array of the canonical definitions, which is
// again canonical. What is unusable stands in it as its digest.
func listPin(seen []*observed) string {
	var array bytes.Buffer
	array.WriteByte('[')
	for n, o := range seen {
		if n > 0 {
			array.WriteByte(',')
		}
		if o.canonical != nil {
			array.Write(o.canonical)
		} else {
			fmt.Fprintf(&array, "%q", o.pin)
		}
	}
	array.WriteByte(']')
	return digest(array.Bytes())
}

// sight compares one listed tool with what is known of it.
func (i *Inventory) sight(ctx context.Context, server string, o *observed, listed map[string]bool, list string) (Change, error) {
	old := i.record(server, o.name)
	switch {
	case old == nil:
		return i.first(ctx, server, o, listed, list)
	case old.Pin != o.pin:
		return i.changed(ctx, old, o, list)
	case old.Listed && old.raw == o.raw:
		return Change{}, nil
	}
	r := *old
	r.Listed, r.raw = true, o.raw
	if old.seen[sighting(Removed, old.Pin)] && !old.Listed && !old.seen[sighting(Returned, old.Pin)] {
		c := Change{Kind: Returned, Server: server, Tool: o.name, Pin: o.pin, Quarantined: r.Quarantined}
		return c, i.keep(ctx, &r, c, "tool.returned", toolDetail{Pin: r.Pin, List: list, Quarantined: r.Quarantined})
	}
	i.put(&r, false)
	return Change{}, nil
}

// first takes up a tool that was never seen.
func (i *Inventory) first(ctx context.Context, server string, o *observed, listed map[string]bool, list string) (Change, error) {
	known := i.servers[server]
	if known != nil && len(known.tools) >= i.o.MaxTools {
		return Change{Kind: Dropped}, nil
	}
	r := &record{
		State:       State{Server: server, Name: o.name, Pin: o.pin, Listed: true, Observed: o.canonical, Flags: slices.Clone(o.flags)},
		fingerprint: o.fingerprint, raw: o.raw, unusable: o.canonical == nil, seen: map[string]bool{},
	}
	c := Change{Kind: Pinned, Server: server, Tool: o.name, Pin: o.pin}
	if known != nil {
		c.From = known.renamedFrom(r, listed)
		if other := known.looksLike(o.name); other != "" {
			r.Flags = append(r.Flags, Flag{LookAlike, "name", fmt.Sprintf("looks like %q", printable(other))})
		}
	}
	if c.From != "" {
		// Under its new name a quarantined tool would be trusted again, and a
		// policy that names the old one would no longer meet it.
		c.Kind = Renamed
		r.Flags = append(r.Flags, Flag{RenamedTo, "name", fmt.Sprintf("was %q", printable(c.From))})
	}
	if said := i.labels[toolName{server, o.name}]; said != nil && said.Source == ByPerson {
		// It was labelled, then forgotten: whether that fits what now has its
		// name is for a person to say.
		r.Flags = append(r.Flags, Flag{Labelled, "name", "people labelled a tool of this name that was forgotten since"})
	}
	r.Quarantined = i.o.RequireApproval || len(r.Flags) > 0
	event := "tool.quarantined"
	if r.Quarantined {
		if c.Kind == Pinned {
			c.Kind = Added
		}
	} else {
		event = "tool.pinned"
		r.Approved, r.Definition = r.Pin, r.Observed
	}
	c.Quarantined, c.Flags = r.Quarantined, r.Flags
	return c, i.keep(ctx, r, c, event, toolDetail{
		Pin: r.Pin, List: list, From: printable(c.From), Quarantined: r.Quarantined, Flags: r.Flags,
	})
}

// renamedFrom is the tool that is no longer listed and had r's definition.
func (s *server) renamedFrom(r *record, listed map[string]bool) string {
	from := ""
	for name, other := range s.tools {
		if !listed[name] && r.fingerprint != "" && other.fingerprint == r.fingerprint && (from == "" || name < from) {
			from = name
		}
	}
	return from
}

// looksLike is a known tool whose name cannot be told from this one.
func (s *server) looksLike(name string) string {
	mine := looks(name)
	found := ""
	for other := range s.tools {
		if other != name && looks(other) == mine && (found == "" || other < found) {
			found = other
		}
	}
	return found
}

// changed quarantines a tool whose definition is not the one seen last. A
// definition that comes back does not lift the quarantine: a server that
// shows two faces needs a person's eyes.
func (i *Inventory) changed(ctx context.Context, old *record, o *observed, list string) (Change, error) {
	r := *old
	r.Pin, r.Observed, r.Flags = o.pin, o.canonical, slices.Clone(o.flags)
	r.fingerprint, r.raw, r.unusable = o.fingerprint, o.raw, o.canonical == nil
	r.Listed, r.Quarantined = true, true
	c := Change{
		Kind: Changed, Server: r.Server, Tool: r.Name, Pin: r.Pin, Quarantined: true, Flags: r.Flags,
		Difference: difference(old.Definition, r.Observed),
	}
	if old.Quarantined && (old.seen[sighting(Changed, r.Pin)] || len(old.seen) >= maxSightings) {
		// It has its receipt, or this tool has had enough of them; it is
		// quarantined already, and memory keeps what the server shows now.
		i.put(&r, false)
		return Change{}, nil
	}
	return c, i.keep(ctx, &r, c, "tool.changed", toolDetail{
		Pin: r.Pin, Before: old.Approved, List: list, Quarantined: true, Flags: r.Flags, Difference: brief(c.Difference),
	})
}

// gone are the tools that the list no longer has, in the order of their names.
func (i *Inventory) gone(server string, listed map[string]bool) []string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	known := i.servers[server]
	if known == nil {
		return nil
	}
	var names []string
	for name := range known.tools {
		if !listed[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unlist takes note that the list no longer has a tool.
func (i *Inventory) unlist(ctx context.Context, server, tool, list string) (Change, error) {
	old := i.record(server, tool)
	if old == nil {
		return Change{}, nil // forgotten by now
	}
	told := old.seen[sighting(Removed, old.Pin)] || len(old.seen) >= maxSightings
	if told && !old.Listed {
		return Change{}, nil
	}
	r := *old
	r.Listed = false
	if told {
		i.put(&r, false)
		return Change{}, nil
	}
	c := Change{Kind: Removed, Server: server, Tool: r.Name, Pin: r.Pin, Quarantined: r.Quarantined}
	return c, i.keep(ctx, &r, c, "tool.removed", toolDetail{Pin: r.Pin, List: list})
}

// keep stores a tool's new state with the one receipt of the change, then
// makes it visible.
func (i *Inventory) keep(ctx context.Context, r *record, c Change, name string, detail toolDetail) error {
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		r.Changed = tx.Now
		if c.Kind == Pinned || c.Kind == Added || c.Kind == Renamed {
			r.FirstSeen = tx.Now
		}
		if err := saveTool(ctx, tx, r); err != nil {
			return ledger.Entry{}, err
		}
		if err := saveSighting(ctx, tx, r, c.Kind); err != nil {
			return ledger.Entry{}, err
		}
		return event(aims.System, "", name, r.Server, r.Name, detail)
	})
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(r.seen)+1)
	for s := range r.seen {
		seen[s] = true
	}
	seen[sighting(c.Kind, r.Pin)] = true
	r.seen = seen
	if c.Quarantined {
		i.o.Log.Warn("a tool is in quarantine", "server", c.Server, "tool", printable(c.Tool), "change", string(c.Kind), "pin", c.Pin, "flags", c.Flags)
	}
	i.put(r, c.Kind == Pinned)
	return nil
}

// drop takes note of tools that are too many to keep. They are not known, so
// calls to them are refused. It is recorded once between two starts.
func (i *Inventory) drop(ctx context.Context, name string, dropped int, list string) (Change, error) {
	s := i.servers[name]
	if s == nil || s.dropped || dropped == 0 {
		return Change{}, nil
	}
	err := i.commit(ctx, func(*store.Tx) (ledger.Entry, error) {
		return event(aims.System, "", "tool.dropped", name, "", toolDetail{List: list, Count: dropped})
	})
	if err != nil {
		return Change{}, err
	}
	s.dropped = true
	return Change{Kind: Dropped, Server: name, Quarantined: true}, nil
}
