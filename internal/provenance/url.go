package provenance

import (
	"bytes"
	"unicode"
)

// url is a URL in its parts, which refer to the text it was read from. The
// standard library's parser refuses what agents and attackers write.
type url struct {
	whole, scheme, authority, tail []byte
}

// parseURL takes text with a scheme and an authority apart.
func parseURL(text []byte) (url, bool) {
	i := bytes.IndexByte(text, ':')
	if i <= 0 || i > 20 || !bytes.HasPrefix(text[i:], []byte("://")) || bytes.ContainsFunc(text, unicode.IsSpace) {
		return url{}, false
	}
	for _, c := range text[:i] {
		if !isAlnum(c) && c != '+' && c != '-' && c != '.' {
			return url{}, false
		}
	}
	rest := text[i+3:]
	end := authorityEnd(rest)
	return url{text, text[:i], rest[:end], rest[end:]}, true
}

// authorityEnd is where an authority that starts b ends. A backslash ends it
// too, because browsers read it as a slash.
func authorityEnd(b []byte) int {
	for i, c := range b {
		if c == '/' || c == '?' || c == '#' || c == '\\' || c == ' ' {
			return i
		}
	}
	return len(b)
}

// web reports whether the scheme is http or https.
func (u url) web() bool {
	return bytes.EqualFold(u.scheme, []byte("https")) || bytes.EqualFold(u.scheme, []byte("http"))
}

// host is the authority without user and port.
func (u url) host() []byte {
	h := u.authority[bytes.LastIndexByte(u.authority, '@')+1:]
	if i := bytes.LastIndexByte(h, ':'); i >= 0 && bytes.IndexByte(h[i:], ']') < 0 {
		h = h[:i]
	}
	return bytes.TrimSuffix(h, []byte("."))
}

// hostOf is the host of a value that is a URL, with or without a scheme.
func hostOf(value []byte) []byte {
	if u, ok := parseURL(value); ok {
		return u.host()
	}
	if bytes.IndexByte(value, '.') < 0 {
		return nil
	}
	end := authorityEnd(value)
	h := url{authority: value[:end]}.host()
	if i := bytes.IndexByte(h, '.'); i <= 0 || i == len(h)-1 || bytes.IndexByte(value[:end], '@') >= 0 {
		return nil
	}
	return h
}

// Host is the host that a URL leads to, with or without a scheme: in lower
// case, without user, port, last dot and "www.". It is "" where there is none.
func Host(value string) string {
	h := bytes.ToLower(hostOf(bytes.TrimSpace([]byte(value))))
	return string(bytes.TrimPrefix(h, []byte("www.")))
}

// eachURLPart visits the parts of a URL that count on their own: user, host,
// path, and names and values of the query and the fragment.
func (u url) eachPart(visit func(part []byte)) {
	if i := bytes.LastIndexByte(u.authority, '@'); i >= 0 {
		visit(u.authority[:i])
	}
	visit(u.host())
	path, query := u.tail, []byte(nil)
	if i := bytes.IndexAny(path, "?#"); i >= 0 {
		path, query = path[:i], path[i+1:]
	}
	visit(path)
	for _, pair := range bytes.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' || r == '#' || r == '?' }) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		visit(name)
		visit(value)
	}
}
