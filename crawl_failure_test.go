package farwire_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// The reason is that of every other kind of session, by which programs tell what may be
// tried again.
func TestCrawl_BaseCannotBeRead_ReasonIsTheCause(t *testing.T) {
	overTLS := func(config *tls.Config) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = config
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	answering := func(answer string) string {
		return newTCPTarget(t, func(c *net.TCPConn) {
			c.Read(make([]byte, 1024))
			c.Write([]byte(answer))
		})
	}
	const alert = "\x15\x03\x03\x00\x02\x02\x28" // fatal, handshake_failure
	for name, c := range map[string]struct{ url, reason, text string }{
		"unknown authority":   {overTLS(nil), "tls_failed", "TLS certificate not valid"},
		"another name":        {strings.Replace(overTLS(nil), "127.0.0.1", "localhost", 1), "tls_failed", "TLS certificate not valid"},
		"TLS 1.0 alone":       {overTLS(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), "tls_failed", "TLS handshake failed"},
		"handshake refused":   {"https://" + answering(alert), "tls_failed", "TLS handshake failed"},
		"https on an http":    {"https://" + answering("HTTP/1.1 400 Bad Request\r\n\r\n"), "tls_failed", "Not a TLS server"},
		"something else":      {"https://" + answering("SSH-2.0-x\r\n"), "tls_failed", "Not a TLS server"},
		"no answer":           {"http://" + answering(""), "target_lost", ""},
		"no answer over TLS":  {"https://" + answering(""), "target_lost", ""},
		"half a head":         {"http://" + answering("HTTP/1.1 200 OK\r\n"), "target_lost", ""},
		"nothing listens":     {"http://" + harness.FreeAddr(t), "target_unreachable", "Connection refused"},
		"an error of the web": {newSite(t, nil).URL, "target_refused", "HTTP 404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newWorld(t).crawl(fmt.Sprintf(`{"url":%q}`, c.url)).receive()
			m := h.one(t, "error")
			if h.code != 1011 || m.Reason != c.reason || !strings.HasPrefix(m.Content, "Failed to fetch page: "+c.text) {
				t.Errorf("got %+v, want %s and %q", h, c.reason, c.text)
			}
		})
	}
}
