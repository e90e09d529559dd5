package gateway

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"aims/internal/gateway/envelope"
)

// seenIDs are the ids of the requests of a session, by which a request that
// was captured and is sent again is known. Numbers, which clients count up,
// are kept as ranges.
type seenIDs struct {
	mu     sync.Mutex
	ranges []idRange // sorted, apart from each other
	others map[[16]byte]struct{}
}

type idRange struct{ from, to int64 }

// maxIDs bounds what a session remembers; one that needs more ends, because
// forgetting would let an old request pass again.
const maxIDs = 1 << 16

type idState uint8

const (
	idNew idState = iota
	idSeen
	idFull // nothing more can be remembered
)

// note takes note of an id.
func (s *seenIDs) note(m *envelope.Message) idState {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw := m.Bytes(envelope.ID)
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return s.number(n)
	}
	key := "n" + string(raw)
	if text, ok := m.Text(envelope.ID); ok {
		key = "s" + text // decoded: the same string can be written in many ways
	}
	hash := sha256.Sum256([]byte(key))
	short := [16]byte(hash[:16])
	if _, seen := s.others[short]; seen {
		return idSeen
	}
	if len(s.others) >= maxIDs {
		return idFull
	}
	if s.others == nil {
		s.others = map[[16]byte]struct{}{}
	}
	s.others[short] = struct{}{}
	return idNew
}

func (s *seenIDs) number(n int64) idState {
	at, _ := slices.BinarySearchFunc(s.ranges, n, func(r idRange, n int64) int {
		if r.to < n {
			return -1
		}
		return 1
	})
	if at < len(s.ranges) && s.ranges[at].from <= n {
		return idSeen
	}
	joinsLeft := at > 0 && s.ranges[at-1].to == n-1
	joinsRight := at < len(s.ranges) && s.ranges[at].from == n+1
	switch {
	case joinsLeft && joinsRight:
		s.ranges[at-1].to = s.ranges[at].to
		s.ranges = slices.Delete(s.ranges, at, at+1)
	case joinsLeft:
		s.ranges[at-1].to = n
	case joinsRight:
		s.ranges[at].from = n
	case len(s.ranges) >= maxIDs:
		return idFull
	default:
		s.ranges = slices.Insert(s.ranges, at, idRange{n, n})
	}
	return idNew
}

// checkFresh refuses a request whose id was used before in its session.
func (x *exchange) checkFresh() error {
	switch x.sess.ids.note(x.msg) {
	case idSeen:
		return turnedAway(http.StatusBadRequest, envelope.CodeInvalidRequest, "replayed request", "the request's id was used before in this session")
	case idFull:
		return turnedAway(http.StatusNotFound, envelope.CodeInvalidRequest, "session used up", "the session has had too many requests; a new one begins with initialize")
	}
	return nil
}
