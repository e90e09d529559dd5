package inventory_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/inventory"
)

// hinted is a tool with annotations.
func hinted(name string, hints map[string]any) inventory.Tool {
	return define(name, map[string]any{"annotations": hints})
}

// label labels a tool of the desk on top of what was said before.
func (w *world) label(name string, l inventory.Labelling) {
	w.t.Helper()
	if said := w.state(name).Said; said != nil {
		l.Changed = said.Changed
	}
	w.must(w.LabelTool(w.t.Context(), person, decision, "desk", name, l))
}

func TestWhatIsAssumedOfAToolThatNobodyLabelled(t *testing.T) {
	for name, c := range map[string]struct {
		hints   map[string]any
		effects []string
	}{
		"nothing said":            {nil, []string{"delete", "send", "write"}},
		"reads":                   {map[string]any{"readOnlyHint": true}, []string{"read"}},
		"reads, and destroys":     {map[string]any{"readOnlyHint": true, "destructiveHint": true}, []string{"read"}},
		"only adds":               {map[string]any{"destructiveHint": false}, []string{"send", "write"}},
		"only adds, closed world": {map[string]any{"destructiveHint": false, "openWorldHint": false}, []string{"write"}},
		"destroys, closed world":  {map[string]any{"destructiveHint": true, "openWorldHint": false}, []string{"delete", "write"}},
		"hints of another type":   {map[string]any{"readOnlyHint": "yes"}, []string{"delete", "send", "write"}},
	} {
		w := newWorld(t, inventory.Options{})
		w.observe(define("act", map[string]any{"annotations": c.hints, "inputSchema": map[string]any{"type": "object"}}))
		if s := w.state("act"); cmp.Diff(c.effects, s.Effects) != "" || cmp.Diff([]string{"untrusted"}, s.Labels) != "" || s.Said != nil {
			t.Errorf("%s: effects %v, labels %v", name, s.Effects, s.Labels)
		}
	}
}

func TestSinksFollowFromNamesAndSchemasUnlessSomebodySaidOtherwise(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	schema := json.RawMessage(`{"type":"object","properties":{
		"recipients":{"type":"array","items":{"type":"string"}},"subject":{"type":"string"},
		"options":{"type":"object","properties":{"callback_url":{"type":"string","format":"uri"},"x":{"type":"object","properties":{"reply.to/url":{"type":"string"}}}}}}}`)
	w.observe(define("send", map[string]any{"inputSchema": schema, "annotations": map[string]any{"destructiveHint": false, "openWorldHint": false}}),
		define("fetch", map[string]any{"inputSchema": json.RawMessage(`{"properties":{"url":{"type":"string"}}}`), "annotations": map[string]any{"readOnlyHint": true}}))
	// A name that would break a path stands for the object that it is in.
	want := map[string]string{"recipients": "recipient", "options.callback_url": "url", "options.x": "url"}
	if d := cmp.Diff(want, w.state("send").Sinks); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"send", "write"}, w.state("send").Effects); d != "" {
		t.Errorf("whoever chooses a recipient sends: %s", d)
	}
	if d := cmp.Diff([]string{"read", "send"}, w.state("fetch").Effects); d != "" {
		t.Errorf("an address that is read carries data out: %s", d)
	}
	w.label("send", inventory.Labelling{Sinks: map[string]string{"recipients": "", "subject": "path"}})
	want = map[string]string{"subject": "path", "options.callback_url": "url", "options.x": "url"}
	if d := cmp.Diff(want, w.state("send").Sinks); d != "" {
		t.Error(d)
	}
	w.reopen()
	if d := cmp.Diff(want, w.state("send").Sinks); d != "" {
		t.Errorf("after a restart: %s", d)
	}
}

// A server that calls its world closed does not rid its results of their label
// by itself; a person who approves the definition that says so does.
func TestAHintLoosensOnlyWhenAPersonApprovedIt(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.observe(hinted("mail", map[string]any{"readOnlyHint": true, "openWorldHint": false}))
	pin := w.state("mail").Pin
	if s := w.state("mail"); s.Explicit || cmp.Diff([]string{"untrusted"}, s.Labels) != "" {
		t.Errorf("trusted on first use: %+v", s)
	}
	w.must(w.Approve(t.Context(), person, "", "desk", "mail", pin))
	for range 2 {
		if s := w.state("mail"); !s.Explicit || len(s.Labels) != 0 {
			t.Errorf("approved: %+v", s)
		}
		w.reopen()
	}
	w.observe(hinted("mail", map[string]any{"readOnlyHint": true, "openWorldHint": false, "title": "Mail"}))
	w.must(w.Approve(t.Context(), aims.System, "", "desk", "mail", w.state("mail").Pin))
	if s := w.state("mail"); s.Explicit || cmp.Diff([]string{"untrusted"}, s.Labels) != "" {
		t.Errorf("approved by no person: %+v", s)
	}
}

func TestLabelsOutliveARestartRelistingAndAnotherDefinition(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.observe(tool("pay", "pays"), tool("read", "reads"))
	before := w.Version()
	w.label("pay", inventory.Labelling{Effects: []string{"pay", "pay"}, Labels: []string{"trusted", "ledger"}, Sinks: map[string]string{"to": "account"}})
	if w.Version() == before {
		t.Error("a label does not show in the version")
	}
	check := func(when string) {
		t.Helper()
		s := w.state("pay")
		if cmp.Diff([]string{"pay"}, s.Effects) != "" || cmp.Diff([]string{"ledger"}, s.Labels) != "" || s.Sinks["to"] != "account" {
			t.Errorf("%s: effects %v, labels %v, sinks %v", when, s.Effects, s.Labels, s.Sinks)
		}
	}
	check("at once")
	w.reopen()
	check("after a restart")
	w.observe(tool("read", "reads"))
	check("when its server does not list it")
	w.observe(tool("read", "reads"), tool("pay", "pays"))
	check("listed again")
	w.observe(tool("pay", "pays; and more"), tool("read", "reads"))
	check("with another definition")
	w.must(w.Approve(t.Context(), person, "", "desk", "pay", w.state("pay").Pin))
	check("with another definition that was approved")
	events := w.events()
	if detail := string(events[len(events)-1].Detail); !strings.Contains(detail, `"said":{"effects":["pay"]`) {
		t.Errorf("the receipt of the approval does not say what the approver confirmed: %s", detail)
	}
	w.label("pay", inventory.Labelling{Labels: []string{"confidential"}})
	if s := w.state("pay"); cmp.Diff([]string{"confidential", "untrusted"}, s.Labels) != "" || cmp.Diff([]string{"delete", "send", "write"}, s.Effects) != "" {
		t.Errorf("labelled anew: %+v", s)
	}
	w.label("pay", inventory.Labelling{})
	if s := w.state("pay"); s.Said != nil || cmp.Diff([]string{"untrusted"}, s.Labels) != "" {
		t.Errorf("with nothing said any more: %+v", s)
	}
}

// A server that stops listing a tool, waits until it is forgotten and lists it
// again gets neither rid of its labels nor past a person.
func TestForgettingTakesNoLabelAway(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	w.observe(tool("inbox", "reads mail"))
	w.label("inbox", inventory.Labelling{Labels: []string{"confidential"}})
	w.observe()
	w.must(w.Forget(ctx, person, "", "desk", "inbox"))
	w.reopen()
	if d := cmp.Diff([]string{"added inbox quarantined"}, w.observe(tool("inbox", "reads mail"))); d != "" {
		t.Error(d)
	}
	s := w.state("inbox")
	if s.Callable() || cmp.Diff([]string{"confidential", "untrusted"}, s.Labels) != "" || len(s.Flags) != 1 || s.Flags[0].Kind != inventory.Labelled {
		t.Errorf("the tool that came back: %+v", s)
	}
	w.must(w.Approve(ctx, person, "", "desk", "inbox", s.Pin))
	if s := w.state("inbox"); !s.Callable() || cmp.Diff([]string{"confidential", "untrusted"}, s.Labels) != "" {
		t.Errorf("approved: %+v", s)
	}
	// What was said of a name that does not come back can be taken back, and nothing else be said of it.
	w.observe()
	w.must(w.Forget(ctx, person, "", "desk", "inbox"))
	said := s.Said.Changed
	if err := w.LabelTool(ctx, person, "", "desk", "inbox", inventory.Labelling{Labels: []string{"x"}, Changed: said}); code(err) != aims.NotFound {
		t.Errorf("labelling a forgotten tool: %v", err)
	}
	w.must(w.LabelTool(ctx, person, "", "desk", "inbox", inventory.Labelling{Changed: said}))
	if d := cmp.Diff([]string{"pinned inbox"}, w.observe(tool("inbox", "reads mail"))); d != "" {
		t.Error(d)
	}
}

func TestLabelsThatAreRefused(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	w.observe(tool("pay", "pays"))
	size := w.ledger.Size()
	for name, c := range map[string]struct {
		server, tool string
		said         inventory.Labelling
		code         aims.Code
		say          string
	}{
		"unknown tool":   {"desk", "pray", inventory.Labelling{Labels: []string{"x"}}, aims.NotFound, "pray"},
		"unknown server": {"dusk", "pay", inventory.Labelling{Labels: []string{"x"}}, aims.NotFound, "dusk"},
		"effect":         {"desk", "pay", inventory.Labelling{Effects: []string{"destroy"}}, aims.Invalid, "credential, delete"},
		"label":          {"desk", "pay", inventory.Labelling{Labels: []string{"Top Secret"}}, aims.Invalid, "Top Secret"},
		"contradiction":  {"desk", "pay", inventory.Labelling{Labels: []string{"trusted", "untrusted"}}, aims.Invalid, "trusted and untrusted"},
		"sink":           {"desk", "pay", inventory.Labelling{Sinks: map[string]string{"to": "bank"}}, aims.Invalid, "bank"},
		"argument":       {"desk", "pay", inventory.Labelling{Sinks: map[string]string{"too": "account"}}, aims.Invalid, "it has to"},
		"hidden path":    {"desk", "pay", inventory.Labelling{Sinks: map[string]string{"t\u200bo": "account"}}, aims.Invalid, "argument"},
	} {
		if err := w.LabelTool(ctx, person, "", c.server, c.tool, c.said); code(err) != c.code || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %s that says %q", name, err, c.code, c.say)
		}
	}
	w.must(w.LabelTool(ctx, person, "", "desk", "pay", inventory.Labelling{Effects: []string{"pay"}}))
	if err := w.LabelTool(ctx, person, "", "desk", "pay", inventory.Labelling{Effects: []string{"read"}}); code(err) != aims.Conflict {
		t.Errorf("labelling what somebody else labelled meanwhile: %v", err)
	}
	if w.ledger.Size() != size+1 {
		t.Error("something refused left a receipt")
	}
}

func TestTheConfigurationSpeaksForTheToolsThatItNames(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	said := func(tool string, labels ...string) map[string]map[string]inventory.Labelling {
		return map[string]map[string]inventory.Labelling{"desk": {tool: {Labels: labels}}}
	}
	w.must(w.Declare(ctx, said("pay", "ledger"))) // before any server has listed it
	if d := cmp.Diff([]string{"pinned pay"}, w.observe(tool("pay", "pays"))); d != "" {
		t.Error(d)
	}
	size := w.ledger.Size()
	w.reopen()
	w.must(w.Declare(ctx, said("pay", "ledger")))
	if s := w.state("pay"); cmp.Diff([]string{"ledger", "untrusted"}, s.Labels) != "" || s.Said.Source != inventory.ByConfiguration || w.ledger.Size() != size {
		t.Errorf("declared twice: %+v, %d receipts more", s, w.ledger.Size()-size)
	}
	if err := w.LabelTool(ctx, person, "", "desk", "pay", inventory.Labelling{Labels: []string{"x"}, Changed: w.state("pay").Said.Changed}); code(err) != aims.Conflict {
		t.Errorf("a person contradicts the configuration: %v", err)
	}
	w.must(w.Declare(ctx, nil))
	if s := w.state("pay"); s.Said != nil {
		t.Errorf("not declared any more: %+v", s)
	}
	w.label("pay", inventory.Labelling{Labels: []string{"mine"}})
	w.must(w.Declare(ctx, nil))
	if s := w.state("pay"); cmp.Diff([]string{"mine", "untrusted"}, s.Labels) != "" {
		t.Errorf("a person's label, and a configuration that says nothing: %+v", s)
	}
	w.must(w.Declare(ctx, said("pay", "ledger")))
	if s := w.state("pay"); cmp.Diff([]string{"ledger", "untrusted"}, s.Labels) != "" {
		t.Errorf("a person's label, and a configuration that says otherwise: %+v", s)
	}
	if err := w.Declare(ctx, said("pay", "No Label")); code(err) != aims.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestSinksOfNestedArguments(t *testing.T) {
	schema := `{"type":"object","$defs":{"party":{"type":"object","properties":{"iban":{"type":"string"}}}},
		"properties":{"order":{"type":"object","properties":{"lines":{"type":"array","items":{"type":"object","properties":{"where":{"type":"string"}}}}}},
		"from":{"$ref":"#/$defs/party"},"either":{"anyOf":[{"type":"null"},{"properties":{"a~b/c":{"$ref":"#/$defs/nothing"}}}]}}}`
	w := newWorld(t, inventory.Options{})
	w.observe(define("order", map[string]any{"inputSchema": json.RawMessage(schema)}))
	want := map[string]string{"order.lines[].where": "path", "from.iban": "account", "either.a~b/c": "url"}
	w.label("order", inventory.Labelling{Sinks: want})
	delete(want, "either.a~b/c")
	want["either"] = "url" // a name that would break the path
	for path, kind := range want {
		if got := w.state("order").Sinks[path]; got != kind {
			t.Errorf("%s is %q, want %q", path, got, kind)
		}
	}
	if err := w.LabelTool(t.Context(), person, "", "desk", "order", inventory.Labelling{Sinks: map[string]string{"lines": "path"}, Changed: w.state("order").Said.Changed}); code(err) != aims.Invalid {
		t.Errorf("a path that is not whole: %v", err)
	}
}

// Labelling and listing at once lose neither a label nor a quarantine.
func TestLabellingWhileAServerLists(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := context.Background()
	w.observe(tool("pay", "pays"))
	var both sync.WaitGroup
	both.Go(func() {
		for n := range 20 {
			if _, err := w.Observe(ctx, "desk", []inventory.Tool{tool("pay", []string{"pays", "evil", "worse"}[n%3])}); err != nil {
				t.Error(err)
			}
		}
	})
	both.Go(func() {
		for n := range 20 {
			l := inventory.Labelling{Labels: []string{[]string{"one", "two"}[n%2]}}
			if s, _ := w.Tool("desk", "pay"); s.Said != nil {
				l.Changed = s.Said.Changed
			}
			if err := w.LabelTool(ctx, person, "", "desk", "pay", l); err != nil {
				t.Error(err)
			}
		}
	})
	both.Go(func() {
		for range 200 {
			if s, _ := w.Tool("desk", "pay"); len(s.Labels) == 0 {
				t.Error("a moment without a label")
			}
		}
	})
	both.Wait()
	for range 2 {
		if s := w.state("pay"); !s.Quarantined || cmp.Diff([]string{"two", "untrusted"}, s.Labels) != "" {
			t.Errorf("at the end: %+v", s)
		}
		w.reopen()
	}
}
