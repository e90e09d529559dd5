package enforcement

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// CountedEvent is the name of the receipt of what an enforcement point counted.
const CountedEvent = "enforcement.counted"

// Counted is the detail of CountedEvent: how many decisions and refusals a
// process recorded, as it counted them itself and not as the log has them. An
// audit compares the two (ISO 42001 9.2, A.6.2.8).
type Counted struct {
	// Process is the process that counted, from its start on.
	Process string `json:"process"`
	// Recorded and Failed are how many it recorded, and how many it could not and
	// therefore refused to act upon.
	Recorded uint64 `json:"recorded"`
	Failed   uint64 `json:"failed"`
	// Minutes are the counts by minute of the receipts, UTC, such as
	// "2026-11-23T10:05"; each is stated once.
	Minutes map[string]uint64 `json:"minutes"`
	// Until is the minute up to which, without it, all counts are stated.
	Until string `json:"until"`
	// Final: the process recorded nothing after this.
	Final bool `json:"final,omitempty"`
}

// MinuteLayout is how Counted names a minute.
const MinuteLayout = "2006-01-02T15:04"

// mostMinutes bounds what one receipt states.
const mostMinutes = 1500

// settling is how long a receipt may take from its commit until it is counted.
const settling = time.Minute

// counter counts what one process recorded.
type counter struct {
	mu               sync.Mutex
	process          string
	recorded, failed uint64
	minutes          map[int64]uint64 // not stated yet, by minutes since 1970
}

// count takes what became of an attempt to record a decision or a refusal.
func (c *counter) count(ref ledger.Ref, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, errTakeAgain): // it is attempted again
		return
	case err != nil:
		c.failed++
		return
	}
	if c.minutes == nil {
		c.minutes = map[int64]uint64{}
	}
	c.recorded++
	c.minutes[ref.Time.Unix()/60]++
}

// take removes the counts of some minutes before one.
func (c *counter) take(until int64) (d Counted, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == "" {
		c.process = aims.NewID("prc")
	}
	d = Counted{Process: c.process, Recorded: c.recorded, Failed: c.failed, Minutes: map[string]uint64{}}
	for _, m := range slices.Sorted(maps.Keys(c.minutes)) {
		if m >= until {
			break
		}
		if len(d.Minutes) == mostMinutes {
			until, more = m, true
			break
		}
		d.Minutes[minuteName(m)] = c.minutes[m]
		delete(c.minutes, m)
	}
	d.Until = minuteName(until)
	return d, more
}

// back puts counts that could not be stated where they were.
func (c *counter) back(d Counted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range d.Minutes {
		if at, err := time.Parse(MinuteLayout, name); err == nil {
			c.minutes[at.Unix()/60] += n
		}
	}
}

func minuteName(m int64) string { return time.Unix(m*60, 0).UTC().Format(MinuteLayout) }

// StateCounts puts into the log what this process counted of the minutes that
// are over; with final, of all. It is the step of a ticker and of closing. What
// cannot be stated is kept for the next time.
func (e *Enforcer) StateCounts(ctx context.Context, final bool) error {
	until := e.o.Now().Add(-settling).Unix() / 60
	if final {
		until = e.o.Now().Unix()/60 + 2
	}
	for more := true; more; {
		var d Counted
		d, more = e.counter.take(until)
		d.Final = final && !more
		if err := e.state(ctx, d); err != nil {
			e.counter.back(d)
			return err
		}
	}
	return nil
}

func (e *Enforcer) state(ctx context.Context, d Counted) error {
	detail, err := json.Marshal(d)
	if err != nil {
		return err
	}
	body, err := receipt.Encode(receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: CountedEvent,
		Object: receipt.Object(aims.System), Detail: detail,
	})
	if err != nil {
		return err
	}
	_, err = e.commit(ctx, ledger.Entry{Kind: receipt.EventKind, Body: body})
	return err
}
