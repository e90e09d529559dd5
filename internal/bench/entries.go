package bench

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// entries makes the receipts of tool calls as the gateway makes them: a
// decision with its input and facts, and an outcome with its result.
type entries struct {
	policy string // digest of the policy set that decided
	pin    string
}

func newEntries() entries {
	return entries{
		policy: receipt.Salt{}.Digest([]byte("policy")),
		pin:    receipt.Salt{}.Digest([]byte("pin")),
	}
}

func payload(name string, data []byte) (ledger.Payload, string) {
	p := ledger.Payload{Name: name, Data: data}
	rand.Read(p.Salt[:])
	return p, p.Salt.Digest(data)
}

// decision is the receipt of the n-th allowed call, and its id.
func (e entries) decision(n int) (ledger.Entry, string, error) {
	input, inputDigest := payload(receipt.InputPayload, fmt.Appendf(nil, `{"to":"supplier-%d","amount":%d.25}`, n%50, n%400))
	facts, factsDigest := payload(receipt.FactsPayload, fmt.Appendf(nil, factsFormat, e.pin, n%1000))
	id := aims.NewID("rcp")
	body, err := receipt.Encode(&receipt.Decision{
		ID:       id,
		Actor:    &receipt.Party{Type: aims.AgentType, ID: agentID},
		Session:  fmt.Sprintf("session-%d", n%1000),
		Channel:  "mcp",
		Method:   "tools/call",
		Action:   action(0),
		Resource: &receipt.Object{Type: "McpServer", ID: server},
		Verdict:  authz.Allow,
		Reasons: []authz.Reason{{
			Policy: "role-0 transfer_funds", Effect: "permit",
			Text: "role-0 may move less than 500", Controls: []string{"A.9.2"},
		}},
		Policy: e.policy,
		Pin:    e.pin,
		Input:  inputDigest,
		Facts:  factsDigest,
	})
	return ledger.Entry{Kind: receipt.DecisionKind, Body: body, Payloads: []ledger.Payload{facts, input}}, id, err
}

// factsFormat is what a decision was made from beside the input, in the form
// of pdp.EncodeFacts.
const factsFormat = `{"action":{"id":"payments___transfer_funds","type":"Action"},` +
	`"context":{"session":{"channel":"mcp","id":"session-%[2]d","protocol":"2026-07-28"},"tool":{"destructive":false,"pin":"%[1]s","quarantined":false,"read_only":false}},` +
	`"entities":[{"attrs":{},"parents":[{"id":"role-0","type":"Role"}],"uid":{"id":"billing","type":"Agent"}}],` +
	`"principal":{"id":"billing","type":"Agent"},"resource":{"id":"payments","type":"McpServer"}}`

// outcome is the receipt of what came of a decision.
func (e entries) outcome(n int, closes uint64, decision string) (ledger.Entry, error) {
	text, err := json.Marshal(fmt.Sprintf("%d.25 EUR transferred to supplier-%d", n%400, n%50))
	if err != nil {
		return ledger.Entry{}, err
	}
	data := fmt.Appendf(nil, `{"content":[{"type":"text","text":%s}],"resultType":"complete"}`, text)
	result, digest := payload(receipt.ResultPayload, data)
	body, err := receipt.Encode(&receipt.Outcome{
		ID:       aims.NewID("rcp"),
		Decision: decision,
		Status:   receipt.Succeeded,
		Result:   digest,
		Bytes:    int64(len(data)),
		Micros:   int64(400 + n%300),
	})
	return ledger.Entry{Kind: receipt.OutcomeKind, Closes: closes, Body: body, Payloads: []ledger.Payload{result}}, err
}

// record is the bytes that an entry adds to a log, in any log: what a bare one
// has to write to hold the same.
func record(e ledger.Entry) []byte {
	const header = 94 // a leaf's first line (receipt.AppendLeaf)
	var b bytes.Buffer
	b.Write(make([]byte, header))
	b.Write(e.Body)
	for _, p := range e.Payloads {
		b.Write(p.Salt[:])
		b.Write(p.Data)
	}
	return b.Bytes()
}
