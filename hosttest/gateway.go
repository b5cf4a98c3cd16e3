package hosttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// Key is the API key of the caller "alice" at a gateway of [NewGateway].
const Key = "the-api-key-of-alice-in-tests"

// NewGateway returns a gateway for a host's own tests of what it has around the
// handlers: its middleware, its Authenticator, its Trace. Behind it stand a pool
// with one exit, slug "test" and country "ZZ", and an internet in memory: hosts has
// the handler of each host by its name, over TLS at port 443 and in clear at every
// other one. A name that is not there does not exist.
//
// What o leaves out is filled in: the Authenticator knows [Key], the Logger writes
// into the test's log, and RootCAs trusts the hosts. The gateway is shut down when
// the test ends. No socket is opened, so it works in a bubble of testing/synctest.
// What cannot be used ends the test.
//
//	func TestTenants(t *testing.T) {
//		gw := hosttest.NewGateway(t, farwire.Options{Trace: tenants.Trace()}, map[string]http.Handler{"api.example.com": api})
//		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/to/-/https/api.example.com/", nil)
//		r.Header.Set("X-API-Key", hosttest.Key)
//		gw.PathForm().ServeHTTP(w, r)
//		…
//	}
func NewGateway(t testing.TB, o farwire.Options, hosts map[string]http.Handler) *farwire.Gateway {
	t.Helper()
	internet, err := newInternet(hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(internet.close)
	if o.Auth == nil {
		if o.Auth, err = farwire.APIKeys(map[string]string{Key: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.RootCAs == nil {
		o.RootCAs = internet.roots
	}
	if o.Agents == nil {
		pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: o.Logger})
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Add(agent.Exit{Slug: "test", Country: "ZZ", DialContext: internet.dial}); err != nil {
			t.Fatal(err)
		}
		o.Agents = pool
	}
	g, err := farwire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("hosttest: the gateway's sessions had to be cut: %v", err)
		}
	})
	return g
}

// An internet is hosts in memory.
type internet struct {
	clear, secure map[string]*memoryListener // by host
	roots         *x509.CertPool
	servers       []*http.Server
	running       sync.WaitGroup
}

func newInternet(hosts map[string]http.Handler) (*internet, error) {
	cert, err := certificate(slices.Sorted(maps.Keys(hosts)))
	if err != nil {
		return nil, err
	}
	n := &internet{clear: map[string]*memoryListener{}, secure: map[string]*memoryListener{}, roots: x509.NewCertPool()}
	n.roots.AddCert(cert.Leaf)
	for host, handler := range hosts {
		clear, secure := newMemoryListener(host), newMemoryListener(host)
		n.clear[host], n.secure[host] = clear, secure
		server := &http.Server{Handler: handler, TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}}
		n.servers = append(n.servers, server)
		n.running.Go(func() { _ = server.Serve(clear) }) // until it is closed
		n.running.Go(func() { _ = server.ServeTLS(secure, "", "") })
	}
	return n, nil
}

func (n *internet) close() {
	for _, s := range n.servers {
		s.Close()
	}
	n.running.Wait()
}

func (n *internet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	listener := n.clear[host]
	if port == "443" {
		listener = n.secure[host]
	}
	if listener == nil {
		return nil, &agent.DialError{Fault: agent.FaultTarget, Err: fmt.Errorf("hosttest: there is no host %q", host)}
	}
	return listener.dial(ctx)
}

// certificate signs itself for the names.
func certificate(names []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	// Far apart, because a test's clock may be that of a bubble.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(100, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
