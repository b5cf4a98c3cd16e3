package hosttest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A memoryListener accepts connections in memory.
type memoryListener struct {
	host   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener(host string) *memoryListener {
	return &memoryListener{host: host, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := newPipe()
	refuse := func(err error) (net.Conn, error) {
		near.Close()
		far.Close()
		return nil, err
	}
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return refuse(errors.New("connection refused"))
	case <-ctx.Done():
		return refuse(context.Cause(ctx))
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr(l.host) }

// memoryAddr is the address of a host in memory.
type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// buffered is one end of a net.Pipe, whose Write returns before the other end has
// read: what speaks first at both ends, as HTTP/2 does, would wait for ever.
type buffered struct {
	net.Conn
	open   *atomic.Int32 // how many ends of the pipe are
	mu     sync.Mutex
	work   sync.Cond // of mu: something waits, or the end does
	queue  []byte
	err    error // of the pipe, or net.ErrClosed
	ending bool
	closed bool
}

// flushTimeout is how long a closed end waits for the other to read what was
// written before.
const flushTimeout = 5 * time.Second

// newPipe returns both ends.
func newPipe() (near, far *buffered) {
	a, b := net.Pipe()
	open := new(atomic.Int32)
	open.Store(2)
	near, far = &buffered{Conn: a, open: open}, &buffered{Conn: b, open: open}
	for _, end := range []*buffered{near, far} {
		end.work.L = &end.mu
		go end.pump()
	}
	return near, far
}

// pump writes what is queued until the end is closed, and then closes the pipe.
func (b *buffered) pump() {
	defer b.Conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.queue) == 0 && !b.ending {
			b.work.Wait()
		}
		if len(b.queue) == 0 {
			return
		}
		queue := b.queue
		b.queue = nil
		b.mu.Unlock()
		_, err := b.Conn.Write(queue)
		b.mu.Lock()
		if err != nil {
			b.err, b.ending, b.queue = err, true, nil
		}
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.queue = append(b.queue, p...)
	b.work.Signal()
	return len(p), nil
}

// SetDeadline bounds reads alone, and so does SetReadDeadline: a Write does not wait.
func (b *buffered) SetDeadline(t time.Time) error { return b.Conn.SetReadDeadline(t) }

func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

// Close lets the other end read what was written before, unless it is closed too: then
// nobody reads, and neither end waits.
func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	b.closed = true
	if b.err == nil {
		b.err = net.ErrClosed
	}
	b.ending = true
	b.work.Signal()
	if b.open.Add(-1) == 0 {
		return b.Conn.Close()
	}
	return errors.Join(b.Conn.SetReadDeadline(time.Unix(1, 0)), b.Conn.SetWriteDeadline(time.Now().Add(flushTimeout)))
}
