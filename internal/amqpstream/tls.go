package amqpstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/farwire/farwire/internal/fault"
)

// TLS says how a broker is verified and what it is shown. Its zero value
// verifies the host's name and shows nothing.
type TLS struct {
	ServerName   string            // in place of the host; empty: that
	CA           string            // PEM, trusted besides the roots; empty: none
	Insecure     bool              // nothing is verified
	Certificates []tls.Certificate // the client's own; empty: none
}

// Handshake does the client's half of a TLS handshake with a broker, and says in
// words why one fails. It closes the connection when it fails. Roots may be nil
// for those of the system.
func (t *TLS) Handshake(ctx context.Context, conn net.Conn, roots *x509.CertPool, host string) (net.Conn, error) {
	config := &tls.Config{ServerName: host, RootCAs: roots, InsecureSkipVerify: t.Insecure, Certificates: t.Certificates}
	if t.ServerName != "" {
		config.ServerName = t.ServerName
	}
	if t.CA != "" {
		trusted, err := withCA(roots, t.CA)
		if err != nil {
			conn.Close()
			return nil, err
		}
		config.RootCAs = trusted
	}
	c := tls.Client(conn, config)
	err := c.HandshakeContext(ctx)
	if err == nil {
		return c, nil
	}
	conn.Close()
	var timeout interface{ Timeout() bool }
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case fault.Of(err) != nil, errors.As(err, &timeout) && timeout.Timeout():
		return nil, err
	}
	return nil, fault.Wrap(fault.TLSFailed, "TLS: "+tlsText(err), err)
}

func withCA(roots *x509.CertPool, pem string) (*x509.CertPool, error) {
	if roots == nil {
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("roots of the system: %w", err)
		}
		roots = system
	} else {
		roots = roots.Clone()
	}
	roots.AppendCertsFromPEM([]byte(pem))
	return roots, nil
}

// tlsText says in words why a handshake failed.
func tlsText(err error) string {
	var (
		op      *net.OpError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		notTLS  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &op) && op.Op == "remote error":
		return alertText(op.Err)
	case errors.As(err, &unknown):
		return "certificate signed by an unknown authority"
	case errors.As(err, &name):
		return "certificate is not valid for this host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired or is not yet valid"
	case errors.As(err, &invalid):
		return "certificate is not valid"
	case errors.As(err, &notTLS):
		return "no TLS on this port; did you mean ssl: false?"
	case strings.Contains(err.Error(), "unsupported protocol version"):
		return oldVersion
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "connection closed during the handshake"
	}
	return "handshake failed"
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
