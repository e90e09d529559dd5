package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"aims/receipt"
)

type proofCmd struct {
	File string `arg:"" placeholder:"FILE" help:"The proof, as aims receipts prove wrote it."`
	Leaf string `name:"leaf" placeholder:"FILE" help:"The receipt's leaf: its bytes as they stand in the log. By default the file beside the proof with the ending .leaf."`
	keys
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// proofResult is what a proof shows.
type proofResult struct {
	Verified bool      `json:"verified"`
	Reason   string    `json:"reason,omitempty"`
	Origin   string    `json:"origin"`
	Kind     string    `json:"kind,omitempty"`
	Index    *uint64   `json:"index,omitempty"`
	Time     time.Time `json:"time,omitzero"`
}

// Run verifies a proof.
func (c *proofCmd) Run(env environment, verified *bool) error {
	trust, err := c.trust()
	if err != nil {
		return err
	}
	if c.Leaf == "" {
		c.Leaf = strings.TrimSuffix(c.File, ".tlog-proof") + ".leaf"
	}
	proof, err := os.ReadFile(c.File)
	leaf, err2 := os.ReadFile(c.Leaf)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	result := proofResult{Origin: trust.Origin()}
	h, err := receipt.VerifyProof(trust, leaf, proof)
	if err != nil {
		result.Reason = strings.TrimPrefix(err.Error(), "receipt: ")
	} else {
		result.Verified, result.Kind, result.Index, result.Time = true, string(h.Kind), &h.Index, h.Time
	}
	*verified = result.Verified
	if c.JSON {
		return printJSON(env.out, result)
	}
	if !result.Verified {
		_, err = fmt.Fprintf(env.out, "FAILED       %s\n", printable(result.Reason))
		return err
	}
	_, err = fmt.Fprintf(env.out, "ok           entry %d of the log %s: %s, %s\n", h.Index, trust.Origin(), h.Kind, h.Time.Format(time.RFC3339Nano))
	return err
}
