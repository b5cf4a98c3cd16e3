package farwire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestPathForm_Refused_AnswersStatusAndCode(t *testing.T) {
	closed := harness.FreeAddr(t)
	garbage := newRawTarget(t, func(conn net.Conn, _ string) { io.WriteString(conn, "SSH-2.0-x\r\n\r\n") })
	silent := newRawTarget(t, func(conn net.Conn, _ string) {})
	w := newPathWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(o *farwire.Options) {
		exit := direct(t, agent.DirectOptions{AllowPrivate: true})
		dial := exit.DialContext
		exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "hang.test:80" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, network, addr)
		}
		o.Agents = exit
	})
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/to/proxy=x/http/a/": {400, "bad_request"},
		"/to/-":               {400, "bad_request"},
		"/to/key=" + testKey + "/http/" + closed + "/":                                {502, "target_unreachable"},
		"/to/key=" + testKey + "/https/" + w.host() + "/":                             {502, "tls_failed"},
		"/to/key=" + testKey + "/http/" + strings.TrimPrefix(garbage, "ws://"):        {502, "target_refused"},
		"/to/key=" + testKey + "/http/" + strings.TrimPrefix(silent, "ws://"):         {502, "target_lost"},
		"/to/key=" + testKey + ";agent=de9/http/" + w.host() + "/":                    {502, "agent_unavailable"},
		"/to/key=" + testKey + ";timeout=0.05/http/hang.test/":                        {504, "target_timeout"},
		"/to/key=" + testKey + ";idle_timeout=0.05/http/" + newHangingTarget(t) + "/": {504, "target_timeout"},
	} {
		req := w.request("GET", "/", nil, "Origin: https://app.test")
		req.URL.Opaque = path
		resp, body := w.fetch(req)
		if resp.StatusCode != want.status || !strings.Contains(body, `"code":"`+want.code+`"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != "https://app.test" || resp.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	guarded := newPathWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the guard let a request through") }), func(o *farwire.Options) {
		o.Agents = direct(t, agent.DirectOptions{})
	})
	for _, host := range []string{guarded.host(), "localhost", "127.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0", "10.0.0.1", "[64:ff9b::7f00:1]"} {
		req := guarded.request("GET", "/", nil)
		req.URL.Opaque = "/to/key=" + testKey + "/http/" + host + "/"
		if resp, body := guarded.fetch(req); resp.StatusCode < 400 {
			t.Errorf("%s: %d %s", host, resp.StatusCode, body)
		}
	}
}

// newHangingTarget is a target that takes connections and never answers.
func newHangingTarget(t *testing.T) string {
	t.Helper()
	return strings.TrimSuffix(strings.TrimPrefix(newRawTarget(t, func(conn net.Conn, _ string) { io.Copy(io.Discard, conn) }), "ws://"), "/")
}

func TestPathForm_ExitLost_AnotherTakesOver(t *testing.T) {
	var tried []string
	var mu sync.Mutex
	bad := agent.Exit{ID: "farwire-aa1", Slug: "aa1", Country: "AA", DialContext: func(context.Context, string, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		tried = append(tried, "aa1")
		return nil, &agent.DialError{Fault: agent.FaultAgent, Err: io.ErrUnexpectedEOF}
	}}
	good := direct(t, agent.DirectOptions{Slug: "bb1", Country: "BB", AllowPrivate: true})
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.Copy(rw, r.Body) }), func(o *farwire.Options) {
		o.Agents = selectFunc(func(_ context.Context, q agent.Query) (agent.Exit, error) {
			if len(q.Exclude) == 0 {
				return bad, nil
			}
			return good, nil
		})
	})
	resp, body := w.fetch(w.request("POST", "/", strings.NewReader("hello")))
	if resp.StatusCode != 200 || body != "hello" || resp.Header.Get("X-Farwire-Node") != good.ID || len(tried) == 0 {
		t.Errorf("%d %q %v; tried %v", resp.StatusCode, body, resp.Header, tried)
	}
}

type selectFunc func(context.Context, agent.Query) (agent.Exit, error)

func (f selectFunc) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	return f(ctx, q)
}

func TestPathForm_Drain_FinishesWhatRuns(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		io.WriteString(rw, "whole")
	}))
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	go func() {
		resp, body := w.fetch(w.request("GET", "/", nil))
		answers <- answer{resp.StatusCode, body}
	}()
	<-begun
	drained := make(chan error, 1)
	go func() { drained <- w.gw.Shutdown(t.Context()) }()
	waitFor(t, func() bool { return w.gw.Stats().Draining })
	if resp, _ := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != 503 {
		t.Errorf("a new one: %d, want 503", resp.StatusCode)
	}
	close(end)
	if a := <-answers; a != (answer{200, "whole"}) {
		t.Errorf("%+v", a)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestPathForm_EndedByRequest_GetsAnErrorOrIsCut(t *testing.T) {
	begun := make(chan struct{}, 2)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			io.WriteString(rw, "part")
			http.NewResponseController(rw).Flush()
		} else {
			begun <- struct{}{}
		}
		<-r.Context().Done()
	}))
	for path, want := range map[string]string{"/": `503 {"detail":"ended by request","code":"ended"} <nil>`, "/begun": "200 part unexpected EOF"} {
		done := make(chan string, 1)
		go func() {
			resp, err := plainClient.Do(w.request("GET", path, nil))
			if err != nil {
				done <- err.Error()
				return
			}
			defer resp.Body.Close()
			part := make([]byte, 4)
			io.ReadFull(resp.Body, part)
			if path == "/begun" {
				begun <- struct{}{}
			}
			rest, err := io.ReadAll(resp.Body)
			done <- fmt.Sprintf("%d %s%s %v", resp.StatusCode, part, rest, err)
		}()
		<-begun
		if n := w.gw.EndWhere(func(s farwire.Session) bool { return s.Kind == farwire.KindHTTP }, "ended by request"); n != 1 {
			t.Errorf("%d sessions were ended", n)
		}
		if got := <-done; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestPathForm_Log_HasALineForEach(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		rw.WriteHeader(http.StatusNotFound)
		io.WriteString(rw, "gone")
	}))
	w.fetch(w.request("POST", "/secret?token=secret", strings.NewReader("12345")))
	waitUntil(t, "the log line", func() bool { return strings.Contains(w.log.String(), "session ended") })
	line := w.log.String()
	for _, want := range []string{"kind=http", "subject=alice", "target=" + w.host(), "ended_by=target", "code=404", "bytes_to_target=5", "bytes_to_client=4"} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	if strings.Contains(line, "secret") || strings.Contains(line, testKey) {
		t.Errorf("a secret is in %s", line)
	}
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A connection, with whatever a target ties to it, serves one caller alone.
func TestPathForm_ClientLeavesBeforeTheAnswer_IsItsOwnEnd(t *testing.T) {
	asked := make(chan struct{}, 1)
	w := newPathWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	resp, err := plainClient.Do(w.request("GET", "/poll", nil).WithContext(ctx))
	if err == nil {
		resp.Body.Close()
		t.Fatalf("answered %s", resp.Status)
	}
	w.log.Await(t, "ended_by=client", "code=0", `cause="the client left"`)
	if strings.Contains(w.log.String(), "WARN") {
		t.Errorf("an operator is warned: %s", w.log)
	}
}

func TestPathForm_Connections_AreKeptPerCallerAndSession(t *testing.T) {
	var opened atomic.Int32
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.RemoteAddr) }))
	target.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	target.Start()
	defer target.Close()
	w := newPathWorld(t, http.NotFoundHandler())
	peers := map[string]string{}
	for _, options := range []string{"key=" + testKey, "key=" + otherKey, "session=a;key=" + testKey} {
		for range 3 {
			req := w.request("GET", "/", nil)
			req.URL.Opaque = "/to/" + options + "/http/" + strings.TrimPrefix(target.URL, "http://") + "/"
			_, peer := w.fetch(req)
			if was, ok := peers[options]; ok && was != peer {
				t.Errorf("%s: another connection", options)
			}
			peers[options] = peer
		}
	}
	if opened.Load() != 3 {
		t.Errorf("%d connections, %v", opened.Load(), peers)
	}
}

func TestPathForm_TLSTarget_SpeaksHTTP2(t *testing.T) {
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintf(rw, "%s %s", r.Proto, r.RequestURI) }))
	target.EnableHTTP2 = true
	target.StartTLS()
	defer target.Close()
	roots := x509.NewCertPool()
	roots.AddCert(target.Certificate())
	w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.RootCAs = roots })
	for _, path := range []string{"/a%2Fb?c", "//double//x?y"} {
		req := w.request("GET", "/", nil)
		req.URL.Opaque = "/to/key=" + testKey + "/https/" + strings.TrimPrefix(target.URL, "https://") + path
		if _, body := w.fetch(req); body != "HTTP/2.0 "+path {
			t.Errorf("%s: %s", path, body)
		}
	}
	// And clients of HTTP/2, where TLS is the gateway's.
	front := httptest.NewUnstartedServer(w.gw.PathForm())
	front.EnableHTTP2 = true
	front.StartTLS()
	defer front.Close()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: poolOf(front.Certificate())}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(front.URL + "/to/key=" + testKey + "/https/" + strings.TrimPrefix(target.URL, "https://") + "/h2")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.ProtoMajor != 2 || string(body) != "HTTP/2.0 /h2" {
		t.Errorf("%s %s %v", resp.Proto, body, err)
	}
}

func poolOf(c *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c)
	return p
}

func TestPathForm_OtherUpgrades_AreNotPassed(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%q %q", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
	}))
	_, body := w.fetch(w.request("GET", "/", nil, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"))
	if body != `"" ""` {
		t.Errorf("the target sees %s", body)
	}
}

func TestPathForm_WebSocket_IsTheDirectForm(t *testing.T) {
	heads := make(chan *http.Request, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		heads <- r
		if r.URL.Path == "/no" {
			rw.Header().Set("Content-Type", "text/plain")
			http.Error(rw, "not here", http.StatusForbidden)
			return
		}
		http.SetCookie(rw, &http.Cookie{Name: "sid", Value: "1"})
		c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{"b"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		kind, msg, err := c.Read(r.Context())
		if err != nil {
			t.Error(err)
			return
		}
		c.Write(r.Context(), kind, bytes.ToUpper(msg))
		c.Close(4001, "enough")
	}))
	header := http.Header{"Origin": {w.target.URL}, "X-Mine": {"1"}, "X-Forwarded-For": {"1.2.3.4"}, "Cookie": {"host=secret"}, "User-Agent": {"probe"}}
	header.Set("Origin", "https://app.test")
	c, resp, err := websocket.Dial(t.Context(), w.url("/socket.io//?api_key=theirs&transport=websocket"), &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{"a", "b"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	r := <-heads
	if r.RequestURI != "/socket.io//?api_key=theirs&transport=websocket" || r.Header.Get("Origin") != w.target.URL || r.Header.Get("X-Mine") != "1" ||
		r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("User-Agent") != "probe" || r.Host != w.host() ||
		!strings.Contains(r.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		t.Errorf("the target sees %s %v", r.RequestURI, r.Header)
	}
	if c.Subprotocol() != "b" || resp.Header.Get("X-Farwire-Node") == "" || !strings.HasPrefix(resp.Header.Get("Set-Cookie"), "fw.") {
		t.Errorf("%q %v", c.Subprotocol(), resp.Header)
	}
	text := strings.Repeat("hello ", 500)
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	if _, msg, err := c.Read(t.Context()); err != nil || string(msg) != strings.ToUpper(text) {
		t.Errorf("%d bytes, %v", len(msg), err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != 4001 {
		t.Error(err)
	}
	_, resp, err = websocket.Dial(t.Context(), w.url("/no"), nil)
	if err == nil || resp == nil || resp.StatusCode != 403 || resp.Header.Get("X-Farwire-From") != "target" {
		t.Errorf("refused: %v %v", resp, err)
	}
	<-heads
}

// A token for a page opens one target, also where a connection to another one
// of the same key is kept.
func TestPathForm_HostsRule_HoldsForEachRequest(t *testing.T) {
	var asked atomic.Int32
	var closed atomic.Bool
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {}), func(o *farwire.Options) {
		o.Allow = func(_ context.Context, p farwire.Principal, target farwire.Target) error {
			asked.Add(1)
			if closed.Load() || target.Kind != farwire.KindHTTP || p.Subject != "alice" {
				return &farwire.Refusal{Message: "not today"}
			}
			return nil
		}
	})
	if resp, body := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != 200 || asked.Load() == 0 {
		t.Errorf("%d %s, asked %d times", resp.StatusCode, body, asked.Load())
	}
	closed.Store(true)
	if resp, body := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != 403 || !strings.Contains(body, "not today") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
