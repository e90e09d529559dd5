package receipt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"aims/receipt"

	"go.uber.org/goleak"
)

func TestGoodLogVerifies(t *testing.T) {
	for _, size := range []uint64{1, 2, 3, 8, 17, 500, 3000} {
		for _, every := range []uint64{1, 7, 256, 10000} {
			if size > 500 && every < 256 {
				continue // signing that often says nothing new
			}
			l := newLog(t, "example.org/log", "a")
			l.fill(size, every)
			r := verify(t, l, receipt.Options{Trust: l.trust()})
			if !r.Verified() {
				t.Fatalf("%d entries, a checkpoint every %d: %q %+v", size, every, exceptions(r), r)
			}
		}
	}
}

// TestManyCheckpointsBeyondTheEntries has more of them than a batch holds.
func TestManyCheckpointsBeyondTheEntries(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(600, 1)
	l.leaves, l.payloads = l.leaves[:9], l.payloads[:9]
	r := verify(t, l, receipt.Options{Trust: l.trust()})
	fails(t, r, "head: tail: 591 entries that the checkpoint of size 600 covers are missing: entries 9–599")
	if c, _ := r.Check("signatures"); c.Population != 600 || c.State != receipt.Passed {
		t.Errorf("%+v", c)
	}
}

// TestLargePayloads fill several batches with a single entry's payloads each.
func TestLargePayloads(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	policy := l.policy("transfer")
	for range 6 {
		l.close(l.decide(policy, strings.Repeat("x", 3<<20)))
	}
	l.checkpoint()
	dir := export(t, l, receipt.ExportOptions{Payloads: true})
	r := verify(t, openExport(t, dir), receipt.Options{Trust: l.trust()})
	if c, _ := r.Check("payloads"); !r.Verified() || c.Population != 18 {
		t.Errorf("%+v %q", c, exceptions(r))
	}
	l.payloads[0].Data = make([]byte, receipt.MaxPayload+1)
	if _, err := receipt.Export(t.Context(), l, t.TempDir()+"/export", receipt.ExportOptions{Payloads: true}); err == nil {
		t.Error("a payload was exported that no verifier reads")
	}
}

// TestErasedPayloadsAreCounted tells erased from missing, and says what could
// not be done without them.
func TestErasedPayloadsAreCounted(t *testing.T) {
	l := tamperedLog(t)
	r := verify(t, l, receipt.Options{Trust: l.trust()})
	if !r.Verified() {
		t.Fatalf("%q", exceptions(r))
	}
	payloads, _ := r.Check("payloads")
	decisions, _ := r.Check("decisions")
	if payloads.Note != "4 were erased, as receipts say" || decisions.Note != "2 more could not be made again: their facts or input are gone" {
		t.Errorf("%q, %q", payloads.Note, decisions.Note)
	}
	clear(l.policies)
	r = verify(t, l, receipt.Options{Trust: l.trust()})
	if c, _ := r.Check("decisions"); c.State != receipt.Unchecked || !strings.Contains(c.Note, "their policy set is not included") {
		t.Errorf("%+v", c)
	}
}

// TestGrowingLog verifies a log while entries are not signed or not cosigned yet.
func TestGrowingLog(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	w := newWitness(t, "witness.example/w")
	l.fill(16, 16)
	l.checkpoint(w)
	l.turnAway()
	l.checkpoint()
	l.turnAway()
	fails(t, verify(t, l, receipt.Options{Trust: l.trust(w)}),
		"head: entry 17: no signed checkpoint covers them", "witnesses: entries 16–17: no checkpoint that 1 of 1 witnesses cosigned covers them")
	r := verify(t, l, receipt.Options{Trust: l.trust(w), Growing: true})
	if c, _ := r.Check("head"); !r.Verified() || c.Note != "1 entries from entry 17 on are not signed yet" {
		t.Errorf("%+v %q", c, exceptions(r))
	}
}

// broken is a log whose storage fails.
type broken struct {
	*testLog
	entries, checkpoints, payloads, policy error
}

func (b broken) Entries(ctx context.Context, from uint64) (io.ReadCloser, error) {
	in, err := b.testLog.Entries(ctx, from)
	if b.entries != nil {
		return io.NopCloser(io.MultiReader(io.LimitReader(in, 100_000), iotest.ErrReader(b.entries))), err
	}
	return in, err
}

func (b broken) Checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for n := range b.testLog.Checkpoints(ctx) {
			if !yield(n, b.checkpoints) {
				return
			}
		}
	}
}

func (b broken) Payloads(ctx context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		for p := range b.testLog.Payloads(ctx, from) {
			if !yield(p, b.payloads) {
				return
			}
		}
	}
}

func (b broken) Policy(ctx context.Context, digest string) (receipt.PolicySet, error) {
	set, err := b.testLog.Policy(ctx, digest)
	return set, errors.Join(err, b.policy)
}

// TestUnreadableIsNoReport asserts that a source that fails, or an end of ctx,
// gives an error and no verdict, and leaves nothing running.
func TestUnreadableIsNoReport(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := newLog(t, "example.org/log", "a")
	l.fill(3000, 500)
	opt := receipt.Options{Trust: l.trust(), Compile: testCompiler}
	failure := errors.New("the disk is gone")
	for i, src := range []broken{{l, failure, nil, nil, nil}, {l, nil, failure, nil, nil}, {l, nil, nil, failure, nil}, {l, nil, nil, nil, failure}} {
		if r, err := receipt.Verify(t.Context(), src, opt); !errors.Is(err, failure) || len(r.Checks) > 0 {
			t.Errorf("source %d: %v, %+v", i, err, r)
		}
		dir := t.TempDir() + "/export"
		if _, err := receipt.Export(t.Context(), src, dir, receipt.ExportOptions{Payloads: true}); !errors.Is(err, failure) {
			t.Errorf("source %d is exported with %v", i, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	opt.Progress = func(uint64) { cancel(nil) }
	if _, err := receipt.Verify(ctx, l, opt); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestOverdue places decisions without outcome before and after the limit.
func TestOverdue(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	policy := l.policy("transfer")
	for range 10 {
		l.decide(policy, "{}")
		l.now = l.now.Add(10 * time.Minute)
	}
	l.turnAway()
	l.checkpoint()
	for within, overdue := range map[time.Duration]int{0: 5, time.Minute: 10, 25 * time.Minute: 8, 24 * time.Hour: 0} {
		c, _ := verify(t, l, receipt.Options{Trust: l.trust(), OutcomeWithin: within}).Check("outcomes")
		if c.Exceptions != uint64(overdue) || (overdue < 10) != strings.Contains(c.Note, fmt.Sprintf("%d decisions without outcome were under way at the end, the first is entry %d", 10-overdue, overdue)) {
			t.Errorf("within %v: %+v, want %d overdue", within, c, overdue)
		}
	}
}
