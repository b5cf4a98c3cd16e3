package farwire

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
)

const (
	minTokenKey = 32
	tokenLife   = 5 * time.Minute
	// A longer life is given to those who ask for it.
	maxTokenLife  = 24 * time.Hour
	maxTokenAllow = 32
	tokenIssuer   = "farwire"
	// The clocks of one cluster's gateways may disagree by this much: a token
	// is valid a little before it was made, and never a moment longer.
	tokenSkew = 5 * time.Second
)

// Token returns the handler that changes an API key, in X-API-Key, for a token
// that works for five minutes wherever a key does: {"token": "…",
// "expires_in": 300}. A token is not taken here, so that a stolen one cannot
// be renewed. Tokens are JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.
//
// A JSON body may ask for another life and narrow the token: {"expires_in": 3600,
// "allow": ["wss://…"], "kinds": ["relay"]}. More than five minutes are given only
// where the Authenticator is a [KeyLookuper], so that a revoked key is noticed. A
// narrowed token opens sessions of its kinds and nothing else.
func (g *Gateway) Token() http.Handler {
	return origin.Any("POST", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, life, err := g.issue(w, r)
		if err != nil {
			g.refuse(w, r, "token", err)
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Token     string `json:"token"`
			ExpiresIn int    `json:"expires_in"`
		}{token, int(life / time.Second)})
	}))
}

func (g *Gateway) issue(w http.ResponseWriter, r *http.Request) (string, time.Duration, error) {
	if r.Method != http.MethodPost {
		return "", 0, notAllowed(http.MethodPost)
	}
	if g.isDraining() {
		return "", 0, errDraining
	}
	s := g.readAuth(r)
	if g.tokens.ours(s.key) {
		return "", 0, fault.New(fault.KeyInvalid, "API key invalid: a token cannot be changed for another")
	}
	p, _, err := g.admitWhole(r.Context(), s)
	if err != nil {
		return "", 0, err
	}
	c, life, err := g.asked(w, r, p)
	if err != nil {
		return "", 0, err
	}
	token, err := g.tokens.sign(p, c, time.Now(), life)
	return token, life, err
}

// A tokenRequest is the body of a request for a token.
type tokenRequest struct {
	ExpiresIn *int      `json:"expires_in"`
	Allow     *[]string `json:"allow"`
	Kinds     *[]Kind   `json:"kinds"`
}

// asked reads the body, which may be missing.
func (g *Gateway) asked(w http.ResponseWriter, r *http.Request, p Principal) (c narrowing, life time.Duration, err error) {
	life = tokenLife
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return c, life, nil
	}
	body, err := request.Body(w, r)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return c, life, err
	}
	if _, err := request.Read(body); err != nil {
		return c, life, err
	}
	var req tokenRequest
	if err := jsonobject.UnmarshalStrict(body, &req); err != nil {
		return c, life, err
	}
	if req.ExpiresIn != nil {
		if *req.ExpiresIn < 1 || *req.ExpiresIn > int(maxTokenLife/time.Second) {
			return c, life, fault.Invalidf("expires_in must be a whole number from 1 to %d", int(maxTokenLife/time.Second))
		}
		life = time.Duration(*req.ExpiresIn) * time.Second
		if _, ok := g.o.Auth.(KeyLookuper); life > tokenLife && (!ok || p.KeyID == "") {
			return c, life, fault.Invalidf("expires_in must be at most %d here: a revoked key would not be noticed", int(tokenLife/time.Second))
		}
	}
	var narrow Principal
	if err := narrow.restrict(req.Allow, nil, req.Kinds); err != nil {
		return c, life, fault.Invalidf("%v", err)
	}
	if len(narrow.Allow) > maxTokenAllow {
		return c, life, fault.Invalidf("allow has more than %d entries", maxTokenAllow)
	}
	return narrowing{narrow.Allow, narrow.Kinds}, life, nil
}

// A narrowing is what a token allows less than its key does.
type narrowing struct {
	Allow []string `json:"allow,omitempty"`
	Kinds []Kind   `json:"kinds,omitempty"`
}

func (n narrowing) isNarrow() bool { return n.Allow != nil || n.Kinds != nil }

// redeem returns the principal that a token names, as it is today where the
// Authenticator can tell.
func (g *Gateway) redeem(ctx context.Context, token string) (Principal, error) {
	p, c, err := g.tokens.verify(token)
	if err != nil {
		return Principal{}, errTokenInvalid
	}
	directory, ok := g.o.Auth.(KeyLookuper)
	if !ok || p.KeyID == "" {
		p.narrow = c
		return p, nil
	}
	now, err := directory.Lookup(ctx, p.KeyID)
	switch {
	case errors.Is(err, ErrUnauthorized):
		return Principal{}, errTokenInvalid
	case err != nil:
		return Principal{}, fmt.Errorf("authenticator: %w", err)
	case now.Subject != p.Subject:
		// The key id has been given to somebody else.
		return Principal{}, errTokenInvalid
	}
	now.narrow = c
	return now, nil
}

// tokens signs and verifies. Its keys can be replaced while it is in use.
type tokens struct {
	keys   atomic.Pointer[[]tokenKey] // the first signs
	parser *jwt.Parser
}

// A tokenKey signs; its id names it in a token's header.
type tokenKey struct {
	id  string
	key []byte
}

type claims struct {
	jwt.RegisteredClaims
	narrowing
	KeyID  string   `json:"kid,omitempty"`
	Limits Limits   `json:"limits,omitzero"`
	Own    ownRules `json:"own,omitzero"`
}

// ownRules are those of a key that nobody can look up.
type ownRules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	Kinds []Kind   `json:"kinds,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`
}

func newTokens(keys [][]byte) *tokens {
	if len(keys) == 0 {
		key := make([]byte, minTokenKey)
		rand.Read(key) // never fails
		keys = [][]byte{key}
	}
	t := &tokens{parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenIssuer),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithStrictDecoding(),
	)}
	t.replace(keys)
	return t
}

func (t *tokens) replace(keys [][]byte) {
	list := make([]tokenKey, len(keys))
	for i, key := range keys {
		key = bytes.Clone(key)
		list[i] = tokenKey{hex.EncodeToString(deriveKey(key, "farwire token key id")[:8]), key}
	}
	t.keys.Store(&list)
}

// SetTokenKeys puts other keys in place of Options.TokenKeys: the first signs, all
// verify. On an error those that are there stay.
func (g *Gateway) SetTokenKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("farwire: SetTokenKeys: no keys")
	}
	for i, key := range keys {
		if len(key) < minTokenKey {
			return fmt.Errorf("farwire: SetTokenKeys: key %d has %d bytes; at least %d are needed", i+1, len(key), minTokenKey)
		}
	}
	g.tokens.replace(keys)
	return nil
}

func (t *tokens) sign(p Principal, n narrowing, now time.Time, life time.Duration) (string, error) {
	first := (*t.keys.Load())[0]
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenIssuer}, Subject: p.Subject, ID: newID(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-tokenSkew)),
			ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
		narrowing: n, KeyID: p.KeyID, Limits: p.Limits, Own: ownRules{p.Allow, p.Deny, p.Kinds, p.Labels},
	})
	token.Header["kid"] = first.id
	return token.SignedString(first.key)
}

// ours reports whether a key has the form of a token of a gateway's, be it
// valid or not. A host's Authenticator may take tokens of its own, by others.
func (t *tokens) ours(key string) bool {
	var c claims
	_, _, err := t.parser.ParseUnverified(key, &c)
	return err == nil && c.Issuer == tokenIssuer
}

func (t *tokens) verify(token string) (Principal, narrowing, error) {
	p, c, err := t.parse(token)
	return p, c.narrowing, err
}

func (t *tokens) parse(token string) (Principal, claims, error) {
	var c claims
	_, err := t.parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) {
		var key []byte
		for _, k := range *t.keys.Load() {
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
	if err != nil {
		return Principal{}, c, err
	}
	// A token that claims to live longer than we let any live is not from here.
	if c.IssuedAt == nil || c.IssuedAt.After(time.Now().Add(tokenSkew)) || c.ID == "" || c.ExpiresAt.Sub(c.IssuedAt.Time) > maxTokenLife ||
		c.ExpiresAt.Sub(c.NotBefore.Time) > maxTokenLife+tokenSkew {
		return Principal{}, c, errors.New("claims missing or out of bounds")
	}
	if c.Subject == "" {
		return Principal{}, c, errors.New("no subject")
	}
	p := Principal{Subject: c.Subject, KeyID: c.KeyID, Limits: c.Limits, Allow: c.Own.Allow, Deny: c.Own.Deny, Kinds: c.Own.Kinds, Labels: c.Own.Labels}
	return p, c, nil
}
