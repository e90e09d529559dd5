package record

// Level is the level of a risk before it is treated: likelihood × the highest
// severity of its consequences. It is 0 when one of them was not assessed.
func (r Risk) Level() int {
	c := r.Consequences
	return r.Likelihood * max(c.Organisation.Severity, c.Individuals.Severity, c.Society.Severity)
}

// Residual is the level that is left after a treatment; 0 when it was not assessed.
func (t Treatment) Residual() int { return t.Likelihood * t.Severity }
