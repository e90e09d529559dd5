package receipt

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// hasher computes SHA-256 of many short messages. crypto/sha256 finishes a
// message by padding it in a copy of its state, which costs about as much as
// hashing another block (BenchmarkHasher). Here the padding is part of what is
// written (FIPS 180-4 §5.1.1), and the hash is read from the state, where
// AppendBinary gives it behind a magic of 4 bytes; the standard library's own
// tests pin that layout. If it were another one, newHasher would see it and
// fall back. Not for concurrent use.
type hasher struct {
	state  hash.Hash
	append encoding.BinaryAppender
	// last are the blocks in which a message ends; node those of an inner
	// node, whose padding is always the same.
	last, node [2 * sha256.BlockSize]byte
	out        []byte
	plain      bool // the fallback
}

const stateMagic = 4

func newHasher() *hasher {
	h := &hasher{state: sha256.New(), out: make([]byte, 0, 2*sha256.BlockSize)}
	h.node[0] = 1 // RFC 6962 §2.1
	pad(h.node[:], 1+2*sha256.Size, 1+2*sha256.Size)
	var ok bool
	h.append, ok = h.state.(encoding.BinaryAppender)
	probe := []byte("aims")
	h.plain = !ok || h.sum(probe) != sha256.Sum256(probe)
	return h
}

// pad ends a message of size bytes whose last blocks hold tail bytes of it.
func pad(blocks []byte, tail, size int) {
	blocks[tail] = 0x80
	end := len(blocks) - 8
	clear(blocks[tail+1 : end])
	binary.BigEndian.PutUint64(blocks[end:], uint64(size)*8)
}

// sum is SHA-256 of a message.
func (h *hasher) sum(message []byte) Hash {
	if h.plain {
		return sha256.Sum256(message)
	}
	h.state.Reset()
	whole := len(message) &^ (sha256.BlockSize - 1)
	h.state.Write(message[:whole]) // it never fails
	tail := copy(h.last[:], message[whole:])
	blocks := h.last[:sha256.BlockSize]
	if tail >= sha256.BlockSize-8 {
		blocks = h.last[:]
	}
	pad(blocks, tail, len(message))
	h.state.Write(blocks)
	return h.read()
}

// join is the hash of an inner node, SHA-256(0x01 ‖ left ‖ right).
func (h *hasher) join(left, right *Hash) Hash {
	copy(h.node[1:], left[:])
	copy(h.node[1+sha256.Size:], right[:])
	if h.plain {
		return sha256.Sum256(h.node[:1+2*sha256.Size])
	}
	h.state.Reset()
	h.state.Write(h.node[:])
	return h.read()
}

func (h *hasher) read() Hash {
	out, err := h.append.AppendBinary(h.out)
	if err != nil || len(out) < stateMagic+sha256.Size {
		return Hash{}
	}
	return Hash(out[stateMagic : stateMagic+sha256.Size])
}
