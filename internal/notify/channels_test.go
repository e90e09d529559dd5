package notify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/notify"
)

var message = notify.Message{
	ID: "msg_1", Kind: "approval.requested", Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	Subject: "billing asks for approval", Text: "who: billing", Details: `arguments: {"to":"@everyone <!channel> [x](http://evil.example)"}`,
	Link: "https://aims.example/approvals/apr_1", About: "apr_1", Roles: []string{"treasurer"},
}

func TestWebhookIsSigned(t *testing.T) {
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	var header http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	w := notify.Webhook{URL: server.URL, Secret: func() string { return secret }, Client: notify.NewClient(), Now: func() time.Time { return message.Time }}
	if err := w.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	want, err := notify.Signature(secret, "msg_1", "1795435200", body)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("webhook-signature"), header.Get("content-type")}
	if diff := cmp.Diff([]string{"msg_1", "1795435200", want, "application/json"}, got); diff != "" {
		t.Error(diff)
	}
	var seen map[string]any
	if err := json.Unmarshal(body, &seen); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"type": "approval.requested", "timestamp": "2026-11-23T12:00:00Z",
		"data": map[string]any{"id": "apr_1", "subject": message.Subject, "text": message.Text, "details": message.Details, "link": message.Link, "roles": []any{"treasurer"}},
	}, seen); diff != "" {
		t.Error(diff)
	}
	for what, other := range map[string][3]string{
		"the id": {"msg_2", "1795435200", string(body)}, "the time": {"msg_1", "1795435201", string(body)}, "the body": {"msg_1", "1795435200", string(body) + " "},
	} {
		if s, _ := notify.Signature(secret, other[0], other[1], []byte(other[2])); s == want {
			t.Errorf("%s is not signed", what)
		}
	}
}

// The example of the Standard Webhooks specification.
func TestSignatureOfTheSpecification(t *testing.T) {
	got, err := notify.Signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, weak := range []string{"", "short", "whsec_MTIz", "whsec_!"} {
		if got, err := notify.Signature(weak, "a", "1", nil); err == nil {
			t.Errorf("%q signs: %s", weak, got)
		}
	}
}

func TestWebhookGoesNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the message went elsewhere") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	w := notify.Webhook{URL: server.URL + "/token-123456", Secret: func() string { return strings.Repeat("s", 32) }, Client: notify.NewClient(), Now: time.Now}
	if err := w.Send(t.Context(), message); err == nil {
		t.Error("a redirect counts as delivered")
	}
	server.Close()
	if err := w.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "token-123456") {
		t.Errorf("a server that is gone: %v", err)
	}
}

// smtp is a mail server that knows no more than it needs: it takes what it is
// given and offers no TLS.
func smtp(t *testing.T) (address string, letters <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := make(chan string, 8)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, taken)
		}
	}()
	return l.Addr().String(), taken
}

func converse(conn net.Conn, taken chan<- string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 test ESMTP\r\n")
	var letter strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch command, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); command {
		case "EHLO", "HELO":
			fmt.Fprint(conn, "250-test\r\n250 8BITMIME\r\n")
		case "MAIL", "RCPT":
			letter.WriteString(line)
			fmt.Fprint(conn, "250 ok\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				letter.WriteString(line)
			}
			taken <- letter.String()
			fmt.Fprint(conn, "250 ok\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func TestMail(t *testing.T) {
	address, letters := smtp(t)
	m := notify.Mail{Server: address, TLS: notify.Plain, From: "aims <aims@example.com>", To: []string{"ada@example.com", "bo@example.com"}}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	forged := message
	forged.Subject = "billing asks\r\nBcc: eve@example.com"
	if err := m.Send(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	letter := <-letters
	for _, want := range []string{
		"MAIL FROM:<aims@example.com>", "RCPT TO:<ada@example.com>", "RCPT TO:<bo@example.com>", "Message-ID: <msg_1@example.com>",
		"Auto-Submitted: auto-generated", "who: billing", "arguments:", "Date: Mon, 23 Nov 2026 12:00:00",
	} {
		if !strings.Contains(letter, want) {
			t.Errorf("the mail does not hold %q:\n%s", want, letter)
		}
	}
	if strings.Contains(letter, "\r\nBcc:") || strings.Contains(letter, "RCPT TO:<eve") {
		t.Errorf("the subject made a header:\n%s", letter)
	}
}

// A server without TLS is not spoken to where TLS is asked for, and no password
// travels in the clear.
func TestMailIsNotDowngraded(t *testing.T) {
	address, letters := smtp(t)
	m := notify.Mail{Server: address, TLS: notify.StartTLS, From: "aims@example.com", To: []string{"ada@example.com"}, Username: "aims", Password: func() string { return "secret-password" }}
	err := m.Send(t.Context(), message)
	if err == nil || len(letters) > 0 {
		t.Error("the mail went in the clear")
	}
	if strings.Contains(fmt.Sprint(err), "secret-password") {
		t.Errorf("the error holds the password: %v", err)
	}
	m.TLS = notify.Plain
	if m.Check() == nil {
		t.Error("a password without TLS is accepted")
	}
	for what, bad := range map[string]notify.Mail{
		"server": {Server: "mail.example.com", TLS: notify.TLS, From: "a@example.com", To: []string{"b@example.com"}},
		"tls":    {Server: "mail.example.com:25", TLS: "maybe", From: "a@example.com", To: []string{"b@example.com"}},
		"from":   {Server: "mail.example.com:25", TLS: notify.TLS, From: "nobody", To: []string{"b@example.com"}},
		"to":     {Server: "mail.example.com:25", TLS: notify.TLS, From: "a@example.com"},
	} {
		if err := bad.Check(); err == nil || !strings.HasPrefix(err.Error(), what+":") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestChat(t *testing.T) {
	got := make(chan string, 1)
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "http://", "generic://", 1) + "/services/T0KEN123456?disabletls=yes"
	if err := notify.CheckChat(address); err != nil {
		t.Fatal(err)
	}
	c := notify.NewChat(func() string { return address })
	if err := c.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	text := <-got
	if !strings.Contains(text, "billing asks for approval\nwho: billing\narguments:") {
		t.Errorf("sent %q", text)
	}
	for _, live := range []string{"@everyone", "<!channel>", "](http"} {
		if strings.Contains(text, live) {
			t.Errorf("%q is live in %q", live, text)
		}
	}
	status = http.StatusForbidden
	if err := c.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "T0KEN123456") {
		t.Errorf("a refused message: %v", err)
	}
	<-got
	for _, bad := range []string{"", "slack", "nothing://secret-token@x", "logger://", "xoxb-secret-token", "https://hooks.example.com/secret-token"} {
		if err := notify.CheckChat(bad); err == nil || strings.Contains(err.Error(), "token") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A chat service that hangs gathers one message, not one for each attempt.
func TestChatThatHangs(t *testing.T) {
	release := make(chan struct{})
	requests := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	address := strings.Replace(server.URL, "http://", "generic://", 1) + "/?disabletls=yes"
	c := notify.NewChat(func() string { return address })
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := c.Send(ctx, message); err == nil {
			t.Error("a message that nobody answered counts as delivered")
		}
		cancel()
	}
	<-requests
	if n := len(requests); n > 0 {
		t.Errorf("%d more requests are under way", n)
	}
}
