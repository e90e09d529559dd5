package connect

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pipes are the client's ends of a bridge.
type pipes struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *bufio.Reader
	ended chan error
}

func piped(t *testing.T, c Config) *pipes {
	t.Helper()
	toBridge, fromClient := io.Pipe()
	toClient, fromBridge := io.Pipe()
	p := &pipes{t: t, in: fromClient, out: bufio.NewReaderSize(toClient, 1<<20), ended: make(chan error, 1)}
	if c.RetryDelay == 0 {
		c.RetryDelay = time.Millisecond
	}
	go func() {
		err := Run(t.Context(), toBridge, fromBridge, c)
		fromBridge.Close()
		p.ended <- err
	}()
	t.Cleanup(func() { fromClient.Close(); toClient.Close() })
	return p
}

func (p *pipes) send(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.in, l+"\n"); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *pipes) receive() string {
	p.t.Helper()
	l, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the bridge wrote %q and then %v", l, err)
	}
	return strings.TrimSuffix(l, "\n")
}

// failure is the error of the response with the id.
func (p *pipes) failure(id string) string {
	p.t.Helper()
	var r struct {
		ID    json.RawMessage
		Error *struct {
			Code    int
			Message string
		}
	}
	l := p.receive()
	if err := json.Unmarshal([]byte(l), &r); err != nil || string(r.ID) != id || r.Error == nil {
		p.t.Fatalf("no error for %s: %s", id, l)
	}
	return fmt.Sprintf("%d %s", r.Error.Code, r.Error.Message)
}

func (p *pipes) end() error {
	p.in.Close()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(15 * time.Second):
		p.t.Fatal("the bridge did not end")
		return nil
	}
}

// rest is what the bridge has written and nobody read; the bridge has ended.
func (p *pipes) rest() string {
	b, _ := io.ReadAll(p.out)
	return string(b)
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func handler(t *testing.T, f http.HandlerFunc) string {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func TestFailuresBecomeErrors(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	stream := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, body)
		}
	}
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		gateway http.HandlerFunc
		want    string
	}{
		"nobody listens": {nil, "-32603 the gateway cannot be reached"},
		"wrong key":      {answer(401, "text/plain", "no"), "-32603 the gateway refused the key"},
		"forbidden":      {answer(403, "text/plain", "no"), "-32603 the gateway refused the caller"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "-32603 the gateway answered with HTTP status 307"},
		"broken":                 {answer(500, "text/plain", "no"), "-32603 the gateway answered with HTTP status 500"},
		"its own error":          {answer(400, "application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"header mismatch"}}`), "-32020 header mismatch"},
		"accepted, not answered": {answer(202, "", ""), "-32603 the gateway accepted the request without answering it"},
		"a page":                 {answer(200, "text/html", "<html>"), `-32603 the gateway answered with content type "text/html"`},
		"not JSON":               {answer(200, "application/json", "{"), "-32603 the gateway's answer is not the response"},
		"answer to another":      {answer(200, "application/json", `{"jsonrpc":"2.0","id":2,"result":{}}`), "-32603 the gateway's answer is not the response"},
		"too large":              {answer(200, "application/json", strings.Repeat(" ", 1<<16)), "-32603 the gateway's answer is larger"},
		"empty stream":           {stream(""), "-32603 the gateway broke off"},
		"cut stream":             {stream("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"), "-32603 the gateway broke off"},
		"stream of nonsense":     {stream("data: nonsense\n\n"), "-32603 the gateway sent something that is no message"},
		"flood on the stream":    {stream("data: " + strings.Repeat("x", 1<<16) + "\n\n"), "-32603 the gateway's answer is larger"},
	} {
		t.Run(name, func(t *testing.T) {
			url := closed.URL
			if test.gateway != nil {
				url = handler(t, test.gateway)
			}
			p := piped(t, Config{URL: url, Key: testKey, MaxMessage: 1 << 14})
			p.send(ping)
			if got := p.failure("1"); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if err := p.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheKeyGoesNowhereElse(t *testing.T) {
	var leaked atomic.Bool
	other := handler(t, func(_ http.ResponseWriter, r *http.Request) { leaked.Store(true) })
	url := handler(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) })
	p := piped(t, Config{URL: url, Key: testKey})
	p.send(ping)
	p.failure("1")
	p.end()
	if leaked.Load() {
		t.Error("a redirect was followed")
	}
}

func TestBadMessagesOfTheClient(t *testing.T) {
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{\"jsonrpc\":\"2.0\",\n\"id\":1,\r\n\"result\":{}}")
	})
	p := piped(t, Config{URL: url, MaxMessage: 1 << 10})
	p.send("nonsense", "", `[`+ping+`]`, strings.Repeat("x", 1<<12), `{"jsonrpc":"2.0","id":7,"method":"m","Method":"n"}`)
	if got := p.failure("7"); !strings.HasPrefix(got, "-32600 expected") {
		t.Errorf("got %s", got)
	}
	p.send(ping)
	if got := p.receive(); got != `{"jsonrpc":"2.0", "id":1,  "result":{}}` {
		t.Errorf("got %s", got)
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

func TestAnIdIsUsedOnceAtATime(t *testing.T) {
	release := make(chan struct{})
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"ok":true}}`)
	})
	p := piped(t, Config{URL: url})
	p.send(ping, ping)
	if got := p.failure("1"); !strings.Contains(got, "in use") {
		t.Errorf("got %s", got)
	}
	close(release)
	if got := p.receive(); !strings.Contains(got, `"ok":true`) {
		t.Errorf("got %s", got)
	}
	p.end()
}

// What is under way when the client closes its end is still answered.
func TestEndWaitsForAnswers(t *testing.T) {
	begun := make(chan struct{})
	release := make(chan struct{})
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"ok":true}}`)
	})
	p := piped(t, Config{URL: url, Grace: time.Minute})
	p.send(ping)
	<-begun
	p.in.Close()
	close(release)
	if got := p.receive(); !strings.Contains(got, `"ok":true`) {
		t.Errorf("got %s", got)
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

func TestEndDoesNotWaitForever(t *testing.T) {
	begun := make(chan struct{})
	url := handler(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // net/http notices the end of a client only then
		close(begun)
		<-r.Context().Done()
	})
	p := piped(t, Config{URL: url, Grace: 10 * time.Millisecond})
	p.send(ping)
	<-begun
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

func TestClientThatIsGone(t *testing.T) {
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	toBridge, fromClient := io.Pipe()
	defer fromClient.Close()
	toClient, fromBridge := io.Pipe()
	toClient.Close()
	go io.WriteString(fromClient, ping+"\n")
	if err := Run(t.Context(), toBridge, fromBridge, Config{URL: url}); err == nil || !strings.Contains(err.Error(), "write to the client") {
		t.Errorf("got %v", err)
	}
}

func TestEndOfTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, w := io.Pipe()
	defer w.Close()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, in, io.Discard, Config{URL: "http://127.0.0.1:1/mcp"}) }()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("the bridge did not end")
	}
}

func TestBadAddress(t *testing.T) {
	for _, u := range []string{"", "mcp", "ftp://x/mcp", "http:///mcp", "://"} {
		if err := Run(t.Context(), strings.NewReader(""), io.Discard, Config{URL: u}); err == nil {
			t.Errorf("%q was accepted", u)
		}
	}
}

const (
	initialize  = `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// forgetful is a gateway with sessions that it can lose.
type forgetful struct {
	session atomic.Int64
	calls   atomic.Int64
	ready   atomic.Int64
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	current := fmt.Sprint("s", f.session.Load())
	switch {
	case strings.Contains(string(body), `"initialize"`):
		w.Header().Set(headerSession, current)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-11-25"}}`)
	case r.Header.Get(headerSession) != current:
		http.Error(w, "no such session", http.StatusNotFound)
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case strings.Contains(string(body), "initialized"):
		f.ready.Add(1)
		w.WriteHeader(http.StatusAccepted)
	default:
		f.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	}
}

// A gateway that restarts forgets its sessions; the client need not notice.
func TestLostSessionIsBegunAgain(t *testing.T) {
	f := &forgetful{}
	p := piped(t, Config{URL: handler(t, f.ServeHTTP)})
	p.send(initialize)
	p.receive()
	p.send(initialized, ping)
	p.receive()
	f.session.Add(1)
	p.send(ping)
	if got := p.receive(); !strings.Contains(got, `"result"`) {
		t.Errorf("got %s", got)
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if f.calls.Load() != 2 || f.ready.Load() != 2 {
		t.Errorf("%d calls and %d sessions made ready, want 2 and 2", f.calls.Load(), f.ready.Load())
	}
	if rest := p.rest(); rest != "" {
		t.Errorf("the client got what it did not ask for: %s", rest)
	}
}

// The stream of a request that breaks off goes on where it was, and the
// request is not sent a second time.
func TestBrokenStreamIsResumed(t *testing.T) {
	var posts, gets atomic.Int64
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		switch {
		case r.Method == http.MethodPost:
			posts.Add(1)
			io.WriteString(w, "id: 1\nretry: 1\ndata:\n\nid: 2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\ndata: {\"json")
		case r.Header.Get(headerLast) != "2":
			t.Errorf("resumed after %q", r.Header.Get(headerLast))
		case gets.Add(1) == 1: // nothing comes at first
		default:
			io.WriteString(w, ": comment\r\n\r\nevent: message\r\nid: 3\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":1,\"result\":{}}\r\n\r\n")
		}
	})
	p := piped(t, Config{URL: url})
	p.send(ping)
	if got := p.receive(); !strings.Contains(got, "notifications/a") {
		t.Errorf("got %s", got)
	}
	if got := p.receive(); got != `{"jsonrpc":"2.0", "id":1,"result":{}}` {
		t.Errorf("got %s", got)
	}
	p.end()
	if posts.Load() != 1 {
		t.Errorf("the request was sent %d times", posts.Load())
	}
}

func TestStreamThatNeverGoesOn(t *testing.T) {
	var gets atomic.Int64
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if r.Method == http.MethodGet {
			gets.Add(1)
			return
		}
		io.WriteString(w, "id: 1\nretry: 1\ndata:\n\n")
	})
	p := piped(t, Config{URL: url})
	p.send(ping)
	if got := p.failure("1"); !strings.Contains(got, "broke off") {
		t.Errorf("got %s", got)
	}
	p.end()
	if gets.Load() == 0 || gets.Load() > 2*maxReopen {
		t.Errorf("%d attempts", gets.Load())
	}
}
