// Package enforcement is the one function behind every surface: facts →
// decision → receipt, for agents and people alike (ISO 42001 8.1).
package enforcement

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/session"
	"aims/receipt"
)

// Options tune an Enforcer. The zero value of a bound means its default.
type Options struct {
	Now func() time.Time
	// Log is told what could not be recorded; nil for no log.
	Log *slog.Logger
	// Redactor takes secrets out of outcome details; nil for none.
	Redactor *identity.Redactor
	// MaxResult is the size in bytes up to which a result is kept in the vault; 0 for 1 MiB.
	MaxResult int
	// ReportWithin is how long a caller that performs an action itself has for
	// reporting its outcome; 0 for ten minutes.
	ReportWithin time.Duration
	// MaxUnreported bounds the decisions that wait for such a report; 0 for a million.
	MaxUnreported int
	// Limits bound the refusal receipts.
	Limits Limits
	// Approvals are the held calls; nil when nothing can be released.
	Approvals *approval.Approvals
	// UsedAfter is how many runs of a purpose must have used a value before the
	// purpose speaks for it, KnownAfter how many other purposes before they do; each 0 for 2.
	UsedAfter, KnownAfter int
	// Recorded says where the arguments of a call came from that was recorded
	// elsewhere; nil for live runs.
	Recorded func(Call) Origins
	// Content gives the labels of what a result holds, whoever it is from; nil for none.
	Content func(text []byte) []string
}

// commitWithin bounds how long a receipt may take. It runs also when the
// caller has gone away: a decision that may have been recorded must not be
// left in doubt for the want of a few milliseconds.
const commitWithin = 30 * time.Second

// Enforcer decides calls and records them. It is safe for concurrent use.
type Enforcer struct {
	ledger    *ledger.Ledger
	inventory *inventory.Inventory
	policy    *policy.Administration
	sessions  *session.Sessions
	o         Options
	refusals  *limiter
	entities  principals
	records   records
	words     atomic.Pointer[wordings]
	shadow    shadow
	busy      busy
	counter   counter

	waiting  waiting
	unclosed retries

	// catalog is held by whoever changes tools or policies, so that the active
	// set is always compiled against a catalog at least as new as its sources.
	catalog  sync.Mutex
	compiled uint64 // the catalog's version that the active set was compiled against, plus one
	stale    atomic.Pointer[string]
}

// New puts an enforcer over the parts that it decides from.
func New(log *ledger.Ledger, tools *inventory.Inventory, policies *policy.Administration, runs *session.Sessions, o Options) *Enforcer {
	o.MaxResult = min(cmp.Or(o.MaxResult, 1<<20), receipt.MaxPayload)
	o.ReportWithin = cmp.Or(o.ReportWithin, 10*time.Minute)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.UsedAfter, o.KnownAfter = cmp.Or(o.UsedAfter, 2), cmp.Or(o.KnownAfter, 2)
	o.MaxUnreported = cmp.Or(o.MaxUnreported, 1_000_000)
	return &Enforcer{ledger: log, inventory: tools, policy: policies, sessions: runs, o: o, refusals: newLimiter(o.Limits)}
}

// Decide decides a call and records the decision: when it returns without
// error, the receipt is durable. Only a ruling that is Allowed, and only
// without an error, may be acted upon; whoever does so closes it with Close or
// CloseByID.
//
// With an error nothing may be forwarded. The ruling may still name a refusal
// receipt then: aims.Invalid for arguments that do not fit the tool's schema,
// aims.Denied for an action that does not exist or a tool that is not approved
// or not listed. aims.Exhausted means that this caller was refused so often
// that it is no longer recorded one by one, aims.Unavailable that the decision
// could not be recorded.
func (e *Enforcer) Decide(ctx context.Context, c Call) (Ruling, error) {
	c, err := c.named()
	if err != nil {
		return e.refuseCall(ctx, c, attempt{}, err)
	}
	// From here on the caller's patience does not count.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	if c.Channel != Management {
		others := e.busy.enter(c.run())
		defer e.busy.leave(c.run())
		if others && c.Tool != "" {
			if r, err := e.takeLater(ctx, c); !errors.Is(err, errTakeAgain) {
				return r, err
			}
		}
	}
	for range maxTakes {
		r, err := e.take(ctx, c)
		if !errors.Is(err, errTakeAgain) {
			return r, err
		}
	}
	return Ruling{}, aims.Errorf(aims.Unavailable, nil, "what the call is decided from changes too fast: nothing was done; try again")
}

// maxTakes bounds how often facts are taken for one call.
const maxTakes = 16

// errTakeAgain says that facts have to be taken again outside of the
// transaction, because they cannot be within it.
var errTakeAgain = errors.New("enforcement: the facts moved")

// take takes the facts of a call, decides and records.
func (e *Enforcer) take(ctx context.Context, c Call) (Ruling, error) {
	var v *session.View
	if c.Channel != Management {
		v = e.sessions.View(ctx)
	}
	a, err := e.judge(c, v)
	if err != nil {
		return e.refuseCall(ctx, c, a, err)
	}
	if err := e.release(ctx, c, &a); err != nil {
		return e.refuseCall(ctx, c, a, err)
	}
	if err := e.admit(c, a); err != nil {
		return Ruling{}, err
	}
	if c.Channel == Management {
		return e.record(ctx, c, a)
	}
	return e.placeAndWait(ctx, c, a)
}

// takeLater takes of the facts of a call what does not depend on the calls
// before it, and leaves the rest to its place in the log.
func (e *Enforcer) takeLater(ctx context.Context, c Call) (Ruling, error) {
	a, err := e.foresee(c, e.sessions.View(ctx))
	if err != nil {
		return Ruling{}, errTakeAgain // it is refused where that is said
	}
	return e.placeAndWait(ctx, c, a)
}

func (e *Enforcer) placeAndWait(ctx context.Context, c Call, a attempt) (Ruling, error) {
	r, err := e.place(ctx, c, a)
	if err == nil && reported(c.Channel) && r.Allowed() {
		e.waiting.add(r.Index, r.Time)
	}
	return r, err
}

// busy counts the calls of each run that are on their way to their place.
type busy struct {
	mu    sync.Mutex
	calls map[session.Key]int
}

// enter counts one more, and says whether there are others.
func (b *busy) enter(k session.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == nil {
		b.calls = map[session.Key]int{}
	}
	b.calls[k]++
	return b.calls[k] > 1
}

func (b *busy) leave(k session.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls[k]--; b.calls[k] <= 0 {
		delete(b.calls, k)
	}
}

// Possible says whether some input could make the call allowed or held, for
// filtering lists. It errs to one side: false means that every input is denied.
func (e *Enforcer) Possible(ctx context.Context, c Call) bool {
	c, err := c.named()
	set := e.policy.Active()
	if err != nil || set == nil || !set.Has(c.Action) {
		return false
	}
	f := facts{set: set}
	if c.Channel != Management {
		f.view = e.sessions.View(ctx)
	}
	if e.gather(c, &f) != nil || c.Tool != "" && e.trace(c, &f) != nil {
		return false
	}
	request, entities, err := e.request(c, &f, nil)
	return err == nil && set.Possible(request, entities)
}

// Preview says what Decide would decide now, and records nothing: nobody may act
// upon it. The errors are those of Decide.
func (e *Enforcer) Preview(ctx context.Context, c Call) (authz.Decision, error) {
	c, err := c.named()
	if err != nil {
		return authz.Decision{}, err
	}
	var v *session.View
	if c.Channel != Management {
		v = e.sessions.View(ctx)
	}
	a, err := e.judge(c, v)
	if err != nil {
		return authz.Decision{}, err
	}
	return a.decision, nil
}

// Management decides what a person does to the management system. It fails
// with aims.Denied when it is refused; otherwise the caller does it, names the
// ruling's receipt in the receipts of the changes, and closes the ruling.
func (e *Enforcer) Management(ctx context.Context, p identity.Principal, verb string) (Ruling, error) {
	return e.ManagementOf(ctx, p, verb, Matter{})
}

// ManagementOf is Management of something that people had a part in, so that
// policy can keep duties apart.
func (e *Enforcer) ManagementOf(ctx context.Context, p identity.Principal, verb string, m Matter) (Ruling, error) {
	r, err := e.Decide(ctx, Call{Principal: p, Channel: Management, Method: verb, Action: verb, Matter: m})
	if err != nil {
		return r, err
	}
	return r, r.Denial()
}

// commit appends an entry whether or not the caller still waits.
func (e *Enforcer) commit(ctx context.Context, entry ledger.Entry) (ledger.Ref, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	return e.ledger.Append(ctx, entry)
}
