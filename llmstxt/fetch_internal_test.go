package llmstxt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
)

// What a caller is told names no address of the inside.
func TestDetail_InternalAddress_IsNotNamed(t *testing.T) {
	inside := "10.1.2.3:443"
	for want, err := range map[string]error{
		"Connection timeout":               &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		"Connection refused":               &net.OpError{Op: "dial", Err: fmt.Errorf("%s: %w", inside, syscall.ECONNREFUSED)},
		"Connection lost":                  fmt.Errorf("%s: %w", inside, io.ErrUnexpectedEOF),
		"Host not found":                   &net.DNSError{Name: "x", Server: inside, IsNotFound: true},
		"Host name could not be looked up": &net.DNSError{Name: "x", Server: inside, Err: "server misbehaving"},
		"TLS certificate not valid":        &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"Not a TLS server":                 tls.RecordHeaderError{Msg: inside},
		"TLS handshake failed":             &net.OpError{Op: "remote error", Err: fmt.Errorf("alert of %s", inside)},
		"Connection failed":                fmt.Errorf("no route to %s", inside),
		"HTTP 418 I'm a teapot":            &skipError{Reason: SkipStatus, Detail: statusText(418)},
		"HTTP 799":                         &skipError{Reason: SkipStatus, Detail: statusText(799)},
	} {
		if got := detail(&url.Error{Op: "Get", URL: "https://x/", Err: err}); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
