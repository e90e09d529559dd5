package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"aims/internal/api"
	"aims/internal/inventory"
)

type stopCmd struct {
	server
	Server string `name:"server" xor:"what" required:"" help:"Stop calls to this server, of every agent."`
	Agent  string `name:"agent" xor:"what" required:"" help:"Suspend this agent, on every server."`
	All    bool   `name:"all" xor:"what" required:"" help:"Stop calls to all servers."`
	Reason string `name:"reason" required:"" help:"Why; it stands in the receipt and in the status."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *stopCmd) Run(ctx context.Context, std streams) error {
	return pull(ctx, std, c.server, switchOf(c.Agent, c.Server, c.All), c.Reason, c.JSON)
}

type resumeCmd struct {
	server
	Server string `name:"server" xor:"what" required:"" help:"End the stop of this server."`
	Agent  string `name:"agent" xor:"what" required:"" help:"End the suspension of this agent."`
	All    bool   `name:"all" xor:"what" required:"" help:"End the stop of all servers; those that were stopped by name stay stopped."`
	Reason string `name:"reason" required:"" help:"Why; it stands in the receipt."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *resumeCmd) Run(ctx context.Context, std streams) error {
	return putBack(ctx, std, c.server, switchOf(c.Agent, c.Server, c.All), c.Reason, c.JSON)
}

// stopping is what a switch is about: an agent or a server.
type stopping struct{ agent, server string }

func switchOf(agent, server string, all bool) stopping {
	if all {
		server = inventory.AllServers
	}
	return stopping{agent, server}
}

func (s stopping) String() string {
	switch {
	case s.agent != "":
		return "the agent " + s.agent
	case s.server == inventory.AllServers:
		return "all servers"
	}
	return "the server " + s.server
}

// arguments are those of aims resume that undo the switch.
func (s stopping) arguments() string {
	switch {
	case s.agent != "":
		return "--agent " + s.agent
	case s.server == inventory.AllServers:
		return "--all"
	}
	return "--server " + s.server
}

// turn asks the server to pull a switch or to put it back.
func (s stopping) turn(ctx context.Context, at server, agentVerb, serverVerb, reason string) (api.Switched, error) {
	var done api.Switched
	client, err := at.client()
	if err != nil {
		return done, err
	}
	why := api.Why{Reason: reason}
	if s.agent != "" {
		return done, client.Do(ctx, http.MethodPost, "/api/v1/agents/"+url.PathEscape(s.agent)+"/"+agentVerb, why, &done)
	}
	return done, client.Do(ctx, http.MethodPost, "/api/v1/servers/"+serverVerb, api.ServerSwitch{Server: s.server, Why: why}, &done)
}

// pull stops something and says what happens now.
func pull(ctx context.Context, std streams, at server, s stopping, reason string, asJSON bool) error {
	done, err := s.turn(ctx, at, "suspend", "stop", reason)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, done)
	}
	happens := s.String() + " is stopped: every call to it is refused from the next decision on, whichever agent asks"
	switch {
	case s.agent != "":
		happens = s.String() + " is suspended: whatever it asks is refused from the next decision on, with every key and over every protocol"
	case s.server == inventory.AllServers:
		happens = "all servers are stopped: every call is refused from the next decision on, whichever agent asks"
	}
	fmt.Fprintf(std.out, "%s [%s]\n", happens, done.Receipt)
	fmt.Fprintln(std.out, "calls that were let through before run on; other processes on this database follow within a second")
	if !done.Known {
		fmt.Fprintf(std.err, "note: no agent %s is registered or has a key; is the name right? It is suspended, should it come with an access token\n", s.agent)
	}
	_, err = fmt.Fprintf(std.out, "until somebody runs: aims resume %s --reason …\n", s.arguments())
	return err
}

// putBack ends a stop and says what is still stopped.
func putBack(ctx context.Context, std streams, at server, s stopping, reason string, asJSON bool) error {
	done, err := s.turn(ctx, at, "resume", "resume", reason)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, done)
	}
	verb := "is"
	if s.server == inventory.AllServers {
		verb = "are"
	}
	fmt.Fprintf(std.out, "%s %s resumed: policies decide again, from the next decision on [%s]\n", s, verb, done.Receipt)
	for _, stop := range done.Stops {
		if _, err := fmt.Fprintf(std.out, "still stopped: %s, %s\n", stopName(stop), stopText(stop)); err != nil {
			return err
		}
	}
	return nil
}

func stopName(s api.Stop) string {
	if s.Type == inventory.AgentTarget {
		return stopping{agent: s.ID}.String()
	}
	return stopping{server: s.ID}.String()
}

// stopText says since when, by whom and why something is stopped.
func stopText(s api.Stop) string {
	return fmt.Sprintf("since %s by %s:%s: %s", instant(s.Since), s.By.Type, s.By.ID, s.Reason)
}
