package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/aims"
)

// Client speaks to the management API of a running server.
type Client struct {
	base string
	key  string
	http *http.Client
}

// How long a server may take to accept a connection and to begin an answer; a
// stream may then take as long as it needs.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 60 * time.Second
)

// NewClient makes a client of the server at base, with a key that may be empty.
func NewClient(base, key string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, aims.Errorf(aims.Invalid, nil, "%q is not the address of a server; expected http://host:port", base)
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &Client{strings.TrimRight(base, "/"), key, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
			ResponseHeaderTimeout: answerTimeout, TLSHandshakeTimeout: dialTimeout,
		},
		// A redirect would take the key elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// RefusedError is an error answer of the server. It unwraps to an *aims.Error.
type RefusedError struct {
	Problem
	err *aims.Error
}

func (e *RefusedError) Error() string { return e.err.Text }
func (e *RefusedError) Unwrap() error { return e.err }

// Open sends a request and returns the body of a good answer, which the caller
// closes. It fails with aims.Unavailable when the server cannot be reached and
// with a *RefusedError when it refuses.
func (c *Client) Open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "%q is not an address", c.base+path)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var u *url.Error
		if errors.As(err, &u) { // the method and the address again
			err = u.Err
		}
		return nil, aims.Errorf(aims.Unavailable, err, "the server at %s cannot be reached", c.base)
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, c.refused(res)
	}
	return res.Body, nil
}

// Do sends a request and decodes the answer into out, unless that is nil.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	body, err := c.Open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return aims.Errorf(aims.Unavailable, err, "the answer of %s broke off or is not of an aims server", c.base)
	}
	return nil
}

// maxProblem bounds the body of an error answer.
const maxProblem = 1 << 20

func (c *Client) refused(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	var p Problem
	if err != nil || json.Unmarshal(text, &p) != nil || p.Detail == "" {
		return aims.Errorf(aims.Internal, err, "%s answered %s, which no aims server does", c.base, res.Status)
	}
	sentence := p.Detail
	for _, e := range p.Errors {
		sentence += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	for _, r := range p.Reasons {
		switch {
		case r.Text == "":
		case strings.Contains(sentence, r.Text): // policy's own words are the detail already
			sentence += fmt.Sprintf(" (%s)", r.Policy)
		default:
			sentence += fmt.Sprintf("; %s (%s)", r.Text, r.Policy)
		}
	}
	if p.Receipt != "" {
		sentence += " [" + p.Receipt + "]"
	}
	if p.Code == string(aims.Unauthenticated) && c.key == "" {
		sentence += "; set AIMS_KEY or AIMS_KEY_FILE"
	}
	return &RefusedError{p, aims.Errorf(aims.Code(p.Code), nil, "%s", sentence)}
}
