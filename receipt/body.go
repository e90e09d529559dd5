// Package receipt is the published format: the receipt, the checkpoint, the
// proof and the export, and their offline verification. A receipt is the
// recorded thing; what RFC 9942 calls a receipt is here a proof.
//
// The package reads no clock and keeps no state: third parties import it to
// verify what an installation shows them.
package receipt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"aims/authz"
)

// Party is who acted or was acted for: "agent", "person" or "system" and an id.
type Party struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Object is what an action or event concerned.
type Object struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Decision is the body of a decision or a refusal (ISO 42001 A.6.2.8).
type Decision struct {
	ID string `json:"id"` // rcp_ and a UUIDv7
	// Actor is who asked; nil for a request turned away before it could be
	// authenticated.
	Actor *Party `json:"actor,omitempty"`
	// Via is the enforcement point that asked on the actor's behalf; nil when
	// the actor asked for itself.
	Via *Party `json:"via,omitempty"`
	// Session groups the calls of one run, Purpose is what the run was declared
	// to be for, and Parent the id of the decision that delegated to it.
	Session string `json:"session,omitempty"`
	Purpose string `json:"purpose,omitempty"`
	Parent  string `json:"parent,omitempty"`
	// Channel is the enforcement point: "mcp", "authzen", "hook" or "management".
	Channel string `json:"channel"`
	// Method is the protocol's own name of the request, such as tools/call.
	Method string `json:"method,omitempty"`
	// Action and Resource are what was asked, in the words of the policy.
	Action   string  `json:"action,omitempty"`
	Resource *Object `json:"resource,omitempty"`
	// Verdict, Reasons, Faults and Obligations are the decision; a refusal that
	// needed no policy has a Cause instead of reasons.
	Verdict     authz.Verdict      `json:"verdict"`
	Reasons     []authz.Reason     `json:"reasons,omitempty"`
	Faults      []authz.Fault      `json:"faults,omitempty"`
	Obligations []authz.Obligation `json:"obligations,omitempty"`
	Cause       string             `json:"cause,omitempty"`
	// Approval is the id of the approval that a held call waits for, or that
	// released an allowed one.
	Approval string `json:"approval,omitempty"`
	// Count is how many like refusals this one stands for when they came
	// faster than they are recorded; 0 and 1 both mean one.
	Count uint64 `json:"count,omitempty"`
	// Policy is the digest of the policy set that decided; Pin the digest of
	// the tool's definition (RFC 8785) at the time.
	Policy string `json:"policy,omitempty"`
	Pin    string `json:"pin,omitempty"`
	// Input and Facts are salted digests of the arguments and of everything
	// else that the decision was made from.
	Input string `json:"input,omitempty"`
	Facts string `json:"facts,omitempty"`
}

// Status is how a decided action ended.
type Status string

const (
	// Succeeded: the upstream answered with a result that does not say it failed.
	Succeeded Status = "succeeded"
	// Failed: the upstream answered with an error or a result marked as one.
	Failed Status = "failed"
	// TimedOut: no answer came before the deadline; the action may have happened.
	TimedOut Status = "timed_out"
	// Cancelled: the caller gave up; the action may have happened.
	Cancelled Status = "cancelled"
	// Undelivered: the upstream could not be reached or broke off, or its answer was unusable.
	Undelivered Status = "undelivered"
	// Unreported: the caller that was to report the outcome did not do so in time.
	Unreported Status = "unreported"
	// Unknown: the process ended before the outcome was recorded.
	Unknown Status = "unknown"
)

// Outcome is the body of an outcome.
type Outcome struct {
	ID       string `json:"id"`
	Decision string `json:"decision"` // the id of the decision that it closes
	Status   Status `json:"status"`
	// Detail says in a sentence what went wrong; it never holds content.
	Detail string `json:"detail,omitempty"`
	// Result is the salted digest of what came back, Bytes its size.
	Result string `json:"result,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	// Labels are what the run carries from then on, because it read the result;
	// sorted.
	Labels []string `json:"labels,omitempty"`
	// Micros is the time from the decision's commit to the outcome, in microseconds.
	Micros int64 `json:"micros"`
}

// Event is the body of an event.
type Event struct {
	ID     string `json:"id"`
	Actor  Party  `json:"actor"`
	Name   string `json:"name"` // such as "policy.activated"
	Object Object `json:"object"`
	// Decision is the id of the receipt of the decision that let the actor do it;
	// empty for what the system does by itself.
	Decision string `json:"decision,omitempty"`
	// Detail is what changed, a JSON object; it holds no personal data and no secret.
	Detail json.RawMessage `json:"detail,omitempty"`
	// Input is the salted digest of content that the change is about, such as a
	// user's prompt.
	Input string `json:"input,omitempty"`
}

// Salt hides a payload behind its digest: without it, a short payload could be
// guessed from the log.
type Salt [32]byte

// Digest is the salted digest of a payload, SHA-256(salt ‖ payload), as it
// stands in a body: "sha256:" and hexadecimal.
func (s Salt) Digest(payload []byte) string {
	h := sha256.New()
	h.Write(s[:])
	h.Write(payload)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
