package report

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/soa"
	"aims/iso42001"
)

// statement is the statement of applicability (ISO 42001 6.1.3).
func statement(h Head, s soa.Statement) document {
	d := document{title: "Statement of applicability", head: h, notes: states(), facts: statementFacts(s)}
	paper := part{in: onPaper, name: "Controls of Annex A", columns: []column{
		{"Control", 30}, {"Decision", 19}, {"Why", 40}, {"How it is put into practice", 42}, {"Answers", 36}, {"Rules and documents", 38}, {"Evidence", 28}, {"Approved, or lacking", 36}}}
	sheet := part{in: onSheet, name: "Statement of applicability", columns: []column{
		{"Control", 10}, {"Title", 28}, {"Area", 22}, {"Decision", 12}, {"Justification", 40}, {"Implementation", 15}, {"How it is put into practice", 40}, {"Owner", 14},
		{"Risks", 30}, {"Obligations", 24}, {"Documents", 24}, {"Rules", 28}, {"Policies of the rules", 24}, {"Evidence", 22}, {"Looked at", 11}, {"Exceptions", 11}, {"Newest evidence", 21},
		{"Receipts", 24}, {"Approved by", 14}, {"Approved at", 21}, {"Receipt of the approval", 24}, {"Lacking", 34}}}
	area := ""
	for _, r := range s.Rows {
		if r.Area != area {
			area = r.Area
			paper.rows = append(paper.rows, row{section: area + " " + areaTitle(area)})
		}
		paper.rows = append(paper.rows, statementOnPaper(r))
		sheet.rows = append(sheet.rows, statementOnSheet(r))
	}
	d.parts = []part{paper, sheet}
	return d
}

func statementFacts(s soa.Statement) []fact {
	count := map[string]int{}
	for _, r := range s.Rows {
		count[r.Decision]++
	}
	approved := "not approved"
	switch {
	case s.Approval != nil:
		approved = approvalText(*s.Approval)
	case s.Stale():
		approved = fmt.Sprintf("not approved as it is now; an earlier one, %s, was approved by %s", s.Earlier, approvalText(*s.Approved))
	}
	return []fact{
		{"Controls", fmt.Sprintf("%d in Annex A: %d applicable, %d left out, %d not decided yet", len(s.Rows), count[soa.Kept], count[soa.Excluded], count[soa.Undecided])},
		{"Digest", s.Digest}, {"Approved as a whole", approved},
	}
}

func approvalText(a soa.Approval) string { return fmt.Sprintf("%s on %s (%s)", a.By, a.At, a.Receipt) }

func decisionText(r soa.Row) string {
	switch r.Decision {
	case soa.Kept:
		return "applicable"
	case soa.Excluded:
		return "left out"
	}
	return "not decided"
}

func statementOnPaper(r soa.Row) row {
	decision := decisionText(r)
	if r.Implementation != "" && r.Decision == soa.Kept {
		decision += "\n" + r.Implementation
	}
	if r.Owner != "" {
		decision += "\nowner " + r.Owner
	}
	evidence := soa.Words(r.Evidence.State)
	if r.Evidence.Population > 0 {
		evidence += fmt.Sprintf("\n%d looked at, %d exceptions", r.Evidence.Population, r.Evidence.Exceptions)
	}
	if r.Evidence.Newest != "" {
		evidence += "\nnewest " + r.Evidence.Newest[:len("2026-11-23")]
	}
	approved := bullets(r.Wanting)
	if r.Approval != nil {
		approved = joined("\n", fmt.Sprintf("approved by %s on %s", r.Approval.By, r.Approval.At[:len("2026-11-23")]), approved)
	}
	return cells(r.Control+"\n"+r.Title, decision, dash(r.Justification), dash(r.How), dash(joined("\n", risksText(r.Risks), labelled("obligations", r.Obligations))),
		dash(joined("\n", labelled("rules", ruleIDs(r.Rules)), labelled("documents", r.Documents))), evidence, dash(approved))
}

func statementOnSheet(r soa.Row) row {
	var by, at, receipt string
	if r.Approval != nil {
		by, at, receipt = r.Approval.By, r.Approval.At, r.Approval.Receipt
	}
	return cells(r.Control, r.Title, r.Area+" "+areaTitle(r.Area), decisionText(r), r.Justification, r.Implementation, r.How, r.Owner, risksText(r.Risks),
		strings.Join(r.Obligations, "\n"), strings.Join(r.Documents, "\n"), strings.Join(ruleIDs(r.Rules), "\n"), strings.Join(policies(r.Rules), "\n"), soa.Words(r.Evidence.State),
		r.Evidence.Population, r.Evidence.Exceptions, moment(r.Evidence.Newest), strings.Join(r.Evidence.Receipts, "\n"), by, moment(at), receipt, bullets(r.Wanting))
}

func risksText(risks []soa.Risk) string {
	var out []string
	for _, r := range risks {
		level := "not assessed"
		if r.Level > 0 {
			level = fmt.Sprintf("level %d", r.Level)
		}
		out = append(out, fmt.Sprintf("%s (%s): %s", r.ID, level, r.Title))
	}
	return strings.Join(out, "\n")
}

func ruleIDs(rules []soa.Rule) (out []string) {
	for _, r := range rules {
		out = append(out, r.ID)
	}
	return slices.Compact(out) // they are sorted
}

func policies(rules []soa.Rule) (out []string) {
	for _, r := range rules {
		out = append(out, r.Policy)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func areaTitle(id string) string {
	for _, a := range iso42001.Areas() {
		if a.ID == id {
			return a.Title
		}
	}
	return ""
}

func labelled(name string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	return name + ": " + strings.Join(list, ", ")
}

// bullets is a list with a line for each.
func bullets(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return "• " + strings.Join(list, "\n• ")
}

// joined joins what is not empty.
func joined(by string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), by)
}
