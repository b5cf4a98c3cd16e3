package netio_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/internal/netio"
)

func TestMain(m *testing.M) { leak.Main(m) }

// An echo answers what one socket says, until it ends.
type echo struct {
	t       *testing.T
	conn    *netio.LoopConn
	rest    []byte // what there was no room for
	secured bool   // TLS: records may come that are no data
	most    int    // bytes that are read at once
	calls   atomic.Int64
	readys  atomic.Int64
	quiet   atomic.Bool // wants to hear of nothing
	ended   chan error
}

func newEcho(t *testing.T, l *netio.Loop, conn net.Conn) *echo {
	t.Helper()
	e := &echo{t: t, most: 64 << 10, ended: make(chan error, 1)}
	joined := make([]netio.LoopConn, 1)
	if !l.Join(e, joined, conn) {
		t.Fatal("a socket cannot join")
	}
	e.conn = &joined[0]
	_, e.secured = conn.(*tls.Conn)
	return e
}

func (e *echo) Called() {
	e.calls.Add(1)
	if e.quiet.Load() {
		if err := e.conn.Want(false, false); err != nil {
			e.t.Error(err)
		}
		return
	}
	e.work(e.conn.More(), len(e.rest) > 0)
}

func (e *echo) Ready(c *netio.LoopConn, read, write bool) {
	e.readys.Add(1)
	if c != e.conn {
		e.t.Error("told of another's socket")
	}
	e.work(read, write)
}

func (e *echo) work(read, write bool) {
	c := e.conn
	var failed error
	if write && (len(e.rest) > 0 || c.Waits()) {
		failed = e.write(e.rest)
	}
	for told := read; (told || c.More()) && !e.waits() && failed == nil; told = false {
		b := c.Buffer()[:e.most]
		n, err := c.Read(b)
		switch {
		case err == nil:
			failed = e.write(b[:n])
		case err != netio.ErrNotReady:
			failed = err
		case !e.secured:
			e.t.Error("told of a socket that has nothing")
		}
	}
	if failed != nil {
		c.Close()
		e.ended <- failed
		return
	}
	if err := c.Want(!e.waits(), e.waits()); err != nil {
		e.t.Error(err)
	}
}

func (e *echo) waits() bool { return len(e.rest) > 0 || e.conn.Waits() }

func (e *echo) write(b []byte) error {
	n, err := e.conn.Write(b)
	if err == netio.ErrNotReady {
		err = nil
	}
	e.rest = append(e.rest[:0], b[n:]...)
	return err
}

// Sockets of one loop do not mix, wait for their readers, and end one by one; the
// loop ends with the last and begins again with the next.
func TestLoop_ManySockets_CarriesEach(t *testing.T) {
	var l netio.Loop
	for range 3 {
		var all sync.WaitGroup
		for i := range 20 {
			_, near, far := ends(t)
			e := newEcho(t, &l, near)
			e.conn.Call()
			all.Go(func() {
				much := bytes.Repeat([]byte{byte(i)}, 256<<10)
				wrote := make(chan error, 1)
				go func() {
					_, err := far.Write(much)
					wrote <- err
					far.CloseWrite()
				}()
				got, err := io.ReadAll(far)
				if err != nil || !bytes.Equal(got, much) {
					t.Errorf("%d of %d bytes came back, %v", len(got), len(much), err)
				}
				if err := <-wrote; err != nil {
					t.Error(err)
				}
				if err := <-e.ended; err != io.EOF {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// A loop that has found something each time for a while sleeps like any other when
// that is over, and hears of the next byte.
func TestLoop_AfterMuchAtOnce_HearsOfMore(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	e := newEcho(t, &l, near)
	e.most = 1
	e.conn.Call()
	far.SetDeadline(time.Now().Add(time.Minute))
	for size := range 100 {
		much := make([]byte, 1+size)
		if _, err := far.Write(much); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, much); err != nil {
			t.Fatalf("an echo of %d bytes: %v", len(much), err)
		}
	}
	far.Close()
	<-e.ended
}

func TestLoop_Call_IsFollowedFromAnyGoroutine(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	e := newEcho(t, &l, near)
	for range 100 { // each finds the loop awake or asleep
		before := e.calls.Load()
		for _, call := range []func(){e.conn.Call, func() { e.conn.SetDeadline(time.Time{}) }} {
			go call()
		}
		for e.calls.Load() == before {
			time.Sleep(time.Millisecond) // nothing but the count tells
		}
	}
	far.Close()
	<-e.ended
	e.conn.Call() // nobody is there to follow it
	if _, err := e.conn.Read(make([]byte, 1)); err != net.ErrClosed {
		t.Error(err)
	}
	if _, err := e.conn.Write(make([]byte, 1)); err != net.ErrClosed {
		t.Error(err)
	}
	if err := errors.Join(e.conn.CloseWrite(), e.conn.Close()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Of a socket that wants to hear of nothing the loop tells nothing, not even that
// its peer is gone, which the system would tell again and again.
func TestLoop_NothingWatched_ReportsNothing(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	e := newEcho(t, &l, near)
	e.conn.Call()
	far.Write([]byte("x"))
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_, other, peer := ends(t)
	second := newEcho(t, &l, other)
	second.conn.Call()
	e.quiet.Store(true) // as the next call sees
	before := e.calls.Load()
	for e.conn.Call(); e.calls.Load() == before; {
		time.Sleep(time.Millisecond)
	}
	told := e.readys.Load()
	far.SetLinger(0)
	far.Close()
	for range 100 { // the loop goes round a hundred times
		peer.Write([]byte("x"))
		if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if more := e.readys.Load() - told; more != 0 {
		t.Errorf("told %d times of what nobody wants", more)
	}
	e.quiet.Store(false)
	e.conn.Call()
	if err := <-e.ended; err == nil {
		t.Error("a reset is no end")
	}
	peer.Close()
	<-second.ended
}

// A connection that is more than a socket stays as it is, and so do those beside it.
func TestLoop_NotASocket_JoinsNothing(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	in, out := net.Pipe()
	defer in.Close()
	defer out.Close()
	if l.Join(&echo{t: t}, make([]netio.LoopConn, 2), near, in) {
		t.Fatal("a pipe has joined")
	}
	if _, err := near.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestLoop_ReadAndWrite_AllocateNothing(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	e := newEcho(t, &l, near)
	e.conn.Call()
	b := make([]byte, 100)
	exchange := func() {
		if _, err := far.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, b); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	if n := testing.AllocsPerRun(1000, exchange); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
	far.Close()
	<-e.ended
}

func TestLoops_Next_TakesTurns(t *testing.T) {
	var ls netio.Loops
	seen := map[*netio.Loop]bool{}
	for range 1000 {
		seen[ls.Next()] = true
	}
	first := ls.Next()
	for range len(seen) - 1 {
		if ls.Next() == first {
			t.Fatal("one loop twice before the others")
		}
	}
	if ls.Next() != first {
		t.Error("a loop is left out")
	}
}

// A leaving connection counts how often what it has left is closed.
type leaving struct {
	*net.TCPConn
	closed *atomic.Int64
}

func (c *leaving) Socket() *net.TCPConn { return c.TCPConn }
func (c *leaving) Leave() io.Closer     { c.TCPConn.Close(); return counts{c.closed} }

type counts struct{ closed *atomic.Int64 }

func (c counts) Close() error { c.closed.Add(1); return nil }

// A connection whose wrapper leaves it goes on without what package net holds for a socket.
// When it ends, what the wrapper has left is closed.
func TestLoop_WrapperThatLeaves_IsNotKept(t *testing.T) {
	var l netio.Loop
	var closed atomic.Int64
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	kept := weak.Make(near.(*net.TCPConn))
	e := newEcho(t, &l, &leaving{near.(*net.TCPConn), &closed})
	near = nil
	e.conn.Call()
	for range 100 {
		if runtime.GC(); kept.Value() == nil {
			break
		}
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if kept.Value() != nil || closed.Load() != 0 {
		t.Errorf("kept: %v, closed %d times", kept.Value() != nil, closed.Load())
	}
	far.Close()
	<-e.ended
	if closed.Load() != 1 {
		t.Errorf("closed %d times", closed.Load())
	}
}
