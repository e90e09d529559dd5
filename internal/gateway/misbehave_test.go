package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/receipt"
)

// misbehave is a server with sessions on pipes that answers the handshake and
// lists, and then does what the tool's name says.
func misbehave(mode string, in io.Reader, out io.Writer) {
	r := bufio.NewReaderSize(in, 1<<20)
	w := bufio.NewWriter(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		m, err := envelope.Parse(line, envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 64})
		if err != nil {
			continue
		}
		id := m.Bytes(envelope.ID)
		switch method := m.MethodName(); {
		case m.Kind != envelope.Request:
		case method == "server/discover":
			w.Write(envelope.EncodeError(id, -32601, "what?", nil))
		case method == "initialize":
			w.Write(envelope.EncodeResult(id, []byte(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"m","version":"1"}}`)))
		case method == "tools/list":
			w.Write(envelope.EncodeResult(id, []byte(`{"tools":`+misbehavingTools+`}`)))
		case method == "tools/call":
			name, _ := m.Text(envelope.Name)
			misbehaveOnce(name, id, w)
		}
		w.WriteByte('\n')
		w.Flush()
	}
}

var misbehaviours = []string{"greet", "hang", "die", "not_JSON", "half_a_message", "flood", "endless_line", "big_result", "too_deep", "stray_prints", "wrong_id", "ask"}

var misbehavingTools = func() string {
	var tools []string
	for _, name := range misbehaviours {
		tools = append(tools, fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, name))
	}
	return "[" + strings.Join(tools, ",") + "]"
}()

const aNotification = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"again"}}`

func misbehaveOnce(name string, id []byte, w *bufio.Writer) {
	answer := envelope.EncodeResult(id, []byte(`{"content":[{"type":"text","text":"hello"}]}`))
	switch name {
	case "die":
		os.Exit(9)
	case "not_JSON":
		w.WriteString(`{"jsonrpc":"2.0",,}`)
	case "half_a_message":
		w.Write(answer[:20])
		w.Flush()
		os.Exit(0)
	case "flood":
		for range 100_000 {
			w.WriteString(aNotification + "\n")
		}
	case "endless_line":
		for {
			if _, err := w.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"x":"`); err != nil {
				os.Exit(1)
			}
		}
	case "big_result":
		w.Write(envelope.EncodeResult(id, []byte(`{"content":[{"type":"text","text":"`+strings.Repeat("x", 50<<20)+`"}]}`)))
	case "too_deep":
		w.Write(envelope.EncodeResult(id, []byte(strings.Repeat(`{"a":`, 1000)+"1"+strings.Repeat("}", 1000))))
	case "stray_prints":
		w.WriteString("Server ready.\n\nwarning: low on luck\n")
		w.Write(answer)
	case "wrong_id":
		w.WriteString(`{"jsonrpc":"2.0","id":424242,"result":{}}`)
	case "greet":
		w.Write(answer)
	}
}

// overHTTPMisbehave does the same over HTTP, in the stateless revision.
func overHTTPMisbehave(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
	name, _ := m.Text(envelope.Name)
	switch name {
	case "hang":
		<-r.Context().Done()
	case "die":
		panic(http.ErrAbortHandler)
	case "flood":
		for r.Context().Err() == nil {
			event(w, []byte(aNotification))
		}
	case "endless_line":
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			io.WriteString(w, "data: "+strings.Repeat("x", 1<<20))
		}
	case "half_a_message":
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"jsonrpc":"2.0"`)
	case "big_result":
		reply(w, m, `{"content":[{"type":"text","text":"`+strings.Repeat("x", 50<<20)+`"}],"resultType":"complete"}`)
	case "stray_prints":
		reply(w, m, `{"content":[{"type":"text","text":"hello"}],"resultType":"complete"}`)
	default:
		b := bufio.NewWriter(w)
		misbehaveOnce(name, m.Bytes(envelope.ID), b)
		b.Flush()
	}
}

// TestServersThatMisbehave checks for each way: a clear error to the agent, an
// outcome that says what happened, memory within bounds, and other servers and
// calls as before.
func TestServersThatMisbehave(t *testing.T) {
	over := &script{on: overHTTPMisbehave, tools: misbehavingTools}
	good := &script{}
	var cfg Config
	for _, name := range []string{"pipes", "http"} {
		s := over.server(t, name)
		if name == "pipes" {
			s = onPipes(t, name, "misbehave")
		}
		s.Timeout = 2 * time.Second
		patient := s
		// What is large takes its time on a busy machine.
		patient.Name, patient.Timeout = "patient-"+name, 2*time.Minute
		cfg.Servers = append(cfg.Servers, s, patient)
	}
	cfg.Servers = append(cfg.Servers, good.server(t, "good"))
	var ahead atomic.Int64
	h := newHouse(t, houseOptions{config: cfg, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	tests := []struct {
		tool     string
		status   receipt.Status
		code     int
		pipes    string // in the detail and in the error
		overHTTP string
	}{
		{"hang", receipt.TimedOut, codeTimeout, "did not answer within 2s", ""},
		{"die", receipt.Undelivered, codeUnavailable, "ended (exit status 9)", "cannot be reached or broke off"},
		{"not_JSON", receipt.Undelivered, codeUnavailable, "not a valid message", ""},
		{"half_a_message", receipt.Undelivered, codeUnavailable, "ended (exit status 0)", "broke off in the middle of a message"},
		{"flood", receipt.Undelivered, codeUnavailable, "more than 10000 messages in the course of one call", ""},
		{"endless_line", receipt.Undelivered, codeUnavailable, "more than 67108864 bytes", ""},
		{"too_deep", receipt.Undelivered, codeUnavailable, "not a valid message", ""},
		{"wrong_id", receipt.TimedOut, codeTimeout, "did not answer within 2s", "not the response"},
		{"big_result", receipt.Succeeded, 0, "", ""},
		{"stray_prints", receipt.Succeeded, 0, "", ""},
	}
	for _, test := range tests {
		for _, server := range []string{"pipes", "http"} {
			t.Run(server+"/"+test.tool, func(t *testing.T) {
				want := test.pipes
				status, code := test.status, test.code
				if test.tool != "hang" && test.tool != "wrong_id" {
					server = "patient-" + server
				}
				if strings.HasSuffix(server, "http") && test.overHTTP != "" {
					want = test.overHTTP
					status, code = receipt.Undelivered, codeUnavailable
				}
				peak, stop := watchMemory()
				r := call(test.tool, `{}`)
				r.path = "/mcp/" + server
				a := h.send(r)
				stop()
				last := h.last("tools/call")
				if a.code() != code || last.outcome.Status != status || last.Action != server+"___"+test.tool {
					t.Errorf("HTTP %d %.300s; recorded %s %+v", a.status, a.body, last.Action, last.outcome)
				}
				message, _ := at(a.last(), "error", "message").(string)
				if !strings.Contains(message, want) || !strings.Contains(last.outcome.Detail, want) {
					t.Errorf("the agent was told %q, and recorded is %q; want %q", message, last.outcome.Detail, want)
				}
				if code != 0 && at(a.last(), "error", "data", "receipt") != last.ID {
					t.Errorf("the error does not name the receipt: %.300s", a.body)
				}
				if test.tool == "big_result" && (last.outcome.Bytes < 50<<20 || !strings.Contains(h.payload(h.outcomeOf(last), receipt.ResultPayload), "omitted_sha256")) {
					t.Errorf("recorded %+v", last.outcome)
				}
				if mb := peak() >> 20; mb > 600 {
					t.Errorf("%d MiB in use", mb)
				}
				other := call("greet", `{}`)
				other.path = "/mcp/good"
				if a := h.send(other); a.text() != "hello" {
					t.Errorf("another server: HTTP %d %s", a.status, a.body)
				}
				ahead.Add(int64(time.Minute)) // a command that ended rests for so long at most
				eventually(t, "the server answers again", func() bool {
					again := call("greet", `{}`)
					again.path = "/mcp/" + server
					return h.send(again).text() == "hello"
				})
			})
		}
	}
	h.noneOpen()
}

// outcomeOf is the id of a decision's outcome receipt.
func (h *house) outcomeOf(r record) string { return r.outcome.ID }

// watchMemory measures the most memory in use until stop.
func watchMemory() (peak func() uint64, stop func()) {
	runtime.GC()
	var most uint64
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() uint64 { return most }, func() { cancel(); wg.Wait() }
}

func TestCallInProgressOnABrokenLinkEndsAtOnce(t *testing.T) {
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{onPipes(t, "s", "misbehave")}}})
	done := make(chan answer, 1)
	go func() { done <- h.send(call("hang", `{}`)) }()
	eventually(t, "the first call is decided", func() bool { return len(h.of("tools/call")) == 1 })
	if a := h.send(call("die", `{}`)); a.code() != codeUnavailable {
		t.Errorf("the call that ended the server: %s", a.body)
	}
	if a := <-done; a.code() != codeUnavailable || !strings.Contains(a.body, "exit status 9") {
		t.Errorf("the call beside it: %s", a.body)
	}
	h.noneOpen()
}
