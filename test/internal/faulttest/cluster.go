package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// ClusterOptions say how large a cluster is, how long its faults go on, and how often
// there is one.
type ClusterOptions struct {
	Options    // KillEvery is the time from one fault to the next
	Gateways   int
	FrozenFor  time.Duration // of what stands still
	OpenWithin time.Duration // how long a client tries for a session, at one gateway after another
}

// A ClusterResult is what has happened.
type ClusterResult struct {
	Result
	Faults map[string]int // by what was done to what
	Own    int            // sessions whose gateway was killed: cut
}

func (r *ClusterResult) String() string {
	var faults []string
	for what, n := range r.Faults {
		faults = append(faults, fmt.Sprintf("%s %d times", what, n))
	}
	slices.Sort(faults)
	return fmt.Sprintf("%d sessions; %s; %d sessions were closed complete, %d ended with their gateway, %d got 1013 and %d were cut inside a frame "+
		"when their agent or the gateway that carried them was killed, the last %v after it; %d frames, %.1f GB; %d things wrong",
		r.Sessions, strings.Join(faults, ", "), r.Finished, r.Own, r.Closed, r.Cut, r.Slowest.Round(time.Millisecond),
		r.Frames, float64(r.Bytes)/1e9, len(r.Wrong))
}

// A clusterNetwork is one run of a cluster.
type clusterNetwork struct {
	*network
	o           ClusterOptions
	result      ClusterResult
	dir         string
	nats, redis *service
	gateways    []*member
	agents      []*harness.Process
	crashes     []crash // guarded by network.mu
}

// A member is a gateway of the cluster.
type member struct {
	addr, name string
	process    *harness.Process
}

// A crash is a kill of a gateway or of an agent.
type crash struct {
	at      time.Time
	gateway string   // host:port; empty: none
	nodes   []string // agents that were killed, or that the gateway held
}

// RunCluster starts NATS, Redis, gateways and agents, and sessions that come to any of
// the gateways, and kills and freezes what carries them. A session may end with its
// gateway, with its agent, or with a gateway that held its agent, within Limit; nothing
// else ends one, and no byte is missed, repeated or changed.
func RunCluster(ctx context.Context, o ClusterOptions) (*ClusterResult, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	c := &clusterNetwork{network: newNetwork(o.Options), o: o}
	c.where, c.judge, c.retry = c.anywhere, c.judgeSession, o.OpenWithin
	c.result.Faults = map[string]int{}
	err := c.run(ctx)
	c.result.Result = c.network.result
	return &c.result, err
}

func (c *clusterNetwork) run(ctx context.Context) (err error) {
	if c.dir, err = os.MkdirTemp("", "farwire-cluster-*"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	ports, err := harness.FreePorts(2 + c.o.Gateways)
	if err != nil {
		return err
	}
	port := func(i int) string { return fmt.Sprint(ports[i]) }
	c.nats = &service{addr: "127.0.0.1:" + port(0), command: []string{"nats-server", "--addr", "127.0.0.1", "--port", port(0)}}
	c.redis = &service{addr: "127.0.0.1:" + port(1), command: []string{"redis-server", "--bind", "127.0.0.1", "--port", port(1),
		"--dir", c.dir, "--save", "", "--appendonly", "no"}}
	for _, s := range []*service{c.nats, c.redis} {
		if err := s.start(ctx); err != nil {
			return err
		}
		defer s.kill()
	}
	defer func() { err = errors.Join(err, c.end()) }()
	for i := range c.o.Gateways {
		m := &member{addr: "127.0.0.1:" + port(2+i)}
		if err := c.startGateway(ctx, m); err != nil {
			return err
		}
		c.gateways = append(c.gateways, m)
	}
	for i := range c.o.Agents {
		a, err := c.startAgent(ctx, i)
		if err != nil {
			return err
		}
		c.agents = append(c.agents, a)
	}
	for _, m := range c.gateways {
		if err := harness.AwaitAgents(ctx, m.addr, c.o.Agents); err != nil {
			return err
		}
	}
	return c.cross(ctx, func() error { return c.trouble(ctx) })
}

// end stops all processes, and looks whether one of them has panicked.
func (c *clusterNetwork) end() (err error) {
	for _, m := range c.gateways {
		m.process.End(harness.Terminate)
		err = errors.Join(err, m.process.Crashed())
		for line := range strings.Lines(m.process.Log()) {
			if strings.Contains(line, "level=ERROR") {
				c.wrong("the gateway says: %s", line)
			}
		}
	}
	for _, a := range c.agents {
		a.End(harness.Terminate)
		err = errors.Join(err, a.Crashed())
	}
	return err
}

var clusterNamed = regexp.MustCompile(`cluster (\S+) at `)

func (c *clusterNetwork) startGateway(ctx context.Context, m *member) error {
	p, _, err := harness.LaunchGatewayIn(ctx, []string{"NATS_URL=nats://" + c.nats.addr, "REDIS_URL=redis://" + c.redis.addr, "FARWIRE_BROWSER=none"},
		c.Program, filepath.Join(c.dir, m.addr[strings.LastIndex(m.addr, ":")+1:]), m.addr,
		"--token-secret", "the-token-secret-of-a-test-run-0123456789", "--max-sessions", "100000", "--no-recrawl")
	if err != nil {
		return err
	}
	m.process = p
	named, err := p.Await(ctx, p.Stderr, clusterNamed)
	if err != nil {
		return err
	}
	m.name = named[1]
	return nil
}

// startAgent starts one that knows all gateways, in an order of its own.
func (c *clusterNetwork) startAgent(ctx context.Context, i int) (*harness.Process, error) {
	flags := []string{"--allow-private"}
	order := rand.Perm(len(c.gateways))
	for _, n := range order[1:] {
		flags = append(flags, "--gateway", "http://"+c.gateways[n].addr)
	}
	a, err := harness.LaunchAgent(c.Program, c.gateways[order[0]].addr, slug(i), flags...)
	if err != nil {
		return nil, err
	}
	return a, harness.AwaitAttached(ctx, a)
}

// anywhere is where a balancer sends a client that knows nothing.
func (c *clusterNetwork) anywhere() string { return c.gateways[rand.IntN(len(c.gateways))].addr }

// trouble does one thing after another to the cluster until the time is over.
func (c *clusterNetwork) trouble(ctx context.Context) error {
	end := time.After(c.For)
	tick := time.NewTicker(c.KillEvery)
	defer tick.Stop()
	kinds := []struct {
		name string
		do   func(context.Context) error
	}{
		{"a gateway was killed", c.killGateway},
		{"a gateway was frozen", func(ctx context.Context) error {
			return c.freeze(ctx, c.gateways[rand.IntN(len(c.gateways))].process)
		}},
		{"an agent was killed", c.killAgent},
		{"an agent was frozen", func(ctx context.Context) error { return c.freeze(ctx, c.agents[rand.IntN(len(c.agents))]) }},
		{"NATS was killed", c.nats.restart},
		{"NATS was frozen", func(ctx context.Context) error { return c.freeze(ctx, c.nats.process) }},
		{"Redis was killed", c.redis.restart},
		{"Redis was frozen", func(ctx context.Context) error { return c.freeze(ctx, c.redis.process) }},
	}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		case <-tick.C:
		}
		if n%len(kinds) == 0 {
			rand.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		}
		k := kinds[n%len(kinds)]
		if err := k.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		c.mu.Lock()
		c.result.Faults[k.name]++
		c.result.Result = c.network.result
		c.Logf("%s: %v", k.name, &c.result)
		c.mu.Unlock()
	}
}

func (c *clusterNetwork) freeze(ctx context.Context, p *harness.Process) error {
	p.Send(harness.Freeze)
	defer p.Send(harness.Thaw)
	select {
	case <-time.After(c.o.FrozenFor):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *clusterNetwork) killGateway(ctx context.Context) error {
	at := rand.IntN(len(c.gateways))
	m, next := c.gateways[at], c.gateways[(at+1)%len(c.gateways)]
	holders, err := harness.Holders(ctx, next.addr)
	if err != nil {
		return err
	}
	d := crash{at: time.Now(), gateway: m.addr}
	for node, names := range holders {
		if slices.Contains(names, m.name) {
			d.nodes = append(d.nodes, node)
		}
	}
	c.died(d)
	m.process.Kill()
	if err := m.process.Crashed(); err != nil {
		return err
	}
	return c.startGateway(ctx, m)
}

func (c *clusterNetwork) killAgent(ctx context.Context) error {
	i := rand.IntN(len(c.agents))
	c.died(crash{at: time.Now(), nodes: []string{"farwire-" + slug(i)}})
	c.agents[i].Kill()
	if err := c.agents[i].Crashed(); err != nil {
		return err
	}
	a, err := c.startAgent(ctx, i)
	if a != nil {
		c.agents[i] = a
	}
	return err
}

func (c *clusterNetwork) died(d crash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crashes = append(c.crashes, d)
	c.network.result.Kills++
}

// judgeSession holds the end of a session against what it must be.
func (c *clusterNetwork) judgeSession(s *session) {
	client, target := s.client, s.target
	c.mu.Lock()
	defer c.mu.Unlock()
	wrong := c.count(s)
	own, carried := c.causes(s)
	lost := func(n *int, cause time.Time, how string) {
		switch took := client.at.Sub(cause); {
		case cause.IsZero():
			wrong("%s, though nothing that carried it was killed: %+v, %v", how, client.closed, client.err)
		case took > c.Limit:
			wrong("%s %v after a kill", how, took)
		default:
			*n++
			c.network.result.Slowest = max(c.network.result.Slowest, took)
		}
	}
	switch {
	case client.closed != nil && client.err == nil && client.closed.code == 1000:
		c.finished(s, wrong)
	case client.closed != nil && client.err == nil && client.closed.code == 1013:
		lost(&c.network.result.Closed, carried, fmt.Sprintf("got %d %s", client.closed.code, client.closed.reason))
	case client.closed == nil && errors.Is(client.err, errInside) && own.IsZero():
		lost(&c.network.result.Cut, carried, "cut inside a frame")
	case client.closed == nil && (errors.Is(client.err, errInside) || errors.Is(client.err, errOutside)):
		lost(&c.result.Own, own, "cut")
	default:
		wrong("at the client: %+v, %v; at the target %+v, %v", client.closed, client.err, target.closed, target.err)
	}
}

// causes are when the session's gateway was killed last, and when its agent or a
// gateway that held the agent was, before the session's end.
func (c *clusterNetwork) causes(s *session) (own, carried time.Time) {
	for _, d := range c.crashes {
		if !d.at.Before(s.client.at) || d.at.Before(s.asked) {
			continue
		}
		if d.gateway == s.gateway {
			own = d.at
		}
		if slices.Contains(d.nodes, s.node) {
			carried = d.at
		}
	}
	return own, carried
}

// A service is a server beside the gateways that can be killed and started again.
type service struct {
	addr    string
	command []string
	process *harness.Process
}

func (s *service) start(ctx context.Context) (err error) {
	if s.process, err = harness.Launch(exec.Command(s.command[0], s.command[1:]...)); err != nil {
		return err
	}
	for end := time.Now().Add(harness.Timeout); ; time.Sleep(20 * time.Millisecond) {
		var conn net.Conn
		if conn, err = net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.command[0], err)
		}
	}
}

func (s *service) kill() { s.process.Kill() }

func (s *service) restart(ctx context.Context) error {
	s.kill()
	select {
	case <-time.After(time.Second): // for as long as it is to be away
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.start(ctx)
}
