package bench

import (
	"math"
	"slices"
	"time"
)

// percentile is the value at or below which the share p of the samples lies
// (nearest rank). There must be a sample.
func percentile[T int64 | float64 | time.Duration](samples []T, p float64) T {
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func median[T int64 | float64 | time.Duration](samples []T) T { return percentile(samples, 0.5) }

// ratios compares two sides that were timed alternately, pair by pair, so that
// what disturbed the machine during one pair disturbs one ratio only.
func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
