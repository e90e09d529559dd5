package bundle

import (
	"fmt"
	"slices"
	"strings"

	"aims/authz"
	"aims/internal/strict"
	"aims/pdp"
)

// Test is a request and what the policies must say to it.
type Test struct {
	Name    string        `yaml:"name"`
	Request Request       `yaml:"request"`
	Expect  authz.Verdict `yaml:"expect"`
	// Policies are the ids of the determining policies, all of them; nil where
	// the test does not say.
	Policies []string `yaml:"policies"`

	// File and Line are where the test stands.
	File string `yaml:"-"`
	Line int    `yaml:"-"`
}

// Request is the facts of a request. What a test leaves out is the ordinary
// case: an agent that is deployed and not suspended, a server that runs, a tool
// as its server describes it, no labels, no budget spent, no approval.
type Request struct {
	// Agent or Person is the id of who asks.
	Agent  string   `yaml:"agent"`
	Person string   `yaml:"person"`
	Roles  []string `yaml:"roles"`
	// Stage, Suspended and Operator are of the agent. A stage of "" is that of
	// an agent that is not registered; nil is deployed.
	Stage     *string `yaml:"stage"`
	Suspended bool    `yaml:"suspended"`
	Operator  string  `yaml:"operator"`

	// Action is the action's id: <server>___<tool>, a method or a verb.
	Action string `yaml:"action"`
	// Server is the server of a method; that of a tool is in the action.
	Server  string `yaml:"server"`
	Stopped bool   `yaml:"stopped"`

	Input      JSON                  `yaml:"input"`
	Session    Session               `yaml:"session"`
	Tool       Tool                  `yaml:"tool"`
	Provenance map[string]Provenance `yaml:"provenance"`
	// Sinks follow from Provenance where they are not given.
	Sinks    *Sinks              `yaml:"sinks"`
	Budget   map[string]Spending `yaml:"budget"`
	Approval *Approval           `yaml:"approval"`
	Matter   Matter              `yaml:"matter"`
	// Gate are preconditions of a deployment that do not hold: context.gate. The
	// others do.
	Gate Gate `yaml:"gate"`
}

// Session is what is known of the run: context.session.
type Session struct {
	ID          string   `yaml:"id"`
	Channel     string   `yaml:"channel"`
	Protocol    string   `yaml:"protocol"`
	Purpose     string   `yaml:"purpose"`
	OnBehalfOf  string   `yaml:"on_behalf_of"`
	Depth       int64    `yaml:"depth"`
	Prompted    bool     `yaml:"prompted"`
	Labels      []string `yaml:"labels"`
	Tools       []string `yaml:"tools"`
	Calls       int64    `yaml:"calls"`
	Refusals    int64    `yaml:"refusals"`
	Established bool     `yaml:"established"`
}

// Tool is context.tool. ReadOnly and Destructive are those of the tool's own
// description where they are nil.
type Tool struct {
	Pin         string   `yaml:"pin"`
	Quarantined bool     `yaml:"quarantined"`
	ReadOnly    *bool    `yaml:"read_only"`
	Destructive *bool    `yaml:"destructive"`
	Effects     []string `yaml:"effects"`
	Labels      []string `yaml:"labels"`
	New         bool     `yaml:"new"`
	Used        bool     `yaml:"used"`
	Implied     bool     `yaml:"implied"`
	Confirms    bool     `yaml:"confirms"`
}

// Provenance is where the value of an argument came from: context.provenance.<argument>.
type Provenance struct {
	// Class is the strongest of what speaks for the argument's worst value; empty
	// for what the rest says.
	Class   string   `yaml:"class"`
	User    bool     `yaml:"user"`
	Result  bool     `yaml:"result"`
	Trusted bool     `yaml:"trusted"`
	Used    bool     `yaml:"used"`
	MadeUp  bool     `yaml:"made_up"`
	Labels  []string `yaml:"labels"`
	Sink    string   `yaml:"sink"`
}

// Sinks are the kinds of the arguments that are sinks, by the class of their
// provenance: context.sinks.
type Sinks struct {
	All       []string `yaml:"all"`
	User      []string `yaml:"user"`
	Trusted   []string `yaml:"trusted"`
	Used      []string `yaml:"used"`
	Known     []string `yaml:"known"`
	Host      []string `yaml:"host"`
	Named     []string `yaml:"named"`
	Untrusted []string `yaml:"untrusted"`
	MadeUp    []string `yaml:"made_up"`
}

// Spending is context.budget.<name>, in decimals.
type Spending struct {
	Spent string `yaml:"spent"`
	After string `yaml:"after"`
}

// Approval is context.approval.
type Approval struct {
	ID    string   `yaml:"id"`
	Roles []string `yaml:"roles"`
}

// Matter is context.matter of what people do: who had a part in it, and the
// roles of which one is needed; of a record its kind, and what is stated of it.
type Matter struct {
	Authors []string `yaml:"authors"`
	Roles   []string `yaml:"roles"`
	Kind    string   `yaml:"kind"`
	Mark    string   `yaml:"mark"`
}

// Gate is context.gate. What is left out holds.
type Gate struct {
	Fails []string `yaml:"fails"`
}

func indexed(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

// tests reads one file of tests.
func (r *reader) tests(f File) []Test {
	var tests []Test
	doc, err := strict.Decode(f.Name, f.Text, &tests)
	if err != nil {
		r.yaml(err)
		return nil
	}
	for i := range tests {
		at := indexed("", i)
		tests[i].File, tests[i].Line = f.Name, doc.Line(at)
		tests[i].check(doc, at)
	}
	r.yaml(doc.Err())
	return tests
}

const maxTestName = 200

func (t Test) check(doc *strict.Document, at string) {
	if t.Name == "" || len(t.Name) > maxTestName || strings.ContainsAny(t.Name, "\r\n") {
		doc.Wrong(at+".name", "expected one line of 1 to %d bytes", maxTestName)
	}
	if !slices.Contains([]authz.Verdict{authz.Allow, authz.Deny, authz.Hold}, t.Expect) {
		doc.Wrong(at+".expect", "%.100q; expected allow, deny or hold", t.Expect)
	}
	r, at := t.Request, at+".request"
	if r.Action == "" {
		doc.Wrong(at+".action", "missing; expected <server>___<tool>, a method or a verb")
	}
	switch {
	case (r.Agent == "") == (r.Person == ""):
		doc.Wrong(at, "expected either agent or person: somebody asks")
	case r.Person != "" && (r.Stage != nil || r.Suspended || r.Operator != ""):
		doc.Wrong(at+".person", "only an agent has stage, suspended and operator")
	}
	if r.Server != "" && strings.Contains(r.Action, "___") {
		doc.Wrong(at+".server", "the server of a tool is in its action")
	}
	for name, s := range r.Budget {
		for key, amount := range map[string]string{"spent": s.Spent, "after": s.After} {
			if _, err := Amount(amount); err != nil {
				doc.Wrong(at+".budget."+name+"."+key, "%v", err)
			}
		}
	}
}

// twins reports tests of one name in one file: a report that names one must
// mean one.
func (r *reader) twins(tests []Test) {
	type key struct{ file, name string }
	first := map[key]int{}
	for _, t := range tests {
		k := key{t.File, t.Name}
		if line, twice := first[k]; twice {
			r.problem(pdp.Problem{File: t.File, Line: t.Line, Message: fmt.Sprintf("the test %q stands on line %d already", t.Name, line)})
			continue
		}
		first[k] = t.Line
	}
}
