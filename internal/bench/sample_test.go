package bench

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	samples := []float64{5, 1, 4, 2, 3}
	for _, c := range []struct{ p, want float64 }{{0, 1}, {0.2, 1}, {0.21, 2}, {0.5, 3}, {0.99, 5}, {1, 5}} {
		if got := percentile(samples, c.p); got != c.want {
			t.Errorf("percentile %v is %v, want %v", c.p, got, c.want)
		}
	}
}

// By definition: at least the share p lies at or below the percentile, and
// less than p lies below it.
func TestPercentileSplitsTheSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 200).Draw(t, "samples")
		p := rapid.Float64Range(0.001, 1).Draw(t, "p")
		got := percentile(samples, p)
		var below, atMost int
		for _, s := range samples {
			if s < got {
				below++
			}
			if s <= got {
				atMost++
			}
		}
		share := p * float64(len(samples))
		if float64(atMost) < share || float64(below) >= share {
			t.Fatalf("percentile %v of %d is %v with %d below and %d at most", p, len(samples), got, below, atMost)
		}
	})
}

func TestLoadKeepsEveryCallerBusyAndCountsItsCalls(t *testing.T) {
	const callers = 4
	calls := make([]int, callers)
	result, err := load(t.Context(), callers, 20*time.Millisecond, func(_ context.Context, caller, n int) error {
		if n != calls[caller] {
			t.Errorf("caller %d was asked for its call %d after %d calls", caller, n, calls[caller])
		}
		calls[caller]++
		runtime.Gosched() // a real operation waits; this one would keep the others from running
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for caller, n := range calls {
		if n == 0 {
			t.Errorf("caller %d made no call", caller)
		}
		total += n
	}
	if len(result.took) != total || result.elapsed < 20*time.Millisecond {
		t.Errorf("%d times in %v, want %d in at least the window", len(result.took), result.elapsed, total)
	}
}

func TestLoadEndsAtTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	_, err := load(t.Context(), 4, time.Hour, func(_ context.Context, caller, n int) error {
		if caller == 2 && n == 10 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the operation's own error", err)
	}
}

func TestAlternateTakesTurns(t *testing.T) {
	var turns []byte
	side := func(name byte) operation {
		return func(context.Context, int, int) error { turns = append(turns, name); return nil }
	}
	a, b, err := alternate(t.Context(), 3, side('a'), side('b'))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(turns, []byte("ababab")) || len(a) != 3 || len(b) != 3 {
		t.Errorf("turns %s with %d and %d times, want ababab with 3 each", turns, len(a), len(b))
	}
}
