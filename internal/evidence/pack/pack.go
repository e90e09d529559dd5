// Package pack is the audit pack: one file with the log of an installation up to
// the end of a period, and everything that follows from it: the registers, what
// is shown of each requirement, the statement of applicability, findings, a
// sample, and pages to read it without software (ISO 42001 9.2, 7.5.3).
//
// Whatever is not the log is derived from it by Derive, a pure function. Verify
// derives it again on the auditor's machine and compares, so that nothing in a
// pack has to be believed because of who made it.
package pack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
	"aims/pdp"
	"aims/receipt"
)

// Format names the form of packs that this program writes and reads.
const Format = "aims-pack/1"

// Request is what a pack is asked for.
type Request struct {
	// From and Until are the period: from the beginning of a day to the
	// beginning of the day after the last one, UTC.
	From, Until time.Time
	// For is the audit that it is made for, one of Occasions; empty for none.
	For string
}

// Occasions are the audits that a pack can be made for (ISO/IEC 17021-1).
func Occasions() []string { return []string{"stage1", "stage2", "surveillance"} }

// RequestError says what is wrong with what was asked for.
type RequestError struct{ Text string }

func (e *RequestError) Error() string { return e.Text }

// Check refuses a period that is none and an unknown occasion.
func (r Request) Check() error {
	if r.From.IsZero() || !r.From.Before(r.Until) {
		return &RequestError{fmt.Sprintf("a period ends after it begins; this one goes from %s to %s", r.From.Format(time.DateOnly), r.last())}
	}
	if r.For != "" && !slices.Contains(Occasions(), r.For) {
		return &RequestError{fmt.Sprintf("%q is no occasion; expected stage1, stage2 or surveillance", r.For)}
	}
	return nil
}

// Progress is told how far a long step is. Nil for nobody.
type Progress func(step string, done, of uint64)

func (p Progress) at(step string, done, of uint64) {
	if p != nil {
		p(step, done, of)
	}
}

// View is what follows from a log for a period.
type View struct {
	Request Request
	Origin  string
	// Size is the number of entries of the log that the pack holds; the first
	// End of them lie before the end of the period, and First is the first of
	// them that lies in it.
	Size, First, End uint64
	// Until is the end of the period, or the last entry's time when the log ends
	// before it.
	Until time.Time

	State     record.State
	Observed  *observed.Facts
	Statuses  []criteria.Status
	Statement soa.Statement
	Sample    Sample
	// Lost are register receipts whose content was erased: what the registers
	// held then cannot be derived.
	Lost []Lost
	// Own are the organisation's own criteria, which are not evaluated here.
	Own []string
}

// Lost is a change of the registers whose content was erased.
type Lost struct {
	Index   uint64 `json:"index"`
	Receipt string `json:"receipt"`
}

// payloads are those of some entries, by index.
type payloads func(context.Context, []uint64) (map[uint64][]byte, error)

// derive works out everything from the log as found by find and the content of
// its register receipts.
func derive(ctx context.Context, src receipt.Source, f *found, contentOf payloads, p Progress) (*View, error) {
	v := &View{Request: f.request, Origin: f.origin, Size: f.size, First: f.first, End: f.end, Until: f.until, Sample: f.sample.result(f)}
	var indexes []uint64
	for _, e := range f.registers {
		indexes = append(indexes, e.index)
	}
	contents, err := contentOf(ctx, indexes)
	if err != nil {
		return nil, err
	}
	if err := v.replay(f.registers, contents); err != nil {
		return nil, err
	}
	v.Observed = observed.New()
	if err := v.Observed.Fold(ctx, src, f.end, func(done uint64) { p.at("reading what the log shows", done, f.end) }); err != nil {
		return nil, err
	}
	return v, v.judge(ctx, src)
}

// replay brings the registers to the end of the period.
func (v *View) replay(events []registerEvent, contents map[uint64][]byte) error {
	for _, e := range events {
		content, kept := contents[e.index]
		if e.event.Input != "" && !kept {
			v.Lost = append(v.Lost, Lost{e.index, e.event.ID})
			continue
		}
		var err error
		if e.event.Name == changedEvent {
			err = v.State.ApplyChange(content, record.Version{By: e.event.Actor.ID, At: e.at.UnixMicro(), Index: e.index, Receipt: e.event.ID})
		} else {
			err = v.mark(e, content)
		}
		if err != nil && len(v.Lost) == 0 {
			return fmt.Errorf("entry %d: %w", e.index, err)
		}
		if err != nil {
			// It builds on what was erased.
			v.Lost = append(v.Lost, Lost{e.index, e.event.ID})
		}
	}
	return nil
}

func (v *View) mark(e registerEvent, content []byte) error {
	m, err := record.MarkOf(e.event.Detail)
	if err != nil {
		return err
	}
	m.By, m.At, m.Index, m.Receipt = e.event.Actor.ID, e.at.UnixMicro(), e.index, e.event.ID
	if len(content) > 0 {
		var said struct {
			Note string `json:"note"`
		}
		if err := json.Unmarshal(content, &said); err != nil {
			return fmt.Errorf("the note of a mark: %w", err)
		}
		m.Note = said.Note
	}
	return v.State.ApplyMark(m)
}

// judge evaluates the criteria and joins the statement of applicability.
func (v *View) judge(ctx context.Context, src receipt.Source) (err error) {
	v.Statuses, err = criteria.Evaluate(&criteria.Input{Registers: v.State, Observed: v.Observed, From: v.Request.From, Until: v.Until})
	if err != nil {
		return err
	}
	for _, c := range v.State.Registers.OwnCriteria {
		v.Own = append(v.Own, c.ID)
	}
	v.Statement, err = Statement(ctx, src, v.State, v.Observed, v.Statuses)
	return err
}

// Statement is the statement of applicability as registers, log and what is shown
// of the requirements give it at one moment.
func Statement(ctx context.Context, src receipt.Source, state record.State, facts *observed.Facts, statuses []criteria.Status) (soa.Statement, error) {
	rules, err := InForce(ctx, src, facts)
	if err != nil {
		return soa.Statement{}, err
	}
	return soa.Build(soa.Input{Registers: state, Statuses: statuses, InForce: rules})
}

// InForce are the rules of the policy sets that were last put in force in each
// environment, as the log says.
func InForce(ctx context.Context, src receipt.Source, facts *observed.Facts) ([]soa.Rule, error) {
	digests := map[string]string{}
	for _, a := range facts.Activations {
		digests[a.Environment] = a.Digest
	}
	var rules []soa.Rule
	done := map[string]bool{}
	for _, environment := range slices.Sorted(mapKeys(digests)) {
		digest := digests[environment]
		if done[digest] {
			continue
		}
		done[digest] = true
		text, err := src.Policy(ctx, digest)
		if err != nil {
			return nil, fmt.Errorf("the policy set %s, which is in force: %w", digest, err)
		}
		set, err := pdp.Compile(sources(text), text.Schema)
		if err != nil {
			return nil, fmt.Errorf("the policy set %s, which is in force: %w", digest, err)
		}
		for _, r := range set.Rules() {
			rules = append(rules, soa.Rule{ID: r.Policy, Policy: digest, Controls: r.Controls})
		}
	}
	return rules, nil
}

func sources(set receipt.PolicySet) []pdp.Source {
	out := make([]pdp.Source, len(set.Sources))
	for i, s := range set.Sources {
		out[i] = pdp.Source{Name: s.Name, Text: s.Text}
	}
	return out
}

// Compile is the decision point that decisions are made again with.
func Compile(set receipt.PolicySet) (string, receipt.Decider, error) {
	compiled, err := pdp.Compile(sources(set), set.Schema)
	if err != nil {
		return "", nil, err
	}
	return compiled.Digest(), compiled.Redecide, nil
}

// title is a requirement's title, for ids that are known.
func title(id string) string {
	r, err := iso42001.Get(id)
	if err != nil {
		return ""
	}
	return r.DisplayTitle
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
