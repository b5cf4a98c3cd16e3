// Package wsframe carries the frames of a WebSocket session (RFC 6455) from
// one connection to another as they are.
//
// A [Scanner] reads frame headers in place, a [Hold] serves a client while its
// target is dialled, and a [Pipe] relays between the two. None of them decodes,
// unmasks or copies a message, with one exception: see [Config.DeflateClient].
//
// # The pipe
//
// Once both handshakes are done with the same extensions on either side, what
// the client sends is valid towards the target byte for byte, its masks
// included, and what the target sends is valid towards the client. So a pipe
// is two flows, one for each direction, and each flow has one owner, which reads
// one side and alone writes to the other: a goroutine, or, where both sides are
// plain sockets, a loop that owns the flows of many sessions. A goroutine whose
// source has been silent for a second ends, and another one goes on when there is
// something to do (netio.Pause).
//
//	         flow client→target: reads client, writes target
//	        ┌───────────────────────────────────────────────┐
//	client ─┤                                               ├─ target
//	        └───────────────────────────────────────────────┘
//	         flow target→client: reads target, writes client
//
// The owner reads the frame headers in what it read and writes the same bytes
// on. It holds back only what it can not check yet: an incomplete header, an
// incomplete close frame, and what may be the pong to a ping of ours. So no
// byte of a broken frame ever leaves, and a close frame leaves whole or not at
// all.
//
// Nobody else writes to a side. A goroutine that wants something of a flow (the other
// owner, the clock, Shutdown) leaves an order and wakes the owner with a read
// deadline in the past, which a loop takes for a call. An owner that is busy
// writing finds the order when it is done. An order to write a frame of ours waits until the bytes written
// end where a frame ends.
//
//	             relaying ── bytes cross
//	               │   │
//	close of ours  │   │  close of the source crossed,
//	was written,   │   │  or the source broke the format
//	or the other   │   │
//	side is gone    │   │
//	               ▼   │
//	        listening ─┼── nothing crosses; the source is read for its close
//	               │   │
//	its close came │   │
//	               ▼   ▼
//	              draining ── the source is read for its end alone, so that
//	               │          closing does not reset what we sent it
//	               ▼
//	              over ────── also from every state above, when the source
//	                          ends or the clock says that it is enough
//
// A side is finished when a close frame was written to it and one was read
// from it. Writing to it is then shut, and when both are finished the
// connections are closed. From the first close frame on the clock runs:
// CloseWait for what is missing, a second for the connections to end, and then
// both are cut.
package wsframe

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// Side names one party to a session.
type Side uint8

// The parties.
const (
	Gateway Side = iota
	Client
	Target
)

func (s Side) String() string { return [...]string{"gateway", "client", "target"}[s] }

// Cause is why a session ended.
type Cause uint8

// The causes.
const (
	CauseNone      Cause = iota // not ended
	CauseClose                  // a side sent its close frame
	CauseLoss                   // a connection ended or failed without one
	CauseStall                  // a side took no byte for Stall
	CauseKeepAlive              // the client left our ping unanswered for PongWait
	CauseProtocol               // a side broke the frame format
	CauseIdle                   // no data frame's byte from the target for Idle
	CauseShutdown               // Shutdown
	CauseAbort                  // Abort, with no Shutdown before
	CausePanic                  // a defect of this package or of a connection
)

func (c Cause) String() string {
	return [...]string{"none", "close", "loss", "stall", "keepalive", "protocol", "idle", "shutdown", "abort", "panic"}[c]
}

// What ended a session when no connection's own error says it.
var (
	ErrStalled   = errors.New("accepted no byte before the stall timeout")
	ErrNoPong    = errors.New("ping unanswered")
	ErrNoAnswer  = errors.New("close frame unanswered")
	ErrNoClose   = errors.New("connection ended without a close frame")
	errTruncated = errors.New("connection ended inside a frame")
	errIdle      = errors.New("idle timeout")
	errAborted   = errors.New("cut")
)

// Config is what New needs. The Pipe owns both connections and closes them. It
// relies on their deadlines, clears those that are set, and after a few seconds has
// the kernel probe a silent peer where a connection is a TCP socket or TLS over one.
type Config struct {
	Client, Target         net.Conn
	FromClient, FromTarget []byte // what was read of each already; it crosses first

	// Loops run sessions whose connections are both sockets, where the system can
	// do that. Nil: two goroutines run each, while something happens.
	Loops *netio.Loops

	Idle      time.Duration // without a data frame's byte from the target; 0: no limit
	Stall     time.Duration // without a byte taken by a side while bytes wait for it; 0: 30 s
	KeepAlive time.Duration // of silence towards the client until a ping of ours; 0: 25 s, negative: never
	PongWait  time.Duration // for the answer to that ping; 0: 20 s
	CloseWait time.Duration // for the answer to a close frame; 0: 5 s

	// DeflateClient and DeflateTarget say where permessage-deflate was agreed on
	// (RFC 7692): RSV1 is then legal on the first frame of a data message.
	// Frames cross as they are. Where it was agreed on with the client alone, it
	// was without context takeover for its messages: those that are compressed
	// are inflated for the target, and may be cut into other frames.
	DeflateClient, DeflateTarget bool

	// Lost is asked for the close frame that the other side gets when lost ends
	// the session, by CauseLoss, CauseStall or CauseKeepAlive. Nil: 1001 when the
	// client was lost, else 1013 (try again later), without a reason.
	Lost func(lost Side, cause Cause, err error) (code int, reason string)
	// OnPanic is told of a recovered panic. Nil: slog.Default logs it.
	OnPanic func(value any, stack []byte)
}

// Count is what crossed in one direction: whole or begun frames, and the bytes
// of their payloads. Our own frames and what was swallowed are not in it.
type Count struct{ Frames, Bytes uint64 }

// Result is how a session ended.
type Result struct {
	By    Side // who ended it; for a loss or a breach, the side at fault
	Cause Cause
	// Code and ReasonLen are of the close frame that began the end: the one
	// that crossed (CloseNoStatus when it was empty), for a loss the one the
	// other side got (CloseAbnormal when it could get none), else the one that
	// the side at fault, or the client, was sent.
	Code      int
	ReasonLen int
	Err       error // nil after a close frame of either side

	FromClient, FromTarget Count
}

const (
	defaultStall     = 30 * time.Second
	defaultKeepAlive = 25 * time.Second
	defaultPongWait  = 20 * time.Second
	defaultCloseWait = 5 * time.Second

	// linger is how long a finished connection may take to end by itself.
	linger = time.Second
)

// Pipe relays one session. New makes it; it is not reusable.
type Pipe struct {
	cfg   settings
	loops *netio.Loops
	start time.Time
	ping  pinger

	toTarget, toClient flow
	inflate            *inflater // of toTarget; nil: it needs none
	done               func(Result)
	running            atomic.Int32 // goroutines that own flows
	begun, finished    bool         // in a loop

	sides  [3]progress // by Side; mu guards this and what is below
	mu     sync.Mutex  // never held while writing
	result *Result     // nil: it has not begun to end
	clock  clock

	joined [2]netio.LoopConn // client and target, where a loop has the session
}

// settings is what stays of a Config.
type settings struct {
	Idle, Stall, KeepAlive, PongWait, CloseWait time.Duration

	quiet time.Duration // what quiet is, but for tests

	Lost    func(lost Side, cause Cause, err error) (code int, reason string)
	OnPanic func(value any, stack []byte)
}

// New makes a Pipe and starts nothing.
func New(cfg Config) *Pipe {
	p := &Pipe{start: time.Now(), loops: cfg.Loops, cfg: settings{
		Idle:      min(cfg.Idle, forever),
		Stall:     orDefault(cfg.Stall, defaultStall),
		KeepAlive: orDefault(cfg.KeepAlive, defaultKeepAlive),
		PongWait:  orDefault(cfg.PongWait, defaultPongWait),
		CloseWait: orDefault(cfg.CloseWait, defaultCloseWait),
		Lost:      cfg.Lost, OnPanic: cfg.OnPanic,
		quiet: quiet,
	}}
	p.toTarget.init(p, Client, cfg.Client, cfg.Target, &p.toClient)
	p.toClient.init(p, Target, cfg.Target, cfg.Client, &p.toTarget)
	p.toTarget.held, p.toClient.held = cfg.FromClient, cfg.FromTarget
	p.toTarget.scan = NewScanner(Client, cfg.DeflateClient)
	p.toClient.scan = NewScanner(Target, cfg.DeflateTarget)
	if cfg.DeflateClient && !cfg.DeflateTarget {
		p.inflate = &inflater{f: &p.toTarget}
	}
	return p
}

// forever is longer than any session, and short enough to be added to.
const forever = 100 * 365 * 24 * time.Hour

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return min(d, forever)
}

// Run relays until the session is over and both connections are closed, then
// says how it ended. It is called once, and instead of Start.
func (p *Pipe) Run() Result {
	done := make(chan Result, 1)
	p.Start(func(r Result) { done <- r })
	return <-done
}

// Start relays, in two goroutines or in a loop, and returns. A goroutine calls
// done when the session is over and both connections are closed. It is called
// once, and instead of Run.
func (p *Pipe) Start(done func(Result)) {
	// What needs a deep stack is done here: the two goroutines then live on the
	// small one that they begin with.
	for _, conn := range []net.Conn{p.conn(Client), p.conn(Target)} {
		conn.SetDeadline(time.Time{}) // fails only when it is closed: then reading fails too
	}
	p.startClock()

	p.done = done
	if p.startInLoop(p.loops) {
		return
	}
	p.running.Store(2)
	p.mu.Lock() // the clock runs already
	p.toTarget.startWaiting()
	p.toClient.startWaiting()
	p.alarm(p.now() + int64(p.cfg.quiet))
	p.mu.Unlock()
	go p.toTarget.own()
	go p.toClient.own()
}

// own is the goroutine of one direction.
func (f *flow) own() {
	if !f.run() && f.p.running.Add(-1) == 0 {
		f.p.finish()
	}
}

// finish closes what is left and reports.
func (p *Pipe) finish() {
	defer p.recoverPanic()
	p.stopClock()
	p.conn(Client).Close()
	p.conn(Target).Close()
	p.mu.Lock()
	p.result.FromClient, p.result.FromTarget = p.Counts()
	r := *p.result
	p.mu.Unlock()
	p.done(r)
}

// Counts returns what has crossed from each side so far. It is safe to call
// at any time.
func (p *Pipe) Counts() (fromClient, fromTarget Count) {
	return p.toTarget.count(), p.toClient.count()
}

// Shutdown ends the session with a close frame to each side as soon as a frame
// ends towards it; relaying goes on until then. The client gets the code, the
// target 1001 with the same reason. It returns at once, does nothing to a session
// that is ending already, and is safe for concurrent use. A frame may take any time to
// end: that is what Abort is for.
func (p *Pipe) Shutdown(code int, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shutdownLocked(code, reason)
}

// End is Shutdown for a session that nobody will Abort: a side that is inside a frame
// has CloseWait to finish it.
func (p *Pipe) End(code int, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shutdownLocked(code, reason)
	if p.clock.deadline == 0 {
		p.setDeadlineLocked(p.cfg.CloseWait)
	}
}

func (p *Pipe) shutdownLocked(code int, reason string) {
	if p.endLocked(Result{By: Gateway, Cause: CauseShutdown, Code: code, ReasonLen: len(reason), Err: errors.New(reason)}) {
		p.toTarget.orderCloseLocked(CloseGoingAway, reason)
		p.toClient.orderCloseLocked(code, reason)
	}
}

// Abort cuts both connections now, without a close frame. It returns at once
// and is safe for concurrent use.
func (p *Pipe) Abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(Result{By: Gateway, Cause: CauseAbort, Code: CloseAbnormal, Err: errAborted})
	p.cutLocked()
}

// now is the session's time, in nanoseconds since New. It is never 0, which
// stands for no time at all.
func (p *Pipe) now() int64 { return int64(time.Since(p.start)) + 1 }

// recoverPanic turns a panic of a session's goroutine into the end of the session.
func (p *Pipe) recoverPanic() {
	if v := recover(); v != nil {
		p.panicked(v)
	}
}

// panicked ends the session for a defect.
func (p *Pipe) panicked(v any) {
	p.mu.Lock()
	p.endLocked(Result{By: Gateway, Cause: CausePanic, Code: CloseAbnormal, Err: fmt.Errorf("panic: %v", v)})
	p.cutLocked()
	p.mu.Unlock()
	if p.cfg.OnPanic != nil {
		p.cfg.OnPanic(v, debug.Stack())
		return
	}
	slog.Error("panic in a relay session", "err", v, "stack", string(debug.Stack()))
}
