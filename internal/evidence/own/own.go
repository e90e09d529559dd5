// Package own evaluates the criteria that an organisation adds to requirements:
// CEL expressions over its own records (ISO 42001 9.1). They are checked against
// the types of the records before they are run, so that a field that does not
// exist is an error and never a criterion that holds by accident.
//
// An expression sees the record that is looked at as this, all records by kind
// as records, such as records.training, and the days from, until and today of
// the period, "2026-11-23"; today is until.
package own

import (
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
)

// costLimit bounds what one evaluation of one record may cost, in the units of
// CEL, about one for each step: an expression over all records for each record
// is possible, one that never ends is not.
const costLimit = 10_000_000

// Check says what is wrong with a criterion: a kind of record that there is
// not, an expression that cannot be read, or that is not true or false.
func Check(c record.OwnCriterion) error {
	_, err := compile(c)
	return err
}

// criterion is a criterion that can be run.
type criterion struct {
	record.OwnCriterion
	where, holds cel.Program // where is nil for all
}

func compile(c record.OwnCriterion) (criterion, error) {
	shape, known := shapes().kinds[c.Each]
	if !known {
		return criterion{}, fmt.Errorf("own_criterion/%s: each: there is no kind of record %q", c.ID, c.Each)
	}
	base, err := types.NewRegistry()
	if err != nil {
		return criterion{}, err
	}
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(&provider{Provider: base, shapes: shapes()}), ext.Strings(),
		cel.Variable("this", shape), cel.Variable("records", types.NewObjectType(registersType)),
		cel.Variable("from", cel.StringType), cel.Variable("until", cel.StringType), cel.Variable("today", cel.StringType),
	)
	if err != nil {
		return criterion{}, err
	}
	out := criterion{OwnCriterion: c}
	if c.Where != "" {
		if out.where, err = program(env, c.ID, "where", c.Where); err != nil {
			return out, err
		}
	}
	out.holds, err = program(env, c.ID, "holds", c.Holds)
	return out, err
}

func program(env *cel.Env, id, field, text string) (cel.Program, error) {
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("own_criterion/%s: %s: %w", id, field, err)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("own_criterion/%s: %s: it gives %s, expected true or false", id, field, ast.OutputType())
	}
	p, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("own_criterion/%s: %s: %w", id, field, err)
	}
	return p, nil
}

// Evaluate runs the criteria in the registers over the registers. A criterion
// that cannot be run is unavailable, and its note says why.
func Evaluate(s record.State, from, until time.Time) []criteria.Result {
	list := []criteria.Result{}
	if len(s.Registers.OwnCriteria) == 0 {
		return list
	}
	until = until.UTC()
	vars := map[string]any{
		"records": registersValue(s.Registers), "from": from.UTC().Format(time.DateOnly),
		"until": until.Format(time.DateOnly), "today": until.Format(time.DateOnly),
	}
	for _, c := range s.Registers.OwnCriteria {
		r := criteria.Result{
			Criterion: "own_criterion/" + c.ID, Requirement: c.Requirement, Text: c.Text, Of: "records of kind " + c.Each,
			Exceptions: []criteria.Exception{}, Receipts: []string{}, Sources: []string{},
			From: from.UTC().Format(time.RFC3339), Until: until.Format(time.RFC3339),
		}
		if c.Where != "" {
			r.Of += " where " + c.Where
		}
		if err := evaluate(c, s, vars, &r); err != nil {
			r.Outcome, r.Note = criteria.Unavailable, err.Error()
		}
		list = append(list, r)
	}
	return list
}

// evaluate fills the result of one criterion.
func evaluate(c record.OwnCriterion, s record.State, vars map[string]any, r *criteria.Result) error {
	run, err := compile(c)
	if err != nil {
		return err
	}
	var newest int64
	s.Registers.Each(func(kind, id string, rec any) {
		if kind != c.Each || err != nil {
			return
		}
		vars["this"] = recordValue(rec)
		var counts, holds bool
		if counts, err = run.ask(run.where, vars); err != nil || !counts {
			return
		}
		if holds, err = run.ask(run.holds, vars); err != nil {
			err = fmt.Errorf("%w, of %s/%s", err, kind, id)
			return
		}
		r.Population++
		if !holds {
			r.Exceptions = append(r.Exceptions, criteria.Exception{On: kind + "/" + id, Text: "does not hold: " + c.Holds})
		}
		v := s.Versions[record.Key{Kind: kind, ID: id}]
		newest = max(newest, v.At)
		if v.Receipt != "" && len(r.Receipts) < 5 {
			r.Receipts = append(r.Receipts, v.Receipt)
		}
	})
	if newest > 0 {
		r.Newest = time.UnixMicro(newest).UTC().Format(time.RFC3339)
	}
	switch {
	case err != nil:
		return err
	case r.Population == 0:
		r.Outcome = criteria.NothingYet
	case len(r.Exceptions) > 0:
		r.Outcome = criteria.NotMet
	default:
		r.Outcome = criteria.Met
	}
	return nil
}

// ask runs an expression; none is true.
func (c criterion) ask(p cel.Program, vars map[string]any) (bool, error) {
	if p == nil {
		return true, nil
	}
	out, _, err := p.Eval(vars)
	if err != nil {
		return false, fmt.Errorf("own_criterion/%s: %w", c.ID, err)
	}
	return out == types.True, nil
}
