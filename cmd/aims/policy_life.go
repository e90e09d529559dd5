package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/policy"
)

type policyPublishCmd struct {
	server
	Dir  string `arg:"" help:"Directory of the policies."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *policyPublishCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	files, err := policyFiles(std, c.Dir)
	if err != nil {
		return err
	}
	var done api.PolicyCheck
	if err := client.Do(ctx, http.MethodPost, "/api/v1/policy/publish", files, &done); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(std.out, done); err != nil {
			return err
		}
	}
	if !done.Valid {
		return sayProblems(std, done.Problems, "the policy bundle cannot be published")
	}
	if c.JSON {
		return nil
	}
	if !done.Changed {
		fmt.Fprintln(std.err, "it was published before")
	}
	_, err = fmt.Fprintln(std.out, done.Bundle)
	return err
}

type policyApproveCmd struct {
	server
	Digest string `arg:"" help:"Digest of the published bundle that you have looked at."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *policyApproveCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var done api.Done
	if err := client.Do(ctx, http.MethodPost, "/api/v1/policy/approve", api.PolicyDigest{Digest: c.Digest}, &done); err != nil {
		return err
	}
	return answer(std.out, c.JSON, map[string]string{"digest": c.Digest, "state": "approved", "receipt": done.Receipt},
		fmt.Sprintf("approved %s [%s]", c.Digest, done.Receipt))
}

type policyShadowCmd struct {
	server
	Digest string `arg:"" optional:"" help:"Digest of a published bundle to try beside the active one."`
	Off    bool   `name:"off" help:"Try none any more."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *policyShadowCmd) Run(ctx context.Context, std streams) error {
	if (c.Digest == "") != c.Off {
		return failf(exitUsage, "give either the digest of a published bundle or --off")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.Do(ctx, http.MethodPost, "/api/v1/policy/shadow", api.PolicyShadow{Digest: c.Digest}, nil); err != nil {
		return err
	}
	text := "no policies are tried any more"
	if !c.Off {
		text = "the policies are tried beside the active ones, without effect"
	}
	return answer(std.out, c.JSON, map[string]string{"candidate": c.Digest}, text)
}

type policyListCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *policyListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var list []policy.Listed
	if err := client.Do(ctx, http.MethodGet, "/api/v1/policy/bundles"+asOfQuery(c.AsOf), nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	t := table{heading: []string{"NAME", "STATE", "AUTHOR", "APPROVED BY", "ENVIRONMENTS", "CREATED", "ACTIVATED", "DIGEST"}}
	for _, l := range list {
		var approvers, environments []string
		for _, a := range l.Approvals {
			approvers = append(approvers, a.By)
		}
		for _, e := range slices.Sorted(maps.Keys(l.Environments)) {
			environments = append(environments, e+" "+string(l.Environments[e]))
		}
		activated := "-"
		if l.Activated != nil {
			activated = l.Activated.Format(time.DateTime)
		}
		t.add(orDash(l.Name), string(l.State), l.Author, orDash(strings.Join(approvers, ", ")), orDash(strings.Join(environments, ", ")),
			l.Created.Format(time.DateTime), activated, l.Digest)
	}
	return t.print(std.out)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
