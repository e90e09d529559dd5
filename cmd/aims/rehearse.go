package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"aims/internal/policy/bundle"
	"aims/internal/policy/guards"
	"aims/internal/rehearsal"
	"aims/internal/rehearsal/score"
	"aims/internal/rehearsal/trajectory"
	"aims/pdp"
)

type rehearseCmd struct {
	server
	Policies  string `name:"policies" type:"existingdir" help:"Policy bundle to try; the guards that ship without it."`
	Scenarios string `name:"scenarios" type:"existingdir" help:"Directory of further scenarios, ASI01/<name>.yaml to ASI10/<name>.yaml."`
	Active    bool   `name:"active" help:"Have the server play the scenarios against the policies in force."`
	Record    bool   `name:"record" help:"With --active: record the result in the log."`

	Trajectories string             `name:"trajectories" type:"existingdir" group:"Recorded runs:" help:"Directory of recorded runs, one file for each model."`
	Labels       string             `name:"labels" type:"existingdir" group:"Recorded runs:" help:"Directory of what the runs were. Only the score reads it."`
	Tools        string             `name:"tools" type:"existingdir" group:"Recorded runs:" help:"Directory of the tools that the runs had, one file for each suite."`
	Protocol     rehearsal.Protocol `name:"protocol" group:"Recorded runs:" help:"History that is granted: cold, of other purposes; warm, also of other models for the same one."`
	Models       []string           `name:"models" placeholder:"MODEL" group:"Recorded runs:" help:"Only runs of these models; the five of the headline, or all, without it."`
	Curve        bool               `name:"curve" group:"Recorded runs:" help:"Show what each rule buys."`

	JSON bool `name:"json" help:"Print JSON."`
}

func (c *rehearseCmd) Run(ctx context.Context, std streams) error {
	recorded := c.Trajectories != "" || c.Tools != "" || c.Protocol != "" || c.Curve || len(c.Models) > 0
	switch {
	case c.Record && !c.Active:
		return failf(exitUsage, "--record goes with --active: only what the server plays against its own policies is recorded")
	case c.Active && (c.Policies != "" || recorded):
		return failf(exitUsage, "--active plays the scenarios against the policies in force: it goes with neither --policies nor recorded runs")
	case !recorded:
		return threats{policies: c.Policies, more: c.Scenarios, active: c.Active, record: c.Record, asJSON: c.JSON}.run(ctx, std, c.server)
	case c.Scenarios != "":
		return failf(exitUsage, "--scenarios does not go with recorded runs")
	case c.Trajectories == "" || c.Tools == "":
		return failf(exitUsage, "recorded runs need --trajectories, --labels, --tools and --protocol")
	case c.Protocol != rehearsal.Cold && c.Protocol != rehearsal.Warm:
		return failf(exitUsage, "--protocol is %q; expected cold or warm", c.Protocol)
	}
	return c.replay(ctx, std)
}

// replay decides recorded runs again and scores what came of it.
func (c *rehearseCmd) replay(ctx context.Context, std streams) error {
	r, labels, err := c.load()
	if err != nil {
		return withCode(exitUsage, err)
	}
	rules, err := c.policies()
	if err != nil {
		return err
	}
	if c.Curve {
		return c.curve(ctx, std, r, labels, rules)
	}
	table, err := rehearse(ctx, r, labels, rules)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, table)
	}
	return table.Print(std.out)
}

// load reads the runs. Of the labels, the replay gets which runs were ordinary work.
func (c *rehearseCmd) load() (rehearsal.Replay, *score.Labels, error) {
	r := rehearsal.Replay{Protocol: c.Protocol}
	var err error
	if r.Runs, err = trajectory.Load(c.Trajectories); err != nil {
		return r, nil, err
	}
	if r.Suites, err = trajectory.LoadTools(c.Tools); err != nil {
		return r, nil, err
	}
	if r.Models, err = rehearsal.Choose(r.Runs, c.Models); err != nil {
		return r, nil, err
	}
	labels, err := score.Open(c.Labels, r.Runs)
	if err != nil {
		return r, nil, err
	}
	r.Benign = labels.Benign(r.Runs)
	return r, labels, nil
}

// guardsOfContent are the guards against calls that content has chosen.
var guardsOfContent = []string{"guard-sink", "guard-intent", "guard-new-tool"}

// policies are those to try.
func (c *rehearseCmd) policies() ([]pdp.Source, error) {
	b, err := guards.Bundle(guardsOfContent...)
	if c.Policies != "" {
		b, err = bundle.Load(os.DirFS(c.Policies))
	}
	if err != nil {
		return nil, err
	}
	return b.Sources, nil
}

func rehearse(ctx context.Context, r rehearsal.Replay, labels *score.Labels, policies []pdp.Source) (score.Table, error) {
	r.Policies = policies
	judged, err := r.Run(ctx)
	if err != nil {
		return score.Table{}, err
	}
	return labels.Table(string(r.Protocol), judged)
}

func (c *rehearseCmd) curve(ctx context.Context, std streams, r rehearsal.Replay, labels *score.Labels, rules []pdp.Source) error {
	variants, err := rehearsal.Curve(rules)
	if err != nil {
		return err
	}
	var steps []score.Step
	for _, v := range variants {
		table, err := rehearse(ctx, r, labels, v.Policies)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
		steps = append(steps, score.Step{Name: v.Name, Table: table})
	}
	if c.JSON {
		return printJSON(std.out, steps)
	}
	fmt.Fprintf(std.out, "%s, %s\n\n", c.Protocol, strings.Join(r.Models, ", "))
	return score.PrintCurve(std.out, steps)
}
