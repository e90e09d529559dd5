package policy

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/pdp"
)

//go:embed house/house.cedar house/starter.cedar
var texts embed.FS

// The names of the sources that are not the operator's begin with a directory,
// which no file of a policy directory does.
const (
	houseName     = "house/house.cedar"
	generatedName = "house/extensions.cedar"
	reserved      = "house/"
)

// House is the policies that are part of every set.
func House() []pdp.Source { return []pdp.Source{{Name: houseName, Text: embedded(houseName)}} }

// Starter is the text of the first policy file of a new installation: it
// denies every tool and explains how to permit one.
func Starter() []byte { return embedded("house/starter.cedar") }

func embedded(name string) []byte {
	text, err := texts.ReadFile(name)
	if err != nil {
		// The name is a constant of this file and was embedded at build.
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

// What a policy directory may hold.
const (
	maxFiles = 4096
	maxFile  = 1 << 20
	maxAll   = 32 << 20
)

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,122}\.cedar$`)

// checkSources refuses what LoadDir would not have made, for sources that came another way.
func checkSources(sources []pdp.Source) error {
	all, policies := 0, false
	for _, s := range sources {
		if !fileName.MatchString(s.Name) {
			return aims.Errorf(aims.Invalid, nil, "%q is no name of a policy file: letters, digits, . _ - and the ending .cedar", s.Name)
		}
		if len(s.Text) > maxFile {
			return aims.Errorf(aims.Invalid, nil, "%s has %d bytes, at most %d", s.Name, len(s.Text), maxFile)
		}
		if !utf8.Valid(s.Text) {
			return aims.Errorf(aims.Invalid, nil, "%s is not UTF-8", s.Name)
		}
		all += len(s.Text)
		policies = policies || !onlyComments(s.Text)
	}
	switch {
	case len(sources) > maxFiles:
		return aims.Errorf(aims.Invalid, nil, "%d policy files, at most %d", len(sources), maxFiles)
	case all > maxAll:
		return aims.Errorf(aims.Invalid, nil, "the policy files have %d bytes, at most %d", all, maxAll)
	case !policies:
		empty := &pdp.CompileError{Problems: []pdp.Problem{{File: firstName(sources), Message: "there is no policy: an empty set is more likely a mistake than a wish"}}}
		return compileFailed(empty)
	}
	return nil
}

func firstName(sources []pdp.Source) string {
	if len(sources) == 0 {
		return ""
	}
	return sources[0].Name
}

// onlyComments says whether a Cedar text holds nothing but comments and space.
func onlyComments(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			return false
		}
	}
	return true
}

// LoadDir reads the policy files of a directory, by name. It is strict,
// because a policy that is skipped is a rule that does not hold: every entry
// must be a readable *.cedar file, except names that begin with a dot, which
// editors and mounts leave behind. It fails with aims.Invalid.
func LoadDir(dir string) ([]pdp.Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "the policy directory cannot be read")
	}
	var sources []pdp.Source
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !fileName.MatchString(e.Name()) {
			return nil, aims.Errorf(aims.Invalid, nil, "the policy directory holds %q; it may hold *.cedar files only", e.Name())
		}
		if len(sources) == maxFiles {
			return nil, aims.Errorf(aims.Invalid, nil, "the policy directory holds more than %d files", maxFiles)
		}
		text, err := readFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, aims.Errorf(aims.Invalid, err, "the policy file %s cannot be read", e.Name())
		}
		sources = append(sources, pdp.Source{Name: e.Name(), Text: text})
	}
	if err := checkSources(sources); err != nil {
		return nil, err
	}
	return sources, nil
}

// readFile reads a regular file, or one behind a link, as mounted
// configuration is; opening anything else could hang.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}
