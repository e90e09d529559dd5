package bundle

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"go.yaml.in/yaml/v3"
)

// JSON is a JSON value that is written as YAML. Numbers keep their digits, so
// that what a test gives is what a call would carry.
type JSON []byte

// UnmarshalYAML implements yaml.Unmarshaler.
func (j *JSON) UnmarshalYAML(n *yaml.Node) error {
	text, err := appendJSON(nil, n)
	*j = text
	return err
}

func appendJSON(dst []byte, n *yaml.Node) ([]byte, error) {
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			name, err := json.Marshal(n.Content[i].Value)
			if err != nil {
				return nil, err
			}
			dst = append(append(dst, name...), ':')
			if dst, err = appendJSON(dst, n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendJSON(dst, item); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	return appendScalar(dst, n)
}

func appendScalar(dst []byte, n *yaml.Node) ([]byte, error) {
	switch n.ShortTag() {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool":
		return append(dst, strings.ToLower(n.Value)...), nil
	case "!!int":
		i, ok := new(big.Int).SetString(n.Value, 0) // 0x10 and 0o7 are numbers to YAML
		if !ok {
			return nil, fmt.Errorf("line %d: %q is no whole number", n.Line, n.Value)
		}
		return i.Append(dst, 10), nil
	case "!!float":
		if !json.Valid([]byte(n.Value)) {
			return nil, fmt.Errorf("line %d: the number %q has no form in JSON; write it like 1000.5", n.Line, n.Value)
		}
		return append(dst, n.Value...), nil
	case "!!str", "!!timestamp":
		text, err := json.Marshal(n.Value)
		return append(dst, text...), err
	}
	return nil, fmt.Errorf("line %d: a value of the YAML type %s has no form in JSON", n.Line, n.Tag)
}

// Amount reads the decimal of a budget: 10, 10.5, or nothing for 0.
func Amount(text string) (types.Decimal, error) {
	switch {
	case text == "":
		text = "0.0"
	case !strings.Contains(text, "."):
		text += ".0"
	}
	d, err := types.ParseDecimal(text)
	if err != nil {
		return d, fmt.Errorf("%q is no decimal with at most four places", text)
	}
	return d, nil
}
