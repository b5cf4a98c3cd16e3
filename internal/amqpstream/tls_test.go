package amqpstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upstream"
)

// signed makes a certificate for a name that signs itself.
func signed(t testing.TB, name string) (pair tls.Certificate, text string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// consumeTLS begins to consume from a broker behind TLS.
func consumeTLS(t testing.TB, server *tls.Config, client upstream.TLS, host string, sub *amqpstream.Subscription) error {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		if server == nil {
			io.WriteString(c, "AMQP\x00\x00\x09\x01")
			io.Copy(io.Discard, c)
			c.Close()
			return
		}
		s := tls.Server(c, server)
		if s.Handshake() != nil {
			io.Copy(io.Discard, c) // closing at once would take the alert back
			c.Close()
			return
		}
		(&brokertest.Broker{Mechanisms: "PLAIN EXTERNAL"}).Talk(s)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err = amqpstream.Handshake(ctx, conn, client, x509.NewCertPool(), host)
	if err == nil {
		var c *amqpstream.Consumer
		if c, err = amqpstream.Consume(ctx, conn, sub, limits); err == nil {
			c.Close()
		}
	}
	<-done
	return err
}

func TestTLS_UnknownAuthority_IsRefused(t *testing.T) {
	server, ca := signed(t, "broker.test")
	client, clientCA := signed(t, "client")
	known := x509.NewCertPool()
	known.AppendCertsFromPEM([]byte(clientCA))
	config := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: []tls.Certificate{server}}
		change(c)
		return c
	}
	plain := config(func(*tls.Config) {})
	mutual := config(func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, known })
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	old := config(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	foreign, _ := signed(t, "foreign")
	for _, c := range []struct {
		name   string
		server *tls.Config
		client upstream.TLS
		host   string
		want   string // part of the error; empty: none
	}{
		{"ca", plain, upstream.TLS{CA: []byte(ca)}, "broker.test", ""},
		{"unknown authority", plain, upstream.TLS{}, "broker.test", "certificate signed by an unknown authority"},
		{"another name", plain, upstream.TLS{CA: []byte(ca)}, "other.test", "certificate is not valid for this host"},
		{"server_name", plain, upstream.TLS{CA: []byte(ca), ServerName: "broker.test"}, "10.0.0.1", ""},
		{"insecure", plain, upstream.TLS{Insecure: true}, "other.test", ""},
		{"client certificate", mutual, upstream.TLS{CA: []byte(ca), Certificates: []tls.Certificate{client}}, "broker.test", ""},
		{"client certificate, TLS 1.2", mutual12, upstream.TLS{CA: []byte(ca), Certificates: []tls.Certificate{client}}, "broker.test", ""},
		{"none", mutual, upstream.TLS{CA: []byte(ca)}, "broker.test", "wants a client certificate of an authority that it knows; give cert and cert_key (alert: certificate required)"},
		{"none, TLS 1.2", mutual12, upstream.TLS{CA: []byte(ca)}, "broker.test", "client certificate"},
		{"another authority's", mutual, upstream.TLS{CA: []byte(ca), Certificates: []tls.Certificate{foreign}}, "broker.test", "the broker wants a client certificate of an authority that it knows"},
		{"old", old, upstream.TLS{CA: []byte(ca)}, "broker.test", "the broker has only versions of TLS that are older than 1.2 (alert: protocol version not supported)"},
		{"no TLS", nil, upstream.TLS{CA: []byte(ca)}, "broker.test", "no TLS on this port; did you mean ssl: false?"},
	} {
		sub := own()
		sub.Certificate = len(c.client.Certificates) > 0
		err := consumeTLS(t, c.server, c.client, c.host, sub)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !fault.Is(err, fault.TLSFailed)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
