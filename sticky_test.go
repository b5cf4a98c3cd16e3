package farwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// An askedSelector selects among exits as a host's selector might, and
// keeps what it was asked.
type askedSelector struct {
	mu    sync.Mutex
	all   []agent.Query
	exits exits
}

func (a *askedSelector) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	a.mu.Lock()
	a.all = append(a.all, q)
	a.mu.Unlock()
	return a.exits.SelectAgent(ctx, q)
}

func (a *askedSelector) take() []agent.Query {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

// Each way to ask hands the selector all that an exit is picked by.
func TestSelector_EveryForm_IsAskedWhatTheCallerWants(t *testing.T) {
	url, pages := newTarget(t, echo), newSite(t, threePages)
	plain := strings.TrimPrefix(pages.URL, "http://")
	broker := brokerExit(&brokertest.Broker{})
	a := &askedSelector{exits: exits{{ID: testAgent, Slug: "de1", Country: "DE",
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "broker.test:") {
				return broker.DialContext(ctx, network, addr)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}}}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = a })
	paths, proxy := httptest.NewServer(w.gw.PathForm()), httptest.NewServer(w.gw.ForwardProxy(http.NotFoundHandler()))
	defer paths.Close()
	defer proxy.Close()
	const name = "My.session_1-x"
	const options = "session=" + name + ";geo=AT,DE;agent=at5,de1"
	const json = `"session":"` + name + `","geo":"AT,DE","agent":"at5,de1"`
	const query = "fw_session=" + name + "&fw_geo=AT,DE&fw_agent=at5,de1&url="
	throughProxy := func(target string) {
		address, err := neturl.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		address.User = neturl.UserPassword(options, testKey)
		client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(address), DisableKeepAlives: true}}
		resp, err := client.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %d, %v", target, resp.StatusCode, err)
		}
	}
	for form, tt := range map[string]struct {
		host string
		ask  func()
	}{
		"message": {"127.0.0.1", func() { w.connected(url, json).close(1000, "") }},
		"query":   {"127.0.0.1", func() { w.open("/ws?"+query+escape(url), "X-API-Key: "+testKey).close(1000, "") }},
		"AMQP":    {"broker.test", func() { w.subscribe(strings.Replace(subscription, "}", ","+json+"}", 1)).connected() }},
		"crawl":   {"127.0.0.1", func() { w.crawl(`{"url":"` + pages.URL + `",` + json + `}`).receive() }},
		"path form": {"127.0.0.1", func() {
			resp, err := plainClient.Get(paths.URL + "/to/key=" + testKey + ";" + options + "/http/" + plain + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}},
		"forward proxy": {"127.0.0.1", func() { throughProxy(pages.URL) }},
		"tunnel": {"127.0.0.1", func() {
			conn, err := net.Dial("tcp", proxy.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: %s\r\n\r\n", plain, proxyBasic(options, testKey))
			if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
				t.Errorf("%v, %v", resp, err)
			}
		}},
		"Open": {"127.0.0.1", func() {
			openEcho(t, w, farwire.OpenOptions{Addr: plain, Session: name, Countries: []string{"AT", "DE"}, Agents: []string{"at5", "de1"},
				Principal: farwire.Principal{Subject: "alice"}}).Close()
		}},
	} {
		a.take()
		tt.ask()
		queries := a.take()
		if len(queries) == 0 {
			t.Errorf("%s: the selector was not asked", form)
		}
		for _, q := range queries {
			if q.Session != name || q.Subject != "alice" || q.Host != tt.host || !slices.Equal(q.Slugs, []string{"at5", "de1"}) || !slices.Equal(q.Countries, []string{"AT", "DE"}) {
				t.Errorf("%s: %+v", form, q)
			}
		}
	}
}

// Without a session the path form has one, the target's host: what a target keeps at one
// exit, such as a login, must be there for the next request. The other forms have none.
func TestSelector_SessionLeftOut_PathFormTakesTheHost(t *testing.T) {
	url := strings.TrimSuffix(strings.TrimPrefix(newTarget(t, echo), "ws://"), "/")
	site := strings.TrimPrefix(newSite(t, threePages).URL, "http://")
	to := map[string]string{"one.test:80": site, "one.test:8080": site, "two.test:80": url, "two.test:8080": url}
	a := &askedSelector{exits: exits{{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, to[addr])
	}}}}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = a })
	srv := httptest.NewServer(w.gw.ForwardProxy(w.gw.PathForm()))
	defer srv.Close()
	ask := func(lines ...string) {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(lines[0])[0]})
		if err != nil || resp.StatusCode > 299 {
			t.Errorf("%s: %v, %v", lines[0], resp, err)
		}
	}
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	key, proxied := "X-API-Key: "+testKey, "Proxy-Authorization: "+proxyBasic("x", testKey)
	for _, tt := range []struct {
		want  string
		lines []string
	}{
		{"one.test", []string{"GET /to/-/http/One.test/ HTTP/1.1", "Host: gw", key}},
		{"one.test", []string{"GET /to/geo=DE;timeout=5/http/one.test:8080/?x HTTP/1.1", "Host: gw", key}},
		{"own", []string{"GET /to/session=own/http/one.test/ HTTP/1.1", "Host: gw", key}},
		{"two.test", []string{"GET /to/-/ws/two.test/ HTTP/1.1", "Host: gw", key, upgrade}},
		{"two.test", []string{"GET /to/-/ws/TWO.test:8080/ HTTP/1.1", "Host: gw", key, upgrade}},
		{"", []string{"GET http://one.test/ HTTP/1.1", "Host: one.test", proxied}},
		{"", []string{"GET http://two.test/ HTTP/1.1", "Host: two.test", proxied, upgrade}},
		{"", []string{"CONNECT two.test:80 HTTP/1.1", "Host: two.test:80", proxied}},
	} {
		ask(tt.lines...)
		queries := a.take()
		if len(queries) == 0 {
			t.Errorf("%s: the selector was not asked", tt.lines[0])
		}
		for _, q := range queries {
			if q.Session != tt.want {
				t.Errorf("%s: session %q, want %q", tt.lines[0], q.Session, tt.want)
			}
		}
	}
}

func TestSession_NotAName_IsRefused(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	for _, bad := range []string{"a b", "a/b", "ü", strings.Repeat("x", 65), "a,b"} {
		wantDetail(t, w.try("/ws?fw_session="+escape(bad)+"&url="+escape(url), "X-API-Key: "+testKey).resp, 400, "session must be 1 to 64")
		p := w.open("/ws")
		p.ask(url, `"session":"`+bad+`"`)
		p.wantError(1008, "session must be 1 to 64")
	}
	w.open("/ws?fw_session="+strings.Repeat("x", 64)+"&url="+escape(url), "X-API-Key: "+testKey).close(1000, "")
}

// Only an agent that takes no sessions is left by a sticky session.
func TestSession_ExitFails_MovesOnlyWhenItTakesNoSessions(t *testing.T) {
	for name, c := range map[string]struct {
		fails error
		moves bool
	}{
		"full":             {&agent.DialError{Fault: agent.FaultAgent, Err: errors.New("tunnel: gone")}, true},
		"no route to it":   {agent.Classify(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}), false},
		"refused by guard": {&agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("private")}, false},
		"target's fault":   {&agent.DialError{Fault: agent.FaultTarget, Err: errors.New("refused")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			first := agent.Exit{ID: "first", Slug: "first", Country: "DE",
				DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, c.fails }}
			second := agent.Exit{ID: "second", Slug: "second", Country: "DE", DialContext: new(net.Dialer).DialContext}
			a := &askedSelector{exits: exits{first, second}}
			w := newWorld(t, func(o *farwire.Options) { o.Agents = a })
			url := newTarget(t, echo)
			p := w.try("/ws?fw_session=s&url="+escape(url), "X-API-Key: "+testKey)
			if moved := p.resp.Header.Get("X-Farwire-Node") == "second"; moved != c.moves || moved != (p.resp.StatusCode == 101) {
				t.Errorf("moved %v, %s", moved, p.resp.Status)
			}
		})
	}
}
