package receipt

import (
	"bytes"
	"encoding/binary"
)

// scanner reads the headers of leaves that follow one another. It takes what
// ParseLeaf takes. Most headers differ from the one before only in the last
// digits of index and time, and it compares those columns instead of
// converting them; ParseLeaf alone would be a fifth of the cost of hashing.
type scanner struct {
	want [indexWidth]byte // the next index, if none is missing
	// last is the time column of the leaf before, once known.
	last [len(timeLayout)]byte
}

// scanned is what the integrity pass needs of a header.
type scanned struct {
	kind   Kind
	closes uint64
	body   []byte
	// index is the header's; it is set only where jumped.
	index uint64
	// jumped: index is not one more than that of the leaf before.
	jumped bool
	// backwards: time is earlier than that of the leaf before.
	backwards bool
	// minute: time is in another minute than that of the leaf before, which
	// before then holds.
	minute bool
	before [len(timeLayout)]byte
}

// expect sets the index that the next leaf should have.
func (s *scanner) expect(index uint64) { appendIndex(s.want[:0], index) }

// next reads one leaf into h; it is false when the leaf is malformed. The index
// expected after it is its own plus one.
func (s *scanner) next(leaf []byte, h *scanned) bool {
	ok := s.quick(leaf, h) || s.slow(leaf, h)
	s.increment()
	return ok
}

// minute is how far a time column goes that tells the minute.
const minute = len("2006-01-02T15:04:")

// quick reads a header that has the index that was expected and the minute of
// the leaf before.
func (s *scanner) quick(leaf []byte, h *scanned) bool {
	const (
		reference = indexWidth + 1
		clock     = reference + indexWidth + 1
		end       = clock + len(timeLayout)
		zeros     = "00000000" // how an index below 10^12 begins
	)
	if len(leaf) < len(magic)+len("decision ")+end+1 || string(leaf[:len(magic)]) != magic {
		return false
	}
	*h = scanned{kind: kindBefore(leaf[len(magic):])}
	if h.kind == "" {
		return false
	}
	line := leaf[len(magic)+len(h.kind)+1:]
	if !sameIndex((*[indexWidth]byte)(line), &s.want) || line[reference-1] != ' ' || line[clock-1] != ' ' || line[end] != '\n' {
		return false
	}
	if h.kind == OutcomeKind {
		if string(line[reference:reference+len(zeros)]) != zeros {
			return false
		}
		closes, ok := parseIndex(line[reference+len(zeros) : clock-1])
		if !ok {
			return false
		}
		h.closes = closes
	} else if string(line[reference:clock-1]) != noReference {
		return false
	}
	at := (*[len(timeLayout)]byte)(line[clock:])
	if !sameMinute(at, &s.last) || !validSeconds((*[seconds]byte)(at[minute:])) {
		return false
	}
	h.backwards = earlier((*[seconds]byte)(at[minute:]), (*[seconds]byte)(s.last[minute:]))
	s.last = *at
	h.body = line[end+1:]
	return true
}

// kindBefore is the kind that b begins with, and "" when it is none.
func kindBefore(b []byte) Kind {
	switch b[0] {
	case 'd':
		if string(b[:len("decision ")]) == "decision " {
			return DecisionKind
		}
	case 'o':
		if string(b[:len("outcome ")]) == "outcome " {
			return OutcomeKind
		}
	case 'r':
		if string(b[:len("refusal ")]) == "refusal " {
			return RefusalKind
		}
	case 'e':
		if string(b[:len("event ")]) == "event " {
			return EventKind
		}
	}
	return ""
}

// Columns are compared a word at a time, the last words overlapping: calls of
// the runtime's comparison were a sixth of the work beside hashing.

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func sameIndex(a, b *[indexWidth]byte) bool {
	return word(a[0:]) == word(b[0:]) && word(a[8:]) == word(b[8:]) && word(a[indexWidth-8:]) == word(b[indexWidth-8:])
}

func sameMinute(a, b *[len(timeLayout)]byte) bool {
	return word(a[0:]) == word(b[0:]) && word(a[8:]) == word(b[8:]) && a[minute-1] == b[minute-1]
}

func sameHash(a, b *Hash) bool {
	return word(a[0:]) == word(b[0:]) && word(a[8:]) == word(b[8:]) && word(a[16:]) == word(b[16:]) && word(a[24:]) == word(b[24:])
}

// seconds is the rest of a time column, "05.000000Z".
const seconds = len(timeLayout) - minute

// validSeconds checks the eight digits at once: a byte that is a digit has
// nothing but its low four bits when '0' is taken away, and no carry into the
// fifth when 6 is added.
func validSeconds(b *[seconds]byte) bool {
	const point = uint64('.'^'0') << (5 * 8)
	digits := binary.BigEndian.Uint64(b[:8]) ^ 0x3030303030303030 ^ point
	carries := digits + 0x0606060606060606
	return (digits|carries)&0xf0f0f0f0f0f0f0f0 == 0 && digits>>(5*8)&0xff == 0 &&
		b[0] <= '5' && '0' <= b[8] && b[8] <= '9' && b[9] == 'Z'
}

// earlier compares two columns that are valid.
func earlier(a, b *[seconds]byte) bool {
	x, y := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])
	return x < y || x == y && a[8] < b[8]
}

// slow reads any header.
func (s *scanner) slow(leaf []byte, h *scanned) bool {
	head, body, err := ParseLeaf(leaf)
	if err != nil {
		return false
	}
	line := leaf[:len(leaf)-len(body)]
	at := line[len(line)-1-len(timeLayout):][:len(timeLayout)]
	*h = scanned{kind: head.Kind, closes: head.Closes, body: body}
	var index [indexWidth]byte
	appendIndex(index[:0], head.Index)
	if index != s.want {
		h.index, h.jumped = head.Index, true
		s.want = index
	}
	h.backwards = bytes.Compare(at, s.last[:]) < 0
	if string(at[:minute]) != string(s.last[:minute]) {
		h.minute, h.before = true, s.last
	}
	copy(s.last[:], at)
	return true
}

// increment adds one to the decimal index.
func (s *scanner) increment() {
	for i := indexWidth - 1; i >= 0; i-- {
		if s.want[i] != '9' {
			s.want[i]++
			return
		}
		s.want[i] = '0'
	}
}
