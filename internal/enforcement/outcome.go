package enforcement

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/ledger"
	"aims/internal/session"
	"aims/internal/store"
	"aims/receipt"
)

// Close records what came of a ruling that allowed a call. The outcome is
// recorded also when the caller has gone away. When it cannot be, the error
// says so, and CloseOverdue tries again without the result. A ruling is closed
// once: after that, Close fails with aims.Conflict.
func (e *Enforcer) Close(ctx context.Context, r Ruling, o Outcome) error {
	if !r.Allowed() || r.Receipt == "" {
		return aims.Errorf(aims.Conflict, nil, "only a decision that allowed something has an outcome")
	}
	d := openDecision{index: r.Index, id: r.Receipt, since: r.Time, did: r.did}
	err := e.close(ctx, d, o)
	if code, _ := aims.Public(err); err != nil && code != aims.Conflict && code != aims.Invalid {
		e.unclosed.add(d, o.withoutResult())
	}
	return err
}

// withoutResult is the outcome with the digest of its result in place of it.
func (o Outcome) withoutResult() Outcome {
	if len(o.Result) > 0 {
		sum := sha256.Sum256(o.Result)
		o.SHA256 = "sha256:" + hex.EncodeToString(sum[:])
		o.Bytes = cmp.Or(o.Bytes, int64(len(o.Result)))
		o.Result = nil
	}
	return o
}

// openDecision is a decision that waits for its outcome.
type openDecision struct {
	index uint64
	id    string
	since time.Time
	did   *doing // nil when it is to be read from the log
}

// maxDetail bounds the sentence of an outcome.
const maxDetail = 500

func (e *Enforcer) close(ctx context.Context, d openDecision, o Outcome) error {
	if e.o.Redactor != nil {
		o.Detail = e.o.Redactor.Redact(o.Detail)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	if err := e.recall(ctx, &d); err != nil {
		return unrecorded(err)
	}
	labels := e.labelsOf(d.did, o)
	if len(o.Result) > e.o.MaxResult {
		o = o.withoutResult()
	}
	entry, err := e.outcomeOf(d, o, labels)
	if err != nil {
		return err
	}
	var content session.Content
	if d.did.handsOut(o) {
		content = session.ContentOf(o.Result, d.did.input, labels)
	}
	_, err = e.ledger.Beside(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		return entry, d.did.follow(e.sessions.Within(tx), d.index, o, labels, content)
	})
	if err == nil && d.did.handsOut(o) {
		e.sessions.Handed(d.did.run)
	}
	if code, _ := aims.Public(err); err == nil || code == aims.Conflict {
		e.waiting.done(d.index)
	}
	return unrecorded(err)
}

// outcomeOf is the entry of an outcome.
func (e *Enforcer) outcomeOf(d openDecision, o Outcome, labels []string) (ledger.Entry, error) {
	body := receipt.Outcome{
		ID: aims.NewID("rcp"), Decision: d.id, Status: o.Status, Detail: clean(o.Detail, maxDetail), Labels: labels,
		Bytes: cmp.Or(o.Bytes, int64(len(o.Result))), Micros: max(0, e.o.Now().Sub(d.since).Microseconds()),
	}
	entry := ledger.Entry{Kind: receipt.OutcomeKind, Closes: d.index}
	data, err := kept(o)
	if err != nil {
		return entry, err
	}
	if len(data) > 0 {
		salt := newSalts()[0]
		body.Result = salt.Digest(data)
		entry.Payloads = []ledger.Payload{{Name: receipt.ResultPayload, Salt: salt, Data: data}}
	}
	if entry.Body, err = receipt.Encode(&body); err != nil {
		return entry, aims.Errorf(aims.Invalid, err, "this is no outcome")
	}
	return entry, nil
}

// follow does what follows from an outcome: it is done when the answer is
// handed out, which is later.
func (d *doing) follow(t *session.Tx, decision uint64, o Outcome, labels []string, c session.Content) error {
	if d.handsOut(o) {
		if err := t.Read(d.run, decision, labels, len(o.Result) > 0, c); err != nil {
			return err
		}
	}
	if o.Status != receipt.Succeeded || len(d.uses) == 0 {
		return nil
	}
	return t.Used(d.run, d.purpose, d.uses)
}

// recall reads from the log what another process, or this one before it
// ended, did decide.
func (e *Enforcer) recall(ctx context.Context, d *openDecision) error {
	if d.did != nil {
		return nil
	}
	leaf, err := e.ledger.Entry(ctx, d.index)
	if err != nil {
		return err
	}
	b, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil {
		return aims.Errorf(aims.Conflict, err, "there is no open decision at %d", d.index)
	}
	d.did = &doing{channel: b.Channel}
	if b.Channel == Management || b.Actor == nil || b.Resource == nil {
		return nil
	}
	d.did.run = session.KeyOf(aims.Actor(*b.Actor), b.Session)
	server, tool, ok := strings.Cut(b.Action, toolSeparator)
	if d.did.reads = reads(b.Action); !ok {
		return nil
	}
	d.did.server, d.did.tool, d.did.reads = server, tool, true
	t, _ := e.inventory.Tool(server, tool)
	d.did.labels, d.did.purpose = t.Labels, b.Purpose
	if d.did.input, err = e.payload(ctx, d.index, receipt.InputPayload); err == nil && b.Purpose != "" {
		d.did.uses = UsesOf(b.Action, t.Sinks, d.did.input)
	}
	return err
}

// omitted stands in the vault for a result that is not kept: who has the
// result from elsewhere can still show that it was this one.
type omitted struct {
	SHA256 string `json:"omitted_sha256"`
	Bytes  int64  `json:"bytes"`
}

// kept is what goes into the vault of an outcome; nil for nothing.
func kept(o Outcome) ([]byte, error) {
	if o.Result == nil && o.SHA256 != "" {
		return json.Marshal(omitted{o.SHA256, o.Bytes})
	}
	return o.Result, nil
}

// CloseByID records the outcome that a caller reports of its own decision, or
// of one that it asked for on another's behalf. It fails with aims.NotFound
// when the caller has no such decision, and with aims.Conflict when it has an
// outcome already.
func (e *Enforcer) CloseByID(ctx context.Context, p identity.Principal, id string, o Outcome) error {
	leaf, err := e.ledger.Find(ctx, id)
	if err != nil {
		return err
	}
	// Nobody learns of decisions that are not theirs.
	none := aims.Errorf(aims.NotFound, nil, "there is no receipt with this id")
	if leaf.Kind != receipt.DecisionKind {
		return none
	}
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil {
		return aims.Errorf(aims.Internal, err, "the decision cannot be read")
	}
	caller := receipt.Party(p.Actor)
	if d.Actor == nil || *d.Actor != caller && (d.Via == nil || *d.Via != caller) {
		return none
	}
	if !reported(d.Channel) {
		return aims.Errorf(aims.Conflict, nil, "the outcome of this decision is not the caller's to report")
	}
	switch o.Status {
	case receipt.Unreported, receipt.Unknown:
		return aims.Errorf(aims.Invalid, nil, "status %q is not the caller's to report", o.Status)
	}
	return e.close(ctx, openDecision{index: leaf.Index, id: id, since: leaf.Time}, o)
}

// CloseOverdue closes the decisions whose callers did not report in time as
// unreported, and tries again to record outcomes that could not be. It is the
// step of a ticker, and returns how many it closed.
func (e *Enforcer) CloseOverdue(ctx context.Context) (int, error) {
	closed, failures := e.retryUnclosed(ctx)
	var overdue []openDecision
	for _, index := range e.waiting.before(e.o.Now().Add(-e.o.ReportWithin)) {
		leaf, err := e.ledger.Entry(ctx, index)
		if err != nil {
			return closed, errors.Join(append(failures, err)...)
		}
		d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		overdue = append(overdue, openDecision{index: index, id: d.ID, since: leaf.Time})
	}
	n, err := e.closeAll(ctx, overdue, Outcome{Status: receipt.Unreported, Detail: "the caller did not report in time"})
	return closed + n, errors.Join(append(failures, err)...)
}

// Recover closes, as unknown, every decision that the process before left
// open, and returns them. It is called once, before the first call is decided.
func (e *Enforcer) Recover(ctx context.Context) ([]receipt.Decision, error) {
	leaves, err := e.ledger.OpenDecisions(ctx)
	if err != nil {
		return nil, err
	}
	decisions := make([]receipt.Decision, 0, len(leaves))
	open := make([]openDecision, 0, len(leaves))
	for _, leaf := range leaves {
		d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
		if err != nil {
			return nil, aims.Errorf(aims.Internal, err, "an open decision cannot be read: verify the log")
		}
		e.o.Log.Warn("a decision was left without outcome: the action may have happened",
			"receipt", d.ID, "index", leaf.Index, "actor", d.Actor, "action", d.Action)
		decisions = append(decisions, *d)
		open = append(open, openDecision{index: leaf.Index, id: d.ID, since: leaf.Time})
	}
	_, err = e.closeAll(ctx, open, Outcome{Status: receipt.Unknown, Detail: "the process ended before the outcome was recorded"})
	return decisions, err
}

// closeAll closes decisions side by side, so that they share commits.
func (e *Enforcer) closeAll(ctx context.Context, open []openDecision, o Outcome) (int, error) {
	const abreast = 64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	closed := 0
	queue := make(chan openDecision)
	for range min(abreast, len(open)) {
		wg.Go(func() {
			for d := range queue {
				err := e.close(ctx, d, o)
				mu.Lock()
				if code, _ := aims.Public(err); err == nil {
					closed++
				} else if code != aims.Conflict { // it was reported meanwhile
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, d := range open {
		queue <- d
	}
	close(queue)
	wg.Wait()
	return closed, errors.Join(failures...)
}

// waiting is the decisions whose callers are to report, by index.
type waiting struct {
	mu    sync.Mutex
	since map[uint64]int64 // microseconds since the Unix epoch
}

func (w *waiting) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.since)
}

func (w *waiting) add(index uint64, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since == nil {
		w.since = map[uint64]int64{}
	}
	w.since[index] = at.UnixMicro()
}

func (w *waiting) done(index uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.since, index)
}

// before is the decisions of a time or earlier, oldest first.
func (w *waiting) before(at time.Time) []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var indexes []uint64
	for index, since := range w.since {
		if since <= at.UnixMicro() {
			indexes = append(indexes, index)
		}
	}
	slices.Sort(indexes)
	return indexes
}

// retries are outcomes that could not be recorded yet.
type retries struct {
	mu      sync.Mutex
	pending map[uint64]retry
}

type retry struct {
	openDecision
	outcome Outcome
}

// maxRetries bounds their memory. What is beyond it stays open in the log, and
// the next start says so.
const maxRetries = 10_000

func (r *retries) add(d openDecision, o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending = map[uint64]retry{}
	}
	if len(r.pending) < maxRetries {
		r.pending[d.index] = retry{d, o}
	}
}

func (r *retries) all() []retry {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]retry, 0, len(r.pending))
	for _, p := range r.pending {
		all = append(all, p)
	}
	return all
}

func (r *retries) done(index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, index)
}

func (e *Enforcer) retryUnclosed(ctx context.Context) (closed int, failures []error) {
	for _, r := range e.unclosed.all() {
		err := e.close(ctx, r.openDecision, r.outcome)
		code, _ := aims.Public(err)
		if err == nil || code == aims.Conflict {
			e.unclosed.done(r.index)
			closed++
			continue
		}
		return closed, []error{err} // the ledger is still unwell: not all of them now
	}
	return closed, nil
}
