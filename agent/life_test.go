package agent_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

func sha(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestNewPoolRefuses(t *testing.T) {
	t.Setenv("AGENT_SECRET_OF_NOBODY", "")
	good := agent.Record{Slug: "de1", Country: "DE", TokenSHA256: sha("a token of de1")}
	with := func(change func(*agent.Record)) []agent.Record {
		r := good
		change(&r)
		return []agent.Record{good, r}
	}
	for name, o := range map[string]agent.PoolOptions{
		"nothing":           {},
		"short secret":      {Secret: "0123456789abcde"},
		"local with secret": {LocalOnly: true, Secret: secret},
		"local and records": {LocalOnly: true, Records: []agent.Record{good}},
		"empty token":       {Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("") })},
		"no hash":           {Records: with(func(r *agent.Record) { r.TokenSHA256 = "" })},
		"upper-case hash":   {Records: with(func(r *agent.Record) { r.TokenSHA256 = strings.ToUpper(sha("x")) })},
		"half a hash":       {Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("x")[:32] })},
		"the same token":    {Records: with(func(r *agent.Record) { r.Slug = "de2" })},
		"the secret":        {Secret: "a token of de1 too", Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("a token of de1 too") })},
		"bad slug":          {Records: with(func(r *agent.Record) { r.Slug, r.TokenSHA256 = "a b", sha("x") })},
		"bad country":       {Records: with(func(r *agent.Record) { r.Country, r.TokenSHA256 = "Germany", sha("x") })},
		"bad peer":          {Secret: secret, Peers: []string{"ftp://example.com"}},
		"bad prefix":        {Secret: secret, Policy: agent.Rules{Deny: make([]netip.Prefix, 1)}},
	} {
		if _, err := agent.NewPool(o); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "agent: PoolOptions.") {
			t.Errorf("%s: %v does not name the option", name, err)
		}
	}
	for name, o := range map[string]agent.PoolOptions{
		"local": {LocalOnly: true}, "secret": {Secret: secret}, "records": {Records: []agent.Record{good}},
	} {
		if _, err := agent.NewPool(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	good := agent.RunOptions{Gateways: []string{"http://localhost"}, Secret: secret, Slug: "de1", Country: "DE"}
	for name, change := range map[string]func(*agent.RunOptions){
		"no gateway":      func(o *agent.RunOptions) { o.Gateways = nil },
		"no URL":          func(o *agent.RunOptions) { o.Gateways = []string{"localhost:8080"} },
		"query":           func(o *agent.RunOptions) { o.Gateways = []string{"http://localhost/?a=b"} },
		"password":        func(o *agent.RunOptions) { o.Gateways = []string{"http://a:b@localhost"} },
		"port":            func(o *agent.RunOptions) { o.Gateways = []string{"http://localhost:99999"} },
		"no secret":       func(o *agent.RunOptions) { o.Secret = "" },
		"blank secret":    func(o *agent.RunOptions) { o.Secret = " " },
		"line in secret":  func(o *agent.RunOptions) { o.Secret = "a\nb" },
		"no slug":         func(o *agent.RunOptions) { o.Slug = "" },
		"no country":      func(o *agent.RunOptions) { o.Country = "" },
		"wrong country":   func(o *agent.RunOptions) { o.Country = "Germany" },
		"negative number": func(o *agent.RunOptions) { o.MaxSessions = -1 },
	} {
		o := good
		change(&o)
		if err := agent.Run(t.Context(), o); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAttachRefusals(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret})
	local, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(local)
	defer closed.Close()
	ask := func(method, url, auth string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if reason := resp.Header.Get("Farwire-Refused"); reason == "" || !strings.Contains(string(body), `{"detail":"`+reason) {
			t.Errorf("%s %s: reason %q, body %q", method, auth, reason, body)
		}
		return resp
	}
	for _, tc := range []struct {
		method, url, auth string
		status            int
	}{
		{"GET", srv.URL, "", 401},
		{"GET", srv.URL, "Bearer", 401},
		{"GET", srv.URL, "Bearer ", 401},
		{"GET", srv.URL, "Bearer wrong", 401},
		{"GET", srv.URL, "Basic " + secret, 401},
		{"GET", srv.URL, secret, 401},
		{"POST", srv.URL, "Bearer " + secret, 405},
		{"GET", srv.URL, "Bearer " + secret, 426},
		{"GET", srv.URL, "bearer  " + secret + " ", 426},
		{"GET", closed.URL, "Bearer " + secret, 403},
	} {
		if resp := ask(tc.method, tc.url, tc.auth); resp.StatusCode != tc.status {
			t.Errorf("%s %q: %d, want %d", tc.method, tc.auth, resp.StatusCode, tc.status)
		}
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp := ask("GET", srv.URL, "Bearer "+secret); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after Shutdown: %d, %v", resp.StatusCode, resp.Header)
	}
	if _, err := p.SelectAgent(t.Context(), agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("selecting after Shutdown: %v", err)
	}
}

func TestRefusedAgentSaysWhyOnce(t *testing.T) {
	_, srv, _ := newPool(t, agent.PoolOptions{})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "not the secret at all"})
	eventually(t, "refused", 5*time.Second, func() bool { return book.count("secret or token missing or wrong") > 0 })
	if n := book.count("level=WARN"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if strings.Contains(book.String(), "not the secret") {
		t.Error("the log shows the secret")
	}
}

func TestRecordSaysWhoItIs(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret, Records: []agent.Record{
		{Slug: "at5", Country: "at", TokenSHA256: sha("the token of at5")},
	}})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "the token of at5", Slug: "us1", Country: "US"})
	attached(t, p, 1)
	if in := p.Agents()[0]; in.ID != "farwire-at5" || in.Slug != "at5" || in.Country != "AT" {
		t.Errorf("info is %+v", in)
	}
	eventually(t, "told who it is", 5*time.Second, func() bool {
		return book.count("agent=farwire-at5") > 0 && book.count("country=AT") > 0
	})

	// The shared secret does not make anyone at5.
	_, other := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "AT5", Country: "AT"})
	eventually(t, "refused", 5*time.Second, func() bool { return other.count("has a token of its own") == 1 })
	if n := p.Agents()[0].Links; n != 1 {
		t.Errorf("%d links", n)
	}
}

func TestExclusiveRecord(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Records: []agent.Record{
		{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1"), Exclusive: true},
	}})
	addr := target(t, echo)
	o := agent.RunOptions{Gateways: []string{srv.URL}, Secret: "the token of de1", AllowPrivate: true, Version: "old"}
	_, book := run(t, o)
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	wantEcho(t, c, "before")

	o.Version = "new"
	run(t, o)
	eventually(t, "replaced", 5*time.Second, func() bool { return p.Agents()[0].Version == "new" })
	wantEcho(t, c, "the old one finishes what it has")
	for range 10 {
		wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), "new sessions go to the new one")
	}
	c.Close()
	eventually(t, "told why", 10*time.Second, func() bool { return book.count("another agent has attached with the exclusive slug de1") == 1 })
	eventually(t, "one link", 10*time.Second, func() bool { return p.Agents()[0].Links == 1 })
}

func TestTwoLegs(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	// The second refuses every session, so the exit has to go on over the first.
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, Logger: slog.New(slog.DiscardHandler)})
	attached(t, p, 2)
	if in := p.Agents(); len(in) != 1 || in[0].Links != 2 {
		t.Fatalf("%+v, want one exit with two links", in)
	}
	e := selectOne(t, p, agent.Query{})
	var conns []net.Conn
	for range 40 {
		conns = append(conns, dial(t, e, addr))
	}
	if n := p.Agents()[0].Sessions; n != 40 {
		t.Errorf("%d sessions", n)
	}
	for _, c := range conns {
		wantEcho(t, c, "x")
		c.Close()
	}
	stop()
	attached(t, p, 1)
	wantEcho(t, dial(t, e, addr), "the other leg serves on")
}

func TestMaxSessions(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, MaxSessions: 2})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	first := dial(t, e, addr)
	dial(t, e, addr)
	_, err := e.DialContext(t.Context(), "tcp", addr)
	if de := agent.Classify(err); de == nil || de.Fault != agent.Agent || de.Error() != "agent overloaded" {
		t.Fatalf("third session: %v", err)
	}
	if s := p.Agents()[0].State; s != agent.Limited {
		t.Errorf("state is %q", s)
	}
	wantEcho(t, first, "x")
	first.Close()
	eventually(t, "free again", 5*time.Second, func() bool {
		c, err := e.DialContext(t.Context(), "tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	// A second agent of the name takes what the first cannot.
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 2)
	for range 20 {
		wantEcho(t, dial(t, e, addr), "x")
	}
}

func TestAgentDrains(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: time.Minute})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	c := dial(t, e, addr)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	eventually(t, "draining", 5*time.Second, func() bool { return p.Agents()[0].State == agent.Draining })
	if _, err := p.SelectAgent(t.Context(), agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("a draining agent is selected: %v", err)
	}
	_, err := e.DialContext(t.Context(), "tcp", addr)
	if de := agent.Classify(err); de == nil || de.Fault != agent.Agent {
		t.Errorf("dialling through a draining agent: %v", err)
	}
	wantEcho(t, c, "the old session goes on")
	select {
	case <-stopped:
		t.Fatal("the agent has left a session behind")
	default:
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Errorf("the last session ends with %q, %v", rest, err)
	}
	<-stopped
	eventually(t, "gone", 5*time.Second, func() bool { return len(p.Agents()) == 0 })
}

func TestDrainTimeoutCuts(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	cut := make(chan error, 1)
	addr := target(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		cut <- err
	})
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: 50 * time.Millisecond})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	stop()
	_, err := c.Read(make([]byte, 1))
	if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.Agent || errors.Is(err, io.EOF) ||
		de.Timeout() || err.Error() != "agent lost" {
		t.Errorf("gateway reads %v, want the agent's fault", err)
	}
	if err := <-cut; err == nil {
		t.Error("target sees an orderly end of a session that was cut")
	}
}

func TestShutdownFinishesSessions(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	const size = 1 << 20
	got := make(chan int64, 1)
	addr := target(t, func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	eventually(t, "draining", 5*time.Second, func() bool { return p.Agents()[0].State == agent.Draining })
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := <-got; n != size {
		t.Errorf("target got %d of %d bytes", n, size)
	}
	eventually(t, "told", 5*time.Second, func() bool { return book.count("gateway is shutting down") > 0 })
}

func TestShutdownCutsAtItsDeadline(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	addr := target(t, echo)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after the cut: %v", err)
	}
}

func TestAgentsComeBackToARestartedGateway(t *testing.T) {
	log, _ := newLog(t)
	start := func(addr string) (*agent.Pool, *http.Server, string) {
		t.Helper()
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: p}
		go srv.Serve(ln)
		return p, srv, ln.Addr().String()
	}
	stopNow := func(p *agent.Pool, srv *http.Server) {
		srv.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.Shutdown(ctx)
	}
	p, srv, addr := start("127.0.0.1:0")
	const agents = 20
	var books []*logbook
	for i := range agents {
		_, book := run(t, agent.RunOptions{Gateways: []string{"http://" + addr}, Slug: fmt.Sprint("a", i), Country: "DE"})
		books = append(books, book)
	}
	attached(t, p, agents)
	stopNow(p, srv)
	// Long enough away for the agents to have lost patience.
	eventually(t, "noticed", 20*time.Second, func() bool {
		for _, b := range books {
			if b.count("cannot be reached") == 0 {
				return false
			}
		}
		return true
	})
	p, srv, _ = start(addr)
	t.Cleanup(func() { stopNow(p, srv) })
	back := time.Now()
	attached(t, p, agents)
	t.Logf("all back after %v", time.Since(back))
	for _, b := range books {
		if n := b.count("level="); n != 4 {
			t.Errorf("%d lines for four changes of state:\n%s", n, b)
		}
	}
}

func TestTwoAddressesOfOneGateway(t *testing.T) {
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
	eventually(t, "one of two is enough", 10*time.Second, func() bool {
		return book.count("linked by another address already") == 1 && len(p.Agents()) == 1 && p.Agents()[0].Links == 1
	})
	wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), "x")
	_ = srv
}

func TestPeers(t *testing.T) {
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
	eventually(t, "refused by the guard", 10*time.Second, func() bool { return book.count("is private") == 1 })
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
	eventually(t, "warned", 10*time.Second, func() bool { return book.count("peer that cannot be used") == 1 })
	stop()
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}
}

// A proxy that lets only WebSockets through, in the three ways there are.
func TestWebSocketCarrier(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter, next http.Handler, r *http.Request){
		"strips": func(w http.ResponseWriter, next http.Handler, r *http.Request) {
			r.Header.Del("Upgrade")
			r.Header.Del("Connection")
			next.ServeHTTP(w, r)
		},
		"answers": func(w http.ResponseWriter, _ http.Handler, _ *http.Request) { http.Error(w, "what is this?", 400) },
		"hangs up": func(w http.ResponseWriter, _ http.Handler, _ *http.Request) {
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
			eventually(t, "gone", 5*time.Second, func() bool { return len(p.Agents()) == 0 })
		})
	}
}

func TestTLS(t *testing.T) {
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(p)
	srv.EnableHTTP2 = true // not to be negotiated with an agent
	srv.StartTLS()
	t.Cleanup(func() { p.Shutdown(context.Background()); srv.Close() })
	addr := target(t, echo)
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "stranger", Country: "DE"})
	eventually(t, "refused the certificate", 5*time.Second, func() bool { return book.count("failed to verify certificate") == 1 })
	run(t, agent.RunOptions{
		Gateways: []string{srv.URL}, AllowPrivate: true, TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	attached(t, p, 1)
	wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), strings.Repeat("over TLS", 100000))
}
