package agent_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// moving is a gateway that is told by the test alone where the agent of another is, and
// what that one holds.
func moving(t *testing.T, serve func(http.Handler) *httptest.Server) (near *agent.Pool, d *stale, held agent.Holding) {
	t.Helper()
	d = new(stale)
	near, _ = join(t, d, "near", nil)
	_, srv := join(t, d, "holder", serve)
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, near, 1)
	return near, d, d.of("holder")
}

// The only holder that is known does not hold the agent any more: the dial waits to hear
// of the one that does.
func TestRoute_AgentHasJustMoved_IsFoundWhenAnnounced(t *testing.T) {
	near, d, held := moving(t, nil)
	_, empty := join(t, d, "empty", nil)
	old := held
	old.Gateway, old.URL = "empty", empty.URL
	d.tell(old)
	d.members["near"].Lost("holder")
	e := selectOne(t, near, agent.Query{})
	time.AfterFunc(200*time.Millisecond, func() { d.tell(held) })
	wantEcho(t, dial(t, e, target(t, echo)), "found")
}

// An exit stays usable while no gateway announces its agent for a moment.
func TestRoute_HolderUnknownForAMoment_ExitStaysUsable(t *testing.T) {
	near, d, held := moving(t, nil)
	e := selectOne(t, near, agent.Query{})
	d.members["near"].Lost("holder")
	time.AfterFunc(100*time.Millisecond, func() { d.tell(held) })
	wantEcho(t, dial(t, e, target(t, echo)), "found")
}

// A gateway that takes longer to let another one in than a dial waits for it is asked
// again.
func TestRoute_HolderIsSlowToLetIn_IsAskedAgain(t *testing.T) {
	near, _, _ := moving(t, func(h http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "farwire-peer" {
				time.Sleep(1300 * time.Millisecond) // longer than a dial waits before it looks elsewhere
			}
			h.ServeHTTP(w, r)
		}))
	})
	wantEcho(t, dial(t, selectOne(t, near, agent.Query{}), target(t, echo)), "found")
}
