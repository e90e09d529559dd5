package witness

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// request is the body of add-checkpoint.
type request struct {
	old        int64
	proof      tlog.TreeProof
	note       []byte // the signed checkpoint
	text       string // its text
	checkpoint torchwood.Checkpoint
}

// maxProof is the most hashes that a consistency proof may have (C2SP tlog-witness).
const maxProof = 63

// parse reads the body of add-checkpoint: a line with the old size, lines of
// the consistency proof, an empty line, and a signed checkpoint. It verifies
// no signature.
func parse(body []byte) (*request, error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return nil, errors.New("no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	digits, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return nil, errors.New("the first line does not say the old size")
	}
	r := &request{note: signed}
	var err error
	r.old, err = strconv.ParseInt(digits, 10, 64)
	if err != nil || r.old < 0 || strconv.FormatInt(r.old, 10) != digits {
		return nil, errors.New("the old size is not a decimal number")
	}
	if len(lines)-1 > maxProof {
		return nil, fmt.Errorf("%d lines of proof, at most %d", len(lines)-1, maxProof)
	}
	for i, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil || h.String() != line {
			return nil, fmt.Errorf("line %d of the proof is not a hash", i+1)
		}
		r.proof = append(r.proof, h)
	}
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("the checkpoint has no signatures")
	}
	r.text = string(signed[:end+1])
	if r.checkpoint, err = torchwood.ParseCheckpoint(r.text); err != nil {
		return nil, errors.New("the checkpoint is malformed")
	}
	return r, nil
}
