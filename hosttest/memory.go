package hosttest

import (
	"context"
	"errors"
	"net"
	"sync"
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
	near, far := net.Pipe()
	accepted := newBuffered(far)
	select {
	case l.conns <- accepted:
		return newBuffered(near), nil
	case <-l.closed:
		accepted.Close()
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		accepted.Close()
		return nil, context.Cause(ctx)
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
	mu     sync.Mutex
	work   sync.Cond // of mu: something waits, or the end does
	queue  []byte
	err    error // of the pipe, or net.ErrClosed
	ending bool
}

// flushTimeout is how long a closed end waits for the other to read what was
// written before.
const flushTimeout = 5 * time.Second

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c}
	b.work.L = &b.mu
	go b.pump()
	return b
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

func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = net.ErrClosed
	}
	b.ending = true
	b.work.Signal()
	return errors.Join(b.Conn.SetReadDeadline(time.Unix(1, 0)), b.Conn.SetWriteDeadline(time.Now().Add(flushTimeout)))
}
