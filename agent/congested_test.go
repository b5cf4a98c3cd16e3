package agent_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A slowWriter is a connection that takes a second for each write: of a large frame, or of
// small ones together.
type slowWriter struct{ net.Conn }

func (c slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return c.Conn.Write(p)
}

// A dial over a link on which everything waits ends when its caller wants it
// to, wherever it stands in the queue, and leaves nothing behind.
func TestDial_CongestedLink_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLinkOver(t, 0, agent.RunOptions{DrainTimeout: -1}, func(c net.Conn) net.Conn { return slowWriter{c} })
		defer l.end()
		const sessions = 16
		near, far := l.sessions(t, sessions)
		var busy sync.WaitGroup
		stop := make(chan struct{})
		for i := range sessions {
			busy.Go(func() {
				for buf := make([]byte, 64<<10); ; {
					if _, err := far[i].Read(buf); err != nil {
						return
					}
				}
			})
			busy.Go(func() {
				for frame := make([]byte, 32<<10); ; {
					select {
					case <-stop:
						return
					default:
						if _, err := near[i].Write(frame); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		time.Sleep(time.Minute) // the queue is full
		for _, within := range []time.Duration{time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			began := time.Now()
			_, err := l.exit.DialContext(ctx, "tcp", "127.0.0.1:1")
			if took := time.Since(began); took != within {
				t.Errorf("a dial that may take %v takes %v: %v", within, took, err)
			}
			if de := agent.Classify(err); de == nil || de.Fault != agent.FaultAgent || de.Error() != "timed out" {
				t.Errorf("it fails with %v", err)
			}
			cancel()
		}
		// Beyond a bound of dials that wait, no more do.
		var full atomic.Int64
		var dials sync.WaitGroup
		for range 1500 {
			dials.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if _, err := l.exit.DialContext(ctx, "tcp", "127.0.0.1:1"); agent.Classify(err).Error() == "agent overloaded" {
					full.Add(1)
				}
			})
		}
		dials.Wait()
		if n := full.Load(); n < 1500-1024 || n > 1500-1000 {
			t.Errorf("%d of 1500 dials at once find the agent overloaded", n)
		}
		close(stop)
		time.Sleep(time.Hour)
		if n := l.pool.Streams(); n != sessions+1 {
			t.Errorf("%d streams are left, want those of %d sessions and that of control", n, sessions)
		}
		if n := l.pool.Agents()[0].Sessions; n != sessions {
			t.Errorf("%d sessions are left, want %d", n, sessions)
		}
		for i := range sessions {
			near[i].Close()
			far[i].Close()
		}
		busy.Wait()
		for {
			select {
			case far := <-l.target:
				far.Close()
				continue
			default:
			}
			break
		}
	})
}

// A dial through an agent that has gone without a word is over while there is
// time to go on through another.
func TestDial_DeadLink_FailsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLink(t, 40*time.Millisecond, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		time.Sleep(time.Minute)
		l.dead.Store(true)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := l.exit.DialContext(ctx, "tcp", "127.0.0.1:1")
		if de := agent.Classify(err); de == nil || de.Fault != agent.FaultAgent {
			t.Errorf("it fails with %v", err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}

// A target may be as silent as it likes: its agent is there.
func TestDial_SilentTarget_IsTheTargetsFault(t *testing.T) {
	for _, delay := range []time.Duration{0, 40 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) { dialSilentTarget(t, delay) })
	}
}

func dialSilentTarget(t *testing.T, delay time.Duration) {
	wait := make(chan struct{})
	l := newMemoryLink(t, delay, agent.RunOptions{
		DrainTimeout: -1, ResolveTimeout: time.Minute, Resolver: silence{wait},
	})
	defer l.end()
	defer close(wait)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := l.exit.DialContext(ctx, "tcp", "silent.test:1")
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultTarget || !de.Timeout() {
		t.Errorf("it fails with %v", err)
	}
	if took := time.Since(began); took < 19*time.Second || took > 20*time.Second {
		t.Errorf("it takes %v", took)
	}
}

// A silence is a resolver that answers nothing.
type silence struct{ end chan struct{} }

func (s silence) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.end:
		return nil, net.ErrClosed
	}
}
