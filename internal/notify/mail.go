package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// The ways in which a mail server is spoken to.
const (
	StartTLS = "starttls" // begin in the clear, and go on only with TLS
	TLS      = "tls"      // TLS from the first byte
	Plain    = "none"     // no TLS: for a relay on this machine
)

// Mail sends messages by SMTP.
type Mail struct {
	// Server is host:port.
	Server string
	// TLS is StartTLS, TLS or Plain.
	TLS  string
	From string
	To   []string
	// Username and Password sign in; an empty username does not.
	Username string
	Password func() string
}

// Check says what is wrong with the settings, without speaking to the server.
func (m Mail) Check() error {
	if _, err := m.client(); err != nil {
		return err
	}
	if _, err := netmail.ParseAddress(m.From); err != nil {
		return fmt.Errorf("from: %q is no mail address", m.From)
	}
	if len(m.To) == 0 {
		return errors.New("to: nobody is named")
	}
	for _, to := range m.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			return fmt.Errorf("to: %q is no mail address", to)
		}
	}
	return nil
}

func (m Mail) client() (*mail.Client, error) {
	host, text, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, fmt.Errorf("server: %q is no address; expected host:port", m.Server)
	}
	port, err := strconv.Atoi(text)
	if err != nil || host == "" {
		return nil, fmt.Errorf("server: %q is no address; expected host:port", m.Server)
	}
	options := []mail.Option{mail.WithPort(port), mail.WithoutNoop()}
	switch m.TLS {
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case TLS:
		options = append(options, mail.WithSSL())
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("tls: %q; expected %s, %s or %s", m.TLS, StartTLS, TLS, Plain)
	}
	if m.Username != "" {
		if m.TLS == Plain {
			return nil, errors.New("tls: a password does not travel in the clear; expected starttls or tls")
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.Username), mail.WithPassword(m.Password()))
	}
	return mail.NewClient(host, options...)
}

// Send sends a message once, as one mail to all.
func (m Mail) Send(ctx context.Context, message Message) error {
	letter := mail.NewMsg()
	if err := errors.Join(letter.From(m.From), letter.To(m.To...)); err != nil {
		return permanent{err}
	}
	letter.Subject(oneLine(message.Subject))
	letter.SetDateWithValue(message.Time)
	domain := m.From[strings.LastIndexByte(m.From, '@')+1:]
	letter.SetMessageIDWithValue(message.ID + "@" + strings.TrimRight(domain, ">"))
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers from robots
	text := message.Text
	if message.Details != "" {
		text += "\n\n" + message.Details
	}
	letter.SetBodyString(mail.TypeTextPlain, text+"\n")
	client, err := m.client()
	if err != nil {
		return permanent{err}
	}
	return client.DialAndSendWithContext(ctx, letter)
}

// oneLine is a subject without what would end its line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
