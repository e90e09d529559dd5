package identity

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Redactor takes secrets out of text that others wrote, such as an upstream's
// error, before it reaches a log, an error or a receipt. It knows the values
// of the secrets that it was given, also when they were renewed, and the
// form of our own keys.
type Redactor struct {
	mu      sync.Mutex
	secrets []Secret
	values  map[string]bool // every value ever seen: an old one is still a secret
	replace *strings.Replacer
}

// NewRedactor knows these secrets.
func NewRedactor(secrets ...Secret) *Redactor {
	r := &Redactor{values: map[string]bool{}, replace: strings.NewReplacer()}
	r.Add(secrets...)
	return r
}

// Add lets it know more secrets.
func (r *Redactor) Add(secrets ...Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secrets...)
}

// shortest is the length below which a value is not searched for: it would
// blacken ordinary words, and is no secret.
const shortest = 4

var ownKey = regexp.MustCompile(keyPrefix + `[A-Za-z0-9_-]{43}`)

// Redact returns text with [secret] in place of every secret, as it is or
// encoded as base64, in a URL or in JSON.
func (r *Redactor) Redact(text string) string {
	text = r.replacer().Replace(text)
	if strings.Contains(text, keyPrefix) {
		text = ownKey.ReplaceAllString(text, hidden)
	}
	return text
}

// replacer is rebuilt when a secret has a value that was not seen before.
func (r *Redactor) replacer() *strings.Replacer {
	r.mu.Lock()
	defer r.mu.Unlock()
	grown := false
	for _, s := range r.secrets {
		if v := s.Reveal(); len(v) >= shortest && !r.values[v] {
			r.values[v] = true
			grown = true
		}
	}
	if grown {
		r.replace = newReplacer(r.values)
	}
	return r.replace
}

func newReplacer(values map[string]bool) *strings.Replacer {
	var forms []string
	for v := range values {
		forms = append(forms, encodings(v)...)
	}
	// At one place the first form that matches wins: a secret that begins
	// like another must not leave its tail behind.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, hidden)
	}
	return strings.NewReplacer(pairs...)
}

// encodings is a value in the forms in which errors quote it.
func encodings(v string) []string {
	forms := []string{
		v, url.QueryEscape(v), url.PathEscape(v), strings.Trim(fmt.Sprintf("%q", v), `"`),
		base64.StdEncoding.EncodeToString([]byte(v)), base64.RawStdEncoding.EncodeToString([]byte(v)),
		base64.URLEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
	}
	if quoted, err := json.Marshal(v); err == nil {
		forms = append(forms, strings.Trim(string(quoted), `"`))
	}
	return forms
}

// ReplaceAttr is for slog.HandlerOptions: it redacts the message and every
// attribute of a log record.
func (r *Redactor) ReplaceAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.Redact(v.String()))
	case slog.KindAny:
		// Errors and structs: what they print is what leaks.
		if _, ok := v.Any().(*slog.Source); !ok {
			a.Value = slog.StringValue(r.Redact(fmt.Sprintf("%+v", v.Any())))
		}
	}
	return a
}
