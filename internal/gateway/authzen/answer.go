package authzen

import (
	"errors"
	"strconv"
	"strings"

	"aims/authz"
	"aims/internal/aims"

	"github.com/go-json-experiment/json/jsontext"
)

// appendAnswer appends an answer as AuthZEN 1.0 has it (Access Evaluation
// Response), written by hand because it is on the path of every decision.
func appendAnswer(b []byte, a answer) []byte {
	b = append(b, `{"decision":`...)
	b = strconv.AppendBool(b, a.allowed())
	b = append(b, `,"context":{`...)
	if id := a.receipt(); id != "" {
		b = appendString(append(b, `"id":`...), id)
		b = append(b, ',')
	}
	b = appendString(append(b, `"verdict":`...), string(a.verdict()))
	if text := a.userText(); text != "" {
		b = appendString(append(b, `,"reason_user":{"en":`...), text)
		b = append(b, '}')
	}
	if text := a.adminText(); text != "" {
		b = appendString(append(b, `,"reason_admin":{"en":`...), text)
		if a.ruling.Policy != "" {
			b = appendString(append(b, `,"policy":`...), a.ruling.Policy)
		}
		b = append(b, '}')
	}
	if a.asks != nil {
		b = a.asks.append(append(b, `,"access_request":`...))
	}
	b = appendReasons(b, a.ruling.Reasons)
	b = appendObligations(b, a.ruling.Obligations)
	if a.err != nil && !decided(a) {
		b = append(b, `,"error":{"status":`...)
		b = strconv.AppendInt(b, int64(status(a.err)), 10)
		_, text := aims.Public(a.err)
		b = appendString(append(b, `,"message":`...), text)
		b = append(b, '}')
	}
	return append(b, "}}"...)
}

// receipt is the id of the receipt that records the answer.
func (a answer) receipt() string {
	var t *turned
	if errors.As(a.err, &t) {
		return t.receipt
	}
	return a.ruling.Receipt
}

// userText is what the caller's user may be told.
func (a answer) userText() string {
	if a.err != nil {
		_, text := aims.Public(a.err)
		return text
	}
	if !a.ruling.Allowed() {
		return a.ruling.Sentence()
	}
	return ""
}

// adminText names the policies behind an answer.
func (a answer) adminText() string {
	var parts []string
	var permits, forbids, faults []string
	for _, r := range a.ruling.Reasons {
		if r.Effect == "permit" {
			permits = append(permits, r.Policy)
		} else {
			forbids = append(forbids, r.Policy)
		}
	}
	for _, f := range a.ruling.Faults {
		faults = append(faults, f.Policy)
	}
	for _, p := range []struct {
		words    string
		policies []string
	}{{"permitted by ", permits}, {"forbidden by ", forbids}, {"could not be evaluated: ", faults}} {
		if len(p.policies) > 0 {
			parts = append(parts, p.words+strings.Join(p.policies, ", "))
		}
	}
	if len(parts) == 0 && a.err == nil {
		return "no policy permits it"
	}
	return strings.Join(parts, "; ")
}

func appendReasons(b []byte, reasons []authz.Reason) []byte {
	if len(reasons) == 0 {
		return b
	}
	b = append(b, `,"reasons":[`...)
	for i, r := range reasons {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"policy":`...), r.Policy)
		b = appendString(append(b, `,"effect":`...), r.Effect)
		if r.Text != "" {
			b = appendString(append(b, `,"text":`...), r.Text)
		}
		if r.Hold != "" {
			b = appendString(append(b, `,"hold":`...), r.Hold)
		}
		b = appendStrings(b, `,"controls":`, r.Controls)
		b = appendStrings(b, `,"threats":`, r.Threats)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendStrings(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(append(b, name...), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

func appendObligations(b []byte, obligations []authz.Obligation) []byte {
	if len(obligations) == 0 {
		return b
	}
	b = append(b, `,"obligations":[`...)
	for i, o := range obligations {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"type":`...), o.Type)
		b = appendString(append(b, `,"id":`...), o.ID)
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendError appends {"error":{"code","message","receipt"}}.
func appendError(b []byte, err error) []byte {
	code, text := aims.Public(err)
	b = appendString(append(b, `{"error":{"code":`...), string(code))
	b = appendString(append(b, `,"message":`...), text)
	if id := (answer{err: err}).receipt(); id != "" {
		b = appendString(append(b, `,"receipt":`...), id)
	}
	return append(b, "}}"...)
}

func appendString(b []byte, s string) []byte {
	// The only error is text that is not UTF-8, which U+FFFD has replaced by then.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
