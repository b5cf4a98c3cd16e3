package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/netio"
)

// carrying counts the goroutines that carry the bytes of sessions on an agent's side.
func carrying() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), agent.CarryingFunc+"(")
}

// An idle session has no goroutine at the agent, and none is needed at the gateway to
// learn of whatever comes next: bytes either way and every kind of end.
func TestSession_Idle_NeedsNoGoroutine(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	accepted := make(chan *net.TCPConn)
	release := make(chan struct{})
	addr := target(t, func(c *net.TCPConn) {
		accepted <- c
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the target's own
	stop, _ := run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: time.Millisecond})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})

	read := func(t *testing.T, c net.Conn, want string) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		b := make([]byte, len(want))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
			t.Fatalf("read %q, %v, want %q", b, err, want)
		}
	}
	readEnd := func(t *testing.T, c net.Conn) error {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := c.Read(make([]byte, 1))
		if n > 0 || err == nil {
			t.Fatal("a byte instead of an end")
		}
		return err
	}
	big := strings.Repeat("0123456789abcdef", 1<<15)
	kinds := []struct {
		name string
		tell bool // the gateway's side learns of it
		then func(t *testing.T, c net.Conn, far *net.TCPConn)
	}{
		{"bytes of the target", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			go io.WriteString(far, big)
			read(t, c, big)
			go io.WriteString(c, big)
			read(t, far, big)
			eventually(t, "without goroutines again", time.Minute, func() bool { return carrying() == 0 })
		}},
		{"bytes of the gateway", false, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			go io.WriteString(c, big)
			read(t, far, big)
			go io.WriteString(far, big)
			read(t, c, big)
			eventually(t, "without goroutines again", time.Minute, func() bool { return carrying() == 0 })
		}},
		{"end of the target", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			far.CloseWrite()
			if err := readEnd(t, c); err != io.EOF {
				t.Error(err)
			}
			io.WriteString(c, "the other way goes on")
			read(t, far, "the other way goes on")
		}},
		{"half-close of the gateway", false, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			c.(interface{ CloseWrite() error }).CloseWrite()
			if err := readEnd(t, far); err != io.EOF {
				t.Error(err)
			}
			io.WriteString(far, "the other way goes on")
			read(t, c, "the other way goes on")
		}},
		{"reset of the target", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			far.SetLinger(0)
			far.Close()
			if err := readEnd(t, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		}},
		{"close by the gateway", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			c.Close()
			if err := readEnd(t, far); err != io.EOF {
				t.Error(err)
			}
		}},
		{"reset by the gateway", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			c.(interface{ SetLinger(int) error }).SetLinger(0)
			c.Close()
			if err := readEnd(t, far); !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		}},
		{"end of the agent", true, func(t *testing.T, c net.Conn, far *net.TCPConn) {
			stop()
			if err := readEnd(t, c); !agent.IsFault(err, agent.FaultAgent) {
				t.Error(err)
			}
			if err := readEnd(t, far); err == nil {
				t.Error("the target is told nothing")
			}
		}},
	}
	type session struct {
		c    net.Conn
		far  *net.TCPConn
		told chan struct{}
	}
	var sessions []session
	for range kinds {
		s := session{c: dial(t, e, addr), far: <-accepted, told: make(chan struct{}, 1)}
		io.WriteString(s.c, "hello")
		read(t, s.far, "hello")
		for range 20 { // frames that are read in one go leave nothing behind
			s.far.Write([]byte("welcome"))
		}
		read(t, s.c, strings.Repeat("welcome", 20))
		sessions = append(sessions, s)
	}
	eventually(t, "without goroutines", time.Minute, func() bool { return carrying() == 0 })
	for i, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := sessions[i]
			pause := netio.Pause{Resume: func() { s.told <- struct{}{} }}
			if !pause.Begin(s.c) {
				t.Fatal("the gateway's side is not paused for")
			}
			select {
			case <-s.told:
				t.Fatal("the gateway's side is told of nothing")
			default:
			}
			k.then(t, s.c, s.far)
			if !k.tell {
				return
			}
			select {
			case <-s.told:
			case <-time.After(time.Minute):
				t.Error("the gateway's side is not told")
			}
		})
	}
}

// A session that has no goroutine ends with its link and gives its place to one of another link,
// also when the gateway had ended its side.
func TestSession_IdleAndLinkLost_LeavesItsPlace(t *testing.T) {
	for _, ended := range []bool{false, true} {
		var wg sync.WaitGroup
		accepted := make(chan *net.TCPConn, 2)
		release := make(chan struct{})
		addr := target(t, func(c *net.TCPConn) { accepted <- c; <-release })
		all := newHostileGatewaysFor(t, &wg, 2, 1, context.Background(), func(context.Context, string) (net.Conn, error) {
			return net.Dial("tcp", addr)
		})
		all[0].write(dialFrames(1, ""))
		far := <-accepted
		io.WriteString(far, "welcome")
		eventually(t, "bytes of the target", time.Minute, func() bool { _, n := all[0].counts("welcome"); return n == 1 })
		if ended {
			all[0].write(frame(window, fin, 1, 0, ""))
			if n, err := far.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("the target reads %d bytes, %v", n, err)
			}
		}
		eventually(t, "without goroutines", time.Minute, func() bool { return carrying() == 0 })
		all[0].Close()
		all[1].write(dialFrames(1, ""))
		select {
		case <-accepted:
		case <-time.After(time.Minute):
			t.Errorf("ended %v: the place is still taken", ended)
		}
		all[1].Close()
		close(release)
		wg.Wait()
	}
}
