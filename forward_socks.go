package farwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/socks"
)

// ServeSOCKS serves the forward proxy as SOCKS5 (RFC 1928) to those who connect to
// l, until l is closed, which is the caller's affair; it then returns nil. Any other
// error of l's is returned. A connection of l's that has a method KeyShown() has it
// called once its client has shown a valid key. Sessions that run go on: they are ended by
// [Gateway.Shutdown].
//
// User name and password (RFC 1929) are those of [Gateway.ForwardProxy]; a client
// without them is refused, and everybody is without Options.Auth. Only CONNECT is
// served. A target that is forbidden is answered with reply 2, one that cannot be
// reached or does not answer in time with 4, one that refuses with 5, another
// command with 7, and everything else with 1.
func (g *Gateway) ServeSOCKS(l net.Listener) error {
	var pause time.Duration
	for {
		conn, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			pause = 0
			g.acceptSOCKS(conn)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.As(err, &temporary) && temporary.Temporary(): // no descriptor is left
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		default:
			return fmt.Errorf("farwire: ServeSOCKS: %w", err)
		}
	}
}

// acceptSOCKS begins a session, of which a drain knows from its first byte on.
func (g *Gateway) acceptSOCKS(conn net.Conn) {
	s, err := g.enter(context.Background(), KindTunnel)
	if err != nil {
		g.refused(context.Background(), KindTunnel.String(), peerAddr(conn), err)
		conn.Close()
		return
	}
	netio.WatchPeer(conn, tunnelOwes)
	s.conn = conn
	t := &tunneled{g: g, s: s}
	go func() {
		defer func() {
			if v := recover(); v != nil { // in the host's own code
				g.o.Logger.Error("panic in a SOCKS session", "err", v, "stack", string(debug.Stack()))
				s.abandon(fmt.Errorf("panic: %v", v))
			}
		}()
		if err := t.socks(conn); err != nil {
			by := endedBy(err)
			if errors.Is(err, errClientGone) {
				by = "client"
			}
			cut := context.AfterFunc(g.kill, func() { conn.Close() })
			closeAfterLast(conn)
			cut()
			s.end(t.result(by, 0, err))
			return
		}
		t.finish(t.carry(conn, nil).Run(), 0)
	}()
}

// socks speaks with the client as far as the answer to its request.
func (t *tunneled) socks(conn net.Conn) error {
	life := t.s.ctx
	ctx, cancel := context.WithTimeoutCause(life, askTimeout, errTimeout)
	defer cancel()
	late := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer late()
	c, err := socks.ReadCredentials(conn)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	seen := requestAuth{key: c.Password, remote: peerAddr(conn), http: true}
	if counted, ok := conn.(interface{ KeyShown() }); ok {
		seen.shown = counted.KeyShown
	}
	denied := t.s.admit(ctx, seen)
	unknown := fault.Is(denied, fault.KeyMissing) || fault.Is(denied, fault.KeyInvalid)
	if err := socks.Accept(conn, !unknown); err != nil {
		return errors.Join(denied, fmt.Errorf("%w: %w", errClientGone, err))
	}
	if unknown {
		return denied
	}
	request, err := socks.ReadRequest(conn)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	if !late() {
		return fmt.Errorf("%w: %w", errClientGone, context.Cause(ctx))
	}
	if err = denied; err == nil {
		err = t.dial(life, c.User, net.JoinHostPort(request.Host, strconv.Itoa(int(request.Port))))
	}
	if err != nil {
		conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		return errors.Join(err, socks.Answer(conn, socksReply(err)))
	}
	conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	if err := socks.Answer(conn, socks.Succeeded); err != nil {
		t.target.Close()
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.target.Close()
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// socksReply is what SOCKS has for an error.
func socksReply(err error) socks.Reply {
	switch class := public(err).Class; {
	case class == fault.TargetForbidden:
		return socks.Forbidden
	case class == fault.TargetUnreachable && errors.Is(err, syscall.ECONNREFUSED):
		return socks.Refused
	case class == fault.TargetUnreachable, class == fault.TargetTimeout:
		return socks.HostUnreachable
	}
	return socks.Failed
}

// peerAddr is the address of a connection's far end; the zero Addr when unknown.
func peerAddr(conn net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
