package gateway

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/gateway/envelope"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is seen into the transcripts")

// TestTranscripts replays conversations and compares every byte on both sides
// of the gateway with what is written in testdata. A transcript has these files:
//
//   - policy (optional): the policies; otherwise everything is permitted
//   - server: "stateless" or "sessions", then per method what it answers:
//     event, await (a response of the agent's), result, error; $id and $token
//     stand for those of the request
//   - agent: requests, each a line "METHOD path", headers, an empty line and a
//     body; $session, $state and $question stand for what came before; GRANT
//     and DENY are what a manager says to the call that is held
//   - agent sees, server sees, recorded: what was seen on each side, in its
//     order, and what the log has; made by -update
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	must(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			must(t, err)
			part := map[string]string{}
			for _, f := range archive.Files {
				part[f.Name] = string(f.Data)
			}
			got := converse(t, part)
			for _, f := range got {
				if diff := cmp.Diff(part[f.Name], string(f.Data)); diff != "" && !*update {
					t.Errorf("%s (-want +got) %s", f.Name, diff)
				}
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
					return f.Name == "agent sees" || f.Name == "server sees" || f.Name == "recorded" || f.Name == "wire"
				})
				archive.Files = append(archive.Files, got...)
				must(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
		})
	}
}

// tape records what passes on one side.
type tape struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *tape) line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.b, format+"\n", args...)
}

var changing = regexp.MustCompile(`(rcp|apr)_[0-9a-f-]{36}|aims(1|-hold1)\.[A-Za-z0-9_-]+|sha256:[0-9a-f]{64}|\b\d{4}-\d\d-\d\dT[0-9:.]+Z|\b[A-Z2-7]{26}\b`)

// naming gives what is different at every run a name.
type naming struct {
	names map[string]string
	count map[string]int
}

func (n *naming) stable(s string) []byte {
	return []byte(changing.ReplaceAllStringFunc(s, func(v string) string {
		if n.names[v] == "" {
			kind := "session"
			if strings.HasPrefix(v, "rcp_") {
				kind = "receipt"
			} else if strings.HasPrefix(v, "aims") {
				kind = "state"
			} else if strings.HasPrefix(v, "apr_") {
				kind = "approval"
			} else if strings.HasPrefix(v, "sha256:") {
				kind = "digest"
			} else if strings.HasSuffix(v, "Z") && strings.Contains(v, "T") && strings.Contains(v, ":") {
				kind = "time"
			}
			n.count[kind]++
			n.names[v] = fmt.Sprintf("%s-%d", kind, n.count[kind])
		}
		return n.names[v]
	}))
}

func converse(t *testing.T, part map[string]string) []txtar.File {
	agent, server, log := &tape{}, &tape{}, &tape{}
	lines := strings.Split(strings.TrimSpace(part["server"]), "\n")
	up := &scripted{tape: server, rules: rulesOf(lines[1:]), responses: make(chan string, 4)}
	up.legacy = lines[0] == "sessions"
	up.on = up.act
	// Without announcements: listening for them is no part of the conversation.
	up.tools, up.capabilities = scriptTools, `{"tools":{},"prompts":{},"resources":{}}`
	h := newHouse(t, houseOptions{policies: part["policy"], config: Config{
		Servers: []Server{serveScript(t, "s", up)}, Limits: Limits{HoldWait: 10 * time.Millisecond, InputWait: 20 * time.Second},
	}})
	up.taping.Store(true)
	c := &conversation{h: h, tape: agent, vars: map[string]string{}}
	steps := strings.Split(part["agent"], "\n\n\n")
	for i, step := range steps {
		c.waits = i+1 < len(steps) && isVote(strings.TrimSpace(steps[i+1]))
		c.step(t, strings.TrimSpace(step))
	}
	for c.open != nil {
		c.read(t)
	}
	up.taping.Store(false)
	h.noneOpen()
	for _, r := range h.records() {
		outcome := "refused " + r.Cause
		if r.outcome != nil {
			outcome = string(r.outcome.Status) + " " + r.outcome.Detail
		}
		log.line("%s %s %s: %s", r.ID, r.Method, r.Verdict, strings.TrimSpace(outcome))
	}
	for _, e := range h.events("session.", "approval.") {
		log.line("%s %s", e.Name, e.Detail)
	}
	n := naming{names: map[string]string{}, count: map[string]int{}}
	return []txtar.File{
		{Name: "agent sees", Data: n.stable(agent.b.String())},
		{Name: "server sees", Data: n.stable(server.b.String())},
		{Name: "recorded", Data: n.stable(log.b.String())},
	}
}

// conversation is the agent's side.
type conversation struct {
	h    *house
	tape *tape
	vars map[string]string
	// open is a stream in whose course the agent was asked something.
	open *bufio.Reader
	body io.Closer
	// waits says that the open stream is silent until the next step.
	waits bool
}

func isVote(step string) bool { return step == "GRANT" || step == "DENY" }

func (c *conversation) step(t *testing.T, text string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if isVote(head) {
		c.tape.line("\na manager: %s", strings.ToLower(head))
		c.h.vote(head == "GRANT")
		if c.open != nil {
			c.read(t)
		}
		return
	}
	method, path, _ := strings.Cut(lines[0], " ")
	r := request{method: method, path: path, body: c.fill(body), header: map[string]string{}}
	c.tape.line("\nagent: %s", lines[0])
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.header[name] = c.fill(value)
		c.tape.line("  %s: %s", name, r.header[name])
	}
	c.tape.line("  %s", r.body)
	resp, err := c.h.start(t.Context(), r)
	must(t, err)
	c.tape.line("gateway: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	if session := resp.Header.Get("Mcp-Session-Id"); session != "" {
		c.vars["$session"] = session
		c.tape.line("  Mcp-Session-Id: %s", session)
	}
	answering := c.open != nil
	if answering {
		must(t, resp.Body.Close())
		if c.waits {
			return
		}
	} else {
		c.open, c.body = bufio.NewReader(resp.Body), resp.Body
	}
	c.read(t)
}

func (c *conversation) fill(s string) string {
	for name, value := range c.vars {
		s = strings.ReplaceAll(s, name, value)
	}
	return s
}

// read reads on until the answer is complete or the agent is asked something.
func (c *conversation) read(t *testing.T) {
	for {
		line, err := c.open.ReadString('\n')
		text := strings.TrimSpace(strings.TrimPrefix(line, "data: "))
		if strings.HasPrefix(text, "{") {
			c.tape.line("  %s", text)
			var m struct {
				ID     string
				Method string
				Result struct{ RequestState string }
			}
			json.Unmarshal([]byte(text), &m) // ids that are numbers are not needed
			if m.Result.RequestState != "" {
				c.vars["$state"] = m.Result.RequestState
			}
			if m.Method != "" && m.ID != "" {
				c.vars["$question"] = m.ID
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			must(t, c.body.Close())
			c.open = nil
			return
		}
	}
}

// scripted is the server's side.
type scripted struct {
	script
	tape      *tape
	taping    atomic.Bool
	rules     map[string][]string
	responses chan string
}

func rulesOf(lines []string) map[string][]string {
	rules := map[string][]string{}
	method := ""
	for _, line := range lines {
		if !strings.HasPrefix(line, " ") {
			method = line
			continue
		}
		rules[method] = append(rules[method], strings.TrimSpace(line))
	}
	return rules
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !s.taping.Load() {
		s.script.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	var headers []string
	for name := range r.Header {
		if strings.HasPrefix(name, "Mcp-") {
			headers = append(headers, name+": "+r.Header.Get(name))
		}
	}
	slices.Sort(headers)
	s.tape.line("server gets %s\n  %s", strings.Join(headers, ", "), body)
	s.script.ServeHTTP(w, r)
}

func (s *scripted) act(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
	if m.Kind == envelope.Response {
		s.responses <- string(m.Raw())
	}
	if m.Kind != envelope.Request {
		return
	}
	id := string(m.Bytes(envelope.ID))
	streaming := false
	rules := s.rules[m.MethodName()]
	// A second set of rules, after "then", is for a request with answers.
	if i := slices.Index(rules, "then"); i >= 0 {
		if rules = rules[:i]; m.Has(envelope.InputResponses) {
			rules = s.rules[m.MethodName()][i+1:]
		}
	}
	for _, rule := range rules {
		what, value, _ := strings.Cut(rule, " ")
		value = strings.NewReplacer("$id", id, "$token", string(m.Bytes(envelope.MetaProgressToken))).Replace(value)
		send := func(b []byte) {
			s.tape.line("server sends\n  %s", b)
			if streaming {
				event(w, b)
			} else {
				w.Write(b)
			}
		}
		switch what {
		case "event":
			streaming = true
			send([]byte(value))
		case "await":
			select {
			case <-s.responses:
			case <-time.After(10 * time.Second):
				return
			}
		case "result":
			send(envelope.EncodeResult([]byte(id), []byte(value)))
		case "error":
			if s.legacy {
				send([]byte(`{"jsonrpc":"2.0","id":` + id + `,"error":` + value + `}`))
				break
			}
			w.WriteHeader(http.StatusBadRequest)
			send([]byte(`{"jsonrpc":"2.0","id":` + id + `,"error":` + value + `}`))
		}
	}
}
