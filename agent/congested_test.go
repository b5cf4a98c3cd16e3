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

// A slowWriter is a connection that takes a frame a second.
type slowWriter struct{ net.Conn }

func (c slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return c.Conn.Write(p)
}

// A dial over a link on which everything waits ends when its caller wants it
// to, wherever it stands in the queue, and leaves nothing behind.
func TestDialOverACongestedLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLinkOver(t, 0, agent.RunOptions{DrainTimeout: -1}, func(c net.Conn) net.Conn { return slowWriter{c} })
		defer l.end()
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		far := <-l.target
		var busy sync.WaitGroup
		busy.Go(func() {
			for buf := make([]byte, 1); ; {
				if _, err := far.Read(buf); err != nil {
					return
				}
			}
		})
		stop := make(chan struct{})
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := c.Write([]byte("x")); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		time.Sleep(time.Minute) // the queue is full
		for _, within := range []time.Duration{time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 40 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			began := time.Now()
			_, err := l.exit.DialContext(ctx, "tcp", "127.0.0.1:1")
			if took := time.Since(began); took != within {
				t.Errorf("a dial that may take %v takes %v: %v", within, took, err)
			}
			if de := agent.Classify(err); de == nil || de.Fault != agent.Agent || de.Error() != "timed out" {
				t.Errorf("it fails with %v", err)
			}
			cancel()
		}
		close(stop)
		time.Sleep(10 * time.Minute)
		if n := l.pool.Streams(); n != 2 {
			t.Errorf("%d streams are left, want the session's and that of control", n)
		}
		if n := l.pool.Agents()[0].Sessions; n != 1 {
			t.Errorf("%d sessions are left, want one", n)
		}
		c.Close()
		far.Close()
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
