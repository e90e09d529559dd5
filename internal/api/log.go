package api

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/receipt"
)

// The log as receipt.Source has it, so that who may read it verifies and
// exports it from elsewhere. A reader asks once how long the log is and then
// for its parts up to there, so that a growing log gives one view.

type logRequest struct {
	Credentials
	Payloads bool `query:"payloads" doc:"whether the payloads will be read too; decided as payloads/read"`
}

type logPartRequest struct {
	Credentials
	Size uint64 `query:"size" doc:"entries of the view"`
	From uint64 `query:"from" doc:"the first entry to send"`
}

type logPolicyRequest struct {
	Credentials
	Digest string `path:"digest"`
}

func (a *api) logView(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/log", Summary: "What the log holds now"}, "log/entries", a.logContents)
	stream(a, h, huma.Operation{Method: http.MethodGet, Path: "/log/entries", Summary: "Entries, each framed as in a C2SP entry bundle"},
		"log/entries", "application/octet-stream", a.streamEntries)
	stream(a, h, huma.Operation{Method: http.MethodGet, Path: "/log/hashes", Summary: "Leaf hashes, 32 bytes each"},
		"log/entries", "application/octet-stream", a.streamHashes)
	stream(a, h, huma.Operation{Method: http.MethodGet, Path: "/log/checkpoints", Summary: "Checkpoints, oldest first, one JSON object each, then null"},
		"log/entries", "application/x-ndjson", a.streamCheckpoints)
	stream(a, h, huma.Operation{Method: http.MethodGet, Path: "/log/payloads", Summary: "Payloads that are kept, one JSON object each, then null"},
		"payloads/read", "application/x-ndjson", a.streamPayloads)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/log/policies/{digest}", Summary: "A policy set that was ever in force"}, "log/entries",
		func(ctx context.Context, _ caller, in *logPolicyRequest) (receipt.PolicySet, error) {
			src, err := a.Source(ctx)
			if err != nil {
				return receipt.PolicySet{}, err
			}
			set, err := src.Policy(ctx, in.Digest)
			if errors.Is(err, receipt.ErrNotKept) {
				err = aims.Errorf(aims.NotFound, nil, "there is no such policy set")
			}
			return set, err
		})
}

func (a *api) logContents(ctx context.Context, _ caller, in *logRequest) (receipt.Contents, error) {
	// An export ends at a checkpoint: one for all that is there now.
	if err := a.Ledger.Sign(ctx); err != nil {
		return receipt.Contents{}, err
	}
	src, err := a.Source(ctx)
	if err != nil {
		return receipt.Contents{}, err
	}
	contents, err := src.Contents(ctx)
	if !in.Payloads {
		contents.Payloads = false
		return contents, err
	}
	c, denied := a.permit(ctx, in.Authorization, "payloads/read")
	if denied != nil {
		return receipt.Contents{}, denied
	}
	a.close(ctx, c, err)
	return contents, err
}

func (a *api) streamEntries(ctx context.Context, _ caller, in *logPartRequest, w io.Writer) error {
	src, err := a.Source(ctx)
	if err != nil {
		return err
	}
	entries, err := src.Entries(ctx, in.From)
	if err != nil {
		return err
	}
	defer entries.Close()
	r := bufio.NewReaderSize(entries, 256<<10)
	out := bufio.NewWriterSize(w, 256<<10)
	for index := in.From; index < in.Size; index++ {
		head, err := r.Peek(2)
		if errors.Is(err, io.EOF) && len(head) == 0 {
			break // the verifier finds that there are fewer
		}
		if err != nil {
			return err
		}
		if _, err := io.CopyN(out, r, 2+int64(binary.BigEndian.Uint16(head))); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (a *api) streamHashes(ctx context.Context, _ caller, in *logPartRequest, w io.Writer) error {
	src, err := a.Source(ctx)
	if err != nil {
		return err
	}
	hashes, err := src.Hashes(ctx, in.From)
	if err != nil {
		return err
	}
	defer hashes.Close()
	const width = 32
	_, err = io.Copy(w, io.LimitReader(hashes, width*int64(in.Size-min(in.Size, in.From))))
	return err
}

func (a *api) streamCheckpoints(ctx context.Context, _ caller, in *logPartRequest, w io.Writer) error {
	src, err := a.Source(ctx)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	for note, err := range src.Checkpoints(ctx) {
		if err != nil {
			return err
		}
		if size, ok := receipt.CheckpointSize(note); ok && size > in.Size {
			break
		}
		if err := out.Encode(checkpointLine{note}); err != nil {
			return err
		}
	}
	return out.Encode(nil)
}

func (a *api) streamPayloads(ctx context.Context, _ caller, in *logPartRequest, w io.Writer) error {
	src, err := a.Source(ctx)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	for p, err := range src.Payloads(ctx, in.From) {
		if err != nil {
			return err
		}
		if p.Index >= in.Size {
			break
		}
		if err := out.Encode(payloadLine{p.Index, p.Name, p.Salt[:], p.Data}); err != nil {
			return err
		}
	}
	return out.Encode(nil)
}
