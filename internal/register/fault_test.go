package register_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/internal/store/sqlite"
)

// suppliers are a change of several receipts; name tells one from another.
func suppliers(name string, n int) record.Registers {
	var want record.Registers
	for i := range n {
		want.Suppliers = append(want.Suppliers, record.Supplier{
			Base: record.Base{ID: fmt.Sprintf("s%03d", i), Note: strings.Repeat("n", 20<<10)}, Name: name,
		})
	}
	return want
}

// A disk that is full in the middle of a change leaves nothing of it, and the
// next change finds everything as it was.
func TestFullDiskLeavesNothing(t *testing.T) {
	w := newWorld(t)
	p, err := w.Apply(t.Context(), person("ada"), decision, register.Base{}, suppliers("A", 20), true)
	w.ok(err)
	limit := func(free int) {
		w.ok(w.db.Update(t.Context(), func(tx *store.Tx) error {
			var pages int
			if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
				return err
			}
			return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages+free)).Scan(&pages)
		}))
	}
	for _, free := range []int{0, 1, 10, 100, 300} {
		limit(free)
		size := w.ledger.Size()
		_, err := w.Apply(t.Context(), person("ada"), decision, p.Next, suppliers("B", 120), true)
		refused(t, err, aims.Unavailable)
		if s := w.state(); w.ledger.Size() != size || len(s.Registers.Suppliers) != 20 || s.Registers.Suppliers[0].Name != "A" {
			t.Fatalf("with %d pages left, something of it was stored: %d suppliers, %d entries more", free, len(s.Registers.Suppliers), w.ledger.Size()-size)
		}
	}
	limit(1 << 20)
	_, err = w.Apply(t.Context(), person("ada"), decision, p.Next, suppliers("B", 120), true)
	w.ok(err)
	w.sound()
}

// This test program plays the process that dies: with fileEnv set it applies one
// change after the other to that file, with the key in keyEnv.
const (
	fileEnv = "AIMS_TEST_REGISTER_FILE"
	keyEnv  = "AIMS_TEST_REGISTER_KEY"
)

func TestMain(m *testing.M) {
	if os.Getenv(fileEnv) != "" {
		fmt.Println("failed", applyForEver())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openChild(ctx context.Context, file, key string) (*register.Register, *store.DB, *ledger.Ledger, error) {
	db, err := sqlite.Open(ctx, file, time.Now, ledger.Schema(), register.Schema())
	if err != nil {
		return nil, nil, nil, err
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, nil, nil, err
	}
	log, err := ledger.Open(ctx, db, ledger.Options{Origin: "log.example/test", Signer: signer, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, nil, err
	}
	r, err := register.Open(ctx, db, log, register.Options{})
	return r, db, log, err
}

func applyForEver() error {
	ctx := context.Background()
	r, _, _, err := openChild(ctx, os.Getenv(fileEnv), os.Getenv(keyEnv))
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		if _, err := r.Apply(ctx, person("ada"), decision, register.Base{}, suppliers(fmt.Sprint("round ", i), 120), false); err != nil {
			return err
		}
		fmt.Println("applied", i)
	}
}

// A process that dies in the middle of a change leaves all of it or nothing, and
// whatever it acknowledged is there.
func TestKilledWhileItApplies(t *testing.T) {
	key, _, err := note.GenerateKey(rand.Reader, "log.example/test")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		file := filepath.Join(t.TempDir(), "aims.db")
		acknowledged := killed(t, file, key, time.Duration(round*7)*time.Millisecond)
		r, db, log, err := openChild(t.Context(), file, key)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.At(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]int{}
		for _, supplier := range s.Registers.Suppliers {
			names[supplier.Name]++
		}
		if len(names) != 1 || names[fmt.Sprint("round ", acknowledged)]+names[fmt.Sprint("round ", acknowledged+1)] != 120 {
			t.Errorf("acknowledged were %d rounds, and there is %v", acknowledged, names)
		}
		if v, err := r.Verify(t.Context()); err != nil || len(v.Differences) > 0 {
			t.Errorf("%v %v", v.Differences, err)
		}
		log.Close(context.Background())
		db.Close()
	}
}

// killed runs a child, kills it some time after its first change, and returns
// how many it acknowledged.
func killed(t *testing.T, file, key string, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fileEnv+"="+file, keyEnv+"="+key)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := 0
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "failed") {
			t.Fatalf("the child says: %s", lines.Text())
		}
		if timer == nil {
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		fmt.Sscanf(lines.Text(), "applied %d", &last)
	}
	cmd.Wait() // it was killed
	if last == 0 {
		t.Fatal("the child applied nothing")
	}
	return last
}
