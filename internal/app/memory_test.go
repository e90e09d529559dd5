package app

import "testing"

func TestMemoryLimit(t *testing.T) {
	for live, want := range map[uint64]int64{
		20 << 20:  smallMemory,
		160 << 20: smallMemory,
		200 << 20: 400 << 20, // and not less than it needs: it would do nothing but collect
		8 << 30:   16 << 30,
	} {
		if got := memoryLimit(live); got != want {
			t.Errorf("with %d bytes in use the limit is %d, want %d", live, got, want)
		}
	}
}
