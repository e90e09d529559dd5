package soa

import (
	"fmt"
	"slices"
	"strings"
)

// Change is what differs in one row between two statements.
type Change struct {
	Control string `json:"control"`
	// What changed: decision, justification, implementation, owner, risks,
	// obligations, documents, rules, evidence or approval.
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (c Change) String() string {
	return fmt.Sprintf("%s: %s: %s → %s", c.Control, c.What, orNone(c.Before), orNone(c.After))
}

// Compare lists the changes from one statement to another, in the order of the
// controls. Both are statements of Build, so they have the same rows.
func Compare(before, after Statement) []Change {
	changes := []Change{}
	for i, now := range after.Rows {
		old := before.Rows[i]
		for _, f := range []struct{ what, before, after string }{
			{"decision", old.Decision, now.Decision},
			{"justification", old.Justification, now.Justification},
			{"implementation", old.Implementation, now.Implementation},
			{"how", old.How, now.How},
			{"owner", old.Owner, now.Owner},
			{"risks", risksText(old.Risks), risksText(now.Risks)},
			{"obligations", strings.Join(old.Obligations, ", "), strings.Join(now.Obligations, ", ")},
			{"documents", strings.Join(old.Documents, ", "), strings.Join(now.Documents, ", ")},
			{"rules", rulesText(old.Rules), rulesText(now.Rules)},
			{"evidence", Words(old.Evidence.State), Words(now.Evidence.State)},
			{"approval", approvalText(old.Approval), approvalText(now.Approval)},
		} {
			if f.before != f.after {
				changes = append(changes, Change{now.Control, f.what, f.before, f.after})
			}
		}
	}
	return changes
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func risksText(risks []Risk) string {
	var out []string
	for _, r := range risks {
		out = append(out, fmt.Sprintf("%s (level %d) %s", r.ID, r.Level, r.Title))
	}
	return strings.Join(out, ", ")
}

// rulesText groups the rules by the set that they stand in.
func rulesText(rules []Rule) string {
	var sets []string
	for _, r := range rules {
		if !slices.Contains(sets, r.Policy) {
			sets = append(sets, r.Policy)
		}
	}
	var out []string
	for _, set := range sets {
		var ids []string
		for _, r := range rules {
			if r.Policy == set {
				ids = append(ids, r.ID)
			}
		}
		out = append(out, strings.Join(ids, ", ")+" of "+set)
	}
	return strings.Join(out, "; ")
}

func approvalText(a *Approval) string {
	if a == nil {
		return ""
	}
	return a.By + " on " + a.At
}
