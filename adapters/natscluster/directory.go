package natscluster

import (
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/agent"
)

// A membership is this gateway's in the directory.
type membership struct {
	cluster *Cluster
	send    func(message)
	agent.Member

	mu        sync.Mutex // held while something is said of this gateway
	number    uint64     // of the last change
	loads     uint64     // heartbeats that told of sessions
	announced agent.Holding
	links     map[uint64]agent.Held // of said, by their numbers
	gone      bool
}

// other is another gateway.
type other struct {
	heard  time.Time // when it said something last
	asked  time.Time // when it was asked for its list last
	number uint64    // of its last change that is known
	loads  uint64    // its heartbeats that told of sessions
	whole  bool      // its list is known
	links  map[uint64]agent.Held
	list   agent.Holding // of which parts have come
	parts  int           // that have come; zero: the next is the first of a list

	listNumber, listLoads uint64 // of all its parts
}

// Join begins to publish what the member holds. It is called once: a second member
// replaces the first, which is not called any more.
func (c *Cluster) Join(m agent.Member) agent.Membership {
	joined := &membership{cluster: c, send: c.send, Member: m, links: make(map[uint64]agent.Held)}
	c.mu.Lock()
	c.member = joined
	c.mu.Unlock()
	joined.Changed()
	c.send(message{Kind: kindAsk})
	return joined
}

// connected asks the others for what this gateway has missed, and sends them what
// they have.
func (c *Cluster) connected() {
	<-c.ready
	if m := c.current(); m != nil {
		m.announceAll()
	}
	c.send(message{Kind: kindAsk})
	c.publishRevoked()
}

func (c *Cluster) current() *membership {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.member
}

func (c *Cluster) heartbeat() {
	if m := c.current(); m != nil {
		m.announce(true)
	}
}

// Changed tells the others what has changed.
func (m *membership) Changed() { m.announce(false) }

// announce tells what differs from what was said last, and with heartbeat that this gateway
// is alive.
func (m *membership) announce(heartbeat bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return
	}
	now := m.Holding()
	if now.URL == "" {
		return // NATS is unavailable, or nobody could reach this gateway
	}
	change := agent.Holding{Gateway: now.Gateway, URL: now.URL, Leaving: now.Leaving, Partial: true}
	sessions := make(map[uint64]int)
	links := make(map[uint64]agent.Held, len(now.Agents))
	now.Agents = slices.Clone(now.Agents)
	for i, l := range now.Agents {
		old, known := m.links[l.Link]
		switch {
		case !known || !same(old, l):
			change.Agents = append(change.Agents, l)
		case old.Sessions != l.Sessions && heartbeat:
			sessions[l.Link] = l.Sessions
		case old.Sessions != l.Sessions: // the next heartbeat says so
			l.Sessions = old.Sessions
			now.Agents[i] = l // a list tells what heartbeats go on from
		}
		links[l.Link] = l
	}
	for number := range m.links {
		if _, still := links[number]; !still {
			change.Gone = append(change.Gone, number)
		}
	}
	moved := now.URL != m.announced.URL || now.Leaving != m.announced.Leaving
	if !heartbeat && !moved && len(change.Agents)+len(change.Gone) == 0 {
		return
	}
	m.announced, m.links = now, links
	switch {
	case len(change.Agents)+len(change.Gone) > inOnePart:
		m.number++
		m.list()
	case moved || len(change.Agents)+len(change.Gone) > 0:
		m.number++
		m.send(message{Kind: kindChange, Number: m.number, Holding: &change})
	}
	if heartbeat {
		if len(sessions) > 0 {
			m.loads++
		}
		m.send(message{Kind: kindHeartbeat, Number: m.number, Sessions: sessions, Loads: m.loads})
	}
}

// same reports whether two are alike in all that is a change.
func same(a, b agent.Held) bool {
	a.Sessions, a.RTT = b.Sessions, b.RTT
	return a.Since.Equal(b.Since) && equalBut(a, b)
}

func equalBut(a, b agent.Held) bool {
	a.Since = b.Since
	return a == b
}

func (m *membership) announceAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.gone {
		m.list()
	}
}

// list sends all that was said, in parts. The caller holds mu.
func (m *membership) list() {
	if m.announced.URL == "" {
		return
	}
	parts := max(1, (len(m.announced.Agents)+inOnePart-1)/inOnePart)
	for i := range parts {
		part := m.announced
		part.Agents = part.Agents[i*inOnePart : min((i+1)*inOnePart, len(part.Agents))]
		m.send(message{Kind: kindList, Number: m.number, Loads: m.loads, Holding: &part, Part: i, Parts: parts})
	}
}

// Leave tells the others that this gateway is gone.
func (m *membership) Leave() {
	m.mu.Lock()
	if m.gone {
		m.mu.Unlock()
		return
	}
	m.gone = true
	m.mu.Unlock()
	m.send(message{Kind: kindBye})
	if m.cluster.conn.IsConnected() {
		// The process may end next. A gateway that does not get it notices the silence.
		_ = m.cluster.conn.FlushTimeout(time.Second)
	}
	c := m.cluster
	c.notifying.Lock() // so that no call to the member is running any more
	defer c.notifying.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.member = nil
}

// answer sends what this gateway holds to a gateway that asks.
func (c *Cluster) answer(m message) {
	if own := c.current(); own != nil {
		own.announceAll()
	}
	if m.To == "" {
		c.publishRevokedSoon()
	}
}

// receive records what another gateway publishes of itself.
func (c *Cluster) receive(m message) {
	c.notifying.Lock()
	defer c.notifying.Unlock()
	c.mu.Lock()
	member, o := c.member, c.others[m.From]
	if m.Kind == kindBye {
		delete(c.others, m.From)
		c.mu.Unlock()
		if member != nil && o != nil {
			member.Lost(m.From)
		}
		return
	}
	if o == nil {
		o = &other{links: make(map[uint64]agent.Held)}
		c.others[m.From] = o
	}
	o.heard = time.Now()
	c.mu.Unlock()
	// What follows is touched by this goroutine alone, which NATS calls with one
	// message after the other.
	change, missed := o.take(m)
	if missed && time.Since(o.asked) > heartbeatInterval {
		o.asked = time.Now()
		c.send(message{Kind: kindAsk, To: m.From})
	}
	if change != nil && member != nil {
		change.Gateway = m.From
		member.Heard(*change)
	}
}

// take returns what a member is told of a message, if anything, and whether
// something was missed.
func (o *other) take(m message) (change *agent.Holding, missed bool) {
	switch m.Kind {
	case kindHeartbeat:
		if !o.whole || m.Number != o.number || !o.follows(m) {
			return nil, true
		}
		o.loads = m.Loads
		return o.setSessions(m.Sessions), false
	case kindChange:
		if m.Holding == nil || !o.whole || m.Number != o.number+1 {
			return nil, true
		}
		o.number = m.Number
		h := *m.Holding
		h.Partial = true
		for _, l := range h.Agents {
			o.links[l.Link] = l
		}
		for _, number := range h.Gone {
			delete(o.links, number)
		}
		o.list.URL, o.list.Leaving = h.URL, h.Leaving
		return &h, false
	case kindList:
		return o.takePart(m)
	}
	return nil, false
}

func (o *other) takePart(m message) (change *agent.Holding, missed bool) {
	switch {
	case m.Holding == nil:
		return nil, true
	case m.Part == 0:
		o.list, o.parts, o.listNumber, o.listLoads = *m.Holding, 1, m.Number, m.Loads
	case m.Part == o.parts && m.Number == o.listNumber && m.Loads == o.listLoads:
		o.list.Agents = append(o.list.Agents, m.Holding.Agents...)
		o.parts++
	default:
		return nil, true
	}
	if o.parts < m.Parts {
		return nil, false
	}
	h := o.list
	h.Partial, h.Gone = false, nil
	o.list.Agents, o.parts = nil, 0
	o.whole, o.number, o.loads = true, m.Number, m.Loads
	o.links = make(map[uint64]agent.Held, len(h.Agents))
	for _, l := range h.Agents {
		o.links[l.Link] = l
	}
	return &h, false
}

// follows reports whether no heartbeat that told of sessions is missing before this one. A
// gateway that does not count them sends zero.
func (o *other) follows(m message) bool {
	next := o.loads
	if len(m.Sessions) > 0 {
		next++
	}
	return m.Loads == 0 || m.Loads == next
}

// setSessions is what a member is told of links that carry other numbers of sessions.
func (o *other) setSessions(sessions map[uint64]int) *agent.Holding {
	if len(sessions) == 0 {
		return nil
	}
	h := agent.Holding{URL: o.list.URL, Leaving: o.list.Leaving, Partial: true}
	for number, n := range sessions {
		if l, known := o.links[number]; known {
			l.Sessions = n
			o.links[number] = l
			h.Agents = append(h.Agents, l)
		}
	}
	return &h
}

// sweep drops the gateways that have been silent for too long.
func (c *Cluster) sweep(now time.Time) {
	c.notifying.Lock()
	defer c.notifying.Unlock()
	c.mu.Lock()
	member := c.member
	var lost []string
	for name, o := range c.others {
		if now.Sub(o.heard) > silentAfter {
			lost = append(lost, name)
			delete(c.others, name)
		}
	}
	c.mu.Unlock()
	for _, name := range lost {
		c.o.Logger.Info("gateway is silent", "gateway", name)
		if member != nil {
			member.Lost(name)
		}
	}
}

// resetHeard sets the time of each gateway's last message to now.
func (c *Cluster) resetHeard(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.others {
		o.heard = now
	}
}
