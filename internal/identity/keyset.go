package identity

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aims/internal/aims"
)

// How long the authorization server's keys serve.
const (
	// fresh: so long nobody asks for them again.
	fresh = 15 * time.Minute
	// stale: so long they are used while the server cannot be reached. After
	// that a key that the server withdrew might still be believed, and tokens are refused.
	stale = time.Hour
	// pause is the least time between two fetches: tokens with invented key ids
	// must not turn into requests to the authorization server.
	pause = 10 * time.Second
	// maxDocument bounds metadata and key sets.
	maxDocument = 1 << 20
)

// keySet is the authorization server's public signature keys.
type keySet struct {
	issuer string
	client *http.Client
	now    func() time.Time

	// fetching is held by the one caller that asks the server.
	fetching sync.Mutex
	url      string // discovered when it was not given

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // of keys
	tried   time.Time // last attempt, good or bad
	failure error     // of the last attempt
}

// find returns the key for a token's header. It fails with
// aims.Unauthenticated when the server has no such key, and with
// aims.Unavailable when that cannot be known.
func (k *keySet) find(ctx context.Context, h jose.Header) (*jose.JSONWebKey, error) {
	key, due, err := k.look(h)
	if !due {
		return key, err
	}
	// Who has a key that serves does not wait for somebody else's request.
	if err == nil && !k.fetching.TryLock() {
		return key, nil
	}
	if err != nil {
		k.fetching.Lock()
	}
	defer k.fetching.Unlock()
	if _, due, _ := k.look(h); due {
		k.refresh(ctx)
	}
	key, _, err = k.look(h)
	return key, err
}

// look finds the key among those in memory; due says that the server should be asked.
func (k *keySet) look(h jose.Header) (key *jose.JSONWebKey, due bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	key = k.match(h)
	age := now.Sub(k.fetched)
	due = (key == nil || age >= fresh) && (k.tried.IsZero() || now.Sub(k.tried) >= pause)
	switch {
	case k.keys == nil || age >= stale:
		return nil, due, aims.Errorf(aims.Unavailable, k.failure, "access tokens cannot be verified now: the authorization server's keys cannot be had")
	case key == nil:
		return nil, due, refused(fmt.Errorf("access token: no key %q for %s", h.KeyID, h.Algorithm))
	}
	return key, due, nil
}

// match finds the key by its id; a token without one is accepted only when
// the server has exactly one key that fits.
func (k *keySet) match(h jose.Header) *jose.JSONWebKey {
	var found *jose.JSONWebKey
	for i := range k.keys {
		key := &k.keys[i]
		if key.Algorithm != "" && key.Algorithm != h.Algorithm {
			continue
		}
		if h.KeyID != "" && key.KeyID != h.KeyID {
			continue
		}
		if found != nil {
			return nil
		}
		found = key
	}
	return found
}

// refresh fetches the keys; when it fails the old ones stay. It is called with fetching held.
func (k *keySet) refresh(ctx context.Context) {
	// A caller that goes away must not make the attempt of all others fail.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = k.now()
	k.failure = err
	if err == nil {
		k.keys, k.fetched = keys, k.tried
	}
}

func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	if k.url == "" {
		u, err := k.discover(ctx)
		if err != nil {
			return nil, err
		}
		k.url = u
	}
	body, err := k.get(ctx, k.url)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys takes the usable keys out of a JWK set (RFC 7517 §5). Keys of a
// kind that is not understood are left out, as §5 asks; symmetric and private
// ones too, because whoever publishes them keeps no secret.
func parseKeys(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !key.IsPublic() || !key.Valid() || key.Use == "enc" {
			continue
		}
		if _, symmetric := key.Key.([]byte); symmetric {
			continue
		}
		if _, ok := key.Key.(crypto.PublicKey); ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("key set: no public signature key")
	}
	return keys, nil
}

// discover finds the key set's URL in the issuer's metadata: RFC 8414 §3.1,
// which puts the well-known part before the issuer's path, then OpenID Connect
// Discovery, which puts it behind.
func (k *keySet) discover(ctx context.Context) (string, error) {
	u, err := url.Parse(k.issuer)
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(u.Path, "/")
	var failures []error
	for _, p := range []string{"/.well-known/oauth-authorization-server" + path, path + "/.well-known/openid-configuration"} {
		at := *u
		at.Path = p
		found, err := k.metadata(ctx, at.String())
		if err == nil {
			return found, nil
		}
		failures = append(failures, err)
	}
	return "", errors.Join(failures...)
}

func (k *keySet) metadata(ctx context.Context, at string) (string, error) {
	body, err := k.get(ctx, at)
	if err != nil {
		return "", err
	}
	var m struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return "", fmt.Errorf("%s: %w", at, err)
	}
	// RFC 8414 §3.3: metadata of another issuer must not be used.
	if m.Issuer != k.issuer {
		return "", fmt.Errorf("%s: it is of issuer %q", at, m.Issuer)
	}
	if err := checkURL(m.JWKS); err != nil {
		return "", fmt.Errorf("%s: jwks_uri is no https URL: %w", at, err)
	}
	return m.JWKS, nil
}

func (k *keySet) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("%s: larger than %d bytes", at, maxDocument)
	}
	return body, nil
}
