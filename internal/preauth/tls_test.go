package preauth_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

// A lockedBuffer is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// listenTLS listens for handshakes.
func listenTLS(t *testing.T, timeout time.Duration, change func(*tls.Config)) (*preauth.Guard, net.Listener, *lockedBuffer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	of := httptest.NewUnstartedServer(nil)
	of.StartTLS()
	of.Close()
	config := &tls.Config{Certificates: of.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	change(config)
	g, said := preauth.New(preauth.Options{}), new(lockedBuffer)
	secure := g.ListenTLS(ln, config, timeout, log.New(said, "", 0))
	t.Cleanup(func() { secure.Close() })
	return g, secure, said
}

// Connections that shake hands do not wait for each other, are what net/http wants, and are
// TLS alone for who takes them over.
func TestListenTLS_Handshakes_AreAcceptedWhenTheyEnd(t *testing.T) {
	g, ln, _ := listenTLS(t, testTimeout, func(*tls.Config) {})
	silent, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, protocol := range []string{"h2", "http/1.1", ""} {
		config := &tls.Config{InsecureSkipVerify: true}
		if protocol != "" {
			config.NextProtos = []string{protocol}
		}
		client, err := tls.Dial("tcp", ln.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, isTLS := conn.(*tls.Conn)
		if state := conn.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState(); isTLS != (protocol == "h2") || state.NegotiatedProtocol != protocol || !state.HandshakeComplete {
			t.Errorf("%q: a %T of %q", protocol, conn, state.NegotiatedProtocol)
		}
		if !isTLS {
			w := hijackable{httptest.NewRecorder(), conn}
			if taken, _, err := upgrade.Take(w); err != nil {
				t.Error(err)
			} else if _, ok := taken.(*tls.Conn); !ok {
				t.Errorf("a %T is taken over", taken)
			}
		}
		if shown, ok := conn.(interface{ NetConn() net.Conn }); !ok || shown.NetConn() == nil {
			t.Errorf("%q: the socket is not reached", protocol)
		}
	}
	if n := g.Len(); n != 4 {
		t.Errorf("%d connections count, want 4", n)
	}
}

// What is no handshake ends, with a word to a client that speaks HTTP, and harms no other.
func TestListenTLS_FailedHandshakes_End(t *testing.T) {
	panics := false
	var mu sync.Mutex
	g, ln, said := listenTLS(t, 200*time.Millisecond, func(c *tls.Config) {
		all := c.Certificates
		c.Certificates, c.GetCertificate = nil, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			if panics {
				panic("for the test")
			}
			return &all[0], nil
		}
	})
	for sent, want := range map[string]string{
		"": "", "rubbish of no protocol": "", "GET / HTTP/1.1\r\nHost: a\r\n\r\n": "HTTP/1.0 400 Bad Request\r\n",
	} {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(testTimeout))
		io.WriteString(c, sent)
		got, err := io.ReadAll(c)
		if errors.Is(err, net.ErrClosed) || !strings.HasPrefix(string(got), want) || (want == "") != (len(got) == 0) {
			t.Errorf("%q is answered %q, %v", sent, got, err)
		}
		c.Close()
	}
	mu.Lock()
	panics = true
	mu.Unlock()
	if c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}); err == nil {
		c.Close()
		t.Error("a handshake that panics succeeds")
	}
	mu.Lock()
	panics = false
	mu.Unlock()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n := g.Len(); n != 1 {
		t.Errorf("%d connections count, want the one that is left", n)
	}
	for _, want := range []string{"TLS handshake error from 127.0.0.1:", "client sent an HTTP request to an HTTPS server", "panic serving 127.0.0.1:"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, said)
		}
	}
}

// Close ends what shakes hands, and what waits for Accept.
func TestListenTLS_Closed_EndsWhatIsNotAccepted(t *testing.T) {
	g, ln, _ := listenTLS(t, time.Hour, func(*tls.Config) {})
	silent, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	waiting, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	for g.Len() < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"silent": silent, "waiting": waiting} {
		c.SetDeadline(time.Now().Add(testTimeout))
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener accepts %v, %v", c, err)
	}
	if n := g.Len(); n != 0 {
		t.Errorf("%d connections count", n)
	}
}

// A hijackable hands a connection over as net/http does.
type hijackable struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}
