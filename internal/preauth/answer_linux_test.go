package preauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/preauth"
)

// What a client has acknowledged is known on Linux alone.

// A client that has shown no key and takes no byte of an answer is closed, and its handler
// ends.
func TestHandler_AnswerUnread_IsEnded(t *testing.T) {
	for _, over2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", over2), func(t *testing.T) {
			t.Parallel()
			s, ended := serveLarge(t, over2, time.Second)
			c := dial(t, s)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			wantCut(t, ended)
			if n, err := io.Copy(io.Discard, c); err == nil || n >= unread {
				t.Errorf("%d bytes are read, %v", n, err)
			}
		})
	}
}

// A shutdown waits for no such client, though it could still take its time otherwise, and
// for one behind a trusted proxy neither.
func TestGuard_ShutdownWithAnAnswerUnread_Ends(t *testing.T) {
	for name, trusted := range map[string][]netip.Prefix{"a client": nil, "a trusted proxy": {netip.MustParsePrefix("127.0.0.0/8")}} {
		for _, over2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, over2), func(t *testing.T) {
				t.Parallel()
				s, ended := serveLargeTo(t, preauth.Options{StallTimeout: time.Hour, Trusted: trusted}, over2)
				c := dial(t, s)
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				if err := s.Config.Shutdown(ctx); err != nil {
					t.Errorf("the shutdown: %v", err)
				}
				wantCut(t, ended)
			})
		}
	}
}

// A trusted proxy, which waits for a client of its own, has four times as long.
func TestHandler_TrustedProxyReadsNothing_HasFourTimesAsLong(t *testing.T) {
	const timeout = 500 * time.Millisecond
	for from, least := range map[string]time.Duration{"127.0.9.1": 4 * timeout, "127.0.0.1": timeout} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			s, ended := serveLargeTo(t, preauth.Options{StallTimeout: timeout, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.9.0/24")}}, false)
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := dialer.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			began := time.Now()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			wantCut(t, ended)
			if took := time.Since(began); took < least {
				t.Errorf("it was cut after %v, want %v at least", took, least)
			}
		})
	}
}
