package amqpstream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/upstream"
)

// A recordedConn keeps what was read, for whoever reads it.
type recordedConn struct {
	net.Conn
	read []byte
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read = append(c.read, p[:n]...)
	return n, err
}

// An openConn is not closed by whoever serves it.
type openConn struct{ net.Conn }

func (openConn) Close() error { return nil }

// endsWithAlert reports whether the last record of TLS is an alert. In TLS 1.3 all types
// look alike, but no frame of AMQP is as short: 2 bytes, a type, and a tag of 16.
func endsWithAlert(b []byte, version uint16) bool {
	alert := false
	for len(b) >= 5 {
		kind, size := b[0], int(b[3])<<8|int(b[4])
		if alert = kind == 21; version == tls.VersionTLS13 {
			alert = kind == 23 && size == 19
		}
		b = b[min(len(b), 5+size):]
	}
	return alert
}

// However a connection to a broker ends, TLS says so (RFC 8446, section 6.1): a broker
// that is cut off instead takes what came last for cut short, and logs that.
func TestTLS_EveryEnd_SaysCloseNotify(t *testing.T) {
	pair, ca := signed(t, "broker.test")
	refuse := func(brokertest.Method, []byte) (uint16, string) { return 404, "NOT_FOUND - no" }
	silent := func(c net.Conn) { io.Copy(io.Discard, c) }
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, tt := range map[string]struct {
			broker func(net.Conn)
			fails  bool
			end    func(c *amqpstream.Consumer)
		}{
			"closed": {new(brokertest.Broker).Talk, false, func(c *amqpstream.Consumer) { c.Close() }},
			"closed by the broker": {(&brokertest.Broker{Serve: func(c *brokertest.Conn) {
				c.Method(0, brokertest.Close, brokertest.CloseArgs(320, "CONNECTION_FORCED - bye"))
			}}).Talk, false, func(c *amqpstream.Consumer) { <-c.Ended(); c.Close() }},
			"refused":        {(&brokertest.Broker{Refuse: refuse}).Talk, true, nil},
			"no mechanism":   {(&brokertest.Broker{Mechanisms: "GSSAPI"}).Talk, true, nil},
			"another speech": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); silent(c) }, true, nil},
		} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				raw, err := ln.Accept()
				if err != nil {
					ended <- err
					return
				}
				defer raw.Close()
				recorded := &recordedConn{Conn: raw}
				c := tls.Server(recorded, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version})
				tt.broker(openConn{c})
				io.Copy(io.Discard, c) // to the end, whatever it is
				if !endsWithAlert(recorded.read, version) {
					err = errors.New("cut off")
				}
				ended <- err
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn, err = amqpstream.Handshake(ctx, conn, upstream.TLS{CA: []byte(ca)}, nil, "broker.test")
			if err != nil {
				t.Fatal(err)
			}
			c, err := amqpstream.Consume(ctx, conn, own(), limits)
			if (err != nil) != tt.fails {
				t.Fatalf("%s: %v", name, err)
			}
			if c != nil {
				tt.end(c)
			}
			if err := <-ended; err != nil {
				t.Errorf("%s, %s: %v", name, tls.VersionName(version), err)
			}
			cancel()
			ln.Close()
		}
	}
}
