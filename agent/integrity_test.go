package agent_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A breakableProxy passes connections on to an address until cut closes them,
// and all later ones.
type breakableProxy struct {
	url  string
	ln   net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	gone bool
	open []*net.TCPConn
}

func newBreakableProxy(t *testing.T, to string) *breakableProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &breakableProxy{url: "http://" + ln.Addr().String(), ln: ln}
	c.wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			c.mu.Lock()
			c.open = append(c.open, in.(*net.TCPConn), out.(*net.TCPConn))
			if c.gone {
				in.Close()
				out.Close()
			}
			c.mu.Unlock()
			c.wg.Go(func() { io.Copy(in, out); in.Close(); out.Close() })
			c.wg.Go(func() { io.Copy(out, in); in.Close(); out.Close() })
		}
	})
	t.Cleanup(func() { ln.Close(); c.cut(); c.wg.Wait() })
	return c
}

func (c *breakableProxy) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, conn := range c.open {
		conn.SetLinger(0)
		conn.Close()
	}
}

// pattern is the stream of a session: reading it anywhere else, or out of
// order, shows.
func pattern(session uint64) io.Reader {
	return rand.NewChaCha8([32]byte{byte(session), byte(session >> 8), 1})
}

// Sessions over two agents, bytes both ways, and one of the agents dies in the
// middle. Those of the other lose nothing; those of the dead one have exact
// prefixes and end with its fault, and their targets are reset, so that nobody
// takes a part for the whole.
func TestSession_AnotherAgentDies_KeepsItsBytes(t *testing.T) {
	const sessions, size, upTo = 30, 2 << 20, 32 << 10
	p, srv, _ := newPool(t, agent.PoolOptions{})
	gateway := strings.TrimPrefix(srv.URL, "http://")
	breakable := newBreakableProxy(t, gateway)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "stays", Country: "DE", AllowPrivate: true})
	run(t, agent.RunOptions{Gateways: []string{breakable.url}, Slug: "dies", Country: "DE", AllowPrivate: true})
	attached(t, p, 2)

	var mu sync.Mutex
	ends := map[string]int{} // how the targets' reading ended
	numbered := make(chan struct{}, sessions)
	addr := target(t, func(c *net.TCPConn) {
		var up sync.WaitGroup
		head := make([]byte, 1)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Errorf("not even a session's number: %v", err)
		}
		numbered <- struct{}{}
		up.Go(func() { // what the target says is the same pattern
			io.CopyN(c, pattern(uint64(head[0])), size)
			c.CloseWrite()
		})
		end := "whole"
		if n, err := follows(c, uint64(head[0])); err != nil && !errors.Is(err, errDamaged) {
			end = "reset"
		} else if err != nil {
			end = "damaged"
		} else if n != size {
			end = "a part as if it were the whole"
		}
		up.Wait()
		mu.Lock()
		ends[end]++
		mu.Unlock()
	})

	var all sync.WaitGroup
	var once sync.Once
	slugs := []string{"stays", "dies"}
	var conns []net.Conn
	for i := range sessions {
		c := dial(t, selectOne(t, p, agent.Query{Slugs: slugs[i%2 : i%2+1]}), addr)
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for range sessions {
		<-numbered
	}
	for i := range uint64(sessions) {
		slug, c := slugs[i%2], conns[i]
		all.Go(func() {
			src := pattern(i)
			buf := make([]byte, upTo)
			for left := size; left > 0; {
				chunk := buf[:min(left, 1+rand.IntN(upTo))]
				io.ReadFull(src, chunk)
				if _, err := c.Write(chunk); err != nil {
					if slug == "stays" {
						t.Errorf("session %d: writing: %v", i, err)
					}
					return
				}
				if left -= len(chunk); left < size/2 && slug == "dies" {
					once.Do(breakable.cut)
				}
			}
			c.(interface{ CloseWrite() error }).CloseWrite()
		})
		all.Go(func() {
			n, err := follows(c, i)
			var de *agent.DialError
			switch {
			case slug == "stays" && (n != size || err != nil):
				t.Errorf("session %d of the living agent: %d of %d bytes, %v", i, n, size, err)
			case slug == "dies" && n != size && (!errors.As(err, &de) || de.Fault != agent.FaultAgent):
				t.Errorf("session %d of the dead agent: after %d bytes %v, want the agent's fault", i, n, err)
			}
		})
	}
	all.Wait()
	eventually(t, "ended at every target", 30*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		sum := 0
		for _, n := range ends {
			sum += n
		}
		return sum == sessions
	})
	if ends["whole"] < sessions/2 || ends["reset"] == 0 || ends["whole"]+ends["reset"] != sessions {
		t.Errorf("the targets saw %v", ends)
	}
}

var errDamaged = errors.New("damaged")

// follows reads to the end and holds what comes to the pattern.
func follows(r io.Reader, session uint64) (int, error) {
	src := pattern(session)
	got, want := make([]byte, 64<<10), make([]byte, 64<<10)
	total := 0
	for {
		n, err := r.Read(got)
		io.ReadFull(src, want[:n])
		if !bytes.Equal(got[:n], want[:n]) {
			return total, errDamaged
		}
		total += n
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// A name of two gateways gives a link to each. When one goes, and the name
// then has another, that one is found.
func TestRun_NameResolvesAnew_LinksToTheNewGateway(t *testing.T) {
	log, _ := newLog(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	start := func(ln net.Listener) (*agent.Pool, func()) {
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: p}
		go srv.Serve(ln)
		stop := sync.OnceFunc(func() { srv.Close(); p.Shutdown(t.Context()) })
		t.Cleanup(stop)
		return p, stop
	}
	at := func(host string) net.Listener {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	p1, stop1 := start(ln)
	p2, _ := start(at("127.0.0.2"))
	p3, _ := start(at("127.0.0.3"))
	resolver := fixed(map[string][]string{"gw.test": {"127.0.0.1", "127.0.0.2"}})
	run(t, agent.RunOptions{Gateways: []string{"http://gw.test:" + port}, Resolver: resolver})
	attached(t, p1, 1)
	attached(t, p2, 1)
	if len(p3.Agents()) != 0 {
		t.Fatal("linked to a gateway that the name does not have")
	}
	resolver.mu.Lock()
	resolver.answers["gw.test"] = [][]string{{"127.0.0.2", "127.0.0.3"}}
	resolver.mu.Unlock()
	stop1()
	attached(t, p3, 1)
	attached(t, p2, 1)
}
