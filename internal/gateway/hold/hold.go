// Package hold lets held calls wait for people, at every enforcement point
// alike: bounded in number and in time, and ended by a stop (ISO 42001 A.9.2).
// Who waits here has no connection with a server and no transaction open.
package hold

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
)

// Options bound who waits. Zero means the default.
type Options struct {
	// PerActor is how many calls of one actor may wait at a time. Default 16.
	PerActor int
	// All is how many calls may wait at a time, all together. Default 4096.
	All int
}

// Room is where held calls wait.
type Room struct {
	approvals *approval.Approvals
	o         Options
	ctx       context.Context
	end       context.CancelCauseFunc

	mu  sync.Mutex
	of  map[aims.Actor]int
	all int
}

// New makes a room for calls that wait for approvals.
func New(a *approval.Approvals, o Options) *Room {
	o.PerActor = cmp.Or(o.PerActor, 16)
	o.All = cmp.Or(o.All, 4096)
	r := &Room{approvals: a, o: o, of: map[aims.Actor]int{}}
	r.ctx, r.end = context.WithCancelCause(context.Background())
	return r
}

// ErrClosed is the cause of waits that a stop has ended.
var ErrClosed = errors.New("hold: the process is stopping")

// ErrFull says that too many calls wait, so that this one may not.
var ErrFull = errors.New("hold: too many calls wait")

// errPatience is the cause of a wait that took as long as it may.
var errPatience = errors.New("hold: nobody has decided yet")

// Wait returns the approval as soon as it is not pending any more, or as it is
// after d at the latest. It fails with ErrFull, ErrClosed or the cause of ctx.
// Nothing becomes of the approval by anybody having waited for it.
func (r *Room) Wait(ctx context.Context, actor aims.Actor, id string, d time.Duration) (approval.Request, error) {
	if !r.enter(actor) {
		return approval.Request{}, ErrFull
	}
	defer r.leave(actor)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.ctx, func() { cancel(ErrClosed) })()
	defer time.AfterFunc(d, func() { cancel(errPatience) }).Stop()
	got, err := r.approvals.Wait(ctx, id)
	switch {
	case err == nil || ctx.Err() == nil:
		return got, err
	case context.Cause(ctx) != errPatience:
		return got, context.Cause(ctx)
	}
	return r.approvals.Get(context.WithoutCancel(ctx), id)
}

// Get is the approval as it is now.
func (r *Room) Get(ctx context.Context, id string) (approval.Request, error) {
	return r.approvals.Get(ctx, id)
}

// Settled says what becomes of a held call whose approval is not pending any
// more: goesOn that it is to be decided again, otherwise cause and text why it
// is refused. A call whose approval ended unused is not decided again by itself,
// because that would ask people anew without anybody wanting it.
func Settled(r approval.Request) (goesOn bool, cause, text string) {
	switch r.State {
	case approval.Granted, approval.Void: // void: other policies are in force, which may not hold it
		return true, "", ""
	case approval.Denied:
		cause, text = "the held call was denied", "was denied"
	case approval.Used:
		cause, text = "the approval was used by another call", "released another call like this one. Make the same call again to ask anew"
	default:
		cause, text = "nobody released the held call in time", "ended before anybody released it. Make the same call again to ask anew"
	}
	return false, cause, "This request was held and not executed. Approval " + r.ID + " " + text + "."
}

func (r *Room) enter(a aims.Actor) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[a] >= r.o.PerActor || r.all >= r.o.All {
		return false
	}
	r.of[a]++
	r.all++
	return true
}

func (r *Room) leave(a aims.Actor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.of[a]--; r.of[a] == 0 {
		delete(r.of, a)
	}
}

// Waiting is how many calls wait.
func (r *Room) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Close ends all waits, and those that would begin.
func (r *Room) Close() { r.end(ErrClosed) }
