package pdp

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Source is one file of Cedar policies.
type Source struct {
	// Name is the file's name, unique in its set; it stands in problems and in
	// the ids of policies without an @id.
	Name string
	Text []byte
}

// Set is a compiled and type-checked set of policies with the schema that it
// was checked against. It is immutable and safe for concurrent use.
type Set struct {
	digest  string
	sources []Source
	schema  []byte
	model   *model
	rules   []rule // sorted by id, so that reasons come out sorted
	byID    map[types.PolicyID]int
	index   index
}

// Rule is one policy of a set: what it says when it determines a decision,
// and where its text starts.
type Rule struct {
	authz.Reason
	File         string
	Line, Column int
	Cedar        *cedar.Policy
}

// rule is a policy with what a decision needs of it, computed once.
type rule struct {
	id     types.PolicyID
	policy *cedar.Policy
	reason authz.Reason
	place  Problem // without message
	// wholeContext says that the conditions use the context as one value.
	wholeContext bool
	// approvable says that the conditions ask for an approval.
	approvable bool
	// unordered says that of two errors in the conditions cedar-go finds either.
	unordered bool
}

func (r rule) forbids() bool { return r.policy.Effect() == types.Forbid }

// Problem is one reason why a set does not compile, and where it is.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1, columns in characters; both are 0 where the
	// problem concerns the whole file or set. Of a type error they are where the policy starts.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Message string `json:"message"`
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Column > 0 {
		fmt.Fprintf(&b, ":%d", p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Policy != "" {
		fmt.Fprintf(&b, "policy %q: ", p.Policy)
	}
	b.WriteString(p.Message)
	return b.String()
}

// CompileError holds every problem that was found, sorted by place.
type CompileError struct {
	Problems []Problem
}

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxAnnotation bounds an annotation: a decision carries those of every
// determining policy into its receipt.
const maxAnnotation = 1000

// schemaFile is the file name of problems in the schema.
const schemaFile = "schema"

// Compile parses the policies, checks them against the schema and indexes
// them. The order of the sources does not matter. The error is a
// *CompileError that lists all problems at once: syntax and type errors,
// unknown actions and entity types, policies that can never match, annotations
// that do not mean what they seem to, ids given twice, and a set without policy.
func Compile(sources []Source, schema []byte) (*Set, error) {
	sources = cloneSources(sources)
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	model, problem := parseModel(schema)
	var c compiler
	if problem != nil {
		c.problems = append(c.problems, *problem)
	} else {
		c.checker = newChecker(model)
	}
	for i, source := range sources {
		if i > 0 && sources[i-1].Name == source.Name {
			c.problems = append(c.problems, Problem{File: source.Name, Message: "two files have this name"})
			continue
		}
		c.source(source)
	}
	c.ids()
	if len(c.rules) == 0 && len(c.problems) == 0 {
		c.problems = append(c.problems, Problem{Message: "the set has no policy: everything would be denied without a reason"})
	}
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
				cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
		})
		return nil, &CompileError{Problems: c.problems}
	}
	s := newSet(c.rules, model)
	s.sources, s.schema = sources, slices.Clone(schema)
	s.digest = digest(sources, schema)
	return s, nil
}

// newSet indexes rules that have been checked.
func newSet(rules []rule, m *model) *Set {
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.id, b.id) })
	s := &Set{model: m, rules: rules, byID: make(map[types.PolicyID]int, len(rules))}
	for i, r := range rules {
		s.byID[r.id] = i
		rules[i].wholeContext = usesWholeContext(r.policy)
		rules[i].approvable = usesApproval(r.policy)
		rules[i].unordered = hasRecordLiteral(r.policy)
	}
	s.index = newIndex(rules, m)
	return s
}

// Digest names the set: "sha256:" and hexadecimal over schema and sources. Two
// sets of one digest decide alike.
func (s *Set) Digest() string { return s.digest }

// Sources returns the policy files, sorted by name.
func (s *Set) Sources() []Source { return cloneSources(s.sources) }

// Schema returns the Cedar schema that the set was checked against.
func (s *Set) Schema() []byte { return slices.Clone(s.schema) }

// Rules are the policies of the set, sorted by id.
func (s *Set) Rules() []Rule {
	rules := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		rules[i] = Rule{Reason: r.reason, File: r.place.File, Line: r.place.Line, Column: r.place.Column, Cedar: r.policy}
	}
	return rules
}

func cloneSources(in []Source) []Source {
	out := make([]Source, len(in))
	for i, s := range in {
		out[i] = Source{Name: s.Name, Text: slices.Clone(s.Text)}
	}
	return out
}

// digest hashes every part with its length before it, so that no two different
// sets are the same bytes.
func digest(sources []Source, schema []byte) string {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte("aims-policy/1"))
	part(schema)
	for _, s := range sources {
		part([]byte(s.Name))
		part(s.Text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// compiler gathers rules and problems.
type compiler struct {
	checker  *checker // nil where the schema is unusable
	rules    []rule
	problems []Problem
}

// source compiles one file.
func (c *compiler) source(s Source) {
	policies, problems := parsePolicies(s)
	c.problems = append(c.problems, problems...)
	for _, p := range policies {
		at := Problem{File: s.Name, Line: p.line, Column: p.column, Policy: s.Name + "#" + fmt.Sprint(p.ordinal)}
		id, hasID := p.policy.Annotations()["id"]
		if hasID && id != "" {
			at.Policy = string(id)
		}
		reason, messages := annotated(p.policy)
		reason.Policy = at.Policy
		if c.checker != nil {
			messages = append(messages, c.checker.check(p.policy)...)
		}
		for _, m := range messages {
			found := at
			found.Message = m
			c.problems = append(c.problems, found)
		}
		c.rules = append(c.rules, rule{id: types.PolicyID(at.Policy), policy: p.policy, reason: reason, place: at})
	}
}

// ids reports ids that more than one policy has.
func (c *compiler) ids() {
	first := map[types.PolicyID]Problem{}
	for _, r := range c.rules {
		at := r.place
		if before, twice := first[r.id]; twice {
			at.Message = fmt.Sprintf("the id is that of the policy at %s:%d:%d", before.File, before.Line, before.Column)
			c.problems = append(c.problems, at)
			continue
		}
		first[r.id] = at
	}
}

// annotated reads a policy's annotations. One that is misspelt or out of place
// is a problem, because its author believes in an effect that it does not have.
func annotated(p *cedar.Policy) (authz.Reason, []string) {
	reason := authz.Reason{Effect: "permit"}
	if p.Effect() == types.Forbid {
		reason.Effect = "forbid"
	}
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	annotations := p.Annotations()
	for key, value := range annotations {
		text := strings.TrimSpace(string(value))
		switch key {
		case "id", "reason", "control", "threat", "hold":
			if text == "" {
				bad("@%s is empty", key)
			}
			if len(value) > maxAnnotation {
				bad("@%s has more than %d bytes", key, maxAnnotation)
			}
		case "doc", "description":
		default:
			bad("unknown annotation @%s: there are @id, @reason, @control, @threat, @hold, @doc and @description", key)
		}
	}
	reason.Text = strings.TrimSpace(string(annotations["reason"]))
	list := func(key types.AnnotationKey) []string {
		value, ok := annotations[key]
		if !ok {
			return nil
		}
		items := strings.Split(string(value), ",")
		for i := range items {
			if items[i] = strings.TrimSpace(items[i]); items[i] == "" && len(items) > 1 {
				bad("@%s has an empty item", key)
			}
		}
		return items
	}
	reason.Controls, reason.Threats = list("control"), list("threat")
	if role, ok := annotations["hold"]; ok {
		if reason.Effect == "permit" {
			bad("@hold on a permit: only a refusal can be held for release")
		}
		reason.Hold = strings.TrimSpace(string(role))
	}
	slices.Sort(problems)
	return reason, problems
}
