package hook

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/gateway/hold"
	"aims/receipt"
)

const push = `,"tool_input":{"command":"git push"}`

// ask sends an event to a path with headers.
func (in *installation) ask(ctx context.Context, path, body string, header http.Header) (answer, error) {
	in.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.url+path, strings.NewReader(body))
	must(in.t, err)
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Authorization", "Bearer "+in.key)
	var a answer
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

// pending waits until an approval is asked for.
func (in *installation) pending() string {
	in.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		all, _, err := in.approvals.List(context.Background(), approval.Filter{})
		must(in.t, err)
		for _, r := range all {
			if r.State == approval.Pending {
				return r.ID
			}
		}
	}
	in.t.Fatal("nothing is held")
	return ""
}

func (in *installation) vote(id string, grant bool) {
	in.t.Helper()
	_, err := in.approvals.Vote(context.Background(), aims.Actor{Type: aims.PersonType, ID: "mia"}, []string{"maintainer"}, aims.NewID("rcp"), id, grant, "")
	must(in.t, err)
}

func TestHeldCallWaits(t *testing.T) {
	in := newInstallation(t, Options{})
	type result struct {
		answer
		err error
	}
	wait := func(use string) chan result {
		done := make(chan result, 1)
		go func() {
			a, err := in.ask(context.Background(), Pattern+"?wait=1m", call("PreToolUse", "Bash", use, push), nil)
			done <- result{a, err}
		}()
		return done
	}
	done := wait("u1")
	in.vote(in.pending(), true)
	if got := <-done; got.err != nil || got.HookSpecificOutput.PermissionDecision != "allow" {
		t.Fatalf("%+v", got)
	}
	if d, err := receipt.DecodeDecision(in.last().Kind, in.last().Body); err != nil || d.Approval == "" {
		t.Errorf("recorded %+v, %v", d, err)
	}
	if a := in.post(in.key, call("PostToolUse", "Bash", "u1", push+`,"tool_response":{"stdout":"ok"}`)); a != (answer{}) || in.last().Kind != receipt.OutcomeKind {
		t.Errorf("its outcome: %+v, recorded as %s", a, in.last().Kind)
	}
	// Used once: the same command is held again, and a denial is said.
	done = wait("u2")
	in.vote(in.pending(), false)
	if got := <-done; got.err != nil || got.HookSpecificOutput.PermissionDecision != "deny" || !strings.Contains(got.HookSpecificOutput.PermissionDecisionReason, "was denied") {
		t.Errorf("%+v", got)
	}
}

func TestHeldCallThatNobodyReleases(t *testing.T) {
	in := newInstallation(t, Options{MaxWait: 20 * time.Millisecond})
	for _, path := range []string{Pattern, Pattern + "?wait=1ms", Pattern + "?wait=8h"} {
		a, err := in.ask(t.Context(), path, call("PreToolUse", "Bash", "u", push), nil)
		reason := a.HookSpecificOutput.PermissionDecisionReason
		if err != nil || a.HookSpecificOutput.PermissionDecision != "deny" || !strings.Contains(reason, "aims approvals grant "+in.pending()) {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
	for _, path := range []string{Pattern + "?wait=x", Pattern + "?wait=-1s"} {
		if a, err := in.ask(t.Context(), path, call("PreToolUse", "Read", "u", `,"tool_input":{}`), nil); err != nil || a.HookSpecificOutput.PermissionDecision != "deny" {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
}

// What happens while a call waits counts: a revoked key, an agent that left, a stop.
func TestHeldCallIsCutOff(t *testing.T) {
	for name, cut := range map[string]func(in *installation, room *hold.Room, leave func()){
		"the key is revoked": func(in *installation, _ *hold.Room, _ func()) {
			keys, err := in.directory.Keys(context.Background())
			must(in.t, err)
			for _, k := range keys {
				must(in.t, in.directory.RevokeKey(context.Background(), aims.System, "", k.ID))
			}
			in.vote(in.pending(), true)
		},
		"the agent leaves": func(_ *installation, _ *hold.Room, leave func()) { leave() },
		"a stop":           func(_ *installation, room *hold.Room, _ func()) { room.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			in := newInstallation(t, Options{})
			room := in.endpoint.o.Held
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			done := make(chan answer, 1)
			go func() {
				a, _ := in.ask(ctx, Pattern+"?wait=1m", call("PreToolUse", "Bash", "u", push), nil)
				done <- a
			}()
			id := in.pending()
			for room.Waiting() == 0 {
				time.Sleep(time.Millisecond)
			}
			cut(in, room, leave)
			if a := <-done; a.HookSpecificOutput.PermissionDecision == "allow" {
				t.Errorf("%+v", a)
			}
			for room.Waiting() != 0 {
				time.Sleep(time.Millisecond)
			}
			r, err := in.approvals.Get(t.Context(), id)
			must(t, err)
			if r.State == approval.Used {
				t.Error("the approval was used")
			}
		})
	}
}

func TestPromptAndPurposeOfARun(t *testing.T) {
	in := newInstallation(t, Options{})
	h := http.Header{"Aims-Purpose": {"maintaining"}, "Aims-On-Behalf-Of": {"ann"}}
	make := call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"make test"}`)
	ask := func(body string, h http.Header) string {
		a, err := in.ask(t.Context(), Pattern, body, h)
		must(t, err)
		return a.HookSpecificOutput.PermissionDecision + a.Decision + " " + a.HookSpecificOutput.PermissionDecisionReason + a.Reason
	}
	if got := ask(make, h); !strings.HasPrefix(got, "deny aims: denied: Only for maintaining.") {
		t.Errorf("without a prompt: %s", got)
	}
	if got := ask(`{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"run the tests"}`, h); got != " " {
		t.Errorf("the prompt: %s", got)
	}
	if got := ask(make, h); !strings.HasPrefix(got, "allow ") {
		t.Errorf("with the prompt: %s", got)
	}
	if got := ask(make, nil); !strings.HasPrefix(got, "allow ") { // it is known by now
		t.Errorf("without saying it again: %s", got)
	}
	for name, h := range map[string]http.Header{
		"another purpose":         {"Aims-Purpose": {"stealing"}},
		"another person":          {"Aims-On-Behalf-Of": {"eve"}},
		"another session":         {"Aims-Session": {"t"}},
		"a malformed header":      {"Aims-Purpose": {"=?base64?!?="}},
		"two values of a header":  {"Aims-Purpose": {"maintaining", "stealing"}},
		"a parent that is no one": {"Aims-Parent": {aims.NewID("rcp")}},
	} {
		if got := ask(make, h); !strings.HasPrefix(got, "deny aims: ") || !strings.Contains(got, "(rcp_") {
			t.Errorf("%s: %s", name, got)
		}
		if got := ask(`{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"x"}`, h); !strings.HasPrefix(got, "block aims: ") {
			t.Errorf("%s, with a prompt: %s", name, got)
		}
	}
}
