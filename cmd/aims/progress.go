package main

import (
	"context"
	"io"
	"time"

	"aims/internal/progress"
	"aims/receipt"
)

// watched is a log whose reader a person waits for: a bar on the terminal says
// how far it is. It returns the log as it is where nobody looks.
func watched(ctx context.Context, src receipt.Source, std streams, what string) (receipt.Source, func(), error) {
	contents, err := src.Contents(ctx)
	if err != nil {
		return src, func() {}, err
	}
	bar := progress.New(std.err, what, contents.Size, time.Now)
	if bar == nil {
		return src, func() {}, nil
	}
	return &watchedSource{src, bar}, bar.End, nil
}

type watchedSource struct {
	receipt.Source
	bar *progress.Bar
}

func (s *watchedSource) Entries(ctx context.Context, from uint64) (io.ReadCloser, error) {
	r, err := s.Source.Entries(ctx, from)
	if err != nil {
		return nil, err
	}
	return &countedEntries{ReadCloser: r, count: s.bar.Add}, nil
}

// countedEntries counts the entries that pass by: each is framed with its length
// in two bytes.
type countedEntries struct {
	io.ReadCloser
	count  func(uint64)
	length int // of the frame, as far as it is read
	header int // bytes of the length that are read
	left   int // of the entry
}

func (c *countedEntries) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	var entries uint64
	for rest := b[:n]; len(rest) > 0; {
		if c.left > 0 {
			step := min(c.left, len(rest))
			c.left, rest = c.left-step, rest[step:]
			continue
		}
		c.length = c.length<<8 | int(rest[0])
		rest = rest[1:]
		if c.header++; c.header == 2 {
			c.left, c.length, c.header = c.length, 0, 0
			entries++
		}
	}
	if entries > 0 {
		c.count(entries)
	}
	return n, err
}
