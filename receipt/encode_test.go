package receipt_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"aims/authz"
	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// decodeBody reads the body of any kind of leaf.
func decodeBody(kind receipt.Kind, body []byte) (any, error) {
	switch kind {
	case receipt.OutcomeKind:
		return receipt.DecodeOutcome(body)
	case receipt.EventKind:
		return receipt.DecodeEvent(body)
	}
	return receipt.DecodeDecision(kind, body)
}

func genBody(t *rapid.T) (receipt.Kind, any) {
	kind := rapid.SampledFrom([]receipt.Kind{
		receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind, receipt.EventKind,
	}).Draw(t, "kind")
	switch kind {
	case receipt.OutcomeKind:
		o := genOutcome.Draw(t, "outcome")
		return kind, &o
	case receipt.EventKind:
		e := genEvent.Draw(t, "event")
		return kind, &e
	}
	d := genDecision(kind).Draw(t, "decision")
	return kind, &d
}

func TestBodyIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, body := genBody(t)
		encoded, err := receipt.Encode(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBody(kind, encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if diff := cmp.Diff(body, got, cmpopts.EquateEmpty(), sameJSON); diff != "" {
			t.Fatalf("%s\nread back differently: %s", encoded, diff)
		}
		again, err := receipt.Encode(got)
		if err != nil || !bytes.Equal(again, encoded) {
			t.Fatalf("%s\nwas written again as %s, %v", encoded, again, err)
		}
	})
}

// sameJSON compares an event's detail by its content.
var sameJSON = cmp.FilterValues(func(a, b json.RawMessage) bool { return len(a) > 0 && len(b) > 0 },
	cmp.Transformer("json", func(raw json.RawMessage) any {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err.Error()
		}
		return v
	}))

// TestOneForm pins the escapes of a string. A change in encoding/json would
// make old logs unreadable; then this test, not an auditor, must find it.
func TestOneForm(t *testing.T) {
	var controls strings.Builder
	for c := range rune(0x20) {
		controls.WriteRune(c)
	}
	body := receipt.Outcome{
		ID: id(1), Decision: id(2), Status: receipt.Failed, Micros: 7,
		Detail: controls.String() + `"\/<>&` + "\u007f\u2028\u2029é\U0001F600",
	}
	const want = `{"id":"rcp_00000000-0000-7000-8000-000000000001","decision":"rcp_00000000-0000-7000-8000-000000000002","status":"failed",` +
		`"detail":"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f` +
		`\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f` +
		`\"\\/\u003c\u003e\u0026` + "\u007f" + `\u2028\u2029é😀","micros":7}`
	got, err := receipt.Encode(body)
	if err != nil || string(got) != want {
		t.Errorf("Encode gives\n%s, %v, want\n%s", got, err, want)
	}
}

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func decision() receipt.Decision {
	return receipt.Decision{
		ID: id(1), Actor: &receipt.Party{Type: "agent", ID: "billing"}, Session: "s", Channel: "mcp", Method: "tools/call",
		Purpose: "invoices", Parent: id(9), Approval: "apr_1", Action: "payments___transfer", Resource: &receipt.Object{Type: "McpServer", ID: "payments"}, Verdict: authz.Allow,
		Reasons: []authz.Reason{{Policy: "p", Effect: "permit"}}, Policy: digest, Pin: digest, Input: digest, Facts: digest,
	}
}

func refusal() receipt.Decision {
	d := decision()
	d.Verdict, d.Cause, d.Count = authz.Deny, "no key", 3
	return d
}

func outcome() receipt.Outcome {
	return receipt.Outcome{ID: id(2), Decision: id(1), Status: receipt.Succeeded, Result: digest, Bytes: 10, Labels: []string{"confidential", "untrusted"}, Micros: 20}
}

func event() receipt.Event {
	return receipt.Event{ID: id(3), Actor: receipt.Party{Type: "person", ID: "ada"}, Name: "policy.activated",
		Object: receipt.Object{Type: "policy", ID: digest}, Decision: id(1), Detail: json.RawMessage(`{"from":{"a":1},"to":{"a":[{"a":2}]}}`), Input: digest}
}

func encode(t testing.TB, body any) string {
	t.Helper()
	b, err := receipt.Encode(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDecodeRefuses edits a valid body in one place each.
func TestDecodeRefuses(t *testing.T) {
	bodies := map[receipt.Kind]string{
		receipt.DecisionKind: encode(t, decision()),
		receipt.RefusalKind:  encode(t, refusal()),
		receipt.OutcomeKind:  encode(t, outcome()),
		receipt.EventKind:    encode(t, event()),
	}
	for kind, body := range bodies {
		if _, err := decodeBody(kind, []byte(body)); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	for _, c := range []struct {
		name     string
		kind     receipt.Kind
		old, new string
	}{
		{"unknown field", receipt.OutcomeKind, `"micros":20`, `"micros":20,"note":"x"`},
		{"unknown field within", receipt.DecisionKind, `"type":"agent"`, `"type":"agent","name":"x"`},
		{"duplicate field", receipt.OutcomeKind, `"status":"succeeded"`, `"status":"failed","status":"succeeded"`},
		{"duplicate field within", receipt.DecisionKind, `"type":"agent"`, `"type":"agent","type":"agent"`},
		{"duplicate key in a detail", receipt.EventKind, `"from":{"a":1}`, `"from":{"a":1,"a":1}`},
		{"duplicate key deep in a detail", receipt.EventKind, `[{"a":2}]`, `[{"a":2,"a":3}]`},
		{"duplicate key by another escape", receipt.EventKind, `"from":{"a":1}`, `"from":{"a":1,"\u0061":1}`},
		{"detail that is no object", receipt.EventKind, `{"from":{"a":1},"to":{"a":[{"a":2}]}}`, `7`},
		{"detail that is null", receipt.EventKind, `{"from":{"a":1},"to":{"a":[{"a":2}]}}`, `null`},
		{"other spelling", receipt.OutcomeKind, `"micros"`, `"Micros"`},
		{"escaped field name", receipt.OutcomeKind, `"micros"`, `"micro\u0073"`},
		{"escaped value", receipt.OutcomeKind, `"succeeded"`, `"succeede\u0064"`},
		{"trailing data", receipt.OutcomeKind, `"micros":20}`, `"micros":20}{}`},
		{"trailing space", receipt.OutcomeKind, `"micros":20}`, `"micros":20} `},
		{"line break", receipt.OutcomeKind, `,"micros"`, ",\n\"micros\""},
		{"other order", receipt.OutcomeKind, `"result":"` + digest + `","bytes":10`, `"bytes":10,"result":"` + digest + `"`},
		{"null", receipt.DecisionKind, `"session":"s"`, `"session":null`},
		{"empty field", receipt.DecisionKind, `"session":"s"`, `"session":""`},
		{"invalid UTF-8", receipt.DecisionKind, `"session":"s"`, "\"session\":\"\xff\""},
		{"cut off", receipt.OutcomeKind, `"micros":20}`, `"micros":20`},
		{"nothing", receipt.OutcomeKind, bodies[receipt.OutcomeKind], ``},
		{"id of another version", receipt.OutcomeKind, `"id":"rcp_00000000-0000-7`, `"id":"rcp_00000000-0000-4`},
		{"id of another variant", receipt.OutcomeKind, `-7000-8000-000000000002"`, `-7000-c000-000000000002"`},
		{"id with another prefix", receipt.OutcomeKind, `"id":"rcp_`, `"id":"key_`},
		{"id in upper case", receipt.OutcomeKind, `000000000002"`, `00000000000A"`},
		{"no decision", receipt.OutcomeKind, id(1), ``},
		{"unknown status", receipt.OutcomeKind, `"succeeded"`, `"done"`},
		{"negative bytes", receipt.OutcomeKind, `"bytes":10`, `"bytes":-10`},
		{"negative time", receipt.OutcomeKind, `"micros":20`, `"micros":-20`},
		{"labels out of order", receipt.OutcomeKind, `"confidential","untrusted"`, `"untrusted","confidential"`},
		{"label there twice", receipt.OutcomeKind, `"confidential"`, `"untrusted"`},
		{"label that is empty", receipt.OutcomeKind, `"confidential"`, `""`},
		{"parent that is no receipt", receipt.DecisionKind, `"parent":"rcp_`, `"parent":"apr_`},
		{"content by another digest", receipt.EventKind, `"input":"sha256`, `"input":"sha512`},
		{"fraction", receipt.OutcomeKind, `"micros":20`, `"micros":20.0`},
		{"short digest", receipt.OutcomeKind, digest, digest[:70]},
		{"digest in upper case", receipt.OutcomeKind, digest, strings.ToUpper(digest)},
		{"digest of another kind", receipt.OutcomeKind, digest, "sha512" + digest[6:]},
		{"digest that is none", receipt.OutcomeKind, digest, digest[:70] + "g"},
		{"unknown verdict", receipt.DecisionKind, `"allow"`, `"allowed"`},
		{"refusal as decision", receipt.DecisionKind, `"allow"`, `"deny"`},
		{"decision as refusal", receipt.RefusalKind, `"deny"`, `"allow"`},
		{"unknown channel", receipt.DecisionKind, `"mcp"`, `"smtp"`},
		{"unknown effect", receipt.DecisionKind, `"permit"`, `"grant"`},
		{"unknown actor", receipt.DecisionKind, `"agent"`, `"robot"`},
		{"nameless actor", receipt.EventKind, `"ada"`, `""`},
		{"decision by nobody", receipt.DecisionKind, `"actor":{"type":"agent","id":"billing"},`, ``},
		{"decision by no policy", receipt.DecisionKind, `"policy":"` + digest + `",`, ``},
		{"nameless event", receipt.EventKind, `"policy.activated"`, `""`},
		{"event with a sentence for a name", receipt.EventKind, `"policy.activated"`, `"a policy"`},
		{"event about nothing", receipt.EventKind, `"type":"policy"`, `"type":""`},
	} {
		edited := strings.Replace(bodies[c.kind], c.old, c.new, 1)
		if edited == bodies[c.kind] {
			t.Fatalf("%s: the edit changes nothing", c.name)
		}
		if _, err := decodeBody(c.kind, []byte(edited)); err == nil {
			t.Errorf("%s: %s was read", c.name, edited)
		}
	}
}

// TestEncodeRefuses asserts that what no verifier would accept is not written.
func TestEncodeRefuses(t *testing.T) {
	d, o, e := decision(), outcome(), event()
	d.Verdict, o.Status, e.Detail = "maybe", "", json.RawMessage(`[]`)
	for _, body := range []any{d, &d, o, &o, e, &e, nil, "text", map[string]any{}} {
		if b, err := receipt.Encode(body); err == nil {
			t.Errorf("Encode(%v) = %s", reflect.TypeOf(body), b)
		}
	}
}

func FuzzDecodeBody(f *testing.F) {
	kinds := []receipt.Kind{receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind, receipt.EventKind}
	for i, body := range []any{decision(), refusal(), outcome(), event()} {
		f.Add(uint8(i), []byte(encode(f, body)))
		f.Add(uint8(i), []byte("{}"))
	}
	f.Add(uint8(3), bytes.Repeat([]byte("["), 1000))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		decoded, err := decodeBody(kinds[int(kind)%len(kinds)], body)
		if err != nil {
			return
		}
		again, err := receipt.Encode(decoded)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("%q was written again as %q, %v", body, again, err)
		}
	})
}
