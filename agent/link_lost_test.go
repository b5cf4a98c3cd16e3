package agent_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A notedTarget notes when the agent closes it.
type notedTarget struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *notedTarget) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// When a link ends, its sessions end too, while the agent goes on with its other links: what
// the gateway has sent and ended is still delivered to a target that takes it, and one that
// takes nothing is given up.
func TestAgent_LinkLost_SessionsEndInTime(t *testing.T) {
	const size = 128 << 10
	body := strings.Repeat("x", size/2)
	for name, c := range map[string]struct {
		ended     bool          // by the gateway, before the link
		dialTakes time.Duration // after the link's end
		takes     bool          // the target does, a second after the link's end
		delivered bool
		within    time.Duration // of the link's end, or of the dial's
	}{
		"target takes nothing":                      {within: agent.LingerTimeout},
		"target takes nothing, the end has come":    {ended: true, within: agent.LingerTimeout},
		"target takes the rest":                     {ended: true, takes: true, delivered: true, within: time.Second},
		"dial ends later, target takes nothing":     {ended: true, dialTakes: 3 * time.Second, within: agent.LingerTimeout},
		"dial ends later, target takes all":         {ended: true, dialTakes: 3 * time.Second, takes: true, delivered: true, within: time.Second},
		"dial ends later, the end has not come":     {dialTakes: 3 * time.Second},
		"dial ends later, nothing is to be carried": {dialTakes: 3 * time.Second, takes: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wg sync.WaitGroup
				near, far := net.Pipe()
				target := &notedTarget{Conn: near, closed: make(chan struct{})}
				linkEnds, dialEnds := make(chan struct{}), make(chan struct{})
				all := newHostileGateways(t, &wg, 2, context.Background(), func(context.Context, string) (net.Conn, error) {
					if c.dialTakes > 0 { // as a dialer may that knows no contexts
						<-linkEnds
						time.Sleep(c.dialTakes)
					}
					close(dialEnds)
					return target, nil
				})
				all[0].write(dialFrames(1, ""))
				synctest.Wait()
				for range 2 {
					all[0].write(frame(data, 0, 1, size/2, body))
				}
				if c.ended {
					all[0].write(frame(window, fin, 1, 0, ""))
				}
				synctest.Wait()
				all[0].Close()
				close(linkEnds)
				<-dialEnds
				began := time.Now()
				got := make(chan int, 1)
				if c.takes {
					wg.Go(func() {
						time.Sleep(time.Second)
						n, _ := io.Copy(io.Discard, far)
						got <- int(n)
					})
				}
				<-target.closed
				if took := time.Since(began); took > c.within {
					t.Errorf("the target is closed after %v, want %v at most", took, c.within)
				}
				if c.takes {
					if n := <-got; c.delivered && n != size {
						t.Errorf("the target has got %d bytes of %d", n, size)
					}
				}
				// The other link serves on.
				all[1].write(frame(window, syn, 1, 0, "") + frame(data, 0, 1, 0, ""))
				m := message(fmt.Sprintf(`{"op":"resolve","addr":%q}`, "127.0.0.1"))
				all[1].write(frame(data, 0, 1, uint32(len(m)), m))
				synctest.Wait()
				if _, answers := all[1].counts("127.0.0.1"); answers != 1 {
					t.Errorf("the other link answers %v", all[1].answers)
				}
				all[1].Close()
				far.Close()
				wg.Wait()
			})
		})
	}
}
