package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The files of an export; docs/export.md describes them.
const (
	exportFormat    = "aims-export/1"
	manifestFile    = "manifest.json"
	checkpointFile  = "checkpoint"
	checkpointsFile = "checkpoints"
	entriesFile     = "entries"
	hashesFile      = "hashes"
	payloadsFile    = "payloads"
	policiesDir     = "policies"
	policyIndexFile = "index.json"
	schemaFile      = "schema.cedarschema"
)

// Manifest says what an export holds and what it does not. Like Contents it is
// a statement that nothing signs.
type Manifest struct {
	Format string `json:"format"`
	Contents
	// Created is when the export was made, by the clock of who made it.
	Created time.Time `json:"created"`
	// Omitted says in sentences what was left out, and why.
	Omitted []string `json:"omitted"`
}

// maxManifest bounds what is read of a file that is read as a whole, in bytes.
const maxManifest = 8 << 20

// indented is JSON for people.
func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// parseManifest reads a manifest strictly.
func parseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := strictJSON(b, &m); err != nil {
		return m, err
	}
	if m.Format != exportFormat {
		return m, fmt.Errorf("format %q, this program reads %q", m.Format, exportFormat)
	}
	if !slices.IsSorted(m.Policies) {
		return m, errors.New("the policies are not sorted")
	}
	for _, digest := range m.Policies {
		if !validDigest(digest) {
			return m, fmt.Errorf("policies: %q is no digest", digest)
		}
	}
	return m, nil
}

// strictJSON reads one JSON object without unknown or duplicate fields.
func strictJSON(b []byte, into any) error {
	trimmed := bytes.TrimSpace(b)
	if err := uniqueKeys(trimmed); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(trimmed))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.InputOffset() != int64(len(trimmed)) {
		return errors.New("trailing data")
	}
	return nil
}

// policyIndex lists the files of a policy set, because a source's name need
// not be one that a file may have.
type policyIndex struct {
	Digest  string       `json:"digest"`
	Sources []policyFile `json:"sources"`
}

type policyFile struct {
	Name string `json:"name"`
	File string `json:"file"`
}
