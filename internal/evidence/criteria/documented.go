package criteria

import (
	"fmt"
	"slices"

	"aims/internal/register/record"
	"aims/iso42001"
)

func days(n int) string { return fmt.Sprintf("%d days", n) }

// documented says whether an item of documented information is there: as the
// typed records that are this information, or as a document that says so.
func (in *Input) documented(n *Count, item iso42001.Document) bool {
	r := in.Registers.Registers
	switch item.Clause + " " + item.Item {
	case "4.3 AIMS scope":
		return allInForce(in, n, "scope", r.Scope)
	case "5.2 AI policy":
		return allInForce(in, n, "document", in.policies())
	case "6.1.2 AI risk assessment process":
		return allInForce(in, n, "risk_criteria", r.RiskCriteria) || in.document(n, item)
	case "6.1.3 Statement of Applicability":
		return len(r.Applicability) == len(iso42001.Controls()) && allInForce(in, n, "applicability", r.Applicability)
	case "6.1.3 AI risk treatment plan (with approvals)":
		return allInForce(in, n, "treatment", r.Treatments)
	case "6.1.4 Results of AI system impact assessments", "8.4 Results of all AI system impact assessments":
		return allInForce(in, n, "impact_assessment", r.Impacts)
	case "6.2 AI objectives":
		return allInForce(in, n, "objective", r.Objectives)
	case "6.1.1 Actions taken to identify and address AI risks and AI opportunities", "8.2 Results of all AI risk assessments":
		return allInForce(in, n, "risk", r.Risks)
	case "8.3 Results of all AI risk treatments":
		return slices.ContainsFunc(r.Treatments, func(t record.Treatment) bool { return t.Done != "" })
	case "7.2 Evidence of competence":
		return len(r.Training) > 0
	case "7.5.1 Documented information required by the standard", "7.5.1 Documented information the organisation finds necessary":
		return len(r.Documents) > 0 && allInForce(in, n, "document", r.Documents)
	case "8.1 Information needed to trust that processes ran as planned":
		return len(in.days()) > 0 || in.document(n, item)
	}
	return in.documentedPerformance(n, item)
}

// documentedPerformance is documented for clauses 9 and 10.
func (in *Input) documentedPerformance(n *Count, item iso42001.Document) bool {
	r := in.Registers.Registers
	switch item.Clause {
	case "9.1":
		return slices.ContainsFunc(r.Monitoring, func(m record.Monitoring) bool { _, ok := in.value(n, m.Measure); return ok })
	case "9.2.2":
		if item.Item == "Audit programme" {
			return allInForce(in, n, "audit_programme", r.AuditProgrammes)
		}
		return slices.ContainsFunc(r.Audits, func(a record.Audit) bool { return a.Held != "" && a.Conclusion != "" })
	case "9.3.3":
		review, ok := in.latestReview()
		return ok && len(review.Decisions) > 0
	case "10.2":
		cases := in.cases("nonconformity")
		if len(cases) > 0 {
			n.flows = true
			return true
		}
	}
	return in.document(n, item)
}

// document says whether a current document is said to be the item.
func (in *Input) document(n *Count, item iso42001.Document) bool {
	for _, d := range in.Registers.Registers.Documents {
		if slices.Contains(d.Items, item.Clause) && in.isInForce("document", d.Base) {
			in.saw(n, "document", d.ID)
			return true
		}
	}
	return false
}

// allInForce says whether there are records, all approved and none overdue for
// review.
func allInForce[T anyRecord](in *Input, n *Count, kind string, list []T) bool {
	for _, r := range list {
		if !in.isInForce(kind, r.Common()) {
			return false
		}
	}
	for _, r := range list {
		in.saw(n, kind, r.Common().ID)
	}
	return len(list) > 0
}
