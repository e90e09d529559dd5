package assessment

import (
	"cmp"
	"slices"
)

// Trial is one scenario as it was run against policies.
type Trial struct {
	Scenario string `json:"scenario"`
	Threat   string `json:"threat"`
	// Attacks is how many acts of the attacker it has, Stopped how many of them
	// were denied or held.
	Attacks int `json:"attacks"`
	Stopped int `json:"stopped"`
	// AsExpected says that every step ended as the scenario says.
	AsExpected bool `json:"as_expected"`
}

// Level is what is left of a threat, as far as its scenarios show.
type Level string

const (
	// Untested: no scenario tries it. Nothing is known, which is not nothing to fear.
	Untested Level = "untested"
	// Held: every act of every scenario was stopped.
	Held Level = "held"
	// Partly: some scenarios got through.
	Partly Level = "partly"
	// Open: every scenario got through.
	Open Level = "open"
)

// Residual is what is left of one threat.
type Residual struct {
	Threat
	Level Level `json:"level"`
	// Scenarios is how many try it, Through the names of those in which an act
	// of the attacker was allowed.
	Scenarios int      `json:"scenarios"`
	Through   []string `json:"through"`
	// Untreated are the rules that should treat it and are not in the policies.
	Untreated []string `json:"untreated"`
}

// ResidualRisk is what is left of each threat after trials, under policies
// with these rules. A scenario shows what it tries and nothing else: the level
// of a threat is never better than its scenarios are.
func ResidualRisk(threats []Threat, trials []Trial, rules []string) []Residual {
	list := make([]Residual, len(threats))
	for i, t := range threats {
		list[i] = Residual{Threat: t, Through: []string{}, Untreated: []string{}}
		r := &list[i]
		for _, trial := range trials {
			if trial.Threat != t.ID || trial.Attacks == 0 {
				continue
			}
			r.Scenarios++
			if trial.Stopped < trial.Attacks {
				r.Through = append(r.Through, trial.Scenario)
			}
		}
		for _, rule := range t.TreatedBy {
			if !slices.Contains(rules, rule) && !slices.Contains(Mechanisms(), rule) {
				r.Untreated = append(r.Untreated, rule)
			}
		}
		r.Level = level(r.Scenarios, len(r.Through))
	}
	slices.SortStableFunc(list, func(a, b Residual) int { return cmp.Compare(worst(b.Level), worst(a.Level)) })
	return list
}

func level(scenarios, through int) Level {
	switch {
	case scenarios == 0:
		return Untested
	case through == 0:
		return Held
	case through == scenarios:
		return Open
	}
	return Partly
}

// worst orders levels by what should be looked at first.
func worst(l Level) int {
	return slices.Index([]Level{Held, Untested, Partly, Open}, l)
}
