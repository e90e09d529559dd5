package receipt_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/authz"
	"aims/receipt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// id is the n-th of a row of receipt ids.
func id(n uint64) string { return fmt.Sprintf("rcp_00000000-0000-7000-8000-%012x", n) }

// testLog is a log in memory, signed with a key of its own. It is a Source.
type testLog struct {
	t        testing.TB
	signer   note.Signer
	vkey     string
	leaves   [][]byte
	tree     receipt.Range
	notes    [][]byte
	payloads []receipt.Payload
	policies map[string]receipt.PolicySet
	now      time.Time
	// omit makes the Source leave things out.
	omit struct{ hashes, payloads bool }
}

var start = time.Date(2026, 11, 23, 14, 38, 24, 0, time.UTC)

// keySource makes keys that are the same in every run.
func keySource(seed string) io.Reader {
	sum := sha256.Sum256([]byte(seed))
	return bytes.NewReader(bytes.Repeat(sum[:], 8))
}

func newLog(t testing.TB, origin, seed string) *testLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(keySource(seed), origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{t: t, signer: signer, vkey: vkey, now: start, policies: map[string]receipt.PolicySet{}}
}

func newWitness(t testing.TB, name string) *torchwood.CosignatureSigner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(keySource(name))
	if err != nil {
		t.Fatal(err)
	}
	w, err := torchwood.NewCosignatureSigner(name, key)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (l *testLog) size() uint64 { return uint64(len(l.leaves)) }

// append adds a receipt 1500 µs after the one before.
func (l *testLog) append(kind receipt.Kind, closes uint64, body any) uint64 {
	l.t.Helper()
	l.now = l.now.Add(1500 * time.Microsecond)
	encoded, err := receipt.Encode(body)
	if err != nil {
		l.t.Fatal(err)
	}
	leaf, err := receipt.AppendLeaf(nil, receipt.Header{Kind: kind, Index: l.size(), Closes: closes, Time: l.now}, encoded)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.push(leaf)
}

func (l *testLog) push(leaf []byte) uint64 {
	l.leaves = append(l.leaves, leaf)
	l.tree.Append(receipt.LeafHash(leaf))
	return l.size() - 1
}

// keep stores a payload of the next receipt and returns its digest.
func (l *testLog) keep(name, data string) string {
	p := receipt.Payload{Index: l.size(), Name: name, Data: []byte(data)}
	p.Salt = sha256.Sum256(fmt.Appendf(nil, "salt %s %d", name, l.size()))
	l.payloads = append(l.payloads, p)
	return p.Salt.Digest(p.Data)
}

// policy keeps a policy set of that one text. testCompiler understands it.
func (l *testLog) policy(text string) string {
	set := receipt.PolicySet{Schema: []byte("schema"), Sources: []receipt.PolicySource{{Name: "dir/a policy.cedar", Text: []byte(text)}}}
	set.Digest, _, _ = testCompiler(set)
	l.policies[set.Digest] = set
	return set.Digest
}

// testCompiler is a decision point whose sets permit what their text names.
func testCompiler(set receipt.PolicySet) (string, receipt.Decider, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q", set.Schema)
	for _, s := range set.Sources {
		fmt.Fprintf(h, "%q%q", s.Name, s.Text)
	}
	digest := "sha256:" + hex.EncodeToString(h.Sum(nil))
	if len(set.Sources) == 0 {
		return "", nil, fmt.Errorf("an empty set")
	}
	text := string(set.Sources[0].Text)
	return digest, func(facts, input []byte) (authz.Decision, error) {
		var f struct{ Action string }
		if err := json.Unmarshal(facts, &f); err != nil {
			return authz.Decision{}, err
		}
		d := authz.Decision{Verdict: authz.Deny, Policy: digest, Reasons: []authz.Reason{{Policy: "default", Effect: "forbid"}}}
		if strings.Contains(text, f.Action) && !bytes.Contains(input, []byte("evil")) {
			d.Verdict, d.Reasons = authz.Allow, []authz.Reason{{Policy: "a", Effect: "permit", Text: "fine", Controls: []string{"A.9.2"}}}
		}
		return d, nil
	}, nil
}

// decide appends a decision or a refusal with everything that may stand in it.
func (l *testLog) decide(policy, input string) uint64 {
	facts := `{"Action":"transfer"}`
	set := l.policies[policy]
	_, decide, _ := testCompiler(set)
	made, err := decide([]byte(facts), []byte(input))
	if err != nil {
		l.t.Fatal(err)
	}
	kind := receipt.DecisionKind
	d := receipt.Decision{
		ID: id(l.size()), Actor: &receipt.Party{Type: "agent", ID: "billing"}, Session: "s-1", Channel: "mcp", Method: "tools/call",
		Action: "payments___transfer", Resource: &receipt.Object{Type: "McpServer", ID: "payments"},
		Verdict: made.Verdict, Reasons: made.Reasons, Faults: made.Faults, Obligations: made.Obligations,
		Policy: policy, Pin: digest, Facts: l.keep("facts", facts), Input: l.keep("input", input),
	}
	if d.Verdict != authz.Allow {
		kind, d.Cause, d.Count = receipt.RefusalKind, "policy", 2
	}
	return l.append(kind, 0, d)
}

func (l *testLog) close(decision uint64) uint64 {
	result := fmt.Sprintf(`{"paid":%d}`, decision)
	return l.append(receipt.OutcomeKind, decision, receipt.Outcome{
		ID: id(l.size()), Decision: id(decision), Status: receipt.Failed, Detail: "the desk is closed",
		Result: l.keep("result", result), Bytes: int64(len(result)), Micros: 1500,
	})
}

func (l *testLog) event(name string, detail any) uint64 {
	raw, err := json.Marshal(detail)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.append(receipt.EventKind, 0, receipt.Event{
		ID: id(l.size()), Actor: receipt.Party{Type: "person", ID: "ada"}, Name: name,
		Object: receipt.Object{Type: "policy", ID: "p"}, Decision: id(0), Detail: raw,
	})
}

// turnAway appends a refusal of somebody unknown.
func (l *testLog) turnAway() uint64 {
	return l.append(receipt.RefusalKind, 0, receipt.Decision{ID: id(l.size()), Channel: "mcp", Method: "tools/call", Verdict: authz.Deny, Cause: "no key"})
}

// fill grows the log to a size, a checkpoint every so many entries and at the end.
func (l *testLog) fill(size, every uint64) {
	policy := l.policy("transfer")
	for l.size() < size {
		switch l.size() % 8 {
		case 0:
			l.event("policy.activated", map[string]string{"digest": policy})
		case 1, 2:
			l.decide(policy, fmt.Sprintf(`{"amount":%d}`, l.size()))
		case 3, 4:
			l.close(l.size() - 2)
		case 5:
			l.decide(policy, `{"evil":true}`)
		case 6:
			l.turnAway()
		case 7:
			l.event("key.created", map[string]string{"key": "k"})
		}
		if l.size()%every == 0 {
			l.checkpoint()
		}
	}
	if l.size()%every != 0 {
		l.checkpoint()
	}
}

func (l *testLog) checkpoint(witnesses ...note.Signer) []byte {
	l.t.Helper()
	signed := l.sign(l.tree.Size(), l.tree.Root(), witnesses...)
	l.notes = append(l.notes, signed)
	return signed
}

func (l *testLog) sign(size uint64, root receipt.Hash, witnesses ...note.Signer) []byte {
	l.t.Helper()
	text := torchwood.Checkpoint{Origin: l.signer.Name(), Tree: tlog.Tree{N: int64(size), Hash: root}}.String()
	signed, err := note.Sign(&note.Note{Text: text}, append([]note.Signer{l.signer}, witnesses...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

func (l *testLog) trust(witnesses ...*torchwood.CosignatureSigner) receipt.Trust {
	l.t.Helper()
	var keys []string
	for _, w := range witnesses {
		keys = append(keys, w.Verifier().String())
	}
	trust, err := receipt.NewTrust(l.vkey, keys, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return trust
}

func (l *testLog) Contents(context.Context) (receipt.Contents, error) {
	c := receipt.Contents{Origin: l.signer.Name(), Size: l.size(), Hashes: !l.omit.hashes, Payloads: !l.omit.payloads}
	for digest := range l.policies {
		c.Policies = append(c.Policies, digest)
	}
	slices.Sort(c.Policies)
	return c, nil
}

func (l *testLog) Checkpoints(context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, n := range l.notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

func (l *testLog) Entries(_ context.Context, from uint64) (io.ReadCloser, error) {
	var b bytes.Buffer
	for _, leaf := range l.leaves[min(from, l.size()):] {
		b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(leaf))))
		b.Write(leaf)
	}
	return io.NopCloser(&b), nil
}

func (l *testLog) Hashes(_ context.Context, from uint64) (io.ReadCloser, error) {
	if l.omit.hashes {
		return nil, receipt.ErrNotKept
	}
	var b bytes.Buffer
	for _, leaf := range l.leaves[min(from, l.size()):] {
		h := receipt.LeafHash(leaf)
		b.Write(h[:])
	}
	return io.NopCloser(&b), nil
}

func (l *testLog) Payloads(_ context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		for _, p := range l.payloads {
			if p.Index >= from && !yield(p, nil) {
				return
			}
		}
	}
}

func (l *testLog) Policy(_ context.Context, digest string) (receipt.PolicySet, error) {
	set, ok := l.policies[digest]
	if !ok {
		return set, receipt.ErrNotKept
	}
	return set, nil
}

// verify runs both passes with testCompiler.
func verify(t testing.TB, src receipt.Source, opt receipt.Options) receipt.Report {
	t.Helper()
	opt.Compile = testCompiler
	r, err := receipt.Verify(t.Context(), src, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// exceptions are all that are listed, as "check: place: text".
func exceptions(r receipt.Report) []string {
	var out []string
	for _, c := range r.Checks {
		for _, e := range c.First {
			out = append(out, c.Name+": "+e.String())
		}
	}
	return out
}
