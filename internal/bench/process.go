package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"
)

// process is a part of a measure that runs by itself, so that its processor
// time and memory can be told from those of the rest. It answers on its
// standard output to lines on its standard input, and ends when that is closed.
type process struct {
	role   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors *tail
}

// usage is what a process has used since it began.
type usage struct {
	CPU time.Duration `json:"cpu"` // user and system
	// Memory is the largest resident set, in bytes.
	Memory int64 `json:"memory"`
}

// start starts a role of Child with args and reads its first line, which it
// prints as soon as it can be used, into ready.
func (b *bench) start(ctx context.Context, ready any, role string, args ...string) (*process, error) {
	argv := slices.Concat(b.child, []string{role}, args)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, cmd: cmd, in: in, out: bufio.NewReader(out), errors: &tail{}}
	cmd.Stderr = p.errors
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	if err := p.read(ready); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// usage asks the process what it has used so far.
func (p *process) usage() (usage, error) {
	var u usage
	err := p.ask(askUsage, &u)
	return u, err
}

func (p *process) ask(question string, answer any) error {
	if _, err := io.WriteString(p.in, question+"\n"); err != nil {
		return fmt.Errorf("%s: %w", p.role, err)
	}
	return p.read(answer)
}

func (p *process) read(answer any) error {
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, answer)
	}
	if err != nil {
		return fmt.Errorf("%s: no answer: %w", p.role, err)
	}
	return nil
}

// stop lets the process end and waits for it. Where it failed, the error holds
// what it said last.
func (p *process) stop() error {
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.role, err, p.errors)
	}
	return nil
}

// tail keeps the last of what is written to it. It may be read when the process has ended.
type tail struct{ kept []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailSize {
		t.kept = bytes.Clone(t.kept[len(t.kept)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept) }
