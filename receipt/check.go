package receipt

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"aims/authz"
)

// kind is the kind of leaf that a decision's body stands in: what was not
// allowed is a refusal.
func (d *Decision) kind() Kind {
	if d.Verdict == authz.Allow {
		return DecisionKind
	}
	return RefusalKind
}

func (d *Decision) check() error {
	if err := checkID("id", d.ID); err != nil {
		return err
	}
	if d.Actor != nil {
		if err := d.Actor.check(); err != nil {
			return err
		}
	}
	if d.Via != nil {
		if d.Actor == nil || *d.Via == *d.Actor {
			return errors.New("via: an enforcement point asks for another actor than itself")
		}
		if err := d.Via.check(); err != nil {
			return err
		}
	}
	switch d.Channel {
	case "mcp", "authzen", "hook", "management":
	default:
		return fmt.Errorf("channel: unknown %q", d.Channel)
	}
	switch d.Verdict {
	case authz.Allow, authz.Deny, authz.Hold:
	default:
		return fmt.Errorf("verdict: unknown %q", d.Verdict)
	}
	if d.Verdict == authz.Allow {
		if d.Actor == nil || d.Action == "" || d.Policy == "" {
			return errors.New("an allowed action needs an actor, an action and a policy")
		}
		if d.Cause != "" || d.Count != 0 {
			return errors.New("an allowed action has no cause and no count")
		}
	}
	if d.Parent != "" {
		if err := checkID("parent", d.Parent); err != nil {
			return err
		}
	}
	if d.Resource != nil {
		if err := d.Resource.check("resource"); err != nil {
			return err
		}
	}
	if err := d.checkExplanation(); err != nil {
		return err
	}
	return checkDigests("policy", d.Policy, "pin", d.Pin, InputPayload, d.Input, FactsPayload, d.Facts)
}

func (d *Decision) checkExplanation() error {
	for _, r := range d.Reasons {
		if r.Policy == "" || !validEffect(r.Effect) {
			return fmt.Errorf("reasons: policy %q with effect %q", r.Policy, r.Effect)
		}
	}
	for _, f := range d.Faults {
		if f.Policy == "" || !validEffect(f.Effect) {
			return fmt.Errorf("faults: policy %q with effect %q", f.Policy, f.Effect)
		}
	}
	for _, o := range d.Obligations {
		if o.Type == "" {
			return errors.New("obligations: one without a type")
		}
	}
	return nil
}

func validEffect(effect string) bool { return effect == "permit" || effect == "forbid" }

func (o *Outcome) check() error {
	if err := checkID("id", o.ID); err != nil {
		return err
	}
	if err := checkID("decision", o.Decision); err != nil {
		return err
	}
	switch o.Status {
	case Succeeded, Failed, TimedOut, Cancelled, Undelivered, Unreported, Unknown:
	default:
		return fmt.Errorf("status: unknown %q", o.Status)
	}
	if o.Bytes < 0 || o.Micros < 0 {
		return errors.New("bytes and micros are not negative")
	}
	for i, label := range o.Labels {
		if label == "" || i > 0 && o.Labels[i-1] >= label {
			return errors.New("labels: not sorted, or one is empty or there twice")
		}
	}
	return checkDigests(ResultPayload, o.Result)
}

func (e *Event) check() error {
	if err := checkID("id", e.ID); err != nil {
		return err
	}
	if err := e.Actor.check(); err != nil {
		return err
	}
	if e.Name == "" || strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Errorf("name: %q", e.Name)
	}
	if err := e.Object.check("object"); err != nil {
		return err
	}
	if e.Decision != "" {
		if err := checkID("decision", e.Decision); err != nil {
			return err
		}
	}
	if len(e.Detail) > 0 {
		if err := uniqueKeys(e.Detail); err != nil {
			return fmt.Errorf("detail: %w", err)
		}
	}
	return checkDigests(InputPayload, e.Input)
}

// erasure reads the detail of an ErasedEvent; ok is false for other events. An
// erasure reaches only entries before its own: one that reached further would
// excuse a payload that goes missing later.
func (e *Event) erasure(index uint64) (erasure Erasure, ok bool, err error) {
	if e.Name != ErasedEvent {
		return erasure, false, nil
	}
	if err := json.Unmarshal(e.Detail, &erasure); err != nil {
		return erasure, true, err
	}
	if erasure.From > erasure.To || erasure.To >= index {
		return erasure, true, fmt.Errorf("erases the payloads of entries %d–%d", erasure.From, erasure.To)
	}
	for _, name := range erasure.Names {
		if !validPayloadName(name) {
			return erasure, true, fmt.Errorf("erases payloads named %q", name)
		}
	}
	return erasure, true, nil
}

func validPayloadName(name string) bool {
	return name == FactsPayload || name == InputPayload || name == ResultPayload
}

func (p *Party) check() error {
	switch p.Type {
	case "agent", "person", "system":
	default:
		return fmt.Errorf("actor: unknown type %q", p.Type)
	}
	if p.ID == "" {
		return errors.New("actor: no id")
	}
	return nil
}

func (o *Object) check(field string) error {
	if o.Type == "" || o.ID == "" {
		return fmt.Errorf("%s: type %q and id %q", field, o.Type, o.ID)
	}
	return nil
}

// checkID takes a receipt's id: rcp_ and a UUID of version 7 (RFC 9562 §5.7)
// in lower case.
func checkID(field, id string) error {
	const form = "rcp_xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx"
	bad := len(id) != len(form)
	for i := 0; i < len(form) && !bad; i++ {
		c := id[i]
		switch {
		case i >= 4 && form[i] == 'x':
			bad = !hexDigit(c)
		case form[i] == 'v': // the variant, RFC 9562 §4.1
			bad = c != '8' && c != '9' && c != 'a' && c != 'b'
		default:
			bad = c != form[i]
		}
	}
	if bad {
		return fmt.Errorf("%s: %q is no receipt id", field, id)
	}
	return nil
}

// checkDigests takes pairs of a field's name and its digest, which may be empty.
func checkDigests(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if d := pairs[i+1]; d != "" && !validDigest(d) {
			return fmt.Errorf("%s: %q is no digest", pairs[i], d)
		}
	}
	return nil
}

func validDigest(d string) bool {
	hexes, ok := strings.CutPrefix(d, "sha256:")
	if !ok || len(hexes) != 64 {
		return false
	}
	for i := range len(hexes) {
		if !hexDigit(hexes[i]) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
