package agent_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// The connection of two gateways ends when it is idle, is made again when it is
// needed, and stays while a stream is open, however little crosses it.
func TestHop_Idle_ConnectionEnds(t *testing.T) {
	const idle = 100 * time.Millisecond
	near, holder, _ := two(t, nil)
	near.SetPeerIdle(idle)
	addr := target(t, echo)
	quiet := dial(t, selectOne(t, near, agent.Query{}), addr)
	wantEcho(t, quiet, "there")
	for range 3 {
		c := dial(t, selectOne(t, near, agent.Query{}), addr)
		wantEcho(t, c, "one more")
		c.Close()
	}
	time.Sleep(5 * idle) // for as long as it is to stay
	wantEcho(t, quiet, "still there")
	if n := holder.PeerLinks(); n != 1 {
		t.Errorf("%d connections of one gateway to another", n)
	}
	quiet.Close()
	eventually(t, "ended", 30*time.Second, func() bool { return holder.PeerLinks() == 0 })
	wantEcho(t, dial(t, selectOne(t, near, agent.Query{}), addr), "again")
	if n := holder.PeerLinks(); n != 1 {
		t.Errorf("%d connections when it is made again", n)
	}
}

// A connection stays for as long as it says after its last stream, however long that was.
func TestHop_LongStreamEnds_ConnectionStaysAWhile(t *testing.T) {
	const idle = time.Second
	near, holder, _ := two(t, nil)
	near.SetPeerIdle(idle)
	c := dial(t, selectOne(t, near, agent.Query{}), target(t, echo))
	wantEcho(t, c, "there")
	time.Sleep(idle + idle/2) // the stream is open meanwhile
	before := time.Now()
	c.Close()
	eventually(t, "ended", 20*time.Second, func() bool { return holder.PeerLinks() == 0 })
	if took := time.Since(before); took < idle {
		t.Errorf("the connection ends %v after its last stream", took)
	}
}

// A session whose client does not read holds up none beside it, and what waits for it
// is bounded.
func TestHop_StalledSession_OthersGoOn(t *testing.T) {
	near, _, _ := two(t, nil)
	e := selectOne(t, near, agent.Query{})
	var sent atomic.Int64
	flood := target(t, func(c *net.TCPConn) {
		block := make([]byte, 64<<10)
		for {
			n, err := c.Write(block)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	stalled := dial(t, e, flood)
	still := int64(-1)
	eventually(t, "stalled", 30*time.Second, func() bool {
		now := sent.Load()
		if now > 0 && now == still {
			return true
		}
		still = now
		time.Sleep(200 * time.Millisecond) // without a byte: the window is full
		return false
	})
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes wait for a client that does not read", n)
	}
	addr := target(t, echo)
	var beside []net.Conn
	for range 4 {
		beside = append(beside, dial(t, e, addr))
	}
	for i := range 50 {
		for _, c := range beside {
			wantEcho(t, c, fmt.Sprintf("message %d", i))
		}
	}
	if n, err := io.CopyN(io.Discard, stalled, 4<<20); err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// recorded is a gateway of a cluster with these records.
func recorded(t *testing.T, d agent.Directory, name string, records ...agent.Record) (*agent.Pool, *httptest.Server) {
	t.Helper()
	p, srv, _ := newPool(t, agent.PoolOptions{Records: records})
	err := p.Join(agent.ClusterOptions{Name: name, URL: func() string { return srv.URL }, Directory: d,
		Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }})
	if err != nil {
		t.Fatal(err)
	}
	return p, srv
}

// Of an exclusive slug the agent that attached last serves, at whatever gateway.
func TestCluster_ExclusiveSlug_LastOneServes(t *testing.T) {
	const token = "token-of-agent-one"
	only := record("one", token)
	only.Exclusive = true
	d := new(agent.LocalDirectory)
	first, firstServer := recorded(t, d, "first", only)
	second, secondServer := recorded(t, d, "second", only)
	_, before := run(t, agent.RunOptions{Gateways: []string{firstServer.URL}, Secret: token, Slug: "one", Country: "DE", AllowPrivate: true})
	attached(t, first, 1)
	attached(t, second, 1)
	run(t, agent.RunOptions{Gateways: []string{secondServer.URL}, Secret: token, Slug: "one", Country: "DE", AllowPrivate: true})
	eventually(t, "replaced", 30*time.Second, func() bool { return before.Count("another agent has attached with the exclusive slug") > 0 })
	for _, p := range []*agent.Pool{first, second} {
		eventually(t, "served by the second gateway alone", 30*time.Second, func() bool {
			a := p.Agents()
			return len(a) == 1 && a[0].Links == 1 && len(a[0].Gateways) == 1 && a[0].Gateways[0] == "second"
		})
	}
	wantEcho(t, dial(t, selectOne(t, first, agent.Query{}), target(t, echo)), "over a hop")
}

// A record that one gateway loses is lost at the others, which have it in their files
// still, until that gateway has it again.
func TestCluster_RecordGoneAtOneGateway_IsGoneEverywhere(t *testing.T) {
	const token = "token-of-agent-one"
	one, two := record("one", token), record("two", "token-of-agent-two")
	d := new(agent.LocalDirectory)
	says, _ := recorded(t, d, "says", one, two)
	hears, srv := recorded(t, d, "hears", one, two)
	says.ShareRecords(func(id string, restored bool) {
		until := time.Now().Add(time.Hour)
		if restored {
			until = time.Time{}
		}
		hears.RevokeRecord(id, until)
	})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: token, Slug: "one", Country: "DE"})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "token-of-agent-two", Slug: "two", Country: "DE"})
	attached(t, hears, 2)
	if err := says.SetRecords([]agent.Record{two}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*agent.Pool{says, hears} {
		eventually(t, "gone", 30*time.Second, func() bool { s := slugs(p); return len(s) == 1 && s[0] == "two" })
	}
	eventually(t, "told", 30*time.Second, func() bool { return book.Count("record of this agent is gone") > 0 })
	if err := hears.SetRecords([]agent.Record{one, two}); err != nil { // it reads its old file again
		t.Fatal(err)
	}
	_, again := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: token, Slug: "one", Country: "DE"})
	eventually(t, "refused", 30*time.Second, func() bool { return again.Count("record of this agent is gone") > 0 })
	if err := says.SetRecords([]agent.Record{one, two}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "back", 60*time.Second, func() bool { return len(slugs(hears)) == 2 })
	hears.RevokeRecord("of nobody", time.Now().Add(time.Hour))
	if n := len(slugs(hears)); n != 2 {
		t.Errorf("%d agents are left by the end of another record", n)
	}
}

// FuzzPeerHello is who says that it is another gateway and knows no secret.
func FuzzPeerHello(f *testing.F) {
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		f.Fatal(err)
	}
	err = p.Join(agent.ClusterOptions{Name: "holder", URL: func() string { return "http://127.0.0.1:1" }, Directory: new(agent.LocalDirectory),
		Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { p.Shutdown(f.Context()) })
	nonce := fmt.Sprintf("%064d", 7)
	for _, proof := range []string{"", ",,,", nonce, nonce + "," + nonce, secret, clusterSecret} {
		f.Add("caller", nonce, fmt.Sprint(time.Now().UnixMilli()), proof)
	}
	f.Add("holder", nonce[1:], "-1", "x")
	f.Add("", "", "99999999999999999999", "\x00")
	f.Fuzz(func(t *testing.T, caller, nonce, at, proof string) {
		r := httptest.NewRequest(http.MethodGet, "/agents/attach", nil)
		r.RemoteAddr = "" // unknown: not counted
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "farwire-peer",
			"Farwire-Peer": caller, "Farwire-Nonce": nonce, "Farwire-Time": at, "Farwire-Proof": proof} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || w.Header().Get("Farwire-Proof") != "" {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
	})
}
