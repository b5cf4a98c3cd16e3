package farwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// OpenOptions say what [Gateway.Open] connects to, and through which exit.
type OpenOptions struct {
	Addr string // host:port, the host a name or an address

	// Principal is whose session it is, with the limits and rules that hold for it.
	// The zero value stands for the caller that the context names (WithPrincipal).
	Principal Principal

	Countries []string      // one of these countries; empty: any
	Agents    []string      // one of these slugs; empty: any
	Session   string        // a sticky session (agent.Query.Session); empty: none
	Timeout   time.Duration // for the dial; zero: 20 seconds
}

// Open connects to a target through an exit, as a session of the host's own: it is
// of [KindTunnel], counts for the limits of its principal, is held to its rules and to
// Options.Allow, is listed by [Gateway.Sessions], and has one line in the log. It
// lasts until the connection is closed, which is the caller's affair. A drain lets it
// go on until the context of [Gateway.Shutdown] ends; then, and when it is ended by
// [Gateway.EndSession], the connection is closed and its methods return the reason.
//
// The context bounds the dial and not the connection. Open fits a
// [net/http.Transport], so that a program of its own fetches through an exit:
//
//	http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
//		return gw.Open(ctx, farwire.OpenOptions{Addr: addr, Principal: alice, Countries: []string{"DE"}})
//	}}
//
// An error may wrap a [*Refusal] or an [*agent.DialError]. The connection is safe for
// concurrent use, and has CloseWrite where the exit's has.
func (g *Gateway) Open(ctx context.Context, o OpenOptions) (net.Conn, error) {
	s, err := g.enter(ctx, KindTunnel)
	if err != nil {
		g.refused(ctx, KindTunnel.String(), netip.Addr{}, err)
		return nil, fmt.Errorf("farwire: Open: %w", err)
	}
	c := &openConn{session: s, addr: o.Addr}
	if err := c.dial(ctx, o); err != nil {
		by := endedBy(err)
		if ctx.Err() != nil {
			by = "client"
		}
		c.end(by, err)
		return nil, fmt.Errorf("farwire: Open: %w", err)
	}
	s.reached(c.exit.ID, c.addr)
	s.carry(c)
	return c, nil
}

// An openConn is the target's connection, and carries its session.
type openConn struct {
	net.Conn // of the target; nil: not dialled yet
	session  *session
	exit     agent.Exit
	addr     string

	toTarget, toClient atomic.Int64

	mu    sync.Mutex
	ended bool
	cause error // what cut it, or how the target was lost; nil: nothing
}

func (c *openConn) dial(ctx context.Context, o OpenOptions) error {
	host, port, err := net.SplitHostPort(o.Addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" {
		return fault.Invalidf("the address %q must be host:port", fault.Clip(o.Addr))
	}
	if o.Session != "" && !agent.ValidSession(o.Session) {
		return fault.Invalidf("the session must be 1 to 64 letters, digits, dots, underscores and hyphens")
	}
	s := c.session
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(s.ctx, func() { stop(context.Cause(s.ctx)) })()
	timeout := o.Timeout
	if timeout == 0 {
		timeout = dialTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	seen := requestAuth{http: true}
	if p, ok := PrincipalFrom(ctx); ok {
		seen.named = &p
	}
	if o.Principal.Subject != "" {
		seen.named = &o.Principal
	}
	if seen.named == nil {
		return fault.New(fault.KeyMissing, "no principal: set OpenOptions.Principal, or name the caller with WithPrincipal")
	}
	if err := s.admit(ctx, seen); err != nil {
		return err
	}
	query := agent.Query{Subject: s.Subject, Host: host, Session: o.Session, Countries: o.Countries, Slugs: o.Agents}
	c.exit, err = s.g.reach(ctx, s, query, func(ctx context.Context, e agent.Exit) (err error) {
		c.Conn, err = e.DialContext(ctx, "tcp", o.Addr)
		return err
	})
	return err
}

// Read reads from the target.
func (c *openConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.toClient.Add(int64(n))
	return n, c.why(err)
}

// Write writes to the target.
func (c *openConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.toTarget.Add(int64(n))
	return n, c.why(err)
}

// CloseWrite ends the stream to the target, who may go on.
func (c *openConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return c.why(half.CloseWrite())
}

// Close ends the session.
func (c *openConn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	by := "client"
	if cause != nil {
		by = endedBy(cause)
	}
	c.end(by, cause)
	return err
}

// why returns the reason where the gateway has cut the connection, and notes when
// the target or the exit is lost.
func (c *openConn) why(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended && c.cause != nil:
		return fmt.Errorf("%w: %w", err, c.cause)
	case c.cause == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF):
		if c.cause = err; endedBy(err) == "gateway" { // a plain error of the connection
			c.cause = fault.Wrap(fault.TargetLost, "target lost", err)
		}
	}
	return err
}

// cut closes the connection and ends the session.
func (c *openConn) cut(cause error) {
	c.mu.Lock()
	if !c.ended {
		c.cause = cause
	}
	c.mu.Unlock()
	c.end("gateway", cause)
	c.Conn.Close()
}

func (c *openConn) end(by string, err error) {
	c.mu.Lock()
	ended := c.ended
	c.ended = true
	c.mu.Unlock()
	if ended {
		return
	}
	counts := c.Counters()
	c.session.end(SessionResult{Node: c.exit.ID, Target: c.addr, EndedBy: by, Err: err,
		BytesToTarget: counts.BytesToTarget, BytesToClient: counts.BytesToClient})
}

// Shutdown cuts the connection, unless the gateway drains: then it may go on for as
// long as the drain waits.
func (c *openConn) Shutdown(cause error) {
	if !errors.Is(cause, errDraining) {
		c.cut(cause)
	}
}

// Abort cuts it.
func (c *openConn) Abort() { c.cut(errDraining) }

// Counters returns the bytes so far.
func (c *openConn) Counters() Counters {
	return Counters{BytesToTarget: c.toTarget.Load(), BytesToClient: c.toClient.Load()}
}
