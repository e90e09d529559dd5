package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/assessment"
	"aims/internal/evidence/observed"
	"aims/internal/inventory"
	"aims/internal/rehearsal/scenario"
)

type rehearsalRequest struct {
	Credentials
	Body RehearsalRequest
}

// RehearsalRequest asks for the threat model to be run against policies.
type RehearsalRequest struct {
	Files []PolicyFile `json:"files,omitempty" doc:"the bundle to rehearse; absent: the policies in force"`
	// Scenarios are played beside those of the product.
	Scenarios []ScenarioFile `json:"scenarios,omitempty"`
	// Record appends the result to the log.
	Record bool `json:"record,omitempty" doc:"append the result to the log; only for the policies in force"`
}

// ScenarioFile is one scenario.
type ScenarioFile struct {
	Name string `json:"name" doc:"ASI01/<name>.yaml to ASI10/<name>.yaml" maxLength:"255"`
	Text string `json:"text"`
}

// RehearsalLine is one line of a rehearsal: progress, or, at the end, the report.
type RehearsalLine struct {
	Progress *ReplayProgress  `json:"progress,omitempty"`
	Report   *scenario.Report `json:"report,omitempty"`
	// Receipt is where the result is recorded.
	Receipt string `json:"receipt,omitempty"`
	// Problem says why there is no report.
	Problem string `json:"problem,omitempty"`
}

func (a *api) rehearsal(h huma.API) {
	stream(a, h, huma.Operation{Method: http.MethodPost, Path: "/rehearsal", Summary: "Run the threat model against policies; one JSON object a line", MaxBodyBytes: maxPolicyBytes},
		"rehearsal/record", "application/x-ndjson", a.rehearse)
}

func (a *api) rehearse(ctx context.Context, c caller, in *rehearsalRequest, w io.Writer) error {
	out := json.NewEncoder(w)
	report, err := a.play(ctx, in.Body, out)
	id := ""
	if err == nil && in.Body.Record {
		id, err = scenario.Record(ctx, a.Ledger, c.Actor, c.Receipt, a.Policies.Active().Digest(), report)
	}
	if err != nil {
		return out.Encode(RehearsalLine{Problem: a.failed("rehearsal/record", err).Detail})
	}
	return out.Encode(RehearsalLine{Report: &report, Receipt: id})
}

// play plays the scenarios against the policies of the request, or those in force.
func (a *api) play(ctx context.Context, in RehearsalRequest, out *json.Encoder) (scenario.Report, error) {
	b, err := bundleOf(in.Files)
	if err != nil {
		return scenario.Report{}, err
	}
	switch {
	case b != nil && in.Record:
		return scenario.Report{}, aims.Errorf(aims.Invalid, nil, "only a rehearsal of the policies in force is recorded: give no files")
	case b == nil:
		b = a.Policies.Own()
	}
	if b == nil {
		return scenario.Report{}, aims.Errorf(aims.NotFound, nil, "no policy is active: everything is refused")
	}
	list, err := scenarios(in.Scenarios)
	if err != nil {
		return scenario.Report{}, err
	}
	said := a.Now()
	return scenario.Rehearse(ctx, scenario.Rehearsal{
		Scenarios: list, Threats: assessment.Library(), Bundle: b, Tools: a.approvedTools(), Content: a.Content,
		Progress: func(played, of int) {
			if now := a.Now(); now.Sub(said) >= time.Second {
				said = now
				out.Encode(RehearsalLine{Progress: &ReplayProgress{uint64(played), uint64(of)}}) // the report notices that nobody reads
			}
		},
	})
}

// scenarios are those of the product and those of a request.
func scenarios(more []ScenarioFile) ([]scenario.Scenario, error) {
	list, err := scenario.Library()
	if err != nil || len(more) == 0 {
		return list, err
	}
	for _, f := range more {
		s, err := scenario.Parse(f.Name, []byte(f.Text))
		if err != nil {
			return nil, aims.Errorf(aims.Invalid, nil, "%v", err)
		}
		list = append(list, s)
	}
	return list, nil
}

// approvedTools are the definitions of the tools in force, by server.
func (a *api) approvedTools() map[string][]inventory.Tool {
	tools := map[string][]inventory.Tool{}
	for _, t := range a.Inventory.Catalog().Tools {
		if state, ok := a.Inventory.Tool(t.Server, t.Name); ok && state.Definition != nil && t.Server != observed.SelfCheckServer {
			tools[t.Server] = append(tools[t.Server], inventory.Tool{Name: t.Name, Definition: state.Definition})
		}
	}
	return tools
}
