package inventory

import "testing"

// Schemas come from servers: whatever they hold, reading them ends soon.
func FuzzArguments(f *testing.F) {
	for _, schema := range []string{
		`{}`, `true`, `[]`, `{"properties":{"to":{"type":"string"}}}`, `{"items":[{"properties":{"a":{}}},true]}`,
		`{"$defs":{"n":{"properties":{"next":{"$ref":"#/$defs/n"},"other":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}`,
		`{"anyOf":[{"anyOf":[{"anyOf":[{"properties":{"deep":{"properties":{"er":{}}}}}]}]}]}`, `{"$ref":"#/"}`, `{"$ref":"#/properties/a","properties":{"a":{"$ref":"#"}}}`,
	} {
		f.Add([]byte(schema))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		definition := append(append([]byte(`{"name":"x","inputSchema":`), schema...), '}')
		for path, a := range argumentsOf(definition) {
			if len(a.name) > len(path) {
				t.Errorf("the argument %q has the path %q", a.name, path)
			}
		}
	})
}
