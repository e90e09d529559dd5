package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/approval"
)

type trustAddCmd struct {
	server
	Kind  string `arg:"" help:"Kind of sink: account, credential, path, recipient, repository or url."`
	Value string `arg:"" help:"The value, as calls have it."`
	Note  string `name:"note" help:"Why."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *trustAddCmd) Run(ctx context.Context, std streams) error {
	return changeTrust(ctx, c.server, "/api/v1/trust", api.TrustValue{Kind: c.Kind, Value: c.Value, Note: c.Note}, std, c.JSON, "is trusted")
}

type trustRemoveCmd struct {
	server
	Kind  string `arg:"" help:"Kind of sink."`
	Value string `arg:"" help:"The value."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *trustRemoveCmd) Run(ctx context.Context, std streams) error {
	return changeTrust(ctx, c.server, "/api/v1/trust/remove", api.TrustValue{Kind: c.Kind, Value: c.Value}, std, c.JSON, "is trusted no longer")
}

func changeTrust(ctx context.Context, s server, path string, v api.TrustValue, std streams, asJSON bool, done string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.Do(ctx, http.MethodPost, path, v, nil); err != nil {
		return err
	}
	return answer(std.out, asJSON, v, fmt.Sprintf("%s %s %s", v.Kind, approval.Visible(v.Value), done))
}

type trustListCmd struct {
	server
	presentOnly
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *trustListCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("the values lie beside the log and can be erased; `aims receipts list --as-of DATE --action trust.added` shows who changed the directory"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var all []api.TrustedValue
	if err := client.Do(ctx, http.MethodGet, "/api/v1/trust", nil, &all); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"KIND", "VALUE", "BY", "ADDED", "NOTE"}}
	for _, v := range all {
		t.add(v.Kind, approval.Visible(v.Value), v.By.Type+":"+v.By.ID, instant(v.Added), approval.Visible(v.Note))
	}
	return t.print(std.out)
}

type sessionsListCmd struct {
	server
	presentOnly
	Actor string `name:"actor" placeholder:"agent:<id>" help:"Only those of one actor."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *sessionsListCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("a run is kept as it is now; `aims receipts list --as-of DATE --session NAME` shows what it did"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	all := []api.Session{}
	for q := (url.Values{"actor": {c.Actor}}); ; {
		var page api.SessionPage
		if err := client.Do(ctx, http.MethodGet, "/api/v1/sessions?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		if all = append(all, page.Sessions...); page.Next == 0 {
			break
		}
		q.Set("before", strconv.FormatInt(page.Next, 10))
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"ACTOR", "SESSION", "PURPOSE", "CALLS", "REFUSED", "LABELS", "CHANGED"}}
	for _, s := range all {
		t.add(s.Actor, approval.Visible(s.Session), approval.Visible(s.Purpose), strconv.FormatInt(s.Calls, 10), strconv.FormatInt(s.Refusals, 10),
			strings.Join(s.Labels, ","), instant(s.Changed))
	}
	return t.print(std.out)
}

type sessionsShowCmd struct {
	server
	presentOnly
	Actor   string `arg:"" help:"Id of the agent, also as agent:<id>."`
	Session string `arg:"" optional:"" help:"Name of the session; without one, the calls without a session."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (c *sessionsShowCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("a run is kept as it is now; `aims receipts list --as-of DATE --session NAME` shows what it did"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if !strings.Contains(c.Actor, ":") {
		c.Actor = aims.AgentType + ":" + c.Actor
	}
	var s api.Session
	q := url.Values{"actor": {c.Actor}, "session": {c.Session}}
	if err := client.Do(ctx, http.MethodGet, "/api/v1/sessions/show?"+q.Encode(), nil, &s); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, s)
	}
	for _, line := range [][2]string{
		{"run", s.ID}, {"purpose", s.Purpose}, {"for", s.OnBehalfOf}, {"parent", s.Parent}, {"chain", strings.Join(s.Chain, " ← ")},
		{"began", instant(s.Began)}, {"changed", instant(s.Changed)}, {"labels", strings.Join(s.Labels, ", ")}, {"tools", strings.Join(s.Tools, ", ")},
		{"calls", strconv.FormatInt(s.Calls, 10)}, {"refused", strconv.FormatInt(s.Refusals, 10)}, {"results", strconv.Itoa(s.Results)},
		{"prompts", strconv.Itoa(s.Prompts)}, {"stopped", s.Refused},
	} {
		if line[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(std.out, "%-8s %s\n", line[0], approval.Visible(line[1])); err != nil {
			return err
		}
	}
	return nil
}
