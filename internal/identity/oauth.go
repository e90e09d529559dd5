package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"aims/internal/aims"
)

// OAuth names the authorization server whose JWT access tokens (RFC 9068) are
// accepted, and how their subjects become agents.
type OAuth struct {
	// Issuer is the exact iss of the tokens.
	Issuer string
	// JWKS is the URL of the server's keys; empty to discover it from the
	// issuer's metadata (RFC 8414, OpenID Connect Discovery).
	JWKS string
	// Audiences are the resource indicators (RFC 8707) of this installation; a
	// token must name one of them, or it was meant for somebody else.
	Audiences []string
	// Algorithms that are accepted; empty for RS256, PS256, ES256 and EdDSA.
	// Symmetric ones and "none" cannot be named.
	Algorithms []string
	// Claim is the string claim that names the agent; empty for sub.
	Claim string
	// Subjects maps values of the claim to agent ids. A value that is not in it
	// must be an agent id by itself.
	Subjects map[string]string
	// RolesClaim is a claim with role names, added to those that the directory
	// knows; empty for none. Only those in Roles are taken from a token.
	RolesClaim string
	Roles      []string
	// Client fetches metadata and keys; nil for one with a time-out.
	Client *http.Client
}

// leeway is how far the clocks of the authorization server and ours may be apart.
const leeway = 30 * time.Second

// asymmetric are the signature algorithms that may be allowed. With a
// symmetric one, the public key would do as the secret (RFC 8725 §2.1).
var asymmetric = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// verifier verifies access tokens.
type verifier struct {
	OAuth
	algorithms []jose.SignatureAlgorithm
	keys       *keySet
	now        func() time.Time
}

func newVerifier(o OAuth, now func() time.Time) (*verifier, error) {
	if len(o.Audiences) == 0 || slices.Contains(o.Audiences, "") {
		return nil, aims.Errorf(aims.Invalid, nil, "oauth: without an audience, tokens meant for others would be accepted")
	}
	if err := checkURL(o.Issuer); err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "oauth: the issuer must be an https URL")
	}
	if o.JWKS != "" {
		if err := checkURL(o.JWKS); err != nil {
			return nil, aims.Errorf(aims.Invalid, err, "oauth: the JWKS must be an https URL")
		}
	}
	v := &verifier{OAuth: o, now: now, algorithms: []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}}
	if v.Claim == "" {
		v.Claim = "sub"
	}
	if err := checkRoles(o.Roles); err != nil {
		return nil, err
	}
	for value, id := range o.Subjects {
		if !actorID.MatchString(id) {
			return nil, aims.Errorf(aims.Invalid, nil, "oauth: subject %q maps to %q, which is no agent id", value, id)
		}
	}
	if len(o.Algorithms) > 0 {
		v.algorithms = nil
		for _, name := range o.Algorithms {
			if !slices.Contains(asymmetric, jose.SignatureAlgorithm(name)) {
				return nil, aims.Errorf(aims.Invalid, nil, "oauth: algorithm %q is not an asymmetric signature", name)
			}
			v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(name))
		}
	}
	client := o.Client
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Second}
	}
	v.keys = &keySet{issuer: o.Issuer, url: o.JWKS, client: client, now: now}
	return v, nil
}

// checkURL wants https, except to this machine itself.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return fmt.Errorf("%q", s)
	}
	return nil
}

// verify says which agent an access token stands for.
func (v *verifier) verify(ctx context.Context, token string) (Principal, error) {
	// ParseSigned accepts only the compact form, one signature, and an
	// algorithm of ours: none and the HMACs end here, whatever the key.
	parsed, err := jwt.ParseSigned(token, v.algorithms)
	if err != nil {
		return Principal{}, refused(fmt.Errorf("access token: %w", err))
	}
	header := parsed.Headers[0]
	if err := checkType(header); err != nil {
		return Principal{}, refused(err)
	}
	key, err := v.keys.find(ctx, header)
	if err != nil {
		return Principal{}, err
	}
	var registered jwt.Claims
	var all map[string]json.RawMessage
	if err := parsed.Claims(key.Key, &registered, &all); err != nil {
		return Principal{}, refused(fmt.Errorf("access token: %w", err))
	}
	if registered.Expiry == nil {
		return Principal{}, refused(errors.New("access token: no exp"))
	}
	expected := jwt.Expected{Issuer: v.Issuer, AnyAudience: v.Audiences, Time: v.now()}
	if err := registered.ValidateWithLeeway(expected, leeway); err != nil {
		return Principal{}, refused(fmt.Errorf("access token: %w", err))
	}
	actor, err := v.actor(all)
	if err != nil {
		return Principal{}, refused(err)
	}
	return Principal{Actor: actor, Roles: v.roles(all), Expires: registered.Expiry.Time().UTC()}, nil
}

// checkType refuses a JWT that says it is something else than an access token,
// such as a logout token or a DPoP proof (RFC 8725 §3.11). Many servers still
// say plain JWT.
func checkType(h jose.Header) error {
	typ, present := h.ExtraHeaders[jose.HeaderType]
	if !present {
		return nil
	}
	name, _ := typ.(string)
	switch strings.TrimPrefix(strings.ToLower(name), "application/") {
	case "jwt", "at+jwt":
		return nil
	}
	return fmt.Errorf("access token: typ %q", name)
}

// actor maps the token's claim to an agent.
func (v *verifier) actor(claims map[string]json.RawMessage) (aims.Actor, error) {
	var value string
	if err := json.Unmarshal(claims[v.Claim], &value); err != nil || value == "" {
		return aims.Actor{}, fmt.Errorf("access token: claim %q is no string", v.Claim)
	}
	id, mapped := v.Subjects[value]
	if !mapped {
		id = value
	}
	if !actorID.MatchString(id) {
		return aims.Actor{}, fmt.Errorf("access token: %q is no agent id and is not mapped to one", value)
	}
	return aims.Actor{Type: aims.AgentType, ID: id}, nil
}

// roles takes the allowed roles out of a claim, a list or, as scopes are
// written, a string separated by spaces.
func (v *verifier) roles(claims map[string]json.RawMessage) []string {
	raw, ok := claims[v.RolesClaim]
	if v.RolesClaim == "" || !ok {
		return nil
	}
	var names []string
	if json.Unmarshal(raw, &names) != nil {
		var line string
		if json.Unmarshal(raw, &line) != nil {
			return nil
		}
		names = strings.Fields(line)
	}
	var roles []string
	for _, r := range v.Roles {
		if slices.Contains(names, r) {
			roles = append(roles, r)
		}
	}
	return roles
}
