package enforcement_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/receipt"
)

func TestOutcomeClosesItsDecision(t *testing.T) {
	w := newWorld(t, nil)
	r := w.decide(payment(billing, `{"amount":1}`))
	w.clock.Advance(1500 * time.Microsecond)
	if err := w.Close(t.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(`{"ok":true}`)}); err != nil {
		t.Fatal(err)
	}
	leaf := w.leaves(r.Index + 1)[0]
	o := w.outcomes(r.Index)[0]
	if leaf.Closes != r.Index || o.Decision != r.Receipt || o.Status != receipt.Succeeded || o.Bytes != 11 || o.Micros != 1500 {
		t.Errorf("%+v closes %d", o, leaf.Closes)
	}
	if got := w.payload(leaf.Index, receipt.ResultPayload, o.Result); got != `{"ok":true}` {
		t.Errorf("result %q", got)
	}
	if err := w.Close(t.Context(), r, enforcement.Outcome{Status: receipt.Failed}); code(err) != aims.Conflict {
		t.Errorf("twice: %v", err)
	}
	denied := w.decide(payment(billing, `{"amount":100}`))
	if err := w.Close(t.Context(), denied, enforcement.Outcome{Status: receipt.Succeeded}); code(err) != aims.Conflict {
		t.Errorf("a refusal: %v", err)
	}
	if err := w.Close(t.Context(), w.decide(payment(billing, `{"amount":1}`)), enforcement.Outcome{Status: "fine"}); code(err) != aims.Invalid {
		t.Errorf("an unknown status: %v", err)
	}
}

func TestLargeResultsLeaveTheirDigest(t *testing.T) {
	w := newWorld(t, func(o *enforcement.Options) { o.MaxResult = 10 })
	content := []byte(strings.Repeat("x", 11))
	sum := sha256.Sum256(content)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	for name, o := range map[string]enforcement.Outcome{
		"held":     {Status: receipt.Succeeded, Result: content},
		"streamed": {Status: receipt.Succeeded, Bytes: 11, SHA256: digest},
	} {
		r := w.decide(payment(billing, `{"amount":1}`))
		if err := w.Close(t.Context(), r, o); err != nil {
			t.Fatal(err)
		}
		recorded := w.outcomes(r.Index)[0]
		var kept struct {
			SHA256 string `json:"omitted_sha256"`
			Bytes  int
		}
		if err := json.Unmarshal([]byte(w.payload(r.Index+1, receipt.ResultPayload, recorded.Result)), &kept); err != nil {
			t.Fatal(err)
		}
		if recorded.Bytes != 11 || kept.Bytes != 11 || kept.SHA256 != digest {
			t.Errorf("%s: %+v, kept %+v", name, recorded, kept)
		}
	}
	r := w.decide(payment(billing, `{"amount":1}`))
	if err := w.Close(t.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Bytes: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if o := w.outcomes(r.Index)[0]; o.Bytes != 1<<40 || o.Result != "" {
		t.Errorf("only the size is known: %+v", o)
	}
}

// evaluation is a question of a caller that acts by itself.
func evaluation(p identity.Principal) enforcement.Call {
	c := payment(p, `{"amount":1}`)
	c.Channel, c.Method = enforcement.AuthZEN, "evaluation"
	return c
}

func TestOutcomeIsReportedByItsCallerOnce(t *testing.T) {
	w := newWorld(t, nil)
	r := w.decide(evaluation(billing))
	done := enforcement.Outcome{Status: receipt.Succeeded}
	for name, c := range map[string]struct {
		who  identity.Principal
		id   string
		o    enforcement.Outcome
		code aims.Code
	}{
		"another":              {other, r.Receipt, done, aims.NotFound},
		"a person of its name": {identity.Principal{Actor: aims.Actor{Type: aims.PersonType, ID: "billing"}}, r.Receipt, done, aims.NotFound},
		"no receipt":           {billing, aims.NewID("rcp"), done, aims.NotFound},
		"no id":                {billing, "x", done, aims.NotFound},
		"a refusal":            {billing, w.decide(payment(billing, `{"amount":100}`)).Receipt, done, aims.NotFound},
		"of the gateway":       {billing, w.decide(payment(billing, `{"amount":1}`)).Receipt, done, aims.Conflict},
		"unreported":           {billing, r.Receipt, enforcement.Outcome{Status: receipt.Unreported}, aims.Invalid},
		"no status":            {billing, r.Receipt, enforcement.Outcome{}, aims.Invalid},
	} {
		if err := w.CloseByID(t.Context(), c.who, c.id, c.o); code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.outcomes(0)); n != 0 {
		t.Fatalf("%d outcomes", n)
	}
	var wg sync.WaitGroup
	var closed, conflicts atomic.Int64
	for range 32 {
		wg.Go(func() {
			switch err := w.CloseByID(t.Context(), billing, r.Receipt, done); code(err) {
			case "":
				closed.Add(1)
			case aims.Conflict:
				conflicts.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if closed.Load() != 1 || conflicts.Load() != 31 || len(w.outcomes(0)) != 1 {
		t.Errorf("closed %d times, %d conflicts, %d outcomes", closed.Load(), conflicts.Load(), len(w.outcomes(0)))
	}
}

func TestOverdueReportsAreClosed(t *testing.T) {
	w := newWorld(t, func(o *enforcement.Options) { o.ReportWithin, o.MaxUnreported = time.Minute, 3 })
	gateway := w.decide(payment(billing, `{"amount":1}`))
	first := w.decide(evaluation(billing))
	reported := w.decide(evaluation(billing))
	if err := w.CloseByID(t.Context(), billing, reported.Receipt, enforcement.Outcome{Status: receipt.Succeeded}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(30 * time.Second)
	second := w.decide(evaluation(billing))
	if n, err := w.CloseOverdue(t.Context()); n != 0 || err != nil {
		t.Errorf("too early: %d, %v", n, err)
	}
	w.clock.Advance(30 * time.Second)
	if n, err := w.CloseOverdue(t.Context()); n != 1 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	last := w.outcomes(second.Index)
	if len(last) != 1 || last[0].Decision != first.Receipt || last[0].Status != receipt.Unreported {
		t.Errorf("%+v", last)
	}
	if err := w.CloseByID(t.Context(), billing, first.Receipt, enforcement.Outcome{Status: receipt.Succeeded}); code(err) != aims.Conflict {
		t.Errorf("too late: %v", err)
	}
	if err := w.Close(t.Context(), gateway, enforcement.Outcome{Status: receipt.Succeeded}); err != nil {
		t.Errorf("the gateway's own is not overdue: %v", err)
	}
	w.decide(evaluation(billing))
	w.decide(evaluation(billing))
	if _, err := w.Decide(t.Context(), evaluation(billing)); code(err) != aims.Exhausted {
		t.Errorf("without bound: %v", err)
	}
	w.clock.Advance(time.Hour)
	if n, err := w.CloseOverdue(t.Context()); n != 3 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	if !w.decide(evaluation(billing)).Allowed() {
		t.Error("there is room again")
	}
}

func TestDecisionsThatACrashLeftOpen(t *testing.T) {
	w := newWorld(t, nil)
	var left []enforcement.Ruling
	for n := range 200 {
		c := payment(billing, `{"amount":1}`)
		if n%2 == 0 {
			c = evaluation(billing)
		}
		left = append(left, w.decide(c))
	}
	closed := w.decide(payment(billing, `{"amount":1}`))
	if err := w.Close(t.Context(), closed, enforcement.Outcome{Status: receipt.Succeeded}); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	found, err := w.Recover(t.Context())
	if err != nil || len(found) != len(left) {
		t.Fatalf("found %d of %d, %v", len(found), len(left), err)
	}
	for n, d := range found {
		if d.ID != left[n].Receipt || d.Action != "desk___pay" {
			t.Errorf("%d: %+v", n, d)
		}
	}
	outcomes := w.outcomes(closed.Index + 2)
	if len(outcomes) != len(left) || outcomes[0].Status != receipt.Unknown {
		t.Errorf("%d outcomes, %+v", len(outcomes), outcomes[0])
	}
	if found, err := w.Recover(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("again: %d, %v", len(found), err)
	}
}

func TestSecretsDoNotReachReceipts(t *testing.T) {
	token := identity.NewSecret("upstream-token-0123456789")
	w := newWorld(t, func(o *enforcement.Options) { o.Redactor = identity.NewRedactor(token) })
	r := w.decide(payment(billing, `{"amount":1}`))
	detail := fmt.Sprintf("the server said: bad token %q\n\x1b[0m%s", token.Reveal(), strings.Repeat("long ", 1000))
	if err := w.Close(t.Context(), r, enforcement.Outcome{Status: receipt.Failed, Detail: detail}); err != nil {
		t.Fatal(err)
	}
	o := w.outcomes(r.Index)[0]
	if strings.Contains(o.Detail, token.Reveal()) || !strings.Contains(o.Detail, "[secret]") || len(o.Detail) > 600 || strings.Contains(o.Detail, "\x1b") {
		t.Errorf("%q", o.Detail)
	}
}

func TestOutcomeThatCouldNotBeRecordedIsTriedAgain(t *testing.T) {
	w := newWorld(t, nil)
	r := w.decide(payment(billing, `{"amount":1}`))
	w.rename("log_batch", "gone")
	if err := w.Close(t.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte("x")}); code(err) != aims.Unavailable {
		t.Fatalf("a broken database: %v", err)
	}
	if n, err := w.CloseOverdue(t.Context()); n != 0 || err == nil {
		t.Errorf("still broken: %d, %v", n, err)
	}
	w.rename("gone", "log_batch")
	if n, err := w.CloseOverdue(t.Context()); n != 1 || err != nil {
		t.Errorf("healed: %d, %v", n, err)
	}
	o := w.outcomes(r.Index)
	if len(o) != 1 || o[0].Status != receipt.Succeeded || o[0].Bytes != 1 {
		t.Errorf("%+v", o)
	}
}
