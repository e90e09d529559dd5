package app

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/ledger"
	"aims/internal/notify"
	"aims/receipt"
)

var (
	notificationName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	roleName         = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
)

// maxExpiry bounds how long an approval may be good: who granted it must still
// remember what it was for.
const maxExpiry = 31 * 24 * time.Hour

// maxHoldWait bounds how long one request of an agent may wait: clients and
// proxies give up after a few minutes.
const maxHoldWait = 10 * time.Minute

func (r *reader) validateNotifications(ctx context.Context, c *Config) {
	if e := time.Duration(c.Approvals.Expiry); e < time.Second || e > maxExpiry {
		r.at("approvals.expiry", "%s; expected between 1s and %s", e, maxExpiry)
	}
	if n := c.Approvals.MaxOpenPerAgent; n < 1 || n > 10_000 {
		r.at("approvals.max_open_per_agent", "%d; expected between 1 and 10000", n)
	}
	if w := time.Duration(c.Approvals.Wait); w < time.Millisecond || w > maxHoldWait {
		r.at("approvals.wait", "%s; expected between 1ms and %s", w, maxHoldWait)
	}
	seen := map[string]bool{}
	for i := range c.Notifications {
		n, key := &c.Notifications[i], fmt.Sprintf("notifications[%d]", i)
		switch {
		case !notificationName.MatchString(n.Name):
			r.at(key+".name", "%q; expected a lower-case letter, then at most 31 of a–z, 0–9 and -", n.Name)
		case seen[n.Name]:
			r.at(key+".name", "%q is the name of an earlier notification too", n.Name)
		}
		seen[n.Name] = true
		for _, role := range n.Roles {
			if !roleName.MatchString(role) {
				r.at(key+".roles", "%q is no role", role)
			}
		}
		r.validateChannel(ctx, c, key, n)
	}
}

func (r *reader) validateChannel(ctx context.Context, c *Config, key string, n *Notification) {
	channels := 0
	for _, given := range []bool{n.Webhook != "", n.Mail != nil, n.Chat != ""} {
		if given {
			channels++
		}
	}
	switch {
	case channels != 1:
		r.at(key, "expected exactly one of webhook, mail and chat")
	case n.Secret != "" && n.Webhook == "":
		r.at(key+".secret", "only a webhook is signed")
	case n.Webhook != "":
		r.httpURL(key+".webhook", n.Webhook)
		n.secret = r.secret(ctx, c, key+".secret", n.Secret)
		if _, err := notify.Signature(n.secret.Reveal(), "", "", nil); n.secret.Reveal() != "" && err != nil {
			r.at(key+".secret", "%v", err)
		}
	case n.Mail != nil:
		if n.Mail.Username != "" {
			n.Mail.password = r.secret(ctx, c, key+".mail.password", n.Mail.Password)
		} else if n.Mail.Password != "" {
			r.at(key+".mail.password", "there is no username that it belongs to")
		}
		if err := n.Mail.channel().Check(); err != nil {
			r.at(key+".mail", "%v", err)
		}
	default:
		n.chat = r.secret(ctx, c, key+".chat", n.Chat)
		if err := notify.CheckChat(n.chat.Reveal()); n.chat.Reveal() != "" && err != nil {
			r.at(key+".chat", "%v", err)
		}
	}
}

func (m Mail) channel() notify.Mail {
	return notify.Mail{Server: m.Server, TLS: m.TLS, From: m.From, To: m.To, Username: m.Username, Password: m.password.Reveal}
}

func (n Notification) secrets() []identity.Secret {
	all := []identity.Secret{n.secret, n.chat}
	if n.Mail != nil {
		all = append(all, n.Mail.password)
	}
	return all
}

func (n Notification) channel(now func() time.Time) notify.Channel {
	switch {
	case n.Mail != nil:
		return n.Mail.channel()
	case n.Chat != "":
		return notify.NewChat(n.chat.Reveal)
	}
	return notify.Webhook{URL: n.Webhook, Secret: n.secret.Reveal, Client: notify.NewClient(), Now: now}
}

// openNotifier starts telling people. It ends before the log does, because
// what nobody took is recorded.
func (a *App) openNotifier() {
	var targets []notify.Target
	for _, n := range a.cfg.Notifications {
		targets = append(targets, notify.Target{Name: n.Name, Channel: n.channel(a.now), Roles: n.Roles, Bare: n.WithoutArguments})
	}
	a.notifier = notify.New(targets, notify.Options{Log: a.log, Failed: a.recordUntold})
	const patience = 2 * time.Second // of limits.stop_timeout; the rest is for the log
	a.onStop("the notifications", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return a.notifier.Close(ctx)
	})
}

// untold counts, by target, the messages that nobody took.
type untold struct {
	mu   sync.Mutex
	last map[string]time.Time
	more map[string]int // since the last receipt
}

// untoldInterval is how often a target that takes nothing gets a receipt.
const untoldInterval = 10 * time.Minute

// take counts one message, and says whether it gets a receipt, and for how
// many others since the last one it stands.
func (u *untold) take(target string, now time.Time) (others int, record bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, ok := u.last[target]; ok && now.Sub(last) < untoldInterval {
		u.more[target]++
		return 0, false
	}
	if u.last == nil {
		u.last, u.more = map[string]time.Time{}, map[string]int{}
	}
	others = u.more[target]
	u.last[target], u.more[target] = now, 0
	return others, true
}

// recordUntold puts into the log that people could not be told. Why is in the
// operator's log only: what a server answers may name people.
func (a *App) recordUntold(target string, m notify.Message, _ error) {
	others, record := a.untold.take(target, a.now())
	if !record {
		return
	}
	detail, err := json.Marshal(struct {
		Kind   string `json:"kind"`
		About  string `json:"about,omitempty"`
		Others int    `json:"others,omitempty"` // not taken since the receipt before
	}{m.Kind, m.About, others})
	if err == nil {
		var body []byte
		body, err = receipt.Encode(receipt.Event{
			ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: "notification.failed",
			Object: receipt.Object{Type: "notification", ID: target}, Detail: detail,
		})
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.cfg.Limits.StopTimeout))
			defer cancel()
			_, err = a.ledger.Append(ctx, ledger.Entry{Kind: receipt.EventKind, Body: body})
		}
	}
	if err != nil {
		a.log.Error("a failed notification was not recorded", "target", target, "error", err)
	}
}
