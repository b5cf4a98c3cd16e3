package amqpstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/farwire/farwire/internal/upstream"
)

// Handshake does the client's half of a TLS handshake with a broker on host, and
// says in words why one fails. It closes the connection when it fails. Roots may
// be nil for those of the system.
func Handshake(ctx context.Context, conn net.Conn, t upstream.TLS, roots *x509.CertPool, host string) (net.Conn, error) {
	t.Words = tlsText
	c, err := t.Handshake(ctx, conn, roots, host)
	if err == nil {
		return c, nil
	}
	conn.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// tlsText says in words why a handshake failed, where a broker is not like any
// other target.
func tlsText(err error) string {
	var (
		op     *net.OpError
		name   x509.HostnameError
		notTLS tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &op) && op.Op == "remote error":
		return alertText(op.Err)
	case errors.As(err, &name):
		return "certificate is not valid for this host"
	case errors.As(err, &notTLS):
		return "no TLS on this port; did you mean ssl: false?"
	case strings.Contains(err.Error(), "unsupported protocol version"):
		return oldVersion
	}
	return ""
}

const oldVersion = "the broker has only versions of TLS that are older than 1.2"

// alertText says in words what an alert of the broker's means (RFC 8446, section
// 6.2). Brokers that want a certificate and get none answer in several ways.
func alertText(alert error) string {
	text := strings.TrimPrefix(alert.Error(), "tls: ")
	switch {
	case strings.Contains(text, "certificate required"):
		return "the broker wants a client certificate of an authority that it knows; give cert and cert_key (alert: " + text + ")"
	case strings.Contains(text, "handshake failure"):
		return "the broker refused the handshake; it may want a client certificate, or other ciphers (alert: " + text + ")"
	case strings.Contains(text, "certificate"):
		return "the broker refused the client certificate, or wants one (alert: " + text + ")"
	case strings.Contains(text, "protocol version"):
		return oldVersion + " (alert: " + text + ")"
	case strings.Contains(text, "unrecognized name"):
		return "the broker does not know this name; give server_name (alert: " + text + ")"
	}
	return "the broker refused (alert: " + text + ")"
}
