package lifecycle

import (
	"time"

	"context"
	"encoding/json"
	"errors"
	"slices"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/lifecycle/gate"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

// ReopenedEvent is the name of the receipt of an impact assessment that is due
// again, because an agent went beyond its bounds.
const ReopenedEvent = "assessment.reopened"

// mostCauses bounds the receipts that one version of an assessment can cause: a
// server that lists a thousand tools fills no disk.
const mostCauses = 20

// beyond is one agent beyond the bounds of one version of an assessment.
type beyond struct {
	assessment string
	Agent      string     `json:"agent"`
	Cause      gate.Cause `json:"cause"`
	Digest     string     `json:"digest"`
}

// Reopen looks for what is beyond the bounds of an approved impact assessment and
// is not in the log yet, and records it, once per cause. It costs little when the
// log has not grown.
func (l *Lifecycle) Reopen(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := l.p.Ledger.Size()
	if size == l.looked {
		return nil
	}
	var found []beyond
	err := l.p.Look(ctx, time.Time{}, func(s record.State, o *observed.Facts) error {
		for _, a := range s.Registers.Agents {
			found = append(found, l.beyond(s, o, a)...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range found {
		if err := l.reopen(ctx, b); err != nil {
			return err
		}
	}
	if len(found) == 0 { // else it is looked at once more, with these events
		l.looked = size
	}
	return nil
}

// beyond is what of one agent reopens its assessment and has not done so.
func (l *Lifecycle) beyond(s record.State, o *observed.Facts, a record.Agent) []beyond {
	x, ok := gate.Assessment(s.Registers, a.ID)
	if !ok {
		return nil
	}
	approved, ok := s.Approved("impact_assessment", x.ID)
	if known, _ := l.p.Inventory.Agent(a.ID); !ok || known.Stage == inventory.Retired {
		return nil
	}
	causes := append(gate.Beyond(a, x, o), gate.Seen(a.ID, x, o, approved.At)...)
	slices.Sort(causes)
	known := gate.Reopened(o, x)
	var found []beyond
	for _, c := range slices.Compact(causes) {
		told := slices.ContainsFunc(known, func(r observed.Reopening) bool { return r.Agent == a.ID && r.Cause == string(c) })
		if !told && len(known)+len(found) < mostCauses {
			found = append(found, beyond{assessment: x.ID, Agent: a.ID, Cause: c, Digest: approved.Digest})
		}
	}
	return found
}

// countReopened is how many causes have reopened assessments: one row, one receipt.
func countReopened(ctx context.Context, tx *store.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM lifecycle_reopened`).Scan(&n)
	return n, err
}

// errTold ends a change whose receipt another process has written.
var errTold = errors.New("lifecycle: it is in the log")

func (l *Lifecycle) reopen(ctx context.Context, b beyond) error {
	detail, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = l.p.Ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		done, err := tx.ExecContext(ctx, `INSERT INTO lifecycle_reopened (assessment, digest, agent, cause, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (assessment, digest, agent, cause) DO NOTHING`, b.assessment, b.Digest, b.Agent, string(b.Cause), tx.Now.UnixMicro())
		if err != nil {
			return ledger.Entry{}, err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return ledger.Entry{}, errors.Join(err, errTold)
		}
		body, err := receipt.Encode(receipt.Event{
			ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: ReopenedEvent,
			Object: receipt.Object{Type: "impact_assessment", ID: b.assessment}, Detail: detail,
		})
		return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
	})
	if err == nil {
		l.p.Log.Warn("an impact assessment is due again", "assessment", b.assessment, "agent", b.Agent, "because of", b.Cause)
	}
	if errors.Is(err, errTold) {
		return nil
	}
	return err
}
