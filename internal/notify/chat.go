package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// Chat sends messages through a chat service, which its address names, such as
// slack://… or teams://…, in the form of the shoutrrr library.
type Chat struct {
	address func() string
	// busy is held by the one message on its way: the library cannot be told to
	// stop, and a service that hangs must not gather them.
	busy chan struct{}
}

// NewChat makes a chat channel. The address holds the service's token: it is a secret.
func NewChat(address func() string) *Chat {
	return &Chat{address: address, busy: make(chan struct{}, 1)}
}

// CheckChat says whether an address names a chat service. Its error repeats
// nothing of the address but the service.
func CheckChat(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return errors.New("the secret is no address of a chat service; expected a form such as slack://… or teams://…")
	}
	service, _, _ := strings.Cut(u.Scheme, "+")
	if _, err := new(router.ServiceRouter).NewService(service); err != nil || service == "logger" {
		return fmt.Errorf("%s is no chat service that is known", service)
	}
	return nil
}

// defuse keeps text that an agent wrote from calling everybody, or from hiding
// an address behind words, in the markup of the usual services.
func defuse(text string) string {
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "](", `]\u0028`,
		"@everyone", "@ everyone", "@here", "@ here", "@channel", "@ channel", "@all", "@ all").Replace(text)
}

// Send sends a message once.
func (c *Chat) Send(ctx context.Context, m Message) error {
	select {
	case c.busy <- struct{}{}:
	case <-ctx.Done():
		return errors.New("the chat service has not answered the message before")
	}
	text := m.Subject + "\n" + m.Text
	if m.Details != "" {
		text += "\n" + m.Details
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.busy }()
		done <- c.send(defuse(text))
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("the chat service does not answer")
	}
}

func (c *Chat) send(text string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the library for chat services failed")
		}
	}()
	address := c.address()
	service, err := new(router.ServiceRouter).Locate(address)
	if err == nil {
		err = service.Send(text, &types.Params{})
	}
	if err != nil {
		return hide(err, address)
	}
	return nil
}

// hide takes the parts of an address out of an error: the library puts them
// together anew, so that the address as a whole is not found in it.
func hide(err error, address string) error {
	const shortest, longest = 6, 300
	text := err.Error()
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(part) >= shortest {
			text = strings.ReplaceAll(text, part, "[secret]")
		}
	}
	return errors.New(strings.ToValidUTF8(text[:min(len(text), longest)], ""))
}
