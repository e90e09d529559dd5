// Package bench measures what the product promises about speed. Every measure
// times the product and its bare equivalent alternately in the same run and
// reports the ratio, so that a result means the same on any machine and no
// remembered number is compared with.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
)

// Options selects and places a run.
type Options struct {
	// JSON prints the rows as one JSON array instead of a table.
	JSON bool
	// Large verifies an export of ten million receipts too.
	Large bool
	// Only runs the named measures; empty runs all (Names).
	Only []string
	// Dir is where databases and exports are made; its file system is the one
	// that is measured. They are removed afterwards. Default: the directory for
	// temporary files.
	Dir string
	// Child is the command line that calls Child in a new process. Default:
	// this executable with ChildCommand.
	Child []string
}

// bench is one run.
type bench struct {
	dir      string   // empty at start, removed at the end
	child    []string // see Options.Child
	sizes    sizes
	progress io.Writer
}

// sizes is how much work the measures do. Tests run them small.
type sizes struct {
	policies []int         // the numbers of policies that are compared, ascending
	batches  int           // how often each set of policies is timed
	batch    int           // decisions timed together
	rounds   int           // how often each side of the other comparisons is timed
	lone     int           // operations of a lone caller a round
	window   time.Duration // how long concurrent callers run a round
	callers  []int         // concurrent appenders; the last is informative
	agents   int           // concurrent callers of tools
	clients  int           // concurrent connections to the decision API
	receipts []uint64      // in the exports that are verified, ascending
	passes   int           // how often the export is verified
	replayed int           // recorded calls that are decided again
	judged   []uint64      // decisions over which evidence is judged, ascending
	packed   uint64        // receipts of the audit pack
}

func fullSizes(large bool) sizes {
	s := sizes{
		policies: []int{10, 100, 1_000, 10_000},
		batches:  200,
		batch:    200,
		rounds:   7,
		lone:     300,
		window:   time.Second,
		callers:  []int{1, 64, 512},
		agents:   16,
		clients:  64,
		receipts: []uint64{1_000_000},
		passes:   5,
		replayed: 1_000_000,
		judged:   []uint64{100_000, 1_000_000},
		packed:   1_000_000,
	}
	if large {
		s.receipts = append(s.receipts, 10_000_000)
	}
	return s
}

// measure is one promise and how it is shown.
type measure struct {
	name  string
	about string
	run   func(*bench, context.Context) ([]Row, error)
}

func measures() []measure {
	return []measure{
		{"decision", "decisions in process, indexed and linear", (*bench).decisions},
		{"facts", "facts of a run and decision, in process", (*bench).facts},
		{"receipts", "durable receipts against a bare group commit", (*bench).receipts},
		{"proxy", "an MCP call through the gateway against a direct one", (*bench).proxy},
		{"authzen", "the decision API with durable receipts against a bare HTTP server", (*bench).authzen},
		{"replay", "recorded calls decided again under a candidate", (*bench).replay},
		{"verify", "offline verification against the SHA-256 limit", (*bench).verify},
		{"status", "what is shown of the 70 requirements, cold and with new receipts", (*bench).status},
		{"pack", "audit packs: written, and everything in them derived again", (*bench).packs},
	}
}

// Names lists the measures in the order in which they run.
func Names() []string {
	var names []string
	for _, m := range measures() {
		names = append(names, m.name)
	}
	return names
}

// Run runs the measures and prints their rows to stdout and its progress to
// stderr. It reports whether every bound holds; an error means that a measure
// could not be made, and nothing is printed to stdout.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) (ok bool, err error) {
	return run(ctx, o, fullSizes(o.Large), stdout, stderr)
}

func run(ctx context.Context, o Options, s sizes, stdout, stderr io.Writer) (bool, error) {
	chosen, err := choose(o.Only)
	if err != nil {
		return false, err
	}
	child := o.Child
	if len(child) == 0 {
		self, err := os.Executable()
		if err != nil {
			return false, fmt.Errorf("bench: no path to this executable: %w", err)
		}
		child = []string{self, ChildCommand}
	}
	dir, err := os.MkdirTemp(o.Dir, "aims-bench-")
	if err != nil {
		return false, aims.Errorf(aims.Unavailable, err, "no directory for the benchmark's files can be made")
	}
	defer os.RemoveAll(dir)

	b := &bench{dir: dir, child: child, sizes: s, progress: stderr}
	host, err := inspect(dir)
	if err != nil {
		return false, err
	}
	b.say("%s", host)
	var rows []Row
	for _, m := range chosen {
		b.say("%s: %s", m.name, m.about)
		started := time.Now()
		more, err := m.run(b, ctx)
		if err != nil {
			return false, fmt.Errorf("bench: %s: %w", m.name, err)
		}
		b.say("%s: took %.1f s", m.name, time.Since(started).Seconds())
		rows = append(rows, more...)
	}
	if o.JSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(rows)
	} else {
		err = writeTable(stdout, host, rows)
	}
	return allHold(rows), err
}

func choose(only []string) ([]measure, error) {
	all := measures()
	for _, name := range only {
		if !slices.ContainsFunc(all, func(m measure) bool { return m.name == name }) {
			return nil, aims.Errorf(aims.Invalid, nil, "there is no measure %q; the measures are %s", name, strings.Join(Names(), ", "))
		}
	}
	if len(only) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(m measure) bool { return !slices.Contains(only, m.name) }), nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }
