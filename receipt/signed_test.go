package receipt_test

import (
	"strings"
	"testing"
	"time"

	"aims/authz"
	"aims/receipt"
)

// TestTailCutOff cuts the end off a log together with its checkpoints. Only
// somebody else's memory shows that.
func TestTailCutOff(t *testing.T) {
	whole := tamperedLog(t)
	witness := newWitness(t, "witness.example/w")
	l := newLog(t, "example.org/log", "a")
	l.fill(48, 16)
	l.notes[2] = l.sign(48, l.tree.Root(), witness)
	cut := openExport(t, export(t, l, receipt.ExportOptions{Payloads: true}))

	r := verify(t, cut, receipt.Options{Trust: l.trust()})
	if c, _ := r.Check("tail"); !r.Verified() || c.State != receipt.Unchecked || !strings.Contains(c.Note, "cut off") {
		t.Errorf("without help it cannot be seen, and the report must say so: %+v", c)
	}
	kept := whole.notes[3]
	fails(t, verify(t, cut, receipt.Options{Trust: l.trust(), Elsewhere: [][]byte{kept}}),
		"tail: tail: 16 entries that the checkpoint kept elsewhere (size 64) covers are missing: entries 48–63")

	r = verify(t, cut, receipt.Options{Trust: l.trust(witness)})
	if c, _ := r.Check("witnesses"); !r.Verified() || !strings.Contains(c.Note, "cosigned size 48 at ") {
		t.Errorf("%+v %q", c, exceptions(r))
	}
	fails(t, verify(t, cut, receipt.Options{Trust: l.trust(witness), CosignedSince: time.Now().Add(time.Hour)}),
		"witnesses: checkpoints: none is cosigned by 1 of 1 witnesses since")

	if _, err := receipt.Verify(t.Context(), cut, receipt.Options{Trust: l.trust(), Elsewhere: [][]byte{newLog(t, "example.org/log", "b").sign(1, receipt.Hash{})}}); err == nil {
		t.Error("a checkpoint of another key was taken for one kept elsewhere")
	}
}

// TestTwoHistories shows one history to the auditor and another to who kept a checkpoint.
func TestTwoHistories(t *testing.T) {
	l := tamperedLog(t)
	other := newLog(t, "example.org/log", "a")
	other.now = other.now.Add(time.Second)
	other.fill(40, 40)
	fails(t, verify(t, l, receipt.Options{Trust: l.trust(), Elsewhere: other.notes}),
		"tail: entries 32–39: differ from the checkpoint kept elsewhere (size 40), which the log signed too")
	r := verify(t, l, receipt.Options{Trust: l.trust(), Elsewhere: l.notes})
	if c, _ := r.Check("tail"); !r.Verified() || c.Population != 4 || c.State != receipt.Passed {
		t.Errorf("%+v %q", c, exceptions(r))
	}
}

// TestSignedNonsense has the log's own key sign what must not be in a log.
func TestSignedNonsense(t *testing.T) {
	type edit func(l *testLog, policy string)
	raw := func(l *testLog, h receipt.Header, body any) {
		if h.Time.IsZero() {
			l.now = l.now.Add(time.Millisecond)
			h.Time = l.now
		}
		b, ok := body.(string)
		if !ok {
			b = encode(l.t, body)
		}
		leaf, err := receipt.AppendLeaf(nil, h, []byte(b))
		if err != nil {
			l.t.Fatal(err)
		}
		l.push(leaf)
	}
	for _, c := range []struct {
		name string
		edit edit
		want string
	}{
		{"an index left out", func(l *testLog, _ string) { raw(l, receipt.Header{Kind: receipt.EventKind, Index: 17}, event()) }, "indexes: entry 16: header says index 17"},
		{"an absurd index", func(l *testLog, _ string) {
			raw(l, receipt.Header{Kind: receipt.EventKind, Index: 1 << 60}, event())
		}, "indexes: entry 16: header says index 1152921504606846976"},
		{"time going back", func(l *testLog, _ string) {
			raw(l, receipt.Header{Kind: receipt.EventKind, Index: 16, Time: start}, event())
		}, "time: entry 16: its time is earlier"},
		{"a header that is none", func(l *testLog, _ string) { l.push([]byte("aims-receipt/2 event ")) }, "indexes: entry 16: its header line is malformed"},
		{"nothing", func(l *testLog, _ string) { l.push(nil) }, "indexes: entry 16: its header line is malformed"},
		{"a decision never closed", func(l *testLog, p string) {
			l.decide(p, "{}")
			l.now = l.now.Add(2 * time.Hour)
			l.turnAway()
		}, "outcomes: entry 16: the decision has no outcome, 1h0m0s later"},
		{"a decision closed twice", func(l *testLog, p string) { l.close(l.decide(p, "{}")); l.close(16) }, "outcomes: entry 18: closes entry 16, which is no decision or was closed before"},
		{"an outcome of a refusal", func(l *testLog, p string) { l.close(5) }, "outcomes: entry 16: closes entry 5, which is no decision or was closed before"},
		{"an outcome of the future", func(l *testLog, p string) { l.close(17); l.decide(p, "{}") }, "outcomes: entry 16: closes entry 17, which does not come before it"},
		{"an outcome of itself", func(l *testLog, p string) { l.close(16) }, "outcomes: entry 16: closes entry 16, which does not come before it"},
		{"an outcome that names another decision", func(l *testLog, p string) {
			l.decide(p, "{}")
			o := outcome()
			o.Result = ""
			raw(l, receipt.Header{Kind: receipt.OutcomeKind, Index: 17, Closes: 16}, o)
		}, "outcomes: entry 17: closes entry 16 but names another decision"},
		{"a refusal that allowed", func(l *testLog, _ string) {
			raw(l, receipt.Header{Kind: receipt.RefusalKind, Index: 16}, decision())
		}, `bodies: entry 16: its body is not one that an installation writes: verdict "allow" in a refusal`},
		{"a decision that denied", func(l *testLog, _ string) {
			raw(l, receipt.Header{Kind: receipt.DecisionKind, Index: 16}, refusal())
		}, `bodies: entry 16: its body is not one that an installation writes: verdict "deny" in a decision`},
		{"a body with a field twice", func(l *testLog, _ string) {
			raw(l, receipt.Header{Kind: receipt.EventKind, Index: 16}, `{"id":"`+id(16)+`",`+encode(l.t, event())[1:])
		}, "bodies: entry 16: "},
		{"an erasure of what is to come", func(l *testLog, _ string) {
			l.event(receipt.ErasedEvent, receipt.Erasure{From: 0, To: 100, Names: []string{"input"}})
		}, "bodies: entry 16: its body is not one that an installation writes: detail: erases the payloads of entries 0–100"},
		{"an allowed call that policy denies", func(l *testLog, p string) {
			d := decision()
			d.ID, d.Policy, d.Facts, d.Input = id(16), p, l.keep("facts", `{"Action":"transfer"}`), l.keep("input", `{"evil":1}`)
			l.append(receipt.DecisionKind, 0, d)
		}, "decisions: entry 16: recorded as allow, but its policy and facts give deny"},
		{"a reason that was not", func(l *testLog, p string) {
			d := decision()
			d.ID, d.Policy, d.Facts, d.Input = id(16), p, l.keep("facts", `{"Action":"transfer"}`), l.keep("input", `{}`)
			d.Reasons = []authz.Reason{{Policy: "a", Effect: "permit", Text: "fine", Controls: []string{"A.6.1"}}}
			l.append(receipt.DecisionKind, 0, d)
		}, "decisions: entry 16: recorded with other reasons than its policy and facts give"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, "example.org/log", "a")
			l.fill(16, 16)
			c.edit(l, l.policy("transfer"))
			l.checkpoint()
			r := verify(t, l, receipt.Options{Trust: l.trust()})
			fails(t, r, c.want)
			if tree, _ := r.Check("tree"); tree.State != receipt.Passed {
				t.Errorf("the key signed this tree, but %+v", tree)
			}
		})
	}
}
