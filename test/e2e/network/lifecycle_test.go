package network_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// deadLink is how long the death of a link may go unnoticed whose other end is
// there and says nothing. Tests allow twice that.
const deadLink = 30 * time.Second

// A gateway that crashes and is started again has its agents back at once.
func TestGateway_Killed_AgentsComeBack(t *testing.T) {
	t.Parallel()
	const key = "a-key-that-outlives-a-gateway"
	args := []string{"serve", "--local-agent", "none", "--agent-secret", agentSecret, "--api-keys", "test=" + key, "--rate", "1000"}
	g := harness.StartGateway(t, harness.Farwire(t, append(args, "--listen", harness.FreeAddr(t))...))
	g.Key = key
	agents := make([]*harness.TestProcess, 4)
	for i := range agents {
		agents[i] = startAgent(t, g, fmt.Sprintf("a%d", i))
	}
	g.Signal(syscall.SIGKILL)
	<-g.Done()
	for _, a := range agents {
		a.Await(a.Stderr, "link lost, dialling again")
	}

	again := harness.StartGateway(t, harness.Farwire(t, append(args, "--listen", g.Addr)...))
	again.Key = key
	began := time.Now()
	awaitNetwork(t, again, func(list []agentInfo) bool { return len(list) == len(agents) })
	took := time.Since(began)
	t.Logf("%d agents are back %v after the gateway", len(agents), took.Round(time.Millisecond))
	if took > 10*time.Second { // twice what is promised
		t.Errorf("the agents are back after %v", took)
	}
	url, _ := target(t)
	open(t, again, url).mustEcho()
}

// An agent whose process is there and does nothing any more is found out by
// its gateway, and such a gateway by its agent.
func TestLink_SideFrozen_IsNoticed(t *testing.T) {
	t.Parallel()
	url, _ := target(t)
	g := serve(t)
	a := startAgent(t, g, "cold")
	sessions := []*session{open(t, g, url), open(t, g, url), open(t, g, url)}
	for _, s := range sessions {
		s.mustEcho()
	}
	frozen := serve(t)
	left := startAgent(t, frozen, "left")

	began := time.Now()
	a.Signal(harness.Freeze)
	t.Cleanup(func() { a.Signal(harness.Thaw) })
	frozen.Signal(harness.Freeze)
	t.Cleanup(func() { frozen.Signal(harness.Thaw) })
	for _, s := range sessions {
		if code := s.closed(); code != websocket.StatusTryAgainLater {
			t.Errorf("the session was closed with %d", code)
		}
	}
	took := time.Since(began)
	for !strings.Contains(left.Stderr.String(), "link lost") && time.Since(began) < 2*deadLink {
		time.Sleep(20 * time.Millisecond)
	}
	tookAgent := time.Since(began)
	t.Logf("sessions of a frozen agent ended after %v; the agent of a frozen gateway noticed after %v", took.Round(time.Millisecond), tookAgent.Round(time.Millisecond))
	if took > 2*deadLink || tookAgent > 2*deadLink {
		t.Errorf("a dead link was found after %v by the gateway and %v by the agent", took, tookAgent)
	}
	awaitNetwork(t, g, func(list []agentInfo) bool { return len(list) == 0 })

	a.Signal(harness.Thaw)
	awaitNetwork(t, g, func(list []agentInfo) bool { return len(list) == 1 })
	open(t, g, url).mustEcho()
	frozen.Signal(harness.Thaw)
	// For a moment it still lists the link that its agent has given up.
	for strings.Count(frozen.Stderr.String(), "agent attached") < 2 && time.Since(began) < 4*deadLink {
		time.Sleep(20 * time.Millisecond)
	}
	awaitNetwork(t, frozen, func(list []agentInfo) bool { return len(list) == 1 })
	open(t, frozen, url).mustEcho()
}

// An agent that is told to stop takes no new session, lets the old one finish
// and leaves.
func TestAgent_Drain_FinishesItsSession(t *testing.T) {
	t.Parallel()
	url, _ := target(t)
	g := serve(t)
	a := startAgent(t, g, "old", "--drain-timeout", "60s")
	s := open(t, g, url)
	s.mustEcho()
	a.Signal(harness.Terminate)
	awaitNetwork(t, g, func(list []agentInfo) bool {
		return len(list) == 1 && list[0].State == "draining" && list[0].Sessions == 1
	})
	open(t, g, url).mustBeRefused(websocket.StatusInternalError)
	s.mustEcho()
	s.close()
	if status := a.Status(); status != 0 {
		t.Errorf("the agent ended with status %d", status)
	}
	awaitNetwork(t, g, func(list []agentInfo) bool { return len(list) == 0 })
}

// Connections that a gateway keeps for later requests do not hold up an agent that
// drains, nor a request that still runs the connections of others.
func TestAgentDrains_IdleConnections_AreClosed(t *testing.T) {
	t.Parallel()
	answered, end := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			http.NewResponseController(w).Flush() // the test sees whether the head arrives
			close(answered)
			<-end
		}
		io.WriteString(w, "done")
	}))
	t.Cleanup(server.Close)
	g := serve(t)
	a := startAgent(t, g, "old", "--drain-timeout", "1h")
	get := func(path string) *http.Response {
		t.Helper()
		resp, err := http.Get(g.HTTP("/to/key=" + g.Key + "/http/" + strings.TrimPrefix(server.URL, "http://") + path))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, resp.Status)
		}
		return resp
	}
	for range 3 {
		resp := get("/")
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	slow := get("/slow")
	defer slow.Body.Close()
	<-answered
	a.Signal(harness.Terminate)
	g.Await(g.Stderr, `msg="agent takes no more sessions"`)
	close(end)
	if b, err := io.ReadAll(slow.Body); err != nil || string(b) != "done" {
		t.Errorf("the request that ran ended with %q, %v", b, err)
	}
	if status := a.Status(); status != 0 || strings.Contains(a.Stderr.String(), "sessions are cut") {
		t.Errorf("the agent ended with status %d", status)
	}
	g.Await(g.Stderr, `msg="agent detached" .*reason="agent has stopped"`)
}

// The number of sessions that an agent takes is its own to bound; what is
// beyond goes to the next.
func TestAgent_MaxSessionsReached_NextTakesOver(t *testing.T) {
	t.Parallel()
	url, _ := target(t)
	g := serve(t)
	startAgent(t, g, "small", "--max-sessions", "1")
	first := open(t, g, url)
	first.mustEcho()
	open(t, g, url).mustBeRefused(websocket.StatusInternalError)
	g.Await(g.Stderr, `code=1011 .*cause="agent overloaded"`)
	first.close()
	awaitNetwork(t, g, idle)
	// The gateway knows of the session's end before the agent does.
	for late := time.Now().Add(harness.Timeout); ; time.Sleep(20 * time.Millisecond) {
		if first = open(t, g, url); first.node != "" || time.Now().After(late) {
			break
		}
	}
	first.mustEcho()

	startAgent(t, g, "large")
	for range 4 {
		s := open(t, g, url)
		s.mustEcho()
		if s.node != "farwire-large" {
			t.Errorf("%s carries a second session", s.node)
		}
	}
	open(t, g, url, "agent", "small").mustBeRefused(websocket.StatusInternalError)
}

// Agents learn of the other gateways of a cluster, and the end of one takes
// nothing along that the others carry.
func TestAgent_GatewayOfAClusterEnds_OthersGoOn(t *testing.T) {
	t.Parallel()
	url, _ := target(t)
	second := serve(t)
	first := serve(t, "--peers", "http://"+second.Addr)
	startAgent(t, first, "both")
	linked := func(list []agentInfo) bool { return len(list) == 1 && list[0].Slug == "both" }
	awaitNetwork(t, first, linked)
	awaitNetwork(t, second, linked)
	lost, kept := open(t, first, url), open(t, second, url)
	lost.mustEcho()
	kept.mustEcho()

	first.Signal(syscall.SIGKILL)
	<-first.Done()
	kept.mustEcho()
	open(t, second, url).mustEcho()
}
