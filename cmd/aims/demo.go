package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/demo"
)

type demoCmd struct {
	Exit   bool   `name:"exit" help:"End after the script instead of serving until interrupted."`
	Dir    string `name:"dir" type:"path" help:"Directory to work in, new or empty; a temporary one without it."`
	Listen string `name:"listen" placeholder:"${listen}" help:"Address to listen on."`
}

func (c *demoCmd) Run(ctx context.Context, std streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{
		Dir: c.Dir, Listen: c.Listen, Exit: c.Exit, Out: std.out, Now: time.Now,
		Executable: self, Invoke: invocation(self), Color: colorful(std.out),
	})
}

// invocation is how the reader calls this program: `go run` leaves no file behind.
func invocation(self string) string {
	if strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(self)))), "go-build") {
		return "go run ./cmd/aims"
	}
	return "aims"
}

// colorful says whether out is a terminal that has not been asked for plain
// text (no-color.org).
func colorful(out any) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// demoServerCmd runs one of the demonstration's MCP servers; `aims demo`
// starts it as a separate process.
type demoServerCmd struct {
	Server string `arg:"" enum:"files,payments"`
	Path   string `arg:"" optional:"" type:"path"`
}

func (c *demoServerCmd) Run(ctx context.Context) error {
	return demo.Serve(ctx, c.Server, c.Path)
}
