package guards_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/internal/policy/guards"
	"aims/internal/policy/review"
	"aims/pdp"
)

func names() []string {
	var all []string
	for _, g := range guards.List() {
		all = append(all, g.Name)
	}
	return all
}

func prepare(t *testing.T, b *bundle.Bundle, tools ...pdp.Tool) policy.Reviewed {
	t.Helper()
	r, err := policy.Prepare(b, policy.Circumstances{Tools: tools})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustPass(t *testing.T, what string, b *bundle.Bundle, tools ...pdp.Tool) review.Report {
	t.Helper()
	report := prepare(t, b, tools...).Test()
	if report.Failed > 0 || len(report.Results) == 0 {
		t.Errorf("%s: %v", what, report.Failures())
	}
	return report
}

// Each guard stands alone, all stand together, and every rule is tried by a test.
func TestGuardsPassTheirTests(t *testing.T) {
	for _, name := range names() {
		b, err := guards.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if report := mustPass(t, name, b); len(report.Untested) > 0 {
			t.Errorf("%s: no test reaches %v", name, report.Untested)
		}
		if has := b.Meta.Budgets != nil; has != (name == "guard-budget") {
			t.Errorf("%s comes with budgets: %v", name, has)
		}
	}
	all, err := guards.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	mustPass(t, "all", all)
}

// A test of a guard fails when one of its rules is taken out: it would
// notice if somebody did.
func TestGuardsAreTestedForWhatTheyStop(t *testing.T) {
	for _, name := range names() {
		files, err := guards.Files(name)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(files, func(f bundle.File) bool { return f.Name == name+".cedar" })
		text := string(files[at].Text)
		for _, id := range strings.Split(text, "@id(")[1:] {
			rule, _, _ := strings.Cut(id, ";\n")
			without := slices.Clone(files)
			without[at].Text = []byte(strings.Replace(text, "@id("+rule+";\n", `@id("gone") forbid (principal == Agent::"nobody", action, resource);`, 1))
			b, err := bundle.New(without)
			if err != nil {
				t.Fatal(err)
			}
			if prepare(t, b).Test().Failed == 0 {
				t.Errorf("%s: no test misses the rule %.40s", name, rule)
			}
		}
	}
}

// Guards fit any installation: one without tools, and one whose tools they count.
func TestGuardsFitAnyTools(t *testing.T) {
	all, err := guards.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	bank := pdp.Tool{Server: "bank", Name: "transfer", InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"number"},"iban":{"type":"string"}},"required":["amount"]}`)}
	for name, tools := range map[string][]pdp.Tool{"none": {}, "some": {bank, {Server: "mail", Name: "send_message"}}} {
		mustPass(t, name, all, tools...)
		for _, f := range prepare(t, all, tools...).Check() {
			if f.Severity == review.Error || f.Severity == review.Warning && f.File != bundle.MetaFile {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}

// A guard says what it is about, why it refuses, which requirement it serves
// and which threat it meets, and every hold can be released.
func TestGuardsSayWhatTheyAre(t *testing.T) {
	all, err := guards.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guards.List() {
		if !strings.HasSuffix(g.About, ".") || !strings.Contains(g.Text, "@id(\""+g.Name+"\")") {
			t.Errorf("%s: %q", g.Name, g.About)
		}
	}
	for _, r := range prepare(t, all).Set.Rules() {
		if strings.HasPrefix(r.File, "guard-") && (r.Text == "" || len(r.Controls) == 0 || len(r.Threats) == 0 || r.Effect != "forbid") {
			t.Errorf("%s: %+v", r.Policy, r.Reason)
		}
	}
	if _, err := guards.Files("guard-sink", "guard-nothing"); err == nil {
		t.Error("an unknown guard is found")
	} else if code, _ := aims.Public(err); code != aims.NotFound {
		t.Errorf("%v", err)
	}
}
