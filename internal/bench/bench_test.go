package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
)

// asChild makes the test binary play a child's role.
const asChild = "AIMS_BENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		if err := Child(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Setenv(asChild, "1") // inherited by the processes that the tests start
	os.Exit(m.Run())
}

// small is a bench whose sizes show that everything runs, and nothing about speed.
func small(t *testing.T) *bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{dir: t.TempDir(), child: []string{self}, sizes: smallSizes(), progress: t.Output()}
}

func smallSizes() sizes {
	return sizes{
		policies: []int{10, 20},
		rounds:   2,
		batches:  3,
		batch:    10,
		lone:     4,
		window:   20 * time.Millisecond,
		callers:  []int{1, 4, 8},
		agents:   2,
		clients:  3,
		receipts: []uint64{600, 2000},
		passes:   1,
		replayed: 500,
		judged:   []uint64{200, 500},
		packed:   1_000,
	}
}

func runSmall(t *testing.T, o Options) (stdout string) {
	t.Helper()
	o.Child = small(t).child
	o.Dir = t.TempDir()
	var out bytes.Buffer
	if _, err := run(t.Context(), o, smallSizes(), &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("%d files were left behind (%v)", len(left), err)
	}
	return out.String()
}

// Nothing here depends on how fast the machine is: it asks whether every
// measure runs and every row is there, with the bound that is promised.
func TestRunPrintsEveryRow(t *testing.T) {
	var got []Row
	if err := json.Unmarshal([]byte(runSmall(t, Options{JSON: true})), &got); err != nil {
		t.Fatal(err)
	}
	var names [][2]string
	for _, r := range got {
		bound := ""
		if r.Bound != nil {
			bound = *r.Bound
		}
		names = append(names, [2]string{r.Name, bound})
		if r.Value <= 0 || r.Unit == "" || (r.Bound == nil) != (r.Holds == nil) {
			t.Errorf("not a measured row: %+v", r)
		}
	}
	want := [][2]string{
		{"decision, 10 policies", ""},
		{"decision, 20 policies", "value <= 6"},
		{"decision, slowest of these over the fastest", "ratio <= 2"},
		{"decision, 20 policies, linear cedar-go over indexed", "ratio >= 1000"},
		{"decision, 20 policies, allocations", "value <= 20"},
		{"facts and decision, 1000 policies, 200 calls before, over the decision alone", "value <= 25"},
		{"durable receipt, 1 caller, p50, over a bare append and sync", "ratio <= 1.2"},
		{"durable receipts, 4 callers, over a bare group commit", "ratio >= 0.65"},
		{"durable receipt, 4 callers, p99", "value <= 4"},
		{"durable receipts, 8 callers, over a bare group commit", ""},
		{"durable receipt, 8 callers, p99", ""},
		{"MCP call through the gateway, 1 caller, p50, over a direct call", ""},
		{"MCP call through the gateway, 1 caller, added p50", "value <= 0.5"},
		{"MCP calls through the gateway, 2 callers, over direct calls", "value >= 2500"},
		{"MCP call through the gateway, the gateway's processor time, over the server's", ""},
		{"decision API, 3 connections, processor time a request, over a bare server", "value <= 0.15"},
		{"decision API, 3 connections, over a bare server", ""},
		{"decision API, 3 connections, p99", ""},
		{"replay of 500 recorded calls under 1000 policies, time over deciding alone on one core", "value >= 16666"},
		{"verification of 600 receipts, of the SHA-256 limit on 2 cores", "ratio >= 0.85"},
		{"verification of 600 receipts, resident memory", "value <= 100"},
		{"verification of 2000 receipts, of the SHA-256 limit on 2 cores", "ratio >= 0.85"},
		{"verification of 2000 receipts, resident memory", "value <= 100"},
		{"status of the 70 requirements over 200 decisions, cold; time over reading the log", ""},
		{"status of the 70 requirements over 200 decisions, 500 calls later", ""},
		{"status of the 70 requirements over 500 decisions, cold; time over reading the log", "value <= 5"},
		{"status of the 70 requirements over 500 decisions, 500 calls later", "value <= 200"},
		{"audit pack of 1000 receipts, written; time over deflating the same bytes", "value <= 90"},
		{"audit pack of 1000 receipts, verified; time over hashing what it unpacks to", "value <= 60"},
		{"audit pack of 1000 receipts, verified; resident memory", "value <= 300"},
		{"decisions of that log made again, 100 policies", "value >= 16666"},
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("rows and bounds (-want +got):\n%s", diff)
	}
}

func TestOnlyRunsWhatIsNamed(t *testing.T) {
	table := runSmall(t, Options{Only: []string{"decision"}})
	if !strings.Contains(table, "allocations") || strings.Contains(table, "durable") {
		t.Errorf("not the rows of the decision alone:\n%s", table)
	}
}

func TestUnknownMeasureIsRefusedWithTheNamesThatExist(t *testing.T) {
	var out bytes.Buffer
	_, err := Run(t.Context(), Options{Only: []string{"decision", "speed"}}, &out, t.Output())
	code, text := aims.Public(err)
	if code != aims.Invalid || !strings.Contains(text, "speed") || !strings.Contains(text, "verify") || out.Len() > 0 {
		t.Errorf("got %v (%s) and output %q; want aims.Invalid that names what exists and no output", err, code, out.String())
	}
}

func TestFailingMeasurePrintsNoTable(t *testing.T) {
	var out bytes.Buffer
	o := Options{Only: []string{"decision", "verify"}, Dir: t.TempDir(), Child: []string{"/nonexistent"}}
	ok, err := run(t.Context(), o, smallSizes(), &out, t.Output())
	if err == nil || ok || out.Len() > 0 {
		t.Errorf("got ok %v, error %v and output %q; want an error and nothing printed", ok, err, out.String())
	}
}
