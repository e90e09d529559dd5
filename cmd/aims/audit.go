package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/approval"
	"aims/internal/corrective"
	"aims/internal/evidence/audit"
	"aims/internal/progress"
	"aims/receipt"
)

const auditsPath = "/api/v1/audits"

// auditCmds is `aims audit`.
type auditCmds struct {
	List   auditListCmd   `cmd:"" help:"List the audits, and those that a programme plans."`
	Show   auditShowCmd   `cmd:"" help:"Print an audit: who, what, when, whether its auditors are independent, and its papers."`
	Run    auditRunCmd    `cmd:"" help:"Test whole populations: the log, decisions, approvals, gates."`
	Sample auditSampleCmd `cmd:"" help:"Draw a sample for people, which anybody draws again."`
	Result auditResultCmd `cmd:"" help:"Say what was found of an item of a sample."`
	Find   auditFindCmd   `cmd:"" help:"Raise a finding: a nonconformity or an opportunity."`
	Report auditReportCmd `cmd:"" help:"Print the report of an audit."`
}

type auditListCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *auditListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var list []audit.Audit
	if err := client.Do(ctx, http.MethodGet, auditsPath+asOfQuery(c.AsOf), nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	t := table{heading: []string{"AUDIT", "PLANNED", "HELD", "LEAD", "TESTS", "SAMPLES", "FINDINGS", "INDEPENDENT", "COVERS"}}
	for _, a := range list {
		independent := "yes"
		if len(a.Conflicts) > 0 {
			independent = "NO"
		}
		t.add(a.ID, orDash(string(a.Planned)), orDash(string(a.Held)), orDash(a.Lead), strconv.Itoa(a.Tests), strconv.Itoa(a.Samples), strconv.Itoa(a.Findings), independent, strings.Join(a.Requirements, " "))
	}
	return t.print(std.out)
}

// oneAudit is what commands about one audit take.
type oneAudit struct {
	server
	ID   string `arg:"" name:"audit" help:"Id of the audit's record."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c oneAudit) path(more string) string { return auditsPath + "/" + url.PathEscape(c.ID) + more }

// report reads the report of the audit.
func (c oneAudit) report(ctx context.Context, asOf string) (r audit.Report, err error) {
	client, err := c.client()
	if err != nil {
		return r, err
	}
	return r, client.Do(ctx, http.MethodGet, c.path(asOfQuery(asOf)), nil, &r)
}

type auditShowCmd struct {
	oneAudit
	asOf
}

func (c *auditShowCmd) Run(ctx context.Context, std streams) error {
	r, err := c.report(ctx, c.AsOf)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	if err := printAuditHead(std.out, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "papers     %d runs of tests, %d samples (%d items not looked at), %d findings\n", r.Runs, len(r.Samples), r.Open, len(r.Findings))
	return err
}

type auditRunCmd struct {
	oneAudit
	Tests []string `name:"test" help:"Only this test: log-integrity, log-completeness, decisions, approvals, life-cycle-gates."`
}

func (c *auditRunCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	path := c.path("/run")
	if len(c.Tests) > 0 {
		path += "?" + url.Values{"test": {strings.Join(c.Tests, ",")}}.Encode()
	}
	body, err := client.Open(ctx, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	results, err := readRun(std, body)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(std.out, results)
	} else {
		err = printAuditTests(std.out, results)
	}
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.State == receipt.Broken {
			return failf(exitFailed, "there are exceptions")
		}
	}
	return nil
}

// readRun reads the lines of a run up to its results.
func readRun(std streams, body io.Reader) ([]audit.Result, error) {
	lines := json.NewDecoder(body)
	var bar *progress.Bar
	var done uint64
	for {
		var line api.AuditLine
		if err := lines.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it ended early")
			}
			return nil, failf(exitFailed, "the tests broke off: %w", err)
		}
		switch {
		case line.Problem != nil:
			return nil, failf(exitFailed, "%s", line.Problem.Detail)
		case line.Progress != nil:
			if bar == nil {
				bar = progress.New(std.err, "testing", line.Progress.Of, time.Now)
			}
			bar.Add(line.Progress.Read - done)
			done = line.Progress.Read
		default:
			bar.End()
			return line.Results, nil
		}
	}
}

func printAuditTests(w io.Writer, results []audit.Result) error {
	t := table{heading: []string{"TEST", "RESULT", "POPULATION", "EXCEPTIONS", "OF"}}
	for _, r := range results {
		t.add(r.Test, string(r.State), strconv.FormatUint(r.Population, 10), strconv.FormatUint(r.Exceptions, 10), r.Of)
	}
	failures := []error{t.print(w)}
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		failures = append(failures, err)
	}
	for _, r := range results {
		if r.Note != "" {
			line("%s: %s\n", r.Test, r.Note)
		}
		for _, e := range r.First {
			line("%s: %s\n", r.Test, e)
		}
		if more := r.Exceptions - uint64(len(r.First)); more > 0 && r.Exceptions > uint64(len(r.First)) {
			line("%s: and %d more\n", r.Test, more)
		}
		if r.Paper != nil {
			line("%s: %s to %s, log of %d entries, paper %s\n", r.Test, instant(r.From), instant(r.Until), r.Size, r.Paper.Receipt)
		}
	}
	return errors.Join(failures...)
}

type auditSampleCmd struct {
	oneAudit
	Kind    string `arg:"" enum:"decisions,approvals,gates,changes" help:"decisions, approvals, gates or changes (of the registers)."`
	Agent   string `name:"agent" help:"Only those of this agent."`
	Tool    string `name:"tool" help:"Only those of this tool, as server___tool."`
	Verdict string `name:"verdict" help:"Only allow, deny or hold; of gates passed or failed."`
	From    string `name:"from" placeholder:"DATE" help:"First day; without it, that of the audit's period."`
	Until   string `name:"until" placeholder:"DATE" help:"Last day; without it, that of the audit's period."`
	Items   int    `name:"items" help:"How many; 25 without it."`
	Seed    string `name:"seed" help:"Seed; without it the newest checkpoint, which nobody chooses."`
	CSV     bool   `name:"csv" help:"Print the sample sheet as CSV."`
}

func (c *auditSampleCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	in := api.SampleWanted{Kind: c.Kind, Agent: c.Agent, Tool: c.Tool, Verdict: c.Verdict, From: c.From, Until: c.Until, Items: c.Items, Seed: c.Seed}
	var s audit.Sample
	if err := client.Do(ctx, http.MethodPost, c.path("/samples"), in, &s); err != nil {
		return err
	}
	switch {
	case c.JSON:
		return printJSON(std.out, s)
	case c.CSV:
		return sheet(std.out, s)
	}
	return printSample(std.out, s)
}

func printSample(w io.Writer, s audit.Sample) error {
	seed := "the newest checkpoint: " + s.Seed
	if s.Given {
		seed = "given: " + s.Seed
	}
	if err := printLines(w, [][2]string{
		{"sample", s.ID}, {"population", fmt.Sprintf("%d %s", s.Population, s.Text)}, {"digest", s.Digest},
		{"log", fmt.Sprintf("%d entries", s.Size)}, {"seed", seed}, {"method", s.Method},
	}); err != nil {
		return err
	}
	t := table{heading: []string{"ITEM", "ENTRY", "TIME", "AGENT", "ACTION", "VERDICT", "RESULT"}}
	for _, i := range s.Items {
		t.add(i.Receipt, strconv.FormatUint(i.Index, 10), instant(i.At), orDash(i.Agent), orDash(i.Action), orDash(i.Verdict), found(i.Result))
	}
	return t.print(w)
}

func found(j *audit.Judgement) string {
	switch {
	case j == nil:
		return "-"
	case j.Conforms:
		return "conforms"
	}
	return "exception: " + approval.Visible(j.Note)
}

// sheet writes a sample for people to work through.
func sheet(w io.Writer, s audit.Sample) error {
	out := csv.NewWriter(w)
	out.Write([]string{"sample", "item", "entry", "time", "agent", "action", "verdict", "conforms", "note", "by", "at"})
	for _, i := range s.Items {
		row := []string{s.ID, i.Receipt, strconv.FormatUint(i.Index, 10), i.At.UTC().Format(time.RFC3339Nano), cell(i.Agent), cell(i.Action), i.Verdict, "", "", "", ""}
		if j := i.Result; j != nil {
			row[7], row[8] = strconv.FormatBool(j.Conforms), cell(j.Note)
			if j.Paper != nil {
				row[9], row[10] = cell(j.Paper.By), j.Paper.At.UTC().Format(time.RFC3339)
			}
		}
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// cell keeps a spreadsheet from taking foreign text for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

type auditResultCmd struct {
	oneAudit
	Item      string `arg:"" help:"The item's receipt."`
	Conforms  bool   `name:"conforms" xor:"found" required:"" help:"It is as it should be."`
	Exception bool   `name:"exception" xor:"found" required:"" help:"It is not; say why with --note."`
	Note      string `name:"note" help:"What was looked at and found; kept beside the log."`
}

func (c *auditResultCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var j audit.Judgement
	if err := client.Do(ctx, http.MethodPost, c.path("/results"), api.ItemResult{Item: c.Item, Conforms: c.Conforms, Note: c.Note}, &j); err != nil {
		return err
	}
	return answer(std.out, c.JSON, j, fmt.Sprintf("%s: %s [%s]", j.Item, found(&j), j.Paper.Receipt))
}

type auditFindCmd struct {
	oneAudit
	Requirement string   `name:"requirement" required:"" help:"Id of the requirement, such as 8.3 or A.6.2.8."`
	Grade       string   `name:"grade" required:"" enum:"major,minor,opportunity" help:"major, minor or opportunity."`
	Statement   string   `name:"statement" required:"" help:"What is not as it should be."`
	Evidence    []string `name:"evidence" help:"Receipts; work papers too."`
	Responsible string   `name:"responsible" help:"Who answers for it; the owner of the requirement without it."`
	Deadline    string   `name:"deadline" help:"Day by which it must be closed."`
}

func (c *auditFindCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	in := audit.NewFinding{
		Requirement: c.Requirement, Grade: corrective.Grade(c.Grade), Statement: c.Statement, Evidence: c.Evidence,
		Responsible: c.Responsible, Deadline: corrective.Date(c.Deadline),
	}
	var f audit.Finding
	if err := client.Do(ctx, http.MethodPost, c.path("/findings"), in, &f); err != nil {
		return err
	}
	return answer(std.out, c.JSON, f, fmt.Sprintf("%s raised: %s, about %s [%s]", f.Nonconformity, f.Grade, f.Requirement, f.Paper.Receipt))
}

type auditReportCmd struct {
	oneAudit
	asOf
}

func (c *auditReportCmd) Run(ctx context.Context, std streams) error {
	r, err := c.report(ctx, c.AsOf)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	return printAudit(std.out, r)
}

func printAuditHead(w io.Writer, r audit.Report) error {
	a := r.Audit
	lines := [][2]string{
		{"audit", a.ID + "  " + a.Title}, {"covers", strings.Join(a.Requirements, ", ")}, {"criteria", strings.Join(append([]string{"ISO/IEC 42001:2023"}, a.Criteria...), "; ")},
		{"scope", a.Scope}, {"period", fmt.Sprintf("%s to %s", a.From, a.Until)}, {"auditors", strings.Join(audit.Auditors(a.Audit), ", ")},
		{"planned", string(a.Planned)}, {"why then", a.Why}, {"held", string(a.Held)},
	}
	if r.Programme != nil {
		lines = append(lines, [2]string{"programme", fmt.Sprintf("%s, %s to %s: %s", r.Programme.ID, r.Programme.From, r.Programme.Until, r.Programme.Basis)})
	}
	for _, c := range a.Conflicts {
		lines = append(lines, [2]string{"NOT independent", c.String()})
	}
	return printLines(w, lines)
}

// printAudit prints the report of an audit.
func printAudit(w io.Writer, r audit.Report) error {
	failures := []error{printAuditHead(w, r)}
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		failures = append(failures, err)
	}
	line("\nTests of whole populations\n")
	if len(r.Tests) == 0 {
		line("none was run\n")
	} else {
		failures = append(failures, printAuditTests(w, r.Tests))
	}
	line("\nSamples: %d items were not looked at, %d did not conform\n", r.Open, r.Exceptions)
	for _, s := range r.Samples {
		line("\n")
		failures = append(failures, printSample(w, s))
	}
	line("\nFindings\n")
	t := table{heading: []string{"NONCONFORMITY", "GRADE", "REQUIREMENT", "STATE", "DUE", "OWNER", "STATEMENT"}}
	for _, f := range r.Findings {
		t.add(f.Nonconformity, string(f.Grade), f.Requirement, f.State, orDash(f.Due), orDash(f.Owner), approval.Visible(f.Statement))
	}
	failures = append(failures, t.print(w))
	line("\nConclusion: %s\n", approval.Visible(orDash(r.Audit.Conclusion)))
	return errors.Join(failures...)
}
