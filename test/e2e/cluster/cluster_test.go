package cluster_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// poll is the longest time between two looks of a gateway for due sites.
const poll = 12 * time.Second

// TestCluster_AsThePageSays_Works has the cluster of the page do what the page says of it.
func TestCluster_AsThePageSays_Works(t *testing.T) {
	c := newCluster(t)
	target := harness.Target(t, harness.Echo)

	t.Run("the page's own look", func(t *testing.T) {
		out := c.page.script("look", []string{
			"KEY=" + c.alice, "TARGET=" + target, pathWith(t),
			"CURL_CA_BUNDLE=" + c.certificate.CAFile, "SSL_CERT_FILE=" + c.certificate.CAFile,
		}, "10.0.0.11:8080", c.gateways[0].Addr, "10.0.0.12:8080", c.gateways[1].Addr, "https://gateway.example.com", "https://"+c.front)
		for _, slug := range []string{"at1", "de1", "de2"} {
			if n := strings.Count(out, `"slug":"`+slug+`"`); n != 2 {
				t.Errorf("%d gateways have %s", n, slug)
			}
		}
		if !strings.HasSuffix(out, "hello\n") {
			t.Errorf("the echo is missing:\n%s", out)
		}
	})
	t.Run("any gateway serves through any agent", func(t *testing.T) {
		for _, d := range []dialler{c.through(0), c.through(1), c.throughNginx()} {
			for slug := range c.agents {
				s := d.relay(c.alice, target, "agent", slug)
				if s.mustEcho(); s.node != "farwire-"+slug {
					t.Errorf("%s went through %s", slug, s.node)
				}
				s.conn.CloseNow()
			}
		}
	})
	t.Run("a token of one is good at the other", func(t *testing.T) {
		for i := range c.gateways {
			token := c.through(i).token(c.alice)
			c.through(1-i).relay(token, target).mustEcho()
			c.throughNginx().relay(token, target).mustEcho()
		}
	})
	t.Run("limits hold over both", func(t *testing.T) { limitsHold(t, c) })
	t.Run("and by shares without Redis", func(t *testing.T) { limitsShared(t, c, target) })

	sites := []*site{newSite(t), newSite(t), newSite(t), newSite(t)}
	t.Run("a site of one is crawled again by either", func(t *testing.T) { crawledAgain(t, c, sites) })
	t.Run("without database and bucket", func(t *testing.T) { servicesUnavailable(t, c, target, sites[1]) })
	t.Run("one is killed and the other goes on", func(t *testing.T) { killed(t, c, target, sites[0]) })
	t.Run("one drains and nobody notices", func(t *testing.T) { drained(t, c, target) })
	t.Run("without NATS", func(t *testing.T) { withoutNATS(t, c, target) })
}

// limitsHold asks both gateways in turn as fast as it can. The page gives a
// burst of 50 and 5 requests a second.
func limitsHold(t *testing.T, c *cluster) {
	const burst, rate = 50, 5
	for tries := 1; ; tries++ {
		before := c.fallbacks()
		began, passed := time.Now(), 0
		for i := range 3 * burst {
			switch status := c.through(i%2).usage(c.bob, nil); status {
			case http.StatusOK:
				passed++
			case http.StatusTooManyRequests:
			default:
				t.Fatalf("status %d", status)
			}
		}
		most := burst + rate*time.Since(began).Seconds() + 1
		after := c.fallbacks()
		if after != before && tries < 6 { // on a busy machine Redis may miss its 100 ms
			time.Sleep((burst/rate + 1) * time.Second) // until all buckets are full again
			continue
		}
		if passed < burst || float64(passed) > most {
			t.Errorf("%d requests passed, want %d and no more than %v", passed, burst, most)
		}
		if after != before {
			t.Errorf("the gateways fell back %v times, before %v: nothing is shown", after, before)
		}
		return
	}
}

// limitsShared freezes Redis. Each gateway allows half of the burst and half of
// the rate, and nobody waits for long.
func limitsShared(t *testing.T, c *cluster, target string) {
	const burst, rate = 25, 2.5
	before := c.fallbacks()
	var told [2]int // of their logs
	for i, g := range c.gateways {
		told[i] = len(g.Stderr.String())
	}
	c.redis.Freeze()
	for i := range c.gateways {
		began, passed := time.Now(), 0
		for range 2 * burst {
			if c.through(i).usage(c.bob, nil) == http.StatusOK {
				passed++
			}
		}
		if most := burst + rate*time.Since(began).Seconds() + 1; passed < burst || float64(passed) > most {
			t.Errorf("gateway %d: %d requests passed, want %d and no more than %v", i+1, passed, burst, most)
		}
		c.through(i).relay(c.alice, target).mustEcho()
		if c.fallbacks()[i] == before[i] {
			t.Errorf("gateway %d counts no answer of its own", i+1)
		}
	}
	c.redis.Thaw()
	for i, g := range c.gateways {
		says := func(text string) bool { return strings.Contains(g.Stderr.String()[told[i]:], text) }
		c.await(harness.Timeout, func() bool { return says("Redis is unavailable") }, "Redis is missed")
		c.await(harness.Timeout, func() bool {
			c.through(i).usage(c.bob, nil)
			return says("Redis is available again")
		}, "Redis is asked again")
	}
}

// crawledAgain enrols sites at both gateways, and tells the other one of a
// change, or nobody.
func crawledAgain(t *testing.T, c *cluster, sites []*site) {
	for i, s := range sites {
		c.through(i%2).enrol(c.alice, s)
		c.awaitEdition(s, harness.Timeout)
	}
	// The minute that a hook leaves between two crawls is taken to be over.
	c.sql("UPDATE farwire_sites SET last_crawl = last_crawl - interval '1 hour'")
	for i, s := range sites[:2] {
		s.edition.Add(1)
		if status := c.through(1 - i%2).hook(s); status != http.StatusAccepted {
			t.Errorf("hook: %d", status)
		}
	}
	for _, s := range sites[2:] {
		s.edition.Add(1)
		c.due(s)
	}
	for _, s := range sites {
		c.awaitEdition(s, 2*poll)
	}
	c.await(harness.Timeout, func() bool { return c.sql("SELECT count(*) FROM farwire_sites WHERE leased_until IS NOT NULL") == 0 }, "all is committed")
	if n := c.sql("SELECT count(*) FROM (SELECT DISTINCT site_id, due FROM farwire_recrawls) AS slots"); n != 2*len(sites) {
		t.Errorf("%d due times were worked, want %d", n, 2*len(sites))
	}
	if n := c.sql("SELECT count(*) FROM farwire_recrawls"); n != 2*len(sites) {
		t.Errorf("%d commits, want one for each enrolment and one for each recrawl, %d", n, 2*len(sites))
	}
	c.await(harness.Timeout, func() bool { return c.recrawls(0)+c.recrawls(1) >= len(sites) }, "all recrawls are logged")
	if n := c.recrawls(0) + c.recrawls(1); n != len(sites) {
		t.Errorf("%d recrawls, want %d", n, len(sites))
	}
}

// servicesUnavailable has neither PostgreSQL nor S3. Relays notice nothing, a crawl
// streams its result, and the site that is due is crawled when they are back.
func servicesUnavailable(t *testing.T, c *cluster, target string, s *site) {
	open := [2]*session{c.through(0).relay(c.alice, target), c.through(1).relay(c.alice, target)}
	s.edition.Add(1)
	c.due(s)
	c.db.Stop()
	c.bucket.Stop()
	for i := range c.gateways {
		open[i].mustEcho()
		c.through(i).relay(c.alice, target).mustEcho()
		if text := c.through(i).crawl(c.alice, s); !strings.Contains(text, fmt.Sprintf("edition %d ", s.edition.Load())) {
			t.Errorf("the result is %q", text)
		}
	}
	c.bucket.Start()
	c.db.Start()
	c.awaitEdition(s, 2*poll+harness.Timeout)
	for i := range c.gateways {
		open[i].mustEcho()
		open[i].conn.CloseNow()
	}
}

// killed kills the gateway that is recrawling a site, while sessions run at
// both and others are asked for.
func killed(t *testing.T, c *cluster, target string, s *site) {
	s.edition.Add(1)
	s.hang.Store(true)
	c.due(s)
	select {
	case <-s.hung:
	case <-time.After(2 * poll):
		t.Fatal("nobody crawls the site that is due")
	}
	victim, survivor := 0, 1
	if c.metric(1, `farwire_sessions_active{kind="recrawl"}`) == "1" {
		victim, survivor = 1, 0
	}

	// Each session sends a message and waits for it to come back, again and again.
	var all sync.WaitGroup
	var over atomic.Bool
	run := func(d dialler, slug string) *atomic.Int64 {
		session, echoes := d.relay(c.alice, target, "agent", slug), new(atomic.Int64)
		all.Go(func() {
			for !over.Load() && session.echo(fmt.Sprintf("message %d", echoes.Load())) == nil {
				echoes.Add(1)
			}
			session.conn.CloseNow()
		})
		c.await(harness.Timeout, func() bool { return echoes.Load() > 10 }, "ten echoes")
		return echoes
	}
	lost := run(c.through(victim), "at1")
	kept := []*atomic.Int64{run(c.through(survivor), "at1"), run(c.through(survivor), "de2")}

	c.gateways[victim].Signal(os.Kill)
	c.gateways[victim].Status()
	killed := lost.Load()
	for range 10 {
		c.throughNginx().relay(c.alice, target).mustEcho()
	}
	token := c.throughNginx().token(c.alice) // a POST, which nginx passes on as well
	for slug := range c.agents {
		c.throughNginx().relay(token, target, "agent", slug).mustEcho()
	}
	for i, echoes := range kept {
		then := echoes.Load()
		c.await(harness.Timeout, func() bool { return echoes.Load() > then+10 }, fmt.Sprintf("ten more echoes of session %d", i))
	}
	if n := lost.Load(); n > killed+1 {
		t.Errorf("a session through a dead gateway had %d echoes more", n-killed)
	}
	over.Store(true)
	all.Wait()

	// The dead gateway's lease has to run out, and the wait that follows it. All but
	// the last seconds of them are like any others.
	s.hang.Store(false)
	const left = 5 * time.Second
	c.sql("UPDATE farwire_sites SET leased_until = now() + make_interval(secs => $1), free_again = now() + make_interval(secs => $1) WHERE leased_until IS NOT NULL", left.Seconds())
	commits := c.sql("SELECT count(*) FROM farwire_recrawls")
	c.awaitEdition(s, 2*(left+poll))
	c.await(harness.Timeout, func() bool { return c.sql("SELECT count(*) FROM farwire_recrawls") == commits+1 }, "the recrawl is committed")
	if n := c.sql("SELECT count(*) - count(DISTINCT (site_id, due)) FROM farwire_recrawls"); n != 0 {
		t.Errorf("%d due times were worked twice", n)
	}
	c.gateways[victim] = c.startGateway(victim, c.gateways[victim].Addr)
	c.awaitNetwork(victim)
	c.await(harness.Timeout, func() bool { // nginx leaves it alone for 5 s
		time.Sleep(200 * time.Millisecond) // the rate of the page
		s := c.throughNginx().relay(c.alice, target)
		defer s.conn.CloseNow()
		return c.metric(victim, `farwire_sessions_active{kind="relay"}`) == "1"
	}, "nginx sends somebody to it again")
}

// drained ends a gateway as an upgrade does, with callers who come through
// nginx all the while.
func drained(t *testing.T, c *cluster, target string) {
	idle := c.through(0).relay(c.alice, target)
	idle.mustEcho()
	ended := make(chan struct{})
	c.gateways[0].Signal(harness.Terminate)
	c.gateways[0].Await(c.gateways[0].Stderr, `msg="draining;`) // whoever came before would be sent away
	go func() {
		defer close(ended)
		<-c.gateways[0].Done()
	}()
	for n := 0; ; n++ {
		s, err := c.throughNginx().tryRelay(c.alice, target)
		if err == nil {
			err = s.echo("hello")
			s.conn.CloseNow()
		}
		if err != nil {
			t.Fatalf("session %d: %v", n, err)
		}
		select {
		case <-ended:
			if n < 3 {
				continue
			}
			if status := c.gateways[0].Status(); status != 0 {
				t.Errorf("the gateway ended with status %d", status)
			}
			return
		case <-time.After(200 * time.Millisecond): // the rate of the page
		}
	}
}
