//lint:file-ignore SA1019 what the newer revision deprecates, the gateway still has to carry

package gateway

import (
	"context"
	"net/http/httptest"
	"testing"

	"aims/internal/gateway/upstream"
	"aims/receipt"

	otherclient "github.com/mark3labs/mcp-go/client"
	othertransport "github.com/mark3labs/mcp-go/client/transport"
	other "github.com/mark3labs/mcp-go/mcp"
	otherserver "github.com/mark3labs/mcp-go/server"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A second implementation of the protocol, which understands the specification
// in its own way, on either side.

func otherFeatures() *otherserver.MCPServer {
	s := otherserver.NewMCPServer("other", "1", otherserver.WithElicitation())
	s.AddTool(other.NewTool("greet", other.WithString("text")), func(_ context.Context, r other.CallToolRequest) (*other.CallToolResult, error) {
		return other.NewToolResultText("hello " + r.GetString("text", "")), nil
	})
	s.AddTool(other.NewTool("ask"), func(_ context.Context, r other.CallToolRequest) (*other.CallToolResult, error) {
		if got := otherserver.ElicitationResponse(r.Params.InputResponses, "name"); got != nil {
			content, _ := got.Content.(map[string]any)
			name, _ := content["name"].(string)
			return other.NewToolResultText("hello " + name), nil
		}
		return otherserver.NewInputRequestBuilder("half way").Elicit("name", other.ElicitationParams{
			Mode: "form", Message: "Your name?",
			RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}},
		}).ToolResult(), nil
	})
	return s
}

type otherElicits struct{}

func (otherElicits) Elicit(context.Context, other.ElicitationRequest) (*other.ElicitationResult, error) {
	return &other.ElicitationResult{ElicitationResponse: other.ElicitationResponse{Action: "accept", Content: map[string]any{"name": "Ann"}}}, nil
}

// otherAgent is a client of the second implementation.
func otherAgent(t *testing.T, h *house, version string) *otherclient.Client {
	t.Helper()
	transport, err := othertransport.NewStreamableHTTP(h.url+"/mcp/f", othertransport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + h.key}))
	must(t, err)
	options := []otherclient.ClientOption{otherclient.WithElicitationHandler(otherElicits{})}
	if version != upstream.Modern {
		options = append(options, otherclient.WithLegacyProtocolOnly())
	}
	c := otherclient.NewClient(transport, options...)
	must(t, c.Start(t.Context()))
	t.Cleanup(func() { c.Close() })
	request := other.InitializeRequest{}
	request.Params.ProtocolVersion = version
	request.Params.ClientInfo = other.Implementation{Name: "agent", Version: "1"}
	got, err := c.Initialize(t.Context(), request)
	must(t, err)
	if got.ProtocolVersion != version {
		t.Fatalf("the agent speaks %s, want %s", got.ProtocolVersion, version)
	}
	return c
}

func otherSays(t *testing.T, c *otherclient.Client, tool string, arguments map[string]any) string {
	t.Helper()
	request := other.CallToolRequest{}
	request.Params.Name, request.Params.Arguments = tool, arguments
	r, err := c.CallTool(t.Context(), request)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].(other.TextContent).Text
}

func TestOtherImplementation(t *testing.T) {
	servers := map[string]func(t *testing.T) Server{
		"official, stateless": func(t *testing.T) Server { return startUpstream(t, "stateless HTTP") },
		"official, sessions":  func(t *testing.T) Server { return startUpstream(t, "HTTP with sessions") },
		"official, pipes":     func(t *testing.T) Server { return startUpstream(t, "pipes with sessions") },
		"other, HTTP": func(t *testing.T) Server {
			server := httptest.NewServer(otherserver.NewStreamableHTTPServer(otherFeatures()))
			t.Cleanup(server.Close)
			return overHTTP("f", server.URL+"/mcp")
		},
		"other, pipes": func(t *testing.T) Server { return onPipes(t, "f", "other") },
	}
	for name, start := range servers {
		for _, version := range []string{upstream.Modern, upstream.Legacy} {
			t.Run(name+"/"+version, func(t *testing.T) {
				h := newHouse(t, houseOptions{config: Config{Servers: []Server{start(t)}}})
				c := otherAgent(t, h, version)
				tools, err := c.ListTools(t.Context(), other.ListToolsRequest{})
				if err != nil || len(tools.Tools) < 2 {
					t.Errorf("tools: %+v, %v", tools, err)
				}
				if got := otherSays(t, c, "greet", map[string]any{"text": "you"}); got != "hello you" {
					t.Errorf("greet said %q", got)
				}
				a := connect(t, h, "/mcp/f", version)
				if got := said(a.call(t, "greet", map[string]any{"text": "me"})); got != "hello me" {
					t.Errorf("greet said %q to the official client", got)
				}
				if name == "other, HTTP" || name == "other, pipes" {
					if got := otherSays(t, c, "ask", nil); got != "hello Ann" {
						t.Errorf("ask said %q", got)
					}
					if got := said(a.call(t, "ask", nil)); got != "hello Ann" {
						t.Errorf("ask said %q to the official client", got)
					}
					if got := h.of("elicitation/create"); len(got) != 2 || got[1].outcome.Status != receipt.Succeeded {
						t.Errorf("recorded %+v", got)
					}
				}
				resources, err := a.ListResources(t.Context(), &mcp.ListResourcesParams{})
				t.Logf("%+v, %v", resources, err)
				a.Close()
				c.Close()
				h.noneOpen()
			})
		}
	}
}
