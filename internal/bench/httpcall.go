package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// caller posts requests on kept connections and does no more with an answer
// than read it, so that little of what is measured is its own.
type caller struct {
	http   *http.Client
	url    string
	header http.Header
	// wanted is what stands in every good answer.
	wanted []byte
}

// newCaller keeps as many connections as there are concurrent callers.
func newCaller(url string, connections int, header http.Header, wanted string) *caller {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = connections, connections
	transport.DisableCompression = true
	return &caller{http: &http.Client{Transport: transport}, url: url, header: header, wanted: []byte(wanted)}
}

// post sends body and checks that the answer is a good one.
func (c *caller) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = c.header.Clone()
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, c.wanted) {
		return fmt.Errorf("%s answered %s: %.500s", c.url, response.Status, answer)
	}
	return nil
}

func (c *caller) close() { c.http.CloseIdleConnections() }
