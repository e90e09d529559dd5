package corrective

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Concern is what somebody is worried about, with the answer (ISO 42001 A.3.3,
// A.8.3). What people wrote is in the words of its steps and nowhere else.
type Concern struct {
	Head
	// Reporter is who raised it; nil for nobody who is known.
	Reporter  *aims.Actor `json:"reporter,omitempty" doc:"absent: anonymous"`
	Category  Category    `json:"category,omitempty"`
	Handler   string      `json:"handler,omitempty" doc:"id of the person who deals with it"`
	Dismissed bool        `json:"dismissed,omitempty" doc:"closed without an answer"`
	// Reported, Acknowledged and Answered are when that happened last.
	Acknowledged *time.Time `json:"acknowledged,omitempty"`
	Answered     *time.Time `json:"answered,omitempty"`
	// Supplemented is when the reporter added something last.
	Supplemented *time.Time `json:"supplemented,omitempty"`
	token        string
}

// Category is what a concern is about.
type Category string

// The categories of a concern.
const (
	Safety     Category = "safety"
	Fairness   Category = "fairness"
	Privacy    Category = "privacy"
	Security   Category = "security"
	Misuse     Category = "misuse"
	Compliance Category = "obligations"
	OtherTopic Category = "other"
)

// What the steps of a concern say: nothing that leads to a person who did not
// say who they are.
type (
	concernChange struct {
		Anonymous bool `json:"anonymous,omitempty"`
		// Token is the digest of the token by which the reporter follows it.
		Token string `json:"token"`
	}
	triagedChange struct {
		Category Category `json:"category"`
		Handler  string   `json:"handler"`
	}
)

func (c *Concern) kind() Kind     { return ConcernKind }
func (c *Concern) head() *Head    { return &c.Head }
func (c *Concern) life() machine  { return lifeOf(ConcernKind, "") }
func (c *Concern) keys() caseKeys { return caseKeys{token: c.token} }

func (c *Concern) apply(s CaseStep) error {
	at := s.At
	switch s.Event {
	case WasReported:
		return said(s, func(r concernChange) {
			c.token = r.Token
			if !r.Anonymous {
				c.Reporter = &s.By
			}
		})
	case WasSupplemented:
		c.Supplemented = &at
	case WasAcknowledged:
		c.Acknowledged = &at
	case WasTriaged:
		return said(s, func(t triagedChange) { c.Category, c.Handler = t.Category, t.Handler })
	case WasAnswered:
		c.Answered = &at
	case WasClosed:
		c.Dismissed = c.Answered == nil
	}
	return nil
}

func (c *Concern) duties(o Options) []Duty {
	switch c.State {
	case Reported:
		return []Duty{{ConcernKind, c.ID, "acknowledgement", c.Handler, c.Opened.Add(o.AcknowledgeWithin)}}
	case Acknowledged, Triaged:
		since := c.Opened
		if c.Answered != nil && c.Supplemented != nil {
			since = *c.Supplemented
		}
		return []Duty{{ConcernKind, c.ID, "answer", c.Handler, since.Add(o.AnswerWithin)}}
	}
	return nil
}

// tokenPrefix says what a token is for.
const tokenPrefix = "concern_"

func tokenDigest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// door lets in so many callers an hour who do not say who they are. It does not
// tell them apart, because then it would have to know them.
type door struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

func (d *door) enter(now time.Time, perHour int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.IsZero() {
		d.left = float64(perHour)
	} else if gone := now.Sub(d.at).Hours(); gone > 0 {
		d.left = min(float64(perHour), d.left+gone*float64(perHour))
	}
	d.at = now
	if d.left < 1 {
		return false
	}
	d.left--
	return true
}

func (c *Corrective) enter() error {
	if !c.door.enter(c.o.Now(), c.o.AnonymousPerHour) {
		return aims.Errorf(aims.Exhausted, nil, "too many reports without a name in the last hour; try later")
	}
	return nil
}

// ReportConcern takes a concern, and returns the token by which whoever has it
// follows and supplements the concern. It is stored nowhere.
func (c *Corrective) ReportConcern(ctx context.Context, by By, text string) (Concern, string, error) {
	return c.report(ctx, by, false, text)
}

// ReportAnonymously takes a concern of somebody who does not say who they are.
// It fails with aims.Denied where the operator does not have it, and with
// aims.Exhausted when there are too many.
func (c *Corrective) ReportAnonymously(ctx context.Context, text string) (Concern, string, error) {
	if !c.o.Anonymous {
		return Concern{}, "", aims.Errorf(aims.Denied, nil, "this installation takes concerns with a key only")
	}
	if err := needed("text", text); err != nil {
		return Concern{}, "", err
	}
	if err := c.enter(); err != nil {
		return Concern{}, "", err
	}
	return c.report(ctx, By{Actor: aims.System}, true, text)
}

func (c *Corrective) report(ctx context.Context, by By, anonymous bool, text string) (Concern, string, error) {
	if err := needed("text", text); err != nil {
		return Concern{}, "", err
	}
	token := tokenPrefix + rand.Text() + rand.Text()
	var out Concern
	err := c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		concern := &Concern{Head: Head{ID: aims.NewID(ConcernKind.prefix())}}
		entry, err := c.put(tx, concern, draft{WasReported, by, concernChange{anonymous, tokenDigest(token)}, words("text", text)})
		out = *concern
		return []ledger.Entry{entry}, err
	})
	if err != nil {
		return Concern{}, "", err
	}
	return out, token, nil
}

// Follow is a concern as whoever has its token may see it: what they wrote and
// what they were told. It fails with aims.NotFound for a token that is none.
func (c *Corrective) Follow(ctx context.Context, token string) (Concern, error) {
	var found *Concern
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		id, err := byToken(tx, tokenDigest(token))
		if err != nil {
			return err
		}
		if id == "" {
			return aims.Errorf(aims.NotFound, nil, "no concern has this token")
		}
		found, err = load[Concern](tx, c.o, id, time.Time{})
		return err
	})
	if err != nil {
		return Concern{}, failed(err, "the concern could not be read")
	}
	if err := c.recall(ctx, &found.Head); err != nil {
		return Concern{}, err
	}
	found.shown()
	return *found, nil
}

// shown leaves of a concern what its reporter may see: nothing of who deals
// with it and how.
func (c *Concern) shown() {
	c.Handler, c.Owner, c.Category = "", "", ""
	var steps []CaseStep
	for _, s := range c.Steps {
		if s.Event == WasTriaged {
			continue
		}
		steps = append(steps, CaseStep{Number: s.Number, Event: s.Event, At: s.At, State: s.State, Words: s.Words, Erased: s.Erased})
	}
	c.Steps = steps
}

// Supplement adds to a concern what whoever has its token writes. Nobody is
// named, whoever raised it.
func (c *Corrective) Supplement(ctx context.Context, token, text string) (Concern, error) {
	if err := needed("text", text); err != nil {
		return Concern{}, err
	}
	found, err := c.Follow(ctx, token)
	if err != nil {
		return Concern{}, err
	}
	if err := c.enter(); err != nil {
		return Concern{}, err
	}
	if _, err = c.concernStep(ctx, found.ID, draft{WasSupplemented, By{Actor: aims.System}, nil, words("text", text)}); err != nil {
		return Concern{}, err
	}
	return c.Follow(ctx, token)
}

func (c *Corrective) concernStep(ctx context.Context, id string, d draft) (Concern, error) {
	return step(ctx, c, id, func(on *Concern, _ time.Time) (draft, error) {
		if d.by.Actor != aims.System && on.Reporter != nil && *on.Reporter == d.by.Actor {
			return draft{}, aims.Errorf(aims.Denied, nil, "you raised %s: somebody else must deal with it", on.ID)
		}
		return d, nil
	})
}

// Acknowledge tells the reporter that the concern was read.
func (c *Corrective) Acknowledge(ctx context.Context, by By, id, text string) (Concern, error) {
	return c.concernStep(ctx, id, draft{WasAcknowledged, by, nil, words("text", text)})
}

// Triage says what a concern is about and who deals with it.
func (c *Corrective) Triage(ctx context.Context, by By, id string, category Category, handler, note string) (Concern, error) {
	err := first(among("category", category, Safety, Fairness, Privacy, Security, Misuse, Compliance, OtherTopic), isPerson("handler", handler))
	if err != nil {
		return Concern{}, err
	}
	return step(ctx, c, id, func(on *Concern, _ time.Time) (draft, error) {
		for _, who := range []string{handler, by.ID} {
			if on.Reporter != nil && on.Reporter.ID == who {
				return draft{}, aims.Errorf(aims.Denied, nil, "%s raised %s: somebody else must deal with it", who, on.ID)
			}
		}
		return draft{WasTriaged, by, triagedChange{category, handler}, words("note", note)}, nil
	})
}

// Answer tells the reporter what came of the concern.
func (c *Corrective) Answer(ctx context.Context, by By, id, text string) (Concern, error) {
	if err := needed("text", text); err != nil {
		return Concern{}, err
	}
	return c.concernStep(ctx, id, draft{WasAnswered, by, nil, words("text", text)})
}

// CloseConcern ends a concern. One that was not answered is dismissed, with a
// reason, which the reporter sees.
func (c *Corrective) CloseConcern(ctx context.Context, by By, id, reason string) (Concern, error) {
	return step(ctx, c, id, func(on *Concern, _ time.Time) (draft, error) {
		if on.Reporter != nil && *on.Reporter == by.Actor {
			return draft{}, aims.Errorf(aims.Denied, nil, "you raised %s: somebody else must deal with it", on.ID)
		}
		if on.State != Answered {
			if err := needed("reason", reason); err != nil {
				return draft{}, err
			}
		}
		return draft{WasClosed, by, nil, words("text", reason)}, nil
	})
}
