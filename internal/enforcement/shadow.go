package enforcement

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/pdp"
	"aims/receipt"
)

// shadow compares decisions with those of the candidate that is tried beside
// the active policies. Calls do not wait for it: what comes faster than it can
// be compared is left out and counted.
type shadow struct {
	mu      sync.Mutex
	queue   []compared
	running bool
	differs map[difference]*differed
}

// compared is a recorded decision that the candidate is to make too.
type compared struct {
	candidate    *pdp.Set
	receipt      string
	action       string
	verdict      authz.Verdict
	reasons      []authz.Reason
	facts, input []byte
}

// difference is what differing decisions have in common.
type difference struct {
	candidate, action string
	before, after     authz.Verdict
	// rules are the policies that determined the stricter of the two decisions.
	rules string
}

// differed is how often there was a difference, and the first receipts.
type differed struct {
	count    uint64
	receipts []string
}

const (
	maxCompared    = 1024 // that wait
	maxDifferences = 256  // kinds of them between two receipts
	maxNamed       = 8    // receipts that are named of each
	maxDiffEvents  = 32   // receipts written at once
)

// notCompared stands for what was left out, and for what would be one kind of
// difference too many.
const notCompared = "(left out)"

// try has the candidate decide, too, what was just recorded.
func (e *Enforcer) try(c Call, a attempt) {
	candidate := e.policy.Candidate()
	if candidate == nil || a.encoded == nil {
		return
	}
	one := compared{candidate, a.id, c.Action, a.decision.Verdict, a.decision.Reasons, a.encoded, c.Input}
	s := &e.shadow
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= maxCompared {
		s.count(difference{candidate: candidate.Digest(), action: notCompared}, "")
		return
	}
	if s.queue = append(s.queue, one); !s.running {
		s.running = true
		go s.compare()
	}
}

// compare works until nothing waits.
func (s *shadow) compare() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.running, s.queue = false, nil
			s.mu.Unlock()
			return
		}
		work := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, one := range work {
			if d, ok := one.differs(); ok {
				s.mu.Lock()
				s.count(d, one.receipt)
				s.mu.Unlock()
			}
		}
	}
}

// differs has the candidate decide, and says how that differs.
func (c compared) differs() (difference, bool) {
	d := difference{candidate: c.candidate.Digest(), action: c.action, before: c.verdict}
	again, err := c.candidate.Redecide(c.facts, c.input)
	if err != nil {
		// The candidate would refuse what it cannot judge.
		again = authz.Decision{Verdict: authz.Deny, Reasons: []authz.Reason{{Policy: "(arguments that the candidate cannot judge)"}}}
	}
	if again.Verdict == c.verdict {
		return d, false
	}
	d.after = again.Verdict
	reasons := again.Reasons
	if again.Verdict == authz.Allow || c.verdict == authz.Deny {
		reasons = c.reasons
	}
	var rules []string
	for _, r := range reasons {
		rules = append(rules, r.Policy)
	}
	d.rules = strings.Join(rules, " ")
	return d, true
}

// count is called with mu held.
func (s *shadow) count(d difference, receipt string) {
	if s.differs == nil {
		s.differs = map[difference]*differed{}
	}
	if s.differs[d] == nil && len(s.differs) >= maxDifferences {
		d = difference{candidate: d.candidate, action: notCompared, before: d.before, after: d.after}
	}
	if s.differs[d] == nil {
		s.differs[d] = &differed{}
	}
	s.differs[d].count++
	if receipt != "" && len(s.differs[d].receipts) < maxNamed {
		s.differs[d].receipts = append(s.differs[d].receipts, receipt)
	}
}

// RecordDifferences records in which way the candidate that is tried beside the
// active policies would have decided otherwise, one receipt for all calls that
// are alike. It is the step of a ticker; what it cannot record stays counted.
func (e *Enforcer) RecordDifferences(ctx context.Context) error {
	var failures []error
	for d, n := range e.shadow.take(maxDiffEvents) {
		if err := e.recordDifference(ctx, d, n); err != nil {
			e.shadow.putBack(d, n)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// take removes some differences.
func (s *shadow) take(most int) map[difference]*differed {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := map[difference]*differed{}
	for d, n := range s.differs {
		if len(taken) == most {
			break
		}
		taken[d] = n
		delete(s.differs, d)
	}
	return taken
}

func (s *shadow) putBack(d difference, n *differed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.differs[d] == nil {
		s.differs[d] = &differed{}
	}
	s.differs[d].count += n.count
	s.differs[d].receipts = slices.Concat(n.receipts, s.differs[d].receipts)
	s.differs[d].receipts = s.differs[d].receipts[:min(len(s.differs[d].receipts), maxNamed)]
}

func (e *Enforcer) recordDifference(ctx context.Context, d difference, n *differed) error {
	detail, err := json.Marshal(struct {
		Action   string        `json:"action"`
		Before   authz.Verdict `json:"before,omitempty"`
		After    authz.Verdict `json:"after,omitempty"`
		Rules    []string      `json:"rules,omitempty"`
		Count    uint64        `json:"count"`
		Receipts []string      `json:"receipts,omitempty"`
	}{d.action, d.before, d.after, strings.Fields(d.rules), n.count, n.receipts})
	if err != nil {
		return err
	}
	body, err := receipt.Encode(&receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: "policy.differed",
		Object: receipt.Object{Type: "policy", ID: d.candidate}, Detail: detail,
	})
	if err != nil {
		return err
	}
	_, err = e.commit(ctx, ledger.Entry{Kind: receipt.EventKind, Body: body})
	return err
}
