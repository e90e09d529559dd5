package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aims/internal/strict"
)

func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// kinds are the kinds of a step, of which it has one.
func (s Step) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name  string
		given bool
	}{
		{"call", s.Call != ""}, {"again", s.Again != nil}, {"session", s.Session != nil}, {"expect_declaration", s.ExpectDeclaration != ""},
		{"approve", s.Approve != nil}, {"deny", s.Deny != nil}, {"wait", s.Wait != 0}, {"tool", s.Tool != nil}, {"purposes", s.Purposes != nil},
		{"suspend", s.Suspend != nil}, {"stop", s.Stop != nil}, {"policy", s.Policy != ""}, {"flood", s.Flood != nil}, {"pass", s.Pass != nil},
	} {
		if k.given {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

func (s Step) check(doc *strict.Document, at string) {
	kinds := s.kinds()
	if len(kinds) != 1 {
		doc.Wrong(at, "a step is one thing that happens; this one is %s", cmp.Or(strings.Join(kinds, " and "), "nothing"))
		return
	}
	called := kinds[0] == "call" || kinds[0] == "again"
	expected := []Expectation{""}
	if called {
		expected = []Expectation{Allowed, Denied, Held, Stopped}
	}
	if !slices.Contains(expected, s.Expect) {
		doc.Wrong(at+".expect", "%.100q; expected allowed, denied, held or stopped, of a call", s.Expect)
	}
	if s.Call != "" && strings.Count(s.Call, ".") != 1 {
		doc.Wrong(at+".call", "%.100q; expected server.tool", s.Call)
	}
	if s.Times < 0 || s.Times > 1000 {
		doc.Wrong(at+".times", "%d; expected 1 to 1000", s.Times)
	}
	if s.ExpectDeclaration != "" && s.ExpectDeclaration != Refused {
		doc.Wrong(at+".expect_declaration", "%.100q; expected refused", s.ExpectDeclaration)
	}
	for _, say := range []*Say{s.Approve, s.Deny} {
		if say != nil && say.Expect != "" && say.Expect != Refused {
			doc.Wrong(at, "%.100q; expected refused or nothing", say.Expect)
		}
	}
	if s.Session != nil && s.Session.Expect != "" && s.Session.Expect != Refused {
		doc.Wrong(at+".session.expect", "%.100q; expected refused or nothing", s.Session.Expect)
	}
}
