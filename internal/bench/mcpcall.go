package bench

import (
	"context"
	"fmt"
	"net/http"
)

// revision is the revision of MCP that the client speaks: stateless, one POST a call.
const revision = "2026-07-28"

// callTool is an operation that calls the payments desk's transfer_funds at an
// MCP endpoint, with raw messages.
func callTool(c *caller) operation {
	return func(ctx context.Context, caller, n int) error {
		return c.post(ctx, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{`+
			`"_meta":{"io.modelcontextprotocol/protocolVersion":"`+revision+`","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},`+
			`"name":"transfer_funds","arguments":{"to":"supplier-%d","amount":%d.25}}}`, n+1, caller, n%400))
	}
}

// newToolCaller is a caller for callTool; key is sent as a bearer token unless empty.
func newToolCaller(url string, connections int, key string) *caller {
	header := http.Header{
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {revision},
		"Mcp-Method":           {"tools/call"},
		"Mcp-Name":             {"transfer_funds"},
	}
	if key != "" {
		header.Set("Authorization", "Bearer "+key)
	}
	return newCaller(url, connections, header, "EUR transferred to")
}
