package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
)

// signedTree is the last checkpoint that was signed.
type signedTree struct {
	tlog.Tree
	note []byte
}

// Sign signs a checkpoint (C2SP tlog-checkpoint) of what is committed, unless
// the log has not grown since the last one. Before it signs, it checks from
// the stored hashes that the tree extends the last one that was signed: an
// inconsistent tree is never signed.
func (l *Ledger) Sign(ctx context.Context) error {
	if err := l.refresh(ctx); err != nil {
		return err
	}
	return l.sign(ctx)
}

func (l *Ledger) sign(ctx context.Context) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	last, now := l.signed.Load(), l.tree.Load()
	if last != nil && uint64(last.N) == now.size() {
		return nil
	}
	tree := tlog.Tree{N: int64(now.size()), Hash: now.root}
	if last != nil {
		if err := l.consistent(ctx, now, last.Tree); err != nil {
			return aims.Errorf(aims.Internal, err, "the log does not extend its last checkpoint: nothing was signed")
		}
	}
	text := torchwood.Checkpoint{Origin: l.options.Origin, Tree: tree}.String()
	signed, err := note.Sign(&note.Note{Text: text}, l.options.Signer)
	if err != nil {
		return aims.Errorf(aims.Internal, err, "the checkpoint could not be signed")
	}
	oldest := l.open.oldest(now.size())
	err = l.db.Update(ctx, func(tx *store.Tx) error {
		// Another process may have signed the same tree: the first note stays.
		_, err := tx.ExecContext(ctx, "INSERT INTO log_checkpoint (size, time, oldest_open, note) VALUES ($1, $2, $3, $4) ON CONFLICT (size) DO NOTHING",
			tree.N, l.options.Now().UnixMicro(), int64(oldest), signed)
		return err
	})
	if err != nil {
		return unreadable(err)
	}
	l.signed.Store(&signedTree{Tree: tree, note: signed})
	for _, w := range l.witnesses {
		w.wake()
	}
	return nil
}

// errRefreshed ends a transaction that was begun only to catch up.
var errRefreshed = errors.New("ledger: caught up")

// refresh has the sequencer catch up when another process has appended.
func (l *Ledger) refresh(ctx context.Context) error {
	var h head
	err := l.db.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT size, root FROM log_head WHERE id = 1").Scan(&h.size, &h.root)
	})
	if err != nil {
		return unreadable(err)
	}
	if h.matches(l.tree.Load()) {
		return nil
	}
	_, err = l.Change(ctx, func(*store.Tx) (Entry, error) { return Entry{}, errRefreshed })
	if errors.Is(err, errRefreshed) {
		return nil
	}
	return err
}

// signLoop signs while the log grows. It says once that it cannot, and once
// that it can again.
func (l *Ledger) signLoop(ctx context.Context) {
	ticker := time.NewTicker(l.options.SignEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.Sign(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			l.options.Log.Error("no checkpoint can be signed", "error", err)
		case err == nil && failing:
			l.options.Log.Info("checkpoints are signed again")
		}
		failing = err != nil
	}
}

// consistent checks by a consistency proof (RFC 6962 §2.1.2) that a tree
// extends an older one.
func (l *Ledger) consistent(ctx context.Context, now *tree, old tlog.Tree) error {
	if old.N > int64(now.size()) {
		return fmt.Errorf("ledger: the log has %d entries, a checkpoint of %d was signed", now.size(), old.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(int64(now.size()), old.N, l.hashes(ctx, now))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, int64(now.size()), now.root, old.N, old.Hash)
}

// loadSigned finds the last checkpoint and refuses a log that is not its
// extension, or that another key signed.
func (l *Ledger) loadSigned(ctx context.Context) error {
	var signed []byte
	err := l.db.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1").Scan(&signed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return unreadable(err)
	}
	tree, err := l.ownCheckpoint(signed)
	if err != nil {
		return aims.Errorf(aims.Invalid, err, "the log's last checkpoint was not signed by this origin and key")
	}
	if err := l.consistent(ctx, l.tree.Load(), tree); err != nil {
		return aims.Errorf(aims.Internal, err, "the log does not extend its last checkpoint: entries were changed or removed; verify it")
	}
	l.signed.Store(&signedTree{Tree: tree, note: signed})
	return nil
}

// ownCheckpoint checks that a note is a checkpoint that the signer made.
// Ed25519 signatures are deterministic (RFC 8032 §5.1.6): signing again gives
// the same bytes, and no public key is needed.
func (l *Ledger) ownCheckpoint(signed []byte) (tlog.Tree, error) {
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return tlog.Tree{}, errors.New("ledger: malformed note")
	}
	text := string(signed[:end+1])
	checkpoint, err := torchwood.ParseCheckpoint(text)
	if err != nil {
		return tlog.Tree{}, err
	}
	again, err := note.Sign(&note.Note{Text: text}, l.options.Signer)
	if err != nil {
		return tlog.Tree{}, err
	}
	if checkpoint.Origin != l.options.Origin || !bytes.Equal(again, signed) {
		return tlog.Tree{}, errors.New("ledger: the checkpoint's origin or signature is not ours")
	}
	return checkpoint.Tree, nil
}
