// Package app turns a configuration into a running installation: it wires the
// parts, starts them in order, fires every control once, and stops them in the
// reverse order.
package app

import (
	"path/filepath"
	"strings"
	"time"

	"aims/internal/identity"
	"aims/internal/notify"
	"aims/internal/policy"
)

// Config is the whole configuration. It is read from one YAML file; a key that
// is not listed here, a value of the wrong kind and a secret that cannot be
// read stop the start with the place in the file. Relative paths are relative
// to the directory of the file.
type Config struct {
	// Listen is the address of the one HTTP listener. Default 127.0.0.1:8642.
	Listen string `yaml:"listen"`
	// PublicURL is the address by which clients reach the listener, where a
	// proxy or a port mapping stands before it. Default http(s)://<listen>.
	PublicURL string `yaml:"public_url"`
	// TLS makes the listener speak HTTPS.
	TLS *TLSConfig `yaml:"tls"`
	// AllowPlainHTTP permits listening without TLS on an address that other
	// machines can reach, for use behind a proxy that ends TLS.
	AllowPlainHTTP bool `yaml:"allow_plain_http"`

	// Database is the path of an SQLite file or a postgres:// DSN.
	// Default <data_dir>/aims.db.
	Database string `yaml:"database"`
	// DatabaseFrom is where to read the DSN from, when it holds a password.
	DatabaseFrom Secret `yaml:"database_from"`
	// DataDir holds the database and the key that signs the log. Default aims-data.
	DataDir string `yaml:"data_dir"`
	// Origin is the name of the log in its checkpoints (C2SP tlog-checkpoint).
	// It is part of what is signed and cannot change later. Default: made up at
	// first start and kept in the key.
	Origin string `yaml:"origin"`

	// PolicyDir holds the policies, *.cedar. Default policies. With none, they
	// are put in force over the management API only.
	PolicyDir string `yaml:"policy_dir"`
	// Environment is the one whose policies this process enforces; bundles are
	// activated in environments by their digest. Default production.
	Environment string `yaml:"environment"`
	// PolicyReview, when it is required, lets only bundles be activated that
	// somebody else than their author has approved. It goes with policy_dir: none.
	// Default off.
	PolicyReview string `yaml:"policy_review"`

	// Servers are what agents may reach through this gateway.
	Servers []Server `yaml:"servers"`
	// Extensions are MCP methods beyond the specification that are let through
	// to the policies.
	Extensions []string `yaml:"extensions"`
	// AnonymousAgent is the agent that a caller without credentials is taken
	// for. Only on a loopback listener.
	AnonymousAgent string `yaml:"anonymous_agent"`
	// OAuth accepts access tokens beside keys.
	OAuth *OAuth `yaml:"oauth"`

	// RequireToolApproval keeps every new tool in quarantine until somebody has
	// approved it. Default: a tool is trusted as it is when it is first seen.
	RequireToolApproval bool `yaml:"require_tool_approval"`
	// Origins are web origins whose pages may call the MCP endpoints.
	Origins []string `yaml:"origins"`

	// Approvals says how long held calls wait for people.
	Approvals Approvals `yaml:"approvals"`
	// Corrective says how nonconformities, incidents and concerns are followed.
	Corrective Corrective `yaml:"corrective"`
	// Notifications tell people of calls that wait for them.
	Notifications []Notification `yaml:"notifications"`

	// Witnesses cosign the log's checkpoints (C2SP tlog-witness).
	Witnesses []Witness `yaml:"witnesses"`

	Limits    Limits    `yaml:"limits"`
	Retention Retention `yaml:"retention"`
	Log       Log       `yaml:"log"`

	// path is the file that this was read from, dir its directory.
	path, dir string
	dsn       identity.Secret // of DatabaseFrom
}

// TLSConfig names the PEM files of the listener's certificate chain and key.
type TLSConfig struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Server is an MCP server, reached as a command (stdio) or an URL (streamable
// HTTP), or, where neither is given, the declaration of tools that something
// else runs and asks about over the decision API or the hook.
type Server struct {
	// Name is [a-z][a-z0-9-]{0,31}; the tools' names in policies are <name>___<tool>.
	Name    string            `yaml:"name"`
	Command string            `yaml:"command"`
	Args    []string          `yaml:"args"`
	Dir     string            `yaml:"dir"`
	Env     map[string]string `yaml:"env"` // the command sees these and PATH, HOME and their like, nothing else
	// EnvFrom are environment variables with a secret value.
	EnvFrom map[string]Secret `yaml:"env_from"`

	secrets map[string]identity.Secret // of EnvFrom

	URL         string       `yaml:"url"`
	Credentials []Credential `yaml:"credentials"`

	// Timeout bounds one call. Default limits.call_timeout.
	Timeout Duration `yaml:"timeout"`
	// Tools declares the tools of a server that is not MCP.
	Tools []Tool `yaml:"tools"`
	// Preset declares the tools of a known program instead: claude-code.
	Preset string `yaml:"preset"`
	// ToolLabels say what tools do, by their names, also of tools that the server
	// does not list yet. About these the configuration alone speaks.
	ToolLabels map[string]ToolLabels `yaml:"tool_labels"`
}

// ToolLabels say what a tool does. What they leave out follows from the tool's
// definition.
type ToolLabels struct {
	// Effects are what calls do: read, write, send, pay, credential, delete, execute.
	Effects []string `yaml:"effects"`
	// Labels are what results carry, untrusted besides unless trusted is among them.
	Labels []string `yaml:"labels"`
	// Sinks are the kinds of arguments that decide where something goes, by their
	// paths: recipient, account, url, path, repository, credential, or empty for none.
	Sinks map[string]string `yaml:"sinks"`
}

// Credential is a header sent to an upstream server.
type Credential struct {
	Header string `yaml:"header"`
	// Prefix stands before the secret, such as "Bearer ".
	Prefix string `yaml:"prefix"`
	From   Secret `yaml:"from"`

	secret identity.Secret
}

// Secret says where a secret is: env:NAME, file:PATH, or command:PROGRAM
// ARGUMENT …. The secret itself never stands in the configuration.
type Secret string

// Tool declares one tool of a server that is not MCP.
type Tool struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Input is the JSON Schema of the arguments, written as YAML.
	Input       map[string]any `yaml:"input"`
	ReadOnly    bool           `yaml:"read_only"`
	Destructive bool           `yaml:"destructive"`
	// Effects, Labels and Sinks are those of ToolLabels.
	Effects []string          `yaml:"effects"`
	Labels  []string          `yaml:"labels"`
	Sinks   map[string]string `yaml:"sinks"`
}

// OAuth describes the authorization server whose access tokens are accepted
// (OAuth 2.1 resource server, RFC 9068, RFC 9728).
type OAuth struct {
	Issuer string `yaml:"issuer"`
	// Audience must be among the token's audiences (RFC 8707). Default
	// <public_url>/mcp and <public_url>/mcp/<server> of every server.
	Audience string `yaml:"audience"`
	// JWKSURL is where the signing keys are. Default: discovered from the issuer.
	JWKSURL string `yaml:"jwks_url"`
	// Algorithms that are accepted. Default RS256, PS256, ES256 and EdDSA.
	Algorithms []string `yaml:"algorithms"`
	// AgentClaim is the claim that names the agent. Default sub.
	AgentClaim string `yaml:"agent_claim"`
	// Subjects maps values of that claim to ids of agents.
	Subjects map[string]string `yaml:"subjects"`
	// RolesClaim is the claim that lists roles, of which those in Roles are taken. Default none.
	RolesClaim string   `yaml:"roles_claim"`
	Roles      []string `yaml:"roles"`
}

// Approvals bounds what agents ask of people.
type Approvals struct {
	// Expiry is how long a held call waits and a grant is good, together, where
	// the policies do not say otherwise. Default 15 min.
	Expiry Duration `yaml:"expiry"`
	// MaxOpenPerAgent bounds the calls of one agent that wait, are granted and
	// unused, or were denied and would still wait: beyond it a call that would be
	// held is refused and nobody is asked. Default 20.
	MaxOpenPerAgent int64 `yaml:"max_open_per_agent"`
	// Wait is how long a held call waits each time that its agent comes back with
	// it, before the agent is sent away again. Default 20 s.
	Wait Duration `yaml:"wait"`
}

// Corrective bounds how long nonconformities, incidents and concerns may take.
type Corrective struct {
	// Recurrence is how long after a nonconformity was verified or closed the
	// same cause reopens it. Default 365d.
	Recurrence Duration `yaml:"recurrence"`
	// PlanWithin is how long a nonconformity may be without a plan. Default 30d.
	PlanWithin Duration `yaml:"plan_within"`
	// AcknowledgeWithin and AnswerWithin are the time limits of a concern.
	// Default 7d and 90d.
	AcknowledgeWithin Duration `yaml:"acknowledge_within"`
	AnswerWithin      Duration `yaml:"answer_within"`
	// DecideWithin is how long it may take to decide whom to tell of an incident.
	// Default 3d.
	DecideWithin Duration `yaml:"decide_within"`
	// NamedConcernsOnly turns people away who do not say who they are.
	NamedConcernsOnly bool `yaml:"named_concerns_only"`
	// AnonymousPerHour bounds reports without a key; nobody is told apart.
	// Default 30.
	AnonymousPerHour int64 `yaml:"anonymous_per_hour"`
}

// Notification is one way to tell people: a webhook, mail or a chat service.
type Notification struct {
	// Name is what logs and receipts call it.
	Name string `yaml:"name"`
	// Webhook is the URL that is posted to, Secret what signs it (Standard Webhooks 1.0).
	Webhook string `yaml:"webhook"`
	Secret  Secret `yaml:"secret"`
	Mail    *Mail  `yaml:"mail"`
	// Chat is the address of a chat service as shoutrrr writes it. It holds a
	// token, so that only where it is stands here.
	Chat Secret `yaml:"chat"`
	// Roles limits it to calls that need one of these roles. Default all.
	Roles []string `yaml:"roles"`
	// WithoutArguments leaves out what the agent wants to do it with.
	WithoutArguments bool `yaml:"without_arguments"`

	secret, chat identity.Secret // of Secret and Chat
}

// Mail is a mail server and who gets mail.
type Mail struct {
	// Server is host:port.
	Server string `yaml:"server"`
	// TLS is starttls, tls, or none for a relay on this machine. Default starttls.
	TLS      string   `yaml:"tls"`
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
	Username string   `yaml:"username"`
	Password Secret   `yaml:"password"`

	password identity.Secret // of Password
}

// Witness is a server that cosigns checkpoints.
type Witness struct {
	URL string `yaml:"url"`
	// VKey is the witness's verifier key (C2SP signed-note).
	VKey string `yaml:"vkey"`
}

// Limits bounds what callers and upstreams can make this process do.
type Limits struct {
	// RequestBytes is the largest request body. Default 4 MiB.
	RequestBytes int64 `yaml:"request_bytes"`
	// ResultBytes is the largest answer of an upstream. Default 32 MiB: a text of
	// ten megabytes twice, as servers with structured content send it.
	ResultBytes int64 `yaml:"result_bytes"`
	// CallTimeout bounds one forwarded call. Default 60 s.
	CallTimeout Duration `yaml:"call_timeout"`
	// ConnectTimeout bounds starting and listing an upstream. Default 15 s.
	ConnectTimeout Duration `yaml:"connect_timeout"`
	// OutcomeTimeout is how long a caller of the decision API has to report an
	// outcome before it is recorded as unreported. Default 15 min.
	OutcomeTimeout Duration `yaml:"outcome_timeout"`
	// StopTimeout bounds a graceful stop. Default 10 s.
	StopTimeout Duration `yaml:"stop_timeout"`
}

// Retention says how long content beside the log is kept.
type Retention struct {
	// Payloads is the age at which inputs, facts and results are erased; the
	// receipts stay. 0 keeps them. Written as days, such as 180d.
	Payloads Duration `yaml:"payloads"`
}

// Log is the operator's log on standard error, not the ledger.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error. Default info.
	Format string `yaml:"format"` // text or json. Default text.
}

// The values of what the file leaves out.
const (
	DefaultListen         = "127.0.0.1:8642"
	defaultDataDir        = "aims-data"
	defaultPolicyDir      = "policies"
	defaultRequestBytes   = 4 << 20
	defaultResultBytes    = 32 << 20
	defaultCallTimeout    = 60 * time.Second
	defaultConnectTimeout = 15 * time.Second
	defaultOutcomeTimeout = 15 * time.Minute
	defaultStopTimeout    = 10 * time.Second
	defaultExpiry         = 15 * time.Minute
	defaultMaxOpen        = 20
	defaultHoldWait       = 20 * time.Second
)

func (c *Config) setDefaults() {
	defaultTo(&c.Listen, DefaultListen)
	defaultTo(&c.DataDir, defaultDataDir)
	defaultTo(&c.PolicyDir, defaultPolicyDir)
	defaultTo(&c.Environment, policy.DefaultEnvironment)
	defaultTo(&c.PolicyReview, reviewOff)
	c.DataDir = c.resolve(c.DataDir)
	if c.PolicyDir != noPolicyDir {
		c.PolicyDir = c.resolve(c.PolicyDir)
	}
	if c.Database == "" && c.DatabaseFrom == "" {
		c.Database = c.DataDir + "/aims.db"
	} else if c.Database != "" && !isDSN(c.Database) {
		c.Database = c.resolve(c.Database)
	}
	if c.TLS != nil {
		c.TLS.Cert, c.TLS.Key = c.resolve(c.TLS.Cert), c.resolve(c.TLS.Key)
	}
	defaultTo(&c.PublicURL, c.scheme()+"://"+c.Listen)
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	defaultTo(&c.Limits.RequestBytes, defaultRequestBytes)
	defaultTo(&c.Limits.ResultBytes, defaultResultBytes)
	defaultTo(&c.Limits.CallTimeout, Duration(defaultCallTimeout))
	defaultTo(&c.Limits.ConnectTimeout, Duration(defaultConnectTimeout))
	defaultTo(&c.Limits.OutcomeTimeout, Duration(defaultOutcomeTimeout))
	defaultTo(&c.Limits.StopTimeout, Duration(defaultStopTimeout))
	defaultTo(&c.Approvals.Expiry, Duration(defaultExpiry))
	defaultTo(&c.Approvals.MaxOpenPerAgent, defaultMaxOpen)
	defaultTo(&c.Approvals.Wait, Duration(defaultHoldWait))
	for _, n := range c.Notifications {
		if n.Mail != nil {
			defaultTo(&n.Mail.TLS, notify.StartTLS)
		}
	}
	defaultTo(&c.Log.Level, "info")
	defaultTo(&c.Log.Format, "text")
	if c.OAuth != nil {
		defaultTo(&c.OAuth.AgentClaim, "sub")
	}
	for i := range c.Servers {
		s := &c.Servers[i]
		defaultTo(&s.Timeout, c.Limits.CallTimeout)
		if s.Command != "" {
			s.Dir = c.resolve(s.Dir)
		}
	}
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) scheme() string {
	if c.TLS != nil {
		return "https"
	}
	return "http"
}

// Overrides are values of the command line, in place of those in the file.
type Overrides struct {
	Listen string
	// Database is a path, relative to the working directory, or a postgres:// DSN.
	Database string
}

func (c *Config) override(o Overrides) error {
	if o.Listen != "" {
		c.Listen = o.Listen
	}
	if o.Database == "" {
		return nil
	}
	if !isDSN(o.Database) {
		path, err := filepath.Abs(o.Database)
		if err != nil {
			return err
		}
		o.Database = path
	}
	c.Database, c.DatabaseFrom = o.Database, ""
	return nil
}
