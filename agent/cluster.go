package agent

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ClusterOptions are the options of [Pool.Join].
type ClusterOptions struct {
	// Name tells this gateway from the others. Required.
	Name string

	// URL returns where the others reach this pool's handler, http or https; a path
	// is completed with /agents/attach. Empty: not known yet. Required.
	URL func() string

	// Secrets prove that gateways belong together: two that hold one in common let
	// each other in. At least one, each of 32 bytes or more. The first is tried first.
	Secrets func() [][]byte

	// Directory says who holds which agent. Required.
	Directory Directory
}

// A cluster is a pool's part in many gateways.
type cluster struct {
	pool       *Pool
	name       string
	url        func() string
	secrets    func() [][]byte
	idle       time.Duration // how long a connection without a stream is kept
	membership Membership
	leaving    atomic.Bool   // no agent attaches any more
	left       atomic.Bool   // the others are told so
	moved      chan struct{} // closed behind it

	// others and the fields of its values are guarded by Pool.mu.
	others  map[string]*remoteGateway // by name
	entries map[string]*entry         // of remote agents, by their keys

	peers struct {
		sync.Mutex
		links  map[string]*peerLink // to be used, by the gateway's name
		live   map[*link]struct{}   // all that have not ended
		warned map[string]time.Time // when the log said last that one cannot be reached
	}
}

// A remoteGateway is another gateway of the cluster.
type remoteGateway struct {
	name, url string
	leaving   bool
	links     map[uint64]*remoteLink
}

// A remoteLink is a link of another gateway to an agent.
type remoteLink struct {
	Held
	gateway *remoteGateway
	entry   *entry
}

// minClusterSecret is the length in bytes below which a secret is refused.
const minClusterSecret = 32

// Join makes the pool one of several that share their agents: each reaches all of
// them, over its own link where it has one, else through a gateway that has, which
// uses its own link only. Call it once, before the pool is used. Shutdown leaves.
func (p *Pool) Join(o ClusterOptions) error {
	switch {
	case o.URL == nil:
		return errors.New("agent: ClusterOptions.URL is nil")
	case o.Name == "" || len(o.Name) > 128 || !fitsHeader(o.Name):
		return errors.New("agent: ClusterOptions.Name: want 1 to 128 printable characters")
	case o.Directory == nil:
		return errors.New("agent: ClusterOptions.Directory is nil")
	case o.Secrets == nil || len(o.Secrets()) == 0:
		return errors.New("agent: ClusterOptions.Secrets is empty")
	}
	for _, s := range o.Secrets() {
		if len(s) < minClusterSecret {
			return fmt.Errorf("agent: ClusterOptions.Secrets: one has %d bytes, want at least %d", len(s), minClusterSecret)
		}
	}
	c := &cluster{pool: p, name: o.Name, url: o.URL, secrets: o.Secrets, idle: peerIdle, moved: make(chan struct{}),
		others: map[string]*remoteGateway{}, entries: map[string]*entry{}}
	c.peers.links, c.peers.live, c.peers.warned = map[string]*peerLink{}, map[*link]struct{}{}, map[string]time.Time{}
	p.mu.Lock()
	if p.cluster != nil {
		p.mu.Unlock()
		return errors.New("agent: the pool has joined already")
	}
	p.cluster = c
	p.wg.Go(c.balance)
	for _, e := range p.entries {
		if e.own == nil {
			c.entries[e.exit.key] = e
		}
	}
	p.mu.Unlock()
	m := o.Directory.Join(Member{Holding: c.holding, Heard: c.received, Lost: c.lost})
	p.mu.Lock()
	c.membership = m
	p.mu.Unlock()
	m.Changed()
	return nil
}

// Gateways lists the names of the gateways of the cluster, this one's first; none
// without a cluster.
func (p *Pool) Gateways() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cluster == nil {
		return nil
	}
	return append([]string{p.cluster.name}, slices.Sorted(maps.Keys(p.cluster.others))...)
}

// clusterChanged tells the others that links have come or gone. It must not be
// called with Pool.mu held.
func (p *Pool) clusterChanged() {
	p.mu.Lock()
	c := p.cluster
	p.mu.Unlock()
	if c != nil {
		c.changed()
	}
}

func (p *Pool) clustered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cluster != nil
}

func (c *cluster) changed() {
	c.pool.mu.Lock()
	m := c.membership
	c.pool.mu.Unlock()
	if m != nil {
		m.Changed()
	}
}

// holding is what this gateway says of itself.
func (c *cluster) holding() Holding {
	p, url := c.pool, c.url() // the host's function, which may ask the pool
	p.mu.Lock()
	defer p.mu.Unlock()
	h := Holding{Gateway: c.name, URL: url, Leaving: c.left.Load() || p.draining}
	for i, e := range p.entries {
		if e.own != nil {
			h.Agents = append(h.Agents, Held{Link: ownLinks + uint64(i), ID: e.exit.ID, Slug: e.exit.Slug, Country: e.exit.Country,
				Instance: p.id + e.exit.ID, EnforcesRules: true, Sessions: int(e.own.sessions.Load())})
		}
		for _, l := range e.links {
			h.Agents = append(h.Agents, Held{Link: l.number, ID: e.exit.ID, Slug: e.exit.Slug, Country: e.exit.Country,
				Instance: l.instance, Version: l.software, EnforcesRules: l.knowsRules, Draining: l.draining.Load(),
				Sessions: int(l.sessions.Load()), RTT: l.mux.RTT().Round(time.Millisecond), ExitIP: l.exitIP, Since: l.since})
		}
	}
	return h
}

// ownLinks is where the numbers of exits that have no link begin.
const ownLinks = 1 << 40

// received takes note of what another gateway holds.
func (c *cluster) received(h Holding) {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Gateway == c.name || h.Gateway == "" {
		return
	}
	g := c.others[h.Gateway]
	if g == nil {
		g = &remoteGateway{name: h.Gateway, links: map[uint64]*remoteLink{}}
		c.others[h.Gateway] = g
		p.mayMove()
	}
	g.url, g.leaving = h.URL, h.Leaving
	here := make(map[uint64]bool, len(h.Agents))
	came := false
	for _, held := range h.Agents {
		here[held.Link] = true
		came = c.put(g, held) || came
	}
	for number, l := range g.links {
		if !h.Partial && !here[number] || slices.Contains(h.Gone, number) {
			c.drop(l)
		}
	}
	if came {
		p.announce()
	}
}

// put notes a link of another gateway, and reports whether it is new. The caller
// holds Pool.mu.
func (c *cluster) put(g *remoteGateway, held Held) bool {
	if old := g.links[held.Link]; old != nil {
		if old.Slug == held.Slug && old.Country == held.Country {
			old.Held = held
			return false
		}
		c.drop(old)
	}
	e := Exit{ID: held.ID, Slug: held.Slug, Country: held.Country}
	if e.checkName() != nil || held.Instance == "" {
		return false
	}
	l := &remoteLink{Held: held, gateway: g}
	l.entry = c.pool.remote(e)
	l.entry.remote = append(l.entry.remote, l)
	g.links[held.Link] = l
	c.pool.health.attached(l.entry.exit.Key())
	c.pool.outlived(l.entry, held)
	return true
}

// drop forgets a link of another gateway. The caller holds Pool.mu.
func (c *cluster) drop(l *remoteLink) {
	delete(l.gateway.links, l.Link)
	e := l.entry
	if at := slices.Index(e.remote, l); at >= 0 {
		e.remote = slices.Delete(e.remote, at, at+1)
	}
	c.pool.dropEmpty(e)
}

// lost forgets a gateway. Connections through it that still run go on.
func (c *cluster) lost(gateway string) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	g := c.others[gateway]
	if g == nil {
		return
	}
	for _, l := range g.links {
		c.drop(l)
	}
	delete(c.others, gateway)
}

// remote is the entry of the agents of a name; there is one from now on. The
// caller holds mu.
func (p *Pool) remote(named Exit) *entry {
	key := remoteKey(named)
	if e := p.known(key); e != nil {
		return e
	}
	e := p.remoteEntry(named)
	p.entries = append(p.entries, e)
	if p.cluster != nil {
		p.cluster.entries[key] = e
	}
	return e
}

// known is the entry of the agents of a key; nil: nothing leads to them. The caller
// holds mu.
func (p *Pool) known(key string) *entry {
	if p.cluster != nil {
		return p.cluster.entries[key]
	}
	at := slices.IndexFunc(p.entries, func(e *entry) bool { return e.own == nil && e.exit.key == key })
	if at < 0 {
		return nil
	}
	return p.entries[at]
}

// remoteKey names the agents of a slug and country. An ID has no space, so no exit
// of Add has this key.
func remoteKey(e Exit) string { return "agents " + strings.ToLower(e.Slug) + "/" + e.Country }

// dropEmpty takes an entry that nothing leads to out of the pool. The caller holds
// mu.
func (p *Pool) dropEmpty(e *entry) {
	if e.own != nil || len(e.links) > 0 || len(e.remote) > 0 {
		return
	}
	if p.cluster != nil {
		delete(p.cluster.entries, e.exit.key)
	}
	p.entries = slices.DeleteFunc(p.entries, func(other *entry) bool { return other == e })
}

// outlived dismisses the links of an exclusive slug that are older than one of
// another gateway. The caller holds mu.
func (p *Pool) outlived(e *entry, newer Held) {
	if !p.exclusive(e.exit.Slug) || newer.Draining {
		return
	}
	for _, other := range p.entries {
		if !strings.EqualFold(other.exit.Slug, e.exit.Slug) {
			continue
		}
		for _, l := range other.links {
			if l.instance != newer.Instance && l.since.Before(newer.Since) {
				p.wg.Go(func() { l.bye(codeReplaced, "another agent has attached with the exclusive slug "+l.exit.Slug) })
			}
		}
	}
}

// ownSlugs are those of the exits that Add brought. The caller holds mu.
func (p *Pool) ownSlugs() (slugs []string) {
	for _, e := range p.entries {
		if e.own != nil {
			slugs = append(slugs, e.exit.Slug)
		}
	}
	return slugs
}

// hidden reports whether an exit of Add has taken the slug of these agents, which
// others hold.
func (e *entry) hidden(own []string) bool {
	return e.own == nil && len(e.remote) > 0 && slices.ContainsFunc(own, func(slug string) bool { return strings.EqualFold(slug, e.exit.Slug) })
}

// takes reports whether sessions may be opened over a link of another gateway.
func (l *remoteLink) takes(r Rules) bool {
	return !l.Draining && !l.gateway.leaving && (l.EnforcesRules || r.empty())
}

// holders returns the gateways that reach the agents of an entry, the one with the
// less loaded link of two random ones first. The caller holds mu.
func (e *entry) holders(r Rules, shuffle func(int, func(int, int))) []*remoteGateway {
	var links []*remoteLink
	for _, l := range e.remote {
		if l.takes(r) {
			links = append(links, l)
		}
	}
	shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
	if len(links) > 1 && links[1].Sessions < links[0].Sessions {
		links[0], links[1] = links[1], links[0]
	}
	var gateways []*remoteGateway
	for _, l := range links {
		if !slices.Contains(gateways, l.gateway) {
			gateways = append(gateways, l.gateway)
		}
	}
	return gateways
}

// addRemote adds to an Info what other gateways say of the agents of an entry.
func (in *Info) addRemote(e *entry, own string) (draining bool) {
	draining = true
	if len(e.links) > 0 || e.own != nil {
		in.Gateways = append(in.Gateways, own)
	}
	for _, l := range e.remote {
		in.Links++
		in.Sessions += l.Sessions
		if l.RTT > 0 && (in.RTT == 0 || l.RTT < in.RTT) {
			in.RTT = l.RTT
		}
		in.Version, in.ExitIP = cmp.Or(in.Version, l.Version), cmp.Or(in.ExitIP, l.ExitIP)
		if !slices.Contains(in.Gateways, l.gateway.name) {
			in.Gateways = append(in.Gateways, l.gateway.name)
		}
		draining = draining && l.Draining
	}
	slices.Sort(in.Gateways)
	return draining
}

// advertised parses the URL of another gateway.
func (g *remoteGateway) advertised() (*url.URL, error) { return parseGateway(g.url) }
