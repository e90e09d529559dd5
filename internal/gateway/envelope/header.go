package envelope

import (
	"encoding/base64"
	"strings"
)

// The form in which a header carries what is not plain ASCII (2026-07-28,
// SEP-2243).
const (
	encodedPrefix = "=?base64?"
	encodedSuffix = "?="
)

// HeaderValue is how a text stands in a header: as it is where a header can
// carry it, otherwise in the =?base64?…?= form.
func HeaderValue(s string) string {
	plain := strings.TrimSpace(s) == s && !strings.HasPrefix(s, encodedPrefix)
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] <= '~'
	}
	if plain {
		return s
	}
	return encodedPrefix + base64.StdEncoding.EncodeToString([]byte(s)) + encodedSuffix
}

// HeaderText is the text of a header's value, which may be in the
// =?base64?…?= form; false where it is in that form and malformed.
func HeaderText(value string) (string, bool) {
	inner, ok := strings.CutPrefix(value, encodedPrefix)
	if ok {
		inner, ok = strings.CutSuffix(inner, encodedSuffix)
	}
	if !ok {
		return value, true
	}
	b, err := base64.StdEncoding.Strict().DecodeString(inner)
	return string(b), err == nil
}
