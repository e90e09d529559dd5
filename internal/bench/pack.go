package bench

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/evidence/pack"
	"aims/internal/ledger"
	"aims/pdp"
	"aims/receipt"
)

// What is promised of audit packs of a million receipts, on two cores.
const (
	mostPacking   = 90  // s
	mostUnpacking = 60  // s, everything derived again
	packMemory    = 300 // MB of resident memory of the verification
	packPolicies  = 100
	// leastPerformed is how many decisions are made again a second.
	leastPerformed = 1_000_000 / 60
)

// packs records calls under real policies, writes a pack of them and verifies
// it: every decision is made again, and everything else derived again. The bare
// equivalent of writing is deflating the same bytes, that of verifying hashing
// what they unpack to.
func (b *bench) packs(ctx context.Context) (rows []Row, err error) {
	log, err := openLog(ctx, filepath.Join(b.dir, "pack.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.close(context.WithoutCancel(ctx))) }()
	d, err := newDecider(packPolicies)
	if err != nil {
		return nil, err
	}
	size := b.sizes.packed
	b.say("pack: recording %d receipts", size)
	decided, err := fillDecided(ctx, log, d, size)
	if err != nil {
		return nil, err
	}
	if err := log.Sign(ctx); err != nil {
		return nil, err
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	name := filepath.Join(b.dir, "pack.zip")
	took, err := writePack(ctx, log, d, name, pack.Request{From: today.AddDate(0, 0, -1), Until: today.AddDate(0, 0, 2), For: "stage2"})
	if err != nil {
		return nil, err
	}
	deflating, hashing, err := bareArchive(name)
	if err != nil {
		return nil, err
	}
	var done verifiedPack
	used, err := b.once(ctx, &done, "verify-pack", name, log.vkey)
	if err != nil {
		return nil, err
	}
	if done.Decisions != decided {
		return nil, fmt.Errorf("%d decisions were made again, %d were recorded", done.Decisions, decided)
	}
	return []Row{
		Row{Name: fmt.Sprintf("audit pack of %d receipts, written; time over deflating the same bytes", size), Value: took.Seconds(), Unit: "s"}.
			withRatio(took.Seconds() / deflating.Seconds()).valueAtMost(mostPacking),
		Row{Name: fmt.Sprintf("audit pack of %d receipts, verified; time over hashing what it unpacks to", size), Value: done.Took.Seconds(), Unit: "s"}.
			withRatio(done.Took.Seconds() / hashing.Seconds()).valueAtMost(mostUnpacking),
		Row{Name: fmt.Sprintf("audit pack of %d receipts, verified; resident memory", size), Value: float64(used.Memory) / 1e6, Unit: "MB"}.valueAtMost(packMemory),
		Row{Name: fmt.Sprintf("decisions of that log made again, %d policies", packPolicies), Value: float64(decided) / done.Performed.Seconds(), Unit: "decisions/s"}.valueAtLeast(leastPerformed),
	}, nil
}

// fillDecided records calls as they were really decided, with the outcomes of
// those that were allowed, until the log has size receipts. It returns how many
// were decided.
func fillDecided(ctx context.Context, log *testLog, d *decider, size uint64) (uint64, error) {
	made, err := d.calls()
	if err != nil {
		return 0, err
	}
	var receipts, decided atomic.Uint64
	results := make([]error, fillers)
	var filling sync.WaitGroup
	for filler := range fillers {
		filling.Go(func() {
			for n := filler; results[filler] == nil && receipts.Load() < size; n += fillers {
				c := made[n%len(made)]
				receipts.Add(c.receipts())
				decided.Add(1)
				results[filler] = c.record(ctx, log, n)
			}
		})
	}
	filling.Wait()
	return decided.Load(), errors.Join(results...)
}

// decidedCall is a call with the decision about it.
type decidedCall struct {
	action       string
	facts, input []byte
	decision     authz.Decision
}

func (c decidedCall) receipts() uint64 {
	if c.decision.Allowed() {
		return 2
	}
	return 1
}

// calls are the decider's requests as they are recorded.
func (d *decider) calls() ([]decidedCall, error) {
	made := make([]decidedCall, len(d.requests))
	for i, request := range d.requests {
		facts := request.Context.Map()
		made[i].input = fmt.Appendf(nil, `{"to":"supplier-%d","amount":%d.25}`, i, 200+600*(i%2))
		delete(facts, "input")
		delete(facts, "undeclared")
		request.Context = types.NewRecord(facts)
		made[i].action = string(request.Action.ID)
		var err error
		if made[i].facts, err = pdp.EncodeFacts(request, d.entities); err == nil {
			made[i].decision, err = d.set.Redecide(made[i].facts, made[i].input)
		}
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

func (c decidedCall) record(ctx context.Context, log *testLog, n int) error {
	facts, factsDigest := payload(receipt.FactsPayload, c.facts)
	input, inputDigest := payload(receipt.InputPayload, c.input)
	id, kind := aims.NewID("rcp"), receipt.RefusalKind
	if c.decision.Allowed() {
		kind = receipt.DecisionKind
	}
	body, err := receipt.Encode(&receipt.Decision{
		ID: id, Actor: &receipt.Party{Type: aims.AgentType, ID: agentID}, Session: fmt.Sprintf("session-%d", n%1000),
		Channel: "mcp", Method: "tools/call", Action: c.action, Resource: &receipt.Object{Type: "McpServer", ID: server},
		Verdict: c.decision.Verdict, Reasons: c.decision.Reasons, Faults: c.decision.Faults, Obligations: c.decision.Obligations,
		Policy: c.decision.Policy, Facts: factsDigest, Input: inputDigest,
	})
	if err != nil {
		return err
	}
	ref, err := log.Append(ctx, ledger.Entry{Kind: kind, Body: body, Payloads: []ledger.Payload{facts, input}})
	if err != nil || kind == receipt.RefusalKind {
		return err
	}
	if body, err = receipt.Encode(receipt.Outcome{ID: aims.NewID("rcp"), Decision: id, Status: receipt.Succeeded, Micros: 900}); err != nil {
		return err
	}
	_, err = log.Append(ctx, ledger.Entry{Kind: receipt.OutcomeKind, Closes: ref.Index, Body: body})
	return err
}

func writePack(ctx context.Context, log *testLog, d *decider, name string, r pack.Request) (took time.Duration, err error) {
	set := receipt.PolicySet{Digest: d.set.Digest(), Schema: d.set.Schema()}
	for _, s := range d.set.Sources() {
		set.Sources = append(set.Sources, receipt.PolicySource{Name: s.Name, Text: s.Text})
	}
	source, err := ledger.NewSource(ctx, log.db, []receipt.PolicySet{set})
	if err != nil {
		return 0, err
	}
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	start := time.Now()
	_, err = pack.Write(ctx, f, source, r, filepath.Dir(name), nil)
	return time.Since(start), err
}

// bareArchive deflates and hashes what a pack holds, and does nothing else.
func bareArchive(name string) (deflating, hashing time.Duration, err error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return 0, 0, err
	}
	defer z.Close() // read only
	out, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		return 0, 0, err
	}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return 0, 0, err
		}
		block := make([]byte, 1<<20)
		for err == nil {
			var n int
			n, err = in.Read(block)
			start := time.Now()
			if _, wrong := out.Write(block[:n]); wrong != nil {
				return 0, 0, wrong
			}
			between := time.Now()
			receipt.LeafHash(block[:n])
			deflating += between.Sub(start)
			hashing += time.Since(between)
		}
		if err != io.EOF {
			return 0, 0, err
		}
	}
	return deflating, hashing, nil
}

// verifiedPack is what the role verify-pack prints.
type verifiedPack struct {
	Decisions uint64        `json:"decisions"`
	Took      time.Duration `json:"took"`
	// Performed is how long verifying the log alone took, every decision of it
	// made again.
	Performed time.Duration `json:"performed"`
}

// verifyPackRole verifies a pack: its arguments are the file and the verifier key.
func verifyPackRole(ctx context.Context, args []string, say func(any) error) (func() error, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("verify-pack needs a file and a key, got %d arguments", len(args))
	}
	runtime.GOMAXPROCS(verifyCores)
	trust, err := receipt.NewTrust(args[1], nil, 0)
	if err != nil {
		return nil, err
	}
	p, err := pack.Open(args[0])
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var began, ended time.Time
	report, err := p.Verify(ctx, receipt.Options{Trust: trust, OutcomeWithin: 48 * time.Hour}, func(step string, _, _ uint64) {
		if step == "verifying the log" {
			if began.IsZero() {
				began = time.Now()
			}
			ended = time.Now()
		}
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	if !report.Verified() {
		return nil, fmt.Errorf("the pack does not verify: %+v %+v", report.Log.Checks, report.Lines)
	}
	check, _ := report.Log.Check("decisions")
	return p.Close, say(verifiedPack{Decisions: check.Population, Took: took, Performed: ended.Sub(began)})
}
