package pdp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// InputError says which argument cannot be judged, and why. It holds no content
// of the arguments, so that it can be shown and recorded.
type InputError struct {
	// Argument is the path of the argument, such as order.lines[].price; empty
	// for the arguments as a whole.
	Argument string
	// Expected and Got are nouns, such as "an integer" and "a string".
	Expected, Got string
}

func (e *InputError) Error() string {
	where := "arguments"
	if e.Argument != "" {
		where = "argument " + e.Argument
	}
	return where + ": expected " + e.Expected + ", got " + e.Got
}

// maxElements bounds a set: Cedar's sets are open-addressed by hashes that an
// attacker can make collide, and then take quadratic time.
const maxElements = 10_000

// Has says whether requests for this action can be made: it is in the schema
// and is not just a group.
func (s *Set) Has(action string) bool {
	if s.model == nil {
		return false
	}
	_, ok := s.model.requests[action]
	return ok
}

// Input turns the JSON arguments of an action into context.input, typed as the
// schema says, and the names of what the schema does not have (sorted; those of
// nested members as paths), which is context.undeclared. Nothing is rounded or
// dropped: what cannot be carried over exactly is an *InputError. A null for an
// optional argument is its absence; no arguments at all are an empty object.
func (s *Set) Input(action string, arguments []byte) (types.Record, []string, error) {
	if !s.Has(action) {
		return types.Record{}, nil, fmt.Errorf("the schema has no action %q", action)
	}
	value := jsonValue{kind: jsonObject}
	if len(arguments) > 0 {
		var err error
		if value, err = parseJSON(arguments); err != nil {
			return types.Record{}, nil, &InputError{Expected: "JSON", Got: "something else (" + err.Error() + ")"}
		}
	}
	if value.kind == jsonNull {
		value = jsonValue{kind: jsonObject}
	}
	var t typer
	record, err := t.value(value, s.model.requests[action].input, "")
	if err != nil {
		return types.Record{}, nil, err
	}
	slices.Sort(t.undeclared)
	return record.(types.Record), slices.Compact(t.undeclared), nil
}

// Complete adds what the arguments contribute to a request's context: input
// and, where the action's schema has it, undeclared. The request's context
// holds everything else.
func (s *Set) Complete(req cedar.Request, arguments []byte) (cedar.Request, error) {
	action := string(req.Action.ID)
	if req.Action.Type != actionType {
		return req, fmt.Errorf("the schema has no action %s", req.Action)
	}
	input, undeclared, err := s.Input(action, arguments)
	if err != nil {
		return req, err
	}
	context := req.Context.Map()
	if context == nil {
		context = types.RecordMap{}
	}
	context[inputAttribute] = input
	if s.takesUndeclared(req.Action) {
		names := make([]types.Value, len(undeclared))
		for i, name := range undeclared {
			names[i] = types.String(name)
		}
		context[undeclaredAttribute] = types.NewSet(names...)
	}
	req.Context = types.NewRecord(context)
	return req, nil
}

// takesUndeclared says whether the action's context has the names that its
// schema does not.
func (s *Set) takesUndeclared(action types.EntityUID) bool {
	return s.model != nil && action.Type == actionType && s.model.requests[string(action.ID)].takesUndeclared
}

// unknown are the attributes of the action's context that follow from its input.
func (s *Set) unknown(action types.EntityUID) []types.String {
	if s.model == nil || action.Type != actionType {
		return nil
	}
	return s.model.requests[string(action.ID)].unknown
}

// typer turns JSON into Cedar values and gathers what has no place.
type typer struct {
	undeclared []string
}

func (t *typer) value(v jsonValue, s shape, path string) (types.Value, error) {
	if s.kind == unionShape {
		return t.choice(v, s, path)
	}
	if s.kind == foreignShape || v.kind != s.json() {
		return nil, mismatch(s, path, v.kind.String())
	}
	switch s.kind {
	case boolShape:
		return types.Boolean(v.flag), nil
	case setShape:
		return t.set(v, s, path)
	case recordShape:
		return t.record(v, s, path)
	}
	out, got := scalar(v.text, s.kind)
	if got != "" {
		return nil, mismatch(s, path, got)
	}
	return out, nil
}

// scalar reads a string or number of its kind; got says what is wrong with it.
func scalar(text string, kind shapeKind) (out types.Value, got string) {
	switch kind {
	case longShape:
		n, err := exactLong(text)
		return types.Long(n), sentence(err)
	case decimalShape:
		d, err := exactDecimal(text)
		return d, sentence(err)
	case datetimeShape:
		d, err := exactDatetime(text)
		return d, sentence(err)
	case durationShape:
		d, err := exactDuration(text)
		return d, sentence(err)
	case ipaddrShape:
		a, err := exactAddress(text)
		return a, sentence(err)
	}
	return types.String(text), ""
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (t *typer) record(v jsonValue, s shape, path string) (types.Value, error) {
	out := make(types.RecordMap, len(v.members))
	var seen twins
	for _, m := range v.members {
		at := below(path, m.name)
		f, declared := s.fields[m.name]
		if !declared {
			if name, ok := seen.of(s, m.name); ok {
				return nil, &InputError{Argument: below(path, name), Expected: "its name as it is declared", Got: "another in letter case"}
			}
			t.undeclared = append(t.undeclared, at)
			continue
		}
		if m.value.kind == jsonNull && f.optional {
			continue
		}
		member, err := t.value(m.value, f.shape, at)
		if err != nil {
			return nil, err
		}
		out[types.String(m.name)] = member
	}
	if len(out) < len(s.fields) {
		for _, name := range slices.Sorted(maps.Keys(s.fields)) {
			if _, given := out[types.String(name)]; !given && !s.fields[name].optional {
				return nil, mismatch(s.fields[name].shape, below(path, name), "nothing")
			}
		}
	}
	return types.NewRecord(out), nil
}

// twins finds the declared name that an undeclared one folds to. A server that
// matches names without regard to letter case, as encoding/json does, would
// read it as the declared argument, and so another call than the one judged.
type twins map[string]string

func (t *twins) of(s shape, name string) (declared string, ok bool) {
	if *t == nil {
		*t = make(twins, len(s.fields))
		for declared := range s.fields {
			(*t)[folded(declared)] = declared
		}
	}
	declared, ok = (*t)[folded(name)]
	return declared, ok
}

// folded is the same for names that strings.EqualFold calls equal: of all
// runes that fold to one another, the smallest.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (t *typer) set(v jsonValue, s shape, path string) (types.Value, error) {
	if len(v.elems) > maxElements {
		return nil, &InputError{Argument: path, Expected: fmt.Sprintf("at most %d elements", maxElements), Got: "more"}
	}
	elems := make([]types.Value, len(v.elems))
	for i, e := range v.elems {
		elem, err := t.value(e, *s.elem, path+"[]")
		if err != nil {
			return nil, err
		}
		elems[i] = elem
	}
	return types.NewSet(elems...), nil
}

// choice fills the one alternative of a union that takes the value's kind.
func (t *typer) choice(v jsonValue, s shape, path string) (types.Value, error) {
	for name, f := range s.fields {
		if f.json() != v.kind {
			continue
		}
		inner, err := t.value(v, f.shape, path)
		if err != nil {
			return nil, err
		}
		return types.NewRecord(types.RecordMap{types.String(name): inner}), nil
	}
	return nil, mismatch(s, path, v.kind.String())
}

func mismatch(s shape, path, got string) *InputError {
	return &InputError{Argument: path, Expected: expected(s), Got: got}
}

func expected(s shape) string {
	switch s.kind {
	case longShape:
		return "an integer of 64 bits"
	case decimalShape:
		return "a number with at most four decimal places"
	case datetimeShape:
		return "a date, or a date and time in whole milliseconds"
	case durationShape:
		return "an ISO 8601 duration of weeks, days, hours, minutes and seconds"
	case ipaddrShape:
		return "an IPv4 or IPv6 address"
	case foreignShape:
		return "nothing: arguments cannot have this type"
	case unionShape:
		kinds := map[string]bool{}
		for _, f := range s.fields {
			kinds[expected(f.shape)] = true
		}
		return strings.Join(slices.Sorted(maps.Keys(kinds)), " or ")
	}
	return s.json().String()
}

// exactAddress reads an address. An IPv4 address in the clothes of IPv6
// (::ffff:10.0.0.1) is refused: it would slip past a policy's range of IPv4
// addresses and still reach the IPv4 host.
func exactAddress(text string) (types.IPAddr, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return types.IPAddr{}, fmt.Errorf("another string")
	case addr.Zone() != "":
		return types.IPAddr{}, fmt.Errorf("an address with a zone")
	case addr.Is4In6():
		return types.IPAddr{}, fmt.Errorf("an IPv4 address written as IPv6")
	}
	return types.IPAddr(netip.PrefixFrom(addr, addr.BitLen())), nil
}
