// Package enforcement is the one function behind every surface: facts →
// decision → receipt, for agents and people alike (ISO 42001 8.1).
package enforcement

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/pdp"
	"aims/receipt"

	"github.com/cedar-policy/cedar-go"
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
	o         Options
	refusals  *limiter
	entities  principals
	records   records

	waiting  waiting
	unclosed retries

	// catalog is held by whoever changes tools or policies, so that the active
	// set is always compiled against a catalog at least as new as its sources.
	catalog  sync.Mutex
	compiled uint64 // the inventory's version that the active set was compiled against, plus one
	stale    atomic.Pointer[string]
}

// New puts an enforcer over the parts that it decides from.
func New(log *ledger.Ledger, tools *inventory.Inventory, policies *policy.Administration, o Options) *Enforcer {
	o.MaxResult = min(cmp.Or(o.MaxResult, 1<<20), receipt.MaxPayload)
	o.ReportWithin = cmp.Or(o.ReportWithin, 10*time.Minute)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.MaxUnreported = cmp.Or(o.MaxUnreported, 1_000_000)
	return &Enforcer{ledger: log, inventory: tools, policy: policies, o: o, refusals: newLimiter(o.Limits)}
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
	c, a, err := e.judge(c)
	if err != nil {
		return e.refuseCall(ctx, c, a, err)
	}
	return e.settle(ctx, c, a)
}

// judge is a decision without its receipt. With an error the call is refused,
// and the attempt has what was found out.
func (e *Enforcer) judge(c Call) (Call, attempt, error) {
	var a attempt
	c, err := c.named()
	if err != nil {
		return c, a, err
	}
	set := e.policy.Active()
	if set == nil {
		return c, a, aims.Errorf(aims.Unavailable, nil, "no policy is active: everything is refused")
	}
	a.decision.Policy = set.Digest()
	if c.Tool != "" {
		if a.tool, err = e.tool(c); err != nil {
			return c, a, err
		}
	}
	if !set.Has(c.Action) {
		return c, a, aims.Errorf(aims.Denied, nil, "there is no such action, so no policy can permit it")
	}
	request, entities, err := e.request(c, a.tool)
	if err != nil {
		return c, a, err
	}
	if request, err = set.Complete(request, c.Input); err != nil {
		return c, a, invalidInput(err)
	}
	facts, err := pdp.EncodeFacts(request, entities)
	if err != nil {
		return c, a, aims.Errorf(aims.Invalid, err, "the facts of the call cannot be recorded")
	}
	a.decision, a.facts = set.Decide(request, entities), facts
	return c, a, nil
}

// attempt is what has been found out about a call so far.
type attempt struct {
	tool     inventory.State
	decision authz.Decision
	cause    string
	facts    []byte
}

// settle records a decision. One that allows waits for a report if its channel
// has them, and needs a place for that.
func (e *Enforcer) settle(ctx context.Context, c Call, a attempt) (Ruling, error) {
	if !reported(c.Channel) || !a.decision.Allowed() {
		return e.record(ctx, c, a)
	}
	if e.waiting.size() >= e.o.MaxUnreported {
		return Ruling{}, aims.Errorf(aims.Exhausted, nil, "too many decisions wait for the report of their outcome")
	}
	r, err := e.record(ctx, c, a)
	if err == nil {
		e.waiting.add(r.Index, r.Time)
	}
	return r, err
}

func invalidInput(err error) error {
	var input *pdp.InputError
	if errors.As(err, &input) {
		return aims.Errorf(aims.Invalid, nil, "%s", input.Error())
	}
	return aims.Errorf(aims.Invalid, err, "the arguments cannot be judged")
}

// tool finds the tool that a call names, as it is at this moment.
func (e *Enforcer) tool(c Call) (inventory.State, error) {
	t, known := e.inventory.Tool(c.Server, c.Tool)
	switch {
	case !known:
		return t, aims.Errorf(aims.Denied, nil, "there is no such tool")
	case !t.Listed:
		return t, aims.Errorf(aims.Denied, nil, "the server does not list this tool now")
	case t.Approved == "":
		return t, aims.Errorf(aims.Denied, nil, "this tool is in quarantine: nobody has approved it yet")
	}
	return t, nil
}

// Possible says whether some input could make the call allowed or held, for
// filtering lists. It errs to one side: false means that every input is denied.
func (e *Enforcer) Possible(_ context.Context, c Call) bool {
	c, err := c.named()
	set := e.policy.Active()
	if err != nil || set == nil || !set.Has(c.Action) {
		return false
	}
	var tool inventory.State
	if c.Tool != "" {
		if tool, err = e.tool(c); err != nil {
			return false
		}
	}
	request, entities, err := e.request(c, tool)
	return err == nil && set.Possible(request, entities)
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

// request is the Cedar request of a call, without its input.
func (e *Enforcer) request(c Call, t inventory.State) (cedar.Request, cedar.EntityMap, error) {
	principal, entities, err := e.entities.of(c.Principal)
	if err != nil {
		return cedar.Request{}, nil, err
	}
	on := resource(c)
	if c.Channel != Management {
		entities = maps.Clone(entities)
		entities[on] = cedar.Entity{UID: on, Attributes: cedar.NewRecord(cedar.RecordMap{"stopped": cedar.False})}
	}
	return cedar.Request{
		Principal: principal,
		Action:    cedar.NewEntityUID("Action", cedar.String(c.Action)),
		Resource:  on,
		Context:   e.records.context(c, t),
	}, entities, nil
}
