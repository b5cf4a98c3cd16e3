package netio_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// pairOf returns both ends of a connection over loopback.
func pairOf(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if far, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// await fails when a pause does not end.
func await(t testing.TB, ended <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("the pause does not end: %s", why)
	}
}

// begin begins a pause and fails when it cannot.
func begin(t testing.TB, p *netio.Pause, conn net.Conn) {
	t.Helper()
	if !p.Begin(conn) {
		t.Fatalf("a %T is not paused for", conn)
	}
}

// A pause ends with bytes, with the end of the connection, with a reset, and when
// somebody ends it, and is begun again as often as one likes.
func TestPause_Readable_Ends(t *testing.T) {
	ended := make(chan struct{}, 1)
	p := netio.Pause{Resume: func() { ended <- struct{}{} }}
	near, far := pairOf(t)
	for range 3 {
		begin(t, &p, near)
		far.Write([]byte{1})
		await(t, ended, "bytes")
		begin(t, &p, near) // they are still there
		await(t, ended, "bytes that came before")
		if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		begin(t, &p, near)
		p.End()
		await(t, ended, "End")
		p.End() // once more changes nothing
	}
	begin(t, &p, near)
	far.(*net.TCPConn).CloseWrite()
	await(t, ended, "the other side's end")

	near, far = pairOf(t)
	begin(t, &p, near)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	await(t, ended, "a reset")
	near.Close()
	if p.Begin(near) {
		t.Error("a closed socket is paused for")
	}
	select {
	case <-ended:
		t.Error("a pause ended twice")
	default:
	}
}

// Of many pauses each ends for its own connection, whichever ends while others begin.
func TestPause_Many_EachEndsForItself(t *testing.T) {
	const many, times = 30, 30
	done := make(chan error, many)
	for range many {
		near, far := pairOf(t)
		var p netio.Pause
		b := make([]byte, 1)
		left := times
		p.Resume = func() {
			near.SetReadDeadline(time.Now().Add(time.Millisecond)) // it may have been ended early
			if n, _ := near.Read(b); n == 1 {
				if left--; left == 0 {
					done <- nil
					return
				}
				far.Write(b)
			}
			near.SetReadDeadline(time.Time{})
			if !p.Begin(near) {
				done <- io.ErrClosedPipe
			}
			p.End() // and some end early
		}
		far.Write(b)
		begin(t, &p, near)
	}
	for range many {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a pause does not end")
		}
	}
}

func TestPause_NoSocket_IsNotBegun(t *testing.T) {
	p := netio.Pause{Resume: func() { t.Error("resumed") }}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if p.Begin(near) {
		t.Error("a pipe is paused for")
	}
	p.End()
}

// While TLS is paused for it does not hold the buffer of its largest record, and goes
// on afterwards, in the middle of a record too.
func TestPause_TLS_HoldsNoRecord(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	const many, size = 64, 16 << 10
	type session struct {
		near, far *tls.Conn
		pause     *netio.Pause
		ended     chan struct{}
	}
	var all []session
	record, b := make([]byte, size), make([]byte, size)
	for range many {
		near, far := pairOf(t)
		s := session{near: tls.Client(netio.ForTLS(near), &tls.Config{InsecureSkipVerify: true}), far: tls.Server(far, srv.TLS), ended: make(chan struct{}, 1)}
		s.pause = &netio.Pause{Resume: func() { s.ended <- struct{}{} }}
		go s.far.Write(record)
		if _, err := io.ReadFull(s.near, b); err != nil {
			t.Fatal(err)
		}
		s.near.SetReadDeadline(time.Now())
		if _, err := s.near.Read(b); err == nil {
			t.Fatal("more than was written")
		}
		s.near.SetReadDeadline(time.Time{})
		all = append(all, s)
	}
	held := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	for _, s := range all {
		begin(t, s.pause, s.near)
	}
	if freed := before - held(); freed < many*size/2 {
		t.Errorf("a pause frees %d bytes", freed/many)
	}
	for _, s := range all {
		go s.far.Write(record)
		await(t, s.ended, "a record")
		if _, err := io.ReadFull(s.near, b); err != nil {
			t.Fatal(err)
		}
	}
	runtime.KeepAlive(all)
}
