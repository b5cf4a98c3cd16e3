// Package loadtest holds a gateway to what happens when very many come: to wait,
// to be sent away, to come and go, or to do harm. Gateway, agents and target
// are processes of their own, as each may hold so many files only; the clients
// are here. The end-to-end tests run it small and the soak large.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A Network is a gateway with its agents, and a target behind them.
type Network struct {
	Addr   string // of the gateway
	Target Target

	gateway *harness.Process
	agents  []*harness.Process
	admin   string // where the gateway's profiles are
	socks   string // the address of its SOCKS listener
	dir     string

	secure     *harness.Process // a second gateway, with TLS, of a guarded network
	secureAddr string
}

// A Target is where all sessions go. Each answers with what it is sent.
type Target interface {
	URL() string
	Counts() (Counts, error)
}

// Open starts a gateway and agents, who may reach loopback unless they are
// guarded; the gateway then has an agent of its own, which knows an echo.
func Open(ctx context.Context, program string, agents int, guarded bool, target Target) (_ *Network, err error) {
	s := &Network{Target: target}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "farwire-load-*"); err != nil {
		return nil, err
	}
	own, attached := "none", agents
	if guarded {
		own, attached = "local:ZZ", agents+1
	}
	ports, err := harness.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s.socks = fmt.Sprintf("127.0.0.1:%d", ports[0])
	s.gateway, s.Addr, err = harness.LaunchGateway(ctx, program, s.dir, "127.0.0.1:0",
		"--admin-listen", "127.0.0.1:0", "--socks-listen", s.socks, "--log-level", "warn", "--drain-timeout", "30s", "--local-agent", own)
	if err != nil {
		return nil, err
	}
	admin, err := s.gateway.Await(ctx, s.gateway.Stderr, regexp.MustCompile(`(http://\S+/debug/pprof/)`))
	if err != nil {
		return nil, err
	}
	s.admin = admin[1]
	if guarded {
		if err := s.openSecure(ctx, program); err != nil {
			return nil, err
		}
	}
	for i := range agents {
		var flags []string
		if !guarded {
			flags = []string{"--allow-private"}
		}
		a, err := harness.LaunchAgent(program, s.Addr, fmt.Sprintf("agent%d", i+1), flags...)
		if err != nil {
			return nil, err
		}
		s.agents = append(s.agents, a)
	}
	return s, harness.AwaitAgents(ctx, s.Addr, attached)
}

// Close ends all processes and says whether one of them ended badly or wrote
// of a panic.
func (s *Network) Close() (err error) {
	for _, p := range append([]*harness.Process{s.gateway, s.secure}, s.agents...) {
		if p != nil {
			err = errors.Join(err, p.Stop(), p.Crashed())
		}
	}
	s.gateway, s.secure, s.agents = nil, nil, nil
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Resources is what the processes hold.
type Resources struct {
	Goroutines int // of the gateway
	Files      int // of the gateway, and of the one with TLS
	AgentFiles int // of all agents together
	Memory     int64
	AgentBytes int64 // of the largest agent
}

func (h Resources) String() string {
	return fmt.Sprintf("gateway %d goroutines, %d files, %.0f MB; agents %d files, the largest %.0f MB",
		h.Goroutines, h.Files, float64(h.Memory)/1e6, h.AgentFiles, float64(h.AgentBytes)/1e6)
}

// Measure reads what the processes hold now.
func (s *Network) Measure(ctx context.Context) (h Resources, err error) {
	if h.Goroutines, err = s.goroutines(ctx); err != nil {
		return h, err
	}
	if h.Files, h.Memory, err = Holds(s.gateway.Pid()); err != nil {
		return h, err
	}
	if s.secure != nil {
		files, bytes, err := Holds(s.secure.Pid())
		if err != nil {
			return h, err
		}
		h.Files, h.Memory = h.Files+files, h.Memory+bytes
	}
	for _, a := range s.agents {
		files, bytes, err := Holds(a.Pid())
		if err != nil {
			return h, err
		}
		h.AgentFiles += files
		h.AgentBytes = max(h.AgentBytes, bytes)
	}
	return h, nil
}

func (s *Network) goroutines(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+"goroutine?debug=1", nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var n int
	if _, err := fmt.Fscanf(resp.Body, "goroutine profile: total %d\n", &n); err != nil {
		return 0, fmt.Errorf("the gateway's goroutines: %w", err)
	}
	return n, nil
}

// Holds returns the open files of a process and its resident memory.
func Holds(pid int) (files int, bytes int64, err error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return 0, 0, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return len(open), kb << 10, err
		}
	}
	return 0, 0, fmt.Errorf("%s/status has no VmRSS", dir)
}

// stepTimeout is how long one step of one client may take when thousands take it
// at once.
const stepTimeout = 60 * time.Second

// A client is one client with its session.
type client struct {
	ws *websocket.Conn
}

// connect opens a session to the target and has one message go there and back.
func (s *Network) connect(ctx context.Context, id int) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+s.Addr+"/ws", nil)
	if err != nil {
		return nil, err
	}
	m := &client{ws}
	ask := fmt.Sprintf(`{"apiKey":%q,"url":%q}`, harness.Key, s.Target.URL())
	if err := ws.Write(ctx, websocket.MessageText, []byte(ask)); err != nil {
		ws.CloseNow()
		return nil, err
	}
	_, answer, err := ws.Read(ctx)
	if err == nil && !strings.Contains(string(answer), `"connected"`) {
		err = fmt.Errorf("the gateway says %s", answer)
	}
	if err == nil {
		err = m.echo(ctx, fmt.Sprintf("hello, this is %d", id))
	}
	if err != nil {
		ws.CloseNow()
		return nil, err
	}
	return m, nil
}

// echo has a message go to the target and back.
func (m *client) echo(ctx context.Context, text string) error {
	if err := m.ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	_, got, err := m.ws.Read(ctx)
	if err == nil && string(got) != text {
		err = fmt.Errorf("%q came back as %q", text, got)
	}
	return err
}
