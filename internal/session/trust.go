package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/provenance"
	"aims/internal/store"
	"aims/receipt"
)

// Trusted is a value that may be chosen as a sink of its kind, whoever named
// it: an address of the organisation, a repository of its own.
type Trusted struct {
	Kind  string // as provenance.SinkOf names kinds
	Value string
}

// TrustedEntry is a line of the trusted directory.
type TrustedEntry struct {
	Trusted
	Note  string
	By    aims.Actor
	Added time.Time
}

// Directory is the trusted directory. It is never changed.
type Directory struct{ entries map[Trusted]TrustedEntry }

// SinkKinds are the kinds of sinks for which values can be trusted.
func SinkKinds() []string {
	return []string{provenance.Account, provenance.Credential, provenance.Path, provenance.Recipient, provenance.Repository, provenance.URL}
}

const (
	maxTrusted  = 20_000
	maxTrustKey = 2048
	maxNote     = 500
)

func (d *Directory) all() map[Trusted]TrustedEntry {
	if d == nil {
		return nil
	}
	return d.entries
}

// Has says whether a value is trusted as a sink of a kind.
func (d *Directory) Has(t Trusted) bool {
	_, ok := d.all()[t]
	return ok
}

// List is the directory, by kind and value.
func (d *Directory) List() []TrustedEntry {
	return slices.SortedFunc(maps.Values(d.all()), func(a, b TrustedEntry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
}

// Trusted is the trusted directory as it is now.
func (s *Sessions) Trusted(ctx context.Context) (*Directory, error) {
	h, _, err := s.memory.get(ctx, name{kind: trust})
	d, _ := h.value.(*Directory)
	return d, err
}

// Trust adds a value to the trusted directory. by is who does it, decision the
// receipt that let them. It fails with aims.Conflict when the value is there.
func (s *Sessions) Trust(ctx context.Context, by aims.Actor, decision string, t Trusted, note string) error {
	t.Value = provenance.Canonical(t.Value)
	switch {
	case !slices.Contains(SinkKinds(), t.Kind):
		return aims.Errorf(aims.Invalid, nil, "%q is no kind of sink; expected one of %s", t.Kind, strings.Join(SinkKinds(), ", "))
	case t.Value == "":
		return aims.Errorf(aims.Invalid, nil, "the value is empty or cannot be compared by the letter")
	case len(t.Value) > maxTrustKey:
		return aims.Errorf(aims.Invalid, nil, "a trusted value has at most %d bytes", maxTrustKey)
	case len(note) > maxNote:
		return aims.Errorf(aims.Invalid, nil, "the note has more than %d bytes", maxNote)
	}
	return s.changeTrust(ctx, by, decision, "trust.added", t, func(next map[Trusted]TrustedEntry, now time.Time) error {
		if _, there := next[t]; there {
			return aims.Errorf(aims.Conflict, nil, "this value is trusted already")
		}
		if len(next) >= maxTrusted {
			return aims.Errorf(aims.Exhausted, nil, "the trusted directory has %d entries, at most %d", len(next), maxTrusted)
		}
		next[t] = TrustedEntry{Trusted: t, Note: note, By: by, Added: now}
		return nil
	})
}

// Distrust takes a value out of the trusted directory. It fails with
// aims.NotFound when it is not there.
func (s *Sessions) Distrust(ctx context.Context, by aims.Actor, decision string, t Trusted) error {
	t.Value = provenance.Canonical(t.Value)
	return s.changeTrust(ctx, by, decision, "trust.removed", t, func(next map[Trusted]TrustedEntry, _ time.Time) error {
		if _, there := next[t]; !there {
			return aims.Errorf(aims.NotFound, nil, "this value is not in the trusted directory")
		}
		delete(next, t)
		return nil
	})
}

func (s *Sessions) changeTrust(ctx context.Context, by aims.Actor, decision, event string, t Trusted, change func(map[Trusted]TrustedEntry, time.Time) error) error {
	_, err := s.ledger.Beside(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		h, err := s.memory.at(name{kind: trust})
		if err != nil {
			return ledger.Entry{}, err
		}
		d, _ := h.value.(*Directory)
		next := maps.Clone(d.all())
		if next == nil {
			next = map[Trusted]TrustedEntry{}
		}
		if err := change(next, tx.Now.UTC().Truncate(time.Microsecond)); err != nil {
			return ledger.Entry{}, err
		}
		s.memory.set(name{kind: trust}, &Directory{next})
		return trustEvent(by, decision, event, t)
	})
	return err
}

// trustEvent has the value, which may be somebody's address, beside the log only.
func trustEvent(by aims.Actor, decision, event string, t Trusted) (ledger.Entry, error) {
	detail, err := json.Marshal(map[string]string{"kind": t.Kind})
	if err != nil {
		return ledger.Entry{}, err
	}
	return entryOf(receipt.Event{
		Actor: receipt.Party(by), Name: event, Object: receipt.Object{Type: "trust", ID: t.Kind}, Decision: decision, Detail: detail,
	}, []byte(t.Value))
}

// entryOf is the entry of an event, with content that lies beside the log; nil for none.
func entryOf(e receipt.Event, content []byte) (ledger.Entry, error) {
	e.ID = aims.NewID("rcp")
	entry := ledger.Entry{Kind: receipt.EventKind}
	if content != nil {
		var salt receipt.Salt
		rand.Read(salt[:]) // it never fails; without randomness the process ends
		e.Input = salt.Digest(content)
		entry.Payloads = []ledger.Payload{{Name: receipt.InputPayload, Salt: salt, Data: content}}
	}
	var err error
	entry.Body, err = receipt.Encode(&e)
	return entry, err
}
