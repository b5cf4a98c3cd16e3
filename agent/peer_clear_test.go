package agent_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire/agent"
)

// In clear a gateway connects to loopback, RFC 1918 and RFC 4193, whatever another one
// advertises; with TLS to any address.
func TestHop_InClear_PrivateAddressesOnly(t *testing.T) {
	const says = "without TLS a gateway connects to loopback and private addresses only"
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := agent.DialPeer(t.Context(), "http://"+ln.Addr().String()); err != nil {
		t.Errorf("loopback: %v", err)
	}
	for address, refused := range map[string]bool{
		"203.0.113.7:8080":          true,
		"172.32.0.1:8080":           true,
		"100.64.0.1:8080":           true, // shared space is not RFC 1918
		"169.254.1.1:8080":          true,
		"[2001:db8::1]:8080":        true,
		"[::ffff:203.0.113.7]:8080": true,
		"10.255.255.1:8080":         false,
		"172.31.255.1:8080":         false,
		"192.168.255.1:8080":        false,
		"[fd00::1]:8080":            false,
	} {
		if err := agent.PeerAddress(address, true); strings.Contains(fmt.Sprint(err), says) != refused {
			t.Errorf("%s in clear: %v", address, err)
		}
		if err := agent.PeerAddress(address, false); err != nil {
			t.Errorf("%s with TLS: %v", address, err)
		}
		if !refused {
			continue // whoever has that address is not asked
		}
		if err := agent.DialPeer(t.Context(), "http://"+address); !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%s is dialled: %v", address, err)
		}
	}
}

// The proof of the secret is bound to TLS 1.3; an older version is not spoken.
func TestHop_OlderTLS_IsNotSpoken(t *testing.T) {
	for version, refused := range map[uint16]bool{tls.VersionTLS12: true, tls.VersionTLS13: false} {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: version}
		srv.StartTLS()
		if err := agent.DialPeer(t.Context(), srv.URL); (err != nil) != refused {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		srv.Close()
	}
}
