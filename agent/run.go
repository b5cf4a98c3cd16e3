package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/hostcall"
)

// RunOptions are the options of [Run]. Gateways, and Secret or ReadSecret, are required.
//
// In every number zero stands for the default that the field names. A negative number
// means what the field says, in DrainTimeout; everywhere else Run refuses it with the name
// of the field.
type RunOptions struct {
	// Gateways are the URLs (http, https, ws or wss) of the gateways to serve.
	// A URL that does not end in /agents/attach gets that added to its path.
	// Each address that a name resolves to gets a link of its own, without a proxy:
	// HTTPS_PROXY and similar variables are not used.
	Gateways []string

	// AllowCleartext allows gateways at http:// and ws:// that are not on
	// loopback. The secret and all traffic then cross the network in clear.
	AllowCleartext bool

	Secret string // the secret of the gateways, or the token of this agent

	// ReadSecret, if not nil, returns the secret before each attach, in place
	// of Secret. It is called concurrently. Its error ends Run at the start;
	// later it is logged, and the attach is tried again.
	ReadSecret func() (string, error)

	// Slug and Country, ISO 3166-1 alpha-2, are what the agent claims to be.
	// Both may be empty if the gateways have a record for the secret: its slug
	// and country count in any case.
	Slug    string
	Country string

	// AllowPrivate lets sessions reach loopback, private and link-local
	// addresses, the metadata services of clouds among them. No gateway can.
	// It also lets gateways name peers at such addresses.
	AllowPrivate bool

	AllowOnLink bool        // lets sessions reach public addresses on this machine's networks
	AllowPorts  []PortRange // the only ports that sessions reach; nil: all but 25

	Policy         Rules         // narrows what sessions may reach further
	Resolver       Resolver      // of targets and gateways; nil: net.DefaultResolver
	ResolveTimeout time.Duration // longest name lookup; 0: 5 s
	DialTimeout    time.Duration // longest attempt to reach one address; 0: 10 s

	// Links is how many gateways of one cluster the agent keeps links to. Each
	// gateway outside a cluster gets a link too. 0: 2.
	Links int

	MaxSessions  int           // sessions at a time, over all gateways; 0: no limit
	DrainTimeout time.Duration // how long old sessions may go on when ctx has ended; 0: 10 s; negative: not at all

	Version string       // shown in the gateway's list of agents
	TLS     *tls.Config  // for https and wss; nil: the system's roots. ServerName is set for each gateway
	Logger  *slog.Logger // nil: slog.Default(). One line for each change of state
}

// Run is an agent. It dials out to its gateways, carries their sessions, and
// dials again when a link is lost, for ever. When ctx ends it takes no new
// session, lets the old ones finish within DrainTimeout, and returns nil; every
// goroutine has ended by then. It returns an error only for options that cannot
// work.
func Run(ctx context.Context, o RunOptions) error {
	r, err := newRunner(o)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	r.run(ctx)
	return nil
}

// A runner is what the links of one agent share.
type runner struct {
	o            RunOptions
	named        Exit // slug and country of our own claim
	instance     string
	dialer       *dialer
	drainTimeout time.Duration
	log          *slog.Logger
	places       places
	linking      sync.WaitGroup // the connectors
	work         sync.WaitGroup // what runs on links, and may end after them

	inflows inflows

	mu         sync.Mutex
	open       map[*session]struct{}
	connectors map[string]*connector // by gateway URL and address
	urls       map[string]*gateway   // that were configured, or named by a welcome
	links      map[string]*agentLink // live links, by gateway id
	wake       chan struct{}         // closed when links or urls have changed

	maxLinks  int
	clustered bool          // the gateways reach agents through each other
	attempts  int           // to make a link, under way
	moreRoom  chan struct{} // closed when links or attempts have changed
}

func newRunner(o RunOptions) (*runner, error) {
	r := &runner{
		o: o, instance: rand.Text(),
		places:       places{most: o.MaxSessions},
		inflows:      inflows{most: usualInflow},
		drainTimeout: max(cmp.Or(o.DrainTimeout, 10*time.Second), 0),
		log:          hostcall.Logger(cmp.Or(o.Logger, slog.Default())),
		named:        Exit{Slug: o.Slug, Country: o.Country},
		open:         map[*session]struct{}{},
		connectors:   map[string]*connector{}, urls: map[string]*gateway{}, links: map[string]*agentLink{}, wake: make(chan struct{}),
		maxLinks: cmp.Or(o.Links, usualLinks), moreRoom: make(chan struct{}),
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := r.setGateways(); err != nil {
		return nil, err
	}
	r.dialer = newDialer(DirectOptions{
		AllowPrivate: o.AllowPrivate, AllowOnLink: o.AllowOnLink, AllowPorts: o.AllowPorts, Policy: o.Policy, Resolver: o.Resolver,
		ResolveTimeout: o.ResolveTimeout, DialTimeout: o.DialTimeout,
	})
	return r, nil
}

// check refuses options that cannot work, and fills in the name.
func (r *runner) check() error {
	o := &r.o
	if len(o.Gateways) == 0 {
		return errors.New("RunOptions.Gateways is empty")
	}
	if err := errors.Join(notNegative("RunOptions.Links", o.Links), notNegative("RunOptions.MaxSessions", o.MaxSessions),
		notNegative("RunOptions.ResolveTimeout", o.ResolveTimeout), notNegative("RunOptions.DialTimeout", o.DialTimeout)); err != nil {
		return err
	}
	if _, err := r.secret(); err != nil {
		return fmt.Errorf("RunOptions.Secret %w", err)
	}
	if o.Slug != "" || o.Country != "" {
		if err := r.named.checkName(); err != nil {
			return fmt.Errorf("RunOptions: %w", err)
		}
	}
	if err := o.Policy.valid(); err != nil {
		return fmt.Errorf("RunOptions.Policy: %w", err)
	}
	return nil
}

func (r *runner) setGateways() error {
	for _, raw := range r.o.Gateways {
		u, err := parseGateway(raw)
		if err != nil {
			return fmt.Errorf("RunOptions.Gateways: %w", err)
		}
		if r.inClear(u) {
			return fmt.Errorf("RunOptions.Gateways: %q is neither encrypted nor on loopback: the secret and all traffic would cross in clear;"+
				" write https:// or wss://, or allow it with --allow-cleartext", raw)
		}
		r.urls[u.String()] = &gateway{url: u}
	}
	return nil
}

// secret is what the agent shows at its next attach.
func (r *runner) secret() (string, error) {
	secret := r.o.Secret
	if r.o.ReadSecret != nil {
		var err error
		if secret, err = r.o.ReadSecret(); err != nil {
			return "", fmt.Errorf("cannot be read: %w", err)
		}
	}
	switch {
	case secret == "":
		return "", errors.New("is empty")
	case !fitsHeader(secret):
		return "", errors.New("has a space at an end, or characters that no header can carry")
	}
	return secret, nil
}

// resolveEvery is how often the gateways' names are looked up again.
const resolveEvery = 30 * time.Second

// resolvePause is the least time between two look-ups of a name.
const resolvePause = time.Second

// run looks the gateways' names up, again and again, and keeps a connector for each
// address, until ctx ends and the connectors have ended.
func (r *runner) run(ctx context.Context) {
	for {
		r.mu.Lock()
		wake := r.wake
		urls := make([]*gateway, 0, len(r.urls))
		for _, g := range r.urls {
			urls = append(urls, g)
		}
		r.mu.Unlock()
		var lookups sync.WaitGroup
		var missing atomic.Bool
		for _, g := range urls {
			lookups.Go(func() {
				if !r.lookup(ctx, g) {
					missing.Store(true)
				}
			})
		}
		lookups.Wait()

		timer := time.NewTimer(resolveEvery)
		if missing.Load() {
			timer.Reset(jitter(retryLongest))
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			r.linking.Wait()
			r.cutAll()
			r.work.Wait()
			return
		case <-wake:
			timer.Stop()
			// A gateway that comes and goes must not have its name looked up
			// without a pause.
			pause(ctx, resolvePause)
		case <-timer.C:
		}
	}
}

// changed wakes all that wait for links or gateways to change. The caller
// holds mu.
func (r *runner) changed() {
	close(r.wake)
	r.wake = make(chan struct{})
}

// keep makes l the link to its gateway, or says why not: there is a newer one, or
// there are enough.
func (r *runner) keep(l *agentLink) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.links[l.welcome.Gateway]
	if old != nil && old.welcome.Link > l.welcome.Link {
		return &refusedError{codeDuplicate, "a newer link to this gateway is in use"}
	}
	if r.clustered != l.welcome.Cluster {
		r.clustered = l.welcome.Cluster
		r.changed() // an address gets another number of connectors
	}
	if r.clustered && old == nil && r.stableLinks() >= r.maxLinks {
		return errEnoughLinks
	}
	r.links[l.welcome.Gateway] = l
	r.roomChanged()
	if old != nil {
		old.mux.Close()
	}
	return nil
}

func (r *runner) drop(l *agentLink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[l.welcome.Gateway] == l {
		delete(r.links, l.welcome.Gateway)
	}
	r.roomChanged()
	r.changed()
}

func (r *runner) dial(ctx context.Context, q request, extra []Rules) (net.Conn, error) {
	return r.dialer.dial(ctx, q.Network, q.Addr, extra...)
}

func (r *runner) resolve(ctx context.Context, q request, extra []Rules) ([]netip.Addr, error) {
	return r.dialer.resolve(ctx, q.Addr, extra...)
}

// call is refused: only gateways ask each other.
func (r *runner) call(context.Context, []byte) ([]byte, error) { return nil, causeFailed }

func (r *runner) start(work func()) { r.work.Go(work) }
func (r *runner) hold()             { r.work.Add(1) }
func (r *runner) release()          { r.work.Done() }

// cutAll ends the sessions that are left when all links are gone.
func (r *runner) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.open {
		s.cut()
	}
}

// linkedTo lists the gateways that there are links to, as many as fit into
// half a hello: one that is left out finds out by the number of its link.
func (r *runner) linkedTo() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := slices.Sorted(maps.Keys(r.links))
	room := maxHello / 2
	for i, id := range ids {
		written, err := json.Marshal(id)
		if room -= len(written) + 1; err != nil || room < 0 {
			return ids[:i]
		}
	}
	return ids
}

// waker is closed at the next change of links or gateways.
func (r *runner) waker() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wake
}

// pause waits for d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
