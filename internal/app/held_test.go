package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/hook"
)

// The page of an approval is there for anybody, and knows nothing.
func TestPageOfAnApproval(t *testing.T) {
	o := newOffice(t, "")
	id := aims.NewID("apr")
	for path, want := range map[string]int{"/approvals/" + id: 200, "/approvals/": 404, "/approvals/x": 404} {
		res, err := http.DefaultTransport.RoundTrip(mustRequest(t, http.MethodGet, o.app.URL()+path, ""))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want || want == 200 && !strings.Contains(string(body), "aims approvals grant "+id) {
			t.Errorf("%s: HTTP %d %s", path, res.StatusCode, body)
		}
	}
}

func mustRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// A call that waits for people does not hold up a stop, and is denied by it.
func TestStopWithACallThatWaits(t *testing.T) {
	s := newSite(t, "servers:\n  - {name: claude-code, preset: claude-code}\n")
	s.write("policies/held.cedar", heldPolicy)
	a, err := s.start()
	if err != nil {
		t.Fatal(err)
	}
	req := mustRequest(t, http.MethodPost, a.URL()+hook.Pattern+"?wait=10m",
		`{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Read","tool_input":{"file_path":"/x"},"tool_use_id":"u"}`)
	req.Header.Set("Authorization", "Bearer "+s.agentKey(a, "reader"))
	answer := make(chan string, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	for end := time.Now().Add(10 * time.Second); a.held.Waiting() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the call does not wait: %s", <-answer)
		}
	}
	began := time.Now()
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if got := <-answer; !strings.Contains(got, `"permissionDecision":"deny"`) || !strings.Contains(got, "stays open") {
		t.Errorf("answered %s", got)
	}
}
