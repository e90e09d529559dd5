package session

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"aims/internal/ledger"
	"aims/internal/provenance"
	"aims/receipt"
)

// DirectoryLabel is the label of results that vouch for the values in them whatever
// other labels they have, such as those of a lookup in the organisation's own address book.
const DirectoryLabel = "directory"

// Vouches says whether a result with these labels speaks for the values in it:
// nobody outside can have written it, and it could be looked into.
func Vouches(labels []string) bool {
	strange := func(l string) bool { return l == "untrusted" || l == "unchecked" || l == "hidden-unicode" }
	return slices.Contains(labels, DirectoryLabel) || !slices.ContainsFunc(labels, strange)
}

// vouching marks, in the index only, the results that vouch. No label is like it.
const vouching = " vouches"

// knowledge is what a run was told and has read, as far as it is in memory.
// Before a call of the run is decided, it catches up with the run.
type knowledge struct {
	mu      sync.RWMutex
	run     string // id of the run that it is of
	index   *provenance.Index
	prompts []string
	wishes  *wishes // nil before they were asked for
	results int     // how many of the run's are in the index

	// arriving are results that were recorded and are not in the index yet, by their
	// positions, so that they need not be read from the vault.
	arrivals sync.Mutex
	arriving map[int]arrival
	waiting  int // bytes of these
	bytes    atomic.Int64
	// absorbing says that somebody is about to put them there.
	absorbing atomic.Bool
}

// arrival is a result of a run.
type arrival struct {
	run string
	Content
}

// maxArriving bounds what waits to be put into the index of one run, in bytes.
const maxArriving = 4 << 20

// Origins say where values of a run's calls came from. They are as of the
// results and prompts that were recorded when the view was made.
type Origins struct {
	known  *knowledge
	run    *Run
	others uint64 // memory.others then
	// elsewhere are the labels of what the run got that did not pass here, or was too much.
	elsewhere []string
}

// Origins are those of a run that the view was asked for. The index is built
// from the vault where memory does not have it.
func (v *View) Origins(r *Run) (*Origins, error) {
	m := v.s.memory
	_, e, err := m.get(v.ctx, r.Key.name())
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	others := m.others
	m.mu.Unlock()
	o := &Origins{known: e.known, run: r, others: others, elsewhere: r.elsewhere()}
	if err := v.s.catchUp(v.ctx, e.known, r); err != nil {
		return nil, err
	}
	m.weighed(r.Key.name(), e)
	return o, nil
}

// Hold says whether origins hold for the run as it is at a place in the log. A
// result that this process recorded since has not reached the agent when the
// call came, so nothing in it is from there; one that another process
// recorded may have.
func (t *Tx) Hold(o *Origins, now *Run) bool {
	if o.run.ID != "" && o.run.ID != now.ID || len(o.run.Prompts) != len(now.Prompts) {
		return false
	}
	if len(o.run.Results) == len(now.Results) {
		return true
	}
	t.s.memory.mu.Lock()
	defer t.s.memory.mu.Unlock()
	return t.s.memory.others == o.others
}

// Each says of every value in an argument, a JSON document, where it came
// from. path is as in provenance.Index.Each.
func (o *Origins) Each(argument json.RawMessage, visit func(path, text []byte, from provenance.Origin)) {
	o.known.mu.RLock()
	defer o.known.mu.RUnlock()
	o.known.index.Each(argument, func(path, text []byte, from provenance.Origin) { visit(path, text, o.unread(from)) })
}

// unread adds what the index cannot know: a value that is not the user's may be
// from a call whose result does not pass here, or from what was too much.
func (o *Origins) unread(from provenance.Origin) provenance.Origin {
	from.Labels = slices.DeleteFunc(from.Labels, func(l string) bool { return l == vouching })
	if from.User || !from.Result && !from.MadeUp && !from.Composed || len(o.run.Unreported)+len(o.run.Overflow) == 0 {
		return from
	}
	labels := slices.Concat(from.Labels, o.elsewhere)
	slices.Sort(labels)
	from.Result = true
	from.Labels = slices.Compact(labels)
	return from
}

// elsewhere are the labels of the results that no index has.
func (r *Run) elsewhere() (labels []string) {
	add := func(more []string) {
		for _, l := range more {
			if l != "" && !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	add(r.Overflow)
	for _, u := range r.Unreported {
		add(u.Labels)
	}
	return labels
}

// Implies says whether the user's prompts ask for a tool.
func (o *Origins) Implies(l *provenance.Lexicon, action string) bool {
	return o.wishes(l).tools[action]
}

// Names are those of people and things that the user's prompts have. They must not be changed.
func (o *Origins) Names(l *provenance.Lexicon) map[string]bool { return o.wishes(l).names }

func (o *Origins) wishes(l *provenance.Lexicon) *wishes {
	k := o.known
	k.mu.RLock()
	prompts, w := k.prompts, k.wishes
	k.mu.RUnlock()
	if w == nil || w.lexicon != l || w.prompts != len(prompts) {
		w = &wishes{lexicon: l, prompts: len(prompts), tools: map[string]bool{}, names: map[string]bool{}}
		for _, p := range prompts {
			for tool, implied := range l.Implies(p) {
				if implied {
					w.tools[tool] = true
				}
			}
			maps.Copy(w.names, l.Names(p))
		}
		k.mu.Lock()
		k.wishes = w
		k.mu.Unlock()
	}
	return w
}

// wishes are what the prompts of a run ask for, and whom they name. They are never changed.
type wishes struct {
	lexicon *provenance.Lexicon
	prompts int
	tools   map[string]bool
	names   map[string]bool
}

// Content is what a result holds, to be kept at hand until it is in the index.
type Content struct{ text, arguments []byte }

// ContentOf copies a result and, where they matter, the arguments of its call.
func ContentOf(text, arguments []byte, labels []string) Content {
	c := Content{text: bytes.Clone(text)}
	if Vouches(labels) {
		c.arguments = bytes.Clone(arguments)
	}
	return c
}

// Handed puts results of a run that were recorded into its index. While the
// agent thinks, there is time for that.
func (s *Sessions) Handed(k Key) {
	m := s.memory
	m.mu.Lock()
	e, ok := m.entries[k.name()]
	m.mu.Unlock()
	if !ok || !e.known.absorbing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		e.known.absorbing.Store(false)
		m.mu.Lock()
		r, _ := e.value.(*Run)
		m.mu.Unlock()
		if r != nil {
			e.known.absorb(r)
			m.weighed(k.name(), e)
		}
	}()
}

// arrive takes a result that stands at a position of a run. What there is no
// room for is read from the vault when it is needed.
func (k *knowledge) arrive(position int, a arrival) {
	k.arrivals.Lock()
	defer k.arrivals.Unlock()
	if k.waiting+len(a.text) > maxArriving {
		return
	}
	if k.arriving == nil {
		k.arriving = map[int]arrival{}
	}
	k.waiting += len(a.text) - len(k.arriving[position].text)
	k.arriving[position] = a
}

func (k *knowledge) arrived(run string, position int) (arrival, bool) {
	k.arrivals.Lock()
	defer k.arrivals.Unlock()
	a, ok := k.arriving[position]
	k.waiting -= len(a.text)
	delete(k.arriving, position)
	return a, ok && a.run == run
}

// begin makes the knowledge that of a run, which is empty as long as the index is.
func (k *knowledge) begin(r *Run) {
	if k.index != nil && k.run == r.ID {
		return
	}
	k.run, k.prompts, k.wishes, k.results = r.ID, nil, nil, 0
	k.index = provenance.New(provenance.Limits{Exact: []string{vouching}})
}

// absorb puts into the index what has arrived of what is next.
func (k *knowledge) absorb(r *Run) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.index == nil || k.run != r.ID {
		return
	}
	for k.results < len(r.Results) {
		a, ok := k.arrived(r.ID, k.results)
		if !ok {
			return
		}
		k.add(r.Results[k.results], a.text, a.arguments)
	}
	k.weigh()
}

// catchUp puts into the index all that a run was told and has read.
func (s *Sessions) catchUp(ctx context.Context, k *knowledge, r *Run) error {
	k.mu.RLock()
	current := k.index != nil && k.run == r.ID && len(k.prompts) >= len(r.Prompts) && k.results >= len(r.Results)
	k.mu.RUnlock()
	if current {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begin(r)
	for len(k.prompts) < len(r.Prompts) {
		text, err := s.vault(ctx, r.Prompts[len(k.prompts)], receipt.InputPayload)
		if err != nil {
			return err
		}
		k.prompts = append(k.prompts[:len(k.prompts):len(k.prompts)], string(text))
		k.index.Prompt(string(text))
	}
	for k.results < len(r.Results) {
		result := r.Results[k.results]
		a, ok := k.arrived(r.ID, k.results)
		if !ok {
			var err error
			if a, err = s.recall(ctx, result); err != nil {
				return err
			}
		}
		k.add(result, a.text, a.arguments)
	}
	k.weigh()
	return nil
}

// add puts the next result into the index; without its text it cannot be seen.
func (k *knowledge) add(result Result, text, arguments []byte) {
	n := k.results
	k.results++
	if len(text) == 0 {
		k.index.Unseen(n, result.Labels)
		return
	}
	if len(arguments) > 0 {
		k.index.Asked(n, arguments)
	}
	labels := result.Labels
	if result.vouches() {
		labels = append(labels[:len(labels):len(labels)], vouching)
	}
	k.index.Result(n, labels, text)
}

func (k *knowledge) weigh() {
	n := int64(k.index.Bytes())
	for _, p := range k.prompts {
		n += int64(len(p))
	}
	k.bytes.Store(n)
}

// recall reads a result, and the arguments where they matter, from the vault.
func (s *Sessions) recall(ctx context.Context, result Result) (a arrival, err error) {
	if result.Receipt < 0 {
		return arrival{}, nil
	}
	if a.text, err = s.vault(ctx, result.Receipt, receipt.ResultPayload, receipt.InputPayload); err != nil {
		return arrival{}, err
	}
	if result.vouches() && result.Decision >= 0 {
		a.arguments, err = s.vault(ctx, result.Decision, receipt.InputPayload)
	}
	return a, err
}

// vouches says whether values in the result are trusted.
func (r Result) vouches() bool { return Vouches(r.Labels) }

// vault is the first payload of a receipt that has one of the names; nil when
// it is erased.
func (s *Sessions) vault(ctx context.Context, index int64, names ...string) ([]byte, error) {
	stored, err := s.ledger.Payloads(ctx, uint64(index))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(stored, func(p ledger.Stored) bool { return !p.Erased && slices.Contains(names, p.Name) })
	if i < 0 {
		return nil, nil
	}
	return stored[i].Data, nil
}
