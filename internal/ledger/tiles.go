package ledger

import (
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
)

// Handler serves the log as C2SP tlog-tiles under /log/: the checkpoint to
// anyone, hash tiles and entry bundles where mayRead returns nil.
func (l *Ledger) Handler(mayRead func(*http.Request) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log/checkpoint", func(w http.ResponseWriter, r *http.Request) {
		signed, err := l.Checkpoint(r.Context())
		if err != nil {
			l.refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Write(signed)
	})
	mux.HandleFunc("GET /log/tile/{path...}", func(w http.ResponseWriter, r *http.Request) {
		if err := mayRead(r); err != nil {
			l.refuse(w, r, err)
			return
		}
		path := "tile/" + r.PathValue("path")
		at, err := torchwood.ParseTilePath(path)
		if err != nil || torchwood.TilePath(at) != path {
			l.refuse(w, r, aims.Errorf(aims.NotFound, err, "no tile has this path"))
			return
		}
		data, err := l.tileData(r.Context(), at)
		if err != nil {
			l.refuse(w, r, err)
			return
		}
		writeTile(w, r, at, data)
	})
	return mux
}

// tileData is a hash tile or an entry bundle. One that another process has
// filled is read after catching up.
func (l *Ledger) tileData(ctx context.Context, at tlog.Tile) ([]byte, error) {
	level := max(at.L, 0) // an entry bundle is as wide as the tile of its hashes
	if l.tree.Load().width(level, uint64(at.N)) < at.W {
		if err := l.refresh(ctx); err != nil {
			return nil, err
		}
	}
	t := l.tree.Load()
	if t.width(level, uint64(at.N)) < at.W {
		return nil, aims.Errorf(aims.NotFound, nil, "the log has no such tile yet")
	}
	if at.L == -1 {
		return l.bundle(ctx, at)
	}
	data, err := l.hashTile(ctx, t, at)
	return data, unreadable(err)
}

// bundle frames the entries of a tile as C2SP tlog-tiles does.
func (l *Ledger) bundle(ctx context.Context, at tlog.Tile) ([]byte, error) {
	first := uint64(at.N) * torchwood.TileWidth
	var out []byte
	for leaf, err := range l.leaves(ctx, first, first+uint64(at.W)) {
		if err != nil {
			return nil, err
		}
		if out, err = torchwood.AppendTileEntry(out, leaf.Raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeTile sends a tile. It never changes, but who may read it does: only the
// reader's own cache may keep it.
func writeTile(w http.ResponseWriter, r *http.Request, at tlog.Tile, data []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Cache-Control", "private, max-age=31536000, immutable")
	header.Set("Vary", "Authorization, Accept-Encoding")
	if at.L >= 0 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Write(data) // hashes do not compress
		return
	}
	header.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer z.Close()
	z.Write(data)
}

// refuse answers with the status of an error and the sentence that may be shown.
func (l *Ledger) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	code, text := aims.Public(err)
	switch code {
	case aims.Unauthenticated:
		status = http.StatusUnauthorized
	case aims.Denied:
		status = http.StatusForbidden
	case aims.NotFound:
		status = http.StatusNotFound
	case aims.Unavailable, aims.Timeout, aims.Exhausted:
		status = http.StatusServiceUnavailable
	}
	if status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		l.options.Log.Error("the log could not be read", "path", r.URL.Path, "error", err)
	}
	http.Error(w, text, status)
}
