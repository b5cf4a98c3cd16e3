package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// openEcho is a session of the host's own to a target that sends everything back.
func openEcho(t *testing.T, w *world, o farwire.OpenOptions) net.Conn {
	t.Helper()
	if o.Addr == "" {
		o.Addr = newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	}
	if o.Principal.Subject == "" {
		o.Principal = farwire.Principal{Subject: "host"}
	}
	conn, err := w.gw.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	return conn
}

func TestOpen_Session_IsCountedListedAndLogged(t *testing.T) {
	w := newPathWorld(t, http.NotFoundHandler())
	conn := openEcho(t, w, farwire.OpenOptions{Session: "a", Countries: []string{"ZZ", "de"}})
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q %v", b, err)
	}
	n := 0
	for s := range w.gw.Sessions() {
		n++
		if s.Kind != farwire.KindTunnel || s.Subject != "host" || s.Counters.BytesToTarget != 5 || s.Counters.BytesToClient != 5 || s.Agent == "" || s.Target == "" {
			t.Errorf("%+v", s)
		}
	}
	if n != 1 {
		t.Errorf("%d sessions", n)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	w.log.Await(t, "kind=tunnel subject=host", "ended_by=client code=0 cause=\"\"", "bytes_to_target=5 bytes_to_client=5")
	if strings.Count(w.log.String(), "session ended") != 1 {
		t.Errorf("not one line: %s", w.log)
	}
}

func TestOpen_Refused_ErrorSaysWhy(t *testing.T) {
	refused := func(p farwire.Principal, o farwire.OpenOptions, edit ...func(*farwire.Options)) error {
		t.Helper()
		w := newPathWorld(t, http.NotFoundHandler(), edit...)
		if o.Addr == "" {
			o.Addr = w.host()
		}
		o.Principal = p
		conn, err := w.gw.Open(t.Context(), o)
		if err == nil {
			conn.Close()
			t.Errorf("%+v is opened", o)
		}
		for range w.gw.Sessions() {
			t.Error("a session is left")
		}
		return err
	}
	host := farwire.Principal{Subject: "host"}
	for name, err := range map[string]error{
		"no principal": refused(farwire.Principal{}, farwire.OpenOptions{}),
		"must be host": refused(host, farwire.OpenOptions{Addr: "localhost"}),
		"session must": refused(host, farwire.OpenOptions{Session: "a b"}),
		"Timeout is":   refused(host, farwire.OpenOptions{Timeout: -1}),
		"no agent":     refused(host, farwire.OpenOptions{Countries: []string{"XX"}}),
		"not for":      refused(farwire.Principal{Subject: "host", Kinds: []farwire.Kind{farwire.KindRelay}}, farwire.OpenOptions{}),
		"not allowed":  refused(farwire.Principal{Subject: "host", Deny: []string{"127.0.0.0/8"}}, farwire.OpenOptions{}),
		"only after ten": refused(host, farwire.OpenOptions{}, func(o *farwire.Options) {
			o.Allow = func(_ context.Context, p farwire.Principal, target farwire.Target) error {
				if p.Subject != "host" || target.Kind != farwire.KindTunnel {
					t.Errorf("asked for %+v of %+v", target, p)
				}
				return &farwire.Refusal{Code: "late", Message: "only after ten"}
			}
		}),
		"is private": refused(host, farwire.OpenOptions{}, func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{}) }),
	} {
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("the error of %q is %v", name, err)
		}
	}
	w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Limits.Sessions = 1 })
	openEcho(t, w, farwire.OpenOptions{})
	if _, err := w.gw.Open(t.Context(), farwire.OpenOptions{Addr: w.host(), Principal: host}); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("one above the limit: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := w.gw.Open(gone, farwire.OpenOptions{Addr: w.host(), Principal: farwire.Principal{Subject: "another"}}); err == nil {
		t.Error("opened for nobody")
	}
}

// A host's program tells refusals apart by their code, and knows when to come back.
func TestOpen_Refused_IsARefusal(t *testing.T) {
	deny := farwire.Principal{Subject: "host", Deny: []string{"127.0.0.0/8"}}
	for name, c := range map[string]struct {
		o      farwire.OpenOptions
		edit   func(*farwire.Options)
		before func(*testing.T, *world)
		want   string // code, status and whether there is a time to come back; empty: it is no refusal
	}{
		"no principal": {o: farwire.OpenOptions{}, want: "key_missing 401 false"},
		"address":      {o: farwire.OpenOptions{Addr: "localhost", Principal: farwire.Principal{Subject: "host"}}, want: "bad_request 400 false"},
		"no agent":     {o: farwire.OpenOptions{Countries: []string{"XX"}, Principal: farwire.Principal{Subject: "host"}}, want: "agent_unavailable 502 false"},
		"rules":        {o: farwire.OpenOptions{Principal: deny}, want: "target_forbidden 403 false"},
		"guard":        {edit: func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{}) }, want: "target_forbidden 403 false"},
		"at a time":    {edit: func(o *farwire.Options) { o.Limits.Sessions = 1 }, before: func(t *testing.T, w *world) { openEcho(t, w, farwire.OpenOptions{}) }, want: "limit_reached 429 true"},
		"rate":         {edit: func(o *farwire.Options) { o.Limits.HTTPRate, o.Limits.HTTPBurst = 0.01, 1 }, before: func(t *testing.T, w *world) { openEcho(t, w, farwire.OpenOptions{}).Close() }, want: "rate_limited 429 true"},
		"drain":        {before: func(t *testing.T, w *world) { w.gw.Shutdown(t.Context()) }, want: "draining 503 false"},
		"host's refusal": {edit: func(o *farwire.Options) {
			o.Allow = refuses(&farwire.Refusal{Status: 402, Code: "unpaid", RetryAfter: time.Minute})
		}, want: "unpaid 402 true"},
		"no listener":    {o: farwire.OpenOptions{Addr: "127.0.0.1:1", Principal: farwire.Principal{Subject: "host"}}},
		"host's trouble": {edit: func(o *farwire.Options) { o.Agents = brokenSelector{} }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
				if c.edit != nil {
					c.edit(o)
				}
			})
			if c.before != nil {
				c.before(t, w)
			}
			if c.o.Addr == "" {
				c.o.Addr = w.host()
			}
			if c.o.Principal.Subject == "" && name != "no principal" {
				c.o.Principal.Subject = "host"
			}
			_, err := w.gw.Open(t.Context(), c.o)
			refusal, ok := errors.AsType[*farwire.Refusal](err)
			switch {
			case err == nil:
				t.Fatal("opened")
			case ok != (c.want != ""):
				t.Fatalf("%v: a refusal %v", err, ok)
			case !ok:
			case fmt.Sprint(refusal.Code, " ", refusal.Status, " ", refusal.RetryAfter > 0) != c.want:
				t.Errorf("%+v, want %s", refusal, c.want)
			}
		})
	}
	w := newPathWorld(t, http.NotFoundHandler())
	conn := openEcho(t, w, farwire.OpenOptions{})
	w.gw.EndWhere(func(farwire.Session) bool { return true }, "ended by request")
	_, err := conn.Read(make([]byte, 1))
	if refusal, ok := errors.AsType[*farwire.Refusal](err); !ok || refusal.Code != "ended" || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v: %+v", err, refusal)
	}
}

// refuses is an Options.Allow that refuses everything.
func refuses(r *farwire.Refusal) func(context.Context, farwire.Principal, farwire.Target) error {
	return func(context.Context, farwire.Principal, farwire.Target) error { return r }
}

// brokenSelector has an error of its own.
type brokenSelector struct{}

func (brokenSelector) SelectAgent(context.Context, agent.Query) (agent.Exit, error) {
	return agent.Exit{}, errors.New("the table of exits is locked")
}

func TestOpen_EndSession_CutsWithTheReason(t *testing.T) {
	w := newPathWorld(t, http.NotFoundHandler())
	conn := openEcho(t, w, farwire.OpenOptions{})
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	if n := w.gw.EndWhere(func(farwire.Session) bool { return true }, "ended by request"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if err := <-read; !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "ended by request") {
		t.Errorf("%v", err)
	}
	conn.Close()
	w.log.Await(t, "kind=tunnel", "ended_by=gateway", "ended by request")
}

func TestOpen_TargetReset_IsLostInTheLog(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1))
		c.SetLinger(0)
		c.Close()
	})
	w := newPathWorld(t, http.NotFoundHandler())
	conn := openEcho(t, w, farwire.OpenOptions{Addr: target})
	io.WriteString(conn, "x")
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a reset is %v", err)
	}
	conn.Close()
	w.log.Await(t, "kind=tunnel", "ended_by=target", "target lost")
}

func TestOpen_Drain_GoesOnAndIsThenCut(t *testing.T) {
	w := newPathWorld(t, http.NotFoundHandler())
	conn := openEcho(t, w, farwire.OpenOptions{})
	ctx, cut := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- w.gw.Shutdown(ctx) }()
	waitUntil(t, "the gateway drains", func() bool { return w.gw.Stats().Draining })
	if _, err := w.gw.Open(t.Context(), farwire.OpenOptions{Addr: w.host(), Principal: farwire.Principal{Subject: "host"}}); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("a new one: %v", err)
	}
	io.WriteString(conn, "x")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("a running one: %v", err)
	}
	cut()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "draining") {
		t.Errorf("after the cut: %v", err)
	}
	w.log.Await(t, "kind=tunnel", "ended_by=gateway", "draining")
}

// Pages of every origin that have a key may ask, and a preflight needs none.
func TestHandlers_PageOfAnotherOrigin_MayAsk(t *testing.T) {
	w := newPathWorld(t, http.NotFoundHandler())
	for name, c := range map[string]struct {
		handler http.Handler
		methods string
		method  string
		status  int
		without int // a key
	}{
		"/auth/token": {w.gw.Token(), "POST", "POST", 200, 401},
		"/usage":      {w.gw.Usage(), "GET, HEAD", "GET", 200, 401},
		"/sessions":   {w.gw.SessionsHandler(), "GET, HEAD, DELETE", "GET", 200, 401},
		"/network":    {w.gw.Network(), "GET, HEAD", "GET", 404, 401}, // an exit alone is not listed
		"/healthz":    {w.gw.Health(), "GET, HEAD", "GET", 200, 200},
		"/readyz":     {w.gw.Ready(), "GET, HEAD", "GET", 200, 200},

		"/hooks/site-changed": {w.gw.SiteChanged(), "POST", "POST", 400, 400}, // it asks for a secret, not for a key
	} {
		w.server.Config.Handler = c.handler
		ask := func(method string, lines ...string) *http.Response {
			req, err := http.NewRequest(method, w.server.URL+name, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "https://app.test")
			for _, l := range lines {
				key, value, _ := strings.Cut(l, ": ")
				req.Header.Set(key, value)
			}
			resp, _ := w.fetch(req)
			if h := resp.Header; h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %v", method, name, h)
			}
			return resp
		}
		resp := ask("OPTIONS", "Access-Control-Request-Method: "+c.method, "Access-Control-Request-Headers: x-api-key,content-type")
		if h := resp.Header; resp.StatusCode != 204 || h.Get("Access-Control-Allow-Methods") != c.methods || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "X-API-Key") {
			t.Errorf("the preflight of %s: %s %v", name, resp.Status, h)
		}
		if resp := ask(c.method, "X-API-Key: "+testKey); resp.StatusCode != c.status {
			t.Errorf("%s: %s", name, resp.Status)
		}
		if resp := ask(c.method); resp.StatusCode != c.without {
			t.Errorf("%s without a key: %s", name, resp.Status)
		}
	}
}
