package approval_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aims/internal/aims"
	"aims/internal/approval"
)

// model is what the test knows of a request by its own bookkeeping.
type model struct {
	binding  approval.Binding
	need     map[string]int
	quorum   int
	expires  time.Time
	opened   time.Time
	granters map[string][]string // person → roles of the request
	denied   bool
	used     int
}

// full says whether distinct people who were entitled have granted it all.
func (m *model) full() bool {
	for role, people := range m.need {
		n := 0
		for _, roles := range m.granters {
			if slices.Contains(roles, role) {
				n++
			}
		}
		if n < people {
			return false
		}
	}
	return len(m.granters) >= max(1, m.quorum)
}

var people = map[string][]string{
	"ada": {"treasurer"}, "bo": {"treasurer", "security"}, "cy": {"security"}, "di": {"admin"}, "rita": {"treasurer", "security"}, "oscar": {"security"},
}

// run is one random history of several processes on one store.
type run struct {
	*world
	t         *rapid.T
	processes []*approval.Approvals
	requests  map[string]*model
	ids       []string
}

func (r *run) process() *approval.Approvals {
	return rapid.SampledFrom(r.processes).Draw(r.t, "process")
}

func (r *run) id() string {
	return rapid.SampledFrom(append([]string{"apr_forged"}, r.ids...)).Draw(r.t, "id")
}

func (r *run) open() {
	asked := request(rapid.SampledFrom([][]string{{"treasurer"}, {"security"}, {"security", "treasurer"}}).Draw(r.t, "roles")...)
	asked.Input = rapid.SampledFrom([]string{"sha256:1", "sha256:2"}).Draw(r.t, "input")
	asked.Agent = rapid.SampledFrom([]string{"billing", "other"}).Draw(r.t, "agent")
	asked.Quorum = rapid.IntRange(0, 3).Draw(r.t, "quorum")
	asked.Quorums = map[string]int{"treasurer": rapid.IntRange(0, 2).Draw(r.t, "treasurers")}
	asked.Policy = r.policy
	opened, err := r.world.open(asked)
	if err != nil {
		if c := code(err); c != aims.Denied && c != aims.Exhausted {
			r.t.Fatalf("open: %v", err)
		}
		return
	}
	m := r.requests[opened.ID]
	if m == nil {
		m = &model{binding: opened.Binding, expires: opened.Expires, opened: opened.Requested, granters: map[string][]string{}, need: map[string]int{}}
		r.requests[opened.ID] = m
		r.ids = append(r.ids, opened.ID)
	}
	for _, role := range asked.Roles {
		m.need[role] = max(m.need[role], 1, asked.Quorums[role])
	}
	m.quorum = max(m.quorum, asked.Quorum)
}

func (r *run) cast() {
	id := r.id()
	who := rapid.SampledFrom([]string{"ada", "bo", "cy", "di", "rita", "oscar", "ada", "bo", "cy"}).Draw(r.t, "who")
	grant := rapid.IntRange(0, 9).Draw(r.t, "grant") > 0
	_, err := r.vote(r.process(), who, people[who], id, grant)
	m := r.requests[id]
	if err != nil {
		return
	}
	switch {
	case m == nil:
		r.t.Fatal("a forged request took a vote")
	case grant && (who == "rita" || who == "oscar"):
		r.t.Fatalf("%s granted a request made for them", who)
	case !r.clock.Now().Before(m.expires), m.denied, m.used > 0:
		r.t.Fatal("a request that is over took a vote")
	}
	if !grant {
		m.denied = true
		return
	}
	held := slices.DeleteFunc(slices.Clone(people[who]), func(role string) bool { return m.need[role] == 0 })
	if len(held) == 0 {
		r.t.Fatalf("%s granted without a role that is needed", who)
	}
	m.granters[who] = held
}

func (r *run) release() {
	id := r.id()
	m := r.requests[id]
	b := binding()
	b.Policy = r.policy
	if m != nil && rapid.IntRange(0, 4).Draw(r.t, "own binding") > 0 {
		b = m.binding
	}
	if rapid.IntRange(0, 4).Draw(r.t, "policy now") > 0 {
		b.Policy = r.policy
	}
	if err := r.use(r.process(), id, b); err != nil {
		return
	}
	switch {
	case m == nil:
		r.t.Fatal("a forged approval was used")
	case b != m.binding:
		r.t.Fatalf("an approval for %+v released %+v", m.binding, b)
	case !m.full():
		r.t.Fatalf("used with %v of %v, quorum %d", m.granters, m.need, m.quorum)
	case m.denied:
		r.t.Fatal("used although it was denied")
	case !r.clock.Now().Before(m.expires):
		r.t.Fatal("used after its expiry")
	case m.binding.Policy != r.policy:
		r.t.Fatal("used under another policy")
	}
	if m.used++; m.used > 1 {
		r.t.Fatal("used twice")
	}
}

func (r *run) changePolicy() {
	r.clock.Advance(time.Millisecond)
	r.policy = fmt.Sprintf("sha256:p%d", rapid.IntRange(1, 2).Draw(r.t, "policy"))
	for _, a := range r.processes { // each hears of it in its housekeeping
		if _, err := a.Expire(context.Background()); err != nil {
			r.t.Fatal(err)
		}
	}
	r.clock.Advance(time.Millisecond)
}

func (r *run) pass() {
	r.clock.Advance(time.Duration(rapid.IntRange(0, 400).Draw(r.t, "seconds")) * time.Second)
	if rapid.Bool().Draw(r.t, "housekeeping") {
		if _, err := r.process().Expire(context.Background()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// what the processes say is never more than what the test knows.
func (r *run) check() {
	for id, m := range r.requests {
		got, err := r.process().Get(context.Background(), id)
		if err != nil {
			r.t.Fatal(err)
		}
		if got.State == approval.Granted && (!m.full() || m.denied || m.used > 0 || !r.clock.Now().Before(m.expires)) {
			r.t.Fatalf("%s is granted: %+v", id, m)
		}
		found, ok, err := r.process().Granted(context.Background(), m.binding)
		if err != nil || ok && (found.Binding != m.binding || found.State != approval.Granted) {
			r.t.Fatalf("%+v, %v", found, err)
		}
	}
}

// Whatever several processes do in whatever order: nothing is used twice,
// without its full quorum of entitled distinct people, after its expiry, after
// a denial, under another policy or for another call.
func TestNoInterleavingReleasesWhatWasNotApproved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, func(o *approval.Options) { o.MaxOpen = 8 })
		defer w.ledger.Close(context.Background())
		r := &run{world: w, t: rt, requests: map[string]*model{}}
		for range 3 {
			r.processes = append(r.processes, w.another())
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) { r.t = t; r.open() }, "vote": func(t *rapid.T) { r.t = t; r.cast() }, "vote more": func(t *rapid.T) { r.t = t; r.cast() },
			"use": func(t *rapid.T) { r.t = t; r.release() }, "policy": func(t *rapid.T) { r.t = t; r.changePolicy() }, "time": func(t *rapid.T) { r.t = t; r.pass() },
			"": func(t *rapid.T) { r.t = t; r.check() },
		})
	})
}

// The same at once: processes that race on one store. What is used was granted,
// and every use has its receipt.
func TestRacingProcesses(t *testing.T) {
	w := newWorld(t, func(o *approval.Options) { o.MaxOpen = 1000 })
	const calls = 20
	bindings := make([]approval.Binding, calls)
	ids := make([]string, calls)
	for i := range calls {
		asked := request("security", "treasurer")
		asked.Quorum, asked.Input = 2, fmt.Sprintf("sha256:%d", i)
		ids[i], bindings[i] = w.mustOpen(asked).ID, asked.Binding
	}
	var mu sync.Mutex
	used := map[string]int{}
	var wg sync.WaitGroup
	for p := range 6 {
		a := w.another()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(p), 1))
			names := []string{"ada", "bo", "cy", "di", "rita"}
			for range 100 {
				i := rng.IntN(calls)
				switch rng.IntN(5) {
				case 0, 1, 2:
					who := names[rng.IntN(len(names))]
					w.vote(a, who, people[who], ids[i], true)
				case 3:
					if w.use(a, ids[i], bindings[rng.IntN(calls)]) == nil || w.use(a, ids[i], bindings[i]) == nil {
						mu.Lock()
						used[ids[i]]++
						mu.Unlock()
					}
				case 4:
					if _, err := a.Expire(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	receipts := map[string]int{}
	for _, e := range w.events() {
		if e.Name == "approval.used" {
			receipts[e.Object.ID]++
		}
	}
	for _, id := range ids {
		r := w.get(id)
		if used[id] > 1 || used[id] != receipts[id] || (used[id] == 1) != (r.State == approval.Used) {
			t.Errorf("%s: used %d times, %d receipts, state %s", id, used[id], receipts[id], r.State)
		}
		if used[id] == 1 && len(r.Votes) < 2 {
			t.Errorf("%s: used with votes %+v", id, r.Votes)
		}
	}
	if len(used) == 0 {
		t.Error("nothing was used at all")
	}
}
