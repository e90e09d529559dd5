package hindsight

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aims/receipt"

	"github.com/cedar-policy/cedar-go"
)

const (
	// maxExamples bounds the receipts that are named for a line.
	maxExamples = 3
	// mostValues is how many different texts an argument may have had to be
	// listed, and oftenEnough how many calls each must stand for on average: what
	// hardly repeats is data, not a choice.
	mostValues  = 8
	oftenEnough = 3
)

// usedTool is what was done with one tool for a purpose.
type usedTool struct {
	action      string
	resource    receipt.Object
	calls       uint64
	first, last time.Time
	receipts    []string
	agents      map[string]string // id → an example
	arguments   map[string]*usedArgument
}

// usedArgument is what one argument was.
type usedArgument struct {
	given uint64
	// values are the texts and flags that it had, each with an example; nil once there were
	// too many or of another type.
	values map[cedar.Value]string
	many   bool
	// largest is the largest number, with its receipt; nil for other types.
	largest  cedar.Value
	largeIn  string
	negative bool
	// sink: it is one; vouched: every value of it came from the user, the
	// trusted directory or earlier work.
	sink, unvouched bool
	kind            string
}

func (t *usedTool) argument(name string) *usedArgument {
	a := t.arguments[name]
	if a == nil {
		a = &usedArgument{values: map[cedar.Value]string{}}
		t.arguments[name] = a
	}
	return a
}

func (a *usedArgument) see(v cedar.Value, id string) {
	a.given++
	switch v := v.(type) {
	case cedar.Long:
		if old, ok := a.largest.(cedar.Long); a.largest == nil || ok && v > old {
			a.largest, a.largeIn = v, id
		}
		a.negative = a.negative || v < 0
		a.many = true
	case cedar.Decimal:
		if old, ok := a.largest.(cedar.Decimal); a.largest == nil || ok && v.Compare(old) > 0 {
			a.largest, a.largeIn = v, id
		}
		a.many = true
	case cedar.String, cedar.Boolean:
		if _, known := a.values[v]; known || a.many {
			return
		}
		if len(a.values) == mostValues {
			a.many = true
			return
		}
		a.values[v] = id
	default:
		a.many = true
	}
}

func (a *usedArgument) vouch(kind string) {
	a.sink = true
	if kind == "" {
		a.unvouched = true
	} else {
		a.kind = kind
	}
}

// write writes the tool's permit.
func (t *usedTool) write(b *strings.Builder, purpose string) {
	fmt.Fprintf(b, "\n// %d calls from %s to %s, such as %s\n", t.calls,
		t.first.UTC().Format(time.DateOnly), t.last.UTC().Format(time.DateOnly), strings.Join(t.receipts, ", "))
	fmt.Fprintf(b, "@id(%s)\n@reason(%s)\n@control(\"A.9.2,A.9.4\")\n",
		quoted("mined-"+purpose+"-"+t.action), quoted("recorded work of the purpose "+purpose))
	agents := slices.Sorted(maps.Keys(t.agents))
	principal := "principal is Agent"
	if len(agents) == 1 {
		principal = "principal == Agent::" + quoted(agents[0])
	}
	fmt.Fprintf(b, "permit (%s, action == Action::%s, resource == %s::%s)\nwhen {\n    context.session.purpose == %s",
		principal, quoted(t.action), t.resource.Type, quoted(t.resource.ID), quoted(purpose))
	if len(agents) > 1 {
		var list, examples []string
		for _, id := range agents {
			list = append(list, "Agent::"+quoted(id))
			examples = append(examples, t.agents[id])
		}
		t.condition(b, "principal in ["+strings.Join(list, ", ")+"]", examples)
	}
	for _, name := range slices.Sorted(maps.Keys(t.arguments)) {
		t.narrow(b, name, t.arguments[name])
	}
	b.WriteString("\n};\n")
}

// condition adds a line with the receipts that justify it.
func (t *usedTool) condition(b *strings.Builder, text string, receipts []string) {
	fmt.Fprintf(b, " &&\n    // %s\n    %s", strings.Join(receipts[:min(len(receipts), maxExamples)], ", "), text)
}

// narrow adds what an argument was always like.
func (t *usedTool) narrow(b *strings.Builder, name string, a *usedArgument) {
	if a.sink && !a.unvouched {
		t.condition(b, fmt.Sprintf("(if context.provenance has %[1]s then ![\"untrusted\", \"made_up\"].contains(context.provenance[%[1]s].class) else true)", quoted(name)), t.receipts)
	}
	argument := "context.input[" + quoted(name) + "]"
	switch {
	case a.given == 0:
	case !a.many && t.calls >= uint64(oftenEnough*len(a.values)):
		var values, examples []string
		for _, v := range slices.SortedFunc(maps.Keys(a.values), compareText) {
			values = append(values, string(v.MarshalCedar()))
			examples = append(examples, a.values[v])
		}
		t.condition(b, t.optional(name, a, "["+strings.Join(values, ", ")+"].contains("+argument+")"), examples)
	case a.largest != nil && !a.negative:
		limit := argument + " <= " + string(a.largest.MarshalCedar())
		if _, ok := a.largest.(cedar.Decimal); ok {
			limit = argument + ".lessThanOrEqual(" + string(a.largest.MarshalCedar()) + ")"
		}
		t.condition(b, t.optional(name, a, limit), []string{a.largeIn})
	}
}

func compareText(a, b cedar.Value) int {
	return strings.Compare(string(a.MarshalCedar()), string(b.MarshalCedar()))
}

// optional guards a condition on an argument that some calls did without.
func (t *usedTool) optional(name string, a *usedArgument, condition string) string {
	has := "context.input has " + quoted(name)
	if a.given < t.calls {
		return "(!(" + has + ") || " + condition + ")"
	}
	return has + " && " + condition
}

// quoted is a text as Cedar writes it.
func quoted(s string) string { return string(cedar.String(s).MarshalCedar()) }
