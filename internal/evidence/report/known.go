package report

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/oscal"
	"aims/internal/evidence/pack"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
)

// known is what reports are drawn from, all of it at one moment.
type known struct {
	head      Head
	view      evidence.View
	state     record.State
	statuses  []criteria.Status
	statement soa.Statement
	cases     []observed.Case
}

// riskData and gapData are what the reports of those names hold as JSON.
type riskData struct {
	Criteria   []record.RiskCriteria `json:"risk_criteria"`
	Risks      []record.Risk         `json:"risks"`
	Treatments []record.Treatment    `json:"treatments"`
}

type gapData struct {
	evidence.Gap
	Statuses []criteria.Status `json:"statuses"`
}

// know looks at log and registers. A view without a moment is of now, from then
// on a moment like any other, so that the report can be made again.
func (r *Reports) know(ctx context.Context, v evidence.View) (k known, err error) {
	if v.At.IsZero() {
		v.At = r.p.Now()
	}
	v.At = v.At.UTC().Truncate(time.Microsecond)
	k.view = v
	if k.head.Position, err = r.position(ctx, v.At); err != nil {
		return k, err
	}
	src, err := r.p.Source(ctx)
	if err != nil {
		return k, err
	}
	err = r.p.Evidence.Look(ctx, v, func(in *criteria.Input) error {
		k.state = in.Registers
		if k.statuses, err = criteria.Evaluate(in); err != nil {
			return aims.Errorf(aims.Conflict, err, "the records cannot be judged: %s", err)
		}
		rules, err := pack.InForce(ctx, src, in.Observed)
		if err != nil {
			return aims.Errorf(aims.Unavailable, err, "the policy that was in force then cannot be read")
		}
		k.statement, err = soa.Build(soa.Input{Registers: k.state, Statuses: k.statuses, InForce: rules})
		k.cases = casesOf(in.Observed)
		k.head.AsOf, k.head.From, k.head.Until = v.At, in.From, in.Until
		return err
	})
	if list := k.state.Registers.Organisation; len(list) > 0 {
		k.head.Organisation = list[0].Name
	}
	return k, err
}

// position is the place of the log at a moment.
func (r *Reports) position(ctx context.Context, at time.Time) (oscal.Position, error) {
	p := oscal.Position{Origin: r.p.Origin, At: at}
	var err error
	if p.Size, err = r.p.Ledger.SizeAt(ctx, at); err != nil {
		return p, err
	}
	root, err := r.p.Ledger.RootAt(ctx, p.Size)
	if err != nil {
		return p, err
	}
	p.Root = base64.StdEncoding.EncodeToString(root[:])
	if p.Size > 0 {
		newest, err := r.p.Ledger.Entry(ctx, p.Size-1)
		if err != nil {
			return p, err
		}
		p.At = newest.Time
	}
	return p, nil
}

// casesOf are copies of the cases, which change when the log goes on.
func casesOf(f *observed.Facts) []observed.Case {
	var list []observed.Case
	for _, c := range f.Cases {
		one := *c
		one.Actions = slices.Clone(c.Actions)
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b observed.Case) int { return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.ID, b.ID)) })
	return list
}
