package audit

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
)

// Conflict is what an auditor answers for of what an audit covers.
type Conflict struct {
	Auditor string   `json:"auditor"`
	Owns    []string `json:"owns"` // requirements, and kind/id of records
}

// mostNamed bounds what a sentence lists.
const mostNamed = 12

func (c Conflict) String() string {
	named := c.Owns
	if len(named) > mostNamed {
		named = append(slices.Clone(named[:mostNamed]), fmt.Sprintf("and %d more", len(c.Owns)-mostNamed))
	}
	return fmt.Sprintf("%s answers for %s", c.Auditor, strings.Join(named, ", "))
}

// Auditors are the people who make an audit, its lead first.
func Auditors(x record.Audit) []string {
	var list []string
	for _, p := range append([]string{x.Lead}, x.Auditors...) {
		if p != "" && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// Conflicts name what each auditor owns of what the audit covers (ISO 42001
// 9.2.2): requirements and decisions on controls, and records that the criteria
// of a covered requirement look at, agents among them. Records of audits are the
// auditors' own and do not count.
func Conflicts(r record.Registers, x record.Audit) []Conflict {
	kinds := coveredKinds(x)
	list := []Conflict{}
	for _, person := range Auditors(x) {
		c := Conflict{Auditor: person}
		r.Each(func(kind, id string, rec any) {
			if owns(rec, person) && coveredRecord(x, kinds, kind, id) {
				c.Owns = append(c.Owns, kind+"/"+id)
			}
		})
		if len(c.Owns) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// owns says whether a person answers for a record.
func owns(rec any, person string) bool {
	if base, ok := rec.(interface{ Common() record.Base }); ok && base.Common().Owner == person {
		return true
	}
	switch rec := rec.(type) {
	case record.Agent:
		return rec.Operator == person || rec.Overseer == person
	}
	return false
}

func coveredRecord(x record.Audit, kinds map[string]bool, kind, id string) bool {
	switch kind {
	case "audit", "person":
		return false
	case "requirement_owner", "applicability":
		return Covers(x.Requirements, id)
	}
	return kinds[kind]
}

// coveredKinds are the kinds of record that the criteria of the covered
// requirements look at.
func coveredKinds(x record.Audit) map[string]bool {
	kinds := map[string]bool{}
	for _, c := range criteria.All() {
		if Covers(x.Requirements, c.Requirement) {
			for _, kind := range c.Reads {
				kinds[kind] = true
			}
		}
	}
	return kinds
}

// Covers says whether a list of requirements and areas covers a requirement.
func Covers(list []string, requirement string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		return l == requirement || strings.HasPrefix(requirement, l+".")
	})
}
