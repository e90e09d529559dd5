package provenance

import (
	"hash/maphash"
	"math/bits"
)

// slots is how many texts have a place of their own in the postings.
const slots = 512

// set is a set of slots.
type set [slots / 64]uint64

func (s *set) add(slot int)      { s[slot/64] |= 1 << (slot % 64) }
func (s *set) has(slot int) bool { return s[slot/64]&(1<<(slot%64)) != 0 }

func (s *set) or(o *set, blocks int) {
	for i := range blocks {
		s[i] |= o[i]
	}
}

// and reports whether something is left.
func (s *set) and(o *set, blocks int) bool {
	left := uint64(0)
	for i := range blocks {
		s[i] &= o[i]
		left |= s[i]
	}
	return left != 0
}

// results reports whether a slot other than the prompt's is in s.
func (s *set) results(blocks int) bool {
	left := s[0] &^ 1
	for i := 1; i < blocks; i++ {
		left |= s[i]
	}
	return left != 0
}

// key makes hashes that nobody outside can foresee.
type key struct {
	seed maphash.Seed
	a, b uint64
}

func newKey(seed maphash.Seed) key {
	return key{seed, maphash.String(seed, "first of a pair"), maphash.String(seed, "second of a pair")}
}

func (k *key) word(w []byte) uint64 { return maphash.Bytes(k.seed, w) }

// pair is the hash of two neighbours in their order. Its inputs are keyed
// hashes already, so that mixing them is enough.
func (k *key) pair(first, second uint64) uint64 {
	hi, lo := bits.Mul64(first^k.a, second^k.b)
	return hi ^ lo
}

// table maps hashes to sets of slots: open addressing over two flat arrays,
// because it is read by every call and its size has to be known.
type table struct {
	hashes []uint64 // 0: free
	sets   []uint32 // a slot, or, with the bit many, the first of a chain of blocks; with the bit word, of a word
	blocks []block
	filter []uint64 // bits of the words, not of the pairs, so that most misses cost little
	used   int
}

// block is 64 slots of a set that has more than one.
type block struct {
	bits  uint64
	which uint32 // slots 64·which …
	next  uint32 // index + 1 of the next block, or 0
}

const (
	many       = 1 << 31
	word       = 1 << 30
	place      = word - 1
	blockBytes = 16
)

func (t *table) bytes() int {
	return cap(t.hashes)*8 + cap(t.sets)*4 + cap(t.blocks)*blockBytes + cap(t.filter)*8
}

// find is where h is, or where it would go.
func (t *table) find(h uint64) int {
	i := int(h) & (len(t.hashes) - 1)
	for t.hashes[i] != 0 && t.hashes[i] != h {
		i = (i + 1) & (len(t.hashes) - 1)
	}
	return i
}

// mark notes that h is a word.
func (t *table) mark(h uint64) {
	t.filter[int(h>>32)&(len(t.filter)-1)] |= 1 << (h >> 58)
}

// maybe reports false for what is no word in the table, mostly.
func (t *table) maybe(h uint64) bool {
	return len(t.filter) > 0 && t.filter[int(h>>32)&(len(t.filter)-1)]&(1<<(h>>58)) != 0
}

// key0 keeps 0 free for empty places.
func key0(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// put notes that h, which is a word's or a pair's, is in the text of slot. It
// reports false, and notes nothing, when h is new and limit hashes are held.
func (t *table) put(h uint64, kind uint32, slot, limit int) bool {
	h = key0(h)
	if len(t.hashes) == 0 || t.used >= len(t.hashes)/4*3 {
		t.grow()
	}
	i := t.find(h)
	if t.hashes[i] == 0 {
		if t.used >= limit {
			return false
		}
		t.used++
		t.hashes[i], t.sets[i] = h, uint32(slot)|kind
		if kind == word {
			t.mark(h)
		}
		return true
	}
	v := t.sets[i]
	if v&many == 0 {
		if int(v&place) == slot {
			return true
		}
		v = t.link(0, int(v&place)) | v&word | many
	}
	t.sets[i] = t.link(v&place+1, slot) | v&word | many
	return true
}

// link adds slot to the chain that starts at head (index + 1, or 0) and
// returns the index of the chain's first block.
func (t *table) link(head uint32, slot int) uint32 {
	which := uint32(slot / 64)
	for at := head; at != 0; at = t.blocks[at-1].next {
		if b := &t.blocks[at-1]; b.which == which {
			b.bits |= 1 << (slot % 64)
			return head - 1
		}
	}
	t.blocks = append(t.blocks, block{1 << (slot % 64), which, head})
	return uint32(len(t.blocks) - 1)
}

func (t *table) grow() {
	old := *t
	n := max(64, 2*len(old.hashes))
	t.hashes, t.sets, t.filter = make([]uint64, n), make([]uint32, n), make([]uint64, n/16)
	for i, h := range old.hashes {
		if h == 0 {
			continue
		}
		j := t.find(h)
		if t.hashes[j], t.sets[j] = h, old.sets[i]; t.sets[j]&word != 0 {
			t.mark(h)
		}
	}
}

func (t *table) has(h uint64) bool {
	return len(t.hashes) > 0 && t.hashes[t.find(key0(h))] != 0
}

// get sets s to the slots of h, and reports whether there are any.
func (t *table) get(h uint64, s *set, blocks int) bool {
	clear(s[:blocks])
	if len(t.hashes) == 0 {
		return false
	}
	i := t.find(key0(h))
	if t.hashes[i] == 0 {
		return false
	}
	v := t.sets[i]
	if v&many == 0 {
		s.add(int(v & place))
		return true
	}
	for at := v&place + 1; at != 0; at = t.blocks[at-1].next {
		s[t.blocks[at-1].which] = t.blocks[at-1].bits
	}
	return true
}
