package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/preauth"
)

// Over TLS the handshake and the head of a request have the time of the server's each, however
// far a client has come with them, and a request after a slow handshake is served.
func TestServer_SlowClientsOverTLS_HaveTheirTime(t *testing.T) {
	cert := harness.NewCertificate(t)
	server := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	server.ReadHeaderTimeout = time.Second
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert.TLS}}
	guard := preauth.New(preauth.Options{})
	guardServer(server, guard)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	begin(server, guard, ln, failed)
	t.Cleanup(func() { server.Close(); <-failed })

	dial := func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	secure := func(protocol string) net.Conn {
		config := cert.Client()
		config.ServerName, config.NextProtos = "localhost", []string{protocol}
		c := tls.Client(dial(), config)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, begun := range map[string]func() net.Conn{
		"nothing":            dial,
		"half a record":      func() net.Conn { c := dial(); io.WriteString(c, "\x16\x03\x01\x02\x00\x01"); return c },
		"a handshake":        func() net.Conn { return secure("http/1.1") },
		"a handshake, h2":    func() net.Conn { return secure("h2") },
		"half a head":        func() net.Conn { c := secure("http/1.1"); io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"); return c },
		"half a head's line": func() net.Conn { c := secure("http/1.1"); io.WriteString(c, "GET /"); return c },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := io.Copy(io.Discard, begun()); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is not closed")
			}
		})
	}
}
