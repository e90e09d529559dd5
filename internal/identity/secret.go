package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"aims/internal/aims"
)

// hidden is what a secret prints as.
const hidden = "[secret]"

// maxSecret bounds what is read from a file or a command.
const maxSecret = 64 << 10

// Secret is a credential that the installation presents to others, such as an
// upstream's token. However it is printed, logged or marshalled, it shows
// [secret]; only Reveal gives its value.
//
// A copy shares the value: after Resolve, every copy has the new one. The zero
// Secret is none.
type Secret struct {
	// The value is behind a function, because fmt prints the unexported fields
	// of an enclosing struct without asking for a String method, follows
	// pointers for some verbs, and shows of a function no more than its address.
	held func() *held
}

type held struct {
	reference string
	mu        sync.RWMutex
	value     string
}

// NewSecret hides a value that has no reference to resolve again.
func NewSecret(value string) Secret { return newSecretOf(&held{value: value}) }

func newSecretOf(h *held) Secret { return Secret{held: func() *held { return h }} }

// ParseSecret reads a reference: "env:NAME", "file:PATH" or "command:PROGRAM
// ARGUMENT …" (separated by spaces, run without a shell). It resolves nothing
// yet. A value that stands in the configuration itself is refused, so that it
// cannot end up in a repository.
func ParseSecret(reference string) (Secret, error) {
	scheme, rest, ok := strings.Cut(reference, ":")
	if !ok || strings.TrimSpace(rest) == "" {
		return Secret{}, errReference
	}
	switch scheme {
	case "env", "file", "command":
		return newSecretOf(&held{reference: reference}), nil
	}
	return Secret{}, errReference
}

// The sentence must not repeat what was written: it may be the secret itself.
var errReference = aims.Errorf(aims.Invalid, nil, `a secret is written as "env:NAME", "file:PATH" or "command:PROGRAM ARGUMENT …", never as its value`)

// UnmarshalText reads a reference from the configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	parsed, err := ParseSecret(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// IsZero says whether there is no secret and no reference to one.
func (s Secret) IsZero() bool { return s.held == nil }

// Resolve reads the value from where the reference points: at start, so that a
// missing secret fails there, and whenever the holder of the credential may
// have renewed it. When it fails, the value before stays. It fails with
// aims.Unavailable; neither sentence nor cause holds anything that was read.
func (s Secret) Resolve(ctx context.Context) error {
	if s.held == nil || s.held().reference == "" {
		return nil
	}
	h := s.held()
	value, err := h.read(ctx)
	if err == nil && value == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		scheme, _, _ := strings.Cut(h.reference, ":")
		return aims.Errorf(aims.Unavailable, err, "a secret could not be read (%s)", scheme)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.value = value
	return nil
}

func (h *held) read(ctx context.Context) (string, error) {
	scheme, rest, _ := strings.Cut(h.reference, ":")
	switch scheme {
	case "env":
		value, ok := os.LookupEnv(rest)
		if !ok {
			return "", fmt.Errorf("the environment has no %s", rest)
		}
		return value, nil
	case "file":
		f, err := os.Open(rest)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return readSecret(f)
	default:
		return runSecret(ctx, strings.Fields(rest))
	}
}

// runSecret takes what a command prints. What it prints to standard error is
// not kept: helpers print credentials there too.
func runSecret(ctx context.Context, command []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second // for children that keep its output open
	var out bytes.Buffer
	cmd.Stdout = &limited{w: &out, left: maxSecret}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", command[0], err)
	}
	return readSecret(&out)
}

// readSecret reads a value; the line end that editors and echo add is not part of it.
func readSecret(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("it is larger than %d bytes", maxSecret)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// limited fails what is written beyond its bound, which ends a helper that
// never stops printing.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("it prints more than %d bytes", maxSecret)
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// Reveal is the value, empty before Resolve. It goes into a request to the
// party that it belongs to, and nowhere else.
func (s Secret) Reveal() string {
	if s.held == nil {
		return ""
	}
	h := s.held()
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.value
}

// Format prints [secret] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// String is [secret].
func (s Secret) String() string { return hidden }

// LogValue is [secret].
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText is [secret]; JSON and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
