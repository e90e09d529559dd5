package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"aims/internal/corrective"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/oscal"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
	"aims/receipt"
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
		"audit": audited(head, exampleAudit()), "samples": samples(head, exampleAudit()), "review": reviewed(head, exampleReview(statuses)),
		"audit-empty":  audited(head, audit.Report{Audit: audit.Audit{Audit: record.Audit{Base: record.Base{ID: "a0"}, Title: "Nothing yet"}}}),
		"review-empty": reviewed(head, audit.Review{ManagementReview: record.ManagementReview{Base: record.Base{ID: "r0"}, Planned: "2027-01-15"}}),
	}
}

// exampleAudit is an audit with two samples, one of them of an empty population.
func exampleAudit() audit.Report {
	at := time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
	paper := &audit.Paper{Receipt: "rcp_019a0000-0000-7000-8000-00000000000a", Entry: 812, By: "nadia", At: at}
	items := []audit.Item{
		{Index: 7, Receipt: "rcp_019a0000-0000-7000-8000-000000000007", At: at.AddDate(0, 0, -3), Agent: "billing", Action: "robot___pay", Verdict: "allow", Result: &audit.Judgement{Conforms: true, Paper: paper}},
		{Index: 9, Receipt: "rcp_019a0000-0000-7000-8000-000000000009", At: at.AddDate(0, 0, -2), Agent: "billing", Action: "robot___pay", Verdict: "hold",
			Result: &audit.Judgement{Note: "=1+1 was on the invoice", Paper: paper}},
		{Index: 12, Receipt: "rcp_019a0000-0000-7000-8000-000000000012", At: at.AddDate(0, 0, -1), Agent: "billing", Action: "robot___pay", Verdict: "deny"},
	}
	return audit.Report{
		Audit: audit.Audit{Audit: record.Audit{Base: record.Base{ID: "a1"}, Title: "Records of the agents", Requirements: []string{"A.6", "8.1"}, Scope: "billing", From: "2026-10-01", Until: "2026-11-19",
			Lead: "nadia", Auditors: []string{"otto"}, Held: "2026-11-20", Conclusion: "Records are complete."}, Conflicts: []audit.Conflict{{Auditor: "otto", Owns: []string{"agent/billing"}}}, Planned: "2026-11-18", Why: "before the peak"},
		Runs: 3, Open: 1, Exceptions: 1,
		Tests: []audit.Result{{Test: "log-integrity", Of: "entries of the log", Population: 812, Exceptions: 60, State: receipt.Broken, From: at.AddDate(0, -1, 0), Until: at, Size: 812, Root: head.Root,
			First: []receipt.Exception{{Place: "entry 17", Text: "differs"}}, Checks: []receipt.Check{{Name: "tree", State: receipt.Passed, Population: 812, Of: "entries"}, {Name: "payloads", State: receipt.Passed, Of: "payloads"}}, Paper: paper}},
		Samples: []audit.Sample{
			{ID: "smp_1", Text: "decisions about calls of agents", Population: 3, Digest: "sha256:" + strings.Repeat("ab", 32), Size: 800, Seed: "checkpoint 799 " + strings.Repeat("cd", 32), Method: "the 3 with the smallest SHA-256 of seed, newline, id", Items: items, Paper: paper},
			{ID: "smp_2", Text: "evaluations of the gate of deployment", Digest: "sha256:" + strings.Repeat("e3", 32), Size: 800, Seed: "dice", Given: true, Method: "the 5 with the smallest SHA-256 of seed, newline, id", Items: []audit.Item{}, Paper: paper},
		},
		Findings: []audit.Finding{{Nonconformity: "nc_019a0000-0000-7000-8000-000000000001", Requirement: "8.1", Grade: corrective.Minor, Statement: "An invoice has no order.", State: "action_planned", Due: "2026-12-31", Owner: "mara",
			Evidence: []string{items[1].Receipt}, Paper: paper}},
	}
}

// exampleReview is a review that was held, with frozen inputs.
func exampleReview(statuses []criteria.Status) audit.Review {
	at := time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)
	in := audit.Inputs{Review: "winter", At: at, Audits: []audit.Audit{exampleAudit().Audit}, Objectives: []record.Objective{{Base: record.Base{ID: "few"}, Text: "Few calls are denied.", Measure: "denied-share"}},
		Decisions:       []audit.Followed{{Review: "autumn", Decision: record.Decision{ID: "d0", Text: "Hire an auditor", Owner: "mara", Due: "2026-11-01"}, Overdue: true}},
		Context:         []audit.ContextChange{{Kind: "party", ID: "customers", Event: "changed", By: "mara", At: at, Receipt: "rcp_019a0000-0000-7000-8000-00000000000b"}},
		Nonconformities: []corrective.Nonconformity{{Head: corrective.Head{ID: "nc_1", State: "raised", Owner: "mara", Due: "2026-12-31"}, Requirement: "8.1", Grade: corrective.Major, Actions: []corrective.CorrectiveAction{{ID: "a1", Owner: "mara", Due: "2026-12-01", State: "planned"}}}},
		Overdue:         []corrective.Duty{{Kind: "incident", ID: "inc_1", What: "report to the authority", Owner: "mara", Due: at}}}
	for _, s := range statuses {
		in.Requirements = append(in.Requirements, audit.Shown{ID: s.ID, State: s.State, Reasons: s.Reasons})
	}
	decided := []record.Decision{{ID: "d1", Text: "Set aside money", Type: "resources", Owner: "mara", Due: "2026-12-18"}, {ID: "d2", Text: "Train Bruno", Owner: "lena", Due: "2026-11-20", Done: "2026-11-19"}}
	return audit.Review{ManagementReview: record.ManagementReview{Base: record.Base{ID: "winter"}, Planned: "2026-11-12", Held: "2026-11-12", Chair: "henrik", Attended: []string{"henrik", "mara"}, Inputs: "sha256:00", Decisions: decided},
		Frozen:   &audit.Frozen{Digest: "sha256:" + strings.Repeat("12", 32), Paper: audit.Paper{Receipt: "rcp_019a0000-0000-7000-8000-00000000000c", By: "mara", At: at}, Inputs: in},
		Followed: []audit.Followed{{Review: "winter", Decision: decided[0]}, {Review: "winter", Decision: decided[1]}}, Exceptions: []string{"its record names the inputs sha256:00, which are not those that were frozen"}}
}

// A sample sheet is a work paper: numbers and moments are what they are, the
// result is chosen from two, and a note is never a formula.
func TestSampleSheetIsAWorkPaper(t *testing.T) {
	f := open(t, samples(head, exampleAudit()))
	if got, want := f.GetSheetList(), []string{"Samples", "Sample 1", "Sample 2", "About"}; !slices.Equal(got, want) {
		t.Fatalf("sheets %v; expected %v", got, want)
	}
	value := func(sheet, cell string) string {
		v, err := f.GetCellValue(sheet, cell)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for cell, want := range map[string]string{"B2": "7", "C2": "2026-11-17 09:30:00", "G2": "conforms", "G3": "exception", "H3": "=1+1 was on the invoice", "G4": "", "J2": "2026-11-20 09:30:00"} {
		if got := value("Sample 1", cell); got != want {
			t.Errorf("Sample 1 %s is %q; expected %q", cell, got, want)
		}
	}
	if raw, err := f.GetCellValue("Sample 1", "C2", excelize.Options{RawCellValue: true}); err != nil || !strings.HasPrefix(raw, "46343.39") {
		t.Errorf("the time of an item is kept as %q; expected a date that programs compute with (%v)", raw, err)
	}
	if formula, err := f.GetCellFormula("Sample 1", "H3"); err != nil || formula != "" {
		t.Errorf("a note became the formula %q (%v)", formula, err)
	}
	if got := value("Sample 2", "A2"); got != noItems {
		t.Errorf("a sample of nothing says %q", got)
	}
	choices, err := f.GetDataValidations("Sample 1")
	if err != nil || len(choices) != 1 || choices[0].Sqref != "G2:G4" || !strings.Contains(choices[0].Formula1, "conforms,exception") {
		t.Errorf("choices of the result: %+v %v", choices, err)
	}
	if panes, err := f.GetPanes("Sample 1"); err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("panes %+v %v; the heading stays in view", panes, err)
	}
	if got := value("Samples", "E2"); got != "sha256:"+strings.Repeat("ab", 32) {
		t.Errorf("digest of the population %q", got)
	}
}

// A test of an audit that nobody ran, or that looked at nothing, is never a pass.
func TestAuditReportNamesWhatWasNotRun(t *testing.T) {
	f := open(t, audited(head, exampleAudit()))
	rows, err := f.GetRows("Tests")
	if err != nil || len(rows) != 1+len(audit.Tests()) {
		t.Fatalf("%d rows, %v; expected each test", len(rows), err)
	}
	for i, want := range []string{"failed", "not run", "not run", "not run", "not run"} {
		if got := rows[i+1][2]; got != want {
			t.Errorf("%s: %q; expected %q", rows[i+1][0], got, want)
		}
	}
	rows, err = f.GetRows("Exceptions of the tests")
	if err != nil || len(rows) != 3 || !strings.Contains(rows[2][2], "and 59 more") {
		t.Errorf("exceptions %v, %v; expected the one listed and how many more there are", rows, err)
	}
	if rows, err = f.GetRows("Checks of the log"); err != nil || rows[2][2] != "not checked" {
		t.Errorf("a check of nothing: %v %v", rows, err)
	}
}

// Every table of every workbook keeps its heading in view and on each printed
// page, can be filtered, and has the widths that its text needs.
func TestEverySheetCanBeWorkedWith(t *testing.T) {
	for name, d := range documents(t) {
		f := open(t, d)
		named := map[string]bool{}
		for _, n := range f.GetDefinedName() {
			named[n.Scope+n.Name] = true
		}
		for _, p := range d.parts {
			if p.in == onPaper || len(p.columns) == 0 {
				continue
			}
			panes, err := f.GetPanes(p.name)
			if err != nil || !panes.Freeze || panes.XSplit != 1 || panes.YSplit != 1 {
				t.Errorf("%s, %s: panes %+v (%v)", name, p.name, panes, err)
			}
			if !named[p.name+"_xlnm._FilterDatabase"] || !named[p.name+"_xlnm.Print_Titles"] {
				t.Errorf("%s, %s: no filter or no heading on printed pages: %v", name, p.name, named)
			}
			for i, c := range p.columns {
				letters, err := excelize.ColumnNumberToName(i + 1)
				if err != nil {
					t.Fatal(err)
				}
				if w, err := f.GetColWidth(p.name, letters); err != nil || w != c.width {
					t.Errorf("%s, %s: column %s is %v wide (%v)", name, p.name, c.name, w, err)
				}
			}
		}
	}
}

// Days are dates and levels are numbers, so that people sort by them.
func TestDaysAreDates(t *testing.T) {
	state, _, _ := example(t)
	raw := excelize.Options{RawCellValue: true}
	f := open(t, risks(head, state))
	if got, err := f.GetCellValue("Treatments", "G2", raw); err != nil || got != "46357" {
		t.Errorf("2026-12-01 is kept as %q (%v)", got, err)
	}
	if got, err := f.GetCellValue("Treatments", "G2"); err != nil || got != "2026-12-01" {
		t.Errorf("2026-12-01 reads %q (%v)", got, err)
	}
	if kind, err := f.GetCellType("Risks", "O2"); err != nil || kind == excelize.CellTypeSharedString {
		t.Errorf("a level is of type %v (%v)", kind, err)
	}
}

// No word of a heading is broken on paper.
func TestHeadingsAreWhole(t *testing.T) {
	text, err := unpack(regular)
	if err != nil {
		t.Fatal(err)
	}
	heavy, err := unpack(bold)
	if err != nil {
		t.Fatal(err)
	}
	has, err := readGlyphs(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range documents(t) {
		s := newSheet(d, has, text, heavy, 0)
		for _, p := range d.parts {
			if p.in == onSheet {
				continue
			}
			widths := s.widths(p.columns)
			s.SetFont(face, "B", normalSize)
			for i, c := range p.columns {
				for word := range strings.FieldsSeq(c.name) {
					if s.GetStringWidth(word) > widths[i]-gap {
						t.Errorf("%s, %s: the heading %q is wider than its column", name, p.name, c.name)
					}
				}
			}
		}
	}
}

func TestLongWordsBreakBehindMarks(t *testing.T) {
	text, err := unpack(regular)
	if err != nil {
		t.Fatal(err)
	}
	has, err := readGlyphs(text)
	if err != nil {
		t.Fatal(err)
	}
	s := newSheet(document{head: head}, has, text, text, 0)
	s.SetFont(face, "", normalSize)
	w := s.GetStringWidth("house-approve-policy-not")
	for in, want := range map[string][]string{
		"house-approve-policy-not-on-ones-own": {"house-approve-policy-", "not-on-ones-own"},
		"on 2026-11-24 by some person":         {"on 2026-11-24 by some", "person"},
		"":                                     {""},
		"a\n\nb":                               {"a", "", "b"},
	} {
		if diff := gocmp.Diff(want, s.wrap(in, w)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
	digest := strings.Repeat("0123456789abcdef", 8)
	if got := strings.Join(s.wrap(digest, w), ""); got != digest {
		t.Errorf("a digest of several lines reads %q", got)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 21: "21", 100: "100", 0.5: "0.5", 5.0 / 21: "0.2381", 12.563636: "12.564", 3.2219444e-06: "0.000003222", -0.25: "-0.25"} {
		if got := figure(v); got != want {
			t.Errorf("%v reads %q; expected %q", v, got, want)
		}
	}
}

// What is asked for wrongly is refused with what was expected.
func TestRequestsSayWhatWasExpected(t *testing.T) {
	for _, c := range []struct {
		q    Request
		want string
	}{
		{Request{Report: "made-up"}, "there is no report"},
		{Request{Report: "audit"}, "expected its id"},
		{Request{Report: "review", Format: "docx", ID: "r1"}, "expected pdf, xlsx or json"},
		{Request{Report: "soa", ID: "a1"}, "expected no id"},
		{Request{Report: "samples", ID: "a1", View: evidence.View{From: head.From}}, "the period of its audit"},
	} {
		if _, _, err := c.q.Settled(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; expected %q", c.q, err, c.want)
		}
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
