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
	payloads bool // the Source has payloads
	erased   erasures
	policies *policyCache // nil when decisions are not re-performed
}

// examine reads the body of one entry. Its error is the Source's failure to read.
func (x *deepExaminer) examine(ctx context.Context, f *findings, at uint64, h scanned, kept []Payload) error {
	f.tallies[bodyCheck].population++
	var err error
	switch h.kind {
	case DecisionKind, RefusalKind:
		var d *Decision
		if d, err = DecodeDecision(h.kind, h.body); err == nil {
			x.identify(f, h.kind, d.ID)
			err = x.decision(ctx, f, at, d, kept)
			return err
		}
	case OutcomeKind:
		var o *Outcome
		if o, err = DecodeOutcome(h.body); err == nil {
			x.identify(f, h.kind, o.Decision)
			x.content(f, at, kept, ResultPayload, o.Result)
			return nil
		}
	case EventKind:
		var e *Event
		if e, err = DecodeEvent(h.body); err == nil {
			_, erases, wrong := e.erasure(at)
			if wrong != nil {
				err = fmt.Errorf("detail: %w", wrong)
			} else if erases {
				f.erased += maphash.Bytes(x.seed, h.body)
			}
			x.content(f, at, kept)
		}
	}
	if err != nil {
		f.except(bodyCheck, entryPlace(at), "its body is not one that an installation writes: %s", shorten(err))
	}
	return nil
}

// identify gives the entry's link the decision's id, as a number that differs
// for different ids.
func (x *deepExaminer) identify(f *findings, kind Kind, id string) {
	if kind == DecisionKind || kind == OutcomeKind {
		f.links[len(f.links)-1].id = maphash.String(x.seed, id) | 1 // 0 says that it is not known
	}
}

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
