package agent_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A link keeps nothing of connections that are closed, with bytes that nobody has read or
// without, of dials that failed and of look-ups.
func TestLink_ConnectionsEnd_NothingIsKept(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	const unread = 100 << 10
	addr := target(t, func(c *net.TCPConn) {
		c.Write(make([]byte, unread))
		io.Copy(io.Discard, c)
	})
	for range 3 {
		c := dial(t, e, addr)
		eventually(t, "bytes wait", 30*time.Second, func() bool { return p.Held() >= unread })
		if n := p.Conns(); n != 1 {
			t.Errorf("%d connections are known, want 1", n)
		}
		c.Close()
		eventually(t, "what was held is given back", 30*time.Second, func() bool { return p.Held() == 0 })
		if c, err := e.DialContext(withTimeout(t), "tcp", "127.0.0.1:1"); err == nil {
			c.Close()
			t.Error("nobody listens, and it is dialled")
		}
		if _, err := e.Resolve(withTimeout(t), "localhost"); err != nil {
			t.Error(err)
		}
		eventually(t, "nothing is known", 30*time.Second, func() bool { return p.Conns() == 0 })
	}
}
