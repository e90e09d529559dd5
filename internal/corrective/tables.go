package corrective

import (
	"encoding/json"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// Statements take no context of their own: they run in the transaction of
// whoever calls, and end with it.

// save stores a step that a subject has just taken, and where that is now.
func save(tx *store.Tx, on subject, s CaseStep) error {
	h := on.head()
	_, err := tx.Exec(`INSERT INTO corrective_step (case_id, number, kind, event, actor_type, actor_id, decision, receipt, at, change)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		h.ID, s.Number, string(on.kind()), string(s.Event), s.By.Type, s.By.ID, s.Decision, s.Receipt, s.At.UnixMicro(), string(s.Change))
	if err != nil {
		return err
	}
	over := 0
	if h.State.over() {
		over = 1
	}
	k := on.keys()
	_, err = tx.Exec(`INSERT INTO corrective_case (id, kind, state, over, steps, requirement, cause, criterion, changed, token)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, over = excluded.over, steps = excluded.steps, requirement = excluded.requirement,
cause = excluded.cause, criterion = excluded.criterion, changed = excluded.changed, token = excluded.token`,
		h.ID, string(on.kind()), string(h.State), over, s.Number, k.requirement, k.cause, k.criterion, s.At.UnixMicro(), k.token)
	return err
}

// selection says whose steps are read. The zero value of a part means all.
type selection struct {
	kind Kind
	id   string
	open bool
	at   time.Time
}

// read gives the steps of cases, those of one after the other, newest case first.
func read(tx *store.Tx, s selection, each func(id string, s CaseStep) error) error {
	text := `SELECT case_id, number, event, actor_type, actor_id, decision, receipt, at, change FROM corrective_step WHERE kind = $1 AND at <= $2`
	until := int64(1<<63 - 1)
	if !s.at.IsZero() {
		until = s.at.UnixMicro()
	}
	parameters := []any{string(s.kind), until}
	if s.id != "" {
		text += ` AND case_id = $3`
		parameters = append(parameters, s.id)
	}
	if s.open {
		text += ` AND case_id IN (SELECT id FROM corrective_case WHERE kind = $1 AND over = 0)`
	}
	rows, err := tx.Query(text+` ORDER BY case_id DESC, number`, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s CaseStep
		var id, change string
		var micros int64
		if err := rows.Scan(&id, &s.Number, &s.Event, &s.By.Type, &s.By.ID, &s.Decision, &s.Receipt, &micros, &change); err != nil {
			return err
		}
		s.At, s.Change = time.UnixMicro(micros).UTC(), json.RawMessage(change)
		if err := each(id, s); err != nil {
			return err
		}
	}
	return rows.Err()
}

// cases folds what is stored into subjects, newest first.
func cases[T any, S interface {
	*T
	subject
}](tx *store.Tx, o Options, s selection) ([]T, error) {
	var found []T
	var zero T
	s.kind = S(&zero).kind()
	err := read(tx, s, func(id string, step CaseStep) error {
		if n := len(found); n == 0 || S(&found[n-1]).head().ID != id {
			found = append(found, *new(T))
			S(&found[n]).head().ID = id
		}
		return take(S(&found[len(found)-1]), o, step)
	})
	return found, err
}

// load reads one case.
func load[T any, S interface {
	*T
	subject
}](tx *store.Tx, o Options, id string, at time.Time) (*T, error) {
	found, err := cases[T, S](tx, o, selection{id: id, at: at})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		var zero T
		when := ""
		if !at.IsZero() {
			when = " at that time"
		}
		return nil, aims.Errorf(aims.NotFound, nil, "there is no %s %q%s", S(&zero).kind(), id, when)
	}
	return &found[0], nil
}

// sameCause are the nonconformities of a requirement and a cause, newest first.
func sameCause(tx *store.Tx, requirement, cause, except string) ([]string, error) {
	return idsOf(tx, `SELECT id FROM corrective_case WHERE kind = $1 AND requirement = $2 AND cause = $3 AND id <> $4 ORDER BY id DESC`,
		string(NonconformityKind), requirement, cause, except)
}

// byToken is the id of the concern with a token's digest; empty for none.
func byToken(tx *store.Tx, digest string) (string, error) {
	rows, err := tx.Query(`SELECT id FROM corrective_case WHERE token = $1`, digest)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var id string
	if rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return "", err
		}
	}
	return id, rows.Err()
}

// receiptsBetween are the receipts of the steps of nonconformities and incidents
// from a time to another, both included.
func receiptsBetween(tx *store.Tx, from, until time.Time) ([]string, error) {
	return idsOf(tx, `SELECT receipt FROM corrective_step WHERE kind IN ($1, $2) AND at >= $3 AND at <= $4`,
		string(NonconformityKind), string(IncidentKind), from.UnixMicro(), until.UnixMicro())
}

// ofCriterion are the nonconformities that a criterion raised, newest first.
func ofCriterion(tx *store.Tx, criterion string) ([]string, error) {
	return idsOf(tx, `SELECT id FROM corrective_case WHERE kind = $1 AND criterion = $2 ORDER BY id DESC`, string(NonconformityKind), criterion)
}

// idsOf reads one column of ids.
func idsOf(tx *store.Tx, text string, parameters ...any) ([]string, error) {
	rows, err := tx.Query(text, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
