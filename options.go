package farwire

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/token"
)

// Options says what a [Gateway] is made of. The zero value is valid: a gateway
// that dials from this process behind the guard, serves only callers that the
// host's middleware named with [WithPrincipal], and hosts nothing. [New]
// copies it, so changing it afterwards has no effect.
//
// In every number zero stands for the default that the field names. A negative
// number means that there is no limit, in each field of [Limits] and where the
// field says so; everywhere else New refuses it with the name of the field.
type Options struct {
	// Auth turns a key into a caller. Nil: only callers that the host's own
	// middleware named with WithPrincipal are served.
	Auth Authenticator

	// Agents picks the exit that a session leaves through. Nil: this process
	// dials, guarded, as agent "local" in country "ZZ".
	Agents AgentSelector

	// Limiter counts requests. Nil: in the memory of this process.
	Limiter Limiter

	// Limits holds for every principal whose own limit is zero. Its zero value
	// allows DefaultRate requests per second with a burst of the same,
	// DefaultHTTPRate and DefaultHTTPBurst in the path form and the forward proxy,
	// and any number of everything else.
	Limits Limits

	// Name tells this gateway from others, in /network. Empty: GatewayName's.
	Name string

	// Bus tells the other gateways of a cluster about revoked keys. Nil: this
	// gateway does not.
	Bus Bus

	// Storage hosts finished files. Nil: results are streamed, not hosted.
	Storage Storage

	// Sites remembers enrolled sites. Nil: no automatic recrawl, and
	// enableAutoUpdate is refused.
	Sites SiteStore

	// TokenKey signs tokens with HMAC-SHA256, used as it is; at least 32 bytes,
	// and never an API key. Gateways that share it accept each other's tokens.
	// Nil: random, valid for this process. Nothing else is signed with it.
	TokenKey []byte

	// TokenKeys are several such keys, while they change: the first signs, all
	// verify. It stands in place of TokenKey; both is an error.
	TokenKeys [][]byte

	// Allow is asked before a host is reached: the first of a session, each
	// redirect, each page of a crawl and the hop to a client's proxy, after the
	// rules of the caller's key. A [Refusal] is shown as it is; any other error
	// refuses the target, and is in the log alone. Nil: all.
	Allow func(context.Context, Principal, Target) error

	// ClientAddr says who the client of a request is, for hosts behind proxies;
	// [TrustedProxies] returns one. It is used for limits, logs, webhooks and
	// Credentials.Remote. Nil: the peer of the connection.
	ClientAddr func(*http.Request) netip.Addr

	// Origins lists web origins ("https://app.example.com") from which a caller
	// that is known only by the host's middleware may open a socket, besides
	// the host's own.
	Origins []string

	// StripHeaders names further request headers that the path form, and the answer
	// to a TRACE that goes no further, leave out, besides those that proxies in
	// front of a gateway add; "*" at the end of one stands for any end. Nil: none.
	StripHeaders []string

	// RootCAs verifies TLS targets and brokers. Nil: the system's roots.
	RootCAs *x509.CertPool

	// AllowInsecure lets requests turn the verification of TLS targets and
	// brokers off. False: such requests are refused.
	AllowInsecure bool

	// Logger receives one Info line at each session's end. Nil: slog.Default().
	Logger *slog.Logger

	// Trace is called at the start and end of sessions and dials. Nil: none.
	// JoinTraces joins several.
	Trace *Trace

	Relay   RelayOptions
	AMQP    AMQPOptions
	Crawl   CrawlOptions
	Recrawl RecrawlOptions
}

// RelayOptions tunes [Gateway.Relay]. The zero value holds the defaults.
type RelayOptions struct {
	// StallTimeout is how long a side may take no byte while bytes wait for it
	// before it counts as lost. Zero: 30 s.
	StallTimeout time.Duration

	// KeepAlive is how long the client is sent nothing before the gateway sends
	// a ping. Zero: 25 s; negative: never.
	KeepAlive time.Duration

	// HoldHandler makes ServeHTTP return only when the session has ended, for
	// hosts whose middleware must see a session as one request. It costs about
	// 20 KB a session. False: ServeHTTP returns once the pipe runs.
	HoldHandler bool

	// Compression says how permessage-deflate is negotiated (RFC 7692). Zero:
	// CompressionEndToEnd.
	Compression Compression

	// ProxyByAddress gives a client's proxy the address that the agent checked
	// instead of the target's name. Some proxies refuse addresses; with names
	// the proxy's own look-up decides what is reached.
	ProxyByAddress bool
}

// Compression says how permessage-deflate is negotiated on a relay's two sides.
type Compression int

const (
	// CompressionEndToEnd lets client and target agree on permessage-deflate
	// with each other; the gateway passes compressed frames on unread. If the
	// client was answered first and the target then declines, the gateway
	// inflates the client's messages, at most 64 MiB each.
	CompressionEndToEnd Compression = iota
	// CompressionOff negotiates it with neither side.
	CompressionOff
)

// AMQPOptions tunes [Gateway.AMQP]. The zero value holds the defaults.
type AMQPOptions struct {
	// Budget is how many bytes of events a stream may hold until its reader
	// takes them; beyond it the gateway stops reading from the broker. A larger
	// message is held alone. Zero: 1 MiB.
	Budget int

	// BodyLimit is the largest body, in bytes, that is sent; a larger one is
	// announced without its body. Zero: 16 MiB.
	BodyLimit int64

	// StallTimeout is how long a reader may take nothing while events wait,
	// before its stream is ended. Bytes in the operating system's buffers count
	// as taken. Zero: 60 s; negative: no limit.
	StallTimeout time.Duration

	// QueueLimit is how many messages a stream's queue may hold at the broker
	// while its reader is slow; beyond it the broker drops the oldest. Zero:
	// 1,000,000; negative: no limit.
	QueueLimit int
}

// CrawlOptions tunes [Gateway.Crawl] and [Gateway.Recrawl]. The zero value
// holds the defaults.
type CrawlOptions struct {
	// Timeout is the longest crawl, a language model's time included. Zero: 10
	// minutes.
	Timeout time.Duration

	// MaxPages is the largest maxPages that a request may ask for. Zero: 1000.
	MaxPages int

	// Workers is how many pages of one site are fetched at once. Zero: 8; more than
	// 1000 count as 1000.
	Workers int

	// Render renders pages in a browser when their static form is not enough.
	// Nil: off.
	Render Renderer

	// Enhance improves the text of a file with a language model. Nil: off.
	Enhance Enhancer
}

// RecrawlOptions tunes [Gateway.Recrawl]. The zero value holds the defaults.
type RecrawlOptions struct {
	// Workers is how many sites this gateway recrawls at a time. Zero: 2.
	Workers int

	// Lease is how long a site stays with a gateway that does not renew its lease,
	// because it died or cannot reach the SiteStore, before another one crawls it. A
	// gateway renews at every third of it. Zero: 1 minute; at least 1 second.
	Lease time.Duration

	// Poll is how often a gateway that has nothing to do asks the SiteStore for
	// work, give or take a fifth, so that several gateways do not ask at the
	// same time. Zero: 10 s.
	Poll time.Duration

	// Adaptive crawls a site after half of the average time between its
	// changes, but not before MinInterval and not later than MaxInterval.
	// False: after the interval that it was enrolled with.
	Adaptive bool

	// MinInterval and MaxInterval bound adaptive intervals. Zero: 1 hour, and
	// 30 days or MinInterval if that is longer.
	MinInterval, MaxInterval time.Duration
}

// DefaultRate is a caller's requests per second, and its burst, unless its
// Limits or the gateway's say otherwise.
const DefaultRate = 10

// DefaultHTTPRate and DefaultHTTPBurst are a caller's requests per second and
// burst in the path form and the forward proxy, unless its Limits or the
// gateway's say otherwise. They are enough for a web page of 300 files.
const (
	DefaultHTTPRate  = 100
	DefaultHTTPBurst = 500
)

const (
	defaultStall          = 30 * time.Second
	defaultKeepAlive      = 25 * time.Second
	defaultAMQPBudget     = 1 << 20
	defaultAMQPBodyLimit  = 16 << 20
	defaultAMQPStall      = 60 * time.Second
	defaultAMQPQueue      = 1_000_000
	defaultCrawlTimeout   = 10 * time.Minute
	defaultCrawlMaxPages  = 1000
	defaultCrawlWorkers   = 8
	defaultRecrawlWorkers = 2
	defaultLease          = time.Minute
	minLease              = time.Second
	defaultPoll           = 10 * time.Second
	defaultMinInterval    = time.Hour
	defaultMaxInterval    = 30 * day
)

// withDefaults returns o with every zero value replaced, or an error that
// names the field.
func (o Options) withDefaults() (Options, error) {
	err := cmp.Or(o.checkParts(), o.setTokenKeys(), o.checkOrigins(), o.setStripHeaders(), o.setParts(), o.setNumbers(), o.setLimits())
	return o, err
}

// optionError names a field of Options that cannot be used.
func optionError(field, format string, args ...any) error {
	return fmt.Errorf("farwire: Options.%s: %s", field, fmt.Sprintf(format, args...))
}

// checkParts refuses a nil pointer and an empty exit, with which no request would work.
func (o *Options) checkParts() error {
	for field, part := range map[string]any{"Auth": o.Auth, "Agents": o.Agents, "Limiter": o.Limiter, "Bus": o.Bus,
		"Storage": o.Storage, "Sites": o.Sites, "Crawl.Render": o.Crawl.Render, "Crawl.Enhance": o.Crawl.Enhance} {
		if v := reflect.ValueOf(part); v.Kind() == reflect.Pointer && v.IsNil() {
			return optionError(field, "a nil %T; leave the field out", part)
		}
	}
	if e, ok := o.Agents.(agent.Exit); ok && e.DialContext == nil {
		return optionError("Agents", "an agent.Exit without a DialContext; agent.Direct returns one that dials from this process")
	}
	return nil
}

// setTokenKeys has TokenKeys be what signs and verifies, whichever field was given.
func (o *Options) setTokenKeys() error {
	switch {
	case o.TokenKey != nil && o.TokenKeys != nil:
		return optionError("TokenKeys", "TokenKey is set too; give one of them")
	case o.TokenKey != nil && len(o.TokenKey) < token.MinKey:
		return optionError("TokenKey", "%d bytes; at least %d are needed", len(o.TokenKey), token.MinKey)
	case o.TokenKeys != nil:
		if err := token.CheckKeys(o.TokenKeys); err != nil {
			return optionError("TokenKeys", "%v", err)
		}
	}
	if o.TokenKey != nil {
		o.TokenKeys = [][]byte{o.TokenKey}
	}
	return nil
}

func (o *Options) checkOrigins() error {
	for _, origin := range o.Origins {
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return optionError("Origins", "%q is not an origin; write it as https://app.example.com", origin)
		}
	}
	return nil
}

// setStripHeaders writes the names in lower case, as they are compared.
func (o *Options) setStripHeaders() error {
	o.StripHeaders = slices.Clone(o.StripHeaders)
	for i, name := range o.StripHeaders {
		if bare := strings.TrimSuffix(name, "*"); !httpguts.ValidHeaderFieldName(bare) || strings.Contains(bare, "*") {
			return optionError("StripHeaders", "%q is not a header name; write it as X-Secret, or X-Corp-* for all that begin so", name)
		}
		o.StripHeaders[i] = strings.ToLower(name)
	}
	return nil
}

// setParts fills in what is nil or empty, and has Logger and Trace recover from panics.
func (o *Options) setParts() error {
	if o.ClientAddr == nil {
		o.ClientAddr = TrustedProxies()
	}
	if o.Agents == nil {
		exit, err := agent.Direct(agent.DirectOptions{})
		if err != nil {
			return fmt.Errorf("farwire: %w", err)
		}
		o.Agents = exit
	}
	if o.Limiter == nil {
		o.Limiter = NewLimiter()
	}
	if o.Name == "" {
		o.Name = GatewayName()
	}
	o.Logger = hostcall.Logger(cmp.Or(o.Logger, slog.Default()))
	o.Trace = cmp.Or(o.Trace, &Trace{}).recovering(o.Logger)
	return nil
}

func (o *Options) setNumbers() error {
	err := cmp.Or(
		setNumber("Relay.StallTimeout", &o.Relay.StallTimeout, defaultStall, refuseNegative),
		setNumber("Relay.KeepAlive", &o.Relay.KeepAlive, defaultKeepAlive, negativeIsNoLimit),
		setNumber("AMQP.StallTimeout", &o.AMQP.StallTimeout, defaultAMQPStall, negativeIsNoLimit),
		setNumber("AMQP.Budget", &o.AMQP.Budget, defaultAMQPBudget, refuseNegative),
		setNumber("AMQP.BodyLimit", &o.AMQP.BodyLimit, defaultAMQPBodyLimit, refuseNegative),
		setNumber("AMQP.QueueLimit", &o.AMQP.QueueLimit, defaultAMQPQueue, negativeIsNoLimit),
		setNumber("Crawl.Timeout", &o.Crawl.Timeout, defaultCrawlTimeout, refuseNegative),
		setNumber("Crawl.MaxPages", &o.Crawl.MaxPages, defaultCrawlMaxPages, refuseNegative),
		setNumber("Crawl.Workers", &o.Crawl.Workers, defaultCrawlWorkers, refuseNegative),
		setNumber("Recrawl.Workers", &o.Recrawl.Workers, defaultRecrawlWorkers, refuseNegative),
		setNumber("Recrawl.Lease", &o.Recrawl.Lease, defaultLease, refuseNegative),
		setNumber("Recrawl.Poll", &o.Recrawl.Poll, defaultPoll, refuseNegative),
		setNumber("Recrawl.MinInterval", &o.Recrawl.MinInterval, defaultMinInterval, refuseNegative),
		setNumber("Recrawl.MaxInterval", &o.Recrawl.MaxInterval, max(defaultMaxInterval, o.Recrawl.MinInterval), refuseNegative),
	)
	switch {
	case err != nil:
		return err
	case o.Relay.Compression < CompressionEndToEnd || o.Relay.Compression > CompressionOff:
		return optionError("Relay.Compression", "%d is not one of the constants", o.Relay.Compression)
	case o.Recrawl.Lease < minLease:
		return optionError("Recrawl.Lease", "%v is shorter than %v", o.Recrawl.Lease, minLease)
	case o.Recrawl.MaxInterval < o.Recrawl.MinInterval:
		return optionError("Recrawl.MaxInterval", "%v is shorter than MinInterval, %v", o.Recrawl.MaxInterval, o.Recrawl.MinInterval)
	}
	return nil
}

func (o *Options) setLimits() error {
	for field, rate := range map[string]float64{"Limits.Rate": o.Limits.Rate, "Limits.HTTPRate": o.Limits.HTTPRate} {
		if math.IsNaN(rate) {
			return optionError(field, "%v is not a number of requests per second", rate)
		}
	}
	o.Limits = o.Limits.or(Limits{Rate: DefaultRate, HTTPRate: DefaultHTTPRate, HTTPBurst: DefaultHTTPBurst, Sessions: -1, Streams: -1, Crawls: -1, Sites: -1, PagesPerDay: -1, BytesPerDay: -1})
	return nil
}

// What a negative number means in an option.
const (
	refuseNegative    = false
	negativeIsNoLimit = true
)

// setNumber puts the default in place of zero, and refuses a negative number where
// it does not stand for no limit.
func setNumber[T int | int64 | time.Duration](field string, value *T, zero T, noLimit bool) error {
	switch {
	case *value == 0:
		*value = zero
	case *value < 0 && !noLimit:
		return optionError(field, "%v is negative", *value)
	}
	return nil
}
