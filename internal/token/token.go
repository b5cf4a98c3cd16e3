// Package token makes and reads the tokens that stand for API keys: JSON Web Tokens
// (RFC 7519) signed with HMAC-SHA256.
package token

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinKey is the length, in bytes, of the shortest key that signs.
	MinKey = 32
	// Life is how long a token works, and MaxLife how long one may that was asked to
	// work longer.
	Life    = 5 * time.Minute
	MaxLife = 24 * time.Hour

	issuer = "farwire"
	// The clocks of one cluster's gateways may disagree by this much: a token
	// is valid a little before it was made, and never a moment longer.
	skew = 5 * time.Second
)

// CheckKeys reports keys that cannot sign: an empty list, or one with a key that is
// too short.
func CheckKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("empty; give at least one key")
	}
	for i, key := range keys {
		if len(key) < MinKey {
			return fmt.Errorf("key %d has %d bytes; at least %d are needed", i+1, len(key), MinKey)
		}
	}
	return nil
}

// Claims are what a token says of its caller.
type Claims struct {
	Subject string
	KeyID   string
	Limits  json.RawMessage // empty: none of its own

	// What the token allows less than its key; nil: nothing.
	Allow, Kinds []string

	Own Rules

	// Mistyped is the name of a claim that may have been meant for one that forbids.
	Mistyped string
}

// Rules are those of a key that nobody can look up.
type Rules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	Kinds []string `json:"kinds,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`
}

// wire is a token's payload.
type wire struct {
	jwt.RegisteredClaims
	Allow  []string        `json:"allow,omitempty"`
	Kinds  []string        `json:"kinds,omitempty"`
	KeyID  string          `json:"kid,omitempty"`
	Limits json.RawMessage `json:"limits,omitempty"`
	Own    Rules           `json:"own,omitzero"`

	textual bool // a time is a string, which RFC 7519 does not let it be
	null    bool // a list of rules is null, which would allow everything

	mistyped string
}

// UnmarshalJSON implements [json.Unmarshaler]. The library takes times in quotes for
// numbers.
func (w *wire) UnmarshalJSON(b []byte) error {
	var times struct {
		ExpiresAt json.RawMessage `json:"exp"`
		NotBefore json.RawMessage `json:"nbf"`
		IssuedAt  json.RawMessage `json:"iat"`
	}
	type rawRules struct{ Allow, Deny, Kinds json.RawMessage } // names match in any case
	var lists struct {
		rawRules
		Own rawRules
	}
	if err := errors.Join(json.Unmarshal(b, &times), json.Unmarshal(b, &lists)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	var own struct{ Own map[string]json.RawMessage }
	if err := errors.Join(json.Unmarshal(b, &all), json.Unmarshal(b, &own)); err != nil {
		return err
	}
	w.mistyped = mistyped(all, own.Own)
	type plain wire
	if err := json.Unmarshal(b, (*plain)(w)); err != nil {
		return err
	}
	for _, t := range []json.RawMessage{times.ExpiresAt, times.NotBefore, times.IssuedAt} {
		w.textual = w.textual || bytes.HasPrefix(t, []byte(`"`))
	}
	for _, list := range []json.RawMessage{lists.Allow, lists.Kinds, lists.Own.Allow, lists.Own.Deny, lists.Own.Kinds} {
		w.null = w.null || string(list) == "null"
	}
	return nil
}

// A Signer signs and verifies. Its keys can be replaced while it is in use; it is safe
// for concurrent use.
type Signer struct {
	keys   atomic.Pointer[[]signingKey] // the first signs
	parser *jwt.Parser
}

// A signingKey signs; its id names it in a token's header.
type signingKey struct {
	id  string
	key []byte
}

// New returns a Signer: the first key signs, all verify. Without keys it signs with a
// random one.
func New(keys [][]byte) *Signer {
	if len(keys) == 0 {
		key := make([]byte, MinKey)
		rand.Read(key) // never fails
		keys = [][]byte{key}
	}
	s := &Signer{parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(issuer),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithStrictDecoding(),
	)}
	s.Replace(keys)
	return s
}

// Replace puts other keys in place of those that are there.
func (s *Signer) Replace(keys [][]byte) {
	list := make([]signingKey, len(keys))
	for i, key := range keys {
		key = bytes.Clone(key)
		list[i] = signingKey{hex.EncodeToString(derive(key, "farwire token key id")[:8]), key}
	}
	s.keys.Store(&list)
}

// Derive makes a key for one purpose of the key that signs now.
func (s *Signer) Derive(label string) []byte { return derive((*s.keys.Load())[0].key, label) }

// NewSecret returns a random secret for what is named, by which any Signer with the same
// key knows that it was made for that.
func (s *Signer) NewSecret(label, name string) string {
	random := rand.Text()
	return random + mark((*s.keys.Load())[0].key, label, name, random)
}

// MadeSecret reports whether NewSecret made a secret with one of the keys. Whether it is
// still valid is another question.
func (s *Signer) MadeSecret(label, name, secret string) bool {
	const size = 26 // of rand.Text
	if len(secret) <= size {
		return false
	}
	for _, k := range *s.keys.Load() {
		if hmac.Equal([]byte(secret[size:]), []byte(mark(k.key, label, name, secret[:size]))) {
			return true
		}
	}
	return false
}

// mark is 80 bits of a MAC over a name and a random text.
func mark(key []byte, label, name, random string) string {
	mac := hmac.New(sha256.New, derive(key, label))
	mac.Write([]byte(random + name)) // random has one length
	return base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10])
}

// derive makes a key for one purpose of another (HKDF, RFC 5869).
func derive(key []byte, label string) []byte {
	derived, err := hkdf.Key(sha256.New, key, nil, label, sha256.Size)
	if err != nil {
		panic("token: a key cannot be derived: " + err.Error()) // only of lengths that are not ours
	}
	return derived
}

// Sign returns a token with an id of its own that lives from now on.
func (s *Signer) Sign(c Claims, id string, now time.Time, life time.Duration) (string, error) {
	first := (*s.keys.Load())[0]
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, wire{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{issuer}, Subject: c.Subject, ID: id,
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-skew)),
			ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
		Allow: c.Allow, Kinds: c.Kinds, KeyID: c.KeyID, Limits: c.Limits, Own: c.Own,
	})
	token.Header["kid"] = first.id
	return token.SignedString(first.key)
}

// Ours reports whether a key has the form of a token of a gateway's, valid or not. A
// host's Authenticator may take tokens of its own, by others.
func (s *Signer) Ours(key string) bool {
	if strings.Count(key, ".") != 2 {
		return false // as most keys: to parse one costs more
	}
	var c jwt.RegisteredClaims // what else it says costs more, and anybody may have said it
	_, _, err := s.parser.ParseUnverified(key, &c)
	return err == nil && c.Issuer == issuer
}

// signed reports whether one of the keys has signed a token, without a look at what it says.
func (s *Signer) signed(token string) bool {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return false
	}
	shown, err := base64.RawURLEncoding.Strict().DecodeString(token[end+1:])
	if err != nil {
		return false
	}
	for _, k := range *s.keys.Load() {
		mac := hmac.New(sha256.New, k.key)
		mac.Write([]byte(token[:end]))
		if hmac.Equal(shown, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// Verify returns what a token of ours says.
func (s *Signer) Verify(token string) (Claims, error) {
	if !s.signed(token) { // the parser reads all claims before it verifies
		return Claims{}, errors.New("not signed with a key that is ours")
	}
	var c wire
	_, err := s.parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) {
		var key []byte
		for _, k := range *s.keys.Load() {
			if token.Header["kid"] == k.id {
				key = k.key
			}
		}
		if key == nil {
			return nil, errors.New("signed with a key that is not ours")
		}
		// We understand no extension (RFC 7515, section 4.1.11).
		if _, ok := token.Header["crit"]; ok {
			return nil, errors.New("needs an extension to be understood")
		}
		return key, nil
	})
	switch {
	case err != nil:
		return Claims{}, err
	// A token that claims to live longer than we let any live is not from here.
	case c.IssuedAt == nil, c.IssuedAt.After(time.Now().Add(skew)), c.ID == "", c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLife,
		c.ExpiresAt.Sub(c.NotBefore.Time) > MaxLife+skew:
		return Claims{}, errors.New("claims missing or out of bounds")
	case c.textual:
		return Claims{}, errors.New("a time that is a string")
	case c.null:
		return Claims{}, errors.New("a list of rules that is null")
	case c.Subject == "":
		return Claims{}, errors.New("no subject")
	}
	return Claims{Subject: c.Subject, KeyID: c.KeyID, Limits: c.Limits, Allow: c.Allow, Kinds: c.Kinds, Own: c.Own, Mistyped: c.mistyped}, nil
}
