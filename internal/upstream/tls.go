package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/farwire/farwire/internal/fault"
)

// TLS says how a target's certificate is verified. The zero value verifies the
// URL's host against the roots of the Dialer.
type TLS struct {
	ServerName string // in place of the URL's host; empty: that
	CA         []byte // PEM, trusted besides the roots; empty: none
	Insecure   bool   // nothing is verified

	// Certificates are the client's own. Empty: none.
	Certificates []tls.Certificate

	// Words returns why a handshake failed in the words of the protocol behind TLS;
	// empty where it has none for this error. Nil: it has none at all.
	Words func(error) string

	// Tickets keeps sessions that can be resumed. Nil: none are.
	Tickets tls.ClientSessionCache
}

// CheckCA refuses a PEM without a certificate.
func CheckCA(pem string) error {
	if pem != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		return fault.Invalidf("ca must be certificates in PEM")
	}
	return nil
}

// IsEncrypted reports whether the private key of a PEM is, by PKCS #8 or by OpenSSL's older
// form: crypto/tls reads neither, and calls both a key that cannot be parsed.
func IsEncrypted(key []byte) bool {
	for {
		block, rest := pem.Decode(key)
		switch {
		case block == nil:
			return false
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return true
		}
		key = rest
	}
}

// CheckServerName refuses a name that TLS cannot ask for.
func CheckServerName(name string) error {
	if len(name) > 253 || strings.ContainsFunc(name, notInName) {
		return fault.Invalidf("server_name is not valid")
	}
	return nil
}

// config makes the configuration for a server that is called name.
func (o TLS) config(roots *x509.CertPool, name string, protos ...string) (*tls.Config, error) {
	if o.ServerName != "" {
		name = o.ServerName
	}
	if len(o.CA) > 0 {
		if roots == nil {
			system, err := x509.SystemCertPool()
			if err != nil {
				return nil, fmt.Errorf("roots of the system: %w", err)
			}
			roots = system
		} else {
			roots = roots.Clone()
		}
		roots.AppendCertsFromPEM(o.CA)
	}
	return &tls.Config{ServerName: name, RootCAs: roots, NextProtos: protos, InsecureSkipVerify: o.Insecure,
		Certificates: o.Certificates, ClientSessionCache: o.Tickets}, nil
}

// Handshake does the client's half of a TLS handshake with a server that is
// called name, and says in words fit for a caller why one fails. It closes
// nothing. The context bounds the handshake alone.
func (o TLS) Handshake(ctx context.Context, conn net.Conn, roots *x509.CertPool, name string, protos ...string) (*tls.Conn, error) {
	config, err := o.config(roots, name, protos...)
	if err != nil {
		return nil, err
	}
	own, _ := o.Tickets.(ownTickets)
	config.CurvePreferences = own.curves()
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		own.chose(0, false)
		return nil, o.failure(err)
	}
	own.chose(c.ConnectionState().CurveID, config.CurvePreferences == nil)
	return c, nil
}

// failure says in a caller's words why a TLS handshake failed. Errors that are not
// TLS's own are returned as they are.
func (o TLS) failure(err error) error {
	var netError net.Error
	switch {
	case fault.Of(err) != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &netError) && netError.Timeout():
		return err
	}
	text := ""
	if o.Words != nil {
		text = o.Words(err)
	}
	if text == "" {
		text = tlsReason(err)
	}
	return fault.Wrap(fault.TLSFailed, "TLS: "+text, err)
}

func tlsReason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		notTLS  tls.RecordHeaderError
	)
	if alert := alertOf(err); alert != "" {
		return "the target answered with the alert \"" + alert + "\""
	}
	switch {
	case errors.As(err, &unknown):
		return "certificate signed by an unknown authority"
	case errors.As(err, &name):
		return "certificate is not valid for " + fault.Clip(name.Host) + ", " + namesOf(name.Certificate)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired or is not yet valid"
	case errors.As(err, &invalid):
		return "certificate is not valid"
	case errors.As(err, &notTLS):
		return "the target does not speak TLS on this port"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed during the handshake"
	}
	// What is left are crypto/tls's own, which name versions and algorithms.
	if text, ok := strings.CutPrefix(err.Error(), "tls: "); ok {
		return fault.Clip(text)
	}
	return "handshake failed"
}

// alertOf returns the words of an alert that the target sent (RFC 8446, section
// 6); empty when it sent none.
func alertOf(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return ""
	}
	text := strings.TrimPrefix(op.Err.Error(), "tls: ")
	switch text {
	case "unknown certificate authority":
		return "unknown certificate authority (it wants a client certificate)"
	case "bad certificate":
		return "bad certificate (it may want a client certificate)"
	}
	return text
}

// namesOf lists what a certificate is for.
func namesOf(c *x509.Certificate) string {
	const most = 5
	var names []string
	if c != nil {
		names = append(names, c.DNSNames...)
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
	}
	names = valid(names)
	switch n := len(names); {
	case n == 0:
		return "it names no host"
	case n > most:
		return fmt.Sprintf("only for %s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return "only for " + strings.Join(names, ", ")
}

// valid keeps the names that can be shown.
func valid(names []string) []string {
	var out []string
	for _, n := range names {
		if !strings.ContainsFunc(n, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			out = append(out, fault.Clip(n))
		}
	}
	return out
}
