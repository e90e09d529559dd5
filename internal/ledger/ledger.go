// Package ledger appends receipts in group commits, sequences them, signs
// checkpoints, has them witnessed and serves the log as tiles (ISO 42001
// A.6.2.8; RFC 6962; C2SP tlog-tiles, tlog-checkpoint, tlog-witness, tlog-proof).
// docs/ledger.md says why it is built as it is.
package ledger

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// Payload is content that lies beside the log and can be erased: the receipt
// holds only its salted digest.
type Payload struct {
	Name string // receipt.InputPayload, FactsPayload or ResultPayload
	Salt receipt.Salt
	Data []byte // at most receipt.MaxPayload
}

// Entry is a receipt to be appended. The sequencer gives it index and time.
type Entry struct {
	Kind     receipt.Kind
	Closes   uint64 // with OutcomeKind: the index of the decision
	Body     []byte // as receipt.Encode makes it, at most MaxBody
	Payloads []Payload
	// Then are entries that stand behind this one, stored together with it or
	// not at all: what follows from one change, such as a held call and the
	// approval that it asks for. Only Change takes them, and they have none of
	// their own.
	Then []Entry
}

// MaxBody is the largest body: what receipt.MaxLeaf leaves beside the longest
// header line.
const MaxBody = receipt.MaxLeaf - 94

// Ref is where a receipt came to stand.
type Ref struct {
	Index uint64
	Time  time.Time
}

// Options are what a ledger is opened with.
type Options struct {
	// Origin names the log, the first line of its checkpoints: a URL without
	// scheme, by C2SP tlog-checkpoint. A database belongs to one origin.
	Origin string
	// Signer signs checkpoints: an Ed25519 key whose name is the origin.
	Signer note.Signer
	// Now is the clock of checkpoints; receipts have the time of their transaction.
	Now func() time.Time
	Log *slog.Logger
	// Witnesses are asked to cosign every checkpoint.
	Witnesses []Witness
	// SignEvery is the time between checkpoints while the log grows; 0 means
	// half a second.
	SignEvery time.Duration
}

// Ledger is the log of one installation.
type Ledger struct {
	reader
	options Options
	sql     statements
	queue   chan *request
	// closing tells callers and the sequencer that no more is accepted; ended
	// that the sequencer has answered all it took.
	closing, ended chan struct{}
	close          sync.Once
	loops          sync.WaitGroup
	stopLoops      context.CancelFunc

	// tree is the log as it was last known to be committed. Only the sequencer
	// replaces it.
	tree atomic.Pointer[tree]
	open openDecisions
	// What follows is the sequencer's: whether the last commit failed, how many
	// of the next ones lock the head before anything else, and room for them.
	failing bool
	wary    int
	spare   spare

	companion atomic.Pointer[Companion]

	longSearch chan struct{} // of capacity 1: held while one is made

	signing   sync.Mutex // held while a checkpoint is made
	signed    atomic.Pointer[signedTree]
	witnesses []*witnessState
}

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the ledger's tables.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return store.Schema{Name: "ledger", Migrations: files}
}

// Open opens the log in db, which has the tables of Schema, and creates it when
// there is none. It fails when the log is of another origin, was signed by
// another key, or is not an extension of the last checkpoint that was signed:
// then somebody has changed the database.
func Open(ctx context.Context, db *store.DB, o Options) (*Ledger, error) {
	if o.SignEvery == 0 {
		o.SignEvery = 500 * time.Millisecond
	}
	l := &Ledger{
		reader:  reader{db: db},
		options: o,
		queue:   make(chan *request, queueLength),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),

		longSearch: make(chan struct{}, 1),
	}
	for _, w := range o.Witnesses {
		l.witnesses = append(l.witnesses, newWitnessState(w))
	}
	if err := l.sql.prepare(ctx, db); err != nil {
		return nil, err
	}
	if err := l.load(ctx); err != nil {
		l.sql.close()
		return nil, err
	}
	if err := l.start(ctx); err != nil {
		l.sql.close()
		return nil, err
	}
	return l, nil
}

func (l *Ledger) start(ctx context.Context) error {
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stopLoops = stop
	go l.sequence()
	if err := l.Sign(ctx); err != nil {
		close(l.closing)
		<-l.ended
		stop()
		return err
	}
	l.loops.Go(func() { l.signLoop(loops) })
	for _, w := range l.witnesses {
		l.loops.Go(func() { l.witnessLoop(loops, w) })
	}
	return nil
}

// Append makes the entry durable and returns where it stands. When it returns
// an error, the entry is not in the log, or, when the connection broke while the
// commit was under way, may be: the caller must act as if it were not. The
// codes are aims.Invalid for an entry that can never be appended, Conflict for
// an outcome of a decision that is not open, Exhausted when the queue was full
// until ctx ended, and Unavailable when it could not be stored. It must not be
// called within a transaction of the same database, which it would wait for.
func (l *Ledger) Append(ctx context.Context, e Entry) (Ref, error) {
	if len(e.Then) > 0 {
		return Ref{}, aims.Errorf(aims.Invalid, nil, "several receipts are appended by a change only")
	}
	if err := e.check(); err != nil {
		return Ref{}, err
	}
	return l.submit(ctx, newRequest(e, nil))
}

// Change runs fn in the transaction that also appends the entry that fn
// returns, and returns where that one stands: the state and its receipt are
// stored together or not at all. fn
// runs under a savepoint and may be run again when the commit is retried; its
// error is returned as it is. fn must use nothing but the transaction to reach
// the database: another write would wait for this one for ever.
func (l *Ledger) Change(ctx context.Context, fn func(*store.Tx) (Entry, error)) (Ref, error) {
	return l.submit(ctx, newRequest(Entry{}, func(tx *store.Tx, _ Ref) (Entry, error) { return fn(tx) }))
}

// ChangeAt is Change for state that names its receipt: fn is told where its
// entry will stand if it is kept; those of Then follow without a gap.
func (l *Ledger) ChangeAt(ctx context.Context, fn func(*store.Tx, Ref) (Entry, error)) (Ref, error) {
	return l.submit(ctx, newRequest(Entry{}, fn))
}

// Size is the number of receipts that are known to be committed.
func (l *Ledger) Size() uint64 { return l.tree.Load().size() }

// Close appends what is queued, signs a last checkpoint and stops. Nothing is
// accepted after it began. The database stays open.
func (l *Ledger) Close(ctx context.Context) error {
	var err error
	l.close.Do(func() {
		close(l.closing)
		l.stopLoops()
		l.loops.Wait()
		select {
		case <-l.ended:
		case <-ctx.Done():
			err = aims.Errorf(aims.Timeout, ctx.Err(), "the last receipts were not stored in time")
			return
		}
		if err = l.sign(ctx); err == nil {
			l.lastCosignatures(ctx)
		}
		l.sql.close()
	})
	return err
}

// lastCosignatures gives the witnesses a moment for the last checkpoint, so
// that a log at rest is witnessed to its end.
func (l *Ledger) lastCosignatures(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, lastChance)
	defer stop()
	var asked sync.WaitGroup
	for _, w := range l.witnesses {
		asked.Go(func() {
			if err := l.witnessStep(ctx, w); err != nil {
				l.options.Log.Warn("the witness did not cosign the last checkpoint", "witness", w.Verifier.Name(), "error", err)
			}
		})
	}
	asked.Wait()
}
