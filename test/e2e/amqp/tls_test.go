package amqp_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// A broker that wants a client certificate: the login is the certificate, or a
// password beside it.
func TestTLS_ClientCertificate_IsTheLogin(t *testing.T) {
	own, err := rabbitmq.Start(context.Background(),
		"ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true", "ssl_cert_login_from = common_name",
		"auth_mechanisms.1 = EXTERNAL", "auth_mechanisms.2 = PLAIN")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	_, srv := gateway(t, farwire.Options{}) // which trusts another broker's certificate
	cert, key, err := own.ClientCertificate(rabbitmq.Admin)
	if err != nil {
		t.Fatal(err)
	}
	foreignCert, foreignKey, err := node.ClientCertificate(rabbitmq.Admin)
	if err != nil {
		t.Fatal(err)
	}
	unknownCert, unknownKey, err := own.ClientCertificate("who")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		changes fields
		want    string // the error; empty: it streams
	}{
		"certificate alone":        {fields{"cert": cert, "cert_key": key, "username": "", "password": ""}, ""},
		"certificate and password": {fields{"cert": cert, "cert_key": key}, ""},
		"none":                     {fields{}, "wants a client certificate"},
		"of another authority":     {fields{"cert": foreignCert, "cert_key": foreignKey}, "TLS: the broker"},
		"of nobody":                {fields{"cert": unknownCert, "cert_key": unknownKey, "username": "", "password": ""}, "client certificate refused as a login"},
	} {
		changes := fields{"host": "localhost", "port": own.TLSPort, "ssl": true, "ca": own.CA}
		for k, v := range c.changes {
			changes[k] = v
		}
		s := open(t, srv.URL, ask("/", changes))
		if c.want == "" {
			s.connected()
			s.cancel()
			continue
		}
		e := s.want("error")
		if m := e.data["message"].(string); !strings.Contains(m, c.want) {
			t.Errorf("%s: %s, want %q", name, e.raw, c.want)
		}
		if strings.Contains(e.raw, "PRIVATE") {
			t.Errorf("%s: %s", name, e.raw)
		}
	}
}

func TestTLS_NameOrAuthorityWrong_IsRefused(t *testing.T) {
	nobody := x509.NewCertPool() // is trusted, unless a request names an authority
	_, srv := gateway(t, farwire.Options{RootCAs: nobody})
	on := func(changes fields) fields {
		changes["port"], changes["ssl"] = node.TLSPort, true
		return ask("/", changes)
	}
	open(t, srv.URL, on(fields{"ca": node.CA})).connected()
	// A name that reaches the broker and stands in no certificate.
	exit := local(t)
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, fmt.Sprint("127.0.0.1:", node.TLSPort))
	}
	_, far := gateway(t, farwire.Options{RootCAs: nobody, Agents: exit})
	open(t, far.URL, on(fields{"ca": node.CA, "host": "other.example", "server_name": "localhost"})).connected()
	if e := open(t, far.URL, on(fields{"ca": node.CA, "host": "other.example"})).want("error"); e.data["message"] != "agent error: TLS: certificate is not valid for this host" {
		t.Errorf("%s", e.raw)
	}
	e := open(t, srv.URL, on(fields{})).want("error")
	if e.data["message"] != "agent error: TLS: certificate signed by an unknown authority" || e.data["reason"] != "tls_failed" || e.retry == "" {
		t.Errorf("%s", e.raw)
	}
	_, insecure := gateway(t, farwire.Options{RootCAs: nobody, AllowInsecure: true})
	open(t, insecure.URL, on(fields{"insecure": true})).connected()
	if resp := post(t, srv.URL, on(fields{"insecure": true})); resp.StatusCode != 400 {
		t.Errorf("insecure, not allowed: %s", resp.Status)
	}
}
