package provenance

import "bytes"

// url is a URL in its parts, which refer to the text it was read from. The
// standard library's parser refuses what agents and attackers write.
type url struct {
	whole, scheme, authority, tail []byte
}

// parseURL takes text with a scheme and an authority apart.
func parseURL(text []byte) (url, bool) {
	i := bytes.IndexByte(text, ':')
	if i <= 0 || i > 20 || i+3 > len(text) || text[i+1] != '/' || text[i+2] != '/' {
		return url{}, false
	}
	for j, c := range text {
		if c <= ' ' || j < i && !isAlnum(c) && c != '+' && c != '-' && c != '.' {
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

// hostOf is the host of a value that is a URL of the web, or begins with a host.
// It is nil where programs disagree on what the host is: with a backslash, a
// second at sign, or a port that is no number.
func hostOf(value []byte) []byte {
	if bytes.IndexByte(value, '.') < 0 || bytes.IndexByte(value, '\\') >= 0 {
		return nil
	}
	u, ok := parseURL(value)
	if !ok {
		u.authority = value[:authorityEnd(value)]
		if bytes.IndexByte(u.authority, '@') >= 0 {
			return nil
		}
	} else if !u.web() {
		return nil
	}
	if bytes.Count(u.authority, []byte("@")) > 1 {
		return nil
	}
	h := u.host()
	after := u.authority[bytes.LastIndexByte(u.authority, '@')+1:]
	if _, port, ok := bytes.Cut(after[min(len(h), len(after)):], []byte(":")); ok && bytes.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }) {
		return nil
	}
	if i := bytes.IndexByte(h, '.'); i <= 0 || i == len(h)-1 {
		return nil
	}
	return h
}

// Host is the host that a URL of the web leads to, with or without a scheme: in
// lower case, without user, port, last dot and "www.". It is "" where there is none
// or programs disagree.
func Host(value string) string {
	h := bytes.ToLower(hostOf(bytes.TrimSpace([]byte(value))))
	return string(bytes.TrimPrefix(h, []byte("www.")))
}

// eachPart visits the parts of a URL that count on their own: user, host, path,
// and names and values of the query and the fragment.
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
