package agent_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// freeze has a link take no more bytes, and fills its buffers by what is written to
// conns.
func (l *memoryLink) freeze(writing *sync.WaitGroup, conns ...net.Conn) {
	l.frozen.Store(true)
	for _, c := range conns {
		writing.Go(func() {
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(time.Second)
}

// sessions opens some through the link.
func (l *memoryLink) sessions(t *testing.T, n int) (near, far []net.Conn) {
	t.Helper()
	for range n {
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		near, far = append(near, c), append(far, <-l.target)
	}
	return near, far
}

// A gateway that leaves goes on with its drain though an agent takes no byte, and its
// pool's drain is over when its time is.
func TestLeave_FrozenAgent_DoesNotWaitForIt(t *testing.T) {
	for _, sessions := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: -1})
			defer l.end()
			err := l.pool.Join(agent.ClusterOptions{Name: "one", URL: func() string { return "http://one.test" }, Directory: new(agent.LocalDirectory),
				Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }})
			if err != nil {
				t.Fatal(err)
			}
			var writing sync.WaitGroup
			defer writing.Wait()
			near, _ := l.sessions(t, sessions)
			l.freeze(&writing, near...)
			began := time.Now()
			l.pool.Leave()
			if took := time.Since(began); took != 0 {
				t.Errorf("Leave waits %v for an agent that takes nothing", took)
			}
			const timeout = 2 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			if err := l.pool.Shutdown(ctx); err == nil {
				t.Error("Shutdown cuts sessions and says nothing")
			}
			if took := time.Since(began); took > 2*timeout {
				t.Errorf("Shutdown takes %v of %v", took, timeout)
			}
			for _, c := range near {
				c.Close()
			}
		})
	}
}

// Whoever serves a link drains for as long as it was given, though the gateway at the
// other end takes no byte.
func TestDrain_FrozenGateway_EndsInTime(t *testing.T) {
	for _, timeout := range []time.Duration{time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: timeout})
			defer l.end()
			var writing sync.WaitGroup
			defer writing.Wait()
			near, far := l.sessions(t, 3)
			l.freeze(&writing, far...)
			began := time.Now()
			l.stop()
			<-l.left
			if took := time.Since(began); took > 2*timeout {
				t.Errorf("the agent drains for %v of %v", took, timeout)
			}
			for _, c := range near {
				c.Close()
			}
		})
	}
}
