package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/corrective"
)

// incidentCmds is `aims incident`.
type incidentCmds struct {
	List     incListCmd     `cmd:"" help:"List incidents, newest first."`
	Show     incShowCmd     `cmd:"" help:"Print one with its timeline."`
	Report   incReportCmd   `cmd:"" help:"Report an incident."`
	Note     incNoteCmd     `cmd:"" help:"Add a line to the timeline."`
	Assess   incAssessCmd   `cmd:"" help:"Say how severe it is and who is affected."`
	Contain  incContainCmd  `cmd:"" help:"Say that it does no more harm."`
	Decide   incDecideCmd   `cmd:"" help:"Decide whom to tell by when, or that nobody is told, and why."`
	Notified incNotifiedCmd `cmd:"" help:"Say that somebody was told."`
	Resolve  incResolveCmd  `cmd:"" help:"Say that it is over."`
	Close    incCloseCmd    `cmd:"" help:"Close it; whom to tell is decided, and they were."`
	Reopen   incReopenCmd   `cmd:"" help:"Take it up again."`
}

type incListCmd struct{ caseListing }

func (c *incListCmd) Run(ctx context.Context, std streams) error {
	all, err := listCases(ctx, c.caseListing, incidentPath, nil, func(i corrective.Incident) string { return i.ID })
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"INCIDENT", "STATE", "SEVERITY", "NOTIFY", "DUE", "OWNER", "STATEMENT"}}
	for _, i := range all {
		t.add(i.ID, string(i.State), string(i.Severity), orDash(i.Notify), orDash(string(i.Due)), orDash(i.Owner), brief(i.Steps, "statement"))
	}
	return t.print(std.out)
}

type incShowCmd struct{ oneCase }

func (c *incShowCmd) Run(ctx context.Context, std streams) error {
	return showCase(ctx, std, c.oneCase, incidentPath, printIncident)
}

func printIncident(w io.Writer, i corrective.Incident) error {
	lines := [][2]string{
		{"incident", i.ID}, {"state", string(i.State)}, {"severity", string(i.Severity)}, {"happened", instant(i.Happened)},
		{"reported", instant(i.Opened) + " by " + i.ReportedBy.String()}, {"responsible", i.Responsible},
		{"evidence", strings.Join(i.Evidence, ", ")}, {"notify", i.Notify}, {"nonconformities", strings.Join(i.Nonconformities, ", ")},
	}
	for _, n := range i.Notifications {
		told := "not yet"
		if n.Done != nil {
			told = instant(*n.Done)
		}
		lines = append(lines, [2]string{"  " + n.To, fmt.Sprintf("until %s: %s", n.Due, told)})
	}
	lines = append(lines, [2]string{"next due", string(i.Due)})
	if err := printLines(w, lines); err != nil {
		return err
	}
	return printSteps(w, i.Steps)
}

type incReportCmd struct {
	server
	Severity    string    `name:"severity" required:"" enum:"low,medium,high,critical" help:"low, medium, high or critical."`
	Statement   string    `name:"statement" required:"" help:"What happened."`
	Happened    time.Time `name:"happened" format:"2006-01-02T15:04:05Z07:00" help:"When it began, as far as is known (RFC 3339); now without it."`
	Affected    string    `name:"affected" help:"Who or what is affected."`
	Responsible string    `name:"responsible" help:"Person who answers for it; you without it."`
	Evidence    []string  `name:"evidence" help:"Receipts."`
	JSON        bool      `name:"json" help:"Print JSON."`
}

func (c *incReportCmd) Run(ctx context.Context, std streams) error {
	if c.Happened.IsZero() {
		// A second ago: the server's clock may be a little behind this one.
		c.Happened = time.Now().Add(-time.Second)
	}
	return takeStep(ctx, std, c.server, incidentPath, corrective.NewIncident{
		Severity: corrective.Severity(c.Severity), Happened: c.Happened, Statement: c.Statement, Affected: c.Affected, Responsible: c.Responsible, Evidence: c.Evidence,
	}, c.JSON)
}

type incNoteCmd struct {
	caseVerb
	When     time.Time `name:"when" required:"" format:"2006-01-02T15:04:05Z07:00" help:"When it happened (RFC 3339)."`
	Text     string    `name:"text" required:"" help:"What happened."`
	Evidence []string  `name:"evidence" help:"Receipts."`
}

func (c *incNoteCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "note", api.TimelineNote{When: c.When, Text: c.Text, Evidence: c.Evidence})
}

type incAssessCmd struct {
	caseVerb
	Severity string `name:"severity" required:"" enum:"low,medium,high,critical" help:"low, medium, high or critical."`
	Affected string `name:"affected" required:"" help:"Who or what is affected."`
}

func (c *incAssessCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "assess", api.IncidentAssessment{Severity: corrective.Severity(c.Severity), Affected: c.Affected})
}

type incContainCmd struct {
	caseVerb
	Text string `name:"text" required:"" help:"What was done."`
}

func (c *incContainCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "contain", textOf(c.Text))
}

type incDecideCmd struct {
	caseVerb
	Notify []string `name:"notify" xor:"tell" required:"" placeholder:"WHO=DAY" help:"Whom to tell, and by which day."`
	Nobody bool     `name:"nobody" xor:"tell" required:"" help:"Nobody is told."`
	Reason string   `name:"reason" required:"" help:"Why."`
}

func (c *incDecideCmd) Run(ctx context.Context, std streams) error {
	in := api.NotificationDecision{Tell: []api.NoticeDue{}, Reason: c.Reason}
	for _, text := range c.Notify {
		to, day, ok := strings.Cut(text, "=")
		if !ok {
			return failf(exitUsage, "--notify %q; expected who=day, such as users=2026-12-01", text)
		}
		in.Tell = append(in.Tell, api.NoticeDue{To: to, Due: corrective.Date(day)})
	}
	return c.take(ctx, std, incidentPath, "decide", in)
}

type incNotifiedCmd struct {
	caseVerb
	To   string `name:"to" required:"" help:"Who was told."`
	Text string `name:"text" help:"What they were told."`
}

func (c *incNotifiedCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "notified", api.NoticeGiven{To: c.To, Text: c.Text})
}

type incResolveCmd struct {
	caseVerb
	Text string `name:"text" required:"" help:"How it ended."`
}

func (c *incResolveCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "resolve", textOf(c.Text))
}

type incCloseCmd struct {
	caseVerb
	Text string `name:"text" help:"Anything to be said."`
}

func (c *incCloseCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "close", textOf(c.Text))
}

type incReopenCmd struct {
	caseVerb
	Reason string `name:"reason" required:"" help:"Why."`
}

func (c *incReopenCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, incidentPath, "reopen", textOf(c.Reason))
}
