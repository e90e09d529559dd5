package upstream

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/internal/identity"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

// A test that needs a server on pipes starts this test program again as one.
const childMode = "AIMS_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
		return
	}
	goleak.VerifyTestMain(m)
}

func child(mode string) {
	if mode == "sdk" {
		s := mcp.NewServer(&mcp.Implementation{Name: "child", Version: "1"}, nil)
		mcp.AddTool(s, &mcp.Tool{Name: "greet"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "hello"}}}, nil, nil
		})
		s.Run(context.Background(), &mcp.StdioTransport{})
		return
	}
	if mode == "environment" {
		fmt.Fprintln(os.Stderr, "token is "+os.Getenv("TOKEN"))
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		m, err := envelope.Parse(line, envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 64})
		if err != nil {
			continue
		}
		answer(mode, &m)
	}
}

const initialized = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"child","version":"1"}}`

func answer(mode string, m *envelope.Message) {
	say := func(b []byte) { os.Stdout.Write(append(b, '\n')) }
	id := m.Bytes(envelope.ID)
	switch method := m.MethodName(); {
	case method == "notifications/ask":
		say([]byte(`{"jsonrpc":"2.0","id":"q1","method":"roots/list"}`))
	case m.Kind == envelope.Notification:
	case mode == "dies at discover" && method == "server/discover":
		os.Exit(3)
	case mode == "silent at discover" && method == "server/discover":
	case method == "server/discover":
		say(envelope.EncodeError(id, envelope.CodeMethodNotFound, "what?", nil))
	case method == "initialize":
		say(envelope.EncodeResult(id, []byte(initialized)))
	case method == "ping":
		say(envelope.EncodeResult(id, []byte(`{}`)))
	case mode == "environment":
		say(envelope.EncodeResult(id, envelope.AppendString(nil, strings.Join(os.Environ(), "\n"))))
	case mode == "grandchild":
		cmd := exec.Command("sleep", "600")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			os.Exit(4)
		}
		say(envelope.EncodeResult(id, fmt.Appendf(nil, `{"pid":%d}`, cmd.Process.Pid)))
	case mode == "asks":
		say([]byte(`{"jsonrpc":"2.0","id":"q1","method":"roots/list"}`))
		if method == "last" {
			say(envelope.EncodeResult(id, []byte(`{}`)))
		}
	case mode == "large":
		large := strings.Repeat(`x\"},{\"id\":77,`, 400<<10) // 6 MiB
		switch method {
		case "large":
			say(fmt.Appendf(nil, `{"result":{"id":1,"text":"%s"},"jsonrpc":"2.0","id":%s}`, large, id))
		case "large, id first":
			say(fmt.Appendf(nil, `{"id":%s,"jsonrpc":"2.0","result":{"id":1,"text":"%s"}}`, id, large))
		case "large, two ids":
			say(fmt.Appendf(nil, `{"id":1,"result":"%s","id":%s}`, large, id))
		case "large, no answer":
			say(fmt.Appendf(nil, `{"id":%s,"method":"roots/list","params":"%s"}`, id, large))
		case "small":
			say(envelope.EncodeResult(id, []byte(`{}`)))
		}
	case mode == "ends":
		os.Exit(7)
	}
}

func childConfig(t *testing.T, mode string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "child", Command: self, Env: map[string]string{childMode: mode},
		ConnectTimeout: 15 * time.Second, Redact: func(s string) string { return strings.ReplaceAll(s, "s3cr3t", "[secret]") },
		Limits: Limits{MessageBytes: 4 << 20, Depth: 64, MessagesPerCall: 100},
	}
}

func newServer(t *testing.T, cfg Config, log *slog.Logger) *Server {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Redact == nil {
		cfg.Redact = func(s string) string { return s }
	}
	s, err := New(cfg, NewBudget(64<<20, time.Minute), log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func open(t *testing.T, s *Server, o Opening) Link {
	t.Helper()
	l, err := s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func ask(ctx context.Context, l Link, method string, params []byte, on func(*envelope.Message) error) (Answer, error) {
	id := l.NextID()
	return l.Call(ctx, Call{ID: id, Method: method, Body: Request(id, method, params), On: on})
}

func secret(t *testing.T, value string) identity.Secret {
	t.Helper()
	t.Setenv("AIMS_TEST_SECRET", value)
	s, err := identity.ParseSecret("env:AIMS_TEST_SECRET")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
