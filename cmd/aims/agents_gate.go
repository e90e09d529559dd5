package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"aims/internal/api"
	"aims/internal/inventory"
)

type agentsGateCmd struct {
	server
	asOf
	ID   string `arg:"" name:"agent" help:"Id of the agent."`
	To   string `name:"to" default:"deployed" enum:"deployed" help:"Stage that it is to go to; deployed is the one with a gate."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *agentsGateCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q := url.Values{"to": {c.To}}
	if c.AsOf != "" {
		q.Set("as_of", c.AsOf)
	}
	var g api.AgentGate
	if err := client.Do(ctx, http.MethodGet, "/api/v1/agents/"+url.PathEscape(c.ID)+"/gate?"+q.Encode(), nil, &g); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, g)
	}
	return printGate(std.out, g)
}

// printGate prints each precondition: that it holds, or what is missing and what
// to do; then what policy says.
func printGate(w io.Writer, g api.AgentGate) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, version %s, from %s to %s\n\n", g.Agent, orDash(g.Version), orDash(g.Stage), g.To)
	holds := 0
	for _, p := range g.Preconditions {
		word := "holds"
		if p.Holds {
			holds++
		} else {
			word = "missing"
		}
		fmt.Fprintf(&b, "%-8s %s\n", word, p.Name)
		for _, m := range p.Missing {
			fmt.Fprintf(&b, "           %s\n", m)
		}
		if p.Do != "" {
			fmt.Fprintf(&b, "           to do: %s\n", p.Do)
		}
	}
	fmt.Fprintf(&b, "\n%d of %d preconditions hold. ", holds, len(g.Preconditions))
	if g.Verdict == "" {
		b.WriteString("What policy said then stands in the receipts: `aims receipts list --action gate.evaluated`\n")
	} else if g.Verdict == "allow" {
		fmt.Fprintf(&b, "Policy would let you put it into operation now: `aims agents move %s %s`\n", g.Agent, g.To)
	} else {
		b.WriteString("Policy would not let you put it into operation now:\n")
		for _, r := range g.Reasons {
			fmt.Fprintf(&b, "  %s: %s\n", r.Policy, r.Text)
		}
		if len(g.Reasons) == 0 {
			b.WriteString("  no policy permits it\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type agentsMoveCmd struct {
	server
	ID    string `arg:"" name:"agent" help:"Id of the agent."`
	Stage string `arg:"" name:"stage" help:"design, development, verification, deployed or retired, where the present stage leads there."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *agentsMoveCmd) Run(ctx context.Context, std streams) error {
	path := "/api/v1/agents/" + url.PathEscape(c.ID)
	if c.Stage == inventory.Deployed {
		return putAgent(ctx, std, c.server, path+"/deploy", nil, c.JSON, "in operation")
	}
	return putAgent(ctx, std, c.server, path+"/change", api.AgentChange{Stage: &c.Stage}, c.JSON, "moved")
}
