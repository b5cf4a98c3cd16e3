package farwire_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// attachedPools returns the pool that holds an agent with these options, and one that
// reaches it over a hop.
func attachedPools(t *testing.T, o agent.RunOptions) (holder, near *agent.Pool) {
	t.Helper()
	d := new(agent.LocalDirectory)
	secrets := func() [][]byte { return [][]byte{[]byte("a secret that the gateways of this cluster share")} }
	join := func(name string) (*agent.Pool, string) {
		p, err := agent.NewPool(agent.PoolOptions{Secret: attachSecret, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(p)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			p.Shutdown(ctx)
			srv.Close()
		})
		if err := p.Join(agent.ClusterOptions{Name: name, URL: func() string { return srv.URL }, Secrets: secrets, Directory: d}); err != nil {
			t.Fatal(err)
		}
		return p, srv.URL
	}
	holder, url := join("holder")
	near, _ = join("near")
	o.Gateways, o.Secret, o.Slug, o.Country, o.Logger = []string{url}, attachSecret, "de1", "DE", slog.New(slog.DiscardHandler)
	o.DrainTimeout = -1
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, p := range []*agent.Pool{holder, near} {
		wait, cancel := context.WithTimeout(t.Context(), testTimeout)
		if err := p.WaitReady(wait); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	makeHop(t, near)
	return holder, near
}

// makeHop dials through the one exit of a pool until its agent answers, since a first hop
// may take longer than a dial waits for it. What the dial failed with does not count
// against the exit.
func makeHop(t *testing.T, p *agent.Pool) {
	t.Helper()
	const host = "127.0.0.1"
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	exit, err := p.SelectAgent(ctx, agent.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := exit.DialContext(ctx, "tcp", host+":1")
		if err == nil {
			conn.Close()
		}
		if !agent.IsFault(err, agent.FaultAgent) {
			break // refused or not allowed, which the agent says
		}
		if ctx.Err() != nil {
			t.Fatalf("no hop within %v: %v", testTimeout, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	exit.Report(host, nil)
}

// A hopCase is what one agent and one key make of a request.
type hopCase struct {
	agent       agent.RunOptions
	allow, deny []string
	url, more   string // of the message form
	code        string // empty: connected
	says        string // part of the message
}

// asks has the gateway of w answer the case in each form that can say it, and returns
// what came: the message of the message form first.
func (c hopCase) asks(w *world) (answers []string) {
	w.t.Helper()
	p := w.open("/ws")
	p.ask(c.url, c.more)
	first := p.next()
	answers = append(answers, string(first.payload))
	if strings.Contains(answers[0], "connected") {
		p.text("to and fro")
		p.wantText("to and fro")
		p.close(1000, "")
		p.wantClose(1000, "")
	} else {
		answers = append(answers, p.next().String())
	}
	if c.more != "" {
		return answers
	}
	forms := w.also(w.gw.PathForm())
	direct := forms.try("/to/-/"+strings.Replace(c.url, "://", "/", 1), "X-API-Key: "+testKey)
	answers = append(answers, describe(direct.resp))
	host := strings.TrimSuffix(strings.TrimPrefix(c.url, "ws://"), "/")
	if !strings.Contains(host, ":") {
		return answers
	}
	tunnels := w.also(w.gw.ForwardProxy(http.NotFoundHandler()))
	conn, err := tunnels.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	auth := base64.StdEncoding.EncodeToString([]byte("x:" + testKey))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: Basic %s\r\n\r\n", host, auth)
	answer, err := io.ReadAll(io.LimitReader(conn, int64(len("HTTP/1.1 200"))))
	if err != nil {
		w.t.Fatal(err)
	}
	answers = append(answers, string(answer))

	// A broker and a site that are refused, or cannot be reached, are refused as well.
	if c.code == "" || c.code == "target_refused" || c.code == "target_timeout" {
		return answers
	}
	name, port, _ := net.SplitHostPort(host)
	req, err := http.NewRequest(http.MethodPost, "http://"+w.ln.Addr().String()+"/amqp",
		strings.NewReader(fmt.Sprintf(`{"host":%q,"port":%s,"exchange":"e"}`, name, port)))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", testKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	events, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	answers = append(answers, string(events[max(0, bytes.Index(events, []byte("event:"))):]))
	crawl := w.open("/ws/crawl?api_key=" + testKey)
	crawl.frame(opText, true, []byte(`{"url":"http://`+host+`/"}`))
	for {
		f := crawl.next()
		if f.op == opClose || strings.Contains(string(f.payload), `"error"`) {
			answers = append(answers, f.String())
		}
		if f.op == opClose {
			return answers
		}
	}
}

// describe is the status of an answer and, of one of the gateway's own, its body.
func describe(resp *http.Response) string {
	if resp.Header.Get("X-Farwire-From") != "gateway" {
		return resp.Status
	}
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%s %s %v", resp.Status, body, err)
}

// The guard, the rules of a key, the client's proxy, look-ups and the names of faults are
// the same whether the agent is linked to the gateway or reached over a hop.
func TestHop_GuardRulesProxyAndFaults_AreThoseOfALink(t *testing.T) {
	open := newTarget(t, echo)
	addr := strings.TrimSuffix(strings.TrimPrefix(open, "ws://"), "/")
	_, port, _ := net.SplitHostPort(addr)
	closed := harness.FreeAddr(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil // two answers are to be the same
		http.Error(w, "this is no WebSocket", http.StatusTeapot)
	}))
	t.Cleanup(page.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	names := nameTable{"inside.test": {"127.0.0.1"}, "private.test": {"10.0.0.1", "192.168.1.1"}, "metadata.test": {"169.254.169.254"}}
	connect, socks := newConnectProxy(t, ""), newSOCKS5(t, "us er:p@ss")
	connect.redirect, socks.redirect = addr, addr
	anywhere := agent.RunOptions{AllowPrivate: true, Resolver: names}
	guarded := agent.RunOptions{Resolver: names}
	ports, denies := anywhere, anywhere
	ports.AllowPorts = []agent.PortRange{{First: 1, Last: 1}}
	denies.Policy.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

	for name, c := range map[string]hopCase{
		"connected":                {agent: anywhere, url: open},
		"name known to the agent":  {agent: anywhere, url: "ws://inside.test:" + port + "/"},
		"name unknown":             {agent: anywhere, url: "ws://unknown.test:" + port + "/", code: "target_unreachable"},
		"port closed":              {agent: anywhere, url: "ws://" + closed + "/", code: "target_unreachable", says: "connection refused"},
		"target answers otherwise": {agent: anywhere, url: strings.Replace(page.URL, "http", "ws", 1) + "/", code: "target_refused"},
		"target without TLS":       {agent: anywhere, url: "wss://" + addr + "/", more: `"insecure":false`, code: "tls_failed"},
		"target silent":            {agent: anywhere, url: "ws://" + silent.Addr().String() + "/", more: `"timeout":1`, code: "target_timeout"},

		"loopback":               {agent: guarded, url: open, code: "target_forbidden", says: "--allow-private"},
		"loopback, mapped":       {agent: guarded, url: "ws://[::ffff:127.0.0.1]:" + port + "/", code: "target_forbidden", says: "--allow-private"},
		"name with private ones": {agent: guarded, url: "ws://private.test:80/", code: "target_forbidden", says: "--allow-private"},
		"name of metadata":       {agent: guarded, url: "ws://metadata.test:80/", code: "target_forbidden"},
		"port not allowed":       {agent: ports, url: open, code: "target_forbidden", says: "--allow-ports"},
		"denied at the agent":    {agent: denies, url: open, code: "target_forbidden"},

		"key denies the address":        {agent: anywhere, deny: []string{"127.0.0.0/8"}, url: open, code: "target_forbidden", says: "is not allowed to this key"},
		"key denies the name's address": {agent: anywhere, deny: []string{"127.0.0.1"}, url: "ws://inside.test:" + port + "/", code: "target_forbidden", says: "is not allowed to this key"},
		"key denies another port":       {agent: anywhere, deny: []string{"127.0.0.0/8:1"}, url: open},
		"key allows the address":        {agent: anywhere, allow: []string{"127.0.0.0/8"}, url: "ws://inside.test:" + port + "/"},
		"key allows another":            {agent: anywhere, allow: []string{"10.0.0.0/8"}, url: open, code: "target_forbidden", says: "is not allowed to this key"},
		"key allows the name":           {agent: anywhere, allow: []string{"*.test"}, url: "ws://inside.test:" + port + "/"},
		"key denies the name":           {agent: anywhere, deny: []string{"inside.test"}, url: "ws://inside.test:" + port + "/", code: "target_forbidden", says: "is not allowed to this key"},

		"proxy":                     {agent: anywhere, url: "ws://unknown.test/", more: `"proxy":"http://` + connect.addr + `"`},
		"SOCKS proxy":               {agent: anywhere, url: "ws://unknown.test/", more: `"proxy":"socks5://us%20er:p%40ss@` + socks.addr + `"`},
		"proxy's password wrong":    {agent: anywhere, url: "ws://unknown.test/", more: `"proxy":"socks5://user:wrong@` + socks.addr + `"`, code: "proxy_failed"},
		"proxy closed":              {agent: anywhere, url: "ws://unknown.test/", more: `"proxy":"http://` + closed + `"`, code: "proxy_failed", says: "connection refused"},
		"proxy on loopback":         {agent: guarded, url: "ws://unknown.test/", more: `"proxy":"http://` + connect.addr + `"`, code: "target_forbidden", says: "--allow-private"},
		"proxy, target private":     {agent: guarded, url: "ws://private.test/", more: `"proxy":"http://203.0.113.1:1"`, code: "target_forbidden", says: "--allow-private"},
		"proxy, key denies":         {agent: anywhere, deny: []string{"10.0.0.0/8"}, url: "ws://private.test/", more: `"proxy":"http://` + connect.addr + `"`, code: "target_forbidden", says: "is not allowed to this key"},
		"proxy, key's name unknown": {agent: anywhere, deny: []string{"10.0.0.0/8"}, url: "ws://unknown.test/", more: `"proxy":"http://` + connect.addr + `"`, code: "target_forbidden", says: "is not allowed to this key"},
		"proxy denied by the key":   {agent: anywhere, deny: []string{"127.0.0.0/8"}, url: "ws://inside.test/", more: `"proxy":"http://` + connect.addr + `"`, code: "target_forbidden", says: "is not allowed to this key"},
	} {
		t.Run(name, func(t *testing.T) {
			holder, near := attachedPools(t, c.agent)
			var came [2][]string
			for i, pool := range []*agent.Pool{holder, near} {
				w := newWorld(t, func(o *farwire.Options) {
					o.Auth, o.Agents = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny}), pool
				})
				came[i] = c.asks(w)
			}
			link, hop := came[0], came[1]
			var m struct{ Type, Code, Message string }
			if err := json.Unmarshal([]byte(link[0]), &m); err != nil || m.Code != c.code || !strings.Contains(m.Message, c.says) {
				t.Errorf("over a link: %q, want code %q", link[0], c.code)
			}
			if len(link) != len(hop) {
				t.Fatalf("over a link %q\nover a hop %q", link, hop)
			}
			for i := range link {
				if link[i] != hop[i] {
					t.Errorf("over a link %q\nover a hop  %q", link[i], hop[i])
				}
			}
		})
	}
}

// heardPeers keeps what answers the questions of other gateways.
type heardPeers struct {
	farwire.AgentSelector
	answer func(context.Context, []byte) ([]byte, error)
}

func (p *heardPeers) AskPeers(context.Context, []byte, func(string, []byte)) {}

func (p *heardPeers) AnswerPeers(answer func(context.Context, []byte) ([]byte, error)) {
	p.answer = answer
}

// A question that names neither sessions nor a caller ends none: no gateway asks it, and
// one of a later release may mean something by a field that this one does not know.
func TestPeers_EndOfNobody_EndsNoSession(t *testing.T) {
	var peers heardPeers
	w := newWorld(t, func(o *farwire.Options) {
		peers.AgentSelector = o.Agents
		o.Agents = &peers
	})
	p := w.open("/ws", "X-API-Key: "+testKey)
	p.ask(newTarget(t, echo), "")
	p.wantConnected()
	for _, c := range []struct {
		question string
		ended    int
	}{{`{"end":true,"reason":"x"}`, 0}, {`{"end":true,"ids":["nothing"]}`, 0}, {`{"end":true,"subject":"bob"}`, 0}, {`{"end":true,"subject":"alice","reason":"x"}`, 1}} {
		reply, err := peers.answer(t.Context(), []byte(c.question))
		var a struct{ Ended int }
		if err == nil {
			err = json.Unmarshal(reply, &a)
		}
		if err != nil || a.Ended != c.ended {
			t.Errorf("%s: %d ended, %v, want %d", c.question, a.Ended, err, c.ended)
		}
	}
	p.wantClose(1008, "x")
}

// A gateway's name is that of its host and four digits, drawn anew each time: two on one
// host differ, and so do those before and after a restart.
func TestGatewayName_OfOneHost_Differs(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile("^" + regexp.QuoteMeta(host) + "-[0-9a-f]{4}$")
	names := map[string]bool{}
	for range 50 {
		name := farwire.GatewayName()
		if names[name] = true; !form.MatchString(name) {
			t.Errorf("%q", name)
		}
	}
	if len(names) < 40 { // of 65536
		t.Errorf("50 gateways have %d names", len(names))
	}
}
