package farwire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/upgrade"
)

// ErrUnauthorized is what an [Authenticator] wraps in the error for a key that is not,
// or no longer, valid.
var ErrUnauthorized = errors.New("not authorized")

// An Authenticator turns credentials into the caller they belong to.
//
// Authenticate is called concurrently. Credentials.Key is never empty. A key
// that is not valid is an error that wraps [ErrUnauthorized]; any other error
// is an internal error of the Authenticator, logged whole and shown to the caller as
// "internal error".
//
// A principal without a subject is an internal error of the Authenticator, too. An
// Authenticator that is a [KeyLookuper] lets a revoked key count at once, and one that
// is a [KeyLister] lets it count at all gateways.
type Authenticator interface {
	Authenticate(context.Context, Credentials) (Principal, error)
}

// A KeyLookuper is an Authenticator that is asked at every use of a token for
// the principal behind its key id, so that revoking a key or changing its
// limits counts at once. Without Lookup a token works for all of its five
// minutes.
//
// Lookup is called concurrently. A key id that is no longer valid is an error
// that wraps [ErrUnauthorized]; any other error is an internal error of the
// Authenticator. A principal with another Subject than the token's counts as a
// key that is gone. Its KeyID is ignored: the one that was asked for stays.
type KeyLookuper interface {
	Authenticator
	Lookup(ctx context.Context, keyID string) (Principal, error)
}

// Credentials is what a caller showed. It is not a request, because it may
// arrive in a first message or a body.
type Credentials struct {
	Key    string     // the API key as sent, never empty
	Remote netip.Addr // the client's address (Options.ClientAddr); the zero Addr when unknown
}

// A Principal is a caller: whose key it was, and what it may do.
type Principal struct {
	Subject string // who; appears in logs and in Query.Subject. Empty names nobody
	KeyID   string // which key of the subject's, never the key itself
	Limits  Limits

	// Allow and Deny say which targets the key may reach: CIDRs, host names and
	// "*.host", which is not the host itself, each with an optional ":port". Deny
	// wins. A target passes Allow by its name or by its address. They hold for the
	// first host, each redirect, each page of a crawl and the hop to a client's
	// proxy. Nil: no rule; an Allow that is empty and not nil is an error.
	Allow, Deny []string

	// Kinds are the kinds of sessions that the key may begin. Nil: all; empty and
	// not nil is an error.
	Kinds []Kind

	// Labels are the host's own words on the caller, such as its team or plan. They
	// stand in the log line of each session, in SessionInfo and in agent.Query.
	Labels map[string]string

	narrow narrowing // of the token that was shown
}

// account is what a principal is counted under: the subject's key, or the
// subject when the host named it without one. No two pairs make the same.
func (p Principal) account() string { return p.accountOf("") }

// accountOf is account behind the name of what is counted.
func (p Principal) accountOf(what string) string {
	return what + strconv.Itoa(len(p.Subject)) + " " + p.Subject + p.KeyID
}

// bucket names a bucket of the principal. No account begins with a letter.
func (p Principal) bucket(b Bucket) string {
	if b == BucketHTTP {
		return p.accountOf("http ")
	}
	return p.account()
}

// reuseKey names all those who may use one connection, or resume its TLS session, one
// after another: who has the principal's rules, and its sticky session.
func (p Principal) reuseKey(session string) string {
	if p.Allow == nil && p.Deny == nil && !p.narrow.isNarrow() { // as most are
		return p.accountOf(strconv.Quote(session) + " ")
	}
	return fmt.Sprintf("%q %q %q %q %+v", session, p.account(), p.Allow, p.Deny, p.narrow)
}

// What a caller without valid credentials is told.
var (
	errKeyMissing   = fault.New(fault.KeyMissing, "API key missing")
	errKeyInvalid   = fault.New(fault.KeyInvalid, "API key invalid")
	errTokenInvalid = fault.New(fault.KeyInvalid, "token invalid or expired")
	errOrigin       = fault.New(fault.OriginRefused, "origin not allowed")
)

type principalKey struct{}

// WithPrincipal returns a context that names the caller. A host's middleware
// uses it when it has authenticated a request in its own way; the gateway then
// needs no key. The Subject must not be empty: a principal without one counts
// as missing.
//
// Because a browser sends cookies with sockets that any page opens, such a
// request must have no Origin, the host's own, or one of Options.Origins.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller that the host's middleware named with
// WithPrincipal. It reports false when no caller was named, or one without a
// subject.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok && p.Subject != ""
}

// WithScheme returns a context that says whether a request came by http or
// https, as told by a proxy that the host trusts. The Origin of a caller that
// only the host knows must then have the same scheme.
func WithScheme(ctx context.Context, scheme string) context.Context {
	return origin.WithScheme(ctx, scheme)
}

// TrustedProxies returns a function for Options.ClientAddr, for a gateway
// behind proxies whose addresses are given as prefixes. When a request comes
// from one of them, its client is the rightmost address in X-Forwarded-For that
// is not trusted. Without such an address, or if the request comes from elsewhere, its
// client is the peer of the connection.
func TrustedProxies(trusted ...netip.Prefix) func(*http.Request) netip.Addr {
	return origin.Client(trusted)
}

// WithKeyShown returns a context for [net/http.Server.ConnContext]. Shown is
// called each time a request of the connection has shown a valid key, a token,
// or an agent's secret to an agent.Pool; it may be called concurrently. A host
// uses it to bound connections without a key, as farwire serve does.
func WithKeyShown(ctx context.Context, shown func()) context.Context {
	return upgrade.WithKeyShown(ctx, shown)
}

// A requestAuth is what a request shows of its caller. A handler adds the key of
// a first message or a body, which beats the rest.
type requestAuth struct {
	key    string
	remote netip.Addr
	named  *Principal // by the host's middleware
	origin error      // not nil: the request's Origin may not rely on the host's word
	bucket Bucket     // what the request counts towards
	shown  func()     // called when the credentials are valid; nil: nobody asks
}

// readAuth reads what a request shows, in the contract's order: X-API-Key, then
// Authorization: Bearer, then the query.
func (g *Gateway) readAuth(r *http.Request) requestAuth {
	s := requestAuth{key: r.Header.Get("X-Api-Key"), bucket: BucketRequests, remote: g.o.ClientAddr(r), shown: upgrade.KeyShown(r.Context())}
	if p, ok := PrincipalFrom(r.Context()); ok {
		named := p // which lives on
		s.named = &named
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

// checkOrigin says whether a caller that only the host knows may come from where it
// comes.
func (g *Gateway) checkOrigin(r *http.Request) error {
	if origin.Trusted(r, g.o.Origins) {
		return nil
	}
	return errOrigin
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
	if named && g.o.Auth == nil && !g.tokens.Ours(key) {
		return ""
	}
	return key
}

// readPathAuth reads the caller's key in this form's order, and takes our
// credentials out of header: the options, else X-API-Key, else Authorization.
// With a key in the options the two headers are the target's.
func (g *Gateway) readPathAuth(r *http.Request, to *pathform.Request, header http.Header) (requestAuth, error) {
	if to.Absolute {
		delete(header, "Proxy-Authorization")
		return g.readProxyAuth(r), nil
	}
	seen := g.readAuth(r)
	bearer := ""
	if seen.named == nil { // else the header may be what the host knows its caller by
		bearer = g.bearer(r, false)
	}
	fromHeader := to.Options.Key == "" && r.Header.Get("X-Api-Key") != ""
	switch {
	case to.Options.Key != "":
		seen.key = to.Options.Key
	case fromHeader:
		seen.key = r.Header.Get("X-Api-Key")
		delete(header, "X-Api-Key")
	default:
		seen.key = bearer
		fromHeader = bearer != ""
	}
	if seen.named != nil || bearer != "" && (bearer == seen.key || g.tokens.Ours(bearer)) {
		delete(header, "Authorization")
	}
	if to.Options.Cookies && (!fromHeader || r.Header.Get("Origin") != "") {
		return seen, fault.New(fault.OriginRefused, "cookies=all needs the key in a header and no Origin")
	}
	return seen, nil
}

// readProxyAuth reads who asks from Proxy-Authorization and from nothing else.
func (g *Gateway) readProxyAuth(r *http.Request) requestAuth {
	seen := requestAuth{remote: g.o.ClientAddr(r), bucket: BucketHTTP, shown: upgrade.KeyShown(r.Context())}
	_, seen.key = pathform.ProxyUser(r)
	if p, ok := PrincipalFrom(r.Context()); ok {
		named := p // which lives on
		seen.named = &named
		if g.o.Auth == nil && !g.tokens.Ours(seen.key) {
			seen.key = "" // the header is the host's affair
		}
		if r.ProtoMajor >= 2 && r.Method != http.MethodConnect {
			// A page may have asked for it; no page asks for an absolute URL.
			seen.origin = g.checkOrigin(r)
		}
	}
	return seen
}

func queryKey(q url.Values) string {
	if k := q.Get("api_key"); k != "" {
		return k
	}
	return q.Get("token")
}

// authenticate turns a requestAuth into a caller with its limits filled in. Wrong
// credentials are counted by the address that they come from.
func (g *Gateway) authenticate(ctx context.Context, s requestAuth) (Principal, error) {
	p, err := g.identify(ctx, s)
	if err == nil && g.gone.Has(p.KeyID) {
		err = errKeyInvalid
	}
	if err == nil {
		if _, err = p.rules(); err != nil {
			err = fmt.Errorf("the principal %q has rules that are not valid: %w", p.Subject, err)
		}
	}
	if s.key != "" && fault.Is(err, fault.KeyInvalid) {
		err = g.noteWrong(ctx, s.remote, err)
	}
	if err != nil {
		return Principal{}, err
	}
	if s.shown != nil {
		s.shown()
	}
	p.Limits = p.Limits.or(g.o.Limits)
	return p, nil
}

// noteWrong counts wrong credentials and says so in the log, at most once a second
// and address, with what else the log shall say. It returns what the caller is told:
// after ten in a minute that there were too many.
func (g *Gateway) noteWrong(ctx context.Context, remote netip.Addr, err error, args ...any) error {
	if v := g.wrong.Refused(ctx, g.o.Logger, remote, args...); v.TooMany {
		q := Quota{Limit: attempts.PerMinute, RetryAfter: v.RetryAfter}
		return &tooManyWrong{limited(fault.RateLimited, attempts.TooMany, q), err}
	}
	return err
}

// tooManyWrong is a 429 that the crawl's socket still takes for what it is.
type tooManyWrong struct{ told, was error }

func (e *tooManyWrong) Error() string   { return fmt.Sprintf("%v: %v", e.told, e.was) }
func (e *tooManyWrong) Unwrap() []error { return []error{e.told, e.was} }

// identify finds whose the credentials are: a token's, a key's, or else who the host named.
func (g *Gateway) identify(ctx context.Context, s requestAuth) (Principal, error) {
	switch {
	case s.key != "" && g.tokens.Ours(s.key):
		return g.redeem(ctx, s.key)
	case s.key != "" && g.o.Auth == nil:
		return Principal{}, errKeyInvalid
	case s.key != "":
		p, err := hostcall.Get(func() (Principal, error) {
			return g.o.Auth.Authenticate(ctx, Credentials{Key: s.key, Remote: s.remote})
		})
		if errors.Is(err, ErrUnauthorized) {
			return Principal{}, errKeyInvalid
		}
		if err != nil {
			return Principal{}, g.provoked(s.remote, fault.FromHost("authenticator", err))
		}
		if p.Subject == "" {
			return Principal{}, g.provoked(s.remote, fmt.Errorf("authenticator: %T returned a principal without a subject", g.o.Auth))
		}
		return p, nil
	case s.named == nil:
		return Principal{}, errKeyMissing
	case s.origin != nil:
		return Principal{}, s.origin
	}
	return *s.named, nil
}

// admitWhole is admit for requests that begin no session: a narrowed token opens
// its kinds of sessions and nothing else.
func (g *Gateway) admitWhole(parent context.Context, s requestAuth) (Principal, Quota, error) {
	ctx := withHostTimeout(parent)
	defer ctx.Cancel()
	p, q, err := g.admit(ctx, s)
	if err == nil && p.narrow.isNarrow() {
		return Principal{}, Quota{}, errNarrowed
	}
	return p, q, err
}

var errNarrowed = fault.New(fault.KeyInvalid, "this token was narrowed and is not for this")

// admit authenticates and counts the request against the caller's rate. When ctx ends
// meanwhile, the part of the host that was asked is blamed only if its time ran out.
func (g *Gateway) admit(ctx context.Context, s requestAuth) (p Principal, q Quota, err error) {
	p, err = g.authenticate(ctx, s)
	if err == nil {
		q, err = g.take(ctx, p, s.bucket)
	}
	switch why := endOf(ctx); {
	case err == nil:
		return p, q, nil
	case why != nil:
		return Principal{}, Quota{}, why
	case p.Subject != "":
		return Principal{}, Quota{}, refusedCaller(p, err)
	}
	return Principal{}, Quota{}, err
}

// take counts a request towards a bucket of the caller's.
func (g *Gateway) take(ctx context.Context, p Principal, b Bucket) (Quota, error) {
	q, err := hostcall.Get(func() (Quota, error) { return g.o.Limiter.Take(ctx, p, b) })
	if err != nil {
		return Quota{}, fault.FromHost("limiter", err)
	}
	if q.RetryAfter > 0 {
		g.meters.Refuse(p.counter())
		return Quota{}, limited(fault.RateLimited, "rate limit exceeded", q)
	}
	return q, nil
}

// revoked reports whether a key is known to be gone.
func (g *Gateway) revoked(ctx context.Context, p Principal) bool {
	if g.gone.Has(p.KeyID) {
		return true
	}
	_, err := g.lookUp(ctx, p)
	return errors.Is(err, ErrUnauthorized)
}
