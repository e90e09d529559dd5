package report

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
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
	gap       evidence.Gap
	statement soa.Statement
	cases     []observed.Case
}

// riskData, sampleData and gapData are what the reports of those names hold as JSON.
type riskData struct {
	Criteria   []record.RiskCriteria `json:"risk_criteria"`
	Risks      []record.Risk         `json:"risks"`
	Treatments []record.Treatment    `json:"treatments"`
}

type sampleData struct {
	Audit   string         `json:"audit"`
	Samples []audit.Sample `json:"samples"`
}

type gapData struct {
	evidence.Gap
	Statuses []criteria.Status `json:"statuses"`
}

// at is what is known of a moment of the log before anything is judged. A view
// without a moment is of now, from then on a moment like any other, so that the
// report can be made again.
func (r *Reports) at(ctx context.Context, v evidence.View) (k known, err error) {
	now := r.p.Now()
	if v.At.IsZero() {
		v.At = now
	}
	if v.At.After(now) {
		return k, aims.Errorf(aims.Invalid, nil, "%s lies in the future; expected a time up to now", v.At.UTC().Format(time.RFC3339))
	}
	v.At = v.At.UTC().Truncate(time.Microsecond)
	k.view, k.head.AsOf = v, v.At
	if k.state, err = r.p.Register.At(ctx, v.At); err != nil {
		return k, err
	}
	if k.head.Position, err = r.position(ctx, v.At); err != nil {
		return k, err
	}
	if list := k.state.Registers.Organisation; len(list) > 0 {
		k.head.Organisation = list[0].Name
	}
	return k, nil
}

// know looks at log and registers, and judges them.
func (r *Reports) know(ctx context.Context, v evidence.View) (known, error) {
	k, err := r.at(ctx, v)
	if err != nil {
		return k, err
	}
	src, err := r.p.Source(ctx)
	if err != nil {
		return k, err
	}
	err = r.p.Evidence.Look(ctx, k.view, func(in *criteria.Input) error {
		if k.statuses, err = criteria.Evaluate(in); err != nil {
			return aims.Errorf(aims.Conflict, err, "the records cannot be judged: %s", err)
		}
		rules, err := pack.InForce(ctx, src, in.Observed)
		if err != nil {
			return aims.Errorf(aims.Unavailable, err, "the policy that was in force then cannot be read")
		}
		k.gap = evidence.GapOf(in, k.statuses, k.view.At, evidence.Filter{})
		k.statement, err = soa.Build(soa.Input{Registers: k.state, Statuses: k.statuses, InForce: rules})
		k.cases = casesOf(in.Observed)
		k.head.From, k.head.Until = in.From, in.Until
		return err
	})
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
