package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"aims/internal/gateway/envelope"
)

// stream reads the event stream that answers a call, up to the call's response.
func (l *httpLink) stream(ctx context.Context, c Call, body io.Reader) (Answer, error) {
	events := newEventReader(body, l.s.cfg.Limits.MessageBytes, l.s.budget)
	var state resumption
	defer func() { state.close() }()
	for {
		ev, err := events.next(ctx)
		if err != nil {
			if err = l.resume(ctx, &state, err); err != nil {
				return Answer{}, err
			}
			events = newEventReader(state.body, l.s.cfg.Limits.MessageBytes, l.s.budget)
			continue
		}
		state.saw(ev)
		if ev.retry != "" && c.Retry != nil {
			c.Retry(ev.retry)
		}
		if len(ev.data.b) == 0 {
			continue
		}
		a, err := l.s.parse(ev.data)
		if err != nil {
			return Answer{}, err
		}
		if a.Message.Kind == envelope.Response && answers(&a.Message, c.ID) {
			a.Streamed = true
			return a, nil
		}
		err = l.during(ctx, c, &state.messages, &a.Message)
		a.Release()
		if err != nil {
			return Answer{}, err
		}
	}
}

// during handles what a server sends in the course of a call.
func (l *httpLink) during(ctx context.Context, c Call, count *int, m *envelope.Message) error {
	if m.Kind == envelope.Response {
		return failed(nil, "the server %s sent a response to something that was not asked", l.s.cfg.Name)
	}
	if *count++; *count > l.s.cfg.Limits.MessagesPerCall {
		return failed(ErrFlood, "the server %s sent more than %d messages in the course of one call", l.s.cfg.Name, l.s.cfg.Limits.MessagesPerCall)
	}
	if pong := pingAnswer(m); pong != nil {
		return l.Send(ctx, pong)
	}
	if c.On == nil {
		return nil
	}
	return c.On(m)
}

// pingAnswer is the response to a ping, nil for any other message.
func pingAnswer(m *envelope.Message) []byte {
	if m.Kind == envelope.Request && m.MethodName() == "ping" {
		return envelope.EncodeResult(m.Bytes(envelope.ID), []byte(`{}`))
	}
	return nil
}

// resumption is what is needed to go on with a stream that ended before its
// response (2025-11-25, resumability and redelivery).
type resumption struct {
	last     string
	retry    time.Duration
	attempts int // since the last event
	messages int // of the call, over all its streams
	body     io.ReadCloser
}

func (r *resumption) close() {
	if r.body != nil {
		r.body.Close()
	}
}

func (r *resumption) saw(ev event) {
	r.attempts = 0
	if ev.id != "" {
		r.last = ev.id
	}
	if ev.retry != "" {
		millis, _ := strconv.Atoi(ev.retry)
		r.retry = min(time.Duration(millis)*time.Millisecond, maxBackoff)
	}
}

// resume asks for the rest of a stream that ended with cause.
func (l *httpLink) resume(ctx context.Context, state *resumption, cause error) error {
	state.close()
	if ctx.Err() != nil || errors.Is(cause, errTooLarge) || errors.Is(cause, errNoBudget) || errors.Is(cause, errNoise) {
		return l.unreadable(ctx, cause)
	}
	if state.last == "" || l.peer.Modern() {
		return failed(cause, "the server %s ended the stream of a call without a response", l.s.cfg.Name)
	}
	for {
		if state.attempts++; state.attempts > maxResumes {
			return failed(cause, "the server %s ended the stream of a call without a response, %d times in a row", l.s.cfg.Name, maxResumes)
		}
		delay := state.retry
		if delay == 0 {
			delay = firstBackoff << state.attempts
		}
		if err := sleep(ctx, delay); err != nil {
			return err
		}
		resp, err := l.get(ctx, state.last)
		if err == nil {
			state.body = resp.Body
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		cause = err
	}
}

// get opens a stream, or goes on with one after the event named last.
func (l *httpLink) get(ctx context.Context, last string) (*http.Response, error) {
	resp, err := l.do(ctx, http.MethodGet, nil, func(h http.Header) {
		if last != "" {
			h[headerLastEvent] = []string{last}
		}
	})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || !IsMedia(resp.Header, "text/event-stream") {
		resp.Body.Close()
		return nil, errNoStream
	}
	return resp, nil
}

var errNoStream = errors.New("the server offers no stream")

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// listen keeps the stream open on which a server sends messages outside of
// calls, if it offers one.
func (l *httpLink) listen() {
	state := resumption{}
	rate := rate{max: l.s.cfg.Limits.MessagesPerCall, now: l.s.now}
	for {
		resp, err := l.get(l.ctx, state.last)
		if errors.Is(err, errNoStream) {
			return
		}
		if err == nil {
			err = l.standalone(resp.Body, &state, &rate)
			resp.Body.Close()
		}
		if errors.Is(err, ErrFlood) {
			l.s.log.Warn("the server floods its stream; it is not listened to any more on this link")
			return
		}
		state.attempts++
		delay := max(state.retry, min(firstBackoff<<min(state.attempts, 10), maxBackoff))
		if sleep(l.ctx, delay) != nil {
			return
		}
	}
}

func (l *httpLink) standalone(body io.Reader, state *resumption, rate *rate) error {
	events := newEventReader(body, l.s.cfg.Limits.MessageBytes, l.s.budget)
	for {
		ev, err := events.next(l.ctx)
		if err != nil {
			return err
		}
		state.saw(ev)
		if len(ev.data.b) == 0 {
			continue
		}
		if !rate.permits() {
			ev.data.lease.release()
			return ErrFlood
		}
		a, err := l.s.parse(ev.data)
		if err != nil {
			return err
		}
		if pong := pingAnswer(&a.Message); pong != nil {
			err = l.Send(l.ctx, pong)
		} else if a.Message.Kind != envelope.Response && l.opening.Events != nil {
			l.opening.Events(l, &a.Message)
		}
		a.Release()
		if err != nil {
			return err
		}
	}
}

// rate bounds the messages within a minute.
type rate struct {
	max   int
	now   func() time.Time
	since time.Time
	count int
}

func (r *rate) permits() bool {
	if now := r.now(); now.Sub(r.since) > time.Minute {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= r.max
}
