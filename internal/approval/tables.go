package approval

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// Statements take no context of their own: they run in the transaction of
// whoever calls, and end with it.

const columns = `id, agent, session, action, server, tool, pin, input, policy, purpose, operator, on_behalf_of, summary,
roles, quorum, requested, expires, state, settled, decision`

// bound compares every part of a binding, with the parameters $1 to $8.
const bound = `agent = $1 AND session = $2 AND action = $3 AND server = $4 AND tool = $5 AND pin = $6 AND input = $7 AND policy = $8`

func (b Binding) parameters() []any {
	return []any{b.Agent, b.Session, b.Action, b.Server, b.Tool, b.Pin, b.Input, b.Policy}
}

// load reads a request with its votes.
func load(tx *store.Tx, id string) (Request, error) {
	found, err := query(tx, `SELECT `+columns+` FROM approval_request WHERE id = $1`, id)
	if err != nil {
		return Request{}, err
	}
	if len(found) == 0 {
		return Request{}, aims.Errorf(aims.NotFound, nil, "there is no approval %q", id)
	}
	return found[0], nil
}

// query reads requests with their votes.
func query(tx *store.Tx, text string, parameters ...any) ([]Request, error) {
	rows, err := tx.Query(text, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Request
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // PostgreSQL has one cursor to a connection
	return found, addVotes(tx, found)
}

func scan(rows *sql.Rows) (Request, error) {
	var r Request
	var roles string
	var quorum, requested, expires, settled int64
	err := rows.Scan(&r.ID, &r.Agent, &r.Session, &r.Action, &r.Server, &r.Tool, &r.Pin, &r.Input, &r.Policy,
		&r.Purpose, &r.Operator, &r.OnBehalfOf, &r.Summary, &roles, &quorum, &requested, &expires, &r.State, &settled, &r.Decision)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(roles), &r.Quorums); err != nil {
		return r, err
	}
	r.Roles, r.Quorum = slices.Sorted(maps.Keys(r.Quorums)), int(quorum)
	r.Requested, r.Expires, r.Settled = fromMicros(requested), fromMicros(expires), fromMicros(settled)
	return r, nil
}

// addVotes reads the votes of the requests.
func addVotes(tx *store.Tx, requests []Request) error {
	if len(requests) == 0 {
		return nil
	}
	at := make(map[string]int, len(requests))
	marks, ids := make([]string, len(requests)), make([]any, len(requests))
	for i, r := range requests {
		at[r.ID], marks[i], ids[i] = i, "$"+strconv.Itoa(i+1), r.ID
	}
	rows, err := tx.Query(`SELECT request, person, verdict, roles, note, decision, voted FROM approval_vote
WHERE request IN (`+strings.Join(marks, ", ")+`) ORDER BY voted, person, verdict`, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v Vote
		var id, verdict, roles string
		var voted int64
		if err := rows.Scan(&id, &v.Person, &verdict, &roles, &v.Note, &v.Decision, &voted); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(roles), &v.Roles); err != nil {
			return err
		}
		v.Grant, v.Time = verdict == grantVerdict, fromMicros(voted)
		requests[at[id]].Votes = append(requests[at[id]].Votes, v)
	}
	return rows.Err()
}

// The verdicts of a vote, as they are stored.
const (
	grantVerdict = "grant"
	denyVerdict  = "deny"
)

func insert(tx *store.Tx, r Request) error {
	roles, err := json.Marshal(r.need())
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO approval_request (`+columns+`, announced) VALUES
($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, $19, 0)`,
		r.ID, r.Agent, r.Session, r.Action, r.Server, r.Tool, r.Pin, r.Input, r.Policy, r.Purpose, r.Operator, r.OnBehalfOf, r.Summary,
		string(roles), r.Quorum, micros(r.Requested), micros(r.Expires), string(r.State), r.Decision)
	return err
}

// widen stores what a request needs now, and that people are to be told again.
func widen(tx *store.Tx, r Request, from State) error {
	roles, err := json.Marshal(r.need())
	if err != nil {
		return err
	}
	return one(tx.Exec(`UPDATE approval_request SET roles = $1, quorum = $2, state = $3, decision = $4, summary = $5, announced = 0
WHERE id = $6 AND state = $7`, string(roles), r.Quorum, string(r.State), r.Decision, r.Summary, r.ID, string(from)))
}

// settle moves a request from one state to another, which must be the one that
// it is in.
func settle(tx *store.Tx, id string, from, to State) error {
	var settled int64
	if !to.open() {
		settled = micros(tx.Now)
	}
	return one(tx.Exec(`UPDATE approval_request SET state = $1, settled = $2 WHERE id = $3 AND state = $4`, string(to), settled, id, string(from)))
}

// saveVote stores a vote, in place of the one that the person gave before.
func saveVote(tx *store.Tx, id string, v Vote) error {
	roles, err := json.Marshal(v.Roles)
	if err != nil {
		return err
	}
	verdict := denyVerdict
	if v.Grant {
		verdict = grantVerdict
	}
	_, err = tx.Exec(`INSERT INTO approval_vote (request, person, verdict, roles, note, decision, voted) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (request, person, verdict) DO UPDATE SET roles = excluded.roles, note = excluded.note, decision = excluded.decision, voted = excluded.voted`,
		id, v.Person, verdict, string(roles), v.Note, v.Decision, micros(v.Time))
	return err
}

func dropVote(tx *store.Tx, id string, v Vote) error {
	verdict := denyVerdict
	if v.Grant {
		verdict = grantVerdict
	}
	return one(tx.Exec(`DELETE FROM approval_vote WHERE request = $1 AND person = $2 AND verdict = $3`, id, v.Person, verdict))
}

// one is an error unless a statement changed one row: somebody else was first.
func one(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n != 1 {
		return aims.Errorf(aims.Conflict, nil, "the approval has just changed; look again")
	}
	return err
}

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// failed words an error of the database; ours pass as they are.
func failed(err error, text string) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s", text)
}
