package hold

import (
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

// Path is where the page of an approval is, by its id.
const Path = "/approvals/"

// URL is the address of the page of an approval.
func URL(base, id string) string { return strings.TrimSuffix(base, "/") + Path + id }

var approvalID = regexp.MustCompile(`^apr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

var page = template.Must(template.New("approval").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>An action waits for a person</title>
<h1>An action of an AI agent waits for a person</h1>
<p>It is held under the id <code>{{.}}</code> and is not done until somebody who may releases it. Whoever the agent acts for cannot.</p>
<p>This page knows nothing of the action. Look at it, and at who may release it:</p>
<pre>aims approvals show {{.}}</pre>
<p>Release it, or refuse it:</p>
<pre>aims approvals grant {{.}}
aims approvals deny {{.}}</pre>
<p>The command needs the address of this server and your own key (AIMS_URL, AIMS_KEY_FILE). If you cannot release it, send this page's address to who can.</p>
</html>
`))

// Page serves the page of an approval. It says how to release one and nothing
// of the request, so it needs no credentials; whether there is such an approval
// it does not know.
func Page(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, Path)
	if !approvalID.MatchString(id) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	// Who has left does not read it.
	_ = page.Execute(w, id)
}
