package receipt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Trust is whose signatures a verifier believes: the log's, and those of
// witnesses that vouch for having seen only one history of it.
type Trust struct {
	log       note.Verifier
	witnesses []note.Verifier
	quorum    int
}

// NewTrust reads verifier keys (C2SP signed-note). The log's key has the log's
// origin for a name and is of type Ed25519; a witness's is of type timestamped
// Ed25519 cosignature (C2SP tlog-cosignature). A checkpoint counts as
// witnessed when quorum of the witnesses cosigned it; all of them when quorum is 0.
func NewTrust(log string, witnesses []string, quorum int) (Trust, error) {
	v, err := note.NewVerifier(strings.TrimSpace(log))
	if err != nil {
		return Trust{}, fmt.Errorf("receipt: the log's key: %w", err)
	}
	t := Trust{log: v, quorum: quorum}
	for _, key := range witnesses {
		w, err := torchwood.NewCosignatureVerifier(strings.TrimSpace(key))
		if err != nil {
			return Trust{}, fmt.Errorf("receipt: the key of witness %d: %w", len(t.witnesses)+1, err)
		}
		if _, err := t.Verifier(w.Name(), w.KeyHash()); err == nil {
			// One key may not stand for two witnesses.
			return Trust{}, fmt.Errorf("receipt: the key of %s is given twice", w.Name())
		}
		t.witnesses = append(t.witnesses, w)
	}
	if quorum < 0 || quorum > len(t.witnesses) {
		return Trust{}, fmt.Errorf("receipt: a quorum of %d among %d witnesses", quorum, len(t.witnesses))
	}
	if quorum == 0 {
		t.quorum = len(t.witnesses)
	}
	return t, nil
}

// Origin is the log's name, which its checkpoints begin with.
func (t Trust) Origin() string {
	if t.log == nil {
		return ""
	}
	return t.log.Name()
}

// Witnesses is how many witnesses are believed, and how many of them must have
// cosigned a checkpoint for it to count as witnessed.
func (t Trust) Witnesses() (count, quorum int) { return len(t.witnesses), t.quorum }

// Verifier implements note.Verifiers.
func (t Trust) Verifier(name string, hash uint32) (note.Verifier, error) {
	known := t.witnesses
	if t.log != nil {
		known = append([]note.Verifier{t.log}, known...)
	}
	for _, v := range known {
		if v.Name() == name && v.KeyHash() == hash {
			return v, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// Check implements torchwood.Policy: the log signed, under its own name.
func (t Trust) Check(origin string, sigs []note.Signature) error {
	if t.log == nil {
		return errors.New("no key of a log is trusted")
	}
	if origin != t.log.Name() {
		return fmt.Errorf("origin %q, want %q", origin, t.log.Name())
	}
	if !slices.ContainsFunc(sigs, func(s note.Signature) bool {
		return s.Name == t.log.Name() && s.Hash == t.log.KeyHash()
	}) {
		return fmt.Errorf("not signed by %s+%08x", t.log.Name(), t.log.KeyHash())
	}
	return nil
}

// Checkpoint is a signed tree head whose signatures were verified.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
	// Cosignatures are those of trusted witnesses.
	Cosignatures []Cosignature
}

// Cosignature is a witness's statement that at Time the checkpoint was
// consistent with, and the largest of, all that it had seen of this log.
type Cosignature struct {
	Witness string
	Time    time.Time // whole seconds, UTC
}

// Open verifies a signed checkpoint (C2SP tlog-checkpoint): the log's signature
// must be there and right, and so must be every signature of a trusted witness
// that is there. Signatures of others are passed over. Whether enough
// witnesses cosigned is for Witnessed to say.
func (t Trust) Open(signed []byte) (Checkpoint, error) {
	c, n, err := torchwood.VerifyCheckpoint(signed, t)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("receipt: checkpoint: %w", unsigned(err))
	}
	cp := Checkpoint{Origin: c.Origin, Size: uint64(c.N), Root: c.Hash}
	for _, w := range t.witnesses {
		for _, sig := range n.Sigs {
			if sig.Name != w.Name() || sig.Hash != w.KeyHash() {
				continue
			}
			at, err := torchwood.CosignatureTimestamp(sig)
			if err != nil {
				return Checkpoint{}, fmt.Errorf("receipt: checkpoint: %w", err)
			}
			cp.Cosignatures = append(cp.Cosignatures, Cosignature{Witness: w.Name(), Time: time.Unix(at, 0).UTC()})
		}
	}
	return cp, nil
}

// unsigned gives x/mod's "note has no verifiable signatures" the words of this package.
func unsigned(err error) error {
	if _, ok := err.(*note.UnverifiedNoteError); ok {
		return errors.New("not signed by the trusted key")
	}
	return err
}

// Witnessed says whether a quorum of the trusted witnesses cosigned the
// checkpoint at since or later. It is false where no witness is trusted.
func (t Trust) Witnessed(c Checkpoint, since time.Time) bool {
	n := 0
	for _, s := range c.Cosignatures {
		if !s.Time.Before(since) {
			n++
		}
	}
	return t.quorum > 0 && n >= t.quorum
}

// CheckpointSize reads the size that a checkpoint states, without believing it.
func CheckpointSize(signed []byte) (uint64, bool) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return 0, false
	}
	c, err := torchwood.ParseCheckpoint(text + "\n")
	return uint64(c.N), err == nil
}

// proofPolicy adds the quorum of witnesses to what a checkpoint needs.
type proofPolicy struct{ Trust }

func (p proofPolicy) Check(origin string, sigs []note.Signature) error {
	if err := p.Trust.Check(origin, sigs); err != nil {
		return err
	}
	cosigned := 0
	for _, w := range p.witnesses {
		if slices.ContainsFunc(sigs, func(s note.Signature) bool { return s.Name == w.Name() && s.Hash == w.KeyHash() }) {
			cosigned++
		}
	}
	if cosigned < p.quorum {
		return fmt.Errorf("cosigned by %d of %d witnesses, want %d", cosigned, len(p.witnesses), p.quorum)
	}
	return nil
}

// VerifyProof checks a .tlog-proof (c2sp.org/tlog-proof@v1): that the leaf
// stands in the trusted log, cosigned by a quorum of the witnesses if any are
// trusted, and stands there at the index that its own header says. What RFC
// 9942 calls a receipt is such a proof.
func VerifyProof(t Trust, leaf, proof []byte) (Header, error) {
	h, _, err := ParseLeaf(leaf)
	if err != nil {
		return Header{}, err
	}
	if err := torchwood.VerifyProof(proofPolicy{t}, tlog.RecordHash(leaf), proof); err != nil {
		var failed *torchwood.VerifyRecordError
		if errors.As(err, &failed) {
			return Header{}, fmt.Errorf("receipt: proof: the leaf is not entry %d of the log", failed.Index)
		}
		return Header{}, fmt.Errorf("receipt: proof: %w", unsigned(err))
	}
	index, err := proofIndex(proof)
	if err != nil {
		return Header{}, err
	}
	if index != h.Index {
		return Header{}, fmt.Errorf("receipt: proof: the leaf says that it is entry %d, the log has it as entry %d", h.Index, index)
	}
	return h, nil
}

// proofIndex reads the index line of a proof whose form was verified.
func proofIndex(proof []byte) (uint64, error) {
	for line := range strings.Lines(string(proof)) {
		if rest, ok := strings.CutPrefix(line, "index "); ok {
			return strconv.ParseUint(strings.TrimSuffix(rest, "\n"), 10, 63)
		}
	}
	return 0, errors.New("receipt: proof: no index")
}
