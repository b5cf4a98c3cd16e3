package natscluster_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	secret  = "0123456789abcdef0123456789abcdef-first"
	another = "0123456789abcdef0123456789abcdef-other"
)

// A gateway is a member that a test looks into.
type gateway struct {
	*natscluster.Cluster
	agent.Membership
	log *harness.Log

	mu     sync.Mutex
	own    agent.Holding
	others map[string]map[uint64]agent.Held
	urls   map[string]string
}

func open(t *testing.T, s *harness.Server, name string, secrets ...string) *gateway {
	t.Helper()
	return openIn(t, s, "", name, secrets...)
}

// openIn makes one of the cluster of this name.
func openIn(t *testing.T, s *harness.Server, cluster, name string, secrets ...string) *gateway {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{secret}
	}
	g := &gateway{log: new(harness.Log), others: map[string]map[uint64]agent.Held{}, urls: map[string]string{},
		own: agent.Holding{Gateway: name, URL: "http://" + name + ".example:8080"}}
	keys := func() (list [][]byte) {
		for _, s := range secrets {
			list = append(list, []byte(s))
		}
		return list
	}
	c, err := natscluster.Open(natscluster.Options{URL: s.URL, Cluster: cluster, Name: name, Secrets: keys, Logger: slog.New(slog.NewTextHandler(g.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	g.Cluster = c
	g.Membership = c.Join(agent.Member{Holding: g.holding, Heard: g.received, Lost: g.lost})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *gateway) holding() agent.Holding {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.own
	h.Agents = slices.Clone(h.Agents)
	return h
}

// hold has the gateway hold so many agents, each with so many sessions.
func (g *gateway) hold(n, sessions int) {
	g.mu.Lock()
	g.own.Agents = nil
	for i := range n {
		g.own.Agents = append(g.own.Agents, agent.Held{Link: uint64(i + 1), ID: fmt.Sprintf("farwire-a%d", i), Slug: fmt.Sprintf("a%d", i),
			Country: "DE", Instance: fmt.Sprintf("instance-%d", i), Sessions: sessions})
	}
	g.mu.Unlock()
	g.Changed()
}

func (g *gateway) received(h agent.Holding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !h.Partial || g.others[h.Gateway] == nil {
		g.others[h.Gateway] = map[uint64]agent.Held{}
	}
	g.urls[h.Gateway] = h.URL
	for _, l := range h.Agents {
		g.others[h.Gateway][l.Link] = l
	}
	for _, number := range h.Gone {
		delete(g.others[h.Gateway], number)
	}
}

func (g *gateway) lost(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.others, name)
}

// sees reports whether the gateway knows of exactly so many agents of another one,
// with so many sessions each.
func (g *gateway) sees(name string, n, sessions int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	links, known := g.others[name]
	for l := range maps.Values(links) {
		if l.Sessions != sessions {
			return false
		}
	}
	return known && len(links) == n && g.urls[name] == "http://"+name+".example:8080"
}

func (g *gateway) knows(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.others[name] != nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(harness.Timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", harness.Timeout, what)
		}
	}
}

func TestDirectory_Changes_ReachTheOthers(t *testing.T) {
	s := harness.NATS(t)
	one, two := open(t, s, "one"), open(t, s, "two")
	for _, n := range []int{3, 0, 2500, 2499, 1} {
		one.hold(n, 0)
		eventually(t, fmt.Sprintf("%d agents are seen", n), func() bool { return two.sees("one", n, 0) })
	}
	one.hold(1, 7)
	eventually(t, "sessions are seen", func() bool { return two.sees("one", 1, 7) })
	late := open(t, s, "late")
	eventually(t, "who comes late sees it too", func() bool { return late.sees("one", 1, 7) && late.sees("two", 0, 0) })
	if n := late.Stats().Gateways; n != 3 {
		t.Errorf("%d gateways", n)
	}
	one.Leave()
	eventually(t, "who leaves is gone", func() bool { return !two.knows("one") && !late.knows("one") })
	if n := late.Stats().Gateways; n > 2 {
		t.Errorf("%d gateways without it", n)
	}
	before := one.Stats().Published
	one.hold(2, 0)
	if one.Stats().Published != before {
		t.Error("a gateway that has left says something")
	}
}

func TestDirectory_NATSUnavailable_GoesOnAndIsCompleteAgain(t *testing.T) {
	s := harness.NATS(t)
	one, two := open(t, s, "one"), open(t, s, "two")
	one.hold(2, 0)
	eventually(t, "it is seen", func() bool { return two.sees("one", 2, 0) })
	s.Kill()
	eventually(t, "nobody else is offered", func() bool { return !two.knows("one") })
	if two.Connected() || two.ClientIP().IsValid() {
		t.Error("it is connected to a dead server")
	}
	one.hold(3, 1)
	s.Start()
	eventually(t, "it is seen again", func() bool { return two.sees("one", 3, 1) })
	if n := two.log.Count("NATS is unavailable"); n != 1 {
		t.Errorf("%d lines say that NATS is unavailable", n)
	}
	if a := two.ClientIP(); !a.IsLoopback() {
		t.Errorf("seen as %v", a)
	}
}

func TestOpen_NATSUnavailableAtTheStart_Succeeds(t *testing.T) {
	s := harness.NATS(t)
	s.Kill()
	one, two := open(t, s, "one"), open(t, s, "two")
	one.hold(1, 0)
	s.Start()
	eventually(t, "it is seen", func() bool { return two.sees("one", 1, 0) })
	if n := one.log.Count(`level=WARN msg="NATS cannot be reached yet`); n != 1 || one.log.Count("err=<nil>") > 0 {
		t.Errorf("%d lines warn", n)
	}
}

func TestMessages_WithoutValidMAC_AreDropped(t *testing.T) {
	s := harness.NATS(t)
	one := open(t, s, "one")
	one.hold(1, 0)
	wire, err := nats.Connect(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	sub, err := wire.SubscribeSync("farwire.>")
	if err != nil {
		t.Fatal(err)
	}
	two := open(t, s, "two")
	eventually(t, "it is seen", func() bool { return two.sees("one", 1, 0) })
	foreign := open(t, s, "foreign", another)
	foreign.hold(5, 0)
	foreign.Publish(farwire.Revocation{KeyID: "k"})
	// What was sent once, whole, changed or shortened, counts no second time.
	sent, err := sub.NextMsg(harness.Timeout)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(sent.Data, []byte(`"from":"one"`), []byte(`"from":"evil"`), 1)
	before := two.Stats()
	for _, data := range [][]byte{sent.Data, changed, sent.Data[:20], nil, []byte(strings.Repeat("x", 40))} {
		if err := wire.Publish("farwire.farwire", data); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are dropped", func() bool { return two.Stats().Dropped >= before.Dropped+5 })
	if two.knows("foreign") || two.knows("evil") || foreign.knows("one") {
		t.Error("a foreign gateway is known")
	}
	if n := two.log.Count("messages on NATS are dropped"); n != 1 {
		t.Errorf("%d lines warn", n)
	}
	// While a secret changes, one that both hold is enough.
	friend := open(t, s, "friend", secret, another)
	friend.hold(4, 0)
	eventually(t, "a friend is seen", func() bool { return two.sees("friend", 4, 0) })
}

func TestBus_Revocations_ReachAll(t *testing.T) {
	s := harness.NATS(t)
	type heard struct {
		mu   sync.Mutex
		last map[string]farwire.Revocation
	}
	listen := func(g *gateway) *heard {
		h := &heard{last: map[string]farwire.Revocation{}}
		g.Subscribe(func(r farwire.Revocation) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.last[r.KeyID] = r
		})
		return h
	}
	is := func(h *heard, key string, gone bool) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		r, known := h.last[key]
		return known && r.Restored != gone
	}
	one, two := open(t, s, "one"), open(t, s, "two")
	atTwo := listen(two)
	for _, key := range []string{"k1", "k2"} {
		one.Publish(farwire.Revocation{KeyID: key})
	}
	eventually(t, "both are gone", func() bool { return is(atTwo, "k1", true) && is(atTwo, "k2", true) })
	two.Publish(farwire.Revocation{KeyID: "k1", Restored: true}) // it never said that it was gone
	one.Publish(farwire.Revocation{KeyID: "k2", Restored: true})
	eventually(t, "one is back", func() bool { return is(atTwo, "k2", false) })
	one.Close()
	atLate := listen(open(t, s, "late"))
	eventually(t, "who comes late hears of both", func() bool { return is(atLate, "k1", true) && is(atLate, "k2", false) })
}

func TestOpen_OptionsThatCannotWork_AreErrors(t *testing.T) {
	keys := func() [][]byte { return [][]byte{[]byte(secret)} }
	for field, o := range map[string]natscluster.Options{
		"URL":         {Name: "n", Secrets: keys},
		"Name":        {URL: "nats://127.0.0.1:1", Secrets: keys},
		"Secrets":     {URL: "nats://127.0.0.1:1", Name: "n"},
		"Cluster":     {URL: "nats://127.0.0.1:1", Name: "n", Secrets: keys, Cluster: "a.b"},
		"Credentials": {URL: "nats://127.0.0.1:1", Name: "n", Secrets: keys, Credentials: "/missing"},
		"CA":          {URL: "nats://127.0.0.1:1", Name: "n", Secrets: keys, CA: "/missing"},
	} {
		if _, err := natscluster.Open(o); err == nil || !strings.Contains(err.Error(), "Options."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	noCredentials := filepath.Join(t.TempDir(), "creds")
	if err := os.WriteFile(noCredentials, []byte("no seed"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]natscluster.Options{
		"is not a NATS URL":       {URL: "http://u:hidden@127.0.0.1:1"},
		"names no host":           {URL: "nats://u:hidden@:4222"},
		"is not between 1 and":    {URL: "nats://127.0.0.1:1, nats://u:hidden@127.0.0.1:99999"},
		"is not a URL":            {URL: "nats://u:hidden%zz@127.0.0.1:1"},
		"holds no user's JWT and": {URL: "nats://127.0.0.1:1", Credentials: noCredentials},
	} {
		o.Name, o.Secrets = "n", keys
		if _, err := natscluster.Open(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// A gateway whose clock was ahead and is set right is heard again at once.
func TestMessages_ClockSetBack_AreTaken(t *testing.T) {
	s := harness.NATS(t)
	one, two := open(t, s, "one"), open(t, s, "two")
	for i, ahead := range []time.Duration{0, time.Second, 31 * time.Second, time.Hour, 20 * 365 * 24 * time.Hour} {
		one.SentAt(time.Now().Add(ahead))
		one.hold(i+1, i)
		eventually(t, fmt.Sprintf("a gateway is heard whose clock was %v ahead", ahead), func() bool { return two.sees("one", i+1, i) })
	}
}

// So is one of a machine whose gateways all had that clock.
func TestMessages_AllClocksSetBack_AreTaken(t *testing.T) {
	s := harness.NATS(t)
	one, two := open(t, s, "one"), open(t, s, "two")
	for i, ahead := range []time.Duration{45 * time.Second, time.Hour} {
		one.SentAt(time.Now().Add(ahead))
		two.NotedAt("one", time.Now().Add(ahead))
		one.hold(i+1, i)
		eventually(t, fmt.Sprintf("a gateway is heard after clocks %v ahead", ahead), func() bool { return two.sees("one", i+1, i) })
	}
}
