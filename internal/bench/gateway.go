package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/app"
	"aims/receipt"
)

// rolePolicies is how many policies the gateway decides by.
const rolePolicies = 100

// installation is a gateway in a process of its own, before the payments desk
// in another, and the key of an agent that may call its tool.
type installation struct {
	gateway  *process
	upstream *process
	direct   string // where the payments desk is
	url      string // where the gateway is
	admin    *api.Client
	agent    string // the agent's key
}

// started is the first line of the role gateway.
type started struct {
	URL       string `json:"url"`
	Bootstrap string `json:"bootstrap"`
}

func (b *bench) install(ctx context.Context, name string) (*installation, error) {
	var desk address
	upstream, err := b.start(ctx, &desk, "upstream")
	if err != nil {
		return nil, err
	}
	i := &installation{upstream: upstream, direct: desk.URL}
	dir := filepath.Join(b.dir, name)
	if err := configure(dir, desk.URL); err != nil {
		return nil, errors.Join(err, upstream.stop())
	}
	var up started
	if i.gateway, err = b.start(ctx, &up, "gateway", filepath.Join(dir, "aims.yaml")); err != nil {
		return nil, errors.Join(err, upstream.stop())
	}
	i.url = up.URL
	if err := i.enrol(ctx, up); err != nil {
		return nil, errors.Join(err, i.stop())
	}
	return i, nil
}

// configure writes the configuration and the policies of an installation.
func configure(dir, upstream string) error {
	policies := filepath.Join(dir, "policies")
	if err := os.MkdirAll(policies, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(policies, "bench.cedar"), policyText(rolePolicies, 1), 0o600); err != nil {
		return err
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	config := fmt.Sprintf("listen: %s\ndata_dir: data\npolicy_dir: policies\nservers:\n  - {name: %s, url: %q}\n", listen, server, upstream)
	return os.WriteFile(filepath.Join(dir, "aims.yaml"), []byte(config), 0o600)
}

// freeAddress is a loopback address that nobody listens on; the configuration
// says where the gateway is before it runs.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// enrol makes the agent's key as an administrator does.
func (i *installation) enrol(ctx context.Context, up started) (err error) {
	if i.admin, err = api.NewClient(up.URL, up.Bootstrap); err != nil {
		return err
	}
	var key api.KeySecret
	err = i.admin.Do(ctx, http.MethodPost, "/api/v1/keys",
		api.NewKey{Actor: api.Actor{Type: aims.AgentType, ID: agentID}, Roles: []string{roleOfAll}}, &key)
	i.agent = key.Secret
	return err
}

// receipts is the number of receipts in the log.
func (i *installation) receipts(ctx context.Context) (uint64, error) {
	var log receipt.Contents
	err := i.admin.Do(ctx, http.MethodGet, "/api/v1/log", nil, &log)
	return log.Size, err
}

func (i *installation) stop() error { return errors.Join(i.gateway.stop(), i.upstream.stop()) }

// serveGateway runs an installation as `aims serve` does: its argument is the
// configuration.
func serveGateway(ctx context.Context, args []string, say func(any) error) (func() error, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("gateway needs a configuration, got %d arguments", len(args))
	}
	config, err := app.LoadConfig(ctx, args[0], app.Overrides{})
	if err != nil {
		return nil, err
	}
	log := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	running, err := app.Start(ctx, config, app.Options{Log: log, Now: time.Now})
	if err != nil {
		return nil, err
	}
	secret, _ := running.Bootstrap()
	return running.Stop, say(started{URL: running.URL(), Bootstrap: secret})
}
