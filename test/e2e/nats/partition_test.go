package nats_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// A gateway that is cut off from NATS, and from nothing else, goes on with what it
// holds; the sessions notice nothing, and it is told when it is back what was revoked
// meanwhile.
func TestPartition_GatewayFromNATS_GoesOnAndCatchesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(w.folder(), "keys.json")
	const third, stays = "0123456789abcdef-third", "0123456789abcdef-stays"
	w.keysFile(file, keyHash(third), keyHash(stays))
	line := harness.NewLine(t, w.nats.Addr)
	cut, two := w.gatewayAt("nats://"+line.Addr, "--keys-file", file), w.gateway("--keys-file", file)
	w.agent("de1", 1, cut)
	w.agent("de2", 1, two)
	w.awaitAgents(1, []string{"de1", "de2"}, cut, two)
	running := []*session{w.relay(cut, "de1"), w.relay(cut, "de2"), w.relay(two, "de1"), w.relay(two, "de2")}
	revoked, err := w.try(cut, third, "de1")
	if err != nil {
		t.Fatal(err)
	}
	revoked.echo()
	line.Hold()
	w.eventually("nobody is sent to it", func() bool { return len(w.holders(two)) == 1 })
	w.eventually("it sends nobody elsewhere", func() bool { return len(w.holders(cut)) == 1 })
	if _, err := w.try(two, key, "de1"); err == nil || !strings.Contains(err.Error(), "agent_unavailable") {
		t.Errorf("the agent of a gateway that is cut off: %v", err)
	}
	running = append(running, w.relay(cut, "de1"), w.relay(two, "de2"))
	w.keysFile(file, keyHash(stays))
	two.Signal(syscall.SIGHUP)
	two.Await(two.Stderr, `msg="keys read again"`)
	for _, s := range append(running, revoked) {
		s.echo()
	}
	line.Heal()
	revoked.wantClose(websocket.StatusPolicyViolation, "key revoked")
	w.awaitAgents(1, []string{"de1", "de2"}, cut, two)
	if status := w.call(http.MethodGet, cut.HTTP("/network"), third, nil); status != http.StatusForbidden {
		t.Errorf("a key that was revoked meanwhile: %d", status)
	}
	for _, s := range append(running, w.relay(two, "de1"), w.relay(cut, "de2")) {
		s.echo()
	}
}

// An agent that one of its gateways cannot reach is reached through the other, by all;
// a line that is silent for a few seconds loses nothing.
func TestPartition_AgentFromOneGateway_OtherLinkServes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two, three := w.gateway(), w.gateway(), w.gateway()
	line := harness.NewLine(t, one.Addr)
	w.agentAt("de1", 2, "http://"+line.Addr, two.HTTP(""))
	w.awaitAgents(2, []string{"de1"}, one, two, three)
	near, far := w.relay(one, "de1"), w.relay(two, "de1")
	var across []*session
	for range 6 {
		across = append(across, w.relay(three, "de1"))
	}
	all := append([]*session{near, far}, across...)
	line.Hold()
	time.Sleep(2 * time.Second) // for as long as it is to be silent
	line.Heal()
	for _, s := range all {
		s.echo()
	}
	line.Cut()
	if code := near.ends(); code != websocket.StatusTryAgainLater {
		t.Errorf("a session over the link that was cut: %d", code)
	}
	for _, s := range across {
		if code := s.ends(); code != 0 && code != websocket.StatusTryAgainLater {
			t.Errorf("a session over a hop: %d", code)
		}
	}
	far.echo()
	w.awaitAgents(1, []string{"de1"}, one, two, three)
	for _, g := range []*harness.Gateway{one, two, three} {
		w.relay(g, "de1")
	}
	line.Heal()
	w.awaitAgents(2, []string{"de1"}, one, two, three)
	far.echo()
}

// An agent that stands still for a few seconds loses nothing; one that is killed takes
// along its own sessions, at whatever gateway.
func TestAgent_FrozenThenKilled_OverAHop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.gateway(), w.gateway()
	dies := w.agent("de1", 1, one)
	w.agent("de2", 1, one)
	w.awaitAgents(1, []string{"de1", "de2"}, one, two)
	lost, stays := w.relay(two, "de1"), w.relay(two, "de2")
	dies.Send(harness.Freeze)
	time.Sleep(2 * time.Second) // for as long as it is to stand still
	stays.echo()
	dies.Send(harness.Thaw)
	lost.echo()
	dies.Kill()
	killed := time.Now()
	lost.wantClose(websocket.StatusTryAgainLater, "agent")
	if took := time.Since(killed); took > 10*time.Second {
		t.Errorf("the end of a session took %v", took)
	}
	stays.echo()
	w.awaitAgents(1, []string{"de2"}, one, two)
}

// atOnce asks for so many sessions at once, at all gateways, and returns those that are
// let in.
func (w *world) atOnce(gateways []*harness.Gateway, n int) (in []*session) {
	var mu sync.Mutex
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() {
			s, err := w.try(gateways[i%len(gateways)], key, "de1")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in = append(in, s)
			case !strings.Contains(err.Error(), "limit_reached"):
				w.t.Errorf("session %d: %v", i, err)
			}
		})
	}
	work.Wait()
	return in
}

// answeredAlone is how often gateways have judged by their own share of the limits.
func (w *world) answeredAlone(gateways []*harness.Gateway) (n int) {
	w.t.Helper()
	for _, g := range gateways {
		n += w.metric(g, `farwire_limiter_answers_total{source="fallback"}`)
	}
	return n
}

// accountsInRedis is of how many accounts Redis counts relays. One that has none left is
// not in it.
func (w *world) accountsInRedis() (n int) {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp", w.redis.Addr, harness.Timeout)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(harness.Timeout)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "KEYS farwire:{slots}:relay:*\r\n"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := fmt.Fscanf(conn, "*%d", &n); err != nil {
		w.t.Fatalf("Redis's answer: %v", err)
	}
	return n
}

// Of 40 sessions that come at once for 10 slots, to five gateways, 10 are let in; while
// Redis stands still, or is killed, sessions notice nothing and each gateway has its
// share.
func TestSlots_FiveGateways_AdmitExactlyTen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.redis = harness.Redis(t)
	var gateways []*harness.Gateway
	for range 5 {
		gateways = append(gateways, w.gateway("--max-sessions", "10"))
	}
	w.agent("de1", 2, gateways...)
	w.awaitAgents(2, []string{"de1"}, gateways...)
	var in []*session
	for tries := 1; len(in) != 10; tries++ {
		before := w.answeredAlone(gateways)
		if in = w.atOnce(gateways, 40); len(in) == 10 {
			break
		}
		if w.answeredAlone(gateways) == before || tries == 5 { // else Redis was too slow on a busy machine
			t.Fatalf("%d of 40 were let in, want 10", len(in))
		}
		for _, s := range in {
			s.conn.CloseNow()
		}
		w.eventually("none runs", func() bool {
			var list struct{ Sessions []struct{ ID string } }
			return w.call(http.MethodGet, gateways[0].HTTP("/sessions"), key, &list) == http.StatusOK && len(list.Sessions) == 0
		})
		w.eventually("Redis, which is told later, counts none", func() bool { return w.accountsInRedis() == 0 })
	}
	w.redis.Freeze()
	for i, g := range gateways { // another caller, of whom nothing is counted yet
		for n := range 3 {
			s, err := w.try(g, other, "de1")
			switch {
			case n < 2 && err != nil:
				t.Errorf("gateway %d, session %d of a share of 2: %v", i, n+1, err)
			case n == 2 && (err == nil || !strings.Contains(err.Error(), "limit_reached")):
				t.Errorf("gateway %d lets a third in: %v", i, err)
			case err == nil:
				in = append(in, s)
			}
		}
	}
	w.redis.Thaw()
	w.redis.Kill()
	for i, g := range gateways {
		if _, err := w.try(g, other, "de1"); err == nil || !strings.Contains(err.Error(), "limit_reached") {
			t.Errorf("gateway %d lets a third in without Redis: %v", i, err)
		}
	}
	w.redis.Start()
	for _, s := range in {
		s.echo()
	}
}
