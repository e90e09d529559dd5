package pdp

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// Bounds of a policy's text. Cedar's parser, type checker and evaluator are
// recursive: without bounds a file of brackets would end the process.
const (
	maxPolicyBytes = 128 << 10
	maxBrackets    = 128
	// maxChain bounds a.b.c: cedar-go writes has a.b.c out as a has for each
	// part, in quadratic space.
	maxChain = 32
)

// parsed is a policy and where its text starts.
type parsed struct {
	policy       *cedar.Policy
	ordinal      int // 1 for the first policy of its file
	line, column int
}

// statement is the text of one policy as a file is cut at its semicolons.
type statement struct {
	text         []byte
	line, column int // of its first byte
	brackets     int // how deep they nest
	chain        int // the dots of the longest a.b.c
	problem      string
}

// parsePolicies parses a file. Cedar's parser has the last word on what is
// well formed, but it stops at the first error; then the file is cut into
// statements and each is parsed alone, so that one report holds all errors.
func parsePolicies(s Source) ([]parsed, []Problem) {
	cut := statements(s.Text)
	if !slices.ContainsFunc(cut, func(st statement) bool { return st.problem != "" }) {
		list, err := cedar.NewPolicyListFromBytes(s.Name, s.Text)
		if err == nil {
			return whole(list), nil
		}
		if len(cut) == 0 {
			return nil, []Problem{syntaxProblem(s.Name, statement{line: 1, column: 1}, err)}
		}
	}
	var policies []parsed
	var problems []Problem
	for i, st := range cut {
		if st.problem != "" {
			problems = append(problems, Problem{File: s.Name, Line: st.line, Column: st.column, Message: st.problem})
			continue
		}
		list, err := cedar.NewPolicyListFromBytes(s.Name, st.text)
		if err != nil {
			problems = append(problems, syntaxProblem(s.Name, st, err))
			continue
		}
		for _, p := range list {
			pos := p.Position()
			line, column := shifted(st, pos.Line, pos.Column)
			policies = append(policies, parsed{policy: p, ordinal: i + 1, line: line, column: column})
		}
	}
	if len(problems) == 0 { // the error lies between the statements
		problems = []Problem{{File: s.Name, Line: 1, Column: 1, Message: "syntax error between the policies"}}
	}
	return policies, problems
}

func whole(list cedar.PolicyList) []parsed {
	policies := make([]parsed, len(list))
	for i, p := range list {
		pos := p.Position()
		policies[i] = parsed{policy: p, ordinal: i + 1, line: pos.Line, column: pos.Column}
	}
	return policies
}

// shifted turns a place within a statement into one within its file.
func shifted(st statement, line, column int) (int, int) {
	if line <= 1 {
		return st.line, st.column + max(column, 1) - 1
	}
	return st.line + line - 1, column
}

// syntaxProblem takes the place out of a parser's message about a statement.
func syntaxProblem(file string, st statement, err error) Problem {
	place := regexp.MustCompile(`^(?:parser error: )?(?:parse error at )?<input>:(\d+):(\d+):? ?`)
	found := Problem{File: file, Line: st.line, Column: st.column}
	message := err.Error()
	if m := place.FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1]) // digits, of a text that is in memory
		column, _ := strconv.Atoi(m[2])
		found.Line, found.Column = shifted(st, line, column)
		message = message[len(m[0]):]
	}
	found.Message = "syntax error: " + message
	return found
}

// statements cuts Cedar text after each semicolon that stands outside of
// strings and comments; nothing but the end of a policy is one. Text that
// cannot be Cedar is cut somewhere and fails to parse there.
func statements(text []byte) []statement { return cutText(text, "([{", ")]}") }

// cutText is statements for a language with these brackets.
func cutText(text []byte, opening, closing string) []statement {
	c := cutter{text: text, line: 1, column: 1, opening: opening, closing: closing}
	for c.pos < len(text) {
		c.step()
	}
	c.cut()
	return c.out
}

type cutter struct {
	text             []byte
	opening, closing string
	pos              int
	line, column     int
	// begun says that the current statement has started, which it does with
	// its first byte that is neither space nor comment.
	begun      bool
	current    statement
	start      int
	open, dots int  // brackets and dots of the chain at hand
	last       byte // the last byte that was neither space nor comment
	lastPos    int
	out        []statement
}

// advance moves over one character.
func (c *cutter) advance() {
	b := c.text[c.pos]
	c.pos++
	switch {
	case b == '\n':
		c.line++
		c.column = 1
	case b&0xc0 != 0x80: // the bytes of a character after its first do not count
		c.column++
	}
}

func (c *cutter) next(i int) byte {
	if c.pos+i < len(c.text) {
		return c.text[c.pos+i]
	}
	return 0
}

func (c *cutter) step() {
	b := c.text[c.pos]
	switch {
	case b == ' ' || b == '\t' || b == '\r' || b == '\n':
		c.advance()
		return
	case b == '/' && c.next(1) == '/':
		for c.pos < len(c.text) && c.text[c.pos] != '\n' {
			c.advance()
		}
		return
	case b == '/' && c.next(1) == '*':
		c.comment()
		return
	}
	if !c.begun {
		c.begun, c.open, c.start = true, 0, c.pos
		c.current = statement{line: c.line, column: c.column}
	}
	c.follow(b)
	switch {
	case b == '"':
		c.str()
		return
	case strings.IndexByte(c.opening, b) >= 0:
		c.open++
		c.current.brackets = max(c.current.brackets, c.open)
	case strings.IndexByte(c.closing, b) >= 0:
		c.open--
	}
	c.advance()
	if b == ';' {
		c.cut()
	}
}

// follow counts the dots of chains such as a.b.c.
func (c *cutter) follow(b byte) {
	word := func(b byte) bool {
		return b == '_' || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
	}
	switch {
	case b == '.':
		c.dots++
		c.current.chain = max(c.current.chain, c.dots)
	case !word(b), word(c.last) && c.lastPos != c.pos-1, !word(c.last) && c.last != '.':
		c.dots = 0 // an operator, a second word, or the first one
	}
	c.last, c.lastPos = b, c.pos
}

func (c *cutter) comment() {
	line, column := c.line, c.column
	c.advance()
	c.advance()
	for c.pos < len(c.text) {
		if c.text[c.pos] == '*' && c.next(1) == '/' {
			c.advance()
			c.advance()
			return
		}
		c.advance()
	}
	c.out = append(c.out, statement{line: line, column: column, problem: "syntax error: a comment is not terminated"})
}

// str moves over a string, which ends at its line's end at the latest.
func (c *cutter) str() {
	c.advance()
	for c.pos < len(c.text) && c.text[c.pos] != '\n' {
		b := c.text[c.pos]
		if b == '\\' && c.pos+1 < len(c.text) && c.text[c.pos+1] != '\n' {
			c.advance()
		}
		c.advance()
		if b == '"' {
			return
		}
	}
}

// cut ends the current statement, if there is one.
func (c *cutter) cut() {
	if !c.begun {
		return
	}
	c.begun = false
	st := c.current
	st.text = c.text[c.start:c.pos]
	switch {
	case len(st.text) > maxPolicyBytes:
		st.problem = fmt.Sprintf("the policy has more than %d bytes", maxPolicyBytes)
	case st.brackets > maxBrackets:
		st.problem = fmt.Sprintf("the policy has brackets nested more than %d deep", maxBrackets)
	case st.chain > maxChain:
		st.problem = fmt.Sprintf("the policy has a chain of more than %d attributes", maxChain)
	}
	c.out = append(c.out, st)
}
