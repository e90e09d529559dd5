package pdp

import (
	"cmp"
	"slices"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// DecideFor decides a request that others delegated: for its principal and for
// each of the delegators in the same context, as Decide does. What one of them
// may not do, nobody does for it: the strictest verdict wins, deny before hold
// before allow. The reasons are those of every verdict that forbids or holds, or,
// where all allow, of all; each policy once.
func (s *Set) DecideFor(req cedar.Request, delegators []types.EntityUID, entities types.EntityGetter) authz.Decision {
	all := s.Decide(req, entities)
	for _, d := range delegators {
		req.Principal = d
		all = stricter(all, s.Decide(req, entities))
	}
	return all
}

// severity orders verdicts.
func severity(v authz.Verdict) int {
	switch v {
	case authz.Allow:
		return 0
	case authz.Hold:
		return 1
	}
	return 2
}

func stricter(a, b authz.Decision) authz.Decision {
	if severity(a.Verdict) < severity(b.Verdict) {
		a, b = b, a
	}
	merged := a
	if a.Verdict == b.Verdict || b.Verdict != authz.Allow {
		merged.Reasons = slices.Concat(a.Reasons, b.Reasons)
		slices.SortStableFunc(merged.Reasons, func(x, y authz.Reason) int { return cmp.Compare(x.Policy, y.Policy) })
		merged.Reasons = slices.CompactFunc(merged.Reasons, func(x, y authz.Reason) bool { return x.Policy == y.Policy })
	}
	merged.Faults = slices.Concat(a.Faults, b.Faults)
	slices.SortStableFunc(merged.Faults, func(x, y authz.Fault) int {
		return cmp.Or(cmp.Compare(x.Policy, y.Policy), cmp.Compare(x.Message, y.Message))
	})
	merged.Faults = slices.Compact(merged.Faults)
	return merged
}
