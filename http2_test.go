package farwire_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

// HTTP/2 forbids the fields of one connection (RFC 9113, section 8.2.2), and clients take
// an answer without a body that has a length for a broken one.
func TestGateway_HTTP2_AnswersHaveNoFieldOfOneConnection(t *testing.T) {
	w := newPathWorld(t, http.NotFoundHandler())
	mux := http.NewServeMux()
	mux.Handle("/ws", w.gw.Relay())
	mux.Handle("/ws/crawl", w.gw.Crawl())
	mux.Handle("/to/", w.gw.PathForm())
	front := httptest.NewUnstartedServer(mux)
	front.EnableHTTP2 = true
	front.StartTLS()
	defer front.Close()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: poolOf(front.Certificate())}}}
	defer client.CloseIdleConnections()

	target := func(answer string) string {
		return "/to/key=" + testKey + "/http/" + newOddTarget(t, answer).addr + "/"
	}
	for name, c := range map[string]struct {
		path, version string
		want          []int // 1xx, then the answer's
	}{
		"the relay":       {"/ws", "", []int{426}},
		"an old version":  {"/ws", "8", []int{426}},
		"the direct form": {"/ws?url=ws://a.example/", "", []int{426}},
		"the crawl":       {"/ws/crawl", "", []int{426}},
		"204 with a length": {target("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n"),
			"", []int{204}},
		"103 with a length": {target("HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\nLink: </a>\r\nKeep-Alive: 5\r\n\r\n" + plainOK), "", []int{103, 200}},
		"fields of its own": {target("HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nConnection: Upgrade, close, X-Hop\r\n" +
			"X-Hop: 1\r\nContent-Length: 0\r\n\r\n"), "", []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			look := func(status int, h http.Header) {
				got = append(got, status)
				for _, name := range []string{"Connection", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Proxy-Connection", "X-Hop"} {
					if v, ok := h[name]; ok {
						t.Errorf("%d has %s: %q", status, name, v)
					}
				}
				if v := h.Get("Content-Length"); v != "" && (status < 200 || status == 204) {
					t.Errorf("%d has a length of %s", status, v)
				}
			}
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				Got1xxResponse: func(status int, h textproto.MIMEHeader) error { look(status, http.Header(h)); return nil },
			})
			req, err := http.NewRequestWithContext(ctx, "GET", front.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.version != "" {
				req.Header.Set("Sec-WebSocket-Version", c.version)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			look(resp.StatusCode, resp.Header)
			if fmt.Sprint(got) != fmt.Sprint(c.want) || resp.ProtoMajor != 2 {
				t.Errorf("%s %v, want %v", resp.Proto, got, c.want)
			}
		})
	}
}

// What the gateway alone says of an answer, no target can say, in whichever part of it.
func TestForwardProxy_TargetSetsXFarwireFrom_IsRemoved(t *testing.T) {
	const lie = "X-Farwire-From: gateway\r\nX-Farwire-Node: other\r\n"
	target := newOddTarget(t, "HTTP/1.1 103 Early Hints\r\n"+lie+"\r\nHTTP/1.1 200 OK\r\nTrailer: X-Farwire-From, X-Sum\r\n"+lie+
		"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n"+lie+"X-Sum: 1\r\n\r\n")
	w := newProxyWorld(t, http.NotFoundHandler())
	got := speak(t, w.server.Listener.Addr().String(), fmt.Sprintf("GET http://%s/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nConnection: close\r\n\r\n",
		target.addr, proxyBasic("any", testKey)))
	if strings.Count(got, "X-Farwire-") != 2 || !strings.Contains(got, "X-Farwire-From: target\r\n") || !strings.Contains(got, "\r\nX-Sum: 1\r\n") {
		t.Errorf("%s", got)
	}
}
