// Package redislimit counts requests, crawled pages, bytes and what runs at a time in
// Redis, so that any number of gateways hold a caller to one limit.
//
// Each request costs one round trip, and each session one more: a script that runs
// whole, by the server's clock, on keys of one slot (so a Redis Cluster will do).
// A frame, an event or a page costs no request. When Redis does not answer in time, each gateway goes on
// with its own share of the limits until it does.
package redislimit

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
)

// Options tunes a Limiter. The zero value holds the defaults; a negative number is an error
// of New and Open.
type Options struct {
	// Prefix begins the name of each key in Redis. Gateways that share limits
	// share it. Empty: "farwire:".
	Prefix string

	// Gateways is how many gateways share the limits. While Redis is unavailable
	// each allows this part of them, a burst of one and one page at the least.
	// Zero: 1, and then several gateways each allow the whole.
	Gateways int

	// Name tells this gateway from others that share the limits. Empty: a random
	// one.
	Name string

	// Timeout is the longest that a request waits for Redis. Zero: 100 ms.
	Timeout time.Duration

	// Logger is told when Redis becomes unavailable and when it is available
	// again, once each. Nil: slog.Default().
	Logger *slog.Logger
}

const (
	defaultPrefix  = "farwire:"
	defaultTimeout = 100 * time.Millisecond
)

// A Limiter is a [farwire.PageLimiter], a [farwire.ByteLimiter], a
// [farwire.SlotLimiter] and a [farwire.LeftLimiter] in Redis. It is
// safe for concurrent use. Close ends the goroutine that TakeSlot starts.
//
// The names of its keys are hashes of subject and key id: no two callers share
// one, whatever they are called, and nobody reads a caller's name in Redis.
type Limiter struct {
	client   redis.UniversalClient
	ours     bool // Close closes the client
	o        Options
	local    localLimiter  // counts this gateway's share
	counting circuit       // of requests, pages and bytes
	holding  circuit       // of what runs at a time
	returned pendingCounts // pages to give back to Redis
	unsent   pendingCounts // bytes that Redis has not counted yet
	slots    *slots
	many     atomic.Int64 // gateways that share the limits

	shared, fellBack atomic.Uint64
}

var (
	_ farwire.PageLimiter = (*Limiter)(nil)
	_ farwire.ByteLimiter = (*Limiter)(nil)
	_ farwire.SlotLimiter = (*Limiter)(nil)
	_ farwire.LeftLimiter = (*Limiter)(nil)
)

// A localLimiter counts in memory.
type localLimiter interface {
	farwire.PageLimiter
	farwire.ByteLimiter
	farwire.LeftLimiter
}

// New returns a Limiter that uses a client of the host's, which the host
// closes. A client whose requests end with their context
// ([redis.Options.ContextTimeoutEnabled]) is needed for Options.Timeout to
// hold, and one that does not retry for long. It opens no connection yet.
func New(client redis.UniversalClient, o Options) (*Limiter, error) {
	switch {
	case client == nil:
		return nil, errors.New("redislimit: no client")
	case o.Gateways < 0:
		return nil, fmt.Errorf("redislimit: Options.Gateways: %d is negative", o.Gateways)
	case o.Timeout < 0:
		return nil, fmt.Errorf("redislimit: Options.Timeout: %v is negative", o.Timeout)
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Name = cmp.Or(o.Name, rand.Text())
	l := &Limiter{client: client, o: o, local: farwire.NewLimiter().(localLimiter), counting: newCircuit(o.Logger), holding: newCircuit(slog.New(slog.DiscardHandler)), slots: newSlots()}
	l.SetGateways(o.Gateways)
	return l, nil
}

// SetGateways says how many gateways share the limits now, as Options.Gateways
// does at the beginning; less than 1 stands for 1.
func (l *Limiter) SetGateways(n int) { l.many.Store(int64(max(n, 1))) }

func (l *Limiter) gateways() int { return int(l.many.Load()) }

//go:embed take.lua
var takeSource string

var takeScript = newScript(takeSource, 3)

// Take counts a request towards a bucket of the principal. An error means that ctx has
// ended, or that the bucket's rate or burst is not positive. An unavailable Redis is not an error.
func (l *Limiter) Take(ctx context.Context, p farwire.Principal, b farwire.Bucket) (farwire.Quota, error) {
	return l.take(ctx, p, b, 1)
}

// Left says what is left as Take does, and counts nothing.
func (l *Limiter) Left(ctx context.Context, p farwire.Principal, b farwire.Bucket) (farwire.Quota, error) {
	return l.take(ctx, p, b, 0)
}

func (l *Limiter) take(ctx context.Context, p farwire.Principal, b farwire.Bucket, n int) (farwire.Quota, error) {
	rate, burst := p.Limits.RateOf(b)
	switch {
	case rate < 0, math.IsInf(rate, 1):
		return farwire.Quota{Limit: -1, Remaining: -1}, nil
	case !(rate > 0), burst < 1:
		return farwire.Quota{}, fmt.Errorf("redislimit: a rate of %v with a burst of %d lets nothing pass", rate, burst)
	}
	counted := p
	if b == farwire.BucketHTTP {
		counted.KeyID += "/http" // as gateways of other versions name it
	}
	a, err := l.run(ctx, takeScript, l.key("rate", counted), strconv.FormatFloat(rate, 'g', -1, 64), burst, n)
	switch {
	case errors.As(err, new(*unavailableError)):
		if n == 0 {
			return l.local.Left(ctx, l.share(p), b)
		}
		return l.local.Take(ctx, l.share(p), b)
	case err != nil:
		return farwire.Quota{}, err
	}
	return farwire.Quota{Limit: burst, Remaining: int(a[1]), RetryAfter: time.Duration(a[2]) * time.Microsecond}, nil
}

// share returns the principal with the part of its limits that this gateway
// may allow alone.
func (l *Limiter) share(p farwire.Principal) farwire.Principal {
	n := l.gateways()
	p.Limits.Rate /= float64(n)
	p.Limits.Burst = max(1, p.Limits.Burst/n)
	p.Limits.HTTPRate /= float64(n)
	p.Limits.HTTPBurst = max(1, p.Limits.HTTPBurst/n)
	if p.Limits.PagesPerDay > 0 {
		p.Limits.PagesPerDay = max(1, p.Limits.PagesPerDay/n)
	}
	if p.Limits.BytesPerDay > 0 {
		p.Limits.BytesPerDay = max(1, p.Limits.BytesPerDay/int64(n))
	}
	return p
}

// key names what is counted of a principal. The length of the subject stands
// before it, so that no two pairs of subject and key id make the same.
func (l *Limiter) key(what string, p farwire.Principal) string {
	var buf [128]byte
	b := binary.BigEndian.AppendUint64(buf[:0], uint64(len(p.Subject)))
	b = append(b, p.Subject...)
	b = append(b, p.KeyID...)
	sum := sha256.Sum256(b)
	return l.o.Prefix + what + ":" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// A script is one of Redis that answers with so many numbers.
type script struct {
	*redis.Script
	numbers int
}

func newScript(source string, numbers int) script { return script{redis.NewScript(source), numbers} }

// run has Redis run a script on a key and returns its answer, or an unavailableError. Any
// other error is that of ctx.
func (l *Limiter) run(ctx context.Context, s script, key string, args ...any) ([]int64, error) {
	return l.runOn(ctx, l.counting, l.o.Timeout, s, []string{key}, args...)
}

// runOn is run for several keys, with a circuit and a timeout of the caller's.
func (l *Limiter) runOn(ctx context.Context, c circuit, timeout time.Duration, s script, keys []string, args ...any) ([]int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answer, err := c.Execute(func() ([]int64, error) {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		answer, err := s.Run(limited, l.client, keys, args...).Int64Slice()
		if err == nil && len(answer) != s.numbers {
			err = fmt.Errorf("an answer of %d numbers", len(answer))
		}
		if err != nil {
			if left := ended(ctx); left != nil {
				return nil, &callerCanceled{left}
			}
		}
		return answer, err
	})
	var leaving *callerCanceled
	switch {
	case err == nil:
		l.shared.Add(1)
		return answer, nil
	case errors.As(err, &leaving):
		return nil, leaving.err
	}
	l.fellBack.Add(1)
	var op *net.OpError
	dialled := !rejected(err) && !(errors.As(err, &op) && op.Op == "dial")
	return nil, &unavailableError{asked: dialled}
}

// An unavailableError says that Redis did not answer, and whether it may yet
// do what it was asked for.
type unavailableError struct{ asked bool }

func (e *unavailableError) Error() string { return "redislimit: Redis is unavailable" }

// asked reports whether an error says that Redis may yet do what it was asked for.
func asked(err error) bool {
	var unavailable *unavailableError
	return errors.As(err, &unavailable) && unavailable.asked
}

// Ping reports whether Redis answers, for a program that wants to say at its start
// that an address is wrong. A Limiter does not need it to be called.
func (l *Limiter) Ping(ctx context.Context) error {
	if err := l.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redislimit: %w", err)
	}
	return nil
}

// Stats are a Limiter's counters since New.
type Stats struct {
	Shared      uint64 // answers of Redis
	Fallbacks   uint64 // answers from this gateway's own share
	Unavailable bool   // Redis did not answer last time
}

// Stats returns the counters as they are now.
func (l *Limiter) Stats() Stats {
	return Stats{Shared: l.shared.Load(), Fallbacks: l.fellBack.Load(), Unavailable: l.counting.unavailable()}
}

// Close tells Redis of the slots that are free, ends the goroutine of TakeSlot and
// closes the connections to Redis, unless the client is the host's.
func (l *Limiter) Close() error {
	l.slots.close()
	if !l.ours {
		return nil
	}
	return l.client.Close()
}

// ended is ctx.Err, and no later than ctx's deadline: a connection that has the same
// one may fail a moment before the context does.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
