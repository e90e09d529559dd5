package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"aims/internal/gateway/envelope"
)

// writeTimeout is how long a server may leave its standard input unread.
const writeTimeout = 10 * time.Second

// pipeLink is a link with a command: newline-delimited messages on its
// standard input and output.
type pipeLink struct {
	s       *Server
	opening Opening
	peer    Peer
	ids     atomic.Int64
	// ready is set after negotiation: only then is the command's end a failure
	// that is not reported otherwise.
	ready atomic.Bool

	process *process
	in      *os.File
	writing sync.Mutex

	mu    sync.Mutex
	calls map[int64]*inbox
	// ended is why the link can no longer be used.
	ended error
	done  chan struct{}
	// ctx is what its reader waits under; it ends with the link.
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func (s *Server) openPipes(ctx context.Context, o Opening, known string) (Link, error) {
	l, err := s.runPipes(ctx, o, known)
	if errors.Is(err, errDead) && known == "" && ctx.Err() == nil {
		// Some older servers end at a request that they do not know.
		l, err = s.runPipes(ctx, o, Legacy)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (s *Server) runPipes(ctx context.Context, o Opening, known string) (*pipeLink, error) {
	l := &pipeLink{s: s, opening: o, calls: map[int64]*inbox{}, done: make(chan struct{})}
	p, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.process, l.in = p, p.in
	l.wg.Go(l.read)
	if l.peer, err = negotiate(ctx, l, o, known); err != nil {
		l.Close()
		return nil, err
	}
	l.ready.Store(true)
	return l, nil
}

func (l *pipeLink) Peer() Peer            { return l.peer }
func (l *pipeLink) NextID() int64         { return l.ids.Add(1) }
func (l *pipeLink) Shared() bool          { return false }
func (l *pipeLink) Done() <-chan struct{} { return l.done }

func (l *pipeLink) Close() {
	l.end(failed(nil, "the server %s was stopped", l.s.cfg.Name))
	l.process.stop()
	l.wg.Wait()
}

// end makes the link unusable; the first reason stays.
func (l *pipeLink) end(why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return false
	}
	l.ended = why
	close(l.done)
	l.stop()
	return true
}

func (l *pipeLink) ask(ctx context.Context, version, method string, params []byte) (envelope.Message, error) {
	id := l.NextID()
	a, err := l.Call(ctx, Call{ID: id, Method: method, Body: Request(id, method, params)})
	select {
	case <-l.done:
		err = errors.Join(err, errDead)
	default:
	}
	return a.Message, err
}

func (l *pipeLink) established(string) {}

func (l *pipeLink) tell(ctx context.Context, method string) error {
	return l.Send(ctx, Notification(method, nil))
}

// Send writes one message on one line.
func (l *pipeLink) Send(_ context.Context, body []byte) error {
	line := append(oneLine(body), '\n')
	l.writing.Lock()
	defer l.writing.Unlock()
	l.in.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := l.in.Write(line); err != nil {
		l.mu.Lock()
		why := l.ended
		l.mu.Unlock()
		if why == nil {
			// A line may be cut in the middle: nothing that follows could be read.
			why = failed(err, "the server %s does not read its input", l.s.cfg.Name)
			l.fail(why)
		}
		return why
	}
	return nil
}

// oneLine is a copy of a message without line breaks; JSON has them only
// between its tokens.
func oneLine(body []byte) []byte {
	body = bytes.TrimSpace(body) // some readers want the line to end with the message
	line := make([]byte, len(body), len(body)+1)
	copy(line, body)
	for i := 0; ; i++ {
		at := bytes.IndexAny(line[i:], "\r\n")
		if at < 0 {
			return line
		}
		i += at
		line[i] = ' '
	}
}

func (l *pipeLink) Call(ctx context.Context, c Call) (Answer, error) {
	box := newInbox(c.ID)
	l.mu.Lock()
	if l.ended != nil {
		defer l.mu.Unlock()
		return Answer{}, l.ended
	}
	l.calls[c.ID] = box
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.calls, c.ID)
		l.mu.Unlock()
		box.discard()
	}()
	if err := l.Send(ctx, c.Body); err != nil {
		return Answer{}, err
	}
	a, err := l.wait(ctx, c, box)
	if err != nil && c.Method != "initialize" {
		l.Send(ctx, cancelled(c.ID)) // fails when the link has ended, and is then useless
	}
	return a, err
}

// wait hands messages to the call until its response is there.
func (l *pipeLink) wait(ctx context.Context, c Call, box *inbox) (Answer, error) {
	for {
		var ended error
		select {
		case <-box.wake:
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		case <-l.done:
			l.mu.Lock()
			ended = l.ended
			l.mu.Unlock()
		}
		waiting, response, total := box.take()
		if ended == nil {
			ended = box.failed()
		}
		if total > l.s.cfg.Limits.MessagesPerCall {
			response = nil
			ended = failed(ErrFlood, "the server %s sent more than %d messages in the course of one call", l.s.cfg.Name, l.s.cfg.Limits.MessagesPerCall)
		}
		for i := range waiting {
			if ended == nil && c.On != nil {
				ended = c.On(&waiting[i].Message)
			}
			waiting[i].Release()
		}
		if response != nil {
			return *response, nil
		}
		if ended != nil {
			return Answer{}, ended
		}
	}
}

// fail ends the link by the server's fault.
func (l *pipeLink) fail(why error) {
	if l.end(why) && l.ready.Load() {
		l.s.failed(l.s.now().Sub(l.process.started))
		l.s.log.Warn("the server's command is given up", "reason", why)
	}
	l.process.kill()
}

// read takes the server's messages from its standard output until it ends.
func (l *pipeLink) read() {
	r := bufio.NewReaderSize(l.process.out, 64<<10)
	rate := rate{max: l.s.cfg.Limits.MessagesPerCall, now: l.s.now}
	for {
		line := l.s.buffer()
		next, err := readLine(l.ctx, r, &line)
		switch {
		case err == nil:
			err = l.line(line, &rate)
		case next != nil:
			err = l.skip(r, &line, next, err)
		default:
			line.lease.release()
			err = l.lineError(err)
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *pipeLink) lineError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return failed(err, "the server %s ended (%s)", l.s.cfg.Name, l.process.state())
	}
	return l.s.unreadable(err)
}

// readLine reads up to the next line feed, within the limits of b. next is what
// was read and does not fit.
func readLine(ctx context.Context, r *bufio.Reader, b *buffer) (next []byte, err error) {
	for {
		fragment, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if appendErr := b.append(ctx, bytes.TrimRight(fragment, "\r\n")); appendErr != nil {
			return fragment, appendErr
		}
		if err == nil {
			b.complete()
			return nil, nil
		}
	}
}

// line handles one line of the server's output. What does not look like a
// message is a stray print, which many servers have; what looks like one and is
// none means that the two sides no longer understand each other.
func (l *pipeLink) line(line buffer, rate *rate) error {
	trimmed := bytes.TrimSpace(line.b)
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		line.lease.release()
		if len(trimmed) > 0 {
			l.process.print("stdout", string(trimmed[:min(len(trimmed), maxPrintedLine)]))
		}
		if !rate.permits() {
			return failed(ErrFlood, "the server %s floods its standard output", l.s.cfg.Name)
		}
		return nil
	}
	a, err := l.s.parse(line)
	if err != nil {
		return err
	}
	if pong := pingAnswer(&a.Message); pong != nil {
		a.Release()
		if !rate.permits() {
			return failed(ErrFlood, "the server %s floods its standard output", l.s.cfg.Name)
		}
		return l.Send(context.Background(), pong)
	}
	return l.route(a, rate)
}

// route hands a message to the call that it belongs to.
func (l *pipeLink) route(a Answer, rate *rate) error {
	m := &a.Message
	box, running := l.owner(m)
	if m.Kind == envelope.Response {
		// The response to a call that was given up is expected and dropped.
		if box == nil || !box.finish(a) {
			a.Release()
		}
		return nil
	}
	if box != nil && box.put(a) {
		return nil
	}
	defer a.Release()
	if box != nil && m.Kind == envelope.Notification {
		return nil // counted as one too many or dropped
	}
	if m.Kind == envelope.Request && running > 0 {
		// Without knowing of which call it is, it could reach the wrong person.
		return l.Send(context.Background(), envelope.EncodeError(m.Bytes(envelope.ID), envelope.CodeInvalidRequest,
			"the gateway cannot attribute this request to exactly one running call", nil))
	}
	if !rate.permits() {
		return failed(ErrFlood, "the server %s sends more than %d messages a minute outside of calls", l.s.cfg.Name, rate.max)
	}
	if l.opening.Events != nil {
		l.opening.Events(l, m)
	}
	return nil
}

// owner is the call that a message belongs to, nil when that cannot be told;
// running is how many calls there are.
func (l *pipeLink) owner(m *envelope.Message) (box *inbox, running int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	running = len(l.calls)
	if m.Kind == envelope.Response && m.Has(envelope.ID) {
		return l.calls[number(m.Bytes(envelope.ID))], running
	}
	if m.Kind == envelope.Notification {
		if m.Has(envelope.ProgressToken) {
			return l.calls[number(m.Bytes(envelope.ProgressToken))], running
		}
		if at, ok := m.Member(envelope.Meta, SubscriptionID); ok {
			return l.calls[number(m.Raw()[at.Start:at.End])], running
		}
		if loose(m) {
			return nil, running
		}
	}
	// What does not say what it belongs to belongs to the one call there is.
	if running == 1 {
		for _, box := range l.calls {
			return box, running
		}
	}
	return nil, running
}

// SubscriptionID is the member of _meta that names the subscriptions/listen
// request to which a notification belongs (2026-07-28).
const SubscriptionID = "io.modelcontextprotocol/subscriptionId"

// number is an id of ours, or 0, which is none.
func number(b []byte) int64 {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
