package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"aims/internal/gateway/upstream"
)

// server is a configured upstream server, as all its connections share it.
type server struct {
	g       *Gateway
	name    string
	up      *upstream.Server
	timeout time.Duration
	// shared says that the server keeps nothing between calls, as far as is known.
	shared atomic.Bool

	mu        sync.Mutex
	bindings  map[string]boundTool // by the tool's own name
	resources routes
}

// separator stands between a server's name and a tool's or prompt's own name
// where they are told apart, as in policies (Amazon Bedrock AgentCore's form).
const separator = "___"

// qualified is a tool's or prompt's name on the merged endpoint.
func (s *server) qualified(name string) string { return s.name + separator + name }
