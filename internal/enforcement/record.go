package enforcement

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// record makes the receipt of a decision or refusal durable that nothing but
// its receipt follows from.
func (e *Enforcer) record(ctx context.Context, c Call, a attempt) (Ruling, error) {
	entry, err := entryOf(c, a)
	if err != nil {
		return Ruling{}, err
	}
	ref, err := e.commit(ctx, entry)
	e.counter.count(ref, err)
	if err != nil {
		return Ruling{}, unrecorded(err)
	}
	return rulingOf(c, a, ref), nil
}

func rulingOf(c Call, a attempt, ref ledger.Ref) Ruling {
	return Ruling{
		Decision: a.decision, Receipt: a.id, Index: ref.Index, Time: ref.Time,
		Action: c.Action, Pin: a.tool.Pin, Cause: a.cause, Approval: cmp.Or(a.pending, a.used()), did: doingOf(c, a),
	}
}

// entryOf is the receipt of a decision or refusal.
func entryOf(c Call, a attempt) (ledger.Entry, error) {
	body := receipt.Decision{
		ID: a.id, Session: clean(c.Session, maxSession), Channel: c.Channel,
		Method: clean(c.Method, maxMethod), Action: clean(c.Action, maxAction),
		Verdict: a.decision.Verdict, Reasons: a.decision.Reasons, Faults: a.decision.Faults,
		Obligations: a.decision.Obligations, Cause: a.cause, Policy: a.decision.Policy, Pin: a.tool.Pin,
	}
	if body.Approval = a.pending; a.releases() {
		body.Approval = a.granted.ID
	}
	if a.run != nil {
		body.Purpose, body.Parent = a.run.Purpose, a.run.Parent
	}
	if c.Principal.ID != "" {
		party := receipt.Party(c.Principal.Actor)
		body.Actor = &party
	}
	if c.Via != (aims.Actor{}) {
		via := receipt.Party(c.Via)
		body.Via = &via
	}
	uid := resource(c)
	body.Resource = &receipt.Object{Type: string(uid.Type), ID: clean(string(uid.ID), maxAction)}
	entry := ledger.Entry{Kind: receipt.DecisionKind, Payloads: payloads(c, a, &body)}
	if !a.decision.Allowed() {
		entry.Kind = receipt.RefusalKind
	}
	var err error
	if entry.Body, err = receipt.Encode(&body); err != nil {
		return entry, aims.Errorf(aims.Internal, err, "the decision cannot be recorded")
	}
	if len(entry.Body) > ledger.MaxBody {
		return entry, aims.Errorf(aims.Internal, fmt.Errorf("%d reasons and faults", len(body.Reasons)+len(body.Faults)), "the decision has more reasons than a receipt holds")
	}
	return entry, nil
}

// keptRefused is the size up to which the input of a call that never came to a
// decision is kept: it explains the refusal, and is not worth more room.
const keptRefused = 64 << 10

// payloads are the input and the facts, and put their digests into the body.
func payloads(c Call, a attempt, body *receipt.Decision) []ledger.Payload {
	if a.encoded == nil && (len(c.Input) == 0 || len(c.Input) > keptRefused) {
		return nil
	}
	input := c.Input
	if len(input) == 0 {
		input = []byte("{}")
	}
	salts := newSalts()
	kept := make([]ledger.Payload, 0, 2)
	if a.encoded != nil {
		body.Facts = salts[0].Digest(a.encoded)
		kept = append(kept, ledger.Payload{Name: receipt.FactsPayload, Salt: salts[0], Data: a.encoded})
	}
	body.Input = salts[1].Digest(input)
	return append(kept, ledger.Payload{Name: receipt.InputPayload, Salt: salts[1], Data: input})
}

func newSalts() [2]receipt.Salt {
	var b [64]byte
	rand.Read(b[:]) // it never fails; without randomness the process ends
	return [2]receipt.Salt{receipt.Salt(b[:32]), receipt.Salt(b[32:])}
}

// unrecorded words an error of the ledger; the ledger's own codes stay.
func unrecorded(err error) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "the decision could not be recorded: nothing was done")
}

// refuseCall records a call that no policy had to decide, and returns why as
// the error. Its sentence is the receipt's cause.
func (e *Enforcer) refuseCall(ctx context.Context, c Call, a attempt, why error) (Ruling, error) {
	_, a.cause = aims.Public(why)
	a.decision = authz.Decision{Verdict: authz.Deny, Policy: a.decision.Policy}
	a.encoded = nil // it was not decided from them
	a.id = cmp.Or(a.id, aims.NewID("rcp"))
	if err := e.admit(c, a); err != nil {
		return Ruling{}, err
	}
	r, err := e.record(ctx, c, a)
	if err != nil {
		return Ruling{}, err
	}
	return r, why
}

// clean makes text of a caller fit for a receipt: short, valid, printable.
func clean(s string, most int) string {
	if len(s) <= most && plain(s) {
		return s
	}
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// admit finds a decision its place: for one that allows and waits for a
// report, among those that do; for one that does not, among the refusals that
// are recorded. That costs the more, the more it would store.
func (e *Enforcer) admit(c Call, a attempt) error {
	if a.decision.Allowed() {
		if reported(c.Channel) && e.waiting.size() >= e.o.MaxUnreported {
			return aims.Errorf(aims.Exhausted, nil, "too many decisions wait for the report of their outcome")
		}
		return nil
	}
	const unit = 4 << 10
	cost := 1 + float64(len(c.Input)+len(a.encoded))/unit
	if math.IsInf(cost, 0) || !e.refusals.take(principalKey(c), true, cost, e.o.Now()) {
		actor := receipt.Party(c.Principal.Actor)
		e.refusals.suppress(suppressed{actor: actor, channel: c.Channel, cause: "refused too often to be recorded one by one"})
		return aims.Errorf(aims.Exhausted, nil, "too many refused calls: this one was not decided; try again later")
	}
	return nil
}

func principalKey(c Call) string { return c.Principal.Actor.String() }
