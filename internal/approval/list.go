package approval

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"aims/internal/aims"
	"aims/internal/store"
)

// MaxPage bounds a page of List.
const MaxPage = 100

// Filter says which requests are listed.
type Filter struct {
	// All lists also those that came to their end.
	All bool
	// Before is where the page before ended; empty for the newest.
	Before string
	// Limit is the length of the page; 0 for MaxPage.
	Limit int
}

// List is a page of requests, newest first, and where the next one begins;
// empty for no more. Summaries and notes are left out: Get has them.
func (a *Approvals) List(ctx context.Context, f Filter) (page []Request, next string, err error) {
	if f.Limit < 0 || f.Limit > MaxPage {
		return nil, "", aims.Errorf(aims.Invalid, nil, "a page of %d approvals; expected 1 to %d", f.Limit, MaxPage)
	}
	if f.Limit == 0 {
		f.Limit = MaxPage
	}
	if f.Before == "" {
		f.Before = "apr_z" // behind every id
	}
	now := a.o.Now()
	text := `SELECT ` + columns + ` FROM approval_request WHERE id < $1 ORDER BY id DESC LIMIT $2`
	parameters := []any{f.Before, f.Limit + 1}
	if !f.All {
		text = `SELECT ` + columns + ` FROM approval_request WHERE id < $1 AND state IN ('pending', 'granted') AND expires > $3 ORDER BY id DESC LIMIT $2`
		parameters = append(parameters, micros(now))
	}
	err = a.db.View(ctx, func(tx *store.Tx) (err error) {
		page, err = query(tx, text, parameters...)
		return err
	})
	if err != nil {
		return nil, "", failed(err, "the approvals could not be read")
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = page[f.Limit-1].ID
	}
	for i := range page {
		state := a.state(page[i], now)
		page[i] = a.standing(page[i])
		page[i].State = state
		page[i].Summary = ""
		for j := range page[i].Votes {
			page[i].Votes[j].Note = ""
		}
	}
	if !f.All {
		page = slices.DeleteFunc(page, func(r Request) bool { return !r.State.open() })
	}
	return page, next, nil
}

// OpenRoles are the roles that open requests need, sorted.
func (a *Approvals) OpenRoles(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT DISTINCT roles FROM approval_request WHERE state IN ('pending', 'granted')`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			var need map[string]int
			if err := rows.Scan(&text); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &need); err != nil {
				return err
			}
			for role := range need {
				seen[role] = true
			}
		}
		return rows.Err()
	})
	return slices.Sorted(maps.Keys(seen)), failed(err, "the approvals could not be read")
}
