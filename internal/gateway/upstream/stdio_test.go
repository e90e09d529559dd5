package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
	"aims/internal/identity"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func TestPipesNegotiate(t *testing.T) {
	for mode, version := range map[string]string{
		"sdk": Modern, "plain": "2025-06-18", "dies at discover": "2025-06-18", "silent at discover": "2025-06-18",
	} {
		t.Run(mode, func(t *testing.T) {
			s := newServer(t, childConfig(t, mode), nil)
			l := open(t, s, Opening{})
			if l.Peer().Version != version {
				t.Errorf("agreed on %s, want %s", l.Peer().Version, version)
			}
			if l.Peer().Capabilities == nil || l.Peer().Info == nil {
				t.Errorf("the peer is %+v", l.Peer())
			}
		})
	}
}

func TestCommandSeesOnlyItsEnvironment(t *testing.T) {
	t.Setenv("AIMS_OTHER_SECRET", "not for servers")
	var printed lockedBuffer
	cfg := childConfig(t, "environment")
	cfg.SecretEnv = map[string]identity.Secret{"TOKEN": secret(t, "s3cr3t")}
	l := open(t, newServer(t, cfg, slog.New(slog.NewTextHandler(&printed, nil))), Opening{})
	a, err := ask(t.Context(), l, "tools/list", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var env string
	if err := json.Unmarshal(a.Message.Bytes(envelope.Result), &env); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(env, "TOKEN=s3cr3t") || strings.Contains(env, "not for servers") {
		t.Errorf("the command sees\n%s", env)
	}
	eventually(t, "the command's standard error is logged", func() bool { return strings.Contains(printed.String(), "token is") })
	if strings.Contains(printed.String(), "s3cr3t") {
		t.Errorf("the log has the secret:\n%s", printed.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestCloseEndsTheWholeGroup(t *testing.T) {
	s := newServer(t, childConfig(t, "grandchild"), nil)
	l, err := s.Open(t.Context(), Opening{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := ask(t.Context(), l, "tools/list", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var of struct{ PID int }
	if err := json.Unmarshal(a.Message.Bytes(envelope.Result), &of); err != nil {
		t.Fatal(err)
	}
	l.Close()
	eventually(t, "the grandchild is gone", func() bool { return syscall.Kill(of.PID, 0) != nil || zombie(of.PID) })
}

func TestRequestWithoutOneRunningCallIsRefused(t *testing.T) {
	l := open(t, newServer(t, childConfig(t, "asks"), nil), Opening{})
	asked := make(chan string, 4)
	on := func(m *envelope.Message) error {
		asked <- m.MethodName()
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := ask(ctx, l, "first", nil, on)
		done <- err
	}()
	if got := <-asked; got != "roots/list" {
		t.Fatalf("asked %s", got)
	}
	// Two calls run now: the server's next request could be of either.
	if _, err := ask(t.Context(), l, "last", nil, on); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("the first call ended with %v", err)
	}
	if len(asked) != 0 {
		t.Errorf("a request reached a call that it may not belong to")
	}
}

func TestRequestOutsideOfCallsIsAnEvent(t *testing.T) {
	asked := make(chan string, 1)
	l := open(t, newServer(t, childConfig(t, "plain"), nil), Opening{Events: func(_ Link, m *envelope.Message) { asked <- m.MethodName() }})
	if err := l.Send(t.Context(), Notification("notifications/ask", nil)); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "roots/list" {
		t.Errorf("asked %s", got)
	}
}

func TestCommandThatKeepsEndingRests(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	s, err := New(childConfig(t, "ends"), NewBudget(1<<20, time.Minute), slog.New(slog.DiscardHandler), func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l, err := s.Open(t.Context(), Opening{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = ask(t.Context(), l, "tools/list", nil, nil)
		if code, text := aims.Public(err); code != aims.Unavailable || !strings.Contains(text, "ended (exit status 7)") {
			t.Errorf("the call ended with %v", err)
		}
		l.Close()
		if _, err := s.Open(t.Context(), Opening{}); err == nil || !strings.Contains(err.Error(), "in a row") {
			t.Fatalf("it was started again at once: %v", err)
		}
		mu.Lock()
		now = now.Add(maxBackoff)
		mu.Unlock()
	}
}

// One answer that is too large must not take the command from whoever else
// waits for it.
func TestLargeAnswerFailsItsCallOnly(t *testing.T) {
	l := open(t, newServer(t, childConfig(t, "large"), nil), Opening{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waiting := make(chan error, 1)
	go func() {
		_, err := ask(ctx, l, "never answered", nil, nil)
		waiting <- err
	}()
	for _, method := range []string{"large", "large, id first"} {
		_, err := ask(t.Context(), l, method, nil, nil)
		if code, text := aims.Public(err); code != aims.Unavailable || !strings.Contains(text, "more than 4194304 bytes") {
			t.Errorf("%s ended with %v", method, err)
		}
		if _, err := ask(t.Context(), l, "small", nil, nil); err != nil {
			t.Fatalf("after %s the next call ended with %v", method, err)
		}
	}
	select {
	case err := <-waiting:
		t.Errorf("the call beside it ended with %v", err)
	default:
	}
	cancel()
	<-waiting
}

func TestLargeMessageThatNobodyCanAttributeEndsTheCommand(t *testing.T) {
	for _, method := range []string{"large, two ids", "large, no answer"} {
		l := open(t, newServer(t, childConfig(t, "large"), nil), Opening{})
		_, err := ask(t.Context(), l, method, nil, nil)
		if _, text := aims.Public(err); !strings.Contains(text, "more than 4194304 bytes") {
			t.Errorf("%s ended with %v", method, err)
		}
		<-l.Done()
	}
}

func FuzzSkimReadsWhatTheEnvelopeReads(f *testing.F) {
	f.Add([]byte(`{"result":{"id":1,"a":"\"},{\"id\":2"},"jsonrpc":"2.0","id":7}`))
	f.Add([]byte(`{"id" : 7 , "error":{"code":1,"message":"x"},"jsonrpc":"2.0"}`))
	f.Add([]byte(`{"\u0069d":7,"result":1,"jsonrpc":"2.0"}`))
	f.Add([]byte(`{"id":7,"method":"x","jsonrpc":"2.0"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		k := &skim{}
		k.read(line)
		m, err := envelope.Parse(line, envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 64})
		if err != nil {
			return
		}
		want := int64(0)
		if m.Kind == envelope.Response && m.Has(envelope.ID) {
			want = number(m.Bytes(envelope.ID))
		}
		if got := k.answers(); got != want && got != 0 {
			t.Errorf("skimmed as the answer to %d, read as one to %d", got, want)
		}
	})
}
