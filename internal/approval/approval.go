// Package approval keeps held actions: each is bound to its exact call, names
// who may release it, needs a quorum, expires and is used once (ISO 42001
// A.9.2, OWASP ASI02 and ASI09).
//
// All state is read from the database in the transaction that changes it, so
// that any number of processes may serve one installation. docs/approvals.md
// says what an approval is and is not.
package approval

import (
	"cmp"
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the migrations of the tables of this package.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		// The path is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return store.Schema{Name: "approval", Migrations: files}
}

// Binding is the one call that an approval is good for. Every part is compared.
type Binding struct {
	// Agent is the id of the caller; person:<id> when a person calls a tool.
	Agent   string
	Session string
	Action  string
	Server  string
	Tool    string
	// Pin is the digest of the tool's definition.
	Pin string
	// Input is the digest of the arguments, as InputDigest gives it.
	Input string
	// Policy is the digest of the policy set that held the call.
	Policy string
}

// Request is a held action and what became of it.
type Request struct {
	ID string // apr_ and a UUIDv7
	Binding
	Purpose string
	// Operator is the person who operates the agent, OnBehalfOf the one for whom
	// it acts in this session; empty for none. Neither can grant the request.
	Operator, OnBehalfOf string
	// Roles are those that the determining policies name: each must be given.
	Roles []string
	// Quorum is how many different people must grant it; 0 means one.
	Quorum int
	// Quorums is, by role, how many different people who hold it must grant it;
	// a role that it leaves out needs one.
	Quorums map[string]int
	// Requested is when the call was held, Expires when the approval ends,
	// whether granted or not; Settled when it came to its end, zero for not yet.
	Requested, Expires, Settled time.Time
	State                       State
	// Decision is the receipt of the hold, which has the salted digest of the arguments.
	Decision string
	// Summary says to an approver why the call is held and with which arguments.
	Summary string
	// Votes are in the order in which they were given.
	Votes []Vote
	// Fresh says, in the answer of OpenIn, that the request is new or needs more
	// people than before: RequestedEntry belongs behind the receipt of the hold.
	Fresh bool
}

// Vote is what one person said to a request.
type Vote struct {
	Person string
	// Grant is false for a denial.
	Grant bool
	// Roles are those of the request that the person held then.
	Roles []string
	Note  string
	// Decision is the receipt of the decision that let the person vote.
	Decision string
	Time     time.Time
}

// Options tune Approvals. The zero value of a bound means its default.
type Options struct {
	// Expiry is how long a request waits and a grant is good, together; 0 for 15 minutes.
	Expiry time.Duration
	// MaxOpen bounds what one agent may ask of people at one time; 0 for 20.
	MaxOpen int
	// Policy is the digest of the policy set in force in this process, empty for none.
	Policy func() string
	// Holds says whether a person still holds a role and can show it; nil where
	// only the moment of the vote counts. It may be called for each vote of each
	// request, in transactions.
	Holds func(person, role string) bool
	// Refresh brings what Holds says up to date with other processes before a
	// grant is used; nil where there are none.
	Refresh func(context.Context) error
	Now     func() time.Time
	// Poll is how often a waiting caller's request is looked up, because another
	// process may have settled it; 0 for one second.
	Poll time.Duration
	Log  *slog.Logger
}

// Approvals are the held actions of an installation.
type Approvals struct {
	db      *store.DB
	ledger  *ledger.Ledger
	o       Options
	waiting waiting

	mu     sync.Mutex
	policy string    // as Options.Policy said last
	since  time.Time // when it said so first
}

// New puts approvals over the tables of Schema.
func New(db *store.DB, log *ledger.Ledger, o Options) *Approvals {
	o.Expiry = cmp.Or(o.Expiry, 15*time.Minute)
	o.MaxOpen = cmp.Or(o.MaxOpen, 20)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Approvals{db: db, ledger: log, o: o}
}

// Get is a request as it is now. It fails with aims.NotFound.
func (a *Approvals) Get(ctx context.Context, id string) (Request, error) {
	var r Request
	err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		r, err = load(tx, id)
		return err
	})
	if err != nil {
		return Request{}, failed(err, "the approval could not be read")
	}
	state := a.state(r, a.o.Now())
	r = a.standing(r)
	r.State = state
	return r, nil
}

// standing is a request as its votes stand now: who has lost a role since has
// not granted it in that role. One that lacks a grant by that waits again.
func (a *Approvals) standing(r Request) Request {
	if a.o.Holds == nil || !r.State.open() {
		return r
	}
	votes := make([]Vote, 0, len(r.Votes))
	for _, v := range r.Votes {
		if v.Grant {
			v.Roles = slices.DeleteFunc(slices.Clone(v.Roles), func(role string) bool { return !a.o.Holds(v.Person, role) })
		}
		if !v.Grant || len(v.Roles) > 0 {
			votes = append(votes, v)
		}
	}
	if r.Votes = votes; r.State == Granted && !r.complete() {
		r.State = Pending
	}
	return r
}

// unseat stores the votes of a request as they stand: who gets a role back
// votes again.
func (a *Approvals) unseat(tx *store.Tx, r Request) (Request, error) {
	standing := a.standing(r)
	for _, v := range r.Votes {
		at := slices.IndexFunc(standing.Votes, func(o Vote) bool { return o.Person == v.Person && o.Grant == v.Grant })
		switch {
		case at < 0:
			if err := dropVote(tx, r.ID, v); err != nil {
				return r, err
			}
		case len(standing.Votes[at].Roles) < len(v.Roles):
			if err := saveVote(tx, r.ID, standing.Votes[at]); err != nil {
				return r, err
			}
		}
	}
	return standing, nil
}

// need is, by role, how many different people must give it.
func (r Request) need() map[string]int {
	need := make(map[string]int, len(r.Roles))
	for _, role := range r.Roles {
		need[role] = max(1, r.Quorums[role])
	}
	return need
}

// granters are the people who granted the request, with the roles that they held.
func (r Request) granters() map[string][]string {
	granters := map[string][]string{}
	for _, v := range r.Votes {
		if v.Grant {
			granters[v.Person] = v.Roles
		}
	}
	return granters
}

// Remaining are the roles of which somebody is still needed, sorted: none when
// the request has everybody that it needs. One person counts once, whatever
// keys and roles they hold.
func (r Request) Remaining() []string {
	need, granters := r.need(), r.granters()
	for _, held := range granters {
		for _, role := range held {
			need[role]--
		}
	}
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(need)), func(role string) bool { return need[role] <= 0 })
	if len(missing) == 0 && len(granters) < max(1, r.Quorum) {
		return slices.Clone(r.Roles)
	}
	return missing
}

// complete says whether everybody that the request needs has granted it.
func (r Request) complete() bool { return len(r.Roles) > 0 && len(r.Remaining()) == 0 }

// Authors are the people who may not grant the request: the one on whose
// behalf the agent acts, its operator, and a person who called the tool.
func (r Request) Authors() []aims.Actor {
	var authors []aims.Actor
	for _, id := range []string{r.OnBehalfOf, r.Operator, r.Agent} {
		// Ids of people are lower-case; who declared the session may have written
		// the person in full or in capitals.
		id = strings.ToLower(strings.TrimSpace(id))
		id = strings.TrimPrefix(id, aims.PersonType+":")
		a := aims.Actor{Type: aims.PersonType, ID: id}
		if id != "" && !slices.Contains(authors, a) {
			authors = append(authors, a)
		}
	}
	return authors
}

// inForce is the policy set in force in this process, and since when that is
// known; empty where it is not.
func (a *Approvals) inForce() (policy string, since time.Time) {
	if a.o.Policy == nil {
		return "", time.Time{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.o.Policy(); now != a.policy {
		a.policy, a.since = now, a.o.Now()
	}
	return a.policy, a.since
}

// superseded says whether another policy is in force than the one that held
// the call. A request that is younger than what this process has in force was
// made by a process that knows better.
func (a *Approvals) superseded(r Request) bool {
	policy, since := a.inForce()
	return policy != "" && r.Policy != policy && !r.Requested.After(since)
}

// state is what a stored request amounts to at a time.
func (a *Approvals) state(r Request, now time.Time) State {
	e, ends := a.end(r, now)
	if !ends {
		return a.standing(r).State
	}
	to, _ := next(r.State, e)
	return to
}

// end is the event that nobody needs to cause and that a request is due for.
func (a *Approvals) end(r Request, now time.Time) (event, bool) {
	switch {
	case !r.State.open():
		return "", false
	case !now.Before(r.Expires):
		return lapsed, true
	case a.superseded(r):
		return superseded, true
	}
	return "", false
}
