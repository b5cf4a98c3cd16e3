package agent_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// overheard is a pool of a cluster whose clients are named by Test-Client, and the headers by
// which another gateway, near, has asked it to be let in.
func overheard(t *testing.T) (p *agent.Pool, book *harness.Log, srv *httptest.Server, peer http.Header) {
	t.Helper()
	d := new(agent.LocalDirectory)
	near, _ := join(t, d, "near", nil)
	p, _, book = newPool(t, agent.PoolOptions{ClientAddr: func(r *http.Request) netip.Addr {
		addr, _ := netip.ParseAddr(r.Header.Get("Test-Client")) // the zero Addr for none
		return addr
	}})
	asked := make(chan http.Header, 1)
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Header.Clone():
		default:
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	if err := p.Join(agent.ClusterOptions{Name: "holder", URL: func() string { return srv.URL }, Directory: d,
		Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the peer is asked", 30*time.Second, func() bool { // one asking waits for a second at most
		near.AskPeers(t.Context(), []byte("?"), func(string, []byte) {})
		select {
		case peer = <-asked:
		default:
		}
		return peer != nil
	})
	return p, book, srv, peer
}

// Wrong secrets and proofs are counted by the address that they come from, and a right one
// is never refused for them.
func TestPool_WrongCredentials_AreCountedByAddress(t *testing.T) {
	p, book, _, peer := overheard(t)
	with := func(name, value string) http.Header {
		h := peer.Clone()
		h.Set(name, value)
		return h
	}
	ask := func(client string, h http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/agents/attach", nil)
		r.Header = h.Clone()
		r.Header.Set("Test-Client", client)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w
	}
	wrongProof := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		whose, client         string
		right, wrong, missing http.Header
		served                int // a recorder is not taken over
	}{
		{"agent", "198.51.100.1", http.Header{"Authorization": {"Bearer " + secret}}, http.Header{"Authorization": {"Bearer wrong-wrong-wrong"}}, http.Header{}, 426},
		{"gateway", "198.51.100.2", peer, with("Farwire-Proof", wrongProof), with("Farwire-Proof", ""), 500},
		{"gateway", "198.51.100.3", peer, with("Farwire-Time", "1"), with("Farwire-Proof", ""), 500},
	} {
		began := time.Now()
		for n := range 12 {
			if w := ask(c.client, c.missing); w.Code != 401 {
				t.Errorf("%s: without credentials: %d", c.whose, w.Code)
			}
			w, want := ask(c.client, c.wrong), 401
			if n >= 10 {
				want = 429
			}
			if w.Code != want || (w.Header().Get("Retry-After") != "") != (want == 429) || (w.Header().Get("X-RateLimit-Limit") == "10" && w.Header().Get("X-RateLimit-Remaining") == "0") != (want == 429) || strings.Contains(w.Body.String(), `"rate_limited"`) != (want == 429) {
				t.Errorf("%s: wrong credentials %d: %d %v %s", c.whose, n+1, w.Code, w.Header(), w.Body)
			}
		}
		if w := ask(c.client, c.right); w.Code != c.served {
			t.Errorf("%s: right credentials from there: %d %s", c.whose, w.Code, w.Body)
		}
		if w := ask("198.51.100.99", c.wrong); w.Code != 401 {
			t.Errorf("%s: wrong credentials from elsewhere: %d", c.whose, w.Code)
		}
		lines := book.Count(`level=WARN msg="credentials refused" client=` + c.client + " of=" + c.whose)
		if lines < 1 || lines > 1+int(time.Since(began)/time.Second) {
			t.Errorf("%s: %d lines", c.whose, lines)
		}
	}
	// A proof that was sent before is wrong when the connection has been taken over, too.
	const replayer = "198.51.100.4"
	for range 10 {
		if err := p.ReplayPeer(t.Context(), with("Test-Client", replayer)); err == nil {
			t.Fatal("a link was made by a proof that was sent before")
		}
	}
	if w := ask(replayer, with("Farwire-Proof", wrongProof)); w.Code != 429 {
		t.Errorf("after ten proofs that were sent before: %d", w.Code)
	}
	if book.Count("client="+replayer) == 0 || book.Count("gateway did not attach") > 0 {
		t.Error("the log says something else of them")
	}
	for _, private := range []string{"wrong-wrong", wrongProof, "192.0.2.1"} { // the last is the connection's address
		if book.Count(private) > 0 {
			t.Errorf("the log has %s", private)
		}
	}
}

// Whoever has the agents' secret can attach wrongly as often as it likes, and the log does
// not grow with it: of one address one line a second is a warning.
func TestPool_FailedAttaches_WarnOnceASecond(t *testing.T) {
	_, srv, book := newPool(t, agent.PoolOptions{})
	const tries = 50
	began := time.Now()
	for range tries {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET /agents/attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: farwire-agent\r\nAuthorization: Bearer "+secret+"\r\n\r\n")
		send(c, `{"version":1,"instance":"i","slug":"no slug","country":"DE"}`)
		io.Copy(io.Discard, c)
		c.Close()
	}
	eventually(t, "all are in the log", 30*time.Second, func() bool { return book.Count("agent did not attach") == tries })
	most := int(time.Since(began)/time.Second) + 1
	if n := book.Count(`level=WARN msg="agent did not attach"`); n < 1 || n > most {
		t.Errorf("%d warnings, want 1 to %d", n, most)
	}
}

// A gateway that has the cluster's secret and does not attach is one warning a second of its
// address, however often it tries; another address has a warning of its own.
func TestPool_FailedGateways_WarnOnceASecond(t *testing.T) {
	_, book, srv, peer := overheard(t)
	const tries = 20
	began := time.Now()
	for n := range 2 * tries {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		h := peer.Clone()
		h.Set("Test-Client", fmt.Sprint("198.51.100.", n%2))
		io.WriteString(c, "GET /agents/attach HTTP/1.1\r\nHost: a\r\n")
		h.Write(c)
		io.WriteString(c, "\r\n")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	}
	eventually(t, "all are in the log", 30*time.Second, func() bool { return book.Count("gateway did not attach") == 2*tries })
	most := int(time.Since(began)/time.Second) + 1
	for n := range 2 {
		lines := book.Count(fmt.Sprintf(`level=WARN msg="gateway did not attach" gateway=near remote=198.51.100.%d `, n))
		if lines < 1 || lines > most {
			t.Errorf("address %d: %d warnings, want 1 to %d", n, lines, most)
		}
	}
}

// A gateway that names many peers which an agent must not dial costs it one line.
func TestRun_ManyInvalidPeers_OneLine(t *testing.T) {
	peers := make([]string, 200)
	for i := range peers {
		peers[i] = fmt.Sprintf("http://192.0.2.%d", i)
	}
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(p)
	defer srv.Close()
	stop, book := run(t, agent.RunOptions{
		Gateways: []string{strings.Replace(srv.URL, "https", "wss", 1)}, AllowPrivate: true,
		TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	attached(t, p, 1)
	eventually(t, "warned", 30*time.Second, func() bool { return book.Count("invalid=200") == 1 })
	stop()
	if n := book.Count("peer with an invalid address"); n != 1 {
		t.Errorf("%d lines, want one", n)
	}
}
