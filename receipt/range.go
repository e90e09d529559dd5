package receipt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the Merkle tree, SHA-256 (RFC 6962 §2.1).
type Hash = tlog.Hash

// LeafHash is the hash of a leaf, SHA-256(0x00 ‖ leaf) (RFC 6962 §2.1).
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// Range is a Merkle tree that grows at its right end and keeps only what it
// needs for that: the roots of the complete subtrees that make up its size, at
// most 64 hashes. The zero value is the empty tree. It is a value that may be
// kept beside a log (MarshalBinary) so that the log can be continued without
// reading it again. It is not safe for concurrent use.
type Range struct {
	size uint64
	// nodes are the roots of the complete subtrees, the largest first: one for
	// each bit that is set in size.
	nodes []Hash
}

// Size is the number of leaves.
func (r *Range) Size() uint64 { return r.size }

// Append adds a leaf by its LeafHash.
func (r *Range) Append(leaf Hash) { r.push(0, leaf) }

// AppendSubtree adds a complete subtree of 2^level leaves by its root, such as
// one that was hashed elsewhere at the same time. It is an error when the size
// is not a multiple of 2^level, because the subtree would not be a node of the tree.
func (r *Range) AppendSubtree(level uint, root Hash) error {
	if level > 62 || r.size&(1<<level-1) != 0 {
		return fmt.Errorf("receipt: a subtree of level %d does not begin at leaf %d", level, r.size)
	}
	r.push(level, root)
	return nil
}

func (r *Range) push(level uint, node Hash) {
	for at := level; r.size>>at&1 == 1; at++ {
		last := len(r.nodes) - 1
		node = tlog.NodeHash(r.nodes[last], node)
		r.nodes = r.nodes[:last]
	}
	r.nodes = append(r.nodes, node)
	r.size += 1 << level
}

// Root is the tree hash at the present size (RFC 6962 §2.1); that of the empty
// tree is SHA-256 of nothing.
func (r *Range) Root() Hash {
	if len(r.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	last := len(r.nodes) - 1
	root := r.nodes[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(r.nodes[i], root)
	}
	return root
}

// Clone is a copy that grows on its own.
func (r *Range) Clone() Range {
	return Range{size: r.size, nodes: append([]Hash(nil), r.nodes...)}
}

// MarshalBinary writes the size, 8 bytes big-endian, and the subtree roots, the
// largest first.
func (r *Range) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 8+len(r.nodes)*len(Hash{}))
	b = binary.BigEndian.AppendUint64(b, r.size)
	for _, node := range r.nodes {
		b = append(b, node[:]...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and refuses anything else. It
// cannot know whether the hashes are those of a log: compare Root with a
// checkpoint.
func (r *Range) UnmarshalBinary(b []byte) error {
	const width = len(Hash{})
	if len(b) < 8 {
		return errors.New("receipt: a range shorter than its size field")
	}
	size := binary.BigEndian.Uint64(b)
	if size > math.MaxInt64 { // C2SP tlog-checkpoint
		return fmt.Errorf("receipt: a range of size %d", size)
	}
	b = b[8:]
	if want := bits.OnesCount64(size) * width; len(b) != want {
		return fmt.Errorf("receipt: a range of size %d has %d bytes of hashes, want %d", size, len(b), want)
	}
	nodes := make([]Hash, 0, len(b)/width)
	for ; len(b) > 0; b = b[width:] {
		nodes = append(nodes, Hash(b[:width]))
	}
	r.size, r.nodes = size, nodes
	return nil
}
