// Package hook is the policy enforcement point for coding agents that call a
// hook around what they do: the endpoint that decides Claude Code's events,
// and the command that Claude Code runs to ask it. docs/hooks.md shows how the
// two are put together.
//
// Claude Code lets an action through when its hook fails in any way but one:
// a command must exit with 2, an HTTP hook must be answered with status 200.
// So the command turns every failure of its own into exit 2, and the endpoint
// answers every refusal, also of a caller without a key, with status 200 and a
// denial.
package hook

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/statement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/receipt"
)

// Pattern is the pattern of http.ServeMux under which the endpoint is served.
const Pattern = "/hook/claude-code"

// PromptTool is the tool of Options.Server as which a prompt of the user is
// decided; its only argument is prompt.
const PromptTool = "UserPromptSubmit"

// protocol is what context.session.protocol says to policies.
const protocol = "claude-code"

// Options tune an Endpoint. Zero means the default.
type Options struct {
	// Server is the server under which the coding agent's own tools are
	// declared. Default claude-code.
	Server string
	// Gateway is the name under which the coding agent knows this gateway's
	// merged endpoint: its tools have qualified names there. Default aims.
	Gateway string
	// Inventory finds tools whose names the coding agent writes in another
	// way; nil to do without.
	Inventory *inventory.Inventory
	// Held is where held calls wait for people; nil when they never do.
	Held *hold.Room
	// MaxWait bounds how long a caller may ask to wait. Default 10 min.
	MaxWait time.Duration
	// MaxBody is the largest event in bytes. Default 16 MiB.
	MaxBody int64
	Log     *slog.Logger
	Now     func() time.Time // for the deadline of a slow caller
}

// Endpoint decides and records the events of Claude Code.
type Endpoint struct {
	directory *identity.Directory
	enforcer  *enforcement.Enforcer
	o         Options
	open      open
}

// New puts an endpoint over directory and enforcer.
func New(d *identity.Directory, e *enforcement.Enforcer, o Options) *Endpoint {
	o.Server = cmp.Or(o.Server, "claude-code")
	o.Gateway = cmp.Or(o.Gateway, "aims")
	o.MaxBody = cmp.Or(o.MaxBody, 16<<20)
	o.MaxWait = cmp.Or(o.MaxWait, 10*time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Endpoint{directory: d, enforcer: e, o: o}
}

func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "expected POST with an event of Claude Code", http.StatusMethodNotAllowed)
		return
	}
	answer := e.handle(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(answer)
}

// bodyTimeout bounds how long a caller may take to send an event.
const bodyTimeout = 30 * time.Second

// maxUnknown is how much is read of an event whose sender is not known: enough
// to see its kind, which the form of the denial depends on.
const maxUnknown = 64 << 10

// read reads the event up to its limit; large says that there is more of it.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, large bool, err error) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(e.o.Now().Add(bodyTimeout))
	defer c.SetReadDeadline(time.Time{})
	body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], true, nil
	}
	return body, false, err
}

// handle answers one event. What cannot be read or decided is denied.
func (e *Endpoint) handle(w http.ResponseWriter, r *http.Request) []byte {
	principal, denied := e.authenticate(r)
	limit := e.o.MaxBody
	if denied != nil {
		limit = min(limit, maxUnknown)
	}
	body, large, err := e.read(w, r, limit)
	ev, malformed := parseEvent(body)
	refuse := func(p *identity.Principal, cause string, why error) []byte {
		id := e.enforcer.Refuse(context.WithoutCancel(r.Context()), enforcement.Refusal{
			Principal: p, Remote: remote(r), Channel: enforcement.Hook, Method: ev.method(), Cause: cause,
		})
		_, text := aims.Public(why)
		return ev.denial(text, id)
	}
	switch {
	case denied != nil:
		return refuse(nil, "credentials missing, unknown, expired or revoked", denied)
	case large:
		return refuse(&principal, "too large", aims.Errorf(aims.Invalid, nil, "expected an event of at most %d bytes", e.o.MaxBody))
	case err != nil:
		return refuse(&principal, "broken off", aims.Errorf(aims.Invalid, err, "the event broke off before its end"))
	case malformed != nil:
		return refuse(&principal, "malformed event", malformed)
	}
	said, wait, err := e.asides(r, ev)
	if err != nil {
		return refuse(&principal, "malformed header or query", err)
	}
	switch ev.name {
	case preToolUse:
		return e.before(r, asking{principal, said, wait, refuse}, ev)
	case postToolUse, postToolUseFailure:
		return e.after(r.Context(), principal, ev, refuse)
	}
	return e.prompt(r.Context(), asking{principal, said, 0, refuse}, ev)
}

// asking is who asks about an event, what it says of its run, and how long it
// waits where the event is held.
type asking struct {
	identity.Principal
	said   statement.Statement
	wait   time.Duration
	refuse func(*identity.Principal, string, error) []byte
}

// asides reads what a caller says beside the event.
func (e *Endpoint) asides(r *http.Request, ev event) (said statement.Statement, wait time.Duration, err error) {
	if said, err = statement.FromHeader(r.Header); err != nil {
		return said, 0, err
	}
	// The coding agent's session is the run, whatever a header calls it.
	if said, err = said.And(statement.Statement{Session: ev.session}); err != nil {
		return said, 0, err
	}
	if text := r.URL.Query().Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return said, 0, invalidf("expected wait to be a duration such as 60s")
		}
	}
	return said, min(wait, e.o.MaxWait), nil
}

func (e *Endpoint) authenticate(r *http.Request) (identity.Principal, error) {
	bearer, err := identity.FromHeader(r.Header.Get("Authorization"))
	if err != nil {
		return identity.Principal{}, err
	}
	return e.directory.Authenticate(r.Context(), bearer)
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// before decides a tool call.
func (e *Endpoint) before(r *http.Request, who asking, ev event) []byte {
	ctx := r.Context()
	if id, err := e.declare(ctx, who, ""); err != nil {
		return ev.denial(e.words(enforcement.Ruling{}, err), id)
	}
	call := e.call(who.Principal, ev)
	call.Server, call.Tool = e.tool(ev.tool)
	call.Input = ev.input
	ruling, err := e.enforcer.Decide(ctx, call)
	if err == nil && ruling.Verdict == authz.Hold && ruling.Approval != "" {
		var answer []byte
		if ruling, answer = e.held(r, who, ev, call, ruling); answer != nil {
			return answer
		}
	}
	if err != nil || !ruling.Allowed() {
		return ev.denial(e.words(ruling, err), ruling.Receipt)
	}
	if ev.use != "" && !e.open.add(who.Actor, ev.key(), ruling) {
		e.o.Log.Warn("too many tool calls wait for their outcome: one will be recorded as unreported", "receipt", ruling.Receipt)
	}
	return ev.permission(ruling.Receipt)
}

func (e *Endpoint) call(p identity.Principal, ev event) enforcement.Call {
	return enforcement.Call{Principal: p, Session: ev.session, Channel: enforcement.Hook, Protocol: protocol, Method: ev.name}
}

// words say why a call is denied.
func (e *Endpoint) words(r enforcement.Ruling, err error) string {
	if err == nil {
		return r.Sentence()
	}
	code, text := aims.Public(err)
	if code == aims.Internal || code == aims.Unavailable {
		e.o.Log.Error("an event of a coding agent could not be decided", "error", err)
	}
	return text
}

// tool is the server and the tool that a coding agent's name stands for.
func (e *Endpoint) tool(name string) (server, tool string) {
	rest, ok := strings.CutPrefix(name, "mcp__")
	if !ok {
		return e.o.Server, name
	}
	// Our servers' names hold no underscore, so the first pair of them ends it.
	server, tool, _ = strings.Cut(rest, "__")
	if server == e.o.Gateway {
		if s, t, ok := strings.Cut(tool, "___"); ok {
			server, tool = s, t
		}
	}
	return server, e.spelt(server, tool)
}

// spelt is the tool of a server that the coding agent writes as name: it
// replaces each character that its own names may not have by an underscore.
// Where two tools would be written alike, it is neither.
func (e *Endpoint) spelt(server, name string) string {
	if e.o.Inventory == nil {
		return name
	}
	if _, ok := e.o.Inventory.Tool(server, name); ok {
		return name
	}
	found := name
	for _, t := range e.o.Inventory.Tools(server) {
		if t.Name != name && plainName(t.Name) == name {
			if found != name {
				return name
			}
			found = t.Name
		}
	}
	return found
}

func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
}

// after records what came of a tool call.
func (e *Endpoint) after(ctx context.Context, p identity.Principal, ev event, refuse func(*identity.Principal, string, error) []byte) []byte {
	ruling, ok := e.open.take(p.Actor, ev.key())
	if !ok {
		e.o.Log.Warn("a tool ran that was not decided here, or whose decision is no longer known", "agent", p.ID, "session", ev.session)
		return refuse(&p, "a tool ran whose decision is not known here", aims.Errorf(aims.Conflict, nil, "this tool call was not decided here, or so long ago that it is no longer known"))
	}
	err := e.enforcer.Close(ctx, ruling, ev.outcome())
	if err != nil {
		if code, _ := aims.Public(err); code != aims.Conflict {
			e.o.Log.Error("the outcome of a tool call could not be recorded", "receipt", ruling.Receipt, "error", err)
			return ev.denial("the outcome of this tool call could not be recorded yet", ruling.Receipt)
		}
	}
	return []byte("{}")
}

// prompt decides a prompt of the user. It is done as soon as it is allowed, and
// known in the run from then on.
func (e *Endpoint) prompt(ctx context.Context, who asking, ev event) []byte {
	if id, err := e.declare(ctx, who, ""); err != nil {
		return ev.denial(e.words(enforcement.Ruling{}, err), id)
	}
	call := e.call(who.Principal, ev)
	call.Server, call.Tool, call.Input = e.o.Server, PromptTool, ev.promptInput()
	ruling, err := e.enforcer.Decide(ctx, call)
	if err != nil || !ruling.Allowed() {
		return ev.denial(e.words(ruling, err), ruling.Receipt)
	}
	if err := e.enforcer.Close(ctx, ruling, enforcement.Outcome{Status: receipt.Succeeded}); err != nil {
		e.o.Log.Error("the outcome of a prompt could not be recorded", "receipt", ruling.Receipt, "error", err)
	}
	prompt, _ := unquote(ev.prompt) // it was read before
	if id, err := e.declare(ctx, who, prompt); err != nil {
		return ev.denial(e.words(enforcement.Ruling{}, err), id)
	}
	return []byte(`{"hookSpecificOutput":{"hookEventName":"UserPromptSubmit"}}`)
}

// known says whether an event is decided or recorded here.
func known(name string) bool {
	return slices.Contains([]string{preToolUse, postToolUse, postToolUseFailure, userPromptSubmit}, name)
}
