package ledger_test

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"filippo.io/torchwood"

	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/sqlite"
	"aims/receipt"
)

// evidence is a log of 120 entries, each in a commit of its own, with a
// checkpoint after every 30.
type evidence struct {
	keys
	file string
	head []byte // the last checkpoint, kept elsewhere
}

func newEvidence(t *testing.T) evidence {
	t.Helper()
	e := evidence{keys: newKeys(t, origin), file: filepath.Join(t.TempDir(), "log.db")}
	db := placeAt(e.file).open(t)
	l := mustOpen(t, db, e.options())
	for range 4 {
		work(t, l, 10)
		if err := l.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if e.head, err = l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	db.Close()
	return e
}

// forger changes a copy of a log's database.
type forger struct {
	t  *testing.T
	db *store.DB
}

// tampered is the report on a copy that somebody changed.
func (e evidence) tampered(t *testing.T, change func(f forger), elsewhere ...[]byte) receipt.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy.db")
	b, err := os.ReadFile(e.file) // complete by itself, because it was closed
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", file+"?_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	change(forger{t: t, db: store.New(store.Engine{Write: pool, Read: pool}, time.Now)})
	pool.Close()
	db, err := sqlite.OpenReadOnly(t.Context(), file, time.Now, ledger.Schema())
	return e.verify(t, opened(t, db, err), elsewhere...)
}

func (f forger) exec(query string, args ...any) { f.t.Helper(); sqlExec(f.t, f.db, query, args...) }

// leaf is the entry at an index.
func (f forger) leaf(index int) []byte {
	f.t.Helper()
	var bundle []byte
	err := f.db.View(f.t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT leaves FROM log_batch WHERE first = $1", index).Scan(&bundle)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return bundle[2:]
}

// set stores another leaf at an index, and with hashes also its hash.
func (f forger) set(index int, leaf []byte, hashes bool) {
	f.t.Helper()
	bundle := append(binary.BigEndian.AppendUint16(nil, uint16(len(leaf))), leaf...)
	f.exec("UPDATE log_batch SET leaves = $1 WHERE first = $2", bundle, index)
	if hashes {
		h := receipt.LeafHash(leaf)
		f.exec("UPDATE log_batch SET hashes = $1 WHERE first = $2", h[:], index)
	}
}

// rehash makes the head of the log that of its entries.
func (f forger) rehash() {
	f.t.Helper()
	var r receipt.Range
	err := f.db.View(f.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT leaves FROM log_batch ORDER BY first")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var bundle []byte
			if err := rows.Scan(&bundle); err != nil {
				return err
			}
			r.Append(receipt.LeafHash(bundle[2:]))
		}
		return rows.Err()
	})
	if err != nil {
		f.t.Fatal(err)
	}
	root := r.Root()
	f.exec("UPDATE log_head SET size = $1, root = $2", int64(r.Size()), root[:])
}

// renumber gives the entries from an index on new indexes, one less, as
// somebody does who removes an entry before them and leaves no gap.
func (f forger) renumber(from, to int) {
	f.t.Helper()
	for i := from; i < to; i++ {
		leaf := f.leaf(i)
		h, body, err := receipt.ParseLeaf(leaf)
		if err != nil {
			f.t.Fatal(err)
		}
		h.Index--
		if h.Kind == receipt.OutcomeKind && h.Closes >= uint64(from) {
			h.Closes--
		}
		forged, err := receipt.AppendLeaf(nil, h, body)
		if err != nil {
			f.t.Fatal(err)
		}
		f.set(i, forged, true)
		f.exec("UPDATE log_batch SET first = first - 1 WHERE first = $1", i)
	}
}

var places = regexp.MustCompile(`(?:entry|entries|first that differs is entry) (\d+)(?:–(\d+))?`)

// names says whether a report names an entry, or a stretch that holds it of no
// more than what lies between two checkpoints.
func names(r receipt.Report, index int) bool {
	for _, m := range places.FindAllStringSubmatch(exceptions(r), -1) {
		from, _ := strconv.Atoi(m[1])
		to := from
		if m[2] != "" {
			to, _ = strconv.Atoi(m[2])
		}
		if from <= index && index <= to && to-from < 30 {
			return true
		}
	}
	return false
}

func wantBroken(t *testing.T, r receipt.Report, place string) {
	t.Helper()
	if r.Verified() {
		t.Error("a log that was changed verifies")
	}
	if found := exceptions(r); !strings.Contains(found, place) {
		t.Errorf("the place %q is not named:\n%s", place, found)
	}
}

// Any byte of any receipt, with and without its stored hash, is found and named.
func TestRewrittenReceiptIsNamed(t *testing.T) {
	e := newEvidence(t)
	at := map[int]int{}
	rewrite := func(indexes []int, hashes bool) receipt.Report {
		return e.tampered(t, func(f forger) {
			for _, i := range indexes {
				leaf := bytes.Clone(f.leaf(i))
				at[i] = rand.IntN(len(leaf))
				leaf[at[i]] ^= 1
				f.set(i, leaf, hashes)
			}
		})
	}
	for i := range 12 { // ten in a copy, because so many are listed
		ten := []int{i, i + 12, i + 24, i + 36, i + 48, i + 60, i + 72, i + 84, i + 96, i + 108}
		r := rewrite(ten, false)
		for _, index := range ten {
			wantBroken(t, r, fmt.Sprintf("hashes: entry %d: its hash is not the stored leaf hash", index))
		}
	}
	for i := range 30 { // one between two checkpoints
		r := rewrite([]int{i + 30*(i%4)}, true)
		if index := i + 30*(i%4); r.Verified() || !names(r, index) {
			t.Errorf("entry %d, byte %d, with its hash: verified %v, place not named:\n%s", index, at[index], r.Verified(), exceptions(r))
		}
	}
}

func TestTamperedStoreIsNamed(t *testing.T) {
	e := newEvidence(t)
	for _, c := range []struct {
		what   string
		change func(f forger)
		place  string
	}{
		{"two entries swapped", func(f forger) {
			a, b := bytes.Clone(f.leaf(40)), bytes.Clone(f.leaf(41))
			f.set(40, b, true)
			f.set(41, a, true)
		}, "entry 40: header says index 41"},
		{"one dropped in the middle", func(f forger) { f.exec("DELETE FROM log_batch WHERE first = 50") }, "entry 50: header says index 51"},
		{"one dropped and the rest renumbered", func(f forger) {
			f.exec("DELETE FROM log_batch WHERE first = 50")
			f.renumber(51, 120)
			f.rehash()
		}, "entries 30–59"},
		{"the tail dropped", func(f forger) {
			f.exec("DELETE FROM log_batch WHERE first >= 100")
			f.rehash()
		}, "tail: 20 entries that the checkpoint of size 120 covers are missing: entries 100–119"},
		{"everything dropped", func(f forger) {
			f.exec("DELETE FROM log_batch")
			f.rehash()
		}, "tail: 120 entries that the checkpoint of size 120 covers are missing: entries 0–119"},
		{"everything dropped, checkpoints too", func(f forger) {
			for _, table := range []string{"log_batch", "log_vault", "log_tile", "log_checkpoint", "log_cosignature"} {
				f.exec("DELETE FROM " + table)
			}
			f.rehash()
		}, "there is none that the trusted key signed"},
		{"a hash set to null", func(f forger) {
			f.exec("CREATE TABLE loose AS SELECT * FROM log_batch")
			f.exec("DROP TABLE log_batch")
			f.exec("ALTER TABLE loose RENAME TO log_batch")
			f.exec("UPDATE log_batch SET hashes = NULL WHERE first = 70")
		}, "entry 70: its hash is not the stored leaf hash"},
		{"an outcome dropped and the rest renumbered", func(f forger) {
			f.exec("DELETE FROM log_batch WHERE first = 62")
			f.renumber(63, 120)
			f.rehash()
		}, "entries 60–89"},
		{"a payload exchanged", func(f forger) {
			f.exec("UPDATE log_vault SET payloads = replace(payloads, '\"n\"', '\"m\"') WHERE first = 33")
		},
			"payload input of entry 33"},
		{"a salt exchanged", func(f forger) {
			var blob []byte
			err := f.db.View(f.t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow("SELECT payloads FROM log_vault WHERE first = 35").Scan(&blob)
			})
			if err != nil {
				f.t.Fatal(err)
			}
			blob = bytes.Clone(blob)
			blob[10+len("result")] ^= 1 // the salt's first byte
			f.exec("UPDATE log_vault SET payloads = $1 WHERE first = 35", blob)
		}, "payload result of entry 35"},
		{"payloads removed without an erasure", func(f forger) { f.exec("DELETE FROM log_vault WHERE first = 36") }, "entry 36"},
		{"payloads that are none", func(f forger) { f.exec("UPDATE log_vault SET payloads = $1 WHERE first = 36", []byte("x")) }, "payloads of the commit at entry 36"},
		{"a receipt forged in a valid shape", func(f forger) {
			h, _, err := receipt.ParseLeaf(f.leaf(81))
			if err != nil {
				f.t.Fatal(err)
			}
			forged, err := receipt.AppendLeaf(nil, h, event("forged").Body)
			if err != nil {
				f.t.Fatal(err)
			}
			f.set(81, forged, true)
			f.rehash()
		}, "entries 60–89"},
		{"a receipt forged at the end", func(f forger) {
			h := receipt.Header{Kind: receipt.EventKind, Index: 120, Time: time.Now()}
			forged, err := receipt.AppendLeaf(nil, h, event("forged").Body)
			if err != nil {
				f.t.Fatal(err)
			}
			f.exec("INSERT INTO log_batch (first, entries, time, hashes, leaves) VALUES (120, 1, 0, $1, $2)", []byte{}, []byte{})
			f.set(120, forged, true)
			f.rehash()
		}, "entry 120: no signed checkpoint covers them"},
		{"the whole tree computed again without the key", func(f forger) {
			f.set(5, bytes.Replace(f.leaf(5), []byte("succeeded"), []byte("cancelled"), 1), true)
			f.rehash()
			stranger := newKeys(f.t, origin)
			f.resign(stranger.signer)
		}, "not signed by the trusted key"},
		{"an old checkpoint after a newer", func(f forger) {
			f.exec("UPDATE log_checkpoint SET note = (SELECT note FROM log_checkpoint WHERE size = 30) WHERE size = 90")
		},
			"it comes after a larger checkpoint"},
		{"a receipt at the end that the head does not know", func(f forger) {
			f.exec("INSERT INTO log_batch (first, entries, time, hashes, leaves) SELECT 120, entries, time, hashes, leaves FROM log_batch WHERE first = 119")
		}, "the contents speak of 120 entries, there are 121"},
		{"an old checkpoint replayed as the last", func(f forger) {
			f.exec("UPDATE log_checkpoint SET note = (SELECT note FROM log_checkpoint WHERE size = 90) WHERE size = 120")
		}, "entries 90–119: no signed checkpoint covers them"},
		{"a checkpoint that is none", func(f forger) { f.exec("UPDATE log_checkpoint SET note = $1 WHERE size = 90", []byte("hello\n")) }, "checkpoint"},
		{"another log spliced in", func(f forger) {
			other := newEvidence(f.t)
			f.exec("DELETE FROM log_batch WHERE first >= 60")
			sqlAttach(f.t, f.db, other.file, "INSERT INTO log_batch SELECT * FROM other.log_batch WHERE first >= 60")
			f.rehash()
		}, "entries 60–89"},
	} {
		t.Run(c.what, func(t *testing.T) { wantBroken(t, e.tampered(t, c.change), c.place) })
	}
}

// resign signs the head again with another key, and drops the other checkpoints.
func (f forger) resign(signer note.Signer) {
	f.t.Helper()
	var tree tlog.Tree
	var root []byte
	err := f.db.View(f.t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT size, root FROM log_head").Scan(&tree.N, &root)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	tree.Hash = tlog.Hash(root)
	signed, err := note.Sign(&note.Note{Text: torchwood.Checkpoint{Origin: origin, Tree: tree}.String()}, signer)
	if err != nil {
		f.t.Fatal(err)
	}
	f.exec("DELETE FROM log_checkpoint")
	f.exec("INSERT INTO log_checkpoint (size, time, oldest_open, note) VALUES ($1, 0, 0, $2)", tree.N, signed)
}

// sqlAttach runs a statement with another database attached.
func sqlAttach(t *testing.T, db *store.DB, file, query string) {
	t.Helper()
	sqlExecOutside(t, db, "ATTACH DATABASE '"+file+"' AS other")
	defer sqlExecOutside(t, db, "DETACH DATABASE other")
	sqlExec(t, db, query)
}

// A tail that was cut off together with its checkpoints leaves a shorter log
// that is right in itself. The report says that it cannot see this; a
// checkpoint that was kept elsewhere shows it.
func TestTailCutOffWithItsCheckpoints(t *testing.T) {
	e := newEvidence(t)
	cut := func(f forger) {
		f.exec("DELETE FROM log_batch WHERE first >= 90")
		f.exec("DELETE FROM log_vault WHERE first >= 90")
		f.exec("DELETE FROM log_checkpoint WHERE size > 90")
		f.rehash()
	}
	r := e.tampered(t, cut)
	mustVerify(t, r)
	if c, _ := r.Check("tail"); c.State != receipt.Unchecked || !strings.Contains(c.Note, "cannot be seen") {
		t.Errorf("the report does not say that a cut tail cannot be seen: %+v", c)
	}
	wantBroken(t, e.tampered(t, cut, e.head), "tail: 30 entries that the checkpoint kept elsewhere (size 120) covers are missing: entries 90–119")
}
