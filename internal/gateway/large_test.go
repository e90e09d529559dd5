package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/receipt"
)

// largeServer answers with as many MiB of text as the tool's name says, as an
// event or alone.
func largeServer(streamed bool) *script {
	text := strings.Repeat("x", 1<<20)
	var tools []string
	for _, n := range []int{0, 10, 24} {
		tools = append(tools, fmt.Sprintf(`{"name":"mib%d","inputSchema":{"type":"object"}}`, n))
	}
	return &script{tools: "[" + strings.Join(tools, ",") + "]", on: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		var n int
		name, _ := m.Text(envelope.Name)
		fmt.Sscanf(name, "mib%d", &n)
		result := `{"content":[{"type":"text","text":"` + strings.Repeat(text, n) + `"}],"resultType":"complete"}`
		if streamed {
			// An event may have its message on several lines; the agent's has it on one.
			w.Header().Set("Content-Type", "text/event-stream")
			b := envelope.EncodeResult(m.Bytes(envelope.ID), []byte(result))
			fmt.Fprintf(w, "data: %s\ndata: %s\n\n", b[:len(b)-1], b[len(b)-1:])
			return
		}
		reply(w, m, result)
	}}
}

// TestManyLargeResults checks that large results which come at once all
// arrive whole, one after the other where there is no room, and that nothing of
// the room is lost.
func TestManyLargeResults(t *testing.T) {
	alone, streamed := largeServer(false).server(t, "alone"), largeServer(true).server(t, "streamed")
	alone.Limits.MessageBytes, streamed.Limits.MessageBytes = 32<<20, 32<<20
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{alone, streamed}, Limits: Limits{LargeBytes: 40 << 20}}})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := call("mib10", `{}`)
			r.path = "/mcp/" + []string{"alone", "streamed"}[i%2]
			if a := h.send(r); a.code() != 0 || len(a.body) < 10<<20 || len(a.text()) != 10<<20 {
				t.Errorf("HTTP %d, %d bytes: %.200s", a.status, len(a.body), a.body)
			}
		})
	}
	all.Wait()
	for _, got := range h.of("tools/call") {
		if got.outcome.Status != receipt.Succeeded || got.outcome.Bytes < 10<<20 || !strings.Contains(h.payload(h.outcomeOf(got), receipt.ResultPayload), "omitted_sha256") {
			t.Errorf("recorded %+v", got.outcome)
		}
	}
	h.noneOpen()
}

// TestLargeResultsThatNobodyReads checks what a stuck agent's large result
// keeps from others: a large one of the same server waits, and no small one and
// none of another server does. Who goes away while waiting is out of the queue.
func TestLargeResultsThatNobodyReads(t *testing.T) {
	near, far := largeServer(false).server(t, "near"), largeServer(false).server(t, "far")
	near.Limits.MessageBytes, far.Limits.MessageBytes = 32<<20, 32<<20
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{near, far}, Limits: Limits{LargeBytes: 64 << 20}}})
	ask := func(ctx context.Context, server, tool string) (*http.Response, error) {
		r := call(tool, `{}`)
		r.path = "/mcp/" + server
		return h.start(ctx, r)
	}
	stuck, err := ask(t.Context(), "near", "mib24")
	must(t, err)
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := ask(leaving, "near", "mib24")
		left <- err
	}()
	eventually(t, "the second is decided", func() bool { return len(h.of("tools/call")) == 2 })
	for server, tool := range map[string]string{"near": "mib0", "far": "mib24"} {
		r := call(tool, `{}`)
		r.path = "/mcp/" + server
		if a := h.send(r); a.code() != 0 || a.status != http.StatusOK {
			t.Errorf("%s of %s: HTTP %d %.200s", tool, server, a.status, a.body)
		}
	}
	third := make(chan answer, 1)
	go func() {
		r := call("mib24", `{}`)
		r.path = "/mcp/near"
		third <- h.send(r)
	}()
	eventually(t, "the third is decided", func() bool { return len(h.of("tools/call")) == 5 })
	leave()
	<-left
	eventually(t, "the one that left is closed", func() bool {
		n := 0
		for _, got := range h.of("tools/call") {
			if got.outcome != nil && got.outcome.Status == receipt.Cancelled {
				n++
			}
		}
		return n == 1
	})
	select {
	case a := <-third:
		t.Errorf("beside a result that nobody reads: HTTP %d %.200s", a.status, a.body)
	default:
	}
	stuck.Body.Close()
	select {
	case a := <-third:
		if len(a.text()) != 24<<20 {
			t.Errorf("HTTP %d, %d bytes: %.200s", a.status, len(a.body), a.body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the room of a result whose agent left is not given back")
	}
	h.noneOpen()
}
