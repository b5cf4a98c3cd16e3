package relay

import (
	"io"
	"net"
	"os"
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

// Clients of subscription protocols come back by themselves, whatever is lost
// between them and their target, as they do where nothing is in between.
func TestClients_SomethingIsLost_ComeBack(t *testing.T) {
	const key = "the-key-of-the-reconnecting"
	serve := func(t *testing.T) *harness.Gateway {
		g := harness.Serve(t, "--local-agent", "none", "--agent-secret", agentSecret, "--api-keys", "reconnect="+key, "--rate", "1000", "--drain-timeout", "2s")
		g.Key = key
		return g
	}
	flags := []string{"--secret", agentSecret, "--allow-private", "--drain-timeout", "100ms"}
	signal := func(p *harness.TestProcess, s os.Signal) { p.Signal(s) }
	for name, lose := range map[string]func(t *testing.T, g *harness.Gateway, b *balancer, agent, server *harness.TestProcess) (code string){
		"target reset": func(_ *testing.T, _ *harness.Gateway, _ *balancer, _, server *harness.TestProcess) string {
			signal(server, syscall.SIGUSR2)
			return "1013"
		},
		"agent killed": func(t *testing.T, g *harness.Gateway, _ *balancer, agent, _ *harness.TestProcess) string {
			attach(t, g, "at2", flags...)
			signal(agent, syscall.SIGKILL)
			return "1013"
		},
		"agent drained": func(t *testing.T, g *harness.Gateway, _ *balancer, agent, _ *harness.TestProcess) string {
			attach(t, g, "at2", flags...)
			signal(agent, harness.Terminate)
			return "1012"
		},
		"gateway drained": func(t *testing.T, g *harness.Gateway, b *balancer, _, _ *harness.TestProcess) string {
			next := serve(t)
			attach(t, next, "at1", flags...)
			b.to.Store(&next.Addr)
			signal(g.TestProcess, harness.Terminate)
			return "1001"
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t)
			agent := attach(t, g, "at1", flags...)
			b := newBalancer(t, g.Addr)
			server, port := npmServer(t, "reconnect-server.cjs")
			var clients []*harness.TestProcess
			for _, kind := range []string{"graphql-ws", "socket.io"} {
				c := harness.Start(t, harness.Node(t, "testdata/npm/reconnect-client.cjs", kind, b.addr, port, g.Key))
				c.Await(c.Stdout, "data 1")
				clients = append(clients, c)
			}
			code := lose(t, g, b, agent, server)
			clients[0].Await(clients[0].Stdout, "closed "+code)
			for _, c := range clients {
				if status := c.Status(); status != 0 {
					t.Errorf("status %d: %s%s", status, c.Stdout, c.Stderr)
				}
			}
		})
	}
}
