package netio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"runtime/debug"
	"time"
)

// HostConn returns a connection that a host program's dialer has returned, as one whose
// methods return as an error what they panic with: they are called in goroutines of
// net/http, of TLS and of timers, whose panics nobody recovers. It can what agent's
// optional interfaces name, as far as conn can. No connection at all, a nil pointer
// included, is an error. Each error passes explain. Sockets, TLS on them and connections
// that have NeverPanics() are returned as they are.
func HostConn(conn net.Conn, explain func(error) error) (net.Conn, error) {
	if v := reflect.ValueOf(conn); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, explain(errors.New("DialContext returned neither a connection nor an error"))
	}
	c := &hostConn{conn, explain}
	switch conn := conn.(type) {
	case *net.TCPConn, wrapper, interface{ NeverPanics() }:
		return conn, nil
	case *tls.Conn:
		below, err := HostConn(conn.NetConn(), explain)
		if err != nil {
			return nil, err
		}
		switch below.(type) {
		case *hostConn, *waitingHostConn, *tlsHostConn:
			return &tlsHostConn{c, below}, nil
		}
		return conn, nil
	}
	if w, ok := conn.(interface{ WaitRead() }); ok {
		return &waitingHostConn{c, w.WaitRead}, nil
	}
	return c, nil
}

type hostConn struct {
	net.Conn
	explain func(error) error
}

// A tlsHostConn is TLS on a connection of the host's.
type tlsHostConn struct {
	*hostConn
	below net.Conn
}

// NetConn returns the connection below TLS, which closes without a close_notify.
func (c *tlsHostConn) NetConn() net.Conn { return c.below }

type waitingHostConn struct {
	*hostConn
	wait func()
}

// NeverPanics says that HostConn has nothing to add.
func (*hostConn) NeverPanics() {}

func (c *hostConn) recovered(err *error) {
	if v := recover(); v != nil {
		*err = c.explain(fmt.Errorf("panic of a %T: %v\n%s", c.Conn, v, debug.Stack()))
	}
}

func (c *hostConn) Read(b []byte) (n int, err error) {
	defer c.recovered(&err)
	return c.Conn.Read(b)
}

func (c *hostConn) Write(b []byte) (n int, err error) {
	defer c.recovered(&err)
	return c.Conn.Write(b)
}

// Close ends what waits for the connection, too, when the host's Close has panicked.
func (c *hostConn) Close() (err error) {
	returned := false
	defer func() {
		if !returned {
			err = errors.Join(err, c.SetDeadline(time.Unix(1, 0)))
		}
	}()
	defer c.recovered(&err)
	err = c.Conn.Close()
	returned = true
	return err
}

func (c *hostConn) SetDeadline(t time.Time) (err error) {
	defer c.recovered(&err)
	return c.Conn.SetDeadline(t)
}

func (c *hostConn) SetReadDeadline(t time.Time) (err error) {
	defer c.recovered(&err)
	return c.Conn.SetReadDeadline(t)
}

func (c *hostConn) SetWriteDeadline(t time.Time) (err error) {
	defer c.recovered(&err)
	return c.Conn.SetWriteDeadline(t)
}

func (c *hostConn) LocalAddr() (addr net.Addr)  { return c.addr(c.Conn.LocalAddr) }
func (c *hostConn) RemoteAddr() (addr net.Addr) { return c.addr(c.Conn.RemoteAddr) }

// addr is never nil, whose String would panic in the goroutines above.
func (c *hostConn) addr(ask func() net.Addr) (addr net.Addr) {
	defer func() {
		if recover() != nil || addr == nil {
			addr = &net.TCPAddr{}
		}
	}()
	return ask()
}

// socket returns the socket below, if there is one, as TCP finds it.
func (c *hostConn) socket() (tcp *net.TCPConn) {
	c.quietly(func() { tcp = TCP(c.Conn) })
	return tcp
}

// CloseWrite half-closes where the connection can.
func (c *hostConn) CloseWrite() (err error) {
	defer c.recovered(&err)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger has Close reset the connection where it can.
func (c *hostConn) SetLinger(seconds int) (err error) {
	defer c.recovered(&err)
	if r, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return r.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

// OnDrain has f called where the connection tells of a drain.
func (c *hostConn) OnDrain(f func()) (stop func()) {
	teller, ok := c.Conn.(interface{ OnDrain(func()) func() })
	if !ok {
		return func() {}
	}
	var theirs func()
	c.quietly(func() { theirs = teller.OnDrain(f) })
	return func() { c.quietly(theirs) }
}

// quietly calls f, of which nobody hears an error.
func (c *hostConn) quietly(f func()) {
	var err error
	defer c.recovered(&err) // of a nil function, too
	f()
}

// WaitRead returns at once after a panic: Read says what it was.
func (c *waitingHostConn) WaitRead() { c.quietly(c.wait) }
