package agent

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// A frameWriter is the connection below a multiplexer, and writes small frames together.
//
// The multiplexer writes one frame at a time, and its sender runs as soon as a stream has
// given it one. With many sessions that is a system call, and a wake-up of the other side,
// for each message. So a small frame is kept here at first, and a goroutine of the
// frameWriter lets all others that can run go first before it writes what is kept then:
//
//	sender ── small ──▶ frames ──▶ run, behind whoever can run now ──▶ connection
//	   └───── large, behind the frames that are kept ──────────────────────▲
//
// There is no clock: where nothing else can run, a frame waits for nothing. To wait behind
// others costs a little too, so after a wait to which no other frame has come, the next
// ones are written at once: one at first, and twice as many each time that it is so again.
// After a wait behind goroutines that compute, which may take them ten milliseconds each,
// many are.
type frameWriter struct {
	net.Conn

	turn chan struct{} // tells run of frames; closed by Close
	done chan struct{} // run has ended

	mu      sync.Mutex
	rested  sync.Cond // writing has become false
	writing bool      // somebody writes to the connection, without mu
	frames  []byte    // kept
	kept    int       // how many
	alone   int       // frames that are written at once
	more    int       // the last alone
	until   time.Time // the deadline of the connection for writing
	err     error     // why nothing can be written any more
	closed  bool      // turn is
}

const (
	// togetherLimit is how many bytes are kept to be written together. A frame that is larger
	// is written alone: a system call costs less than the copy.
	togetherLimit = 16 << 10

	// aloneLimit is how many frames at most are written at once before it is tried again
	// whether others come.
	aloneLimit = 64

	// lateAfter is how long run may wait for its turn. Where goroutines compute for longer
	// than that, frames are better written at once.
	lateAfter = 5 * time.Millisecond
)

var keptFrames = sync.Pool{New: func() any { return new([togetherLimit]byte) }}

func newFrameWriter(c net.Conn) *frameWriter {
	w := &frameWriter{Conn: c, turn: make(chan struct{}, 1), done: make(chan struct{})}
	w.rested.L = &w.mu
	go w.run()
	return w
}

// Write is called by the multiplexer with one frame, one at a time. An error may be that of
// a frame before.
func (w *frameWriter) Write(frame []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frames)+len(frame) > togetherLimit {
		w.flush()
	}
	switch {
	case len(frame) > togetherLimit:
		w.write(frame)
	case w.alone > 0 && w.frames == nil && !w.writing:
		w.alone--
		w.write(frame)
	case w.err == nil:
		w.keep(frame)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(frame), nil
}

// keep has a frame written by run. The caller holds mu.
func (w *frameWriter) keep(frame []byte) {
	if w.frames == nil {
		w.frames, w.kept = keptFrames.Get().(*[togetherLimit]byte)[:0], 0
		select {
		case w.turn <- struct{}{}:
		default: // run is told already, of frames that were written meanwhile
		}
	}
	w.frames = append(w.frames, frame...)
	w.kept++
}

func (w *frameWriter) run() {
	defer close(w.done)
	for range w.turn {
		began := time.Now()
		runtime.Gosched()
		late := time.Since(began) > lateAfter
		w.mu.Lock()
		switch {
		case late:
			w.more, w.alone = aloneLimit, aloneLimit
		case w.frames == nil: // written, because there was no room
		case w.kept > 1:
			w.more = 0
		default:
			w.more = min(max(1, 2*w.more), aloneLimit)
			w.alone = w.more
		}
		w.flush()
		failed := w.err != nil
		w.mu.Unlock()
		if failed {
			w.Conn.Close() // so that whoever reads gets an error
		}
	}
}

// flush writes what is kept. The caller holds mu, which is free meanwhile.
func (w *frameWriter) flush() {
	for w.writing {
		w.rested.Wait()
	}
	if w.frames == nil {
		return
	}
	frames := w.frames
	w.frames = nil
	w.write(frames)
	keptFrames.Put((*[togetherLimit]byte)(frames[:togetherLimit]))
}

// write writes b unless something has failed. The caller holds mu, which is free meanwhile,
// and nobody else writes.
func (w *frameWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	w.writing = true
	w.mu.Unlock()
	err := w.extend()
	if err == nil {
		_, err = w.Conn.Write(b)
	}
	if os.IsTimeout(err) {
		err = yamux.ErrConnectionWriteTimeout
	}
	w.mu.Lock()
	w.writing = false
	w.rested.Broadcast()
	if w.err == nil {
		w.err = err
	}
}

// extend gives the connection lostAfter to take what comes next. That the deadline may be
// half as far away saves a system's timer for each write.
func (w *frameWriter) extend() error {
	now := time.Now()
	if w.until.Sub(now) > lostAfter/2 {
		return nil
	}
	w.until = now.Add(lostAfter)
	return w.Conn.SetWriteDeadline(w.until)
}

// SetWriteDeadline does nothing: a deadline belongs to what is written, not to what is kept.
func (w *frameWriter) SetWriteDeadline(time.Time) error { return nil }

// Read fails with the reason why writing has failed, if it has.
func (w *frameWriter) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err != nil && err != io.EOF {
			err = w.err
		}
	}
	return n, err
}

// Close closes the connection. What is kept is dropped, as is what the multiplexer holds.
func (w *frameWriter) Close() error {
	w.mu.Lock()
	if w.err == nil {
		w.err = net.ErrClosed
	}
	if !w.closed {
		w.closed = true
		close(w.turn)
	}
	w.mu.Unlock()
	err := w.Conn.Close()
	<-w.done
	return err
}
