package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/hostcall"
)

// A Pool is the network of exits that a gateway knows: an [http.Handler] where
// agents attach, and a selector that picks one for each request. It is safe
// for concurrent use.
//
// A connection through a remote agent fails as a TCP connection does when its
// target is lost, and with a *DialError of [FaultAgent] when the agent is. It
// is a [HalfCloser], a [WaitReader], a [DrainTeller] and a [Resetter], whose
// Close resets the target's connection. Connections of exits from Add can do
// what the exit's can; TCP ones keep their SyscallConn.
type Pool struct {
	id         string
	local      bool
	policy     *Rules
	peers      []string
	maxLinks   int
	clientAddr func(*http.Request) netip.Addr
	log        *slog.Logger

	ctx    context.Context // ends with Shutdown
	stop   context.CancelFunc
	wg     sync.WaitGroup
	health health
	wrong  attempts.Counter // wrong credentials
	failed attempts.Counter // links that came to nothing
	linked atomic.Uint64    // links ever, which are numbered

	publishing sync.Mutex // from a change of records until it is published

	mu       sync.Mutex // guards what follows
	draining bool

	// Who may attach.
	secrets        map[[32]byte]bool // hashes of the shared secrets
	records        map[[32]byte]*Record
	goneRecords    map[string]bool                // ids of those that SetRecords took away
	revokedRecords map[string]time.Time           // ids of those that other gateways took away, until when
	publishRecord  func(id string, restored bool) // tells other gateways; nil: this one is alone

	// The exits.
	attached int // connections of agents, those that are shaking hands among them
	entries  []*entry
	owned    []string      // slugs of the exits that Add brought
	changed  chan struct{} // closed when exits that take sessions may have come

	// The other gateways.
	cluster *cluster     // nil: this gateway is alone
	carried []*agentLink // those that open streams here
	answer  func(context.Context, []byte) ([]byte, error)
}

// An entry is one exit of the pool: one that Add brought, or the links of the
// agents that share a slug and a country.
type entry struct {
	exit   Exit
	own    *counter      // for an exit that Add brought, else nil
	links  []*link       // guarded by Pool.mu
	remote []*remoteLink // of other gateways; guarded likewise
}

// NewPool makes a pool with no exits. It starts no goroutine; Shutdown ends the
// links of agents that have attached.
func NewPool(o PoolOptions) (*Pool, error) {
	if err := o.whoAttaches(); err != nil {
		return nil, err
	}
	if err := notNegative("PoolOptions.MaxAgents", o.MaxAgents); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	p := &Pool{
		id: rand.Text(), local: o.LocalOnly, peers: slices.Clone(o.Peers),
		changed: make(chan struct{}), goneRecords: map[string]bool{}, revokedRecords: map[string]time.Time{},
		maxLinks: cmp.Or(o.MaxAgents, 10000), log: hostcall.Logger(cmp.Or(o.Logger, slog.Default())), clientAddr: o.ClientAddr,
	}
	if p.clientAddr == nil {
		p.clientAddr = connectionAddr
	}
	var secrets []string
	if o.Secret != "" {
		secrets = []string{o.Secret}
	}
	var err error
	if p.secrets, err = hashSecrets("PoolOptions.Secret", secrets); err != nil {
		return nil, err
	}
	if p.records, err = hashRecords("PoolOptions.Records", o.Records, p.secrets); err != nil {
		return nil, err
	}
	if p.policy, err = o.policy(); err != nil {
		return nil, err
	}
	if err := o.checkPeers(); err != nil {
		return nil, err
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p, nil
}

// Add adds an exit to the pool, such as one of this process. Its ID may be
// empty (farwire-SLUG) and must be new. From then on its slug is taken: no
// agent can attach with it, and those that have lose their links. Sessions
// through it are counted until their connections are closed.
func (p *Pool) Add(e Exit) error {
	if e.DialContext == nil {
		return errors.New("agent: an exit without DialContext")
	}
	if err := e.checkName(); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer p.clusterChanged()
	p.mu.Lock()
	defer p.mu.Unlock()
	var taken []*link
	for _, old := range p.entries {
		switch {
		case old.own == nil && strings.EqualFold(old.exit.Slug, e.Slug):
			taken = append(taken, old.links...)
		case old.exit.ID == e.ID:
			return fmt.Errorf("agent: there is an exit with the id %q already", e.ID)
		}
	}
	for _, r := range p.records {
		if strings.EqualFold(r.Slug, e.Slug) {
			return fmt.Errorf("agent: the slug %q belongs to an agent with a record", e.Slug)
		}
	}
	p.entries = append(p.entries, p.localEntry(e))
	p.owned = p.ownSlugs()
	p.dismiss(taken, "the slug belongs to the gateway's own exit")
	p.announce()
	return nil
}

// Remove removes an exit of Add, or ends the links of agents with this ID; an
// agent whose secret or record is still valid comes back. Connections through
// agents are cut; those of an exit of Add go on. It reports whether there was
// one.
func (p *Pool) Remove(id string) bool {
	defer p.clusterChanged()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := false
	p.entries = slices.DeleteFunc(p.entries, func(e *entry) bool {
		if e.exit.ID != id {
			return false
		}
		found = true
		p.dismiss(e.links, "removed by the gateway's operator")
		return e.own != nil
	})
	p.owned = p.ownSlugs()
	return found
}

// announce wakes who waits for exits. The caller holds mu.
func (p *Pool) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// WaitReady waits until an exit takes sessions, or ctx ends, whose cause it
// returns.
func (p *Pool) WaitReady(ctx context.Context) error {
	for {
		p.mu.Lock()
		ready := !p.draining && slices.ContainsFunc(p.entries, func(e *entry) bool { _, ok := e.load(Rules{}); return ok })
		changed := p.changed
		p.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Info is what the pool knows of one exit.
type Info struct {
	ID, Slug, Country string
	State             State
	Links             int           // tunnels to agents of this name, over all gateways; 0 for an exit of this process
	Sessions          int           // connections open through them, dials included
	RTT               time.Duration // shortest round trip to an agent of this name; 0: unknown or local
	Version           string        // software of the agent that attached last; empty: unknown

	// ExitIP is the public address that the agent which attached last comes from:
	// with a network of one address, the one that targets see. The zero Addr: not
	// known, or in this process.
	ExitIP netip.Addr

	// Gateways are the names of the gateways that hold agents of this name, of a
	// pool that has joined a cluster.
	Gateways []string
}

// Fits reports whether the exit's slug and country satisfy the query, whose
// Exclude plays no part.
func (i Info) Fits(q Query) bool {
	q.Exclude = nil
	return q.Fits(Exit{ID: i.ID, Slug: i.Slug, Country: i.Country})
}

// Agents lists the exits, ordered by slug and country.
func (p *Pool) Agents() []Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	infos := make([]Info, 0, len(p.entries))
	for _, e := range p.entries {
		if e.hidden(p.owned) {
			continue
		}
		in := Info{ID: e.exit.ID, Slug: e.exit.Slug, Country: e.exit.Country, Links: len(e.links), State: p.health.state(e.exit.Key(), "")}
		if e.own != nil {
			in.Sessions = int(e.own.sessions.Load())
		}
		draining := len(e.links) > 0 || len(e.remote) > 0
		for _, l := range e.links {
			in.Sessions += int(l.sessions.Load())
			if rtt := l.mux.RTT(); rtt > 0 && (in.RTT == 0 || rtt < in.RTT) {
				in.RTT = rtt
			}
			in.Version = l.software
			if l.exitIP.IsValid() {
				in.ExitIP = l.exitIP
			}
			draining = draining && l.draining.Load()
		}
		if p.cluster != nil {
			remote := in.addRemote(e, p.cluster.name)
			draining = draining && remote
		}
		if draining || p.draining {
			in.State = Draining
		}
		infos = append(infos, in)
	}
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(strings.Compare(a.Slug, b.Slug), strings.Compare(a.Country, b.Country), strings.Compare(a.ID, b.ID))
	})
	return infos
}

// Shutdown lets no agent attach and picks none any more, tells those that are
// attached, waits until no connection is open through them or ctx ends, and
// ends the links. It returns the context's error when connections were cut.
// Agents go on looking for the gateway.
func (p *Pool) Shutdown(ctx context.Context) error {
	p.awaitLeave(ctx)
	p.mu.Lock()
	p.draining = true
	var links []*link
	for _, e := range p.entries {
		links = append(links, e.links...)
	}
	carried := slices.Clone(p.carried)
	var member Membership
	c := p.cluster
	if c != nil {
		member = c.membership
	}
	p.mu.Unlock()
	p.clusterChanged()

	whole := drainAll(ctx, links, c.live(), carried)
	if member != nil {
		member.Leave()
	}
	p.stop()
	p.wg.Wait()
	if !whole {
		return context.Cause(ctx)
	}
	return nil
}

// drainAll ends the links to agents and those of other gateways, carried, once nothing goes
// through any, nor through the links to other gateways, peers. It reports whether that came
// before the end of ctx.
func drainAll(ctx context.Context, agents, peers []*link, carried []*agentLink) bool {
	var wg, carriers sync.WaitGroup
	var cut atomic.Bool
	for _, l := range carried {
		carriers.Go(func() { l.drain(ctx, "") })
	}
	told := make(chan struct{})
	wg.Go(func() { carriers.Wait(); close(told) })
	for _, l := range agents {
		wg.Go(func() {
			// The gateways for whom sessions are carried are told first that this one is
			// going away: else they take the agent for lost.
			stop := context.AfterFunc(ctx, func() { <-told; l.mux.Close() })
			defer stop()
			l.bye(codeShutdown, "gateway is shutting down")
			if !l.idle(ctx) {
				cut.Store(true)
				<-told
			}
			l.leave()
		})
	}
	for _, l := range peers {
		wg.Go(func() {
			l.drained() // who keeps connections for later use closes them
			if !l.idle(ctx) {
				cut.Store(true)
			}
		})
	}
	wg.Wait()
	return !cut.Load()
}

func (p *Pool) isDraining() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.draining || p.cluster != nil && p.cluster.leaving.Load()
}
