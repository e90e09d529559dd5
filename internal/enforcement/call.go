package enforcement

import (
	"slices"
	"strings"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/identity"
	"aims/pdp"
	"aims/receipt"
)

// The enforcement points that a call can come through.
const (
	MCP        = "mcp"
	AuthZEN    = "authzen"
	Hook       = "hook"
	Management = "management"
)

// reported says that a channel's caller performs the action itself and reports
// the outcome afterwards, or does not.
func reported(channel string) bool { return channel == AuthZEN || channel == Hook }

// Call is one request of an authenticated caller.
type Call struct {
	Principal identity.Principal
	// Via is the enforcement point that asks on the principal's behalf; the zero
	// Actor when the principal asks for itself.
	Via aims.Actor
	// Session groups the calls of one run.
	Session string
	// Channel is the enforcement point: MCP, AuthZEN, Hook or Management.
	Channel string
	// Protocol is the protocol revision that the caller speaks, such as 2026-07-28.
	Protocol string
	// Method is the protocol's own name of the request, such as tools/call.
	Method string
	// Server is the upstream; empty for an endpoint that merges several, and
	// for management. Tool is the tool's own name there, empty for any other method.
	Server, Tool string
	// Action is what the policies call it; empty for Server___Tool with a tool
	// and Method without. One of the form Server___Tool stands for the tool.
	Action string
	// Input is the JSON object of a tool's arguments; for other methods
	// {"name"?, "uri"?}. Empty is the empty object.
	Input []byte
	// Matter is what a management verb is about, as far as people had a part in it.
	Matter Matter
}

// Matter is what a verb is about: a request that somebody made, a policy that
// somebody wrote. Whoever made it does not approve it (ISO 42001 5.3).
type Matter struct {
	// Authors made it, or have it made on their behalf.
	Authors []aims.Actor
	// Roles are those of which one is needed to decide about it.
	Roles []string
	// Kind is the kind of the record that it is, where it is one, and Mark what is
	// to be stated of that, such as approve.
	Kind, Mark string
	// Gate are the preconditions that hold, for pdp.DeployVerb.
	Gate map[string]bool
}

// toolSeparator stands between server and tool in a qualified name.
const toolSeparator = "___"

// Bounds of what a caller writes into a receipt beside its input.
const (
	maxSession  = 256
	maxProtocol = 64
	maxMethod   = 256
	maxAction   = 600
)

// named fills in server, tool and action from each other and checks what goes
// into the receipt. An action that names a tool always becomes that tool, so
// that no spelling walks around its pin.
func (c Call) named() (Call, error) {
	if c.Tool == "" {
		if server, tool, ok := strings.Cut(c.Action, toolSeparator); ok {
			if c.Server != "" && c.Server != server {
				return c, aims.Errorf(aims.Invalid, nil, "action %q is not of server %q", c.Action, c.Server)
			}
			c.Server, c.Tool = server, tool
		}
	}
	if c.Tool != "" {
		qualified := c.Server + toolSeparator + c.Tool
		if c.Action != "" && c.Action != qualified {
			return c, aims.Errorf(aims.Invalid, nil, "action %q is not tool %q of server %q", c.Action, c.Tool, c.Server)
		}
		c.Action = qualified
	}
	if c.Action == "" {
		c.Action = c.Method
	}
	// Verbs and protocol methods are two sets: a policy about one must not meet the other.
	if c.Tool == "" || c.Channel == Management {
		if (c.Channel == Management) != slices.Contains(pdp.Verbs(), c.Action) {
			return c, aims.Errorf(aims.Denied, nil, "there is no such action here, so no policy can permit it")
		}
	}
	return c, c.bounded()
}

// bounded checks the size of what the caller wrote.
func (c Call) bounded() error {
	switch {
	case c.Action == "":
		return aims.Errorf(aims.Invalid, nil, "the call names no action")
	case len(c.Action) > maxAction || len(c.Method) > maxMethod || len(c.Session) > maxSession || len(c.Protocol) > maxProtocol:
		return aims.Errorf(aims.Invalid, nil, "action, method, session or protocol is too long")
	case len(c.Input) > receipt.MaxPayload:
		return aims.Errorf(aims.Invalid, nil, "the arguments have %d bytes, at most %d", len(c.Input), receipt.MaxPayload)
	}
	return nil
}

// Ruling is a decision that is durable in the ledger.
type Ruling struct {
	authz.Decision
	// Receipt is the id of the decision or refusal receipt, Index and Time where it stands.
	Receipt string
	Index   uint64
	Time    time.Time
	Action  string
	// Pin is the digest of the tool's definition at the time.
	Pin string
	// Cause says why a call was refused that no policy had to decide.
	Cause string

	// Approval is the id of the approval that a held call waits for, or that
	// released an allowed one; empty for none.
	Approval string

	did *doing // nil when another process decided
}

// Denial is a ruling that does not allow, as an error with the reasons of the
// policies; nil for one that does.
func (r Ruling) Denial() error {
	if r.Allowed() {
		return nil
	}
	return aims.Errorf(aims.Denied, nil, "%s", r.Sentence())
}

// Sentence says in words for the caller why the call was refused.
func (r Ruling) Sentence() string {
	if r.Cause != "" {
		return r.Cause
	}
	var texts []string
	for _, reason := range r.Reasons {
		if reason.Text != "" {
			texts = append(texts, reason.Text)
		}
	}
	switch {
	case r.Verdict == authz.Hold && r.Approval != "":
		return "held until somebody releases it: " + strings.TrimSuffix(strings.Join(texts, "; "), ".") +
			". Approval " + r.Approval + " was asked for; when it is granted, make the same call again"
	case len(texts) > 0 && r.Verdict == authz.Hold:
		return "held until somebody releases it: " + strings.Join(texts, "; ")
	case len(texts) > 0:
		return "denied: " + strings.Join(texts, "; ")
	case len(r.Faults) > 0:
		return "denied: a policy that forbids could not be evaluated"
	case len(r.Reasons) > 0:
		return "denied by policy"
	}
	return "denied: no policy permits it"
}

// Outcome is what came of an allowed call.
type Outcome struct {
	Status receipt.Status
	// Detail says in a sentence what went wrong; it never holds content.
	Detail string
	// Result is what came back. Its salted digest goes into the receipt and
	// itself into the vault, or, above Options.MaxResult, only its SHA-256.
	Result []byte
	// Bytes is the size of what came back; 0 means len(Result).
	Bytes int64
	// SHA256 is the digest, "sha256:" and hexadecimal, of a result that was too
	// large to be held as Result; empty where nobody computed it.
	SHA256 string
}

// Refusal is a request that was turned away before it could be decided.
type Refusal struct {
	// Principal is nil for a caller that is not authenticated.
	Principal *identity.Principal
	// Remote is the caller's address without port, for the rate limit; it is not recorded.
	Remote  string
	Channel string
	Method  string
	// Cause is one of the enforcement point's own sentences, never text of the caller.
	Cause string
}
