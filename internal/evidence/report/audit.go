package report

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/corrective"
	"aims/internal/evidence/audit"
	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
	"aims/receipt"
)

// audited is the report of an internal audit (ISO 42001 9.2).
func audited(h Head, r audit.Report) document {
	return document{title: "Internal audit: " + r.Audit.Title, head: h, facts: auditFacts(r), notes: auditNotes(),
		parts: []part{findingsOnPaper(r), findingsOnSheet(r), testsOnPaper(r), testsOnSheet(r), testExceptions(r), checks(r), drawnOnPaper(r.Samples), drawnOnSheet(r.Samples), itemsThatDoNotConform(r.Samples)}}
}

func auditNotes() []string {
	return []string{
		"A test looks at every item of its population. Ok: there were items, all were examined and none was an exception. Failed: at least one exception. Not checked: there were none, or a part could not be examined; it is never a pass. Not run: nobody ran it for this audit.",
		"A finding is a nonconformity (major, minor) or an opportunity; its state is that of the nonconformity at the moment of this report. Names such as rcp_… are receipts of the log: aims receipts show prints one, an audit pack holds it.",
		"The report samples of the same audit has every item of each sample and what was found of it.",
	}
}

func auditFacts(r audit.Report) []fact {
	a := r.Audit
	facts := []fact{
		{"Audit", a.ID}, {"Covers", strings.Join(a.Requirements, ", ")},
		{"Criteria", strings.Join(append([]string{"ISO/IEC 42001:2023"}, a.Criteria...), "; ")}, {"Scope", a.Scope},
		{"Auditors", auditorsText(a.Audit)}, {"Independence", independenceText(a.Conflicts)}, {"Held", dateOr(a.Held, "not held yet")},
	}
	if a.Planned != "" {
		facts = append(facts, fact{"Planned", joined(": ", string(a.Planned), a.Why)})
	}
	if p := r.Programme; p != nil {
		facts = append(facts, fact{"Programme", joined(": ", fmt.Sprintf("%s, %s to %s", p.ID, p.From, p.Until), p.Basis)})
	}
	conclusion := strings.Join(strings.Fields(a.Conclusion), " ")
	if conclusion == "" {
		conclusion = "the record of the audit has none yet"
	}
	return append(facts, fact{"Findings", findingsText(r.Findings)}, fact{"Items of samples", itemsText(r)}, fact{"Conclusion", conclusion})
}

func auditorsText(a record.Audit) string {
	list := audit.Auditors(a)
	if len(list) == 0 {
		return dash("")
	}
	return joined(", ", list[0]+" (lead)", strings.Join(list[1:], ", "))
}

func independenceText(conflicts []audit.Conflict) string {
	if len(conflicts) == 0 {
		return "by the registers, no auditor answers for anything that the audit covers"
	}
	var texts []string
	for _, c := range conflicts {
		texts = append(texts, c.String())
	}
	return "NOT independent: " + strings.Join(texts, "; ")
}

func dateOr(d record.Date, otherwise string) string {
	if d == "" {
		return otherwise
	}
	return string(d)
}

func findingsText(list []audit.Finding) string {
	count := map[corrective.Grade]int{}
	for _, f := range list {
		count[f.Grade]++
	}
	return fmt.Sprintf("%d; major: %d, minor: %d, opportunities: %d", len(list), count[corrective.Major], count[corrective.Minor], count[corrective.Opportunity])
}

func itemsText(r audit.Report) string {
	items := 0
	for _, s := range r.Samples {
		items += len(s.Items)
	}
	return fmt.Sprintf("%d in %d samples; conform: %d, do not conform: %d, not looked at yet: %d", items, len(r.Samples), items-r.Open-r.Exceptions, r.Exceptions, r.Open)
}

// requirementText is a requirement's id with its title.
func requirementText(id string) string {
	r, err := iso42001.Get(id)
	if err != nil {
		return id
	}
	return id + " " + r.DisplayTitle
}

const noFindings = "none was raised"

func findingsOnPaper(r audit.Report) part {
	p := part{in: onPaper, name: "Findings", empty: noFindings,
		columns: []column{{"Finding", 42}, {"Grade", 22}, {"Requirement", 36}, {"What is not as it should be", 78}, {"Answers, due", 24}, {"State", 18}, {"Evidence", 44}, {"Raised", 34}}}
	for _, f := range r.Findings {
		p.rows = append(p.rows, cells(f.Nonconformity, string(f.Grade), requirementText(f.Requirement), f.Statement, joined("\n", f.Owner, f.Due), stateText(f.State), bullets(f.Evidence), paperText(f.Paper)))
	}
	return p
}

func findingsOnSheet(r audit.Report) part {
	p := part{in: onSheet, name: "Findings", empty: noFindings,
		columns: []column{{"Finding", 42}, {"Grade", 13}, {"Requirement", 13}, {"Title", 34}, {"What is not as it should be", 70}, {"Answers for it", 14}, {"Due", 12}, {"State", 18}, {"Evidence", 44},
			{"Raised by", 14}, {"Raised at", 21}, {"Work paper", 44}}}
	for _, f := range r.Findings {
		by, at, receipt := paperCells(f.Paper)
		title := strings.TrimPrefix(requirementText(f.Requirement), f.Requirement+" ")
		p.rows = append(p.rows, cells(f.Nonconformity, string(f.Grade), f.Requirement, title, f.Statement, f.Owner, record.Date(f.Due), stateText(f.State), strings.Join(f.Evidence, "\n"), by, at, receipt))
	}
	return p
}

// stateText is a state of a case in words.
func stateText(state string) string { return strings.ReplaceAll(state, "_", " ") }

// paperText is who made a work paper, when, and where it stands.
func paperText(p *audit.Paper) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s on %s\n%s", p.By, day(p.At), p.Receipt)
}

func paperCells(p *audit.Paper) (by string, at any, receipt string) {
	if p == nil {
		return "", "", ""
	}
	return p.By, p.At, p.Receipt
}

// testText is what a test does.
func testText(name string) string {
	switch name {
	case observed.TestIntegrity:
		return "Signatures, tree, hashes and contents of the log, verified as from outside."
	case observed.TestCompleteness:
		return "Indexes, times and outcomes without a gap, and as many decisions as the enforcement points counted themselves."
	case observed.TestDecisions:
		return "Each decision made again from its recorded facts under its recorded policy."
	case observed.TestApprovals:
		return "Each vote and release: by who held the role then, in time, enough of them, used once for that call."
	}
	return "Each evaluation of a gate made again from registers and log of that moment."
}

// tested hands each test with its newest result to fn; nil where it was not run.
func tested(r audit.Report, fn func(name string, result *audit.Result)) {
	for _, name := range audit.Tests() {
		i := slices.IndexFunc(r.Tests, func(t audit.Result) bool { return t.Test == name })
		if i < 0 {
			fn(name, nil)
			continue
		}
		fn(name, &r.Tests[i])
	}
}

func testsOnPaper(r audit.Report) part {
	p := part{in: onPaper, name: "Tests of whole populations", text: fmt.Sprintf("The newest run of each test; runs of tests altogether: %d.", r.Runs),
		columns: []column{{"Test", 54}, {"Result", 18}, {"Looked at", 34}, {"Exceptions", 22}, {"Of the time", 38}, {"Log", 46}, {"Note", 62}, {"Run", 36}}}
	tested(r, func(name string, t *audit.Result) {
		if t == nil {
			p.rows = append(p.rows, cells(name+"\n"+testText(name), "not run", "", "", "", "", "", ""))
			return
		}
		p.rows = append(p.rows, cells(name+"\n"+testText(name), string(t.State), fmt.Sprintf("%d %s", t.Population, t.Of), count(t.Exceptions), stretchText(t),
			fmt.Sprintf("%d entries, root %s", t.Size, t.Root), t.Note, paperText(t.Paper)))
	})
	return p
}

// stretchText is the time of what a test examined, its ends included.
func stretchText(t *audit.Result) string { return onPaperText(t.From) + "\nto " + onPaperText(t.Until) }

// count is a number of items as a cell.
func count(n uint64) int { return int(min(n, 1<<53)) } // a workbook counts no further

func testsOnSheet(r audit.Report) part {
	p := part{in: onSheet, name: "Tests", columns: []column{{"Test", 18}, {"What it does", 50}, {"Result", 13}, {"Looked at", 11}, {"Of what", 34}, {"Exceptions", 11}, {"From", 21}, {"Until", 21},
		{"Entries of the log", 11}, {"Root of the log", 48}, {"Note", 50}, {"Run by", 14}, {"Run at", 21}, {"Work paper", 44}}}
	tested(r, func(name string, t *audit.Result) {
		if t == nil {
			p.rows = append(p.rows, cells(name, testText(name), "not run"))
			return
		}
		by, at, receipt := paperCells(t.Paper)
		p.rows = append(p.rows, cells(name, testText(name), string(t.State), count(t.Population), t.Of, count(t.Exceptions), t.From, t.Until, count(t.Size), t.Root, t.Note, by, at, receipt))
	})
	return p
}

func testExceptions(r audit.Report) part {
	p := part{name: "Exceptions of the tests", columns: []column{{"Test", 22}, {"Where", 44}, {"What is to be said", 120}}}
	if len(r.Tests) == 0 {
		p.empty = "no test was run"
	}
	for _, t := range r.Tests {
		for _, e := range t.First {
			p.rows = append(p.rows, cells(t.Test, e.Place, e.Text))
		}
		if more := t.Exceptions - min(t.Exceptions, uint64(len(t.First))); more > 0 {
			p.rows = append(p.rows, cells(t.Test, "", fmt.Sprintf("and %d more, which are counted and not listed", more)))
		}
	}
	return p
}

// checks are what the tests of the log consist of.
func checks(r audit.Report) part {
	p := part{name: "Checks of the log", empty: "no test of the log was run", columns: []column{{"Test", 26}, {"Check", 18}, {"Result", 16}, {"Looked at", 14}, {"Of what", 44}, {"Exceptions", 16}, {"Note", 80}}}
	for _, t := range r.Tests {
		for _, c := range t.Checks {
			p.rows = append(p.rows, cells(t.Test, c.Name, string(stateOf(c)), count(c.Population), c.Of, count(c.Exceptions), c.Note))
		}
	}
	return p
}

// stateOf is the state of a check; one that looked at nothing is no pass.
func stateOf(c receipt.Check) receipt.State {
	if c.Population == 0 && c.State == receipt.Passed {
		return receipt.Unchecked
	}
	return c.State
}
