package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aims/internal/gateway/envelope"
)

// discoverTimeout is how long a server may be silent to the question which
// revision it speaks, before it is taken for one that does not know it. Servers
// on pipes have been seen to ignore requests that come before initialize.
const discoverTimeout = 5 * time.Second

// asker sends one request during negotiation, before there is a link.
type asker interface {
	ask(ctx context.Context, version, method string, params []byte) (envelope.Message, error)
	// established is told the version that was agreed.
	established(version string)
	// tell sends a notification.
	tell(ctx context.Context, method string) error
}

// negotiate finds out which revision a server speaks: the stateless one if it
// answers server/discover and offers it, otherwise what initialize agrees on.
// known is the version agreed with this server before, empty when there was none.
func negotiate(ctx context.Context, a asker, o Opening, known string) (Peer, error) {
	if known == "" || known == Modern {
		peer, err := discover(ctx, a, o)
		if err == nil || ctx.Err() != nil {
			return peer, err
		}
		if errors.Is(err, errDead) {
			return peer, err
		}
	}
	return initialize(ctx, a, o)
}

// errDead says that the server is gone, so that asking on is useless.
var errDead = errors.New("the server is gone")

func discover(ctx context.Context, a asker, o Opening) (Peer, error) {
	meta, err := RequestMeta(o.ClientInfo, o.Capabilities, "")
	if err != nil {
		return Peer{}, err
	}
	ctx, stop := context.WithTimeout(ctx, discoverTimeout)
	defer stop()
	m, err := a.ask(ctx, Modern, "server/discover", []byte(`{"_meta":`+string(meta)+`}`))
	if err != nil {
		return Peer{}, err
	}
	if m.Has(envelope.Error) {
		return Peer{}, fmt.Errorf("server/discover was answered with error %s", m.Bytes(envelope.ErrorCode))
	}
	var found struct {
		SupportedVersions []string
		Capabilities      json.RawMessage
		Instructions      json.RawMessage
		Meta              map[string]json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(m.Bytes(envelope.Result), &found); err != nil {
		return Peer{}, fmt.Errorf("the result of server/discover: %w", err)
	}
	if !slices.Contains(found.SupportedVersions, Modern) {
		return Peer{}, errors.New("the server does not offer " + Modern)
	}
	a.established(Modern)
	return Peer{
		Version:      Modern,
		Capabilities: objectOrNil(found.Capabilities),
		Info:         objectOrNil(found.Meta["io.modelcontextprotocol/serverInfo"]),
		Instructions: found.Instructions,
	}, nil
}

// RequestMeta is the value of _meta that every request of the stateless
// revision carries (2026-07-28, basic protocol).
func RequestMeta(clientInfo, capabilities json.RawMessage, logLevel string) ([]byte, error) {
	meta := struct {
		Version      string          `json:"io.modelcontextprotocol/protocolVersion"`
		Info         json.RawMessage `json:"io.modelcontextprotocol/clientInfo,omitempty"`
		Capabilities json.RawMessage `json:"io.modelcontextprotocol/clientCapabilities"`
		LogLevel     string          `json:"io.modelcontextprotocol/logLevel,omitempty"`
	}{Modern, clientInfo, orEmpty(capabilities), logLevel}
	return json.Marshal(meta)
}

func initialize(ctx context.Context, a asker, o Opening) (Peer, error) {
	params, err := json.Marshal(struct {
		Version      string          `json:"protocolVersion"`
		Capabilities json.RawMessage `json:"capabilities"`
		Info         json.RawMessage `json:"clientInfo"`
	}{Legacy, orEmpty(o.Capabilities), clientInfo(o.ClientInfo)})
	if err != nil {
		return Peer{}, err
	}
	m, err := a.ask(ctx, "", "initialize", params)
	if err != nil {
		return Peer{}, err
	}
	if m.Has(envelope.Error) {
		return Peer{}, failed(nil, "it refused to initialize with JSON-RPC error %s", m.Bytes(envelope.ErrorCode))
	}
	var agreed struct {
		ProtocolVersion string
		Capabilities    json.RawMessage
		ServerInfo      json.RawMessage
		Instructions    json.RawMessage
	}
	if err := json.Unmarshal(m.Bytes(envelope.Result), &agreed); err != nil {
		return Peer{}, failed(err, "its answer to initialize is malformed")
	}
	if !isLegacy(agreed.ProtocolVersion) {
		return Peer{}, failed(nil, "it speaks a protocol version that is not supported")
	}
	a.established(agreed.ProtocolVersion)
	if err := a.tell(ctx, "notifications/initialized"); err != nil {
		return Peer{}, err
	}
	return Peer{
		Version:      agreed.ProtocolVersion,
		Capabilities: objectOrNil(agreed.Capabilities),
		Info:         objectOrNil(agreed.ServerInfo),
		Instructions: agreed.Instructions,
	}, nil
}

func orEmpty(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return json.RawMessage(`{}`)
	}
	return object
}

// clientInfo is required by initialize; agents of the stateless revision may
// leave theirs out.
func clientInfo(info json.RawMessage) json.RawMessage {
	if len(info) == 0 {
		return json.RawMessage(`{"name":"aims","version":"1"}`)
	}
	return info
}

func objectOrNil(v json.RawMessage) json.RawMessage {
	if len(v) > 0 && v[0] == '{' {
		return v
	}
	return nil
}
