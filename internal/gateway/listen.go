package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
)

// filter is what a subscriptions/listen request asks for (2026-07-28).
type filter struct {
	Tools     bool     `json:"toolsListChanged,omitempty"`
	Prompts   bool     `json:"promptsListChanged,omitempty"`
	Resources bool     `json:"resourcesListChanged,omitempty"`
	URIs      []string `json:"resourceSubscriptions,omitempty"`
}

func (f filter) empty() bool { return !f.Tools && !f.Prompts && !f.Resources && len(f.URIs) == 0 }

// maxWatched bounds the resources that one request watches.
const maxWatched = 256

// wants says whether a notification is one of those that were asked for.
func (f filter) wants(m *envelope.Message) bool {
	switch m.MethodName() {
	case "notifications/tools/list_changed":
		return f.Tools
	case "notifications/prompts/list_changed":
		return f.Prompts
	case "notifications/resources/list_changed":
		return f.Resources
	case "notifications/resources/updated":
		uri, _ := m.Text(envelope.URI)
		return slices.Contains(f.URIs, uri)
	}
	return false
}

// offered is the part of f that a server can serve.
func (f filter) offered(capabilities json.RawMessage) filter {
	var can struct {
		Tools     struct{ ListChanged bool }
		Prompts   struct{ ListChanged bool }
		Resources struct{ ListChanged, Subscribe bool }
	}
	if json.Unmarshal(capabilities, &can) != nil {
		return filter{}
	}
	out := filter{Tools: f.Tools && can.Tools.ListChanged, Prompts: f.Prompts && can.Prompts.ListChanged, Resources: f.Resources && can.Resources.ListChanged}
	if can.Resources.Subscribe {
		out.URIs = f.URIs
	}
	return out
}

// listener is an agent's subscriptions/listen on one connection.
type listener struct {
	filter filter // in the server's own names
	out    *outbox
	cancel context.CancelFunc
	// tag is the notification as the agent gets it.
	tag func(*envelope.Message) []byte
}

// offer takes in a notification, if it was asked for. It does not block.
func (l *listener) offer(m *envelope.Message) {
	if l.filter.wants(m) {
		l.out.put(bytes.Clone(l.tag(m)))
	}
}

// listen serves subscriptions/listen. To one server of the stateless revision
// it is forwarded; otherwise the gateway listens to each server as it can.
func (x *exchange) listen(ctx context.Context) error {
	var want filter
	if raw := x.member("notifications"); raw == nil || json.Unmarshal(raw, &want) != nil {
		return invalidParams("expected params to have notifications")
	}
	if len(want.URIs) > maxWatched {
		return invalidParams("too many resources to watch in one request")
	}
	if !x.ep.merged {
		s := x.ep.servers[0]
		c, release, err := x.conn(ctx, s)
		if err != nil {
			return x.early(ctx, s, err)
		}
		defer release()
		if c.modern() {
			return x.listenThrough(ctx, s, c)
		}
	}
	return x.listenHere(ctx, want)
}

// listenThrough forwards the request, for as long as both sides want.
func (x *exchange) listenThrough(ctx context.Context, s *server, c *conn) error {
	t, err := x.decide(ctx, s, "", x.call(s, nil))
	if err != nil {
		return x.early(ctx, s, err)
	}
	if !t.ruling.Allowed() {
		return x.refused(t.ruling)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopBeats := x.beats(cancel)
	defer stopBeats()
	return x.direct(ctx, t, c)
}

// beats notices when an agent with a quiet stream has left.
func (x *exchange) beats(cancel context.CancelCauseFunc) (stop func()) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		ticker := time.NewTicker(beatInterval)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
				if !x.welcome() || x.out.beat() != nil {
					cancel(errAgentLeft)
				}
			}
		}
	})
	return func() { close(over); wg.Wait() }
}

// listenHere serves the request by listening to the servers.
func (x *exchange) listenHere(ctx context.Context, want filter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ears []*ear
	defer func() {
		cancel()
		for _, e := range ears {
			e.close(ctx, x)
		}
	}()
	out := &outbox{}
	out.init()
	var honored filter
	var failed error
	for _, s := range x.ep.servers {
		e, err := x.openEar(ctx, s, want, out, cancel)
		if err != nil {
			failed = err
			continue
		}
		ears = append(ears, e)
		honored.add(e.honored)
	}
	if len(ears) == 0 && failed != nil {
		return failed
	}
	if err := x.acknowledge(honored); err != nil {
		return x.sent(err)
	}
	if !honored.empty() {
		if err := out.serve(ctx, x.g.ctx, x.out, x.welcome); err != nil {
			return x.sent(err)
		}
	}
	b, err := json.Marshal(map[string]any{
		"resultType": "complete", "_meta": map[string]any{upstream.SubscriptionID: json.RawMessage(x.msg.Bytes(envelope.ID))},
	})
	if err != nil {
		return err
	}
	return x.reply(b)
}

func (f *filter) add(other filter) {
	f.Tools = f.Tools || other.Tools
	f.Prompts = f.Prompts || other.Prompts
	f.Resources = f.Resources || other.Resources
	f.URIs = append(f.URIs, other.URIs...)
}

// acknowledge tells the agent what it will hear.
func (x *exchange) acknowledge(honored filter) error {
	params, err := json.Marshal(map[string]any{
		"notifications": honored,
		"_meta":         map[string]any{upstream.SubscriptionID: json.RawMessage(x.msg.Bytes(envelope.ID))},
	})
	if err != nil {
		return err
	}
	return x.out.send(upstream.Notification("notifications/subscriptions/acknowledged", params))
}
