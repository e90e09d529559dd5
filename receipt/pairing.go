package receipt

import (
	"math/bits"
	"slices"
	"time"
)

// mismatched says that an outcome's body and header are about two decisions.
func (t *tallies) mismatched(at, closes uint64) {
	t.except(outcomeCheck, entryPlace(at), "closes entry %d but names another decision", closes)
}

// link is a decision, or an outcome and the decision that it closes.
type link struct {
	place uint64 // where the entry stands
	index uint64 // its header's index
	// closes is the header's; opens says that it is a decision instead.
	closes uint64
	opens  bool
	// id stands for the decision's id, 0 where bodies are not read.
	id uint32
}

// nearby follows the decisions of one batch. Most outcomes come soon after
// their decision, and then no other batch has to know of either.
type nearby struct {
	first  uint64
	opened [batchEntries / 64]uint64
	ids    []uint32 // in the deep pass
}

// open notes a decision; false when its index is not one of the batch's.
func (n *nearby) open(index uint64, id uint32) bool {
	at := index - n.first
	if at >= batchEntries {
		return false
	}
	n.opened[at/64] |= 1 << (at % 64)
	if n.ids != nil {
		n.ids[at] = id
	}
	return true
}

// close takes a decision of the batch and returns its id; ok is false when none
// is open there.
func (n *nearby) close(index uint64) (id uint32, ok bool) {
	at := index - n.first
	if at >= batchEntries || n.opened[at/64]&(1<<(at%64)) == 0 {
		return 0, false
	}
	n.opened[at/64] &^= 1 << (at % 64)
	if n.ids != nil {
		id = n.ids[at]
	}
	return id, true
}

// left appends the decisions that are still open.
func (n *nearby) left(links []link) []link {
	for w, word := range n.opened {
		for ; word != 0; word &= word - 1 {
			at := uint64(w)*64 + uint64(bits.TrailingZeros64(word))
			l := link{place: n.first + at, index: n.first + at, opens: true}
			if n.ids != nil {
				l.id = n.ids[at]
			}
			links = append(links, l)
		}
	}
	return links
}

// pairing follows which decisions are open. A page stands for a run of
// indexes and is dropped when none of its decisions is open any more, so that
// memory follows the calls in flight, not the length of the log; in the worst
// log, in which nothing is ever closed, it is a bit for each entry and, in the deep
// pass, 4 bytes.
type pairing struct {
	pages map[uint64]*page
	// recent is the page used last: neighbours mostly share it.
	recent       *page
	recentNumber uint64
	deep         bool

	samples []sample
}

const pageSize = 4096

type page struct {
	open  [pageSize / 64]uint64
	ids   []uint32 // of the open decisions, in the deep pass
	count int
}

func (p *pairing) page(index uint64) *page {
	number := index / pageSize
	if p.recent == nil || p.recentNumber != number {
		p.recent, p.recentNumber = p.pages[number], number
	}
	return p.recent
}

// open notes a decision.
func (p *pairing) open(index uint64, id uint32) {
	at := p.page(index)
	if at == nil {
		at = &page{}
		p.pages[index/pageSize], p.recent = at, at
	}
	if p.deep {
		if at.ids == nil {
			at.ids = make([]uint32, pageSize)
		}
		at.ids[index%pageSize] = id
	}
	word, bit := &at.open[index%pageSize/64], uint64(1)<<(index%64)
	if *word&bit == 0 {
		*word |= bit
		at.count++
	}
}

// close takes the decision that an outcome closes and returns its id; ok is
// false when no decision is open there.
func (p *pairing) close(index uint64) (id uint32, ok bool) {
	at := p.page(index)
	if at == nil {
		return 0, false
	}
	word, bit := &at.open[index%pageSize/64], uint64(1)<<(index%64)
	if *word&bit == 0 {
		return 0, false
	}
	*word &^= bit
	if at.count--; at.count == 0 {
		delete(p.pages, index/pageSize)
		p.recent = nil
	}
	if p.deep {
		id = at.ids[index%pageSize]
	}
	return id, true
}

// left are the indexes that are still open, ascending.
func (p *pairing) left(yield func(index uint64) bool) {
	numbers := make([]uint64, 0, len(p.pages))
	for number := range p.pages {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		for w, word := range p.pages[number].open {
			for ; word != 0; word &= word - 1 {
				if !yield(number*pageSize + uint64(w)*64 + uint64(bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// sample says that no entry up to an index is later than a time.
type sample struct {
	index uint64
	at    time.Time
}

func sampleOf(index uint64, column [len(timeLayout)]byte) sample {
	at, _ := parseTime(column[:]) // it was parsed before
	return sample{index, at}
}

// mark takes the last entry of a minute, and forgets what no longer matters
// for the limit.
func (p *pairing) mark(s sample, limit time.Duration) {
	if n := len(p.samples); n > 0 && !s.at.After(p.samples[n-1].at) {
		return
	}
	p.samples = append(p.samples, s)
	old := 0
	for old+1 < len(p.samples) && s.at.Sub(p.samples[old+1].at) > limit {
		old++
	}
	p.samples = slices.Delete(p.samples, 0, old)
}

// overdue returns the number of entries from the start that are older than the
// limit at the time of the last one.
func (p *pairing) overdue(last time.Time, limit time.Duration) uint64 {
	var n uint64
	for _, s := range p.samples {
		if last.Sub(s.at) > limit {
			n = s.index + 1
		}
	}
	return n
}
