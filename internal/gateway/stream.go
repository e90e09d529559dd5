package gateway

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
	"time"
)

// stream is the answer to one HTTP request of an agent: either one JSON
// message, or a stream of events that ends with the response. It becomes a
// stream when something has to be said before the response. Its methods may be
// called concurrently.
//
// Every write has a deadline: an agent that does not read loses its
// connection, and what it asked for is cancelled.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	wait time.Duration

	mu    sync.Mutex
	state streamState
	err   error
	// until is when the message that is written must have been read; zero for
	// one that is not large.
	until time.Time
}

type streamState uint8

const (
	fresh streamState = iota
	streaming
	finished
)

var errStreamOver = errors.New("gateway: the answer is already complete")

func newStream(w http.ResponseWriter, wait time.Duration) *stream {
	return &stream{w: w, rc: http.NewResponseController(w), wait: wait}
}

// deadline is for the next write: one that an earlier request on this
// connection left may have passed.
func (s *stream) deadline() {
	at := time.Now().Add(s.wait)
	if !s.until.IsZero() && s.until.Before(at) {
		at = s.until
	}
	// A writer without deadlines is one of a test.
	_ = s.rc.SetWriteDeadline(at)
}

// send sends a message before the response.
func (s *stream) send(msg []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	return s.event(msg, true)
}

// start makes it a stream, with its headers sent, before there is a message.
func (s *stream) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	return s.write([]byte(": ok\n\n"), true)
}

// beat writes a comment, which shows whether the agent is still there.
func (s *stream) beat() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != streaming {
		return s.err
	}
	return s.write([]byte(": beat\n\n"), true)
}

// retry passes on how long a server wants its client to wait before it
// comes back (2025-11-25, SEP-1699).
func (s *stream) retry(millis string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open() == nil {
		s.write([]byte("retry: "+millis+"\n\n"), true)
	}
}

// finish sends the response, alone or as the stream's last event. preferEvent
// says that it is to be an event even when nothing came before it. The response
// may come in parts.
func (s *stream) finish(status int, preferEvent bool, msg ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == finished {
		return errStreamOver
	}
	defer func() { s.state = finished }()
	if s.state == fresh && (!preferEvent || status != http.StatusOK) {
		h := s.w.Header()
		h["Content-Type"] = []string{"application/json"}
		h["Cache-Control"] = []string{"no-store"}
		s.w.WriteHeader(status)
		return s.parts(msg, false)
	}
	if err := s.open(); err != nil {
		return err
	}
	return s.lastEvent(msg)
}

// status answers without a message.
func (s *stream) status(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == fresh {
		s.deadline()
		s.w.WriteHeader(code)
	}
	s.state = finished
}

func (s *stream) open() error {
	switch s.state {
	case finished:
		return errStreamOver
	case fresh:
		h := s.w.Header()
		h["Content-Type"] = []string{"text/event-stream"}
		h["Cache-Control"] = []string{"no-cache, no-transform"}
		h["X-Accel-Buffering"] = []string{"no"}
		s.w.WriteHeader(http.StatusOK)
		s.state = streaming
	}
	return s.err
}

// event writes a message as one event.
func (s *stream) event(msg []byte, flush bool) error {
	msg = oneLine(msg)
	b := make([]byte, 0, len(msg)+32)
	b = append(append(b, "event: message\ndata: "...), msg...)
	return s.write(append(b, "\n\n"...), flush)
}

// lastEvent writes the response as the last event; a large one not in one piece.
func (s *stream) lastEvent(msg [][]byte) error {
	if len(msg) == 1 && len(msg[0]) <= writePiece {
		return s.event(msg[0], false)
	}
	if err := s.write([]byte("event: message\ndata: "), false); err != nil {
		return err
	}
	if err := s.parts(msg, true); err != nil {
		return err
	}
	return s.write([]byte("\n\n"), false)
}

// oneLine is a message without line breaks. JSON has them only between its
// tokens, where a space does as well.
func oneLine(msg []byte) []byte {
	if !bytes.ContainsAny(msg, "\r\n") {
		return msg
	}
	line := bytes.Clone(msg)
	for i, c := range line {
		if c == '\r' || c == '\n' {
			line[i] = ' '
		}
	}
	return line
}

const (
	// writePiece is how much is written within one deadline, so that a slow reader
	// of a large answer is not taken for one that does not read.
	writePiece = 64 << 10
	// slowest is the rate in bytes a second below which a reader is given up all
	// the same: a large answer occupies memory that others wait for.
	slowest = 64 << 10
)

// parts writes a message that is in parts, piece by piece; as one line, if it
// is to be one.
func (s *stream) parts(msg [][]byte, line bool) error {
	var size time.Duration
	for _, part := range msg {
		size += time.Duration(len(part))
	}
	s.until = time.Now().Add(s.wait + size*time.Second/slowest)
	defer func() { s.until = time.Time{} }()
	for _, part := range msg {
		for len(part) > 0 && s.err == nil {
			piece := part[:min(len(part), writePiece)]
			part = part[len(piece):]
			if line {
				piece = oneLine(piece)
			}
			s.write(piece, false)
		}
	}
	return s.err
}

func (s *stream) write(b []byte, flush bool) error {
	for len(b) > 0 && s.err == nil {
		piece := b[:min(len(b), writePiece)]
		b = b[len(piece):]
		s.deadline()
		_, s.err = s.w.Write(piece)
	}
	if flush && s.err == nil {
		s.err = s.rc.Flush()
	}
	return s.err
}
