package receipt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode"

	"aims/authz"
)

// deepExaminer reads what the integrity pass leaves alone: bodies, payloads
// and, where everything that a decision was made from is kept, the decision.
type deepExaminer struct {
	seed     maphash.Seed
	payloads bool   // the Source has payloads
	from     uint64 // the first entry of which it has all of them
	erased   erasures
	policies *policyCache // nil when decisions are not re-performed
}

// examine reads the body of one entry and returns a number that stands for the
// id of the decision that it is or closes; 0 when that is not known. Its error
// is the Source's failure to read.
func (x *deepExaminer) examine(ctx context.Context, f *findings, at uint64, h *scanned, kept []Payload) (id uint32, err error) {
	f.tallies[bodyCheck].population++
	var wrong error
	switch h.kind {
	case DecisionKind, RefusalKind:
		var d *Decision
		if d, wrong = DecodeDecision(h.kind, h.body); wrong == nil {
			return x.identify(d.ID), x.decision(ctx, f, at, d, kept)
		}
	case OutcomeKind:
		var o *Outcome
		if o, wrong = DecodeOutcome(h.body); wrong == nil {
			x.content(f, at, kept, ResultPayload, o.Result)
			return x.identify(o.Decision), nil
		}
	case EventKind:
		wrong = x.event(f, at, h.body, kept)
	}
	if wrong != nil {
		f.except(bodyCheck, entryPlace(at), "its body is not one that an installation writes: %s", shorten(wrong))
	}
	return 0, nil
}

func (x *deepExaminer) event(f *findings, at uint64, body []byte, kept []Payload) error {
	e, err := DecodeEvent(body)
	if err != nil {
		return err
	}
	x.content(f, at, kept, InputPayload, e.Input)
	_, erases, err := e.erasure(at)
	if err != nil {
		return fmt.Errorf("detail: %w", err)
	}
	if erases {
		f.erased += maphash.Bytes(x.seed, body)
	}
	return nil
}

// identify gives an id as a number that differs for different ids, but for
// one pair in two thousand million, which nobody can choose.
func (x *deepExaminer) identify(id string) uint32 { return uint32(maphash.String(x.seed, id)) | 1 }

// content compares an entry's payloads with the digests in its receipt, given
// as pairs of name and digest by ascending name.
func (x *deepExaminer) content(f *findings, at uint64, kept []Payload, digests ...string) {
	if !x.payloads {
		return
	}
	for i := range kept {
		p := &kept[i]
		named := false
		for j := 0; j < len(digests); j += 2 {
			named = named || p.Name == digests[j] && digests[j+1] != ""
		}
		if !named {
			f.except(payloadCheck, payloadPlace(p), "the receipt knows of no such payload")
		} else if i > 0 && p.Name == kept[i-1].Name {
			f.except(payloadCheck, payloadPlace(p), "it is there twice")
		}
	}
	for j := 0; j < len(digests); j += 2 {
		if digests[j+1] != "" {
			x.compare(f, at, find(kept, digests[j]), digests[j], digests[j+1])
		}
	}
}

func (x *deepExaminer) compare(f *findings, at uint64, p *Payload, name, digest string) {
	if p == nil && at < x.from {
		f.leftOut++
		return
	}
	f.tallies[payloadCheck].population++
	erased := x.erased.covers(at, name)
	switch {
	case p == nil && erased:
		f.erasedPayloads++
	case p == nil:
		f.except(payloadCheck, payloadPlace(&Payload{Index: at, Name: name}), "it is missing, and no receipt says that it was erased")
	case p.Salt.Digest(p.Data) != digest:
		f.except(payloadCheck, payloadPlace(p), "the payload or its salt is not the one that the receipt was made for")
	case erased:
		f.except(payloadCheck, payloadPlace(p), "it is still there, though a receipt says that it was erased")
	}
}

func find(kept []Payload, name string) *Payload {
	for i := range kept {
		if kept[i].Name == name {
			return &kept[i]
		}
	}
	return nil
}

// decision checks the payloads of a decision or a refusal and makes the
// decision again.
func (x *deepExaminer) decision(ctx context.Context, f *findings, at uint64, d *Decision, kept []Payload) error {
	x.content(f, at, kept, FactsPayload, d.Facts, InputPayload, d.Input)
	if d.Policy == "" || d.Facts == "" || x.policies == nil {
		return nil
	}
	f.tallies[decisionCheck].population++
	facts, input := find(kept, FactsPayload), find(kept, InputPayload)
	if facts == nil || d.Input != "" && input == nil {
		f.withoutFacts++
		return nil
	}
	set, err := x.policies.get(ctx, d.Policy)
	if errors.Is(err, ErrNotKept) {
		f.withoutPolicy++
		return nil
	}
	if err != nil {
		return err
	}
	if set.fault != "" {
		f.except(decisionCheck, entryPlace(at), "the policy set that decided it: %s", set.fault)
		return nil
	}
	var arguments []byte
	if input != nil {
		arguments = input.Data
	}
	again, err := set.decide(facts.Data, arguments)
	if err != nil {
		f.except(decisionCheck, entryPlace(at), "cannot be decided again: %s", shorten(err))
		return nil
	}
	recorded := authz.Decision{Verdict: d.Verdict, Reasons: d.Reasons, Faults: d.Faults, Obligations: d.Obligations, Policy: d.Policy}
	if difference := compareDecisions(recorded, again); difference != "" {
		f.except(decisionCheck, entryPlace(at), "%s", difference)
	}
	return nil
}

// compareDecisions says in which way the second decision is not the first.
func compareDecisions(recorded, again authz.Decision) string {
	if recorded.Verdict != again.Verdict {
		return fmt.Sprintf("recorded as %s, but its policy and facts give %s", recorded.Verdict, again.Verdict)
	}
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"reasons", recorded.Reasons, again.Reasons},
		{"faults", recorded.Faults, again.Faults},
		{"obligations", recorded.Obligations, again.Obligations},
		{"policy", recorded.Policy, again.Policy},
	} {
		a, err := json.Marshal(part.a)
		b, err2 := json.Marshal(part.b)
		if err != nil || err2 != nil || !bytes.Equal(a, b) && !(isEmpty(a) && isEmpty(b)) {
			return fmt.Sprintf("recorded with other %s than its policy and facts give", part.name)
		}
	}
	return ""
}

func isEmpty(b []byte) bool { return string(b) == "null" || string(b) == "[]" }

// shorten keeps foreign text in a report to a line of printable characters.
func shorten(err error) string {
	const limit = 200
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, err.Error())
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return strings.TrimPrefix(text, "receipt: ")
}
