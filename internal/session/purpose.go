package session

import (
	"maps"
	"slices"
)

// The kinds of a Use beside the kinds of sinks.
const (
	ToolUse   = "tool"   // the action of a tool
	HostUse   = "host"   // the host of a URL
	DomainUse = "domain" // the part of a mail address behind the @
)

// Use is something that the work of a purpose used: a tool, the value of a sink,
// whatever the tool and the argument, or the place that a value leads to.
type Use struct {
	Kind, Value string
}

// Uses are those of one purpose of one agent, in calls that succeeded. They
// are never changed.
type Uses struct {
	base map[Use]used
	more []use // later ones, few; they go before those of base
	n    int
	// several says that two runs have used the same.
	several bool
	// merged counts how often base was replaced.
	merged int
}

// used says by which runs: a value counts only when several used it, so that one
// run that was led astray vouches for nothing.
type used struct {
	first string // run
	again bool   // and another one
}

type use struct {
	Use
	used
}

const (
	// maxUses bounds what is remembered of a purpose.
	maxUses = 20_000
	// maxMore bounds what is searched one by one.
	maxMore = 32
)

// Len is how many there are.
func (u *Uses) Len() int {
	if u == nil {
		return 0
	}
	return u.n
}

// Established says that the purpose has a history to compare with: two runs
// have done something alike. What one run does, the first or the present one, is
// not yet a habit.
func (u *Uses) Established() bool { return u != nil && u.several }

// Runs is how many runs used it: none, one, or two for several.
func (u *Uses) Runs(of Use) int {
	found, ok := u.find(of)
	switch {
	case !ok:
		return 0
	case found.again:
		return 2
	}
	return 1
}

func (u *Uses) find(of Use) (used, bool) {
	if u == nil {
		return used{}, false
	}
	for _, m := range u.more {
		if m.Use == of {
			return m.used, true
		}
	}
	found, ok := u.base[of]
	return found, ok
}

// with is u and what a run used, as far as there is room; u itself when that is nothing new.
func (u *Uses) with(run string, more []Use) *Uses {
	next := u
	for _, m := range more {
		before, known := next.find(m)
		switch {
		case !known && next.Len() < maxUses:
			next = next.put(use{m, used{first: run}})
		case known && !before.again && before.first != run:
			next = next.put(use{m, used{before.first, true}})
		}
	}
	return next
}

// put is u with one use that is new or was used otherwise.
func (u *Uses) put(m use) *Uses {
	next := &Uses{}
	if u != nil {
		*next = *u
	}
	if _, known := u.find(m.Use); !known {
		next.n++
	}
	next.several = next.several || m.again
	if i := slices.IndexFunc(next.more, func(o use) bool { return o.Use == m.Use }); i >= 0 {
		next.more = slices.Clone(next.more)
		next.more[i] = m
		return next
	}
	if len(next.more) == maxMore {
		base := make(map[Use]used, next.n)
		maps.Copy(base, next.base)
		for _, o := range next.more {
			base[o.Use] = o.used
		}
		next.base, next.more = base, nil
		next.merged++
	}
	next.more = append(next.more[:len(next.more):len(next.more)], m)
	return next
}

// since are those that before, from which u was made, does not have or has otherwise.
func (u *Uses) since(before *Uses) []use {
	var more []use
	if u == before {
		return nil
	}
	add := func(m use) {
		if old, had := before.find(m.Use); !had || old != m.used {
			more = append(more, m)
		}
	}
	for _, m := range u.more {
		add(m)
	}
	if before == nil || u.merged != before.merged {
		for of, by := range u.base {
			add(use{of, by})
		}
	}
	return more
}

// maxPurposes bounds the purposes that are remembered of a value: what more than
// a few use is known to all.
const maxPurposes = 8

// purposesOf a value are those of the installation that used it.
type purposesOf []string

func (p purposesOf) with(purpose string) purposesOf {
	if slices.Contains(p, purpose) || len(p) >= maxPurposes {
		return p
	}
	return append(p[:len(p):len(p)], purpose)
}

// others is how many of them are not the given one.
func (p purposesOf) others(purpose string) int {
	n := len(p)
	if slices.Contains(p, purpose) {
		n--
	}
	return n
}
