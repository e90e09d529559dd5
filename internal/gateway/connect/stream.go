package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"aims/internal/gateway/envelope"
)

// maxReopen is how often in a row a request's stream is opened again without
// anything new coming from it.
const maxReopen = 5

// follow reads the stream that answers a request, passes on what comes before
// the response, and calls done with it. Where the stream is resumable, one that
// breaks off is opened again at the place that it had reached.
func (b *bridge) follow(ctx context.Context, resp *http.Response, key string, resumable bool, done func(*envelope.Message)) error {
	at := place{delay: b.config.RetryDelay}
	body := resp.Body
	for attempt := 0; ; attempt++ {
		moved, answered, err := b.read(body, key, &at, done)
		body.Close()
		var final *failure
		if answered || errors.As(err, &final) {
			return err
		}
		if moved {
			attempt = 0
		}
		if body, err = b.resume(ctx, at, attempt, resumable, err); err != nil {
			return err
		}
	}
}

// resume opens a request's stream again.
func (b *bridge) resume(ctx context.Context, at place, attempt int, resumable bool, cause error) (io.ReadCloser, error) {
	for ; resumable && at.id != "" && attempt < maxReopen; attempt++ {
		if err := wait(ctx, at.delay); err != nil {
			return nil, err
		}
		resp, err := b.open(ctx, at.id)
		if err != nil {
			cause = err
			continue
		}
		if isStream(resp) {
			return resp.Body, nil
		}
		discard(resp)
		break
	}
	return nil, &failure{"the gateway broke off before its answer was complete; the request may have had its effect", cause}
}

// place is how far a stream has been read and how long to wait before it is
// opened again.
type place struct {
	id    string
	delay time.Duration
}

// read passes on the messages of a stream until it ends or, where key is not
// empty, until the response with that key, which goes to done. moved says that
// something came. A *failure ends the stream for good.
func (b *bridge) read(r io.Reader, key string, at *place, done func(*envelope.Message)) (moved, answered bool, err error) {
	events := newEvents(r, b.config.MaxMessage)
	for {
		e, err := events.next()
		if errors.Is(err, errTooLarge) {
			return moved, false, &failure{fmt.Sprintf("the gateway's answer is larger than %d bytes", b.config.MaxMessage), nil}
		}
		if err != nil {
			return moved, false, err
		}
		if e.id != "" {
			moved = moved || at.id != e.id
			at.id = e.id
		}
		if e.retry > 0 {
			at.delay = min(e.retry, maxRetryDelay)
		}
		if len(e.data) == 0 || e.name != "" && e.name != "message" {
			continue
		}
		m, err := envelope.Parse(e.data, b.limits())
		if err != nil {
			return moved, false, &failure{"the gateway sent something that is no message", err}
		}
		moved = true
		switch {
		case m.Kind != envelope.Response:
			b.reply(m.Raw())
		case key != "" && idKey(&m, envelope.ID) == key:
			done(&m)
			return moved, true, nil
		default:
			b.config.Log.Error("the gateway sent a response on a stream that it does not belong to")
		}
	}
}

// listen opens the stream of what the server has to say of its own accord
// (2025-11-25 and older) and keeps it open for as long as the session lasts.
func (b *bridge) listen() {
	id, ok := b.session.listen()
	if !ok {
		return
	}
	b.running.Go(func() {
		at := place{delay: b.config.RetryDelay}
		for attempt := 0; b.session.current(id) && b.life.Err() == nil; attempt++ {
			resp, err := b.open(b.life, at.id)
			if err == nil {
				if !isStream(resp) {
					discard(resp)
					return // 405: the gateway has none; 404: the next request meets it
				}
				moved, _, err := b.read(resp.Body, "", &at, nil)
				resp.Body.Close()
				if moved {
					attempt = 0
				}
				var final *failure
				if errors.As(err, &final) {
					b.config.Log.Error("the stream of the session is of no use", "cause", err)
					return
				}
			}
			if wait(b.life, min(at.delay<<min(attempt, 10), maxRetryDelay)) != nil {
				return
			}
		}
	})
}

// open opens a stream by GET, after the event with the id last where there is one.
func (b *bridge) open(ctx context.Context, last string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.config.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	b.authorize(req.Header)
	b.session.set(req.Header)
	if last != "" {
		req.Header.Set(headerLast, last)
	}
	return b.http.Do(req)
}

func isStream(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusOK && kind == "text/event-stream"
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
