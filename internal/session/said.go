package session

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Says tells whether the run is known as it is declared, so that the declaration
// would change nothing. A contradiction, or anything new, is not.
func (r *Run) Says(d Declaration) bool {
	parent := ""
	if d.Parent != nil {
		parent = d.Parent.Receipt
	}
	return r.ID != "" && saysNothingElse(d.Purpose, r.Purpose) && saysNothingElse(d.OnBehalfOf, r.OnBehalfOf) &&
		saysNothingElse(parent, r.Parent) && (d.Prompt == "" || slices.Contains(r.Said, r.mark(d.Prompt)))
}

func saysNothingElse(declared, known string) bool { return declared == "" || declared == known }

// mark stands for a prompt of the run, so that none counts twice.
func (r *Run) mark(prompt string) string {
	sum := sha256.Sum256([]byte(r.ID + "\n" + prompt))
	return hex.EncodeToString(sum[:8])
}
