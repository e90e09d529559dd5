package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/internal/api"
	"aims/receipt"
)

// Every operation of the management API, read from its own description, turns
// away who has no key and refuses an agent, and the refusal is in the log.
func TestEveryManagementOperationIsDecided(t *testing.T) {
	s := newSite(t, "")
	a := s.run()
	agent := s.agentKey(a, "reader")
	var described description
	if err := s.admin(a).Do(t.Context(), http.MethodGet, "/api/openapi.json", nil, &described); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for route, methods := range described.Paths {
		for method, op := range methods {
			operations++
			if operations%20 == 0 { // an agent that is refused often is not recorded each time
				agent = s.agentKey(a, fmt.Sprintf("reader-%d", operations))
			}
			if slices.Contains(keyless, route) {
				continue
			}
			url := a.URL() + strings.NewReplacer("{key}", "k", "{receipt}", "0", "{agent}", "a", "{digest}", "d", "{type}", "agent", "{actor}", "a").Replace(route) + described.query(op)
			body := described.body(t, op)
			if status, _ := request(t, method, url, "", body); status != http.StatusUnauthorized {
				t.Errorf("%s %s without a key: status %d", method, route, status)
			}
			before := a.ledger.Size()
			status, p := request(t, method, url, agent, body)
			if status != http.StatusForbidden || p.Receipt == "" {
				t.Errorf("%s %s by an agent: status %d, receipt %q", method, route, status, p.Receipt)
				continue
			}
			if leaf, err := a.ledger.Find(t.Context(), p.Receipt); err != nil || leaf.Kind != receipt.RefusalKind || a.ledger.Size() == before {
				t.Errorf("%s %s: the refusal is not in the log: %v", method, route, err)
			}
		}
	}
	if operations < 15 {
		t.Errorf("only %d operations are described", operations)
	}
}

// description is what the API says of itself, as far as asking needs it.
type description struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Parameters []struct {
		Name     string `json:"name"`
		In       string `json:"in"`
		Required bool   `json:"required"`
		Schema   schema `json:"schema"`
	} `json:"parameters"`
	RequestBody struct {
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Format     string            `json:"format"`
	Enum       []any             `json:"enum"`
	Pattern    string            `json:"pattern"`
	MinItems   int               `json:"minItems"`
	MinLength  int               `json:"minLength"`
	Minimum    float64           `json:"minimum"`
	Items      *schema           `json:"items"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
}

// least is the least value that a schema takes.
func (d *description) least(s schema) any {
	if s.Ref != "" {
		return d.least(d.Components.Schemas[path.Base(s.Ref)])
	}
	kind, _ := s.Type.(string)
	if list, ok := s.Type.([]any); ok {
		kind, _ = list[0].(string)
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case kind == "object":
		object := map[string]any{}
		for _, name := range s.Required {
			object[name] = d.least(s.Properties[name])
		}
		return object
	case kind == "array":
		list := []any{}
		for range s.MinItems {
			list = append(list, d.least(*s.Items))
		}
		return list
	case kind == "boolean":
		return false
	case kind == "integer", kind == "number":
		return max(s.Minimum, 1)
	case s.Format == "date-time":
		return "2026-11-23T00:00:00Z"
	case strings.Contains(s.Pattern, "sha256"):
		return "sha256:" + strings.Repeat("0", 64)
	case s.Format == "date", strings.Contains(s.Pattern, "-"):
		return "2026-11-23"
	case kind == "string":
		return strings.Repeat("0", max(s.MinLength, 1))
	}
	return map[string]any{}
}

// query is what an operation needs behind its path.
func (d *description) query(op operation) string {
	values := url.Values{}
	for _, p := range op.Parameters {
		if p.In == "query" && p.Required {
			values.Set(p.Name, fmt.Sprint(d.least(p.Schema)))
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// body is a body that the operation accepts, so that its decision is reached.
func (d *description) body(t *testing.T, op operation) string {
	t.Helper()
	content, ok := op.RequestBody.Content["application/json"]
	if !ok {
		return ""
	}
	text, err := json.Marshal(d.least(content.Schema))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func request(t *testing.T, method, url, key, text string) (int, api.Problem) {
	t.Helper()
	var body io.Reader
	if text != "" {
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var p api.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil && res.StatusCode >= 300 {
		t.Errorf("%s %s: no problem document: %v", method, url, err)
	}
	return res.StatusCode, p
}

// Checkpoints are open to anyone, entries to who may read them (C2SP tlog-tiles).
func TestEntriesOfTheLogNeedARole(t *testing.T) {
	s := newSite(t, "")
	a := s.run()
	admin, _ := a.Bootstrap()
	agent := s.agentKey(a, "reader")
	if err := a.ledger.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/log/checkpoint", "", http.StatusOK},
		{"/log/tile/entries/000.p/1", "", http.StatusUnauthorized},
		{"/log/tile/entries/000.p/1", "aims_made_up", http.StatusUnauthorized},
		{"/log/tile/entries/000.p/1", agent, http.StatusForbidden},
		{"/log/tile/0/000.p/1", agent, http.StatusForbidden},
		{"/log/tile/entries/000.p/1", admin, http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s with key %.10s: %s, want %d", c.path, c.key, res.Status, c.status)
		}
	}
}

// A client without a token is led to the authorization server (RFC 9728).
func TestProtectedResourceMetadata(t *testing.T) {
	remote, _ := remoteServer(t)
	s := newSite(t, "public_url: https://aims.example.com\noauth: {issuer: \"https://login.example.com\", jwks_url: \"https://login.example.com/keys\"}\n"+
		"servers:\n  - {name: remote, url: "+remote+"}\n")
	a := s.run()
	for _, path := range []string{"/mcp", "/mcp/remote"} {
		res, err := http.Post("http://"+a.listener.Addr().String()+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		want := `resource_metadata="https://aims.example.com` + metadataPath + path + `"`
		if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusUnauthorized || !strings.Contains(got, want) {
			t.Errorf("%s: %s, %q", path, res.Status, got)
		}
		res, err = http.Get("http://" + a.listener.Addr().String() + metadataPath + path)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
		}
		err = json.NewDecoder(res.Body).Decode(&m)
		res.Body.Close()
		if err != nil || m.Resource != "https://aims.example.com"+path || !slices.Equal(m.Servers, []string{"https://login.example.com"}) {
			t.Errorf("%s: %+v %v", path, m, err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := newSite(t, "")
	cert := s.certificate()
	s.write("aims.yaml", "listen: 127.0.0.1:0\ntls: {cert: cert.pem, key: key.pem}\n")
	a := s.run()
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	res, err := client.Get(a.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(a.URL(), "https://") {
		t.Errorf("%s answered %s", a.URL(), res.Status)
	}
}

func (s *site) certificate() *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return cert
}

// Page by page, the list is the log backwards; a filter leaves out and changes nothing.
func TestReceiptsAreListedWhole(t *testing.T) {
	s := newSite(t, "")
	a := s.run()
	admin := s.admin(a)
	agent := s.client(a, s.agentKey(a, "reader"))
	for range 3 {
		if err := agent.Do(t.Context(), http.MethodGet, "/api/v1/keys", nil, nil); err == nil {
			t.Fatal("an agent listed keys")
		}
	}
	read := func(query string) []api.Receipt {
		var all []api.Receipt
		for before := ""; ; {
			var page api.Receipts
			if err := admin.Do(t.Context(), http.MethodGet, "/api/v1/receipts?limit=3"+query+before, nil, &page); err != nil {
				t.Fatal(err)
			}
			all = append(all, page.Receipts...)
			if page.Next == nil {
				return all
			}
			before = fmt.Sprintf("&before=%d", *page.Next)
		}
	}
	all := read("")
	for i, r := range all {
		if want := all[0].Index - uint64(i); r.Index != want {
			t.Fatalf("entry %d follows, want %d", r.Index, want)
		}
	}
	if all[len(all)-1].Index != 0 {
		t.Errorf("the list ends at %d", all[len(all)-1].Index)
	}
	refused := read("&actor=agent:agent-reader&kind=refusal&action=keys/read")
	if len(refused) != 3 {
		t.Errorf("%d refusals of the agent, want 3", len(refused))
	}
	if none := read("&session=nobody"); len(none) != 0 {
		t.Errorf("%d receipts of a session that there never was", len(none))
	}
}
