// Package tunnel copies bytes between a client and a target, both ways, until
// both have ended.
//
//	client ──read──▶ write── target      an end of the stream crosses as one:
//	client ◀─write── read ── target      the other way goes on (half-close)
//
// Whatever else ends one way, an error, the idle clock or [Tunnel.Cut], ends both,
// and resets the connections: bytes that are missing must not look like an end.
// A connection on which nothing happens holds no buffer where it can be waited
// for: a socket, and what has WaitRead.
package tunnel

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A Side is one of the two ends. Close unblocks Read and Write, as often as it is
// called. A Side that also has CloseWrite() error can end its stream and go on
// reading; of one that has not, or whose CloseWrite fails, both ways end. One that
// is no net.Conn may have Abort(), which closes it as a reset does.
type Side interface {
	io.ReadWriteCloser
}

// An End says who ended a tunnel.
type End int

// The ends. The zero value is whoever called Cut, or the idle clock.
const (
	Gateway End = iota
	Client
	Target
)

func (e End) String() string { return [...]string{"gateway", "client", "target"}[e] }

// Config is what a Tunnel is made of.
type Config struct {
	Client, Target Side
	FromClient     []byte        // what the client has sent already
	Idle           time.Duration // without a byte either way; zero: no limit
	IdleCause      error         // the Result's error when it passes
}

// A Result says how a tunnel ended.
type Result struct {
	By  End
	Err error // nil: both streams came to their end

	ToTarget, ToClient int64 // bytes
}

// halfIdle is the longest silence of a tunnel one of whose streams has ended: a
// peer that has gone for good looks the same, and need not be waited for.
const halfIdle = 5 * time.Minute

// A Tunnel copies. Its methods are safe for concurrent use.
type Tunnel struct {
	cfg  Config
	idle *time.Timer

	toTarget, toClient atomic.Int64
	ways               atomic.Int32 // that have not come to their end

	mu    sync.Mutex
	limit time.Duration // of idle; zero: none
	ended bool          // how is known
	over  bool          // nothing that comes after counts
	// answered is how much had come from the target by then.
	answered int64
	how      Result
}

// New returns a Tunnel that has not begun. Run must be called.
func New(c Config) *Tunnel {
	t := &Tunnel{cfg: c, limit: c.Idle}
	t.ways.Store(2)
	t.idle = time.AfterFunc(cmp.Or(c.Idle, time.Hour), func() { t.expired() })
	if c.Idle == 0 {
		t.idle.Stop()
	}
	return t
}

// Run copies until both ways have ended, closes both sides and returns how the
// tunnel ended. It is called once.
func (t *Tunnel) Run() Result {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.send()
	}()
	t.copy(t.cfg.Target, t.cfg.Client, &t.toClient, Target)
	<-done
	t.idle.Stop()
	t.cfg.Client.Close()
	t.cfg.Target.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	how := t.how
	how.ToTarget, how.ToClient = t.Counts()
	return how
}

// send copies from the client.
func (t *Tunnel) send() {
	defer t.recovered()
	if early := t.cfg.FromClient; len(early) > 0 {
		t.cfg.FromClient = nil
		n, err := t.cfg.Target.Write(early)
		t.toTarget.Add(int64(n))
		if err != nil {
			t.fail(Target, err)
			return
		}
	}
	t.copy(t.cfg.Client, t.cfg.Target, &t.toTarget, Client)
}

// Counts returns the bytes so far.
func (t *Tunnel) Counts() (toTarget, toClient int64) { return t.toTarget.Load(), t.toClient.Load() }

// Cut ends both ways. It returns at once.
func (t *Tunnel) Cut(cause error) { t.fail(Gateway, cause) }

// fail ends both ways because of one; what ended it first is the result.
func (t *Tunnel) fail(by End, err error) {
	if t.note(by, err) {
		t.cfg.Client.Close()
		t.cfg.Target.Close()
		return
	}
	Reset(t.cfg.Client)
	Reset(t.cfg.Target)
}

// note keeps how the tunnel ended, and reports whether it is over already. A
// client that has ended its stream may go away, and a target may reset a
// connection that it has no more to say on; an error of the target's is one when
// it comes in the middle of its answer.
func (t *Tunnel) note(by End, err error) (over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.ended:
		t.ended, t.how, t.answered = true, Result{By: by, Err: err}, t.toClient.Load()
	case t.over || t.how.Err != nil || err == nil:
	case by == Target && t.how.By == Client && !t.dismissed(err), by == Gateway:
		t.how = Result{By: by, Err: err}
	}
	return t.over
}

// dismissed reports whether the target has reset the connection without a byte
// since the client ended its stream.
func (t *Tunnel) dismissed(err error) bool {
	return t.toClient.Load() == t.answered && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// expired is called when no byte came for as long as the limit says.
func (t *Tunnel) expired() {
	t.mu.Lock()
	half := t.ended && t.limit != t.cfg.Idle
	t.mu.Unlock()
	if half {
		t.fail(Gateway, nil)
		return
	}
	t.fail(Gateway, t.cfg.IdleCause)
}

// touch restarts the idle clock.
func (t *Tunnel) touch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limit > 0 {
		t.idle.Reset(t.limit)
	}
}

// halfClosed bounds the silence of what is left.
func (t *Tunnel) halfClosed() {
	t.mu.Lock()
	if t.limit == 0 || t.limit > halfIdle {
		t.limit = halfIdle
	}
	t.mu.Unlock()
	t.touch()
}

// copy copies one way until it ends.
func (t *Tunnel) copy(from, to Side, count *atomic.Int64, who End) {
	defer t.recovered()
	r := newReader(from)
	defer r.give()
	for {
		b, err := r.read()
		if len(b) > 0 {
			t.touch()
			n, failed := to.Write(b)
			count.Add(int64(n))
			if failed != nil {
				t.fail(Client+Target-who, failed)
				return
			}
		}
		switch {
		case err == io.EOF:
			if t.note(who, nil); t.ways.Add(-1) == 0 {
				return // both sides are closed now
			}
			t.halfClosed()
			half, ok := to.(interface{ CloseWrite() error })
			if !ok || half.CloseWrite() != nil {
				t.mu.Lock()
				t.over = true
				t.mu.Unlock()
				to.Close() // what was written still arrives
				from.Close()
			}
			return
		case err != nil:
			t.fail(who, err)
			return
		}
	}
}

// recovered is deferred: when one way panics the other must not go on alone.
func (t *Tunnel) recovered() {
	if v := recover(); v != nil {
		t.fail(Gateway, fmt.Errorf("panic: %v", v))
	}
}

// Reset closes a side so that its peer does not take what it got for all.
func Reset(s Side) {
	if conn, ok := s.(net.Conn); ok {
		if tcp := netio.TCP(conn); tcp != nil {
			// A socket that is closed already needs neither.
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
	switch s := s.(type) {
	case interface{ SetLinger(int) error }:
		_ = s.SetLinger(0) // as above
	case interface{ Abort() }:
		s.Abort()
	}
	s.Close()
}

const (
	largeBuffer = 32 << 10
	smallBuffer = 1 << 10
)

var buffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// A reader reads from one side into a buffer that it holds only while bytes come.
type reader struct {
	next  func() (int, error)
	large *[largeBuffer]byte // nil: none is held
	small []byte             // of a side that cannot be waited for
	busy  bool               // small was filled
}

func newReader(s Side) *reader {
	r := &reader{}
	conn, ok := s.(net.Conn)
	if ok && netio.Raw(conn) != nil {
		r.next = netio.Reader(conn, r.take, r.give)
		return r
	}
	if w, ok := s.(interface{ WaitRead() }); ok {
		r.next = func() (int, error) {
			r.give()
			w.WaitRead()
			return s.Read(r.take())
		}
		return r
	}
	r.small = make([]byte, smallBuffer)
	r.next = func() (int, error) {
		n, err := s.Read(r.take())
		r.busy = n >= smallBuffer
		return n, err
	}
	return r
}

// read returns the bytes that came; they are valid until the next call.
func (r *reader) read() ([]byte, error) {
	if r.small != nil && !r.busy {
		r.give()
	}
	n, err := r.next()
	if r.large != nil {
		return r.large[:n], err
	}
	return r.small[:n], err
}

func (r *reader) take() []byte {
	if r.small != nil && !r.busy {
		return r.small
	}
	if r.large == nil {
		r.large = buffers.Get().(*[largeBuffer]byte)
	}
	return r.large[:]
}

func (r *reader) give() {
	if r.large != nil {
		buffers.Put(r.large)
		r.large = nil
	}
}
