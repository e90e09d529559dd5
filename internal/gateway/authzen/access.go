package authzen

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"

	"github.com/go-json-experiment/json/jsontext"
)

// A held call is a denial that can be requested, in the words of the AuthZEN
// Access Request and Approval Profile (draft). The request for it is open as
// soon as the call is held; what a caller submits only gives it a handle. An
// approval is found by the call that it is bound to: no reference that a caller
// presents releases anything.

// requestsPath is where access requests are submitted and looked up.
const requestsPath = "/access/v1/requests"

// accessRequest says how a denial can be released.
type accessRequest struct {
	endpoint, id, hash, token string
	expires                   time.Time
}

func (r *accessRequest) append(b []byte) []byte {
	b = appendString(append(b, `{"endpoint":`...), r.endpoint)
	b = appendString(append(b, `,"id":`...), r.id)
	b = appendString(append(b, `,"expires_at":`...), r.expires.UTC().Format(time.RFC3339Nano))
	b = appendString(append(b, `,"binding_hash":`...), r.hash)
	b = appendString(append(b, `,"binding_token":`...), r.token)
	return append(b, '}')
}

// bindingClaims are what a binding token says.
type bindingClaims struct {
	ID      string     `json:"jti"`
	Subject aims.Actor `json:"sub"`
	Expires int64      `json:"exp"`
	// Hash is over subject, resource, action and Members of the context.
	Hash    string   `json:"binding_hash"`
	Members []string `json:"binding_context_members"`
}

// accessRequest is how the approval of a held call is asked for.
func (a *API) accessRequest(ctx context.Context, subject aims.Actor, q question, id string) (*accessRequest, error) {
	asked, err := a.o.Approvals.Get(context.WithoutCancel(ctx), id)
	if err != nil {
		return nil, err
	}
	hash, err := q.bindingHash()
	if err != nil {
		return nil, err
	}
	claims, err := json.Marshal(bindingClaims{id, subject, asked.Expires.Unix(), hash, contextMembers})
	if err != nil {
		return nil, err
	}
	payload := base64.RawURLEncoding.EncodeToString(claims)
	return &accessRequest{
		endpoint: a.base() + requestsPath, id: id, hash: hash, expires: asked.Expires,
		token: payload + "." + a.seal(payload),
	}, nil
}

// seal protects a token's payload, for as long as this process lives.
func (a *API) seal(payload string) string {
	mac := hmac.New(sha256.New, a.binding[:])
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// contextMembers are those members of the context that decide something.
var contextMembers = []string{"arguments", "session"}

// bindingHash is the digest of a question, as the profile computes it: SHA-256
// over the RFC 8785 form of subject, resource, action and what decides of the
// context.
func (q question) bindingHash() (string, error) {
	subject := q.subject
	if subject.properties != nil {
		var err error
		if subject.properties, err = without(subject.properties, "act"); err != nil {
			return "", err
		}
	}
	b := appendEntity([]byte(`{"subject":`), subject, "id")
	b = appendEntity(append(b, `,"resource":`...), q.resource, "id")
	b = appendEntity(append(b, `,"action":`...), q.action, "name")
	b = append(b, `,"context":{`...)
	for _, m := range []struct {
		name  string
		value []byte
	}{{"arguments", q.arguments}, {"session", q.session}} {
		if m.value == nil {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendString(b, m.name), ':')
		b = append(b, m.value...)
	}
	v := jsontext.Value(append(b, "}}"...))
	if err := v.Canonicalize(); err != nil {
		return "", aims.Errorf(aims.Invalid, err, "the question cannot be bound to an approval")
	}
	sum := sha256.Sum256(v)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

func appendEntity(b []byte, e entity, idName string) []byte {
	b = append(appendString(append(b, '{'), idName), ':')
	b = appendString(b, e.id)
	if e.kind != "" {
		b = appendString(append(b, `,"type":`...), e.kind)
	}
	if e.properties != nil {
		b = append(append(b, `,"properties":`...), e.properties...)
	}
	return append(b, '}')
}

// without is an object without one of its members.
func without(object []byte, gone string) ([]byte, error) {
	b := []byte{'{'}
	err := members(object, "subject.properties", func(name string, v []byte) error {
		if name == gone {
			return nil
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(appendString(b, name), ':'), v...)
		return nil
	})
	return append(b, '}'), err
}

// request takes an access request for a held call and answers with its handle.
func (a *API) request(ctx context.Context, c caller, body []byte) ([]byte, error) {
	if a.o.Approvals == nil {
		return nil, aims.Errorf(aims.NotFound, nil, "nothing can be released here")
	}
	var e evaluation
	var token string
	err := members(body, "the request", func(name string, v []byte) error {
		if name != "denial" {
			e.take(name, v)
			return nil
		}
		return members(v, "denial", func(name string, v []byte) error {
			if name == "binding_token" {
				token, _ = unquote(v)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	q, err := parseQuestion(e, evaluation{})
	if err != nil {
		return nil, err
	}
	claims, err := a.claims(ctx, c, q, token)
	if err != nil {
		return nil, err
	}
	return a.task(ctx, c, claims.ID)
}

// claims are those of a binding token that belongs to the question.
func (a *API) claims(ctx context.Context, c caller, q question, token string) (bindingClaims, error) {
	var claims bindingClaims
	payload, mac, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil || !hmac.Equal([]byte(mac), []byte(a.seal(payload))) || json.Unmarshal(raw, &claims) != nil {
		return claims, malformedf("expected denial.binding_token to be the one of the denied question, from this process")
	}
	hash, err := q.bindingHash()
	if err != nil {
		return claims, err
	}
	subject := aims.Actor{Type: q.subject.kind, ID: q.subject.id}
	if hash != claims.Hash || subject != claims.Subject {
		return claims, malformedf("expected subject, resource, action and context to be those of the denied question")
	}
	if !c.mayActFor(subject) {
		_, err := a.subject(ctx, c, q.subject) // refuses it, with a receipt
		return claims, err
	}
	return claims, nil
}

// requestStatus answers with the state of an access request.
func (a *API) requestStatus(w http.ResponseWriter, r *http.Request) {
	const method = "request"
	c, err := a.authenticate(r, method)
	var body []byte
	if err == nil {
		body, err = a.task(r.Context(), c, r.PathValue("id"))
	}
	if err != nil {
		a.fail(w, r, method, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(body)
}

// task is the state of an access request in the words of the profile. To
// anybody but its subject and enforcement points there is none.
func (a *API) task(ctx context.Context, c caller, id string) ([]byte, error) {
	unknown := aims.Errorf(aims.NotFound, nil, "there is no such access request")
	if a.o.Approvals == nil {
		return nil, unknown
	}
	r, err := a.o.Approvals.Get(ctx, id)
	if code, _ := aims.Public(err); code == aims.NotFound || err == nil && !mayFollow(c, r) {
		return nil, a.turnAway(ctx, &c.Principal, c, "an access request that is not the caller's", unknown)
	}
	if err != nil {
		return nil, err
	}
	b := appendString([]byte(`{"task":{"id":`), id)
	b = appendString(append(b, `,"status":`...), taskStatus(r.State))
	b = appendString(append(b, `,"status_endpoint":`...), a.base()+requestsPath+"/"+id)
	b = appendString(append(b, `,"expires_at":`...), r.Expires.UTC().Format(time.RFC3339Nano))
	b = append(b, '}')
	if r.State == approval.Granted {
		b = appendString(append(b, `,"result":{"mode":"reevaluate","approval":{"id":`...), id)
		b = appendString(append(b, `,"approved_until":`...), r.Expires.UTC().Format(time.RFC3339Nano))
		b = append(b, "}}"...)
	}
	return append(b, '}'), nil
}

// mayFollow says whether a caller may know what becomes of a request.
func mayFollow(c caller, r approval.Request) bool {
	own := c.ID
	if c.Type != aims.AgentType {
		own = c.Actor.String()
	}
	return r.Agent == own || slices.Contains(c.Roles, Role)
}

// taskStatus is the profile's word for a state. Used is none of the profile's:
// callers take a word that they do not know for not approved.
func taskStatus(s approval.State) string {
	switch s {
	case approval.Granted:
		return "approved"
	case approval.Void:
		return "cancelled"
	}
	return string(s)
}
