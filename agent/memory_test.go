package agent_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A wire is an in-memory connection whose bytes take a while, and which can go
// dead without telling its ends, or be frozen: then it takes no more bytes.
type wire struct {
	gateway, agent net.Conn
	inner          [2]net.Conn
	dead, frozen   atomic.Bool
	over           context.Context // ends with cut
	end            context.CancelFunc
	wg             sync.WaitGroup
}

func newWire(delay time.Duration) *wire {
	w := new(wire)
	w.over, w.end = context.WithCancel(context.Background())
	w.gateway, w.inner[0] = net.Pipe()
	w.agent, w.inner[1] = net.Pipe()
	type chunk struct {
		due   time.Time
		bytes []byte
	}
	carry := func(from, to net.Conn) {
		queue := make(chan chunk, 1<<16)
		w.wg.Go(func() {
			defer to.Close()
			for c := range queue {
				time.Sleep(time.Until(c.due))
				if !w.dead.Load() {
					to.Write(c.bytes)
				}
			}
		})
		w.wg.Go(func() {
			defer close(queue)
			for {
				buf := make([]byte, 64<<10)
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				if w.frozen.Load() {
					<-w.over.Done()
				}
				queue <- chunk{time.Now().Add(delay), buf[:n]}
			}
		})
	}
	carry(w.inner[0], w.inner[1])
	carry(w.inner[1], w.inner[0])
	return w
}

// cut ends the wire as the death of a process does.
func (w *wire) cut() {
	w.end()
	w.inner[0].Close()
	w.inner[1].Close()
}

// A memoryLink is a pool and an agent with a wire between them, for the inside of a
// synctest bubble.
type memoryLink struct {
	*wire
	pool   *agent.Pool
	exit   agent.Exit
	stop   context.CancelFunc
	gone   chan error // the gateway's side has ended
	left   chan error // the agent's side has ended
	ended  sync.WaitGroup
	target chan net.Conn // the far ends of what the agent has dialled
}

func newMemoryLink(t *testing.T, delay time.Duration, o agent.RunOptions) *memoryLink {
	t.Helper()
	return newMemoryLinkOver(t, delay, o, func(c net.Conn) net.Conn { return c })
}

// newMemoryLinkOver has the gateway's connection be what wrap makes of it.
func newMemoryLinkOver(t *testing.T, delay time.Duration, o agent.RunOptions, wrap func(net.Conn) net.Conn) *memoryLink {
	t.Helper()
	log, _ := newLog(t)
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	o.Gateways, o.Secret, o.Slug, o.Country, o.Logger, o.AllowPrivate, o.AllowCleartext = []string{"http://gw"}, secret, "de1", "DE", log, true, true
	l := &memoryLink{wire: newWire(delay), pool: p, gone: make(chan error, 1), left: make(chan error, 1), target: make(chan net.Conn, 1000)}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.ended.Go(func() { l.gone <- p.AttachConn(wrap(l.gateway)) })
	l.ended.Go(func() {
		l.left <- agent.JoinConn(ctx, o, l.agent, func(context.Context, string) (net.Conn, error) {
			near, far := net.Pipe()
			l.target <- far
			return near, nil
		})
	})
	time.Sleep(10 * time.Second)
	l.exit, err = p.SelectAgent(ctx, agent.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *memoryLink) end() {
	l.stop()
	l.cut()
	l.ended.Wait()
	l.wg.Wait()
}

func TestLink_PeerSilent_IsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLink(t, 20*time.Millisecond, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		far := <-l.target
		defer far.Close()
		// An idle link lives.
		time.Sleep(10 * time.Minute)
		if n := l.pool.Agents()[0].Links; n != 1 {
			t.Fatal("an idle link is lost")
		}
		if rtt := l.pool.Agents()[0].RTT; rtt != 40*time.Millisecond {
			t.Errorf("round trip is %v", rtt)
		}

		l.dead.Store(true)
		died := time.Now()
		_, err = c.Read(make([]byte, 1))
		if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || de.Timeout() {
			t.Errorf("read: %v, want the agent's fault", err)
		}
		if after := time.Since(died); after > 30*time.Second {
			t.Errorf("the gateway notices after %v", after)
		}
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the target reads %v", err)
		}
		if after := time.Since(died); after > 32*time.Second {
			t.Errorf("the target's connection ends after %v", after)
		}
		<-l.gone
		<-l.left
		if after := time.Since(died); after > 32*time.Second {
			t.Errorf("both sides have noticed after %v", after)
		}
		c.Close()
	})
}

func TestPool_AgentKilled_DropsItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		far := <-l.target
		defer far.Close()
		go io.WriteString(far, "a prefix")
		prefix := make([]byte, 8)
		if _, err := io.ReadFull(c, prefix); err != nil {
			t.Fatal(err)
		}
		died := time.Now()
		l.cut()
		_, err = c.Read(prefix)
		if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || errors.Is(err, io.EOF) {
			t.Errorf("read: %v, want the agent's fault", err)
		}
		if after := time.Since(died); after > time.Millisecond {
			t.Errorf("noticed after %v", after)
		}
	})
}

// An unresponsive target keeps its stream half open. Closing is bounded all
// the same.
func TestConn_TargetUnresponsive_CloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		far := <-l.target
		began := time.Now()
		c.Close()
		if time.Since(began) != 0 {
			t.Error("Close waits")
		}
		far.Read(make([]byte, 1)) // a pipe has no half-close: this ends with the session
		if after := time.Since(began); after != 5*time.Second {
			t.Errorf("the target's connection ends after %v", after)
		}
	})
}

// A hundred readers that stall on a warm link with a long round trip: what the
// targets can send until they stall too is what the two processes hold.
func TestLink_ReadersStall_MemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 100
		l := newMemoryLink(t, 40*time.Millisecond, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		time.Sleep(time.Minute) // the round trip has been measured

		var warming, sending sync.WaitGroup
		var inFlight atomic.Int64
		var conns []net.Conn
		for range sessions {
			c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			far := <-l.target
			sending.Go(func() {
				defer far.Close()
				buf := make([]byte, 32<<10)
				for {
					n, err := far.Write(buf)
					inFlight.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			warming.Go(func() {
				n, err := io.CopyN(io.Discard, c, 1<<20)
				inFlight.Add(-n)
				if err != nil {
					t.Errorf("read: %v", err)
				}
			})
		}
		warming.Wait()
		time.Sleep(10 * time.Second) // all that can be sent has been
		held := inFlight.Load()
		t.Logf("%d stalled sessions hold %.1f MiB", sessions, float64(held)/(1<<20))
		// In the gateway 64 MiB, in the agent one buffer a session, and what
		// the multiplexer has queued.
		if most := int64(64<<20 + sessions*(64<<10) + 8<<20); held > most {
			t.Errorf("%d stalled sessions hold %d MiB, want at most %d", sessions, held>>20, most>>20)
		}
		if held < sessions*(300<<10) {
			t.Errorf("%d stalled sessions hold only %d MiB: they were not warm", sessions, held>>20)
		}

		// A fresh session is not held up by them.
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		far := <-l.target
		go io.Copy(far, far)
		began := time.Now()
		for range 20 {
			wantEcho(t, c, "fresh")
		}
		if each := time.Since(began) / 20; each > 100*time.Millisecond {
			t.Errorf("an echo takes %v with the others stalled, want about one round trip of 80 ms", each)
		}
		c.Close()
		far.Close()
		for _, c := range conns {
			c.(interface{ SetLinger(int) error }).SetLinger(0)
			c.Close()
		}
		sending.Wait()
	})
}

// send writes a message as the protocol frames it.
func send(c net.Conn, body string) {
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...))
}

// receive reads one.
func receive(t *testing.T, c net.Conn) map[string]any {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPool_HostileHello_IsRefused(t *testing.T) {
	big := strings.Repeat("x", 5<<10)
	for name, tc := range map[string]struct {
		send    func(net.Conn)
		refused string // the text of a readable refusal; empty: the connection just ends
		within  time.Duration
	}{
		"future version": {func(c net.Conn) { send(c, `{"version":2,"instance":"i","slug":"de1","country":"DE"}`) }, "upgrade the older one", 0},
		"future kinds": {func(c net.Conn) {
			send(c, `{"instance":["i"],"links":{"a":1},"version":3,"slug":{"name":"de1"},"country":276}`)
		}, "upgrade the older one", 0},
		"wrong kinds": {func(c net.Conn) { send(c, `{"version":1,"instance":"i","slug":7,"country":"DE"}`) }, "", 0},
		"no version":  {func(c net.Conn) { send(c, `{}`) }, "upgrade the older one", 0},
		"no instance": {func(c net.Conn) { send(c, `{"version":1,"slug":"de1","country":"DE"}`) }, "names no instance", 0},
		"no slug":     {func(c net.Conn) { send(c, `{"version":1,"instance":"i","country":"DE"}`) }, "slug", 0},
		"no country":  {func(c net.Conn) { send(c, `{"version":1,"instance":"i","slug":"de1"}`) }, "country", 0},
		"unknown fields": {func(c net.Conn) {
			send(c, `{"version":1,"instance":"i","slug":"de1","country":"Germany","new":{"a":[1]}}`)
		}, "country", 0},
		"huge":     {func(c net.Conn) { send(c, `{"version":1,"instance":"`+big+`"}`) }, "", 0},
		"not JSON": {func(c net.Conn) { send(c, `hello`) }, "", 0},
		"empty":    {func(c net.Conn) { send(c, ``) }, "", 0},
		"silent":   {func(net.Conn) {}, "", 10 * time.Second},
		"slow": {func(c net.Conn) {
			for {
				if _, err := c.Write([]byte{1}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, "", 10 * time.Second},
		"no control stream": {func(c net.Conn) {
			send(c, `{"version":1,"instance":"i","slug":"de1","country":"DE"}`)
			io.Copy(io.Discard, c)
		}, "", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				gw, c := net.Pipe()
				var wg sync.WaitGroup
				began := time.Now()
				wg.Go(func() {
					if err := p.AttachConn(gw); err == nil {
						t.Error("the agent is let in")
					}
					if after := time.Since(began); after > tc.within {
						t.Errorf("it takes %v to be rid of it", after)
					}
				})
				wg.Go(func() { tc.send(c) })
				if tc.refused != "" {
					if m := receive(t, c); m["version"] != 1.0 || !strings.Contains(m["refused"].(string), tc.refused) {
						t.Errorf("answer is %v", m)
					}
				} else {
					wg.Go(func() { io.Copy(io.Discard, c) })
				}
				wg.Wait()
				c.Close()
				if n := len(p.Agents()); n != 0 {
					t.Errorf("%d agents", n)
				}
			})
		})
	}
}
