package ledger

import (
	"maps"
	"slices"
	"sync"

	"aims/receipt"
)

// openDecisions are the decisions without an outcome. The sequencer alone
// changes them, and while it holds the head of the log they are exactly those
// of the log, so that a decision is closed once and no more, whichever process
// asks.
type openDecisions struct {
	mu      sync.Mutex
	indexes map[uint64]struct{}
}

func (o *openDecisions) note(h receipt.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.indexes == nil {
		o.indexes = map[uint64]struct{}{}
	}
	switch h.Kind {
	case receipt.DecisionKind:
		o.indexes[h.Index] = struct{}{}
	case receipt.OutcomeKind:
		delete(o.indexes, h.Closes)
	}
}

func (o *openDecisions) has(index uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.indexes[index]
	return ok
}

func (o *openDecisions) list() []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.indexes))
}

// oldest is the first open decision, or size when there is none.
func (o *openDecisions) oldest(size uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	oldest := size
	for index := range o.indexes {
		oldest = min(oldest, index)
	}
	return oldest
}
