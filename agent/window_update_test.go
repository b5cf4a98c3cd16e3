package agent_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A warm stream's window is large enough for a reader of 25 MB/s, 80 ms away,
// never to wait; after a stall it goes on.
func TestWindow_LongLink_WarmStreamIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemoryLink(t, 40*time.Millisecond, agent.RunOptions{DrainTimeout: -1})
		defer l.end()
		c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		far := <-l.target
		poured := make(chan struct{})
		go func() {
			defer close(poured)
			bulk := make([]byte, 1<<20)
			for {
				if _, err := far.Write(bulk); err != nil {
					return // closed
				}
			}
		}()
		const pieces, pause = 1024, 2500 * time.Microsecond
		piece := make([]byte, 64<<10)
		read := func() time.Duration {
			began := time.Now()
			for range pieces {
				if _, err := io.ReadFull(c, piece); err != nil {
					t.Fatal(err)
				}
				time.Sleep(pause)
			}
			return time.Since(began)
		}
		for _, what := range []string{"warming up", "warm", "after a stall"} {
			waited := read() - pieces*pause
			t.Logf("%s: the reader waited for %v", what, waited)
			if what == "warm" && waited > 0 {
				t.Errorf("the reader of a warm stream waited for %v", waited)
			}
			time.Sleep(5 * time.Second)
		}
		c.Close()
		far.Close()
		<-poured
	})
}
