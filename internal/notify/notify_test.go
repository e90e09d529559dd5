package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/notify"
)

// receiver is a web server without a network, so that its time is the test's.
type receiver struct {
	mu       sync.Mutex
	statuses []int // of the next requests; 200 after the last
	at       []time.Duration
	start    time.Time
	hang     bool
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Since(r.start))
	if r.hang {
		r.mu.Unlock()
		<-req.Context().Done()
		r.mu.Lock()
		return nil, req.Context().Err()
	}
	status := http.StatusOK
	if len(r.statuses) > 0 {
		status, r.statuses = r.statuses[0], r.statuses[1:]
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) attempts() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.at)
}

func (r *receiver) target(name string) notify.Target {
	r.start = time.Now()
	return notify.Target{Name: name, Channel: notify.Webhook{
		URL: "https://receiver.example/hook", Secret: func() string { return strings.Repeat("s", 32) }, Client: &http.Client{Transport: r}, Now: time.Now,
	}}
}

// failures collects what the notifier gave up.
type failures struct {
	mu  sync.Mutex
	all []string
}

func (f *failures) add(target string, m notify.Message, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fmt.Sprintf("%s %s: %v", target, m.ID, err))
}

func (f *failures) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

func TestMessageIsTriedAgainWithLongerPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := &receiver{statuses: []int{503, 429, 500}}, &failures{}
		n := notify.New([]notify.Target{r.target("hook")}, notify.Options{Failed: f.add})
		n.Send(notify.Message{ID: "msg_1"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, 2 * time.Second, 6 * time.Second, 14 * time.Second}, r.attempts()); diff != "" {
			t.Error(diff)
		}
		if len(f.list()) > 0 {
			t.Error(f.list())
		}
		n.Close(t.Context())
	})
}

func TestMessageIsGivenUpAndReported(t *testing.T) {
	for what, c := range map[string]struct {
		statuses []int
		attempts int
	}{
		"for good at once":       {[]int{400}, 1},
		"a redirect elsewhere":   {[]int{302}, 1},
		"after the last attempt": {[]int{500, 500, 500, 500, 500, 500, 500}, 6},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, f := &receiver{statuses: c.statuses}, &failures{}
				n := notify.New([]notify.Target{r.target("hook")}, notify.Options{Failed: f.add})
				n.Send(notify.Message{ID: "msg_1"})
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(r.attempts()) != c.attempts || len(f.list()) != 1 {
					t.Errorf("%d attempts, failures %v", len(r.attempts()), f.list())
				}
				n.Close(t.Context())
			})
		})
	}
}

// A target that hangs blocks neither the sender nor another target, and its
// queue is bounded.
func TestTargetThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, f := &receiver{hang: true}, &receiver{}, &failures{}
		n := notify.New([]notify.Target{slow.target("slow"), fast.target("fast")}, notify.Options{Failed: f.add, Queue: 4})
		begin := time.Now()
		for range 20 {
			n.Send(notify.Message{ID: "msg_1"})
			synctest.Wait() // lets the targets take what they can
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("sending took %s", d)
		}
		if len(fast.attempts()) != 20 || len(slow.attempts()) != 1 {
			t.Errorf("%d and %d attempts", len(fast.attempts()), len(slow.attempts()))
		}
		if len(f.list()) != 20-1-4 { // one on its way, four in the queue
			t.Errorf("%d failures", len(f.list()))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		n.Close(ctx)
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("closing took %s", d)
		}
		if len(f.list()) != 20 {
			t.Errorf("%d failures after the end: a message vanished", len(f.list()))
		}
		n.Send(notify.Message{ID: "late"})
		if len(f.list()) != 22 {
			t.Errorf("%d failures: a message that came late is not reported", len(f.list()))
		}
	})
}

func TestCloseDeliversWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := &receiver{}, &failures{}
		n := notify.New([]notify.Target{r.target("hook")}, notify.Options{Failed: f.add})
		for range 10 {
			n.Send(notify.Message{ID: "msg_1"})
		}
		n.Close(t.Context())
		if len(r.attempts()) != 10 || len(f.list()) > 0 {
			t.Errorf("%d delivered, %v", len(r.attempts()), f.list())
		}
	})
}

type recorder struct {
	mu   sync.Mutex
	seen []notify.Message
}

func (r *recorder) Send(_ context.Context, m notify.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, m)
	return nil
}

func TestTargetsGetWhatIsForThem(t *testing.T) {
	all, some, bare := &recorder{}, &recorder{}, &recorder{}
	n := notify.New([]notify.Target{
		{Name: "all", Channel: all}, {Name: "treasurers", Channel: some, Roles: []string{"treasurer"}}, {Name: "bare", Channel: bare, Bare: true},
	}, notify.Options{})
	for id, roles := range map[string][]string{"both": {"security", "treasurer"}, "security": {"security"}, "everybody": nil} {
		n.Send(notify.Message{ID: id, Roles: roles, Details: "arguments"})
	}
	n.Close(t.Context())
	if len(all.seen) != 3 || len(some.seen) != 2 || len(bare.seen) != 3 {
		t.Errorf("%d, %d and %d messages", len(all.seen), len(some.seen), len(bare.seen))
	}
	for _, m := range some.seen {
		if m.ID == "security" {
			t.Error("a message for another role")
		}
	}
	for i := range bare.seen {
		if bare.seen[i].Details != "" || all.seen[i].Details != "arguments" {
			t.Error("details went where they should not, or did not where they should")
		}
	}
}

type broken struct{ err error }

func (b broken) Send(context.Context, notify.Message) error { return b.err }

func TestNothingConfiguredIsNothingToDo(t *testing.T) {
	n := notify.New(nil, notify.Options{})
	n.Send(notify.Message{ID: "msg_1"})
	if err := n.Close(t.Context()); err != nil {
		t.Error(err)
	}
	f := &failures{}
	n = notify.New([]notify.Target{{Name: "x", Channel: broken{errors.New("no")}}}, notify.Options{Failed: f.add, Attempts: 1})
	n.Send(notify.Message{ID: "msg_1"})
	n.Close(t.Context())
	if diff := cmp.Diff([]string{"x msg_1: no"}, f.list()); diff != "" {
		t.Error(diff)
	}
}
