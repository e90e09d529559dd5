package observed

import (
	"math"

	"aims/authz"
	"aims/receipt"
)

// decision is what is counted of a decision or a refusal. Its bytes are the
// body's own where it was read fast.
type decision struct {
	id                       []byte
	actor, actorID           []byte
	channel, purpose, action []byte
	resourceType, resourceID []byte
	verdict                  []byte
	caused                   bool
	count                    uint64
	policy, pin              []byte
	reasons                  []reason
	faults                   [][]byte // the policies
}

// reason is one rule that determined a decision.
type reason struct {
	rule              []byte
	controls, threats [][]byte
}

// readDecision reads the body of a decision or a refusal.
func readDecision(kind receipt.Kind, body []byte, d *decision) error {
	*d = decision{reasons: d.reasons[:0]}
	if d.scan(kind, body) {
		return nil
	}
	slow, err := receipt.DecodeDecision(kind, body)
	if err != nil {
		return err
	}
	*d = decision{}
	d.take(slow)
	return nil
}

// take is the decision as package receipt reads it.
func (d *decision) take(r *receipt.Decision) {
	d.id, d.channel, d.purpose, d.action = []byte(r.ID), []byte(r.Channel), []byte(r.Purpose), []byte(r.Action)
	if r.Actor != nil {
		d.actor, d.actorID = []byte(r.Actor.Type), []byte(r.Actor.ID)
	}
	if r.Resource != nil {
		d.resourceType, d.resourceID = []byte(r.Resource.Type), []byte(r.Resource.ID)
	}
	d.verdict, d.caused, d.count = []byte(r.Verdict), r.Cause != "", r.Count
	d.policy, d.pin = []byte(r.Policy), []byte(r.Pin)
	for _, why := range r.Reasons {
		d.reasons = append(d.reasons, reason{[]byte(why.Policy), texts(why.Controls), texts(why.Threats)})
	}
	for _, fault := range r.Faults {
		d.faults = append(d.faults, []byte(fault.Policy))
	}
}

func texts(from []string) [][]byte {
	var out [][]byte
	for _, s := range from {
		out = append(out, []byte(s))
	}
	return out
}

// scan reads the body if it is one of the usual form.
func (d *decision) scan(kind receipt.Kind, body []byte) bool {
	s := scanner{b: body}
	s.need(`{"id":"`)
	d.id = s.id()
	if s.take(`,"actor":`) {
		d.actor, d.actorID = s.party()
	}
	if s.take(`,"via":`) {
		via, viaID := s.party()
		s.odd = s.odd || d.actor == nil || string(via) == string(d.actor) && string(viaID) == string(d.actorID)
	}
	s.skip(`,"session":"`)
	d.purpose = s.member(`,"purpose":"`)
	if s.take(`,"parent":"`) {
		s.id()
	}
	s.need(`,"channel":"`)
	d.channel = s.text()
	s.skip(`,"method":"`)
	d.action = s.member(`,"action":"`)
	if s.take(`,"resource":`) {
		d.resourceType, d.resourceID = s.pair()
	}
	s.need(`,"verdict":"`)
	d.verdict = s.text()
	d.explanation(&s)
	if s.take(`,"cause":"`) {
		d.caused = true
		if from := s.at; !s.pass() && s.at-1 <= from {
			s.odd = true
		}
	}
	s.skip(`,"approval":"`)
	if s.take(`,"count":`) {
		d.count = s.number(math.MaxUint64)
		s.odd = s.odd || d.count == 0
	}
	d.policy, d.pin = s.digest(`,"policy":"`), s.digest(`,"pin":"`)
	s.digest(`,"input":"`)
	s.digest(`,"facts":"`)
	s.need(`}`)
	return !s.odd && s.at == len(body) && d.fits(kind)
}

// fits makes the checks of package receipt that look at several members.
func (d *decision) fits(kind receipt.Kind) bool {
	switch string(d.channel) {
	case "mcp", "authzen", "hook", "management":
	default:
		return false
	}
	switch authz.Verdict(d.verdict) {
	case authz.Allow:
		return kind == receipt.DecisionKind && d.actor != nil && d.action != nil && d.policy != nil && !d.caused && d.count == 0
	case authz.Deny, authz.Hold:
		return kind == receipt.RefusalKind
	}
	return false
}

// explanation reads reasons, faults and obligations.
func (d *decision) explanation(s *scanner) {
	s.list(`,"reasons":[`, func() {
		s.need(`{"policy":"`)
		r := reason{rule: s.text()}
		s.effect()
		s.skip(`,"text":"`)
		r.controls = s.words(`,"controls":[`)
		r.threats = s.words(`,"threats":[`)
		s.skip(`,"hold":"`)
		s.need(`}`)
		d.reasons = append(d.reasons, r)
	})
	s.list(`,"faults":[`, func() {
		s.need(`{"policy":"`)
		d.faults = append(d.faults, s.text())
		s.effect()
		s.need(`,"message":"`)
		s.pass()
		s.need(`}`)
	})
	s.list(`,"obligations":[`, func() {
		s.need(`{"type":"`)
		s.text()
		s.need(`,"id":"`)
		s.pass()
		s.need(`}`)
	})
}

func (s *scanner) effect() {
	if !s.take(`,"effect":"permit"`) {
		s.need(`,"effect":"forbid"`)
	}
}

// list reads a list that is left out when it is empty.
func (s *scanner) list(name string, element func()) {
	if s.odd || !s.take(name) {
		return
	}
	for {
		element()
		if s.odd || !s.take(`,`) {
			break
		}
	}
	s.need(`]`)
}

// words reads a list of strings.
func (s *scanner) words(name string) (words [][]byte) {
	s.list(name, func() {
		s.need(`"`)
		words = append(words, s.text())
	})
	return words
}

// outcome is what is counted of an outcome.
type outcome struct {
	succeeded bool
	micros    uint64
}

// readOutcome reads the body of an outcome.
func readOutcome(body []byte) (outcome, error) {
	if o, ok := scanOutcome(body); ok {
		return o, nil
	}
	slow, err := receipt.DecodeOutcome(body)
	if err != nil {
		return outcome{}, err
	}
	return outcome{slow.Status == receipt.Succeeded, uint64(slow.Micros)}, nil
}

// scanOutcome reads the body if it is one of the usual form: labels are not.
func scanOutcome(body []byte) (o outcome, ok bool) {
	s := scanner{b: body}
	s.need(`{"id":"`)
	s.id()
	s.need(`,"decision":"`)
	s.id()
	s.need(`,"status":"`)
	status := receipt.Status(s.text())
	switch status {
	case receipt.Succeeded, receipt.Failed, receipt.TimedOut, receipt.Cancelled, receipt.Undelivered, receipt.Unreported, receipt.Unknown:
	default:
		return o, false
	}
	s.skip(`,"detail":"`)
	s.digest(`,"result":"`)
	if s.take(`,"bytes":`) {
		s.odd = s.number(math.MaxInt64) == 0 || s.odd
	}
	labels := s.words(`,"labels":[`)
	for i := 1; i < len(labels); i++ {
		s.odd = s.odd || string(labels[i-1]) >= string(labels[i])
	}
	s.need(`,"micros":`)
	o = outcome{status == receipt.Succeeded, s.number(math.MaxInt64)}
	s.need(`}`)
	return o, !s.odd && s.at == len(body)
}

// eventName is the name of the event of a body, if it can be told at a glance.
func eventName(body []byte) (name []byte, ok bool) {
	s := scanner{b: body}
	s.need(`{"id":"`)
	s.id()
	s.need(`,"actor":`)
	s.party()
	s.need(`,"name":"`)
	name = s.text()
	s.need(`,"object":`)
	return name, !s.odd
}
