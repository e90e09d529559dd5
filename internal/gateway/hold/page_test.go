package hold

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aims/internal/aims"
)

// The page tells how to release and nothing else, whoever asks for what.
func TestPage(t *testing.T) {
	id := aims.NewID("apr")
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		Page(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := get(URL("https://aims.example.com/", id)[len("https://aims.example.com"):])
	body := w.Body.String()
	if w.Code != 200 || !strings.Contains(body, "aims approvals grant "+id) || strings.Contains(body, "<script") || strings.Contains(body, "http") {
		t.Errorf("HTTP %d\n%s", w.Code, body)
	}
	if !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", w.Header())
	}
	for _, path := range []string{Path, Path + "x", Path + "apr_1;rm%20-rf", Path + id + "/", Path + strings.ToUpper(id), Path + id + "%0A", Path + "%3Cscript%3E"} {
		if w := get(path); w.Code != 404 || strings.Contains(w.Body.String(), "apr") {
			t.Errorf("%s: HTTP %d", path, w.Code)
		}
	}
}
