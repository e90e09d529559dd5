package enforcement

import (
	"slices"
	"strings"

	"aims/internal/provenance"
	"aims/internal/session"

	"github.com/cedar-policy/cedar-go"
)

// class is the strongest of what speaks for a value; smaller is stronger.
type class uint8

const (
	byUser      class = iota // the user said it
	byTrust                  // in the trusted directory, or in a result that vouches
	byUse                    // several runs of the purpose used it
	byKnowledge              // several other purposes used it
	byHost                   // a URL whose host the user named, or earlier work used
	byName                   // the mailbox of somebody whom the user named, at a domain of the house
	byNobody                 // an earlier result has it, and nothing else speaks for it
	byInvention              // nobody knows where it is from
	classes
)

// classNames are the classes as policies name them.
func classNames() [classes]string {
	return [classes]string{"user", "trusted", "used", "known", "host", "named", "untrusted", "made_up"}
}

// argument is what is known of one argument of a call: of several values, the worst.
type argument struct {
	name          string
	class         class
	sink          string // kind of its worst sink; empty for none
	sinkClass     class
	user, trusted bool // all of its values are
	used          bool
	result        bool // one of its values is
	madeUp        bool
	labels        []string
}

// vouch finds what speaks for the arguments of a call.
func (e *Enforcer) vouch(f *facts) error {
	f.arguments = nil
	for i := range f.traced.leaves {
		l := &f.traced.leaves[i]
		by, err := e.speaksFor(f, l)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(f.arguments, func(a argument) bool { return a.name == l.argument })
		if at < 0 {
			at = len(f.arguments)
			f.arguments = append(f.arguments, argument{name: l.argument, user: true, trusted: true, used: true})
		}
		f.arguments[at].add(l, by)
	}
	for i := range f.arguments {
		slices.Sort(f.arguments[i].labels)
	}
	return nil
}

func (a *argument) add(l *leaf, by class) {
	a.class = max(a.class, by)
	if l.kind != "" && (a.sink == "" || by > a.sinkClass) {
		a.sink, a.sinkClass = l.kind, by
	}
	a.user = a.user && l.from.User
	a.trusted = a.trusted && by == byTrust
	a.used = a.used && by == byUse
	a.result = a.result || l.from.Result || l.from.Composed
	a.madeUp = a.madeUp || l.from.MadeUp
	for _, label := range l.from.Labels {
		if !slices.Contains(a.labels, label) {
			a.labels = append(a.labels, label)
		}
	}
}

// speaksFor is the strongest of what speaks for a value.
func (e *Enforcer) speaksFor(f *facts, l *leaf) (class, error) {
	switch {
	case l.from.User:
		return byUser, nil
	case len(l.from.Exact) > 0, l.kind != "" && f.directory.Has(l.trusted):
		return byTrust, nil
	case l.kind != "":
		if by, err := e.history(f, l); err != nil || by != classes {
			return by, err
		}
	}
	if l.from.Result || l.from.Composed {
		return byNobody, nil
	}
	return byInvention, nil
}

// history is what earlier work says for a value; classes when it says nothing.
func (e *Enforcer) history(f *facts, l *leaf) (class, error) {
	if l.use.Value == "" {
		return classes, nil
	}
	if f.uses.Runs(l.use) >= e.o.UsedAfter {
		return byUse, nil
	}
	others, err := f.view.Others(l.use, f.run.Purpose)
	switch {
	case err != nil:
		return classes, err
	case others >= e.o.KnownAfter:
		return byKnowledge, nil
	case l.host:
		return byHost, nil
	case l.place.Value == "":
		return classes, nil
	case l.kind == provenance.URL:
		// Where any work that ended well has been.
		return e.knows(f, l.place, 1, 1, byHost)
	case l.name && f.directory.Has(session.Trusted{Kind: l.kind, Value: "@" + l.place.Value}):
		return byName, nil
	case l.name:
		return e.knows(f, l.place, e.o.UsedAfter, e.o.KnownAfter, byName)
	}
	return classes, nil
}

// knows is the class when enough runs of the purpose, or enough other purposes,
// used something.
func (e *Enforcer) knows(f *facts, of session.Use, runs, purposes int, by class) (class, error) {
	if f.uses.Runs(of) >= runs {
		return by, nil
	}
	others, err := f.view.Others(of, f.run.Purpose)
	if err == nil && others >= purposes {
		return by, nil
	}
	return classes, err
}

// argumentFacts are what the record of an argument's provenance is made of.
type argumentFacts struct {
	class, sink                         string
	user, result, trusted, used, madeUp bool
	labels                              string // apart by a space, which no label has
}

// sinkFacts are, for each class, the kinds of sinks that it has, as bits; and those of all.
type sinkFacts struct {
	of  [classes]uint8
	all uint8
}

// provenance is context.provenance: of the arguments that the schema declares.
func (r *records) provenance(f *facts) cedar.Record {
	of := make(cedar.RecordMap, len(f.arguments))
	for i := range f.arguments {
		a := &f.arguments[i]
		if _, declared := f.args.input.Get(cedar.String(a.name)); declared { // else it shows in context.undeclared
			of[cedar.String(a.name)] = r.argument(a)
		}
	}
	return cedar.NewRecord(of)
}

func (r *records) argument(a *argument) cedar.Record {
	key := argumentFacts{
		class: classNames()[a.class], sink: a.sink, user: a.user, result: a.result, trusted: a.trusted, used: a.used, madeUp: a.madeUp,
		labels: strings.Join(a.labels, " "),
	}
	return r.arguments.get(key, func() cedar.Record {
		return cedar.NewRecord(cedar.RecordMap{
			"class": cedar.String(key.class), "user": cedar.Boolean(key.user), "result": cedar.Boolean(key.result),
			"trusted": cedar.Boolean(key.trusted), "used": cedar.Boolean(key.used), "made_up": cedar.Boolean(key.madeUp),
			"labels": newSet(a.labels), "sink": cedar.String(key.sink),
		})
	})
}

// sinkSets is context.sinks: the kinds of the arguments that are sinks, by class.
func (r *records) sinkSets(arguments []argument) cedar.Record {
	var key sinkFacts
	for i := range arguments {
		if a := &arguments[i]; a.sink != "" {
			bit := uint8(1) << slices.Index(session.SinkKinds(), a.sink)
			key.of[a.sinkClass] |= bit
			key.all |= bit
		}
	}
	return r.sinks.get(key, func() cedar.Record {
		of := cedar.RecordMap{"all": kindSet(key.all)}
		for c, name := range classNames() {
			of[cedar.String(name)] = kindSet(key.of[c])
		}
		return cedar.NewRecord(of)
	})
}

func kindSet(bits uint8) cedar.Set {
	var kinds []string
	for i, kind := range session.SinkKinds() {
		if bits&(1<<i) != 0 {
			kinds = append(kinds, kind)
		}
	}
	return newSet(kinds)
}
