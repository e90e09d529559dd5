package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"aims/internal/gateway/envelope"
)

// seal makes the requestState that an agent of the stateless revision carries
// between the rounds of a call: an agent can neither read nor change it, and
// it opens only for the same agent, with the same request, before it expires.
// Its key lives as long as the process, and so do the calls that it points to.
type seal struct {
	aead cipher.AEAD
	// prefix lets people, and the gateway, see whose state it is and for what.
	prefix string
}

func newSeal(prefix string) (seal, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return seal{aead, prefix}, err
}

// The states of calls that wait for their agents, and of calls that are held.
const (
	parkedPrefix = "aims1."
	heldPrefix   = "aims-hold1."
)

// ticket is what a sealed state says.
type ticket struct {
	call    [16]byte
	expires time.Time
}

func (s seal) close(t ticket, bound [32]byte) string {
	var b [24]byte
	copy(b[:16], t.call[:])
	binary.BigEndian.PutUint64(b[16:], uint64(t.expires.UnixMilli()))
	return s.prefix + base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, b[:], bound[:]))
}

var errSeal = errors.New("gateway: the state is not one of ours for this request")

func (s seal) open(state string, bound [32]byte, now time.Time) (ticket, error) {
	inner, ours := strings.CutPrefix(state, s.prefix)
	if len(state) > 256 || !ours {
		return ticket{}, errSeal
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(inner)
	if err != nil {
		return ticket{}, errSeal
	}
	plain, err := s.aead.Open(nil, nil, b, bound[:])
	if err != nil || len(plain) != 24 {
		return ticket{}, errSeal
	}
	t := ticket{call: [16]byte(plain[:16]), expires: time.UnixMilli(int64(binary.BigEndian.Uint64(plain[16:])))}
	if !now.Before(t.expires) {
		return ticket{}, errSeal
	}
	return t, nil
}

// bound is a digest of what a retry has to have in common with the request:
// who asks, where, in which run, and for what. The order of the arguments' members and the
// space between them may differ.
func (x *exchange) bound() ([32]byte, error) {
	var arguments any
	if raw := x.msg.Bytes(envelope.Arguments); raw != nil {
		if err := json.Unmarshal(raw, &arguments); err != nil {
			return [32]byte{}, err
		}
	}
	name, _ := x.msg.Text(envelope.Name)
	uri, _ := x.msg.Text(envelope.URI)
	b, err := json.Marshal([]any{x.principal.Actor, x.ep.path, x.run, x.method, name, uri, arguments})
	return sha256.Sum256(b), err
}
