package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aims/authz"
	"aims/pdp"
	"aims/receipt"

	"filippo.io/torchwood"
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// installation is a small log whose decisions a real policy set made.
type installation struct {
	t        *testing.T
	vkey     string
	signer   note.Signer
	set      *pdp.Set
	leaves   [][]byte
	tree     receipt.Range
	payloads []receipt.Payload
	now      time.Time
}

const (
	origin   = "example.org/log"
	policies = `@id("small") @reason("small sums") permit (principal, action == Action::"payments___transfer", resource) when { context.input.amount.lessThan(decimal("100.0")) };`
)

func newInstallation(t *testing.T) *installation {
	seed := sha256.Sum256([]byte("seed"))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)), origin)
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, vkey: vkey, now: time.Date(2026, 11, 23, 14, 38, 24, 0, time.UTC)}
	if i.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	schema, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: []pdp.Tool{{Server: "payments", Name: "transfer",
		InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"number"}},"required":["amount"]}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	if i.set, err = pdp.Compile([]pdp.Source{{Name: "payments.cedar", Text: []byte(policies)}}, schema); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		i.call(fmt.Sprintf(`{"amount":%d}`, n*10))
	}
	return i
}

func (i *installation) id() string {
	return fmt.Sprintf("rcp_00000000-0000-7000-8000-%012x", len(i.leaves))
}

func (i *installation) keep(name string, data []byte) string {
	p := receipt.Payload{Index: uint64(len(i.leaves)), Name: name, Data: data}
	p.Salt[0] = byte(len(i.leaves))
	i.payloads = append(i.payloads, p)
	return p.Salt.Digest(data)
}

func (i *installation) append(kind receipt.Kind, closes uint64, body any) {
	i.t.Helper()
	encoded, err := receipt.Encode(body)
	if err != nil {
		i.t.Fatal(err)
	}
	i.now = i.now.Add(time.Millisecond)
	leaf, err := receipt.AppendLeaf(nil, receipt.Header{Kind: kind, Index: uint64(len(i.leaves)), Closes: closes, Time: i.now}, encoded)
	if err != nil {
		i.t.Fatal(err)
	}
	i.leaves = append(i.leaves, leaf)
	i.tree.Append(receipt.LeafHash(leaf))
}

// call decides a transfer and closes it if it was allowed.
func (i *installation) call(input string) {
	i.t.Helper()
	agent := cedar.NewEntityUID("Agent", "billing")
	req := cedar.Request{
		Principal: agent, Action: cedar.NewEntityUID("Action", "payments___transfer"), Resource: cedar.NewEntityUID("McpServer", "payments"),
		Context: types.NewRecord(types.RecordMap{
			"tool":    types.NewRecord(types.RecordMap{"pin": types.String(""), "quarantined": types.False, "read_only": types.False, "destructive": types.True}),
			"session": types.NewRecord(types.RecordMap{"id": types.String("s"), "channel": types.String("mcp"), "protocol": types.String("2026-07-28")}),
		}),
	}
	entities := types.EntityMap{agent: {UID: agent}}
	facts, err := pdp.EncodeFacts(req, entities)
	if err != nil {
		i.t.Fatal(err)
	}
	complete, err := i.set.Complete(req, []byte(input))
	if err != nil {
		i.t.Fatal(err)
	}
	made := i.set.Decide(complete, entities)
	kind, index, id := receipt.DecisionKind, uint64(len(i.leaves)), i.id()
	if made.Verdict != authz.Allow {
		kind = receipt.RefusalKind
	}
	i.append(kind, 0, receipt.Decision{
		ID: id, Actor: &receipt.Party{Type: "agent", ID: "billing"}, Channel: "mcp", Method: "tools/call", Action: "payments___transfer",
		Verdict: made.Verdict, Reasons: made.Reasons, Faults: made.Faults, Obligations: made.Obligations, Policy: made.Policy,
		Facts: i.keep("facts", facts), Input: i.keep("input", []byte(input)),
	})
	if made.Verdict == authz.Allow {
		i.append(receipt.OutcomeKind, index, receipt.Outcome{ID: i.id(), Decision: id, Status: receipt.Succeeded, Micros: 1})
	}
}

func (i *installation) checkpoint() []byte {
	text := torchwood.Checkpoint{Origin: origin, Tree: tlog.Tree{N: int64(i.tree.Size()), Hash: i.tree.Root()}}.String()
	signed, err := note.Sign(&note.Note{Text: text}, i.signer)
	if err != nil {
		i.t.Fatal(err)
	}
	return signed
}

func (i *installation) Contents(context.Context) (receipt.Contents, error) {
	return receipt.Contents{Origin: origin, Size: i.tree.Size(), Payloads: true, Policies: []string{i.set.Digest()}}, nil
}

func (i *installation) Checkpoints(context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield(i.checkpoint(), nil) }
}

func (i *installation) Entries(_ context.Context, from uint64) (io.ReadCloser, error) {
	var frames []byte
	for _, leaf := range i.leaves[from:] {
		var err error
		if frames, err = torchwood.AppendTileEntry(frames, leaf); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(bytes.NewReader(frames)), nil
}

func (i *installation) Hashes(context.Context, uint64) (io.ReadCloser, error) {
	return nil, receipt.ErrNotKept
}

func (i *installation) Payloads(context.Context, uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		for _, p := range i.payloads {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (i *installation) Policy(context.Context, string) (receipt.PolicySet, error) {
	set := receipt.PolicySet{Digest: i.set.Digest(), Schema: i.set.Schema()}
	for _, s := range i.set.Sources() {
		set.Sources = append(set.Sources, receipt.PolicySource{Name: s.Name, Text: s.Text})
	}
	return set, nil
}

func (i *installation) export() string {
	dir := filepath.Join(i.t.TempDir(), "export")
	if _, err := receipt.Export(i.t.Context(), i, dir, receipt.ExportOptions{Payloads: true}); err != nil {
		i.t.Fatal(err)
	}
	return dir
}

// command runs aims-verify.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, environment{out: &o, err: &e, now: time.Now})
	return code, o.String(), e.String()
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// contains asserts the lines of a report, whose columns are aligned by spaces.
func contains(t *testing.T, out string, lines ...string) {
	t.Helper()
	squeezed := strings.Join(strings.Fields(out), " ")
	for _, line := range lines {
		if !strings.Contains(squeezed, line) {
			t.Errorf("%q is not in\n%s", line, out)
		}
	}
}

func TestVerifiesAnExport(t *testing.T) {
	i := newInstallation(t)
	dir := i.export()
	key := write(t, "vkey", []byte(i.vkey+"\n"))
	for _, k := range []string{i.vkey, key} {
		code, out, errs := command(t, dir, "--key", k)
		if code != exitVerified || errs != "" {
			t.Fatalf("exit %d, %s%s", code, out, errs)
		}
		contains(t, out, "ok signatures 1 checkpoints", "ok tree 1 signed checkpoints", "ok outcomes 10 decisions", "ok bodies 30 entries",
			"ok payloads 40 payload digests", "ok decisions 20 policy decisions", "not checked hashes the leaf hashes are not included",
			"not checked tail no checkpoint kept elsewhere and no witness was given: entries cut off the end together with their checkpoints cannot be seen",
			"left out leaf hashes: the source has none", "verified: log example.org/log, 30 entries, root "+i.tree.Root().String())
	}
	code, out, _ := command(t, dir, "--key", i.vkey, "--integrity")
	if code != exitVerified {
		t.Errorf("exit %d, %s", code, out)
	}
	contains(t, out, "not checked decisions only integrity was asked for")

	code, out, _ = command(t, "export", dir, "--key", i.vkey, "--json")
	var r receipt.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitVerified || !r.Verified() || r.Size != 30 {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
}

func TestNamesThePlace(t *testing.T) {
	i := newInstallation(t)
	edit := func(file, old, new string) string {
		dir := i.export()
		name := filepath.Join(dir, file)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		edited := bytes.Replace(b, []byte(old), []byte(new), 1)
		if bytes.Equal(edited, b) {
			t.Fatalf("%q is not in %s", old, file)
		}
		if err := os.WriteFile(name, edited, 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	set := filepath.Join("policies", strings.TrimPrefix(i.set.Digest(), "sha256:"))
	for name, c := range map[string]struct{ dir, want string }{
		"a receipt":   {edit("entries", "succeeded", "undeliver"), "FAILED tree 1 signed checkpoints, 1 exceptions entries 0–29: differ from the checkpoint of size 30 signed by example.org/log"},
		"a payload":   {edit("payloads", `{"amount":30}`, `{"amount":31}`), "FAILED payloads 40 payload digests, 1 exceptions payload input of entry 6: the payload or its salt"},
		"a policy":    {edit(filepath.Join(set, "000-payments.cedar"), `100.0`, `900.0`), "entry 0: the policy set that decided it: the text kept for " + i.set.Digest()},
		"a signature": {edit("checkpoint", "— example.org/log ", "— example.org/log A"), "FAILED signatures 2 checkpoints, 1 exceptions checkpoint 2 of size 30: "},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := command(t, c.dir, "--key", i.vkey)
			if code != exitFailed || errs != "" {
				t.Errorf("exit %d, %s", code, errs)
			}
			contains(t, out, c.want, "NOT VERIFIED: log example.org/log, 30 entries")
		})
	}
}

// TestDecisionThatPolicyDoesNotGive records another verdict than the policy's.
func TestDecisionThatPolicyDoesNotGive(t *testing.T) {
	i := newInstallation(t)
	i.call(`{"amount":5}`)
	d := i.leaves[30] // a decision whose facts and input are kept
	_, body, err := receipt.ParseLeaf(d)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := receipt.DecodeDecision(receipt.DecisionKind, body)
	if err != nil {
		t.Fatal(err)
	}
	allowed.ID, allowed.Facts, allowed.Input = i.id(), i.keep("facts", i.payloads[40].Data), i.keep("input", []byte(`{"amount":5000}`))
	i.append(receipt.DecisionKind, 0, allowed)
	code, out, _ := command(t, i.export(), "--key", i.vkey)
	if code != exitFailed {
		t.Errorf("exit %d", code)
	}
	contains(t, out, "FAILED decisions 22 policy decisions, 1 exceptions entry 32: recorded as allow, but its policy and facts give deny")
}

func TestCheckpointKeptElsewhere(t *testing.T) {
	i := newInstallation(t)
	short := i.export()
	i.call(`{"amount":1}`)
	kept := write(t, "checkpoint", i.checkpoint())
	code, out, _ := command(t, short, "--key", i.vkey, "--checkpoint", kept)
	if code != exitFailed {
		t.Errorf("exit %d", code)
	}
	contains(t, out, "tail: 2 entries that the checkpoint kept elsewhere (size 32) covers are missing: entries 30–31")
	if code, out, _ := command(t, i.export(), "--key", i.vkey, "--checkpoint", kept); code != exitVerified {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestUnusable(t *testing.T) {
	i := newInstallation(t)
	dir := i.export()
	for name, args := range map[string][]string{
		"no arguments":            {},
		"no key":                  {dir},
		"no such key":             {dir, "--key", "nowhere"},
		"a broken key":            {dir, "--key", "a+b+c"},
		"no export":               {t.TempDir(), "--key", i.vkey},
		"no such flag":            {dir, "--key", i.vkey, "--trust-me"},
		"quorum without witness":  {dir, "--key", i.vkey, "--quorum", "1"},
		"no such checkpoint":      {dir, "--key", i.vkey, "--checkpoint", "nowhere"},
		"a checkpoint of nobody":  {dir, "--key", i.vkey, "--checkpoint", write(t, "c", []byte("hello"))},
		"a time that is none":     {dir, "--key", i.vkey, "--cosigned-since", "yesterday"},
		"a proof without a proof": {"proof", "nowhere", "--key", i.vkey},
	} {
		if code, out, errs := command(t, args...); code != exitUnusable || out != "" || errs == "" {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
	}
	code, out, _ := command(t, "--help")
	if code != exitVerified {
		t.Errorf("--help: exit %d", code)
	}
	contains(t, out, "Exit codes:", "1 a check failed; the report names the place")
}

func TestProof(t *testing.T) {
	i := newInstallation(t)
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, n := range at {
			out = append(out, stored[n])
		}
		return out, nil
	})
	for n, leaf := range i.leaves {
		hashes, err := tlog.StoredHashes(int64(n), leaf, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	p, err := tlog.ProveRecord(int64(len(i.leaves)), 17, read)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	proof := filepath.Join(dir, "x.tlog-proof")
	for name, b := range map[string][]byte{"x.tlog-proof": torchwood.FormatProof(17, p, i.checkpoint()), "x.leaf": i.leaves[17], "other": i.leaves[18]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, _ := command(t, "proof", proof, "--key", i.vkey)
	if code != exitVerified {
		t.Errorf("exit %d, %s", code, out)
	}
	contains(t, out, "ok entry 17 of the log example.org/log: outcome, 2026-11-23T14:38:24.018Z")
	code, out, _ = command(t, "proof", proof, "--leaf", filepath.Join(dir, "other"), "--key", i.vkey)
	if code != exitFailed {
		t.Errorf("exit %d, %s", code, out)
	}
	contains(t, out, "FAILED proof: the leaf is not entry 17 of the log")
	code, out, _ = command(t, "proof", proof, "--key", i.vkey, "--json")
	var r proofResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitVerified || !r.Verified || *r.Index != 17 {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
}
