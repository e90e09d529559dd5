package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"aims/internal/aims"
	"aims/pdp"
)

//go:embed house/*.cedar
var texts embed.FS

// The names of the sources that are not the operator's begin with a directory,
// which no file of a policy directory does.
const (
	generatedName = "house/extensions.cedar"
	starterName   = "house/starter.cedar"
	reserved      = "house/"
)

// House is the policies that are part of every set.
func House() []pdp.Source {
	var house []pdp.Source
	for _, name := range embeddedNames() {
		if name != starterName {
			house = append(house, pdp.Source{Name: name, Text: embedded(name)})
		}
	}
	return house
}

// Starter is the text of the first policy file of a new installation: it
// denies every tool and explains how to permit one.
func Starter() []byte { return embedded(starterName) }

func embeddedNames() []string {
	names, err := fs.Glob(texts, reserved+"*.cedar")
	if err != nil {
		// The pattern is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return names
}

func embedded(name string) []byte {
	text, err := texts.ReadFile(name)
	if err != nil {
		// The name was embedded at build.
		panic(err)
	}
	return text
}

// generated is the policy that lets the configured extension methods through.
func generated(extensions []string) []pdp.Source {
	if len(extensions) == 0 {
		return nil
	}
	var actions []string
	for _, m := range extensions {
		actions = append(actions, fmt.Sprintf("    Action::%q", m)) // checked: nothing in it needs an escape
	}
	text := "// Generated from the extensions in the configuration.\n" +
		"@id(\"house-extensions\")\n@reason(\"the configuration lets this extension method through\")\n" +
		"permit (principal, action in [\n" + strings.Join(actions, ",\n") + "\n], resource);\n"
	return []pdp.Source{{Name: generatedName, Text: []byte(text)}}
}

var methodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$`)

func checkExtensions(extensions []string) error {
	for _, m := range extensions {
		if !methodName.MatchString(m) || strings.Contains(m, "___") { // which names a tool
			return aims.Errorf(aims.Invalid, nil, "extension %q is no method name: 1 to 128 of letters, digits and _ . / -, without ___", m)
		}
	}
	return nil
}

// own is the sources without those of the house.
func own(sources []pdp.Source) []pdp.Source {
	mine := []pdp.Source{}
	for _, s := range sources {
		if !strings.HasPrefix(s.Name, reserved) {
			mine = append(mine, s)
		}
	}
	return mine
}
