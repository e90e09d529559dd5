package trajectory

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Suite is a list of tools that runs had, as an MCP server lists them.
type Suite struct {
	Name  string
	Tools []Tool
}

// Tool is one of them, with what its owner says about it.
type Tool struct {
	Name       string
	Definition json.RawMessage
	// Effect is what a call of it does, as the tool register names effects.
	Effect string
	// Untrusted says that its results may hold what others wrote; so do those of
	// a tool of which nothing is said.
	Untrusted bool
}

// maxTools bounds a file of tools.
const maxTools = 64 << 20

// LoadTools reads the lists of tools of a directory, by suite.
func LoadTools(dir string) ([]Suite, error) {
	files, err := named(dir, toolSuffix)
	if err != nil {
		return nil, err
	}
	suites := make([]Suite, len(files))
	for i, name := range slices.Sorted(maps.Keys(files)) {
		file := files[name]
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		if info.Size() > maxTools {
			return nil, fmt.Errorf("%s has more than %d bytes", file, maxTools)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if suites[i].Tools, err = parseTools(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		suites[i].Name = name
	}
	return suites, nil
}

func parseTools(text []byte) ([]Tool, error) {
	var list struct {
		Tools []json.RawMessage `json:"tools"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	tools := make([]Tool, len(list.Tools))
	seen := map[string]bool{}
	for i, definition := range list.Tools {
		var t struct {
			Name string `json:"name"`
			Meta struct {
				Effect    string `json:"x-effect"`
				Untrusted *bool  `json:"x-untrusted-output"`
			} `json:"_meta"`
		}
		if err := json.Unmarshal(definition, &t); err != nil {
			return nil, fmt.Errorf("tool %d: %w", i, err)
		}
		if t.Name == "" || seen[t.Name] {
			return nil, fmt.Errorf("tool %d: expected a name that no other tool has, not %q", i, t.Name)
		}
		seen[t.Name] = true
		tools[i] = Tool{Name: t.Name, Definition: definition, Effect: t.Meta.Effect, Untrusted: t.Meta.Untrusted == nil || *t.Meta.Untrusted}
	}
	return tools, nil
}
