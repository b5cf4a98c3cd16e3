package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// answer answers each request on a connection with "fine" after a while, and returns when
// the connection ends.
func answer(target net.Conn, after time.Duration) {
	defer target.Close()
	for br := bufio.NewReader(target); ; {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		time.Sleep(after)
		io.WriteString(target, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
	}
}

// fetch asks for a URL and returns the body of its answer.
func fetch(ctx context.Context, c *Conns, exit agent.Exit, method, url string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := c.RoundTrip(req, ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// counts counts the connections of an exit that are open.
type counts struct{ open, dials atomic.Int64 }

func (n *counts) exit(dial func(ctx context.Context, network, addr string) (net.Conn, error)) agent.Exit {
	return agent.Exit{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		n.dials.Add(1)
		n.open.Add(1)
		return &countedConn{Conn: conn, n: n}, nil
	}}
}

type countedConn struct {
	net.Conn
	n    *counts
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.n.open.Add(-1) })
	return c.Conn.Close()
}

func TestConns_IdleConnections_AreBoundedInNumberAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(counts)
		exit := n.exit(func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go answer(far, time.Second)
			return near, nil
		})
		c := new(Conns)
		defer c.Close()
		all := func(first, hosts, atOnce int) {
			var asking sync.WaitGroup
			for i := range hosts {
				for range atOnce {
					asking.Go(func() {
						if _, b, err := fetch(t.Context(), c, exit, "GET", fmt.Sprintf("http://h%d.example/", first+i)); b != "fine" || err != nil {
							t.Errorf("%q, %v", b, err)
						}
					})
				}
			}
			asking.Wait()
			synctest.Wait()
		}
		all(0, 1, 3*perHost)
		if open := n.open.Load(); open != perHost {
			t.Errorf("%d idle connections to one host", open)
		}
		all(1, 2*perKey, 1)
		if open := n.open.Load(); open != perKey {
			t.Errorf("%d idle connections", open)
		}
		dialled := n.dials.Load()
		for range 10 {
			all(-1, 1, 1)
		}
		if more := n.dials.Load() - dialled; more != 1 {
			t.Errorf("%d connections for requests one after the other", more)
		}
		time.Sleep(keptFor - 3*sweepEach)
		all(-1, 1, 1)
		time.Sleep(5 * sweepEach)
		if open := n.open.Load(); open != 1 {
			t.Errorf("%d idle connections after %v", open, keptFor)
		}
		time.Sleep(keptFor + 2*sweepEach)
		if open := n.open.Load(); open != 0 || c.sweep != nil {
			t.Errorf("%d idle connections at last", open)
		}
	})
}

func TestConns_TargetClosesIdleConnection_SoDoWe(t *testing.T) {
	for _, socket := range []bool{true, false} {
		targets := make(chan net.Conn, 1)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var serving sync.WaitGroup
		serving.Go(func() {
			target, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			targets <- target
			answer(target, 0)
		})
		n := new(counts)
		exit := n.exit(new(net.Dialer).DialContext)
		if socket {
			exit = agent.Exit{DialContext: new(net.Dialer).DialContext}
		}
		c := new(Conns)
		if _, b, err := fetch(t.Context(), c, exit, "GET", "http://"+l.Addr().String()); b != "fine" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		open := func() int {
			c.openMu.Lock()
			defer c.openMu.Unlock()
			return len(c.open)
		}
		if open() != 1 {
			t.Error("it is not kept")
		}
		c.sweep.Stop()
		(<-targets).Close()
		for open() > 0 { // a socket is looked at now and then
			if time.Sleep(time.Millisecond); socket {
				c.sweepIdle()
			}
		}
		serving.Wait()
		c.Close()
	}
}

// A target that has agreed on HTTP/2 is asked over the connection on which it did, and
// over HTTP/1.1 when it does not agree any more.
func TestConns_HTTP2_IsSpokenAsLongAsTheTargetDoes(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := &Conns{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(server.Certificate())
	defer c.Close()
	addr := server.Listener.Addr().String()
	var n counts
	exit := agent.Exit{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		n.dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	ask := func(want string) {
		t.Helper()
		for _, method := range []string{"GET", "POST"} {
			if _, b, err := fetch(t.Context(), c, exit, method, "https://127.0.0.1"); b != want || err != nil {
				t.Errorf("%s: %q, %v", method, b, err)
			}
		}
	}
	ask("HTTP/2.0")
	if dials := n.dials.Load(); dials != 1 {
		t.Errorf("%d connections of HTTP/2", dials)
	}
	old := httptest.NewUnstartedServer(handler)
	old.TLS = &tls.Config{Certificates: server.TLS.Certificates}
	old.StartTLS()
	defer old.Close()
	addr = old.Listener.Addr().String()
	server.CloseClientConnections()
	for k := range c.pools {
		c.pools[k].http2Transport.CloseIdleConnections()
	}
	ask("HTTP/1.1")
	addr = server.Listener.Addr().String()
	old.CloseClientConnections()
	c.GiveUpDescriptors()
	ask("HTTP/2.0")
}
