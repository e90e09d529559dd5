package receipt

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Source is one view of a kept log: the directory of an export (OpenExport),
// or a running installation. Verify reads it and Export copies it; neither
// trusts it.
//
// A Source that can grow fixes its view when it is made: it shows the entries
// before Contents.Size and the checkpoints up to it, and what it shows does
// not change while it is read. Methods may be called again and at the same
// time as one another.
type Source interface {
	// Contents says what the view holds, so that what was left out can be
	// told from what is missing.
	Contents(ctx context.Context) (Contents, error)

	// Checkpoints are all that were kept, oldest first, each a signed note
	// with the cosignatures collected for it (C2SP tlog-checkpoint,
	// signed-note). The last is the head. The bytes are valid until the next
	// step. After an error there is no further step.
	Checkpoints(ctx context.Context) iter.Seq2[[]byte, error]

	// Entries streams the leaves from an index to the end of the view, each
	// as C2SP tlog-tiles frames it in an entry bundle: its length, 2 bytes
	// big-endian, and the leaf. It ends with io.EOF after the last leaf.
	Entries(ctx context.Context, from uint64) (io.ReadCloser, error)

	// Hashes streams the stored leaf hashes, 32 bytes each, from an index to
	// the end of the view. They are kept beside the entries so that a changed
	// entry can be named exactly. ErrNotKept when Contents.Hashes is false.
	Hashes(ctx context.Context, from uint64) (io.ReadCloser, error)

	// Payloads are those that are still kept, of the entries from an index,
	// by ascending index and within an index by ascending name. The payload
	// is the caller's. Nothing when Contents.Payloads is false.
	Payloads(ctx context.Context, from uint64) iter.Seq2[Payload, error]

	// Policy is the policy set with that digest; ErrNotKept when there is none.
	Policy(ctx context.Context, digest string) (PolicySet, error)
}

// ErrNotKept says that a Source does not hold what was asked for.
var ErrNotKept = errors.New("receipt: not kept")

// Contents is what a view of a log holds. Nothing signs it: it is a statement
// of whoever made the view, and Verify says where it is not true.
type Contents struct {
	// Origin is the log's name, the first line of its checkpoints.
	Origin string `json:"origin"`
	// Size is the number of entries.
	Size uint64 `json:"size"`
	// Hashes: the stored leaf hashes are there.
	Hashes bool `json:"hashes"`
	// Payloads: every payload that was not erased is there, of the entries from
	// PayloadsFrom on; of those before it, some may be there.
	Payloads     bool   `json:"payloads"`
	PayloadsFrom uint64 `json:"payloads_from,omitempty"`
	// Policies are the digests of the policy sets that are there, sorted.
	Policies []string `json:"policies"`
}

// Payload is content that lies beside the log. The receipt at Index holds its
// salted digest, in the field that has its name.
type Payload struct {
	Index uint64
	Name  string // InputPayload, FactsPayload or ResultPayload
	Salt  Salt
	Data  []byte
}

// The names of payloads, and of the fields that hold their digests.
const (
	FactsPayload  = "facts"
	InputPayload  = "input"
	ResultPayload = "result"
)

// MaxPayload is the largest payload that an export carries, in bytes. A
// verifier holds one in memory at a time for each core.
const MaxPayload = 16 << 20

// PolicySet is the text of a policy set, as the decision point compiles it.
type PolicySet struct {
	// Digest is the name by which decisions refer to the set.
	Digest  string
	Schema  []byte
	Sources []PolicySource // in the order in which the set was compiled
}

// PolicySource is one file of a policy set.
type PolicySource struct {
	Name string
	Text []byte
}

// ErasedEvent is the name of the event that records an erasure: the payloads of
// the Erasure in its detail are gone from then on.
const ErasedEvent = "payload.erased"

// Erasure is the detail of an ErasedEvent.
type Erasure struct {
	// From and To are the first and the last entry whose payloads were erased.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Names are the payloads that were erased.
	Names []string `json:"names"`
	// Rule is what demanded it, such as the retention period's name.
	Rule string `json:"rule"`
}
