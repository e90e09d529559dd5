package receipt_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/receipt"
)

// The log that is tampered with: 64 entries of all kinds, a checkpoint every
// 16, payloads of which some were erased.
func tamperedLog(t testing.TB) *testLog {
	l := newLog(t, "example.org/log", "a")
	l.fill(55, 16)
	l.notes = l.notes[:3] // the one at 55
	l.event(receipt.ErasedEvent, receipt.Erasure{From: 0, To: 2, Names: []string{"facts", "input"}, Rule: "90 days"})
	l.payloads = slices.DeleteFunc(l.payloads, func(p receipt.Payload) bool { return p.Index <= 2 })
	l.fill(64, 16)
	return l
}

// copyOf is an export whose files a test edits.
type copyOf struct {
	t        testing.TB
	dir      string
	leaves   [][]byte
	hashes   []byte
	notes    [][]byte
	latest   []byte
	payloads []receipt.Payload
	manifest receipt.Manifest
}

// original exports a log; load copies the export.
func original(t testing.TB, l *testLog) string {
	return export(t, l, receipt.ExportOptions{Created: start, Payloads: true})
}

func load(t testing.TB, l *testLog, from string) *copyOf {
	c := &copyOf{t: t, hashes: readAll(t, l.Hashes, 0), payloads: slices.Clone(l.payloads), dir: t.TempDir()}
	for _, p := range l.leaves {
		c.leaves = append(c.leaves, slices.Clone(p))
	}
	c.notes = slices.Clone(l.notes)
	c.latest = l.notes[len(l.notes)-1]
	if err := os.CopyFS(c.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	d := openExport(t, c.dir)
	c.manifest = d.Manifest()
	return c
}

// rehash makes the stored leaf hashes those of the entries.
func (c *copyOf) rehash() {
	c.hashes = nil
	for _, leaf := range c.leaves {
		h := receipt.LeafHash(leaf)
		c.hashes = append(c.hashes, h[:]...)
	}
}

func (c *copyOf) write(name string, b []byte) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), b, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func frames(parts [][]byte) (out []byte) {
	for _, p := range parts {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p)))
		out = append(out, p...)
	}
	return out
}

func (c *copyOf) report(opt receipt.Options) receipt.Report {
	c.t.Helper()
	c.write("entries", frames(c.leaves))
	c.write("checkpoints", frames(c.notes))
	c.write("checkpoint", c.latest)
	c.write("hashes", c.hashes)
	var b []byte
	for _, p := range c.payloads {
		b = binary.BigEndian.AppendUint64(b, p.Index)
		b = append(b, byte(len(p.Name)))
		b = append(b, p.Name...)
		b = append(b, p.Salt[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.Data)))
		b = append(b, p.Data...)
	}
	c.write("payloads", b)
	m, err := json.Marshal(c.manifest)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("manifest.json", m)
	return verify(c.t, openExport(c.t, c.dir), opt)
}

// fails asserts that verification fails and says each of these.
func fails(t testing.TB, r receipt.Report, want ...string) {
	t.Helper()
	if r.Verified() {
		t.Error("it verifies")
	}
	got := strings.Join(exceptions(r), "\n")
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("the report does not say %q, but:\n%s", w, got)
		}
	}
}

// header is a leaf's header; setHeader writes it anew, with a body.
func (c *copyOf) header(i int) (receipt.Header, []byte) {
	c.t.Helper()
	h, body, err := receipt.ParseLeaf(c.leaves[i])
	if err != nil {
		c.t.Fatal(err)
	}
	return h, slices.Clone(body)
}

func (c *copyOf) set(i int, h receipt.Header, body []byte) {
	c.t.Helper()
	leaf, err := receipt.AppendLeaf(nil, h, body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.leaves[i] = leaf
}

// renumber gives every entry the index at which it stands, and moves what
// outcomes close from an index on by as much.
func (c *copyOf) renumber(from uint64, by int) {
	for i := range c.leaves {
		h, body := c.header(i)
		h.Index = uint64(i)
		if h.Kind == receipt.OutcomeKind && h.Closes >= from {
			h.Closes += uint64(by)
		}
		c.set(i, h, body)
	}
}

// entriesOfEachKind are an entry of each kind, all between two checkpoints.
var entriesOfEachKind = map[receipt.Kind]int{receipt.EventKind: 16, receipt.DecisionKind: 17, receipt.OutcomeKind: 19, receipt.RefusalKind: 21}

// TestRewrittenField rewrites every field of a receipt of every kind, with the
// stored leaf hashes left as they were and made to fit.
func TestRewrittenField(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	c := load(t, l, from)
	for kind, i := range entriesOfEachKind {
		h, body := c.header(i)
		if h.Kind != kind {
			t.Fatalf("entry %d is a %s, not a %s", i, h.Kind, kind)
		}
		original := c.leaves[i]
		for name, leaf := range rewrites(t, h, body) {
			if bytes.Equal(leaf, original) {
				t.Fatalf("%s of %s: nothing was rewritten", name, kind)
			}
			for _, fitted := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/fitted=%v", kind, name, fitted), func(t *testing.T) {
					c.t = t
					c.leaves[i] = leaf
					const place = "tree: entries 16–31: differ from the checkpoint of size 32 signed by example.org/log"
					if fitted {
						c.rehash()
						fails(t, c.report(receipt.Options{Trust: l.trust()}), place+"; the stored leaf hashes were changed with them")
					} else {
						fails(t, c.report(receipt.Options{Trust: l.trust()}),
							place+fmt.Sprintf("; the first that differs is entry %d (the stored leaf hashes agree", i),
							fmt.Sprintf("hashes: entry %d: its hash is not the stored leaf hash", i))
					}
					fails(t, c.report(receipt.Options{Trust: l.trust(), Integrity: true}), place)
				})
			}
			c.leaves[i] = original
			c.rehash()
		}
	}
}

// rewrites are the leaf with each column of the header and each value of the
// body changed, and with each field of the body removed.
func rewrites(t *testing.T, h receipt.Header, body []byte) map[string][]byte {
	out := map[string][]byte{}
	add := func(name string, h receipt.Header, body []byte) {
		leaf, err := receipt.AppendLeaf(nil, h, body)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = leaf
	}
	for name, edit := range map[string]func(*receipt.Header){
		"index":  func(h *receipt.Header) { h.Index += 5 },
		"time":   func(h *receipt.Header) { h.Time = h.Time.Add(time.Microsecond) },
		"closes": func(h *receipt.Header) { h.Closes-- },
		"kind": func(h *receipt.Header) {
			h.Kind = map[receipt.Kind]receipt.Kind{receipt.DecisionKind: receipt.RefusalKind}[h.Kind]
			if h.Kind == "" {
				h.Kind = receipt.DecisionKind
			}
		},
	} {
		if edited := h; name != "closes" || h.Kind == receipt.OutcomeKind {
			edit(&edited)
			add("header "+name, edited, body)
		}
	}
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatal(err)
	}
	edits(tree, "", func(path string) {
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		add(path, h, b)
	})
	add("a space", h, append(slices.Clone(body), ' '))
	return out
}

// edits changes each value and removes each field in turn, calls visit, and puts it back.
func edits(v any, path string, visit func(path string)) {
	change := func(old any, set func(any), path string) {
		switch old := old.(type) {
		case string:
			set(old + "x")
		case float64:
			set(old + 1)
		case bool:
			set(!old)
		default:
			edits(old, path, visit)
			return
		}
		visit(path)
		set(old)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			old := v[key]
			change(old, func(n any) { v[key] = n }, path+"/"+key)
			delete(v, key)
			visit(path + "/" + key + " removed")
			v[key] = old
		}
	case []any:
		for i, old := range v {
			change(old, func(n any) { v[i] = n }, fmt.Sprintf("%s/%d", path, i))
		}
	}
}

// TestTamperedOrder moves, drops and adds entries, with the stored leaf hashes
// left as they were and made to fit.
func TestTamperedOrder(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	other := newLog(t, "example.org/log", "a")
	other.now = other.now.Add(time.Second)
	other.fill(64, 16)
	for _, c := range []struct {
		name string
		edit func(*copyOf)
		want []string // whatever the stored hashes say
		left []string // also, where they were left as they were
	}{
		{"two neighbours swapped", func(c *copyOf) { c.leaves[20], c.leaves[21] = c.leaves[21], c.leaves[20] },
			[]string{"tree: entries 16–31: differ", "indexes: entry 20: header says index 21", "indexes: entry 21: header says index 20", "time: entry 21: its time is earlier"},
			[]string{"the first that differs is entry 20", "hashes: entry 20:", "hashes: entry 21:"}},
		{"two far apart swapped", func(c *copyOf) { c.leaves[5], c.leaves[40] = c.leaves[40], c.leaves[5] },
			[]string{"tree: entries 0–15: differ", "indexes: entry 5: header says index 40", "indexes: entry 40: header says index 5"},
			[]string{"the first that differs is entry 5", "hashes: entry 40:"}},
		{"two swapped and renumbered", func(c *copyOf) { c.leaves[20], c.leaves[21] = c.leaves[21], c.leaves[20]; c.renumber(0, 0) },
			[]string{"tree: entries 16–31: differ"}, []string{"the first that differs is entry 20"}},
		{"one dropped in the middle", func(c *copyOf) { c.leaves = slices.Delete(c.leaves, 20, 21) },
			[]string{"tree: entries 16–31: differ", "indexes: entry 20: header says index 21", "head: tail: 1 entries that the checkpoint of size 64 covers are missing: entry 63"},
			[]string{"the first that differs is entry 20", "hashes: entry 20:", "hashes: entry 63: there are stored leaf hashes from here on"}},
		{"one dropped and renumbered", func(c *copyOf) { c.leaves = slices.Delete(c.leaves, 21, 22); c.renumber(21, -1) },
			[]string{"tree: entries 16–31: differ", "head: tail: 1 entries"}, []string{"the first that differs is entry 21"}},
		{"an outcome dropped", func(c *copyOf) { c.leaves = slices.Delete(c.leaves, 19, 20) },
			[]string{"tree: entries 16–31: differ", "indexes: entry 19: header says index 20"}, []string{"the first that differs is entry 19"}},
		{"an outcome dropped and renumbered", func(c *copyOf) { c.leaves = slices.Delete(c.leaves, 19, 20); c.renumber(20, -1) },
			[]string{"tree: entries 16–31: differ", "head: tail: 1 entries"}, []string{"the first that differs is entry 19"}},
		{"the tail dropped", func(c *copyOf) { c.leaves = c.leaves[:50] },
			[]string{"head: tail: 14 entries that the checkpoint of size 64 covers are missing: entries 50–63", "contents: tail: the contents speak of 64 entries, there are 50"},
			[]string{"hashes: entry 50: there are stored leaf hashes from here on"}},
		{"everything dropped", func(c *copyOf) { c.leaves = nil },
			[]string{"head: tail: 64 entries that the checkpoint of size 64 covers are missing: entries 0–63"}, nil},
		{"everything dropped, checkpoints too", func(c *copyOf) { c.leaves, c.notes, c.latest = nil, nil, nil },
			[]string{"signatures: checkpoints: there is none that the trusted key signed"}, nil},
		{"checkpoints dropped", func(c *copyOf) { c.notes, c.latest = nil, nil },
			[]string{"signatures: checkpoints: there is none that the trusted key signed", "head: entries 0–63: no signed checkpoint covers them"}, nil},
		{"a receipt forged at the end", func(c *copyOf) {
			h, body := c.header(16)
			h.Index, h.Time = 64, h.Time.Add(time.Hour)
			c.leaves = append(c.leaves, nil)
			c.set(64, h, body)
		}, []string{"head: entry 64: no signed checkpoint covers them", "contents: tail: the contents speak of 64 entries, there are 65"}, []string{"hashes: entry 64: the stored leaf hashes end before it"}},
		{"a receipt forged in the middle", func(c *copyOf) {
			h, body := c.header(16)
			c.leaves = slices.Insert(c.leaves, 17, nil)
			c.set(17, h, body)
			c.renumber(17, 1)
		}, []string{"tree: entries 16–31: differ", "head: entry 64: no signed"}, []string{"the first that differs is entry 17"}},
		{"a receipt forged in the place of another", func(c *copyOf) {
			h, _ := c.header(22)
			_, body := c.header(21)
			c.set(22, h, body)
		}, []string{"tree: entries 16–31: differ"}, []string{"the first that differs is entry 22"}},
		{"spliced with another log of the same key", func(c *copyOf) {
			for i := 40; i < 64; i++ {
				c.leaves[i] = other.leaves[i]
			}
		}, []string{"tree: entries 32–47: differ"}, []string{"the first that differs is entry 40"}},
		{"spliced with another log and its checkpoints", func(c *copyOf) {
			for i := 40; i < 64; i++ {
				c.leaves[i] = other.leaves[i]
			}
			c.notes = append(slices.Clone(c.notes[:2]), other.notes[2:]...)
			c.latest = other.notes[3]
		}, []string{"tree: entries 32–47: differ"}, nil},
	} {
		for _, fitted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/fitted=%v", c.name, fitted), func(t *testing.T) {
				tampered := load(t, l, from)
				c.edit(tampered)
				want := c.want
				if fitted {
					tampered.rehash()
				} else {
					want = append(slices.Clone(c.want), c.left...)
				}
				fails(t, tampered.report(receipt.Options{Trust: l.trust()}), want...)
				if r := tampered.report(receipt.Options{Trust: l.trust(), Integrity: true}); r.Verified() {
					t.Error("the integrity pass alone takes it")
				}
			})
		}
	}
}

// TestTamperedHashes changes only the stored leaf hashes.
func TestTamperedHashes(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	for _, c := range []struct {
		name string
		edit func(*copyOf)
		want string
	}{
		{"a hash nulled", func(c *copyOf) { clear(c.hashes[20*32 : 21*32]) }, "hashes: entry 20: its hash is not the stored leaf hash"},
		{"a hash dropped", func(c *copyOf) { c.hashes = slices.Delete(c.hashes, 20*32, 21*32) }, "hashes: entry 20: its hash is not"},
		{"cut off", func(c *copyOf) { c.hashes = c.hashes[:40*32+7] }, "hashes: entry 40: the stored leaf hashes end before it"},
		{"gone", func(c *copyOf) { c.hashes = nil }, "hashes: entry 0: the stored leaf hashes end before it"},
		{"too many", func(c *copyOf) { c.hashes = append(c.hashes, 0) }, "hashes: entry 64: there are stored leaf hashes from here on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tampered := load(t, l, from)
			c.edit(tampered)
			r := tampered.report(receipt.Options{Trust: l.trust()})
			fails(t, r, c.want)
			if tree, _ := r.Check("tree"); tree.State != receipt.Passed {
				t.Errorf("the entries are right, but %+v", tree)
			}
		})
	}
}

// TestTamperedCheckpoints forges and replays checkpoints, and recomputes the
// whole tree without the key.
func TestTamperedCheckpoints(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	thief := newLog(t, "example.org/log", "another key")
	recompute := func(c *copyOf, sign func(size uint64, root receipt.Hash, old []byte) []byte) {
		h, _ := c.header(21)
		_, body := c.header(6)
		c.set(21, h, body)
		c.rehash()
		var tree receipt.Range
		c.notes = nil
		for i, leaf := range c.leaves {
			tree.Append(receipt.LeafHash(leaf))
			if size := uint64(i + 1); size%16 == 0 {
				c.notes = append(c.notes, sign(size, tree.Root(), l.notes[i/16]))
			}
		}
		c.latest = c.notes[3]
	}
	for _, c := range []struct {
		name string
		edit func(*copyOf)
		want []string
	}{
		{"the latest is an old one", func(c *copyOf) { c.latest = c.notes[1] },
			[]string{"signatures: checkpoint 5 of size 32: it comes after a larger checkpoint"}},
		{"all later ones dropped", func(c *copyOf) { c.notes, c.latest = c.notes[:2], c.notes[1] },
			[]string{"head: entries 32–63: no signed checkpoint covers them"}},
		{"an old one replayed under the new size", func(c *copyOf) {
			c.notes[3] = bytes.Replace(c.notes[1], []byte("\n32\n"), []byte("\n64\n"), 1)
			c.latest = c.notes[3]
		}, []string{"signatures: checkpoint 4 of size 64: ", "head: entries 48–63: no signed checkpoint covers them"}},
		{"recomputed with the old signatures", func(c *copyOf) {
			recompute(c, func(size uint64, root receipt.Hash, old []byte) []byte {
				forged := l.sign(size, root)
				text, _, _ := bytes.Cut(forged, []byte("\n\n"))
				_, signature, _ := bytes.Cut(old, []byte("\n\n"))
				return slices.Concat(text, []byte("\n\n"), signature)
			})
		}, []string{"signatures: checkpoint 2 of size 32: ", "signatures: checkpoint 4 of size 64: ", "head: entries 16–63: no signed checkpoint covers them"}},
		{"recomputed with another key of the same name", func(c *copyOf) {
			recompute(c, func(size uint64, root receipt.Hash, _ []byte) []byte { return thief.sign(size, root) })
		}, []string{"signatures: checkpoint 1 of size 16: not signed by the trusted key", "head: entries 0–63: no signed checkpoint covers them"}},
		{"recomputed and left unsigned", func(c *copyOf) {
			recompute(c, func(size uint64, root receipt.Hash, _ []byte) []byte {
				text, _, _ := bytes.Cut(l.sign(size, root), []byte("\n\n"))
				return append(text, '\n')
			})
		}, []string{"signatures: checkpoint 1 of size 0: ", "head: entries 0–63: no signed checkpoint covers them"}},
		{"another origin under the right key", func(c *copyOf) {
			o := newLog(t, "example.org/other", "a")
			o.fill(64, 16)
			c.latest = o.notes[3]
		}, []string{"signatures: checkpoint 5 of size 64: "}},
		{"a byte of the signature", func(c *copyOf) {
			c.notes[2] = bytes.Replace(slices.Clone(c.notes[2]), []byte("— example.org/log "), []byte("— example.org/log A"), 1)
		}, []string{"signatures: checkpoint 3 of size 48: "}},
		{"nonsense", func(c *copyOf) { c.notes[2] = []byte("nonsense\x1b[2J") }, []string{"signatures: checkpoint 3 of size 0: "}},
		{"a size that no log has", func(c *copyOf) {
			c.notes[2] = bytes.Replace(c.notes[2], []byte("\n48\n"), []byte("\n9000000000000000000\n"), 1)
		},
			[]string{"signatures: checkpoint 3 of size 9000000000000000000: "}},
		{"a wrong root that the key signed", func(c *copyOf) { c.notes[2] = l.sign(48, receipt.Hash{}) },
			[]string{"tree: checkpoint of size 48: its root is not that of the entries, which the later checkpoint of size 64 confirms"}},
		{"the file of the latest gone", func(c *copyOf) { c.latest = nil }, []string{"signatures: checkpoint 5 of size 0: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tampered := load(t, l, from)
			c.edit(tampered)
			fails(t, tampered.report(receipt.Options{Trust: l.trust()}), c.want...)
		})
	}
}

// TestTamperedPayloads changes what lies beside the log.
func TestTamperedPayloads(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	find := func(c *copyOf, index uint64, name string) *receipt.Payload {
		i := slices.IndexFunc(c.payloads, func(p receipt.Payload) bool { return p.Index == index && p.Name == name })
		if i < 0 {
			t.Fatalf("no payload %s of entry %d", name, index)
		}
		return &c.payloads[i]
	}
	drop := func(c *copyOf, index uint64, name string) {
		*find(c, index, name) = receipt.Payload{}
		c.payloads = slices.DeleteFunc(c.payloads, func(p receipt.Payload) bool { return p.Name == "" })
	}
	const exchanged = "the payload or its salt is not the one that the receipt was made for"
	for _, c := range []struct {
		name string
		edit func(*copyOf)
		want string
	}{
		{"another input", func(c *copyOf) { find(c, 17, "input").Data = []byte(`{"amount":1}`) }, "payloads: payload input of entry 17: " + exchanged},
		{"another result", func(c *copyOf) { find(c, 19, "result").Data = nil }, "payloads: payload result of entry 19: " + exchanged},
		{"another salt", func(c *copyOf) { find(c, 17, "facts").Salt[31]++ }, "payloads: payload facts of entry 17: " + exchanged},
		{"two exchanged", func(c *copyOf) {
			a, b := find(c, 17, "input"), find(c, 18, "input")
			a.Data, b.Data, a.Salt, b.Salt = b.Data, a.Data, b.Salt, a.Salt
		}, "payloads: payload input of entry 18: " + exchanged},
		{"one missing", func(c *copyOf) { drop(c, 17, "input") }, "payloads: payload input of entry 17: it is missing, and no receipt says that it was erased"},
		{"all missing", func(c *copyOf) { c.payloads = nil }, "payloads: payload result of entry 3: it is missing"},
		{"one twice", func(c *copyOf) { c.payloads = slices.Insert(c.payloads, 1, c.payloads[0]) }, "payloads: payload result of entry 3: it comes after"},
		{"one that no receipt knows", func(c *copyOf) {
			c.payloads = slices.Insert(c.payloads, 0, receipt.Payload{Index: 0, Name: "input"})
		}, "payloads: payload input of entry 0: the receipt knows of no such payload"},
		{"one of no entry", func(c *copyOf) { c.payloads = append(c.payloads, receipt.Payload{Index: 64, Name: "input"}) }, "payloads: payload input of entry 64: there is no such entry"},
		{"out of order", func(c *copyOf) { slices.Reverse(c.payloads) }, "it comes after the payload"},
		{"one of a name that there is not", func(c *copyOf) { c.payloads[0].Name = "secret" }, "payloads: payloads, byte 0: a payload named \"secret\""},
		{"one back that was erased", func(c *copyOf) {
			fresh := newLog(t, "example.org/log", "a")
			fresh.fill(8, 16)
			c.payloads = append(slices.Clone(fresh.payloads[:2]), c.payloads...)
		}, "payloads: payload facts of entry 1: it is still there, though a receipt says that it was erased"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tampered := load(t, l, from)
			c.edit(tampered)
			r := tampered.report(receipt.Options{Trust: l.trust()})
			fails(t, r, c.want)
			if r := tampered.report(receipt.Options{Trust: l.trust(), Integrity: true}); !r.Verified() {
				t.Errorf("the receipts were not touched, but %q", exceptions(r))
			}
		})
	}
}

// TestTamperedPolicy changes a policy set, whose text nothing signs but its digest.
func TestTamperedPolicy(t *testing.T) {
	l := tamperedLog(t)
	from := original(t, l)
	for name, c := range map[string]struct {
		file, text, want string
	}{
		"source": {"000-a_policy.cedar", "transfer and more", "decisions: entry 9: the policy set that decided it: the text kept for sha256:"},
		"schema": {"schema.cedarschema", "", "decisions: entry 9: the policy set that decided it: the text kept for sha256:"},
		"index":  {"index.json", `{"digest":"x","sources":[{"name":"a","file":"../../../manifest.json"}]}`, "contents: policy set sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			tampered := load(t, l, from)
			tampered.write(filepath.Join("policies", strings.TrimPrefix(tampered.manifest.Policies[0], "sha256:"), c.file), []byte(c.text))
			fails(t, tampered.report(receipt.Options{Trust: l.trust()}), c.want)
		})
	}
	t.Run("gone", func(t *testing.T) {
		tampered := load(t, l, from)
		if err := os.RemoveAll(filepath.Join(tampered.dir, "policies")); err != nil {
			t.Fatal(err)
		}
		fails(t, tampered.report(receipt.Options{Trust: l.trust()}), "contents: policy set "+tampered.manifest.Policies[0]+": it is said to be included and is not there")
	})
}
