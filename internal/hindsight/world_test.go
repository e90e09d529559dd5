package hindsight_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/hindsight"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/pdp"
	"aims/receipt"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

var catalog = pdp.Catalog{Tools: []pdp.Tool{
	{Server: "desk", Name: "pay", InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":"string"},"memo":{"type":"string"},"urgent":{"type":"boolean"},"copies":{"type":"integer"}},"required":["amount","to"]}`)},
	{Server: "files", Name: "read", InputSchema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`)},
}}

const policies = `
@id("pay") @reason("payments") permit (principal is Agent, action == Action::"desk___pay", resource == McpServer::"desk");
@id("read") @reason("reading") permit (principal is Agent, action == Action::"files___read", resource);
@id("much") @reason("too much") forbid (principal, action == Action::"desk___pay", resource)
when { context.input.amount.greaterThan(decimal("500.0")) };
@id("idle") @reason("never used") forbid (principal is Person, action in Action::"call_tool", resource);
`

func compile(t testing.TB, text string) *pdp.Set {
	t.Helper()
	schema, _, err := pdp.GenerateSchema(catalog)
	if err != nil {
		t.Fatal(err)
	}
	set, err := pdp.Compile([]pdp.Source{{Name: "p.cedar", Text: []byte(text)}}, schema)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// log is a real ledger in which calls are recorded as enforcement records them.
type log struct {
	*ledger.Ledger
	t     testing.TB
	db    *store.DB
	set   *pdp.Set
	clock *ledgertest.Clock
}

func newLog(t testing.TB, set *pdp.Set) *log {
	t.Helper()
	made := ledgertest.NewAt(t, storetest.SQLite(t), ledgertest.NewClock(november(1)))
	l := &log{Ledger: made.Ledger, t: t, set: set, db: made.DB, clock: made.Clock}
	t.Cleanup(func() {
		if err := l.Ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func november(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }

func (l *log) day(n int) { l.clock.Set(november(n)) }

// spoken is a call that an agent makes.
type spoken struct {
	agent, session, purpose, action, input string
	sink                                   string // an argument that is one
	vouched                                bool   // and came from the user
	status                                 receipt.Status
	erased                                 bool
}

func (l *log) request(s spoken) (cedar.Request, types.EntityMap) {
	agent := cedar.NewEntityUID("Agent", types.String(s.agent))
	server := cedar.NewEntityUID("McpServer", "desk")
	if s.action == "files___read" {
		server = cedar.NewEntityUID("McpServer", "files")
	}
	sets := types.RecordMap{}
	for _, name := range []types.String{"all", "user", "trusted", "used", "known", "host", "named", "untrusted", "made_up"} {
		sets[name] = types.Set{}
	}
	provenance := types.RecordMap{}
	if s.sink != "" {
		class := "untrusted"
		if s.vouched {
			class = "user"
		}
		one := types.NewSet(types.String("recipient"))
		sets["all"], sets[types.String(class)] = one, one
		provenance[types.String(s.sink)] = types.NewRecord(types.RecordMap{
			"class": types.String(class), "user": types.Boolean(s.vouched), "result": types.Boolean(!s.vouched), "trusted": types.False, "used": types.False, "made_up": types.False,
			"labels": types.Set{}, "sink": types.String("recipient"),
		})
	}
	return cedar.Request{
			Principal: agent, Action: cedar.NewEntityUID("Action", types.String(s.action)), Resource: server,
			Context: types.NewRecord(types.RecordMap{
				"session": types.NewRecord(types.RecordMap{
					"id": types.String(s.session), "channel": types.String("mcp"), "protocol": types.String("2026-07-28"),
					"purpose": types.String(s.purpose), "on_behalf_of": types.String(""), "depth": types.Long(0), "prompted": types.False,
					"labels": types.Set{}, "tools": types.Set{}, "calls": types.Long(0), "refusals": types.Long(0), "established": types.False,
				}),
				"tool": types.NewRecord(types.RecordMap{
					"pin": types.String(""), "quarantined": types.False, "read_only": types.False, "destructive": types.False,
					"effects": types.Set{}, "labels": types.Set{}, "new": types.False, "used": types.False, "implied": types.False, "confirms": types.False,
				}),
				"provenance": types.NewRecord(provenance), "sinks": types.NewRecord(sets), "budget": types.Record{},
			}),
		}, types.EntityMap{
			agent:  {UID: agent, Attributes: types.NewRecord(types.RecordMap{"stage": types.String(""), "suspended": types.False, "operator": types.String("")})},
			server: {UID: server, Attributes: types.NewRecord(types.RecordMap{"stopped": types.False})},
		}
}

// call decides and records a call, and its outcome if it is allowed. It
// returns the id of its receipt.
func (l *log) call(s spoken) string {
	l.t.Helper()
	req, entities := l.request(s)
	facts, err := pdp.EncodeFacts(req, entities)
	if err != nil {
		l.t.Fatal(err)
	}
	complete, err := l.set.Complete(req, []byte(s.input))
	if err != nil {
		l.t.Fatal(err)
	}
	d := l.set.Decide(complete, entities)
	body := receipt.Decision{
		ID: aims.NewID("rcp"), Actor: &receipt.Party{Type: "agent", ID: s.agent}, Session: s.session, Channel: "mcp", Method: "tools/call", Action: s.action,
		Resource: &receipt.Object{Type: string(req.Resource.Type), ID: string(req.Resource.ID)}, Verdict: d.Verdict, Reasons: d.Reasons, Faults: d.Faults, Policy: d.Policy,
	}
	var salt receipt.Salt
	body.Facts, body.Input = salt.Digest(facts), salt.Digest([]byte(s.input))
	entry := ledger.Entry{Kind: receipt.DecisionKind}
	if !d.Allowed() {
		entry.Kind = receipt.RefusalKind
	}
	if !s.erased {
		entry.Payloads = []ledger.Payload{{Name: receipt.FactsPayload, Salt: salt, Data: facts}, {Name: receipt.InputPayload, Salt: salt, Data: []byte(s.input)}}
	}
	ref := l.append(entry, &body)
	if d.Allowed() {
		status := s.status
		if status == "" {
			status = receipt.Succeeded
		}
		l.append(ledger.Entry{Kind: receipt.OutcomeKind, Closes: ref.Index}, &receipt.Outcome{ID: aims.NewID("rcp"), Decision: body.ID, Status: status})
	}
	return body.ID
}

func (l *log) append(e ledger.Entry, body any) ledger.Ref {
	l.t.Helper()
	var err error
	if e.Body, err = receipt.Encode(body); err != nil {
		l.t.Fatal(err)
	}
	ref, err := l.Append(l.t.Context(), e)
	if err != nil {
		l.t.Fatal(err)
	}
	return ref
}

func (l *log) stretch() hindsight.Stretch {
	l.t.Helper()
	src, err := l.Source(l.t.Context(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return hindsight.Stretch{Source: src}
}

func paying(amount, to string) spoken {
	return spoken{agent: "billing", session: "s-1", purpose: "invoices", action: "desk___pay", input: fmt.Sprintf(`{"amount":%s,"to":%q}`, amount, to)}
}

func verdicts(changes []hindsight.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %s→%s %v %s", c.Action, c.Before, c.After, c.Rules, c.Cause))
	}
	return out
}
