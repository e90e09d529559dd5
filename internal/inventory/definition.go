package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gowebpki/jcs"
)

// pinned are the fields of a tool's definition that its pin covers, in the
// order of RFC 8785.
var pinned = []string{"annotations", "description", "inputSchema", "name", "outputSchema", "title"}

// canonical is the RFC 8785 form of the pinned fields of a definition. The
// whole definition goes through the canonicaliser first, because it refuses
// what two parsers would read differently: repeated keys, lone surrogates,
// numbers out of range.
func canonical(definition []byte) ([]byte, error) {
	whole, err := jcs.Transform(definition)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(whole, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is no object")
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for _, name := range pinned {
		value, ok := fields[name]
		if !ok {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:", name)
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Pin is the digest of a tool's definition: SHA-256 over the RFC 8785 form of
// name, title, description, inputSchema, outputSchema and annotations.
func Pin(definition []byte) (string, error) {
	c, err := canonical(definition)
	if err != nil {
		return "", fmt.Errorf("inventory: definition: %w", err)
	}
	return digest(c), nil
}

// definitionFields are the fields that we read ourselves.
type definitionFields struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
	Annotations struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
		OpenWorld   *bool `json:"openWorldHint"`
	} `json:"annotations"`
}

// hints are readOnlyHint and destructiveHint with the defaults of the MCP
// specification, which assume the worse.
func (d *definitionFields) hints() (readOnly, destructive bool) {
	readOnly = d.Annotations.ReadOnly != nil && *d.Annotations.ReadOnly
	destructive = !readOnly && (d.Annotations.Destructive == nil || *d.Annotations.Destructive)
	return readOnly, destructive
}

// fingerprint identifies a definition whatever it is called: a tool that comes
// back under another name has the same one.
func fingerprint(canonical []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(canonical, &fields) != nil {
		return ""
	}
	delete(fields, "name")
	delete(fields, "title")
	if len(fields) < 2 {
		return "" // too little to say that two tools are one
	}
	b, err := json.Marshal(fields) // sorted keys, canonical values
	if err != nil {
		return ""
	}
	return digest(b)
}

// Difference is one place at which two definitions differ.
type Difference struct {
	// Field is a JSON Pointer (RFC 6901) into the definition.
	Field string `json:"field"`
	// Before and After are the values; empty where there is none.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// maxDifferences bounds a comparison; the rest of the places are left out.
const maxDifferences = 256

// difference compares two canonical definitions; an empty one has no fields.
func difference(before, after []byte) []Difference {
	var out []Difference
	compare("", before, after, &out)
	return out
}

func compare(field string, before, after []byte, out *[]Difference) {
	if bytes.Equal(before, after) || len(*out) >= maxDifferences {
		return
	}
	b, bIsObject := object(before)
	a, aIsObject := object(after)
	// Canonical text: equal values are equal bytes, and members compare alone.
	if !(bIsObject && aIsObject) && !(field == "" && (bIsObject || aIsObject)) {
		*out = append(*out, Difference{Field: field, Before: before, After: after})
		return
	}
	names := map[string]bool{}
	for name := range b {
		names[name] = true
	}
	for name := range a {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		compare(field+"/"+pointerToken(name), b[name], a[name], out)
	}
}

func object(text []byte) (map[string]json.RawMessage, bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, false
	}
	var m map[string]json.RawMessage
	err := json.Unmarshal(text, &m)
	return m, err == nil
}

func pointerToken(name string) string {
	return string(bytes.ReplaceAll(bytes.ReplaceAll([]byte(name), []byte("~"), []byte("~0")), []byte("/"), []byte("~1")))
}

// brief cuts a comparison to what fits into a receipt; the definitions
// themselves are in the inventory.
func brief(all []Difference) []Difference {
	const places, length = 16, 400
	cut := func(v json.RawMessage) json.RawMessage {
		if len(v) <= length {
			return v
		}
		short, err := json.Marshal(string(bytes.ToValidUTF8(v[:length], nil)) + "…")
		if err != nil {
			return nil
		}
		return short
	}
	out := make([]Difference, 0, min(len(all), places))
	for _, d := range all[:min(len(all), places)] {
		out = append(out, Difference{Field: printable(d.Field), Before: cut(d.Before), After: cut(d.After)})
	}
	return out
}
