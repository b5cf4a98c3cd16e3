package harness

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Line forwards TCP connections to an address, until it is cut or held. Its methods
// are safe for concurrent use.
type Line struct {
	Addr string // host:port, where it listens

	target string
	ln     net.Listener
	work   sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	is    bool          // cut: connections are closed as they come
	going chan struct{} // closed while bytes cross
}

// NewLine makes a line to target, which ends with the test.
func NewLine(t testing.TB, target string) *Line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{Addr: ln.Addr().String(), target: target, ln: ln, open: map[net.Conn]struct{}{}, going: make(chan struct{})}
	close(l.going)
	l.work.Go(l.accept)
	t.Cleanup(func() {
		ln.Close()
		l.Cut()
		l.Heal()
		l.work.Wait()
	})
	return l
}

// Cut ends all connections, and further ones as they come.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.is = true
	for c := range l.open {
		c.Close()
	}
}

// Hold lets nothing cross any more; the connections stay, as when packets are lost.
func (l *Line) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.going = make(chan struct{})
}

// Heal lets everything cross again, what was held included.
func (l *Line) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.is = false
	select {
	case <-l.going:
	default:
		close(l.going)
	}
}

func (l *Line) accept() {
	for {
		c, err := l.ln.Accept()
		if err != nil {
			return // closed
		}
		l.work.Go(func() { l.carry(c) })
	}
}

func (l *Line) carry(c net.Conn) {
	defer c.Close()
	if !l.keep(c) {
		return
	}
	defer l.drop(c)
	l.pass()
	far, err := net.DialTimeout("tcp", l.target, 5*time.Second)
	if err != nil {
		return
	}
	defer far.Close()
	if !l.keep(far) {
		return
	}
	defer l.drop(far)
	var both sync.WaitGroup
	both.Go(func() { l.copy(far, c) })
	both.Go(func() { l.copy(c, far) })
	both.Wait()
}

func (l *Line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	return !l.is
}

func (l *Line) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// pass waits while the line is held.
func (l *Line) pass() {
	l.mu.Lock()
	going := l.going
	l.mu.Unlock()
	<-going
}

func (l *Line) copy(to, from net.Conn) {
	defer to.(*net.TCPConn).CloseWrite()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.pass()
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}
