package receipt

import "bytes"

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
	// minute: time is in another minute than that of the leaf before.
	minute bool
}

// expect sets the index that the next leaf should have.
func (s *scanner) expect(index uint64) { appendIndex(s.want[:0], index) }

// next reads one leaf; ok is false when it is malformed. The index expected
// after it is its own plus one.
func (s *scanner) next(leaf []byte) (h scanned, ok bool) {
	if h, ok = s.quick(leaf); !ok {
		if h, ok = s.slow(leaf); !ok {
			s.increment()
			return h, false
		}
	}
	s.increment()
	return h, true
}

// minute is how far a time column goes that tells the minute.
const minute = len("2006-01-02T15:04:")

// quick reads a header that has the index that was expected and the minute of
// the leaf before.
func (s *scanner) quick(leaf []byte) (h scanned, ok bool) {
	const (
		reference = indexWidth + 1
		clock     = reference + indexWidth + 1
		end       = clock + len(timeLayout)
		zeros     = "00000000" // how an index below 10^12 begins
	)
	if len(leaf) < len(magic)+len("decision ")+end+1 || string(leaf[:len(magic)]) != magic {
		return h, false
	}
	if h.kind = kindBefore(leaf[len(magic):]); h.kind == "" {
		return h, false
	}
	line := leaf[len(magic)+len(h.kind)+1:]
	if string(line[:indexWidth]) != string(s.want[:]) || line[reference-1] != ' ' || line[clock-1] != ' ' || line[end] != '\n' {
		return h, false
	}
	if h.kind == OutcomeKind {
		if string(line[reference:reference+len(zeros)]) != zeros {
			return h, false
		}
		if h.closes, ok = parseIndex(line[reference+len(zeros) : clock-1]); !ok {
			return h, false
		}
	} else if string(line[reference:clock-1]) != noReference {
		return h, false
	}
	at := line[clock:end]
	if string(at[:minute]) != string(s.last[:minute]) || !validSeconds(at[minute:]) {
		return h, false
	}
	h.backwards = string(at[minute:]) < string(s.last[minute:])
	copy(s.last[minute:], at[minute:])
	h.body = line[end+1:]
	return h, true
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

// validSeconds takes "05.000000Z".
func validSeconds(b []byte) bool {
	if b[0] > '5' || b[2] != '.' || b[9] != 'Z' {
		return false
	}
	digits := [8]byte{b[0], b[1], b[3], b[4], b[5], b[6], b[7], b[8]}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// slow reads any header.
func (s *scanner) slow(leaf []byte) (scanned, bool) {
	head, body, err := ParseLeaf(leaf)
	if err != nil {
		return scanned{}, false
	}
	line := leaf[:len(leaf)-len(body)]
	at := line[len(line)-1-len(timeLayout):][:len(timeLayout)]
	h := scanned{kind: head.Kind, closes: head.Closes, body: body}
	var index [indexWidth]byte
	appendIndex(index[:0], head.Index)
	if index != s.want {
		h.index, h.jumped = head.Index, true
		s.want = index
	}
	h.backwards = bytes.Compare(at, s.last[:]) < 0
	h.minute = string(at[:minute]) != string(s.last[:minute])
	copy(s.last[:], at)
	return h, true
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
