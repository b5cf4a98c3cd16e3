package agent_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
)

func record(slug, token string) agent.Record {
	sum := sha256.Sum256([]byte(token))
	return agent.Record{Slug: slug, Country: "DE", TokenSHA256: hex.EncodeToString(sum[:])}
}

func slugs(p *agent.Pool) (list []string) {
	for _, a := range p.Agents() {
		list = append(list, a.Slug)
	}
	return list
}

// The gateway's own exit keeps its slug: an agent that claims it is told why.
func TestPool_SlugOfOwnExit_CannotBeTaken(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret, Records: []agent.Record{record("rec", "token-of-a-record")}})
	_, early := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "local", Country: "ZZ"})
	attached(t, p, 1) // it was there before Add
	if err := p.Add(named("Local", "ZZ")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "dismissed", 30*time.Second, func() bool {
		a := p.Agents()
		return len(a) == 1 && a[0].Links == 0 && early.Count("own exit") > 0
	})
	for _, slug := range []string{"local", "LOCAL", "rec"} {
		_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: slug, Country: "ZZ"})
		eventually(t, "refused", 30*time.Second, func() bool { return book.Count("gateway refuses this agent") > 0 })
	}
	if err := p.Add(named("rec", "DE")); err == nil || !strings.Contains(err.Error(), "record") {
		t.Errorf("an exit took the slug of a record: %v", err)
	}
	if err := p.SetRecords([]agent.Record{record("local", "another-token-abc")}); err == nil || !strings.Contains(err.Error(), "own exit") {
		t.Errorf("a record took the slug of an exit: %v", err)
	}
	if got := slugs(p); len(got) != 1 {
		t.Errorf("attached: %v", got)
	}
}

// The record of a token says who its agent is, which need not claim anything; by
// the shared secret it must.
func TestRun_NameLeftOut_HasThatOfItsRecord(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret, Records: []agent.Record{record("rec", "token-of-a-record")}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	log, book := newLog(t)
	for _, secret := range []string{"token-of-a-record", secret} {
		o := agent.RunOptions{Gateways: []string{srv.URL}, Secret: secret, AllowCleartext: true, Logger: log}
		go func() { ended <- agent.Run(ctx, o) }()
	}
	attached(t, p, 1)
	eventually(t, "refused", 30*time.Second, func() bool { return book.Count("gateway refuses this agent") > 0 })
	if a := p.Agents(); len(a) != 1 || a[0].Slug != "rec" || a[0].Country != "DE" {
		t.Errorf("attached: %+v", a)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// Agents of one slug in two countries share an ID towards clients; to rule one
// out leaves the other.
func TestPool_OneSlugTwoCountries_AreExcludedApart(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	for _, country := range []string{"DE", "AT"} {
		run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "twin", Country: country})
	}
	attached(t, p, 2)
	q := agent.Query{Slugs: []string{"twin"}}
	first := selectOne(t, p, q)
	q.Exclude = []string{first.Key()}
	second := selectOne(t, p, q)
	if first.ID != second.ID || first.Country == second.Country {
		t.Errorf("first %s in %s, then %s in %s", first.ID, first.Country, second.ID, second.Country)
	}
	q.Exclude = append(q.Exclude, second.Key())
	if _, err := p.SelectAgent(t.Context(), q); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("with both excluded: %v", err)
	}
}

// An agent whose record is gone loses its link and its sessions within a second;
// the others notice nothing.
func TestPool_RecordGone_CutsItsLinksAlone(t *testing.T) {
	one, two := record("one", "token-of-agent-one"), record("two", "token-of-agent-two")
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret, Records: []agent.Record{one, two}})
	hold := target(t, func(c *net.TCPConn) { c.Read(make([]byte, 1)) })
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "token-of-agent-one", Slug: "x", Country: "DE", AllowPrivate: true})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "token-of-agent-two", Slug: "x", Country: "DE", AllowPrivate: true})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "shared", Country: "DE", AllowPrivate: true})
	attached(t, p, 3)
	conns := map[string]net.Conn{}
	for _, slug := range []string{"one", "two", "shared"} {
		conns[slug] = dial(t, selectOne(t, p, agent.Query{Slugs: []string{slug}}), hold)
	}
	if err := p.SetRecords([]agent.Record{{Slug: "bad slug"}}); err == nil {
		t.Error("a bad record is taken")
	}
	if err := p.SetRecords([]agent.Record{two}); err != nil {
		t.Fatal(err)
	}
	conns["one"].SetReadDeadline(time.Now().Add(2 * time.Second)) // twice a second
	var lost *agent.DialError
	if _, err := conns["one"].Read(make([]byte, 1)); !errors.As(err, &lost) || lost.Fault != agent.FaultAgent || lost.Error() != "agent lost" {
		t.Errorf("a session of the agent that is gone: %v", err)
	}
	eventually(t, "told", 30*time.Second, func() bool { return book.Count("record of this agent is gone") > 0 })
	eventually(t, "taken off the list", 30*time.Second, func() bool { return len(slugs(p)) == 2 })
	for _, slug := range []string{"two", "shared"} {
		conns[slug].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var timeout net.Error
		if _, err := conns[slug].Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a session of %s: %v", slug, err)
		}
	}
	// A record for a slug that an agent of the shared secret has takes it over.
	if err := p.SetRecords([]agent.Record{two, record("shared", "token-of-agent-three")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "dismissed", 30*time.Second, func() bool { return len(slugs(p)) == 1 })
}

// Secrets overlap while they change, links stay, and an agent that reads its
// secret anew attaches with the new one.
func TestPool_SecretsChange_LinksStayUntilTheyReconnect(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	const next = "the-next-shared-secret"
	var now atomic.Value
	now.Store(secret)
	read := func() (string, error) { return now.Load().(string), nil }
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "file", Country: "DE", ReadSecret: read})
	attached(t, p, 1)
	for _, bad := range [][]string{{"short"}, {" " + secret}, {secret, ""}} {
		if err := p.SetSecrets(bad); err == nil {
			t.Errorf("%q are taken for secrets", bad)
		}
	}
	if err := p.SetSecrets([]string{secret, next}); err != nil {
		t.Fatal(err)
	}
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "new", Country: "DE", Secret: next})
	attached(t, p, 2)
	if err := p.SetSecrets([]string{next}); err != nil {
		t.Fatal(err)
	}
	if got := slugs(p); len(got) != 2 {
		t.Errorf("links are gone with their secret: %v", got)
	}
	now.Store(next)
	if !p.Remove("farwire-file") {
		t.Error("farwire-file is not there to be removed")
	}
	eventually(t, "gone", 30*time.Second, func() bool { return len(slugs(p)) == 1 })
	eventually(t, "back with the new secret", 60*time.Second, func() bool { return len(slugs(p)) == 2 })
	if p.Remove("nobody") {
		t.Error("nobody is removed")
	}
}

func TestPool_WaitReady_WaitsForAnExit(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("the cause"))
	defer cancel()
	if err := p.WaitReady(ctx); err == nil || err.Error() != "the cause" {
		t.Errorf("with no exit: %v", err)
	}
	ready := make(chan error, 1)
	go func() { ready <- p.WaitReady(withTimeout(t)) }()
	run(t, agent.RunOptions{Gateways: []string{srv.URL}})
	if err := <-ready; err != nil {
		t.Error(err)
	}
	selectOne(t, p, agent.Query{})
	if i := p.Agents()[0]; !i.Fits(agent.Query{Countries: []string{"de"}}) || i.Fits(agent.Query{Slugs: []string{"at1"}}) {
		t.Errorf("%+v does not fit as it should", i)
	}
}

// An agent's public address is the one that it comes from, through whatever stands in
// front of the pool.
func TestPool_ExitIP_IsThePublicAddress(t *testing.T) {
	for from, want := range map[string]string{
		"198.51.100.7": "", "203.0.113.9": "", "10.1.2.3": "", "127.0.0.1": "", "169.254.169.254": "", // not of the internet
		"93.184.216.34": "93.184.216.34", "2606:2800:220:1::1": "2606:2800:220:1::1", "": "",
	} {
		addr, _ := netip.ParseAddr(from) // the zero Addr for ""
		p, srv, book := newPool(t, agent.PoolOptions{ClientAddr: func(*http.Request) netip.Addr { return addr }})
		run(t, agent.RunOptions{Gateways: []string{srv.URL}})
		if err := p.WaitReady(withTimeout(t)); err != nil {
			t.Fatal(err)
		}
		got := ""
		if ip := p.Agents()[0].ExitIP; ip.IsValid() {
			got = ip.String()
		}
		eventually(t, "logged", 30*time.Second, func() bool { return book.Count(`msg="agent attached"`) > 0 })
		if remote := cmp.Or(from, `""`); book.Count("remote="+remote+" ") == 0 || book.Count("remote=127.0.0.1:") > 0 {
			t.Errorf("from %q: the log has another address", from)
		}
		if got != want {
			t.Errorf("from %q: exit_ip %q, want %q", from, got, want)
		}
	}
}

// Without being told so, an agent never shows its secret to a gateway in clear.
func TestRun_GatewayInClear_IsRefused(t *testing.T) {
	for url, clear := range map[string]bool{
		"http://gateway.example": true, "ws://192.0.2.1:8080": true, "http://[2001:db8::1]": true, "http://localhost.example": true,
		"http://127.0.0.1:1": false, "ws://[::1]:1": false, "http://localhost:1": false, "ws://LOCALHOST.:1": false,
		"https://gateway.example": false, "wss://192.0.2.1": false,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o := agent.RunOptions{Gateways: []string{url}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet}
		err := agent.Run(ctx, o)
		if (err != nil) != clear || clear && !strings.Contains(err.Error(), "--allow-cleartext") {
			t.Errorf("%s: %v", url, err)
		}
		o.AllowCleartext = true
		if err := agent.Run(ctx, o); err != nil {
			t.Errorf("%s, allowed: %v", url, err)
		}
	}
}

// A record that says something else while its agent attaches lets it in with neither
// the name of before nor that of now: the agent asks again.
func TestAttach_RecordChangesMeanwhile_Refused(t *testing.T) {
	before := record("rec", "token-of-a-record")
	for name, change := range map[string]func(*agent.Record){
		"slug":    func(r *agent.Record) { r.Slug = "another" },
		"country": func(r *agent.Record) { r.Country = "FR" },
		"same":    func(*agent.Record) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := agent.NewPool(agent.PoolOptions{Records: []agent.Record{before}, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				gateway, side := net.Pipe()
				ended := make(chan error, 1)
				go func() { ended <- p.AttachRecorded(gateway, "rec") }()
				send(side, `{"version":1,"instance":"i"}`)
				if w := receive(t, side); w["slug"] != "rec" || w["country"] != "DE" {
					t.Fatalf("welcome is %v", w)
				}
				now := before
				change(&now)
				if err := p.SetRecords([]agent.Record{now}); err != nil {
					t.Fatal(err)
				}
				mux, err := yamux.Server(side, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := mux.OpenStream(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				in := name == "same"
				if got := slugs(p); in != (len(got) == 1) {
					t.Errorf("attached: %v", got)
				}
				mux.Close()
				if err := <-ended; in != (err == nil) {
					t.Errorf("attaching ends with %v", err)
				}
			})
		})
	}
}
