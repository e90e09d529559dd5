package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	// maxIdle is how many connections to one server are kept that nobody uses,
	// idleTime for how long.
	maxIdle  = 512
	idleTime = 90 * time.Second
	// maxHead is how large the head of an answer may be.
	maxHead = 64 << 10
	// maxWhole is how large a request may be that is written before its answer
	// is read. It fits into the buffers of a connection, so that a server that
	// answers without reading it cannot block the writing.
	maxWhole = 32 << 10
)

// transport makes HTTP requests. Small ones to a server that is reached without
// TLS and proxy are written and read by the goroutine that makes them.
// net/http's own transport passes each request to one goroutine of the
// connection and each answer back from another, and where nothing else runs,
// each passing on wakes a sleeping processor (docs/gateway.md). All other requests are net/http's.
type transport struct {
	standard *http.Transport
	dialer   *net.Dialer
	// address is where the server is reached in clear; empty when it is not.
	address string
	now     func() time.Time

	mu     sync.Mutex
	idle   []*wire // the one used last at the end
	sweeps *time.Timer
	closed bool
}

func newTransport(u *url.URL, now func() time.Time) *transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &transport{dialer: dialer, now: now, standard: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTime,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true,
	}}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if looks && u.Scheme == "http" && proxy == nil && err == nil {
		port := u.Port()
		if port == "" {
			port = "80"
		}
		t.address = net.JoinHostPort(u.Hostname(), port)
	}
	return t
}

// RoundTrip follows the contract of http.RoundTripper, but that a body must not
// be read and closed at the same time.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.address == "" || req.Body == nil || req.ContentLength < 0 || req.ContentLength > maxWhole {
		return t.standard.RoundTrip(req)
	}
	var out bytes.Buffer
	out.Grow(int(req.ContentLength) + 1024)
	err := req.Write(&out)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	for {
		w, used, err := t.take(req.Context())
		if err != nil {
			return nil, err
		}
		resp, err := t.exchange(w, req, out.Bytes())
		if errors.Is(err, errUnwritten) && used {
			continue // the server had closed it
		}
		if err != nil && req.Context().Err() != nil {
			err = req.Context().Err()
		}
		return resp, err
	}
}

// errUnwritten says that the server can have seen nothing of a request.
var errUnwritten = errors.New("nothing of the request was written")

// exchange writes a request and reads the head of its answer.
func (t *transport) exchange(w *wire, req *http.Request, out []byte) (*http.Response, error) {
	stop := context.AfterFunc(req.Context(), func() { w.conn.Close() })
	n, err := w.conn.Write(out)
	if err == nil {
		var resp *http.Response
		if resp, err = w.head(req); err == nil {
			t.attach(w, resp, stop)
			return resp, nil
		}
	} else if n == 0 {
		err = errors.Join(errUnwritten, err)
	}
	stop()
	w.conn.Close()
	return nil, err
}

// attach makes the end of a response's body the end of the wire's use.
func (t *transport) attach(w *wire, resp *http.Response, stop func() bool) {
	b := &wireBody{from: resp.Body, end: func(complete bool) {
		if !stop() || !complete || resp.Close || w.r.Buffered() > 0 || !t.give(w) {
			w.conn.Close()
		}
	}}
	if resp.Body == http.NoBody {
		b.finish(true)
	}
	resp.Body = b
}

// take is a wire that is not in use; used says whether it was before.
func (t *transport) take(ctx context.Context) (w *wire, used bool, err error) {
	for w := t.pop(); w != nil; w = t.pop() {
		if w.quiet() {
			return w, true, nil
		}
		w.conn.Close()
	}
	conn, err := t.dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, false, err
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		conn.Close()
		return nil, false, err
	}
	w = &wire{conn: conn, raw: raw}
	w.r = bufio.NewReader(w)
	return w, false, nil
}

func (t *transport) pop() *wire {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == 0 {
		return nil
	}
	last := len(t.idle) - 1
	w := t.idle[last]
	t.idle[last] = nil
	t.idle = t.idle[:last]
	return w
}

// give keeps a wire for the next request; false says that there is no room.
func (t *transport) give(w *wire) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.idle) >= maxIdle {
		return false
	}
	w.since = t.now()
	t.idle = append(t.idle, w)
	if t.sweeps == nil {
		t.sweeps = time.AfterFunc(idleTime, t.sweep)
	}
	return true
}

// sweep closes what has not been used for too long, and comes back as long as
// something is left.
func (t *transport) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest, n := t.now().Add(-idleTime), 0
	for n < len(t.idle) && !t.idle[n].since.After(oldest) {
		t.idle[n].conn.Close()
		n++
	}
	t.idle = append(t.idle[:0], t.idle[n:]...)
	if t.sweeps = nil; len(t.idle) > 0 {
		t.sweeps = time.AfterFunc(idleTime, t.sweep)
	}
}

// close gives back what is idle now, and at the end of its use what is not.
func (t *transport) close() {
	t.standard.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, w := range t.idle {
		w.conn.Close()
	}
	t.idle = nil
	if t.sweeps != nil {
		t.sweeps.Stop()
	}
}

// wire is a connection that carries one request at a time.
type wire struct {
	conn  net.Conn
	raw   syscall.RawConn
	r     *bufio.Reader
	since time.Time // idle since
	// inHead says that a head is being read, of which at most left bytes remain.
	inHead bool
	left   int
}

// head reads the head of an answer, and skips those that only say that there
// will be one (RFC 9110 §15.2).
func (w *wire) head(req *http.Request) (*http.Response, error) {
	w.inHead, w.left = true, maxHead
	defer func() { w.inHead = false }()
	for {
		resp, err := http.ReadResponse(w.r, req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			resp.Close = true // what follows is no HTTP
			return resp, nil
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
}

var errLongHead = errors.New("the head of the answer is too long")

// Read is for the wire's own buffered reader.
func (w *wire) Read(p []byte) (int, error) {
	if !w.inHead {
		return w.conn.Read(p)
	}
	if w.left <= 0 {
		return 0, errLongHead
	}
	n, err := w.conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

// wireBody is the body of a response; its end is the end of the wire's use.
type wireBody struct {
	from io.Reader
	end  func(complete bool) // nil after it was called
}

func (b *wireBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil {
		b.finish(err == io.EOF)
	}
	return n, err
}

// Close gives the connection up when the body was not read to its end.
func (b *wireBody) Close() error {
	b.finish(false)
	return nil
}

func (b *wireBody) finish(complete bool) {
	if b.end != nil {
		b.end(complete)
		b.end = nil
	}
}
