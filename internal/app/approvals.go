package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/gateway/hold"
	"aims/internal/ledger"
	"aims/internal/notify"
	"aims/internal/store"
)

// announceInterval is how long a held call may wait before people are told.
const announceInterval = time.Second

func (a *App) openApprovals() {
	a.openNotifier()
	a.approvals = approval.New(a.db, a.ledger, approval.Options{
		Expiry: time.Duration(a.cfg.Approvals.Expiry), MaxOpen: int(a.cfg.Approvals.MaxOpenPerAgent), Policy: a.policyInForce, Holds: a.stillHolds, Refresh: a.directory.Refresh, Now: a.now, Log: a.log,
	})
	a.held = hold.New(a.approvals, hold.Options{})
}

// stillHolds says whether a person who voted in a role could do so again.
func (a *App) stillHolds(person, role string) bool {
	return a.directory.Holds(aims.Actor{Type: aims.PersonType, ID: person}, role)
}

// policyInForce is the digest of the active set, empty for none.
func (a *App) policyInForce() string {
	if set := a.policies.Active(); set != nil {
		return set.Digest()
	}
	return ""
}

func (a *App) expireApprovals(ctx context.Context) {
	if _, err := a.approvals.Expire(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("approvals that are over could not be settled; nobody can use them", "error", err)
	}
}

func (a *App) announceApprovals(ctx context.Context) {
	_, err := a.approvals.Announce(ctx, func(r approval.Request) { a.notifier.Send(a.messageOf(r)) })
	if err != nil && ctx.Err() == nil {
		a.log.Error("people could not be told of approvals that wait", "error", err)
	}
}

// forgetApprovals removes the requests, with their arguments, that are older
// than payloads are kept.
func (a *App) forgetApprovals(ctx context.Context) {
	_, err := a.approvals.Forget(ctx, a.now().Add(-time.Duration(a.cfg.Retention.Payloads)))
	if err != nil && ctx.Err() == nil {
		a.log.Error("approvals past their retention could not be removed", "error", err)
	}
}

// messageOf says to people what waits for them: who, what, why, with which
// arguments, until when, and how to answer.
func (a *App) messageOf(r approval.Request) notify.Message {
	why, arguments := r.Parts()
	who := r.Agent
	if r.Operator != "" {
		who += ", operated by " + r.Operator
	}
	if r.OnBehalfOf != "" {
		who += ", for " + r.OnBehalfOf
	}
	if r.Purpose != "" {
		who += ", purpose " + r.Purpose
	}
	link := hold.URL(a.cfg.PublicURL, r.ID)
	var b strings.Builder
	for _, line := range []string{
		"who:   " + who,
		"what:  " + r.Action,
		"needs: " + strings.Join(r.Remaining(), ", "),
		"until: " + r.Expires.UTC().Format("2006-01-02 15:04:05Z"),
	} {
		b.WriteString(approval.Visible(line) + "\n")
	}
	fmt.Fprintf(&b, "%s\n\nlook:  %s\n       aims approvals show %s\ngrant: aims approvals grant %s\ndeny:  aims approvals deny %s", why, link, r.ID, r.ID, r.ID)
	return notify.Message{
		ID: aims.NewID("msg"), Kind: "approval.requested", Time: a.now(), About: r.ID, Roles: r.Remaining(), Link: link,
		Subject: approval.Visible(r.Agent + " asks for approval: " + r.Action), Text: b.String(), Details: arguments,
	}
}

// fireApproval opens a request and tries to use it, which must fail, and takes
// everything back.
func (a *App) fireApproval(ctx context.Context) (string, error) {
	var refusal error
	taken := errors.New("taken back")
	_, err := a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		b := approval.Binding{Agent: "self-check", Action: "self-check", Input: "sha256:", Policy: "self-check"}
		r, err := a.approvals.OpenIn(tx, approval.Request{Binding: b, Roles: []string{"admin"}, Decision: "self-check"})
		if err != nil {
			return ledger.Entry{}, err
		}
		refusal = a.approvals.UseIn(tx, r.ID, b)
		return ledger.Entry{}, taken
	})
	if !errors.Is(err, taken) {
		return "", fmt.Errorf("a request for approval was answered with: %w", orNothing(err))
	}
	if code, text := aims.Public(refusal); refusal != nil && code == aims.Conflict {
		return text, nil
	}
	return "", fmt.Errorf("an approval that nobody gave was answered with: %w", orNothing(refusal))
}
