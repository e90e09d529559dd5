package record

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Write is the files whose records ReadDir reads as r: one file of YAML for each
// kind, one of Markdown for each document, by their names. Attachments are not
// among them; their digests are.
func Write(r Registers) map[string][]byte {
	out := map[string][]byte{}
	lists := map[string]*yaml.Node{}
	r.Each(func(kind, id string, rec any) {
		node := objectNode(reflect.ValueOf(rec))
		if doc, ok := rec.(Document); ok {
			out["documents/"+id+".md"] = markdown(node, doc.Body)
			return
		}
		if lists[kind] == nil {
			lists[kind] = &yaml.Node{Kind: yaml.SequenceNode}
		}
		lists[kind].Content = append(lists[kind].Content, node)
	})
	for _, k := range kinds {
		list := lists[k.Name]
		if list == nil {
			continue
		}
		if k.Single && len(list.Content) == 1 {
			list = list.Content[0]
		}
		out[k.Key+".yaml"] = encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{plainNode(k.Key), list}})
	}
	return out
}

func markdown(front *yaml.Node, body string) []byte {
	out := append([]byte("---\n"), encode(front)...)
	out = append(out, "---\n"...)
	if body != "" {
		out = append(out, "\n"+body+"\n"...)
	}
	return out
}

func encode(n *yaml.Node) []byte {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil // of nodes that were made here, into memory
	}
	return out.Bytes()
}

func plainNode(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func objectNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range shapes[v.Type()] {
		if value := v.FieldByIndex(f.inner); !f.text && !empty(value) {
			n.Content = append(n.Content, plainNode(f.name), valueNode(value))
		}
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func valueNode(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Pointer:
		return valueNode(v.Elem())
	case reflect.Struct:
		return objectNode(v)
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, valueNode(v.Index(i)))
		}
		return n
	case reflect.Bool:
		return plainNode(strconv.FormatBool(v.Bool()))
	case reflect.Int:
		return plainNode(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		return plainNode(string(appendNumber(nil, v.Float())))
	}
	if date, ok := v.Interface().(Date); ok && date.Valid() {
		return plainNode(string(date))
	}
	return textNode(v.String())
}

// textNode writes lines as lines where YAML gives them back unchanged.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if !strings.Contains(s, "\n") {
		return n
	}
	n.Style = yaml.LiteralStyle
	if strings.TrimSpace(s) != strings.TrimSuffix(s, "\n") || strings.Contains(s, "\t") || strings.Contains(s, " \n") || strings.Contains(s, "\n ") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
