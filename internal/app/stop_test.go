package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"aims/internal/api"
)

const everythingPolicy = `@id("everything")
permit (principal is Agent, action, resource);
`

// do uses the management API and expects that it works.
func do[T any](t *testing.T, c *api.Client, method, path string, in any) T {
	t.Helper()
	var out T
	if err := c.Do(t.Context(), method, "/api/v1"+path, in, &out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

// post sends JSON to a running installation and returns the answer's text.
func (s *site) post(a *App, path, key, body string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, a.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// keyOf makes a key for an agent, with roles if it has none yet.
func (s *site) keyOf(a *App, agent string, roles ...string) string {
	s.t.Helper()
	return do[api.KeySecret](s.t, s.admin(a), http.MethodPost, "/keys", api.NewKey{Actor: api.Actor{Type: "agent", ID: agent}, Roles: roles}).Secret
}

// A suspended agent gets through on no way: not with another key, not over
// another protocol, not when an enforcement point asks for it, and not when it
// is an enforcement point that asks for others.
func TestASuspendedAgentIsRefusedOnEveryWay(t *testing.T) {
	remote, _ := remoteServer(t)
	s := newSite(t, "servers:\n  - name: remote\n    url: "+remote+"\n  - name: robot\n    tools: [{name: move}]\n  - name: claude-code\n    preset: claude-code\n")
	s.write("policies/agents.cedar", everythingPolicy)
	a := s.run()
	rogue, second := s.keyOf(a, "rogue", "pep"), s.keyOf(a, "rogue")
	pep := s.keyOf(a, "gate", "pep")
	s.keyOf(a, "other")
	asks := func(subject string) string {
		return `{"subject":{"type":"agent","id":"` + subject + `"},"action":{"name":"robot___move"},"resource":{"type":"tool","id":"robot.move"}}`
	}
	session := s.agent(a, rogue)
	ways := map[string]func() bool{
		"MCP": func() bool {
			res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "remote___headers"})
			return err == nil && !res.IsError
		},
		"MCP, another key": func() bool {
			res, err := s.agent(a, second).CallTool(t.Context(), &mcp.CallToolParams{Name: "remote___headers"})
			return err == nil && !res.IsError
		},
		"MCP, another method": func() bool {
			res, err := session.ListTools(t.Context(), nil)
			return err == nil && len(res.Tools) > 0
		},
		"AuthZEN": func() bool {
			return strings.Contains(s.post(a, "/access/v1/evaluation", second, asks("rogue")), `"decision":true`)
		},
		"AuthZEN, asked for": func() bool {
			return strings.Contains(s.post(a, "/access/v1/evaluation", pep, asks("rogue")), `"decision":true`)
		},
		"AuthZEN, asking for others": func() bool {
			return strings.Contains(s.post(a, "/access/v1/evaluation", rogue, asks("other")), `"decision":true`)
		},
		"hook": func() bool {
			event := `{"session_id":"s","cwd":"/","hook_event_name":"PreToolUse","tool_name":"Read","tool_input":{"file_path":"/x"},"tool_use_id":"t"}`
			return strings.Contains(s.post(a, "/hook/claude-code", second, event), `"allow"`)
		},
	}
	check := func(when string, want bool) {
		t.Helper()
		for name, through := range ways {
			if got := through(); got != want {
				t.Errorf("%s: %s gets through: %v", when, name, got)
			}
		}
	}
	check("before", true)
	done := do[api.Switched](t, s.admin(a), http.MethodPost, "/agents/rogue/suspend", api.Why{Reason: "it digs"})
	if !done.Known || len(done.Stops) != 1 || done.Stops[0].Reason != "it digs" {
		t.Errorf("the answer is %+v", done)
	}
	check("suspended", false)
	if through := strings.Contains(s.post(a, "/access/v1/evaluation", pep, asks("other")), `"decision":true`); !through {
		t.Error("another agent is refused too")
	}
	do[api.Switched](t, s.admin(a), http.MethodPost, "/agents/rogue/resume", api.Why{Reason: "it was thirsty"})
	check("resumed", true)
	do[api.Switched](t, s.admin(a), http.MethodPost, "/servers/stop", api.ServerSwitch{Server: "*", Why: api.Why{Reason: "everybody out"}})
	check("all servers stopped", false)
}

func TestStoppingIsForServersThatThereAre(t *testing.T) {
	s := newSite(t, "servers:\n  - name: robot\n    tools: [{name: move}]\n")
	a := s.run()
	err := s.admin(a).Do(t.Context(), http.MethodPost, "/api/v1/servers/stop", api.ServerSwitch{Server: "robbot", Why: api.Why{Reason: "x"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "there are robot") {
		t.Errorf("stopping a server that there is not: %v", err)
	}
	if done := do[api.Switched](t, s.admin(a), http.MethodPost, "/agents/nobody/suspend", api.Why{Reason: "x"}); done.Known {
		t.Error("an agent that nobody knows is said to be known")
	}
}

// Policy can demand that another person resumes than the one who stopped.
func TestResumingCanBeKeptApartFromStopping(t *testing.T) {
	s := newSite(t, "servers:\n  - name: robot\n    tools: [{name: move}]\n")
	s.write("policies/agents.cedar", everythingPolicy+`
@id("another-resumes")
@reason("whoever stopped it does not resume it")
forbid (principal is Person, action in [Action::"servers/resume", Action::"agents/resume"], resource)
when { context.matter.authors.contains(principal) };
`)
	a := s.run()
	ada := s.admin(a)
	grace := s.client(a, do[api.KeySecret](t, ada, http.MethodPost, "/keys", api.NewKey{Actor: api.Actor{Type: "person", ID: "grace"}, Roles: []string{"admin"}}).Secret)
	why := api.Why{Reason: "x"}
	do[api.Switched](t, ada, http.MethodPost, "/servers/stop", api.ServerSwitch{Server: "robot", Why: why})
	do[api.Switched](t, ada, http.MethodPost, "/agents/rogue/suspend", why)
	for path, in := range map[string]any{"/servers/resume": api.ServerSwitch{Server: "robot", Why: why}, "/agents/rogue/resume": why} {
		if err := ada.Do(t.Context(), http.MethodPost, "/api/v1"+path, in, nil); err == nil || !strings.Contains(err.Error(), "does not resume") {
			t.Errorf("%s by the one who stopped it: %v", path, err)
		}
		do[api.Switched](t, grace, http.MethodPost, path, in)
	}
	if stops := do[[]api.Stop](t, ada, http.MethodGet, "/stops", nil); len(stops) != 0 {
		t.Errorf("still stopped: %+v", stops)
	}
}

func TestAgentsOverTheAPI(t *testing.T) {
	s := newSite(t, "")
	a := s.run()
	admin := s.admin(a)
	s.keyOf(a, "keyed")
	do[api.AgentDone](t, admin, http.MethodPost, "/agents", api.NewAgent{ID: "clerk", Stage: "design"})
	done := do[api.AgentDone](t, admin, http.MethodPost, "/agents", api.NewAgent{
		ID: "billing", Stage: "development", Owner: "ada", Purposes: []api.Purpose{{ID: "pay", Text: "Pays."}, {ID: "ask"}}, Delegates: []string{"clerk"},
	})
	stage, nobody := "verification", ""
	done = do[api.AgentDone](t, admin, http.MethodPost, "/agents/billing/change", api.AgentChange{
		Stage: &stage, Owner: &nobody, Purposes: []api.Purpose{{ID: "report", Text: "Reports."}}, DropPurposes: []string{"pay"}, DropDelegates: []string{"clerk"},
	})
	want := api.Agent{
		ID: "billing", Registered: true, Stage: "verification", Purposes: []api.Purpose{{ID: "ask"}, {ID: "report", Text: "Reports."}}, Delegates: []string{},
		Created: done.Agent.Created, Changed: done.Agent.Changed,
	}
	if d := cmp.Diff(want, done.Agent); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, do[api.Agent](t, admin, http.MethodGet, "/agents/billing", nil)); d != "" {
		t.Error(d)
	}
	var ids []string
	for _, agent := range do[[]api.Agent](t, admin, http.MethodGet, "/agents", nil) {
		ids = append(ids, agent.ID)
		if agent.ID == "keyed" && (agent.Registered || agent.Stage != "" || agent.Keys != 1) {
			t.Errorf("an agent that only has a key: %+v", agent)
		}
	}
	if d := cmp.Diff([]string{"billing", "clerk", "keyed"}, ids); d != "" {
		t.Error(d)
	}
	for path, in := range map[string]any{"/agents/keyed/change": api.AgentChange{Stage: &stage}, "/agents": api.NewAgent{ID: "billing", Stage: "design"}} {
		if err := admin.Do(t.Context(), http.MethodPost, "/api/v1"+path, in, nil); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
}

// Labels in the configuration hold from the first call on; a name that no server
// lists is said and harms nothing.
func TestLabelsOfTheConfiguration(t *testing.T) {
	s := newSite(t, `servers:
  - name: robot
    tools:
      - {name: move, labels: [trusted, location], effects: [execute], sinks: {to: path}, input: {properties: {to: {type: string}}}}
    tool_labels:
      junp: {effects: [execute]}
`)
	a := s.run()
	admin := s.admin(a)
	tools := do[[]api.Tool](t, admin, http.MethodGet, "/tools", nil)
	if len(tools) != 1 || cmp.Diff([]string{"execute"}, tools[0].Effects) != "" || cmp.Diff([]string{"location"}, tools[0].Labels) != "" ||
		tools[0].Sinks["to"] != "path" || tools[0].Said.Source != "configuration" {
		t.Errorf("the tools are %+v", tools)
	}
	status := do[api.Status](t, admin, http.MethodGet, "/status", nil)
	if d := cmp.Diff([]string{"junp"}, status.Servers[0].Unlisted); d != "" || !strings.Contains(s.log.String(), "junp") {
		t.Errorf("the misspelt name is not said: %s\n%s", d, s.log.String())
	}
	err := admin.Do(t.Context(), http.MethodPost, "/api/v1/tools/label", api.Labelling{Server: "robot", Tool: "move", Labels: []string{"x"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("a person contradicts the configuration: %v", err)
	}
}

// Two installations of one configuration share a PostgreSQL: a stop, a role that
// is taken and a revocation reach the other one by its own loops.
func TestAStopReachesTheOtherProcess(t *testing.T) {
	dsn := os.Getenv("AIMS_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("AIMS_TEST_POSTGRES is not set to the DSN of a PostgreSQL to test with")
	}
	t.Setenv("AIMS_TEST_DSN", freshDatabase(t, dsn))
	config := "database_from: env:AIMS_TEST_DSN\nservers:\n  - name: robot\n    tools: [{name: move}]\n"
	one := newSite(t, config)
	first := one.run()
	two := newSite(t, config)
	key, err := os.ReadFile(one.path("aims-data/log.key"))
	if err != nil {
		t.Fatal(err)
	}
	two.write("aims-data/log.key", string(bytes.TrimSpace(key))+"\n")
	second := two.run()
	do[api.Switched](t, one.admin(first), http.MethodPost, "/servers/stop", api.ServerSwitch{Server: "robot", Why: api.Why{Reason: "x"}})
	if !first.inventory.Stopped("robot") {
		t.Error("the stop is not in force where it was given")
	}
	reaches := func(what string, there func() bool) {
		t.Helper()
		begun := time.Now()
		for !there() {
			if time.Since(begun) > 10*time.Second {
				t.Fatalf("%s never reached the other process", what)
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Logf("%s after %s", what, time.Since(begun))
	}
	reaches("the stop", func() bool { return second.inventory.Stopped("robot") })
	ann := api.Actor{Type: "person", ID: "ann"}
	made := do[api.KeySecret](t, one.admin(first), http.MethodPost, "/keys", api.NewKey{Actor: ann, Roles: []string{"boss"}})
	roles := func() (int, bool) {
		p, err := second.directory.Authenticate(t.Context(), made.Secret)
		return len(p.Roles), err == nil
	}
	reaches("the key", func() bool { n, in := roles(); return in && n == 1 })
	do[api.RolesDone](t, one.admin(first), http.MethodPost, "/actors/person/ann/roles", api.RoleChange{Drop: []string{"boss"}})
	reaches("the role that was taken", func() bool { n, in := roles(); return in && n == 0 })
	do[api.Done](t, one.admin(first), http.MethodPost, "/keys/"+made.ID+"/revoke", nil)
	reaches("the revocation", func() bool { _, in := roles(); return !in })
}

// The names that people may use in the configuration are those of the inventory.
func TestLabelsInTheConfigurationAreStrict(t *testing.T) {
	for text, say := range map[string]string{
		"effects: [destroy]":                      "credential, delete",
		"labels: [Top Secret]":                    "Top Secret",
		"labels: [trusted, untrusted]":            "trusted and untrusted",
		"sinks: {to: bank}":                       "bank",
		"kinds: {to: account}":                    `unknown key "kinds"`,
		"effects: {pay: true}":                    "expected a list",
		"effects: [pay], labels: [x], sinks: [y]": "expected a mapping",
	} {
		for _, config := range []string{
			"servers:\n  - name: a\n    command: x\n    tool_labels:\n      pay: {" + text + "}\n",
			"servers:\n  - name: a\n    tools:\n\n      - {name: pay, " + text + "}\n",
		} {
			found := problems(t, config)
			if len(found) != 1 || found[0].Line != 5 || !strings.Contains(found[0].Text, say) {
				t.Errorf("%s\nfound %+v, want line 5 and %q", config, found, say)
			}
		}
	}
	twice := problems(t, "servers:\n  - name: a\n    tools:\n      - {name: pay, labels: [x]}\n    tool_labels:\n      pay: {labels: [y]}\n")
	if len(twice) != 1 || twice[0].Line != 6 || !strings.Contains(twice[0].Text, "keep one") {
		t.Errorf("labelled twice: %+v", twice)
	}
}
