package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/store"
)

// Witness is a cosigner of checkpoints (C2SP tlog-witness): what it has
// cosigned, nobody can take back unseen.
type Witness struct {
	// URL is the witness's submission prefix.
	URL string
	// Verifier is the witness's cosignature key (C2SP tlog-cosignature).
	Verifier note.Verifier
	// Client reaches it; nil means one that gives up after ten seconds.
	Client *http.Client
}

// Between attempts at a witness that cannot be reached lie a second, two, four
// and so on up to a minute.
const (
	witnessPatience = 10 * time.Second
	firstRetry      = time.Second
	lastRetry       = time.Minute
	// lastChance is how long Close waits for the witnesses.
	lastChance = 2 * time.Second
)

// witnessState is what one goroutine knows of one witness.
type witnessState struct {
	Witness
	grown chan struct{}
	// seen is the size that the witness cosigned last, as far as is known: it
	// corrects a wrong one.
	seen int64
}

func newWitnessState(w Witness) *witnessState {
	if w.Client == nil {
		w.Client = &http.Client{Timeout: witnessPatience}
	}
	w.URL = strings.TrimSuffix(w.URL, "/")
	return &witnessState{Witness: w, grown: make(chan struct{}, 1)}
}

func (w *witnessState) wake() {
	select {
	case w.grown <- struct{}{}:
	default: // it will see the newest anyway
	}
}

// witnessLoop has one witness cosign what is signed. A witness that cannot be
// reached holds up nothing.
func (l *Ledger) witnessLoop(ctx context.Context, w *witnessState) {
	failures := 0
	for {
		next := w.grown
		var retry <-chan time.Time
		err := l.witnessStep(ctx, w)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && failures > 0:
			l.options.Log.Info("the witness cosigns again", "witness", w.Verifier.Name())
			failures = 0
		case err != nil:
			l.options.Log.Warn("the witness did not cosign; it is asked again", "witness", w.Verifier.Name(), "attempt", failures+1, "error", err)
			next, retry = nil, time.After(min(firstRetry<<min(failures, 10), lastRetry))
			failures++
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		case <-retry:
		}
	}
}

// witnessStep asks a witness to cosign the last checkpoint, unless it has.
func (l *Ledger) witnessStep(ctx context.Context, w *witnessState) error {
	last := l.signed.Load()
	if last == nil || last.N == 0 || last.N == w.seen {
		return nil
	}
	cosigned, conflict, err := l.addCheckpoint(ctx, w, w.seen, last)
	if err != nil {
		return err
	}
	if cosigned == nil {
		// The witness says what it has seen: 0 at our start, or more than is
		// known here because its answer was lost.
		if conflict > last.N {
			return fmt.Errorf("ledger: the witness has seen %d entries of a log that has %d: entries were removed", conflict, last.N)
		}
		if conflict == w.seen {
			return fmt.Errorf("ledger: the witness has seen another tree of size %d", conflict)
		}
		w.seen = conflict
		if cosigned, conflict, err = l.addCheckpoint(ctx, w, w.seen, last); err != nil {
			return err
		}
		if cosigned == nil {
			return fmt.Errorf("ledger: the witness has seen size %d and then size %d", w.seen, conflict)
		}
	}
	if err := l.keepCosignatures(ctx, last, cosigned); err != nil {
		return err
	}
	w.seen = last.N
	return nil
}

// addCheckpoint sends a checkpoint to a witness and returns the signature lines
// that its key made, or else the size that it saw last.
func (l *Ledger) addCheckpoint(ctx context.Context, w *witnessState, old int64, last *signedTree) (cosigned []note.Signature, conflict int64, err error) {
	body, err := l.witnessRequest(ctx, old, last)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, 0, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		signed, err := note.Open(append(bytes.Clone(last.note), answer...), note.VerifierList(w.Verifier))
		if err != nil {
			return nil, 0, fmt.Errorf("ledger: the witness's answer holds no signature of its key: %w", err)
		}
		return signed.Sigs, 0, nil
	case resp.StatusCode == http.StatusConflict && resp.Header.Get("Content-Type") == "text/x.tlog.size":
		size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if err != nil || size < 0 {
			return nil, 0, fmt.Errorf("ledger: the witness answered 409 without a size")
		}
		return nil, size, nil
	}
	return nil, 0, fmt.Errorf("ledger: the witness answered %s: %q", resp.Status, answer[:min(len(answer), 200)])
}

// witnessRequest is the body of add-checkpoint.
func (l *Ledger) witnessRequest(ctx context.Context, old int64, last *signedTree) ([]byte, error) {
	if old > last.N {
		return nil, errors.New("ledger: the witness has seen more than there is")
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	if old > 0 && old < last.N {
		proof, err := tlog.ProveTree(last.N, old, l.hashes(ctx, l.tree.Load()))
		if err != nil {
			return nil, err
		}
		for _, h := range proof {
			fmt.Fprintf(&body, "%s\n", h)
		}
	}
	body.WriteByte('\n')
	body.Write(last.note)
	return body.Bytes(), nil
}

// keepCosignatures stores a witness's signature lines beside the checkpoint.
func (l *Ledger) keepCosignatures(ctx context.Context, last *signedTree, sigs []note.Signature) error {
	return l.db.Update(ctx, func(tx *store.Tx) error {
		for _, s := range sigs {
			_, err := tx.ExecContext(ctx, "INSERT INTO log_cosignature (size, witness, line) VALUES ($1, $2, $3) ON CONFLICT (size, witness) DO NOTHING",
				last.N, fmt.Sprintf("%s+%08x", s.Name, s.Hash), fmt.Sprintf("— %s %s\n", s.Name, s.Base64))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
