package network_test

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// What an agent may reach is decided where it stands. Its gateway, whose own
// agent may reach everything here, cannot widen it.
func TestGuard_AgentsNetwork_IsRefusedAtTheAgent(t *testing.T) {
	t.Parallel()
	canary, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var touched atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := canary.Accept()
			if err != nil {
				return // closed
			}
			touched.Add(1)
			c.Close()
		}
	}()
	defer func() { canary.Close(); <-done }()
	_, port, err := net.SplitHostPort(canary.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	g := harness.Serve(t, "--allow-private", "--agent-secret", agentSecret, "--rate", "1000")
	far := newAgent(t, nil, "--gateway", "http://"+g.Addr, "--secret", agentSecret, "--slug", "far", "--country", "DE")
	awaitAttached(far, g, "far")
	for _, host := range []string{
		"127.0.0.1", "localhost", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]",
	} {
		open(t, g, "ws://"+host+":"+port+"/", "agent", "far").mustBeRefused(websocket.StatusPolicyViolation, "--allow-private")
	}
	for _, proxy := range []string{"http://127.0.0.1:" + port, "socks5://localhost:" + port} {
		open(t, g, "ws://192.0.43.8/", "agent", "far", "proxy", proxy).mustBeRefused(websocket.StatusPolicyViolation, "--allow-private")
	}
	open(t, g, "ws://0.0.0.0:"+port+"/", "agent", "far").mustBeRefused(websocket.StatusPolicyViolation)
	if n := touched.Load(); n != 0 {
		t.Errorf("%d connections have reached what is private to the agent", n)
	}

	url, came := target(t)
	open(t, g, url, "agent", "far").mustBeRefused(websocket.StatusPolicyViolation, "--allow-private")
	if came.Load() != 0 {
		t.Error("the target was reached")
	}
	for slug, c := range map[string]struct{ flag, value, want string }{
		"denying": {"--deny", "127.0.0.0/8,::1/128", "not allowed by policy"},
		"ports":   {"--allow-ports", "1-2", "--allow-ports"},
	} {
		a := newAgent(t, nil, "--gateway", "http://"+g.Addr, "--secret", agentSecret, "--slug", slug, "--country", "DE", "--allow-private", c.flag, c.value)
		awaitAttached(a, g, slug)
		open(t, g, url, "agent", slug).mustBeRefused(websocket.StatusPolicyViolation, c.want)
	}
	if came.Load() != 0 {
		t.Error("the target was reached through an agent that may not dial it")
	}
	open(t, g, url, "agent", "local").mustEcho()
	startAgent(t, g, "near")
	open(t, g, url, "agent", "near").mustEcho()
}
