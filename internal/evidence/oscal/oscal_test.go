package oscal_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/oscal"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
)

// schema compiles one of NIST's schemas for OSCAL 1.2.1 (public domain).
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	packed, err := os.ReadFile("testdata/oscal_" + name + "_schema.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(r)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("oscal.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("oscal.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, name string, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t, name).Validate(doc); err != nil {
		t.Errorf("%s does not validate against its schema: %v", name, err)
	}
}

var position = oscal.Position{Origin: "example.org/log", Size: 500, Root: "cm9vdA==", At: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Organisation: "Łódź Müller & Co"}

// world is a statement with a control of each decision and statuses of each state.
func world(t *testing.T) (soa.Statement, []criteria.Status) {
	t.Helper()
	states := []criteria.State{criteria.Shown, criteria.Evidence, criteria.Partial, criteria.Exceptions, criteria.Stale, criteria.Contradiction, criteria.NothingToShow, criteria.NotApplicable}
	var statuses []criteria.Status
	for i, r := range iso42001.Requirements() {
		s := criteria.Status{ID: r.ID, Title: r.Title, Area: r.Area, State: states[i%len(states)], Owner: "ana", Due: "2027-01-31", Reasons: []string{"one of two agents has no owner: billing"}}
		outcome := criteria.Met
		if s.State == criteria.NothingToShow {
			outcome = criteria.NothingYet
		}
		s.Results = []criteria.Result{{Criterion: r.ID + "/1", Requirement: r.ID, Text: "Every agent has an owner.", Outcome: outcome, Of: "agents in scope", Population: 2,
			Exceptions: []criteria.Exception{{On: "agent/billing", Text: "has no owner"}}, From: "2026-01-01T00:00:00Z", Until: "2026-11-23T00:00:00Z",
			FreshUntil: "2027-01-01T00:00:00Z", Receipts: []string{"rcp_1"}, Note: "What bypasses the gateway is not seen."}}
		statuses = append(statuses, s)
	}
	yes, no := true, false
	state := record.State{Registers: record.Registers{
		Risks: []record.Risk{{Base: record.Base{ID: "r1"}, Title: "Payee chosen by a mail", Likelihood: 2, Controls: []string{"A.9.2"},
			Consequences: record.Consequences{Organisation: record.Consequence{Severity: 4}}}},
		Applicability: []record.Applicability{
			{Base: record.Base{ID: "A.9.2"}, Applicable: &yes, Justification: "Agents pay invoices.", Implementation: "implemented", How: "Rules\nand holds."},
			{Base: record.Base{ID: "A.10.4"}, Applicable: &no, Justification: "Nobody buys the agents."},
		}}}
	s, err := soa.Build(soa.Input{Registers: state, Statuses: statuses, InForce: []soa.Rule{{ID: "larger-payments-wait", Policy: "sha256:ab", Controls: []string{"A.9.2"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, statuses
}

func TestEveryFileValidatesAgainstItsSchema(t *testing.T) {
	statement, statuses := world(t)
	cases := []observed.Case{{Kind: "nonconformity", ID: "nc_1", State: "planned", Grade: "minor", Requirement: "9.2.2", Due: "2026-12-01", Actions: []observed.CaseAction{{ID: "a1"}}}}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range []struct {
		schema string
		write  func() ([]byte, error)
	}{
		{"catalog", oscal.Catalog},
		{"profile", func() ([]byte, error) { return oscal.Profile(position, statement) }},
		{"profile", func() ([]byte, error) { return oscal.Profile(position, soa.Statement{Digest: statement.Digest}) }},
		{"assessment-results", func() ([]byte, error) { return oscal.Results(position, from, position.At, statuses) }},
		{"poam", func() ([]byte, error) { return oscal.Plan(position, statuses, cases) }},
		{"poam", func() ([]byte, error) { return oscal.Plan(position, nil, nil) }},
	} {
		first, err := f.write()
		if err != nil {
			t.Fatal(err)
		}
		valid(t, f.schema, first)
		if again, err := f.write(); err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: two writings of the same place of the log differ", f.schema)
		}
	}
}

// A validator that accepts everything would show nothing.
func TestTheSchemasRefuse(t *testing.T) {
	text, err := oscal.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(text), `"uuid": "`, `"uuid": "x`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if schema(t, "catalog").Validate(doc) == nil {
		t.Error("a catalog with a broken UUID validates")
	}
}

func TestCatalogHasThe70(t *testing.T) {
	text, err := oscal.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Catalog struct {
			Groups []struct {
				Controls []struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range got.Catalog.Groups {
		for _, c := range g.Controls {
			seen[c.ID] = true
		}
	}
	for _, r := range iso42001.Requirements() {
		if !seen[oscal.ControlID(r.ID)] {
			t.Errorf("the catalog lacks %s", r.ID)
		}
	}
	if len(seen) != 70 {
		t.Errorf("%d controls, expected 70", len(seen))
	}
}

// Only what a person has to look at is a finding; that there is none is no
// conclusion, and a control that was left out is in no profile.
func TestNothingIsConcludedFromSilence(t *testing.T) {
	statement, statuses := world(t)
	text, err := oscal.Results(position, position.At, position.At, statuses)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"state": "satisfied"`) {
		t.Error("the results call a requirement satisfied")
	}
	want := 0
	for _, s := range statuses {
		if s.State == criteria.Exceptions || s.State == criteria.Stale || s.State == criteria.Contradiction {
			want++
		}
	}
	if got := strings.Count(string(text), `"not-satisfied"`); got != want {
		t.Errorf("%d findings, expected %d", got, want)
	}
	text, err = oscal.Profile(position, statement)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Profile struct {
			Imports []struct {
				Include []struct {
					IDs []string `json:"with-ids"`
				} `json:"include-controls"`
			}
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	ids := strings.Join(p.Profile.Imports[0].Include[0].IDs, " ")
	if !strings.HasSuffix(ids, "clause-10.2 A.9.2") {
		t.Errorf("the profile includes %s; expected the clauses and A.9.2", ids)
	}
}
