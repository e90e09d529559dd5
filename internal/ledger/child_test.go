package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store/sqlite"
	"aims/receipt"
)

// This test program plays the process that dies: with childEnv set it does not
// run tests, but what the variable names, on the file that fileEnv names, with
// the key in keyEnv.
const (
	childEnv = "AIMS_TEST_LEDGER_CHILD"
	fileEnv  = "AIMS_TEST_LEDGER_FILE"
	keyEnv   = "AIMS_TEST_LEDGER_KEY"
)

func child() {
	var err error
	switch what := os.Getenv(childEnv); what {
	case "append":
		err = childAppends()
	case "full":
		err = childOnFullDisk()
	default:
		err = fmt.Errorf("no child does %q", what)
	}
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

func childLedger(ctx context.Context) (*ledger.Ledger, error) {
	db, err := sqlite.Open(ctx, os.Getenv(fileEnv), time.Now, ledger.Schema())
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(os.Getenv(keyEnv))
	if err != nil {
		return nil, err
	}
	return ledger.Open(ctx, db, ledger.Options{Origin: origin, Signer: signer, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), SignEvery: 5 * time.Millisecond})
}

// childAppends appends until it is killed, and says each receipt that was
// acknowledged.
func childAppends() error {
	ctx := context.Background()
	l, err := childLedger(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(ref ledger.Ref, id string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println("ack", ref.Index, id)
	}
	call := func() error {
		id := aims.NewID("rcp")
		ref, err := l.Append(ctx, decision(id, "{}"))
		if err != nil {
			return err
		}
		say(ref, id)
		done := outcome(id, ref.Index, "result")
		if ref, err = l.Append(ctx, done); err != nil {
			return err
		}
		o, err := receipt.DecodeOutcome(done.Body)
		if err == nil {
			say(ref, o.ID)
		}
		return err
	}
	errs := make(chan error)
	for range 8 {
		go func() {
			for {
				if err := call(); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

func childCommand(what, file string, k keys) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, fileEnv+"="+file, keyEnv+"="+k.skey)
	return cmd
}

// killed runs a child that appends, kills it at a random moment, and returns
// the receipts that it acknowledged, by index.
func killed(t *testing.T, file string, k keys, after time.Duration) map[uint64]string {
	t.Helper()
	cmd := childCommand("append", file, k)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[uint64]string{}
	var kill *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if kill == nil { // the clock runs from the first receipt on
			kill = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var index uint64
		var id string
		if _, err := fmt.Sscanf(lines.Text(), "ack %d rcp_%s", &index, &id); err != nil {
			if strings.HasPrefix(lines.Text(), "failed") {
				t.Fatalf("the child says: %s", lines.Text())
			}
			continue // the last line, cut off
		}
		if len(id) == 36 {
			acknowledged[index] = "rcp_" + id
		}
	}
	cmd.Wait()
	return acknowledged
}

// Killed at any moment, the log has every receipt that was acknowledged, no
// gap, verifies, and says which decisions have no outcome.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel() // it waits most of the time
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	k := newKeys(t, origin)
	var at place
	total := 0
	for round := range rounds {
		if round%10 == 0 { // crash after crash on one log, but not on one that takes ever longer to check
			at = onSQLite(t)
		}
		after := time.Duration(rand.IntN(60_000)) * time.Microsecond
		if round%10 == 9 {
			after += 500 * time.Millisecond // into the copying of the write-ahead log
		}
		acknowledged := killed(t, at.File, k, after)
		total += len(acknowledged)
		checkAfterCrash(t, k, at, acknowledged)
		if t.Failed() {
			t.Fatalf("round %d, killed after %v", round, after)
		}
	}
	if total < rounds*10 {
		t.Errorf("only %d receipts were acknowledged in %d rounds", total, rounds)
	}
	t.Logf("%d acknowledged receipts in %d rounds", total, rounds)
}

func checkAfterCrash(t *testing.T, k keys, at place, acknowledged map[uint64]string) {
	t.Helper()
	db := at.open(t)
	defer db.Close()
	trust, err := receipt.NewTrust(k.vkey, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	src, err := ledger.NewSource(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	report, err := receipt.Verify(t.Context(), src, receipt.Options{Trust: trust, Growing: true})
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, report)
	l, err := ledger.Open(t.Context(), db, k.options())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	open := map[uint64]bool{}
	for _, leaf := range all(t, l) {
		if id, ok := acknowledged[leaf.Index]; ok {
			if !bytes.Contains(leaf.Body, []byte(`{"id":"`+id+`"`)) {
				t.Errorf("entry %d is not the receipt %s that was acknowledged", leaf.Index, id)
			}
			delete(acknowledged, leaf.Index)
		}
		switch leaf.Kind {
		case receipt.DecisionKind:
			open[leaf.Index] = true
		case receipt.OutcomeKind:
			delete(open, leaf.Closes)
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged receipts are lost: %v", len(acknowledged), acknowledged)
	}
	listed, err := l.OpenDecisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range listed {
		if !open[leaf.Index] {
			t.Errorf("entry %d is listed as open", leaf.Index)
		}
		delete(open, leaf.Index)
	}
	if len(open) > 0 {
		t.Errorf("decisions without outcome that are not listed: %v", open)
	}
}
