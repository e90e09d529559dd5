// Package scenario runs the threat model: scripted runs, in files that a person
// can read, against policies, through the enforcement function of live traffic
// (ISO 42001 A.6.2.4; OWASP Top 10 for Agentic Applications).
package scenario

import (
	"embed"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/internal/assessment"
	"aims/internal/policy/bundle"
	"aims/internal/strict"
)

//go:embed library
var library embed.FS

// Scenario is one scripted run: what the user asks, what the agent calls, what
// comes back, and what must become of each call.
type Scenario struct {
	// Name is the file's path in its library, without ending: its directory is
	// the id of the OWASP Top 10 for Agentic Applications that it shows.
	Name  string `yaml:"-" json:"name"`
	Title string `yaml:"title" json:"title"`
	// Threat is the id of the threat that it tries.
	Threat string   `yaml:"threat" json:"threat"`
	ATLAS  []string `yaml:"atlas" json:"atlas"`
	// Adaptive says how the attacker adapts to a defence that looks for the obvious.
	Adaptive string `yaml:"adaptive" json:"adaptive,omitempty"`

	// Agent, Purpose, For (on whose behalf), Prompt and Parent declare the first session.
	Agent   string `yaml:"agent" json:"-"`
	Purpose string `yaml:"purpose" json:"-"`
	For     string `yaml:"for" json:"-"`
	Prompt  string `yaml:"prompt" json:"-"`
	Parent  string `yaml:"parent" json:"-"`
	// World is what differs from the common one.
	World Change `yaml:"world" json:"-"`
	// History is what succeeded in earlier runs of the purpose.
	History []Past `yaml:"history" json:"-"`
	Steps   []Step `yaml:"steps" json:"-"`

	// text is the file, which names what was played.
	text []byte
}

// Change is what a scenario has otherwise than the common world.
type Change struct {
	// Permit is Cedar beside the common policies.
	Permit string `yaml:"permit"`
	// Delegates are further agents to whom agents may delegate.
	Delegates map[string][]string `yaml:"delegates"`
	// People get further roles.
	People map[string][]string `yaml:"people"`
	// Chain makes so many agents, link-1 to link-N, each of which may ask the next.
	Chain int `yaml:"chain"`
}

// Past is a call that succeeded in several runs before.
type Past struct {
	Call string      `yaml:"call"`
	With bundle.JSON `yaml:"with"`
	Runs int         `yaml:"runs"`
}

// Step is one thing that happens. Exactly one of its kinds is given.
type Step struct {
	// Call is a tool, server.tool, With its arguments. Again makes the last call
	// once more. Both go on with Gives, or so many bytes, as the result where they are allowed.
	Call       string      `yaml:"call"`
	With       bundle.JSON `yaml:"with"`
	Again      *struct{}   `yaml:"again"`
	Gives      string      `yaml:"gives"`
	GivesBytes int         `yaml:"gives_bytes"`
	// Times repeats the step.
	Times int `yaml:"times"`
	// Attack says that the attacker wants it. Expect is what must become of it.
	Attack bool        `yaml:"attack"`
	Expect Expectation `yaml:"expect"`

	// Session begins another run.
	Session *Begin `yaml:"session"`
	// ExpectDeclaration is what must become of the first declaration.
	ExpectDeclaration Expectation `yaml:"expect_declaration"`
	// Approve and Deny are what a person says to the last held call.
	Approve *Say `yaml:"approve"`
	Deny    *Say `yaml:"deny"`
	// Wait lets time pass.
	Wait strict.Duration `yaml:"wait"`
	// Tool changes what a server lists.
	Tool *Listed `yaml:"tool"`
	// Purposes gives an agent other purposes.
	Purposes *Registered `yaml:"purposes"`
	// Suspend and Stop are the kill switch.
	Suspend *On `yaml:"suspend"`
	Stop    *On `yaml:"stop"`
	// Policy adds policies to those in force.
	Policy string `yaml:"policy"`
	// Flood makes held calls until there are Held of them.
	Flood *Flood `yaml:"flood"`
	// Pass has each agent of the world's chain delegate to the next.
	Pass *Pass `yaml:"pass"`
}

// Expectation is what must become of a step.
type Expectation string

// The expectations. Stopped is denied or held.
const (
	Allowed Expectation = "allowed"
	Denied  Expectation = "denied"
	Held    Expectation = "held"
	Stopped Expectation = "stopped"
	Refused Expectation = "refused" // of a declaration, or of what a person says
)

// Begin declares a run.
type Begin struct {
	Agent   string      `yaml:"agent"`
	Purpose string      `yaml:"purpose"`
	For     string      `yaml:"for"`
	Prompt  string      `yaml:"prompt"`
	Parent  string      `yaml:"parent"` // "last" is the last call that was decided
	Expect  Expectation `yaml:"expect"`
}

// Say is what a person says to a held call.
type Say struct {
	By     string      `yaml:"by"`
	Expect Expectation `yaml:"expect"`
}

// Listed is a tool as a server lists it now.
type Listed struct {
	Server    string            `yaml:"server"`
	Name      string            `yaml:"name"`
	About     string            `yaml:"about"`
	Arguments map[string]string `yaml:"arguments"`
	Gone      bool              `yaml:"gone"`
}

// Registered is the purposes that an agent has now.
type Registered struct {
	Agent string   `yaml:"agent"`
	Are   []string `yaml:"are"`
}

// On names what is stopped.
type On struct {
	Agent  string `yaml:"agent"`
	Server string `yaml:"server"`
}

// Flood is many held calls that differ in one argument.
type Flood struct {
	Call     string `yaml:"call"`
	Argument string `yaml:"argument"`
	Value    string `yaml:"value"` // with %d for the number of the call
	Held     int    `yaml:"held"`
}

// Pass is a call by which each agent of a chain delegates to the next.
type Pass struct {
	Call string      `yaml:"call"`
	With bundle.JSON `yaml:"with"`
	// RefusedAt is the agent whose declaration must be refused.
	RefusedAt int `yaml:"refused_at"`
}

// Library is the scenarios that the product has, sorted by name.
func Library() ([]Scenario, error) {
	root, err := fs.Sub(library, "library")
	if err != nil {
		return nil, err
	}
	return Load(root)
}

// Bounds of a library.
const (
	maxScenarios = 10_000
	maxFile      = 1 << 20
)

// Load reads the scenarios of a directory: <OWASP id>/<name>.yaml. It fails
// with aims.Invalid, and says all places.
func Load(root fs.FS) ([]Scenario, error) {
	files, err := fs.Glob(root, "*/*.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, aims.Errorf(aims.Invalid, nil, "there is no scenario: expected files ASI01/<name>.yaml to ASI10/<name>.yaml")
	}
	if len(files) > maxScenarios {
		return nil, aims.Errorf(aims.Invalid, nil, "%d scenarios, at most %d", len(files), maxScenarios)
	}
	slices.Sort(files)
	list := make([]Scenario, 0, len(files))
	var problems []strict.Problem
	for _, file := range files {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return nil, aims.Errorf(aims.Invalid, err, "the scenario %s cannot be read", file)
		}
		if len(text) > maxFile {
			return nil, aims.Errorf(aims.Invalid, nil, "the scenario %s has %d bytes, at most %d", file, len(text), maxFile)
		}
		s, err := Parse(file, text)
		if e, ok := errors.AsType[*strict.Error](err); ok {
			problems = append(problems, e.Problems...)
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(problems) > 0 {
		return nil, aims.Errorf(aims.Invalid, nil, "%s", (&strict.Error{Problems: problems}).Error())
	}
	return list, nil
}

// Parse reads one scenario. The error is a *strict.Error.
func Parse(file string, text []byte) (Scenario, error) {
	s := Scenario{Name: strings.TrimSuffix(file, ".yaml"), text: text}
	doc, err := strict.Decode(file, text, &s)
	if err != nil {
		return Scenario{}, err
	}
	s.check(doc)
	return s, doc.Err()
}

// OWASP is the id of the OWASP Top 10 for Agentic Applications that it shows.
func (s Scenario) OWASP() string { return path.Dir(s.Name) }

func (s Scenario) check(doc *strict.Document) {
	owasp, atlas := assessment.OWASP(), assessment.ATLAS()
	if !slices.ContainsFunc(owasp, func(n assessment.Name) bool { return n.ID == s.OWASP() }) {
		doc.Wrong("", "it stands in the directory %q; expected ASI01 to ASI10", s.OWASP())
	}
	for _, id := range s.ATLAS {
		if !slices.ContainsFunc(atlas, func(n assessment.Name) bool { return n.ID == id }) {
			doc.Wrong("atlas", "%.100q is no id of a MITRE ATLAS technique that concerns agents", id)
		}
	}
	for _, f := range []struct{ name, value string }{{"title", s.Title}, {"threat", s.Threat}, {"agent", s.Agent}} {
		if f.value == "" {
			doc.Wrong("", "%s is missing", f.name)
		}
	}
	if len(s.Steps) == 0 {
		doc.Wrong("", "it has no steps")
	}
	for i, step := range s.Steps {
		step.check(doc, at("steps", i))
	}
}
