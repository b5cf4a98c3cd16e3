package agent_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

func TestRun_TwoAddressesOfOneGateway_LinkOnce(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	// A port that both 127.0.0.1 and 127.0.0.2 answer on, as two addresses of a
	// load balancer would.
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	both := &http.Server{Handler: p}
	go both.Serve(ln)
	defer both.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	names := fixed(map[string][]string{"gw.test": {"127.0.0.1", "127.0.0.2"}})
	_, book := run(t, agent.RunOptions{Gateways: []string{"http://gw.test:" + port}, AllowPrivate: true, Resolver: names})
	eventually(t, "one of two is enough", 30*time.Second, func() bool {
		return book.Count("linked by another address already") == 1 && len(p.Agents()) == 1 && p.Agents()[0].Links == 1
	})
	wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), "x")
	_ = srv
}

func TestRun_WelcomeNamesPeers_LinksToThem(t *testing.T) {
	p2, srv2, _ := newPool(t, agent.PoolOptions{})
	p1, srv1, _ := newPool(t, agent.PoolOptions{Peers: []string{srv2.URL}})
	run(t, agent.RunOptions{Gateways: []string{srv1.URL}, AllowPrivate: true})
	attached(t, p1, 1)
	attached(t, p2, 1)

	// An agent that may not reach private addresses cannot be sent there by a
	// gateway either.
	c := newCanary(t)
	p3, srv3, _ := newPool(t, agent.PoolOptions{Peers: []string{"http://127.0.0.1:" + c.port}})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv3.URL}})
	attached(t, p3, 1)
	eventually(t, "refused by the guard", 30*time.Second, func() bool { return book.Count("is private") == 1 })
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}

	// Nor can one on TLS be led to send its secret in clear.
	p4, err := agent.NewPool(agent.PoolOptions{Secret: secret, Peers: []string{"http://127.0.0.1:" + c.port}})
	if err != nil {
		t.Fatal(err)
	}
	srv4 := httptest.NewTLSServer(p4)
	defer srv4.Close()
	stop, book := run(t, agent.RunOptions{
		Gateways: []string{strings.Replace(srv4.URL, "https", "wss", 1)}, AllowPrivate: true,
		TLS: srv4.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	attached(t, p4, 1)
	eventually(t, "warned", 30*time.Second, func() bool { return book.Count("peer with an invalid address") == 1 })
	stop()
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}
}

// A proxy that lets only WebSockets through, in three ways.
func TestCarrier_OnlyWebSocketPasses_Attaches(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter, next http.Handler, r *http.Request){
		"strips": func(w http.ResponseWriter, next http.Handler, r *http.Request) {
			r.Header.Del("Upgrade")
			r.Header.Del("Connection")
			next.ServeHTTP(w, r)
		},
		"answers": func(w http.ResponseWriter, _ http.Handler, _ *http.Request) { http.Error(w, "what is this?", 400) },
		"closes the connection": func(w http.ResponseWriter, _ http.Handler, _ *http.Request) {
			if nc, _, err := http.NewResponseController(w).Hijack(); err == nil {
				nc.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, _ := newPool(t, agent.PoolOptions{})
			var plain, ws atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") == "websocket" {
					ws.Add(1)
					p.ServeHTTP(w, r)
					return
				}
				plain.Add(1)
				refuse(w, p, r)
			}))
			defer proxy.Close()
			addr := target(t, echo)
			stop, _ := run(t, agent.RunOptions{Gateways: []string{proxy.URL}, AllowPrivate: true})
			attached(t, p, 1)
			c := dial(t, selectOne(t, p, agent.Query{}), addr)
			wantEcho(t, c, strings.Repeat("through a websocket", 10000))
			c.Close()
			if plain.Load() != 1 || ws.Load() != 1 {
				t.Errorf("asked %d times for an upgrade and %d for a websocket", plain.Load(), ws.Load())
			}
			stop()
			eventually(t, "gone", 30*time.Second, func() bool { return len(p.Agents()) == 0 })
		})
	}
}

func TestRun_TLS_VerifiesTheGateway(t *testing.T) {
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(p)
	srv.EnableHTTP2 = true // not to be negotiated with an agent
	srv.StartTLS()
	t.Cleanup(func() { p.Shutdown(context.Background()); srv.Close() })
	addr := target(t, echo)
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "foreign", Country: "DE"})
	eventually(t, "refused the certificate", 30*time.Second, func() bool { return book.Count("failed to verify certificate") == 1 })
	run(t, agent.RunOptions{
		Gateways: []string{srv.URL}, AllowPrivate: true, TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	attached(t, p, 1)
	wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), strings.Repeat("over TLS", 100000))
}
