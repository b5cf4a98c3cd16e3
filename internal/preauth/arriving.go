package preauth

import "slices"

// While a head of HTTP/1.1 arrives, net/http holds of short fields many times what was sent,
// and bounds the length alone. What a connection without a key may hold is small up to
// smallHead bytes. So few connections at a time may send more of a head, and whoever does
// not end its head makes room for others: of those of its network, or else of all, the one
// whose head has been large for longest is closed.
//
// What is counted are bytes of the socket. Below TLS they are those of a handshake, too.
const (
	smallHead = 6 << 10

	// ahead is what net/http may have read of the next head together with a request.
	ahead = 4 << 10

	maxLarge          = 128
	maxLargeOfNetwork = 16
)

// Read counts what arrives of a head.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if n > 0 && c.inHead.Load() {
		if longest := c.guard.arrives(c, n); longest != nil {
			longest.Close()
		}
	}
	return n, err
}

// arrives counts n bytes, and returns the connection that has to go for them, if any.
func (g *Guard) arrives(c *Conn, n int) (longest *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.inAll == nil || !c.inHead.Load() {
		return nil
	}
	before := c.head
	if c.head += n; c.head <= smallHead || before > smallHead {
		return nil
	}
	of := 0
	for _, l := range g.large {
		if l.network == c.network && c.network.IsValid() {
			if of++; longest == nil {
				longest = l
			}
		}
	}
	switch {
	case of >= maxLargeOfNetwork:
	case len(g.large) >= maxLarge:
		longest = g.large[0]
	default:
		longest = nil
	}
	if longest != nil {
		g.remove(longest)
	}
	g.large = append(g.large, c)
	return longest
}

// expectHead has what arrives from now on count, so many bytes of it already.
func (g *Guard) expectHead(c *Conn, arrived int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endHead(c)
	c.head = arrived
	c.inHead.Store(c.inAll != nil)
}

// endHead ends the count; mu is held.
func (g *Guard) endHead(c *Conn) {
	c.inHead.Store(false)
	if c.head > smallHead {
		g.large = slices.DeleteFunc(g.large, func(l *Conn) bool { return l == c })
	}
	c.head = 0
}

// headRead ends the count of a head that has arrived.
func (c *Conn) headRead() {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.endHead(c)
}
