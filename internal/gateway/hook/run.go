package hook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/gateway/statement"
)

// Config says where the command finds the server.
type Config struct {
	// URL is the address of the server, such as http://127.0.0.1:8642.
	URL string
	// Key is the agent's key.
	Key string
	// Timeout bounds the whole run. It must be shorter than the timeout of the
	// hook in Claude Code's settings, because a hook that times out there lets
	// the action through. Default 20 s.
	Timeout time.Duration
	// Wait is how much longer a held call may take, for people to release it.
	Wait time.Duration
	// Said is what the user says of the agent's run.
	Said statement.Statement
	// MaxInput is the largest event in bytes. Default 16 MiB.
	MaxInput int64
}

// The exit codes that Claude Code acts on. With any other it goes on.
const (
	exitAnswered = 0
	exitBlocked  = 2
)

// maxAnswer is the largest answer of the server in bytes.
const maxAnswer = 1 << 20

// Run asks the server about one event on stdin, prints the answer on stdout,
// and returns the exit code. Whatever goes wrong, it says so on stderr, for
// the model to read, and returns the code that blocks.
func Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, c Config) (code int) {
	var ev event
	defer func() {
		if p := recover(); p != nil {
			code = blocked(stderr, ev, fmt.Errorf("the hook failed: %v", p))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, 20*time.Second)+c.Wait)
	defer cancel()
	endpoint, err := c.endpoint()
	if err != nil {
		return blocked(stderr, ev, err)
	}
	input, err := readInput(ctx, stdin, cmp.Or(c.MaxInput, 16<<20))
	if err != nil {
		return blocked(stderr, ev, err)
	}
	if ev, err = parseEvent(input); err != nil {
		return blocked(stderr, ev, fmt.Errorf("the event of the coding agent cannot be read: %w", err))
	}
	answer, err := ask(ctx, endpoint, c, input)
	if err != nil {
		return blocked(stderr, ev, err)
	}
	if err := checkAnswer(ev, answer); err != nil {
		return blocked(stderr, ev, fmt.Errorf("the server at %s gave an answer that is none: %w", endpoint, err))
	}
	if _, err := stdout.Write(append(answer, '\n')); err != nil {
		return blocked(stderr, ev, fmt.Errorf("the answer cannot be written: %w", err))
	}
	return exitAnswered
}

func blocked(stderr io.Writer, ev event, why error) int {
	what := "blocked, because it could not be decided"
	if ev.name == postToolUse || ev.name == postToolUseFailure {
		what = "the outcome of this tool call could not be recorded"
	}
	fmt.Fprintf(stderr, "aims: %s: %v\n", what, why)
	return exitBlocked
}

func (c Config) endpoint() (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("the server's address must be an http or https URL")
	}
	if c.Key == "" {
		return "", errors.New("no key is set for this agent")
	}
	if strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errors.New("the key holds characters that no key has")
	}
	endpoint := strings.TrimSuffix(c.URL, "/") + Pattern
	if c.Wait > 0 {
		endpoint += "?wait=" + c.Wait.String()
	}
	return endpoint, nil
}

// readInput reads the event, which an agent that hangs may never end.
func readInput(ctx context.Context, stdin io.Reader, limit int64) ([]byte, error) {
	type result struct {
		input []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{nil, fmt.Errorf("panic: %v", p)}
			}
		}()
		input, err := io.ReadAll(io.LimitReader(stdin, limit+1))
		done <- result{input, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("the event cannot be read: %w", r.err)
		}
		if int64(len(r.input)) > limit {
			return nil, fmt.Errorf("the event is larger than %d bytes", limit)
		}
		return r.input, nil
	case <-ctx.Done():
		return nil, errors.New("the event did not come in time")
	}
}

// ask posts the event and returns the server's answer.
func ask(ctx context.Context, endpoint string, c Config, input []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(input))
	if err != nil {
		return nil, errors.New("the server's address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.Key)
	c.Said.SetHeader(req.Header)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the key is for this address only
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server at %s cannot be reached: %w", endpoint, cause(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server at %s answered with HTTP status %d", endpoint, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("the server at %s broke off its answer: %w", endpoint, cause(ctx, err))
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the server at %s gave an answer larger than %d bytes", endpoint, maxAnswer)
	}
	return bytes.TrimSpace(answer), nil
}

// cause is an error without the address that the sentence has already.
func cause(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("it did not answer in time")
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// checkAnswer refuses what Claude Code would take for no objection although it
// is none: only an answer of the form that the event has may be printed.
func checkAnswer(ev event, answer []byte) error {
	var output []byte
	block := false
	err := members(answer, func(name string, v []byte) error {
		switch name {
		case "hookSpecificOutput":
			output = v
		case "decision":
			if word, _ := unquote(v); word != "block" {
				return errors.New(`expected decision to be "block"`)
			}
			block = true
		}
		return nil
	})
	if err != nil || ev.name == postToolUse || ev.name == postToolUseFailure {
		return err
	}
	if output == nil {
		if ev.name == userPromptSubmit && block {
			return nil
		}
		return errors.New("expected hookSpecificOutput")
	}
	return checkOutput(ev, output)
}

func checkOutput(ev event, output []byte) error {
	var of, permission string
	err := members(output, func(name string, v []byte) error {
		switch name {
		case "hookEventName":
			of, _ = unquote(v)
		case "permissionDecision":
			permission, _ = unquote(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case of != ev.name:
		return errors.New("expected hookEventName to be that of the event")
	case ev.name == preToolUse && permission != "allow" && permission != "deny" && permission != "ask":
		return errors.New("expected permissionDecision to be allow, deny or ask")
	}
	return nil
}
