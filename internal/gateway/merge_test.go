//lint:file-ignore SA1019 what the newer revision deprecates, the gateway still has to carry

package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// library is a server with resources and prompts.
func library(legacy bool, uris string, templates string) *script {
	s := &script{legacy: legacy}
	s.on = func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		uri, _ := m.Text(envelope.URI)
		switch m.MethodName() {
		case "resources/list":
			reply(w, m, `{"resources":[`+uris+`]}`)
		case "resources/templates/list":
			reply(w, m, `{"resourceTemplates":[`+templates+`]}`)
		case "prompts/list":
			reply(w, m, `{"prompts":[{"name":"hi"}]}`)
		case "resources/read":
			reply(w, m, fmt.Sprintf(`{"contents":[{"uri":%q,"text":"x"}],"resultType":"complete"}`, uri))
		default:
			if m.Kind == envelope.Request {
				reply(w, m, `{"content":[{"type":"text","text":"hello"}],"messages":[],"resultType":"complete"}`)
			}
		}
	}
	return s
}

func TestMergedServers(t *testing.T) {
	a := library(false, `{"uri":"doc://shared","name":"s"},{"uri":"doc://a","name":"a"}`, ``)
	b := library(true, `{"uri":"doc://shared","name":"s"},{"uri":"doc://b","name":"b"}`, `{"uriTemplate":"page://{n}","name":"p"}`)
	down := Server{Config: upstream.Config{Name: "down", URL: "http://127.0.0.1:1/"}}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{a.server(t, "a"), b.server(t, "b"), down}}})
	at1 := func(r request) answer { r.path = "/mcp"; return h.send(r) }

	lists := map[string][]string{
		"tools/list":     {"a___greet", "b___greet"},
		"prompts/list":   {"a___hi", "b___hi"},
		"resources/list": {"doc://shared", "doc://a", "aims+b:doc://shared", "doc://b"},
	}
	for method, want := range lists {
		got := at1(modern(method, ""))
		member := strings.TrimSuffix(method, "/list")
		names := got.names(member)
		if method == "resources/list" {
			names = uris(got)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: %s in %s", method, diff, got.body)
		}
		if receipts, _ := at(got.last(), "result", "_meta", metaReceipts).([]any); len(receipts) != 2 {
			t.Errorf("%s names the receipts %v", method, receipts)
		}
		if at(got.last(), "result", "cacheScope") != "private" {
			t.Errorf("%s may be cached for others", method)
		}
	}
	reads := []struct{ uri, server, own string }{
		{"doc://shared", "a", "doc://shared"}, {"aims+b:doc://shared", "b", "doc://shared"}, {"doc://b", "b", "doc://b"},
		{"page://7", "b", "page://7"}, {"aims+a:doc://unlisted", "a", "doc://unlisted"},
	}
	for _, read := range reads {
		got := at1(modern("resources/read", `"uri":"`+read.uri+`"`))
		last := h.last("resources/read")
		if got.status != http.StatusOK || last.Resource.ID != read.server || h.payload(last.ID, receipt.InputPayload) != `{"uri":"`+read.own+`"}` {
			t.Errorf("%s: HTTP %d %s; recorded %+v", read.uri, got.status, got.body, last.Resource)
		}
	}
	if got := at1(modern("resources/read", `"uri":"doc://nobody"`)); got.code() != -32602 {
		t.Errorf("an unknown resource: %s", got.body)
	}
	if got := at1(call("b___greet", `{}`)); got.text() != "hello" || h.last("tools/call").Action != "b___greet" || !strings.Contains(b.all("tools/call")[0].body, `"name":"greet"`) || len(a.all("tools/call")) != 0 {
		t.Errorf("b___greet: %s", got.body)
	}
	if got := at1(modern("prompts/get", `"name":"a___hi"`)); got.status != http.StatusOK || !strings.Contains(a.all("prompts/get")[0].body, `"name":"hi"`) {
		t.Errorf("a___hi: %s", got.body)
	}
	for _, name := range []string{"greet", "c___greet", "___greet", "a___", "a__greet"} {
		if got := at1(call(name, `{}`)); got.code() != -32602 {
			t.Errorf("%q: HTTP %d %s", name, got.status, got.body)
		}
	}
	discovered := at1(modern("server/discover", ""))
	if at(discovered.last(), "result", "capabilities", "resources", "subscribe") != true || at(discovered.last(), "result", "_meta", "io.modelcontextprotocol/serverInfo", "name") != "aims" {
		t.Errorf("discovered %s", discovered.body)
	}
	if got := at1(func() request { r := call("down___x", `{}`); return r }()); got.code() != codeUnavailable {
		t.Errorf("a server that is down: HTTP %d %s", got.status, got.body)
	}
	h.noneOpen()
}

func uris(a answer) []string {
	items, _ := at(a.last(), "result", "resources").([]any)
	var out []string
	for _, item := range items {
		uri, _ := at(item, "uri").(string)
		out = append(out, uri)
	}
	return out
}

// TestMergedServersWithTheSDK uses everything over the merged endpoint.
func TestMergedServersWithTheSDK(t *testing.T) {
	for _, version := range []string{upstream.Modern, upstream.Legacy} {
		t.Run(version, func(t *testing.T) {
			one, two := startUpstream(t, "stateless HTTP"), startUpstream(t, "pipes with sessions")
			one.Name, two.Name = "one", "two"
			h := newHouse(t, houseOptions{config: Config{Servers: []Server{one, two}}})
			a := connect(t, h, "/mcp", version)
			for _, server := range []string{"one", "two"} {
				if got := said(a.call(t, server+"___greet", map[string]any{"text": server})); got != "hello "+server {
					t.Errorf("greet of %s said %q", server, got)
				}
				if got := said(a.call(t, server+"___ask", nil)); got != "Ann Paris file:///home" {
					t.Errorf("ask of %s said %q", server, got)
				}
				a.call(t, server+"___change", nil)
				a.hears(t, "tools changed")
				if got, err := a.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: server + "___hi"}); err != nil || len(got.Messages) != 1 {
					t.Errorf("prompt of %s: %+v, %v", server, got, err)
				}
			}
			if !strings.Contains(a.InitializeResult().Instructions, "Server two") || a.InitializeResult().ServerInfo.Name != "aims" {
				t.Errorf("introduced as %+v", a.InitializeResult())
			}
			if got, err := a.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "aims+two:mem://one"}); err != nil || h.last("resources/read").Resource.ID != "two" {
				t.Errorf("resource of two: %+v, %v", got, err)
			}
			if version == upstream.Legacy {
				must(t, a.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "warning"}))
				a.call(t, "one___log", nil)
				a.hears(t, "log high")
				a.call(t, "two___log", nil)
				a.hears(t, "log high")
				if len(a.heard) > 0 && <-a.heard == "log low" {
					t.Error("the agent heard what it did not ask for")
				}
			}
			a.Close()
			h.noneOpen()
		})
	}
}

func TestMergedListInPages(t *testing.T) {
	var tools []string
	for i := range pageSize + 10 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool%04d","inputSchema":{"type":"object"}}`, i))
	}
	up := &script{tools: "[" + strings.Join(tools, ",") + "]"}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	page := func(cursor string) answer {
		r := modern("tools/list", cursor)
		r.path = "/mcp"
		return h.send(r)
	}
	first := page("")
	cursor, _ := at(first.last(), "result", "nextCursor").(string)
	if len(first.names("tools")) != pageSize || cursor == "" {
		t.Fatalf("the first page has %d tools and the cursor %q", len(first.names("tools")), cursor)
	}
	second := page(`"cursor":"` + cursor + `"`)
	if names := second.names("tools"); len(names) != 10 || names[0] != fmt.Sprintf("s___tool%04d", pageSize) || at(second.last(), "result", "nextCursor") != nil {
		t.Errorf("the second page has %v", names)
	}
	for _, wrong := range []string{"x", cursor + "A", cursor[:len(cursor)-2], strings.Repeat("A", 10_000)} {
		if got := page(`"cursor":"` + wrong + `"`); got.code() != -32602 {
			t.Errorf("cursor %.20q: HTTP %d", wrong, got.status)
		}
	}
	up.setTools("[" + strings.Join(tools[5:], ",") + "]")
	if got := page(`"cursor":"` + cursor + `"`); got.code() != -32602 {
		t.Errorf("the cursor of a list that has changed: HTTP %d", got.status)
	}
	h.noneOpen()
}

func TestTemplatePattern(t *testing.T) {
	tests := []struct {
		template, uri string
		want          bool
	}{
		{"file:///{path}", "file:///a.txt", true}, {"file:///{path}", "file:///a/b.txt", false}, {"file:///{+path}", "file:///a/b.txt", true},
		{"a://x{?q}", "a://x?q=1", true}, {"a.b://{id}", "axb://1", false}, {"a://{id}/c", "a://1/d", false}, {"a://{}", "a://1", true},
	}
	for _, test := range tests {
		if got := templatePattern(test.template).MatchString(test.uri); got != test.want {
			t.Errorf("%s and %s: %v", test.template, test.uri, got)
		}
	}
}
