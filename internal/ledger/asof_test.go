package ledger_test

import (
	"testing"
	"time"

	"aims/internal/aims"
)

// A log is asked for as it was: at a time, and by its root at a size.
func TestAsOf(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		defer mustClose(t, l)
		fill(t, l, 300)
		leaves := all(t, l)
		size := uint64(len(leaves))
		for _, index := range []int{0, 1, 255, 256, 299} {
			got, err := l.SizeAt(t.Context(), leaves[index].Time)
			want := uint64(index + 1)
			for want < size && leaves[want].Time.Equal(leaves[index].Time) {
				want++
			}
			if err != nil || got != want {
				t.Errorf("as of the time of entry %d the log has %d entries (%v), want %d", index, got, err, want)
			}
		}
		if got, err := l.SizeAt(t.Context(), leaves[0].Time.Add(-time.Microsecond)); err != nil || got != 0 {
			t.Errorf("before its first entry the log has %d entries (%v)", got, err)
		}
		before, err := l.RootAt(t.Context(), 257)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l, 300)
		after, err := l.RootAt(t.Context(), 257)
		if err != nil || before != after {
			t.Errorf("the root at 257 entries changed when the log grew (%v)", err)
		}
		if other, err := l.RootAt(t.Context(), 258); err != nil || other == after {
			t.Errorf("the root at 258 entries is that at 257 (%v)", err)
		}
		_, err = l.RootAt(t.Context(), 10_000)
		wantCode(t, err, aims.NotFound, "the root beyond the end")
	})
}
