package agent_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

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
	for gateway, refused := range map[string]bool{
		"http://203.0.113.7:8080":          true,
		"http://172.32.0.1:8080":           true,
		"http://100.64.0.1:8080":           true, // shared space is not RFC 1918
		"http://169.254.1.1:8080":          true,
		"http://[2001:db8::1]:8080":        true,
		"http://[::ffff:203.0.113.7]:8080": true,
		"http://10.255.255.1:8080":         false,
		"http://172.31.255.1:8080":         false,
		"http://192.168.255.1:8080":        false,
		"http://[fd00::1]:8080":            false,
		"https://203.0.113.7:8443":         false,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // nobody answers there
		if err := agent.DialPeer(ctx, gateway); strings.Contains(fmt.Sprint(err), says) != refused {
			t.Errorf("%s: %v", gateway, err)
		}
		cancel()
	}
}
