package record

import "fmt"

// scale is how far the levels of risk criteria go; 0 when that is not known.
type scale struct{ likelihood, severity int }

// scaleOf is the scale of the named criteria. Without a name it is that of the
// only ones, or the longest where there are several.
func (c *checker) scaleOf(criteria string) scale {
	var out scale
	for _, rc := range c.registers.RiskCriteria {
		if criteria == "" || rc.ID == criteria {
			out.likelihood = max(out.likelihood, len(rc.Likelihood))
			out.severity = max(out.severity, len(rc.Severity))
		}
	}
	return out
}

// levels looks at numbers that mean something by the risk criteria only
// (ISO 42001 6.1.2).
func (c *checker) levels(rec any, report reporter) {
	within := func(field string, level, highest int) {
		if highest > 0 && level > highest {
			report(field, "level %d is beyond the scale of the risk criteria, which ends at %d", level, highest)
		}
	}
	switch rec := rec.(type) {
	case RiskCriteria:
		rising("likelihood", rec.Likelihood, report)
		rising("severity", rec.Severity, report)
		within("accept_up_to", rec.AcceptUpTo, len(rec.Likelihood)*len(rec.Severity))
	case Risk:
		s := c.scaleOf(rec.Criteria)
		within("likelihood", rec.Likelihood, s.likelihood)
		within("consequences.organisation.severity", rec.Consequences.Organisation.Severity, s.severity)
		within("consequences.individuals.severity", rec.Consequences.Individuals.Severity, s.severity)
		within("consequences.society.severity", rec.Consequences.Society.Severity, s.severity)
	case Treatment:
		s := c.scaleOf(c.criteriaOf(rec.Risks))
		within("residual_likelihood", rec.Likelihood, s.likelihood)
		within("residual_severity", rec.Severity, s.severity)
	case ImpactAssessment:
		s := c.scaleOf("")
		for i, g := range rec.Groups {
			within(fmt.Sprintf("groups[%d].severity", i), g.Severity, s.severity)
			within(fmt.Sprintf("groups[%d].likelihood", i), g.Likelihood, s.likelihood)
		}
	}
}

// criteriaOf is the criteria of the risks, where all that name any name the same.
func (c *checker) criteriaOf(risks []string) string {
	found := ""
	for _, id := range risks {
		rec, _ := c.registers.Get("risk", id)
		risk, _ := rec.(Risk)
		if found != "" && risk.Criteria != "" && risk.Criteria != found {
			return ""
		}
		if risk.Criteria != "" {
			found = risk.Criteria
		}
	}
	return found
}

func rising(field string, levels []Scale, report reporter) {
	for i, l := range levels {
		if l.Level != i+1 {
			report(fmt.Sprintf("%s[%d].level", field, i), "is %d; expected %d: levels rise from 1, one by one", l.Level, i+1)
		}
	}
}
