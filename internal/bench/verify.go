package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"aims/internal/ledger"
	"aims/receipt"
)

// What is promised of offline verification.
const (
	leastOfLimit = 0.85 // of the SHA-256 limit on verifyCores
	mostMemory   = 100  // MB of resident memory
	verifyCores  = 2
)

// verify makes an export with the real writer and compares the integrity pass
// over it with hashing the same bytes. Both run in processes of their own, so
// that the verifier's memory is its own.
func (b *bench) verify(ctx context.Context) (rows []Row, err error) {
	log, err := openLog(ctx, filepath.Join(b.dir, "verify.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.close(context.WithoutCancel(ctx))) }()
	for _, size := range b.sizes.receipts {
		b.say("verify: writing %d receipts", size)
		if err := fill(ctx, log, size); err != nil {
			return nil, err
		}
		dir := filepath.Join(b.dir, fmt.Sprintf("export-%d", size))
		if err := export(ctx, log, dir); err != nil {
			return nil, err
		}
		more, err := b.verifyExport(ctx, dir, log.vkey, size)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// fillers is how many callers append at the same time.
const fillers = 512

// fill lets the log grow to size, decision by decision and outcome by outcome.
// Payloads lie beside the log and are no part of what integrity rests on: the
// receipts hold their digests, and nothing else of them is written.
func fill(ctx context.Context, log *testLog, size uint64) error {
	made := newEntries()
	calls := int(size-log.Size()) / 2
	results := make([]error, fillers)
	var done sync.WaitGroup
	for filler := range fillers {
		done.Go(func() {
			for n := filler; n < calls && results[filler] == nil; n += fillers {
				results[filler] = appendCall(ctx, log, made, n)
			}
		})
	}
	done.Wait()
	return errors.Join(results...)
}

func appendCall(ctx context.Context, log *testLog, made entries, n int) error {
	decision, id, err := made.decision(n)
	if err != nil {
		return err
	}
	decision.Payloads = nil
	ref, err := log.Append(ctx, decision)
	if err != nil {
		return err
	}
	outcome, err := made.outcome(n, ref.Index, id)
	if err != nil {
		return err
	}
	outcome.Payloads = nil
	_, err = log.Append(ctx, outcome)
	return err
}

func export(ctx context.Context, log *testLog, dir string) error {
	if err := log.Sign(ctx); err != nil {
		return err
	}
	source, err := ledger.NewSource(ctx, log.db, nil)
	if err != nil {
		return err
	}
	_, err = receipt.Export(ctx, source, dir, receipt.ExportOptions{Created: time.Now()})
	return err
}

func (b *bench) verifyExport(ctx context.Context, dir, vkey string, size uint64) ([]Row, error) {
	var tookLimit, tookVerify []float64
	var memory int64
	for range b.sizes.passes {
		var limit hashed
		if _, err := b.once(ctx, &limit, "hash", dir); err != nil {
			return nil, err
		}
		var done verified
		used, err := b.once(ctx, &done, "verify", dir, vkey)
		if err != nil {
			return nil, err
		}
		if limit.Leaves != size || done.Entries != size || limit.Root != done.Root {
			return nil, fmt.Errorf("hashed %d receipts to %s, verified %d as %s: not the same %d", limit.Leaves, limit.Root, done.Entries, done.Root, size)
		}
		tookLimit = append(tookLimit, limit.Took.Seconds())
		tookVerify = append(tookVerify, done.Took.Seconds())
		memory = max(memory, used.Memory)
	}
	return []Row{
		Row{Name: fmt.Sprintf("verification of %d receipts, of the SHA-256 limit on %d cores", size, verifyCores), Value: float64(size) / median(tookVerify), Unit: "receipts/s"}.
			withRatio(median(ratios(tookLimit, tookVerify))).ratioAtLeast(leastOfLimit),
		Row{Name: fmt.Sprintf("verification of %d receipts, resident memory", size), Value: float64(memory) / 1e6, Unit: "MB"}.
			valueAtMost(mostMemory),
	}, nil
}

// once runs a role that does its work and ends.
func (b *bench) once(ctx context.Context, result any, role string, args ...string) (usage, error) {
	p, err := b.start(ctx, result, role, args...)
	if err != nil {
		return usage{}, err
	}
	used, err := p.usage()
	return used, errors.Join(err, p.stop())
}

// verified is what the role verify prints.
type verified struct {
	Entries uint64        `json:"entries"`
	Root    string        `json:"root"` // base64
	Took    time.Duration `json:"took"`
}

// verifyRole verifies the integrity of an export: its arguments are the
// directory and the verifier key.
func verifyRole(ctx context.Context, args []string, say func(any) error) (func() error, error) {
	if len(args) != 2 {
		return nil, errors.New("verify needs a directory and a key, got " + strconv.Itoa(len(args)) + " arguments")
	}
	runtime.GOMAXPROCS(verifyCores)
	trust, err := receipt.NewTrust(args[1], nil, 0)
	if err != nil {
		return nil, err
	}
	source, err := receipt.OpenExport(args[0])
	if err != nil {
		return nil, err
	}
	start := time.Now()
	report, err := receipt.Verify(ctx, source, receipt.Options{Trust: trust, Integrity: true})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	if !report.Verified() {
		return nil, fmt.Errorf("the export does not verify: %+v", report.Checks)
	}
	return source.Close, say(verified{Entries: report.Size, Root: report.Root, Took: took})
}
