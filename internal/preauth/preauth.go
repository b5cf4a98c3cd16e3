// Package preauth bounds the connections that have shown no valid key.
//
// Each connection that is accepted waits until one of its requests shows a key:
//
//	Accept ──▶ waiting ──▶ active ──▶ idle ──▶ active …   net/http says which
//	              │           │         │
//	              └───────────┴─────────┴──▶ known          a key was shown: no
//	                                                        bound holds any more
//
// Of one network, an IPv4 address or an IPv6 /64, at most so many are kept, and
// of all together as many as leave descriptors for callers with a key. Beyond
// that the connection that has waited longest is closed, not the new one: who
// floods closes connections of its own.
package preauth

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/upgrade"
)

// Options say how many connections without a key are kept.
type Options struct {
	PerNetwork int            // of one network; at most 0: no limit
	Total      int            // of all networks; at most 0: no limit
	Trusted    []netip.Prefix // proxies: their connections do not count for a network, and may be idle for longer
	Logger     *slog.Logger

	// BodyTimeout is how long the body of a request without a key may take. At most 0:
	// the constant of that name.
	BodyTimeout time.Duration

	// StallTimeout is how long a client without a key may take no byte of an answer. At
	// most 0: the constant of that name.
	StallTimeout time.Duration

	// Wrong counts the wrong credentials of all connections together, whatever they are
	// meant for. Nil: the guard has a Counter of its own.
	Wrong *attempts.Counter
}

// IdleTimeout is how long a connection that has shown no key may be idle between
// two requests. A trusted proxy's may be as long as the server allows.
const IdleTimeout = 20 * time.Second

// Guard knows the connections without a key. It is safe for concurrent use.
type Guard struct {
	o Options

	mu     sync.Mutex
	all    queue
	of     map[netip.Prefix]*queue
	warned time.Time

	lingering map[*Conn]struct{}
	streams   map[*streamWriter]struct{} // whose handlers run
	tails     map[*heldRequest]struct{}  // whose handlers have returned, and whose streams are not over
	over      atomic.Bool                // no connection lingers any more
}

// New returns a Guard.
func New(o Options) *Guard {
	if o.Wrong == nil {
		o.Wrong = new(attempts.Counter)
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = BodyTimeout
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = StallTimeout
	}
	return &Guard{o: o, of: make(map[netip.Prefix]*queue)}
}

// A queue holds connections in the order in which they have waited, those whose
// request is being served apart, so that a flood of either kind costs no search.
type queue struct {
	waiting, active list.List // of *Conn; the one that has waited longest first
}

func (q *queue) len() int { return q.waiting.Len() + q.active.Len() }

// push puts a connection behind all others of its kind.
func (q *queue) push(c *Conn) *list.Element {
	if c.active {
		return q.active.PushBack(c)
	}
	return q.waiting.PushBack(c)
}

func (q *queue) remove(e *list.Element) {
	q.waiting.Remove(e) // one of the two has it
	q.active.Remove(e)
}

// longest returns the connection that has waited longest, one whose request is being
// served only when all others are; nil for an empty queue.
func (q *queue) longest() *Conn {
	e := q.waiting.Front()
	if e == nil {
		e = q.active.Front()
	}
	if e == nil {
		return nil
	}
	return e.Value.(*Conn)
}

// A Conn is a connection that a Guard has accepted. Reading and writing are not
// its business, save that of heads: see Socket.
type Conn struct {
	*net.TCPConn
	guard   *Guard
	network netip.Prefix // not valid: it does not count there
	trusted bool

	// Guarded by guard.mu. Without a place the connection is known or closed.
	inAll, inNetwork *list.Element
	active           bool // a request is being served
	hijacked         bool
	idle             *time.Timer
	stall            *time.Timer // while active
	acked            uint64      // bytes that the client had acknowledged at the last look
	taking           time.Time   // when it last took some, or there was nothing to take
	held             int         // by the requests of HTTP/2 that have shown no key

	secured bool                      // TLS runs on it, which ListenTLS has begun
	reading atomic.Int32              // uncounted, inBody or inHead
	arrival arrival                   // of whoever reads
	unread  atomic.Pointer[bodyBound] // of a request whose body has not ended; nil: every body has
}

// Socket returns the connection for those who read and write it directly.
func (c *Conn) Socket() *net.TCPConn { return c.TCPConn }

// KeyShown ends every bound: a valid key, or an agent's secret, was shown.
func (c *Conn) KeyShown() { c.guard.forget(c) }

// Attempts returns the Counter of the wrong credentials that the connection shows.
func (c *Conn) Attempts() *attempts.Counter { return c.guard.o.Wrong }

// Listen returns a listener whose connections count. Only TCP connections do.
// Accept does not end for want of a descriptor: it closes the connection that has
// waited longest, and tries again.
func (g *Guard) Listen(l net.Listener) net.Listener { return &listener{l, g} }

type listener struct {
	net.Listener
	guard *Guard
}

// The pause grows while descriptors are missing.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

func (l *listener) Accept() (net.Conn, error) {
	pause := minPause
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err == nil:
			return l.guard.accept(conn), nil
		case !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE):
			return nil, err
		}
		l.guard.exhausted(err)
		time.Sleep(pause)
		pause = min(2*pause, maxPause)
	}
}

// exhausted makes room when no descriptor is left, and says so once a minute.
func (g *Guard) exhausted(err error) {
	g.mu.Lock()
	now := time.Now()
	warn := now.Sub(g.warned) >= time.Minute
	if warn {
		g.warned = now
	}
	longest := g.all.longest()
	waiting := g.all.len()
	g.mu.Unlock()
	if warn {
		g.o.Logger.Warn("connections wait: no file descriptor is left; raise the limit of open files", "without_key", waiting, "err", err)
	}
	if longest != nil {
		longest.cut()
	}
}

func (g *Guard) accept(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	c := &Conn{TCPConn: tcp, guard: g}
	if peer, err := netip.ParseAddrPort(tcp.RemoteAddr().String()); err == nil {
		addr := peer.Addr().Unmap().WithZone("")
		c.trusted = slices.ContainsFunc(g.o.Trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
		if !c.trusted && addr != loopback4 && addr != loopback6 {
			c.network = attempts.Network(addr)
		}
	}
	for _, longest := range g.enter(c) {
		longest.cut()
	}
	return c
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// enter gives a connection its place, behind all others, and returns those that
// have to go for it.
func (g *Guard) enter(c *Conn) (surplus []*Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.network.IsValid() {
		of := g.of[c.network]
		if of == nil {
			of = new(queue)
			g.of[c.network] = of
		}
		if g.o.PerNetwork > 0 && of.len() >= g.o.PerNetwork {
			surplus = append(surplus, of.longest())
			g.remove(surplus[0])
			g.of[c.network] = of // it was dropped when it became empty
		}
		c.inNetwork = of.push(c)
	}
	if g.o.Total > 0 && g.all.len() >= g.o.Total {
		longest := g.all.longest()
		g.remove(longest)
		surplus = append(surplus, longest)
	}
	c.inAll = g.all.push(c)
	return surplus
}

func (g *Guard) forget(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
}

// remove takes a connection's place away; mu is held.
func (g *Guard) remove(c *Conn) {
	if c.inAll == nil {
		return
	}
	g.all.remove(c.inAll)
	c.inAll = nil
	if c.inNetwork != nil {
		of := g.of[c.network]
		of.remove(c.inNetwork)
		c.inNetwork = nil
		if of.len() == 0 {
			delete(g.of, c.network)
		}
	}
	for _, timer := range []**time.Timer{&c.idle, &c.stall} {
		if *timer != nil {
			(*timer).Stop()
			*timer = nil // a session that is idle for long holds its Conn
		}
	}
}

// Len returns how many connections have shown no key.
func (g *Guard) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all.len()
}

// ConnContext is for [http.Server.ConnContext]: requests that show a key say so, and
// those that show a wrong one count together.
func (g *Guard) ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if c := accepted(conn); c != nil {
		return upgrade.WithKeyShown(attempts.Sharing(withConn(ctx, c), c), c.KeyShown)
	}
	return ctx
}

// ConnState is for [http.Server.ConnState].
func (g *Guard) ConnState(conn net.Conn, state http.ConnState) {
	c := accepted(conn)
	if c == nil {
		return
	}
	c.bodyOver()
	switch state {
	case http.StateNew:
		if _, secure := conn.(*tls.Conn); !secure { // HTTP/2, or a TLS that is not ListenTLS's
			c.expectHead(c.bounded())
		}
	case http.StateActive:
		g.wait(c, true, false)
	case http.StateIdle:
		g.wait(c, false, true)
		if c.reading.Load() != uncounted {
			c.expectHead(c.bounded())
		}
	case http.StateHijacked: // a socket that has not said whose it is
		c.reading.Store(uncounted)
		g.hijack(c)
		g.wait(c, false, false)
	}
}

// hijack notes that the connection's deadlines are a handler's.
func (g *Guard) hijack(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.hijacked = true
}

// wait notes what a connection does from now on, and puts it behind all others.
func (g *Guard) wait(c *Conn, active, idle bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.inAll == nil {
		return
	}
	c.active = active
	g.all.remove(c.inAll)
	c.inAll = g.all.push(c)
	if c.inNetwork != nil {
		of := g.of[c.network]
		of.remove(c.inNetwork)
		c.inNetwork = of.push(c)
	}
	switch {
	case idle && !c.trusted && c.idle == nil:
		c.idle = time.AfterFunc(IdleTimeout, c.expire)
	case idle && !c.trusted:
		c.idle.Reset(IdleTimeout)
	case c.idle != nil:
		c.idle.Stop()
	}
	switch {
	case active:
		c.watch()
	case c.stall != nil:
		c.stall.Stop()
	}
}

// expire closes a connection that is still idle.
func (c *Conn) expire() {
	c.guard.mu.Lock()
	waiting := c.inAll != nil && !c.active
	c.guard.mu.Unlock()
	if waiting {
		c.cut()
	}
}

// accepted returns the Guard's own connection, also below TLS; nil when it is another one.
func accepted(conn net.Conn) *Conn {
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = outer.NetConn()
	}
	c, _ := conn.(*Conn)
	return c
}
