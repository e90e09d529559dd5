// Package session keeps what is known of a run: its purpose, what it has read,
// spent and been refused, where the values of its arguments came from (ISO 42001
// A.9.4, OWASP ASI01). docs/session.md says how, and within which bounds.
package session

import (
	"cmp"
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"

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
	return store.Schema{Name: "session", Migrations: files}
}

// Options tune Sessions. The zero value of a bound means its default.
type Options struct {
	Now func() time.Time
	// Memory bounds what is kept in memory of all runs, in bytes; 0 for 256 MiB.
	Memory int64
	// DefaultEnds is the idle time after which the run of calls without a
	// session ends; 0 for 30 minutes. KeepNamed is that after which a named run is
	// forgotten; 0 for seven days.
	DefaultEnds, KeepNamed time.Duration
	// MaxDepth bounds delegation; 0 for 5.
	MaxDepth int
	// Log is told what could not be done; nil for no log.
	Log *slog.Logger
}

// Sessions are the runs of an installation. It is safe for concurrent use.
type Sessions struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options
	sql    statements
	memory *memory
}

// Open puts runs over the tables of Schema, and beside the log whose receipts
// change them. A ledger takes one.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Sessions, error) {
	o.Memory = cmp.Or(o.Memory, 256<<20)
	o.DefaultEnds = cmp.Or(o.DefaultEnds, 30*time.Minute)
	o.KeepNamed = cmp.Or(o.KeepNamed, 7*24*time.Hour)
	o.MaxDepth = cmp.Or(o.MaxDepth, 5)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Sessions{db: db, ledger: log, o: o, memory: newMemory(db, o.Log, o.Memory)}
	if err := s.sql.prepare(ctx, db, s.memory); err != nil {
		return nil, err
	}
	s.memory.tables = [kinds]tables{runs: runTables{&s.sql}, uses: useTables{}, known: knownTables{}, budgets: budgetTables{&s.sql}, trust: trustTables{}}
	if err := s.memory.open(ctx); err != nil {
		return nil, err
	}
	log.Accompany(s.memory)
	return s, nil
}

// Held is the memory that is in use for what is known, in bytes, about.
func (s *Sessions) Held() int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.bytes
}

// View reads what is known, and remembers what it has read. One is made for
// each decision; it is not for concurrent use.
type View struct {
	s      *Sessions
	ctx    context.Context // of reading outside of a transaction
	inside bool
	now    time.Time
	read   []reading
}

// reading is a state that a View has used.
type reading struct {
	name
	version uint64
	ended   bool
}

// View is what is known as last committed. It reads tables only where memory
// has nothing; ctx bounds that.
func (s *Sessions) View(ctx context.Context) *View {
	return &View{s: s, ctx: ctx, now: s.o.Now()}
}

// Tx is what is known within a change, at its place in the log, and how it is changed.
type Tx struct{ View }

// Within is what is known within a function that the ledger runs.
func (s *Sessions) Within(tx *store.Tx) *Tx {
	return &Tx{View{s: s, inside: true, now: tx.Now.UTC()}}
}

func (v *View) get(n name) (held, error) {
	var h held
	var err error
	if v.inside {
		h, err = v.s.memory.at(n)
	} else {
		h, _, err = v.s.memory.get(v.ctx, n)
	}
	return h, err
}

func (v *View) note(n name) (held, error) {
	h, err := v.get(n)
	if err == nil {
		v.read = append(v.read, reading{name: n, version: h.version})
	}
	return h, err
}

// Run is what is known of a run; one that is not known, or has ended, is at
// its beginning.
func (v *View) Run(k Key) (*Run, error) {
	h, err := v.note(k.name())
	if err != nil {
		return nil, err
	}
	r, ended := v.current(k, h)
	v.read[len(v.read)-1].ended = ended
	return r, nil
}

func (v *View) current(k Key, h held) (r *Run, ended bool) {
	r, _ = h.value.(*Run)
	if r == nil || v.s.idle(r, v.now) {
		return &Run{Key: k}, r != nil
	}
	return r, false
}

// Uses are what a purpose of an actor has used.
func (v *View) Uses(actor, purpose string) (*Uses, error) {
	if purpose == "" {
		return nil, nil
	}
	h, err := v.note(name{uses, actor, purpose})
	u, _ := h.value.(*Uses)
	return u, err
}

// Others is how many purposes other than the given one, of whatever agent, have
// used a value; of many purposes a few are counted.
func (v *View) Others(of Use, purpose string) (int, error) {
	h, err := v.note(name{known, of.Kind, of.Value})
	p, _ := h.value.(purposesOf)
	return p.others(purpose), err
}

// Trusted is the trusted directory.
func (v *View) Trusted() (*Directory, error) {
	h, err := v.note(name{kind: trust})
	d, _ := h.value.(*Directory)
	return d, err
}

// Same says whether everything that an earlier view has read is at this place
// of the log as it was then.
func (t *Tx) Same(earlier *View) (bool, error) {
	for _, r := range earlier.read {
		h, err := t.get(r.name)
		if err != nil {
			return false, err
		}
		if h.version != r.version {
			return false, nil
		}
		if r.kind == runs {
			if _, ended := t.current(Key{r.a, r.b}, h); ended != r.ended {
				return false, nil
			}
		}
	}
	return true, nil
}

// change gives a run its next state.
func (t *Tx) change(k Key, do func(*Run)) error {
	h, err := t.get(k.name())
	if err != nil {
		return err
	}
	r, _ := t.current(k, h)
	next := r.next(t.now)
	do(next)
	t.s.memory.set(k.name(), next)
	return nil
}

// Called counts a decided call of a tool. acts says that the caller performs
// it by itself, so that a result with these labels reaches it unseen.
func (t *Tx) Called(k Key, action string, allowed, acts bool, labels []string) error {
	return t.change(k, func(r *Run) {
		r.called(action, allowed)
		if acts && allowed {
			r.acts(labels)
		}
	})
}

// Acts notes an allowed call, of something else than a tool, that the caller performs by itself.
func (t *Tx) Acts(k Key, labels []string) error {
	return t.change(k, func(r *Run) { r.acts(labels) })
}

// Read notes what a run was handed out in answer to the decision at an index.
// kept says whether the receipt that is being made has the content in the
// vault, which is c; otherwise any value may be from it.
func (t *Tx) Read(k Key, decision uint64, labels []string, kept bool, c Content) error {
	return t.change(k, func(r *Run) {
		position := len(r.Results)
		if r.read(decision, labels, kept); kept && len(r.Results) > position {
			t.s.memory.arrive(arrivalAt{k.name(), position, arrival{r.ID, c}})
		}
	})
}

// Used remembers what a run used for a purpose.
func (t *Tx) Used(k Key, purpose string, used []Use) error {
	h, err := t.get(k.name())
	if err != nil {
		return err
	}
	r, _ := t.current(k, h)
	n := name{uses, k.Actor, purpose}
	if h, err = t.get(n); err != nil {
		return err
	}
	before, _ := h.value.(*Uses)
	next := before.with(cmp.Or(r.ID, k.Session), used)
	if next == before {
		return nil
	}
	t.s.memory.set(n, next)
	for _, u := range used {
		if err := t.known(u, purpose); err != nil {
			return err
		}
	}
	return nil
}

// known remembers that a purpose used a value. That it used a tool is of no
// use to others.
func (t *Tx) known(u Use, purpose string) error {
	if u.Kind == ToolUse {
		return nil
	}
	n := name{known, u.Kind, u.Value}
	h, err := t.get(n)
	if err != nil {
		return err
	}
	before, _ := h.value.(purposesOf)
	if next := before.with(purpose); len(next) > len(before) {
		t.s.memory.set(n, next)
	}
	return nil
}
