package session

import (
	"slices"
	"time"

	"aims/internal/aims"
)

// Bounds of a run. One that reaches them is refused from then on: to forget a
// label or a tool would permit what a policy forbids.
const (
	maxTools      = 256
	maxLabels     = 128
	maxResults    = 4096
	maxUnreported = 64
	maxPrompts    = 256
)

// Key names a run: who acts, and the session that the enforcement point named;
// empty for the actor's default run.
type Key struct{ Actor, Session string }

// KeyOf is the key of an actor's run.
func KeyOf(a aims.Actor, session string) Key { return Key{a.String(), session} }

func (k Key) name() name { return name{runs, k.Actor, k.Session} }

// Run is what is known of a run at one place of the log: before the call that
// is decided there. It is never changed.
type Run struct {
	Key `json:"-"`
	// ID tells this run from an earlier one of the same name; empty as long as nothing is known.
	ID    string    `json:"-"`
	Began time.Time `json:"began"`
	// Changed is when the last receipt concerned it.
	Changed time.Time `json:"changed"`
	// Purpose and OnBehalfOf are as declared, empty where they were not.
	Purpose    string `json:"purpose,omitempty"`
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	// Parent is the receipt of the decision that delegated to this run.
	Parent string `json:"parent,omitempty"`
	// Chain are those that delegated, the nearest first.
	Chain []Delegator `json:"chain,omitempty"`
	// Labels of what it has read and Tools that it called, sorted.
	Labels []string `json:"labels,omitempty"`
	Tools  []string `json:"tools,omitempty"`
	// Calls of tools that were allowed, and Refusals that were denied.
	Calls    int64 `json:"calls,omitempty"`
	Refusals int64 `json:"refusals,omitempty"`
	// Prompts are the indexes of the receipts with the user's prompts.
	Prompts []int64 `json:"prompts,omitempty"`
	// Said marks every prompt that was declared, so that none counts twice.
	Said []string `json:"said,omitempty"`
	// Unreported are calls whose results do not pass here and are not reported yet.
	Unreported []Unreported `json:"unreported,omitempty"`
	// Overflow says that it has read more than is kept apart: any value may be from that.
	Overflow []string `json:"overflow,omitempty"`
	Full     string   `json:"full,omitempty"` // why it is refused

	Results []Result `json:"-"`
}

// Delegator is who delegated, in which session, in the roles of the decision that did it.
type Delegator struct {
	Actor   string   `json:"actor"`
	Session string   `json:"session,omitempty"`
	Run     string   `json:"run"` // the id of that run
	Roles   []string `json:"roles,omitempty"`
}

// Result is what the run has read in answer to one call.
type Result struct {
	// Receipt is the index of the receipt that has it, or unseen; Decision that
	// of the call which it answers, or unseen.
	Receipt  int64    `json:"r"`
	Decision int64    `json:"d"`
	Labels   []string `json:"l,omitempty"`
}

// Unreported is an allowed call whose result the caller gets elsewhere.
type Unreported struct {
	Decision int64    `json:"decision"`
	Labels   []string `json:"labels,omitempty"`
}

const (
	unseen    = -1 // its content is nowhere
	unsettled = -2 // the index of the receipt that is being made
)

// Depth is how often was delegated before this run came to act.
func (r *Run) Depth() int { return len(r.Chain) }

// Prompted says whether a prompt of the user is known.
func (r *Run) Prompted() bool { return len(r.Prompts) > 0 }

// next is a copy to be changed. What its slices hold is shared: they are
// appended to by the sequencer alone, or replaced.
func (r *Run) next(now time.Time) *Run {
	n := *r
	n.Changed = now
	if n.ID == "" {
		n.ID, n.Began = aims.NewID("run"), now
	}
	return &n
}

// settle fills in the index of the receipt that made this state.
func (r *Run) settle(index uint64) {
	if last := len(r.Results) - 1; last >= 0 && r.Results[last].Receipt == unsettled {
		r.Results[last].Receipt = int64(index)
	}
	if last := len(r.Unreported) - 1; last >= 0 && r.Unreported[last].Decision == unsettled {
		r.Unreported[last].Decision = int64(index)
	}
	if last := len(r.Prompts) - 1; last >= 0 && r.Prompts[last] == unsettled {
		r.Prompts[last] = int64(index)
	}
}

// label adds what was read.
func (r *Run) label(labels []string) {
	for _, l := range labels {
		at, found := slices.BinarySearch(r.Labels, l)
		if found {
			continue
		}
		if len(r.Labels) >= maxLabels {
			r.Full = "this run has read more kinds of labelled content than are kept apart: begin another one"
			return
		}
		r.Labels = slices.Insert(slices.Clone(r.Labels), at, l)
	}
}

// called counts a decided call of a tool.
func (r *Run) called(action string, allowed bool) {
	if !allowed {
		r.Refusals++
		return
	}
	r.Calls++
	at, found := slices.BinarySearch(r.Tools, action)
	if found {
		return
	}
	if len(r.Tools) >= maxTools {
		r.Full = "this run has called more different tools than are remembered: begin another one"
		return
	}
	r.Tools = slices.Insert(slices.Clone(r.Tools), at, action)
}

// acts notes that the caller of an allowed call acts by itself.
func (r *Run) acts(labels []string) {
	r.label(labels)
	if len(r.Unreported) < maxUnreported {
		r.Unreported = append(slices.Clip(r.Unreported), Unreported{unsettled, labels})
		return
	}
	r.overflow(labels)
}

// overflow remembers of a result no more than its labels.
func (r *Run) overflow(labels []string) {
	merged := slices.Concat(r.Overflow, labels, []string{""})
	slices.Sort(merged)
	r.Overflow = slices.Compact(merged)
}

// read notes a result. decision is that of the call; kept says whether the
// receipt that is being made has the content.
func (r *Run) read(decision uint64, labels []string, kept bool) {
	r.label(labels)
	for i, o := range r.Unreported {
		if o.Decision == int64(decision) {
			r.Unreported = slices.Concat(r.Unreported[:i], r.Unreported[i+1:])
			break
		}
	}
	if len(r.Results) >= maxResults {
		r.overflow(labels)
		return
	}
	result := Result{unseen, int64(decision), labels}
	if kept {
		result.Receipt = unsettled
	}
	r.Results = append(r.Results, result)
}

// idle says whether a run has ended by itself.
func (s *Sessions) idle(r *Run, now time.Time) bool {
	after := s.o.KeepNamed
	if r.Session == "" {
		after = s.o.DefaultEnds
	}
	return r.ID != "" && now.Sub(r.Changed) > after
}
