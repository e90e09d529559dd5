package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"aims/internal/aims"
)

// keyPrefix marks our keys, so that secret scanners find one that leaked.
const keyPrefix = "aims_"

// Key is a credential of an agent or a person, without its secret.
type Key struct {
	ID    string     `json:"id"` // key_ and a UUIDv7; public
	Actor aims.Actor `json:"actor"`
	// Roles are the roles of the actor, whichever key it shows.
	Roles   []string  `json:"roles,omitempty"`
	Created time.Time `json:"created"`
	// Expires and Revoked are zero for never.
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// keyHash is what is stored of a key. A key is 256 random bits: nobody can
// search for it, so one SHA-256 hides it as well as a slow password hash
// would, which every call would have to pay for.
type keyHash [sha256.Size]byte

func hashKey(secret string) keyHash { return sha256.Sum256([]byte(secret)) }

// lookup is the part of a hash by which credentials are found. The rest is
// compared in constant time, so that how long a wrong key takes says nothing
// about the stored hashes.
type lookup [8]byte

func (h keyHash) lookup() lookup { return lookup(h[:8]) }

// credential is a key as Authenticate needs it.
type credential struct {
	Key
	hash keyHash
}

// valid says whether the key lets its actor in at a time.
func (c *credential) valid(at time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || at.Before(c.Expires))
}

func (c *credential) matches(h keyHash) bool {
	return subtle.ConstantTimeCompare(c.hash[:], h[:]) == 1
}

// newSecret mints a key's secret: aims_ and 256 random bits in base64url.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // it never fails; without randomness the process ends
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}
