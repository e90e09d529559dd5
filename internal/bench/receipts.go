package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/sqlite"
)

// What is promised of durable receipts.
const (
	leastThroughput = 0.65 // of the bare loop's, at the concurrent callers
	mostP99         = 4    // ms, at the concurrent callers
	mostLone        = 1.2  // times the bare loop's p50, for one caller
)

// testLog is a ledger on a new SQLite database.
type testLog struct {
	*ledger.Ledger
	db   *store.DB
	vkey string
}

const origin = "bench.example/aims"

func openLog(ctx context.Context, path string, more ...store.Schema) (*testLog, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, time.Now, append([]store.Schema{ledger.Schema()}, more...)...)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, db, ledger.Options{Origin: origin, Signer: signer, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &testLog{Ledger: l, db: db, vkey: vkey}, nil
}

func (l *testLog) close(ctx context.Context) error {
	return errors.Join(l.Close(ctx), l.db.Close())
}

// prepared is the receipts of one caller, made before the clock runs so that
// only keeping them is timed. Both sides go through the same ones.
type prepared struct {
	decisions []ledger.Entry
	outcomes  []ledger.Entry
	records   [][]byte // decisions and outcomes by turns
	open      uint64   // the index of the caller's last decision
}

// variety is how many different calls a caller makes before it begins anew.
const variety = 64

func prepare(callers int) ([]*prepared, error) {
	made := newEntries()
	all := make([]*prepared, callers)
	for caller := range all {
		p := &prepared{}
		for n := range variety {
			decision, id, err := made.decision(caller*variety + n)
			if err != nil {
				return nil, err
			}
			outcome, err := made.outcome(caller*variety+n, 0, id)
			if err != nil {
				return nil, err
			}
			p.decisions = append(p.decisions, decision)
			p.outcomes = append(p.outcomes, outcome)
			p.records = append(p.records, record(decision), record(outcome))
		}
		all[caller] = p
	}
	return all, nil
}

// receipts compares durable appends with a bare group commit, for one caller
// in turn and for concurrent callers in windows of the same length.
func (b *bench) receipts(ctx context.Context) (rows []Row, err error) {
	log, err := openLog(ctx, filepath.Join(b.dir, "receipts.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.close(context.WithoutCancel(ctx))) }()
	bare, err := openBareLoop(filepath.Join(b.dir, "receipts.bare"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()

	for i, callers := range b.sizes.callers {
		work, err := prepare(callers)
		if err != nil {
			return nil, err
		}
		kept, plain := appendTo(log, work), appendToBare(bare, work)
		if callers == 1 {
			row, err := b.loneReceipts(ctx, kept, plain)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
			continue
		}
		informs := i == len(b.sizes.callers)-1 && i > 1
		more, err := b.concurrentReceipts(ctx, callers, informs, kept, plain)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func appendTo(log *testLog, work []*prepared) operation {
	return func(ctx context.Context, caller, n int) error {
		p := work[caller]
		if n%2 == 0 {
			ref, err := log.Append(ctx, p.decisions[n/2%variety])
			p.open = ref.Index
			return err
		}
		e := p.outcomes[n/2%variety]
		e.Closes = p.open
		_, err := log.Append(ctx, e)
		return err
	}
}

func appendToBare(bare *bareLoop, work []*prepared) operation {
	return func(_ context.Context, caller, n int) error {
		p := work[caller]
		return bare.append(p.records[n%len(p.records)])
	}
}

func (b *bench) loneReceipts(ctx context.Context, kept, plain operation) (Row, error) {
	// An even number, so that every decision has its outcome.
	count := b.sizes.lone * b.sizes.rounds / 2 * 2
	tookKept, tookPlain, err := alternate(ctx, count, kept, plain)
	if err != nil {
		return Row{}, err
	}
	p50 := median(tookKept)
	return Row{Name: "durable receipt, 1 caller, p50, over a bare append and sync", Value: millis(p50), Unit: "ms"}.
		withRatio(float64(p50) / float64(median(tookPlain))).ratioAtMost(mostLone), nil
}

func (b *bench) concurrentReceipts(ctx context.Context, callers int, informs bool, kept, plain operation) ([]Row, error) {
	var rateKept, ratePlain []float64
	var took []time.Duration
	for range b.sizes.rounds {
		k, err := load(ctx, callers, b.sizes.window, kept)
		if err != nil {
			return nil, err
		}
		p, err := load(ctx, callers, b.sizes.window, plain)
		if err != nil {
			return nil, err
		}
		rateKept, ratePlain = append(rateKept, k.perSecond()), append(ratePlain, p.perSecond())
		took = append(took, k.took...)
	}
	rate := Row{Name: fmt.Sprintf("durable receipts, %d callers, over a bare group commit", callers), Value: median(rateKept), Unit: "receipts/s"}.
		withRatio(median(ratios(rateKept, ratePlain)))
	late := Row{Name: fmt.Sprintf("durable receipt, %d callers, p99", callers), Value: millis(percentile(took, 0.99)), Unit: "ms"}
	if !informs {
		rate, late = rate.ratioAtLeast(leastThroughput), late.valueAtMost(mostP99)
	}
	return []Row{rate, late}, nil
}
