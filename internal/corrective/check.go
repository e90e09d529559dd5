package corrective

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/receipt"
)

// Bounds of what people write and name.
const (
	maxWords    = 8 << 10 // bytes of one text
	maxEvidence = 50
	maxActions  = 30
	maxScope    = 50
)

var (
	personID = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
	causeKey = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

func invalid(format string, args ...any) error {
	return aims.Errorf(aims.Invalid, nil, format, args...)
}

func (w Words) check() error {
	for part, text := range w {
		if len(text) > maxWords {
			return invalid("%s: %d bytes; expected at most %d", part, len(text), maxWords)
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return invalid("%s: expected text in UTF-8", part)
		}
	}
	return nil
}

// needed is an error for a text that is missing.
func needed(part, text string) error {
	if strings.TrimSpace(text) == "" {
		return invalid("%s: missing; expected a text", part)
	}
	return nil
}

// words are texts without those that are empty.
func words(pairs ...string) Words {
	w := Words{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			w[pairs[i]] = pairs[i+1]
		}
	}
	return w
}

func among[T ~string](part string, value T, of ...T) error {
	if slices.Contains(of, value) {
		return nil
	}
	names := make([]string, len(of))
	for i, v := range of {
		names[i] = string(v)
	}
	return invalid("%s: %q; expected one of %s", part, string(value), strings.Join(names, ", "))
}

func isPerson(part, id string) error {
	if personID.MatchString(id) {
		return nil
	}
	return invalid("%s: %q is no id of a person; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", part, id)
}

func isDate(part string, d Date) error {
	if t := d.Begin(); t.IsZero() || t.Year() < 2000 {
		return invalid("%s: %q is no day; expected one like 2026-11-23", part, string(d))
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// first is the first error of several.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// recorded checks that receipts are in the log, after a time, and of something
// else than one case: what was written down about a case does not show that it
// is over.
func (c *Corrective) recorded(ctx context.Context, part string, ids []string, after time.Time, but string) error {
	if len(ids) > maxEvidence {
		return invalid("%s: %d receipts; expected at most %d", part, len(ids), maxEvidence)
	}
	for _, id := range ids {
		leaf, err := c.ledger.Find(ctx, id)
		if code, _ := aims.Public(err); err != nil && code == aims.NotFound {
			return invalid("%s: there is no receipt %q", part, id)
		}
		if err != nil {
			return err
		}
		if !leaf.Time.After(after) {
			return invalid("%s: the receipt %s is of %s; expected one after %s", part, id, leaf.Time.Format(time.RFC3339), after.Format(time.RFC3339))
		}
		if but == "" || leaf.Kind != receipt.EventKind {
			continue
		}
		if e, err := receipt.DecodeEvent(leaf.Body); err == nil && e.Object.ID == but {
			return invalid("%s: the receipt %s is of this very case", part, id)
		}
	}
	return nil
}
