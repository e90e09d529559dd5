// Package witness cosigns checkpoints of logs, each only if it is consistent
// with all that it cosigned of that log before (C2SP tlog-witness): whoever
// trusts the witness knows that there is one history, and that its tail was
// not cut off.
package witness

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the witness's table, in a database of its own.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return store.Schema{Name: "witness", Migrations: files}
}

// Options are what a witness is made with.
type Options struct {
	// Signer makes timestamped cosignatures (C2SP tlog-cosignature), such as
	// torchwood.CosignatureSigner.
	Signer note.Signer
	// Logs are the keys of the logs that it watches; a log's origin is its
	// key's name. A log may have several keys.
	Logs []note.Verifier
	Log  *slog.Logger
}

// Witness watches logs.
type Witness struct {
	db      *store.DB
	options Options
	logs    map[string]note.Verifiers
}

// New makes a witness that keeps what it has seen in db, which has the table of
// Schema.
func New(db *store.DB, o Options) *Witness {
	byOrigin := map[string][]note.Verifier{}
	for _, v := range o.Logs {
		byOrigin[v.Name()] = append(byOrigin[v.Name()], v)
	}
	w := &Witness{db: db, options: o, logs: map[string]note.Verifiers{}}
	for origin, verifiers := range byOrigin {
		w.logs[origin] = note.VerifierList(verifiers...)
	}
	return w
}

// maxRequest is far above the largest request that is well formed: 63 hashes
// and a checkpoint.
const maxRequest = 64 << 10

// Handler serves POST /add-checkpoint.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxRequest))
		if err != nil {
			w.answer(rw, nil, refusal{status: http.StatusBadRequest, text: "the request could not be read"})
			return
		}
		cosigned, err := w.add(r.Context(), body)
		w.answer(rw, cosigned, err)
	})
	return mux
}

// refusal is an answer other than 200, with the status that C2SP tlog-witness
// asks for.
type refusal struct {
	status int
	text   string
	// size is the last size that was cosigned, where conflict is set.
	conflict bool
	size     int64
}

func (r refusal) Error() string { return r.text }

func (w *Witness) answer(rw http.ResponseWriter, cosigned []byte, err error) {
	var r refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		rw.Write(cosigned)
	case errors.As(err, &r) && r.conflict:
		w.options.Log.Warn("a checkpoint was not cosigned", "reason", r.text, "size", r.size)
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(r.status)
		fmt.Fprintf(rw, "%d\n", r.size)
	case errors.As(err, &r):
		w.options.Log.Warn("a checkpoint was not cosigned", "reason", r.text)
		http.Error(rw, r.text, r.status)
	default:
		w.options.Log.Error("a checkpoint could not be cosigned", "error", err)
		http.Error(rw, "the witness cannot work at present", http.StatusInternalServerError)
	}
}

// add is add-checkpoint: it returns the cosignature lines.
func (w *Witness) add(ctx context.Context, body []byte) ([]byte, error) {
	req, err := parse(body)
	if err != nil {
		return nil, refusal{status: http.StatusBadRequest, text: err.Error()}
	}
	verifiers, ok := w.logs[req.checkpoint.Origin]
	if !ok {
		return nil, refusal{status: http.StatusNotFound, text: "this log is not watched here"}
	}
	if _, err := note.Open(req.note, verifiers); err != nil {
		return nil, refusal{status: http.StatusForbidden, text: "the checkpoint is not signed by a key of this log"}
	}
	if req.old > req.checkpoint.N {
		return nil, refusal{status: http.StatusBadRequest, text: "the old size is larger than the checkpoint's"}
	}
	// It is stored before it is signed: a cosignature that was given and
	// forgotten could be contradicted by the next.
	if err := w.advance(ctx, req); err != nil {
		return nil, err
	}
	return w.cosign(req)
}

// advance compares a checkpoint with the last one of its log and stores it, in
// one transaction, so that of two requests at a time one sees the other.
func (w *Witness) advance(ctx context.Context, req *request) error {
	return w.db.Update(ctx, func(tx *store.Tx) error {
		// Taking the row first makes a concurrent request wait, in every store.
		if _, err := tx.ExecContext(ctx, "INSERT INTO witness_seen (origin, size, root) VALUES ($1, 0, $2) ON CONFLICT (origin) DO UPDATE SET size = witness_seen.size",
			req.checkpoint.Origin, []byte{}); err != nil {
			return err
		}
		var seen tlog.Tree
		var root []byte
		if err := tx.QueryRowContext(ctx, "SELECT size, root FROM witness_seen WHERE origin = $1", req.checkpoint.Origin).Scan(&seen.N, &root); err != nil {
			return err
		}
		if copy(seen.Hash[:], root) != len(root) || seen.N > 0 && len(root) != tlog.HashSize {
			return errors.New("witness: malformed root in the database")
		}
		if err := consistent(req, seen); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, "UPDATE witness_seen SET size = $1, root = $2 WHERE origin = $3 AND size = $4",
			req.checkpoint.N, req.checkpoint.Hash[:], req.checkpoint.Origin, seen.N)
		return one(result, err)
	})
}

func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("witness: %d rows changed, want 1", n)
	}
	return err
}

// consistent checks a request against what was seen (C2SP tlog-witness).
func consistent(req *request, seen tlog.Tree) error {
	if req.old != seen.N {
		return refusal{status: http.StatusConflict, text: "another size was cosigned last", conflict: true, size: seen.N}
	}
	if req.old == req.checkpoint.N && seen.N > 0 && req.checkpoint.Hash != seen.Hash {
		return refusal{status: http.StatusConflict, text: "another tree of this size was cosigned: the log has forked", conflict: true, size: seen.N}
	}
	if req.old == 0 {
		if len(req.proof) > 0 {
			return refusal{status: http.StatusUnprocessableEntity, text: "a proof from the empty tree must be empty"}
		}
		return nil
	}
	if req.old == req.checkpoint.N {
		if len(req.proof) > 0 {
			return refusal{status: http.StatusUnprocessableEntity, text: "a proof between equal trees must be empty"}
		}
		return nil
	}
	if err := tlog.CheckTree(req.proof, req.checkpoint.N, req.checkpoint.Hash, seen.N, seen.Hash); err != nil {
		return refusal{status: http.StatusUnprocessableEntity, text: "the consistency proof does not hold"}
	}
	return nil
}

// cosign signs the checkpoint's text and returns the signature lines alone.
func (w *Witness) cosign(req *request) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: req.text}, w.options.Signer)
	if err != nil {
		return nil, err
	}
	return signed[len(req.text)+1:], nil
}
