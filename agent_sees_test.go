package farwire_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// A tap keeps all that crosses the connections of an exit.
type tap struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (s *tap) note(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Write(b)
}

func (s *tap) saw(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.seen.Bytes(), []byte(text))
}

type tapped struct {
	net.Conn
	tap *tap
}

func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.tap.note(b[:n])
	return n, err
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.note(b)
	return c.Conn.Write(b)
}

// What an agent carries for a target with TLS shows it nothing of what is asked and
// answered, in any form. It sees the caller's key for no target, wherever that stood.
func TestAgent_AnyForm_SeesNoKeyAndNothingWithinTLS(t *testing.T) {
	const private = "private-0123456789"
	ca := newAuthority(t)
	page := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, "<title>%[1]s</title><h1>%[1]s</h1><p>A page that says %[1]s to all who read it.", private)
			return
		}
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, upgradeAnswer(r))
		p := &peer{t: t, conn: conn, br: newReader(conn)}
		p.text("it says " + private)
		p.wantClose(1000, "")
		p.close(1000, "")
	})
	broker := &brokertest.Broker{}
	// What a target serves with TLS and without.
	listen := func(t *testing.T, secure bool, serve func(net.Listener)) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if secure {
			ln, err = ca.listen(t, time.Hour, "127.0.0.1"), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); serve(ln) }()
		t.Cleanup(func() { ln.Close(); <-done })
		return ln.Addr().String()
	}
	web := func(ln net.Listener) { http.Serve(ln, page) }
	brokers := func(ln net.Listener) {
		var all sync.WaitGroup
		defer all.Wait()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { broker.Talk(conn) })
		}
	}
	talk := func(p *peer) {
		p.wantText("it says " + private)
		p.close(1000, "")
		p.wantClose(1000, "")
	}
	ok := func(w *world, resp *http.Response) {
		w.t.Helper()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), private) {
			w.t.Errorf("%s %s, %v", resp.Status, body, err)
		}
	}
	for name, c := range map[string]struct {
		serve func(net.Listener)
		ask   func(w *world, s, addr string) // s is "s" with TLS
	}{
		"the message form": {web, func(w *world, s, addr string) {
			talk(w.connected("ws"+s+"://"+addr+"/"+private, `"headers":{"X-Header":"`+private+`"},"cookies":{"c":"`+private+`"}`))
		}},
		"the direct form": {web, func(w *world, s, addr string) {
			talk(w.open("/ws?url=" + escape("ws"+s+"://"+addr+"/"+private) + "&api_key=" + testKey + "&header=" + escape("X-Header: "+private)))
		}},
		"the direct form, by a bearer": {web, func(w *world, s, addr string) {
			talk(w.open("/ws?url="+escape("ws"+s+"://"+addr+"/"+private), "Authorization: Bearer "+testKey))
		}},
		"the path form": {web, func(w *world, s, addr string) {
			talk(w.open("/to/key="+testKey+"/ws"+s+"/"+addr+"/"+private, "X-Header: "+private))
		}},
		"a request of the path form": {web, func(w *world, s, addr string) {
			ok(w, w.do("GET", "/to/-/http"+s+"/"+addr+"/"+private, "X-API-Key: "+testKey, "X-Header: "+private))
		}},
		"a request, by a bearer": {web, func(w *world, s, addr string) {
			ok(w, w.do("GET", "/to/-/http"+s+"/"+addr+"/"+private, "Authorization: Bearer "+testKey, "X-Header: "+private))
		}},
		"a crawl": {web, func(w *world, s, addr string) {
			h := w.crawled(testKey, fmt.Sprintf(`{"url":"http%s://%s/","maxPages":1,"headers":{"X-Header":%q}}`, s, addr, private))
			if h.code != 1000 {
				w.t.Errorf("%+v", h)
			}
		}},
		"an AMQP stream": {brokers, func(w *world, s, addr string) {
			host, port, _ := net.SplitHostPort(addr)
			w.subscribe(fmt.Sprintf(`{"apiKey":%q,"host":%q,"port":%s,"ssl":%v,"username":"u","password":%q}`, testKey, host, port, s != "", private)).connected()
		}},
	} {
		for _, s := range []string{"s", ""} {
			t.Run(name+map[string]string{"s": " with TLS", "": " in clear"}[s], func(t *testing.T) {
				var tap tap
				exit := direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
				dial := exit.DialContext
				exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := dial(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					return tapped{conn, &tap}, nil
				}
				addr := listen(t, s != "", c.serve)
				w := newWorld(t, func(o *farwire.Options) { o.Agents, o.RootCAs = exit, ca.pool }).surfaces()
				c.ask(w, s, addr)
				if tap.saw(testKey) {
					t.Error("the agent sees the key")
				}
				if saw := tap.saw(private); saw == (s != "") {
					t.Errorf("the agent sees what is private: %v", saw)
				}
				if s != "" && !tap.saw("\x16\x03\x01") {
					t.Error("the agent sees no TLS")
				}
			})
		}
	}
}

// A certificate of an authority that the gateway does not know, or for another name, is trusted
// in no form: the target hears nothing of the request.
func TestTLS_CertificateInvalid_NoFormTrustsIt(t *testing.T) {
	known, unknown := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		ca    *authority
		names string
		heard bool
	}{
		"valid":             {known, "127.0.0.1", true},
		"unknown authority": {unknown, "127.0.0.1", false},
		"another name":      {known, "another.test", false},
	} {
		t.Run(name, func(t *testing.T) {
			var heard atomic.Int32
			ln := c.ca.listen(t, time.Hour, c.names)
			addr := ln.Addr().String()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						if n, _ := conn.Read(make([]byte, 1)); n > 0 {
							heard.Add(1)
						}
					}()
				}
			}()
			t.Cleanup(func() { ln.Close(); <-ended })
			w := newWorld(t, func(o *farwire.Options) { o.RootCAs = known.pool }).surfaces()
			_, port, _ := net.SplitHostPort(addr)
			for form, ask := range map[string]func(){
				"message form": func() { p := w.open("/ws"); p.ask("wss://"+addr+"/", ""); p.next() },
				"direct form":  func() { w.try("/ws?url="+escape("wss://"+addr+"/"), "X-API-Key: "+testKey) },
				"path form":    func() { w.do("GET", "/to/-/https/"+addr+"/", "X-API-Key: "+testKey) },
				"crawl":        func() { w.crawled(testKey, fmt.Sprintf(`{"url":"https://%s/","maxPages":1}`, addr)) },
				"AMQP": func() {
					w.subscribe(fmt.Sprintf(`{"apiKey":%q,"host":"127.0.0.1","port":%s,"ssl":true}`, testKey, port)).event()
				},
			} {
				heard.Store(0)
				ask()
				if got := heard.Load() > 0; got != c.heard {
					t.Errorf("%s: the target hears of it: %v", form, got)
				}
			}
		})
	}
}
