package inventory

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/provenance"
	"aims/internal/store"
)

// The effects that a call of a tool can have.
func Effects() []string {
	return []string{"credential", "delete", "execute", "pay", "read", "send", "write"}
}

// SinkKinds are what an argument can decide: where something goes, or who may.
func SinkKinds() []string {
	return []string{provenance.Account, provenance.Credential, provenance.Path, provenance.Recipient, provenance.Repository, provenance.URL}
}

// The labels of results that mean something to the installation itself; an
// owner adds others.
const (
	// Untrusted results may hold what an attacker wrote.
	Untrusted = "untrusted"
	// Trusted takes Untrusted away; no result carries it.
	Trusted = "trusted"
)

// Labelled flags a new tool whose name people said something about before.
const Labelled FlagKind = "labelled"

// Source says where a labelling comes from.
type Source string

const (
	ByPerson        Source = "person"
	ByConfiguration Source = "configuration"
)

// Labelling is what somebody said about the tool of a name: it follows the
// name, not the definition.
type Labelling struct {
	// Effects replace those that follow from the tool's hints and sinks; none
	// leaves these.
	Effects []string `json:"effects,omitempty"`
	// Labels are what the tool's results carry, Untrusted besides unless Trusted
	// is among them.
	Labels []string `json:"labels,omitempty"`
	// Sinks say of an argument, by its path, which kind of sink it is; the empty
	// kind says that it is none. Of arguments that are not named here, name and
	// schema decide.
	Sinks map[string]string `json:"sinks,omitempty"`

	Source  Source    `json:"source"`
	Changed time.Time `json:"changed"`
}

// empty says that nothing is said.
func (l *Labelling) empty() bool { return len(l.Effects)+len(l.Labels)+len(l.Sinks) == 0 }

func (l *Labelling) equal(o *Labelling) bool {
	return o != nil && l.Source == o.Source && slices.Equal(l.Effects, o.Effects) && slices.Equal(l.Labels, o.Labels) && maps.Equal(l.Sinks, o.Sinks)
}

// Bounds of what is said about one tool.
const (
	maxLabels = 32
	maxSinks  = 64
	maxPath   = 256
)

var labelName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Check says with aims.Invalid what is wrong with a labelling.
func (l *Labelling) Check() error {
	for _, e := range l.Effects {
		if !slices.Contains(Effects(), e) {
			return aims.Errorf(aims.Invalid, nil, "%q is no effect; expected one of %s", e, strings.Join(Effects(), ", "))
		}
	}
	for _, name := range l.Labels {
		if !labelName.MatchString(name) {
			return aims.Errorf(aims.Invalid, nil, "%q is no label; expected a lower-case letter, then at most 31 of a–z, 0–9 and -", name)
		}
	}
	if slices.Contains(l.Labels, Trusted) && slices.Contains(l.Labels, Untrusted) {
		return aims.Errorf(aims.Invalid, nil, "results cannot be labelled %s and %s", Trusted, Untrusted)
	}
	if len(l.Labels) > maxLabels || len(l.Sinks) > maxSinks {
		return aims.Errorf(aims.Invalid, nil, "more than %d labels or %d sinks of one tool", maxLabels, maxSinks)
	}
	for _, path := range slices.Sorted(maps.Keys(l.Sinks)) {
		if path == "" || len(path) > maxPath || path != printable(path) {
			return aims.Errorf(aims.Invalid, nil, "%q is no argument: expected a path of at most %d characters, such as to or lines[].account", printable(path), maxPath)
		}
		if kind := l.Sinks[path]; kind != "" && !slices.Contains(SinkKinds(), kind) {
			return aims.Errorf(aims.Invalid, nil, "%q is no kind of sink for %s; expected one of %s, or nothing when it is none", kind, path, strings.Join(SinkKinds(), ", "))
		}
	}
	return nil
}

// normal is a labelling in the form in which it is kept.
func (l Labelling) normal(source Source) *Labelling {
	l.Effects, l.Labels = sorted(l.Effects), sorted(l.Labels)
	l.Sinks, l.Source = maps.Clone(l.Sinks), source
	if len(l.Sinks) == 0 {
		l.Sinks = nil
	}
	return &l
}

func sorted(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// LabelTool says what a tool does and what its results carry; an empty
// labelling takes back what was said. l.Changed names the labelling that this
// one was made from, zero for none: when it is another by now, it fails with
// aims.Conflict, and with aims.NotFound for a tool that no server has listed.
func (i *Inventory) LabelTool(ctx context.Context, by aims.Actor, decision, server, tool string, l Labelling) error {
	if err := l.Check(); err != nil {
		return err
	}
	at := toolName{server, tool}
	return i.alter(ctx, func() error {
		old := i.labels[at]
		if err := i.mayLabel(at, &l); err != nil {
			return err
		}
		next := l.normal(ByPerson)
		if next.empty() && old == nil || next.equal(old) {
			return nil
		}
		return i.say(ctx, by, decision, at, next)
	})
}

// Said is what somebody said about the tool of a name, also of one that is not
// known; nil for nothing. It must not be changed.
func (i *Inventory) Said(server, tool string) *Labelling {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.labels[toolName{server, tool}]
}

// mayLabel says what speaks against a person's labelling of a tool.
func (i *Inventory) mayLabel(at toolName, l *Labelling) error {
	old, r := i.labels[at], i.record(at.server, at.name)
	switch {
	case r == nil && (old == nil || !l.empty()):
		return aims.Errorf(aims.NotFound, nil, "no tool %q of a server %q is known, so nothing is said about it; `aims tools list` shows those that are", printable(at.name), printable(at.server))
	case old != nil && old.Source == ByConfiguration:
		return aims.Errorf(aims.Conflict, nil, "%s of %s is labelled in the configuration of the server; change it there", at.name, at.server)
	case old == nil && !l.Changed.IsZero() || old != nil && !l.Changed.Equal(old.Changed):
		return aims.Errorf(aims.Conflict, nil, "%s of %s was labelled otherwise meanwhile; look at it again", at.name, at.server)
	case r == nil:
		return nil
	}
	known := argumentsOf(r.judged())
	for _, path := range slices.Sorted(maps.Keys(l.Sinks)) {
		if len(known) > 0 && known[path] == nil {
			return aims.Errorf(aims.Invalid, nil, "%s of %s has no argument %q; it has %s", at.name, at.server, path, someOf(known))
		}
	}
	return nil
}

// someOf names the first arguments of a tool.
func someOf(known map[string]*argument) string {
	const shown = 20
	names := slices.Sorted(maps.Keys(known))
	text := strings.Join(names[:min(len(names), shown)], ", ")
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return printable(text)
}

// say stores what is said about a tool, and nothing when it is empty.
func (i *Inventory) say(ctx context.Context, by aims.Actor, decision string, at toolName, l *Labelling) error {
	before := i.labels[at]
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if l.Changed = moment(tx); before != nil {
			l.Changed = after(before.Changed, tx)
		}
		if err := saveLabelling(ctx, tx, at, l); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "tool.labelled", at.server, at.name, toolDetail{Said: l, SaidBefore: before})
	})
	if err != nil {
		return err
	}
	if l.empty() {
		l = nil
	}
	var next *record
	if r := i.record(at.server, at.name); r != nil {
		next = new(*r)
		next.classify(l)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.labels, at); l != nil {
		i.labels[at] = l
	}
	if next != nil {
		i.place(next)
	}
	i.version++
	return nil
}

// Declare takes what the configuration says about tools, by server and tool,
// in place of what it said before, also about tools that no server has listed
// yet. About these tools the configuration alone speaks.
func (i *Inventory) Declare(ctx context.Context, said map[string]map[string]Labelling) error {
	declared := map[toolName]*Labelling{}
	for server, tools := range said {
		for tool, l := range tools {
			if err := l.Check(); err != nil {
				return err
			}
			if next := l.normal(ByConfiguration); !next.empty() {
				declared[toolName{server, tool}] = next
			}
		}
	}
	i.mu.RLock()
	for at, l := range i.labels {
		if l.Source == ByConfiguration && declared[at] == nil {
			declared[at] = &Labelling{Source: ByConfiguration} // it says nothing any more
		}
	}
	i.mu.RUnlock()
	for _, at := range slices.SortedFunc(maps.Keys(declared), toolName.compare) {
		next := declared[at]
		err := i.alter(ctx, func() error {
			if old := i.labels[at]; next.equal(old) || next.empty() && old == nil {
				return nil
			}
			return i.say(ctx, aims.System, "", at, next)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
