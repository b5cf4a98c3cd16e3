package farwire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// A byte that arrives is one, whatever HTTP makes of it: a part of a chunk, of a head, or of
// an answer before the one that counts.
func TestForwarding_BytesDrip_RequestIsNotIdle(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		answer string
		want   string // empty: the idle timeout
	}{
		"within a chunk":       {whole + "Transfer-Encoding: chunked\r\n\r\n20\r\n" + strings.Repeat("x", 32) + "\r\n0\r\n\r\n", strings.Repeat("x", 32)},
		"a chunk's extension":  {whole + "Transfer-Encoding: chunked\r\n\r\n2;name=" + strings.Repeat("v", 32) + "\r\nok\r\n0\r\n\r\n", "ok"},
		"trailers":             {whole + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: " + strings.Repeat("v", 32) + "\r\n\r\n", "ok"},
		"within a length":      {whole + "Content-Length: 32\r\n\r\n" + strings.Repeat("x", 32), strings.Repeat("x", 32)},
		"head":                 {whole + "X-Long: " + strings.Repeat("v", 32) + "\r\nContent-Length: 2\r\n\r\nok", "ok"},
		"interim answers":      {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3) + whole + "Content-Length: 2\r\n\r\nok", "ok"},
		"silence in a chunk":   {whole + "Transfer-Encoding: chunked\r\n\r\n20\r\nxxxx", ""},
		"silence after a hint": {"HTTP/1.1 102 Processing\r\n\r\n", ""},
	} {
		for _, line := range []string{
			"GET /to/key=" + testKey + ";idle_timeout=5/http/drip.test/ HTTP/1.1\r\nHost: gateway.test\r\n",
			"GET http://drip.test/ HTTP/1.1\r\nHost: drip.test\r\nProxy-Authorization: " + proxyBasic("idle_timeout=5", testKey) + "\r\n",
		} {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, func(conn net.Conn) {
					defer conn.Close()
					if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
						return
					}
					for _, b := range []byte(c.answer) {
						time.Sleep(4 * time.Second)
						if _, err := conn.Write([]byte{b}); err != nil {
							return
						}
					}
					if c.want == "" {
						time.Sleep(time.Hour)
					}
				}, func(o *farwire.Options) { o.Limits = farwire.Limits{} })
				defer time.Sleep(2 * time.Hour) // for everything that still waits for something
				ln := newMemoryListener()
				front := *w
				front.ln = ln
				front.serve(w.gw.ForwardProxy(w.gw.PathForm()))
				conn, err := ln.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				io.WriteString(conn, line+"Connection: close\r\n\r\n")
				br := bufio.NewReader(conn)
				resp, err := http.ReadResponse(br, nil)
				for err == nil && resp.StatusCode == http.StatusProcessing {
					resp, err = http.ReadResponse(br, nil)
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				body, err := io.ReadAll(resp.Body)
				took, sent := time.Since(began), time.Duration(len(c.answer))*4*time.Second
				got := fmt.Sprint(resp.StatusCode, " ", string(body), " ", err)
				switch {
				case c.want != "" && (got != "200 "+c.want+" <nil>" || took < sent):
					t.Errorf("%s: %s after %v, of %v", name, got, took, sent)
				case c.want == "" && (took < sent+4*time.Second || took > sent+10*time.Second || resp.StatusCode == 200 && err == nil):
					t.Errorf("%s, silent after %v: %s after %v", name, sent, got, took)
				}
			})
		}
	}
}
