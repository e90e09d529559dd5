package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// address is the first line of a child that listens.
type address struct {
	URL string `json:"url"`
}

type transferArguments struct {
	To     string  `json:"to" jsonschema:"account that receives the money"`
	Amount float64 `json:"amount" jsonschema:"amount in euros"`
}

// serveUpstream is an MCP server as the official SDK makes it, whose tools do
// nothing but answer: what is measured is the way to them and back.
func serveUpstream(ctx context.Context, _ []string, say func(any) error) (func() error, error) {
	debug.SetGCPercent(roomy)
	server := mcp.NewServer(&mcp.Implementation{Name: "payments", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "transfer_funds", Description: "Transfer money from the company's account."},
		func(_ context.Context, _ *mcp.CallToolRequest, in transferArguments) (*mcp.CallToolResult, any, error) {
			text := fmt.Sprintf("%.2f EUR transferred to %s", in.Amount, in.To)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		})
	return listen(ctx, say, mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true},
	))
}

// listen serves h on a free loopback port and says where.
func listen(ctx context.Context, say func(any) error, h http.Handler) (func() error, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	stop := func() error {
		server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			return err
		}
		return nil
	}
	if err := say(address{URL: "http://" + l.Addr().String()}); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}
