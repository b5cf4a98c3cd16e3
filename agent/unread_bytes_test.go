package agent_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
)

// An account never shows less than there is, shows nothing when nothing is
// there, and its changes add up.
func TestAccount_AnyOrder_NeverShowsTooLittle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var a agent.Account
		var frames []int // bytes unread of each
		sum, bytes := 0, 0
		most := 1 + random.IntN(100)
		for range 2000 {
			if len(frames) > 0 && (random.IntN(2) == 0 || len(frames) > most) {
				n := 1 + random.IntN(frames[0]) // a read gives one frame's bytes, not all of them perhaps
				sum += a.Take(n)
				bytes -= n
				if frames[0] -= n; frames[0] == 0 {
					frames = frames[1:]
				}
			} else {
				n := 1 + random.IntN(50)
				frames, bytes = append(frames, n), bytes+n
				sum += a.Add(n)
			}
			if is := bytes + agent.FrameCost*len(frames); sum < is || bytes == 0 && sum != 0 {
				t.Fatalf("it says %d for %d", sum, is)
			}
		}
		if sum += a.Close(); sum != 0 {
			t.Fatalf("%d are left at its end", sum)
		}
		if a.Add(1)+a.Take(1)+a.Close() != 0 {
			t.Fatal("it goes on after its end")
		}
	}
}

// flooded is a pool with an agent that answers every dial and then sends what
// the test wants.
func flooded(t *testing.T) (p *agent.Pool, dial func() (net.Conn, *yamux.Stream)) {
	t.Helper()
	p, mux, wg := hostile(t)
	t.Cleanup(func() { mux.Close(); wg.Wait() })
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	return p, func() (net.Conn, *yamux.Stream) {
		t.Helper()
		streams := make(chan *yamux.Stream, 1)
		go func() {
			if s, err := mux.AcceptStream(); err == nil {
				send(s, `{"remote":"192.0.2.1:80","local":"192.0.2.2:80"}`)
				streams <- s
			}
		}()
		c, err := e.DialContext(t.Context(), "tcp", "host.test:80")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, <-streams
	}
}

func wantOverloaded(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buf := make([]byte, 64<<10); ; {
		_, err := c.Read(buf)
		if err == nil {
			continue
		}
		if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || de.Error() != "agent connection cut: its data was not read" {
			t.Errorf("it reads %v", err)
		}
		return
	}
}

// Readers that stall hold no more than 64 MiB for one agent, even when they are as many
// as they may: those that hold the most are given up for the others.
func TestLink_StalledReadersBeyondTheBudget_LargestAreReset(t *testing.T) {
	p, dial := flooded(t)
	const each = 250 << 10
	var conns []net.Conn
	for range 300 {
		c, s := dial()
		conns = append(conns, c)
		if _, err := s.Write(make([]byte, each)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all booked", 30*time.Second, func() bool { return p.Held() > 64<<20-2*each })
	eventually(t, "within the budget", 30*time.Second, func() bool { return p.Held() <= 64<<20 })
	kept := 0
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		var err error
		got := 0
		for buf := make([]byte, 64<<10); err == nil && got < each; {
			var n int
			n, err = c.Read(buf)
			got += n
		}
		switch {
		case got == each:
			kept++
		default:
			wantOverloaded(t, c)
		}
	}
	if kept < 250 || kept > 64<<20/each {
		t.Errorf("%d of %d readers have got everything", kept, len(conns))
	}
	eventually(t, "nothing held", 30*time.Second, func() bool { return p.Held() == 0 })
	c, s := dial()
	if _, err := s.Write([]byte("fresh")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 64)); n != 5 || err != nil {
		t.Errorf("a fresh session reads %d bytes, %v", n, err)
	}
}

// Bytes that come one by one cost many times what they are, and are booked so.
func TestUnread_TinyFrames_CountManyTimesTheirBytes(t *testing.T) {
	p, dial := flooded(t)
	var honest []net.Conn
	const each = 250 << 10
	for range 240 {
		c, s := dial()
		honest = append(honest, c)
		if _, err := s.Write(make([]byte, each)); err != nil {
			t.Fatal(err)
		}
	}
	c, s := dial()
	crumbs := 0
	for ; crumbs < 200<<10; crumbs++ {
		if _, err := s.Write([]byte{1}); err != nil {
			break
		}
	}
	if crumbs == 200<<10 {
		t.Fatalf("all crumbs are kept, %d MiB are held", p.Held()>>20)
	}
	wantOverloaded(t, c)
	for _, c := range honest {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		for buf, left := make([]byte, each), each; left > 0; {
			n, err := c.Read(buf)
			if left -= n; err != nil {
				t.Fatalf("one that has done nothing reads %v", err)
			}
		}
	}
}
