// Package notify tells people outside: by a signed webhook with retry, by mail,
// and through chat services (ISO 42001 7.4).
//
// Sending never waits and never decides anything: a message that cannot be
// delivered is reported to whoever runs the installation.
package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Message is what people are told.
type Message struct {
	// ID names the message; a receiver that sees it twice has one message.
	ID string
	// Kind says what happened, such as approval.requested.
	Kind string
	Time time.Time
	// Subject is one line, Text the whole in plain text, without Details.
	Subject, Text string
	// Details are what not every channel may see, such as arguments of a call.
	Details string
	// Link is where to look and act.
	Link string
	// About is the id of what it is about.
	About string
	// Roles are those whose holders it concerns; none for everybody.
	Roles []string
}

// Channel is one way out: a Webhook, Mail or Chat.
type Channel interface {
	// Send delivers a message once, or fails. Its error holds no secret.
	Send(ctx context.Context, m Message) error
}

// Target is a channel with what it is to carry.
type Target struct {
	Name    string
	Channel Channel
	// Roles limits it to messages for one of these roles; none for all messages.
	Roles []string
	// Bare leaves the details of messages out.
	Bare bool
}

func (t Target) wants(m Message) bool {
	return len(t.Roles) == 0 || len(m.Roles) == 0 ||
		slices.ContainsFunc(t.Roles, func(role string) bool { return slices.Contains(m.Roles, role) })
}

// Options tune a Notifier. The zero value of a bound means its default.
type Options struct {
	// Queue bounds the messages that wait for one target; 0 for 256.
	Queue int
	// Attempts is how often a message is tried; 0 for six.
	Attempts int
	// Backoff is the pause after the first attempt; it doubles. 0 for two seconds.
	Backoff time.Duration
	// Timeout bounds one attempt; 0 for 15 seconds.
	Timeout time.Duration
	// Failed is told of every message that a target did not take.
	Failed func(target string, m Message, err error)
	Log    *slog.Logger
}

// Notifier delivers messages to targets, each from a queue of its own, so that
// one that hangs holds up nobody else.
type Notifier struct {
	o       Options
	queues  []queue
	workers sync.WaitGroup
	stop    context.CancelFunc

	mu     sync.RWMutex // held for writing while the queues are closed
	closed bool
}

type queue struct {
	Target
	messages chan Message
}

// New starts a notifier; Close ends it.
func New(targets []Target, o Options) *Notifier {
	o.Queue = cmp.Or(o.Queue, 256)
	o.Attempts = cmp.Or(o.Attempts, 6)
	o.Backoff = cmp.Or(o.Backoff, 2*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	n := &Notifier{o: o, stop: stop}
	for _, t := range targets {
		q := queue{t, make(chan Message, o.Queue)}
		n.queues = append(n.queues, q)
		n.workers.Go(func() { n.work(ctx, q) })
	}
	return n
}

// errFull and errClosed are why a message was not even tried.
var (
	errFull   = errors.New("too many messages wait for this target")
	errClosed = errors.New("the notifier is closed")
)

// Send queues a message for every target that wants it. It never waits: what a
// full queue has no room for counts as failed.
func (n *Notifier) Send(m Message) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for _, q := range n.queues {
		if !q.wants(m) {
			continue
		}
		if n.closed {
			n.failed(q.Name, m, errClosed)
			continue
		}
		select {
		case q.messages <- m:
		default:
			n.failed(q.Name, m, errFull)
		}
	}
}

func (n *Notifier) failed(target string, m Message, err error) {
	n.o.Log.Error("people were not told", "target", target, "message", m.ID, "kind", m.Kind, "error", err)
	if n.o.Failed != nil {
		n.o.Failed(target, m, err)
	}
}

func (n *Notifier) work(ctx context.Context, q queue) {
	for m := range q.messages {
		if q.Bare {
			m.Details = ""
		}
		if err := n.deliver(ctx, q, m); err != nil {
			n.failed(q.Name, m, err)
		}
	}
}

// permanent is an error that another attempt would meet again.
type permanent struct{ error }

// deliver tries until the target takes the message or it is given up.
func (n *Notifier) deliver(ctx context.Context, q queue, m Message) error {
	pause := n.o.Backoff
	for attempt := 1; ; attempt++ {
		try, cancel := context.WithTimeout(ctx, n.o.Timeout)
		err := q.Channel.Send(try, m)
		cancel()
		if _, never := errors.AsType[permanent](err); err == nil || never || attempt == n.o.Attempts || ctx.Err() != nil {
			return err
		}
		n.o.Log.Warn("a message was not taken and is tried again", "target", q.Name, "message", m.ID, "attempt", attempt, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

// Close takes no more messages, delivers those that wait until ctx ends, and
// gives up the rest.
func (n *Notifier) Close(ctx context.Context) error {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		for _, q := range n.queues {
			close(q.messages)
		}
	}
	n.mu.Unlock()
	done := make(chan struct{})
	go func() {
		n.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	n.stop()
	<-done
	return nil
}
