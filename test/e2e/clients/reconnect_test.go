package clients

import (
	"encoding/json"
	"io"
	"net"
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

// Clients of subscription protocols come back by themselves, whatever is lost
// between them and their target, as they do where nothing is in between.
func TestClients_SomethingIsLost_ComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(link)
		code string // the close code that clients see
	}{
		"target reset": {func(l link) { l.servers.Signal(syscall.SIGUSR2) }, "1013"},
		"agent killed": {func(l link) {
			attach(l.t, l.gateway, "at2")
			l.agent.Signal(syscall.SIGKILL)
		}, "1013"},
		"agent drained": {func(l link) {
			attach(l.t, l.gateway, "at2")
			l.agent.Signal(harness.Terminate)
		}, "1012"},
		"gateway drained": {func(l link) {
			next := serveLink(l.t)
			attach(l.t, next, "at1")
			l.front.to.Store(&next.Addr)
			l.gateway.Signal(harness.Terminate)
		}, "1001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := link{t: t, gateway: serveLink(t)}
			l.agent, l.front = attach(t, l.gateway, "at1"), newBalancer(t, l.gateway.Addr)
			var addrs map[string]string
			l.servers, addrs = servers(t)
			list, err := json.Marshal(addrs)
			if err != nil {
				t.Fatal(err)
			}
			clients := harness.Start(t, harness.Node(t, "testdata/npm/reconnect.cjs", l.front.addr, linkKey, string(list)))
			clients.Await(clients.Stdout, "all have data")
			c.lose(l)
			clients.Await(clients.Stdout, "all came back")
			if status := clients.Status(); status != 0 {
				t.Errorf("status %d: %s%s", status, clients.Stdout, clients.Stderr)
			}
			for _, kind := range []string{"graphql-ws", "stompjs", "phoenix", "reconnecting-websocket"} {
				if want := kind + " closed " + c.code + "\n"; !strings.Contains(clients.Stdout.String(), want) {
					t.Errorf("missing %q in:\n%s", want, clients.Stdout)
				}
			}
		})
	}
}
