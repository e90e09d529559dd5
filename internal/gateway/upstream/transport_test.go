package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rawServer answers the requests of each connection with the texts that answer
// returns, and closes it after an empty one.
func rawServer(t *testing.T, answer func(connection, request int) string) *transport {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	serve := func(conn net.Conn, connection int) {
		defer conn.Close()
		r := bufio.NewReader(conn)
		for n := 0; ; n++ {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			text := answer(connection, n)
			if text == "" {
				return
			}
			io.WriteString(conn, text)
		}
	}
	done.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { serve(conn, n) })
		}
	})
	tr := transportTo(t, "http://"+l.Addr().String(), time.Now)
	t.Cleanup(func() { l.Close(); tr.close(); done.Wait() })
	return tr
}

func transportTo(t *testing.T, address string, now func() time.Time) *transport {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return newTransport(u, now)
}

// post returns status and body of the answer to a request.
func (t *transport) post(ctx context.Context, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.address+"/mcp?a=b", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, answer), err
}

func (t *transport) kept() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle)
}

func TestAnswersOnTheWire(t *testing.T) {
	long := strings.Repeat("x", maxHead)
	tests := []struct {
		name, answer, want, fails string
		kept                      int
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", "", 1},
		{"chunks and a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n", "200 ok", "", 1},
		{"nothing", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "202 ", "", 1},
		{"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", "", 1},
		{"a closed connection", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "200 ok", "", 0},
		{"the older version", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", "", 0},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "101 ", "", 0},
		{"more than was asked for", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted", "200 ok", "", 0},
		{"a long head", "HTTP/1.1 200 OK\r\nX: " + long + "\r\nContent-Length: 2\r\n\r\nok", "", errLongHead.Error(), 0},
		{"many interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+long[:1000]+"\r\n\r\n", 100), "", errLongHead.Error(), 0},
		{"a long body", "HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n" + long + long, "200 " + long + long, "", 1},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "", "Content-Length", 0},
		{"no HTTP", "hello\r\n\r\n", "", "malformed", 0},
		{"nothing at all", "", "", io.ErrUnexpectedEOF.Error(), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := rawServer(t, func(int, int) string { return test.answer })
			got, err := tr.post(t.Context(), "{}")
			switch {
			case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
				t.Errorf("got %v, want %s", err, test.fails)
			case test.fails == "" && (err != nil || got != test.want):
				t.Errorf("got %.100s, %v, want %.100s", got, err, test.want)
			}
			if kept := tr.kept(); kept != test.kept {
				t.Errorf("%d connections are kept, want %d", kept, test.kept)
			}
		})
	}
}

// A server that sends an answer before it was asked must not have it taken for
// the answer to whoever asks next.
func TestPlantedAnswerIsNobodys(t *testing.T) {
	const planted = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted"
	plant := make(chan net.Conn, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "own") }))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		select {
		case plant <- c:
		default:
		}
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, time.Now)
	t.Cleanup(tr.close)
	if got, err := tr.post(t.Context(), "{}"); got != "200 own" {
		t.Fatal(got, err)
	}
	io.WriteString(<-plant, planted)
	eventually(t, "the planted answer arrives", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return !tr.idle[0].quiet()
	})
	if got, err := tr.post(t.Context(), "{}"); got != "200 own" {
		t.Error(got, err)
	}
}

func TestConnectionThatTheServerClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, time.Now)
	t.Cleanup(tr.close)
	for n := range 20 {
		want := fmt.Sprintf("200 %d", n)
		if got, err := tr.post(t.Context(), want[4:]); got != want {
			t.Fatal(got, err)
		}
		server.CloseClientConnections()
	}
}

// A request that the server may have read is not sent a second time, because
// it may have been carried out.
func TestUnansweredRequestIsNotRepeated(t *testing.T) {
	var requests atomic.Int64
	tr := rawServer(t, func(_, n int) string {
		requests.Add(1)
		if n > 0 {
			return ""
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	})
	tr.post(t.Context(), "{}")
	if got, err := tr.post(t.Context(), "{}"); err == nil || requests.Load() != 2 {
		t.Errorf("got %s, %v after %d requests", got, err, requests.Load())
	}
}

func TestCancelledRequestGivesItsConnectionUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server look whether the client is there
		if r.URL.Query().Has("a") {
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"?a", strings.NewReader("{}"))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a body was read to its end that has none")
	}
	resp.Body.Close()
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	req, _ = http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("{}"))
	if _, err := tr.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if tr.kept() != 0 {
		t.Errorf("%d connections are kept", tr.kept())
	}
}

func TestUnusedConnectionsAreClosed(t *testing.T) {
	now := time.Now()
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, func() time.Time { return now })
	t.Cleanup(tr.close)
	if _, err := tr.post(t.Context(), "{}"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(idleTime - time.Second)
	if tr.sweep(); tr.kept() != 1 {
		t.Fatal("the connection was closed too early")
	}
	now = now.Add(time.Second)
	if tr.sweep(); tr.kept() != 0 {
		t.Error("the connection is kept")
	}
	<-closed
}

func TestLargeRequestsAreNotWrittenWhole(t *testing.T) {
	refuse := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		close(refuse)
	}))
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, time.Now)
	t.Cleanup(tr.close)
	if got, err := tr.post(t.Context(), strings.Repeat("x", 8<<20)); got != "413 too large\n" {
		t.Errorf("got %s, %v", got, err)
	}
	<-refuse
}

func TestConnectionsAtOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	tr := transportTo(t, server.URL, time.Now)
	var callers sync.WaitGroup
	for caller := range 16 {
		callers.Go(func() {
			for n := range 50 {
				want := fmt.Sprintf("%d-%d", caller, n)
				if got, err := tr.post(t.Context(), want); got != "200 "+want {
					t.Error(got, err)
				}
			}
		})
	}
	callers.Wait()
	if kept := tr.kept(); kept == 0 || kept > 16 {
		t.Errorf("%d connections are kept", kept)
	}
	tr.close()
	if got, err := tr.post(t.Context(), "late"); got != "200 late" || tr.kept() != 0 {
		t.Errorf("after closing: %s, %v, %d kept", got, err, tr.kept())
	}
}
