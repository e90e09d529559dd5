package gateway

import (
	"context"
	"os"
	"testing"

	otherserver "github.com/mark3labs/mcp-go/server"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

// A test that needs a server on pipes starts this test program again as one.
const childMode = "AIMS_TEST_CHILD"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(childMode); mode {
	case "":
		goleak.VerifyTestMain(m)
	case "sdk":
		features(nil).Run(context.Background(), &mcp.StdioTransport{})
	case "sdk with sessions":
		features([]string{"2025-11-25"}).Run(context.Background(), &mcp.StdioTransport{})
	case "other":
		otherserver.ServeStdio(otherFeatures())
	default:
		misbehave(mode, os.Stdin, os.Stdout)
	}
}
