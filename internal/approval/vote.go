package approval

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// maxNote bounds what a person writes with a vote, in bytes.
const maxNote = 1000

// Vote records what a person says to a request. by is that person, as
// authenticated for this very act, roles are those that the person holds, and
// decision is the receipt of the decision that let them; note may be empty.
//
// A grant counts once for each person, and only from one who holds a role that
// is still needed and for whom the agent does not act. A denial ends the
// request, also one that is granted and not used yet.
//
// It fails with aims.Denied when the person may not, aims.Conflict when the
// request is not open any more or the person has said so before, aims.NotFound
// when there is none, and aims.Invalid for a note that is too long.
func (a *Approvals) Vote(ctx context.Context, by aims.Actor, roles []string, decision, id string, grant bool, note string) (Request, error) {
	note = strings.TrimSpace(note)
	switch {
	case len(note) > maxNote || !utf8.ValidString(note):
		return Request{}, aims.Errorf(aims.Invalid, nil, "the note has %d bytes; expected text of at most %d", len(note), maxNote)
	case by.Type != aims.PersonType || by.ID == "" || decision == "":
		return Request{}, aims.Errorf(aims.Denied, nil, "only a person whose decision is recorded can grant or deny")
	}
	var r Request
	var ended error
	_, err := a.ledger.Change(ctx, func(tx *store.Tx) (entry ledger.Entry, err error) {
		ended = nil
		if r, err = load(tx, id); err != nil {
			return entry, err
		}
		if e, ends := a.end(r, tx.Now); ends {
			// It is over, and this vote is what found out.
			if entry, err = a.finish(tx, &r, e); err == nil {
				ended = aims.Errorf(aims.Conflict, nil, "the approval %s is %s", id, r.State)
			}
			return entry, err
		}
		v := Vote{Person: by.ID, Grant: grant, Roles: held(r, roles), Note: note, Decision: decision, Time: tx.Now.UTC().Truncate(time.Microsecond)}
		stored := r.State
		if r, err = a.unseat(tx, r); err != nil {
			return entry, err
		}
		return cast(tx, &r, stored, v)
	})
	if err == nil {
		err = ended
	}
	if err != nil {
		return Request{}, failed(err, "the vote could not be recorded: it does not count")
	}
	if r.State != Pending {
		a.waiting.wake(id)
	}
	a.o.Log.Info("a person voted on an approval", "approval", id, "person", by.ID, "grant", grant, "state", string(r.State))
	return r, nil
}

// held are the roles of the request that are among roles.
func held(r Request, roles []string) []string {
	return slices.DeleteFunc(slices.Clone(r.Roles), func(role string) bool { return !slices.Contains(roles, role) })
}

// cast stores a vote and what it leads to. stored is the state that the request
// has in the database.
func cast(tx *store.Tx, r *Request, stored State, v Vote) (ledger.Entry, error) {
	if !r.State.open() || v.Grant && r.State == Granted {
		return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "the approval %s is %s", r.ID, r.State)
	}
	if err := r.entitled(v); err != nil {
		return ledger.Entry{}, err
	}
	if err := saveVote(tx, r.ID, v); err != nil {
		return ledger.Entry{}, err
	}
	from := r.State
	r.Votes = append(slices.DeleteFunc(r.Votes, func(o Vote) bool { return o.Person == v.Person && o.Grant == v.Grant }), v)
	e := refused
	if v.Grant {
		if e = voted; r.complete() {
			e = completed
		}
	}
	to, ok := next(from, e)
	if !ok {
		return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "the approval %s is %s", r.ID, r.State)
	}
	if r.State = to; !to.open() {
		r.Settled = v.Time
	}
	if err := settle(tx, r.ID, stored, to); err != nil {
		return ledger.Entry{}, err
	}
	return votedEntry(aims.Actor{Type: aims.PersonType, ID: v.Person}, *r, v)
}

// entitled refuses a grant that may not count. Policy has refused it before:
// this is what holds also where a policy is wrong.
func (r Request) entitled(v Vote) error {
	if !v.Grant {
		return nil // whoever policy lets stop a call stops it
	}
	switch {
	case slices.Contains(r.Authors(), aims.Actor{Type: aims.PersonType, ID: v.Person}):
		return aims.Errorf(aims.Denied, nil, "the agent acts for %s in this call: somebody else must grant it", v.Person)
	case len(v.Roles) == 0:
		return aims.Errorf(aims.Denied, nil, "%s holds none of the roles that are needed (%s)", v.Person, strings.Join(r.Roles, ", "))
	case r.granted(v):
		return aims.Errorf(aims.Conflict, nil, "%s has granted it already, and counts once", v.Person)
	}
	remaining := r.Remaining()
	if !slices.ContainsFunc(v.Roles, func(role string) bool { return slices.Contains(remaining, role) }) {
		return aims.Errorf(aims.Conflict, nil, "nobody in the role of %s is needed any more; still needed: %s", strings.Join(v.Roles, ", "), strings.Join(remaining, ", "))
	}
	return nil
}

// granted says whether the person has granted the request in all these roles:
// once it is widened, they may do so in those that were added, and still count once.
func (r Request) granted(v Vote) bool {
	before, ok := r.granters()[v.Person]
	return ok && !slices.ContainsFunc(v.Roles, func(role string) bool { return !slices.Contains(before, role) })
}
