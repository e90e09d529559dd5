package measure

import "aims/internal/evidence/observed"

// calls is the evidence source of what agents do.
var calls = []string{"decision_receipt"}

// traffic are the measures of what agents do all the time.
var traffic = []Measure{
	{"decisions", "actions of agents that were decided", "count", "decisions", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return float64(d.Decisions), d.Decisions
	}},
	{"decisions-per-day", "decisions about actions of agents, a day", "per day", "decisions", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return float64(d.Decisions) / p.lasts(), d.Decisions
	}},
	{"denied-share", "actions that policy denied", "share", "decisions", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return share(d.Denied, d.Decisions)
	}},
	{"held-share", "actions that were held for people", "share", "decisions", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return share(d.Held, d.Decisions)
	}},
	{"turned-away", "requests turned away before policy was asked, such as without valid credentials", "count", "requests", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return float64(d.Refused), d.Refused + d.Decisions + d.Managed
	}},
	{"unregistered-share", "decisions about agents that were not registered then", "share", "decisions", []string{"agent_discovery"}, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return share(d.Unregistered, d.Decisions)
	}},
	{"outcome-share", "outcomes recorded for each allowed action", "share", "allowed actions", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return share(d.Outcomes, d.Allowed+d.Managed)
	}},
	{"failed-share", "outcomes other than success", "share", "outcomes", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return share(d.Failed, d.Outcomes)
	}},
	{"outcome-latency", "mean time from decision to outcome", "ms", "outcomes", calls, func(f *observed.Facts, p Period) (float64, uint64) {
		d := sum(f, p)
		return float64(d.Micros) / 1000 / float64(max(1, d.Outcomes)), d.Outcomes
	}},
}
