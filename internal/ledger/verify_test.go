package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// verify runs the auditor's verification over a database.
func (k keys) verify(t testing.TB, db *store.DB, elsewhere ...[]byte) receipt.Report {
	t.Helper()
	trust, err := receipt.NewTrust(k.vkey, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	src, err := ledger.NewSource(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	report, err := receipt.Verify(t.Context(), src, receipt.Options{Trust: trust, Elsewhere: elsewhere})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustVerify(t testing.TB, r receipt.Report) {
	t.Helper()
	if !r.Verified() {
		t.Errorf("the log does not verify: %s", exceptions(r))
	}
}

// exceptions is everything that a report found wrong.
func exceptions(r receipt.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		for _, e := range c.First {
			b.WriteString(c.Name + ": " + e.String() + "\n")
		}
	}
	return b.String()
}

// work appends calls with their outcomes and some events.
func work(t testing.TB, l *ledger.Ledger, calls int) {
	t.Helper()
	for i := range calls {
		id := aims.NewID("rcp")
		ref := mustAppend(t, l, decision(id, body(i)))
		mustAppend(t, l, event("between"))
		mustAppend(t, l, outcome(id, ref.Index, "result "+body(i)))
	}
}

func TestLogVerifies(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		work(t, l, 30)
		if err := l.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill(t, l, 700)
		mustClose(t, l)
		r := k.verify(t, db)
		mustVerify(t, r)
		if r.Size != 790 {
			t.Errorf("%d entries were verified", r.Size)
		}
		for _, name := range []string{"hashes", "payloads", "bodies", "outcomes"} {
			if c, ok := r.Check(name); !ok || c.State != receipt.Passed {
				t.Errorf("check %s: %+v", name, c)
			}
		}
	})
}

func TestExportVerifies(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		work(t, l, 100)
		mustClose(t, l)
		src, err := ledger.NewSource(t.Context(), db, []receipt.PolicySet{{Digest: somePolicy, Schema: []byte("schema"), Sources: []receipt.PolicySource{{Name: "a.cedar", Text: []byte("permit(principal,action,resource);")}}}})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir() + "/export"
		if _, err := receipt.Export(t.Context(), src, dir, receipt.ExportOptions{Created: time.Now(), Payloads: true}); err != nil {
			t.Fatal(err)
		}
		export, err := receipt.OpenExport(dir)
		if err != nil {
			t.Fatal(err)
		}
		trust, err := receipt.NewTrust(k.vkey, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.Verify(t.Context(), export, receipt.Options{Trust: trust})
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, r)
		if r.Size != 300 {
			t.Errorf("%d entries", r.Size)
		}
	})
}

// A source can be read while the log grows: what it shows stays what it was.
func TestSourceOfAGrowingLog(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		o := k.options()
		o.SignEvery = time.Millisecond
		l := mustOpen(t, db, o)
		work(t, l, 10)
		ctx, stop := context.WithCancel(t.Context())
		grown := make(chan struct{})
		go func() {
			defer close(grown)
			for ctx.Err() == nil {
				id := aims.NewID("rcp")
				ref, err := l.Append(ctx, decision(id, "{}"))
				if err == nil {
					l.Append(ctx, outcome(id, ref.Index, "x"))
				}
			}
		}()
		trust, err := receipt.NewTrust(k.vkey, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			src, err := l.Source(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := receipt.Verify(t.Context(), src, receipt.Options{Trust: trust, Growing: true})
			if err != nil {
				t.Fatal(err)
			}
			mustVerify(t, r)
		}
		stop()
		<-grown
	})
}

func TestErase(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		var refs []ledger.Ref
		for range 200 {
			id := aims.NewID("rcp")
			ref := mustAppend(t, l, decision(id, "a secret input"))
			mustAppend(t, l, outcome(id, ref.Index, "a secret result"))
			refs = append(refs, ref)
		}
		erasure := ledger.Erasure{
			Erasure: receipt.Erasure{From: refs[10].Index, To: refs[189].Index, Names: []string{"input"}, Rule: "retention-30d"},
			Actor:   aims.Actor{Type: aims.PersonType, ID: "dana"}, Decision: aims.NewID("rcp"),
		}
		events, err := l.Erase(t.Context(), erasure)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) < 2 {
			t.Errorf("%d transactions, want several for many commits", len(events))
		}
		for i, ref := range refs {
			got, err := l.Payloads(t.Context(), ref.Index)
			if err != nil || len(got) != 2 {
				t.Fatalf("%d payloads of call %d: %v", len(got), i, err)
			}
			within := 10 <= i && i <= 189
			if got[0].Erased || got[1].Erased != within || within && (got[1].Data != nil || got[1].Salt != (receipt.Salt{})) {
				t.Errorf("call %d: %+v", i, got)
			}
		}
		for _, e := range events {
			leaf, err := l.Entry(t.Context(), e.Index)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := receipt.DecodeEvent(leaf.Body)
			if err != nil || ev.Name != receipt.ErasedEvent || ev.Actor.ID != "dana" || ev.Decision != erasure.Decision || !strings.Contains(string(ev.Detail), "retention-30d") {
				t.Errorf("the erasure's receipt: %s, %v", leaf.Body, err)
			}
		}
		again, err := l.Erase(t.Context(), erasure)
		if err != nil || len(again) != 0 {
			t.Errorf("erasing again made %d receipts, %v", len(again), err)
		}
		mustClose(t, l)
		mustVerify(t, k.verify(t, db))
	})
}

// What an erasure spares stays, at its ends too, and no receipt says otherwise.
func TestAnErasureSpares(t *testing.T) {
	k, db := newKeys(t, origin), onSQLite(t).open(t)
	l := mustOpen(t, db, k.options())
	for range 20 {
		mustAppend(t, l, decision(aims.NewID("rcp"), "an input"))
	}
	spare := []uint64{1, 2, 7, 8, 15, 19}
	erased := func(i uint64) bool { return 2 <= i && i <= 15 && !slices.Contains(spare, i) }
	refs, err := l.Erase(t.Context(), ledger.Erasure{
		Erasure: receipt.Erasure{From: 2, To: 15, Names: []string{"input", "facts"}, Rule: "retention-30d"}, Actor: aims.System, Spare: spare,
	})
	if err != nil {
		t.Fatal(err)
	}
	said := map[uint64]bool{}
	for _, ref := range refs {
		leaf, err := l.Entry(t.Context(), ref.Index)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := receipt.DecodeEvent(leaf.Body)
		if err != nil {
			t.Fatal(err)
		}
		var e receipt.Erasure
		if err := json.Unmarshal(ev.Detail, &e); err != nil {
			t.Fatal(err)
		}
		for i := e.From; i <= e.To; i++ {
			said[i] = true
		}
	}
	for i := range uint64(20) {
		got, err := l.Payloads(t.Context(), i)
		if err != nil || len(got) != 2 || got[0].Erased != erased(i) || got[1].Erased != erased(i) || said[i] != erased(i) {
			t.Errorf("entry %d: %+v, %v; the receipts say that it was erased: %v", i, got, err, said[i])
		}
	}
	mustClose(t, l)
	mustVerify(t, k.verify(t, db))
}

func TestErasedBytesLeaveTheDisk(t *testing.T) {
	k, at := newKeys(t, origin), onSQLite(t)
	l := mustOpen(t, at.open(t), k.options())
	secret := strings.Repeat("a secret that must go ", 500)
	id := aims.NewID("rcp")
	ref := mustAppend(t, l, decision(id, secret))
	kept := mustAppend(t, l, decision(aims.NewID("rcp"), "something that stays"))
	erasure := ledger.Erasure{Erasure: receipt.Erasure{From: ref.Index, To: ref.Index, Names: []string{"input", "facts"}, Rule: "request"}, Actor: aims.System}
	if _, err := l.Erase(t.Context(), erasure); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{at.File, at.File + "-wal"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("a secret that must go")) || bytes.Contains(b, []byte(id[:32])) && bytes.Contains(b, []byte("a secret")) {
			t.Errorf("%s still holds what was erased", file)
		}
	}
	if got, err := l.Payloads(t.Context(), kept.Index); err != nil || len(got) != 2 || got[1].Erased {
		t.Errorf("another call's payloads: %+v, %v", got, err)
	}
}

func TestErasuresThatCannotBe(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	mustAppend(t, l, decision(aims.NewID("rcp"), "{}"))
	for what, e := range map[string]receipt.Erasure{
		"beyond the log": {From: 0, To: 1, Names: []string{"input"}, Rule: "r"},
		"backwards":      {From: 1, To: 0, Names: []string{"input"}, Rule: "r"},
		"no names":       {From: 0, To: 0, Rule: "r"},
		"no rule":        {From: 0, To: 0, Names: []string{"input"}},
	} {
		_, err := l.Erase(t.Context(), ledger.Erasure{Erasure: e, Actor: aims.System})
		wantCode(t, err, aims.Invalid, what)
	}
	// A receipt that cannot be written erases nothing.
	_, err := l.Erase(t.Context(), ledger.Erasure{Erasure: receipt.Erasure{From: 0, To: 0, Names: []string{"input"}, Rule: "r"}})
	wantCode(t, err, aims.Invalid, "nobody's erasure")
	if got, err := l.Payloads(t.Context(), 0); err != nil || got[1].Erased {
		t.Errorf("payloads after refused erasures: %+v, %v", got, err)
	}
}
