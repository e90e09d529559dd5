package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"

	"aims/internal/aims"
	"aims/receipt"
)

// remote is the log of a running server as a view that does not grow: what
// Source asks for beyond its size is not there.
type remote struct {
	client   *Client
	contents receipt.Contents
	payloads bool
}

// Source is the log of the server at this moment, for receipt.Verify and
// receipt.Export. With payloads, the caller must hold a role that may read them.
func (c *Client) Source(ctx context.Context, payloads bool) (receipt.Source, error) {
	r := &remote{client: c, payloads: payloads}
	query := ""
	if payloads {
		query = "?payloads=true"
	}
	if err := c.Do(ctx, http.MethodGet, "/api/v1/log"+query, nil, &r.contents); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *remote) path(part string, from uint64) string {
	return fmt.Sprintf("/api/v1/log/%s?size=%d&from=%d", part, r.contents.Size, from)
}

func (r *remote) Contents(context.Context) (receipt.Contents, error) { return r.contents, nil }

func (r *remote) Entries(ctx context.Context, from uint64) (io.ReadCloser, error) {
	return r.client.Open(ctx, http.MethodGet, r.path("entries", from), nil)
}

func (r *remote) Hashes(ctx context.Context, from uint64) (io.ReadCloser, error) {
	if !r.contents.Hashes {
		return nil, receipt.ErrNotKept
	}
	return r.client.Open(ctx, http.MethodGet, r.path("hashes", from), nil)
}

// checkpointLine and payloadLine are the lines of streams that are one JSON value each.
type checkpointLine struct {
	Note []byte `json:"note"`
}

type payloadLine struct {
	Index uint64 `json:"index"`
	Name  string `json:"name"`
	Salt  []byte `json:"salt"`
	Data  []byte `json:"data"`
}

func (r *remote) Checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for line, err := range lines[checkpointLine](ctx, r.client, r.path("checkpoints", 0)) {
			if !yield(line.Note, err) || err != nil {
				return
			}
		}
	}
}

func (r *remote) Payloads(ctx context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		if !r.contents.Payloads {
			return
		}
		for line, err := range lines[payloadLine](ctx, r.client, r.path("payloads", from)) {
			p := receipt.Payload{Index: line.Index, Name: line.Name, Data: line.Data}
			if err == nil && copy(p.Salt[:], line.Salt) != len(p.Salt) {
				err = aims.Errorf(aims.Unavailable, nil, "the server sent a salt of %d bytes", len(line.Salt))
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func (r *remote) Policy(ctx context.Context, digest string) (receipt.PolicySet, error) {
	var set receipt.PolicySet
	err := r.client.Do(ctx, http.MethodGet, "/api/v1/log/policies/"+url.PathEscape(digest), nil, &set)
	if e, ok := errors.AsType[*aims.Error](err); ok && e.Code == aims.NotFound {
		return set, receipt.ErrNotKept
	}
	return set, err
}

// lines streams the JSON values of an answer. The last value is null: a stream
// without it was cut off.
func lines[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		body, err := c.Open(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer body.Close()
		dec := json.NewDecoder(body)
		for {
			var line *T
			if err := dec.Decode(&line); err != nil {
				yield(none, aims.Errorf(aims.Unavailable, err, "the server's answer broke off"))
				return
			}
			if line == nil || !yield(*line, nil) {
				return
			}
		}
	}
}
