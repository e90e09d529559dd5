package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"aims/pdp"
)

// tools reads a file of tools/list. Its name is that of the server.
func (r *reader) tools(f File) []pdp.Tool {
	tools, err := ParseTools(base(f.Name), f.Text)
	if err != nil {
		r.problem(pdp.Problem{File: f.Name, Message: err.Error()})
	}
	return tools
}

// ParseTools reads the tools of a server from the result of MCP tools/list:
// the result itself, the whole JSON-RPC answer, or the list alone.
func ParseTools(server string, text []byte) ([]pdp.Tool, error) {
	var list []json.RawMessage
	var err error
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '[' {
		err = json.Unmarshal(text, &list)
	} else {
		var answer struct {
			Tools  []json.RawMessage `json:"tools"`
			Result *struct {
				Tools []json.RawMessage `json:"tools"`
			} `json:"result"`
		}
		if err = json.Unmarshal(text, &answer); err == nil {
			if list = answer.Tools; answer.Result != nil {
				list = answer.Result.Tools
			}
			if list == nil {
				return nil, errors.New("has no tools; expected the result of MCP tools/list")
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("is not JSON of the form {\"tools\": […]}: %w", err)
	}
	tools := make([]pdp.Tool, 0, len(list))
	for _, raw := range list {
		t, err := parseTool(server, raw)
		if err != nil {
			return nil, err
		}
		tools = append(tools, t)
	}
	return tools, nil
}

func parseTool(server string, raw []byte) (pdp.Tool, error) {
	var d struct {
		Name        string          `json:"name"`
		InputSchema json.RawMessage `json:"inputSchema"`
		Annotations struct {
			ReadOnly    *bool `json:"readOnlyHint"`
			Destructive *bool `json:"destructiveHint"`
		} `json:"annotations"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return pdp.Tool{}, fmt.Errorf("holds a tool that is malformed: %w", err)
	}
	if d.Name == "" {
		return pdp.Tool{}, errors.New("holds a tool without a name")
	}
	// The defaults of the hints are those of MCP: what is not said to only read
	// may destroy.
	t := pdp.Tool{Server: server, Name: d.Name, InputSchema: d.InputSchema}
	t.ReadOnly = d.Annotations.ReadOnly != nil && *d.Annotations.ReadOnly
	t.Destructive = !t.ReadOnly && (d.Annotations.Destructive == nil || *d.Annotations.Destructive)
	return t, nil
}
