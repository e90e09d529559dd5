package policy

import (
	"encoding/json"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/pdp"
	"aims/receipt"
)

// bundleObject is the type of a bundle as the object of a receipt; its id is
// the digest.
const bundleObject = "policy_bundle"

// activationDetail is what the receipt of an activation or a rollback says.
// The object of the receipt is the set, as receipts of decisions name it.
type activationDetail struct {
	Before       string `json:"before,omitempty"`
	Bundle       string `json:"bundle"`
	BundleBefore string `json:"bundle_before,omitempty"`
	Environment  string `json:"environment"`
	// Cause is why the same bundle became another set.
	Cause  string       `json:"cause,omitempty"`
	Schema string       `json:"schema"` // digest of its text
	Files  []fileDetail `json:"files"`
	// Count is the number of files: a long list is cut.
	Count int `json:"count"`
}

type publicationDetail struct {
	Name  string       `json:"name,omitempty"`
	Set   string       `json:"set"` // digest of the set that was tested
	Tests int          `json:"tests"`
	Files []fileDetail `json:"files"`
	Count int          `json:"count"`
}

type fileDetail struct {
	Name string `json:"name"`
	Text string `json:"text"` // digest
}

// maxDetailed bounds a list in a receipt, which has at most 64 KiB; a digest
// covers all.
const maxDetailed = 100

func (c change) entry(done Activation, bundleBefore string, set *pdp.Set) (ledger.Entry, error) {
	sources := set.Sources()
	detail := activationDetail{
		Before: done.Before, Bundle: done.Bundle, BundleBefore: bundleBefore, Environment: done.Environment,
		Cause: c.cause, Schema: textDigest(set.Schema()), Count: len(sources),
	}
	for _, s := range sources[:min(len(sources), maxDetailed)] {
		detail.Files = append(detail.Files, fileDetail{Name: s.Name, Text: textDigest(s.Text)})
	}
	name := "policy.activated"
	if c.back != nil {
		name = "policy.rolled_back"
	}
	return event(c.by, c.decision, name, receipt.Object{Type: "policy", ID: done.Digest}, detail)
}

func publishedEntry(by aims.Actor, decision string, r Reviewed) (ledger.Entry, error) {
	files := r.Bundle.Files()
	detail := publicationDetail{Name: r.Bundle.Meta.Name, Set: r.Set.Digest(), Tests: len(r.Bundle.Tests), Count: len(files)}
	for _, f := range files[:min(len(files), maxDetailed)] {
		detail.Files = append(detail.Files, fileDetail{Name: f.Name, Text: textDigest(f.Text)})
	}
	return event(by, decision, "policy.published", receipt.Object{Type: bundleObject, ID: r.Bundle.Digest}, detail)
}

// event is the entry of an event receipt.
func event(by aims.Actor, decision, name string, object receipt.Object, detail any) (ledger.Entry, error) {
	e := receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(by), Name: name, Decision: decision, Object: object}
	if detail != nil {
		var err error
		if e.Detail, err = json.Marshal(detail); err != nil {
			return ledger.Entry{}, err
		}
	}
	body, err := receipt.Encode(e)
	return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
}
