package approval

import (
	"maps"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// Bounds of a request.
const (
	maxSummary = 8 << 10
	maxPart    = 1 << 10 // of a binding
	maxRoles   = 32
)

// OpenIn opens a request in the transaction that records the hold, or returns
// the open one of the same binding: the same question is asked once. Where the
// policies now name more roles than before, that one is widened and waits
// again, with the grants that it has. Expires may be zero for the default.
//
// It fails with aims.Denied when a person has denied this very call, until that
// request would have expired; with aims.Exhausted when the agent asks more of
// people than they can judge with care; and with aims.Invalid for a request
// that could never be granted. The caller then refuses the call and opens
// nothing.
func (a *Approvals) OpenIn(tx *store.Tx, r Request) (Request, error) {
	r, err := a.normal(r, tx.Now)
	if err != nil {
		return Request{}, err
	}
	same, found, err := a.same(tx, r)
	switch {
	case err != nil:
		return Request{}, failed(err, "the approvals could not be read")
	case found && same.State == Denied:
		return Request{}, aims.Errorf(aims.Denied, nil, "a person denied this call (%s); asking again before %s changes nothing",
			same.ID, same.Expires.Format(time.RFC3339))
	case found:
		return a.merge(tx, same, r)
	}
	if err := a.admit(tx, r); err != nil {
		return Request{}, err
	}
	r.ID, r.State, r.Fresh = aims.NewID("apr"), Pending, true
	return r, failed(insert(tx, r), "the approval could not be opened")
}

// normal checks a request and fills in what it leaves out.
func (a *Approvals) normal(r Request, now time.Time) (Request, error) {
	now = now.UTC().Truncate(time.Microsecond) // as it is stored
	r.Requested, r.Settled, r.Votes = now, time.Time{}, nil
	if r.Expires.IsZero() {
		r.Expires = now.Add(a.o.Expiry)
	}
	r.Expires = r.Expires.UTC().Truncate(time.Microsecond)
	if !r.Expires.After(now) {
		return r, aims.Errorf(aims.Invalid, nil, "the approval would have expired already, at %s", r.Expires.Format(time.RFC3339))
	}
	r.Roles = slices.Compact(slices.Sorted(slices.Values(r.Roles)))
	if len(r.Roles) == 0 || len(r.Roles) > maxRoles || slices.Contains(r.Roles, "") {
		return r, aims.Errorf(aims.Invalid, nil, "%d roles can release the call; expected 1 to %d with a name", len(r.Roles), maxRoles)
	}
	if r.Agent == "" || r.Action == "" || r.Policy == "" || r.Decision == "" || !strings.HasPrefix(r.Input, "sha256:") {
		return r, aims.Errorf(aims.Invalid, nil, "an approval needs the agent, the action, the policy, the digest of the arguments and the receipt of the hold")
	}
	for _, part := range r.Binding.parameters() {
		if len(part.(string)) > maxPart {
			return r, aims.Errorf(aims.Invalid, nil, "the call has a name of more than %d bytes", maxPart)
		}
	}
	if r.Quorum < 0 {
		return r, aims.Errorf(aims.Invalid, nil, "a quorum of %d people", r.Quorum)
	}
	r.Quorums = r.need()
	r.Summary = strings.ToValidUTF8(r.Summary[:min(len(r.Summary), maxSummary)], "")
	return r, nil
}

// same finds the newest request of the same binding whose answer still stands.
func (a *Approvals) same(tx *store.Tx, r Request) (Request, bool, error) {
	found, err := query(tx, `SELECT `+columns+` FROM approval_request
WHERE `+bound+` AND expires > $9 AND state IN ('pending', 'granted', 'denied') ORDER BY id DESC LIMIT 1`,
		append(r.Binding.parameters(), micros(tx.Now))...)
	if err != nil || len(found) == 0 {
		return Request{}, false, err
	}
	return found[0], true, nil
}

// merge is the open request, with what the new one needs beyond it. One whose
// grant does not stand any more waits again.
func (a *Approvals) merge(tx *store.Tx, open, r Request) (Request, error) {
	wider := open
	wider.Roles = slices.Compact(slices.Sorted(slices.Values(slices.Concat(open.Roles, r.Roles))))
	wider.Quorum = max(open.Quorum, r.Quorum)
	wider.Quorums = open.need()
	for role, people := range r.need() {
		wider.Quorums[role] = max(people, wider.Quorums[role])
	}
	standing, err := a.unseat(tx, open)
	if err != nil {
		return Request{}, failed(err, "the votes could not be counted again")
	}
	wider.Votes = standing.Votes
	if maps.Equal(open.need(), wider.need()) && max(1, wider.Quorum) == max(1, open.Quorum) && standing.State == open.State {
		return wider, nil
	}
	to, ok := next(open.State, widened)
	if !ok {
		return Request{}, aims.Errorf(aims.Conflict, nil, "the approval %s is %s", open.ID, open.State)
	}
	wider.State, wider.Decision, wider.Fresh = to, r.Decision, true
	if r.Summary != "" {
		wider.Summary = r.Summary
	}
	return wider, failed(widen(tx, wider, open.State), "the approval could not be widened")
}

// admit refuses an agent that asks too much of people: who is asked all the time
// ends up granting everything (OWASP ASI09). A request counts until it is used or its
// time is over, so that a denial frees no room for the next attempt.
func (a *Approvals) admit(tx *store.Tx, r Request) error {
	var asked int
	err := tx.QueryRow(`SELECT COUNT(*) FROM approval_request
WHERE agent = $1 AND expires > $2 AND state IN ('pending', 'granted', 'denied')`, r.Agent, micros(tx.Now)).Scan(&asked)
	if err != nil {
		return failed(err, "the approvals could not be counted")
	}
	if asked >= a.o.MaxOpen {
		return aims.Errorf(aims.Exhausted, nil,
			"%s has asked for %d approvals that wait, are unused or were denied, and may ask for %d at one time: the call is refused and nobody is asked", r.Agent, asked, a.o.MaxOpen)
	}
	return nil
}
