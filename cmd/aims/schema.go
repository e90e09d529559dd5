package main

import (
	"encoding/json"
	"fmt"

	"aims/internal/register/record"
)

type schemaCmd struct {
	Kind string `arg:"" optional:"" help:"Kind of record, or file for a whole YAML file: name the result in its first line, # yaml-language-server: $$schema=FILE."`
	JSON bool   `name:"json" help:"Print the list as JSON."`
}

func (c *schemaCmd) Run(std streams) error {
	if c.Kind == "" {
		return c.list(std)
	}
	text, err := schemaOf(c.Kind)
	if err != nil {
		return withCode(exitUsage, err)
	}
	_, err = fmt.Fprintf(std.out, "%s\n", text)
	return err
}

func schemaOf(kind string) (json.RawMessage, error) {
	if kind == "file" {
		return record.FileSchema()
	}
	return record.Schema(kind)
}

func (c *schemaCmd) list(std streams) error {
	if c.JSON {
		return printJSON(std.out, record.Kinds())
	}
	out := table{heading: []string{"KIND", "KEY IN FILES", "WHAT"}}
	for _, k := range record.Kinds() {
		out.add(k.Name, k.Key, k.Title)
	}
	return out.print(std.out)
}
