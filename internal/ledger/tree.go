package ledger

import (
	"golang.org/x/mod/sumdb/tlog"

	"filippo.io/torchwood"

	"aims/receipt"
)

// tree is the Merkle tree at one size. It does not change; grow makes the next
// one. Successors share memory, so only one successor of a tree may be kept.
type tree struct {
	right receipt.Range
	root  tlog.Hash
	// partial are, for each level of tiles (C2SP tlog-tiles), the hashes of the
	// tile that is not full yet, fewer than 256.
	partial [][]tlog.Hash
	// lastTime is the time of the last leaf in microseconds since 1970.
	lastTime int64
}

// tile is a hash tile that has become full.
type tile struct {
	level  int
	number uint64
	hashes []byte
}

func emptyTree() *tree {
	t := &tree{}
	t.root = t.right.Root()
	return t
}

func (t *tree) size() uint64 { return t.right.Size() }

// grow is the tree with more leaves, and the tiles from level 1 up that they fill.
func (t *tree) grow(leaves []tlog.Hash, lastTime int64) (*tree, []tile) {
	next := &tree{right: t.right.Clone(), partial: make([][]tlog.Hash, len(t.partial)), lastTime: lastTime}
	copy(next.partial, t.partial)
	var full []tile
	for _, leaf := range leaves {
		next.right.Append(leaf)
		full = next.push(0, leaf, full)
	}
	next.root = next.right.Root()
	return next, full
}

// push adds a hash at a level of tiles, after the right edge has grown.
func (t *tree) push(level int, hash tlog.Hash, full []tile) []tile {
	if level == len(t.partial) {
		t.partial = append(t.partial, make([]tlog.Hash, 0, torchwood.TileWidth))
	}
	hashes := append(t.partial[level], hash)
	if len(hashes) < torchwood.TileWidth {
		t.partial[level] = hashes
		return full
	}
	// Trees that are being read share the old array: begin a new one.
	t.partial[level] = make([]tlog.Hash, 0, torchwood.TileWidth)
	if level > 0 {
		number := (t.size() - 1) >> (8 * uint(level+1))
		full = append(full, tile{level: level, number: number, hashes: join(hashes)})
	}
	return t.push(level+1, subtreeRoot(hashes), full)
}

// subtreeRoot is the root over hashes of which there are a power of two.
func subtreeRoot(hashes []tlog.Hash) tlog.Hash {
	var r receipt.Range
	for _, h := range hashes {
		r.Append(h)
	}
	return r.Root()
}

func join(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func split(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, 0, len(b)/tlog.HashSize)
	for ; len(b) >= tlog.HashSize; b = b[tlog.HashSize:] {
		hashes = append(hashes, tlog.Hash(b[:tlog.HashSize]))
	}
	return hashes
}
