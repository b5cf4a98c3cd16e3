//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A relay is a way from the load to the target, of one process or two.
type relay struct {
	name      string
	way       way
	processes []*process
	farwire   bool // it wants to be told the target
}

// A way is how a relay is asked.
type way int

const (
	byMessage way = iota // a WebSocket
	byPath               // requests of HTTP, to a reverse proxy or the path form
	byConnect            // a forward proxy's tunnel
	bySession            // WebSockets, opened one after the other
	bySecure             // the same, to a target with TLS
)

// serves reports whether a relay can be asked so.
func serves(name string, w way) bool {
	switch name {
	case "farwire", "agent":
		return true
	case "query":
		return w == bySession || w == bySecure
	case "direct":
		return w != bySecure
	case "nginx":
		return w != byConnect
	case "nginx64k":
		return w == byMessage || w == byPath
	case "tinyproxy", "squid":
		return w == byConnect
	case "httputil":
		return w == byPath
	}
	return w == byMessage || w == bySession
}

// The relays that are compared, ours first. Direct is a connection without a relay.
var makers = []struct {
	name  string
	start func(target string, profile func(string) string) (*relay, error)
}{
	{"farwire", func(_ string, profile func(string) string) (*relay, error) {
		p, err := startRole("gateway", profile("farwire"))
		return &relay{processes: []*process{p}, farwire: true}, err
	}},
	{"query", func(_ string, profile func(string) string) (*relay, error) {
		p, err := startRole("gateway", profile("query"))
		return &relay{processes: []*process{p}, farwire: true}, err
	}},
	{"agent", func(_ string, profile func(string) string) (*relay, error) {
		g, err := startRole("pool", profile("agent-gateway"))
		if err != nil {
			return nil, err
		}
		a, err := startRole("agent", g.addr, profile("agent-agent"))
		if err == nil {
			err = attached(g)
		}
		return &relay{processes: []*process{g, a}, farwire: true}, err
	}},
	{"chisel", func(target string, _ func(string) string) (*relay, error) {
		both, err := startChisel(target)
		return &relay{processes: both}, err
	}},
	{"nginx", func(target string, _ func(string) string) (*relay, error) {
		p, err := startNginx(target, "")
		return &relay{processes: []*process{p}}, err
	}},
	{"nginx64k", func(target string, _ func(string) string) (*relay, error) {
		p, err := startNginx(target, "proxy_buffer_size 64k; proxy_buffers 8 64k;")
		return &relay{processes: []*process{p}}, err
	}},
	{"tinyproxy", func(string, func(string) string) (*relay, error) {
		p, err := startTinyproxy()
		return &relay{processes: []*process{p}}, err
	}},
	{"squid", func(string, func(string) string) (*relay, error) {
		p, err := startSquid()
		return &relay{processes: []*process{p}}, err
	}},
	{"coder", func(target string, profile func(string) string) (*relay, error) {
		p, err := startRole("coder", target, profile("coder"))
		return &relay{processes: []*process{p}}, err
	}},
	{"gorilla", func(target string, profile func(string) string) (*relay, error) {
		p, err := startRole("gorilla", target, profile("gorilla"))
		return &relay{processes: []*process{p}}, err
	}},
	{"httputil", func(target string, profile func(string) string) (*relay, error) {
		p, err := startRole("httputil", target, profile("httputil"))
		return &relay{processes: []*process{p}}, err
	}},
}

// relayNames lists the relays that this machine has: chisel and squid only where one
// is on the PATH.
func relayNames() (names []string) {
	for _, m := range makers {
		if _, err := exec.LookPath(m.name); err == nil || m.name != "chisel" && m.name != "squid" {
			names = append(names, m.name)
		}
	}
	return names
}

// startRelay starts the processes of a relay.
func startRelay(p *plan, w way, name, target string) (*relay, error) {
	if name == "direct" {
		return &relay{name: name, way: w}, nil
	}
	profile := func(of string) string {
		if p.profiles == "" {
			return ""
		}
		return filepath.Join(p.profiles, of+"-"+w.String()+".pprof")
	}
	for _, m := range makers {
		if m.name == name {
			r, err := m.start(target, profile)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			r.name, r.way = name, w
			return r, nil
		}
	}
	return nil, fmt.Errorf("no relay %q", name)
}

func (r *relay) stop() {
	for _, p := range r.processes {
		p.stop()
	}
}

// cpu is the processor time of all processes of the relay.
func (r *relay) cpu() (sum time.Duration, err error) {
	for _, p := range r.processes {
		d, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// mallocs is how many objects its processes have allocated; peers are not asked.
func (r *relay) mallocs() (sum uint64, err error) {
	for _, p := range r.processes {
		if p.role == nil {
			continue
		}
		f, err := p.ask("facts")
		if err != nil {
			return 0, err
		}
		sum += f.Mallocs
	}
	return sum, nil
}

// open begins a session with the target.
func (r *relay) open(target, path string) (*link, error) {
	switch {
	case r.way == byPath:
		return r.openPath(target)
	case r.way == byConnect:
		return r.openTunnel(target, path)
	case r.way == bySession, r.way == bySecure:
		return r.openSession(target, path)
	case len(r.processes) == 0:
		return dial(target, path, "")
	case r.farwire:
		return dial(r.processes[0].addr, "/ws", "ws://"+target+path)
	}
	return dial(r.processes[0].addr, path, "")
}

// The roles of this binary.
var roles map[string]func(args []string) (*role, error)

func init() {
	roles = map[string]func(args []string) (*role, error){
		"target": targetRole, "gateway": gatewayRole, "pool": poolRole, "agent": agentRole,
		"coder": coderRole, "gorilla": gorillaRole, "httputil": httputilRole,
	}
}

const (
	benchKey    = "a key of sixteen bytes or more"
	agentSecret = "a secret of sixteen bytes or more"
)

func gatewayRole([]string) (*role, error) {
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		return nil, err
	}
	// In a pool, as the program has it.
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		return nil, err
	}
	if err := pool.Add(exit); err != nil {
		return nil, err
	}
	h, err := hostOf(http.NewServeMux(), pool)
	if err != nil {
		return nil, err
	}
	return serve(h)
}

func poolRole([]string) (*role, error) {
	pool, err := agent.NewPool(agent.PoolOptions{Secret: agentSecret, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /agents/attach", pool)
	h, err := hostOf(mux, pool)
	if err != nil {
		return nil, err
	}
	r, err := serve(h)
	if err == nil {
		r.agents = func() int { return len(pool.Agents()) }
	}
	return r, err
}

// hostOf is what a host does, with nothing tuned but the rate limit, in a process
// whose collector is set as the program sets it.
func hostOf(mux *http.ServeMux, agents farwire.AgentSelector) (http.Handler, error) {
	farwire.TuneCollector()
	keys, err := farwire.APIKeys(map[string]string{benchKey: "bench"})
	if err != nil {
		return nil, err
	}
	roots, err := targetRoots()
	if err != nil {
		return nil, err
	}
	gw, err := farwire.New(farwire.Options{
		RootCAs: roots,
		Auth:    keys, Agents: agents, Limits: farwire.Limits{Rate: -1, HTTPRate: -1}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /ws", gw.Relay())
	path := gw.PathForm()
	return gw.ForwardProxy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			path.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})), nil
}

func agentRole(args []string) (*role, error) {
	farwire.TuneCollector()
	// Nothing waits for it: it ends with its process.
	go agent.Run(context.Background(), agent.RunOptions{
		Gateways: []string{"http://" + args[0]}, Secret: agentSecret, Slug: "bench", Country: "ZZ",
		AllowPrivate: true, Logger: slog.New(slog.DiscardHandler),
	})
	return &role{}, nil
}

// attached waits until the pool has its agent.
func attached(pool *process) error {
	for range 2400 {
		f, err := pool.ask("facts")
		if err != nil {
			return err
		}
		if f.Agents > 0 {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("no agent has attached")
}

func serve(h http.Handler) (*role, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go http.Serve(ln, h)
	return &role{addr: ln.Addr().String()}, nil
}

// freeAddr is for a program that is told where to listen. Nobody who asks for any port,
// as each connection of ours does, is given that one.
func freeAddr() (string, error) {
	ports, err := harness.FreePorts(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), nil
}
