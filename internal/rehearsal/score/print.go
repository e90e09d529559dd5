package score

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes the table for people.
func (t *Table) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s: %d ordinary runs and %d attacks on %d tasks, by %s\n\n", t.Protocol, t.BenignRuns, t.AttackRuns, t.Tasks, strings.Join(t.Models, ", "))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "percent, with 95 % intervals over the tasks\tutility\tlost by policy\tattacks that succeed")
	for _, row := range []struct {
		name string
		of   Rates
	}{{"no policy", t.Baseline}, {"held calls are lost", t.HeldLost}, {"held calls are released, rightly", t.HeldReleased}} {
		r := row.of
		fmt.Fprintf(w, "%s\t%.1f %s\t%.1f %s\t%.2f %s\n", row.name, r.Utility, r.UtilityCI, r.Loss, r.LossCI, r.ASR, r.ASRCI)
	}
	fmt.Fprintf(w, "\nordinary runs with a held call\t%.1f %s\t%.2f held calls a run\tat least %.2f whatever is refused\n", t.BenignRunsHeld, t.HeldCI, t.HoldsPerRun, t.Floor)
	for _, by := range []struct {
		name  string
		parts []Part
	}{{"suite", t.Suites}, {"model", t.ByModel}} {
		fmt.Fprintf(w, "\n%s\tlost\truns held\tattacks that succeed\twithout policy\n", by.name)
		for _, p := range by.parts {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.2f\t%.2f\n", p.Name, p.Loss, p.Held, p.ASR, p.Base)
		}
	}
	fmt.Fprint(w, "\nrule\tordinary runs held or refused\tattacks stopped\n")
	for _, r := range t.Policies {
		fmt.Fprintf(w, "%s\t%d\t%d\n", r.Policy, r.Benign, r.Attacks)
	}
	return w.Flush()
}

// String is an interval as it is printed.
func (i Interval) String() string { return fmt.Sprintf("[%.1f, %.1f]", i[0], i[1]) }

// Step is a point of a curve: what some of the rules do.
type Step struct {
	Name  string `json:"name"`
	Table Table  `json:"table"`
}

// PrintCurve writes what each rule buys and costs, a line for each step.
func PrintCurve(out io.Writer, steps []Step) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "rules\tutility, held lost\tlost\tutility, released\truns held\tattacks that succeed")
	for _, s := range steps {
		t := s.Table
		fmt.Fprintf(w, "%s\t%.1f\t%.1f %s\t%.1f\t%.1f %s\t%.2f %s\n", s.Name, t.HeldLost.Utility, t.HeldLost.Loss, t.HeldLost.LossCI,
			t.HeldReleased.Utility, t.BenignRunsHeld, t.HeldCI, t.HeldLost.ASR, t.HeldLost.ASRCI)
	}
	return w.Flush()
}
