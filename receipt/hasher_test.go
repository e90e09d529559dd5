package receipt

import (
	"crypto/sha256"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestHasherIsSHA256 compares every length around the block boundaries.
func TestHasherIsSHA256(t *testing.T) {
	h := newHasher()
	if h.plain {
		t.Error("crypto/sha256 keeps its state in another layout than expected: hashing is slower than it was")
	}
	message := make([]byte, 300)
	for i := range message {
		message[i] = byte(i * 7)
	}
	for n := range message {
		if h.sum(message[:n]) != sha256.Sum256(message[:n]) {
			t.Fatalf("%d bytes have another hash", n)
		}
		left, right := Hash(sha256.Sum256(message[:n])), Hash(sha256.Sum256(message[n:]))
		if h.join(&left, &right) != tlog.NodeHash(left, right) {
			t.Fatalf("node %d has another hash", n)
		}
	}
	slow := &hasher{plain: true}
	slow.node[0] = 1
	if slow.sum(message) != sha256.Sum256(message) || slow.join(&Hash{}, &Hash{1}) != tlog.NodeHash(Hash{}, Hash{1}) {
		t.Error("the fallback has another hash")
	}
}

func FuzzHasher(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 55))
	f.Add(make([]byte, 56))
	f.Add(make([]byte, 1000))
	h := newHasher()
	f.Fuzz(func(t *testing.T, message []byte) {
		if h.sum(message) != sha256.Sum256(message) {
			t.Fatalf("%x has another hash", message)
		}
	})
}

func BenchmarkHasher(b *testing.B) {
	message := make([]byte, 481)
	b.Run("leaf", func(b *testing.B) {
		h := newHasher()
		for b.Loop() {
			h.sum(message)
		}
	})
	b.Run("leaf/plain", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(message)
		}
	})
	b.Run("node", func(b *testing.B) {
		h := newHasher()
		var left, right Hash
		for b.Loop() {
			h.join(&left, &right)
		}
	})
	b.Run("node/plain", func(b *testing.B) {
		var left, right Hash
		for b.Loop() {
			tlog.NodeHash(left, right)
		}
	})
}
