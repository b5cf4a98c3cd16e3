package netio_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A glanced is read through a Glance.
type glanced struct {
	net.Conn
	glance *netio.Glance
}

func (c *glanced) Read(b []byte) (int, error) { return c.glance.Read(c.Conn, b) }

// A silencer is no socket, and says whether bytes have come.
type silencer struct {
	net.Conn
	silent bool
}

func (c *silencer) Silent() bool { return c.silent }

// An idle connection stays as it is however often it is looked at, what TLS itself sends
// after the handshake included. Whatever else comes, or ends it, is told.
func TestGlance_Socket_TellsWhatHasCome(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(near, far net.Conn, server *tls.Conn)
		want    error // nil: any but ErrReady
	}{
		"bytes":              {func(_, _ net.Conn, server *tls.Conn) { server.Write([]byte("x")) }, netio.ErrReady},
		"a part of a record": {func(_, far net.Conn, _ *tls.Conn) { far.Write([]byte{23, 3, 3}) }, netio.ErrReady},
		"the end":            {func(_, _ net.Conn, server *tls.Conn) { server.Close() }, io.EOF},
		"the end, unsaid":    {func(_, far net.Conn, _ *tls.Conn) { far.Close() }, io.EOF},
		"a reset":            {func(_, far net.Conn, _ *tls.Conn) { far.(*net.TCPConn).SetLinger(0); far.Close() }, nil},
		"closed here":        {func(near, _ net.Conn, _ *tls.Conn) { near.Close() }, nil},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+", "+tls.VersionName(version), func(t *testing.T) {
				near, far := pairOf(t)
				g := netio.NewGlance(near)
				client, server := secured(t, &glanced{near, g}, far, version)
				for range 3 {
					for range 3 {
						if err := g.Look(client); err != nil {
							t.Fatalf("idle: %v", err)
						}
					}
					go server.Write([]byte("between"))
					if _, err := io.ReadFull(client, make([]byte, len("between"))); err != nil {
						t.Fatal(err)
					}
				}
				c.happens(near, far, server)
				var err error
				for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); { // until it has come
					err = g.Look(client)
				}
				if c.want != nil && err != c.want || err == nil || c.want == nil && errors.Is(err, netio.ErrReady) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		}
	}
}

// What is no socket says itself whether anything has come, and TLS goes on after it.
func TestGlance_Silencer_IsAsked(t *testing.T) {
	near, far := pairOf(t)
	below := &silencer{Conn: near, silent: true}
	g := netio.NewGlance(below)
	client, server := secured(t, &glanced{below, g}, far, tls.VersionTLS13)
	for range 3 {
		if err := g.Look(client); err != nil {
			t.Fatalf("silent: %v", err)
		}
		go server.Write([]byte("x"))
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	below.silent = false
	if err := g.Look(client); err != netio.ErrReady {
		t.Errorf("got %v, want %v", err, netio.ErrReady)
	}
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	if netio.NewGlance(pipe) != nil {
		t.Error("what can neither be looked at nor asked has a Glance")
	}
}
