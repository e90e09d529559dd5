package enforcement

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"aims/internal/aims"
	"aims/internal/provenance"
	"aims/internal/session"
)

// traced is where the values of a call's arguments came from.
type traced struct {
	origins   *session.Origins
	implied   bool // the prompt asks for the tool
	arguments []argument
}

// argument is one of those that a call has, by its name.
type argument struct {
	name string
	from provenance.Origin
	// sink is the kind of a sink in it, empty for none, and leaves are the values
	// that decide where something goes.
	sink   string
	leaves []leaf
}

// leaf is a value at a sink.
type leaf struct {
	use     session.Use
	trusted session.Trusted
	user    bool
	from    provenance.Origin
}

// trace says where the arguments of a call came from.
func (e *Enforcer) trace(c Call, f *facts) error {
	origins, err := f.view.Origins(f.run)
	if err != nil {
		return err
	}
	f.traced = &traced{origins: origins}
	if f.run.Prompted() {
		f.traced.implied = origins.Implies(e.lexicon(), c.Action)
	}
	if len(c.Input) == 0 {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(c.Input, &members); err != nil {
		return aims.Errorf(aims.Invalid, err, "the arguments are no JSON object")
	}
	for name, value := range members {
		a := argument{name: name, from: origins.Of(value)}
		for path, kind := range f.tool.Sinks {
			if within, ok := below(path, name); ok {
				a.sinkAt(origins, c.Action, value, within, kind)
			}
		}
		f.traced.arguments = append(f.traced.arguments, a)
	}
	slices.SortFunc(f.traced.arguments, func(a, b argument) int { return strings.Compare(a.name, b.name) })
	return nil
}

// below gives the place of a sink within an argument as a JSON Pointer in which
// elements of arrays are "[]": lines[].account is /[]/account of lines.
func below(path, argument string) (string, bool) {
	rest, ok := strings.CutPrefix(path, argument)
	if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return "", false
	}
	rest = strings.ReplaceAll(rest, "[]", "/[]")
	return strings.ReplaceAll(rest, ".", "/"), true
}

// sinkAt notes the values at a sink.
func (a *argument) sinkAt(origins *session.Origins, action string, value json.RawMessage, within, kind string) {
	if a.sink == "" || kind < a.sink {
		a.sink = kind
	}
	origins.Each(value, func(at, text []byte, from provenance.Origin) {
		if rest, ok := strings.CutPrefix(string(at), within); !ok || rest != "" && rest[0] != '/' {
			return
		}
		a.leaves = append(a.leaves, leaf{
			use: use(action, a.name+string(at), string(text)), trusted: session.Trusted{Kind: kind, Value: provenance.Canonical(string(text))},
			user: from.User || kind == provenance.URL && from.UserHost, from: from,
		})
	})
}

// use is a value in an argument; one that cannot be compared has no value.
func use(action, argument, value string) session.Use {
	return session.Use{Action: action, Argument: argument, Value: provenance.Fingerprint(action, argument, value)}
}

// sinks are the names of a call's arguments that are sinks, by provenance.
type sinks struct {
	all, user, used, trusted, untrusted, madeUp []string
}

// judged is what is known of one argument in the end.
type judged struct {
	used, trusted bool
}

// sort puts the arguments that are sinks where they belong. A value is taken care
// of when the user named it, the purpose used it or the directory has it; what is
// left decides whether the argument is untrusted or made up.
func (f *facts) sort(c Call) (sinks, []judged) {
	var s sinks
	all := make([]judged, len(f.traced.arguments))
	for i, a := range f.traced.arguments {
		if a.sink == "" {
			all[i].trusted = slices.Contains(a.from.Exact, session.DirectoryLabel)
			continue
		}
		user, used, trusted := len(a.leaves) > 0, len(a.leaves) > 0, len(a.leaves) > 0
		untrusted, madeUp := false, false
		for _, l := range a.leaves {
			isUsed := l.use.Value != "" && f.uses.Has(l.use)
			isTrusted := slices.Contains(l.from.Exact, session.DirectoryLabel) || f.directory.Has(l.trusted)
			user, used, trusted = user && l.user, used && isUsed, trusted && isTrusted
			if !l.user && !isUsed && !isTrusted {
				untrusted = untrusted || l.from.Result || l.from.Composed
				madeUp = madeUp || l.from.MadeUp
			}
		}
		all[i] = judged{used, trusted}
		for _, set := range []struct {
			in   bool
			list *[]string
		}{{true, &s.all}, {user, &s.user}, {used, &s.used}, {trusted, &s.trusted}, {untrusted, &s.untrusted}, {madeUp, &s.madeUp}} {
			if set.in {
				*set.list = append(*set.list, a.name)
			}
		}
	}
	return s, all
}

// uses are what the purpose has used when the call succeeds: the tool, and the
// values of its sinks.
func (f *facts) usesOf(c Call) []session.Use {
	used := []session.Use{{Action: c.Action}}
	for _, a := range f.traced.arguments {
		for _, l := range a.leaves {
			used = append(used, l.use)
		}
	}
	return used
}

// provenance is where the arguments came from, as policies see it.
func (f *facts) provenance(all []judged) cedar.Record {
	seen := make(cedar.RecordMap, len(f.traced.arguments))
	for i, a := range f.traced.arguments {
		if _, declared := f.args.input.Get(cedar.String(a.name)); !declared {
			continue // it shows in context.undeclared
		}
		seen[cedar.String(a.name)] = cedar.NewRecord(cedar.RecordMap{
			"user": cedar.Boolean(a.from.User), "result": cedar.Boolean(a.from.Result || a.from.Composed), "made_up": cedar.Boolean(a.from.MadeUp),
			"trusted": cedar.Boolean(all[i].trusted), "used": cedar.Boolean(all[i].used),
			"labels": newSet(a.from.Labels), "sink": cedar.String(a.sink),
		})
	}
	return cedar.NewRecord(seen)
}

func (s sinks) record() cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"all": newSet(s.all), "user": newSet(s.user), "used": newSet(s.used),
		"trusted": newSet(s.trusted), "untrusted": newSet(s.untrusted), "made_up": newSet(s.madeUp),
	})
}

// usesIn are the uses of a call that was decided elsewhere.
func usesIn(action string, kinds map[string]string, input []byte) []session.Use {
	used := []session.Use{{Action: action}}
	var members map[string]json.RawMessage
	if json.Unmarshal(input, &members) != nil {
		return used
	}
	for name, value := range members {
		for path := range kinds {
			within, ok := below(path, name)
			if !ok {
				continue
			}
			provenance.Leaves(value, func(at, text []byte) {
				if rest, ok := strings.CutPrefix(string(at), within); ok && (rest == "" || rest[0] == '/') {
					used = append(used, use(action, name+string(at), string(text)))
				}
			})
		}
	}
	return used
}

// wordings are the lexicon of the tools of one version of the inventory.
type wordings struct {
	version uint64
	lexicon *provenance.Lexicon
}

// lexicon is that of the tools that there are now.
func (e *Enforcer) lexicon() *provenance.Lexicon {
	version := e.inventory.Version()
	if w := e.words.Load(); w != nil && w.version == version {
		return w.lexicon
	}
	var tools []provenance.ToolText
	for _, t := range e.inventory.Tools("") {
		var d struct{ Title, Description string }
		if t.Approved == "" || json.Unmarshal(t.Definition, &d) != nil {
			continue // only what was canonicalised is ever approved
		}
		tools = append(tools, provenance.ToolText{
			Action: t.Server + toolSeparator + t.Name, Name: t.Name, Title: d.Title, Description: d.Description, Effects: t.Effects,
		})
	}
	w := &wordings{version, provenance.NewLexicon(tools)}
	e.words.Store(w)
	return w.lexicon
}
