// Package connect bridges a client that speaks MCP over standard input and
// output to a gateway that speaks streamable HTTP. It passes messages on as
// they are, in both protocol revisions; what it adds is the transport: the
// agent's key, the headers that must repeat the body (2026-07-28), the session
// and the stream of server-to-client messages (2025-11-25 and older).
//
// Where the gateway cannot be reached or breaks off, every request in flight
// is answered with a JSON-RPC error: nothing is retried that the gateway might
// have forwarded already.
package connect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"aims/internal/gateway/envelope"
	"aims/internal/gateway/statement"
)

// Config says where the gateway is.
type Config struct {
	// URL is the gateway's MCP endpoint, such as http://127.0.0.1:8642/mcp.
	URL string
	// Key is the agent's key; empty for a gateway that lets in callers without one.
	Key string
	// Said is what the user says of the run, sent with every request.
	Said statement.Statement
	// Log takes what goes wrong; standard output carries messages only.
	Log *slog.Logger
	// MaxMessage is the largest message in bytes, in either direction. Default 64 MiB.
	MaxMessage int
	// Grace is how long requests in flight may go on after the client has
	// closed its end. Default 2 s.
	Grace time.Duration
	// RetryDelay is the wait before a broken stream is opened again where the
	// gateway asks for none; it doubles up to 30 s. Default 500 ms.
	RetryDelay time.Duration
}

const (
	defaultMaxMessage = 64 << 20
	defaultGrace      = 2 * time.Second
	defaultRetryDelay = 500 * time.Millisecond
	maxRetryDelay     = 30 * time.Second
	maxDepth          = 256
	// maxInFlight bounds the requests of one client.
	maxInFlight = 256
	// shortExchange bounds what has no long answer: notifications, responses, the end of a session.
	shortExchange = 10 * time.Second
)

// Run bridges until the client closes its end, which is the normal end and no
// error, or ctx ends, or the client can no longer be written to.
func Run(ctx context.Context, in io.Reader, out io.Writer, c Config) error {
	b, err := newBridge(out, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.life, b.fail = ctx, cancel
	lines := make(chan line)
	go readLines(ctx, in, b.config.MaxMessage, lines)
	err = b.pump(ctx, lines)
	if err == nil {
		b.drain(ctx)
	}
	cancel(nil)
	b.settle()
	b.endSession()
	return err
}

// settle waits for what is under way to notice the end, but not for a client
// that no longer reads.
func (b *bridge) settle() {
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(b.config.Grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

type bridge struct {
	config Config
	http   *http.Client
	// life ends with the bridge: the stream that a request opens outlasts the request.
	life context.Context
	fail context.CancelCauseFunc

	writing sync.Mutex
	out     io.Writer

	running sync.WaitGroup // every goroutine but the reader of lines
	calls   calls
	session session
	params  paramHeaders
}

func newBridge(out io.Writer, c Config) (*bridge, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("connect: %q is no http or https address of a gateway", c.URL)
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = defaultMaxMessage
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.RetryDelay == 0 {
		c.RetryDelay = defaultRetryDelay
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &bridge{
		config: c, out: out,
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key is for this address only
		}},
		calls:  calls{open: map[string]*call{}},
		params: paramHeaders{tools: map[string][]binding{}},
	}, nil
}

func (b *bridge) limits() envelope.Limits {
	return envelope.Limits{MaxBytes: b.config.MaxMessage, MaxDepth: maxDepth}
}

// line is one line of the client, without its end; err ends the input.
type line struct {
	text []byte
	long bool // the line was longer than allowed and is not in text
	err  error
}

func readLines(ctx context.Context, in io.Reader, limit int, lines chan<- line) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		l := readLine(r, limit)
		select {
		case lines <- l:
		case <-ctx.Done():
			return
		}
		if l.err != nil {
			return
		}
	}
}

func readLine(r *bufio.Reader, limit int) line {
	var l line
	for {
		part, err := r.ReadSlice('\n')
		if len(l.text)+len(part) > limit+1 {
			l.long, l.text = true, nil
		}
		if !l.long {
			l.text = append(l.text, part...)
		}
		switch {
		case err == nil:
			return l
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		}
		if errors.Is(err, io.EOF) && (len(l.text) > 0 || l.long) {
			return l // the end is met again by the next read
		}
		l.err = err
		return l
	}
}

// pump takes the client's messages in turn until there are no more.
func (b *bridge) pump(ctx context.Context, lines <-chan line) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l := <-lines:
			switch {
			case errors.Is(l.err, io.EOF) || errors.Is(l.err, io.ErrClosedPipe):
				return nil
			case l.err != nil:
				return fmt.Errorf("connect: read from the client: %w", l.err)
			case l.long:
				b.config.Log.Error("a message of the client is too large and was not sent", "limit", b.config.MaxMessage)
			default:
				b.take(ctx, l.text)
			}
		}
	}
}

// take sends one message on and returns when it is on its way, so that
// messages leave in the order in which they came.
func (b *bridge) take(ctx context.Context, text []byte) {
	m, err := envelope.Parse(text, b.limits())
	if err != nil {
		var f *envelope.Fault
		errors.As(err, &f)
		if id := m.Bytes(envelope.ID); len(id) > 0 {
			b.reply(envelope.EncodeError(id, f.Code(), f.Error(), nil))
		} else if len(text) > 1 {
			b.config.Log.Error("a message of the client was not sent", "cause", f)
		}
		return
	}
	switch {
	case m.Kind == envelope.Request:
		b.request(ctx, &m)
	case m.MethodName() == "notifications/cancelled":
		b.cancelled(ctx, &m)
	default:
		b.tell(ctx, &m)
	}
}

// drain lets requests in flight end after the client has closed its end.
func (b *bridge) drain(ctx context.Context) {
	timer := time.NewTimer(b.config.Grace)
	defer timer.Stop()
	select {
	case <-b.calls.idle():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reply writes one message to the client as one line.
func (b *bridge) reply(message []byte) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if _, err := b.out.Write(oneLine(message)); err != nil {
		b.fail(fmt.Errorf("connect: write to the client: %w", err))
	}
}

// oneLine is a JSON text as a line. A line break in it can only be white
// space, because strings hold none, so a space says the same.
func oneLine(message []byte) []byte {
	message = bytes.TrimSpace(message) // some readers want the line to end with the message
	l := make([]byte, 0, len(message)+1)
	for _, c := range message {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		l = append(l, c)
	}
	return append(l, '\n')
}
