package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"aims/internal/enforcement"
	"aims/internal/inventory"
	"aims/internal/provenance"
	"aims/internal/rehearsal/trajectory"
	"aims/internal/session"
)

// recollection knows where the arguments of recorded calls came from. Results
// are recorded only in part, so that they cannot be searched again; prompts are
// recorded whole, and are.
type recollection struct {
	mu   sync.Mutex
	runs map[string]*recalled // by session
}

func newRecollection() *recollection { return &recollection{runs: map[string]*recalled{}} }

// recalled is a run that is replayed. One goroutine at a time uses it.
type recalled struct {
	run    *trajectory.Run
	call   int // that is decided
	prompt *provenance.Index
	read   []reading // of each earlier call
}

// reading is what the run read in answer to a call.
type reading struct {
	number int // of the result in the run; -1 when there was none
	labels []string
	args   []string // leaves of the call's arguments, as they are compared
}

func (r *recollection) begin(session string, run *trajectory.Run) *recalled {
	p := provenance.New(provenance.Limits{})
	p.Prompt(run.Prompt)
	recalled := &recalled{run: run, prompt: p}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[session] = recalled
	return recalled
}

func (r *recollection) end(session string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, session)
}

// of gives enforcement the origins of a call's arguments.
func (r *recollection) of(c enforcement.Call) enforcement.Origins {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.runs[c.Session]; run != nil {
		return run
	}
	return nil
}

// hears notes what the run read in answer to its next call.
func (r *recalled) hears(number int, labels []string, args json.RawMessage) {
	of := reading{number: number, labels: labels}
	walk(args, func(_, _, text string, _ json.RawMessage) { of.args = append(of.args, compared(text)) })
	r.read = append(r.read, of)
}

// Each implements enforcement.Origins.
func (r *recalled) Each(arguments json.RawMessage, visit func(path, text []byte, o provenance.Origin)) {
	walk(arguments, func(pointer, place, text string, value json.RawMessage) {
		visit([]byte(pointer), []byte(text), r.origin(place, text, value))
	})
}

// Implies implements enforcement.Origins.
func (r *recalled) Implies(l *provenance.Lexicon, action string) bool {
	return l.Implies(r.run.Prompt)[action]
}

// Names implements enforcement.Origins.
func (r *recalled) Names(l *provenance.Lexicon) map[string]bool { return l.Names(r.run.Prompt) }

func (r *recalled) origin(place, text string, value json.RawMessage) provenance.Origin {
	said := r.prompt.Of(value)
	o := provenance.Origin{User: said.User, UserHost: said.UserHost}
	for _, from := range r.run.Calls[r.call].Sources[place] {
		if from == trajectory.Prompt {
			continue
		}
		was := r.read[from]
		if was.number < 0 {
			continue
		}
		o.Result = true
		o.Results = append(o.Results, was.number)
		o.Labels = append(o.Labels, was.labels...)
		if session.Vouches(was.labels) && !echoes(was, text) {
			o.Exact = []string{inventory.Trusted}
		}
	}
	slices.Sort(o.Results)
	o.Labels = unique(o.Labels)
	o.MadeUp = !o.User && !o.Result
	return o
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// echoes says that a result had the value from the call that it answered.
func echoes(r reading, text string) bool {
	v := compared(text)
	return slices.ContainsFunc(r.args, func(arg string) bool { return strings.Contains(arg, v) })
}

// compared is a value as the recorded runs compare values.
func compared(text string) string {
	t := strings.ToLower(strings.TrimSpace(text))
	for _, scheme := range []string{"https://", "http://"} {
		t = strings.TrimPrefix(t, scheme)
	}
	return strings.TrimRight(strings.TrimPrefix(t, "www."), "/")
}

func quoted(text string) json.RawMessage {
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // a string always has a form in JSON
	}
	return b
}

// walk visits the leaves of arguments that are not empty and no booleans, each
// with its path as a JSON Pointer in which elements of arrays are "[]", and as the
// recorded runs write it: lines[0].to.
func walk(arguments json.RawMessage, visit func(pointer, place, text string, value json.RawMessage)) {
	decoder := json.NewDecoder(strings.NewReader(string(arguments)))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) == nil {
		walkValue(v, "", "", visit)
	}
}

func walkValue(v any, pointer, place string, visit func(pointer, place, text string, value json.RawMessage)) {
	switch v := v.(type) {
	case map[string]any:
		escape := strings.NewReplacer("~", "~0", "/", "~1", "[", "~2")
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at := name
			if place != "" {
				at = place + "." + name
			}
			walkValue(v[name], pointer+"/"+escape.Replace(name), at, visit)
		}
	case []any:
		for i := range v {
			walkValue(v[i], pointer+"/[]", fmt.Sprintf("%s[%d]", place, i), visit)
		}
	case string:
		if v != "" {
			visit(pointer, place, v, quoted(v))
		}
	case json.Number:
		visit(pointer, place, v.String(), json.RawMessage(v))
	}
}
