package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"aims/internal/approval"
	"aims/internal/corrective"
)

// nonconformityCmds is `aims nonconformity`.
type nonconformityCmds struct {
	List      ncListCmd      `cmd:"" help:"List nonconformities and opportunities, newest first."`
	Show      ncShowCmd      `cmd:"" help:"Print one with everything that happened."`
	Raise     ncRaiseCmd     `cmd:"" help:"Raise one; the same cause again goes into the one that there is."`
	Correct   ncCorrectCmd   `cmd:"" help:"Say what was done about the thing itself, or why nothing can be."`
	Analyse   ncAnalyseCmd   `cmd:"" help:"Say how far it reaches and what the root cause is."`
	Plan      ncPlanCmd      `cmd:"" help:"Say what is to be done, by whom, until when, and when to look whether it helped."`
	Implement ncImplementCmd `cmd:"" help:"Say that an action is done; one that changes policy is proved first."`
	Review    ncReviewCmd    `cmd:"" help:"Say whether the actions helped; nobody reviews their own."`
	Close     ncCloseCmd     `cmd:"" help:"Close one whose actions were effective."`
	Waive     ncWaiveCmd     `cmd:"" help:"Accept things as they are."`
	Withdraw  ncWithdrawCmd  `cmd:"" help:"Withdraw one that was raised in error."`
	Reopen    ncReopenCmd    `cmd:"" help:"Take one up again."`
	Overdue   overdueCmd     `cmd:"" help:"List what should have been done by now, also about incidents and concerns."`
}

type ncListCmd struct {
	caseListing
	Requirement string `name:"requirement" help:"Only of this requirement, such as 8.3 or A.6.2.8."`
}

func (c *ncListCmd) Run(ctx context.Context, std streams) error {
	all, err := listCases(ctx, c.caseListing, nonconformityPath, url.Values{"requirement": {c.Requirement}},
		func(n corrective.Nonconformity) string { return n.ID })
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"NONCONFORMITY", "STATE", "GRADE", "REQUIREMENT", "DUE", "OWNER", "STATEMENT"}}
	for _, n := range all {
		t.add(n.ID, string(n.State), string(n.Grade), n.Requirement, orDash(string(n.Due)), orDash(n.Owner), brief(n.Steps, "statement"))
	}
	return t.print(std.out)
}

// brief is the beginning of what was said when a case was opened.
func brief(steps []corrective.CaseStep, part string) string {
	if len(steps) == 0 {
		return "-"
	}
	if steps[0].Erased {
		return "(erased)"
	}
	line, _, _ := strings.Cut(steps[0].Words[part], "\n")
	if letters := []rune(line); len(letters) > 60 {
		line = string(letters[:59]) + "…"
	}
	return approval.Visible(line)
}

type ncShowCmd struct{ oneCase }

func (c *ncShowCmd) Run(ctx context.Context, std streams) error {
	return showCase(ctx, std, c.oneCase, nonconformityPath, printNonconformity)
}

func printNonconformity(w io.Writer, n corrective.Nonconformity) error {
	lines := [][2]string{
		{"nonconformity", n.ID}, {"state", string(n.State)}, {"grade", string(n.Grade)}, {"requirement", n.Requirement}, {"source", string(n.Source)},
		{"raised", instant(n.Opened) + " by " + n.RaisedBy.String()}, {"responsible", n.Responsible}, {"incident", n.Incident}, {"cause", n.Cause},
		{"seen", fmt.Sprintf("%d times", n.Occurrences)}, {"agents", strings.Join(n.Scope.Agents, ", ")}, {"tools", strings.Join(n.Scope.Tools, ", ")},
		{"evidence", strings.Join(n.Evidence, ", ")}, {"deadline", string(n.Deadline)}, {"merged into", n.MergedInto},
	}
	for _, a := range n.Actions {
		lines = append(lines, [2]string{"action " + a.ID, fmt.Sprintf("%s, %s, by %s until %s: %s", a.State, a.Kind, a.Owner, a.Due, a.Text)})
		if p := a.Proof; p != nil {
			lines = append(lines, [2]string{"  proof", fmt.Sprintf("%s was %s and is %s; %d of %d recorded calls change (%s); %d of %d scenarios as they must, under %s",
				p.Case, p.Before, p.After, p.Replay.Changed, p.Replay.Decided, p.Replay.List, p.Rehearsal.AsExpected, p.Rehearsal.Scenarios, p.Policy)})
		}
	}
	if n.ReviewFrom != "" {
		lines = append(lines, [2]string{"review", fmt.Sprintf("from %s, until %s", n.ReviewFrom, n.ReviewBy)})
	}
	for _, r := range n.Reviews {
		found := "not effective"
		if r.Effective {
			found = "effective"
		}
		lines = append(lines, [2]string{"reviewed", fmt.Sprintf("%s, by %s at %s, on %d records since %s", found, r.By, instant(r.At), r.Observed.Population, instant(r.Since))})
	}
	lines = append(lines, [2]string{"next due", string(n.Due)})
	if err := printLines(w, lines); err != nil {
		return err
	}
	return printSteps(w, n.Steps)
}

type ncRaiseCmd struct {
	server
	Requirement string   `name:"requirement" required:"" help:"Id of the requirement, such as 8.3 or A.6.2.8."`
	Grade       string   `name:"grade" required:"" enum:"major,minor,opportunity" help:"major, minor or opportunity."`
	Statement   string   `name:"statement" required:"" help:"What is not as it should be."`
	Source      string   `name:"source" default:"person" enum:"audit,person,incident,certification-body" help:"audit, person, incident or certification-body; criteria raise their own."`
	Cause       string   `name:"cause" help:"Key of the cause, where it is known."`
	Agents      []string `name:"agent" help:"Agent that it is about; all without it."`
	Tools       []string `name:"tool" help:"Tool that it is about, as server___tool; all without it."`
	Evidence    []string `name:"evidence" help:"Receipts."`
	Responsible string   `name:"responsible" help:"Person who answers for it; you without it."`
	Deadline    string   `name:"deadline" help:"Day by which it must be closed."`
	Incident    string   `name:"incident" help:"The incident that it comes from."`
	JSON        bool     `name:"json" help:"Print JSON."`
}

func (c *ncRaiseCmd) Run(ctx context.Context, std streams) error {
	return takeStep(ctx, std, c.server, nonconformityPath, corrective.NewNonconformity{
		Source: corrective.Source(c.Source), Requirement: c.Requirement, Grade: corrective.Grade(c.Grade), Statement: c.Statement, Cause: c.Cause,
		Agents: c.Agents, Tools: c.Tools, Evidence: c.Evidence, Responsible: c.Responsible, Deadline: corrective.Date(c.Deadline), Incident: c.Incident,
	}, c.JSON)
}

type ncCorrectCmd struct {
	caseVerb
	Text string `name:"text" required:"" help:"What was done."`
}

func (c *ncCorrectCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "correct", textOf(c.Text))
}

type ncAnalyseCmd struct {
	caseVerb
	Extent    string `name:"extent" required:"" help:"Whether there are similar cases elsewhere, or could be."`
	RootCause string `name:"root-cause" required:"" help:"The root cause."`
	Cause     string `name:"cause" required:"" help:"Key of the cause: the same key of the same requirement is the same cause."`
}

func (c *ncAnalyseCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "analyse", corrective.CauseAnalysis{Extent: c.Extent, RootCause: c.RootCause, Cause: c.Cause})
}

type ncPlanCmd struct {
	caseVerb
	Actions    []string `name:"action" required:"" sep:"none" placeholder:"KIND,OWNER,DAY,TEXT" help:"An action: process, training, policy or technical; who does it; until when; what. Once for each."`
	ReviewFrom string   `name:"review-from" required:"" help:"First day of the effectiveness review."`
	ReviewBy   string   `name:"review-by" help:"Last day of it; 30 days later without it."`
}

func (c *ncPlanCmd) Run(ctx context.Context, std streams) error {
	plan := corrective.ActionPlan{ReviewFrom: corrective.Date(c.ReviewFrom), ReviewBy: corrective.Date(c.ReviewBy)}
	for _, text := range c.Actions {
		parts := strings.SplitN(text, ",", 4)
		if len(parts) < 4 {
			return failf(exitUsage, "--action %q; expected kind,owner,day,text such as process,otto,2026-12-15,check weekly", text)
		}
		plan.Actions = append(plan.Actions, corrective.NewAction{
			Kind: corrective.ActionKind(strings.TrimSpace(parts[0])), Owner: strings.TrimSpace(parts[1]),
			Due: corrective.Date(strings.TrimSpace(parts[2])), Text: strings.TrimSpace(parts[3]),
		})
	}
	return c.take(ctx, std, nonconformityPath, "plan", plan)
}

type ncImplementCmd struct {
	caseVerb
	Action   string   `name:"action" required:"" help:"Id of the action, such as a1."`
	Note     string   `name:"note" required:"" help:"What was done."`
	Evidence []string `name:"evidence" help:"Receipts."`
	Case     string   `name:"case" help:"With an action of kind policy: the receipt of the recorded call that is now refused or held."`
}

func (c *ncImplementCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "implement",
		corrective.Implementation{Action: c.Action, Note: c.Note, Evidence: c.Evidence, Case: c.Case})
}

type ncReviewCmd struct {
	caseVerb
	Effective   bool     `name:"effective" xor:"found" required:"" help:"The actions helped."`
	Ineffective bool     `name:"ineffective" xor:"found" required:"" help:"They did not: it is open again."`
	Note        string   `name:"note" required:"" help:"How that was seen."`
	Evidence    []string `name:"evidence" help:"Receipts since the last action was implemented."`
}

func (c *ncReviewCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "review", corrective.ReviewFinds{Effective: c.Effective, Note: c.Note, Evidence: c.Evidence})
}

type ncCloseCmd struct {
	caseVerb
	Note string `name:"note" help:"Anything to be said."`
}

func (c *ncCloseCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "close", textOf(c.Note))
}

type ncWaiveCmd struct {
	caseVerb
	Reason string `name:"reason" required:"" help:"Why."`
}

func (c *ncWaiveCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "waive", textOf(c.Reason))
}

type ncWithdrawCmd struct {
	caseVerb
	Reason string `name:"reason" required:"" help:"Why."`
}

func (c *ncWithdrawCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "withdraw", textOf(c.Reason))
}

type ncReopenCmd struct {
	caseVerb
	Reason string `name:"reason" required:"" help:"Why."`
}

func (c *ncReopenCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, nonconformityPath, "reopen", textOf(c.Reason))
}
