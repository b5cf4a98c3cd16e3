package netio

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Pause stands for a goroutine while there is nothing to read for it. The goroutine
// begins the pause and ends; when the connection can be read, or somebody ends the
// pause, another one goes on in its place:
//
//	goroutine ── Begin ──▶ nothing but the Pause ── readable, or End ──▶ go Resume()
//
// A goroutine that waits holds its stack, and one that waits for TLS a buffer too.
// Where it waits for long, that is most of what an idle session holds. To pause costs
// more than to wait for a moment, so that it is for a connection that has been silent
// for a while.
//
// All methods are safe for concurrent use, but one goroutine at a time begins.
type Pause struct {
	// Resume is called in a goroutine of its own. It is set before the first Begin.
	Resume func()

	on   atomic.Bool
	raw  syscall.RawConn // of a socket that is watched; guarded by watched.mu
	slot int32           // the slot in watched plus one; 0: not watched; guarded by watched.mu
}

// A Source is no socket and knows when it can be read.
type Source interface {
	// EndWhenReadable ends p when Read would not block, for bytes or for an error,
	// perhaps at once. It may also end p without need.
	EndWhenReadable(p *Pause)
}

// Begin begins the pause. The caller has seen a Read of conn time out and does nothing
// more when it returns true: another goroutine may have gone on already. It returns
// false, and changes nothing, where conn is neither a socket nor a Source nor TLS over
// one of them, and where the system does not tell of sockets.
func (p *Pause) Begin(conn net.Conn) bool {
	if c, ok := conn.(*tls.Conn); ok {
		releaseBuffers(c)
		conn = c.NetConn()
	}
	if s, ok := conn.(*tlsSocket); ok {
		conn = s.Conn
	}
	if s, ok := conn.(Source); ok {
		p.BeginFor(s)
		return true
	}
	raw := Raw(conn)
	if raw == nil {
		return false
	}
	p.on.Store(true)
	// Whoever has ended the pause meanwhile has another goroutine go on.
	return watched.add(p, raw) || !p.on.CompareAndSwap(true, false)
}

// BeginFor begins a pause for a Source. It always succeeds.
func (p *Pause) BeginFor(s Source) {
	p.on.Store(true)
	s.EndWhenReadable(p)
}

// End ends the pause, if there is one, and has Resume called.
func (p *Pause) End() {
	if p.on.CompareAndSwap(true, false) {
		watched.remove(p)
		go p.Resume()
	}
}

// A watcher ends the pauses of sockets. It leaves their descriptors where they are:
// two instances of epoll, its own and that of the runtime, may know one socket. Its
// goroutine runs as long as there are any.
type watcher struct {
	mu     sync.Mutex
	poller *poller  // nil: the goroutine does not run
	pauses []*Pause // by slot
	free   []int32  // slots
}

var watched watcher

// add watches a socket. It returns false when the system does not.
func (w *watcher) add(p *Pause, raw syscall.RawConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !p.on.Load() || p.slot > 0 { // ended already, and perhaps begun again
		return true
	}
	if w.poller == nil {
		poller, err := newPoller()
		if err != nil {
			return false
		}
		w.poller = poller
		go w.run(poller)
	}
	slot := int32(len(w.pauses))
	if n := len(w.free); n > 0 {
		slot, w.free = w.free[n-1], w.free[:n-1]
	} else {
		w.pauses = append(w.pauses, nil)
	}
	if !w.set(raw, slot, 0, wantRead) {
		w.release(slot)
		return false
	}
	w.pauses[slot], p.raw, p.slot = p, raw, slot+1
	return true
}

// remove watches a socket no more.
func (w *watcher) remove(p *Pause) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.slot == 0 { // it waits for a Source
		return
	}
	slot := p.slot - 1
	_ = w.set(p.raw, slot, wantRead, 0) // closed: the system has forgotten it by itself
	p.raw, p.slot = nil, 0
	w.release(slot)
}

// release gives a slot back, and has the goroutine end when it was the last.
func (w *watcher) release(slot int32) {
	w.pauses[slot] = nil
	w.free = append(w.free, slot)
	if len(w.free) == len(w.pauses) {
		w.poller.wake()
	}
}

// set changes what the system tells of a socket, which cannot be closed meanwhile.
func (w *watcher) set(raw syscall.RawConn, slot int32, old, want uint8) bool {
	var err error
	failed := raw.Control(func(fd uintptr) { err = w.poller.set(int32(fd), slot, old, want) })
	return failed == nil && err == nil
}

func (w *watcher) run(p *poller) {
	defer p.close()
	for w.used() {
		p.wait()
		p.each(func(slot int32, _, _ bool) {
			w.mu.Lock()
			pause := w.pauses[slot]
			w.mu.Unlock()
			if pause != nil {
				pause.End()
			}
		})
	}
}

// used reports whether any socket is watched. Otherwise the goroutine ends.
func (w *watcher) used() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.free) < len(w.pauses) {
		return true
	}
	w.poller, w.pauses, w.free = nil, nil, nil
	return false
}
