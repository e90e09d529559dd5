package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"aims/internal/enforcement"
	"aims/receipt"
)

// silent is how long a process that states counts every hour may state none
// until it is taken as ended.
const silent = 2 * time.Hour

// counts compare the decisions and refusals that the log has with those that the
// enforcement points counted themselves, minute by minute.
type counts struct {
	logged  map[string]uint64 // by minute
	counted map[string]uint64
	started map[string]bool // minutes in which a process started
	last    map[string]statement
	failed  map[string]uint64 // by process
}

// statement is the newest statement of a process.
type statement struct {
	at    time.Time
	until string
	final bool
}

func newCounts() *counts {
	return &counts{map[string]uint64{}, map[string]uint64{}, map[string]bool{}, map[string]statement{}, map[string]uint64{}}
}

func minuteOf(t time.Time) string { return t.UTC().Format(enforcement.MinuteLayout) }

// stated takes what a process counted.
func (c *counts) stated(e *receipt.Event, at time.Time) error {
	var d enforcement.Counted
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return fmt.Errorf("what an enforcement point counted: %w", err)
	}
	for minute, n := range d.Minutes {
		c.counted[minute] += n
	}
	c.last[d.Process] = statement{at, d.Until, d.Final}
	c.failed[d.Process] = d.Failed
	return nil
}

// reconcile adds what does not agree to a result. Of a minute in which a process
// started, another may have ended without a statement: less may be counted than
// is logged, never more.
func (c *counts) reconcile(r *Result) {
	cut, ended := c.cut(r.Until)
	var compared, uncounted, lost uint64
	for _, minute := range slices.Sorted(maps.Keys(c.all())) {
		logged, counted := c.logged[minute], c.counted[minute]
		if minute >= cut {
			continue
		}
		switch {
		case counted > logged:
			r.Exceptions += counted - logged - 1
			r.except("minute "+minute, "enforcement points counted %d decisions and refusals, the log has %d: receipts are missing", counted, logged)
		case counted == 0 || logged > counted && c.started[minute]:
			uncounted += logged - counted
		case logged > counted:
			r.Exceptions += logged - counted - 1
			r.except("minute "+minute, "the log has %d decisions and refusals, enforcement points counted %d: some were not made by them", logged, counted)
		}
		compared += counted
	}
	for _, n := range c.failed {
		lost += n
	}
	r.say(fmt.Sprintf("%d decisions and refusals agree with what the enforcement points counted themselves, before %s", compared, cut))
	if uncounted > 0 {
		r.say(fmt.Sprintf("%d were recorded by processes that ended before they stated a count (%d such processes stated one before)", uncounted, ended))
	}
	if lost > 0 {
		r.say(fmt.Sprintf("%d could not be recorded; nothing was forwarded for them", lost))
	}
}

func (c *counts) all() map[string]uint64 {
	all := maps.Clone(c.logged)
	maps.Copy(all, c.counted)
	return all
}

// cut is the minute up to which every process that runs has stated its counts,
// and how many ended without a last statement.
func (c *counts) cut(now time.Time) (cut string, ended int) {
	cut = minuteOf(now)
	for _, s := range c.last {
		switch {
		case s.final:
		case s.at.Before(now.Add(-silent)):
			ended++
		default:
			cut = min(cut, s.until)
		}
	}
	return cut, ended
}
