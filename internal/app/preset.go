package app

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"aims/internal/inventory"
)

// claudeCodeTools are the definitions of Claude Code's own tools as far as its
// documentation gives them. An argument that a newer version adds is seen by
// policies as undeclared.
//
//go:embed presets/claude-code.json
var claudeCodeTools []byte

// presetTools are the tool definitions of a known program that is not MCP.
func presetTools(name string) ([]inventory.Tool, error) {
	if name != "claude-code" {
		return nil, fmt.Errorf("%q is not a preset; expected claude-code", name)
	}
	var definitions []json.RawMessage
	if err := json.Unmarshal(claudeCodeTools, &definitions); err != nil {
		return nil, fmt.Errorf("the preset %s: %w", name, err)
	}
	tools := make([]inventory.Tool, len(definitions))
	for i, d := range definitions {
		var named struct{ Name string }
		if err := json.Unmarshal(d, &named); err != nil {
			return nil, fmt.Errorf("the preset %s: %w", name, err)
		}
		tools[i] = inventory.Tool{Name: named.Name, Definition: d}
	}
	return tools, nil
}

// declaredTools are the tool definitions of a server that is not MCP, in the
// form in which an MCP server would list them.
func declaredTools(s Server) ([]inventory.Tool, error) {
	if s.Preset != "" {
		return presetTools(s.Preset)
	}
	tools := make([]inventory.Tool, len(s.Tools))
	for i, t := range s.Tools {
		input := t.Input
		if input == nil {
			input = map[string]any{}
		}
		if _, ok := input["type"]; !ok {
			input["type"] = "object"
		}
		definition, err := json.Marshal(map[string]any{
			"name": t.Name, "description": t.Description, "inputSchema": input,
			"annotations": map[string]bool{"readOnlyHint": t.ReadOnly, "destructiveHint": t.Destructive},
		})
		if err != nil {
			return nil, fmt.Errorf("tool %s: the input schema cannot be written as JSON: %w", t.Name, err)
		}
		tools[i] = inventory.Tool{Name: t.Name, Definition: definition}
	}
	return tools, nil
}
