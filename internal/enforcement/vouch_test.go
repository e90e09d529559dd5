package enforcement_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/provenance"
	"aims/internal/session"
)

// newHistoryWorld is a sink world with a tool that opens pages, and an agent
// with several purposes.
func newHistoryWorld(t testing.TB) (*world, identity.Principal) {
	t.Helper()
	w := newSinkWorld(t, nil)
	tools := []inventory.Tool{pay}
	for _, state := range w.inventory.Tools("desk") {
		if state.Name != "pay" {
			tools = append(tools, inventory.Tool{Name: state.Name, Definition: state.Definition})
		}
	}
	tools = append(tools, inventory.Tool{Name: "open", Definition: json.RawMessage(
		`{"name":"open","description":"it","inputSchema":{"type":"object","properties":{"url":{"type":"string"}}}}`)})
	if _, err := w.ObserveTools(t.Context(), "desk", tools); err != nil {
		t.Fatal(err)
	}
	many := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "many"}}
	w.register("many", "p1", "p2", "p3", "p4")
	return w, many
}

// run begins a run of a purpose that has read something anybody may have written.
func (w *world) run(p identity.Principal, session, purpose, prompt, read string) {
	w.t.Helper()
	if _, err := w.declare(enforcement.Declaration{Principal: p, Session: session, Purpose: purpose, Prompt: prompt}); err != nil {
		w.t.Fatal(err)
	}
	w.does(call(p, session, "fetch", `{}`), text(read))
}

func sendBy(p identity.Principal, session, to string) enforcement.Call {
	c := send(session, to)
	c.Principal = p
	return c
}

func TestWhatOtherPurposesUseIsKnownFromTheSecondOn(t *testing.T) {
	w, many := newHistoryWorld(t)
	for i, want := range []string{"untrusted", "untrusted", "known"} {
		s := fmt.Sprint("new ", i)
		w.run(many, s, "p4", "Read it.", "write to carol@example.org")
		r, err := w.Decide(t.Context(), sendBy(many, s, "carol@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.in(r); got != want {
			t.Errorf("after %d other purposes: %s, want %s", i, got, want)
		}
		w.decidesAgain(r)
		if i == 2 {
			break
		}
		// However often one purpose uses it.
		for n := range 3 {
			s := fmt.Sprintf("asked %d %d", i, n)
			w.run(many, s, fmt.Sprint("p", i+1), "Write to carol@example.org.", "nothing")
			w.does(sendBy(many, s, "carol@example.org"), text("sent"))
		}
	}
	w.restart()
	if r := w.is(authz.Allow, sendBy(many, "new 2", "carol@example.org")); w.in(r) != "known" {
		t.Errorf("after a restart: %s", w.in(r))
	}
}

func TestTheHostOfAURLSpeaksForIt(t *testing.T) {
	w, many := newHistoryWorld(t)
	open := func(s, url string) enforcement.Call {
		b, _ := json.Marshal(map[string]string{"url": url})
		return call(many, s, "open", string(b))
	}
	w.run(many, "a", "p1", "Look at https://shop.example/list, please.", "see https://shop.example/other and https://evil.example/?q=1 and https://shop.example.evil.example/")
	class := func(c enforcement.Call) string {
		r, err := w.Decide(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return w.facts(r).Context.Provenance["url"].Class
	}
	for url, want := range map[string]string{
		"https://shop.example/list": "user", "https://shop.example/other": "host", "https://evil.example/?q=1": "untrusted",
		"https://shop.example.evil.example/": "untrusted", "https://shop.example@evil.example/": "untrusted", "https://new.example/": "made_up",
	} {
		if got := class(open("a", url)); got != want {
			t.Errorf("%s is %s, want %s", url, got, want)
		}
	}
	// Where work has been that ended well, later work may go.
	w.does(open("a", "https://shop.example/list"), text("a list"))
	w.run(many, "b", "p2", "Read it.", "see https://shop.example/sale")
	if got := class(open("b", "https://shop.example/sale")); got != "host" {
		t.Errorf("the host is known: %s", got)
	}
}

// A name that the user said speaks for an address only at a domain that the
// house writes to, and never where everybody can have a mailbox.
func TestAMailboxOfSomebodyWhomTheUserNamed(t *testing.T) {
	w, many := newHistoryWorld(t)
	for i := range 2 {
		s := fmt.Sprint("before ", i)
		w.run(many, s, fmt.Sprint("p", i+1), "Write to frank@house.example and frank@gmail.com.", "nothing")
		w.does(sendBy(many, s, "frank@house.example"), text("sent"))
		w.does(sendBy(many, s, "frank@gmail.com"), text("sent"))
	}
	w.run(many, "s", "p4", "Tell Carol about it.",
		"carol.white@house.example carol@gmail.com carol@evil.example dave@house.example carol@house.example.evil.example ｃarol@house.example.")
	for to, want := range map[string]string{
		"carol.white@house.example": "named", "carol@gmail.com": "untrusted", "carol@evil.example": "untrusted",
		"dave@house.example": "untrusted", "carol@house.example.evil.example": "untrusted", "carol@house.example@evil.example": "untrusted",
	} {
		r, err := w.Decide(t.Context(), sendBy(many, "s", to))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.in(r); got != want {
			t.Errorf("%s is %s, want %s", to, got, want)
		}
	}
	// Or where somebody says that a domain is the house's own.
	entry := session.Trusted{Kind: "recipient", Value: "@branch.example"}
	w.run(many, "t", "p4", "Tell Carol about it.", "carol@branch.example")
	if r, _ := w.Decide(t.Context(), sendBy(many, "t", "carol@branch.example")); w.in(r) != "untrusted" {
		t.Errorf("before it is trusted: %s", w.in(r))
	}
	if err := w.sessions.Trust(t.Context(), admin.Actor, "", entry, "a branch"); err != nil {
		t.Fatal(err)
	}
	if r := w.is(authz.Allow, sendBy(many, "t", "carol@branch.example")); w.in(r) != "named" {
		t.Errorf("when it is trusted: %s", w.in(r))
	}
}

// A purpose has history when two runs did something alike: what the first, or
// the present one, has done is not yet a habit to compare with.
func TestAPurposeWithHistoryIsEstablished(t *testing.T) {
	w, many := newHistoryWorld(t)
	w.run(many, "a", "p1", "Read it.", "nothing")
	f := w.facts(w.is(authz.Allow, call(many, "a", "fetch", `{}`)))
	if f.Context.Session.Established || !f.Context.Tool.Used {
		t.Errorf("after a call of the same run that succeeded: %+v", f.Context.Session)
	}
	w.run(many, "a2", "p1", "Read it.", "nothing")
	if f = w.facts(w.is(authz.Allow, call(many, "a2", "fetch", `{}`))); !f.Context.Session.Established {
		t.Errorf("after calls of two runs that succeeded: %+v", f.Context.Session)
	}
	if _, err := w.declare(enforcement.Declaration{Principal: many, Session: "b", Purpose: "p2"}); err != nil {
		t.Fatal(err)
	}
	if f := w.facts(w.is(authz.Allow, call(many, "b", "fetch", `{}`))); f.Context.Session.Established || f.Context.Tool.Used {
		t.Errorf("of another purpose: %+v", f.Context.Session)
	}
}

// What was remembered before a call and what follows from the call when it is
// read from the log are the same uses.
func TestUsesOfACall(t *testing.T) {
	sinks := map[string]string{"to": "recipient", "lines[].account": "account", "page": "url"}
	rapid.Check(t, func(t *rapid.T) {
		input, err := json.Marshal(map[string]any{
			"to": rapid.SliceOf(rapid.String()).Draw(t, "to"), "page": rapid.String().Draw(t, "page"), "note": rapid.String().Draw(t, "note"),
			"lines": []any{map[string]string{"account": rapid.String().Draw(t, "account"), "text": rapid.String().Draw(t, "text")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		used := enforcement.UsesOf("desk___x", sinks, input)
		if used[0] != (session.Use{Kind: session.ToolUse, Value: "desk___x"}) {
			t.Fatalf("%v", used)
		}
		for i, u := range used {
			for _, o := range used[:i] {
				if u == o {
					t.Errorf("%v twice", u)
				}
			}
			if u.Value == "" {
				t.Errorf("%v has no value", u)
			}
		}
		if len(enforcement.UsesOf("desk___x", nil, input)) != 1 {
			t.Error("a tool without sinks uses values")
		}
	})
	used := enforcement.UsesOf("desk___x", sinks, []byte(`{"to":["Carol@Example.org"],"lines":[{"account":"DE1"}],"page":"https://www.shop.example/a/"}`))
	want := []session.Use{
		{Kind: session.ToolUse, Value: "desk___x"},
		{Kind: "recipient", Value: provenance.Fingerprint("", "recipient", "carol@example.org")}, {Kind: session.DomainUse, Value: "example.org"},
		{Kind: "account", Value: provenance.Fingerprint("", "account", "DE1")},
		{Kind: "url", Value: provenance.Fingerprint("", "url", "http://www.shop.example/a")}, {Kind: session.HostUse, Value: "shop.example"},
	}
	if fmt.Sprint(used) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", used, want)
	}
}
