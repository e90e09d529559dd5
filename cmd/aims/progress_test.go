package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// However the stream is cut, each entry is counted once, and nothing of it is lost.
func TestEntriesAreCounted(t *testing.T) {
	var framed []byte
	for _, n := range []int{1, 300, 0, 65535, 2} {
		framed = binary.BigEndian.AppendUint16(framed, uint16(n))
		framed = append(framed, strings.Repeat("x", n)...)
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(framed), "byte by byte": iotest.OneByteReader(bytes.NewReader(framed))} {
		var entries uint64
		c := &countedEntries{ReadCloser: io.NopCloser(r), count: func(n uint64) { entries += n }}
		seen, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(seen, framed) {
			t.Errorf("%s: the stream was changed: %v", name, err)
		}
		if c.left != 0 || c.header != 0 || entries != 5 {
			t.Errorf("%s: %d entries, %d bytes left", name, entries, c.left)
		}
	}
}
