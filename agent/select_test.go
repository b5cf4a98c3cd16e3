package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// fake is an exit whose dials end as fail says, or in a pipe.
func fake(slug, country string, fail func() error) agent.Exit {
	return agent.Exit{Slug: slug, Country: country, DialContext: func(context.Context, string, string) (net.Conn, error) {
		if fail != nil {
			if err := fail(); err != nil {
				return nil, err
			}
		}
		c, far := net.Pipe()
		far.Close()
		return c, nil
	}}
}

func localPool(t *testing.T, exits ...agent.Exit) *agent.Pool {
	t.Helper()
	p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exits {
		if err := p.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestAdd_BadExit_IsRefused(t *testing.T) {
	p := localPool(t, fake("de1", "DE", nil))
	for name, e := range map[string]agent.Exit{
		"no dialer": {Slug: "a", Country: "DE"}, "the same id": fake("de1", "US", nil), "no country": fake("b", "", nil), "no slug": fake("", "DE", nil),
	} {
		if err := p.Add(e); err == nil {
			t.Errorf("%s: added", name)
		}
	}
	if n := len(p.Agents()); n != 1 {
		t.Errorf("%d exits", n)
	}
}

func TestSelect_Query_Fits(t *testing.T) {
	p := localPool(t, fake("de1", "DE", nil), fake("de2", "DE", nil), fake("us1", "US", nil))
	for _, tc := range []struct {
		q    agent.Query
		want map[string]bool
	}{
		{agent.Query{}, map[string]bool{"de1": true, "de2": true, "us1": true}},
		{agent.Query{Countries: []string{"de"}}, map[string]bool{"de1": true, "de2": true}},
		{agent.Query{Slugs: []string{"US1", "de2"}}, map[string]bool{"us1": true, "de2": true}},
		{agent.Query{Slugs: []string{"us1"}, Countries: []string{"DE"}}, nil},
		{agent.Query{Countries: []string{"DE"}, Exclude: []string{"farwire-de1"}}, map[string]bool{"de2": true}},
		{agent.Query{Countries: []string{"FR"}}, nil},
	} {
		got := map[string]bool{}
		for range 200 {
			e, err := p.SelectAgent(t.Context(), tc.q)
			if err != nil {
				if !errors.Is(err, agent.ErrNoAgent) {
					t.Fatal(err)
				}
				break
			}
			got[e.Slug] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) && len(got)+len(tc.want) > 0 {
			t.Errorf("%+v: selected %v, want %v", tc.q, got, tc.want)
		}
	}
}

func TestSelect_ManyRequests_ShareTheLoad(t *testing.T) {
	const requests, exits = 2000, 4
	p := localPool(t, fake("a", "DE", nil), fake("b", "DE", nil), fake("c", "DE", nil), fake("d", "DE", nil))
	var conns []net.Conn
	for range requests {
		e := selectOne(t, p, agent.Query{})
		c, err := e.DialContext(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, in := range p.Agents() { // blind luck would put them 20 apart, and further
		if d := in.Sessions - requests/exits; d < -8 || d > 8 {
			t.Errorf("%s carries %d of %d sessions", in.Slug, in.Sessions, requests)
		}
	}
	for _, c := range conns {
		c.Close()
		c.Close() // counted once
	}
	for _, in := range p.Agents() {
		if in.Sessions != 0 {
			t.Errorf("%s carries %d sessions after all have ended", in.Slug, in.Sessions)
		}
	}
}

// share is how often of 1000 times the pool picks slug for host.
func share(t *testing.T, p *agent.Pool, slug, host string) int {
	t.Helper()
	n := 0
	for range 1000 {
		if selectOne(t, p, agent.Query{Host: host}).Slug == slug {
			n++
		}
	}
	return n
}

func TestSelect_FailedExit_RecoversOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := localPool(t, fake("bad", "DE", nil), fake("good", "DE", nil))
		bad := selectOne(t, p, agent.Query{Slugs: []string{"bad"}})
		state := func(want agent.State) {
			t.Helper()
			if got := p.StateFor("farwire-bad", "host.test"); got != want {
				t.Errorf("state is %s, want %s", got, want)
			}
		}
		wrong := errors.New("403 Forbidden")

		state(agent.Available)
		bad.Report("HOST.test.", wrong)
		state(agent.Limited)
		if n := share(t, p, "bad", "host.test"); n == 0 || n > 400 {
			t.Errorf("a limited exit is picked %d times of 1000", n)
		}
		if n := share(t, p, "bad", "other.test"); n < 350 {
			t.Errorf("and for another host %d times", n)
		}
		time.Sleep(30 * time.Second)
		state(agent.Available) // by itself

		for range 100 {
			bad.Report("host.test", wrong)
		}
		state(agent.Limited) // one incident
		for range 2 {
			time.Sleep(time.Second)
			bad.Report("host.test", wrong)
		}
		state(agent.Unavailable)
		if n := share(t, p, "bad", "host.test"); n > 5 {
			t.Errorf("an unavailable exit is picked %d times of 1000", n)
		}
		if e := selectOne(t, p, agent.Query{Host: "host.test", Slugs: []string{"bad"}}); e.Slug != "bad" {
			t.Error("a pinned exit is not picked")
		}
		time.Sleep(30 * time.Second)
		state(agent.Recovering)
		n := 0
		for range 10 { // it is picked now and then
			n += share(t, p, "bad", "host.test")
		}
		if n == 0 || n > 3000 {
			t.Errorf("a recovering exit is picked %d times of 10000", n)
		}
		bad.Report("host.test", wrong)
		state(agent.Unavailable)
		time.Sleep(59 * time.Second)
		state(agent.Unavailable) // for twice as long
		time.Sleep(time.Second)
		state(agent.Recovering)
		bad.Report("host.test", nil)
		state(agent.Available)

		for range 20 {
			time.Sleep(time.Second)
			bad.Report("host.test", wrong)
		}
		time.Sleep(10 * time.Minute)
		state(agent.Recovering) // no longer than that
		time.Sleep(10 * time.Minute)
		state(agent.Available) // forgotten
	})
}

// Of exits with the same sessions each is picked by its weight, wherever it stands in the list.
func TestSelect_ExitsOfDifferentWeight_LessForTheLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for as long as it is limited
		for _, good := range []int{0, 1, 2, 3} {
			var exits []agent.Exit
			for n := range 4 {
				exits = append(exits, fake(fmt.Sprint("e", n), "DE", nil))
			}
			p := localPool(t, exits...)
			for n := range exits {
				if n != good {
					selectOne(t, p, agent.Query{Slugs: []string{fmt.Sprint("e", n)}}).Report("host.test", errors.New("403 Forbidden"))
				}
			}
			// Three of weight 0.2 beside 1: both draws fall on one of them 141 times of 1000.
			if n := share(t, p, fmt.Sprint("e", good), "host.test"); n < 800 || n > 910 {
				t.Errorf("the exit that fares well, at %d, is picked %d times of 1000", good, n)
			}
		}
	})
}

func TestHealth_FullExit_IsLimitedAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := &agent.DialError{Fault: agent.FaultAgent, Err: agent.ErrOverloaded}
		p := localPool(t, fake("a", "DE", func() error { return full }))
		e := selectOne(t, p, agent.Query{})
		for range 100 {
			time.Sleep(time.Second)
			if _, err := e.DialContext(t.Context(), "tcp", "host.test:443"); err == nil {
				t.Fatal("dialled")
			}
		}
		if s := p.Agents()[0].State; s != agent.Limited {
			t.Errorf("state is %s", s)
		}
		if s := p.StateFor(e.ID, "host.test"); s != agent.Available {
			t.Errorf("and %s for the host", s)
		}
	})
}

func TestHealth_DialOutcomes_CountByFault(t *testing.T) {
	for _, tc := range []struct {
		name       string
		err        error
		host, self agent.State
	}{
		{"success", nil, agent.Available, agent.Available},
		{"refused", syscall.ECONNREFUSED, agent.Limited, agent.Available},
		{"silence", context.DeadlineExceeded, agent.Limited, agent.Available},
		{"policy", &agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("no")}, agent.Limited, agent.Available},
		{"its own fault", &agent.DialError{Fault: agent.FaultAgent, Err: errors.New("no")}, agent.Limited, agent.Limited},
		{"given up", context.Canceled, agent.Available, agent.Available},
		{"no such host", &net.DNSError{IsNotFound: true}, agent.Available, agent.Available},
	} {
		p := localPool(t, fake("a", "DE", func() error { return tc.err }))
		e := selectOne(t, p, agent.Query{})
		c, err := e.DialContext(t.Context(), "tcp", "host.test:443")
		if err == nil {
			c.Close()
		}
		if h, s := p.StateFor(e.ID, "host.test"), p.Agents()[0].State; h != tc.host || s != tc.self {
			t.Errorf("%s: %s for the host and %s as a whole, want %s and %s", tc.name, h, s, tc.host, tc.self)
		}
	}
}

func TestHealth_ManyHosts_StayBounded(t *testing.T) {
	p := localPool(t, fake("a", "DE", nil))
	for i := range 1<<16 + 1000 {
		p.Fail("farwire-a", fmt.Sprint(i))
	}
	if n := p.HealthRecords(); n > 1<<16 || n < 1<<15 {
		t.Errorf("%d failures are remembered", n)
	}
}

func TestReport_OfAnExit_ReachesIt(t *testing.T) {
	var got error
	e := fake("a", "DE", nil)
	e.Report = func(host string, err error) { got = fmt.Errorf("%s: %w", host, err) }
	p := localPool(t, e)
	selectOne(t, p, agent.Query{}).Report("host.test", syscall.ECONNRESET)
	if got == nil || got.Error() != "host.test: connection reset by peer" {
		t.Errorf("the exit was told %v", got)
	}
}

func TestWindows_ManyStreams_StayWithinTheBudget(t *testing.T) {
	for _, tc := range []struct{ streams, most int }{{1, 8 << 20}, {8, 34 << 20}, {100, 64 << 20}, {128, 64 << 20}, {1000, 282 << 20}} {
		for _, together := range []bool{true, false} {
			got := agent.Windows(tc.streams, together)
			if got > tc.most || got < tc.most*3/4 {
				t.Errorf("%d streams may hold %d MiB, want at most %d and nearly that", tc.streams, got>>20, tc.most>>20)
			}
		}
	}
}
