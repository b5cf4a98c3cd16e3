package preauth

import (
	"maps"
	"slices"
	"time"
)

// An answer may come before the end of its request's body: a key is wrong, a limit is
// reached, a target has no use for the rest. net/http then closes the connection. What the
// client still sends is answered with a reset, and many clients, which send all of a
// body before they read, see "broken pipe" in place of the answer; a proxy in between
// says 502. So the rest is read and thrown away for a while (RFC 9112, section 9.6):
//
//	client ── body … ──────────────▶ thrown away
//	client ◀── answer, end of stream ── Close
//
// What is thrown away below TLS is not decrypted.

const (
	// lingerTime is how long the rest of a body is thrown away of a request that has shown
	// a key. Of others the body and its rest have the guard's BodyTimeout together.
	lingerTime = 30 * time.Second

	// lingerSilence is how long a client may send nothing of it.
	lingerSilence = 5 * time.Second
)

// Close closes the connection. When net/http closes it before the end of a request's body,
// it throws the rest away first, as long as the bounds allow; a second Close ends that.
func (c *Conn) Close() error {
	if b := c.unread.Swap(nil); b != nil {
		c.linger(b.lingerEnd())
	}
	return c.cut()
}

// cut closes the connection at once.
func (c *Conn) cut() error {
	c.bodyOver()
	c.guard.forget(c)
	return c.TCPConn.Close()
}

// lingerEnd returns until when the rest of the body is thrown away.
func (b *bodyBound) lingerEnd() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known {
		return time.Now().Add(lingerTime)
	}
	return b.until
}

// linger throws away what arrives until the client ends its stream or a bound is reached.
func (c *Conn) linger(end time.Time) {
	defer c.guard.lingered(c)
	if !c.guard.lingers(c) {
		return
	}
	if c.TCPConn.CloseWrite() != nil {
		return
	}
	buf := make([]byte, 16<<10)
	for c.patient(end) {
		if _, err := c.TCPConn.Read(buf); err != nil {
			return
		}
	}
}

// patient sets the deadline of the next read, and reports whether there is one.
func (c *Conn) patient(end time.Time) bool {
	now := time.Now()
	next := now.Add(lingerSilence)
	if next.After(end) {
		next = end
	}
	// In this order: Shutdown looks the other way round.
	return now.Before(end) && c.TCPConn.SetReadDeadline(next) == nil && !c.guard.over.Load()
}

// bodyOver notes that nothing more is read of the request's body.
func (c *Conn) bodyOver() {
	if c.unread.Swap(nil) != nil {
		c.guard.lingered(c)
	}
}

// lingers notes a connection of which the rest of a body is read that its handler has left,
// by net/http or by linger, and reports whether that may go on.
func (g *Guard) lingers(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over.Load() {
		return false
	}
	if g.lingering == nil {
		g.lingering = make(map[*Conn]struct{})
	}
	g.lingering[c] = struct{}{}
	return true
}

func (g *Guard) lingered(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.lingering, c)
}

// Shutdown has connections closed at once from now on, and waits for no rest of a body that
// its handler has left, and for no client without a key that takes nothing of an answer. It
// is for [http.Server.RegisterOnShutdown].
func (g *Guard) Shutdown() {
	g.mu.Lock()
	g.over.Store(true)
	for c := range g.lingering {
		c.endReading()
	}
	for e := g.all.active.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*Conn); c.stall != nil {
			c.stall.Reset(c.stallTimeout() / 4)
		}
	}
	streams, tails := slices.Collect(maps.Keys(g.streams)), maps.Clone(g.tails)
	g.mu.Unlock()
	for _, s := range streams { // without mu, which net/http needs to hear of it
		s.hurry()
	}
	if len(tails) > 0 { // no deadline can be set any more when a handler has returned
		time.AfterFunc(g.pieceTimeout(), func() { g.cutTails(tails) })
	}
}

// endReading has every read of the connection fail.
func (c *Conn) endReading() {
	_ = c.TCPConn.SetReadDeadline(time.Unix(1, 0)) // fails only when it is closed
}
