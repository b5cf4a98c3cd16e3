//go:build unix

package clients

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A balancer leads to one gateway, and later to another.
type balancer struct {
	addr string
	to   atomic.Pointer[string]
}

func newBalancer(t *testing.T, to string) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{addr: ln.Addr().String()}
	b.to.Store(&to)
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { client.Close() })
			carrying.Go(func() {
				defer client.Close()
				gateway, err := net.Dial("tcp", *b.to.Load())
				if err != nil {
					return
				}
				defer gateway.Close()
				carrying.Go(func() {
					io.Copy(gateway, client)
					gateway.(*net.TCPConn).CloseWrite()
				})
				io.Copy(client, gateway)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); carrying.Wait() })
	return b
}

// agentSecret lets agents attach.
const agentSecret = "the secret of all the agents"

// attach starts farwire agent and waits until it is attached.
func attach(t *testing.T, g *harness.Gateway, slug string) *harness.TestProcess {
	t.Helper()
	p := harness.Start(t, harness.Farwire(t, "agent", "--gateway", g.HTTP(""), "--secret", agentSecret, "--slug", slug, "--country", "AT",
		"--allow-private", "--drain-timeout", "100ms"))
	p.Await(p.Stderr, "msg=attached")
	return p
}

// A link is what stands between the clients and their servers.
type link struct {
	t       *testing.T
	gateway *harness.Gateway
	agent   *harness.TestProcess
	servers *harness.TestProcess
	front   *balancer
}

func serveLink(t *testing.T) *harness.Gateway {
	t.Helper()
	g := harness.Serve(t, "--local-agent", "none", "--agent-secret", agentSecret, "--api-keys", "reconnect="+linkKey, "--rate", "1000", "--drain-timeout", "2s")
	g.Key = linkKey
	return g
}

const linkKey = "the-key-of-the-reconnecting"

// A loss is something that happens to a connection while clients have data.
type loss struct {
	name  string
	alone bool // nothing is in between
	cause func(link)
	code  string // the close code that clients see
}

var losses = []loss{
	{"target reset, nothing in between", true, func(l link) { l.servers.Signal(syscall.SIGUSR2) }, "1006"},
	{"target reset", false, func(l link) { l.servers.Signal(syscall.SIGUSR2) }, "1013"},
	{"agent killed", false, func(l link) {
		attach(l.t, l.gateway, "at2")
		l.agent.Signal(syscall.SIGKILL)
	}, "1013"},
	{"agent drained", false, func(l link) {
		attach(l.t, l.gateway, "at2")
		l.agent.Signal(harness.Terminate)
	}, "1012"},
	{"gateway drained", false, func(l link) {
		next := serveLink(l.t)
		attach(l.t, next, "at1")
		l.front.to.Store(&next.Addr)
		l.gateway.Signal(harness.Terminate)
	}, "1001"},
}

// suffer runs the clients through a loss and returns what each of them was told first.
func (c loss) suffer(t *testing.T) map[string]string {
	l, addr := link{t: t}, "none"
	if !c.alone {
		l.gateway = serveLink(t)
		l.agent, l.front = attach(t, l.gateway, "at1"), newBalancer(t, l.gateway.Addr)
		addr = l.front.addr
	}
	var addrs map[string]string
	l.servers, addrs = servers(t)
	list, err := json.Marshal(addrs)
	if err != nil {
		t.Fatal(err)
	}
	clients := harness.Start(t, harness.Node(t, "testdata/npm/reconnect.cjs", addr, linkKey, string(list)))
	clients.Await(clients.Stdout, "all have data")
	c.cause(l)
	clients.Await(clients.Stdout, "all came back")
	if status := clients.Status(); status != 0 {
		t.Errorf("status %d: %s%s", status, clients.Stdout, clients.Stderr)
	}
	if c.code == "1001" {
		<-l.gateway.Done() // else the test's end would be a second signal, which cuts
	}
	told := map[string]string{}
	for line := range strings.Lines(clients.Stdout.String()) {
		if name, what, found := strings.Cut(strings.TrimSpace(line)+" ", " closed "); found && told[name] == "" {
			told[name] = cmp.Or(strings.TrimSpace(what), "closed")
		}
	}
	return told
}

// Clients of subscription protocols come back by themselves, whatever is lost
// between them and their target, as they do where nothing is in between. The table in
// docs/clients.md has what each of them is told.
func TestClients_SomethingIsLost_ComeBack(t *testing.T) {
	told := make([]map[string]string, len(losses))
	t.Run("all", func(t *testing.T) {
		for i, c := range losses {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				told[i] = c.suffer(t)
				for _, kind := range []string{"graphql-ws", "stompjs", "phoenix", "reconnecting-websocket"} {
					if told[i][kind] != c.code {
						t.Errorf("%s was told %q, want %q", kind, told[i][kind], c.code)
					}
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	var table strings.Builder
	table.WriteString("| client |")
	for _, c := range losses {
		table.WriteString(" " + c.name + " |")
	}
	table.WriteString("\n|" + strings.Repeat(" --- |", 1+len(losses)) + "\n")
	for _, name := range slices.Sorted(maps.Keys(told[0])) {
		table.WriteString("| " + name + " |")
		for i := range losses {
			table.WriteString(" " + told[i][name] + " |")
		}
		table.WriteString("\n")
	}
	tree, err := harness.Tree()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(tree, "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/clients.md has another table than\n%s", &table)
	}
}
