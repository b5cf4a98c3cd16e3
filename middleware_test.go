package farwire_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/harness"
)

const written = -1

// lazyWriter keeps the status until it is told to write it, as gin does.
type lazyWriter struct {
	http.ResponseWriter
	code *int
}

func (w lazyWriter) WriteHeader(code int) { *w.code = code }
func (w lazyWriter) WriteHeaderNow() {
	if *w.code != written {
		w.ResponseWriter.WriteHeader(cmp.Or(*w.code, 200))
		*w.code = written
	}
}
func (w lazyWriter) Write(b []byte) (int, error) {
	w.WriteHeaderNow()
	return w.ResponseWriter.Write(b)
}
func (w lazyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hidesHijack has neither Hijack nor Unwrap.
type hidesHijack struct{ http.ResponseWriter }

// nearHijack looks for a Hijacker in the layer below alone, as chi's Compress does.
type nearHijack struct{ harness.OnlyUnwrap }

func (w nearHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if hj, ok := w.Inner.(http.Hijacker); ok {
		return hj.Hijack()
	}
	return nil, nil, errors.New("no Hijacker")
}

// assertsHijack expects the layer below to be a Hijacker, as gin does.
type assertsHijack struct{ harness.OnlyUnwrap }

func (w assertsHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.Inner.(http.Hijacker).Hijack()
}

// failsHijack has a Hijack that can only fail, and no Unwrap.
type failsHijack struct{ http.ResponseWriter }

func (w failsHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nearHijack{harness.OnlyUnwrap{Inner: w.ResponseWriter}}.Hijack()
}

// controlsHijack has a Hijack that asks net/http's controller, and no Unwrap.
type controlsHijack struct{ http.ResponseWriter }

func (w controlsHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
func (w controlsHijack) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

// nextHijack has a Hijack that looks at the layer below alone, and no Unwrap.
type nextHijack struct{ http.ResponseWriter }

func (w nextHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return failsHijack(w).Hijack()
}
func (w nextHijack) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

// keepsStatus lets a status through only with a body, as a compressing
// middleware may.
type keepsStatus struct {
	harness.OnlyUnwrap
	code *int
}

func (w keepsStatus) WriteHeader(code int) { *w.code = code }
func (w keepsStatus) Write(b []byte) (int, error) {
	if *w.code != 0 {
		w.Inner.WriteHeader(*w.code)
		*w.code = 0
	}
	return w.Inner.Write(b)
}

// setsCookie adds a session's cookie when the status is written.
type setsCookie struct{ harness.OnlyUnwrap }

func (w setsCookie) WriteHeader(code int) {
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "of-the-host"})
	w.Inner.WriteHeader(code)
}

const attachSecret = "a-secret-of-all-agents"

// everything mounts every handler of a host program behind a middleware.
func everything(t *testing.T, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	w := newWorld(t, func(o *farwire.Options) {
		broker := brokerExit(&brokertest.Broker{})
		o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE",
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if strings.HasPrefix(addr, "broker.test:") {
					return broker.DialContext(ctx, network, addr)
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}}
	})
	pool, err := agent.NewPool(agent.PoolOptions{Secret: attachSecret, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		pool.Shutdown(ctx) // which cuts what a test has left open
	})
	mux := http.NewServeMux()
	mux.Handle("GET /ws", w.gw.Relay())
	mux.Handle("GET /ws/crawl", w.gw.Crawl())
	mux.Handle("POST /amqp", w.gw.AMQP())
	mux.Handle("GET /agents/attach", pool)
	mux.Handle("/to/", w.gw.PathForm())
	return w.also(wrap(w.gw.ForwardProxy(mux)))
}

func behind(wrap func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) })
	}
}

// attachPlain asks to attach as an agent does first.
func (w *world) attachPlain() *http.Response {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /agents/attach HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: farwire-agent\r\n"+
		"Authorization: Bearer %s\r\n\r\n", attachSecret)
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// inPath begins what the path form is asked for.
const inPath = "/to/key=" + testKey + "/"

var attachWebSocket = []string{"Sec-WebSocket-Protocol: farwire-agent", "Authorization: Bearer " + attachSecret}

func TestMiddleware_LetsThrough_EveryHandlerTakesOver(t *testing.T) {
	echoes, pages := newTarget(t, echo), newSite(t, threePages)
	returned := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(c, c) })
	// Without a body nothing flushes the head before the middleware has the status.
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Path", r.URL.Path) }))
	defer empty.Close()
	for name, c := range map[string]struct {
		wrap   func(http.ResponseWriter) http.ResponseWriter
		cookie bool
	}{
		"none": {wrap: func(w http.ResponseWriter) http.ResponseWriter { return w }},
		"only Unwrap": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return harness.OnlyUnwrap{Inner: harness.OnlyUnwrap{Inner: w}}
		}},
		"near Hijack": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return nearHijack{harness.OnlyUnwrap{Inner: harness.OnlyUnwrap{Inner: w}}}
		}},
		"asserting Hijack": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return assertsHijack{harness.OnlyUnwrap{Inner: harness.OnlyUnwrap{Inner: w}}}
		}},
		"Hijack by the controller": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return controlsHijack{harness.OnlyUnwrap{Inner: controlsHijack{harness.OnlyUnwrap{Inner: w}}}}
		}},
		"near Hijack without Unwrap": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return harness.OnlyUnwrap{Inner: nextHijack{harness.OnlyUnwrap{Inner: w}}}
		}},
		"lazy status": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return harness.OnlyUnwrap{Inner: lazyWriter{w, new(int)}}
		}},
		"status of the router, as of gin's NoRoute": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return harness.OnlyUnwrap{Inner: lazyWriter{w, new(http.StatusNotFound)}}
		}},
		"kept status": {wrap: func(w http.ResponseWriter) http.ResponseWriter {
			return nearHijack{harness.OnlyUnwrap{Inner: keepsStatus{harness.OnlyUnwrap{Inner: w}, new(int)}}}
		}},
		"session cookie": {cookie: true, wrap: func(w http.ResponseWriter) http.ResponseWriter { return setsCookie{harness.OnlyUnwrap{Inner: w}} }},
	} {
		t.Run(name, func(t *testing.T) {
			w := everything(t, behind(c.wrap))
			cookie := func(what string, resp *http.Response) {
				t.Helper()
				if got := resp.Header.Get("Set-Cookie"); c.cookie && got != "session=of-the-host" {
					t.Errorf("%s: Set-Cookie %q", what, got)
				}
			}
			p := w.connected(echoes, "")
			cookie("relay", p.resp)
			p.close(1000, "")
			w.open("/ws?url="+escape(echoes), "X-API-Key: "+testKey).close(1000, "")
			if h := w.crawl(fmt.Sprintf(`{"url":%q}`, pages.URL)).receive(); h.code != 1000 {
				t.Errorf("crawl: %+v", h)
			}
			resp := w.attachPlain()
			cookie("agents", resp)
			if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "farwire-agent" {
				t.Errorf("attach by Upgrade: %s %v", resp.Status, resp.Header)
			}
			if p := w.open("/agents/attach", attachWebSocket...); p.resp.Header.Get("Sec-WebSocket-Protocol") != "farwire-agent" {
				t.Errorf("attach by WebSocket: %v", p.resp.Header)
			}
			p = w.open(inPath + "ws/" + strings.TrimPrefix(echoes, "ws://"))
			cookie("path form", p.resp)
			p.text("by the path form")
			p.wantText("by the path form")
			p.close(1000, "")
			for what, resp := range map[string]*http.Response{
				"path form":     w.do("GET", inPath+"http/"+strings.TrimPrefix(empty.URL, "http://")+"/a"),
				"forward proxy": w.do("GET", empty.URL+"/a", "Proxy-Authorization: "+proxyBasic("any", testKey)),
			} {
				cookie(what, resp)
				if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Path") != "/a" {
					t.Errorf("%s: %s %v", what, resp.Status, resp.Header)
				}
			}
			tunnel, br, resp := w.connect(returned, "any", testKey)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("CONNECT: %s", resp.Status)
			}
			io.WriteString(tunnel, "by CONNECT\n")
			if line, err := br.ReadString('\n'); err != nil || line != "by CONNECT\n" {
				t.Errorf("CONNECT: %q, %v", line, err)
			}
			if log := w.log.String(); strings.Contains(log, "superfluous") || strings.Contains(log, "hijacked connection") {
				t.Errorf("the server complains:\n%s", log)
			}
			w.subscribe(subscription).connected()
		})
	}
}

func TestMiddleware_HidesTheConnection_Answers500AndWarns(t *testing.T) {
	for name, c := range map[string]struct {
		wrap func(http.Handler) http.Handler
		says string
	}{
		"no Hijack": {behind(func(w http.ResponseWriter) http.ResponseWriter { return hidesHijack{w} }), "farwire_test.hidesHijack"},
		"near Hijack around it": {behind(func(w http.ResponseWriter) http.ResponseWriter {
			return nearHijack{harness.OnlyUnwrap{Inner: hidesHijack{w}}}
		}), "farwire_test.hidesHijack"},
		"a Hijack that fails": {behind(func(w http.ResponseWriter) http.ResponseWriter {
			return failsHijack{hidesHijack{w}}
		}), "farwire_test."},
		"http.TimeoutHandler": {func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, "*http.timeoutWriter"},
	} {
		t.Run(name, func(t *testing.T) {
			w := everything(t, c.wrap)
			warned := func(what string, status int) {
				t.Helper()
				if status != http.StatusInternalServerError {
					t.Errorf("%s: status %d, want 500", what, status)
				}
				var lines []string
				for line := range strings.Lines(w.log.String()) {
					if strings.Contains(line, "level=WARN") {
						lines = append(lines, line)
					}
				}
				if len(lines) != 1 || !strings.Contains(lines[0], c.says) {
					t.Errorf("%s: %d lines of WARN, want one that names %s:\n%s", what, len(lines), c.says, strings.Join(lines, ""))
				}
				w.log.Reset()
			}
			p := w.try("/ws")
			wantDetail(t, p.resp, 500, "http.TimeoutHandler does")
			warned("relay", p.resp.StatusCode)
			warned("direct form", w.try("/ws?url="+escape("ws://target.test/"), "X-API-Key: "+testKey).resp.StatusCode)
			warned("crawl", w.try("/ws/crawl?api_key="+testKey).resp.StatusCode)
			s := w.subscribe(subscription)
			warned("AMQP", s.resp.StatusCode)
			warned("path form", w.try(inPath+"ws/target.test/").resp.StatusCode)
			_, _, resp := w.connect("target.test:443", "any", testKey)
			warned("forward proxy", resp.StatusCode)
			resp = w.attachPlain()
			warned("agents by Upgrade", resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(body), "a middleware") || strings.Contains(string(body), c.says) {
				t.Errorf("agents by Upgrade: %s, %v; the type is for the log", body, err)
			}
			warned("agents by WebSocket", w.try("/agents/attach", attachWebSocket...).resp.StatusCode)
		})
	}
}

// flushesNext has a Flush that asserts that the layer below has one too.
type flushesNext struct{ http.ResponseWriter }

func (w flushesNext) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// Where no layer can flush, neither the client nor the log says that the client has gone.
func TestAMQP_MiddlewareCannotFlush_ClientAndLogSayWhy(t *testing.T) {
	w := everything(t, behind(func(w http.ResponseWriter) http.ResponseWriter {
		return flushesNext{harness.OnlyUnwrap{Inner: w}}
	}))
	s := w.subscribe(subscription)
	s.want("event: error", `data: {"message": "the server cannot stream: the response cannot be flushed", "code": 1011, "reason": "internal"}`)
	w.wantLog(`kind=amqp .*ended_by=gateway code=1011 .*harness.OnlyUnwrap is not http.Flusher`)
}
