package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"aims/internal/api"
	"aims/internal/corrective"
)

// concernCmds is `aims concern`.
type concernCmds struct {
	Report      concernReportCmd      `cmd:"" help:"Report a concern, by name or anonymously; the token that follows it is shown once."`
	Follow      concernFollowCmd      `cmd:"" help:"Follow a concern by its token, and add to it."`
	List        concernListCmd        `cmd:"" help:"List concerns without what people wrote, newest first."`
	Show        concernShowCmd        `cmd:"" help:"Print one with what people wrote; that it was opened is recorded."`
	Acknowledge concernAcknowledgeCmd `cmd:"" help:"Tell the reporter that it was read."`
	Triage      concernTriageCmd      `cmd:"" help:"Say what it is about and who deals with it."`
	Answer      concernAnswerCmd      `cmd:"" help:"Tell the reporter what came of it."`
	Close       concernCloseCmd       `cmd:"" help:"Close it; one without an answer with a reason, which the reporter sees."`
}

type concernReportCmd struct {
	server
	Text      string `name:"text" required:"" help:"What worries you."`
	Anonymous bool   `name:"anonymous" help:"Send no key: who you are is not known and not stored. What you write may still tell it."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

func (c *concernReportCmd) Run(ctx context.Context, std streams) error {
	path := concernPath
	client, err := c.client()
	if c.Anonymous {
		path += "/anonymous"
		client, err = api.NewClient(c.URL, "")
	}
	if err != nil {
		return err
	}
	var done api.ConcernReported
	if err := client.Do(ctx, http.MethodPost, path, textOf(c.Text), &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, done)
	}
	fmt.Fprintln(std.out, done.Token)
	_, err = fmt.Fprintf(std.err, "%s is reported; it is to be acknowledged by %s\nkeep the token: it is stored nowhere, and with it you read the answer: aims concern follow TOKEN\n", done.ID, done.Due)
	return err
}

type concernFollowCmd struct {
	server
	Token string `arg:"" name:"token" help:"The token of the concern; - reads it from standard input, because a command line can be read by every user of the machine."`
	Text  string `name:"text" help:"Add this to the concern."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *concernFollowCmd) Run(ctx context.Context, std streams) error {
	if c.Token == "-" {
		text, err := io.ReadAll(io.LimitReader(std.in, 1<<10))
		if err != nil {
			return err
		}
		c.Token = string(text)
	}
	client, err := api.NewClient(c.URL, "")
	if err != nil {
		return err
	}
	var found corrective.Concern
	if err := client.Do(ctx, http.MethodPost, concernPath+"/follow", api.ConcernToken{Token: strings.TrimSpace(c.Token), Text: c.Text}, &found); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, found)
	}
	return printConcern(std.out, found)
}

type concernListCmd struct{ caseListing }

func (c *concernListCmd) Run(ctx context.Context, std streams) error {
	all, err := listCases(ctx, c.caseListing, concernPath, nil, func(c corrective.Concern) string { return c.ID })
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"CONCERN", "STATE", "REPORTED", "BY", "CATEGORY", "HANDLER", "DUE"}}
	for _, c := range all {
		t.add(c.ID, string(c.State), instant(c.Opened), reporter(c), orDash(string(c.Category)), orDash(c.Handler), orDash(string(c.Due)))
	}
	return t.print(std.out)
}

func reporter(c corrective.Concern) string {
	if c.Reporter == nil {
		return "anonymous"
	}
	return c.Reporter.String()
}

type concernShowCmd struct{ oneCase }

func (c *concernShowCmd) Run(ctx context.Context, std streams) error {
	return showCase(ctx, std, c.oneCase, concernPath, printConcern)
}

func printConcern(w io.Writer, c corrective.Concern) error {
	err := printLines(w, [][2]string{
		{"concern", c.ID}, {"state", string(c.State)}, {"reported", instant(c.Opened) + ", " + reporter(c)},
		{"category", string(c.Category)}, {"handler", c.Handler}, {"next due", string(c.Due)},
	})
	if err != nil {
		return err
	}
	return printSteps(w, c.Steps)
}

type concernAcknowledgeCmd struct {
	caseVerb
	Text string `name:"text" help:"What the reporter is told."`
}

func (c *concernAcknowledgeCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, concernPath, "acknowledge", textOf(c.Text))
}

type concernTriageCmd struct {
	caseVerb
	Category string `name:"category" required:"" enum:"safety,fairness,privacy,security,misuse,obligations,other" help:"safety, fairness, privacy, security, misuse, obligations or other."`
	Handler  string `name:"handler" required:"" help:"Person who deals with it."`
	Note     string `name:"note" help:"The reporter does not see it."`
}

func (c *concernTriageCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, concernPath, "triage", api.ConcernTriage{Category: corrective.Category(c.Category), Handler: c.Handler, Note: c.Note})
}

type concernAnswerCmd struct {
	caseVerb
	Text string `name:"text" required:"" help:"What the reporter is told."`
}

func (c *concernAnswerCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, concernPath, "answer", textOf(c.Text))
}

type concernCloseCmd struct {
	caseVerb
	Reason string `name:"reason" help:"Needed where there was no answer; the reporter sees it."`
}

func (c *concernCloseCmd) Run(ctx context.Context, std streams) error {
	return c.take(ctx, std, concernPath, "close", textOf(c.Reason))
}
