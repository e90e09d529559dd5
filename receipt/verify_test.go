package receipt_test

import (
	"testing"

	"aims/receipt"
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
