package agent_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
)

// A countedWriter is a connection that takes a while for each write, and counts them.
type countedWriter struct {
	net.Conn
	takes  time.Duration
	writes *atomic.Int64
}

func (c countedWriter) Write(p []byte) (int, error) {
	c.writes.Add(1)
	time.Sleep(c.takes)
	return c.Conn.Write(p)
}

// What many sessions send at the same time leaves a gateway in few writes.
func TestLink_SmallMessagesAtOnce_ShareWrites(t *testing.T) {
	for _, sessions := range []int{8, 64} {
		synctest.Test(t, func(t *testing.T) {
			var writes atomic.Int64
			l := newMemoryLinkOver(t, 0, agent.RunOptions{DrainTimeout: -1}, func(c net.Conn) net.Conn {
				return countedWriter{c, time.Millisecond, &writes}
			})
			defer l.end()
			near, far := l.sessions(t, sessions)
			for round := range 12 {
				time.Sleep(time.Second)
				writes.Store(0)
				began := time.Now()
				var all sync.WaitGroup
				for i := range near {
					all.Go(func() {
						if _, err := near[i].Write(bytes.Repeat([]byte{byte(i)}, 128)); err != nil {
							t.Error(err)
						}
					})
					all.Go(func() {
						got := make([]byte, 128)
						if _, err := io.ReadFull(far[i], got); err != nil || got[0] != byte(i) {
							t.Errorf("session %d: %v and byte %d", i, err, got[0])
						}
					})
				}
				all.Wait()
				// The dials may have left the link writing frames at once, 64 at most.
				if n, took := writes.Load(), time.Since(began); round > 8 && (n > 4 || took > 4*time.Millisecond) {
					t.Errorf("%d messages need %d writes and %v", sessions, n, took)
				}
			}
			for i := range near {
				near[i].Close()
				far[i].Close()
			}
			time.Sleep(time.Second) // a write in its sleep does not hear that the link closes
		})
	}
}

// Frames of all sizes arrive whole and in order, however the connection takes them.
func TestFrameWriter_AnySizes_KeepsOrder(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		near, far := net.Pipe()
		w := agent.WriteFrames(near)
		var want []byte
		got := make(chan []byte)
		go func() {
			var all []byte
			buf := make([]byte, 1+r.IntN(100_000))
			for {
				n, err := far.Read(buf)
				all = append(all, buf[:n]...)
				if err != nil || n > 0 && bytes.HasSuffix(all, []byte("the end")) {
					got <- all
					return
				}
			}
		}()
		sizes := rand.New(rand.NewPCG(seed, 1))
		for range 500 {
			frame := make([]byte, 12+sizes.IntN([]int{1, 150, 20_000, 65_525}[sizes.IntN(4)]))
			for i := range frame {
				frame[i] = byte(sizes.Uint32())
			}
			want = append(want, frame...)
			if n, err := w.Write(frame); n != len(frame) || err != nil {
				t.Fatal(n, err)
			}
			clear(frame) // a Writer keeps nothing of it
		}
		want = append(want, "the end"...)
		w.Write([]byte("the end"))
		if all := <-got; !bytes.Equal(all, want) {
			t.Errorf("seed %d: %d bytes came, or others than the %d that were written", seed, len(all), len(want))
		}
		w.Close()
		far.Close()
	}
}

// A frame to which no other comes is written before Write returns, once that was so for
// the one before.
func TestFrameWriter_LoneFrames_WrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		var writes atomic.Int64
		w := agent.WriteFrames(countedWriter{near, 0, &writes})
		go io.Copy(io.Discard, far)
		frame, atOnce := make([]byte, 140), 0
		for range 1000 {
			before := writes.Load()
			if _, err := w.Write(frame); err != nil {
				t.Fatal(err)
			}
			if writes.Load() > before {
				atOnce++
			}
			synctest.Wait()
			if writes.Load() != before+1 {
				t.Fatalf("%d writes for one frame", writes.Load()-before)
			}
		}
		if atOnce < 950 {
			t.Errorf("%d of 1000 lone frames are written at once", atOnce)
		}
		w.Close()
		far.Close()
	})
}

// Where a goroutine computes on the only processor, one wait behind it is enough. The
// scheduler may spare a writer even that one, so that several are tried.
func TestFrameWriter_ComputingGoroutine_WaitsOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var over atomic.Bool
	var computing sync.WaitGroup
	defer computing.Wait()
	defer over.Store(true)
	computing.Go(func() {
		for !over.Load() {
		}
	})
	for range 20 {
		if writtenAtOnce(t, 32) == 32 {
			return
		}
	}
	t.Error("small frames wait behind the goroutine again and again")
}

// writtenAtOnce has a new writer write two frames together, and returns how many of up to n
// others are written before Write returns, until one is not.
func writtenAtOnce(t *testing.T, n int) (atOnce int) {
	near, far := net.Pipe()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer far.Close()
	reading.Go(func() { io.Copy(io.Discard, far) })
	var writes atomic.Int64
	w := agent.WriteFrames(countedWriter{near, 0, &writes})
	defer w.Close()
	write := func(size int) {
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	write(140)
	write(140)
	for writes.Load() == 0 {
		runtime.Gosched()
	}
	write(40_000) // waits until the two are written
	for ; atOnce < n; atOnce++ {
		before := writes.Load()
		write(140)
		if writes.Load() == before {
			break
		}
	}
	return atOnce
}

// A connection that takes nothing for ten seconds, or fails, has failed for the
// multiplexer's reader too, though nothing else is written.
func TestFrameWriter_WriteFails_ReaderHears(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		frames int
		fail   bool
		want   error
		after  time.Duration
	}{
		{"takes nothing, one frame", 1, false, yamux.ErrConnectionWriteTimeout, 10 * time.Second},
		{"takes nothing, two frames", 2, false, yamux.ErrConnectionWriteTimeout, 10 * time.Second},
		{"fails", 1, true, broken, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				c := near
				if test.fail {
					c = failingWriter{near, broken}
				}
				w := agent.WriteFrames(c)
				defer w.Close()
				began := time.Now()
				for range test.frames {
					if _, err := w.Write(make([]byte, 100)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := w.Read(make([]byte, 1)); !errors.Is(err, test.want) || time.Since(began) != test.after {
					t.Errorf("reading: %v after %v, want %v after %v", err, time.Since(began), test.want, test.after)
				}
				if _, err := w.Write(make([]byte, 100)); !errors.Is(err, test.want) {
					t.Errorf("writing: %v, want %v", err, test.want)
				}
			})
		})
	}
}

type failingWriter struct {
	net.Conn
	err error
}

func (c failingWriter) Write([]byte) (int, error) { return 0, c.err }

// Close does not wait for a connection that takes nothing, and ends whoever writes.
func TestFrameWriter_ClosedWhileWriting_Ends(t *testing.T) {
	for _, size := range []int{100, 40_000} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			w := agent.WriteFrames(near)
			wrote := make(chan error, 1)
			go func() {
				for {
					if _, err := w.Write(make([]byte, size)); err != nil {
						wrote <- err
						return
					}
				}
			}()
			synctest.Wait()
			began := time.Now()
			w.Close()
			w.Close()
			if err := <-wrote; err == nil || time.Since(began) != 0 {
				t.Errorf("writing ends with %v after %v", err, time.Since(began))
			}
			if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("writing afterwards: %v", err)
			}
		})
	}
}
