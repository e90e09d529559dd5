package evidence

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/iso42001"
)

// Row is what is shown of one requirement in a line.
type Row struct {
	ID    string         `json:"id"`
	Title string         `json:"title"`
	Area  string         `json:"area"`
	State criteria.State `json:"state"`
	Owner string         `json:"owner"`
	Due   string         `json:"due"`
	// Population and Exceptions are sums over the criteria of the requirement.
	Population int      `json:"population"`
	Exceptions int      `json:"exceptions"`
	Reasons    []string `json:"reasons"`
}

// Gap is what is shown, what is missing, and what is to be done first.
type Gap struct {
	// At is the moment of log and registers, Entries what the log held then.
	At           time.Time `json:"at"`
	Entries      uint64    `json:"entries"`
	From         time.Time `json:"from"`
	Until        time.Time `json:"until"`
	Requirements []Row     `json:"requirements"`
	// Steps are what is left to do, in the order in which one thing needs another.
	Steps []Step `json:"steps"`
	// Unregistered are agents seen at the enforcement points and never registered.
	Unregistered []Unregistered `json:"unregistered"`
}

// Unregistered is an agent that acts here and is in no register.
type Unregistered struct {
	Agent     string    `json:"agent"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Decisions uint64    `json:"decisions"`
	Refused   uint64    `json:"refused" doc:"requests turned away before a policy was asked"`
	Receipt   string    `json:"receipt" doc:"of its newest decision"`
}

// Filter keeps rows of an area, such as 6 or A.6, and of an owner; empty keeps all.
type Filter struct{ Area, Owner string }

// Gap is what is missing at a view.
func (s *Service) Gap(ctx context.Context, v View, keep Filter) (g Gap, err error) {
	if keep.Area != "" && !slices.ContainsFunc(iso42001.Areas(), func(a iso42001.Area) bool { return a.ID == keep.Area }) {
		return g, aims.Errorf(aims.Invalid, nil, "there is no area %q; expected a clause, 4 to 10, or an area of Annex A, A.2 to A.10", keep.Area)
	}
	err = s.Look(ctx, v, func(in *criteria.Input) error {
		list, err := evaluate(in)
		if err != nil {
			return err
		}
		g = GapOf(in, list, v.At, keep)
		return nil
	})
	return g, err
}

// GapOf is what is missing by the statuses of an input; at is the moment of log
// and registers, zero for the end of the period. It keeps nothing of the input.
func GapOf(in *criteria.Input, list []criteria.Status, at time.Time, keep Filter) Gap {
	g := Gap{Entries: in.Observed.Size, From: in.From.UTC(), Until: in.Until.UTC(), At: at.UTC(), Requirements: []Row{}}
	if at.IsZero() {
		g.At = in.Until.UTC()
	}
	for _, status := range list {
		if row := rowOf(status); (keep.Area == "" || row.Area == keep.Area) && (keep.Owner == "" || row.Owner == keep.Owner) {
			g.Requirements = append(g.Requirements, row)
		}
	}
	g.Steps, g.Unregistered = stepsLeft(list), unregistered(in.Observed)
	return g
}

func rowOf(s criteria.Status) Row {
	r := Row{ID: s.ID, Title: s.Title, Area: s.Area, State: s.State, Owner: s.Owner, Due: s.Due, Reasons: append([]string{}, s.Reasons...)}
	for _, result := range s.Results {
		r.Population += result.Population
		r.Exceptions += len(result.Exceptions)
	}
	return r
}

// unregistered are the agents that were seen and have no registration, those
// that did most first.
func unregistered(f *observed.Facts) []Unregistered {
	list := []Unregistered{}
	for id, a := range f.Agents {
		if life := f.Lives[id]; life != nil && life.Registered != 0 {
			continue
		}
		list = append(list, Unregistered{
			Agent: id, First: time.UnixMicro(a.First).UTC(), Last: time.UnixMicro(a.Last).UTC(),
			Decisions: a.Allowed + a.Denied + a.Held, Refused: a.Refused, Receipt: a.Receipt,
		})
	}
	slices.SortFunc(list, func(a, b Unregistered) int {
		return cmp.Or(cmp.Compare(b.Decisions+b.Refused, a.Decisions+a.Refused), strings.Compare(a.Agent, b.Agent))
	})
	return list
}

// Unregistered are the agents seen at the enforcement points and never
// registered, at a time; zero is now.
func (s *Service) Unregistered(ctx context.Context, at time.Time) (list []Unregistered, err error) {
	v, err := s.settle(View{At: at})
	if err != nil {
		return nil, err
	}
	err = s.facts(ctx, v, func(f *observed.Facts) error {
		list = unregistered(f)
		return nil
	})
	return list, err
}
