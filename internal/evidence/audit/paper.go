package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// paperKind says what a work paper is.
type paperKind string

const (
	testedPaper  paperKind = "tested"
	sampledPaper paperKind = "sampled"
	judgedPaper  paperKind = "judged"
	foundPaper   paperKind = "found"
	frozenPaper  paperKind = "frozen"
)

// The events of audits and reviews.
const (
	TestedEvent  = "audit.tested"
	SampledEvent = "audit.sampled"
	JudgedEvent  = "audit.judged"
	FoundEvent   = "audit.found"
	FrozenEvent  = "review.frozen"
)

func (k paperKind) event() (name, object string) {
	switch k {
	case testedPaper:
		return TestedEvent, "audit"
	case sampledPaper:
		return SampledEvent, "audit"
	case judgedPaper:
		return JudgedEvent, "audit"
	case foundPaper:
		return FoundEvent, "audit"
	}
	return FrozenEvent, "management_review"
}

// Paper is where a work paper stands.
type Paper struct {
	Receipt string    `json:"receipt"`
	Entry   uint64    `json:"entry"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// stored is a work paper as it is kept.
type stored struct {
	Paper
	Kind    paperKind
	Subject string
	Item    string
	Content []byte
}

// draft is a work paper that is to be kept: detail goes into the log, content
// beside it.
type draft struct {
	kind            paperKind
	subject, item   string
	detail, content any
}

// keep stores work papers with their receipts in one transaction. may, when it
// is there, is asked in it and takes everything back.
func (a *Audits) keep(ctx context.Context, by By, may func(*store.Tx) error, drafts ...draft) ([]Paper, error) {
	var papers []Paper
	_, err := a.p.Ledger.ChangeAt(ctx, func(tx *store.Tx, at ledger.Ref) (entry ledger.Entry, err error) {
		if may != nil {
			if err := may(tx); err != nil {
				return entry, err
			}
		}
		papers = nil
		var entries []ledger.Entry
		for i, d := range drafts {
			p := Paper{Receipt: aims.NewID("rcp"), Entry: at.Index + uint64(i), By: by.ID, At: at.Time.UTC()}
			content, err := json.Marshal(d.content)
			if err != nil {
				return entry, err
			}
			one, err := d.entry(by, p.Receipt, content)
			if err != nil {
				return entry, err
			}
			if err := insertPaper(tx, p, d, content); err != nil {
				return entry, err
			}
			papers, entries = append(papers, p), append(entries, one)
		}
		entry = entries[0]
		entry.Then = entries[1:]
		return entry, nil
	})
	return papers, failed(err, "the work paper could not be stored: it does not count")
}

func insertPaper(tx *store.Tx, p Paper, d draft, content []byte) error {
	_, err := tx.Exec(`INSERT INTO audit_paper (receipt, entry, kind, subject, item, person, at, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		p.Receipt, int64(p.Entry), string(d.kind), d.subject, d.item, p.By, p.At.UnixMicro(), content)
	return err
}

func (d draft) entry(by By, id string, content []byte) (ledger.Entry, error) {
	name, object := d.kind.event()
	e := receipt.Event{ID: id, Actor: receipt.Party(by.Actor), Name: name, Decision: by.Decision, Object: receipt.Object{Type: object, ID: d.subject}}
	var err error
	if e.Detail, err = json.Marshal(d.detail); err != nil {
		return ledger.Entry{}, err
	}
	p := ledger.Payload{Name: receipt.InputPayload, Data: content}
	rand.Read(p.Salt[:]) // it never fails; without randomness the process ends
	e.Input = p.Salt.Digest(p.Data)
	body, err := receipt.Encode(e)
	return ledger.Entry{Kind: receipt.EventKind, Body: body, Payloads: []ledger.Payload{p}}, err
}

// papers are those of an audit or a review up to a time, oldest first; of all
// when subject is empty.
func (a *Audits) papers(ctx context.Context, subject string, at time.Time) ([]stored, error) {
	last := int64(1<<63 - 1)
	if !at.IsZero() {
		last = at.UnixMicro()
	}
	var list []stored
	err := a.p.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT receipt, entry, kind, subject, item, person, at, content FROM audit_paper
WHERE (subject = $1 OR $2 = '') AND at <= $3 ORDER BY entry`, subject, subject, last)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p stored
			var entry, when int64
			if err := rows.Scan(&p.Receipt, &entry, &p.Kind, &p.Subject, &p.Item, &p.By, &when, &p.Content); err != nil {
				return err
			}
			p.Entry, p.At = uint64(entry), time.UnixMicro(when).UTC()
			list = append(list, p)
		}
		return rows.Err()
	})
	return list, failed(err, "the work papers could not be read")
}
