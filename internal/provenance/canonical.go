package provenance

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
)

// Canonical is the form in which a value is compared where a match permits
// something: Unicode NFC and single spaces; no case in e-mail addresses and hosts;
// no http, https or last slash in URLs. It is "" for a value that cannot be
// compared: empty, not UTF-8, or with a character that only looks like ASCII after
// NFC. Look-alikes, other alphabets and invisible characters stay different.
func Canonical(value string) string {
	v, ok := canonical(nil, []byte(value))
	if !ok {
		return ""
	}
	return string(v)
}

// Fingerprint stands for a value that an argument of a tool had, so that "used
// before" can be kept without the value: SHA-256 over action, path and canonical
// form. The path is that of Leaves, with the argument's name in front. It is "" for a
// value that cannot be compared. Short values can be guessed from it.
func Fingerprint(action, path, value string) string {
	v := Canonical(value)
	if v == "" {
		return ""
	}
	h := sha256.New()
	for _, part := range []string{action, path, v} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Leaves visits the values in an argument, a JSON document, as Index.Each does,
// without asking where they came from.
func Leaves(value json.RawMessage, visit func(path, text []byte)) {
	each(nil, value, depth, visit)
}
