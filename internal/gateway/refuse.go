package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
)

// JSON-RPC error codes beside those of JSON-RPC itself. The first block is the
// specification's (2026-07-28, error codes), the second this gateway's, from
// the range that the specification leaves to implementations.
const (
	codeHeaderMismatch     = -32020
	codeMissingCapability  = -32021
	codeUnsupportedVersion = -32022

	codeTimeout         = -32001 // no answer in time; the action may have happened
	codeRefused         = -32003 // policy refused
	codeUnavailable     = -32004 // the server or a part of the gateway cannot be used
	codeExhausted       = -32005 // a limit is reached
	codeUnauthenticated = -32006
	codeCancelled       = -32007 // given up before there was an answer
)

// fault is a request that is answered with an error.
type fault struct {
	status int // of HTTP
	code   int // of JSON-RPC
	text   string
	data   any
	// cause is what the receipt of the refusal says; empty when there is none,
	// because the request was decided or did no harm.
	cause     string
	challenge bool
	presented bool
}

func (f *fault) Error() string { return f.text }

// turnedAway is a fault in the request itself, found before anything was decided.
func turnedAway(status, code int, cause, text string) *fault {
	return &fault{status: status, code: code, cause: cause, text: text}
}

func invalidParams(text string) *fault {
	return turnedAway(http.StatusBadRequest, envelope.CodeInvalidParams, "invalid parameters", text)
}

func headerMismatch(text string) *fault {
	return turnedAway(http.StatusBadRequest, codeHeaderMismatch, "header and body disagree", text)
}

func methodNotFound(method string) *fault {
	return turnedAway(http.StatusNotFound, envelope.CodeMethodNotFound, "unknown method", "no method "+quote(method)+" here")
}

func unsupportedVersion(version string) *fault {
	f := turnedAway(http.StatusBadRequest, codeUnsupportedVersion, "unsupported protocol version", "the protocol version is not supported")
	f.data = map[string]any{"supported": versions(), "requested": version}
	return f
}

func invalidState() *fault {
	return turnedAway(http.StatusBadRequest, envelope.CodeInvalidParams, "invalid request state",
		"the requestState is not valid for this request, was used before, or has expired")
}

func exhausted(text string) *fault {
	return turnedAway(http.StatusTooManyRequests, codeExhausted, "too many requests at a time", text)
}

// versions are the protocol versions that agents may speak, newest first.
func versions() []string { return append([]string{upstream.Modern}, upstream.LegacyVersions()...) }

// maxQuoted bounds what of a caller's text is repeated to it.
const maxQuoted = 128

func quote(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return string(envelope.AppendString(nil, s))
}

// malformed is the fault for a message that could not be read.
func malformed(err error) *fault {
	var f *envelope.Fault
	if !errors.As(err, &f) {
		return turnedAway(http.StatusBadRequest, envelope.CodeParse, "malformed message", "the message cannot be read")
	}
	causes := map[envelope.Cause]string{
		envelope.NotJSON: "not JSON", envelope.Malformed: "malformed message", envelope.Batch: "batch",
		envelope.TooDeep: "nested too deep", envelope.TooLarge: "too large",
	}
	status := http.StatusBadRequest
	if f.Cause == envelope.TooLarge {
		status = http.StatusRequestEntityTooLarge
	}
	return turnedAway(status, f.Code(), causes[f.Cause], f.Error())
}

// fromError turns any error into the fault that the agent may see.
func fromError(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	code, text := aims.Public(err)
	switch code {
	case aims.Invalid:
		return &fault{status: http.StatusBadRequest, code: envelope.CodeInvalidParams, text: text}
	case aims.Unauthenticated:
		return &fault{status: http.StatusUnauthorized, code: codeUnauthenticated, text: text, challenge: true}
	case aims.Denied:
		return &fault{status: http.StatusOK, code: codeRefused, text: text}
	case aims.Timeout:
		return &fault{status: http.StatusOK, code: codeTimeout, text: text}
	case aims.Unavailable, aims.Conflict:
		return &fault{status: http.StatusOK, code: codeUnavailable, text: text}
	case aims.Exhausted:
		return &fault{status: http.StatusTooManyRequests, code: codeExhausted, text: text}
	case aims.NotFound:
		return &fault{status: http.StatusOK, code: envelope.CodeInvalidParams, text: text}
	}
	return &fault{status: http.StatusOK, code: envelope.CodeInternal, text: text}
}

// refusal is what an agent learns of a decision against it.
type refusal struct {
	Verdict authz.Verdict `json:"verdict"`
	Reasons []reason      `json:"reasons"`
	// Approval is what a held call waits for.
	Approval string `json:"approval,omitempty"`
}

type reason struct {
	Policy string `json:"policy,omitempty"`
	Text   string `json:"text,omitempty"`
	Hold   string `json:"hold,omitempty"`
}

func refusalOf(r enforcement.Ruling) refusal {
	out := refusal{Verdict: r.Verdict, Reasons: []reason{}, Approval: r.Approval}
	if r.Cause != "" {
		out.Reasons = append(out.Reasons, reason{Text: r.Cause})
	}
	for _, why := range r.Reasons {
		out.Reasons = append(out.Reasons, reason{Policy: why.Policy, Text: why.Text, Hold: why.Hold})
	}
	for _, f := range r.Faults {
		out.Reasons = append(out.Reasons, reason{Policy: f.Policy, Text: "the policy could not be evaluated on this request"})
	}
	return out
}

// sentence is the refusal in words, for a model to read.
func (r refusal) sentence(receipt string) string {
	var b strings.Builder
	if r.Verdict == authz.Hold {
		b.WriteString("This request is held: it was not executed, and somebody has to release it first.")
	} else {
		b.WriteString("This request was refused and not executed.")
	}
	said := map[string]bool{}
	for _, why := range r.Reasons {
		text := why.Text
		if text == "" {
			text = "policy " + why.Policy
		}
		if why.Hold != "" {
			text = strings.TrimSuffix(text, ".") + " (can be released by the role " + why.Hold + ")"
		}
		if !said[text] {
			said[text] = true
			b.WriteString(" Reason: " + strings.TrimSuffix(text, ".") + ".")
		}
	}
	if len(r.Reasons) == 0 {
		b.WriteString(" Reason: no policy permits it.")
	}
	if r.Approval != "" {
		b.WriteString(" Approval " + r.Approval + " was asked for: when it is granted, make the same call again.")
	}
	b.WriteString(" Receipt " + receipt + ".")
	return b.String()
}

// refused answers a request that was decided against. A tool call gets a
// result, so that the model sees why; everything else an error.
func (x *exchange) refused(r enforcement.Ruling) error {
	why := refusalOf(r)
	if x.method != "tools/call" {
		return &fault{status: http.StatusOK, code: codeRefused, text: why.sentence(r.Receipt), data: struct {
			Receipt string `json:"receipt"`
			refusal
		}{r.Receipt, why}}
	}
	return x.refuseCall(why.sentence(r.Receipt), r.Receipt, why)
}

// refuseCall answers a tool call that is not executed.
func (x *exchange) refuseCall(text, receipt string, why refusal) error {
	result := map[string]any{
		"content": []map[string]string{{"type": "text", "text": text}},
		"isError": true,
		"_meta":   map[string]any{metaReceipt: receipt, metaRefusal: why},
	}
	if x.client.modern() {
		result["resultType"] = "complete"
	}
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return x.reply(b)
}

// fail answers with an error, after recording a refusal that was not decided.
func (x *exchange) fail(ctx context.Context, w http.ResponseWriter, err error) {
	f := fromError(err)
	var known *fault
	if !errors.As(err, &known) {
		x.g.Log.Warn("a request failed", "method", x.method, "error", err)
	}
	data := f.data
	if f.cause != "" {
		if receipt := x.turnAway(ctx, f.cause); receipt != "" && data == nil {
			data = map[string]string{"receipt": receipt}
		}
	}
	if f.challenge {
		w.Header().Set("WWW-Authenticate", x.challenge(f.presented))
	}
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	var raw []byte
	if data != nil {
		if raw, err = json.Marshal(data); err != nil {
			x.g.Log.Error("an error's data cannot be encoded", "error", err)
		}
	}
	var id []byte
	if x.msg != nil {
		id = x.msg.Bytes(envelope.ID)
	}
	status := f.status
	if x.sess != nil && (f.code == envelope.CodeMethodNotFound || f.code == envelope.CodeInvalidParams) {
		// In a session, 404 says that the session is gone, and of 400 clients
		// show the number and not the sentence.
		status = http.StatusOK
	}
	if err := x.out.finish(status, false, envelope.EncodeError(id, f.code, f.text, raw)); err != nil {
		x.g.Log.Debug("an error could not be sent", "error", err)
	}
}

// turnAway records that a request was refused before it could be decided.
func (x *exchange) turnAway(ctx context.Context, cause string) string {
	remote, _, err := net.SplitHostPort(x.remote)
	if err != nil {
		remote = x.remote
	}
	r := enforcement.Refusal{Remote: remote, Channel: enforcement.MCP, Cause: cause}
	if x.known() {
		r.Principal = &x.principal
	}
	// What an unknown caller calls its method is its own text.
	if isKnownMethod(x.method) || x.g.isExtension(x.method) {
		r.Method = x.method
	}
	return x.g.Enforcer.Refuse(context.WithoutCancel(ctx), r)
}
