package farwire_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// panickingConn is a connection of a host's own type, one method of which panics.
type panickingConn struct {
	net.Conn
	in string
}

func (c *panickingConn) enter(method string) {
	if c.in == method {
		panic(boom)
	}
}

func (c *panickingConn) Read(b []byte) (int, error)  { c.enter("Read"); return c.Conn.Read(b) }
func (c *panickingConn) Write(b []byte) (int, error) { c.enter("Write"); return c.Conn.Write(b) }
func (c *panickingConn) Close() error                { c.enter("Close"); return c.Conn.Close() }
func (c *panickingConn) LocalAddr() net.Addr         { c.enter("LocalAddr"); return c.Conn.LocalAddr() }
func (c *panickingConn) RemoteAddr() net.Addr        { c.enter("RemoteAddr"); return c.Conn.RemoteAddr() }
func (c *panickingConn) SetDeadline(t time.Time) error {
	c.enter("SetDeadline")
	return c.Conn.SetDeadline(t)
}
func (c *panickingConn) CloseWrite() error   { c.enter("CloseWrite"); return nil }
func (c *panickingConn) SetLinger(int) error { c.enter("SetLinger"); return nil }
func (c *panickingConn) WaitRead()           { c.enter("WaitRead") }

func (c *panickingConn) SetReadDeadline(t time.Time) error {
	c.enter("SetReadDeadline")
	return c.Conn.SetReadDeadline(t)
}

func (c *panickingConn) SetWriteDeadline(t time.Time) error {
	c.enter("SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}

func (c *panickingConn) OnDrain(func()) func() {
	c.enter("OnDrain")
	return func() { c.enter("stop of OnDrain") }
}

// hostsDial is a dialer of a host. Whoever is dialled closes after the first bytes.
func hostsDial(t *testing.T, wrap func(net.Conn) net.Conn) agent.Exit {
	return agent.Exit{ID: "own", Slug: "own", Country: "ZZ", DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close() }) // a Close that panics closes nothing
		go func() {
			far.Read(make([]byte, 64))
			far.Close()
		}()
		return wrap(near), nil
	}}
}

// A connection of a host's own may panic in any of its methods, and may not be there at
// all: each kind of session ends, in the pool too, and the process goes on.
func TestHost_ConnectionPanics_HandlersAnswerAndNoSessionStays(t *testing.T) {
	wraps := map[string]func(net.Conn) net.Conn{
		"no connection": func(c net.Conn) net.Conn { c.Close(); return nil },
		"a nil pointer": func(c net.Conn) net.Conn { c.Close(); return (*net.TCPConn)(nil) },
		"a nil pointer below TLS": func(c net.Conn) net.Conn {
			c.Close()
			return tls.Client((*net.TCPConn)(nil), &tls.Config{InsecureSkipVerify: true})
		},
		"a nil embedded": func(c net.Conn) net.Conn { c.Close(); return &struct{ net.Conn }{} },
	}
	for _, method := range []string{
		"Read", "Write", "Close", "SetDeadline", "SetReadDeadline", "SetWriteDeadline", "LocalAddr", "RemoteAddr",
		"CloseWrite", "SetLinger", "WaitRead", "OnDrain", "stop of OnDrain",
	} {
		wraps[method] = func(c net.Conn) net.Conn { return &panickingConn{c, method} }
		wraps[method+" below TLS"] = func(c net.Conn) net.Conn { return tls.Client(wraps[method](c), &tls.Config{InsecureSkipVerify: true}) }
	}
	for name, wrap := range wraps {
		for _, pooled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, pooled %t", name, pooled), func(t *testing.T) {
				w := newWorld(t, func(o *farwire.Options) {
					exit := hostsDial(t, wrap)
					o.Agents = exit
					if pooled {
						pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
						if err != nil {
							t.Fatal(err)
						}
						if err := pool.Add(exit); err != nil {
							t.Fatal(err)
						}
						o.Agents = pool
					}
				})
				w.answerAll()
				if err := w.gw.Shutdown(t.Context()); err != nil { // it waits for sessions
					t.Error(err)
				}
				for s := range w.gw.Sessions() {
					t.Errorf("a session stays: %+v", s)
				}
			})
		}
	}
}

// answerAll asks for a target in each kind of session, and wants an answer and its end.
func (w *world) answerAll() {
	w.t.Helper()
	surfaces := w.surfaces()
	const key = "X-API-Key: " + testKey + "\r\nHost: gw.test\r\n"
	const socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for _, request := range []string{
		"GET /to/-/http/a.test/ HTTP/1.1\r\nConnection: close\r\n" + key + "\r\n",
		"POST /to/-/http/a.test/ HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n" + key + "\r\nhi",
		"GET /to/-/https/a.test/ HTTP/1.1\r\nConnection: close\r\n" + key + "\r\n",
		"GET /to/-/ws/a.test/ HTTP/1.1\r\n" + socket + key + "\r\n",
		"GET /ws?url=wss://a.test/ HTTP/1.1\r\n" + socket + key + "\r\n",
		"POST /amqp HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 17\r\n" + key + "\r\n" + `{"host":"a.test"}`,
		"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nProxy-Authorization: Bearer " + testKey + "\r\n\r\nhello",
		"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nProxy-Authorization: Bearer " + testKey + "\r\n\r\n",
	} {
		conn, err := surfaces.dialIn()
		if err != nil {
			w.t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(testTimeout))
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
			w.t.Errorf("%.40q is answered with %q, %v", request, answer, err)
		}
	}
}
