package demo

import (
	"context"

	"aims/internal/aims"
)

// Serve runs one of the two MCP servers on standard input and output: files,
// over the directory path, or payments, which changes a tool when the file
// path appears.
func Serve(ctx context.Context, server, path string) error {
	switch server {
	case "files":
		return serveFiles(ctx, path)
	case "payments":
		return servePayments(ctx, path)
	}
	return aims.Errorf(aims.Invalid, nil, "there is no server %q in the demonstration", server)
}
