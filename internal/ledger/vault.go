package ledger

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"

	"aims/receipt"
)

// The payloads of one commit are one blob: for each payload the index of its
// receipt (8 bytes big-endian), one byte that says whether it is kept, the
// name's length (1 byte) and the name; and where it is kept the salt (32 bytes),
// the data's length (4 bytes) and the data. They stand by ascending index, and
// within an index by name.
const (
	erasedMark byte = 0
	keptMark   byte = 1
)

func appendStored(dst []byte, p Stored) []byte {
	dst = binary.BigEndian.AppendUint64(dst, p.Index)
	mark := keptMark
	if p.Erased {
		mark = erasedMark
	}
	dst = append(dst, mark, byte(len(p.Name)))
	dst = append(dst, p.Name...)
	if p.Erased {
		return dst
	}
	dst = append(dst, p.Salt[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Data)))
	return append(dst, p.Data...)
}

var errVault = errors.New("ledger: malformed payloads")

// readStored reads the first payload of a blob. Its data aliases the blob.
func readStored(b []byte) (p Stored, rest []byte, err error) {
	if len(b) < 10 || b[8] > keptMark || len(b) < 10+int(b[9]) {
		return p, nil, errVault
	}
	p.Index = binary.BigEndian.Uint64(b)
	p.Erased = b[8] == erasedMark
	p.Name = string(b[10 : 10+int(b[9])])
	b = b[10+int(b[9]):]
	if p.Erased {
		return p, b, nil
	}
	const fixed = len(receipt.Salt{}) + 4
	if len(b) < fixed {
		return p, nil, errVault
	}
	p.Salt = receipt.Salt(b[:len(receipt.Salt{})])
	n := binary.BigEndian.Uint32(b[fixed-4:])
	b = b[fixed:]
	if n > math.MaxInt32 || len(b) < int(n) {
		return p, nil, errVault
	}
	p.Data = b[:n:n]
	return p, b[n:], nil
}

// eachStored reads a blob; after an error there is no further step.
func eachStored(blob []byte) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for rest := blob; len(rest) > 0; {
			p, after, err := readStored(rest)
			if !yield(p, err) || err != nil {
				return
			}
			rest = after
		}
	}
}
