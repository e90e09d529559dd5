package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"aims/internal/aims"
	"aims/internal/assessment"
	"aims/internal/enforcement"
	"aims/internal/inventory"
	"aims/internal/policy/bundle"
	"aims/internal/rehearsal/stage"
)

// Rehearsal is what is rehearsed.
type Rehearsal struct {
	Scenarios []Scenario
	Threats   []assessment.Threat
	// Bundle is the policies that are rehearsed.
	Bundle *bundle.Bundle
	// Tools are those that the bundle's policies are about, by server, beside
	// the tools of the scenarios.
	Tools map[string][]inventory.Tool
	// Content labels what results hold, as in live traffic; nil for nothing.
	Content func([]byte) []string
	// Progress is told how many are played; nil for nobody.
	Progress func(played, of int)
}

// Result is what became of one scenario.
type Result struct {
	assessment.Trial
	Title    string       `json:"title"`
	OWASP    string       `json:"owasp"`
	ATLAS    []string     `json:"atlas"`
	Adaptive string       `json:"adaptive,omitempty"`
	Steps    []StepResult `json:"steps"`

	rules []string // the ids of the policies in force when it began
}

// Report is the result of a rehearsal (ISO 42001 A.6.2.4).
type Report struct {
	// Bundle is the digest of the policies that were rehearsed, Library that of the scenarios.
	Bundle  string `json:"bundle"`
	Library string `json:"library"`
	// Scenarios is how many were played, AsExpected how many ended as they say.
	Scenarios  int `json:"scenarios"`
	AsExpected int `json:"as_expected"`
	// Attacks is how many acts of attackers there were, Stopped how many were denied or held.
	Attacks  int                   `json:"attacks"`
	Stopped  int                   `json:"stopped"`
	Results  []Result              `json:"results"`
	Residual []assessment.Residual `json:"residual"`
}

// Rehearse plays every scenario on a stage of its own. An error means that
// one could not be played; the policies are then not judged.
func Rehearse(ctx context.Context, r Rehearsal) (Report, error) {
	w, err := readWorld()
	if err != nil {
		return Report{}, err
	}
	results := make([]Result, len(r.Scenarios))
	failures := make([]error, len(r.Scenarios))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan int)
	var mu sync.Mutex
	var playing sync.WaitGroup
	played := 0
	for range runtime.GOMAXPROCS(0) {
		playing.Go(func() {
			for i := range queue {
				results[i], failures[i] = r.play(ctx, w, r.Scenarios[i])
				if failures[i] != nil {
					cancel()
				}
				mu.Lock()
				played++
				if r.Progress != nil {
					r.Progress(played, len(r.Scenarios))
				}
				mu.Unlock()
			}
		})
	}
	for i := range r.Scenarios {
		queue <- i
	}
	close(queue)
	playing.Wait()
	for i, err := range failures {
		if err != nil && !errors.Is(err, context.Canceled) {
			return Report{}, unplayable(r.Scenarios[i], err)
		}
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	return r.report(results), nil
}

func unplayable(s Scenario, err error) error {
	return aims.Errorf(aims.Invalid, err, "the scenario %s cannot be played", s.Name)
}

// play plays one scenario.
func (r Rehearsal) play(ctx context.Context, w world, sc Scenario) (result Result, err error) {
	result = Result{
		Trial: assessment.Trial{Scenario: sc.Name, Threat: sc.Threat, AsExpected: true},
		Title: sc.Title, OWASP: sc.OWASP(), ATLAS: sc.ATLAS, Adaptive: sc.Adaptive,
	}
	s, err := stage.Open(ctx, enforcement.Options{Content: r.Content})
	if err != nil {
		return result, err
	}
	defer func() {
		if closing := s.Discard(context.WithoutCancel(ctx)); err == nil {
			err = closing
		}
	}()
	w = w.with(sc.World)
	if err := w.set(ctx, s); err != nil {
		return result, err
	}
	for _, server := range slices.Sorted(maps.Keys(r.Tools)) {
		if _, err := s.ObserveTools(ctx, server, r.Tools[server]); err != nil {
			return result, err
		}
	}
	rules, err := with(r.Bundle, "scenario-world.cedar", w.Policies+"\n"+sc.World.Permit)
	if err != nil {
		return result, err
	}
	if err := s.Activate(ctx, rules); err != nil {
		return result, err
	}
	for _, rule := range s.Policies.Active().Rules() {
		result.rules = append(result.rules, rule.Policy)
	}
	one := &run{s: s, w: w, sc: sc, rules: rules}
	if err := one.perform(ctx); err != nil {
		return result, err
	}
	result.judge(one.results)
	return result, nil
}

func (r *Result) judge(steps []StepResult) {
	r.Steps = steps
	for _, s := range steps {
		if !s.AsExpected() {
			r.AsExpected = false
		}
		if !s.Attack {
			continue
		}
		r.Attacks++
		if s.Got != Allowed {
			r.Stopped++
		}
	}
}

func (r Rehearsal) report(results []Result) Report {
	report := Report{Bundle: r.Bundle.Digest, Library: libraryDigest(r.Scenarios), Scenarios: len(results), Results: results}
	trials := make([]assessment.Trial, len(results))
	var rules []string
	for i, result := range results {
		trials[i] = result.Trial
		report.Attacks += result.Attacks
		report.Stopped += result.Stopped
		if result.AsExpected {
			report.AsExpected++
		}
		rules = append(rules, result.rules...)
	}
	report.Residual = assessment.ResidualRisk(r.Threats, trials, rules)
	return report
}

// libraryDigest names the scenarios that were played.
func libraryDigest(list []Scenario) string {
	h := sha256.New()
	for _, s := range list {
		fmt.Fprintf(h, "%s %d\n", s.Name, len(s.text))
		h.Write(s.text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
