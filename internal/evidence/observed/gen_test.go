package observed

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"aims/authz"
	"aims/receipt"

	"pgregory.net/rapid"
)

// Generators of bodies as an installation may write them, with the characters
// that JSON escapes and those that it does not.

var genText = rapid.OneOf(rapid.StringMatching(`[a-z0-9_. -]{1,12}`), rapid.StringN(1, 12, -1),
	rapid.SampledFrom([]string{"a \"quoted\" <b> & c", "über 1000 €", "\u2028", "back\\slash", "\x00\x1f\n\t", "\u007f", "\ufffd", "🙂"}))

var genMaybeText = rapid.OneOf(rapid.Just(""), genText)

var genID = rapid.Custom(func(t *rapid.T) string {
	b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("rcp_%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
})

var genDigest = rapid.Custom(func(t *rapid.T) string {
	return fmt.Sprintf("sha256:%064x", rapid.Uint64().Draw(t, "digest"))
})

var genMaybeDigest = rapid.OneOf(rapid.Just(""), genDigest)

var genReason = rapid.Custom(func(t *rapid.T) authz.Reason {
	return authz.Reason{
		Policy: genText.Draw(t, "policy"), Effect: rapid.SampledFrom([]string{"permit", "forbid"}).Draw(t, "effect"), Text: genMaybeText.Draw(t, "text"),
		Controls: rapid.SliceOfN(genMaybeText, 0, 2).Draw(t, "controls"), Threats: rapid.SliceOfN(genMaybeText, 0, 2).Draw(t, "threats"),
		Hold: genMaybeText.Draw(t, "hold"),
	}
})

func genDecision(kind receipt.Kind) *rapid.Generator[receipt.Decision] {
	return rapid.Custom(func(t *rapid.T) receipt.Decision {
		d := receipt.Decision{
			ID: genID.Draw(t, "id"), Session: genMaybeText.Draw(t, "session"), Purpose: genMaybeText.Draw(t, "purpose"),
			Parent: rapid.OneOf(rapid.Just(""), genID).Draw(t, "parent"), Approval: genMaybeText.Draw(t, "approval"),
			Channel: rapid.SampledFrom([]string{"mcp", "authzen", "hook", "management"}).Draw(t, "channel"), Method: genMaybeText.Draw(t, "method"),
			Verdict: authz.Allow, Reasons: rapid.SliceOfN(genReason, 0, 3).Draw(t, "reasons"), Pin: genMaybeDigest.Draw(t, "pin"),
			Input: genMaybeDigest.Draw(t, "input"), Facts: genMaybeDigest.Draw(t, "facts"),
		}
		if rapid.Bool().Draw(t, "fault") {
			d.Faults = []authz.Fault{{Policy: genText.Draw(t, "policy"), Effect: "forbid", Message: genMaybeText.Draw(t, "message")}}
			d.Obligations = []authz.Obligation{{Type: genText.Draw(t, "type"), ID: genMaybeText.Draw(t, "id")}}
		}
		if kind == receipt.RefusalKind {
			d.Verdict = rapid.SampledFrom([]authz.Verdict{authz.Deny, authz.Hold}).Draw(t, "verdict")
			d.Cause, d.Count = genMaybeText.Draw(t, "cause"), rapid.Uint64().Draw(t, "count")
		}
		if kind == receipt.DecisionKind || rapid.Bool().Draw(t, "known") {
			d.Actor = &receipt.Party{Type: rapid.SampledFrom([]string{"agent", "person", "system"}).Draw(t, "type"), ID: genText.Draw(t, "actor")}
			d.Action, d.Policy = genText.Draw(t, "action"), genDigest.Draw(t, "policy")
			d.Resource = &receipt.Object{Type: genText.Draw(t, "type"), ID: genText.Draw(t, "id")}
			if rapid.Bool().Draw(t, "via") {
				d.Via = &receipt.Party{Type: "system", ID: d.Actor.ID + " via"}
			}
		}
		return d
	})
}

var genOutcome = rapid.Custom(func(t *rapid.T) receipt.Outcome {
	return receipt.Outcome{
		ID: genID.Draw(t, "id"), Decision: genID.Draw(t, "decision"), Status: rapid.SampledFrom([]receipt.Status{
			receipt.Succeeded, receipt.Failed, receipt.TimedOut, receipt.Cancelled, receipt.Undelivered, receipt.Unreported, receipt.Unknown,
		}).Draw(t, "status"),
		Detail: genMaybeText.Draw(t, "detail"), Result: genMaybeDigest.Draw(t, "result"), Bytes: rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes"),
		Labels: slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(genText, 0, 3).Draw(t, "labels")))),
		Micros: rapid.Int64Range(0, math.MaxInt64).Draw(t, "micros"),
	}
})

func encode(t interface{ Fatal(...any) }, body any) []byte {
	b, err := receipt.Encode(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// written is a log in the making: framed leaves, a minute apart.
type written struct {
	t      testing.TB
	frames []byte
	ends   []int // the end of each entry
	at     time.Time
	ids    int
}

func newWritten(t testing.TB) *written {
	return &written{t: t, at: time.Date(2026, 11, 1, 23, 0, 0, 0, time.UTC)}
}

func (w *written) id() string {
	w.ids++
	return fmt.Sprintf("rcp_00000000-0000-7000-8000-%012x", w.ids)
}

func (w *written) append(kind receipt.Kind, body any) {
	leaf, err := receipt.AppendLeaf(nil, receipt.Header{Kind: kind, Index: uint64(len(w.ends)), Time: w.at}, encode(w.t, body))
	if err != nil {
		w.t.Fatal(err)
	}
	w.at = w.at.Add(time.Minute)
	w.frames = append(binary.BigEndian.AppendUint16(w.frames, uint16(len(leaf))), leaf...)
	w.ends = append(w.ends, len(w.frames))
}

func (w *written) decide(d receipt.Decision) string {
	d.ID = w.id()
	kind := receipt.DecisionKind
	if d.Verdict != authz.Allow {
		kind = receipt.RefusalKind
	}
	w.append(kind, d)
	return d.ID
}

// call is an agent's call with a verdict.
func (w *written) call(agent, tool string, v authz.Verdict) string {
	return w.decide(receipt.Decision{
		Actor: &receipt.Party{Type: "agent", ID: agent}, Channel: "mcp", Action: tool, Resource: &receipt.Object{Type: "McpServer", ID: "desk"},
		Verdict: v, Policy: policyDigest, Reasons: []authz.Reason{{Policy: "rule", Effect: "permit", Controls: []string{"A.9.2"}}},
	})
}

const policyDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000001"

func (w *written) event(by receipt.Party, name string, about receipt.Object, detail any) string {
	d, err := json.Marshal(detail)
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.id()
	w.append(receipt.EventKind, receipt.Event{ID: id, Actor: by, Name: name, Object: about, Detail: d})
	return id
}

// stage is an event that leaves an agent in a stage.
func (w *written) stage(name, agent, stage string) {
	detail := map[string]any{"after": map[string]any{"stage": stage, "owner": "olga"}, "stage": stage}
	w.event(anna, name, receipt.Object{Type: "agent", ID: agent}, detail)
}

var (
	anna = receipt.Party{Type: "person", ID: "anna"}
	ben  = receipt.Party{Type: "person", ID: "ben"}
)

// facts folds the log in parts that end after the entries given.
func (w *written) facts(cuts ...int) *Facts {
	f, from := New(), 0
	for _, cut := range append(cuts, len(w.ends)) {
		begin := 0
		if from > 0 {
			begin = w.ends[from-1]
		}
		end := begin
		if cut > from {
			end = w.ends[cut-1]
		}
		p, err := FoldPart(uint64(from), w.frames[begin:end])
		if err == nil {
			err = f.Add(p)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		from = max(from, cut)
	}
	return f
}
