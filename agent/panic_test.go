package agent_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A panickingResolver is one that a host wrote wrong.
type panickingResolver struct{}

func (panickingResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	panic("a host's resolver")
}

// A host's resolver that panics costs an agent the session and not its place among
// MaxSessions, and the agent still ends.
func TestRun_ResolverPanics_SessionEnds(t *testing.T) {
	for _, sessions := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: time.Minute, MaxSessions: sessions, Resolver: panickingResolver{}})
			defer l.end()
			for range 2 * sessions {
				if _, err := l.exit.DialContext(t.Context(), "tcp", "host.test:1"); err == nil {
					t.Fatal("a dial whose resolver panics succeeds")
				}
			}
			synctest.Wait()
			c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
			if err != nil {
				t.Errorf("after the panics: %v", err)
			} else {
				(<-l.target).Close()
				c.Close()
			}
			time.Sleep(10 * time.Second)
			stopped := time.Now()
			l.stop()
			<-l.left
			if took := time.Since(stopped); took > 10*time.Second {
				t.Errorf("the agent ends after %v", took)
			}
		})
	}
}

// A dial of a host's exit that panics is not counted as open.
func TestPool_DialOfOwnExitPanics_IsNotCounted(t *testing.T) {
	p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	e := named("own", "DE")
	e.DialContext = func(context.Context, string, string) (net.Conn, error) { panic("a host's dial") }
	if err := p.Add(e); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			selectOne(t, p, agent.Query{}).DialContext(t.Context(), "tcp", "192.0.2.1:1")
		}()
	}
	if n := p.Agents()[0].Sessions; n != 0 {
		t.Errorf("%d sessions after dials that panicked", n)
	}
}
