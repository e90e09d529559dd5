package ledger_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// What is measured is a ratio of two things timed in the same run: durable
// receipts, and a bare group commit of records of the same size that appends
// to a file and calls fdatasync. Run with
//
//	go test -run '^$' -bench Append ./internal/ledger
//
// bare-ratio is the throughput as a part of the bare loop's; p50-ratio the
// median time of a call as a multiple of the bare loop's.
func BenchmarkAppendLoneCaller(b *testing.B) { benchmarkAppend(b, onSQLite(b), 1) }
func BenchmarkAppend64Callers(b *testing.B)  { benchmarkAppend(b, onSQLite(b), 64) }
func BenchmarkAppend512Callers(b *testing.B) { benchmarkAppend(b, onSQLite(b), 512) }

func BenchmarkAppendPostgresLoneCaller(b *testing.B) { benchmarkAppend(b, onPostgres(b), 1) }
func BenchmarkAppendPostgres64Callers(b *testing.B)  { benchmarkAppend(b, onPostgres(b), 64) }

// rounds alternates the two, so that a noisy machine is noisy to both.
const rounds = 10

func benchmarkAppend(b *testing.B, at place, callers int) {
	k := newKeys(b, origin)
	o := ledger.Options{Origin: origin, Signer: k.signer, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	l := mustOpen(b, at.open(b), o)
	id := aims.NewID("rcp")
	entry := ledger.Entry{Kind: receipt.RefusalKind, Body: decision(id, "{}").Body}
	bare := newBareLoop(b, len(entry.Body)+96)
	defer bare.close()
	run := func(n int, call func()) (took time.Duration, each []time.Duration) {
		var wg sync.WaitGroup
		all := make([][]time.Duration, callers)
		begin := time.Now()
		for c := range callers {
			wg.Go(func() {
				for i := c; i < n; i += callers {
					at := time.Now()
					call()
					all[c] = append(all[c], time.Since(at))
				}
			})
		}
		wg.Wait()
		took = time.Since(begin)
		return took, slices.Concat(all...)
	}
	var ours, theirs time.Duration
	var ourEach, bareEach []time.Duration
	n := max(b.N/rounds, callers)
	b.ResetTimer()
	for range rounds {
		took, each := run(n, func() {
			if _, err := l.Append(context.Background(), entry); err != nil {
				b.Error(err)
			}
		})
		ours, ourEach = ours+took, append(ourEach, each...)
		took, each = run(n, bare.append)
		theirs, bareEach = theirs+took, append(bareEach, each...)
	}
	slices.Sort(ourEach)
	slices.Sort(bareEach)
	part := func(sorted []time.Duration, p float64) time.Duration { return sorted[int(p*float64(len(sorted)-1))] }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(ourEach))/ours.Seconds(), "receipts/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "bare-ratio")
	b.ReportMetric(float64(part(ourEach, 0.5))/float64(part(bareEach, 0.5)), "p50-ratio")
	b.ReportMetric(part(ourEach, 0.5).Seconds()*1e3, "p50-ms")
	b.ReportMetric(part(ourEach, 0.99).Seconds()*1e3, "p99-ms")
	b.ReportMetric(part(bareEach, 0.99).Seconds()*1e3, "bare-p99-ms")
}

// bareLoop is a group commit and nothing else: records are appended to a file
// and callers are told after fdatasync.
type bareLoop struct {
	b     *testing.B
	file  *os.File
	queue chan chan struct{}
	ended chan struct{}
	rec   []byte
}

func newBareLoop(b *testing.B, size int) *bareLoop {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	l := &bareLoop{b: b, file: f, queue: make(chan chan struct{}, 1024), ended: make(chan struct{}), rec: make([]byte, size)}
	go l.loop()
	return l
}

func (l *bareLoop) append() {
	done := make(chan struct{})
	l.queue <- done
	<-done
}

func (l *bareLoop) loop() {
	defer close(l.ended)
	for first := range l.queue {
		waiting := []chan struct{}{first}
		buf := append([]byte(nil), l.rec...)
	more:
		for {
			select {
			case next := <-l.queue:
				waiting = append(waiting, next)
				buf = append(buf, l.rec...)
			default:
				break more
			}
		}
		if _, err := l.file.Write(buf); err != nil {
			l.b.Error(err)
		}
		if err := dataSync(l.file); err != nil {
			l.b.Error(err)
		}
		for _, done := range waiting {
			close(done)
		}
	}
}

func (l *bareLoop) close() {
	close(l.queue)
	<-l.ended
	l.file.Close()
}
