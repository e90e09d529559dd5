package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"aims/internal/gateway/envelope"
)

// session is what the gateway keeps of a client of 2025-11-25 and older, and
// what is needed to begin it again after the gateway has forgotten it.
type session struct {
	mu          sync.Mutex
	id          string // empty where the gateway keeps none
	version     string // negotiated by initialize; empty before
	modern      string // the last revision that a message named for itself
	initialize  *envelope.Message
	initialized *envelope.Message
	listening   string // the session whose stream is open; a session has one
	renewing    sync.Mutex
}

// revision is the revision that a message must repeat in the headers: the one
// that it names, or for one that names none, the one that the client speaks
// where it has begun no session.
func (s *session) revision(m *envelope.Message) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if modern(m) {
		s.modern, _ = m.Text(envelope.MetaProtocolVersion)
		return s.modern, true
	}
	return s.modern, s.modern != "" && s.version == "" && m.MethodName() != "initialize"
}

// set writes session and negotiated version into a header and returns the session.
func (s *session) set(h http.Header) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != "" {
		h.Set(headerVersion, s.version)
	}
	if s.id != "" {
		h.Set(headerSession, s.id)
	}
	return s.id
}

// begin takes note of a session: the answer to initialize has come.
func (s *session) begin(initialize *envelope.Message, h http.Header, answer *envelope.Message) {
	version, ok := answer.Text(envelope.ResultProtocolVersion)
	if !ok {
		return // refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.version, s.initialize = h.Get(headerSession), version, initialize
}

// confirm takes note of notifications/initialized.
func (s *session) confirm(m *envelope.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initialized = m
}

// listen says whether the stream of the session is to be opened, and notes that it is.
func (s *session) listen() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == "" || s.id == "" || s.listening == s.id {
		return "", false
	}
	s.listening = s.id
	return s.id, true
}

// current says whether id is the session still.
func (s *session) current(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id == id
}

// learn takes from an answer what later requests depend on.
func (b *bridge) learn(request *envelope.Message, resp *http.Response, answer *envelope.Message) {
	switch request.MethodName() {
	case "initialize":
		b.session.begin(request, resp.Header, answer)
	case "tools/list":
		if modern(request) {
			b.params.learn(answer)
		}
	}
}

// renew begins a new session in the place of one that the gateway no longer
// has, as the client itself did. What the old session had subscribed to is
// lost, which the log says.
func (b *bridge) renew(ctx context.Context, old string) error {
	b.session.renewing.Lock()
	defer b.session.renewing.Unlock()
	if !b.session.current(old) {
		return nil // another request has done it
	}
	b.session.mu.Lock()
	initialize, initialized := b.session.initialize, b.session.initialized
	b.session.mu.Unlock()
	if initialize == nil {
		return errors.New("the client has not begun one")
	}
	resp, _, err := b.post(ctx, initialize, newSignal())
	if err != nil {
		return err
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusOK {
		return errors.New(statusText(resp.StatusCode))
	}
	err = b.answer(ctx, resp, idKey(initialize, envelope.ID), false, func(answer *envelope.Message) {
		b.session.begin(initialize, resp.Header, answer)
	})
	if err != nil {
		return err
	}
	if b.session.current(old) {
		return errors.New("initialize was refused")
	}
	b.config.Log.Warn("the gateway had ended the session; a new one was begun, subscriptions of the old one are lost")
	if initialized != nil {
		b.tell(ctx, initialized)
	}
	return nil
}

// endSession tells the gateway that the session is over.
func (b *bridge) endSession() {
	ctx, cancel := context.WithTimeout(context.Background(), shortExchange)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, b.config.URL, nil)
	if err != nil {
		return // the address was good for every other request
	}
	b.authorize(req.Header)
	if b.session.set(req.Header) == "" {
		return
	}
	resp, err := b.http.Do(req)
	if err == nil {
		discard(resp)
		if resp.StatusCode >= 400 && resp.StatusCode != http.StatusMethodNotAllowed && resp.StatusCode != http.StatusNotFound {
			err = fmt.Errorf("HTTP status %d", resp.StatusCode)
		}
	}
	if err != nil {
		b.config.Log.Warn("the session was not ended", "cause", err)
	}
}
