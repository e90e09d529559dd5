package upstream

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// stopGrace is how long a command may take to end after its standard input
	// was closed, and again after it was asked to.
	stopGrace = 2 * time.Second
	// maxPrintedLine and maxPrintedPerMinute bound what of a command's own
	// output goes to the log.
	maxPrintedLine      = 2 << 10
	maxPrintedPerMinute = 120
	// lastWords is how long output is read that a command left in its pipes.
	lastWords = time.Second
)

// process is a running command in a process group of its own.
type process struct {
	s       *Server
	cmd     *exec.Cmd
	started time.Time

	in, out, messages *os.File

	printing sync.Mutex
	printed  rate

	exited chan struct{}
	status string
	wg     sync.WaitGroup
}

// inherited are the variables that a command gets from this process: what
// programs need to run at all, and nothing that could be a secret.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "TEMP", "TMP", "PATHEXT"}

func (s *Server) environment(ctx context.Context) ([]string, error) {
	var env []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range s.cfg.Env {
		env = append(env, name+"="+value)
	}
	for name, secret := range s.cfg.SecretEnv {
		if err := secret.Resolve(ctx); err != nil {
			return nil, failed(err, "a secret for it cannot be read")
		}
		env = append(env, name+"="+secret.Reveal())
	}
	return env, nil
}

// start runs the server's command.
func (s *Server) start(ctx context.Context) (*process, error) {
	p := &process{s: s, started: s.now(), exited: make(chan struct{}), printed: rate{max: maxPrintedPerMinute, now: s.now}}
	env, err := s.environment(ctx)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(s.cfg.Command, s.cfg.Args...)
	p.cmd.Dir, p.cmd.Env = s.cfg.Dir, env
	ownGroup(p.cmd)
	var pipes [6]*os.File
	for i := 0; i < len(pipes) && err == nil; i += 2 {
		pipes[i], pipes[i+1], err = os.Pipe()
	}
	if err == nil {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = pipes[0], pipes[3], pipes[5]
		err = p.cmd.Start()
	}
	if err != nil {
		closeAll(pipes[:]...)
		return nil, failed(err, "its command cannot be started")
	}
	closeAll(pipes[0], pipes[3], pipes[5])
	p.in, p.out, p.messages = pipes[1], pipes[2], pipes[4]
	p.wg.Go(p.drain)
	p.wg.Go(p.wait)
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func (p *process) wait() {
	err := p.cmd.Wait()
	p.status = "exit status 0"
	if err != nil {
		p.status = err.Error()
	}
	close(p.exited)
	// Nobody in its group outlives it, and whoever has left the group may not
	// keep our readers waiting by holding on to the pipes.
	killGroup(p.cmd)
	end := time.Now().Add(lastWords)
	p.out.SetReadDeadline(end)
	p.messages.SetReadDeadline(end)
}

// state says how the command ended, waiting a moment for it to do so.
func (p *process) state() string {
	select {
	case <-p.exited:
		return p.status
	case <-time.After(stopGrace):
		return "it closed its output and still runs"
	}
}

// drain logs what the command prints on its standard error. It reads on
// whatever it logs, because a full pipe would stop the command.
func (p *process) drain() {
	r := bufio.NewReaderSize(p.messages, maxPrintedLine)
	for {
		line, err := r.ReadSlice('\n')
		text := strings.TrimSpace(string(line))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if text != "" {
			p.print("stderr", text)
		}
		if err != nil {
			return
		}
	}
}

// print logs a line of the command's own output, without secrets and within bounds.
func (p *process) print(from, line string) {
	p.printing.Lock()
	permitted := p.printed.permits()
	p.printing.Unlock()
	if permitted {
		p.s.log.Info("the server printed", "on", from, "line", p.s.cfg.Redact(line))
	}
}

// kill ends the command and all of its group at once.
func (p *process) kill() {
	select {
	case <-p.exited: // its number may be another's by now
	default:
		killGroup(p.cmd)
	}
}

// stop ends the command: it closes its standard input, asks, and kills, each
// after a grace (2025-11-25, lifecycle: shutdown).
func (p *process) stop() {
	p.in.Close()
	for _, next := range []func(*exec.Cmd){askGroup, killGroup} {
		select {
		case <-p.exited:
		case <-time.After(stopGrace):
			next(p.cmd)
		}
	}
	<-p.exited
	closeAll(p.out, p.messages)
	p.wg.Wait()
}
