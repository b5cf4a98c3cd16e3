package farwire

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/farwire/farwire/internal/fault"
)

// What a caller without valid credentials is told.
var (
	errKeyMissing   = fault.New(fault.KeyMissing, "API key missing")
	errKeyInvalid   = fault.New(fault.KeyInvalid, "API key invalid")
	errTokenInvalid = fault.New(fault.KeyInvalid, "token invalid or expired")
	errOrigin       = fault.New(fault.OriginRefused, "origin not allowed")
)

// MinKey is the length, in bytes, of the shortest API key that APIKeys takes.
const MinKey = 16

// APIKeys returns an Authenticator for a fixed set of keys: a map from key to
// subject. Keys are kept as SHA-256 sums and compared in constant time. An
// empty set, an empty key, one shorter than [MinKey] bytes, as from an unset
// environment variable, or an empty subject is an error, which never holds the
// key. Several keys may name one subject. The Authenticator can look key ids
// up, so a gateway that is made anew without a key refuses its tokens too. It
// is safe for concurrent use.
func APIKeys(keys map[string]string) (Authenticator, error) {
	if len(keys) == 0 {
		return nil, errors.New("farwire: no API keys")
	}
	set := &keySet{byID: make(map[string]Principal, len(keys))}
	for key, subject := range keys {
		switch {
		case key == "":
			return nil, fmt.Errorf("farwire: the API key of %q is empty", subject)
		case len(key) < MinKey:
			return nil, fmt.Errorf("farwire: the API key of %q has %d bytes; at least %d are needed", subject, len(key), MinKey)
		case subject == "":
			return nil, errors.New("farwire: an API key has no subject")
		}
		k := hashedKey{sum: sha256.Sum256([]byte(key)), principal: Principal{Subject: subject, KeyID: keyID(key)}}
		set.keys = append(set.keys, k)
		set.byID[k.principal.KeyID] = k.principal
	}
	return set, nil
}

type keySet struct {
	keys []hashedKey
	byID map[string]Principal
}

type hashedKey struct {
	sum       [sha256.Size]byte
	principal Principal
}

// Authenticate compares with every key, so that the time tells nothing about
// which came close.
func (s *keySet) Authenticate(_ context.Context, c Credentials) (Principal, error) {
	sum := sha256.Sum256([]byte(c.Key))
	found := -1
	for i := range s.keys {
		if subtle.ConstantTimeCompare(sum[:], s.keys[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, ErrUnauthorized
	}
	return s.keys[found].principal, nil
}

// Lookup returns the principal behind a key id.
func (s *keySet) Lookup(_ context.Context, keyID string) (Principal, error) {
	p, ok := s.byID[keyID]
	if !ok {
		return Principal{}, ErrUnauthorized
	}
	return p, nil
}

// keyID names a key without giving it away: the same in every gateway that
// knows the key, and not the sum that keys are compared by.
func keyID(key string) string {
	sum := sha256.Sum256([]byte("farwire key id\x00" + key))
	return hex.EncodeToString(sum[:8])
}

type principalKey struct{}

// WithPrincipal returns a context that names the caller. A host's middleware
// uses it when it has authenticated a request in its own way; the gateway then
// needs no key. The Subject must not be empty: an unnamed principal is none.
//
// Because a browser attaches cookies to sockets that any page opens, a caller
// known only so must come without an Origin, from the host's own, or from one
// of Options.Origins.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// principalFrom returns the caller that the host's middleware named.
func principalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok && p.Subject != ""
}

// A sighting is what a request shows of its caller. A handler adds the key of
// a first message or a body, which beats the rest.
type sighting struct {
	key    string
	remote netip.Addr
	named  *Principal // by the host's middleware
	origin error      // not nil: the request's Origin may not rely on the host's word
}

// sight reads what a request shows, in the contract's order: X-API-Key, then
// Authorization: Bearer, then the query.
func (g *Gateway) sight(r *http.Request) sighting {
	s := sighting{key: r.Header.Get("X-API-Key"), remote: remoteAddr(r)}
	if p, ok := principalFrom(r.Context()); ok {
		s.named = &p
		s.origin = g.checkOrigin(r)
	}
	if s.key == "" {
		s.key = g.bearer(r, s.named != nil)
	}
	if s.key == "" {
		s.key = queryKey(r.URL.Query())
	}
	return s
}

// bearer returns the key in the Authorization header. Where there are no keys
// at all and the host named the caller, the header is the host's affair,
// unless it is a token of ours.
func (g *Gateway) bearer(r *http.Request, named bool) string {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	key = strings.TrimSpace(key)
	if named && g.o.Auth == nil && !g.tokens.ours(key) {
		return ""
	}
	return key
}

func queryKey(q url.Values) string {
	if k := q.Get("api_key"); k != "" {
		return k
	}
	return q.Get("token")
}

// authenticate turns a sighting into a caller with its limits filled in.
func (g *Gateway) authenticate(ctx context.Context, s sighting) (Principal, error) {
	p, err := g.identify(ctx, s)
	if err != nil {
		return Principal{}, err
	}
	p.Limits = p.Limits.or(g.o.Limits)
	return p, nil
}

func (g *Gateway) identify(ctx context.Context, s sighting) (Principal, error) {
	switch {
	case s.key != "" && g.tokens.ours(s.key):
		return g.redeem(ctx, s.key)
	case s.key != "" && g.o.Auth == nil:
		return Principal{}, errKeyInvalid
	case s.key != "":
		p, err := g.o.Auth.Authenticate(ctx, Credentials{Key: s.key, Remote: s.remote})
		if errors.Is(err, ErrUnauthorized) {
			return Principal{}, errKeyInvalid
		}
		if err != nil {
			return Principal{}, fmt.Errorf("authenticator: %w", err)
		}
		return p, nil
	case s.named == nil:
		return Principal{}, errKeyMissing
	case s.origin != nil:
		return Principal{}, s.origin
	}
	return *s.named, nil
}

// admit authenticates and counts the request against the caller's rate. What
// ended ctx is not the fault of whoever was asked until then.
func (g *Gateway) admit(ctx context.Context, s sighting) (p Principal, q Quota, err error) {
	p, err = g.authenticate(ctx, s)
	if err == nil {
		q, err = g.take(ctx, p)
	}
	switch {
	case err == nil:
		return p, q, nil
	case ctx.Err() == nil:
		return Principal{}, Quota{}, err
	case errors.Is(context.Cause(ctx), context.Canceled): // net/http does
		return Principal{}, Quota{}, errClientGone
	}
	return Principal{}, Quota{}, context.Cause(ctx)
}

func (g *Gateway) take(ctx context.Context, p Principal) (Quota, error) {
	q, err := g.o.Limiter.Take(ctx, p)
	if err != nil {
		return Quota{}, fmt.Errorf("limiter: %w", err)
	}
	if q.RetryAfter > 0 {
		g.meters.refuse(p)
		return Quota{}, limited(fault.RateLimited, "rate limit exceeded", q)
	}
	return q, nil
}

// checkOrigin says whether a caller that only the host knows may come from
// where it comes: a browser on a foreign page would bring the host's cookie.
func (g *Gateway) checkOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	for _, allowed := range g.o.Origins {
		if strings.EqualFold(origin, allowed) {
			return nil
		}
	}
	return errOrigin
}

func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
