package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() []Row {
	return []Row{
		Row{Name: "decision, 10 policies", Value: 1.6249, Unit: "µs"},
		Row{Name: "receipts", Value: 61208.4, Unit: "receipts/s"}.withRatio(0.777).ratioAtLeast(0.65),
		Row{Name: "p99", Value: 4.07, Unit: "ms"}.valueAtMost(4),
	}
}

func TestTableAlignsAndMarksWhatFails(t *testing.T) {
	var out bytes.Buffer
	host := machine{cpu: "Some CPU", sync: 174 * time.Microsecond}
	if err := writeTable(&out, host, sample()); err != nil {
		t.Fatal(err)
	}
	head, table, _ := strings.Cut(out.String(), "\n\n")
	for _, want := range []string{"Some CPU", "cores", "go1.", "p50 0.174 ms"} {
		if !strings.Contains(head, want) {
			t.Errorf("the head %q does not say %q", head, want)
		}
	}
	want := `measure                value  unit        ratio  bound          holds
decision, 10 policies   1.62  µs
receipts               61208  receipts/s  0.777  ratio >= 0.65  yes
p99                     4.07  ms                 value <= 4     NO
`
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// The shape of the JSON is what other programs read: every key in every row.
func TestRowsHaveExactlyTheirKeys(t *testing.T) {
	b, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "decision, 10 policies", "value": 1.6249, "unit": "µs", "ratio": nil, "bound": nil, "holds": nil},
		{"name": "receipts", "value": 61208.4, "unit": "receipts/s", "ratio": 0.777, "bound": "ratio >= 0.65", "holds": true},
		{"name": "p99", "value": 4.07, "unit": "ms", "ratio": nil, "bound": "value <= 4", "holds": false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestBoundsHoldAtTheirLimitAndNotBeyond(t *testing.T) {
	at := func(value, ratio float64) Row { return Row{Value: value}.withRatio(ratio) }
	for _, c := range []struct {
		name string
		row  Row
		want bool
	}{
		{"value at most its limit", at(6, 1).valueAtMost(6), true},
		{"value above its limit", at(6.001, 1).valueAtMost(6), false},
		{"value at least its limit", at(2500, 1).valueAtLeast(2500), true},
		{"value below its limit", at(2499, 1).valueAtLeast(2500), false},
		{"ratio at most its limit", at(0, 1.2).ratioAtMost(1.2), true},
		{"ratio above its limit", at(0, 1.21).ratioAtMost(1.2), false},
		{"ratio at least its limit", at(0, 0.65).ratioAtLeast(0.65), true},
		{"ratio below its limit", at(0, 0.64).ratioAtLeast(0.65), false},
		{"a value that is no number", at(math.NaN(), 1).valueAtMost(6), false},
		{"a ratio that is no number", at(0, math.NaN()).ratioAtLeast(0.65), false},
	} {
		if *c.row.Holds != c.want || allHold([]Row{c.row}) != c.want {
			t.Errorf("%s: holds is %v, want %v", c.name, *c.row.Holds, c.want)
		}
	}
}
