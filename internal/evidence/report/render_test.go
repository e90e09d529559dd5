package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/oscal"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
)

var head = Head{
	Position: oscal.Position{Origin: "log.example/aims", Size: 48213, Root: "qrvM3e7/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJk=", At: time.Date(2026, 11, 23, 11, 59, 3, 120456000, time.UTC), Organisation: "Łódź Müller & Söhne – “Agents”"},
	AsOf:     time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), From: time.Date(2025, 11, 23, 12, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
}

// example is registers and statuses of each state.
func example(t testing.TB) (record.State, []criteria.Status, soa.Statement) {
	t.Helper()
	states := []criteria.State{criteria.Shown, criteria.Evidence, criteria.Partial, criteria.Exceptions, criteria.Stale, criteria.Contradiction, criteria.NothingToShow}
	var statuses []criteria.Status
	var decisions []record.Applicability
	yes, no := true, false
	for i, r := range iso42001.Requirements() {
		s := criteria.Status{ID: r.ID, Title: r.DisplayTitle, Area: r.Area, State: states[i%len(states)], Owner: "łukasz", Due: "2027-01-31", Ceiling: string(r.Ceiling), NotShown: r.NotShownByMachine,
			Reasons: []string{"one of two agents has no owner: billing", "nobody attested it"}}
		s.Results = []criteria.Result{{Criterion: r.ID + "/1", Requirement: r.ID, Text: "Every agent has an owner.", Outcome: criteria.NotMet, Of: "agents in scope", Population: 40 + i,
			Exceptions: []criteria.Exception{{On: "agent/billing", Text: "has no owner"}}, Newest: "2026-11-22T08:00:00Z", Receipts: []string{"rcp_019a0000-0000-7000-8000-000000000001"}}}
		statuses = append(statuses, s)
		if r.Kind != iso42001.Control || i%9 == 8 {
			continue
		}
		d := record.Applicability{Base: record.Base{ID: r.ID, Owner: "łukasz"}, Applicable: &yes, Justification: "Agents pay invoices and answer customers; both are asked for by our largest customers.",
			Implementation: "implemented", How: "Rules of the enforced policy hold payments above 10 000 € until a second person releases them; every release is in the log.", Documents: []string{"ai-policy", "handbook"}, Obligations: []string{"gdpr-32"}}
		if i%7 == 3 {
			d.Applicable, d.Implementation, d.How, d.Justification = &no, "", "", "We develop no models; we use those of suppliers."
		}
		decisions = append(decisions, d)
	}
	long := strings.Repeat("A very long description of how it is put into practice, sentence after sentence. ", 140)
	decisions[4].How = long
	state := record.State{Registers: record.Registers{
		Organisation: []record.Organisation{{Base: record.Base{ID: "org"}, Name: head.Organisation}},
		RiskCriteria: []record.RiskCriteria{{Base: record.Base{ID: "ours"}, AcceptUpTo: 6}},
		Risks: []record.Risk{{Base: record.Base{ID: "r1", Owner: "łukasz"}, Title: "Payee chosen by a mail", Likelihood: 2, Decision: "treat", Controls: []string{"A.9.2", "A.6.2.8"},
			Consequences: record.Consequences{Organisation: record.Consequence{Text: "Money is lost.", Severity: 4}, Individuals: record.Consequence{Text: "A supplier waits for its money.", Severity: 2}}},
			{Base: record.Base{ID: "r2"}, Title: "日本語の名前 and 🙂", Likelihood: 1, Controls: []string{"A.9.2"}}},
		Treatments:    []record.Treatment{{Base: record.Base{ID: "t1"}, Risks: []string{"r1"}, Text: "Payments wait for a second person.", Due: "2026-12-01", Likelihood: 1, Severity: 4}},
		Applicability: decisions,
	}}
	s, err := soa.Build(soa.Input{Registers: state, Statuses: statuses, InForce: []soa.Rule{{ID: "larger-payments-wait", Policy: "sha256:ab", Controls: []string{"A.9.2"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return state, statuses, s
}

func documents(t testing.TB) map[string]document {
	state, statuses, s := example(t)
	half := 0.5
	return map[string]document{
		"soa":   statement(head, s),
		"risks": risks(head, state),
		"gap": missing(head, evidence.Gap{Steps: []evidence.Step{{Number: 1, Name: "context", Do: "Describe the organisation.", Usually: "manager", Open: []string{"4.1"}, Of: 2}},
			Unregistered: []evidence.Unregistered{{Agent: "stranger", Decisions: 3, Receipt: "rcp_1"}}}, statuses),
		"measures": measures(head, []evidence.Series{{ID: "denied-share", Meaning: "share of decisions that denied", Unit: "share", Whole: evidence.Point{Value: &half, Population: 12},
			Expected: []evidence.Expectation{{Kind: "objective", ID: "few", AtMost: &half}}}}),
	}
}

func TestAReportIsTheSameBytesAgain(t *testing.T) {
	for name, d := range documents(t) {
		for format, write := range map[Format]func() ([]byte, error){PDF: d.pdf, XLSX: d.xlsx} {
			first, err := write()
			if err != nil {
				t.Fatalf("%s as %s: %v", name, format, err)
			}
			for range 3 {
				again, err := write()
				if err != nil || !bytes.Equal(first, again) {
					t.Fatalf("%s as %s differs from itself: %v", name, format, err)
				}
			}
			if dir := os.Getenv("AIMS_TEST_REPORTS"); dir != "" { // to look at them
				if err := os.WriteFile(filepath.Join(dir, name+"."+string(format)), first, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	attacks := []string{`=HYPERLINK("http://evil.example","x")`, "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "=cmd|' /C calc'!A0", "\r=1"}
	d := document{title: "attack", head: head, parts: []part{{name: "Attack", columns: []column{{"A", 10}, {"B", 10}}}}}
	for _, a := range attacks {
		d.parts[0].rows = append(d.parts[0].rows, cells(a, record.Date(a)))
	}
	f := open(t, d)
	for i, a := range attacks {
		for _, column := range []string{"A", "B"} {
			cell := fmt.Sprintf("%s%d", column, i+2)
			formula, err := f.GetCellFormula("Attack", cell)
			kind, err2 := f.GetCellType("Attack", cell)
			text, err3 := f.GetCellValue("Attack", cell)
			if err != nil || err2 != nil || err3 != nil || formula != "" || kind != excelize.CellTypeSharedString {
				t.Errorf("%q became formula %q of type %v (%v %v %v)", a, formula, kind, err, err2, err3)
			}
			if strings.TrimSpace(text) != strings.TrimSpace(a) {
				t.Errorf("%q reads %q", a, text)
			}
			style, err := f.GetCellStyle("Attack", cell)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := f.GetStyle(style); err != nil || s.NumFmt != asText {
				t.Errorf("%q would become a formula when somebody edits it: %v %v", a, s, err)
			}
		}
	}
}

func open(t *testing.T, d document) *excelize.File {
	t.Helper()
	b, err := d.xlsx()
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestStatementNamesEveryControlOnce(t *testing.T) {
	_, _, s := example(t)
	f := open(t, statement(head, s))
	rows, err := f.GetRows("Statement of applicability")
	if err != nil || len(rows) != 39 {
		t.Fatalf("%d rows, %v; expected a heading and 38 controls", len(rows), err)
	}
	for i, c := range iso42001.Controls() {
		if rows[i+1][0] != c.ID {
			t.Errorf("row %d is %s; expected %s", i+1, rows[i+1][0], c.ID)
		}
	}
	if f.GetSheetList()[0] != "Statement of applicability" || f.GetSheetList()[1] != "About" {
		t.Errorf("sheets %v", f.GetSheetList())
	}
}

func TestRisksHaveTheirComputedLevels(t *testing.T) {
	state, _, _ := example(t)
	rows, err := open(t, risks(head, state)).GetRows("Risks")
	if err != nil {
		t.Fatal(err)
	}
	if got := rows[1][14]; got != "8" {
		t.Errorf("level %q; likelihood 2 and severity 4 make 8", got)
	}
	if !strings.Contains(rows[1][19], "level left 4") {
		t.Errorf("treatments %q; expected the level that is left", rows[1][19])
	}
}

// Whatever text a record has, it makes a file, and the same one twice.
func TestAnyTextMakesAFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		d := document{title: text, head: head, facts: []fact{{text, text}}, parts: []part{{name: "Table", text: text, columns: []column{{"a", 1}, {text, 300}},
			rows: []row{{section: text}, cells(text, strings.Repeat(text, rapid.IntRange(0, 400).Draw(t, "times")))}}}}
		d.parts[0].columns[1].width = 30
		for _, write := range []func() ([]byte, error){d.pdf, d.xlsx} {
			first, err := write()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := write(); err != nil || !bytes.Equal(first, again) {
				t.Fatalf("two renderings differ: %v", err)
			}
		}
	})
}

func TestCharactersThatTheFontLacksShow(t *testing.T) {
	font, err := unpack(regular)
	if err != nil {
		t.Fatal(err)
	}
	has, err := readGlyphs(font)
	if err != nil {
		t.Fatal(err)
	}
	if got := has.printable("Łukasz Müller – “x” 日🙂\u202e\x00"); got != "Łukasz Müller – “x” □□□□" {
		t.Errorf("printable: %q", got)
	}
}
