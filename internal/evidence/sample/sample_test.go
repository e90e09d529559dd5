package sample

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func draw(seed string, most int, ids []string) *Sampler {
	s := New(seed, most)
	for i, id := range ids {
		s.Offer(Item{Index: uint64(i), ID: id})
	}
	return s
}

func ids(items []Item) (list []string) {
	for _, i := range items {
		list = append(list, i.ID)
	}
	return list
}

func TestAnybodyDrawsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		population := rapid.SliceOfDistinct(rapid.StringN(1, 8, 16), rapid.ID[string]).Draw(t, "population")
		most := rapid.IntRange(0, 20).Draw(t, "most")
		seed := rapid.String().Draw(t, "seed")
		s := draw(seed, most, population)
		again := draw(seed, most, population)
		if !slices.Equal(ids(s.Items()), ids(again.Items())) || s.Digest() != again.Digest() {
			t.Fatal("drawn again, it is another sample")
		}
		if len(s.Items()) != min(most, len(population)) || s.Population() != uint64(len(population)) {
			t.Fatalf("%d items of %d, at most %d", len(s.Items()), s.Population(), most)
		}
		if !slices.IsSortedFunc(s.Items(), func(a, b Item) int { return int(a.Index) - int(b.Index) }) {
			t.Fatal("not in the order of the log")
		}
		// What a smaller sample has, a larger one of the same seed has too.
		more := ids(draw(seed, most+1, population).Items())
		for _, id := range ids(s.Items()) {
			if !slices.Contains(more, id) {
				t.Fatalf("%q is in the smaller sample only", id)
			}
		}
		// The items are a property of the population, not of its order; the digest is of both.
		backward := slices.Clone(population)
		slices.Reverse(backward)
		a, b := ids(s.Items()), ids(draw(seed, most, backward).Items())
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Fatal("another order draws other items")
		}
	})
}

func TestWhatChangesThePopulationChangesItsDigest(t *testing.T) {
	var population []string
	for i := range 1000 {
		population = append(population, fmt.Sprint("rcp_", i))
	}
	whole := draw("seed", 25, population)
	if len(whole.Items()) != 25 {
		t.Fatal(len(whole.Items()))
	}
	without := draw("seed", 25, slices.Delete(slices.Clone(population), 500, 501))
	if without.Digest() == whole.Digest() {
		t.Error("an item was left out, and the digest is the same")
	}
	if slices.Equal(ids(draw("another", 25, population).Items()), ids(whole.Items())) {
		t.Error("the seed decides nothing")
	}
}
