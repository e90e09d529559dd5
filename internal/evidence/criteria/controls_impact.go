package criteria

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// controlsImpact asks about assessing impacts of AI systems (ISO 42001 A.5).
func controlsImpact() []Criterion {
	return []Criterion{
		ask("A.5.2/1", "impact_assessment", "document",
			"The process of impact assessment is described in a document in force.", impactProcess),
		ask("A.5.2/2", "impact_assessment deployment_gate", "impact_assessment",
			"Every impact assessment names what makes it due again, and was made anew when that happened.", triggersNamed),
		ask("A.5.3/1", "impact_assessment retention_proof", "impact_assessment",
			"Every version of an impact assessment can be read, and its digest is that of the log.", impactsKept),
		ask("A.5.3/2", "retention_proof", "retention_rule",
			"It is set how long registers, and with them impact assessments, are kept.", registersRetained),
		ask("A.5.4/1", "impact_assessment", "impact_assessment",
			"Every group of people that an impact assessment names has a severity and what is done about it.", groupsAssessed),
		ask("A.5.4/2", "provenance_event impact_assessment", "impact_assessment agent data_source",
			"Every source of personal data that an agent declares lies within its impact assessment.", personalDataAssessed),
		ask("A.5.5/1", "impact_assessment", "impact_assessment",
			"Every impact assessment says which effects on societies there are, or why none is worth naming.", societalAssessed),
	}
}

func impactProcess(in *Input, n *Count) { in.described(n, "A.5.2", "process of impact assessment") }

// described asks for a document in force that serves a requirement. There is
// something to look at once any document names it.
func (in *Input) described(n *Count, requirement, what string) {
	n.Of = "documents on the " + what
	for _, d := range in.Registers.Registers.Documents {
		if covering(requirement)(d) {
			in.inForce(n, "document", d.Base)
		}
	}
}

func triggersNamed(in *Input, n *Count) {
	n.Of = "impact assessments"
	for _, a := range in.Registers.Registers.Impacts {
		incident := in.incidentSince(n, a)
		switch {
		case len(a.Triggers) == 0:
			in.look(n, "impact_assessment", a.ID, false, "names nothing that makes it due again")
		case slices.Contains(a.Triggers, "interval") && a.ReviewBy == "":
			in.look(n, "impact_assessment", a.ID, false, "is to be made anew after an interval and sets no day for that")
		default:
			in.look(n, "impact_assessment", a.ID, incident == "", "was not made anew after incident %s, as it says that it would be", incident)
		}
	}
	n.note("New tools, servers, data, models, jurisdictions and purposes are watched by the installation, which reopens the assessment: see 6.1.4. An incident counts where it names an agent that was assessed.")
}

// incidentSince is an incident with an agent of an assessment that came after it,
// where the assessment says that this makes it due again; "" for none.
func (in *Input) incidentSince(n *Count, a record.ImpactAssessment) string {
	if !slices.Contains(a.Triggers, "incident") {
		return ""
	}
	for _, c := range in.cases("incident") {
		touches := slices.ContainsFunc(a.Agents, func(agent string) bool { return slices.Contains(c.About, "agent/"+agent) })
		if touches && c.Opened <= in.Until.UnixMicro() && dayOf(c.Opened) > a.Assessed {
			n.Saw(c.Opened, c.Receipt)
			return c.ID
		}
	}
	return ""
}

func impactsKept(in *Input, n *Count) {
	n.Of = "versions of impact assessments"
	for _, a := range in.Registers.Registers.Impacts {
		key := record.Key{Kind: "impact_assessment", ID: a.ID}
		v, ok := in.Registers.Versions[key]
		if !ok {
			n.Look(false, "impact_assessment/"+a.ID, "has no version in the log")
			continue
		}
		in.look(n, key.Kind, a.ID, record.Digest(a) == v.Digest, "reads otherwise than its version %d in the log", v.Number)
		for _, before := range in.Registers.Changes[key] {
			if before.Event == record.Removed || before.Index == v.Index {
				continue
			}
			n.Look(true, "impact_assessment/"+a.ID, "")
			if e, gone := find(in.Observed.Erasures, func(e observed.Erasure) bool { return takes(e, before) }); gone {
				n.Lost = fmt.Sprintf("The text of version %d of impact_assessment/%s was erased under rule %q on %s, so that not every version can be read.", before.Number, a.ID, e.Rule, dayOf(e.At))
			}
		}
	}
}

func registersRetained(in *Input, n *Count) {
	n.Of = "rules of retention for registers"
	for _, r := range in.Registers.Registers.Retention {
		if r.Records == "registers" {
			in.look(n, "retention_rule", r.ID, r.Days > 0, "keeps them for no time")
		}
	}
}

func groupsAssessed(in *Input, n *Count) {
	n.Of = "groups of affected people"
	for _, a := range in.Registers.Registers.Impacts {
		if len(a.Groups) == 0 {
			in.look(n, "impact_assessment", a.ID, false, "names nobody who is affected")
		}
		for _, g := range a.Groups {
			switch {
			case g.Severity == 0:
				in.look(n, "impact_assessment", a.ID, false, "has no severity for %s", g.Who)
			default:
				in.look(n, "impact_assessment", a.ID, strings.TrimSpace(g.Mitigation) != "", "does not say what is done for %s", g.Who)
			}
		}
	}
}

// personal says whether a data source holds data about people.
func personal(d record.DataSource) bool {
	return slices.Contains(d.Categories, "personal") || slices.Contains(d.Categories, "special-category")
}

func personalDataAssessed(in *Input, n *Count) {
	n.Of = "sources of personal data that agents declare"
	for _, a := range in.Registers.Registers.Agents {
		for _, id := range a.DataSources {
			d, ok := get(in.Registers.Registers.DataSources, id)
			if !ok || !personal(d) {
				continue
			}
			assessed, known := in.impact(a.ID)
			switch {
			case !known:
				in.look(n, "agent", a.ID, false, "uses %s without an impact assessment", id)
			default:
				in.look(n, "agent", a.ID, slices.Contains(assessed.DataSources, id), "uses %s, which %s does not look at", id, assessed.ID)
			}
		}
	}
}

func societalAssessed(in *Input, n *Count) {
	n.Of = "impact assessments"
	for _, a := range in.Registers.Registers.Impacts {
		switch {
		case a.Societal.Relevant == nil:
			in.look(n, "impact_assessment", a.ID, false, "does not decide whether there are effects on societies")
		default:
			in.look(n, "impact_assessment", a.ID, strings.TrimSpace(a.Societal.Text) != "", "does not say which effects on societies, or why none")
		}
	}
}
