package nats_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// Each gateway reaches the agent that one holds, and shows and ends what others run.
func TestCluster_AnyGateway_ReachesShowsAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.redis = harness.Redis(t)
	file := filepath.Join(w.folder(), "keys.json")
	const third, stays = "0123456789abcdef-third", "0123456789abcdef-stays"
	w.keysFile(file, keyHash(third), keyHash(stays))
	args := []string{"--keys-file", file, "--max-sessions", "3"}
	one, two, three := w.gateway(args...), w.gateway(args...), w.gateway(args...)
	w.agent("de1", 1, one)
	w.awaitAgents(1, []string{"de1"}, one, two, three)

	far, near := w.relay(two, "de1"), w.relay(one, "de1")
	resp, err := w.http.Get(three.HTTP("/to/key=" + key + "/" + strings.Replace(w.target, "ws://", "http/", 1) + "/"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "plain" {
		t.Errorf("the path form over a hop: %s, %q, %v", resp.Status, body, err)
	}

	// Three at a time, over all gateways.
	last := w.relay(three, "de1")
	if _, err := w.try(two, key, "de1"); err == nil || !strings.Contains(err.Error(), "limit_reached") {
		t.Errorf("a fourth session: %v", err)
	}
	if s, err := w.try(two, other, "de1"); err != nil {
		t.Errorf("another caller: %v", err)
	} else {
		s.conn.CloseNow()
	}

	var list struct{ Sessions []struct{ ID, Target string } }
	w.eventually("the three that run are listed, and those that have ended are not", func() bool {
		list.Sessions = nil
		return w.call(http.MethodGet, three.HTTP("/sessions"), key, &list) == http.StatusOK && len(list.Sessions) == 3
	})
	for _, s := range list.Sessions {
		if status := w.call(http.MethodDelete, three.HTTP("/sessions/"+s.ID), other, nil); status != http.StatusNotFound {
			t.Errorf("another caller ends a session: %d", status)
		}
	}
	for _, s := range list.Sessions {
		if status := w.call(http.MethodDelete, three.HTTP("/sessions/"+s.ID), key, nil); status != http.StatusOK {
			t.Errorf("ending a session anywhere: %d", status)
		}
	}
	for _, s := range []*session{far, near, last} {
		s.wantClose(websocket.StatusPolicyViolation, "ended by request")
	}
	w.eventually("a session that is over is not found", func() bool { // its client knows first
		return w.call(http.MethodDelete, three.HTTP("/sessions/"+list.Sessions[0].ID), key, nil) == http.StatusNotFound
	})

	// A key that one gateway loses is lost at all, and for those that come later.
	revoked, err := w.try(two, third, "de1")
	if err != nil {
		t.Fatal(err)
	}
	w.keysFile(file, keyHash(stays))
	one.Signal(syscall.SIGHUP)
	revoked.wantClose(websocket.StatusPolicyViolation, "key revoked")
	for name, g := range map[string]*harness.Gateway{"one": one, "two": two, "three": three} {
		w.eventually(name+" hears that the key is revoked", func() bool {
			return w.call(http.MethodGet, g.HTTP("/network"), third, nil) == http.StatusForbidden
		})
		if status := w.call(http.MethodGet, g.HTTP("/network"), stays, nil); status != http.StatusOK {
			t.Errorf("%s: another key: %d", name, status)
		}
	}
}

// A gateway dies with its own sessions and those that it carries; its agent is
// reached through the other link.
func TestCluster_HolderKilled_OtherLinkServes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two, three := w.gateway(), w.gateway(), w.gateway()
	w.agent("de1", 2, one, two)
	w.agent("de2", 1, three)
	w.eventually("one sees both links", func() bool { return len(w.holders(one)["de1"]) == 2 })
	w.eventually("three sees both agents", func() bool { by := w.holders(three); return len(by["de1"]) == 2 && len(by["de2"]) == 1 })
	both := []*session{}
	for range 6 {
		both = append(both, w.relay(three, "de1"))
	}
	own, at2 := w.relay(three, "de2"), w.relay(two, "de1")
	one.Kill()
	lost := 0
	for _, s := range both {
		if code := s.ends(); code == 1013 {
			lost++
		} else if code != 0 {
			t.Errorf("a session ended with %d", code)
		}
	}
	t.Logf("%d of %d sessions went with the gateway", lost, len(both))
	own.echo()
	at2.echo()
	w.eventually("the dead one is not offered", func() bool { return len(w.holders(three)["de1"]) == 1 })
	w.relay(three, "de1")
}

// NATS is killed and frozen: no session notices, and gateways go on with what they
// hold themselves.
func TestCluster_NATSUnavailable_SessionsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.gateway(), w.gateway()
	w.agent("de1", 1, one)
	w.agent("de2", 1, two)
	see := func(g *harness.Gateway, n int) {
		t.Helper()
		w.eventually("agents are seen", func() bool { return len(w.holders(g)) == n })
	}
	see(one, 2)
	see(two, 2)
	hop, own := w.relay(one, "de2"), w.relay(one, "de1")
	for _, away := range []struct{ leave, back func(*harness.Server) }{
		{(*harness.Server).Kill, (*harness.Server).Start},
		{(*harness.Server).Freeze, (*harness.Server).Thaw},
	} {
		away.leave(w.nats)
		see(one, 1)
		hop.echo()
		own.echo()
		w.relay(one, "de1")
		var ready struct{ NATS struct{ OK bool } }
		w.eventually("it is said not to be ready", func() bool {
			ready.NATS.OK = true
			return w.call(http.MethodGet, one.HTTP("/readyz"), "", &ready) == http.StatusOK && !ready.NATS.OK
		})
		away.back(w.nats)
		see(one, 2)
		see(two, 2)
		hop.echo()
		w.relay(two, "de1")
	}
	if n := strings.Count(one.Log(), "NATS is unavailable"); n != 2 {
		t.Errorf("%d lines say that NATS is unavailable, want 2", n)
	}
}

// A gateway that stands still for a few seconds loses no session, and is not offered
// meanwhile.
func TestCluster_GatewayFrozen_LosesNoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two, three := w.gateway(), w.gateway(), w.gateway()
	w.agent("de1", 2, one, two)
	w.awaitAgents(2, []string{"de1"}, one, two, three)
	sessions := []*session{w.relay(one, "de1"), w.relay(three, "de1"), w.relay(three, "de1"), w.relay(three, "de1")}
	one.Send(harness.Freeze)
	frozen := time.Now()
	w.eventually("it is not offered", func() bool { return len(w.holders(three)["de1"]) == 1 })
	if took := time.Since(frozen); took > 4*time.Second { // twice what docs say
		t.Errorf("it is offered for %v more", took)
	}
	var dials sync.WaitGroup
	for range 5 {
		dials.Go(func() {
			if _, err := w.try(three, key, "de1"); err != nil {
				t.Errorf("while one stands still: %v", err)
			}
		})
	}
	dials.Wait()
	time.Sleep(max(0, 4*time.Second-time.Since(frozen))) // for as long as it is to stand still
	one.Send(harness.Thaw)
	for _, s := range sessions {
		s.echo()
	}
	w.awaitAgents(2, []string{"de1"}, one, two, three)
}

// A drain: the agent links elsewhere first, what is carried goes on until the drain
// timeout, and the status is 0.
func TestCluster_HolderDrains_CarriesUntilTheTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	drain := []string{"--drain-timeout", "15s"}
	one, two, three := w.gateway(drain...), w.gateway(drain...), w.gateway(drain...)
	w.agent("de1", 1, one, two)
	w.awaitAgents(1, []string{"de1"}, one, two, three)
	holder, next := one, two
	if !strings.Contains(one.Log(), "agent attached") || strings.Contains(one.Log(), "agent detached") {
		holder, next = two, one
	}
	s := w.relay(three, "de1")
	before := w.holders(three)["de1"]
	holder.Signal(harness.Terminate)
	next.Await(next.Stderr, `msg="agent attached" .*slug=de1`)
	w.eventually("the other holder is known", func() bool {
		return slices.ContainsFunc(w.holders(three)["de1"], func(name string) bool { return !slices.Contains(before, name) })
	})
	w.relay(three, "de1")
	s.echo()
	s.wantClose(websocket.StatusServiceRestart, "")
	if status := holder.Status(); status != 0 {
		t.Errorf("the gateway ended with status %d", status)
	}
}

// Whoever can publish on NATS and knows the agents' secret, but not the token's.
func TestCluster_GatewayWithoutTheSecret_GetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.gateway()
	w.agent("de1", 1, one)
	w.awaitAgents(1, []string{"de1"}, one)
	s := w.relay(one, "de1")
	w.secret = "0123456789abcdef0123456789abcdef-foreign"
	foreign := w.gateway()
	foreign.Await(foreign.Stderr, "messages on NATS are dropped")
	one.Await(one.Stderr, "messages on NATS are dropped")
	if by := w.holders(foreign); len(by) != 0 {
		t.Errorf("a gateway with another secret sees %v", by)
	}
	if _, err := w.try(foreign, key, "de1"); err == nil || !strings.Contains(err.Error(), "agent_unavailable") {
		t.Errorf("a gateway with another secret dials: %v", err)
	}
	var list struct{ Sessions []struct{ ID string } }
	if w.call(http.MethodGet, foreign.HTTP("/sessions"), key, &list); len(list.Sessions) != 0 {
		t.Errorf("a gateway with another secret sees sessions %+v", list)
	}
	s.echo()
}

func TestServe_ClusterMisuse_SaysTheFlag(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct{ env, args []string }{
		"NATS_URL: gateways prove":            {[]string{"NATS_URL=nats://127.0.0.1:1"}, nil},
		"--advertise: --listen is on":         {[]string{"NATS_URL=nats://192.0.2.1:4222"}, []string{"--token-secret", tokenSecret}},
		"--advertise: \"ftp://x\" is not":     {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--token-secret", tokenSecret, "--advertise", "ftp://x"}},
		"--advertise: \"http://8.8.8.8\" is":  {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--token-secret", tokenSecret, "--advertise", "http://8.8.8.8"}},
		"--advertise: the port of":            {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--token-secret", tokenSecret, "--advertise", "https://x:0"}},
		"--advertise: \"https://[::]:1\" is":  {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--token-secret", tokenSecret, "--advertise", "https://[::]:1"}},
		"NATS_URL: \"http://127.0.0.1:1\" is": {[]string{"NATS_URL=http://u:p@127.0.0.1:1"}, []string{"--token-secret", tokenSecret}},
		"NATS_CREDS":                          {[]string{"NATS_URL=nats://127.0.0.1:1", "NATS_CREDS=/missing"}, []string{"--token-secret", tokenSecret}},
		"--cluster":                           {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--token-secret", tokenSecret, "--cluster", "a b"}},
		"NATS_URL: missing; NATS_CREDS":       {[]string{"NATS_CREDS=/missing"}, nil},
		"--advertise: other gateways are fou": {nil, []string{"--advertise", "http://127.0.0.1:1"}},
	} {
		cmd := harness.Farwire(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--agent-secret", agentSecret}, c.args...)...)
		cmd.Env = append(cmd.Env, append(c.env, "FARWIRE_BROWSER=none")...)
		p := harness.Start(t, cmd)
		if status := p.Status(); status != 2 || !strings.Contains(p.Log(), want) {
			t.Errorf("%q: status %d\n%s", want, status, p.Log())
		}
	}
}
