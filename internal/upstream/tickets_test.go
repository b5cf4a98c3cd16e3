package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
)

// A server that has no ML-KEM is offered it once an hour; one that has it, always. What
// one owner has learnt is not used for another, nor after a handshake that failed.
func TestTickets_ServerChoosesWithoutMLKEM_IsNotOfferedItAgain(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certs.Certificate())

	// offered returns whether a server with these curves was offered ML-KEM.
	offered := func(t *testing.T, cache tls.ClientSessionCache, has ...tls.CurveID) (mlkem, failed bool) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			far, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer far.Close()
			server := tls.Server(far, &tls.Config{
				Certificates: certs.TLS.Certificates, CurvePreferences: has,
				GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					mlkem = slices.Contains(hello.SupportedCurves, tls.X25519MLKEM768)
					return nil, nil
				},
			})
			if server.Handshake() == nil {
				io.Copy(io.Discard, server)
			}
		}()
		near, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		c, err := TLS{Tickets: cache}.Handshake(t.Context(), near, roots, "example.com")
		if err == nil {
			c.Close()
		}
		near.Close()
		<-done
		return mlkem, err != nil
	}
	tickets := NewTickets()
	own, other := tickets.of("alice", "exit", "a:443", TLS{}), tickets.of("bob", "exit", "a:443", TLS{})
	type curves = []tls.CurveID
	for i, step := range []struct {
		cache  tls.ClientSessionCache
		has    curves
		mlkem  bool
		failed bool
		later  bool // an hour later than the step before
	}{
		{cache: own, has: curves{tls.X25519MLKEM768, tls.X25519}, mlkem: true},
		{cache: own, has: curves{tls.X25519}, mlkem: true},
		{cache: own, has: curves{tls.X25519}},
		{cache: other, has: curves{tls.X25519}, mlkem: true},
		{cache: own, has: curves{tls.CurveP256}, mlkem: true, later: true},
		{cache: own, has: curves{tls.X25519MLKEM768}, failed: true}, // it has another key exchange now
		{cache: own, has: curves{tls.X25519MLKEM768}, mlkem: true},
		{cache: nil, has: curves{tls.X25519}, mlkem: true},
		{cache: nil, has: curves{tls.X25519}, mlkem: true},
	} {
		if step.later {
			of := own.(ownTickets)
			of.of.classical.Set(of.prefix, of.of.classical.Get(of.prefix).Add(-classicalFor), nil)
		}
		mlkem, failed := offered(t, step.cache, step.has...)
		if mlkem != step.mlkem || failed != step.failed {
			t.Errorf("step %d: offered %v, failed %v, want %v, %v", i, mlkem, failed, step.mlkem, step.failed)
		}
	}
}
