package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// named is an exit that dials nowhere.
func named(slug, country string) agent.Exit {
	return agent.Exit{Slug: slug, Country: country, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nowhere")
	}}
}

func poolOf(t *testing.T, slugs ...string) *agent.Pool {
	t.Helper()
	p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slugs {
		if err := p.Add(named(s, "DE")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func session(n int) agent.Query {
	return agent.Query{Subject: fmt.Sprint("caller", n%7), Session: fmt.Sprint("s-", n), Host: "target.test"}
}

// homes is where each of many sessions goes.
func homes(t *testing.T, p *agent.Pool, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = selectOne(t, p, session(i)).Slug
	}
	return list
}

func TestSticky_TwoGateways_AgreeWhateverTheOrder(t *testing.T) {
	a, b := poolOf(t, "a1", "b2", "c3", "d4", "e5"), poolOf(t, "E5", "c3", "a1", "D4", "b2")
	x, y := homes(t, a, 500), homes(t, b, 500)
	shares := map[string]int{}
	for i := range x {
		if !equalFold(x[i], y[i]) {
			t.Fatalf("session %d goes to %s here and %s there", i, x[i], y[i])
		}
		shares[x[i]]++
	}
	for slug, n := range shares {
		if n < 50 || n > 170 { // of 500, a fifth is 100
			t.Errorf("%s has %d of 500 sessions", slug, n)
		}
	}
	if len(shares) != 5 {
		t.Errorf("only %v have sessions", shares)
	}
}

func equalFold(a, b string) bool {
	q := agent.Query{Slugs: []string{a}}
	return q.Fits(agent.Exit{Slug: b})
}

func TestSticky_FailuresOfTheTarget_MoveNothing(t *testing.T) {
	p := poolOf(t, "a1", "b2", "c3")
	before := homes(t, p, 100)
	for _, a := range p.Agents()[:2] {
		for range 5 {
			p.Fail(a.ID, "target.test")
			p.Fail(a.ID, "")
		}
	}
	for i, slug := range homes(t, p, 100) {
		if slug != before[i] {
			t.Errorf("session %d moved from %s to %s", i, before[i], slug)
		}
	}
}

func TestSticky_AgentExcluded_AllOfASessionTakeTheSameNext(t *testing.T) {
	p := poolOf(t, "a1", "b2", "c3", "d4")
	next := map[string]map[string]bool{}
	for i := range 200 {
		q := session(i)
		home := selectOne(t, p, q)
		q.Exclude = []string{home.Key()}
		first := selectOne(t, p, q).Slug
		for range 5 {
			if again := selectOne(t, p, q).Slug; again != first {
				t.Fatalf("session %d went on to %s and to %s", i, first, again)
			}
		}
		if next[home.Slug] == nil {
			next[home.Slug] = map[string]bool{}
		}
		next[home.Slug][first] = true
	}
	for slug, to := range next {
		if len(to) != 3 {
			t.Errorf("the sessions of %s all went on to %v: one agent gets all", slug, to)
		}
	}
}

func TestSticky_AgentComesAnew_TakesItsShareAlone(t *testing.T) {
	p := poolOf(t, "a1", "b2", "c3")
	const n = 600
	before := homes(t, p, n)
	if err := p.Add(named("d4", "DE")); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i, slug := range homes(t, p, n) {
		if slug == before[i] {
			continue
		}
		if moved++; slug != "d4" {
			t.Errorf("session %d moved from %s to %s", i, before[i], slug)
		}
	}
	if moved < n/8 || moved > n*3/8 { // a quarter
		t.Errorf("%d of %d sessions moved", moved, n)
	}
	if !p.Remove("farwire-d4") {
		t.Fatal("no farwire-d4 to remove")
	}
	for i, slug := range homes(t, p, n) {
		if slug != before[i] {
			t.Errorf("session %d is at %s and was at %s", i, slug, before[i])
		}
	}
}

func TestSticky_Filters_AreNeverWidened(t *testing.T) {
	p := poolOf(t, "a1", "b2", "c3")
	q := session(1)
	for _, slug := range []string{"a1", "B2"} {
		q.Slugs = []string{slug}
		if e := selectOne(t, p, q); !equalFold(e.Slug, slug) {
			t.Errorf("asked for %s, got %s", slug, e.Slug)
		}
	}
	q.Countries = []string{"AT"}
	if _, err := p.SelectAgent(t.Context(), q); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("got %v, want ErrNoAgent", err)
	}
}

// What two callers call by one name are two sessions, and no caller can choose
// a name that makes it another's.
func TestSticky_TwoCallers_HaveSessionsOfTheirOwn(t *testing.T) {
	p := poolOf(t, "a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8")
	same := 0
	for i := range 200 {
		a := selectOne(t, p, agent.Query{Subject: "alice", Session: fmt.Sprint(i)}).Slug
		b := selectOne(t, p, agent.Query{Subject: "bob", Session: fmt.Sprint(i)}).Slug
		c := selectOne(t, p, agent.Query{Subject: "alic", Session: "e" + fmt.Sprint(i)}).Slug
		if a == b && a == c {
			same++
		}
	}
	if same > 30 { // 200/64 by chance
		t.Errorf("%d of 200 sessions are the same for three callers", same)
	}
}

// An agent that is full is passed by, and has its sessions back when it is not.
func TestSticky_AgentFullOrGone_MovesAndComesBack(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	hold := target(t, func(c *net.TCPConn) { c.Read(make([]byte, 1)) })
	stops := map[string]func(){}
	for _, slug := range []string{"a1", "b2", "c3"} {
		stops[slug], _ = run(t, agent.RunOptions{
			Gateways: []string{srv.URL}, AllowPrivate: true, Slug: slug, Country: "DE", MaxSessions: 1, DrainTimeout: -1})
	}
	attached(t, p, 3)
	q := session(3)
	home := selectOne(t, p, q)
	c := dial(t, home, hold)
	_, err := home.DialContext(t.Context(), "tcp", hold)
	var full *agent.DialError
	if !errors.As(err, &full) || !full.AgentUnavailable() || fault.ClassOf(err) != fault.AgentFull {
		t.Fatalf("a full agent: %v, of class %d", err, fault.ClassOf(err))
	}
	q.Exclude = []string{home.Key()}
	next := selectOne(t, p, q)
	c.Close()
	q.Exclude = nil
	if again := selectOne(t, p, q); again.Slug != home.Slug {
		t.Errorf("the session is at %s, and %s has room", again.Slug, home.Slug)
	}
	stops[home.Slug]()
	attached(t, p, 2)
	if now := selectOne(t, p, q); now.Slug != next.Slug {
		t.Errorf("when %s is gone the session goes to %s, and when it is full to %s", home.Slug, now.Slug, next.Slug)
	}
}

// A dial that fails for other reasons does not say that the agent is to be left.
func TestDialError_AgentUnavailable_OnlyWhenItTakesNoSessions(t *testing.T) {
	for text, want := range map[*agent.DialError]bool{
		{Fault: agent.FaultAgent, Err: errors.New("tunnel: gone")}:                true,
		{Fault: agent.FaultAgent, Err: agent.ErrOverloaded}:                       true,
		{Fault: agent.FaultTarget, Err: errors.New("refused")}:                    false,
		{Fault: agent.FaultPolicy, Err: errors.New("refused")}:                    false,
		{Fault: agent.FaultAgent, Err: agent.Classify(context.Canceled)}:          false,
		{Fault: agent.FaultAgent, Err: fmt.Errorf("%w", agent.ErrNoNetworkCause)}: false,
	} {
		if got := text.AgentUnavailable(); got != want {
			t.Errorf("%v: %v", text, got)
		}
	}
}

// SelectAgent is safe beside agents that come and go.
func TestSticky_AgentsComeAndGo_SelectIsSafe(t *testing.T) {
	p := poolOf(t, "a1", "b2")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				if _, err := p.SelectAgent(context.Background(), session(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		slug := fmt.Sprint("x", i)
		if err := p.Add(named(slug, "DE")); err != nil {
			t.Error(err)
		}
		p.Remove("farwire-" + slug)
	}
	wg.Wait()
}
