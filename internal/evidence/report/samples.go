package report

import (
	"fmt"

	"aims/internal/evidence/audit"
)

// samples is the sample sheets of an audit: for each sample its population and
// how it was drawn, and each item with room for what a person found of it.
func samples(h Head, r audit.Report) document {
	d := document{title: "Sample sheets: " + r.Audit.Title, head: h, parts: []part{drawnOnPaper(r.Samples), drawnOnSheet(r.Samples)}, notes: sampleNotes(),
		facts: []fact{{"Audit", r.Audit.ID}, {"Auditors", auditorsText(r.Audit.Audit)}, {"Items of samples", itemsText(r)}}}
	for i, s := range r.Samples {
		d.parts = append(d.parts, itemsOnPaper(i, s), itemsOnSheet(i, s))
	}
	return d
}

func sampleNotes() []string {
	return []string{
		"A population is a query over the log; its digest is the SHA-256 of the ids of all its items, one per line, in the order of the log of that many entries. Drawn are the items with the smallest SHA-256 of seed, newline, id: with the same log and seed anybody draws the same ones.",
		"What is entered here by hand counts once it is recorded: aims audit result AUDIT ITEM --conforms, or --exception --note TEXT.",
	}
}

const noSamples = "none was drawn"

// drawnOnPaper are the samples with their populations.
func drawnOnPaper(list []audit.Sample) part {
	p := part{in: onPaper, name: "Samples", empty: noSamples,
		columns: []column{{"Sample", 34}, {"Population", 66}, {"Digest of the population", 44}, {"Seed", 62}, {"Drawn", 38}, {"Looked at", 30}, {"By", 36}}}
	for i, s := range list {
		looked, exceptions := lookedAt(s)
		p.rows = append(p.rows, cells(sheetOf(i)+"\n"+s.ID, fmt.Sprintf("%d: %s, in the first %d entries of the log", s.Population, s.Text, s.Size), s.Digest, chosenBy(s)+":\n"+s.Seed,
			fmt.Sprintf("%d: %s", len(s.Items), s.Method), fmt.Sprintf("%d of %d\ndo not conform: %d", looked, len(s.Items), exceptions), paperText(s.Paper)))
	}
	return p
}

// chosenBy is who chose the seed of a sample.
func chosenBy(s audit.Sample) string {
	if s.Given {
		return "given by the auditor"
	}
	return "the newest checkpoint, which nobody chose"
}

func drawnOnSheet(list []audit.Sample) part {
	p := part{in: onSheet, name: "Samples", empty: noSamples, columns: []column{{"Sample", 14}, {"Id", 30}, {"Population", 54}, {"Items in it", 13}, {"Digest of the population", 40}, {"Entries of the log", 14},
		{"Seed", 40}, {"Who chose the seed", 22}, {"Drawn", 28}, {"Items drawn", 12}, {"Looked at", 12}, {"Do not conform", 14}, {"Drawn by", 14}, {"Drawn at", 21}, {"Work paper", 32}}}
	for i, s := range list {
		looked, exceptions := lookedAt(s)
		by, at, receipt := paperCells(s.Paper)
		p.rows = append(p.rows, cells(sheetOf(i), s.ID, s.Text, count(s.Population), s.Digest, count(s.Size), s.Seed, chosenBy(s), s.Method, len(s.Items), looked, exceptions, by, at, receipt))
	}
	return p
}

// sheetOf is the name by which a sample is found in a report.
func sheetOf(i int) string { return fmt.Sprintf("Sample %d", i+1) }

func lookedAt(s audit.Sample) (looked, exceptions int) {
	for _, i := range s.Items {
		if i.Result != nil {
			looked++
			if !i.Result.Conforms {
				exceptions++
			}
		}
	}
	return looked, exceptions
}

// The words of a result.
const (
	conforms  = "conforms"
	exception = "exception"
	unseen    = "not looked at yet"
)

func resultText(j *audit.Judgement, otherwise string) string {
	switch {
	case j == nil:
		return otherwise
	case j.Conforms:
		return conforms
	}
	return exception
}

const noItems = "none: the population is empty"

func itemsOnPaper(n int, s audit.Sample) part {
	p := part{in: onPaper, name: sheetOf(n), empty: noItems, text: fmt.Sprintf("Population of %d: %s. Digest %s.", s.Population, s.Text, s.Digest),
		columns: []column{{"Item", 68}, {"Entry", 12}, {"Time", 42}, {"Agent", 24}, {"Action", 44}, {"Verdict", 14}, {"Result", 22}, {"Note", 62}, {"By, on", 24}}}
	for _, i := range s.Items {
		var note, by string
		if j := i.Result; j != nil {
			note = j.Note
			if j.Paper != nil {
				by = j.Paper.By + "\n" + day(j.Paper.At)
			}
		}
		p.rows = append(p.rows, cells(i.Receipt, count(i.Index), i.At, i.Agent, i.Action, i.Verdict, resultText(i.Result, unseen), note, by))
	}
	return p
}

func itemsOnSheet(n int, s audit.Sample) part {
	p := part{in: onSheet, name: sheetOf(n), empty: noItems, choices: map[string][]string{"Result": {conforms, exception}},
		columns: []column{{"Item", 44}, {"Entry", 10}, {"Time", 21}, {"Agent", 20}, {"Action", 36}, {"Verdict", 11}, {"Result", 13}, {"What was looked at and found", 60}, {"Looked at by", 14}, {"Looked at", 21}, {"Work paper", 44}}}
	for _, i := range s.Items {
		var note, by, receipt string
		var at any = ""
		if j := i.Result; j != nil {
			note = j.Note
			by, at, receipt = paperCells(j.Paper)
		}
		p.rows = append(p.rows, cells(i.Receipt, count(i.Index), i.At, i.Agent, i.Action, i.Verdict, resultText(i.Result, ""), note, by, at, receipt))
	}
	return p
}

// itemsThatDoNotConform are those of all samples.
func itemsThatDoNotConform(list []audit.Sample) part {
	p := part{name: "Items that do not conform", columns: []column{{"Sample", 18}, {"Item", 60}, {"Entry", 16}, {"Time", 30}, {"Agent", 22}, {"Action", 40}, {"Verdict", 19}, {"What was looked at and found", 80}, {"By", 14}, {"Work paper", 62}}}
	if len(list) == 0 {
		p.empty = "no sample was drawn"
	}
	for n, s := range list {
		for _, i := range s.Items {
			if j := i.Result; j != nil && !j.Conforms {
				by, _, receipt := paperCells(j.Paper)
				p.rows = append(p.rows, cells(sheetOf(n), i.Receipt, count(i.Index), i.At, i.Agent, i.Action, i.Verdict, j.Note, by, receipt))
			}
		}
	}
	return p
}
