package bench

import (
	"encoding/json"
	"fmt"
	"strings"

	"aims/pdp"
)

// The workload of every measure: a payments desk with a hundred tools, a
// hundred roles, and one policy for each pair of them that is permitted,
// before two that hold for all.
const (
	server    = "payments"
	tools     = 100
	transfer  = "transfer_funds" // the tool that is called
	agentID   = "billing"        // the agent that calls
	roleOfAll = "role-0"         // its role
)

// toolName is transfer_funds for 0 and its like for the others.
func toolName(i int) string {
	if i == 0 {
		return transfer
	}
	return fmt.Sprintf("%s_%d", transfer, i)
}

func action(i int) string { return server + "___" + toolName(i) }

const transferSchema = `{"type":"object","properties":{"to":{"type":"string"},"amount":{"type":"number"}},"required":["to","amount"],"additionalProperties":false}`

func catalog() pdp.Catalog {
	var c pdp.Catalog
	for i := range tools {
		c.Tools = append(c.Tools, pdp.Tool{Server: server, Name: toolName(i), InputSchema: json.RawMessage(transferSchema)})
	}
	return c
}

// standing are the policies that hold for every call.
const standing = `@id("quarantined")
@reason("the tool changed after it was approved")
@threat("ASI04")
forbid (principal, action in Action::"call_tool", resource)
when { context.tool.quarantined };

@id("undeclared")
@reason("the tool does not declare every argument that is given")
forbid (principal, action in Action::"call_tool", resource)
unless { context.undeclared.isEmpty() };
`

// policyText is n policies in Cedar over so many tools.
func policyText(n, tools int) []byte {
	var text strings.Builder
	text.WriteString(standing)
	for i := range n - 2 {
		role, tool := i/tools, i%tools
		fmt.Fprintf(&text, `
@id("role-%d %s")
@reason("role-%d may move less than 500")
@control("A.9.2")
permit (principal in Role::"role-%d", action == Action::%q, resource == McpServer::%q)
when { context.input.amount.lessThan(decimal("500.0")) };
`, role, toolName(tool), role, role, action(tool), server)
	}
	return []byte(text.String())
}
