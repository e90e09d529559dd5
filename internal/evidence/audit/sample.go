package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/sample"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/receipt"
)

// Query says which population a sample is of.
type Query struct {
	// Kind is decisions, approvals, gates or changes.
	Kind string `json:"kind" enum:"decisions,approvals,gates,changes"`
	// Agent, Tool (server___tool) and Verdict, where they are given, are what the
	// items have. The verdict of a gate is passed or failed.
	Agent   string `json:"agent,omitempty"`
	Tool    string `json:"tool,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	// From and Until bound their time; the audit's period when absent.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// The kinds of population.
const (
	ofDecisions = "decisions"
	ofApprovals = "approvals"
	ofGates     = "gates"
	ofChanges   = "changes"
)

// String says what is looked for.
func (q Query) String() string {
	text := map[string]string{
		ofDecisions: "decisions about calls of agents", ofApprovals: "requests for approval",
		ofGates: "evaluations of the gate of deployment", ofChanges: "changes of the registers",
	}[q.Kind]
	for _, f := range [][2]string{{"agent", q.Agent}, {"tool", q.Tool}, {"verdict", q.Verdict}} {
		if f[1] != "" {
			text += fmt.Sprintf(", %s %s", f[0], f[1])
		}
	}
	return fmt.Sprintf("%s, from %s to before %s", text, q.From.UTC().Format(time.RFC3339), q.Until.UTC().Format(time.RFC3339))
}

// Sample is a sample for people, with what they found.
type Sample struct {
	ID    string `json:"id"`
	Query Query  `json:"query"`
	// Text is the query in words; Population how many items there are, Digest the
	// SHA-256 of their ids, one per line, in the order of the log of Size entries.
	Text       string `json:"text"`
	Population uint64 `json:"population"`
	Digest     string `json:"digest"`
	Size       uint64 `json:"size"`
	Seed       string `json:"seed"`
	// Given: the seed was given by the auditor. Otherwise it is the newest
	// checkpoint, which nobody chose for the items that it draws.
	Given  bool   `json:"given"`
	Method string `json:"method"`
	Items  []Item `json:"items"`
	Paper  *Paper `json:"paper,omitempty"`
}

// Item is one item of a sample.
type Item struct {
	Index   uint64    `json:"index"`
	Receipt string    `json:"receipt"`
	At      time.Time `json:"at"`
	Agent   string    `json:"agent,omitempty"`
	Action  string    `json:"action,omitempty"`
	Verdict string    `json:"verdict,omitempty"`
	// Result is what a person found, the newest; nil for nothing yet.
	Result *Judgement `json:"result,omitempty"`
}

// Judgement is what a person found of an item.
type Judgement struct {
	Sample   string `json:"sample"`
	Item     string `json:"item"`
	Conforms bool   `json:"conforms"`
	Note     string `json:"note,omitempty"`
	Paper    *Paper `json:"paper,omitempty"`
}

const (
	// UsualItems and MostItems are how many items a sample has when nobody says,
	// and at most.
	UsualItems = 25
	MostItems  = 1000
	maxSeed    = 200
	maxNote    = 4000
)

// Draw draws a sample for an audit and keeps it as a work paper. n is how many
// items, 0 for UsualItems; without a seed it is the newest checkpoint. It fails
// as Run does.
func (a *Audits) Draw(ctx context.Context, by By, id string, q Query, n int, seed string, progress Progress) (Sample, error) {
	_, x, err := a.permitted(ctx, by, id)
	if err != nil {
		return Sample{}, err
	}
	if q, n, err = settled(q, n, x); err != nil {
		return Sample{}, err
	}
	if len(seed) > maxSeed || !utf8.ValidString(seed) || strings.ContainsAny(seed, "\r\n") {
		return Sample{}, aims.Errorf(aims.Invalid, nil, "the seed has %d bytes; expected one line of at most %d", len(seed), maxSeed)
	}
	s := Sample{ID: aims.NewID("smp"), Query: q, Text: q.String(), Seed: seed, Given: seed != ""}
	if seed == "" {
		if s.Seed, err = a.checkpointSeed(ctx); err != nil {
			return Sample{}, err
		}
	}
	s.Size = a.p.Ledger.Size()
	if err := a.draw(ctx, &s, n, progress); err != nil {
		return Sample{}, err
	}
	detail := struct {
		Sample     string `json:"sample"`
		Query      Query  `json:"query"`
		Population uint64 `json:"population"`
		Digest     string `json:"digest"`
		Size       uint64 `json:"size"`
		Seed       string `json:"seed"`
		Items      int    `json:"items"`
	}{s.ID, q, s.Population, s.Digest, s.Size, s.Seed, len(s.Items)}
	papers, err := a.keep(ctx, by, nil, draft{kind: sampledPaper, subject: id, item: s.ID, detail: detail, content: s})
	if err != nil {
		return Sample{}, err
	}
	s.Paper = &papers[0]
	return s, nil
}

func settled(q Query, n int, x record.Audit) (Query, int, error) {
	if !slices.Contains([]string{ofDecisions, ofApprovals, ofGates, ofChanges}, q.Kind) {
		return q, n, aims.Errorf(aims.Invalid, nil, "there is no population %.40q; expected decisions, approvals, gates or changes", q.Kind)
	}
	from, until, err := Bounds(x)
	if err != nil {
		return q, n, err
	}
	if q.From.IsZero() {
		q.From = from
	}
	if q.Until.IsZero() {
		q.Until = until
	}
	if !q.From.Before(q.Until) {
		return q, n, aims.Errorf(aims.Invalid, nil, "the period ends at %s, before it begins", q.Until.UTC().Format(time.RFC3339))
	}
	if n == 0 {
		n = UsualItems
	}
	if n < 1 || n > MostItems {
		return q, n, aims.Errorf(aims.Invalid, nil, "a sample of %d items; expected 1 to %d", n, MostItems)
	}
	return q, n, nil
}

// checkpointSeed is the newest checkpoint: its size and root.
func (a *Audits) checkpointSeed(ctx context.Context) (string, error) {
	signed, err := a.p.Ledger.Checkpoint(ctx)
	if err != nil {
		return "", err
	}
	cp, err := a.p.Trust.Open(signed)
	if err != nil {
		return "", aims.Errorf(aims.Unavailable, err, "the newest checkpoint is not signed by this log's key")
	}
	return fmt.Sprintf("checkpoint %d %x", cp.Size, cp.Root[:]), nil
}

// draw finds the population in the log of the sample's size, and its items.
func (a *Audits) draw(ctx context.Context, s *Sample, n int, progress Progress) error {
	drawn := sample.New(s.Seed, n)
	for leaf, err := range a.p.Ledger.Entries(ctx, 0, s.Size) {
		if err != nil {
			return failed(err, "the log cannot be read to its end: verify it")
		}
		if leaf.Index%4096 == 0 {
			progress.at(leaf.Index, s.Size)
		}
		if leaf.Time.Before(s.Query.From) || !leaf.Time.Before(s.Query.Until) {
			continue
		}
		if item, ok := s.Query.item(leaf); ok {
			drawn.Offer(sample.Item{Index: leaf.Index, ID: item.Receipt, Body: leaf.Raw})
		}
	}
	s.Population, s.Digest, s.Method, s.Items = drawn.Population(), drawn.Digest(), drawn.Method(), []Item{}
	for _, d := range drawn.Items() {
		header, body, err := receipt.ParseLeaf(d.Body)
		if err != nil {
			return failed(err, "an entry of the log cannot be read: verify the log")
		}
		if item, ok := s.Query.item(ledger.Leaf{Header: header, Body: body}); ok {
			s.Items = append(s.Items, item)
		}
	}
	return nil
}

// item is an entry as an item of the population, if it is one.
func (q Query) item(leaf ledger.Leaf) (Item, bool) {
	if (leaf.Kind == receipt.EventKind) == (q.Kind == ofDecisions) || leaf.Kind == receipt.OutcomeKind {
		return Item{}, false
	}
	var b struct {
		ID      string         `json:"id"`
		Actor   receipt.Party  `json:"actor"`
		Action  string         `json:"action"`
		Verdict string         `json:"verdict"`
		Name    string         `json:"name"`
		Object  receipt.Object `json:"object"`
		Detail  struct {
			Action string `json:"action"`
			Passed bool   `json:"passed"`
		} `json:"detail"`
	}
	if json.Unmarshal(leaf.Body, &b) != nil || b.ID == "" {
		return Item{}, false // the test of integrity names it
	}
	i := Item{Index: leaf.Index, Receipt: b.ID, At: leaf.Time, Agent: b.Actor.ID, Action: b.Action, Verdict: b.Verdict}
	switch {
	case q.Kind == ofDecisions && b.Actor.Type == aims.AgentType && b.Action != "":
	case q.Kind == ofApprovals && b.Name == "approval.requested":
		i.Action = b.Detail.Action
	case q.Kind == ofGates && b.Name == "gate.evaluated":
		i.Agent, i.Verdict = b.Object.ID, "failed"
		if b.Detail.Passed {
			i.Verdict = "passed"
		}
	case q.Kind == ofChanges && b.Name == "register.changed":
		i.Agent, i.Action = "", "change by "+b.Actor.ID
	default:
		return i, false
	}
	return i, (q.Agent == "" || q.Agent == i.Agent) && (q.Tool == "" || q.Tool == i.Action) && (q.Verdict == "" || q.Verdict == i.Verdict)
}

// Judge keeps what a person found of an item of the newest sample that has it.
// An auditor does not judge an agent that they answer for (aims.Denied). What was
// found before stays a work paper; the newest counts.
func (a *Audits) Judge(ctx context.Context, by By, id, item string, conforms bool, note string) (Judgement, error) {
	state, _, err := a.permitted(ctx, by, id)
	if err != nil {
		return Judgement{}, err
	}
	note = strings.TrimSpace(note)
	if len(note) > maxNote || !utf8.ValidString(note) || !conforms && note == "" {
		return Judgement{}, aims.Errorf(aims.Invalid, nil, "the note has %d bytes; expected text of at most %d, and some for an exception", len(note), maxNote)
	}
	samples, err := a.samples(ctx, id, time.Time{})
	if err != nil {
		return Judgement{}, err
	}
	for _, s := range slices.Backward(samples) {
		i := slices.IndexFunc(s.Items, func(i Item) bool { return i.Receipt == item })
		if i < 0 {
			continue
		}
		if err := a.unowned(ctx, state, by.ID, s.Items[i]); err != nil {
			return Judgement{}, err
		}
		j := Judgement{Sample: s.ID, Item: item, Conforms: conforms, Note: note}
		detail := struct {
			Sample   string `json:"sample"`
			Item     string `json:"item"`
			Conforms bool   `json:"conforms"`
		}{s.ID, item, conforms}
		papers, err := a.keep(ctx, by, nil, draft{kind: judgedPaper, subject: id, item: item, detail: detail, content: j})
		if err != nil {
			return Judgement{}, err
		}
		j.Paper = &papers[0]
		return j, nil
	}
	return Judgement{}, aims.Errorf(aims.NotFound, nil, "no sample of %s has the item %.80q", id, item)
}

// unowned refuses an item about an agent that the person answers for: by the
// registers, and by what the log says of its registration.
func (a *Audits) unowned(ctx context.Context, s record.State, person string, i Item) error {
	owned := false
	if rec, ok := s.Registers.Get("agent", i.Agent); ok {
		owned = owns(rec, person)
	}
	err := a.look(ctx, func(f *observed.Facts) {
		if life := f.Lives[i.Agent]; life != nil && i.Agent != "" {
			owned = owned || life.Owner == person || life.Operator == person
		}
	})
	if err == nil && owned {
		err = aims.Errorf(aims.Denied, nil, "%s answers for the agent %s of this item: somebody else must look at it", person, i.Agent)
	}
	return err
}

// samples are those of an audit with their results, oldest first.
func (a *Audits) samples(ctx context.Context, id string, at time.Time) ([]Sample, error) {
	papers, err := a.papers(ctx, id, at)
	if err != nil {
		return nil, err
	}
	list := []Sample{}
	for _, p := range papers {
		switch p.Kind {
		case sampledPaper:
			var s Sample
			if err := json.Unmarshal(p.Content, &s); err != nil {
				return nil, damaged(p, err)
			}
			s.Paper = &p.Paper
			list = append(list, s)
		case judgedPaper:
			var j Judgement
			if err := json.Unmarshal(p.Content, &j); err != nil {
				return nil, damaged(p, err)
			}
			j.Paper = &p.Paper
			put(list, j)
		}
	}
	return list, nil
}

func put(list []Sample, j Judgement) {
	for _, s := range list {
		for i := range s.Items {
			if s.ID == j.Sample && s.Items[i].Receipt == j.Item {
				s.Items[i].Result = &j
			}
		}
	}
}

func damaged(p stored, cause error) error {
	return aims.Errorf(aims.Internal, cause, "the work paper %s is not what was kept: somebody changed the database", p.Receipt)
}
