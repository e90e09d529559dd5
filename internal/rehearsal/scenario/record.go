package scenario

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"

	"aims/internal/aims"
	"aims/internal/assessment"
	"aims/internal/ledger"
	"aims/receipt"
)

// recorded is what the receipt of a rehearsal says; the report lies beside it.
type recorded struct {
	// Policy is the digest of the set in force, as receipts of decisions name it.
	Policy     string `json:"policy,omitempty"`
	Library    string `json:"library"`
	Scenarios  int    `json:"scenarios"`
	AsExpected int    `json:"as_expected"`
	Attacks    int    `json:"attacks"`
	Stopped    int    `json:"stopped"`
	// Categories are the OWASP ids that the scenarios covered; Scenario says of
	// each whether it ended as expected.
	Categories []string        `json:"categories"`
	Scenario   map[string]bool `json:"scenario"`
	// Threats is what is left of each.
	Threats map[string]assessment.Level `json:"threats"`
}

// Record appends the receipt of a rehearsal and returns its id. The next
// checkpoint signs it with all of the log. by is who had it done, decision the
// receipt that let them, policy the digest of the set in force.
func Record(ctx context.Context, log *ledger.Ledger, by aims.Actor, decision, policy string, r Report) (string, error) {
	said := recorded{
		Policy: policy, Library: r.Library, Scenarios: r.Scenarios, AsExpected: r.AsExpected, Attacks: r.Attacks, Stopped: r.Stopped,
		Categories: []string{}, Scenario: map[string]bool{}, Threats: map[string]assessment.Level{},
	}
	for _, result := range r.Results {
		said.Scenario[result.Scenario] = result.AsExpected
		if !slices.Contains(said.Categories, result.OWASP) {
			said.Categories = append(said.Categories, result.OWASP)
		}
	}
	slices.Sort(said.Categories)
	for _, left := range r.Residual {
		said.Threats[left.ID] = left.Level
	}
	detail, err := json.Marshal(said)
	if err != nil {
		return "", err
	}
	report, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	p := ledger.Payload{Name: receipt.InputPayload, Data: report}
	rand.Read(p.Salt[:]) // it never fails; without randomness the process ends
	id := aims.NewID("rcp")
	body, err := receipt.Encode(receipt.Event{
		ID: id, Actor: receipt.Party(by), Name: "rehearsal.recorded", Decision: decision,
		Object: receipt.Object{Type: "policy-bundle", ID: r.Bundle}, Detail: detail, Input: p.Salt.Digest(report),
	})
	if err != nil {
		return "", err
	}
	_, err = log.Append(ctx, ledger.Entry{Kind: receipt.EventKind, Body: body, Payloads: []ledger.Payload{p}})
	return id, err
}
