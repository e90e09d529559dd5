package framework

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/iso42001"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func day(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// asOf is a day between the general application and the high-risk duties.
var asOf = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func everyState() map[string]State {
	states := map[string]State{}
	for _, r := range iso42001.Requirements() {
		states[r.ID] = State{"nothing_to_show", []string{"no record of " + r.ID}}
	}
	return states
}

func answered(role Role, class HighRisk) Answers {
	no := false
	return Answers{System: "clerk", Roles: []Role{role}, Prohibited: &no, HighRisk: class, Transparency: &no}
}

func act(t *testing.T, at time.Time, systems ...Answers) *View {
	t.Helper()
	v, err := Coverage("eu-ai-act", everyState(), systems, at)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func duty(t *testing.T, v *View, ref string) Duty {
	t.Helper()
	for _, d := range v.Systems[0].Duties {
		if d.Ref == ref {
			return d
		}
	}
	t.Fatalf("%s is not shown", ref)
	return Duty{}
}

func refs(s System) (out []string) {
	for _, d := range s.Duties {
		out = append(out, d.Ref)
	}
	return out
}

func TestConfidencesAreThoseOfTheFacts(t *testing.T) {
	total := map[iso42001.Confidence]int{}
	for _, f := range iso42001.Frameworks() {
		v, err := Coverage(string(f), everyState(), nil, asOf)
		if err != nil {
			t.Fatal(err)
		}
		shown := map[iso42001.Confidence]int{}
		for _, row := range v.Rows {
			for _, p := range row.Pairs {
				shown[p.Confidence]++
				if p.State != "nothing_to_show" || p.Title == "" || !cmp.Equal(p.Reasons, []string{"no record of " + p.Requirement}) || len(p.Sources) == 0 {
					t.Errorf("%s %s: %+v", f, row.Ref, p)
				}
			}
		}
		for _, c := range v.Confidences {
			total[c.Confidence] += c.Pairs
			if f != iso42001.EUAIAct && shown[c.Confidence] != c.Pairs {
				t.Errorf("%s: %d pairs are %s, the view says %d", f, shown[c.Confidence], c.Confidence, c.Pairs)
			}
		}
	}
	for _, c := range iso42001.Confidences() {
		if total[c.Confidence] != c.Pairs {
			t.Errorf("%s: %d over the four frameworks; the facts say %d", c.Confidence, total[c.Confidence], c.Pairs)
		}
	}
}

// TestEveryPairOfTheActCanBeSeen: what is hidden is hidden by answers, never
// lost.
func TestEveryPairOfTheActCanBeSeen(t *testing.T) {
	type key struct{ ref, requirement string }
	seen := map[key]bool{}
	yes := true
	for _, class := range []HighRisk{AnnexIII, NotHighRisk} {
		for _, role := range roles() {
			a := answered(role, class)
			a.Transparency, a.GPAI = &yes, true
			for _, d := range act(t, asOf, a).Systems[0].Duties {
				for _, p := range d.Pairs {
					seen[key{cmpOr(p.Ref, d.Ref), p.Requirement}] = true
				}
			}
		}
	}
	for _, ref := range iso42001.Reverse(iso42001.EUAIAct) {
		for _, p := range ref.Pairs {
			if !seen[key{p.Ref, p.Requirement}] {
				t.Errorf("no answers show %s × %s", p.Ref, p.Requirement)
			}
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestRulesAreThoseOfTheFacts(t *testing.T) {
	known := map[string]bool{}
	for _, a := range iso42001.Articles() {
		known[a.Ref] = true
		r, ok := rules()[a.Ref]
		if !ok {
			t.Errorf("%s has no rule", a.Ref)
		}
		if _, ok := addressees()[a.Addressee]; !ok {
			t.Errorf("%s: nobody reads the addressee %q", a.Ref, a.Addressee)
		}
		if a.From != a.FromAnnexI && r.need != highRisk && r.need != listedUse {
			t.Errorf("%s was deferred as a high-risk duty and is shown for other systems", a.Ref)
		}
		if a.Interpreted && r.need != highRisk && r.need != listedUse {
			t.Errorf("%s attaches to a classification that is not asked", a.Ref)
		}
	}
	for ref := range rules() {
		if !known[ref] {
			t.Errorf("a rule for %s, which the facts do not hold", ref)
		}
	}
}

// TestAnswersDecide attacks the view with every combination of answers: no
// duty may be seen by somebody whom it does not address or for a system to
// which it does not apply.
func TestAnswersDecide(t *testing.T) {
	providerOnly := map[string]bool{}
	for _, a := range iso42001.Articles() {
		if a.Addressee == "provider" || a.Addressee == "GPAI provider" {
			providerOnly[a.Ref] = true
		}
	}
	highOnly := map[string]bool{}
	for ref, r := range rules() {
		if r.need == highRisk || r.need == listedUse {
			highOnly[ref] = true
		}
	}
	for _, ref := range []string{"Art 9", "Art 12", "Art 14", "Art 17", "Art 26", "Art 27", "Art 43", "Art 72", "Art 73", "Annex IV"} {
		if !highOnly[ref] {
			t.Fatalf("%s is not held for a high-risk duty", ref)
		}
	}
	states := everyState()
	rapid.Check(t, func(t *rapid.T) {
		flip := func(name string) *bool { b := rapid.Bool().Draw(t, name); return &b }
		a := Answers{
			System: "x", Roles: rapid.SliceOfNDistinct(rapid.SampledFrom(roles()[:4]), 0, 4, rapid.ID[Role]).Draw(t, "roles"),
			Prohibited: flip("prohibited"), Transparency: flip("transparency"), GPAI: *flip("gpai"),
			HighRisk: rapid.SampledFrom([]HighRisk{AnnexI, AnnexIII, NotHighRisk}).Draw(t, "class"),
		}
		if len(a.Roles) == 0 {
			a.Roles = []Role{NoRole}
		}
		at := asOf.AddDate(0, 0, rapid.IntRange(-1000, 2000).Draw(t, "days"))
		v, err := Coverage("eu-ai-act", states, []Answers{a}, at)
		if err != nil {
			t.Fatal(err)
		}
		s := v.Systems[0]
		if len(s.Questions) != 0 || s.NotShown != len(iso42001.Articles())-len(s.Duties) {
			t.Fatalf("questions %v, %d shown and %d not", s.Questions, len(s.Duties), s.NotShown)
		}
		if a.any(NoRole) && len(s.Duties) != 0 {
			t.Errorf("no role, and duties %v", refs(s))
		}
		for _, d := range s.Duties {
			if providerOnly[d.Ref] && !a.any(Provider) {
				t.Errorf("%v sees %s, which addresses providers", a.Roles, d.Ref)
			}
			if highOnly[d.Ref] && a.HighRisk == NotHighRisk {
				t.Errorf("%s is shown for a system that is not high-risk", d.Ref)
			}
			if strings.Contains(d.Note, "Annex III systems") && a.HighRisk != AnnexIII {
				t.Errorf("%s is shown for %s", d.Ref, a.HighRisk)
			}
			if d.Ref == "Art 50" && (!*a.Transparency || !a.any(Provider, Deployer)) || (d.Ref == "Art 53" || d.Ref == "Art 55") && !a.GPAI {
				t.Errorf("%s is shown with %+v", d.Ref, a)
			}
			if (d.Applies != AppliesLater) != (at.Format(time.DateOnly) >= d.From) {
				t.Errorf("%s from %s on %s: %s", d.Ref, d.From, at, d.Applies)
			}
		}
	})
}

func TestWithoutAnswersThereAreQuestionsAndNoDuties(t *testing.T) {
	v := act(t, asOf)
	if len(v.Systems) != 1 || len(v.Systems[0].Duties) != 0 || len(v.Rows) != 0 {
		t.Fatalf("duties before any answer: %+v", v.Systems)
	}
	var ids []string
	for _, q := range v.Systems[0].Questions {
		ids = append(ids, q.ID)
	}
	if diff := cmp.Diff([]string{"role", "prohibited", "high_risk", "transparency"}, ids); diff != "" {
		t.Error(diff)
	}
	yes := true
	part := act(t, asOf, Answers{System: "clerk", Roles: []Role{Deployer}, HighRisk: AnnexIII, Prohibited: &yes}).Systems[0]
	if len(part.Questions) != 1 || part.Questions[0].ID != "transparency" || len(part.Duties) != 0 || len(part.Warnings) != 1 {
		t.Errorf("half answered: %+v", part)
	}
	none := act(t, asOf, Answers{System: "clerk", Roles: []Role{NoRole}}).Systems[0]
	if len(none.Questions) != 1 || none.Questions[0].ID != "prohibited" {
		t.Errorf("without a role there is one question left: %+v", none.Questions)
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		class    HighRisk
		ref      string
		at       string
		applies  Applies
		from     string
		replaced string
	}{
		{AnnexIII, "Art 9", "2026-08-02", AppliesLater, "2027-12-02", "2026-08-02"},
		{AnnexIII, "Art 9", "2027-12-01", AppliesLater, "2027-12-02", "2026-08-02"},
		{AnnexIII, "Art 9", "2027-12-02", AppliesNow, "2027-12-02", "2026-08-02"},
		{AnnexI, "Art 9", "2027-12-02", AppliesLater, "2028-08-02", "2027-08-02"},
		{AnnexI, "Art 9", "2028-08-02", AppliesNow, "2028-08-02", "2027-08-02"},
		{AnnexIII, "Art 72", "2026-08-01", AppliesLater, "2026-08-02", ""},
		{AnnexIII, "Art 72", "2026-11-23", AppliesOpen, "2026-08-02", ""},
		{AnnexIII, "Art 72", "2027-12-02", AppliesNow, "2026-08-02", ""},
		{AnnexI, "Art 72", "2027-12-02", AppliesOpen, "2026-08-02", ""},
		{AnnexI, "Art 72", "2028-08-02", AppliesNow, "2026-08-02", ""},
		{NotHighRisk, "Art 4", "2025-02-01", AppliesLater, "2025-02-02", ""},
		{NotHighRisk, "Art 4", "2026-11-23", AppliesNow, "2025-02-02", ""},
	} {
		d := duty(t, act(t, day(t, c.at), answered(Provider, c.class)), c.ref)
		if d.Applies != c.applies || d.From != c.from || d.Superseded != c.replaced {
			t.Errorf("%s %s on %s: %s from %s, before the Omnibus %q; want %+v", c.class, c.ref, c.at, d.Applies, d.From, d.Superseded, c)
		}
	}
	// The day is that of the place that asks, not of Greenwich.
	east := time.FixedZone("east", 5*3600)
	d := duty(t, act(t, time.Date(2027, 12, 2, 1, 0, 0, 0, east), answered(Provider, AnnexIII)), "Art 9")
	if d.Applies != AppliesNow {
		t.Errorf("on 2027-12-02 where it is asked: %s", d.Applies)
	}
}

func TestTwoRolesSeeBoth(t *testing.T) {
	a := answered(Provider, AnnexIII)
	a.Roles = append(a.Roles, Deployer)
	got := refs(act(t, asOf, a).Systems[0])
	for _, ref := range []string{"Art 9", "Art 26"} {
		if !slices.Contains(got, ref) {
			t.Errorf("provider and deployer does not see %s", ref)
		}
	}
}

func TestUncovered(t *testing.T) {
	v, err := Coverage("iso27001", everyState(), nil, asOf)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.NotMapped) != 1 || len(v.NotMapped[0].Refs) != 50 || v.NotMapped[0].Note == "" {
		t.Errorf("not mapped: %+v", v.NotMapped)
	}
	if want := []string{"A.5.1", "A.5.19", "A.5.20", "A.5.21", "A.5.22", "A.6.8", "A.8.25", "A.8.26", "A.8.27", "A.8.28", "A.8.30"}; len(v.NotJudged) != 1 || !cmp.Equal(v.NotJudged[0].Refs, want) {
		t.Errorf("not judged: %+v", v.NotJudged)
	}
	a := answered(Provider, NotHighRisk)
	a.GPAI = true
	if v := act(t, asOf, a); len(v.NotMapped) != 1 || v.NotMapped[0].Refs[0] != "Art 55" {
		t.Errorf("a model provider is not told that nothing is near Art 55: %+v", v.NotMapped)
	}
	if v := act(t, asOf, answered(Deployer, AnnexIII)); len(v.NotMapped) != 0 {
		t.Errorf("a deployer is told of %+v", v.NotMapped)
	}
	if s := act(t, asOf, answered(Importer, AnnexIII)).Systems[0]; len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "Arts 23, 24") {
		t.Errorf("an importer is not told what is missing: %v", s.Warnings)
	}
}

func TestRefused(t *testing.T) {
	bad := func(change func(map[string]State)) map[string]State {
		s := everyState()
		change(s)
		return s
	}
	for name, c := range map[string]struct {
		framework string
		states    map[string]State
		systems   []Answers
		at        time.Time
		want      string
	}{
		"framework": {"soc2", everyState(), nil, asOf, "eu-ai-act, nist-ai-rmf, iso27001 or owasp-asi"},
		"no date":   {"iso27001", everyState(), nil, time.Time{}, "no date"},
		"missing":   {"iso27001", bad(func(s map[string]State) { delete(s, "A.6.2.8") }), nil, asOf, "A.6.2.8 has no state"},
		"invented":  {"iso27001", bad(func(s map[string]State) { s["A.11.2"] = State{State: "shown"} }), nil, asOf, `"A.11.2" is no requirement`},
		"claim":     {"iso27001", bad(func(s map[string]State) { s["9.1"] = State{State: "Compliant"} }), nil, asOf, `9.1: the state "Compliant" claims`},
		"role":      {"eu-ai-act", everyState(), []Answers{{System: "clerk", Roles: []Role{"user"}}}, asOf, `AI system "clerk": role "user"; expected provider`},
		"none and":  {"eu-ai-act", everyState(), []Answers{{System: "clerk", Roles: []Role{NoRole, Deployer}}}, asOf, "none alone"},
		"class":     {"eu-ai-act", everyState(), []Answers{{System: "clerk", HighRisk: "low"}}, asOf, `high-risk "low"; expected annex-i, annex-iii or none`},
		"twice":     {"eu-ai-act", everyState(), []Answers{{System: "clerk"}, {System: "clerk"}}, asOf, "answers twice"},
	} {
		v, err := Coverage(c.framework, c.states, c.systems, c.at)
		if code, text := aims.Public(err); err == nil || v != nil || code != aims.Invalid || !strings.Contains(text, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestPrinted holds what people and programs see to golden files, and to the
// reading rules.
func TestPrinted(t *testing.T) {
	yes := true
	deployer := answered(Deployer, AnnexIII)
	deployer.Transparency = &yes
	for name, c := range map[string]struct {
		framework string
		systems   []Answers
	}{
		"act-questions": {"eu-ai-act", nil},
		"act-deployer":  {"eu-ai-act", []Answers{deployer}},
		"nist":          {"nist-ai-rmf", nil},
		"iso27001":      {"iso27001", nil},
		"owasp":         {"owasp-asi", nil},
	} {
		v, err := Coverage(c.framework, everyState(), c.systems, asOf)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := v.Print(&text); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range [][]byte{text.Bytes(), out} {
			if found := claim.Find(said); found != nil {
				t.Errorf("%s says %q", name, found)
			}
			if bytes.Contains(said, []byte("null")) {
				t.Errorf("%s has a null", name)
			}
		}
		if name == "nist" || name == "iso27001" {
			continue // printed as owasp is, only longer
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text.String()); diff != "" {
			t.Errorf("%s is printed otherwise (-update writes it anew):\n%s", name, diff)
		}
	}
}

// TestHostileNames: what an organisation names its systems and states cannot
// move the cursor of a terminal.
func TestHostileNames(t *testing.T) {
	states := everyState()
	states["9.1"] = State{State: "shown\x1b[2J\nA.2.2"}
	a := answered(Deployer, AnnexIII)
	a.System = "clerk\x1b]0;x\a\r\n"
	var text bytes.Buffer
	v, err := Coverage("eu-ai-act", states, []Answers{a}, asOf)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Print(&text); err != nil || bytes.ContainsAny(text.Bytes(), "\x1b\a\r") || strings.Contains(text.String(), "\nA.2.2") {
		t.Errorf("control characters reach the terminal (%v)", err)
	}
}
