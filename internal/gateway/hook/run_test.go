package hook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// run runs the command and returns its exit code and what it wrote.
func run(t *testing.T, stdin io.Reader, c Config) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(t.Context(), stdin, &out, &err, c)
	return code, out.String(), err.String()
}

func TestRunAgainstTheServer(t *testing.T) {
	in := newInstallation(t, Options{})
	c := Config{URL: in.url + "/", Key: in.key}
	for name, test := range map[string]struct {
		event, says string
	}{
		"allowed":   {call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls"}`), `"permissionDecision":"allow"`},
		"forbidden": {call("PreToolUse", "Bash", "v", `,"tool_input":{"command":"rm -rf /"}`), `"permissionDecision":"deny"`},
		"prompt":    {`{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"x"}`, `{"hookSpecificOutput":{"hookEventName":"UserPromptSubmit"}}`},
		"secret":    {`{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"BEGIN PRIVATE KEY"}`, `"decision":"block"`},
	} {
		code, out, errs := run(t, strings.NewReader(test.event), c)
		if code != 0 || errs != "" || !strings.Contains(out, test.says) {
			t.Errorf("%s: exit %d, %s, %s", name, code, out, errs)
		}
	}
	if code, out, errs := run(t, strings.NewReader(call("PostToolUse", "Bash", "u", `,"tool_response":{}`)), c); code != 0 || out != "{}\n" || errs != "" {
		t.Errorf("outcome: exit %d, %s, %s", code, out, errs)
	}
	c.Key = "aims_wrong"
	if code, out, _ := run(t, strings.NewReader(call("PreToolUse", "Bash", "u", "")), c); code != 0 || !strings.Contains(out, `"permissionDecision":"deny"`) {
		t.Errorf("wrong key: exit %d, %s", code, out)
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("stdin") }

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("no more") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("no more") }

// Any exit but 2 would let the call through.
func TestEveryFailureBlocks(t *testing.T) {
	pre := call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls"}`)
	prompt := `{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"x"}`
	closed := httptest.NewServer(nil)
	closed.Close()
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	allow := `{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}`
	for name, test := range map[string]struct {
		server http.HandlerFunc
		event  string
		says   string
	}{
		"server down":                {nil, pre, "cannot be reached"},
		"server hangs":               {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }, pre, "did not answer in time"},
		"server hangs in its answer": {hanging(allow[:20]), pre, "did not answer in time"},
		"server breaks off":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, pre, "cannot be reached"},
		"internal error":             {answers(500, ""), pre, "HTTP status 500"},
		"internal error that allows": {answers(500, allow), pre, "HTTP status 500"},
		"no content":                 {answers(204, ""), pre, "HTTP status 204"},
		"redirect":                   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, pre, "HTTP status 307"},
		"not found":                  {http.NotFound, pre, "HTTP status 404"},
		"a page":                     {answers(200, "<html>"), pre, "an answer that is none"},
		"nothing":                    {answers(200, ""), pre, "an answer that is none"},
		"an empty object":            {answers(200, "{}"), pre, "expected hookSpecificOutput"},
		"cut off":                    {answers(200, allow[:len(allow)-1]), pre, "an answer that is none"},
		"twice":                      {answers(200, allow+allow), pre, "expected nothing after"},
		"another decision":           {answers(200, strings.Replace(allow, "allow", "perhaps", 1)), pre, "expected permissionDecision"},
		"decision twice":             {answers(200, strings.Replace(allow, `"}}`, `","permissionDecision":"deny"}}`, 1)), pre, "once in its object"},
		"of another event":           {answers(200, strings.Replace(allow, "PreToolUse", "PostToolUse", 1)), pre, "expected hookEventName"},
		"another word for a prompt":  {answers(200, `{"decision":"approve"}`), prompt, "expected decision"},
		"nothing for a prompt":       {answers(200, `{}`), prompt, "expected hookSpecificOutput"},
		"flood":                      {answers(200, strings.Repeat(" ", maxAnswer+10)), pre, "larger than"},
		"event that is not JSON":     {answers(200, allow), "hello", "cannot be read"},
		"no event":                   {answers(200, allow), "", "cannot be read"},
		"another event":              {answers(200, allow), `{"session_id":"s","hook_event_name":"Stop"}`, "hook_event_name"},
		"huge event":                 {answers(200, allow), call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"`+strings.Repeat("x", 1<<12)+`"}`), "larger than 2048 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			url := closed.URL
			if test.server != nil {
				s := httptest.NewServer(test.server)
				defer s.Close()
				url = s.URL
			}
			timeout := 10 * time.Second
			if strings.Contains(name, "hangs") {
				timeout = 300 * time.Millisecond
			}
			code, out, errs := run(t, strings.NewReader(test.event), Config{URL: url, Key: "aims_secret", Timeout: timeout, MaxInput: 2048})
			if code != 2 || out != "" {
				t.Errorf("exit %d with %q: the call goes through", code, out)
			}
			if !strings.HasPrefix(errs, "aims: ") || !strings.Contains(errs, test.says) || strings.Contains(errs, "aims_secret") {
				t.Errorf("unclear: %s", errs)
			}
		})
	}
	for name, c := range map[string]Config{
		"no address":         {Key: "k"},
		"no scheme":          {URL: "127.0.0.1:1", Key: "k"},
		"another scheme":     {URL: "ftp://x", Key: "k"},
		"password in it":     {URL: "http://u:p@x", Key: "k"},
		"no key":             {URL: closed.URL},
		"key with a newline": {URL: closed.URL, Key: "a\nb"},
	} {
		if code, out, errs := run(t, strings.NewReader(pre), c); code != 2 || out != "" || !strings.HasPrefix(errs, "aims: blocked") {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
	}
}

func hanging(begin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, begin)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func TestStdinAndStdoutThatFail(t *testing.T) {
	in := newInstallation(t, Options{})
	c := Config{URL: in.url, Key: in.key, Timeout: 300 * time.Millisecond}
	never, w := io.Pipe()
	defer w.Close()
	if code, _, errs := run(t, never, c); code != 2 || !strings.Contains(errs, "did not come in time") {
		t.Errorf("stdin that hangs: exit %d, %s", code, errs)
	}
	if code, _, errs := run(t, broken{}, c); code != 2 || !strings.Contains(errs, "cannot be read") {
		t.Errorf("stdin that fails: exit %d, %s", code, errs)
	}
	c.Timeout = 0
	var errs bytes.Buffer
	if code := Run(t.Context(), strings.NewReader(call("PreToolUse", "Bash", "u", "")), broken{}, &errs, c); code != 2 || !strings.Contains(errs.String(), "cannot be written") {
		t.Errorf("stdout that fails: exit %d, %s", code, errs.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := Run(ctx, strings.NewReader(call("PreToolUse", "Bash", "u", "")), io.Discard, io.Discard, c); code != 2 {
		t.Errorf("interrupted: exit %d", code)
	}
	if code, _, errs := run(t, panicking{}, c); code != 2 || !strings.Contains(errs, "panic") {
		t.Errorf("panic: exit %d, %s", code, errs)
	}
}
