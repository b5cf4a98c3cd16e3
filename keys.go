package farwire

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/keysfile"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/token"
)

// MinKeyLength is the length, in bytes, of the shortest API key that a KeySet
// takes.
const MinKeyLength = 16

// APIKeys returns an Authenticator for a fixed set of keys: a map from key to
// subject. It is a [KeySet] of principals that have a subject alone.
func APIKeys(keys map[string]string) (Authenticator, error) {
	principals := make(map[string]Principal, len(keys))
	for key, subject := range keys {
		principals[key] = Principal{Subject: subject}
	}
	return NewKeySet(principals)
}

// A KeySet is an [Authenticator] and a [KeyLookuper] for a set of API keys that
// can be replaced while it is in use. Keys are kept as SHA-256 sums and compared
// in constant time. It is safe for concurrent use. Make one with [NewKeySet]: the zero
// value knows no key until Replace gives it some.
type KeySet struct{ set atomic.Pointer[keySet] }

// A KeyRecord admits one API key, which it knows by its hash alone.
type KeyRecord struct {
	Hash      [sha256.Size]byte // SHA-256 of the key
	Principal Principal         // its KeyID is made from the hash when it is empty
}

// NewKeySet returns a KeySet: a map from key to principal, whose KeyID may be
// left out. An empty set, a key shorter than [MinKeyLength] bytes (an unset
// environment variable is an empty one), an empty subject and an invalid rule are
// errors, which never hold the key. Several keys may name one subject, but no two
// the same KeyID.
func NewKeySet(keys map[string]Principal) (*KeySet, error) {
	s := new(KeySet)
	return s, s.Replace(keys)
}

// Replace replaces all keys. On an error nothing changes. [Gateway.EndRevoked]
// ends the sessions of keys that are gone.
func (s *KeySet) Replace(keys map[string]Principal) error {
	records, err := KeyRecords(keys)
	if err != nil {
		return err
	}
	return s.ReplaceRecords(records)
}

// ReplaceRecords is Replace for keys known by their hashes. A hash does not
// show how short a key is; only that of an empty key is refused.
func (s *KeySet) ReplaceRecords(records []KeyRecord) error {
	if len(records) == 0 {
		return errors.New("farwire: no API keys")
	}
	set := &keySet{byID: make(map[string]Principal, len(records))}
	known := make(map[[sha256.Size]byte]bool, len(records))
	for _, r := range records {
		p := r.Principal
		switch {
		case p.Subject == "":
			return errors.New("farwire: an API key has no subject")
		case r.Hash == sha256.Sum256(nil):
			return fmt.Errorf("farwire: the API key of %q is empty", p.Subject)
		}
		if _, err := p.rules(); err != nil {
			return fmt.Errorf("farwire: the rules of %q: %w", p.Subject, err)
		}
		if p.KeyID == "" {
			p.KeyID = keyID(r.Hash)
		}
		if _, sameID := set.byID[p.KeyID]; sameID || known[r.Hash] {
			return fmt.Errorf("farwire: a key of %q is there twice", p.Subject)
		}
		known[r.Hash] = true
		set.sums, set.ids = append(set.sums, r.Hash), append(set.ids, p.KeyID)
		set.byID[p.KeyID] = p
	}
	s.set.Store(set)
	return nil
}

// KeyRecords makes records of keys, under the rules of [NewKeySet].
func KeyRecords(keys map[string]Principal) ([]KeyRecord, error) {
	records := make([]KeyRecord, 0, len(keys))
	for key, p := range keys {
		switch {
		case key == "":
			return nil, fmt.Errorf("farwire: the API key of %q is empty", p.Subject)
		case len(key) < MinKeyLength:
			return nil, fmt.Errorf("farwire: the API key of %q has %d bytes; at least %d are needed", p.Subject, len(key), MinKeyLength)
		}
		records = append(records, KeyRecord{sha256.Sum256([]byte(key)), p})
	}
	return records, nil
}

type keySet struct {
	sums [][sha256.Size]byte
	ids  []string // of the keys in sums
	byID map[string]Principal
}

var noKeys keySet

func (s *KeySet) keys() *keySet { return cmp.Or(s.set.Load(), &noKeys) }

// Authenticate compares with every key, so that its time reveals none of them.
func (s *KeySet) Authenticate(ctx context.Context, c Credentials) (Principal, error) {
	sum := sha256.Sum256([]byte(c.Key))
	found := -1
	set := s.keys()
	for i := range set.sums {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], set.sums[i][:]), i, found)
	}
	if found < 0 {
		return Principal{}, ErrUnauthorized
	}
	return set.byID[set.ids[found]], nil
}

// Lookup returns the principal behind a key id.
func (s *KeySet) Lookup(_ context.Context, keyID string) (Principal, error) {
	p, ok := s.keys().byID[keyID]
	if !ok {
		return Principal{}, ErrUnauthorized
	}
	return p, nil
}

// A KeyLister is an Authenticator that can list the ids of the keys that it knows, in
// no order, as a [KeySet] can. With it, and Options.Bus, [Gateway.EndRevoked] tells the
// other gateways which keys are gone. KeyIDs is called concurrently.
type KeyLister interface {
	Authenticator
	KeyIDs() []string
}

// KeyIDs returns the ids of all keys, in no order.
func (s *KeySet) KeyIDs() []string { return slices.Collect(maps.Keys(s.keys().byID)) }

// keyID names a key without giving it away: the same in every gateway that
// knows the key or its hash, and not the sum that keys are compared by.
func keyID(hash [sha256.Size]byte) string {
	sum := sha256.Sum256(append([]byte("farwire key id\x00"), hash[:]...))
	return hex.EncodeToString(sum[:8])
}

// WeakKey reports whether a key looks invented by a person: it has fewer than 8
// different bytes. Random ones, in hex or base64, have more.
func WeakKey(key string) bool {
	var seen [256]bool
	n := 0
	for i := range len(key) {
		if !seen[key[i]] {
			seen[key[i]] = true
			n++
		}
	}
	return n < 8
}

// ParseKeysFile reads a keys file: a JSON list of {"name", "key_sha256",
// "limits", "allow", "deny", "kinds"}, of which the first two must be there. A
// typing error never allows what was meant to be forbidden: an unknown name, a
// null, an empty list, a hash that is not 64 lower-case hex digits or comes
// twice, and a limit other than -1 or at least 1 are errors, which name the
// entry.
func ParseKeysFile(text []byte) ([]KeyRecord, error) {
	entries, err := keysfile.Parse(text, retyped[string](ruledKinds))
	if err != nil {
		return nil, err
	}
	records := make([]KeyRecord, len(entries))
	for i, e := range entries {
		l := e.Limits
		records[i] = KeyRecord{e.Hash, Principal{
			Subject: e.Name, Allow: e.Rules.Allow, Deny: e.Rules.Deny, Kinds: retyped[Kind](e.Rules.Kinds),
			Limits: Limits{Rate: l.Rate, Burst: l.Burst, HTTPRate: l.HTTPRate, HTTPBurst: l.HTTPBurst, Sessions: l.Sessions,
				Streams: l.Streams, Crawls: l.Crawls, PagesPerDay: l.PagesPerDay, Sites: l.Sites, BytesPerDay: l.BytesPerDay},
		}}
	}
	return records, nil
}

// maxTokenAllow is how many targets a narrowed token may name.
const maxTokenAllow = 32

// Token returns the handler that exchanges an API key, in X-API-Key, for a
// token that works for five minutes wherever a key does: {"token": "…",
// "expires_in": 300}. A token is refused here, so that a stolen one cannot be
// renewed. Tokens are JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.
//
// A JSON body may ask for another life and narrow the token: {"expires_in": 3600,
// "allow": ["feed.example.com:443"], "kinds": ["relay"]}. More than five minutes are given only
// where the Authenticator is a [KeyLookuper], so that a revoked key is noticed. A
// narrowed token opens sessions of its kinds and nothing else.
func (g *Gateway) Token() http.Handler {
	return origin.Any("POST", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, life, err := g.issue(w, r)
		if err != nil {
			g.refuse(w, r, KindToken, err)
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
	if err := request.CheckLength(w, r); err != nil {
		return "", 0, err
	}
	if g.isDraining() {
		return "", 0, errDraining
	}
	s := g.readAuth(r)
	if g.tokens.Ours(s.key) {
		return "", 0, fault.New(fault.KeyInvalid, "API key invalid: a token cannot be changed for another")
	}
	p, _, err := g.admitWhole(r.Context(), s)
	if err != nil {
		return "", 0, err
	}
	c, life, err := g.readTokenRequest(w, r, p)
	if err != nil {
		return "", 0, err
	}
	claims, err := c.claims(p)
	if err != nil {
		return "", 0, err
	}
	token, err := g.tokens.Sign(claims, newID(), time.Now(), life)
	return token, life, err
}

// A tokenRequest is the body of a request for a token.
type tokenRequest struct {
	ExpiresIn *int      `json:"expires_in"`
	Allow     *[]string `json:"allow"`
	Kinds     *[]string `json:"kinds"`
}

// readTokenRequest reads the body, which may be missing.
func (g *Gateway) readTokenRequest(w http.ResponseWriter, r *http.Request, p Principal) (c narrowing, life time.Duration, err error) {
	life = token.Life
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return c, life, nil
	}
	body, err := request.Body(g.leaving, w, r)
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
		if *req.ExpiresIn < 1 || *req.ExpiresIn > int(token.MaxLife/time.Second) {
			return c, life, fault.Invalidf("expires_in must be a whole number from 1 to %d", int(token.MaxLife/time.Second))
		}
		life = time.Duration(*req.ExpiresIn) * time.Second
		if _, ok := g.o.Auth.(KeyLookuper); life > token.Life && (!ok || p.KeyID == "") {
			return c, life, fault.Invalidf("expires_in must be at most %d here: a revoked key would not be noticed", int(token.Life/time.Second))
		}
	}
	narrow, err := rules.Written(req.Allow, nil, req.Kinds, retyped[string](ruledKinds))
	if err != nil {
		return c, life, fault.Invalidf("%v", err)
	}
	if len(narrow.Allow) > maxTokenAllow {
		return c, life, fault.Invalidf("allow has more than %d entries", maxTokenAllow)
	}
	return narrowing{narrow.Allow, retyped[Kind](narrow.Kinds)}, life, nil
}

// A narrowing is what a token allows less than its key does.
type narrowing struct {
	Allow []string
	Kinds []Kind
}

func (n narrowing) isNarrow() bool { return n.Allow != nil || n.Kinds != nil }

// claims are what a token of the principal's says when it is narrowed so.
func (n narrowing) claims(p Principal) (token.Claims, error) {
	c := token.Claims{Subject: p.Subject, KeyID: p.KeyID, Allow: n.Allow, Kinds: retyped[string](n.Kinds),
		Own: token.Rules{Allow: p.Allow, Deny: p.Deny, Kinds: retyped[string](p.Kinds), Labels: p.Labels}}
	if p.Limits == (Limits{}) {
		return c, nil
	}
	var err error
	c.Limits, err = json.Marshal(p.Limits)
	return c, err
}

// principalOf is the principal that a token names, with rules that are valid.
func principalOf(c token.Claims) (Principal, error) {
	p := Principal{Subject: c.Subject, KeyID: c.KeyID, Allow: c.Own.Allow, Deny: c.Own.Deny, Kinds: retyped[Kind](c.Own.Kinds), Labels: c.Own.Labels,
		narrow: narrowing{c.Allow, retyped[Kind](c.Kinds)}}
	if err := c.ReadLimits(&p.Limits); err != nil {
		return p, err
	}
	_, err := p.rules()
	return p, err
}

// redeem returns the principal that a token names, as it is today where the
// Authenticator can tell.
func (g *Gateway) redeem(ctx context.Context, shown string) (Principal, error) {
	c, err := g.tokens.Verify(shown)
	if err != nil {
		return Principal{}, errTokenInvalid
	}
	p, err := principalOf(c)
	if err != nil { // another program has signed it: what it wanted to forbid must not be allowed
		return Principal{}, fault.Wrap(fault.KeyInvalid, "token invalid: "+err.Error(), errTokenInvalid)
	}
	now, err := g.lookUp(ctx, p)
	if errors.Is(err, ErrUnauthorized) {
		return Principal{}, errTokenInvalid
	}
	now.narrow = p.narrow
	return now, err
}

// lookUp returns what a principal's key is today, where the Authenticator can tell. The
// id that was asked for stays: what is counted to a key and what ends with it go by it. An
// id that has been given to somebody else is [ErrUnauthorized].
func (g *Gateway) lookUp(ctx context.Context, p Principal) (Principal, error) {
	directory, ok := g.o.Auth.(KeyLookuper)
	if !ok || p.KeyID == "" {
		return p, nil
	}
	now, err := hostcall.Get(func() (Principal, error) { return directory.Lookup(ctx, p.KeyID) })
	switch {
	case errors.Is(err, ErrUnauthorized), err == nil && now.Subject != p.Subject:
		return p, ErrUnauthorized
	case err != nil:
		return p, fault.FromHost("authenticator", err)
	}
	now.KeyID = p.KeyID
	return now, nil
}

// SetTokenKeys replaces Options.TokenKeys: the first signs, all verify. On an
// error nothing changes.
func (g *Gateway) SetTokenKeys(keys [][]byte) error {
	if err := token.CheckKeys(keys); err != nil {
		return fmt.Errorf("farwire: SetTokenKeys: %w", err)
	}
	g.tokens.Replace(keys)
	return nil
}

// retyped is a list of words as another type; nil stays nil, which says something else
// than an empty list.
func retyped[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	out := make([]To, len(list))
	for i, word := range list {
		out[i] = To(word)
	}
	return out
}
