package farwire

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/farwire/farwire/internal/fault"
)

const (
	minTokenKey = 32
	tokenLife   = 5 * time.Minute
	tokenIssuer = "farwire"
	// The clocks of one cluster's gateways may disagree by this much: a token
	// is valid a little before it was made, and never a moment longer.
	tokenSkew = 5 * time.Second
)

// Token returns the handler that changes an API key, in X-API-Key, for a token
// that works for five minutes wherever a key does: {"token": "…",
// "expires_in": 300}. A token is not taken here, so that a stolen one cannot
// be renewed. Tokens are JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.
func (g *Gateway) Token() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := g.issue(r)
		if err != nil {
			g.refuse(w, r, "token", err)
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Token     string `json:"token"`
			ExpiresIn int    `json:"expires_in"`
		}{token, int(tokenLife / time.Second)})
	})
}

func (g *Gateway) issue(r *http.Request) (string, error) {
	if r.Method != http.MethodPost {
		return "", notAllowed(http.MethodPost)
	}
	if g.isDraining() {
		return "", errDraining
	}
	s := g.sight(r)
	if g.tokens.ours(s.key) {
		return "", fault.New(fault.KeyInvalid, "API key invalid: a token cannot be changed for another")
	}
	p, _, err := g.admit(r.Context(), s)
	if err != nil {
		return "", err
	}
	return g.tokens.sign(p, time.Now())
}

// redeem returns the principal that a token names, as it is today where the
// Authenticator can tell.
func (g *Gateway) redeem(ctx context.Context, token string) (Principal, error) {
	p, err := g.tokens.verify(token)
	if err != nil {
		return Principal{}, errTokenInvalid
	}
	directory, ok := g.o.Auth.(interface {
		Lookup(ctx context.Context, keyID string) (Principal, error)
	})
	if !ok || p.KeyID == "" {
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
	return now, nil
}

// tokens signs and verifies.
type tokens struct {
	key    []byte
	id     string // names the signing key in a token's header
	parser *jwt.Parser
}

type claims struct {
	jwt.RegisteredClaims
	KeyID  string `json:"kid,omitempty"`
	Limits Limits `json:"limits,omitzero"`
}

func newTokens(key []byte) (*tokens, error) {
	if key == nil {
		key = make([]byte, minTokenKey)
		rand.Read(key) // never fails
	}
	key = bytes.Clone(key)
	sum := sha256.Sum256(append([]byte("farwire token key id\x00"), key...))
	return &tokens{
		key: key,
		id:  hex.EncodeToString(sum[:8]),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenIssuer),
			jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithStrictDecoding(),
		),
	}, nil
}

func (t *tokens) sign(p Principal, now time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenIssuer}, Subject: p.Subject, ID: newID(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-tokenSkew)),
			ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife)),
		},
		KeyID: p.KeyID, Limits: p.Limits,
	})
	token.Header["kid"] = t.id
	return token.SignedString(t.key)
}

// ours reports whether a key has the form of a token of a gateway's, be it
// valid or not. A host's Authenticator may take tokens of its own, by others.
func (t *tokens) ours(key string) bool {
	var c claims
	_, _, err := t.parser.ParseUnverified(key, &c)
	return err == nil && c.Issuer == tokenIssuer
}

func (t *tokens) verify(token string) (Principal, error) {
	var c claims
	_, err := t.parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != t.id {
			return nil, errors.New("signed with a key that is not ours")
		}
		// We understand no extension (RFC 7515, section 4.1.11).
		if _, ok := token.Header["crit"]; ok {
			return nil, errors.New("needs an extension to be understood")
		}
		return t.key, nil
	})
	if err != nil {
		return Principal{}, err
	}
	// A token that claims to live longer than we let any live is not from here.
	if c.IssuedAt == nil || c.ID == "" || c.ExpiresAt.Sub(c.IssuedAt.Time) > tokenLife ||
		c.ExpiresAt.Sub(c.NotBefore.Time) > tokenLife+tokenSkew {
		return Principal{}, errors.New("claims missing or out of bounds")
	}
	if c.Subject == "" {
		return Principal{}, errors.New("no subject")
	}
	return Principal{Subject: c.Subject, KeyID: c.KeyID, Limits: c.Limits}, nil
}
