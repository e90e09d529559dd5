package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"filippo.io/torchwood"

	"aims/internal/evidence/observed"
	"aims/internal/identity"
	"aims/internal/policy"
)

var (
	serverName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	actorID    = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
)

func isDSN(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// resolve makes a path relative to the configuration's directory.
func (c *Config) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

func (r *reader) validate(ctx context.Context, c *Config) {
	r.validateListener(c)
	if c.Database != "" && c.DatabaseFrom != "" {
		r.at("database_from", "database is also given; keep one of the two")
	}
	if c.DatabaseFrom != "" {
		c.dsn = r.secret(ctx, c, "database_from", c.DatabaseFrom)
	}
	if strings.ContainsAny(c.Origin, " +\n") {
		r.at("origin", "%q holds a space or a plus sign, which a log's name may not (C2SP signed-note)", c.Origin)
	}
	seen := map[string]bool{}
	for i := range c.Servers {
		r.validateServer(fmt.Sprintf("servers[%d]", i), &c.Servers[i], seen)
		r.validateSecrets(ctx, c, fmt.Sprintf("servers[%d]", i), &c.Servers[i])
	}
	for i, w := range c.Witnesses {
		key := fmt.Sprintf("witnesses[%d]", i)
		r.httpURL(key+".url", w.URL)
		if _, err := torchwood.NewCosignatureVerifier(w.VKey); err != nil {
			r.at(key+".vkey", "%q is not a verifier key; expected the form name+hash+key that `aims witness` prints", w.VKey)
		}
	}
	r.validateOAuth(c)
	r.validatePolicies(c)
	r.validateLimits(c)
	r.validateNotifications(ctx, c)
	if n := c.Corrective.AnonymousPerHour; n < 0 || n > 10_000 {
		r.at("corrective.anonymous_per_hour", "%d; expected between 1 and 10000, or 0 for the default", n)
	}
	var level slog.Level
	if level.UnmarshalText([]byte(c.Log.Level)) != nil {
		r.at("log.level", "%q; expected debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		r.at("log.format", "%q; expected text or json", c.Log.Format)
	}
}

func (r *reader) validateListener(c *Config) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		r.at("listen", "%q is not an address; expected host:port, such as 127.0.0.1:8642", c.Listen)
		return
	}
	local := loopback(host)
	if !local && c.TLS == nil && !c.AllowPlainHTTP {
		r.at("listen", "%q can be reached from other machines and keys would travel in the clear; "+
			"give tls.cert and tls.key, or set allow_plain_http: true behind a proxy that ends TLS", c.Listen)
	}
	if c.AnonymousAgent != "" && !local {
		r.at("anonymous_agent", "only a loopback listener may take callers without credentials, and %q is not one", c.Listen)
	}
	if c.AnonymousAgent != "" && !actorID.MatchString(c.AnonymousAgent) {
		r.at("anonymous_agent", "%q is no id of an agent; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", c.AnonymousAgent)
	}
	if c.TLS != nil {
		r.readable("tls.cert", c.TLS.Cert)
		r.readable("tls.key", c.TLS.Key)
	}
	r.httpURL("public_url", c.PublicURL)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (r *reader) readable(key, path string) {
	if path == "" {
		r.at(key, "missing; expected the path of a PEM file")
	} else if _, err := os.ReadFile(path); err != nil {
		r.at(key, "cannot be read: %v", err)
	}
}

func (r *reader) httpURL(key, text string) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		r.at(key, "%q is not an address of this kind; expected http://host or https://host without a user", text)
	}
}

func (r *reader) validateServer(key string, s *Server, seen map[string]bool) {
	switch {
	case !serverName.MatchString(s.Name):
		r.at(key+".name", "%q; expected a lower-case letter, then at most 31 of a–z, 0–9 and -", s.Name)
	case s.Name == observed.SelfCheckServer:
		r.at(key+".name", "%q is the name of what the self-check calls", s.Name)
	case seen[s.Name]:
		r.at(key+".name", "%q is the name of an earlier server too", s.Name)
	}
	seen[s.Name] = true
	kinds := 0
	for _, given := range []bool{s.Command != "", s.URL != "", len(s.Tools) > 0 || s.Preset != ""} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		r.at(key, "expected exactly one of command (stdio), url (streamable HTTP), and tools or preset (asked about, not forwarded to)")
	}
	if s.URL != "" {
		r.httpURL(key+".url", s.URL)
	} else if len(s.Credentials) > 0 {
		r.at(key+".credentials", "only a server with a url takes headers; give a command its secrets by env_from")
	}
	if s.Command == "" && (len(s.Args) > 0 || len(s.Env) > 0 || len(s.EnvFrom) > 0 || s.Dir != "") {
		r.at(key, "args, dir, env and env_from belong to a command, and there is none")
	}
	r.validateTools(key, s)
}

func (r *reader) validateSecrets(ctx context.Context, c *Config, key string, s *Server) {
	for i := range s.Credentials {
		credential := &s.Credentials[i]
		at := fmt.Sprintf("%s.credentials[%d]", key, i)
		if credential.Header == "" || strings.ContainsAny(credential.Header, " :\r\n") {
			r.at(at+".header", "%q is not the name of a header", credential.Header)
		}
		credential.secret = r.secret(ctx, c, at+".from", credential.From)
	}
	s.secrets = map[string]identity.Secret{}
	for name, from := range s.EnvFrom {
		s.secrets[name] = r.secret(ctx, c, key+".env_from."+name, from)
	}
}

func (r *reader) validateTools(key string, s *Server) {
	r.validateLabels(key, s)
	if s.Preset != "" {
		if _, err := presetTools(s.Preset); err != nil {
			r.at(key+".preset", "%v", err)
		}
	}
	names := map[string]bool{}
	for i, t := range s.Tools {
		at := fmt.Sprintf("%s.tools[%d]", key, i)
		switch {
		case t.Name == "":
			r.at(at+".name", "missing")
		case names[t.Name]:
			r.at(at+".name", "%q is the name of an earlier tool too", t.Name)
		}
		names[t.Name] = true
		if kind, ok := t.Input["type"]; t.Input != nil && ok && kind != "object" {
			r.at(at+".input", "a tool's arguments are an object; expected type: object")
		}
	}
}

func (r *reader) validatePolicies(c *Config) {
	if err := policy.CheckEnvironment(c.Environment); err != nil {
		r.at("environment", "%v", err)
	}
	switch {
	case c.PolicyReview != reviewOff && c.PolicyReview != reviewRequired:
		r.at("policy_review", "%q; expected off or required", c.PolicyReview)
	case c.PolicyReview == reviewRequired && c.PolicyDir != noPolicyDir:
		r.at("policy_review", "with a policy directory, whoever writes it would go past the review; set policy_dir: none")
	}
}

func (r *reader) validateOAuth(c *Config) {
	if c.OAuth == nil {
		return
	}
	r.httpURL("oauth.issuer", c.OAuth.Issuer)
	if c.OAuth.JWKSURL != "" {
		r.httpURL("oauth.jwks_url", c.OAuth.JWKSURL)
	}
}

func (r *reader) validateLimits(c *Config) {
	const floor, ceiling = 4 << 10, 1 << 30
	for key, n := range map[string]int64{"limits.request_bytes": c.Limits.RequestBytes, "limits.result_bytes": c.Limits.ResultBytes} {
		if n < floor || n > ceiling {
			r.at(key, "%d; expected between %d and %d bytes", n, floor, ceiling)
		}
	}
}

// secret parses where a secret is and fetches it, so that a missing one is
// found at the start and on its line. What is wrong is said without the value.
func (r *reader) secret(ctx context.Context, c *Config, key string, from Secret) identity.Secret {
	reference := string(from)
	if path, ok := strings.CutPrefix(reference, "file:"); ok && path != "" {
		reference = "file:" + c.resolve(path)
	}
	secret, err := identity.ParseSecret(reference)
	if err == nil {
		ctx, stop := context.WithTimeout(ctx, secretTimeout)
		defer stop()
		err = secret.Resolve(ctx)
	}
	if err != nil {
		r.at(key, "%v", err)
	}
	return secret
}

// secretTimeout bounds a command that prints a secret; one that waits for a
// person would hang the start.
const secretTimeout = 30 * time.Second
