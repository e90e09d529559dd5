// Package authz holds the words of an access decision as the OpenID AuthZEN
// Authorization API 1.0 names them: subject, action, resource, context,
// decision, obligation and reason. It decides nothing and imports nothing.
package authz

import "encoding/json"

// Subject is who asks: an agent or a person.
type Subject struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

// Action is what is to be done.
type Action struct {
	Name       string          `json:"name"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

// Resource is what it is to be done to.
type Resource struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

// Verdict is the outcome of a decision.
type Verdict string

const (
	// Allow lets the action happen.
	Allow Verdict = "allow"
	// Deny refuses the action; nothing a person does releases this request.
	Deny Verdict = "deny"
	// Hold refuses the action until a person who holds one of the roles that
	// the determining policies name has released it.
	Hold Verdict = "hold"
)

// Reason is one policy that determined a decision.
type Reason struct {
	// Policy is the policy's id, unique within its set.
	Policy string `json:"policy"`
	// Effect is "permit" or "forbid".
	Effect string `json:"effect"`
	// Text is the policy's @reason annotation: the words the agent sees.
	Text string `json:"text,omitempty"`
	// Controls are the requirement ids of the policy's @control annotation
	// (ISO 42001 Annex A or clause), comma separated in the source.
	Controls []string `json:"controls,omitempty"`
	// Threats are the ids of the policy's @threat annotation (OWASP ASI, MITRE ATLAS).
	Threats []string `json:"threats,omitempty"`
	// Hold names the role that may release this refusal (@hold), empty where none may.
	Hold string `json:"hold,omitempty"`
}

// Fault is a policy whose condition could not be evaluated. An erring permit
// grants nothing; an erring forbid denies, because a gate may not fail open.
type Fault struct {
	Policy  string `json:"policy"`
	Effect  string `json:"effect"`
	Message string `json:"message"`
}

// Obligation is something the caller must do when it acts on the decision; a
// caller that does not know an obligation must treat the decision as Deny.
type Obligation struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Decision is the answer to one request. It explains itself completely: every
// determining policy and every fault is listed, sorted by policy id, so that
// equal decisions are equal bytes.
type Decision struct {
	Verdict     Verdict      `json:"verdict"`
	Reasons     []Reason     `json:"reasons,omitempty"`
	Faults      []Fault      `json:"faults,omitempty"`
	Obligations []Obligation `json:"obligations,omitempty"`
	// Policy is the digest of the policy set that decided.
	Policy string `json:"policy"`
}

// Allowed says whether the action may happen now.
func (d Decision) Allowed() bool { return d.Verdict == Allow }
