package enforcement

import (
	"math"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
	"aims/internal/session"
)

// unit is one, in the ten-thousandths in which Cedar counts decimals.
const unit = 10_000

// charge is what an allowed call spends of a budget.
type charge struct {
	budget   bundle.Budget
	amount   int64
	accounts []session.Account // all of which it is spent on
}

// charge is what a call spends, and what policies see of it. The amount of a
// call that cannot be counted is an error: it is not nothing.
func (f *facts) charge(c Call) ([]charge, cedar.Record, error) {
	var charges []charge
	seen := cedar.RecordMap{}
	for _, b := range f.inForce.Meta.Budgets {
		if !b.Counts(c.Action) {
			continue
		}
		amount, err := amountOf(b, f.args.input)
		if err != nil {
			return nil, cedar.Record{}, err
		}
		ch := charge{budget: b, amount: amount, accounts: f.accounts(c, b)}
		spent, err := f.spent(ch)
		if err != nil {
			return nil, cedar.Record{}, err
		}
		if spent > math.MaxInt64-amount {
			return nil, cedar.Record{}, aims.Errorf(aims.Denied, nil, "with this call, the budget %s would have spent more than can be counted", b.Name)
		}
		if seen[cedar.String(b.Name)], err = spending(spent, spent+amount); err != nil {
			return nil, cedar.Record{}, err
		}
		charges = append(charges, ch)
	}
	if len(charges) == 0 {
		return nil, cedar.Record{}, nil
	}
	return charges, cedar.NewRecord(seen), nil
}

// spent is the most that was spent on one of the accounts: who delegates has no
// second budget.
func (f *facts) spent(ch charge) (most int64, err error) {
	for _, a := range ch.accounts {
		if a.Scope == "" {
			continue // a run of which nothing is known
		}
		spent, err := f.view.Spent(a)
		if err != nil {
			return 0, err
		}
		most = max(most, spent)
	}
	return most, nil
}

func spending(spent, after int64) (cedar.Value, error) {
	values := cedar.RecordMap{}
	for name, v := range map[cedar.String]int64{"spent": spent, "after": after} {
		d, err := cedar.NewDecimal(v, -4)
		if err != nil {
			return nil, aims.Errorf(aims.Denied, err, "what was spent cannot be counted")
		}
		values[name] = d
	}
	return cedar.NewRecord(values), nil
}

// accounts are the counters of a budget that a call is counted on.
func (f *facts) accounts(c Call, b bundle.Budget) []session.Account {
	account := func(scope string) session.Account {
		return session.Account{Budget: b.Name, Scope: scope, Window: b.Window}
	}
	switch b.Per {
	case bundle.PerPurpose:
		return []session.Account{account("purpose " + f.run.Purpose)}
	case bundle.PerTool:
		return []session.Account{account("tool " + c.Action)}
	case bundle.PerAgent:
		all := []session.Account{account("agent " + f.run.Actor)}
		for _, d := range f.run.Chain {
			if d.Actor != f.run.Actor {
				all = append(all, account("agent "+d.Actor))
			}
		}
		return all
	}
	all := []session.Account{account(f.run.ID)}
	for _, d := range f.run.Chain {
		all = append(all, account(d.Run))
	}
	return all
}

// spend spends what an allowed call costs.
func (p *placing) spend(t *session.Tx) error {
	if len(p.a.charges) == 0 || !p.a.decision.Allowed() {
		return nil
	}
	run, err := t.Run(p.c.run())
	if err != nil {
		return err
	}
	for _, ch := range p.a.charges {
		for _, account := range ch.accounts {
			if account.Scope == "" {
				account.Scope = run.ID // it begins with this call
			}
			if err := t.Spend(account, ch.amount); err != nil {
				return err
			}
		}
	}
	return nil
}

// amountOf is what a call spends of a budget, in ten-thousandths.
func amountOf(b bundle.Budget, input cedar.Record) (int64, error) {
	if b.Of == bundle.Calls {
		return unit, nil
	}
	var value cedar.Value = input
	for _, name := range strings.Split(b.Argument, ".") {
		record, ok := value.(cedar.Record)
		if !ok {
			return 0, uncountable(b, "is not there")
		}
		if value, ok = record.Get(cedar.String(name)); !ok {
			return 0, uncountable(b, "is not there")
		}
	}
	amount, ok := int64(0), false
	switch v := value.(type) {
	case cedar.Long:
		amount, ok = int64(v)*unit, v >= 0 && int64(v) <= math.MaxInt64/unit
	case cedar.Decimal:
		amount, ok = tenThousandths(v)
	}
	if !ok {
		return 0, uncountable(b, "is negative, too large or no number")
	}
	return amount, nil
}

func uncountable(b bundle.Budget, what string) error {
	return aims.Errorf(aims.Denied, nil, "argument %s counts against the budget %s, and %s", b.Argument, b.Name, what)
}

// tenThousandths is the value of a decimal that is not negative.
func tenThousandths(d cedar.Decimal) (int64, bool) {
	whole, fraction, _ := strings.Cut(d.String(), ".")
	n, err := strconv.ParseInt(whole+(fraction + "0000")[:4], 10, 64)
	return n, err == nil && n >= 0 && !strings.HasPrefix(whole, "-")
}
