package receipt_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"aims/authz"
	"aims/receipt"

	"pgregory.net/rapid"
)

// Generators of everything that may stand in a log.

var genTime = rapid.Custom(func(t *rapid.T) time.Time {
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
	return time.UnixMicro(rapid.Int64Range(first, last).Draw(t, "micros")).UTC()
})

var genHeader = rapid.Custom(func(t *rapid.T) receipt.Header {
	h := receipt.Header{
		Kind: rapid.SampledFrom([]receipt.Kind{
			receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind, receipt.EventKind,
		}).Draw(t, "kind"),
		Index: rapid.Uint64Range(0, math.MaxUint64).Draw(t, "index"),
		Time:  genTime.Draw(t, "time"),
	}
	if h.Kind == receipt.OutcomeKind {
		h.Closes = rapid.Uint64Range(0, math.MaxUint64).Draw(t, "closes")
	}
	return h
})

var genID = rapid.Custom(func(t *rapid.T) string {
	b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("rcp_%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
})

var genDigest = rapid.Custom(func(t *rapid.T) string {
	return fmt.Sprintf("sha256:%x", rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
})

var genMaybeDigest = rapid.OneOf(rapid.Just(""), genDigest)

var genParty = rapid.Custom(func(t *rapid.T) receipt.Party {
	return receipt.Party{
		Type: rapid.SampledFrom([]string{"agent", "person", "system"}).Draw(t, "type"),
		ID:   rapid.StringN(1, 20, -1).Draw(t, "id"),
	}
})

var genObject = rapid.Custom(func(t *rapid.T) receipt.Object {
	return receipt.Object{Type: rapid.StringN(1, 9, -1).Draw(t, "type"), ID: rapid.StringN(1, 20, -1).Draw(t, "id")}
})

var genEffect = rapid.SampledFrom([]string{"permit", "forbid"})

var genReason = rapid.Custom(func(t *rapid.T) authz.Reason {
	return authz.Reason{
		Policy:   rapid.StringN(1, 9, -1).Draw(t, "policy"),
		Effect:   genEffect.Draw(t, "effect"),
		Text:     rapid.String().Draw(t, "text"),
		Controls: rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "controls"),
		Threats:  rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "threats"),
		Hold:     rapid.StringN(0, 5, -1).Draw(t, "hold"),
	}
})

var genFault = rapid.Custom(func(t *rapid.T) authz.Fault {
	return authz.Fault{
		Policy:  rapid.StringN(1, 9, -1).Draw(t, "policy"),
		Effect:  genEffect.Draw(t, "effect"),
		Message: rapid.String().Draw(t, "message"),
	}
})

var genObligation = rapid.Custom(func(t *rapid.T) authz.Obligation {
	return authz.Obligation{Type: rapid.StringN(1, 9, -1).Draw(t, "type"), ID: rapid.String().Draw(t, "id")}
})

// genDecision makes the body of a decision or of a refusal.
func genDecision(kind receipt.Kind) *rapid.Generator[receipt.Decision] {
	return rapid.Custom(func(t *rapid.T) receipt.Decision {
		actor, resource := genParty.Draw(t, "actor"), genObject.Draw(t, "resource")
		via := rapid.Ptr(genParty.Filter(func(p receipt.Party) bool { return p != actor }), true).Draw(t, "via")
		d := receipt.Decision{
			ID:          genID.Draw(t, "id"),
			Actor:       &actor,
			Via:         via,
			Session:     rapid.String().Draw(t, "session"),
			Purpose:     rapid.String().Draw(t, "purpose"),
			Parent:      rapid.OneOf(rapid.Just(""), genID).Draw(t, "parent"),
			Approval:    rapid.String().Draw(t, "approval"),
			Channel:     rapid.SampledFrom([]string{"mcp", "authzen", "hook", "management"}).Draw(t, "channel"),
			Method:      rapid.String().Draw(t, "method"),
			Action:      rapid.StringN(1, 20, -1).Draw(t, "action"),
			Resource:    &resource,
			Verdict:     authz.Allow,
			Reasons:     rapid.SliceOfN(genReason, 0, 3).Draw(t, "reasons"),
			Faults:      rapid.SliceOfN(genFault, 0, 2).Draw(t, "faults"),
			Obligations: rapid.SliceOfN(genObligation, 0, 2).Draw(t, "obligations"),
			Policy:      genDigest.Draw(t, "policy"),
			Pin:         genMaybeDigest.Draw(t, "pin"),
			Input:       genMaybeDigest.Draw(t, "input"),
			Facts:       genMaybeDigest.Draw(t, "facts"),
		}
		if kind == receipt.RefusalKind {
			d.Verdict = rapid.SampledFrom([]authz.Verdict{authz.Deny, authz.Hold}).Draw(t, "verdict")
			d.Cause = rapid.String().Draw(t, "cause")
			d.Count = rapid.Uint64().Draw(t, "count")
			if rapid.Bool().Draw(t, "unauthenticated") {
				d.Actor, d.Via, d.Resource, d.Action, d.Policy = nil, nil, nil, "", ""
			}
		}
		return d
	})
}

var genOutcome = rapid.Custom(func(t *rapid.T) receipt.Outcome {
	return receipt.Outcome{
		ID:       genID.Draw(t, "id"),
		Decision: genID.Draw(t, "decision"),
		Status: rapid.SampledFrom([]receipt.Status{
			receipt.Succeeded, receipt.Failed, receipt.TimedOut, receipt.Cancelled,
			receipt.Undelivered, receipt.Unreported, receipt.Unknown,
		}).Draw(t, "status"),
		Detail: rapid.String().Draw(t, "detail"),
		Result: genMaybeDigest.Draw(t, "result"),
		Bytes:  rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes"),
		Labels: slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.StringN(1, 9, -1), 0, 3).Draw(t, "labels")))),
		Micros: rapid.Int64Range(0, math.MaxInt64).Draw(t, "micros"),
	}
})

var genEvent = rapid.Custom(func(t *rapid.T) receipt.Event {
	e := receipt.Event{
		ID:     genID.Draw(t, "id"),
		Actor:  genParty.Draw(t, "actor"),
		Name:   rapid.StringMatching(`[a-z0-9._-]{1,20}`).Draw(t, "name"),
		Object: genObject.Draw(t, "object"),
		Input:  genMaybeDigest.Draw(t, "input"),
	}
	if rapid.Bool().Draw(t, "decided") {
		e.Decision = genID.Draw(t, "decision")
	}
	if rapid.Bool().Draw(t, "detailed") {
		detail, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "detail"))
		if err != nil {
			t.Fatal(err)
		}
		e.Detail = detail
	}
	return e
})
