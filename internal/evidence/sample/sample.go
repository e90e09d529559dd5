// Package sample draws a sample of a population that anybody draws again: the
// items are those whose ids, hashed with a seed, come first. It is pure, and
// keeps no more than it draws.
package sample

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
)

// Item is one item of the population.
type Item struct {
	Index uint64 // in the log
	ID    string
	Body  []byte
}

// Sampler draws as the items of a population pass by, in the order of the log.
type Sampler struct {
	seed       string
	most       int
	population uint64
	ids        hash.Hash
	drawn      ranking
}

// New draws as many items as most by a seed.
func New(seed string, most int) *Sampler {
	return &Sampler{seed: seed, most: most, ids: sha256.New()}
}

type ranked struct {
	rank [sha256.Size]byte
	Item
}

// ranking is a heap with the last rank on top.
type ranking []ranked

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return bytes.Compare(r[i].rank[:], r[j].rank[:]) > 0 }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranking) Push(x any)        { *r = append(*r, x.(ranked)) }
func (r *ranking) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// Offer takes the next item. Its body is copied if it is drawn.
func (s *Sampler) Offer(i Item) {
	s.population++
	s.ids.Write([]byte(i.ID))
	s.ids.Write([]byte{'\n'})
	rank := sha256.Sum256([]byte(s.seed + "\n" + i.ID))
	if len(s.drawn) == s.most {
		if s.most == 0 || bytes.Compare(rank[:], s.drawn[0].rank[:]) >= 0 {
			return
		}
		heap.Pop(&s.drawn)
	}
	i.Body = bytes.Clone(i.Body)
	heap.Push(&s.drawn, ranked{rank, i})
}

// Population is how many items were offered.
func (s *Sampler) Population() uint64 { return s.population }

// Digest is the SHA-256 of their ids, one per line, in the order of the log.
func (s *Sampler) Digest() string { return "sha256:" + hex.EncodeToString(s.ids.Sum(nil)) }

// Method says how the items are drawn.
func (s *Sampler) Method() string {
	return fmt.Sprintf("the %d with the smallest SHA-256 of seed, newline, id", s.most)
}

// Items are those drawn, in the order of the log.
func (s *Sampler) Items() []Item {
	items := make([]Item, len(s.drawn))
	for i, d := range s.drawn {
		items[i] = d.Item
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Index, b.Index) })
	return items
}
