package ledger

import (
	"context"

	"golang.org/x/mod/sumdb/note"
)

// Witness is a cosigner of checkpoints (C2SP tlog-witness).
type Witness struct {
	// URL is the witness's submission prefix.
	URL string
	// Verifier is the witness's cosignature key (C2SP tlog-cosignature).
	Verifier note.Verifier
}

type witnessState struct{}

func (w *witnessState) wake() {}

func (l *Ledger) witnessLoop(ctx context.Context, w *witnessState) {}
