package agent_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

const clusterSecret = "0123456789abcdef0123456789abcdef-cluster"

// join makes a pool one of a cluster. Without secrets it has the one of all.
func join(t *testing.T, d agent.Directory, name string, serve func(http.Handler) *httptest.Server, secrets ...string) (*agent.Pool, *httptest.Server) {
	t.Helper()
	p, srv, _ := newPool(t, agent.PoolOptions{})
	if serve != nil {
		srv = serve(p)
		t.Cleanup(srv.Close)
	}
	if len(secrets) == 0 {
		secrets = []string{clusterSecret}
	}
	keys := func() (list [][]byte) {
		for _, s := range secrets {
			list = append(list, []byte(s))
		}
		return list
	}
	if err := p.Join(agent.ClusterOptions{Name: name, URL: func() string { return srv.URL }, Secrets: keys, Directory: d}); err != nil {
		t.Fatal(err)
	}
	return p, srv
}

// two returns a gateway that holds an agent, and one that does not.
func two(t *testing.T, serve func(http.Handler) *httptest.Server) (near, holder *agent.Pool, stop func()) {
	t.Helper()
	d := new(agent.LocalDirectory)
	near, _ = join(t, d, "near", nil)
	holder, srv := join(t, d, "holder", serve)
	o := agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true}
	if srv.TLS != nil {
		o.TLS = &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	}
	stop, _ = run(t, o)
	attached(t, near, 1)
	return near, holder, stop
}

func TestHop_AgentOfAnotherGateway_CarriesBothWays(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{"clear": nil, "tls": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			near, holder, _ := two(t, serve)
			e := selectOne(t, near, agent.Query{Slugs: []string{"DE1"}, Countries: []string{"de"}})
			c := dial(t, e, target(t, echo))
			wantEcho(t, c, "over a hop")
			if half := c.(interface{ CloseWrite() error }).CloseWrite(); half != nil {
				t.Error(half)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after the half-close: %v", err)
			}
			addrs, err := e.Resolve(t.Context(), "127.0.0.7")
			if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("127.0.0.7")}) {
				t.Errorf("resolved %v, %v", addrs, err)
			}
			for _, p := range []*agent.Pool{near, holder} {
				infos := p.Agents()
				if len(infos) != 1 || infos[0].ID != "farwire-de1" || !slices.Equal(infos[0].Gateways, []string{"holder"}) || infos[0].Links != 1 {
					t.Errorf("agents %+v", infos)
				}
			}
		})
	}
}

func TestHop_Faults_KeepTheirNames(t *testing.T) {
	near, holder, stop := two(t, nil)
	e := selectOne(t, near, agent.Query{})
	dialError := func(ctx context.Context, addr string) error {
		c, err := e.DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
			t.Errorf("%s was dialled", addr)
		}
		return err
	}
	_, closed := targetOf(t)
	if err := dialError(t.Context(), closed); !agent.IsFault(err, agent.FaultTarget) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: %v", err)
	}
	// An address that no flag opens is refused where it would be dialled.
	if err := dialError(t.Context(), "0.0.0.0:80"); !agent.IsFault(err, agent.FaultPolicy) {
		t.Errorf("a special address: %v", err)
	}
	open := target(t, echo)
	denied := agent.WithRules(t.Context(), agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err := dialError(denied, open); !agent.IsFault(err, agent.FaultPolicy) {
		t.Errorf("a denied address: %v", err)
	}
	allowed := agent.WithRules(t.Context(), agent.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if err := dialError(allowed, open); !agent.IsFault(err, agent.FaultPolicy) {
		t.Errorf("an address that is not allowed: %v", err)
	}
	resets := dial(t, e, target(t, func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 1))
		c.SetLinger(0)
		c.Close()
	}))
	if _, err := resets.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := resets.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || agent.IsFault(err, agent.FaultAgent) {
		t.Errorf("a reset by the target: %v", err)
	}
	lost := dial(t, e, open)
	wantEcho(t, lost, "there")
	holder.Remove("farwire-de1")
	if _, err := lost.Read(make([]byte, 1)); !agent.IsFault(err, agent.FaultAgent) || !errorSays(err, "agent") {
		t.Errorf("an agent that is cut: %v", err)
	}
	stop()
}

func errorSays(err error, text string) bool {
	var de *agent.DialError
	return errors.As(err, &de) && len(de.Error()) >= len(text) && de.Error()[:len(text)] == text
}

func TestHop_HolderCut_GatewayLost(t *testing.T) {
	d := new(agent.LocalDirectory)
	near, _ := join(t, d, "near", nil)
	holder, srv := join(t, d, "holder", nil)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, near, 1)
	c := dial(t, selectOne(t, near, agent.Query{}), target(t, echo))
	wantEcho(t, c, "there")
	holder.CutPeers()
	if _, err := c.Read(make([]byte, 1)); !agent.IsFault(err, agent.FaultAgent) || !errorSays(err, "gateway lost") {
		t.Errorf("got %v", err)
	}
}

// A drain lets what is carried for others go on, and names the gateway at its end.
func TestHop_HolderDrains_CarriesUntilTheEnd(t *testing.T) {
	near, holder, _ := two(t, nil)
	e := selectOne(t, near, agent.Query{})
	c := dial(t, e, target(t, echo))
	wantEcho(t, c, "before")
	holder.Leave()
	eventually(t, "not offered", 30*time.Second, func() bool {
		_, err := near.SelectAgent(t.Context(), agent.Query{})
		return errors.Is(err, agent.ErrNoAgent)
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); holder.Shutdown(ctx) }()
	wantEcho(t, c, "meanwhile")
	cancel()
	if _, err := c.Read(make([]byte, 1)); !errorSays(err, "gateway is going away") {
		t.Errorf("got %v", err)
	}
	<-done
}

// The directory names a holder that has the agent no more, and one that has it.
func TestHop_StaleRoute_NextHolder(t *testing.T) {
	d := new(stale)
	near, _ := join(t, d, "near", nil)
	_, srv := join(t, d, "holder", nil)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	_, empty := join(t, d, "empty", nil)
	silent := target(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) }) // as a gateway that stands still
	attached(t, near, 1)
	for name, url := range map[string]string{"empty": empty.URL, "silent": "http://" + silent} {
		h := d.of("holder")
		h.Gateway, h.URL = name, url
		d.tell(h)
	}
	addr := target(t, echo)
	for range 8 {
		c := dial(t, selectOne(t, near, agent.Query{}), addr)
		wantEcho(t, c, "found")
		c.Close()
	}
}

// A gateway that only has a hop to an agent opens none for others.
func TestHop_HolderHasOnlyAHop_NotHere(t *testing.T) {
	d := new(stale)
	near, _ := join(t, d, "near", nil)
	_, srv := join(t, d, "holder", nil)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	_, middle := join(t, d, "middle", nil)
	attached(t, near, 1)
	h := d.of("holder")
	h.Gateway, h.URL = "middle", middle.URL
	d.tell(h)
	d.members["near"].Lost("holder")
	e := selectOne(t, near, agent.Query{})
	c, err := e.DialContext(t.Context(), "tcp", target(t, echo))
	if !errorSays(err, "agent is not at this gateway") {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestPeer_WithoutProof_GetsNothing(t *testing.T) {
	const other = "fedcba9876543210fedcba9876543210-another"
	d := new(agent.LocalDirectory)
	_, srv := join(t, d, "holder", nil)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	foreign, _ := join(t, d, "foreign", nil, other)
	attached(t, foreign, 1) // as if it knew of the route
	addr := target(t, echo)
	if c, err := selectOne(t, foreign, agent.Query{}).DialContext(t.Context(), "tcp", addr); !errorSays(err, "gateway lost") {
		t.Errorf("dialled %v, %v", c, err)
	}
	foreign.AskPeers(t.Context(), []byte("?"), func(string, []byte) { t.Error("a gateway of another cluster was answered") })
	// One secret in common is enough, whichever it is.
	friend, _ := join(t, d, "friend", nil, other, clusterSecret)
	wantEcho(t, dial(t, selectOne(t, friend, agent.Query{}), addr), "a friend")
	for _, header := range []http.Header{
		{}, {"Authorization": {"Bearer " + secret}}, {"Farwire-Peer": {"x"}, "Farwire-Proof": {""}},
	} {
		req, err := http.NewRequest(http.MethodGet, srv.URL+"/agents/attach", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "farwire-peer")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v: %s", header, resp.Status)
		}
	}
}

// What was sent once opens no second connection.
func TestPeer_ProofSentAgain_IsRefused(t *testing.T) {
	d := new(agent.LocalDirectory)
	near, _ := join(t, d, "near", nil)
	seen := make(chan http.Header, 10)
	holder, _ := join(t, d, "holder", func(h http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "farwire-peer" {
				seen <- r.Header.Clone()
			}
			h.ServeHTTP(w, r)
		}))
	})
	holder.AnswerPeers(func(_ context.Context, q []byte) ([]byte, error) { return append([]byte("you asked "), q...), nil })
	eventually(t, "answered", 30*time.Second, func() bool { // one asking waits for a second at most
		answers := 0
		near.AskPeers(t.Context(), []byte("this"), func(gateway string, reply []byte) {
			answers++
			if gateway != "holder" || string(reply) != "you asked this" {
				t.Errorf("%s said %q", gateway, reply)
			}
		})
		if answers > 1 {
			t.Fatalf("%d answers", answers)
		}
		return answers == 1
	})
	if err := holder.ReplayPeer(t.Context(), <-seen); err == nil {
		t.Error("a link was made by a proof that was sent before")
	}
}

func TestHop_CertificateOfAnother_BoundToTheSession(t *testing.T) {
	near, holder, _ := two(t, httptest.NewTLSServer)
	wantEcho(t, dial(t, selectOne(t, near, agent.Query{}), target(t, echo)), "any certificate will do")
	_ = holder
	// Somebody in between, with a TLS session of its own to each.
	d := new(stale)
	caller, _ := join(t, d, "caller", nil)
	_, real := join(t, d, "real", httptest.NewTLSServer)
	run(t, agent.RunOptions{Gateways: []string{real.URL}, AllowPrivate: true, Slug: "fr1", Country: "FR",
		TLS: &tls.Config{RootCAs: real.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}})
	attached(t, caller, 1)
	middle, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: real.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer middle.Close()
	go func() {
		for {
			c, err := middle.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				up, err := tls.Dial("tcp", real.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					return
				}
				defer up.Close()
				go io.Copy(up, c)
				io.Copy(c, up)
			}()
		}
	}()
	h := d.of("real")
	h.URL = "https://" + middle.Addr().String()
	d.tell(h)
	c, err := selectOne(t, caller, agent.Query{}).DialContext(t.Context(), "tcp", target(t, echo))
	if !errorSays(err, "gateway lost") {
		t.Errorf("through somebody in between: %v, %v", c, err)
	}
}

// stale is a directory that says what a test has it say.
type stale struct {
	agent.LocalDirectory
	members map[string]agent.Member
}

func (d *stale) Join(m agent.Member) agent.Membership {
	if d.members == nil {
		d.members = map[string]agent.Member{}
	}
	d.members[m.Holding().Gateway] = m
	return d.LocalDirectory.Join(m)
}

func (d *stale) of(gateway string) agent.Holding { return d.members[gateway].Holding() }

func (d *stale) tell(h agent.Holding) {
	for name, m := range d.members {
		if name != h.Gateway {
			m.Heard(h)
		}
	}
}
