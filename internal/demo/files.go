package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// largestFile bounds what the file store reads and writes in one call.
const largestFile = 1 << 20

// fileStore is an MCP server over one directory. It knows nothing of aims.
type fileStore struct{ root *os.Root }

// serveFiles runs the file store on standard input and output until the
// client closes them or ctx ends.
func serveFiles(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("the file store's directory: %w", err)
	}
	defer root.Close()
	f := fileStore{root}
	s := mcp.NewServer(&mcp.Implementation{Name: "file-store", Version: "1.0.0"}, nil)
	destructive := true
	closed := false
	mcp.AddTool(s, &mcp.Tool{
		Name: "list_files", Description: "List the files of the store.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &closed},
	}, f.list)
	mcp.AddTool(s, &mcp.Tool{
		Name: "read_file", Description: "Read a file of the store.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &closed},
	}, f.read)
	mcp.AddTool(s, &mcp.Tool{
		Name: "write_file", Description: "Write a file of the store; a file of that name is replaced.",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: &destructive, IdempotentHint: true, OpenWorldHint: &closed},
	}, f.write)
	mcp.AddTool(s, &mcp.Tool{
		Name: "delete_file", Description: "Delete a file of the store.",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: &destructive, OpenWorldHint: &closed},
	}, f.delete)
	return s.Run(ctx, &mcp.StdioTransport{})
}

type noArguments struct{}

type pathArgument struct {
	Path string `json:"path" jsonschema:"path of the file in the store, with forward slashes"`
}

type writeArguments struct {
	Path    string `json:"path" jsonschema:"path of the file in the store, with forward slashes"`
	Content string `json:"content" jsonschema:"the new content"`
}

func (f fileStore) list(context.Context, *mcp.CallToolRequest, noArguments) (*mcp.CallToolResult, any, error) {
	var names []string
	err := fs.WalkDir(f.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(names)
	return text(strings.Join(names, "\n")), nil, nil
}

func (f fileStore) read(_ context.Context, _ *mcp.CallToolRequest, in pathArgument) (*mcp.CallToolResult, any, error) {
	info, err := f.root.Stat(filepath.FromSlash(in.Path))
	if err != nil {
		return nil, nil, f.plain(err)
	}
	if info.Size() > largestFile {
		return nil, nil, fmt.Errorf("%s has %d bytes, at most %d can be read", in.Path, info.Size(), largestFile)
	}
	content, err := f.root.ReadFile(filepath.FromSlash(in.Path))
	if err != nil {
		return nil, nil, f.plain(err)
	}
	return text(string(content)), nil, nil
}

func (f fileStore) write(_ context.Context, _ *mcp.CallToolRequest, in writeArguments) (*mcp.CallToolResult, any, error) {
	if len(in.Content) > largestFile {
		return nil, nil, fmt.Errorf("%d bytes, at most %d can be written", len(in.Content), largestFile)
	}
	name := filepath.FromSlash(in.Path)
	if err := f.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, nil, f.plain(err)
	}
	if err := f.root.WriteFile(name, []byte(in.Content), 0o644); err != nil {
		return nil, nil, f.plain(err)
	}
	return text(fmt.Sprintf("%d bytes written to %s", len(in.Content), in.Path)), nil, nil
}

func (f fileStore) delete(_ context.Context, _ *mcp.CallToolRequest, in pathArgument) (*mcp.CallToolResult, any, error) {
	if err := f.root.Remove(filepath.FromSlash(in.Path)); err != nil {
		return nil, nil, f.plain(err)
	}
	return text(in.Path + " deleted"), nil, nil
}

// plain leaves out the operation and the absolute path that os puts into its errors.
func (fileStore) plain(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", filepath.ToSlash(p.Path), p.Err)
	}
	return err
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}
