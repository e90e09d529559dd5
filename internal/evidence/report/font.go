package report

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode"
)

//go:embed fonts/DejaVuSansCondensed.ttf.gz
var regular []byte

//go:embed fonts/DejaVuSansCondensed-Bold.ttf.gz
var bold []byte

// unknownGlyph stands for a character that the font does not have.
const unknownGlyph = '□'

func unpack(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// glyphs are the characters of the Basic Multilingual Plane that a font has.
type glyphs map[rune]bool

var errFont = errors.New("the font is malformed")

// readGlyphs reads the character map of a TrueType font, format 4 of platform 3
// (OpenType, cmap).
func readGlyphs(font []byte) (glyphs, error) {
	be := binary.BigEndian
	var cmap []byte
	for i := range int(be.Uint16(font[4:])) {
		if entry := font[12+16*i:]; string(entry[:4]) == "cmap" {
			cmap = font[be.Uint32(entry[8:]):]
		}
	}
	if cmap == nil {
		return nil, errFont
	}
	for i := range int(be.Uint16(cmap[2:])) {
		entry := cmap[4+8*i:]
		table := cmap[be.Uint32(entry[4:]):]
		if be.Uint16(entry) == 3 && be.Uint16(entry[2:]) == 1 && be.Uint16(table) == 4 {
			return segments(table), nil
		}
	}
	return nil, errFont
}

func segments(table []byte) glyphs {
	be := binary.BigEndian
	n := int(be.Uint16(table[6:])) // twice the number of segments
	g := glyphs{}
	for i := 0; i < n; i += 2 {
		end, start := be.Uint16(table[14+i:]), be.Uint16(table[16+n+i:])
		for c := rune(start); c <= rune(end) && c != 0xffff; c++ {
			g[c] = true
		}
	}
	return g
}

// printable is text with characters that the font has. What is no character to
// a reader, such as a control character, shows as one that is not there.
func (g glyphs) printable(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case g[r] && unicode.IsPrint(r):
			return r
		}
		return unknownGlyph
	}, text)
}
