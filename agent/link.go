package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/safetext"
)

// A link is the gateway's side of one tunnel, to an agent or to another gateway that
// holds agents.
type link struct {
	pool *Pool
	log  *slog.Logger
	mux  *yamux.Session
	ctl  *yamux.Stream
	turn chan struct{} // holds a token while a control message is sent

	// Who is at the other end.
	exit       Exit // name, slug and country only
	number     uint64
	instance   string
	software   string
	who        identity
	exitIP     netip.Addr
	peer       string // the gateway that this leads to; empty: it leads to an agent
	knowsRules bool   // the other end enforces the rules of a dial

	since time.Time // when it was put into use
	moved time.Time // when the agent was asked to link elsewhere; guarded by Pool.mu

	// What goes through it.
	asked    atomic.Uint64 // requests ever
	sessions atomic.Int64  // connections, and dials under way
	opening  atomic.Int64  // streams that wait to be opened
	heard    atomic.Uint64 // how often something has arrived
	held     atomic.Int64  // what has arrived and was not read yet costs so many bytes
	quiet    chan struct{} // told when no stream is open any more
	mu       sync.Mutex
	conns    map[uint32]*conn

	// For how long nothing has gone through it.
	made     time.Time    // with the clock that nobody sets
	used     atomic.Int64 // how long after made the last stream ended; zero: none has
	unwanted atomic.Bool  // it was idle for long, and another link is made

	// How it ends.
	draining  atomic.Bool
	onDrain   context.Context // ends with drain, for those who want to be told
	drained   context.CancelFunc
	going     atomic.Bool            // the agent has said that it stops, or cuts what is left
	byeReason atomic.Pointer[string] // what the agent was told; nil: nothing
	gone      atomic.Bool            // the carrier is closed
}

func (p *Pool) newLink() *link {
	l := &link{pool: p, log: p.log, conns: map[uint32]*conn{}, quiet: make(chan struct{}, 1), turn: make(chan struct{}, 1), made: time.Now()}
	l.onDrain, l.drained = context.WithCancel(context.Background())
	return l
}

// attach takes a connection that an agent has upgraded through hello and
// welcome, and serves the link until it ends. It closes the connection.
func (p *Pool) attach(nc net.Conn, who identity, from netip.Addr) error {
	defer nc.Close()
	stop := context.AfterFunc(p.ctx, func() { nc.Close() })
	defer stop()
	nc.SetDeadline(time.Now().Add(handshakeTimeout))
	var h hello
	// One of another version may mean something else by its other names.
	if err := readMessage(nc, &h, maxHello); err != nil && (!errors.Is(err, errMalformed) || h.Version == wireVersion) {
		return fmt.Errorf("reading the agent's hello: %w", err)
	}
	l, w := p.answerHello(h, who)
	if err := writeMessage(nc, w, maxWelcome); err != nil {
		return fmt.Errorf("answering the agent's hello: %w", err)
	}
	if l == nil && w.Code == codeDuplicate {
		return fmt.Errorf("%w: agent %q", errDuplicate, h.Slug)
	}
	if l == nil {
		return fmt.Errorf("agent %q refused: %s", h.Slug, w.Refused)
	}
	nc.SetDeadline(time.Time{})
	if isPublic(from) {
		l.exitIP = from
	}

	var err error
	if l.mux, err = gatewayMux(&frameReader{Conn: netio.Socket(nc), to: l}, 1); err != nil {
		return err
	}
	defer l.mux.Close()
	timer := time.AfterFunc(handshakeTimeout, func() { l.mux.Close() })
	l.ctl, err = l.mux.AcceptStream()
	if !timer.Stop() && err == nil {
		err = yamux.ErrTimeout
	}
	if err != nil {
		return fmt.Errorf("waiting for the agent's control stream: %w", err)
	}

	if err := p.register(l); err != nil {
		l.leave() // which has the agent hear why
		return err
	}
	defer p.unregister(l)
	l.log = p.log.With("agent", l.exit.ID, "link", l.number, "remote", from)
	exitIP := ""
	if l.exitIP.IsValid() {
		exitIP = l.exitIP.String()
	}
	l.log.Info("agent attached", "slug", l.exit.Slug, "country", l.exit.Country, "version", l.software, "exit_ip", exitIP)
	reason := l.control()
	l.log.Info("agent detached", "reason", reason, "sessions", l.sessions.Load())
	return nil
}

// errDuplicate is of an agent that probes the addresses that it knows.
var errDuplicate = errors.New("the agent is linked to this gateway already")

// answerHello judges a hello: the link that may come to stand, or nil, and the
// answer to send.
func (p *Pool) answerHello(h hello, who identity) (*link, welcome) {
	refuse := func(code, format string, args ...any) (*link, welcome) {
		return nil, welcome{Version: wireVersion, Gateway: p.id, Code: code, Refused: fmt.Sprintf(format, args...)}
	}
	if h.Version != wireVersion {
		return refuse(codeVersion, "this gateway speaks version %d of the agent protocol and the agent version %d: upgrade the older one",
			wireVersion, h.Version)
	}
	if h.Instance == "" || len(h.Instance) > 64 {
		return refuse(codeIdentity, "the hello names no instance")
	}
	e := Exit{Slug: h.Slug, Country: h.Country}
	if who.record != nil {
		e.Slug, e.Country = who.record.Slug, who.record.Country
	}
	p.mu.Lock()
	reason := p.refuses(who, e.Slug)
	p.mu.Unlock()
	if reason != "" {
		return refuse(codeIdentity, "%s", reason)
	}
	if err := e.checkName(); err != nil {
		return refuse(codeIdentity, "%v", err)
	}
	for _, g := range h.Links {
		if g == p.id {
			return refuse(codeDuplicate, "this agent is linked to this gateway already")
		}
	}
	if h.Yield && p.servedByAnother(e.Slug, h.Instance) {
		return refuse(codeReplaced, "another agent serves the exclusive slug %s", e.Slug)
	}
	if p.isDraining() {
		return refuse(codeShutdown, "gateway is shutting down")
	}
	l := p.newLink()
	l.exit, l.number, l.who = e, p.linked.Add(1), who
	l.instance, l.software = h.Instance, safetext.ASCII(h.Software, 64)
	l.knowsRules = slices.Contains(h.Knows, knowsRules)
	return l, welcome{Version: wireVersion, Gateway: p.id, Link: l.number, ID: e.ID, Slug: e.Slug, Country: e.Country, Peers: p.peers, Cluster: p.clustered()}
}

// control reads what the agent says beside its sessions until the link ends,
// and returns why it did.
func (l *link) control() string {
	for {
		var m control
		if err := readMessage(l.ctl, &m, maxControl); err != nil {
			if told := l.byeReason.Load(); told != nil {
				return *told // how the link ends then says nothing
			}
			return err.Error()
		}
		switch m.Type {
		case ctlDrain:
			if m.Code == "" {
				l.going.Store(true)
			} else {
				l.log.Debug("agent drains this link and keeps another", "reason", safetext.ASCII(m.Code, 64), "sessions", l.sessions.Load())
			}
			if !l.drain() {
				continue
			}
			if l.peer != "" {
				l.log.Debug("gateway takes no more sessions", "sessions", l.sessions.Load())
				continue
			}
			l.log.Info("agent takes no more sessions", "sessions", l.sessions.Load())
			l.pool.clusterChanged()
		case ctlLeave:
			return "agent has stopped"
		case ctlLeaving:
			if c := l.conn(m.Stream); c != nil {
				c.leaving()
			}
		case ctlLost:
			if c := l.conn(m.Stream); c != nil {
				c.targetLost(l.lostBecause(m.Cause))
			}
			if err := l.sendControl(control{Type: ctlNoted, Stream: m.Stream}); err != nil {
				return err.Error()
			}
		}
	}
}

// conn is the connection of a stream; nil: it is closed.
func (l *link) conn(stream uint32) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns[stream]
}

// drain takes the link out of use and tells those who keep connections through it. It
// reports whether it was in use.
func (l *link) drain() bool {
	if l.draining.Swap(true) {
		return false
	}
	l.drained()
	return true
}

// lostBecause is the error of a connection whose target the other side says is
// lost. Of another gateway it may say so of the agent.
func (l *link) lostBecause(said string) error {
	switch c := cause(said); {
	case l.peer != "" && (c == causeLost || c == causeDraining):
		if l.draining.Load() {
			c = causeGatewayBye // it cuts what it carries, whatever it says
		}
		return &DialError{FaultAgent, c}
	case c == causeUnreachable:
		return causeUnreachable
	}
	return causeReset
}

// sendControl sends a control message. An agent that does not take it is lost.
func (l *link) sendControl(m control) error {
	return sendControlOn(l.turn, l.mux, l.ctl, m)
}

func sendControlOn(turn chan struct{}, mux *yamux.Session, ctl *yamux.Stream, m control) error {
	select { // not a mutex: who waits for a turn must notice the link's end
	case turn <- struct{}{}:
	case <-mux.CloseChan():
		return yamux.ErrSessionShutdown
	}
	defer func() { <-turn }()
	ctl.SetWriteDeadline(time.Now().Add(lostAfter))
	err := writeMessage(ctl, m, maxControl)
	if err != nil && !errors.Is(err, errTooLong) {
		mux.Close()
	}
	return err
}

// bye tells the agent why its link is about to end, and takes it out of use.
func (l *link) bye(code, reason string) {
	l.drain()
	l.byeReason.CompareAndSwap(nil, &reason)
	// An agent that cannot be told finds out when the link ends.
	_ = l.sendControl(control{Type: ctlBye, Code: code, Reason: reason})
}

func (l *link) abortStream(id uint32) {
	if !l.mux.IsClosed() {
		// When it cannot be said the link is closed, which says it.
		_ = l.sendControl(control{Type: ctlAbort, Stream: id})
	}
}

// forget takes a connection out of those of the link. It is called once.
func (l *link) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c.stream.StreamID())
	l.mu.Unlock()
	l.held.Add(int64(c.account.close()))
	l.ended()
}

func (l *link) ended() {
	l.used.Store(int64(time.Since(l.made))) // before the count says that none is left
	if l.sessions.Add(-1) == 0 {
		select {
		case l.quiet <- struct{}{}:
		default:
		}
	}
}

// leaveWhenIdle ends the link when there was no stream for a while.
func (l *link) leaveWhenIdle() {
	idle := l.pool.cluster.idle
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-l.mux.CloseChan():
			return
		}
		if left := idle - l.unused(); left > 0 {
			timer.Reset(left)
			continue
		}
		l.unwanted.Store(true)
		if l.unused() >= idle {
			l.draining.Store(true) // for good
			l.leave()
			return
		}
		l.unwanted.Store(false)
		timer.Reset(idle)
	}
}

// unused is for how long no stream was open.
func (l *link) unused() time.Duration {
	asked := l.asked.Load()
	used := time.Duration(l.used.Load())
	if l.sessions.Load() > 0 || l.asked.Load() != asked {
		return 0
	}
	return time.Since(l.made) - used
}

// hostOf is the host that the caller named, for texts that repeat it.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}
