//lint:file-ignore SA1019 net/http has no HTTP/2 client for a connection that is dialled already

package farwire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// newProxyWorld is a gateway that serves the forward proxy before a console that
// must never see a proxied request.
func newProxyWorld(t *testing.T, target http.Handler, edit ...func(*farwire.Options)) *world {
	t.Helper()
	w := newPathWorld(t, target, edit...)
	w.server.Config.Handler = w.gw.ForwardProxy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "console")
	}))
	return w
}

// proxied is a client of the forward proxy with these credentials.
func (w *world) proxied(user, password string) *http.Client {
	proxy, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	if user != "" {
		proxy.User = url.UserPassword(user, password)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: plainClient.CheckRedirect}
}

// connect opens a tunnel to addr by CONNECT.
func (w *world) connect(addr, user, password string) (net.Conn, *bufio.Reader, *http.Response) {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	credentials := ""
	if user != "" {
		credentials = "Proxy-Authorization: " + proxyBasic(user, password) + "\r\n"
	}
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", addr, addr, credentials)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		w.t.Fatal(err)
	}
	return conn, br, resp
}

func proxyBasic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// get returns status, header and body of a request.
func get(t *testing.T, c *http.Client, url string) (int, http.Header, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func TestForwardProxy_AbsoluteURL_ChangesNothingButTheHop(t *testing.T) {
	seen := make(chan *http.Request, 1)
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen <- r
		rw.Header().Set("Location", "http://elsewhere.test/x")
		rw.Header().Add("Set-Cookie", "a=1; Domain=t.test; Path=/")
		rw.Header().Set("Strict-Transport-Security", "max-age=1")
		rw.WriteHeader(http.StatusFound)
	}))
	req, err := http.NewRequest("GET", w.target.URL+"/a%2Fb//c?x=%20&y", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + w.host() + "/a%2Fb//c"
	sent := map[string]string{"Origin": "https://app.test", "Referer": "https://app.test/p", "Cookie": "c=1; fw.x=2", "Authorization": "Basic eDp5",
		"X-Api-Key": "theirs", "X-Forwarded-For": "192.0.2.1", "Forwarded": "for=x", "Via": "1.1 a", "User-Agent": "Mozilla/5.0"}
	for name, value := range sent {
		req.Header.Set(name, value)
	}
	req.Header.Set("Proxy-Connection", "keep-alive")
	resp, err := w.proxied("geo=ZZ;session=a", testKey).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r := <-seen
	for name, value := range sent {
		if r.Header.Get(name) != value {
			t.Errorf("the target sees %s: %q, want %q", name, r.Header.Get(name), value)
		}
	}
	if r.RequestURI != "/a%2Fb//c?x=%20&y" || r.Host != w.host() || r.Header.Get("Proxy-Authorization") != "" || r.Header.Get("Proxy-Connection") != "" {
		t.Errorf("the target sees %s %s %v", r.RequestURI, r.Host, r.Header)
	}
	h := resp.Header
	if resp.StatusCode != 302 || h.Get("Location") != "http://elsewhere.test/x" || h.Get("Set-Cookie") != "a=1; Domain=t.test; Path=/" ||
		h.Get("Strict-Transport-Security") == "" || h.Get("Content-Security-Policy") != "" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", resp.StatusCode, h)
	}
	if h.Get("X-Farwire-From") != "target" || h.Get("X-Farwire-Node") == "" {
		t.Errorf("%v", h)
	}
}

func TestForwardProxy_OtherRequest_GoesToNext(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	if code, _, body := get(t, plainClient, w.server.URL+"/x?u=http://a.test/"); code != 200 || body != "console" {
		t.Errorf("%d %s", code, body)
	}
}

func TestForwardProxy_CredentialsMissingOrInvalid_Answers407(t *testing.T) {
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "hello") }))
	open := newProxyWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an open proxy") }), func(o *farwire.Options) { o.Auth = nil })
	for _, c := range []struct {
		w              *world
		user, password string
		status         int
		code           string
	}{
		{w, "anybody", testKey, 200, ""},
		{w, "session=a", testKey, 200, ""},
		{w, "", "", 407, "key_missing"},
		{w, "anybody", "", 407, "key_missing"},
		{w, "anybody", "wrong-key-0123456789", 407, "key_invalid"},
		{w, "key=" + testKey, "wrong-key-0123456789", 407, "key_invalid"},
		{w, "key=" + testKey, testKey, 400, "bad_request"},
		{w, "geo=XX", testKey, 502, "agent_unavailable"},
		{open, "", "", 407, "key_missing"},
		{open, "anybody", testKey, 407, "key_invalid"},
	} {
		status, h, body := get(t, c.w.proxied(c.user, c.password), c.w.target.URL)
		if status != c.status || !strings.Contains(body, c.code) || c.status != 200 && h.Get("X-Farwire-From") != "gateway" {
			t.Errorf("GET as %s:%s: %d %s", c.user, c.password, status, body)
		}
		if (h.Get("Proxy-Authenticate") != "") != (c.status == 407) {
			t.Errorf("GET as %s: %v", c.user, h)
		}
		conn, _, resp := c.w.connect(c.w.host(), c.user, c.password)
		if resp.StatusCode != c.status || (resp.Header.Get("Proxy-Authenticate") != "") != (c.status == 407) {
			t.Errorf("CONNECT as %s:%s: %d %v", c.user, c.password, resp.StatusCode, resp.Header)
		}
		conn.Close()
	}
	// What stands elsewhere is no credential, and nothing is said to those who show none.
	for _, uri := range []string{w.target.URL + "/?api_key=" + testKey, "ftp://x.test/", "http://[/", w.server.URL + "/"} {
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", uri, testKey, testKey)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if bad := strings.HasPrefix(string(answer), "HTTP/1.1 400 Bad Request"); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 407 ") && !(bad && uri == "http://[/") {
			t.Errorf("%s: %s %v", uri, answer, err)
		}
	}
}

func TestForwardProxy_NamedCaller_NeedsNoKey(t *testing.T) {
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "hello") }), func(o *farwire.Options) { o.Auth = nil })
	inner := w.gw.ForwardProxy(http.NotFoundHandler())
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(rw, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"})))
	})
	if status, _, body := get(t, w.proxied("carol", "password of the host's"), w.target.URL); status != 200 || body != "hello" {
		t.Errorf("%d %s", status, body)
	}
}

func TestForwardProxy_Connect_Refusals(t *testing.T) {
	w := newProxyWorld(t, http.NotFoundHandler())
	closed := harness.FreeAddr(t)
	for addr, want := range map[string]int{
		closed: 502, "no-such-name.invalid:443": 502,
		"example.test": 400, "example.test:0": 400, "example.test:99999": 400, "[fe80::1%25eth0]:443": 400, "user@example.test:443": 400, "user:pass@example.test:443": 400,
	} {
		if _, _, resp := w.connect(addr, "any", testKey); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", addr, resp.StatusCode, want)
		}
	}
}

func TestForwardProxy_Guard_HoldsForEverySpelling(t *testing.T) {
	canary := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the guard let a request through") })
	w := newProxyWorld(t, canary, func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{}) })
	_, port, err := net.SplitHostPort(w.host())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range guardSpellings {
		conn, _, resp := w.connect(host+":"+port, "any", testKey)
		conn.Close()
		if resp.StatusCode < 400 || resp.StatusCode == 407 {
			t.Errorf("CONNECT %s: %d", host, resp.StatusCode)
		}
		if status, _, body := get(t, w.proxied("any", testKey), "http://"+host+":"+port+"/"); status < 400 || status == 407 {
			t.Errorf("GET %s: %d %s", host, status, body)
		}
	}
}

func TestForwardProxy_WebSocket_OfAnAbsoluteURL(t *testing.T) {
	seen := make(chan http.Header, 1)
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		ws, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		kind, b, err := ws.Read(r.Context())
		if err == nil {
			ws.Write(r.Context(), kind, b)
			ws.Close(websocket.StatusNormalClosure, "")
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, w.target.URL+"/socket", &websocket.DialOptions{HTTPClient: w.proxied("any", testKey),
		HTTPHeader: http.Header{"Origin": {"https://app.test"}, "Cookie": {"a=1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if h := <-seen; h.Get("Origin") != "https://app.test" || h.Get("Cookie") != "a=1" || h.Get("Proxy-Authorization") != "" {
		t.Errorf("the target sees %v", h)
	}
	if resp.Header.Get("X-Farwire-From") != "target" || resp.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("%v", resp.Header)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := ws.Read(ctx); err != nil || string(b) != "hello" {
		t.Errorf("%q %v", b, err)
	}
	w.log.Await(t, "kind=relay", "subject=alice")
}

func TestForwardProxy_HTTP2Connect_CarriesBytes(t *testing.T) {
	w := newProxyWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "target") }))
	front := httptest.NewUnstartedServer(w.server.Config.Handler)
	front.EnableHTTP2 = true
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	front.StartTLS()
	t.Cleanup(front.Close)
	tr := &http2.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	raw, err := tls.Dial("tcp", front.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "proxy.test", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	cc, err := tr.NewClientConn(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })

	// A request for another host than that of the handshake is a proxied one.
	for credentials, want := range map[string]string{"": "407 ", proxyBasic("any", testKey): "200 target"} {
		req, err := http.NewRequest("GET", w.target.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if credentials != "" {
			req.Header.Set("Proxy-Authorization", credentials)
		}
		resp, err := cc.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, body); !strings.HasPrefix(got, want) {
			t.Errorf("%s; want %s", got, want)
		}
	}
	if resp, err := front.Client().Get(front.URL); err != nil || resp.StatusCode != 200 {
		t.Errorf("a plain request: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}

	connect := func(addr, credentials string) (*http.Response, *io.PipeWriter) {
		pr, pw := io.Pipe()
		req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Scheme: "https", Host: addr}, Host: addr, Header: http.Header{}, Body: pr, ContentLength: -1}
		if credentials != "" {
			req.Header.Set("Proxy-Authorization", credentials)
		}
		resp, err := cc.RoundTrip(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		return resp, pw
	}
	target := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	resp, pw := connect(target, "")
	if pw.Close(); resp.StatusCode != 407 {
		t.Errorf("%d", resp.StatusCode)
	}
	resp.Body.Close()
	// Half-close of the client's: the echo comes whole, then the end.
	resp, pw = connect(target, proxyBasic("any", testKey))
	if resp.StatusCode != 200 {
		t.Fatalf("%d", resp.StatusCode)
	}
	large := strings.Repeat("0123456789abcdef", 1<<15)
	go func() {
		io.WriteString(pw, large)
		pw.Close()
	}()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != large {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	resp.Body.Close()
	w.log.Await(t, "kind=tunnel", "ended_by=client", "code=200 cause=\"\"", fmt.Sprintf("bytes_to_client=%d", len(large)))
	// The end of the target's is an end, too; a cut is not.
	resp, pw = connect(newTCPTarget(t, func(c *net.TCPConn) { io.WriteString(c, "bye") }), proxyBasic("any", testKey))
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "bye" {
		t.Errorf("%q %v", b, err)
	}
	pw.Close()
	resp.Body.Close()
	resp, pw = connect(target, proxyBasic("any", testKey))
	w.gw.EndWhere(func(s farwire.Session) bool { return s.Kind == farwire.KindTunnel }, "ended by request")
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a cut looks like an end: %q", b)
	}
	pw.Close()
	resp.Body.Close()
}

// A reverse proxy may ask for any host over one TLS connection, and says in a header that it
// is one. Without it a foreign host means a proxied request.
func TestForwardProxy_ForeignHostOverTLS_IsProxiedUnlessAProxySaysWhose(t *testing.T) {
	w := newWorld(t)
	h := w.gw.ForwardProxy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for name, want := range map[string]int{"": http.StatusProxyAuthRequired, "X-Forwarded-For": http.StatusTeapot, "Forwarded": http.StatusTeapot} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.ProtoMajor, r.ProtoMinor, r.Host, r.TLS = 2, 0, "other.example", &tls.ConnectionState{ServerName: "gw.example.com"}
		r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{TLSConfig: new(tls.Config)}))
		if name != "" {
			r.Header.Set(name, "for=192.0.2.1")
		}
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != want {
			t.Errorf("with %q: %d, want %d", name, rec.Code, want)
		}
	}
}
