package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
)

// past is what receipts up to a time say of bundles and environments.
type past struct {
	bundles map[string]*Listed
	inForce map[string]environmentRow
}

func (a *Administration) past(ctx context.Context, at time.Time) (past, error) {
	p := past{map[string]*Listed{}, map[string]environmentRow{}}
	for h, err := range a.ledger.Happened(ctx, at, "policy.") {
		if err == nil {
			err = p.add(h)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *past) add(h ledger.Happening) (err error) {
	by, id := aims.Actor(h.Event.Actor).String(), h.Event.Object.ID
	switch h.Event.Name {
	case "policy.published":
		var d publicationDetail
		err = json.Unmarshal(h.Event.Detail, &d)
		l := p.bundle(id, h)
		l.Name, l.State, l.Author = d.Name, Published, by
	case "policy.approved":
		l := p.bundle(id, h)
		l.State = Approved
		l.Approvals = append(l.Approvals, Given{By: by, At: h.Time})
	case "policy.activated", "policy.rolled_back":
		var d activationDetail
		if err = json.Unmarshal(h.Event.Detail, &d); err == nil {
			err = p.activated(h, d)
		}
	}
	if err != nil {
		return aims.Errorf(aims.Internal, err, "the receipt %d says nothing that an earlier state could be made from", h.Index)
	}
	return nil
}

// bundle is a bundle as it is listed, unpublished when it was not heard of before.
func (p *past) bundle(digest string, h ledger.Happening) *Listed {
	l := p.bundles[digest]
	if l == nil {
		l = &Listed{Digest: digest, State: Unpublished, Author: aims.Actor(h.Event.Actor).String(), Created: h.Time, Environments: map[string]State{}}
		p.bundles[digest] = l
	}
	return l
}

func (p *past) activated(h ledger.Happening, d activationDetail) error {
	was := p.inForce[d.Environment]
	p.inForce[d.Environment] = environmentRow{name: d.Environment, set: h.Event.Object.ID, bundle: d.Bundle}
	if d.Bundle == "" || d.Bundle == was.bundle { // the same for other tools
		return nil
	}
	leave, enter := replace, activate
	if h.Event.Name == "policy.rolled_back" {
		leave, enter = withdraw, restore
	}
	if was.bundle != "" {
		if err := p.move(p.bundle(was.bundle, h), d.Environment, leave); err != nil {
			return err
		}
	}
	l := p.bundle(d.Bundle, h)
	l.Activated = &h.Time
	return p.move(l, d.Environment, enter)
}

func (p *past) move(l *Listed, environment string, on occurrence) (err error) {
	l.Environments[environment], err = next(cmp.Or(l.Environments[environment], Idle), on)
	return err
}

// ListAt lists the bundles as they were at a time, newest first, made from the
// receipts up to it. The name of a bundle that nobody had published then is that
// of its content, which its digest fixes.
func (a *Administration) ListAt(ctx context.Context, at time.Time) ([]Listed, error) {
	p, err := a.past(ctx, at)
	if err != nil {
		return nil, err
	}
	now, err := a.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range now {
		if then := p.bundles[l.Digest]; then != nil {
			then.Name = l.Name
		}
	}
	list := []Listed{}
	for _, l := range p.bundles {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Digest, b.Digest))
	})
	return list, nil
}

// DigestAt is the digest of the set that was in force at a time in the
// environment of this administration; empty for none.
func (a *Administration) DigestAt(ctx context.Context, at time.Time) (string, error) {
	p, err := a.past(ctx, at)
	return p.inForce[a.o.Environment].set, err
}

// InForceAt is what was in force at a time; nil for nothing. The texts are those
// that the digest in the receipt fixes.
func (a *Administration) InForceAt(ctx context.Context, at time.Time) (*InForce, error) {
	p, err := a.past(ctx, at)
	row := p.inForce[a.o.Environment]
	if err != nil || row.set == "" {
		return nil, err
	}
	in, err := a.restore(ctx, row)
	return in, unreadable(err, "what was in force")
}
