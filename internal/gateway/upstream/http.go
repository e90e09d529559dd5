package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"aims/internal/gateway/envelope"
)

// The headers of streamable HTTP.
const (
	headerVersion   = "Mcp-Protocol-Version"
	headerSession   = "Mcp-Session-Id"
	headerMethod    = "Mcp-Method"
	headerName      = "Mcp-Name"
	headerLastEvent = "Last-Event-Id"
)

const (
	// courtesy bounds what is sent to a server after a call or link has ended.
	courtesy = 2 * time.Second
	// overtaking is how much earlier a message on one connection may arrive than
	// one that was sent before it on another.
	overtaking = 250 * time.Millisecond
	// drainTime is how long a stream may stay open after its response before
	// its connection is given up instead of reused.
	drainTime = 300 * time.Millisecond
	// maxErrorBody is how much of a body that comes with an HTTP error is read.
	maxErrorBody = 64 << 10
	// maxResumes is how often in a row a broken stream is resumed without an
	// event in between.
	maxResumes = 5
)

// httpLink is a link over streamable HTTP.
type httpLink struct {
	s       *Server
	opening Opening
	peer    Peer
	ids     atomic.Int64

	// version and session are set during negotiation and constant afterwards.
	version string
	session string

	ctx  context.Context
	stop context.CancelFunc
	gone sync.Once
	done chan struct{}
	wg   sync.WaitGroup
}

func (s *Server) openHTTP(ctx context.Context, o Opening, known string) (Link, error) {
	l := &httpLink{s: s, opening: o, done: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if l.peer, err = negotiate(ctx, l, o, known); err != nil {
		l.Close()
		return nil, err
	}
	if o.Standalone && !l.peer.Modern() {
		l.wg.Go(l.listen)
	}
	return l, nil
}

func (l *httpLink) Peer() Peer            { return l.peer }
func (l *httpLink) NextID() int64         { return l.ids.Add(1) }
func (l *httpLink) Shared() bool          { return l.peer.Modern() }
func (l *httpLink) Done() <-chan struct{} { return l.done }

func (l *httpLink) die() { l.gone.Do(func() { close(l.done) }) }

func (l *httpLink) Close() {
	l.die()
	l.stop()
	l.wg.Wait()
	if l.session == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(l.ctx), courtesy)
	defer stop()
	if resp, err := l.do(ctx, http.MethodDelete, nil, nil); err == nil {
		resp.Body.Close()
	}
}

// do makes one HTTP request to the server.
func (l *httpLink) do(ctx context.Context, method string, body []byte, set func(http.Header)) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, l.s.url, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header["Content-Type"] = []string{"application/json"}
		req.Header["Accept"] = []string{"application/json, text/event-stream"}
	} else {
		req.Header["Accept"] = []string{"text/event-stream"}
	}
	req.Header["User-Agent"] = []string{"aims"}
	if l.version != "" {
		req.Header[headerVersion] = []string{l.version}
	}
	if l.session != "" {
		req.Header[headerSession] = []string{l.session}
	}
	if set != nil {
		set(req.Header)
	}
	l.s.authenticate(req.Header)
	resp, err := l.s.transport.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && l.s.renew(ctx) {
		resp.Body.Close()
		if again := req.Clone(ctx); req.GetBody != nil {
			if again.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
			req = again
		}
		l.s.authenticate(req.Header)
		return l.s.transport.RoundTrip(req)
	}
	return resp, err
}

func (s *Server) authenticate(h http.Header) {
	for _, c := range s.cfg.Credentials {
		h.Set(c.Header, c.Prefix+c.Secret.Reveal())
	}
}

// renew reads the credentials again and says whether one of them has changed.
func (s *Server) renew(ctx context.Context) bool {
	changed := false
	for _, c := range s.cfg.Credentials {
		before := c.Secret.Reveal()
		if err := c.Secret.Resolve(ctx); err != nil {
			s.log.Warn("a credential cannot be read again", "error", err)
		}
		changed = changed || c.Secret.Reveal() != before
	}
	return changed
}

// ask is negotiation's request.
func (l *httpLink) ask(ctx context.Context, version, method string, params []byte) (envelope.Message, error) {
	id := l.NextID()
	c := Call{ID: id, Method: method, Body: Request(id, method, params)}
	l.version = version
	a, err := l.call(ctx, c, func(resp *http.Response) {
		if session := resp.Header.Get(headerSession); method == "initialize" && resp.StatusCode == http.StatusOK {
			l.session = session
		}
	})
	return a.Message, err
}

func (l *httpLink) established(version string) { l.version = version }

func (l *httpLink) tell(ctx context.Context, method string) error {
	return l.Send(ctx, Notification(method, nil))
}

func (l *httpLink) Send(ctx context.Context, body []byte) error {
	resp, err := l.do(ctx, http.MethodPost, body, nil)
	if err != nil {
		return l.broken(ctx, err)
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, maxErrorBody)
	if resp.StatusCode == http.StatusNotFound && l.session != "" {
		l.die()
		return ErrGone
	}
	if resp.StatusCode >= 300 {
		return failed(nil, "the server %s answered with HTTP status %d", l.s.cfg.Name, resp.StatusCode)
	}
	return nil
}

// broken words the failure of an HTTP request.
func (l *httpLink) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed(err, "the server %s cannot be reached or broke off", l.s.cfg.Name)
}

func (l *httpLink) Call(ctx context.Context, c Call) (Answer, error) {
	a, err := l.call(ctx, c, nil)
	if err != nil && !l.peer.Modern() && !errors.Is(err, ErrGone) {
		l.cancel(ctx, c.ID)
	}
	return a, err
}

// cancel tells a server with a handshake that nobody waits for a call any more.
// For the stateless revision, the closed request says so. It says it twice: on
// its own connection, the first may overtake the call.
func (l *httpLink) cancel(ctx context.Context, id int64) {
	l.wg.Go(func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), courtesy)
		defer stop()
		for range 2 {
			if err := l.Send(ctx, cancelled(id)); err != nil {
				l.s.log.Debug("cancelling a call", "error", err)
			}
			if sleep(l.ctx, overtaking) != nil {
				return // the whole session ends
			}
		}
	})
}

func (l *httpLink) call(ctx context.Context, c Call, head func(*http.Response)) (Answer, error) {
	// The request must outlive ctx for a moment after its response, so that its
	// connection can be reused.
	reqCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, stop)
	resp, err := l.do(reqCtx, http.MethodPost, c.Body, func(h http.Header) { l.callHeader(h, c) })
	if err != nil {
		stop()
		return Answer{}, l.broken(ctx, err)
	}
	if head != nil {
		head(resp)
	}
	a, err := l.answer(ctx, c, resp)
	detach()
	if err != nil || !a.Streamed {
		stop()
		resp.Body.Close()
		return a, err
	}
	l.wg.Go(func() { drain(resp.Body, stop) })
	return a, nil
}

// drain reads what is left of a stream, so that its connection can be reused.
func drain(body io.ReadCloser, stop context.CancelFunc) {
	timer := time.AfterFunc(drainTime, stop)
	io.CopyN(io.Discard, body, maxErrorBody)
	timer.Stop()
	body.Close()
	stop()
}

func (l *httpLink) callHeader(h http.Header, c Call) {
	if l.version != Modern {
		return
	}
	h[headerMethod] = []string{envelope.HeaderValue(c.Method)}
	if c.Name != "" {
		h[headerName] = []string{envelope.HeaderValue(c.Name)}
	}
	for name, values := range c.Params {
		h[name] = values
	}
}

// answer reads the response to a call.
func (l *httpLink) answer(ctx context.Context, c Call, resp *http.Response) (Answer, error) {
	switch {
	case resp.StatusCode == http.StatusOK && IsMedia(resp.Header, "text/event-stream"):
		return l.stream(ctx, c, resp.Body)
	case resp.StatusCode == http.StatusOK && IsMedia(resp.Header, "application/json"):
		return l.single(ctx, c, resp)
	case resp.StatusCode == http.StatusOK:
		return Answer{}, failed(nil, "the server %s answered with a content type that is neither JSON nor an event stream", l.s.cfg.Name)
	}
	return l.refused(ctx, c, resp)
}

// IsMedia says whether a message's Content-Type is media, whatever its parameters.
func IsMedia(h http.Header, media string) bool {
	value := h.Get("Content-Type")
	if value == media {
		return true // as nearly always, and without allocating
	}
	got, _, err := mime.ParseMediaType(value)
	return err == nil && got == media
}

// single reads a response that comes alone.
func (l *httpLink) single(ctx context.Context, c Call, resp *http.Response) (Answer, error) {
	body := l.s.buffer()
	if err := body.readFrom(ctx, resp.Body, resp.ContentLength); err != nil {
		body.lease.release()
		return Answer{}, l.unreadable(ctx, err)
	}
	a, err := l.s.parse(body)
	if err != nil {
		return Answer{}, err
	}
	if !answers(&a.Message, c.ID) {
		a.Release()
		return Answer{}, failed(nil, "the server %s sent something that is not the response to the request", l.s.cfg.Name)
	}
	return a, nil
}

// parse reads the message in a buffer.
func (s *Server) parse(b buffer) (Answer, error) {
	m, err := envelope.Parse(b.b, envelope.Limits{MaxBytes: int(s.cfg.Limits.MessageBytes), MaxDepth: s.cfg.Limits.Depth})
	if err != nil {
		b.lease.release()
		return Answer{}, failed(err, "the server %s sent something that is not a valid message", s.cfg.Name)
	}
	return Answer{Message: m, lease: b.lease}, nil
}

// answers says whether m is the response to a request of ours. An error
// without an id is: the server could not read it.
func answers(m *envelope.Message, id int64) bool {
	if m.Kind != envelope.Response {
		return false
	}
	got := m.Bytes(envelope.ID)
	return string(got) == strconv.FormatInt(id, 10) || got == nil && m.Has(envelope.Error)
}

// unreadable words the failure to read a message.
func (l *httpLink) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return l.s.unreadable(err)
}

func (s *Server) unreadable(err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return failed(err, "the server %s sent a message of more than %d bytes", s.cfg.Name, s.cfg.Limits.MessageBytes)
	case errors.Is(err, errNoBudget):
		return failed(err, "the message of the server %s is large, and too many large messages are under way", s.cfg.Name)
	}
	return failed(err, "the server %s broke off in the middle of a message", s.cfg.Name)
}

// refused reads an answer whose HTTP status is not 200. A JSON-RPC error in it
// is the answer.
func (l *httpLink) refused(ctx context.Context, c Call, resp *http.Response) (Answer, error) {
	body := buffer{max: maxErrorBody, lease: lease{budget: l.s.budget}}
	if err := body.readFrom(ctx, resp.Body, -1); err == nil {
		m, err := envelope.Parse(body.b, envelope.Limits{MaxBytes: maxErrorBody, MaxDepth: l.s.cfg.Limits.Depth})
		addressed := m.Has(envelope.ID) || l.session == ""
		if err == nil && m.Has(envelope.Error) && addressed && answers(&m, c.ID) && !l.outdated(&m) {
			return Answer{Message: m}, nil
		}
	}
	if l.gone4xx(resp.StatusCode) {
		l.s.forget()
		l.die()
		return Answer{}, ErrGone
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return Answer{}, failed(nil, "the server %s does not accept the gateway's credentials (HTTP status %d)", l.s.cfg.Name, resp.StatusCode)
	}
	return Answer{}, failed(nil, "the server %s answered with HTTP status %d", l.s.cfg.Name, resp.StatusCode)
}

// codeUnsupportedVersion says that a server does not speak a request's version
// (2026-07-28).
const codeUnsupportedVersion = "-32022"

// outdated says that a server no longer speaks what was agreed with it.
func (l *httpLink) outdated(m *envelope.Message) bool {
	return l.peer.Modern() && string(m.Bytes(envelope.ErrorCode)) == codeUnsupportedVersion
}

// gone4xx says that a server did not take a request at all, because it has
// forgotten the session, or was replaced by one of another revision.
func (l *httpLink) gone4xx(status int) bool {
	switch {
	case l.session != "":
		return status == http.StatusNotFound
	case l.peer.Modern():
		return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusMethodNotAllowed
	}
	return false
}

// Request is a request message.
func Request(id int64, method string, params []byte) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), strconv.FormatInt(id, 10)...)
	return finish(b, method, params)
}

// Notification is a notification message.
func Notification(method string, params []byte) []byte {
	return finish([]byte(`{"jsonrpc":"2.0"`), method, params)
}

func finish(b []byte, method string, params []byte) []byte {
	b = append(b, `,"method":`...)
	b = envelope.AppendString(b, method)
	if params != nil {
		b = append(append(b, `,"params":`...), params...)
	}
	return append(b, '}')
}

func cancelled(id int64) []byte {
	params, _ := json.Marshal(map[string]any{"requestId": id, "reason": "the caller gave up"})
	return Notification("notifications/cancelled", params)
}
