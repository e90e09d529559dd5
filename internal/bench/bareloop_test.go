package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// What the product is compared with must really have written every record
// whole before it answers.
func TestBareLoopWritesEveryRecordWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bare")
	loop, err := openBareLoop(path)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for caller := range 16 {
		done.Go(func() {
			for n := range 20 {
				line := fmt.Appendf(nil, "%02d-%02d\n", caller, n)
				if err := loop.append(line); err != nil {
					t.Error(err)
				}
				if now, err := os.ReadFile(path); err != nil || !bytes.Contains(now, line) {
					t.Errorf("record %q was acknowledged and is not in the file (%v)", line, err)
				}
			}
		})
	}
	done.Wait()
	if err := loop.close(); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(all, []byte("\n")); got != 16*20 || len(all) != 16*20*6 {
		t.Errorf("%d lines in %d bytes, want %d in %d", got, len(all), 16*20, 16*20*6)
	}
}

func TestBareLoopReportsAFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bare")
	loop, err := openBareLoop(path)
	if err != nil {
		t.Fatal(err)
	}
	loop.file.Close()
	if err := loop.append([]byte("x")); err == nil {
		t.Error("a record that was not written was acknowledged")
	}
	loop.close()
}
