package hindsight_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/hindsight"
	"aims/pdp"
	"aims/receipt"
)

func replay(t *testing.T, s hindsight.Stretch, candidate *pdp.Set) (hindsight.Replay, []hindsight.Change) {
	t.Helper()
	var changes []hindsight.Change
	r, err := hindsight.ReplayUnder(t.Context(), s, candidate, func(c hindsight.Change) error {
		changes = append(changes, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, changes
}

func TestReplay(t *testing.T) {
	l := newLog(t, compile(t, policies))
	l.call(paying("10", "a"))
	id := l.call(paying("200", "b"))
	l.call(paying("900", "c")) // refused
	l.call(spoken{agent: "clerk", session: "s-2", action: "files___read", input: `{"path":"/x"}`})
	erased := paying("300", "d")
	erased.erased = true
	l.call(erased)
	candidate := compile(t, policies+`@id("less") @reason("less now") @hold("treasurer") forbid (principal, action == Action::"desk___pay", resource) when { context.input.amount.greaterThan(decimal("100.0")) };`)
	got, changes := replay(t, l.stretch(), candidate)
	want := hindsight.Replay{
		Policy: candidate.Digest(), Decided: 4, Changed: 1, NotKept: 1,
		ByAgent: []hindsight.Count{{Name: "agent:billing", Before: authz.Allow, After: authz.Hold, Calls: 1}},
		ByTool:  []hindsight.Count{{Name: "desk___pay", Before: authz.Allow, After: authz.Hold, Calls: 1}},
		ByRule:  []hindsight.Count{{Name: "less", Before: authz.Allow, After: authz.Hold, Calls: 1}, {Name: "pay", Before: authz.Allow, After: authz.Hold, Calls: 1}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(changes) != 1 || changes[0].Receipt != id {
		t.Errorf("%+v, want the call %s", changes, id)
	}
	if got, changes := replay(t, l.stretch(), compile(t, policies)); got.Changed != 0 || got.Decided != 4 || changes != nil {
		t.Errorf("under the policies that decided: %+v", got)
	}
}

// A candidate for tools that are no longer there refuses their calls, and the
// replay says why.
func TestReplayUnderOtherTools(t *testing.T) {
	l := newLog(t, compile(t, policies))
	l.call(paying("10", "a"))
	schema, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: catalog.Tools[1:]})
	if err != nil {
		t.Fatal(err)
	}
	candidate, err := pdp.Compile([]pdp.Source{{Name: "p.cedar", Text: []byte(`permit (principal, action in Action::"call_tool", resource);`)}}, schema)
	if err != nil {
		t.Fatal(err)
	}
	got, changes := replay(t, l.stretch(), candidate)
	if got.Changed != 1 || changes[0].After != authz.Deny || !strings.Contains(changes[0].Cause, "desk___pay") {
		t.Errorf("%+v %+v", got, changes)
	}
}

func TestStretchOfTime(t *testing.T) {
	l := newLog(t, compile(t, policies))
	for day := 1; day <= 20; day++ {
		l.day(day)
		l.call(paying("10", fmt.Sprint("day-", day)))
	}
	nothing := compile(t, `@id("none") @reason("none") forbid (principal, action, resource);`)
	for _, test := range []struct{ from, to, want int }{{0, 0, 20}, {5, 0, 16}, {0, 5, 4}, {5, 7, 2}, {21, 0, 0}, {7, 5, 0}} {
		s := l.stretch()
		if test.from > 0 {
			s.From = time.Date(2026, 11, test.from, 0, 0, 0, 0, time.UTC)
		}
		if test.to > 0 {
			s.To = time.Date(2026, 11, test.to, 0, 0, 0, 0, time.UTC)
		}
		if got, _ := replay(t, s, nothing); got.Decided != uint64(test.want) {
			t.Errorf("from day %d to day %d: %d calls, want %d", test.from, test.to, got.Decided, test.want)
		}
	}
}

// What is reported is in the order of the log, however many workers there are.
func TestOrder(t *testing.T) {
	l := newLog(t, compile(t, policies))
	for n := range 1000 {
		l.call(paying("10", fmt.Sprint(n)))
	}
	s := l.stretch()
	var read, of uint64
	s.Progress = func(r, o uint64) {
		if r < read {
			t.Errorf("progress went back from %d to %d", read, r)
		}
		read, of = r, o
	}
	_, changes := replay(t, s, compile(t, `@id("none") @reason("none") forbid (principal, action, resource);`))
	for i := 1; i < len(changes); i++ {
		if changes[i].Index <= changes[i-1].Index {
			t.Fatalf("entry %d after %d", changes[i].Index, changes[i-1].Index)
		}
	}
	if len(changes) != 1000 || of != 2000 || read < 1999 {
		t.Errorf("%d changes, read %d of %d", len(changes), read, of)
	}
}

// A replay that is broken off ends, with the reason.
func TestBreakingOff(t *testing.T) {
	l := newLog(t, compile(t, policies))
	for n := range 600 {
		l.call(paying("10", fmt.Sprint(n)))
	}
	full := errors.New("the disk is full")
	nothing := compile(t, `@id("none") @reason("none") forbid (principal, action, resource);`)
	if _, err := hindsight.ReplayUnder(t.Context(), l.stretch(), nothing, func(hindsight.Change) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want what the reader said", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hindsight.ReplayUnder(ctx, l.stretch(), nothing, func(hindsight.Change) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

func TestCoverage(t *testing.T) {
	set := compile(t, policies)
	l := newLog(t, set)
	l.call(paying("10", "a"))
	l.call(paying("20", "a"))
	last := l.call(paying("900", "a"))
	got, err := hindsight.Cover(t.Context(), l.stretch(), compile(t, policies+`@id("newer") @reason("x") forbid (principal is Person, action, resource);`))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range got.Rules {
		lines = append(lines, fmt.Sprintf("%s in force %v: %d = %d allowed + %d denied + %d held", r.Policy, r.InForce, r.Decided, r.Allowed, r.Denied, r.Held))
	}
	want := []string{
		"idle in force true: 0 = 0 allowed + 0 denied + 0 held",
		"newer in force true: 0 = 0 allowed + 0 denied + 0 held",
		"read in force true: 0 = 0 allowed + 0 denied + 0 held",
		"much in force true: 1 = 0 allowed + 1 denied + 0 held",
		"pay in force true: 2 = 2 allowed + 0 denied + 0 held",
	}
	if diff := gocmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if much := got.Rules[3]; much.Receipt != last || much.File != "p.cedar" {
		t.Errorf("%+v, want the receipt %s as example", much, last)
	}
	if got.Decisions != 3 || len(got.Policies) != 1 || got.Policies[0].Policy != set.Digest() || got.Policies[0].Decisions != 3 {
		t.Errorf("%+v", got)
	}
}

// What is mined allows all the work that it was mined from, and refuses what
// nobody did.
func TestMine(t *testing.T) {
	set := compile(t, policies)
	l := newLog(t, set)
	var large string
	for n := range 9 {
		c := paying([]string{"10", "99.5", "20"}[n%3], fmt.Sprint("supplier-", n))
		c.input = strings.TrimSuffix(c.input, "}") + fmt.Sprintf(`,"memo":%q,"urgent":false}`, []string{"rent", "power"}[n%2])
		c.session, c.sink, c.vouched = fmt.Sprint("s-", n%4), "to", true
		if id := l.call(c); n == 1 {
			large = id
		}
	}
	failed := paying("400", "x")
	failed.status = receipt.Failed
	l.call(failed)
	other := paying("450", "x")
	other.purpose = "other"
	l.call(other)
	left := paying("480", "x")
	left.session = "strange"
	l.call(left)
	erased := paying("470", "x")
	erased.erased = true
	l.call(erased)
	reading := spoken{agent: "clerk", session: "s-9", purpose: "invoices", action: "files___read", input: `{"path":"/a"}`}
	l.call(reading)
	reading.agent = "billing"
	l.call(reading)

	mined, err := hindsight.Mine(t.Context(), l.stretch(), hindsight.Mining{Purpose: "invoices", Without: []string{"strange"}}, set)
	if err != nil {
		t.Fatal(err)
	}
	if mined.Calls != 11 || mined.Failed != 1 || mined.Rules != 2 {
		t.Errorf("%+v", mined)
	}
	for _, part := range []string{
		`context.session.purpose == "invoices"`, `["power", "rent"].contains(context.input["memo"])`, `.lessThanOrEqual(decimal("99.5"))`,
		`(if context.provenance has "to" then !["untrusted", "made_up"].contains(context.provenance["to"].class) else true)`, `principal == Agent::"billing"`, `principal in [Agent::"billing", Agent::"clerk"]`, large,
	} {
		if !strings.Contains(mined.Text, part) {
			t.Errorf("%s is not in\n%s", part, mined.Text)
		}
	}
	candidate := compile(t, mined.Text)
	_, changes := replay(t, l.stretch(), candidate)
	want := []string{
		"desk___pay allow→deny [] ", // failed: nobody learns from it
		"desk___pay allow→deny [] ", // of another purpose
		"desk___pay allow→deny [] ", // of the run that was left out
	}
	if diff := gocmp.Diff(want, verdicts(changes)); diff != "" {
		t.Errorf("%s\n%s", diff, mined.Text)
	}
}

// Names and values of callers cannot break out of their place in what is mined.
func TestMineQuotes(t *testing.T) {
	set := compile(t, policies)
	l := newLog(t, set)
	purpose := "x\"); permit (principal, action, resource); //\n\u202e"
	for range 4 {
		c := paying("1", "a")
		c.purpose, c.agent = purpose, "b\"\n)"
		c.input = `{"amount":1,"to":"a","memo":"\"]) || true // \n"}`
		l.call(c)
	}
	mined, err := hindsight.Mine(t.Context(), l.stretch(), hindsight.Mining{Purpose: purpose}, set)
	if err != nil {
		t.Fatal(err)
	}
	if rules := compile(t, mined.Text).Rules(); len(rules) != 1 {
		t.Errorf("%d rules in\n%s", len(rules), mined.Text)
	}
}
