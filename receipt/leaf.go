package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// A leaf is the bytes that the log commits to. It is one header line and one
// JSON body:
//
//	aims-receipt/1 decision 00000000000000000042 -------------------- 2026-11-23T14:38:24.123456Z
//	{"id":"rcp_…", …}
//
// The header carries what the order of the log depends on, in fixed columns,
// so that a verifier checks indexes, pairing and time of millions of receipts
// without parsing JSON. Nothing stands in both header and body. What is signed
// or hashed is never re-serialised: the stored bytes are the leaf.
//
// The columns: format and version; kind; index of the leaf in the log; index
// of the decision that an outcome closes (dashes for other kinds); the time at
// which the sequencer committed it, UTC, never earlier than the leaf before it.
const (
	magic       = "aims-receipt/1 "
	indexWidth  = 20
	timeLayout  = "2006-01-02T15:04:05.000000Z"
	noReference = "--------------------"
	// MaxLeaf is the largest leaf: tlog-tiles entry bundles prefix an entry
	// with a 16-bit length (C2SP tlog-tiles).
	MaxLeaf = 1<<16 - 1
)

// Kind says what a leaf records.
type Kind string

const (
	// DecisionKind is an action that was allowed and is about to happen. Exactly one
	// Outcome closes it.
	DecisionKind Kind = "decision"
	// RefusalKind is an action that was not allowed, or a request that was turned away
	// before it could be decided. Nothing follows it.
	RefusalKind Kind = "refusal"
	// OutcomeKind is what came of a decision.
	OutcomeKind Kind = "outcome"
	// EventKind is something that a person or the installation itself did to the
	// management system: a key made, a policy activated, a pin changed.
	EventKind Kind = "event"
)

func (k Kind) valid() bool {
	switch k {
	case DecisionKind, RefusalKind, OutcomeKind, EventKind:
		return true
	}
	return false
}

// Header is a leaf's first line.
type Header struct {
	Kind  Kind
	Index uint64
	// Closes is the index of the decision that an Outcome closes. It means
	// nothing for the other kinds.
	Closes uint64
	// Time is when the leaf was committed, UTC, in whole microseconds.
	Time time.Time
}

// AppendLeaf appends the leaf of a header and a body to dst. The body is not
// examined beyond its size: it must be what Encode makes. A time is cut to
// whole microseconds.
func AppendLeaf(dst []byte, h Header, body []byte) ([]byte, error) {
	if !h.Kind.valid() {
		return dst, fmt.Errorf("receipt: unknown kind %q", h.Kind)
	}
	if year := h.Time.UTC().Year(); year < 1 || year > 9999 {
		return dst, fmt.Errorf("receipt: the year %d does not fit its column", year)
	}
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, h.Kind...)
	dst = append(dst, ' ')
	dst = appendIndex(dst, h.Index)
	dst = append(dst, ' ')
	if h.Kind == OutcomeKind {
		dst = appendIndex(dst, h.Closes)
	} else {
		dst = append(dst, noReference...)
	}
	dst = append(dst, ' ')
	dst = h.Time.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, '\n')
	dst = append(dst, body...)
	if n := len(dst) - start; n > MaxLeaf {
		return dst[:start], fmt.Errorf("receipt: leaf of %d bytes, at most %d", n, MaxLeaf)
	}
	return dst, nil
}

func appendIndex(dst []byte, n uint64) []byte {
	var digits [indexWidth]byte
	for i := indexWidth - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:]...)
}

var errHeader = errors.New("receipt: malformed header line")

// ParseLeaf splits a leaf into its header and its body, which aliases leaf.
// It accepts exactly what AppendLeaf makes.
func ParseLeaf(leaf []byte) (Header, []byte, error) {
	var h Header
	rest, ok := bytes.CutPrefix(leaf, []byte(magic))
	if !ok || len(leaf) > MaxLeaf {
		return h, nil, errHeader
	}
	kind, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return h, nil, errHeader
	}
	if h.Kind, ok = kindOf(kind); !ok {
		return h, nil, errHeader
	}
	const columns = indexWidth + 1 + indexWidth + 1 + len(timeLayout) + 1
	if len(rest) < columns || rest[indexWidth] != ' ' || rest[2*indexWidth+1] != ' ' || rest[columns-1] != '\n' {
		return h, nil, errHeader
	}
	if h.Index, ok = parseIndex(rest[:indexWidth]); !ok {
		return h, nil, errHeader
	}
	reference := rest[indexWidth+1 : 2*indexWidth+1]
	if h.Kind == OutcomeKind {
		if h.Closes, ok = parseIndex(reference); !ok {
			return h, nil, errHeader
		}
	} else if string(reference) != noReference {
		return h, nil, errHeader
	}
	if h.Time, ok = parseTime(rest[2*indexWidth+2 : columns-1]); !ok {
		return h, nil, errHeader
	}
	return h, rest[columns:], nil
}

func kindOf(b []byte) (Kind, bool) {
	switch string(b) {
	case string(DecisionKind):
		return DecisionKind, true
	case string(RefusalKind):
		return RefusalKind, true
	case string(OutcomeKind):
		return OutcomeKind, true
	case string(EventKind):
		return EventKind, true
	}
	return "", false
}

func parseIndex(b []byte) (uint64, bool) {
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// parseTime reads timeLayout by column: time.Parse would be a third of the
// cost of verifying a leaf.
func parseTime(b []byte) (time.Time, bool) {
	field := func(from, to int) int {
		n := 0
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return -1
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	if b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != '.' || b[26] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := field(0, 4), field(5, 7), field(8, 10)
	hour, minute, second, micro := field(11, 13), field(14, 16), field(17, 19), field(20, 26)
	if year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || micro < 0 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	if t.Day() != day { // 31 February and its like
		return time.Time{}, false
	}
	return t, true
}
