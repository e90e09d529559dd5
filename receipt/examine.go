package receipt

import (
	"context"
	"encoding/binary"
)

// findings are what a worker finds in a batch: everything that can be said
// without the batches before it, and what those need to be told.
type findings struct {
	tallies
	segments []segment
	nodes    []node
	opened   []checkpointResult // by cut
	links    []link
	// decisions is how many there are; most are closed in the batch and leave no link.
	decisions uint64
	jumps     []jump
	// first and last are the times of the first and the last well-formed header.
	first, last [len(timeLayout)]byte
	firstTimed  uint64
	timed       bool
	minutes     []sample // where a minute ends
	// What the deep pass found that is no exception.
	erased         uint64 // digest of the erasures in the batch
	erasedPayloads uint64 // payloads that are gone and were erased
	leftOut        uint64 // payloads that the source leaves out, as it says
	withoutFacts   uint64 // decisions whose facts or input are gone
	withoutPolicy  uint64 // decisions whose policy set is not included
	err            error  // the Source failed
}

func (f *findings) clear() {
	f.tallies.clear()
	f.segments, f.nodes, f.opened = f.segments[:0], f.nodes[:0], f.opened[:0]
	f.links, f.jumps, f.minutes = f.links[:0], f.jumps[:0], f.minutes[:0]
	f.timed, f.decisions, f.err = false, 0, nil
	f.erased, f.erasedPayloads, f.leftOut, f.withoutFacts, f.withoutPolicy = 0, 0, 0, 0, 0
}

// segment is the entries up to the next checkpoint.
type segment struct {
	nodes int // the first of them in findings.nodes
	cuts  int // how many cuts precede the segment
	// differs is the first entry whose hash is not the stored one, if any.
	differs   uint64
	different bool
}

// node is a complete subtree of 2^level leaves.
type node struct {
	level uint
	root  Hash
}

type checkpointResult struct {
	Checkpoint
	err error
}

// jump is a header whose index does not follow from the one before.
type jump struct{ place, index uint64 }

// examiner is what workers share; they only read it.
type examiner struct {
	trust Trust
	deep  *deepExaminer // nil in the integrity pass
}

// examine checks a batch by itself. It overwrites the framing: the byte before
// a leaf becomes the leaf's hash prefix (RFC 6962 §2.1), which saves copying it.
func (x *examiner) examine(ctx context.Context, b *batch) {
	f := &b.found
	f.clear()
	x.open(b, f)
	s := sweep{b: b, f: f, next: b.first, near: nearby{first: b.first}}
	if x.deep != nil {
		s.near.ids = make([]uint32, batchEntries)
	}
	s.headers.expect(b.first)
	payloads := b.payloads
	cuts := 0
	frames := b.frames
	for i := range b.count {
		if i == 0 || cuts < len(b.cuts) && b.cuts[cuts].at <= i {
			for cuts < len(b.cuts) && b.cuts[cuts].at <= i {
				cuts++
			}
			s.from = len(f.nodes)
			f.segments = append(f.segments, segment{nodes: s.from, cuts: cuts})
		}
		end := frameHeader + int(binary.BigEndian.Uint16(frames))
		leaf := frames[frameHeader:end:end]
		frames[frameHeader-1] = 0
		s.hash(i, frames[frameHeader-1:end])
		frames = frames[end:]
		at := b.first + uint64(i)
		ok := s.header(at, leaf)
		own := 0
		for own < len(payloads) && payloads[own].Index == at {
			own++
		}
		if !ok {
			payloads = payloads[own:]
			continue
		}
		var id uint32
		if x.deep != nil {
			if id, f.err = x.deep.examine(ctx, f, at, &s.head, payloads[:own]); f.err != nil {
				return
			}
			payloads = payloads[own:]
		}
		s.pair(at, id)
	}
	s.finish()
}

// open verifies the batch's checkpoints.
func (x *examiner) open(b *batch, f *findings) {
	for i := range b.cuts {
		c := &b.cuts[i]
		var r checkpointResult
		if c.elsewhere != nil {
			r.Checkpoint = *c.elsewhere
		} else {
			r.Checkpoint, r.err = x.trust.Open(c.note)
		}
		f.opened = append(f.opened, r)
	}
}

// sweep goes over the entries of a batch.
type sweep struct {
	b       *batch
	f       *findings
	headers scanner
	head    scanned // the header that was read last
	next    uint64  // what the last header said, plus one
	near    nearby
	from    int // where the segment's subtrees begin in findings.nodes
}

// hash takes a leaf that is preceded by its prefix: compares its hash with the
// stored one and adds it to the segment's subtrees.
func (s *sweep) hash(i int, prefixed []byte) {
	root := s.b.hasher.sum(prefixed)
	index := s.b.first + uint64(i)
	if at := i * len(root); at < len(s.b.hashes) && !sameHash(&root, (*Hash)(s.b.hashes[at:])) {
		s.f.except(hashCheck, entryPlace(index), "its hash is not the stored leaf hash")
		if g := &s.f.segments[len(s.f.segments)-1]; !g.different {
			g.differs, g.different = index, true
		}
	}
	level := uint(0)
	nodes := s.f.nodes
	// A neighbour of the same size to the left, if the segment has it, makes a
	// larger subtree.
	for last := len(nodes) - 1; index>>level&1 == 1 && last >= s.from && nodes[last].level == level; last-- {
		root = s.b.hasher.join(&nodes[last].root, &root)
		nodes = nodes[:last]
		level++
	}
	s.f.nodes = append(nodes, node{level: level, root: root})
}

// header reads a leaf's header and notes what it says about its neighbours.
func (s *sweep) header(at uint64, leaf []byte) bool {
	f, h := s.f, &s.head
	s.next++
	if !s.headers.next(leaf, h) {
		f.except(indexCheck, entryPlace(at), "its header line is malformed")
		return false
	}
	if h.jumped {
		f.jumps = append(f.jumps, jump{place: at, index: h.index})
		s.next = h.index + 1
	}
	if !f.timed {
		f.first, f.firstTimed, f.timed = s.headers.last, at, true
	} else if h.minute {
		f.minutes = append(f.minutes, sampleOf(at-1, h.before))
	}
	if h.backwards {
		f.except(timeCheck, entryPlace(at), "its time is earlier than that of the entry before it")
	}
	return true
}

// pair follows a decision to its outcome as far as the batch goes; the rest is
// left to the conclusion. id stands for the decision's id.
func (s *sweep) pair(at uint64, id uint32) {
	const farthest = 1 << 16 // an index further off says nothing, and would cost memory
	h, index := &s.head, s.next-1
	if index-at > farthest && at-index > farthest {
		index = at
	}
	switch h.kind {
	case DecisionKind:
		s.f.decisions++
		if !s.near.open(index, id) {
			s.f.links = append(s.f.links, link{place: at, index: index, opens: true, id: id})
		}
	case OutcomeKind:
		opened, ok := uint32(0), false
		if h.closes < index {
			opened, ok = s.near.close(h.closes)
		}
		if !ok {
			s.f.links = append(s.f.links, link{place: at, index: index, closes: h.closes, id: id})
		} else if opened != id && opened != 0 && id != 0 {
			s.f.mismatched(at, h.closes)
		}
	}
}

func (s *sweep) finish() {
	n := uint64(s.b.count)
	s.f.last = s.headers.last
	s.f.links = s.near.left(s.f.links)
	s.f.tallies[indexCheck].population = n
	s.f.tallies[timeCheck].population = n
	s.f.tallies[hashCheck].population = uint64(len(s.b.hashes) / len(Hash{}))
}
