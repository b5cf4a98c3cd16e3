package egress_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
)

// serveLong answers each request with "fine", and those for /more with what would be
// the answer to the next one behind it.
func serveLong(l net.Listener, more string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			br := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				io.Copy(io.Discard, req.Body)
				answer := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
				if req.URL.Path == "/more" {
					answer += more
				}
				io.WriteString(c, answer)
			}
		}()
	}
}

func TestConns_AnswerLongerThanItsLength_ReachesNoOtherRequest(t *testing.T) {
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certs.Certificate())

	for name, c := range map[string]struct{ scheme, more string }{
		"http":                   {"http", smuggled},
		"http, more than a read": {"http", strings.Repeat(smuggled, 1000)},
		"https":                  {"https", smuggled},
		"https, many records":    {"https", strings.Repeat(smuggled, 1000)},
		"a part of an answer":    {"http", "HTTP/1.1 200 OK\r\nContent-Le"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			addr := l.Addr().String()
			if c.scheme == "https" {
				l = tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates})
			}
			go serveLong(l, c.more)
			conns := &egress.Conns{RootCAs: roots}
			defer conns.Close()
			exit := agent.Exit{DialContext: new(net.Dialer).DialContext}
			ask := func(path string) string {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, "GET", c.scheme+"://"+addr+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := conns.RoundTrip(req, egress.Trip{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)})
				if err != nil {
					return err.Error()
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					return err.Error()
				}
				return string(body)
			}
			for i := range 30 {
				if got := ask("/more"); got != "fine" {
					t.Fatalf("request %d: %s", i, got)
				}
				if got := ask("/fine"); got != "fine" {
					t.Fatalf("the one behind request %d: %s", i, got)
				}
			}
		})
	}
}
