package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Record is an agent that has a token of its own. The pool takes slug and
// country from the record, whatever the agent claims.
type Record struct {
	Slug        string `json:"slug"`
	Country     string `json:"country"`
	TokenSHA256 string `json:"token_sha256"` // of the token, in lower-case hex

	// Exclusive lets one agent of this slug serve at a time: the newest. The
	// others are told why and finish their sessions; they come back when it is
	// gone.
	Exclusive bool `json:"exclusive,omitempty"`
}

// An identity is what a token proves: a record, or if that is nil knowledge of
// the shared secret.
type identity struct{ record *Record }

// minSecret is the length in bytes below which a secret is taken for a slip.
const minSecret = 16

func (p *Pool) setIdentities(secret string, records []Record) error {
	if secret != "" {
		if len(secret) < minSecret {
			return fmt.Errorf("agent: PoolOptions.Secret has %d bytes, want at least %d", len(secret), minSecret)
		}
		if !fitsHeader(secret) {
			return errors.New("agent: PoolOptions.Secret has a space at an end, or characters that no header can carry")
		}
		sum := sha256.Sum256([]byte(secret))
		p.secret = &sum
	}
	p.records = make(map[[32]byte]*Record, len(records))
	nothing := sha256.Sum256(nil)
	for i, r := range records {
		fail := func(err error) error { return fmt.Errorf("agent: PoolOptions.Records[%d]: %w", i, err) }
		e := Exit{Slug: r.Slug, Country: r.Country}
		if err := e.checkName(); err != nil {
			return fail(err)
		}
		r.Country = e.Country
		raw, err := hex.DecodeString(r.TokenSHA256)
		if err != nil || len(raw) != sha256.Size || r.TokenSHA256 != strings.ToLower(r.TokenSHA256) {
			return fail(errors.New("token_sha256 is not 64 digits of lower-case hex"))
		}
		sum := [32]byte(raw)
		if sum == nothing {
			return fail(errors.New("token_sha256 is that of an empty token"))
		}
		if p.records[sum] != nil || p.secret != nil && sum == *p.secret {
			return fail(errors.New("token_sha256 is in use already"))
		}
		p.records[sum] = &r
	}
	return nil
}

// fitsHeader reports whether a secret arrives as it was sent.
func fitsHeader(secret string) bool {
	return strings.TrimSpace(secret) == secret &&
		!strings.ContainsFunc(secret, func(c rune) bool { return c < ' ' || c > '~' })
}

// authenticate tells who holds the token of an attach request. Only hashes are
// kept and compared, each in constant time, so that how long it takes says
// nothing of a token.
func (p *Pool) authenticate(r *http.Request) (identity, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "bearer") || token == "" {
		return identity{}, false
	}
	sum := sha256.Sum256([]byte(token))
	var who identity
	found := 0
	for known, record := range p.records {
		if subtle.ConstantTimeCompare(known[:], sum[:]) == 1 {
			who.record, found = record, 1
		}
	}
	if p.secret != nil {
		found |= subtle.ConstantTimeCompare(p.secret[:], sum[:])
	}
	return who, found == 1
}

// recorded reports whether a record speaks for the slug, so that the shared
// secret cannot claim it.
func (p *Pool) recorded(slug string) bool {
	for _, r := range p.records {
		if strings.EqualFold(r.Slug, slug) {
			return true
		}
	}
	return false
}

func (p *Pool) exclusive(slug string) bool {
	for _, r := range p.records {
		if r.Exclusive && strings.EqualFold(r.Slug, slug) {
			return true
		}
	}
	return false
}
