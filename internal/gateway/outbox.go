package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"aims/internal/gateway/envelope"
)

const (
	// outboxMessages and outboxBytes bound what waits for a session's stream;
	// what does not fit is dropped, the oldest first.
	outboxMessages = 256
	outboxBytes    = 1 << 20
	// beatInterval is how often a stream without messages says that it is there.
	beatInterval = 25 * time.Second
)

// outbox holds what a session's servers sent outside of calls, until the agent
// takes it from the session's own stream (2025-11-25, GET).
type outbox struct {
	mu      sync.Mutex
	waiting [][]byte
	bytes   int
	wake    chan struct{} // has room for one
	reader  chan struct{} // closed when another reader takes over; nil without one
}

func (o *outbox) init() { o.wake = make(chan struct{}, 1) }

func (o *outbox) put(msg []byte) {
	if msg == nil || len(msg) > outboxBytes {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, msg)
	o.bytes += len(msg)
	for len(o.waiting) > outboxMessages || o.bytes > outboxBytes {
		o.bytes -= len(o.waiting[0])
		o.waiting = o.waiting[1:]
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) take() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := o.waiting
	o.waiting, o.bytes = nil, 0
	return waiting
}

// read makes the caller the one reader; the channel is closed when another
// takes over, such as the same agent after its connection broke.
func (o *outbox) read() (replaced chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reader != nil {
		close(o.reader)
	}
	o.reader = make(chan struct{})
	return o.reader
}

func (o *outbox) unread(reader chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reader == reader {
		o.reader = nil
	}
}

// get serves a session's own stream.
func (x *exchange) get(r *http.Request) error {
	if err := x.admit(r); err != nil {
		return err
	}
	if x.g.isClosing() {
		return tooLate()
	}
	if _, stream := accepts(r.Header.Values("Accept")); !stream {
		return turnedAway(http.StatusNotAcceptable, envelope.CodeInvalidRequest, "accept header", "expected Accept: text/event-stream")
	}
	if r.Header.Get("Last-Event-Id") != "" {
		// Streams are not kept: a message that was lost with its connection is lost.
		return turnedAway(http.StatusBadRequest, envelope.CodeInvalidRequest, "resumption", "streams cannot be resumed here")
	}
	if err := x.attach(); err != nil {
		return err
	}
	defer x.sess.leave()
	if err := x.out.start(); err != nil {
		return x.sent(err)
	}
	return x.sent(x.sess.out.serve(r.Context(), x.sess.ctx, x.out, x.welcome))
}

// welcome says whether the caller of a long request would be let in now:
// a key that was revoked hears nothing more.
func (x *exchange) welcome() bool {
	p, err := x.admitted()
	return err == nil && p.Actor == x.principal.Actor
}

// serve writes what comes until the agent leaves or is no longer welcome, the
// session ends or another reader takes over.
func (o *outbox) serve(ctx, session context.Context, to *stream, welcome func() bool) error {
	replaced := o.read()
	defer o.unread(replaced)
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	for {
		for _, msg := range o.take() {
			if err := to.send(msg); err != nil {
				return err
			}
		}
		select {
		case <-o.wake:
		case <-beat.C:
			if !welcome() {
				return nil
			}
			if err := to.beat(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-session.Done():
			return nil
		case <-replaced:
			return nil
		}
	}
}
