package receipt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"aims/authz"
)

// Decider makes a decision again from what was recorded of it: the payloads
// "facts" and "input" (nil when the decision had none). It is called from
// several goroutines at a time.
type Decider func(facts, input []byte) (authz.Decision, error)

// Compiler compiles a policy set and returns the digest that the decision
// point gives it. The verifier refuses a set whose digest is not its name.
type Compiler func(PolicySet) (digest string, decide Decider, err error)

// policyCache compiles each policy set once. Decisions name the sets in the
// order in which they were active, so that few are needed at a time.
type policyCache struct {
	src     Source
	compile Compiler

	mu   sync.Mutex
	sets map[string]*compiledSet
}

const maxCompiledSets = 8

type compiledSet struct {
	decide Decider
	// fault says why the set cannot be used.
	fault string
}

// get returns the set of that digest; ErrNotKept when the Source has none.
// Whoever needs the same set meanwhile waits: compiling it twice would cost more.
func (c *policyCache) get(ctx context.Context, digest string) (*compiledSet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if set := c.sets[digest]; set != nil {
		return set, nil
	}
	set, err := c.load(ctx, digest)
	if err != nil {
		return nil, err
	}
	if len(c.sets) >= maxCompiledSets {
		clear(c.sets)
	}
	c.sets[digest] = set
	return set, nil
}

func (c *policyCache) load(ctx context.Context, digest string) (*compiledSet, error) {
	text, err := c.src.Policy(ctx, digest)
	var malformed *FormatError
	switch {
	case errors.As(err, &malformed):
		return &compiledSet{fault: malformed.Place + ": " + malformed.Text}, nil
	case errors.Is(err, ErrNotKept):
		return nil, ErrNotKept
	case err != nil:
		return nil, fmt.Errorf("receipt: reading policy set %s: %w", digest, err)
	}
	computed, decide, err := c.compile(text)
	switch {
	case err != nil:
		return &compiledSet{fault: "does not compile: " + shorten(err)}, nil
	case computed != digest:
		return &compiledSet{fault: fmt.Sprintf("the text kept for %s has the digest %s", digest, computed)}, nil
	}
	return &compiledSet{decide: decide}, nil
}
