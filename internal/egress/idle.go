package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/netio"
)

// A keptConn is a connection that is closed when its exit drains and no request uses
// it, or when its place is needed.
type keptConn struct {
	exitLossConn
	conns  *openConns
	exit   string       // the key of the exit
	used   atomic.Bool  // a request has had it
	made   atomic.Int64 // when it was handed over, in Unix nanoseconds; zero: it is being made
	uses   atomic.Int32 // requests up to the end of their answers; below zero: it is given up
	closed atomic.Bool
	stop   func()        // of who waits for the exit to drain; nil: nobody
	glance *netio.Glance // of TLS on what can be looked at; nil elsewhere
}

// Read reads what is below TLS, if there is TLS.
func (c *keptConn) Read(b []byte) (int, error) {
	if c.glance == nil {
		return c.exitLossConn.Read(b)
	}
	return c.glance.Read(c.exitLossConn, b)
}

func (c *keptConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.conns.remove(c)
	}
	if c.stop != nil {
		c.stop()
	}
	return c.Conn.Close()
}

// openConns are the connections that are not closed.
type openConns struct {
	openMu sync.Mutex
	open   map[*keptConn]struct{}
	gaveUp time.Time            // when descriptors were given up last
	roomy  map[string]time.Time // exits that have room again, and since when
}

func (o *openConns) add(c *keptConn) {
	o.openMu.Lock()
	defer o.openMu.Unlock()
	if o.open == nil {
		o.open = make(map[*keptConn]struct{})
	}
	o.open[c] = struct{}{}
}

func (o *openConns) remove(c *keptConn) {
	o.openMu.Lock()
	defer o.openMu.Unlock()
	delete(o.open, c)
}

// keptOf returns what is below a connection of a transport's; nil: none of ours.
func keptOf(conn net.Conn) *keptConn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*keptConn)
	return c
}

// handedOver notes that a new connection can be used now.
func handedOver(conn *keptConn) { conn.made.Store(time.Now().UnixNano()) }

// unclaimed is how long a new connection waits for its request.
const unclaimed = time.Second

// isIdle reports a connection that no request uses, or is about to use.
func (c *keptConn) isIdle() bool {
	made := c.made.Load()
	waits := made == 0 || !c.used.Load() && time.Since(time.Unix(0, made)) < unclaimed
	return !waits && c.uses.Load() == 0
}

// givenUp is added to the uses of a connection that is given up, so that who takes it
// after that sees it.
const givenUp = -1 << 30

// A use is a request's of its connection. Methods of nil do nothing.
type use struct {
	conn *keptConn
	gone bool // it is closed, and nothing of the request was sent
	once sync.Once
}

func useOf(conn net.Conn) *use {
	c := keptOf(conn)
	if c == nil {
		return nil
	}
	u := &use{conn: c, gone: c.uses.Add(1) < 0}
	c.used.Store(true)
	if u.gone {
		c.Close() // before anything can be written
	}
	return u
}

func (u *use) isGone() bool { return u != nil && u.gone }

func (u *use) end() {
	if u != nil {
		u.once.Do(func() { u.conn.uses.Add(-1) })
	}
}

// A usingBody is an answer's body whose end is that of a use.
type usingBody struct {
	io.ReadCloser
	use *use
}

func (b *usingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.use.end()
	}
	return n, err
}

func (b *usingBody) Close() error {
	defer b.use.end()
	return b.ReadCloser.Close()
}

// retireEvery is how soon a connection is closed that a request still uses when its
// exit drains.
const retireEvery = 250 * time.Millisecond

// retire has the connection closed when no request uses it: now, or a little later.
func (c *keptConn) retire() {
	switch {
	case c.closed.Load():
	case c.isIdle() && c.uses.CompareAndSwap(0, givenUp):
		c.Close()
	default:
		time.AfterFunc(retireEvery, c.retire)
	}
}

// giveUp resets those that no request uses, and returns how many. It does not ask
// net/http, which closes one after another and waits for TLS to say so on each. A request
// that takes one of them meanwhile is sent on another connection.
func (o *openConns) giveUp(which func(*keptConn) bool) (n int) {
	o.openMu.Lock()
	var idle []*keptConn
	for k := range o.open {
		if k.isIdle() && which(k) {
			idle = append(idle, k)
		}
	}
	o.openMu.Unlock()
	for _, k := range idle {
		if !k.uses.CompareAndSwap(0, givenUp) {
			continue
		}
		if r, ok := k.Conn.(agent.Resetter); ok {
			r.SetLinger(0)
		}
		k.Close()
		n++
	}
	return n
}

// GiveUpDescriptors closes connections of this process that no request uses, but not
// more than once a second, and returns how many.
func (o *openConns) GiveUpDescriptors() int {
	now := time.Now()
	o.openMu.Lock()
	lately := now.Sub(o.gaveUp) < time.Second
	if !lately {
		o.gaveUp = now
	}
	o.openMu.Unlock()
	if lately {
		return 0
	}
	return o.giveUp(func(k *keptConn) bool { return netio.TCP(k.Conn) != nil })
}

// The first pause before an exit that was overloaded is dialled again, each being twice
// as long, and the last: it ends a session when it hears that its connection is closed.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 1280 * time.Millisecond
)

// MakeRoom returns the exit for who needs new connections. What is idle is a session to
// an agent, which may take a certain number of them: when it takes no more, what is idle
// is given up for the new one.
func (c *Conns) MakeRoom(exit agent.Exit) agent.Exit {
	dial, key := exit.DialContext, exit.Key()
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if !overloaded(err) || !c.awaitsRoom(ctx, key) {
			return conn, err
		}
		for pause := firstPause; overloaded(err) && pause <= lastPause; pause *= 2 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil, err
			}
			conn, err = dial(ctx, network, addr)
		}
		return conn, err
	}
	return exit
}

// awaitsRoom gives up what is idle of an exit, or is about to be: a client may have the
// whole answer a moment before the connection to the target is known to be idle.
func (o *openConns) awaitsRoom(ctx context.Context, exit string) bool {
	for pause := firstPause; !o.makesRoom(exit); pause *= 2 {
		if pause > 4*firstPause || !o.has(exit) {
			return false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// has reports whether there are connections through an exit.
func (o *openConns) has(exit string) bool {
	o.openMu.Lock()
	defer o.openMu.Unlock()
	for k := range o.open {
		if k.exit == exit {
			return true
		}
	}
	return false
}

// makesRoom gives up what is idle of an exit, and reports whether its agent will have
// room: others may just have given up the same.
func (o *openConns) makesRoom(exit string) bool {
	n := o.giveUp(func(k *keptConn) bool { return k.exit == exit })
	now := time.Now()
	o.openMu.Lock()
	defer o.openMu.Unlock()
	for e, at := range o.roomy {
		if now.Sub(at) > 2*lastPause {
			delete(o.roomy, e)
		}
	}
	if n > 0 {
		if o.roomy == nil {
			o.roomy = make(map[string]time.Time)
		}
		o.roomy[exit] = now
	}
	_, ok := o.roomy[exit]
	return ok
}

func overloaded(err error) bool {
	var dial *agent.DialError
	return errors.As(err, &dial) && dial.Overloaded()
}
