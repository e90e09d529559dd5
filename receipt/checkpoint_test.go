package receipt_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/receipt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func TestTrustIsReadStrictly(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	w, v := newWitness(t, "witness.example/w").Verifier().String(), newWitness(t, "witness.example/v").Verifier().String()
	for _, c := range []struct {
		name      string
		log       string
		witnesses []string
		quorum    int
		good      bool
	}{
		{"a log", l.vkey, nil, 0, true},
		{"with line break", l.vkey + "\n", []string{w + "\n"}, 1, true},
		{"one of two", l.vkey, []string{w, v}, 1, true},
		{"no log", "", nil, 0, false},
		{"a witness for a log", w, nil, 0, false},
		{"a log for a witness", l.vkey, []string{l.vkey}, 0, false},
		{"one witness for two", l.vkey, []string{w, w}, 2, false},
		{"too large a quorum", l.vkey, []string{w}, 2, false},
		{"a negative quorum", l.vkey, []string{w}, -1, false},
		{"a changed key", l.vkey[:len(l.vkey)-3] + "AA=", nil, 0, false},
	} {
		if _, err := receipt.NewTrust(c.log, c.witnesses, c.quorum); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if trust, err := receipt.NewTrust(l.vkey, []string{w, v}, 0); err != nil {
		t.Error(err)
	} else if n, quorum := trust.Witnesses(); n != 2 || quorum != 2 {
		t.Errorf("without a quorum, %d of %d witnesses are enough", quorum, n)
	}
}

func TestOpenCheckpoint(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(10, 10)
	w, v := newWitness(t, "witness.example/w"), newWitness(t, "witness.example/v")
	trust := l.trust(w, v)
	both := l.checkpoint(w, v)
	cp, err := trust.Open(both)
	if err != nil || cp.Origin != "example.org/log" || cp.Size != 10 || cp.Root != l.tree.Root() || len(cp.Cosignatures) != 2 {
		t.Fatalf("%+v, %v", cp, err)
	}
	now := cp.Cosignatures[0].Time
	if !trust.Witnessed(cp, now) || trust.Witnessed(cp, now.Add(time.Hour)) {
		t.Error("cosignatures are not counted by their time")
	}
	one, err := trust.Open(l.checkpoint(w, newWitness(t, "witness.example/unknown")))
	if err != nil || len(one.Cosignatures) != 1 || trust.Witnessed(one, time.Time{}) {
		t.Errorf("%+v, %v: one of two is not both", one, err)
	}
	if none, err := l.trust().Open(both); err != nil || l.trust().Witnessed(none, time.Time{}) {
		t.Errorf("%+v, %v: without witnesses nothing is witnessed", none, err)
	}
	if _, err := (receipt.Trust{}).Open(both); err == nil {
		t.Error("whoever trusts nobody opens a checkpoint")
	}
	// A trusted witness's signature that is wrong is an attack, not a stranger's.
	_, sig, _ := bytes.Cut(both, []byte("— witness.example/w "))
	line, _, _ := bytes.Cut(sig, []byte("\n"))
	forged := bytes.Replace(both, line, append(append(line[:12:12], "AAAA"...), line[16:]...), 1)
	if _, err := trust.Open(forged); err == nil {
		t.Error("a forged cosignature was passed over")
	}
	text, _, _ := bytes.Cut(both, []byte("\n\n"))
	onlyWitness, err := note.Sign(&note.Note{Text: string(text) + "\n"}, w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Open(onlyWitness); err == nil {
		t.Error("a witness signed for the log")
	}
}

// proof makes a .tlog-proof of an entry under a signed checkpoint of all.
func (l *testLog) proof(index uint64, checkpoint []byte) []byte {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, leaf := range l.leaves {
		hashes, err := tlog.StoredHashes(int64(i), leaf, read)
		if err != nil {
			l.t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	p, err := tlog.ProveRecord(int64(l.size()), int64(index), read)
	if err != nil {
		l.t.Fatal(err)
	}
	return torchwood.FormatProof(int64(index), p, checkpoint)
}

func TestVerifyProof(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(100, 100)
	w := newWitness(t, "witness.example/w")
	trust, watched := l.trust(), l.trust(w)
	cosigned := l.checkpoint(w)
	for index, leaf := range l.leaves {
		proof := l.proof(uint64(index), cosigned)
		h, err := receipt.VerifyProof(trust, leaf, proof)
		if err != nil || h.Index != uint64(index) {
			t.Fatalf("entry %d: %+v, %v", index, h, err)
		}
		if _, err := receipt.VerifyProof(watched, leaf, proof); err != nil {
			t.Fatalf("entry %d, witnessed: %v", index, err)
		}
		if _, err := receipt.VerifyProof(trust, l.leaves[(index+1)%100], proof); err == nil {
			t.Fatalf("the proof of entry %d proves another", index)
		}
	}
	leaf := l.leaves[42]
	proof := l.proof(42, cosigned)
	thief := newLog(t, "example.org/log", "b")
	for name, c := range map[string]struct {
		trust       receipt.Trust
		leaf, proof []byte
	}{
		"not cosigned":       {watched, leaf, l.proof(42, l.checkpoint())},
		"another log's key":  {thief.trust(), leaf, proof},
		"another index":      {trust, leaf, bytes.Replace(proof, []byte("index 42\n"), []byte("index 43\n"), 1)},
		"an odd index":       {trust, leaf, bytes.Replace(proof, []byte("index 42\n"), []byte("index +42\n"), 1)},
		"a changed leaf":     {trust, bytes.Replace(leaf, []byte("billing"), []byte("Billing"), 1), proof},
		"no receipt":         {trust, []byte("hello"), proof},
		"another head":       {trust, leaf, l.proof(42, l.sign(100, receipt.LeafHash(leaf)))},
		"no proof":           {trust, leaf, []byte("c2sp.org/tlog-proof@v1\n")},
		"another proof":      {trust, leaf, l.proof(41, cosigned)},
		"signature dropped":  {trust, leaf, proof[:bytes.LastIndex(proof, []byte("\n\n"))+2]},
		"trust in nobody":    {receipt.Trust{}, leaf, proof},
		"version unknown":    {trust, leaf, bytes.Replace(proof, []byte("@v1"), []byte("@v2"), 1)},
		"line left out":      {trust, leaf, []byte(strings.Join(slices.Delete(strings.SplitAfter(string(proof), "\n"), 3, 4), ""))},
		"header moved along": {trust, bytes.Replace(leaf, fmt.Appendf(nil, "%020d", 42), fmt.Appendf(nil, "%020d", 43), 1), proof},
	} {
		if h, err := receipt.VerifyProof(c.trust, c.leaf, c.proof); err == nil {
			t.Errorf("%s: it proves %+v", name, h)
		}
	}
}

// TestProofOfMisplacedLeaf has the log's key sign a leaf whose header says
// another index than it stands at.
func TestProofOfMisplacedLeaf(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(8, 8)
	l.push(l.leaves[3])
	if _, err := receipt.VerifyProof(l.trust(), l.leaves[8], l.proof(8, l.checkpoint())); err == nil || !strings.Contains(err.Error(), "the leaf says that it is entry 3, the log has it as entry 8") {
		t.Errorf("%v", err)
	}
}

func FuzzVerifyProof(f *testing.F) {
	l := newLog(f, "example.org/log", "a")
	l.fill(20, 20)
	w := newWitness(f, "witness.example/w")
	trust := l.trust(w)
	f.Add(l.leaves[7], l.proof(7, l.checkpoint(w)))
	f.Add(l.leaves[7], l.proof(8, l.checkpoint(w)))
	f.Add([]byte{}, []byte("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, leaf, proof []byte) {
		h, err := receipt.VerifyProof(trust, leaf, proof)
		if err == nil && (h.Index >= l.size() || !bytes.Equal(leaf, l.leaves[h.Index])) {
			t.Fatalf("%q proves %q", proof, leaf)
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	l := newLog(f, "example.org/log", "a")
	l.fill(20, 10)
	w := newWitness(f, "witness.example/w")
	trust := l.trust(w)
	f.Add(l.notes[0])
	f.Add(l.checkpoint(w))
	f.Add([]byte("example.org/log\n-1\nAAAA\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, signed []byte) {
		if cp, err := trust.Open(signed); err == nil && cp.Size != 10 && cp.Size != 20 {
			t.Fatalf("%q was opened as %+v", signed, cp)
		}
	})
}
