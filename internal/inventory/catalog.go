package inventory

import (
	"encoding/json"

	"aims/pdp"
)

// Catalog is the approved definitions, also of tools that are not listed at
// the moment, so that a policy about them stays valid.
func (i *Inventory) Catalog() pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage { return s.Definition })
}

// CatalogWith is the catalog as it would be if the tool's observed definition
// were approved.
func (i *Inventory) CatalogWith(server, tool string) pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage {
		if s.Server == server && s.Name == tool {
			return s.Observed
		}
		return s.Definition
	})
}

// CatalogWithout is the catalog as it would be if the tool were forgotten.
func (i *Inventory) CatalogWithout(server, tool string) pdp.Catalog {
	return i.catalog(func(s State) json.RawMessage {
		if s.Server == server && s.Name == tool {
			return nil
		}
		return s.Definition
	})
}

// catalog describes each tool by the definition that is chosen for it, if any.
func (i *Inventory) catalog(choose func(State) json.RawMessage) pdp.Catalog {
	var c pdp.Catalog
	for _, s := range i.Tools("") {
		var d definitionFields
		if definition := choose(s); len(definition) == 0 || json.Unmarshal(definition, &d) != nil {
			continue // only what was canonicalised is ever approved
		}
		readOnly, destructive := d.hints()
		c.Tools = append(c.Tools, pdp.Tool{Server: s.Server, Name: s.Name, InputSchema: d.InputSchema, ReadOnly: readOnly, Destructive: destructive})
	}
	return c
}
