package ledger

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/receipt"
)

// SizeAt is how many receipts were committed at a time or before it: the log as
// it was then.
func (l *Ledger) SizeAt(ctx context.Context, at time.Time) (uint64, error) {
	return l.since(ctx, at.Truncate(time.Microsecond).Add(time.Microsecond), l.Size())
}

// RootAt is the root of the tree of the first size receipts (RFC 6962 §2.1): two
// logs with the same root at a size hold the same receipts up to it.
func (l *Ledger) RootAt(ctx context.Context, size uint64) (receipt.Hash, error) {
	now := l.tree.Load()
	if size > now.size() {
		return receipt.Hash{}, aims.Errorf(aims.NotFound, nil, "the log has %d entries, not %d", now.size(), size)
	}
	root, err := tlog.TreeHash(int64(size), l.hashes(ctx, now))
	return receipt.Hash(root), unreadable(err)
}
