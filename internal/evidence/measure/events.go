package measure

import (
	"slices"
	"time"

	"aims/internal/evidence/observed"
)

// events are the measures of what people do now and then.
var events = []Measure{
	{"approval-hours", "mean time until a request for approval was settled by people", "hours", "requests that people settled", []string{"human_approval"}, func(f *observed.Facts, p Period) (mean float64, of uint64) {
		waited := approvals(f, p)
		for _, seconds := range waited {
			mean += seconds / 3600 / float64(len(waited))
		}
		return mean, uint64(len(waited))
	}},
	{"approval-latency-p50", "time until half of the requests for approval were settled by people", "seconds", "requests that people settled", []string{"human_approval"}, func(f *observed.Facts, p Period) (float64, uint64) {
		return quantile(approvals(f, p), 0.5)
	}},
	{"approval-latency-p90", "time until nine in ten of the requests for approval were settled by people", "seconds", "requests that people settled", []string{"human_approval"}, func(f *observed.Facts, p Period) (float64, uint64) {
		return quantile(approvals(f, p), 0.9)
	}},
	{"approval-unanswered-share", "requests for approval that ended without an answer of people", "share", "requests that ended", []string{"human_approval"}, unanswered},
	{"tool-change-disposal-p50", "time until half of the changed tools were approved or taken away", "hours", "changes disposed of", []string{"tool_drift_event"}, func(f *observed.Facts, p Period) (float64, uint64) {
		disposed, _ := toolChanges(f, p)
		return quantile(disposed, 0.5)
	}},
	{"tool-changes-open", "changed tools that nobody has disposed of at the end", "count", "tools seen", []string{"tool_drift_event"}, func(f *observed.Facts, p Period) (float64, uint64) {
		_, open := toolChanges(f, p)
		return float64(open), toolsKnown(f, p)
	}},
	{"stops", "agents and servers stopped", "count", "days", []string{"override_event"}, func(f *observed.Facts, p Period) (float64, uint64) {
		n := 0
		for _, s := range f.Stops {
			if !s.Resumed && p.has(s.At) {
				n++
			}
		}
		return float64(n), recorded(f, p)
	}},
	{"rehearsal-share", "scenarios that ended as expected in the newest rehearsal", "share", "scenarios", []string{"attack_run"}, func(f *observed.Facts, p Period) (value float64, of uint64) {
		for _, r := range f.Rehearsals {
			if p.has(r.At) {
				value, of = share(uint64(r.AsExpected), uint64(r.Scenarios))
			}
		}
		return value, of
	}},
	{"incidents", "incidents reported", "count", "days", []string{"incident_record"}, func(f *observed.Facts, p Period) (float64, uint64) {
		n := 0
		for _, c := range f.Cases {
			if c.Kind == "incident" && p.has(c.Opened) {
				n++
			}
		}
		return float64(n), recorded(f, p)
	}},
	{"nonconformities-open", "nonconformities open at the end", "count", "nonconformities raised", []string{"nonconformity"}, func(f *observed.Facts, p Period) (float64, uint64) {
		return open(f, p, "nonconformity")
	}},
	{"concerns-open", "concerns open at the end", "count", "concerns reported", []string{"concern_report"}, func(f *observed.Facts, p Period) (float64, uint64) {
		return open(f, p, "concern")
	}},
	{"actions-overdue", "corrective actions past their due date at the end", "count", "corrective actions", []string{"capa_record"}, overdue},
}

// approvals are how long requests waited that people settled in the period, in seconds.
func approvals(f *observed.Facts, p Period) (waited []float64) {
	for _, a := range f.Approvals {
		if p.has(a.Ended) && a.Requested != 0 && len(a.By) > 0 {
			waited = append(waited, seconds(a.Ended-a.Requested))
		}
	}
	return waited
}

func seconds(micros int64) float64 { return (time.Duration(micros) * time.Microsecond).Seconds() }

func unanswered(f *observed.Facts, p Period) (float64, uint64) {
	var ended, without uint64
	for _, a := range f.Approvals {
		if p.has(a.Ended) {
			if ended++; len(a.By) == 0 {
				without++
			}
		}
	}
	return share(without, ended)
}

// quantile is the value that a share of the values does not exceed.
func quantile(values []float64, share float64) (float64, uint64) {
	if len(values) == 0 {
		return 0, 0
	}
	slices.Sort(values)
	at := int(share*float64(len(values)) + 0.999999)
	return values[min(max(at, 1), len(values))-1], uint64(len(values))
}

// toolChanges are how long changed definitions waited that were disposed of in
// the period, in hours, and how many wait at its end.
func toolChanges(f *observed.Facts, p Period) (disposed []float64, open int) {
	waiting := map[string]int64{}
	for _, c := range f.Pins {
		if !p.begun(c.At) {
			break
		}
		since, waits := waiting[c.Tool]
		switch c.Event {
		case "changed", "quarantined":
			if !waits {
				waiting[c.Tool] = c.At
			}
		case "approved", "removed", "forgotten":
			if waits && p.has(c.At) {
				disposed = append(disposed, seconds(c.At-since)/3600)
			}
			delete(waiting, c.Tool)
		}
	}
	return disposed, len(waiting)
}

func toolsKnown(f *observed.Facts, p Period) uint64 {
	known := map[string]bool{}
	for _, c := range f.Pins {
		if p.begun(c.At) {
			known[c.Tool] = true
		}
	}
	return uint64(len(known))
}

// recorded is how many days of the period the log covers, begun ones too: a
// count of rare things means something only where somebody looked.
func recorded(f *observed.Facts, p Period) uint64 {
	from, until := p.From, p.Until
	if f.Size == 0 || !p.begun(f.First) || !until.After(from) {
		return 0
	}
	if first := time.UnixMicro(f.First); first.After(from) {
		from = first
	}
	return uint64(until.Sub(from).Hours()/24) + 1
}

// open counts the cases of a kind that were open at the end of the period, out
// of those that there were by then.
func open(f *observed.Facts, p Period, kind string) (float64, uint64) {
	var raised, left uint64
	for _, c := range f.Cases {
		if c.Kind == kind && p.begun(c.Opened) {
			if raised++; !p.begun(c.Closed) {
				left++
			}
		}
	}
	return float64(left), raised
}

func overdue(f *observed.Facts, p Period) (float64, uint64) {
	var all, late uint64
	last := p.Until.UTC().Add(-time.Microsecond).Format(time.DateOnly)
	for _, c := range f.Cases {
		if !p.begun(c.Opened) || c.Closed != 0 && p.begun(c.Closed) {
			continue
		}
		for _, a := range c.Actions {
			if all++; a.Due != "" && a.Due < last && !p.begun(a.Implemented) {
				late++
			}
		}
	}
	return float64(late), all
}
