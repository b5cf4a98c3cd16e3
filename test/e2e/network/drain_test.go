package network_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A drained is what a test has open at a gateway that is told to stop, through an agent of
// another process.
type drained struct {
	t        *testing.T
	g        *harness.Gateway
	socks    string
	ws       string        // an echo
	http     string        // streams "begun", and "ended" when released
	hangs    string        // answers nothing
	released chan struct{} // closed
	tcp      string        // host:port of an echo
	mute     net.Addr      // takes connections and says nothing
}

func newDrained(t *testing.T) *drained {
	t.Helper()
	d := &drained{t: t, released: make(chan struct{})}
	d.ws, _ = target(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			<-r.Context().Done()
			return
		}
		if r.URL.Path != "/stream" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "begun\n")
		http.NewResponseController(w).Flush()
		select {
		case <-d.released:
			io.WriteString(w, "ended\n")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	d.http, d.hangs = server.URL+"/stream", server.URL+"/hangs"
	d.tcp = d.listen(func(c net.Conn) { io.Copy(c, c) }).String()
	d.mute = d.listen(func(c net.Conn) { io.Copy(io.Discard, c) })
	d.g = serve(t, "--socks-listen", "127.0.0.1:0", "--drain-timeout", "60s")
	d.socks = d.g.Await(d.g.Stderr, `listening for SOCKS5" addr=(\S+)`)[1]
	return d
}

func (d *drained) listen(handle func(net.Conn)) net.Addr {
	d.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return ln.Addr()
}

// dial opens a WebSocket at a path of the gateway's.
func (d *drained) dial(path string) *session {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, d.g.WS(path), &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {d.g.Key}}})
	if err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	d.t.Cleanup(func() { conn.CloseNow() })
	return &session{t: d.t, conn: conn, node: "farwire-de1"}
}

// ask makes a request; its answer is read by the caller.
func (d *drained) ask(method, path, body string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.g.HTTP(path), strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", d.g.Key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	d.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// A tunnel is a connection that a proxy of the gateway's has opened.
type tunnel struct {
	net.Conn
	r *bufio.Reader
}

func (d *drained) connection(addr string) *tunnel {
	d.t.Helper()
	conn, err := net.DialTimeout("tcp", addr, harness.Timeout)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * harness.Timeout))
	return &tunnel{conn, bufio.NewReader(conn)}
}

// connect asks for a tunnel by CONNECT.
func (d *drained) connect() (*tunnel, *http.Response) {
	d.t.Helper()
	c := d.connection(d.g.Addr)
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: d.tcp}, Host: d.tcp, Header: http.Header{}}
	req.SetBasicAuth("any", d.g.Key)
	req.Header["Proxy-Authorization"] = req.Header["Authorization"]
	delete(req.Header, "Authorization")
	if err := req.Write(c); err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.r, req)
	if err != nil {
		d.t.Fatal(err)
	}
	return c, resp
}

// connectSOCKS asks for one by SOCKS5 (RFC 1928, 1929) and returns the reply, -1 when the
// connection is not taken.
func (d *drained) connectSOCKS() (c *tunnel, reply int) {
	d.t.Helper()
	conn, err := net.DialTimeout("tcp", d.socks, harness.Timeout)
	if err != nil {
		return nil, -1
	}
	conn.Close()
	c = d.connection(d.socks)
	addr, err := net.ResolveTCPAddr("tcp", d.tcp)
	if err != nil {
		d.t.Fatal(err)
	}
	answer := make([]byte, 10)
	steps := []struct {
		say  string
		want int
	}{
		{"\x05\x01\x02", 2},
		{"\x01\x03any" + string(rune(len(d.g.Key))) + d.g.Key, 2},
		{"\x05\x01\x00\x01" + string(addr.IP.To4()) + string([]byte{byte(addr.Port >> 8), byte(addr.Port)}), 10},
	}
	for _, step := range steps {
		if _, err := io.WriteString(c, step.say); err != nil {
			return c, -1
		}
		if _, err := io.ReadFull(c.r, answer[:step.want]); err != nil {
			return c, -1
		}
	}
	return c, int(answer[1])
}

func (c *tunnel) mustEcho(t *testing.T, what string) {
	t.Helper()
	if _, err := io.WriteString(c, what+"\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.r.ReadString('\n'); err != nil || line != what+"\n" {
		t.Fatalf("%s: the echo is %q, %v", what, line, err)
	}
}

// pathOf is the path form of a target.
func pathOf(target string) string { return "/to/-/" + strings.Replace(target, "://", "/", 1) }

// SIGTERM comes while a session of each kind runs, through an agent of another process.
// Relays get 1001, streams and crawls an error that says why, requests and tunnels go on
// to their own end; what is new is refused. The gateway ends with status 0 and the agent
// links to whoever comes next.
func TestDrain_EveryKind_EndsInItsOwnWords(t *testing.T) {
	t.Parallel()
	d := newDrained(t)
	agent := startAgent(t, d.g, "de1")

	relays := map[string]*session{"message form": open(t, d.g, d.ws),
		"direct form": d.dial("/ws?url=" + url.QueryEscape(d.ws)), "path form": d.dial(pathOf(d.ws))}
	for _, s := range relays {
		s.mustEcho()
	}
	request := d.ask(http.MethodGet, pathOf(d.http), "")
	body := bufio.NewReader(request.Body)
	if line, err := body.ReadString('\n'); err != nil || line != "begun\n" {
		t.Fatalf("the request: %q, %v", line, err)
	}
	byCONNECT, resp := d.connect()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %s", resp.Status)
	}
	bySOCKS, reply := d.connectSOCKS()
	if reply != 0 {
		t.Fatalf("SOCKS: %d", reply)
	}
	tunnels := map[string]*tunnel{"CONNECT": byCONNECT, "SOCKS": bySOCKS}
	for name, c := range tunnels {
		c.mustEcho(t, name)
	}
	broker := d.mute.(*net.TCPAddr)
	stream := d.ask(http.MethodPost, "/amqp", fmt.Sprintf(`{"host": "127.0.0.1", "port": %d}`, broker.Port))
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("AMQP: %s", stream.Status)
	}
	crawl := d.dial("/ws/crawl?api_key=" + d.g.Key)
	if err := crawl.conn.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"url": %q}`, d.hangs)); err != nil {
		t.Fatal(err)
	}
	waiting := d.dial("/ws")
	await(t, d.g, 8) // all but the one that waits

	d.g.Signal(harness.Terminate)
	for name, s := range relays {
		if code := s.closed(); code != websocket.StatusGoingAway {
			t.Errorf("%s: closed with %d, want 1001", name, code)
		}
	}
	if _, b, err := waiting.conn.Read(t.Context()); err != nil || !strings.Contains(string(b), `"code":"draining"`) {
		t.Errorf("one that has not sent its message: %s, %v", b, err)
	} else if code := waiting.closed(); code != websocket.StatusGoingAway {
		t.Errorf("one that has not sent its message is closed with %d", code)
	}
	if events, err := io.ReadAll(stream.Body); err != nil || !strings.HasSuffix(strings.TrimSpace(string(events)),
		`data: {"message": "the gateway is draining", "code": 1001, "reason": "draining"}`) {
		t.Errorf("the stream ends with %q, %v", events, err)
	}
	var last struct{ Type, Content, Reason string }
	for {
		_, b, err := crawl.conn.Read(t.Context())
		if err != nil {
			if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway || last.Type != "error" || last.Reason != "draining" {
				t.Errorf("the crawl closed with %d after %+v", code, last)
			}
			break
		}
		if err := json.Unmarshal(b, &last); err != nil {
			t.Fatal(err)
		}
	}

	// Nothing new is taken.
	refused := map[string]*http.Response{"AMQP": d.ask(http.MethodPost, "/amqp", fmt.Sprintf(`{"host": "127.0.0.1", "port": %d}`, broker.Port)),
		"request": d.ask(http.MethodGet, pathOf(d.http), "")}
	for _, path := range []string{"/ws", "/ws?url=" + url.QueryEscape(d.ws), pathOf(d.ws), "/ws/crawl?api_key=" + d.g.Key} {
		ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
		conn, resp, err := websocket.Dial(ctx, d.g.WS(path), &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {d.g.Key}}})
		cancel()
		if err == nil {
			conn.CloseNow()
			t.Errorf("a new %s is opened", path)
			continue
		}
		refused[path] = resp
	}
	for what, resp := range refused {
		var refusal struct{ Code string }
		if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil || resp.StatusCode != http.StatusServiceUnavailable ||
			resp.Header.Get("Retry-After") == "" || refusal.Code != "draining" {
			t.Errorf("a new %s: %s, Retry-After %q, code %q, %v", what, resp.Status, resp.Header.Get("Retry-After"), refusal.Code, err)
		}
	}
	if _, resp := d.connect(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new CONNECT: %s", resp.Status)
	}
	if _, reply := d.connectSOCKS(); reply == 0 {
		t.Error("a new tunnel by SOCKS is opened")
	}

	// What has an end of its own comes to it.
	for name, c := range tunnels {
		c.mustEcho(t, name+" while draining")
		c.Close()
	}
	close(d.released)
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "ended\n" {
		t.Errorf("the request ends with %q, %v", rest, err)
	}
	if status := d.g.Status(); status != 0 {
		t.Errorf("status %d:\n%s", status, d.g.Stderr)
	}
	for _, kind := range []string{"relay", "amqp", "crawl"} {
		d.g.Await(d.g.Stderr, `msg="session ended" .*kind=`+kind+` .*cause="?(?:the gateway is )?draining"?`)
	}
	for _, kind := range []string{"http", "tunnel"} {
		d.g.Await(d.g.Stderr, `msg="session ended" .*kind=`+kind+` .*cause=""`)
	}
	for _, wrong := range []string{"EOF", "level=ERROR", "level=WARN"} {
		if strings.Contains(d.g.Stderr.String(), wrong) {
			t.Errorf("the gateway's log has %s:\n%s", wrong, d.g.Stderr)
		}
	}
	select {
	case <-agent.Done():
		t.Error("the agent has ended")
	default:
	}
}

// await waits until the gateway's key has so many sessions.
func await(t *testing.T, g *harness.Gateway, n int) {
	t.Helper()
	for end := time.Now().Add(harness.Timeout); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodGet, g.HTTP("/sessions"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", g.Key)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Sessions []struct{ Kind string } }
		err = json.NewDecoder(resp.Body).Decode(&list)
		resp.Body.Close()
		if err == nil && len(list.Sessions) >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d sessions never run: %+v, %v", n, list, err)
		}
	}
}
