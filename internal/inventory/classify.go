package inventory

import (
	"encoding/json"
	"maps"
	"slices"

	"aims/internal/provenance"
)

// Nobody has labelled most tools. What is assumed of them follows from their
// definition, which their server wrote, and errs to one side: what it leaves
// out is taken for the worse, as the MCP specification does.

// judged is the definition that a tool is judged by: the one in force, or, as
// long as there is none, the one that would be.
func (r *record) judged() json.RawMessage {
	if len(r.Definition) > 0 {
		return r.Definition
	}
	return r.Observed
}

// classify derives what policies see of a tool beside its pin. The record is
// not yet visible to others.
func (r *record) classify(said *Labelling) {
	r.Said = said
	if said == nil {
		said = &Labelling{}
	}
	var d definitionFields
	definition := r.judged()
	if len(definition) > 0 && json.Unmarshal(definition, &d) != nil {
		d = definitionFields{}
	}
	r.ReadOnly, r.Destructive = false, true
	if len(r.Definition) > 0 {
		r.ReadOnly, r.Destructive = d.hints()
	}
	r.Sinks = sinksOf(argumentsOf(definition), said.Sinks)
	r.Effects = said.Effects
	if len(r.Effects) == 0 {
		r.Effects = d.effects(r.Sinks)
	}
	r.Labels = resultLabels(said.Labels, d.closedWorld() && r.Explicit)
}

// closedWorld says that the server says that the tool meets nothing from outside.
func (d *definitionFields) closedWorld() bool {
	return d.Annotations.OpenWorld != nil && !*d.Annotations.OpenWorld
}

// effects are those that follow from the hints and from the sinks among the
// arguments: whoever chooses a recipient sends, whoever chooses an account pays.
func (d *definitionFields) effects(sinks map[string]string) []string {
	readOnly, destructive := d.hints()
	effects := map[string]bool{}
	if readOnly {
		effects["read"] = true
	} else {
		effects["write"] = true
		effects["delete"] = destructive
		effects["send"] = !d.closedWorld()
	}
	for _, kind := range sinks {
		switch kind {
		case provenance.URL:
			effects["send"] = true // what is fetched can carry data out in its address
		case provenance.Recipient:
			effects["send"] = effects["send"] || !readOnly // else it is searched for
		case provenance.Account:
			effects["pay"] = effects["pay"] || !readOnly
		case provenance.Credential:
			effects["credential"] = effects["credential"] || !readOnly
		}
	}
	maps.DeleteFunc(effects, func(_ string, has bool) bool { return !has })
	return slices.Sorted(maps.Keys(effects))
}

// resultLabels are the labels that results carry. They are untrusted unless a
// person said otherwise: a server's own word that it meets nothing from outside
// counts only in a definition that a person has approved.
func resultLabels(said []string, closed bool) []string {
	labels := map[string]bool{Untrusted: !closed}
	for _, name := range said {
		labels[name] = true
	}
	if labels[Trusted] {
		labels[Untrusted] = false
	}
	labels[Trusted] = false
	maps.DeleteFunc(labels, func(_ string, has bool) bool { return !has })
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(labels)))) // in JSON, none is []
}
