package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/enforcement"
	"aims/internal/evidence/observed"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy/bundle"
	"aims/pdp"
	"aims/receipt"
)

// control is one thing that the installation promises, and how to see whether
// it holds: fire goes through the same functions as a call of an agent. It
// returns what was seen, or an error when the control does not hold.
type control struct {
	name string
	fire func(context.Context) (saw string, err error)
}

// selfCheck fires every control once, before the first caller is let in, and
// records what it saw. A control that does not hold ends the start.
func (a *App) selfCheck(ctx context.Context) error {
	var failures []error
	for _, c := range a.declaredControls() {
		saw, err := c.fire(ctx)
		if err != nil {
			saw = err.Error()
			failures = append(failures, aims.Errorf(aims.Internal, err, "the control %q does not hold", c.name))
		}
		a.controls = append(a.controls, api.Control{Name: c.name, Holds: err == nil, Saw: saw})
	}
	return errors.Join(append(failures, a.recordStart(ctx))...)
}

func (a *App) declaredControls() []control {
	return []control{
		{"a caller without a valid key is turned away", a.fireAuthentication},
		{"an action that no policy can permit is refused", a.fireUnknownAction},
		{"arguments that do not fit the tool's schema are refused", a.fireBadArguments},
		{"a tool whose definition changed is refused", a.fireQuarantine},
		{"a held call is not released without its approval", a.fireApproval},
		{"policies that do not compile are refused", a.fireBadPolicy},
		{"a decision is durable before anything follows it, and a changed receipt is detected", a.fireProof},
	}
}

// The tool that the self-check calls: it is in the inventory and runs nowhere.
const (
	probeTool     = "probe"
	probeApproved = `{"name":"probe","description":"The self-check asks for this tool.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}`
	probeChanged  = `{"name":"probe","description":"The self-check asks for this tool, whose definition has changed.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}`
)

// prepareProbe makes sure that the inventory knows the probe by one definition
// and has seen another.
func (a *App) prepareProbe(ctx context.Context) error {
	observe := func(definition string) error {
		_, err := a.enforcer.ObserveTools(ctx, observed.SelfCheckServer, []inventory.Tool{{Name: probeTool, Definition: []byte(definition)}})
		return err
	}
	if _, known := a.inventory.Tool(observed.SelfCheckServer, probeTool); !known {
		if err := observe(probeApproved); err != nil {
			return err
		}
	}
	if t, _ := a.inventory.Tool(observed.SelfCheckServer, probeTool); t.Approved == "" {
		if err := a.enforcer.ApproveTool(ctx, aims.System, "", observed.SelfCheckServer, probeTool, t.Pin); err != nil {
			return err
		}
	}
	return observe(probeChanged)
}

func (a *App) fireAuthentication(ctx context.Context) (string, error) {
	_, err := a.directory.Authenticate(ctx, "aims_selfcheck")
	if code, text := aims.Public(err); code == aims.Unauthenticated {
		return text, nil
	}
	return "", fmt.Errorf("a made-up key was answered with: %w", orNothing(err))
}

// ask decides a call of the self-check's agent and expects that it is refused
// and recorded.
func (a *App) ask(ctx context.Context, c enforcement.Call) (enforcement.Ruling, string, error) {
	c.Principal = identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: observed.SelfCheckAgent}}
	c.Channel, c.Session = enforcement.MCP, observed.SelfCheckAgent
	ruling, err := a.enforcer.Decide(ctx, c)
	if ruling.Receipt == "" {
		return ruling, "", fmt.Errorf("no receipt: %w", orNothing(err))
	}
	if ruling.Verdict != authz.Deny {
		return ruling, "", fmt.Errorf("the verdict was %s", ruling.Verdict)
	}
	return ruling, ruling.Sentence(), nil
}

func (a *App) fireUnknownAction(ctx context.Context) (string, error) {
	_, saw, err := a.ask(ctx, enforcement.Call{Method: "self-check/unknown"})
	return saw, err
}

func (a *App) fireBadArguments(ctx context.Context) (string, error) {
	ruling, saw, err := a.ask(ctx, enforcement.Call{Method: "tools/call", Server: observed.SelfCheckServer, Tool: probeTool, Input: []byte(`{"n":"one"}`)})
	if err == nil && ruling.Cause == "" {
		return "", errors.New("the arguments were not looked at")
	}
	return saw, err
}

func (a *App) fireQuarantine(ctx context.Context) (string, error) {
	_, saw, err := a.ask(ctx, enforcement.Call{Method: "tools/call", Server: observed.SelfCheckServer, Tool: probeTool, Input: []byte(`{"n":1}`)})
	return saw, err
}

func (a *App) fireBadPolicy(context.Context) (string, error) {
	b, err := bundle.FromSources([]pdp.Source{{Name: "self-check.cedar", Text: []byte(`permit (principal, action == Action::"self-check___nothing", resource);`)}})
	if err == nil {
		_, _, err = a.enforcer.CompilePolicy(b)
	}
	if code, text := aims.Public(err); code == aims.Invalid {
		return text, nil
	}
	return "", fmt.Errorf("a policy about an unknown action was answered with: %w", orNothing(err))
}

// fireProof reads a receipt back from the database, proves it against a signed
// checkpoint as an outsider would, and proves that the proof fails for a
// receipt of which one byte differs.
func (a *App) fireProof(ctx context.Context) (string, error) {
	ruling, _, err := a.ask(ctx, enforcement.Call{Method: "self-check/unknown"})
	if err != nil {
		return "", err
	}
	leaf, err := a.ledger.Find(ctx, ruling.Receipt)
	if err != nil {
		return "", err
	}
	proof, err := a.ledger.Prove(ctx, leaf.Index)
	if err != nil {
		return "", err
	}
	trust, err := receipt.NewTrust(a.key.verifier, nil, 0)
	if err != nil {
		return "", err
	}
	if _, err := receipt.VerifyProof(trust, leaf.Raw, proof); err != nil {
		return "", fmt.Errorf("the proof of a good receipt does not hold: %w", err)
	}
	changed := bytes.Replace(leaf.Raw, []byte(`"verdict":"deny"`), []byte(`"verdict":"hold"`), 1)
	if _, err = receipt.VerifyProof(trust, changed, proof); err == nil {
		return "", errors.New("the proof holds for a changed receipt")
	}
	return fmt.Sprintf("%s is entry %d, its proof holds, and fails for the changed one: %v", ruling.Receipt, leaf.Index, err), nil
}

// orNothing keeps a nil error from being wrapped.
func orNothing(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// maxNamed bounds how many decisions without outcome the receipt of a start names.
const maxNamed = 100

// recordStart puts what the start found into the log.
func (a *App) recordStart(ctx context.Context) error {
	detail := struct {
		Version  string        `json:"version"`
		Controls []api.Control `json:"controls"`
		Open     int           `json:"decisions_left_open"`
		First    []string      `json:"first_left_open,omitempty"`
	}{Version: a.version.Version, Controls: a.controls, Open: len(a.left)}
	for _, d := range a.left[:min(len(a.left), maxNamed)] {
		detail.First = append(detail.First, d.ID)
	}
	encoded, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	body, err := receipt.Encode(receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: "system.started",
		Object: receipt.Object{Type: aims.SystemType, ID: "aims"}, Detail: encoded,
	})
	if err != nil {
		return err
	}
	_, err = a.ledger.Append(ctx, ledger.Entry{Kind: receipt.EventKind, Body: body})
	return err
}
