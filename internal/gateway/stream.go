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
	// A writer without deadlines is one of a test.
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.wait))
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
// says that it is to be an event even when nothing came before it.
func (s *stream) finish(msg []byte, status int, preferEvent bool) error {
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
		return s.write(msg, false)
	}
	if err := s.open(); err != nil {
		return err
	}
	return s.event(msg, false)
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

// event writes a message as one event. JSON has line breaks only between its
// tokens, where a space does as well.
func (s *stream) event(msg []byte, flush bool) error {
	if bytes.ContainsAny(msg, "\r\n") {
		msg = bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return ' '
			}
			return r
		}, msg)
	}
	if len(msg) > writePiece {
		for _, part := range [][]byte{[]byte("event: message\ndata: "), msg} {
			if err := s.write(part, false); err != nil {
				return err
			}
		}
		return s.write([]byte("\n\n"), flush)
	}
	b := make([]byte, 0, len(msg)+32)
	b = append(append(b, "event: message\ndata: "...), msg...)
	return s.write(append(b, "\n\n"...), flush)
}

// writePiece is how much is written within one deadline, so that a slow reader
// of a large answer is not taken for one that does not read.
const writePiece = 64 << 10

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
