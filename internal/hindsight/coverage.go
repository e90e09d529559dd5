package hindsight

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aims/authz"
	"aims/pdp"
	"aims/receipt"
)

// Coverage says which rules decided what in a stretch of the log, and which of
// those in force never did.
type Coverage struct {
	// Decisions is how many calls were decided by policy.
	Decisions uint64 `json:"decisions"`
	// Unmatched is how many were denied because no rule spoke of them.
	Unmatched uint64    `json:"unmatched"`
	Rules     []RuleUse `json:"rules"`
	Policies  []SetUse  `json:"policies"`
}

// RuleUse is what one rule decided.
type RuleUse struct {
	Policy string `json:"policy"`
	Effect string `json:"effect"`
	// InForce says that the rule is in the set that was compared with, File and Line where.
	InForce bool   `json:"in_force"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	// Decided is how many decisions it determined, by verdict below.
	Decided uint64 `json:"decided"`
	Allowed uint64 `json:"allowed"`
	Denied  uint64 `json:"denied"`
	Held    uint64 `json:"held"`
	// Faults is how often it could not be evaluated.
	Faults uint64 `json:"faults"`
	// First and Last are when, Receipt an example: the last.
	First   *time.Time `json:"first,omitempty"`
	Last    *time.Time `json:"last,omitempty"`
	Receipt string     `json:"receipt,omitempty"`
}

// SetUse is between when and when a policy set decided, and how often.
type SetUse struct {
	Policy    string    `json:"policy"`
	Decisions uint64    `json:"decisions"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// Cover counts what the rules decided in a stretch. set is what is in force, nil
// for nothing.
func Cover(ctx context.Context, s Stretch, set *pdp.Set) (Coverage, error) {
	total := newUse()
	err := examine(ctx, s, false, use, func(u *usage) error {
		total.merge(u)
		return nil
	})
	if set != nil {
		for _, r := range set.Rules() {
			u := total.rule(r.Policy, r.Effect)
			u.InForce, u.File, u.Line = true, r.File, r.Line
		}
	}
	return total.coverage(), err
}

// usage is what one worker, or all of them, counted.
type usage struct {
	decisions, unmatched uint64
	rules                map[string]*RuleUse
	policies             map[string]*SetUse
}

func newUse() *usage { return &usage{rules: map[string]*RuleUse{}, policies: map[string]*SetUse{}} }

func (u *usage) rule(id, effect string) *RuleUse {
	r := u.rules[id]
	if r == nil {
		r = &RuleUse{Policy: id, Effect: effect}
		u.rules[id] = r
	}
	return r
}

func use(calls []call) (*usage, error) {
	u := newUse()
	for _, c := range calls {
		if c.outcome {
			continue
		}
		d, err := receipt.DecodeDecision(c.header.Kind, c.body)
		if err != nil {
			return u, err
		}
		if d.Cause != "" || d.Policy == "" { // no policy decided it
			continue
		}
		u.count(c.header.Time, d)
	}
	return u, nil
}

func (u *usage) count(at time.Time, d *receipt.Decision) {
	u.decisions++
	if len(d.Reasons) == 0 && len(d.Faults) == 0 {
		u.unmatched++
	}
	p := u.policies[d.Policy]
	if p == nil {
		p = &SetUse{Policy: d.Policy, First: at}
		u.policies[d.Policy] = p
	}
	p.Decisions++
	p.Last = at
	for _, reason := range d.Reasons {
		r := u.rule(reason.Policy, reason.Effect)
		r.Decided++
		switch d.Verdict {
		case authz.Allow:
			r.Allowed++
		case authz.Hold:
			r.Held++
		default:
			r.Denied++
		}
		r.seen(at, d.ID)
	}
	for _, fault := range d.Faults {
		r := u.rule(fault.Policy, fault.Effect)
		r.Faults++
		r.seen(at, d.ID)
	}
}

func (r *RuleUse) seen(at time.Time, id string) {
	if r.First == nil {
		r.First = &at
	}
	r.Last, r.Receipt = &at, id
}

// merge adds what was counted later in the log.
func (u *usage) merge(later *usage) {
	u.decisions += later.decisions
	u.unmatched += later.unmatched
	for id, l := range later.rules {
		r := u.rule(id, l.Effect)
		r.Decided += l.Decided
		r.Allowed += l.Allowed
		r.Denied += l.Denied
		r.Held += l.Held
		r.Faults += l.Faults
		r.First = cmp.Or(r.First, l.First)
		r.Last, r.Receipt = l.Last, l.Receipt
	}
	for digest, l := range later.policies {
		p := u.policies[digest]
		if p == nil {
			p = &SetUse{Policy: digest, First: l.First}
			u.policies[digest] = p
		}
		p.Decisions += l.Decisions
		p.Last = l.Last
	}
}

// coverage sorts: rules that never decided first, because they are what one looks for.
func (u *usage) coverage() Coverage {
	c := Coverage{Decisions: u.decisions, Unmatched: u.unmatched, Rules: []RuleUse{}, Policies: []SetUse{}}
	for _, r := range u.rules {
		c.Rules = append(c.Rules, *r)
	}
	slices.SortFunc(c.Rules, func(a, b RuleUse) int {
		return cmp.Or(cmp.Compare(a.Decided+a.Faults, b.Decided+b.Faults), cmp.Compare(a.Policy, b.Policy))
	})
	for _, p := range u.policies {
		c.Policies = append(c.Policies, *p)
	}
	slices.SortFunc(c.Policies, func(a, b SetUse) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Policy, b.Policy)) })
	return c
}
