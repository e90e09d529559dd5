package enforcement

import (
	"encoding/json"
	"slices"
	"strings"

	"aims/internal/provenance"
	"aims/internal/session"
)

// Origins say where the values of a call's arguments came from. Those of live
// runs are of what the run was told and has read; a recorded run brings what was
// found out when all of it could still be read.
type Origins interface {
	// Each shows the leaves of the arguments, as provenance.Index.Each does.
	Each(arguments json.RawMessage, visit func(path, text []byte, from provenance.Origin))
	// Implies and Names are what the user asked for and whom the user named.
	Implies(l *provenance.Lexicon, action string) bool
	Names(l *provenance.Lexicon) map[string]bool
}

// traced is where the values of a call's arguments came from.
type traced struct {
	// live is nil for a recorded run, of which nothing can move.
	live    *session.Origins
	implied bool // the prompt asks for the tool
	leaves  []leaf
}

// leaf is a value in an argument.
type leaf struct {
	argument string
	from     provenance.Origin
	// kind is that of a sink, empty for none, and use, place and trusted are how the value
	// is remembered there: itself, the host or mail domain that it leads to, and
	// in the trusted directory.
	kind       string
	use, place session.Use
	trusted    session.Trusted
	// host says that the user named the host, name that the user named somebody who
	// may have this mailbox.
	host, name bool
}

// trace says where the arguments of a call came from.
func (e *Enforcer) trace(c Call, f *facts) error {
	f.traced = &traced{}
	var origins Origins
	if e.o.Recorded != nil {
		origins = e.o.Recorded(c)
	} else {
		live, err := f.view.Origins(f.run)
		if err != nil {
			return err
		}
		f.traced.live, origins = live, live
	}
	var names map[string]bool
	if f.run.Prompted() {
		l := e.lexicon()
		f.traced.implied, names = origins.Implies(l, c.Action), origins.Names(l)
	}
	if len(c.Input) == 0 {
		return nil
	}
	origins.Each(c.Input, func(path, text []byte, from provenance.Origin) {
		argument, place := placeOf(path)
		l := leaf{argument: argument, from: from, kind: kindAt(f.tool.Sinks, place)}
		if l.kind != "" {
			l.remembered(string(text))
			l.host = from.UserHost && l.kind == provenance.URL
			l.name = l.kind == provenance.Recipient && provenance.Named(names, string(text))
		} else if !from.User && !from.Result && !from.Composed && !from.MadeUp {
			return // too short to be from anywhere
		}
		f.traced.leaves = append(f.traced.leaves, l)
	})
	return nil
}

// remembered is how the value of a sink is remembered. One that cannot be
// compared is not.
func (l *leaf) remembered(text string) {
	l.use = session.Use{Kind: l.kind, Value: provenance.Fingerprint("", l.kind, text)}
	l.trusted = session.Trusted{Kind: l.kind, Value: provenance.Canonical(text)}
	switch l.kind {
	case provenance.URL:
		l.place = session.Use{Kind: session.HostUse, Value: provenance.Host(text)}
	case provenance.Recipient:
		l.place = session.Use{Kind: session.DomainUse, Value: provenance.MailDomain(text)}
	}
}

// placeOf turns the path of a leaf, a JSON Pointer with "[]" for elements of
// arrays, into the argument's name and its place as the tool register writes it:
// lines[].account.
func placeOf(path []byte) (argument, place string) {
	var b strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(string(path), "/"), "/") {
		if token == "[]" && b.Len() > 0 {
			b.WriteString("[]")
			continue
		}
		if strings.Contains(token, "~") {
			token = strings.NewReplacer("~2", "[", "~1", "/", "~0", "~").Replace(token)
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		} else {
			argument = token
		}
		b.WriteString(token)
	}
	return argument, b.String()
}

// kindAt is the kind of sink at a place, or of what the place is a part of.
func kindAt(sinks map[string]string, place string) string {
	for len(sinks) > 0 && place != "" {
		if kind, ok := sinks[place]; ok {
			return kind
		}
		place = place[:max(strings.LastIndexByte(place, '.'), strings.LastIndex(place, "[]"), 0)]
	}
	return ""
}

// uses are what the purpose has used when the call succeeds: the tool, the
// values of its sinks, and where these lead to.
func (t *traced) uses(action string) []session.Use {
	used := []session.Use{{Kind: session.ToolUse, Value: action}}
	for i := range t.leaves {
		for _, u := range []session.Use{t.leaves[i].use, t.leaves[i].place} {
			if u.Value != "" && !slices.Contains(used, u) {
				used = append(used, u)
			}
		}
	}
	return used
}

// UsesOf are the uses of a call of a tool with these sinks, wherever it was decided.
func UsesOf(action string, sinks map[string]string, input []byte) []session.Use {
	var t traced
	if len(sinks) > 0 {
		provenance.Leaves(input, func(path, text []byte) {
			_, place := placeOf(path)
			if l := (leaf{kind: kindAt(sinks, place)}); l.kind != "" {
				l.remembered(string(text))
				t.leaves = append(t.leaves, l)
			}
		})
	}
	return t.uses(action)
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

// completes says whether a tool completes a call that was decided before.
func (e *Enforcer) completes(definition json.RawMessage, pin string) bool {
	return e.records.confirms.get(pin, func() bool {
		var d struct{ InputSchema json.RawMessage }
		// Only what was canonicalised is ever approved.
		return json.Unmarshal(definition, &d) == nil && provenance.Confirms(d.InputSchema)
	})
}
