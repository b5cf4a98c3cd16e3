//lint:file-ignore SA1019 net/http has no HTTP/2 client that sends a CONNECT

package farwire_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/farwire/farwire"
)

// Many tunnels share one connection of HTTP/2: each carries its own bytes, a stalled
// one holds up no other, and one that is given up ends alone.
func TestForwardProxy_HTTP2ManyTunnels_ShareAConnection(t *testing.T) {
	const tunnels = 60
	w := newProxyWorld(t, http.NotFoundHandler())
	front := httptest.NewUnstartedServer(w.server.Config.Handler)
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	echo := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	flood := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, zeros{}) })
	conns := 0
	tr := &http2.Transport{DialTLS: func(network, addr string, _ *tls.Config) (net.Conn, error) {
		conns++ // one after the other: the first tunnel is opened alone
		return tls.Dial(network, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}}
	t.Cleanup(tr.CloseIdleConnections)
	open := func(target string) (*http.Response, *io.PipeWriter, error) {
		up, write := io.Pipe()
		u, err := url.Parse(front.URL)
		if err != nil {
			return nil, nil, err
		}
		resp, err := tr.RoundTrip((&http.Request{Method: http.MethodConnect, URL: u, Host: target, Body: up,
			Header: http.Header{"Proxy-Authorization": {proxyBasic("any", testKey)}}}).WithContext(t.Context()))
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", resp.Status)
		}
		return resp, write, err
	}
	stalled, _, err := open(flood) // nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i := range tunnels {
		running.Go(func() {
			resp, write, err := open(echo)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			said := bytes.Repeat([]byte(fmt.Sprintf("tunnel %d;", i)), 3000)
			go func() {
				write.Write(said)
				write.Close()
			}()
			if heard, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(heard, said) {
				t.Errorf("tunnel %d: %d bytes of %d, %v", i, len(heard), len(said), err)
			}
		})
	}
	running.Wait()
	if conns != 1 {
		t.Errorf("%d connections", conns)
	}
	stalled.Body.Close()
	waitUntil(t, "all tunnels have ended", func() bool { return w.gw.Stats().Kinds[farwire.KindTunnel].Active == 0 })
	if n := strings.Count(w.log.String(), "kind=tunnel"); n != tunnels+1 {
		t.Errorf("%d tunnels in the log", n)
	}
}

// An answer has the headers that the target sent. Many programs of Go add Cache-Control to one
// that has Pragma.
func TestForwardProxy_AnswerWithPragma_GetsNoCacheControl(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nPragma: no-cache\r\n"
	target := newOddTarget(t, head+"\r\nok")
	w := newProxyWorld(t, http.NotFoundHandler())
	got := speak(t, w.server.Listener.Addr().String(), fmt.Sprintf("GET http://%s/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nConnection: close\r\n\r\n",
		target.addr, proxyBasic("any", testKey)))
	if !strings.Contains(got, "Pragma: no-cache\r\n") || strings.Contains(got, "Cache-Control") {
		t.Errorf("got %q", got)
	}
}
