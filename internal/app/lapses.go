package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/evidence/criteria"
)

// lapseInterval is how often criteria that held are looked at again.
const lapseInterval = time.Hour

// firstHeld is how long ago a criterion must have held, to be missed by the first
// look after a start.
const firstHeld = 24 * time.Hour

// raiseLapses raises a nonconformity for each criterion that held at a time and
// has exceptions now (ISO 42001 10.2). What never held is a gap that people know
// of and work at, and no nonconformity.
func (a *App) raiseLapses(ctx context.Context, held time.Time) error {
	before, err := a.evidence.Status(ctx, held, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	after, err := a.evidence.Status(ctx, time.Time{}, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	for _, l := range lapses(before, after) {
		l.Held = held
		n, raised, err := a.corrective.Lapsed(ctx, corrective.By{Actor: aims.System}, l)
		if err != nil {
			return err
		}
		if raised {
			a.log.Warn("a criterion no longer holds", "criterion", l.Criterion, "nonconformity", n.ID)
		}
	}
	return nil
}

// lapses are the criteria that were met before and are not met after.
func lapses(before, after []criteria.Status) []corrective.Lapse {
	met := map[string]bool{}
	for _, s := range before {
		for _, r := range s.Results {
			met[r.Criterion] = r.Outcome == criteria.Met
		}
	}
	var list []corrective.Lapse
	for _, s := range after {
		for _, r := range s.Results {
			if s.State != criteria.NotApplicable && r.Outcome == criteria.NotMet && met[r.Criterion] {
				list = append(list, corrective.Lapse{Criterion: r.Criterion, Requirement: s.ID, Statement: lapseText(r), Responsible: s.Owner, Evidence: r.Receipts})
			}
		}
	}
	return list
}

// mostNamed bounds how many exceptions the statement of a nonconformity names.
const mostNamed = 5

func lapseText(r criteria.Result) string {
	var named []string
	for i, x := range r.Exceptions {
		if i == mostNamed {
			named = append(named, fmt.Sprintf("and %d more", len(r.Exceptions)-mostNamed))
			break
		}
		named = append(named, strings.TrimSpace(x.On+" "+x.Text))
	}
	return fmt.Sprintf("Criterion %s held and no longer does: %s Exceptions: %s.", r.Criterion, r.Text, strings.Join(named, "; "))
}
