package receipt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// An export frames entries and checkpoints as C2SP tlog-tiles frames entries:
// the length, 2 bytes big-endian, and the bytes.

// streamBytes is how much of a file is read ahead.
const streamBytes = 128 << 10

func appendFrame(dst, b []byte) ([]byte, error) {
	if len(b) > MaxLeaf {
		return dst, fmt.Errorf("receipt: %d bytes do not fit a frame", len(b))
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(b))), b...), nil
}

// readFrame reads the next frame into buf and returns its bytes. io.EOF comes
// only between frames; io.ErrUnexpectedEOF within one.
func readFrame(in *bufio.Reader, buf []byte) ([]byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return buf[:0], err
	}
	size := int(binary.BigEndian.Uint16(head[:]))
	buf = slices.Grow(buf[:0], size)[:size]
	return buf, torn(io.ReadFull(in, buf))
}

// torn says that the end came where more was announced.
func torn(_ int, err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A payload is framed as the index of its receipt (8 bytes big-endian), the
// length of its name (1 byte) and the name, the salt (32 bytes), the length of
// the data (4 bytes big-endian) and the data.

func appendPayload(dst []byte, p Payload) ([]byte, error) {
	if !validPayloadName(p.Name) || len(p.Data) > MaxPayload {
		return dst, fmt.Errorf("receipt: %s of %d bytes cannot be exported", payloadPlace(&p), len(p.Data))
	}
	dst = binary.BigEndian.AppendUint64(dst, p.Index)
	dst = append(dst, byte(len(p.Name)))
	dst = append(dst, p.Name...)
	dst = append(dst, p.Salt[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Data)))
	return append(dst, p.Data...), nil
}

// readPayload reads the next payload; io.EOF comes only between payloads.
// What is not a payload is a FormatError that names the offset.
func readPayload(in *bufio.Reader, offset int64) (p Payload, size int64, err error) {
	malformed := func(text string, args ...any) error {
		return &FormatError{Place: fmt.Sprintf("payloads, byte %d", offset), Text: fmt.Sprintf(text, args...)}
	}
	within := func(err error) error {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return malformed("the file ends inside a payload")
		}
		return err
	}
	var head [9]byte
	if n, err := io.ReadFull(in, head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return p, 0, io.EOF
		}
		return p, 0, within(err)
	}
	rest := make([]byte, int(head[8])+len(p.Salt)+4)
	if _, err := io.ReadFull(in, rest); err != nil {
		return p, 0, within(err)
	}
	p.Index = binary.BigEndian.Uint64(head[:8])
	p.Name = string(rest[:head[8]])
	copy(p.Salt[:], rest[head[8]:])
	length := binary.BigEndian.Uint32(rest[int(head[8])+len(p.Salt):])
	if !validPayloadName(p.Name) {
		return p, 0, malformed("a payload named %q", p.Name)
	}
	if length > MaxPayload {
		return p, 0, malformed("a payload of %d bytes, at most %d", length, MaxPayload)
	}
	if p.Data, err = readUpTo(in, int(length)); err != nil {
		return p, 0, within(err)
	}
	return p, int64(len(head) + len(rest) + len(p.Data)), nil
}

// readUpTo reads n bytes and holds no more than the stream really has.
func readUpTo(in io.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	data := make([]byte, 0, min(n, step))
	for len(data) < n {
		at := len(data)
		data = append(data, make([]byte, min(n-at, step))...)
		if _, err := io.ReadFull(in, data[at:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}
