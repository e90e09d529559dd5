package iso42001

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSeventyRequirementsInOrder(t *testing.T) {
	all := Requirements()
	if len(all) != 70 || len(Clauses()) != 32 || len(Controls()) != 38 {
		t.Fatalf("%d requirements, %d clauses, %d controls; want 70 = 32 + 38", len(all), len(Clauses()), len(Controls()))
	}
	if diff := cmp.Diff(all, append(Clauses(), Controls()...)); diff != "" {
		t.Errorf("requirements are not the clauses, then the controls:\n%s", diff)
	}
	seen := map[string]bool{}
	for i, r := range all {
		if seen[r.ID] {
			t.Errorf("%s twice", r.ID)
		}
		seen[r.ID] = true
		if i > 0 && all[i-1].Kind == r.Kind && slices.Compare(order(all[i-1].ID), order(r.ID)) >= 0 {
			t.Errorf("%s stands after %s", r.ID, all[i-1].ID)
		}
		got, err := Get(r.ID)
		if err != nil || !cmp.Equal(got, r) {
			t.Errorf("Get(%s) = %v, %v", r.ID, got, err)
		}
		if isControl := strings.HasPrefix(r.ID, "A."); isControl != (r.Kind == Control) || isControl != (r.AnnexB != "") || isControl != (r.ObjectiveID != "") {
			t.Errorf("%s: kind %s, Annex B %q, objective %q", r.ID, r.Kind, r.AnnexB, r.ObjectiveID)
		}
	}
}

func TestEveryRequirementStandsInOneArea(t *testing.T) {
	var ids []string
	for _, a := range Areas() {
		if a.Title == "" || len(a.Requirements) == 0 {
			t.Errorf("area %s: title %q, %d requirements", a.ID, a.Title, len(a.Requirements))
		}
		for _, id := range a.Requirements {
			r, err := Get(id)
			if err != nil || r.Area != a.ID || r.Kind != a.Kind {
				t.Errorf("area %s lists %s, which says area %s (%v)", a.ID, id, r.Area, err)
			}
			groups := slices.ContainsFunc(a.Groups, func(g Group) bool { return g.ID == r.Parent })
			if r.Parent != a.ID && !groups {
				t.Errorf("%s: parent %s is neither %s nor one of its groups", id, r.Parent, a.ID)
			}
			if a.Kind == Control && !slices.ContainsFunc(a.Objectives, func(o Objective) bool { return o.ID == r.ObjectiveID && o.Of == r.Parent }) {
				t.Errorf("%s: objective %s is not one of its area", id, r.ObjectiveID)
			}
			ids = append(ids, id)
		}
	}
	var want []string
	for _, r := range Requirements() {
		want = append(want, r.ID)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("areas hold other requirements:\n%s", diff)
	}
}

func TestUnknownIDIsAnErrorThatHelps(t *testing.T) {
	for id, hint := range map[string]string{
		"B.6.2.8":        "did you mean A.6.2.8",
		"a.6.2.8":        "did you mean A.6.2.8",
		"6.2.8":          "did you mean A.6.2.8",
		"A6.2.8":         "did you mean A.6.2.8",
		"clause 9.1":     "did you mean 9.1",
		"ISO 42001 10.2": "did you mean 10.2",
		"9.2":            "9.2 is a heading over 9.2.1, 9.2.2",
		"A.9":            "A.9 is a heading over A.9.2, A.9.3, A.9.4",
		"A.6.2":          "A.6.2 is a heading over A.6.2.2",
		"A.9.1":          "A.9.1 is the objective of A.9",
		"A.6.2.9":        "under A.6.2 there are A.6.2.2",
		"A.7.5.1":        "the nearest is A.7.5",
		"6.1.5":          "under 6.1 there are 6.1.1, 6.1.2, 6.1.3, 6.1.4",
	} {
		_, err := Get(id)
		unknown, ok := errors.AsType[*UnknownError](err)
		if !ok || unknown.ID != id || !strings.Contains(err.Error(), `"`+id+`"`) || !strings.Contains(err.Error(), "the 70 ids are closed") {
			t.Errorf("Get(%q): %v", id, err)
			continue
		}
		if !strings.HasPrefix(unknown.Hint, hint) {
			t.Errorf("Get(%q) hints %q; want %q…", id, unknown.Hint, hint)
		}
	}
	for _, id := range []string{"", "A.11.2", "A.99", "Z", "A.\x00", "12"} {
		_, err := Get(id)
		if unknown, ok := errors.AsType[*UnknownError](err); !ok || unknown.Hint != "" {
			t.Errorf("Get(%q): %v; want an unknown id without a hint", id, err)
		}
		if _, err := MappingOf(id); err == nil {
			t.Errorf("MappingOf(%q) has pairs", id)
		}
	}
}

// TestNoClaimOfCompliance holds everything that may reach a reader to the
// reading rules.
func TestNoClaimOfCompliance(t *testing.T) {
	about := Facts()
	if !strings.Contains(about.WordingRule, "evidence towards") || len(about.ReadingRules) != 4 || about.AsOf == "" {
		t.Errorf("the reading rules are missing: %+v", about)
	}
	said := map[string]any{
		"requirements": Requirements(), "areas": Areas(), "sources": Sources(), "articles": Articles(),
		"documents": DocumentedInformation(), "timetable": Timetable(), "not mapped": NotMapped(),
	}
	for _, f := range Frameworks() {
		said[string(f)] = Reverse(f)
	}
	claim := regexp.MustCompile(`(?i)\b(compliant|certified|equivalent|presumption)\b`)
	for name, v := range said {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if found := claim.Find(text); found != nil {
			t.Errorf("%s: says %q", name, found)
		}
	}
}

// TestCopies attacks the shared facts through what is handed out.
func TestCopies(t *testing.T) {
	before, _ := Get("4.1")
	r, _ := Get("4.1")
	r.Points[0], r.Evidence[0].Source, r.MachineChecks[0] = "x", "x", "x"
	Requirements()[0].Points[0] = "x"
	Areas()[0].Requirements[0] = "x"
	Articles()[2].Requirements[0] = "x"
	Timetable().Milestones[0].Date = "x"
	pairs, _ := MappingOf("4.1")
	pairs[0].Ref, pairs[0].Sources[0] = "x", "x"
	Reverse(EUAIAct)[0].Pairs[0].Sources[0] = "x"
	after, _ := Get("4.1")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a caller changed the facts:\n%s", diff)
	}
	again, _ := MappingOf("4.1")
	if again[0].Ref == "x" || again[0].Sources[0] == "x" || Areas()[0].Requirements[0] == "x" ||
		Articles()[2].Requirements[0] == "x" || Timetable().Milestones[0].Date == "x" || Reverse(EUAIAct)[0].Pairs[0].Sources[0] == "x" {
		t.Error("a caller changed the facts of the crosswalk")
	}
}

// TestBrokenFactsAreRefused changes the embedded files in one place each.
func TestBrokenFactsAreRefused(t *testing.T) {
	standard, crosswalk := text("facts/iso42001.yaml"), text("facts/crosswalk.yaml")
	if _, err := load(standard, crosswalk); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, old, new, want string }{
		{"s", "  summary: Have a written policy", "  sumary: Have a written policy", "sumary"},
		{"s", "- id: A.2.3\n  title", "- id: A.2.2\n  title", "twice"},
		{"s", "  - source: context_register\n", "  - source: invented\n", `"invented" is not declared`},
		{"s", "    mode: assisted\n", "    mode: certain\n", `mode "certain"`},
		{"s", "controls:\n- id: A.2.2", "controls: []\nmore:\n- id: A.2.2", "more"},
		{"s", "meta:", "---\nmeta: {}\n---\nmeta:", "second YAML document"},
		{"c", "mappings:\n- iso42001: '4.1'", "mappings:\n- iso42001: '4.9'", `unknown id "4.9"`},
		{"c", "  - ref: Art 9(1)\n    confidence: third_party", "  - ref: Art 9(1)\n    confidence: official", "confidence_counts"},
		{"c", "  - ref: Art 9(1)\n    confidence: third_party", "  - ref: Art 9(1)\n    confidence: sure", `confidence "sure"`},
		{"c", "  - ref: Art 9(1)\n", "  - ref: Art 99(1)\n", "reverse_index of eu-ai-act disagrees"},
		{"c", "    - COMPEL\n", "    - RUMOUR\n", `"RUMOUR" is not declared`},
		{"c", "applies_from: '2025-02-02'", "applies_from: soon", `applies_from "soon"`},
		{"c", "  addressee: all", "  adressee: all", "adressee"},
	} {
		s, x := standard, crosswalk
		if c.file == "s" {
			s = bytes.Replace(s, []byte(c.old), []byte(c.new), 1)
		} else {
			x = bytes.Replace(x, []byte(c.old), []byte(c.new), 1)
		}
		if bytes.Equal(s, standard) && bytes.Equal(x, crosswalk) {
			t.Errorf("%q is not in the file", c.old)
			continue
		}
		if _, err := load(s, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q → %q: %v; want %q", c.old, c.new, err, c.want)
		}
	}
}

func TestCrosswalk(t *testing.T) {
	counted := map[Confidence]int{}
	reversed := 0
	for _, f := range Frameworks() {
		refs := Reverse(f)
		for i, r := range refs {
			reversed += len(r.Pairs)
			if i > 0 && slices.Compare(order(refs[i-1].Ref), order(r.Ref)) >= 0 {
				t.Errorf("%s: %s stands after %s", f, r.Ref, refs[i-1].Ref)
			}
			if (f == ISO27001 || f == OWASPASI) && r.Title == "" {
				t.Errorf("%s %s has no title", f, r.Ref)
			}
		}
		if got, err := ParseFramework(string(f)); got != f || err != nil {
			t.Errorf("ParseFramework(%s) = %v, %v", f, got, err)
		}
	}
	total := 0
	for _, r := range Requirements() {
		pairs, err := MappingOf(r.ID)
		if err != nil {
			t.Error(err)
		}
		for _, p := range pairs {
			counted[p.Confidence]++
			total++
		}
	}
	if total != 555 || total != reversed {
		t.Errorf("%d pairs one way, %d the other; want 555", total, reversed)
	}
	for _, c := range Confidences() {
		if counted[c.Confidence] != c.Pairs || c.Meaning == "" {
			t.Errorf("%s: %d pairs, facts say %d, meaning %q", c.Confidence, counted[c.Confidence], c.Pairs, c.Meaning)
		}
	}
	if counted[Official] != 0 {
		t.Error("no mapping is official")
	}
	for _, name := range []string{"", "iso27001:2022", "EU-AI-ACT", "nist"} {
		if _, err := ParseFramework(name); err == nil || !strings.Contains(err.Error(), "eu-ai-act, nist-ai-rmf, iso27001 or owasp-asi") {
			t.Errorf("ParseFramework(%q): %v", name, err)
		}
	}
}

func TestNotMappedHasNoPair(t *testing.T) {
	for _, u := range NotMapped() {
		mapped := map[string]bool{}
		for _, r := range Reverse(u.Framework) {
			mapped[r.Ref] = true
		}
		if len(u.Refs) == 0 {
			t.Errorf("%s: nothing", u.Framework)
		}
		for _, ref := range u.Refs {
			if mapped[ref] {
				t.Errorf("%s %s has pairs and is listed as not mapped", u.Framework, ref)
			}
		}
	}
}

func TestReferencesInTheOrderOfTheirFramework(t *testing.T) {
	refs := []string{"10.1", "4.1", "A.5.2", "A.5.10", "9.3.3"}
	slices.SortFunc(refs, func(a, b string) int { return slices.Compare(order(a), order(b)) })
	if diff := cmp.Diff([]string{"4.1", "9.3.3", "10.1", "A.5.2", "A.5.10"}, refs); diff != "" {
		t.Error(diff)
	}
	refs = []string{"Annex IV(2)", "Art 26(11)", "Art 4a", "Art 9", "Art 26(2)", "Art 4"}
	slices.SortFunc(refs, func(a, b string) int { return slices.Compare(order(a), order(b)) })
	if diff := cmp.Diff([]string{"Art 4", "Art 4a", "Art 9", "Art 26(2)", "Art 26(11)", "Annex IV(2)"}, refs); diff != "" {
		t.Error(diff)
	}
	refs = []string{"MANAGE 1.1", "MEASURE 2.13", "MEASURE 2.2", "MAP 1.1", "GOVERN 1", "GOVERN 1.1"}
	slices.SortFunc(refs, func(a, b string) int { return slices.Compare(order(a), order(b)) })
	if diff := cmp.Diff([]string{"GOVERN 1", "GOVERN 1.1", "MAP 1.1", "MEASURE 2.2", "MEASURE 2.13", "MANAGE 1.1"}, refs); diff != "" {
		t.Error(diff)
	}
}

func TestArticleDates(t *testing.T) {
	for _, a := range Articles() {
		switch a.Ref {
		case "Art 9":
			if a.From != "2027-12-02" || a.FromAnnexI != "2028-08-02" || a.Interpreted {
				t.Errorf("Art 9 applies from %s / %s", a.From, a.FromAnnexI)
			}
		case "Art 43":
			if a.From != "2026-08-02" || a.FromAnnexI != a.From || !a.Interpreted {
				t.Errorf("Art 43 applies from %s / %s, interpreted %v", a.From, a.FromAnnexI, a.Interpreted)
			}
		case "Art 50":
			if a.From != "2026-08-02" || a.Interpreted {
				t.Errorf("Art 50 applies from %s", a.From)
			}
		}
	}
	if note := Timetable().Note; !strings.Contains(note, "Official Journal") {
		t.Errorf("the timetable says nothing of its limits: %q", note)
	}
}

// TestDocumentedInformationAgrees compares the list with what the clauses say.
func TestDocumentedInformationAgrees(t *testing.T) {
	var want []Document
	for _, r := range Clauses() {
		if d := r.DocumentedInformation; d.Required != (len(d.Items) > 0) {
			t.Errorf("%s: required %v with %d items", r.ID, d.Required, len(d.Items))
		}
		for _, item := range r.DocumentedInformation.Items {
			want = append(want, Document{r.ID, item})
		}
	}
	if diff := cmp.Diff(want, DocumentedInformation()); diff != "" {
		t.Error(diff)
	}
}
