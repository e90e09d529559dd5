package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"aims/authz"
	"aims/internal/api"
	"aims/receipt"
)

const allowed = authz.Allow

// agent is a scripted MCP client. It knows the gateway as any MCP server.
type agent struct {
	session   *mcp.ClientSession
	manage    *api.Client // looks up receipts, for the screen
	treasurer *api.Client // a person, who releases what is held
}

// bearer adds the agent's key to each request.
type bearer struct{ key string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return http.DefaultTransport.RoundTrip(r)
}

func connectAgent(ctx context.Context, endpoint, key string, manage, treasurer *api.Client) (*agent, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "bookkeeper", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: endpoint, HTTPClient: &http.Client{Transport: bearer{key}},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("the agent cannot connect to %s: %w", endpoint, err)
	}
	return &agent{session, manage, treasurer}, nil
}

// grant has the treasurer grant the call that waits, and is its id.
func (a *agent) grant(ctx context.Context) (string, error) {
	var page api.ApprovalPage
	if err := a.treasurer.Do(ctx, http.MethodGet, "/api/v1/approvals", nil, &page); err != nil {
		return "", err
	}
	if len(page.Approvals) == 0 {
		return "", errors.New("no call waits for anybody")
	}
	id := page.Approvals[0].ID
	return id, a.treasurer.Do(ctx, http.MethodPost, "/api/v1/approvals/"+url.PathEscape(id)+"/grant", api.ApprovalNote{Note: "rent of November"}, nil)
}

// observed is what the agent and the record say about one call.
type observed struct {
	verdict authz.Verdict
	reasons []string
	receipt string
	result  string // what the tool answered
}

// What the gateway adds to the result of a tool call: the receipt of the
// decision, and for a refused one why.
const (
	receiptKey = "aims/receipt"
	refusalKey = "aims/refusal"
)

// refusal is why a call was refused.
type refusal struct {
	Verdict authz.Verdict  `json:"verdict"`
	Reasons []authz.Reason `json:"reasons"`
}

// call calls a tool through the gateway. An error means that the call neither
// ran nor was refused.
func (a *agent) call(ctx context.Context, tool string, args map[string]any) (observed, error) {
	if args == nil {
		args = map[string]any{}
	}
	result, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return observed{}, err
	}
	o := observed{verdict: allowed}
	o.receipt, _ = result.Meta[receiptKey].(string)
	if o.receipt == "" {
		return o, errors.New("the answer carries no receipt")
	}
	if why, refused := result.Meta[refusalKey]; refused {
		return o.refused(why)
	}
	decision, err := a.decision(ctx, o.receipt)
	if err != nil {
		return o, err
	}
	o.reasons, o.result = sentences(decision.Reasons), textOf(result)
	return o, nil
}

func (o observed) refused(why any) (observed, error) {
	encoded, err := json.Marshal(why)
	if err != nil {
		return o, err
	}
	var r refusal
	if err := json.Unmarshal(encoded, &r); err != nil {
		return o, fmt.Errorf("the refusal cannot be read: %w", err)
	}
	o.verdict, o.reasons = r.Verdict, sentences(r.Reasons)
	return o, nil
}

// decision reads the recorded decision from the log.
func (a *agent) decision(ctx context.Context, id string) (*receipt.Decision, error) {
	var r api.Receipt
	if err := a.manage.Do(ctx, http.MethodGet, "/api/v1/receipts/"+url.PathEscape(id), nil, &r); err != nil {
		return nil, err
	}
	return receipt.DecodeDecision(receipt.Kind(r.Kind), r.Body)
}

func sentences(reasons []authz.Reason) []string {
	var all []string
	for _, r := range reasons {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s (%s)", r.Text, r.Policy)))
	}
	if len(all) == 0 {
		all = []string{"No policy permits it."}
	}
	return all
}

func textOf(result *mcp.CallToolResult) string {
	var b strings.Builder
	for _, c := range result.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			b.WriteString(t.Text)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// toolNames are the tools that the agent is shown.
func (a *agent) toolNames(ctx context.Context) ([]string, error) {
	var names []string
	for tool, err := range a.session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		names = append(names, tool.Name)
	}
	return names, nil
}
