package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/identity"
)

const audience = "https://aims.example/mcp"

// issuer is an authorization server in this process.
type issuer struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	kid     atomic.Value // string, of the published key
	broken  atomic.Bool  // it answers with an error
	fetches atomic.Int64 // of the key set
	claims  string       // the issuer that the metadata names, if another
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &issuer{key: key}
	s.kid.Store("one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		name := s.URL
		if s.claims != "" {
			name = s.claims
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, name, s.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		s.fetches.Add(1)
		if s.broken.Load() {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(s.set())
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// set is what it publishes: its key, and keys that nobody may verify with.
func (s *issuer) set() any {
	return map[string]any{"keys": []any{
		jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid.Load().(string), Algorithm: "ES256", Use: "sig"},
		jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "symmetric", Algorithm: "HS256"},
		jose.JSONWebKey{Key: s.key.Public(), KeyID: "encryption", Use: "enc"},
		map[string]any{"kty": "future", "kid": "unknown"},
	}}
}

type claims map[string]any

func (s *issuer) claimsAt(now time.Time) claims {
	return claims{"iss": s.URL, "aud": audience, "sub": "billing", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
}

func (c claims) with(name string, value any) claims {
	out := claims{}
	for k, v := range c {
		out[k] = v
	}
	out[name] = value
	if value == nil {
		delete(out, name)
	}
	return out
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, typ string, c claims) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", kid)
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *issuer) token(t *testing.T, c claims) string {
	return sign(t, jose.ES256, s.key, s.kid.Load().(string), "at+jwt", c)
}

func oauthWorld(t testing.TB, change func(*identity.OAuth)) (*world, *issuer) {
	t.Helper()
	s := newIssuer(t)
	o := identity.OAuth{Issuer: s.URL, Audiences: []string{audience}}
	if change != nil {
		change(&o)
	}
	return newWorld(t, &o), s
}

func TestAccessTokenStandsForItsAgent(t *testing.T) {
	w, s := oauthWorld(t, func(o *identity.OAuth) {
		o.Subjects = map[string]string{"auth0|5F": "payer"}
		o.RolesClaim, o.Roles = "scope", []string{"finance", "clerk"}
	})
	mustKey(t, w, identity.NewKey{Actor: agent, Roles: []string{"own"}})
	now := w.clock.Now()
	for name, c := range map[string]struct {
		claims claims
		id     string
		roles  []string
	}{
		"subject is the id": {s.claimsAt(now), "billing", []string{"own"}},
		"mapped":            {s.claimsAt(now).with("sub", "auth0|5F"), "payer", nil},
		"several audiences": {s.claimsAt(now).with("aud", []string{"other", audience}), "billing", []string{"own"}},
		"roles are limited": {s.claimsAt(now).with("scope", "finance admin openid"), "billing", []string{"finance", "own"}},
		"roles as a list":   {s.claimsAt(now).with("scope", []string{"clerk", "admin"}), "billing", []string{"clerk", "own"}},
	} {
		p, err := w.Authenticate(t.Context(), s.token(t, c.claims))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: c.id}, Roles: c.roles, Expires: now.Add(time.Minute)}
		if d := cmp.Diff(want, p); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("%d fetches of the keys, want 1", n)
	}
}

func TestForgedAndForeignTokensAreRefused(t *testing.T) {
	w, s := oauthWorld(t, nil)
	now := w.clock.Now()
	good := s.claimsAt(now)
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	none := func(header string) string {
		body, err := json.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	}
	genuine := s.token(t, good)
	parts := strings.Split(genuine, ".")
	for name, token := range map[string]string{
		"wrong audience":               s.token(t, good.with("aud", "https://other.example/mcp")),
		"no audience":                  s.token(t, good.with("aud", nil)),
		"other issuer":                 s.token(t, good.with("iss", "https://evil.example")),
		"no issuer":                    s.token(t, good.with("iss", nil)),
		"expired":                      s.token(t, good.with("exp", now.Add(-31*time.Second).Unix())),
		"no expiry":                    s.token(t, good.with("exp", nil)),
		"not yet valid":                s.token(t, good.with("nbf", now.Add(31*time.Second).Unix())),
		"no subject":                   s.token(t, good.with("sub", nil)),
		"subject is no id":             s.token(t, good.with("sub", "Billing Department")),
		"subject is a number":          s.token(t, good.with("sub", 7)),
		"an id of a role":              s.token(t, good.with("sub", `x" in Role::"admin`)),
		"unknown key id":               sign(t, jose.ES256, s.key, "two", "", good),
		"another key":                  sign(t, jose.ES256, mine, "one", "", good),
		"encryption key":               sign(t, jose.ES256, s.key, "encryption", "", good),
		"HS256 with the public key":    sign(t, jose.HS256, public, "one", "", good),
		"HS256 with the symmetric key": sign(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), "symmetric", "", good),
		"a logout token":               sign(t, jose.ES256, s.key, "one", "logout+jwt", good),
		"alg none":                     none(`{"alg":"none","kid":"one"}`),
		"alg None":                     none(`{"alg":"None","kid":"one"}`),
		"no alg":                       none(`{"kid":"one"}`),
		"its own key in the header":    embedded(t, mine, good),
		"signature cut off":            parts[0] + "." + parts[1] + ".",
		"other claims, same signature": parts[0] + "." + strings.Split(s.token(t, good.with("sub", "admin")), ".")[1] + "." + parts[2],
		"two tokens":                   genuine + "." + genuine,
		"not a token":                  "a.b.c",
		"JSON form":                    `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	} {
		if p, err := w.Authenticate(t.Context(), token); code(err) != aims.Unauthenticated {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := w.Authenticate(t.Context(), genuine); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
	w.clock.Advance(91 * time.Second)
	if _, err := w.Authenticate(t.Context(), genuine); code(err) != aims.Unauthenticated {
		t.Errorf("the genuine one after it expired: %v", err)
	}
}

// embedded is a token that brings the key to verify it with.
func embedded(t *testing.T, key *ecdsa.PrivateKey, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "one"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestWithoutTheServersKeysNobodyIsLetIn(t *testing.T) {
	w, s := oauthWorld(t, nil)
	s.broken.Store(true)
	for range 50 {
		if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); code(err) != aims.Unavailable {
			t.Fatalf("unreachable: %v", err)
		}
	}
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("%d requests to a server in trouble, want 1", n)
	}
	s.broken.Store(false)
	w.clock.Advance(11 * time.Second)
	if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); err != nil {
		t.Fatalf("back again: %v", err)
	}
	s.broken.Store(true)
	w.clock.Advance(20 * time.Minute)
	if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); err != nil {
		t.Errorf("gone for twenty minutes: %v", err)
	}
	w.clock.Advance(41 * time.Minute)
	if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); code(err) != aims.Unavailable {
		t.Errorf("gone for over an hour, a withdrawn key would still be believed: %v", err)
	}
}

func TestNewAndWithdrawnKeys(t *testing.T) {
	w, s := oauthWorld(t, nil)
	old := s.token(t, s.claimsAt(w.clock.Now()).with("exp", w.clock.Now().Add(time.Hour).Unix()))
	if _, err := w.Authenticate(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.kid.Store("two")
	w.clock.Advance(11 * time.Second)
	if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); err != nil {
		t.Errorf("a new key is found: %v", err)
	}
	if _, err := w.Authenticate(t.Context(), old); code(err) != aims.Unauthenticated {
		t.Errorf("a withdrawn key: %v", err)
	}
	before := s.fetches.Load()
	for n := range 200 {
		w.Authenticate(t.Context(), sign(t, jose.ES256, s.key, fmt.Sprint("invented", n), "", s.claimsAt(w.clock.Now())))
	}
	if n := s.fetches.Load() - before; n > 1 {
		t.Errorf("invented key ids caused %d requests", n)
	}
}

func TestMetadataOfAnotherIssuerIsNotUsed(t *testing.T) {
	w, s := oauthWorld(t, nil)
	s.claims = "https://evil.example"
	if _, err := w.Authenticate(t.Context(), s.token(t, s.claimsAt(w.clock.Now()))); code(err) != aims.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestUnsafeConfigurationFailsAtStart(t *testing.T) {
	w := newWorld(t, nil)
	for name, o := range map[string]identity.OAuth{
		"no audience":    {Issuer: "https://as.example"},
		"empty audience": {Issuer: "https://as.example", Audiences: []string{""}},
		"plain http":     {Issuer: "http://as.example", Audiences: []string{audience}},
		"keys over http": {Issuer: "https://as.example", JWKS: "http://as.example/keys", Audiences: []string{audience}},
		"alg none":       {Issuer: "https://as.example", Audiences: []string{audience}, Algorithms: []string{"none"}},
		"alg HS256":      {Issuer: "https://as.example", Audiences: []string{audience}, Algorithms: []string{"ES256", "HS256"}},
		"bad mapping":    {Issuer: "https://as.example", Audiences: []string{audience}, Subjects: map[string]string{"a": "A B"}},
	} {
		if _, err := identity.Open(t.Context(), w.db, w.ledger, identity.Options{OAuth: &o, Now: w.clock.Now}); code(err) != aims.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResourceMetadata(t *testing.T) {
	w, s := oauthWorld(t, nil)
	got, err := w.ResourceMetadata(audience, "aims")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"resource":%q,"authorization_servers":[%q],"bearer_methods_supported":["header"],"resource_name":"aims"}`, audience, s.URL)
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := identity.Challenge("https://aims.example/.well-known/oauth-protected-resource", true); got !=
		`Bearer realm="aims", error="invalid_token", resource_metadata="https://aims.example/.well-known/oauth-protected-resource"` {
		t.Error(got)
	}
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6Im9uZSJ9.e30.AAAA")
	f.Add("aims_" + strings.Repeat("A", 43))
	w, _ := oauthWorld(f, nil)
	f.Fuzz(func(t *testing.T, bearer string) {
		if p, err := w.Authenticate(t.Context(), bearer); err == nil {
			t.Errorf("let %q in as %v", bearer, p)
		}
	})
}
