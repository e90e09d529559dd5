// Package demo shows the whole system at work: two real MCP servers as
// separate processes, a scripted agent that drives them through the gateway
// over MCP, and the record of it, verified.
package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/app"
)

// Options say where and how the demonstration runs.
type Options struct {
	// Dir is the directory to work in; it must be new or empty. Empty makes one
	// among the temporary files.
	Dir string
	// Listen is the address; empty takes the default one, or any free port of
	// the loopback interface when that is taken.
	Listen string
	// Exit ends after the script; otherwise it serves until ctx ends.
	Exit bool
	// Executable is the program whose hidden command demo-server runs the two servers.
	Executable string
	// Invoke is how the reader calls that program.
	Invoke string
	// Color says whether Out understands colours.
	Color bool
	Out   io.Writer
	Now   func() time.Time
}

// policies are those of the demonstration; store is what the file store holds
// at the beginning.
//
//go:embed policies store
var content embed.FS

// ErrUnexpected says that something in the script went otherwise than it must.
var ErrUnexpected = errors.New("the demonstration did not go as it must; the lines marked NO say where")

// Run plays the demonstration. It returns ErrUnexpected when something went
// otherwise than it must.
func Run(ctx context.Context, o Options) error {
	s := &screen{w: o.Out, color: o.Color}
	dir, err := prepare(o)
	if err != nil {
		return err
	}
	cfg, err := app.LoadConfig(ctx, filepath.Join(dir, "aims.yaml"), app.Overrides{})
	if err != nil {
		return err
	}
	s.printf("%s  %s\n", s.paint(bold, "aims demo"), dir)
	logFile, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	running, err := app.Start(ctx, cfg, app.Options{Log: slog.NewTextHandler(logFile, nil), Now: o.Now})
	if err != nil {
		return err
	}
	defer running.Stop()
	d := &demonstration{Options: o, screen: s, app: running, dir: dir}
	good, err := d.play(ctx)
	if err != nil {
		return err
	}
	d.farewell(good)
	if !o.Exit {
		<-ctx.Done()
	}
	if !good {
		return ErrUnexpected
	}
	return nil
}

// prepare makes the directory and fills it.
func prepare(o Options) (string, error) {
	dir := o.Dir
	if dir == "" {
		made, err := os.MkdirTemp("", "aims-demo-")
		if err != nil {
			return "", err
		}
		dir = made
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return "", aims.Errorf(aims.Invalid, err, "%s is not empty; the demonstration begins in a new directory", dir)
	}
	for _, part := range []string{"policies", "store"} {
		if _, err := app.CopyTree(content, part, filepath.Join(dir, part)); err != nil {
			return "", err
		}
	}
	listen, err := address(o.Listen)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "aims.yaml"), []byte(configuration(o, listen, dir)), 0o600)
}

// address is where to listen: what was asked for, else the default if it is free, else any port.
func address(listen string) (string, error) {
	candidates := []string{listen}
	if listen == "" {
		candidates = []string{app.DefaultListen, "127.0.0.1:0"}
	}
	var err error
	for _, c := range candidates {
		var l net.Listener
		if l, err = net.Listen("tcp", c); err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", aims.Errorf(aims.Unavailable, err, "%s cannot be listened on", listen)
}

// trigger is the file at whose appearance the payments server changes a tool.
const trigger = "payments-server-tampered"

func configuration(o Options, listen, dir string) string {
	return fmt.Sprintf(`# The configuration of the demonstration. Once it has ended:
#   %s serve --config %s
listen: %s
data_dir: data
policy_dir: policies
servers:
  - name: files
    command: %q
    args: [demo-server, files, %q]
  - name: payments
    command: %q
    args: [demo-server, payments, %q]
`, o.Invoke, filepath.Join(dir, "aims.yaml"), listen,
		o.Executable, filepath.Join(dir, "store"), o.Executable, filepath.Join(dir, trigger))
}

// demonstration is one run.
type demonstration struct {
	Options
	*screen
	app *app.App
	dir string
}

func (d *demonstration) play(ctx context.Context) (bool, error) {
	secret, made := d.app.Bootstrap()
	if !made {
		return false, errors.New("a fresh installation printed no bootstrap token")
	}
	if err := os.WriteFile(d.path("admin.key"), []byte(secret+"\n"), 0o600); err != nil {
		return false, err
	}
	manage, err := api.NewClient(d.app.URL(), secret)
	if err != nil {
		return false, err
	}
	good, err := d.controls(ctx, manage)
	if err != nil {
		return false, err
	}
	key, err := d.key(ctx, manage, aims.AgentType, "bookkeeper", "agent.key")
	if err != nil {
		return false, err
	}
	released, err := d.key(ctx, manage, aims.PersonType, "treasurer", "treasurer.key")
	if err != nil {
		return false, err
	}
	treasurer, err := api.NewClient(d.app.URL(), released)
	if err != nil {
		return false, err
	}
	d.chapter("An agent, the bookkeeper, connects over MCP to %s/mcp.", d.app.URL())
	a, err := connectAgent(ctx, d.app.URL()+"/mcp", key, manage, treasurer)
	if err != nil {
		return false, err
	}
	defer a.session.Close()
	went, err := drive(ctx, d.screen, a, d.path(trigger))
	if err != nil {
		return false, err
	}
	verified, err := d.verify(ctx, manage)
	if err != nil {
		return false, err
	}
	derived, err := d.system(ctx, manage)
	return good && went && verified && derived, err
}

// key makes the key of an actor whose only role is called as it is, and keeps it in a file.
func (d *demonstration) key(ctx context.Context, manage *api.Client, kind, id, file string) (string, error) {
	var key api.KeySecret
	ask := api.NewKey{Actor: api.Actor{Type: kind, ID: id}, Roles: []string{id}}
	if err := manage.Do(ctx, http.MethodPost, "/api/v1/keys", ask, &key); err != nil {
		return "", fmt.Errorf("the key of %s: %w", id, err)
	}
	return key.Secret, os.WriteFile(d.path(file), []byte(key.Secret+"\n"), 0o600)
}

// controls shows what the start-up found when it fired every control.
func (d *demonstration) controls(ctx context.Context, manage *api.Client) (bool, error) {
	d.chapter("Every control was fired once at the start.")
	var status api.Status
	if err := manage.Do(ctx, http.MethodGet, "/api/v1/status", nil, &status); err != nil {
		return false, err
	}
	good := len(status.SelfCheck) > 0
	for _, c := range status.SelfCheck {
		d.check(c.Holds, "%s", c.Name)
		d.note("    %s", d.paint(dim, shorten(c.Saw, 130)))
		good = good && c.Holds
	}
	return good, nil
}

func (d *demonstration) path(name string) string { return filepath.Join(d.dir, name) }

// farewell says where to look.
func (d *demonstration) farewell(good bool) {
	d.chapter("Where to look")
	lines := [][2]string{
		{"policies", d.path("policies")},
		{"configuration", d.path("aims.yaml")},
		{"MCP endpoint", d.app.URL() + "/mcp        key in " + d.path("agent.key")},
		{"management API", d.app.URL() + "/api/openapi.json"},
		{"log", d.app.URL() + "/log/checkpoint"},
		{"export", d.path("export")},
		{"registers", d.path("registers") + "        key of their manager in " + d.path("mara.key")},
		{"audit", "key of the internal auditor in " + d.path("nadia.key")},
		{"audit pack", d.path("audit-pack.zip")},
	}
	for _, l := range lines {
		d.note("%-16s%s", l[0], l[1])
	}
	d.printf("\n%sexport AIMS_URL=%s AIMS_KEY_FILE=%s\n", indent, d.app.URL(), d.path("admin.key"))
	for _, c := range []string{"receipts list", "receipts show --payloads <receipt>", "tools list", "tools approve payments transfer_funds", "policy schema", "verify", "gap", "status A.9.2", "soa", "agents gate bookkeeper", "audit show suppliers-and-data", "nonconformity list"} {
		d.note("%s %s", d.Invoke, c)
	}
	d.note("%s --key %s %s", verifier(d.Invoke), d.path(filepath.Join("data", app.VerifierKeyFile)), d.path("export"))
	switch {
	case d.Exit && good:
		d.printf("\nEverything went as it must.\n")
	case !d.Exit:
		d.printf("\nServing until interrupted (Ctrl-C).\n")
	}
}

// verifier is how the reader calls the auditor's program.
func verifier(invoke string) string {
	if before, ok := strings.CutSuffix(invoke, "/cmd/aims"); ok {
		return before + "/cmd/aims-verify"
	}
	return invoke + "-verify"
}
