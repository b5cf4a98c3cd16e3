// Package natscluster connects the gateways of a cluster over NATS: each publishes
// which agents it holds and which keys are revoked. A [Cluster] is an [agent.Directory] and
// a [farwire.Bus] on core NATS, without JetStream.
//
// All gateways publish to one subject and read it. Messages hold names, numbers and
// addresses of gateways, but no client and no target. Each message carries a MAC, its sender
// and its time. A message whose MAC is wrong, that is old or that came before is dropped.
//
// A NATS that is unavailable is not an error: the gateway goes on with what it holds
// itself, reconnects for ever, and asks the others what it has missed.
package natscluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// Options are the options of [Open].
type Options struct {
	// URL is where NATS is: nats://, tls://, ws:// or wss://, several separated by
	// commas, with a user and a password or a token in it if it wants any. Required.
	URL string

	// Credentials and CA name files: of a user's JWT and seed, and of certificates
	// to trust in place of the system's. Empty: none.
	Credentials, CA string

	// Certificate and Key name the PEM files by which this gateway shows NATS who it
	// is, read again at each connection. Empty: it shows nothing. One needs the other.
	Certificate, Key string

	// Cluster tells clusters on one NATS apart: 1 to 64 letters, digits, hyphens
	// and underscores. Empty: "farwire".
	Cluster string

	// Name is this gateway's, different from all others'. Required.
	Name string

	// Secrets sign messages: the first signs, all verify. At least one, of 32
	// bytes or more; it may return others later. Required.
	Secrets func() [][]byte

	// Logger has a line when NATS becomes unavailable and one when it is available
	// again, and one a minute for messages that were dropped. Nil: slog.Default().
	Logger *slog.Logger
}

const (
	heartbeatInterval = 500 * time.Millisecond
	silentAfter       = 1500 * time.Millisecond // a gateway is not offered any more
	oldAfter          = 30 * time.Second        // a message
	warnEvery         = time.Minute
	minSecret         = 32
)

// A Cluster is one gateway's place among the others. It is safe for concurrent use.
type Cluster struct {
	o       Options
	subject string
	conn    *nats.Conn
	ready   chan struct{} // closed when conn is set, which NATS's callbacks use
	sub     *nats.Subscription
	cancel  context.CancelFunc
	work    sync.WaitGroup

	published, received, dropped atomic.Uint64

	everConnected atomic.Bool // NATS was available once, or the log has said that it was not at the start

	sending sync.Mutex // one message after the other, in the order of their times
	last    int64      // time of the last one

	notifying sync.Mutex // held while the member is called
	revoking  sync.Mutex // held while those of Subscribe are
	revoked   farwire.RevocationLog

	mu         sync.Mutex
	member     *membership // nil: nobody has joined
	others     map[string]*other
	senders    map[string]int64 // the time of the last message of each
	subscribed []func(farwire.Revocation)
	heardAll   time.Time // when another gateway last sent all revocations
	warned     time.Time
	unwarned   int // messages dropped since
}

var (
	_ agent.Directory      = (*Cluster)(nil)
	_ farwire.ConnectedBus = (*Cluster)(nil)
)

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Open connects to NATS, or goes on trying for as long as it takes. An error means
// that the options cannot work. Close ends it.
func Open(o Options) (*Cluster, error) {
	o.Cluster, o.Logger = cmp.Or(o.Cluster, "farwire"), cmp.Or(o.Logger, slog.Default())
	switch {
	case o.URL == "":
		return nil, errors.New("natscluster: Options.URL: empty")
	case !clusterName.MatchString(o.Cluster):
		return nil, fmt.Errorf("natscluster: Options.Cluster: %q: want 1 to 64 letters, digits, hyphens and underscores", o.Cluster)
	case o.Name == "":
		return nil, errors.New("natscluster: Options.Name: empty")
	case o.Secrets == nil || len(o.Secrets()) == 0:
		return nil, errors.New("natscluster: Options.Secrets: empty; give at least one")
	}
	for _, s := range o.Secrets() {
		if len(s) < minSecret {
			return nil, fmt.Errorf("natscluster: Options.Secrets: one has %d bytes, want at least %d", len(s), minSecret)
		}
	}
	c := &Cluster{o: o, subject: "farwire." + o.Cluster, ready: make(chan struct{}),
		others: make(map[string]*other), senders: make(map[string]int64)}
	if err := checkURLs(o.URL); err != nil {
		return nil, fmt.Errorf("natscluster: Options.URL: %w", err)
	}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	c.conn, err = nats.Connect(o.URL, options...)
	close(c.ready)
	if err != nil {
		return nil, fmt.Errorf("natscluster: Options.URL: %w", withoutURL(err, o.URL))
	}
	if c.sub, err = c.conn.Subscribe(c.subject, c.message); err != nil {
		c.conn.Close()
		return nil, fmt.Errorf("natscluster: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.work.Go(func() { c.run(ctx) })
	c.connected()
	return c, nil
}

// Connected reports whether NATS is available.
func (c *Cluster) Connected() bool { return c.conn.IsConnected() }

// ClientIP is the address that NATS sees this gateway by; it is not valid while
// NATS is unavailable.
func (c *Cluster) ClientIP() netip.Addr {
	if !c.Connected() {
		return netip.Addr{}
	}
	ip, err := c.conn.GetClientIP()
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// Stats are a Cluster's counters since Open.
type Stats struct {
	Connected bool   // NATS is available now
	Gateways  int    // that have sent a heartbeat lately, this one among them
	Published uint64 // messages
	Received  uint64 // messages that were taken
	Dropped   uint64 // messages that were not: forged, old, or there before
}

// Stats returns the counters as they are now.
func (c *Cluster) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{c.Connected(), 1 + len(c.others), c.published.Load(), c.received.Load(), c.dropped.Load()}
}

// Close leaves the cluster and ends the connection to NATS. Call it after
// Gateway.Shutdown and Pool.Shutdown. The error is always nil.
func (c *Cluster) Close() error {
	c.mu.Lock()
	m := c.member
	c.mu.Unlock()
	if m != nil {
		m.Leave()
	}
	c.cancel()
	c.work.Wait()
	closed := make(chan struct{})
	c.conn.SetClosedHandler(func(*nats.Conn) { close(closed) })
	c.conn.Close()
	select {
	case <-closed: // its goroutines have ended
	case <-time.After(5 * time.Second):
	}
	return nil
}

// run publishes that this gateway is alive, and checks which others are.
func (c *Cluster) run(ctx context.Context) {
	ticker := time.NewTicker(heartbeatInterval)
	defer ticker.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c.heartbeat()
		// A gateway that stood still itself has not heard the others: what they said
		// waits to be read.
		now := time.Now()
		if now.Sub(looked) < 2*heartbeatInterval {
			c.sweep(now)
		} else {
			c.resetHeard(now)
		}
		looked = now
		c.forgetOld(now)
	}
}
