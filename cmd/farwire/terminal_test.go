package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// evil commands a terminal: it sets the window's title, goes back over the line, and writes
// backwards.
const evil = "\x1b]0;evil\x07\r\u202egone"

// evilCertificate is for names that command a terminal, as IA5 holds them.
func evilCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"\x1b]0;evil\x07\r.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Whatever answers at the address that a command is given cannot command the terminal on
// which the command says what came of it.
func TestCommands_HostileServer_CannotCommandTheTerminal(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{evilCertificate(t)}}
	secure.StartTLS()
	secureURL := strings.Replace(secure.URL, "127.0.0.1", "localhost", 1) // names of a certificate are told to who asked for a name
	defer secure.Close()

	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	go func() {
		for {
			c, err := raw.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, "HTTP/1.1 500 "+evil+"\r\nConnection: close\r\n\r\n"+`{"detail":"`+"\\u001b[2J\\u202e"+`"}`)
				}
			}()
		}
	}()

	relayed := map[string]string{}
	for name, answer := range map[string]string{
		"node":    `{"type":"connected","status":101,"node_id":"\u001b]0;evil\u0007\r","ignored":["\u001b[2J"]}`,
		"message": `{"type":"error","message":"\u001b]0;evil\u0007\r","status":403,"headers":{"\u001b":"\u0007"},"body":"\u001b\u202e"}`,
		"type":    `{"type":"\u001b[2J"}`,
	} {
		relayed[name] = gateway(t, func(ctx context.Context, c *websocket.Conn, _ map[string]any) {
			write(t, ctx, c, websocket.MessageText, answer)
			c.Close(1011, "\x1b[2J\u202e")
		})
	}

	key := "a-key-of-the-gateway"
	for name, args := range map[string][]string{
		"agents, certificate":   {"agents", "--gateway", secureURL, "--key", key},
		"sessions, certificate": {"sessions", "--gateway", secureURL, "--key", key},
		"end, certificate":      {"sessions", "end", "x", "--gateway", secureURL, "--key", key},
		"relay, certificate":    {"relay", "ws://a.test", "--gateway", secureURL, "--key", key},
		"crawl, certificate":    {"crawl", secureURL, "--allow-private"},
		"agents, status":        {"agents", "--gateway", "http://" + raw.Addr().String(), "--key", key},
		"end, status":           {"sessions", "end", "x", "--gateway", "http://" + raw.Addr().String(), "--key", key},
		"relay, status":         {"relay", "ws://a.test", "--gateway", "http://" + raw.Addr().String(), "--key", key},
		"health, status":        {"health", "http://" + raw.Addr().String()},
		"crawl, status":         {"crawl", "http://" + raw.Addr().String(), "--allow-private"},
		"relay, node":           {"relay", "ws://a.test", "--gateway", "http://" + relayed["node"], "--key", key},
		"relay, message":        {"relay", "ws://a.test", "--gateway", "http://" + relayed["message"], "--key", key},
		"relay, type":           {"relay", "ws://a.test", "--gateway", "http://" + relayed["type"], "--key", key},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, errs := said(t, program(t, args...))
			if errs == "" {
				t.Error("nothing was said")
			}
			if strings.ContainsAny(out+errs, "\x1b\x07\r\u202e") {
				t.Errorf("%q %q", out, errs)
			}
		})
	}
}
