package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Webhook posts messages as JSON, signed as the Standard Webhooks
// specification 1.0 says: the headers webhook-id, webhook-timestamp and
// webhook-signature, the latter "v1," and the base64 of HMAC-SHA256 over
// id.timestamp.body. A receiver that checks time and id refuses what is
// replayed.
type Webhook struct {
	URL string
	// Secret is the shared secret; "whsec_" before it says that the rest is base64.
	Secret func() string
	Client *http.Client
	Now    func() time.Time
}

// webhookBody is what is posted.
type webhookBody struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	ID      string   `json:"id"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	Details string   `json:"details,omitempty"`
	Link    string   `json:"link,omitempty"`
	Roles   []string `json:"roles,omitempty"`
}

// Signature is the value of the header webhook-signature.
func Signature(secret, id, timestamp string, body []byte) (string, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return "", errors.New("the secret begins with whsec_, and what follows is no base64")
		}
	}
	if len(key) < 16 {
		return "", fmt.Errorf("the secret has %d bytes; expected at least 16", len(key))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// Send posts a message once.
func (w Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(webhookBody{m.Kind, m.Time.UTC(), webhookData{m.About, m.Subject, m.Text, m.Details, m.Link, m.Roles}})
	if err != nil {
		return permanent{err}
	}
	timestamp := strconv.FormatInt(w.Now().Unix(), 10)
	signature, err := Signature(w.Secret(), m.ID, timestamp, body)
	if err != nil {
		return permanent{err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return permanent{errors.New("the address of the webhook cannot be used")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", timestamp)
	req.Header.Set("Webhook-Signature", signature)
	res, err := w.Client.Do(req)
	if err != nil {
		// The address may hold a token: only what went wrong is said.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return answered(res.StatusCode)
}

// answered says whether a status means that the message was taken, and if not,
// whether it could be another time.
func answered(status int) error {
	err := fmt.Errorf("the receiver answered %d %s", status, http.StatusText(status))
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return err
	}
	return permanent{err}
}

// NewClient makes the HTTP client of a Webhook: no redirects, which would carry
// the message elsewhere.
func NewClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
