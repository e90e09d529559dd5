package review

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
	"aims/pdp"

	"github.com/cedar-policy/cedar-go"
)

// request is a test's request as the policies see it: with what the test
// leaves out, and with its input typed as the schema says.
func (t *tester) request(r bundle.Request) (cedar.Request, cedar.EntityMap, error) {
	if !t.set.Has(r.Action) {
		return cedar.Request{}, nil, fmt.Errorf("there is no action %q", r.Action)
	}
	principal, entities := caller(r)
	req := cedar.Request{Principal: principal, Action: cedar.NewEntityUID("Action", cedar.String(r.Action))}
	context := cedar.RecordMap{"session": session(r.Session)}
	server, _, isTool := strings.Cut(r.Action, "___")
	switch {
	case isTool:
		if err := t.toolContext(context, r); err != nil {
			return req, nil, err
		}
		req.Resource = cedar.NewEntityUID("McpServer", cedar.String(server))
	case slices.Contains(pdp.Verbs(), r.Action):
		context["matter"] = matter(r.Matter)
		if r.Action == pdp.DeployVerb {
			gate, err := gate(r.Gate)
			if err != nil {
				return req, nil, err
			}
			context["gate"] = gate
		}
		req.Resource = cedar.NewEntityUID("System", cedar.String(aims.System.ID))
	default:
		req.Resource = cedar.NewEntityUID("McpServer", cedar.String(or(r.Server, "*")))
	}
	on := cedar.Entity{UID: req.Resource}
	if req.Resource.Type == "McpServer" {
		on.Attributes = cedar.NewRecord(cedar.RecordMap{"stopped": cedar.Boolean(r.Stopped)})
	}
	entities[on.UID] = on
	req.Context = cedar.NewRecord(context)
	req, err := t.set.Complete(req, r.Input)
	if err == nil && !t.set.Fits(req) {
		// All else was made to fit.
		err = fmt.Errorf("under provenance stands an argument that %s does not declare", r.Action)
	}
	return req, entities, err
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// caller is who asks, in its roles. An agent of which the test does not say
// the stage is deployed.
func caller(r bundle.Request) (cedar.EntityUID, cedar.EntityMap) {
	uid := cedar.NewEntityUID("Person", cedar.String(r.Person))
	var attributes cedar.Record
	if r.Agent != "" {
		uid = cedar.NewEntityUID("Agent", cedar.String(r.Agent))
		stage := "deployed"
		if r.Stage != nil {
			stage = *r.Stage
		}
		attributes = cedar.NewRecord(cedar.RecordMap{
			"stage": cedar.String(stage), "suspended": cedar.Boolean(r.Suspended), "operator": cedar.String(r.Operator),
		})
	}
	var roles []cedar.EntityUID
	for _, name := range r.Roles {
		roles = append(roles, cedar.NewEntityUID("Role", cedar.String(name)))
	}
	return uid, cedar.EntityMap{uid: {UID: uid, Parents: cedar.NewEntityUIDSet(roles...), Attributes: attributes}}
}

func texts(list []string) cedar.Set {
	values := make([]cedar.Value, len(list))
	for i, s := range list {
		values[i] = cedar.String(s)
	}
	return cedar.NewSet(values...)
}

func session(s bundle.Session) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"id": cedar.String(s.ID), "channel": cedar.String(s.Channel), "protocol": cedar.String(s.Protocol),
		"purpose": cedar.String(s.Purpose), "on_behalf_of": cedar.String(s.OnBehalfOf),
		"depth": cedar.Long(s.Depth), "prompted": cedar.Boolean(s.Prompted),
		"labels": texts(s.Labels), "tools": texts(s.Tools), "calls": cedar.Long(s.Calls), "refusals": cedar.Long(s.Refusals),
		"established": cedar.Boolean(s.Established),
	})
}

func matter(m bundle.Matter) cedar.Record {
	entities := func(kind cedar.EntityType, ids []string) cedar.Set {
		values := make([]cedar.Value, len(ids))
		for i, id := range ids {
			values[i] = cedar.NewEntityUID(kind, cedar.String(id))
		}
		return cedar.NewSet(values...)
	}
	return cedar.NewRecord(cedar.RecordMap{
		"authors": entities("Person", m.Authors), "roles": entities("Role", m.Roles), "kind": cedar.String(m.Kind), "mark": cedar.String(m.Mark),
	})
}

// gate is the preconditions of a deployment, all but those that fail.
func gate(g bundle.Gate) (cedar.Record, error) {
	known := pdp.Preconditions()
	for _, name := range g.Fails {
		if !slices.Contains(known, name) {
			return cedar.Record{}, fmt.Errorf("gate.fails: there is no precondition %q; expected some of %s", name, strings.Join(known, ", "))
		}
	}
	facts := cedar.RecordMap{}
	for _, name := range known {
		facts[cedar.String(name)] = cedar.Boolean(!slices.Contains(g.Fails, name))
	}
	return cedar.NewRecord(facts), nil
}

// toolContext adds what is known of a call of a tool.
func (t *tester) toolContext(context cedar.RecordMap, r bundle.Request) error {
	tool := t.tools[r.Action]
	hint := func(given *bool, described bool) cedar.Boolean {
		if given != nil {
			described = *given
		}
		return cedar.Boolean(described)
	}
	context["tool"] = cedar.NewRecord(cedar.RecordMap{
		"pin": cedar.String(r.Tool.Pin), "quarantined": cedar.Boolean(r.Tool.Quarantined),
		"read_only":   hint(r.Tool.ReadOnly, tool.ReadOnly),
		"destructive": hint(r.Tool.Destructive, tool.Destructive),
		"effects":     texts(r.Tool.Effects), "labels": texts(r.Tool.Labels),
		"new": cedar.Boolean(r.Tool.New), "used": cedar.Boolean(r.Tool.Used), "implied": cedar.Boolean(r.Tool.Implied),
		"confirms": cedar.Boolean(r.Tool.Confirms),
	})
	context["provenance"] = provenance(r.Provenance)
	context["sinks"] = sinks(r)
	if r.Approval != nil {
		context["approval"] = cedar.NewRecord(cedar.RecordMap{"id": cedar.String(r.Approval.ID), "roles": texts(r.Approval.Roles)})
	}
	var err error
	context["budget"], err = t.spending(r)
	return err
}

func provenance(of map[string]bundle.Provenance) cedar.Record {
	m := cedar.RecordMap{}
	for name, p := range of {
		m[cedar.String(name)] = cedar.NewRecord(cedar.RecordMap{
			"class": cedar.String(class(p)), "user": cedar.Boolean(p.User), "result": cedar.Boolean(p.Result), "trusted": cedar.Boolean(p.Trusted),
			"used": cedar.Boolean(p.Used), "made_up": cedar.Boolean(p.MadeUp), "labels": texts(p.Labels), "sink": cedar.String(p.Sink),
		})
	}
	return cedar.NewRecord(m)
}

// sinks are those of the test, or what follows from its provenance.
func sinks(r bundle.Request) cedar.Record {
	var s bundle.Sinks
	if r.Sinks != nil {
		s = *r.Sinks
	} else {
		for _, name := range slices.Sorted(maps.Keys(r.Provenance)) {
			s = withSink(s, r.Provenance[name])
		}
	}
	return cedar.NewRecord(cedar.RecordMap{
		"all": texts(s.All), "user": texts(s.User), "trusted": texts(s.Trusted), "used": texts(s.Used),
		"known": texts(s.Known), "host": texts(s.Host), "named": texts(s.Named), "untrusted": texts(s.Untrusted), "made_up": texts(s.MadeUp),
	})
}

func withSink(s bundle.Sinks, p bundle.Provenance) bundle.Sinks {
	if p.Sink == "" {
		return s
	}
	s.All = append(s.All, p.Sink)
	list := map[string]*[]string{
		"user": &s.User, "trusted": &s.Trusted, "used": &s.Used, "known": &s.Known,
		"host": &s.Host, "named": &s.Named, "untrusted": &s.Untrusted, "made_up": &s.MadeUp,
	}[class(p)]
	if list != nil {
		*list = append(*list, p.Sink)
	}
	return s
}

// class is the class of an argument where the test does not say it.
func class(p bundle.Provenance) string {
	switch {
	case p.Class != "":
		return p.Class
	case p.User:
		return "user"
	case p.Trusted:
		return "trusted"
	case p.Used:
		return "used"
	case p.Result:
		return "untrusted"
	case p.MadeUp:
		return "made_up"
	}
	return ""
}

// spending gives every budget that counts the action, spent to nothing where
// the test does not say.
func (t *tester) spending(r bundle.Request) (cedar.Record, error) {
	m := cedar.RecordMap{}
	for _, b := range t.budgets {
		if !b.Counts(r.Action) {
			if _, given := r.Budget[b.Name]; given {
				return cedar.Record{}, fmt.Errorf("the budget %s does not count %s", b.Name, r.Action)
			}
			continue
		}
		s := r.Budget[b.Name]
		spent, err1 := bundle.Amount(s.Spent)
		after, err2 := bundle.Amount(or(s.After, s.Spent))
		if err := errors.Join(err1, err2); err != nil {
			return cedar.Record{}, err
		}
		m[cedar.String(b.Name)] = cedar.NewRecord(cedar.RecordMap{"spent": spent, "after": after})
	}
	for name := range r.Budget {
		if _, known := m[cedar.String(name)]; !known {
			return cedar.Record{}, fmt.Errorf("there is no budget %q", name)
		}
	}
	return cedar.NewRecord(m), nil
}
