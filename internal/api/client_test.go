package api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aims/internal/aims"
)

// impostor answers every request with what answer writes.
func impostor(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL, "aims_key")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func codeOfError(err error) aims.Code {
	code, _ := aims.Public(err)
	return code
}

// A log that is cut off on the way must not look like a shorter log.
func TestStreamsThatBreakOffAreErrors(t *testing.T) {
	c := impostor(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v1/log":
			io.WriteString(w, `{"origin":"o","size":5,"hashes":true,"payloads":true,"policies":[]}`)
		case strings.HasSuffix(r.URL.Path, "/checkpoints"):
			io.WriteString(w, `{"note":"YQ=="}`+"\n") // and no null
		case strings.HasSuffix(r.URL.Path, "/payloads"):
			io.WriteString(w, `{"index":1,"name":"input","salt":"YQ==","data":"YQ=="}`+"\nnull\n")
		default:
			io.WriteString(w, "some bytes")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	src, err := c.Source(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range src.Checkpoints(t.Context()) {
	}
	if codeOfError(last) != aims.Unavailable {
		t.Errorf("checkpoints without their end: %v", last)
	}
	for _, last = range src.Payloads(t.Context(), 0) {
	}
	if codeOfError(last) != aims.Unavailable {
		t.Errorf("a salt of one byte: %v", last)
	}
	for name, open := range map[string]func() (io.ReadCloser, error){
		"entries": func() (io.ReadCloser, error) { return src.Entries(t.Context(), 0) },
		"hashes":  func() (io.ReadCloser, error) { return src.Hashes(t.Context(), 0) },
	} {
		body, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(body); err == nil {
			t.Errorf("%s that broke off were read to an end", name)
		}
		body.Close()
	}
}

func TestTheKeyGoesToTheServerAlone(t *testing.T) {
	elsewhere := impostor(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the key went elsewhere: %q", r.Header.Get("Authorization"))
	})
	c := impostor(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.base, http.StatusFound) })
	if err := c.Do(t.Context(), http.MethodGet, "/api/v1/keys", nil, nil); err == nil {
		t.Error("a redirect was taken for an answer")
	}
}

func TestErrorsOfServersAreTheirCodes(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   aims.Code
		say    string
	}{
		{403, `{"status":403,"code":"denied","detail":"denied: not you","receipt":"rcp_1","reasons":[{"policy":"p","effect":"forbid","text":"not you"}]}`, aims.Denied, "rcp_1"},
		{503, `{"status":503,"code":"unavailable","detail":"the log cannot be written"}`, aims.Unavailable, "cannot be written"},
		{422, `{"status":422,"code":"invalid","detail":"validation failed","errors":[{"location":"body.actor","message":"missing"}]}`, aims.Invalid, "body.actor: missing"},
		{502, `<html>bad gateway</html>`, aims.Internal, "502"},
		{200, `{"truncated":`, aims.Unavailable, "broke off"},
	} {
		client := impostor(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		err := client.Do(t.Context(), http.MethodGet, "/x", nil, &struct{}{})
		if codeOfError(err) != c.want || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	unreachable, err := NewClient("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := unreachable.Do(t.Context(), http.MethodGet, "/x", nil, nil); codeOfError(err) != aims.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := NewClient("127.0.0.1:8642", ""); codeOfError(err) != aims.Invalid {
		t.Errorf("no scheme: %v", err)
	}
}

// What an error says is its safe sentence; the cause stays with the operator.
func TestProblemsShowNoCause(t *testing.T) {
	p := problem(aims.Errorf(aims.Unavailable, errors.New("dial tcp 10.1.2.3: password=hunter2"), "the log cannot be written"))
	if p.Status != http.StatusServiceUnavailable || p.Detail != "the log cannot be written" {
		t.Errorf("%+v", p)
	}
	if p := problem(errors.New("hunter2")); p.Status != http.StatusInternalServerError || strings.Contains(p.Detail, "hunter2") {
		t.Errorf("%+v", p)
	}
	for _, code := range []aims.Code{aims.Unauthenticated, aims.Denied, aims.NotFound, aims.Conflict, aims.Exhausted, aims.Internal, aims.Invalid} {
		if got := codeOf(statusOf(code)); got != code {
			t.Errorf("%s is status %d, which is %s", code, statusOf(code), got)
		}
	}
}
