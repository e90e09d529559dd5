package approval_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/receipt"
)

func TestHeldCallIsGrantedAndUsedOnce(t *testing.T) {
	w := newWorld(t, nil)
	opened := w.mustOpen(request("treasurer"))
	if opened.State != approval.Pending || !opened.Fresh || !strings.HasPrefix(opened.ID, "apr_") {
		t.Fatalf("opened %+v", opened)
	}
	if want := w.clock.Now().Add(15 * time.Minute); !opened.Expires.Equal(want) {
		t.Errorf("it expires at %s, want %s", opened.Expires, want)
	}
	if _, ok, err := w.Granted(t.Context(), binding()); ok || err != nil {
		t.Fatalf("granted by nobody: %v, %v", ok, err)
	}
	voted, err := w.Vote(t.Context(), person("ada"), []string{"admin", "treasurer"}, ballot, opened.ID, true, " looked at the invoice ")
	if err != nil || voted.State != approval.Granted {
		t.Fatalf("voted %+v, %v", voted, err)
	}
	w.Approvals = w.another() // a restart
	found, ok, err := w.Granted(t.Context(), binding())
	if err != nil || !ok {
		t.Fatalf("granted: %v, %v", ok, err)
	}
	voted.Fresh = false
	if diff := cmp.Diff(voted, found); diff != "" {
		t.Error(diff)
	}
	want := []approval.Vote{{Person: "ada", Grant: true, Roles: []string{"treasurer"}, Note: "looked at the invoice", Decision: ballot, Time: w.clock.Now()}}
	if diff := cmp.Diff(want, found.Votes); diff != "" {
		t.Error(diff)
	}
	if err := w.use(w.Approvals, found.ID, binding()); err != nil {
		t.Fatal(err)
	}
	if r := w.get(found.ID); r.State != approval.Used || r.Settled.IsZero() {
		t.Errorf("after use: %+v", r)
	}
	if _, ok, _ := w.Granted(t.Context(), binding()); ok {
		t.Error("it is granted after use")
	}
	if diff := cmp.Diff([]string{"approval.requested", "approval.granted", "approval.used"}, w.steps(found.ID)); diff != "" {
		t.Error(diff)
	}
}

// Whatever differs from the call that was approved, the approval is not for it.
func TestApprovalIsForOneCallOnly(t *testing.T) {
	w := newWorld(t, nil)
	r := w.granted()
	for what, change := range map[string]func(*approval.Binding){
		"the agent":             func(b *approval.Binding) { b.Agent = "other" },
		"the session":           func(b *approval.Binding) { b.Session = "s-2" },
		"the action":            func(b *approval.Binding) { b.Action = "desk___refund" },
		"the server":            func(b *approval.Binding) { b.Server = "desk2" },
		"the tool":              func(b *approval.Binding) { b.Tool = "refund" },
		"the tool's definition": func(b *approval.Binding) { b.Pin = "sha256:other" },
		"the arguments":         func(b *approval.Binding) { b.Input = "sha256:other" },
		"the policy":            func(b *approval.Binding) { b.Policy = "sha256:p2" },
	} {
		b := binding()
		change(&b)
		if _, ok, err := w.Granted(t.Context(), b); ok || err != nil {
			t.Errorf("%s: granted %v, error %v", what, ok, err)
		}
		err := w.use(w.Approvals, r.ID, b)
		if code(err) != aims.Conflict || !strings.Contains(err.Error(), what+" changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := w.use(w.Approvals, r.ID, binding()); err != nil {
		t.Errorf("the call itself: %v", err)
	}
	err := w.use(w.Approvals, r.ID, binding())
	if code(err) != aims.Conflict || !strings.Contains(err.Error(), "used already") {
		t.Errorf("a second time: %v", err)
	}
	if err := w.use(w.Approvals, "apr_forged", binding()); code(err) != aims.NotFound {
		t.Errorf("a forged id: %v", err)
	}
	if n := len(w.steps(r.ID)); n != 3 {
		t.Errorf("%d receipts: refused uses left some, or the use has none: %v", n, w.steps(r.ID))
	}
}

func TestWhoMayNotGrant(t *testing.T) {
	w := newWorld(t, nil)
	asked := request("treasurer")
	asked.Operator, asked.OnBehalfOf = "oscar", "person:Rita"
	r := w.mustOpen(asked)
	treasurer := []string{"treasurer"}
	for what, c := range map[string]struct {
		by       aims.Actor
		roles    []string
		decision string
		id       string
		want     aims.Code
	}{
		"the requester":                     {person("rita"), treasurer, ballot, r.ID, aims.Denied},
		"the operator":                      {person("oscar"), treasurer, ballot, r.ID, aims.Denied},
		"a person with the agent's name":    {person("billing"), treasurer, ballot, r.ID, aims.Denied},
		"the agent":                         {aims.Actor{Type: aims.AgentType, ID: "billing"}, treasurer, ballot, r.ID, aims.Denied},
		"another agent":                     {aims.Actor{Type: aims.AgentType, ID: "helper"}, treasurer, ballot, r.ID, aims.Denied},
		"the system":                        {aims.System, treasurer, ballot, r.ID, aims.Denied},
		"nobody":                            {aims.Actor{Type: aims.PersonType}, treasurer, ballot, r.ID, aims.Denied},
		"without the role":                  {person("ada"), []string{"admin", "treasurers"}, ballot, r.ID, aims.Denied},
		"without a role":                    {person("ada"), nil, ballot, r.ID, aims.Denied},
		"without a decision":                {person("ada"), treasurer, "", r.ID, aims.Denied},
		"a request that nobody made":        {person("ada"), treasurer, ballot, "apr_0", aims.NotFound},
		"a request that was made up in SQL": {person("ada"), treasurer, ballot, "' OR 1=1 --", aims.NotFound},
	} {
		if _, err := w.Vote(t.Context(), c.by, c.roles, c.decision, c.id, true, ""); code(err) != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	if got := w.get(r.ID); got.State != approval.Pending || len(got.Votes) != 0 {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]string{"approval.requested"}, w.steps(r.ID)); diff != "" {
		t.Error(diff)
	}
}

func TestQuorumIsOfPeopleAndEveryRoleIsGiven(t *testing.T) {
	type vote struct {
		who   string
		roles string
		want  aims.Code
	}
	for what, c := range map[string]struct {
		roles   []string
		quorum  int
		quorums map[string]int
		votes   []vote
		state   approval.State
		missing []string
	}{
		"two roles need both": {roles: []string{"security", "treasurer"}, votes: []vote{{"ada", "treasurer", ""}}, state: approval.Pending, missing: []string{"security"}},
		"two roles, given by two": {roles: []string{"security", "treasurer"},
			votes: []vote{{"ada", "treasurer", ""}, {"bo", "treasurer", aims.Conflict}, {"cy", "security", ""}}, state: approval.Granted},
		"one person in both roles gives both": {roles: []string{"security", "treasurer"}, votes: []vote{{"ada", "security treasurer", ""}}, state: approval.Granted},
		"but counts once": {roles: []string{"security", "treasurer"}, quorum: 2, votes: []vote{{"ada", "security treasurer", ""}, {"ada", "security treasurer", aims.Conflict}},
			state: approval.Pending, missing: []string{"security", "treasurer"}},
		"the second person may have either role": {roles: []string{"security", "treasurer"}, quorum: 2, votes: []vote{{"ada", "security treasurer", ""}, {"bo", "security", ""}}, state: approval.Granted},
		"a quorum of two needs two":              {roles: []string{"treasurer"}, quorum: 2, votes: []vote{{"ada", "treasurer", ""}, {"ada", "treasurer", aims.Conflict}}, state: approval.Pending, missing: []string{"treasurer"}},
		"a quorum of two, given by two":          {roles: []string{"treasurer"}, quorum: 2, votes: []vote{{"ada", "treasurer", ""}, {"bo", "treasurer", ""}}, state: approval.Granted},
		"two of one role, one of another": {roles: []string{"security", "treasurer"}, quorums: map[string]int{"treasurer": 2},
			votes: []vote{{"ada", "treasurer", ""}, {"cy", "security", ""}}, state: approval.Pending, missing: []string{"treasurer"}},
		"two of one role, one of another, given": {roles: []string{"security", "treasurer"}, quorums: map[string]int{"treasurer": 2},
			votes: []vote{{"ada", "treasurer", ""}, {"cy", "security", ""}, {"bo", "treasurer", ""}, {"di", "treasurer", aims.Conflict}}, state: approval.Granted},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil)
			asked := request(c.roles...)
			asked.Quorum, asked.Quorums = c.quorum, c.quorums
			r := w.mustOpen(asked)
			for _, v := range c.votes {
				if _, err := w.vote(w.Approvals, v.who, strings.Fields(v.roles), r.ID, true); code(err) != v.want {
					t.Errorf("%s as %s: %v, want %q", v.who, v.roles, err, v.want)
				}
			}
			got := w.get(r.ID)
			if got.State != c.state {
				t.Errorf("state %s, want %s", got.State, c.state)
			}
			if diff := cmp.Diff(c.missing, got.Remaining(), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if _, ok, _ := w.Granted(t.Context(), binding()); ok != (c.state == approval.Granted) {
				t.Errorf("usable: %v", ok)
			}
		})
	}
}

func TestDenialEndsARequestAndStands(t *testing.T) {
	w := newWorld(t, nil)
	r := w.mustOpen(request("treasurer"))
	if got, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, r.ID, false); err != nil || got.State != approval.Denied {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := w.vote(w.Approvals, "bo", []string{"treasurer"}, r.ID, true); code(err) != aims.Conflict {
		t.Errorf("granted after it was denied: %v", err)
	}
	if _, err := w.vote(w.Approvals, "bo", []string{"treasurer"}, r.ID, false); code(err) != aims.Conflict {
		t.Errorf("denied twice: %v", err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("used: %v", err)
	}
	// The agent does not get another answer by asking again.
	if _, err := w.open(request("treasurer")); code(err) != aims.Denied || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("asked again: %v", err)
	}
	w.clock.Advance(15 * time.Minute)
	if again := w.mustOpen(request("treasurer")); again.ID == r.ID {
		t.Error("the old request is back")
	}
}

// Somebody who changes their mind in time is heard.
func TestGrantCanBeTakenBackUntilItIsUsed(t *testing.T) {
	w := newWorld(t, nil)
	r := w.granted()
	if got, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, r.ID, false); err != nil || got.State != approval.Denied {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("used: %v", err)
	}
	if diff := cmp.Diff([]string{"approval.requested", "approval.granted", "approval.denied"}, w.steps(r.ID)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingHappensAfterExpiry(t *testing.T) {
	w := newWorld(t, nil)
	pending := w.mustOpen(request("treasurer"))
	other := request("treasurer")
	other.Input = "sha256:other"
	granted := w.mustOpen(other)
	if _, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, granted.ID, true); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(15*time.Minute - time.Microsecond)
	if _, ok, err := w.Granted(t.Context(), other.Binding); !ok {
		t.Fatalf("a moment before: %v", err)
	}
	w.clock.Advance(time.Microsecond)
	// Nobody has looked yet, and it is over all the same.
	if _, ok, err := w.Granted(t.Context(), other.Binding); ok || err != nil {
		t.Errorf("granted after its expiry: %v", err)
	}
	if err := w.use(w.Approvals, granted.ID, other.Binding); code(err) != aims.Conflict || !strings.Contains(err.Error(), "expired") {
		t.Errorf("used after its expiry: %v", err)
	}
	if _, err := w.vote(w.Approvals, "bo", []string{"treasurer"}, pending.ID, true); code(err) != aims.Conflict || !strings.Contains(err.Error(), "expired") {
		t.Errorf("granted after its expiry: %v", err)
	}
	if got := w.get(granted.ID); got.State != approval.Expired {
		t.Errorf("shown as %s", got.State)
	}
	// The vote that came too late has settled its request; the step settles the other.
	if n := w.expire(); n != 1 {
		t.Errorf("%d requests expired", n)
	}
	if n := w.expire(); n != 0 {
		t.Errorf("%d requests expired twice", n)
	}
	for _, id := range []string{pending.ID, granted.ID} {
		if steps := w.steps(id); steps[len(steps)-1] != "approval.expired" {
			t.Errorf("receipts %v", steps)
		}
	}
}

func TestPolicyChangeVoids(t *testing.T) {
	w := newWorld(t, nil)
	granted := w.granted()
	other := request("treasurer")
	other.Input = "sha256:other"
	pending := w.mustOpen(other)
	w.clock.Advance(time.Second)
	w.policy = "sha256:p2"
	if _, ok, _ := w.Granted(t.Context(), binding()); ok {
		t.Error("usable under another policy")
	}
	if err := w.use(w.Approvals, granted.ID, binding()); code(err) != aims.Conflict || !strings.Contains(err.Error(), "void") {
		t.Errorf("used under another policy: %v", err)
	}
	if _, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, pending.ID, true); code(err) != aims.Conflict || !strings.Contains(err.Error(), "void") {
		t.Errorf("granted under another policy: %v", err)
	}
	if n := w.expire(); n != 1 {
		t.Errorf("%d requests became void", n)
	}
	// The old policy comes back, the approvals do not.
	w.policy = "sha256:p1"
	if err := w.use(w.Approvals, granted.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("used: %v", err)
	}
	for _, id := range []string{granted.ID, pending.ID} {
		if got := w.get(id); got.State != approval.Void {
			t.Errorf("it is %s", got.State)
		}
		if steps := w.steps(id); steps[len(steps)-1] != "approval.void" {
			t.Errorf("receipts %v", steps)
		}
	}
	if again := w.mustOpen(request("treasurer")); again.ID == granted.ID {
		t.Error("a void request is open again")
	}
}

// A process that has not heard of the new policy yet does not void what one
// that has opens.
func TestSlowProcessVoidsNothingYounger(t *testing.T) {
	w := newWorld(t, nil)
	slow := w.another()
	if n, err := slow.Expire(t.Context()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.clock.Advance(time.Second)
	r := request("treasurer")
	r.Policy = "sha256:p2"
	opened := w.mustOpen(r)
	if n, err := slow.Expire(t.Context()); n != 0 || err != nil {
		t.Errorf("%d settled, %v", n, err)
	}
	if got, err := slow.Get(t.Context(), opened.ID); err != nil || got.State != approval.Pending {
		t.Errorf("%s, %v", got.State, err)
	}
}

func TestSameQuestionIsAskedOnce(t *testing.T) {
	w := newWorld(t, nil)
	first := w.mustOpen(request("treasurer"))
	for range 50 { // more than an agent may have open
		again := w.mustOpen(request("treasurer"))
		if again.ID != first.ID || again.Fresh {
			t.Fatalf("asked anew: %+v", again)
		}
	}
	if diff := cmp.Diff([]string{"approval.requested"}, w.steps(first.ID)); diff != "" {
		t.Error(diff)
	}
	if page, _, err := w.List(t.Context(), approval.Filter{All: true}); err != nil || len(page) != 1 {
		t.Errorf("%d requests, %v", len(page), err)
	}
}

// Facts of the run may name one role first and another one later, for the same call.
func TestSameCallThatNeedsMoreIsWidened(t *testing.T) {
	w := newWorld(t, nil)
	first := w.granted()
	asked := request("security")
	asked.Decision = hold2
	wider := w.mustOpen(asked)
	if wider.ID != first.ID || !wider.Fresh || wider.State != approval.Pending || wider.Decision != hold2 {
		t.Fatalf("%+v", wider)
	}
	if diff := cmp.Diff([]string{"security"}, wider.Remaining()); diff != "" {
		t.Error(diff)
	}
	if _, ok, _ := w.Granted(t.Context(), binding()); ok {
		t.Error("usable without the second role")
	}
	if err := w.use(w.Approvals, first.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("used: %v", err)
	}
	// Who granted it before may grant the rest, and still counts once.
	got, err := w.vote(w.Approvals, "ada", []string{"security", "treasurer"}, first.ID, true)
	if err != nil || got.State != approval.Granted || len(got.Votes) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if diff := cmp.Diff(w.get(first.ID).Votes, got.Votes); diff != "" {
		t.Error(diff)
	}
	more := request("treasurer")
	more.Quorum = 2
	if again := w.mustOpen(more); again.State != approval.Pending {
		t.Errorf("a larger quorum: %+v", again)
	}
	if _, err := w.vote(w.Approvals, "ada", []string{"security", "treasurer"}, first.ID, true); code(err) != aims.Conflict {
		t.Errorf("the same person as the second: %v", err)
	}
}

func TestAgentThatFloodsApprovalsIsRefused(t *testing.T) {
	w := newWorld(t, func(o *approval.Options) { o.MaxOpen = 3 })
	ask := func(agent, input string) error {
		r := request("treasurer")
		r.Agent, r.Input = agent, "sha256:"+input
		_, err := w.open(r)
		return err
	}
	for _, input := range []string{"1", "2", "3"} {
		if err := ask("billing", input); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask("billing", "4"); code(err) != aims.Exhausted || !strings.Contains(err.Error(), "at one time") {
		t.Errorf("the fourth: %v", err)
	}
	if err := ask("other", "4"); err != nil {
		t.Errorf("another agent: %v", err)
	}
	page, _, err := w.List(t.Context(), approval.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	// Neither denials nor patience of seconds make room: what is used and what is over does.
	for _, r := range page {
		if r.Agent == "billing" {
			if _, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, r.ID, r.Input == "sha256:1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ask("billing", "4"); code(err) != aims.Exhausted {
		t.Errorf("after denials: %v", err)
	}
	used := binding()
	used.Input = "sha256:1"
	r, ok, err := w.Granted(t.Context(), used)
	if err != nil || !ok {
		t.Fatal(err)
	}
	if err := w.use(w.Approvals, r.ID, used); err != nil {
		t.Fatal(err)
	}
	if err := ask("billing", "4"); err != nil {
		t.Errorf("after one was used: %v", err)
	}
	w.clock.Advance(15 * time.Minute)
	for _, input := range []string{"1", "2", "3"} {
		if err := ask("billing", input); err != nil {
			t.Errorf("after all are over: %v", err)
		}
	}
}

func TestRequestsThatNobodyCouldJudgeAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	for what, change := range map[string]func(*approval.Request){
		"no role":         func(r *approval.Request) { r.Roles = nil },
		"an empty role":   func(r *approval.Request) { r.Roles = []string{""} },
		"no agent":        func(r *approval.Request) { r.Agent = "" },
		"no action":       func(r *approval.Request) { r.Action = "" },
		"no policy":       func(r *approval.Request) { r.Policy = "" },
		"no digest":       func(r *approval.Request) { r.Input = "" },
		"no hold":         func(r *approval.Request) { r.Decision = "" },
		"over already":    func(r *approval.Request) { r.Expires = w.clock.Now() },
		"a long session":  func(r *approval.Request) { r.Session = strings.Repeat("s", 2000) },
		"negative quorum": func(r *approval.Request) { r.Quorum = -1 },
	} {
		r := request("treasurer")
		change(&r)
		if _, err := w.open(r); code(err) != aims.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w.ledger.Size() != 0 {
		t.Error("a refused request left a receipt")
	}
}

// A status that somebody writes into the database releases nothing without votes.
func TestWrittenStatusReleasesNothing(t *testing.T) {
	w := newWorld(t, nil)
	r := w.mustOpen(request("treasurer"))
	w.exec(`UPDATE approval_request SET state = 'granted' WHERE id = $1`, r.ID)
	if _, ok, err := w.Granted(t.Context(), binding()); ok || err != nil {
		t.Errorf("granted: %v, %v", ok, err)
	}
	if err := w.use(w.Approvals, r.ID, binding()); code(err) != aims.Conflict {
		t.Errorf("used: %v", err)
	}
}

// Two processes that see the same grant: one of them releases the call.
func TestRaceForOneGrant(t *testing.T) {
	w := newWorld(t, nil)
	r := w.granted()
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		a := w.another()
		wg.Go(func() { errs[i] = w.use(a, r.ID, binding()) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if code(err) != aims.Conflict {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("used %d times", won)
	}
}

func TestVoteThatIsNotRecordedDoesNotCount(t *testing.T) {
	w := newWorld(t, nil)
	r := w.mustOpen(request("treasurer"))
	if err := w.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, r.ID, true); code(err) != aims.Unavailable {
		t.Errorf("got %v", err)
	}
	if got := w.get(r.ID); got.State != approval.Pending || len(got.Votes) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestReceiptsNameTheHoldAndNothingGuessable(t *testing.T) {
	w := newWorld(t, nil)
	asked := request("treasurer")
	digest, err := approval.InputDigest([]byte(`{"pin":"1234"}`))
	if err != nil {
		t.Fatal(err)
	}
	asked.Input = digest
	r := w.mustOpen(asked)
	if _, err := w.Vote(t.Context(), person("ada"), []string{"treasurer"}, ballot, r.ID, true, "Ms Example called back"); err != nil {
		t.Fatal(err)
	}
	for _, e := range w.events() {
		text := string(e.Detail)
		for _, hidden := range []string{strings.TrimPrefix(digest, "sha256:"), "Example", "Rita", "oscar", "it is large"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s holds %q: %s", e.Name, hidden, text)
			}
		}
		if e.Object.Type == "approval" && !strings.Contains(text, `"hold":"`+hold+`"`) {
			t.Errorf("%s does not name the hold: %s", e.Name, text)
		}
	}
	vote := w.events()[2]
	if vote.Actor != (receipt.Party{Type: "person", ID: "ada"}) || vote.Decision != ballot || vote.Input == "" {
		t.Errorf("the vote's receipt: %+v %s", vote, vote.Detail)
	}
	kept, err := w.ledger.Payloads(t.Context(), 2)
	if err != nil || len(kept) != 1 || string(kept[0].Data) != "Ms Example called back" || kept[0].Salt.Digest(kept[0].Data) != vote.Input {
		t.Errorf("the note beside the log: %+v, %v", kept, err)
	}
}

func TestListIsPaged(t *testing.T) {
	w := newWorld(t, func(o *approval.Options) { o.MaxOpen = 100 })
	var ids []string
	for i := range 25 {
		r := request("treasurer")
		r.Input = "sha256:" + strings.Repeat("x", i+1)
		ids = append(ids, w.mustOpen(r).ID)
	}
	if _, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, ids[3], false); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(ids)
	walk := func(f approval.Filter) (found []string) {
		for f.Limit = 10; ; {
			page, next, err := w.List(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				found = append(found, r.ID)
				if r.Summary != "" {
					t.Error("a list shows a summary")
				}
			}
			if f.Before = next; next == "" {
				return found
			}
		}
	}
	if diff := cmp.Diff(ids, walk(approval.Filter{All: true})); diff != "" {
		t.Error(diff)
	}
	open := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == ids[21] })
	if diff := cmp.Diff(open, walk(approval.Filter{})); diff != "" {
		t.Error(diff)
	}
	if _, _, err := w.List(t.Context(), approval.Filter{Limit: 1000}); code(err) != aims.Invalid {
		t.Errorf("a page of 1000: %v", err)
	}
	if roles, err := w.OpenRoles(t.Context()); err != nil || !slices.Equal(roles, []string{"treasurer"}) {
		t.Errorf("open roles %v, %v", roles, err)
	}
}

func TestPeopleAreToldOnceAmongAllProcesses(t *testing.T) {
	w := newWorld(t, nil)
	r := w.mustOpen(request("treasurer"))
	var mu sync.Mutex
	told := map[string]int{}
	tell := func(r approval.Request) {
		mu.Lock()
		defer mu.Unlock()
		told[r.ID]++
	}
	var wg sync.WaitGroup
	for range 8 {
		a := w.another()
		wg.Go(func() {
			if _, err := a.Announce(t.Context(), tell); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if told[r.ID] != 1 {
		t.Errorf("told %d times", told[r.ID])
	}
	// A request that needs more people is news again.
	w.mustOpen(request("security"))
	if n, err := w.Announce(t.Context(), tell); n != 1 || err != nil {
		t.Errorf("told of %d, %v", n, err)
	}
	if diff := cmp.Diff([]string{"approval.requested", "approval.announced", "approval.requested", "approval.announced"}, w.steps(r.ID)); diff != "" {
		t.Error(diff)
	}
}

func TestForget(t *testing.T) {
	w := newWorld(t, nil)
	old := w.granted()
	if err := w.use(w.Approvals, old.ID, binding()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	young := w.granted()
	if n, err := w.Forget(t.Context(), w.clock.Now()); n != 1 || err != nil {
		t.Fatalf("forgot %d, %v", n, err)
	}
	if n, err := w.Forget(t.Context(), w.clock.Now()); n != 0 || err != nil {
		t.Fatalf("forgot %d, %v", n, err)
	}
	if _, err := w.Get(t.Context(), old.ID); code(err) != aims.NotFound {
		t.Errorf("the old one: %v", err)
	}
	if got := w.get(young.ID); got.State != approval.Granted {
		t.Errorf("the young one: %+v", got)
	}
	events := w.events()
	if last := events[len(events)-1]; last.Name != "approvals.forgotten" || !strings.Contains(string(last.Detail), `"count":1`) {
		t.Errorf("receipt %+v", last)
	}
}

func TestWait(t *testing.T) {
	for what, settle := range map[string]struct {
		do   func(*world, string)
		want approval.State
	}{
		"a vote here":               {func(w *world, id string) { w.vote(w.Approvals, "ada", []string{"treasurer"}, id, true) }, approval.Granted},
		"a denial here":             {func(w *world, id string) { w.vote(w.Approvals, "ada", []string{"treasurer"}, id, false) }, approval.Denied},
		"a vote in another process": {func(w *world, id string) { w.vote(w.another(), "ada", []string{"treasurer"}, id, true) }, approval.Granted},
		"time":                      {func(w *world, _ string) { w.clock.Advance(time.Hour) }, approval.Expired},
		"policy":                    {func(w *world, _ string) { w.exec(`UPDATE approval_request SET policy = 'sha256:p0'`) }, approval.Void},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.mustOpen(request("treasurer"))
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					if got, err := w.Wait(t.Context(), r.ID); err != nil || got.State != settle.want {
						t.Errorf("%s, %v; want %s", got.State, err, settle.want)
					}
				})
			}
			settle.do(w, r.ID)
			wg.Wait()
		})
	}
	w := newWorld(t, nil)
	r := w.mustOpen(request("treasurer"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := w.Wait(ctx, r.ID); code(err) != aims.Timeout && code(err) != aims.Unavailable {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.Wait(t.Context(), "apr_none"); code(err) != aims.NotFound {
		t.Errorf("a request that does not exist: %v", err)
	}
}
