package clusterbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// restarted is what became of the sessions while gateways were restarted.
type restarted struct{ sessions, ownLost, othersLost, refused atomic.Int64 }

// restartAll restarts all gateways one after another while clients have sessions of
// some length over all of them and through all agents.
func (w *world) restartAll(clients int, length time.Duration) *restarted {
	r := new(restarted)
	ctx, stop := context.WithCancel(w.Context())
	var work sync.WaitGroup
	for range clients {
		work.Go(func() {
			for ctx.Err() == nil {
				g := w.at(rand.IntN(len(w.gateways)))
				if g.away.Load() {
					continue // a balancer sends nobody to one that drains
				}
				began := time.Now()
				switch err := w.session(ctx, g, length); {
				case err == nil:
					r.sessions.Add(1)
				case g.away.Load():
					r.ownLost.Add(1)
				case errors.Is(err, errNotOpened):
					r.refused.Add(1)
					var why *agent.DialError
					if errors.As(err, &why) {
						err = why.Err
					}
					w.Logf("not opened through another gateway, after %v: %v", time.Since(began), err)
				default:
					r.othersLost.Add(1)
					w.Logf("of another gateway: %v", err)
				}
			}
		})
	}
	for i := range w.gateways {
		g := w.at(i)
		g.away.Store(true)
		if err := w.end(g, drainTimeout); err != nil {
			w.Error(err)
		}
		again, err := w.start(fmt.Sprintf("gateway-%d-again-%d", i, rand.Uint32()), g.addr)
		if err != nil {
			w.Fatal(err)
		}
		again.away.Store(true)
		w.mu.Lock()
		w.gateways[i] = again
		w.mu.Unlock()
		w.eventually("it knows all agents, and is known to all", func() bool {
			return len(again.pool.Agents()) == w.agents && again.cluster.Stats().Gateways == len(w.gateways)
		})
		again.away.Store(false)
	}
	stop()
	work.Wait()
	return r
}

var errNotOpened = errors.New("not opened")

// session echoes numbered messages for a while.
func (w *world) session(ctx context.Context, g *gateway, length time.Duration) error {
	e, err := g.pool.SelectAgent(ctx, agent.Query{})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotOpened, err)
	}
	c, err := e.DialContext(ctx, "tcp", w.target)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%w: %w", errNotOpened, err)
	}
	defer c.Close()
	buf := make([]byte, 16)
	for n := range 10 {
		message := fmt.Sprintf("message %08d", n)
		if _, err := io.WriteString(c, message); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != message {
			return fmt.Errorf("message %d came back as %q: %w", n, buf, err)
		}
		time.Sleep(length / 10)
	}
	return nil
}

// All gateways are restarted one after another: each dial of another gateway succeeds,
// and no session is lost but those of the one that is restarted.
func TestRollingRestart_UnderLoad_LosesNothing(t *testing.T) {
	w := newWorld(t, 4, 12)
	r := w.restartAll(20, 100*time.Millisecond)
	t.Logf("%d sessions, %d lost with their gateway", r.sessions.Load(), r.ownLost.Load())
	if n := r.refused.Load(); n > 0 {
		t.Errorf("%d sessions were not opened", n)
	}
	if n := r.othersLost.Load(); n > 0 {
		t.Errorf("%d sessions of other gateways were lost", n)
	}
	if r.sessions.Load() == 0 {
		t.Error("there was no session")
	}
}
