package preauth

import (
	"net/http"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// StallTimeout is how long a client that has shown no key may take no byte of an answer.
// One that reads slowly takes bytes: what counts is what its system acknowledges, not
// when a write returns, because a full buffer of the kernel takes nothing until a third
// of it is free. A trusted proxy, which waits for a client of its own, has four times as
// long.
const StallTimeout = 30 * time.Second

// streamPiece is what a stream of HTTP/2 writes at once. One that does not take it in
// four times StallTimeout is ended: of streams nothing else is known here, their windows
// are the library's.
const streamPiece = 16 << 10

// drainStall is the same while the server shuts down: one client that takes nothing must
// not use up the time of all.
const drainStall = 3 * time.Second

// stallTimeout is how long the connection's client may take nothing.
func (c *Conn) stallTimeout() time.Duration {
	timeout := c.guard.o.StallTimeout
	if c.guard.over.Load() {
		timeout = min(timeout, drainStall)
	} else if c.trusted {
		timeout *= 4
	}
	return timeout
}

// watch looks from time to time whether the client takes what is written to it, while a
// request is served; the guard's mu is held.
func (c *Conn) watch() {
	c.taking = time.Now()
	if look := c.stallTimeout() / 4; c.stall == nil {
		c.stall = time.AfterFunc(look, c.endStalled)
	} else {
		c.stall.Reset(look)
	}
}

// endStalled closes a connection whose client takes nothing, without what the kernel
// still holds for it.
func (c *Conn) endStalled() {
	acked, queued, known := netio.Sent(c.TCPConn)
	c.guard.mu.Lock()
	now := time.Now()
	watched := known && c.inAll != nil && c.active && !c.hijacked
	if queued == 0 || acked != c.acked {
		c.taking, c.acked = now, acked
	}
	stalled := watched && now.Sub(c.taking) >= c.stallTimeout()
	if watched && !stalled {
		c.stall.Reset(c.stallTimeout() / 4)
	}
	c.guard.mu.Unlock()
	if stalled {
		_ = c.SetLinger(0) // fails only when it is closed already
		c.cut()
	}
}

// pieceTimeout is how long a stream may not take a piece of an answer.
func (g *Guard) pieceTimeout() time.Duration {
	timeout := 4 * g.o.StallTimeout
	if g.over.Load() {
		timeout = min(timeout, drainStall)
	}
	return timeout
}

// A streamWriter bounds how long one piece of an answer over HTTP/2 may take, until its
// request has shown a key. What is left when the handler returns has such a bound in any
// case, because nothing else ends a stream whose client takes nothing.
type streamWriter struct {
	http.ResponseWriter
	rc    *http.ResponseController
	guard *Guard

	mu      sync.Mutex
	known   bool
	own     bool // the handler has set a deadline itself
	writing bool // a piece is
}

// stream returns the writer of a stream's answer, which a shutdown knows until its end.
func (g *Guard) stream(w http.ResponseWriter, rc *http.ResponseController) *streamWriter {
	s := &streamWriter{ResponseWriter: w, rc: rc, guard: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams == nil {
		g.streams = make(map[*streamWriter]struct{})
	}
	g.streams[s] = struct{}{}
	return s
}

// Unwrap is for [http.ResponseController].
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *streamWriter) Write(b []byte) (n int, err error) {
	for len(b) > streamPiece && err == nil {
		var m int
		m, err = w.piece(func() (int, error) { return w.ResponseWriter.Write(b[:streamPiece]) })
		n, b = n+m, b[m:]
	}
	if err == nil {
		var m int
		m, err = w.piece(func() (int, error) { return w.ResponseWriter.Write(b) })
		n += m
	}
	return n, err
}

// FlushError is for [http.ResponseController], too: a flush waits for the client as well.
func (w *streamWriter) FlushError() error {
	_, err := w.piece(func() (int, error) { return 0, w.rc.Flush() })
	return err
}

// piece begins the time of the next piece anew, and writes it.
func (w *streamWriter) piece(write func() (int, error)) (int, error) {
	w.mark(true)
	defer w.mark(false)
	return write()
}

func (w *streamWriter) mark(writing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = writing
	switch {
	case w.known || w.own:
	case writing:
		_ = w.rc.SetWriteDeadline(time.Now().Add(w.guard.pieceTimeout())) // fails only where none can be set
	case w.guard.over.Load(): // the handler may need longer than a client for a piece
		_ = w.rc.SetWriteDeadline(time.Now().Add(4 * w.guard.o.StallTimeout))
	}
}

// hurry has a piece that is being written end as the shutdown wants it.
func (w *streamWriter) hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing && !w.known && !w.own {
		_ = w.rc.SetWriteDeadline(time.Now().Add(w.guard.pieceTimeout()))
	}
}

// SetWriteDeadline leaves the rest to the handler.
func (w *streamWriter) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own = !t.IsZero()
	return w.rc.SetWriteDeadline(t)
}

// end bounds what is buffered, which is written when the handler has returned.
func (w *streamWriter) end() {
	w.guard.mu.Lock()
	delete(w.guard.streams, w)
	w.guard.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.own {
		_ = w.rc.SetWriteDeadline(time.Now().Add(w.guard.pieceTimeout())) // fails only where none can be set
	}
}

// lift ends the bound.
func (w *streamWriter) lift() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known && !w.own {
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
	w.known = true
}
