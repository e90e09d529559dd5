package main

import (
	"context"
	"fmt"
	"net/http"

	"aims/internal/api"
	"aims/internal/register/record"
)

// marking is what the commands have in common that state something of a version
// of a record.
type marking struct {
	server
	Kind   string `arg:"" help:"Kind of record."`
	ID     string `arg:"" help:"Id of the record."`
	Digest string `name:"digest" help:"The version that you have seen, as aims show prints it. Without it the record is shown, and you are asked."`
	Yes    bool   `name:"yes" help:"The present version, without being asked."`
	Note   string `name:"note" help:"Why; it is kept beside the log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

type approveCmd struct{ marking }

func (c *approveCmd) Run(ctx context.Context, std streams) error {
	return c.run(ctx, std, record.Approve, "Approve this version?")
}

type acknowledgeCmd struct{ marking }

func (c *acknowledgeCmd) Run(ctx context.Context, std streams) error {
	return c.run(ctx, std, record.Acknowledge, "Have you read this version?")
}

type acceptCmd struct{ marking }

func (c *acceptCmd) Run(ctx context.Context, std streams) error {
	return c.run(ctx, std, record.Accept, "Accept the risk that is left?")
}

func (c *marking) run(ctx context.Context, std streams, mark record.MarkKind, question string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Digest == "" {
		row, err := showRecord(ctx, client, c.Kind, c.ID, "")
		if err != nil {
			return err
		}
		if !c.JSON {
			if err := printRecord(std.out, row); err != nil {
				return err
			}
		}
		if err := agree(std, c.Yes, question); err != nil {
			return err
		}
		c.Digest = row.Version.Digest // of what was just shown
	}
	return state(ctx, std, client, c.JSON, api.RegisterMark{Mark: string(mark), Kind: c.Kind, ID: c.ID, Digest: c.Digest, Note: c.Note})
}

// state sends a mark and prints what became of it.
func state(ctx context.Context, std streams, client *api.Client, asJSON bool, ask api.RegisterMark) error {
	var m record.Mark
	if err := client.Do(ctx, http.MethodPost, "/api/v1/registers-marks", ask, &m); err != nil {
		return err
	}
	return answer(std.out, asJSON, m, fmt.Sprintf("%s/%s: %s", m.On, m.ID, markLine(m)))
}

type attestCmd struct {
	server
	Requirement string `arg:"" help:"Id of the requirement, such as 6.1.2 or A.6.2.8."`
	Note        string `name:"note" required:"" help:"On what you base it; it is kept beside the log."`
	Until       string `name:"until" required:"" placeholder:"DATE" help:"The last day on which it counts."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *attestCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return state(ctx, std, client, c.JSON, api.RegisterMark{
		Mark: string(record.Attest), Kind: record.OnRequirement, ID: c.Requirement, Note: c.Note, Until: c.Until,
	})
}

type withdrawCmd struct {
	server
	Kind string `arg:"" help:"Kind of record, or requirement."`
	ID   string `arg:"" help:"Id of the record or requirement."`
	Note string `name:"note" help:"Why; it is kept beside the log."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *withdrawCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return state(ctx, std, client, c.JSON, api.RegisterMark{Mark: string(record.Withdraw), Kind: c.Kind, ID: c.ID, Note: c.Note})
}
