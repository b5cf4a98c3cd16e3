package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

type limiterFunc func() (farwire.Quota, error)

func (f limiterFunc) Take(context.Context, farwire.Principal, farwire.Bucket) (farwire.Quota, error) {
	return f()
}

// hostParts are the parts of a host that may refuse: each has options in which it
// returns what the function does.
var hostParts = map[string]func(o *farwire.Options, fail func() error){
	"authenticator": func(o *farwire.Options, fail func() error) {
		o.Auth = authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) {
			return farwire.Principal{}, fail()
		})
	},
	"selector": func(o *farwire.Options, fail func() error) {
		o.Agents = selectorFunc(func(context.Context, agent.Query) (agent.Exit, error) { return agent.Exit{}, fail() })
	},
	"limiter": func(o *farwire.Options, fail func() error) {
		o.Limiter = limiterFunc(func() (farwire.Quota, error) { return farwire.Quota{}, fail() })
	},
	"allow": func(o *farwire.Options, fail func() error) {
		o.Allow = func(context.Context, farwire.Principal, farwire.Target) error { return fail() }
	},
	"exit": func(o *farwire.Options, fail func() error) {
		o.Agents = agent.Exit{ID: "x", Slug: "x", Country: "ZZ",
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, fail() }}
	},
}

// told is what one surface tells the caller of a refusal.
type told struct {
	surface    string
	status     int // zero: of no HTTP answer
	close      int // zero: of no close frame
	code, text string
	retry      string
}

// refusals asks each surface of a world that refuses everything for a target.
func (w *world) refusals() []told {
	w.t.Helper()
	return w.refusalsTo(testKey)
}

// surfaces is where the gateway of a world serves each kind of session.
func (w *world) surfaces() *world {
	pathForm := w.gw.PathForm()
	mux := http.NewServeMux()
	mux.Handle("/ws", w.gw.Relay())
	mux.Handle("/amqp", w.gw.AMQP())
	mux.Handle("/ws/crawl", w.gw.Crawl())
	return w.also(w.gw.ForwardProxy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			pathForm.ServeHTTP(rw, r)
			return
		}
		mux.ServeHTTP(rw, r)
	})))
}

// refusalsTo is refusals to who shows this key or token.
func (w *world) refusalsTo(key string) (all []told) {
	w.t.Helper()
	w = w.surfaces()
	for surface, path := range map[string]string{"relay": "/ws", "crawl": "/ws/crawl"} {
		p := w.open(path, "X-API-Key: "+key)
		p.text(map[string]string{"relay": `{"url":"ws://a.test/"}`, "crawl": `{"url":"http://a.test/","maxPages":1}`}[surface])
		var m struct {
			Type, Message, Content, Code, Reason string
			RetryAfter                           float64 `json:"retry_after"`
		}
		for m.Type != "error" {
			f := p.next()
			if f.op != opText || json.Unmarshal(f.payload, &m) != nil {
				w.t.Fatalf("%s: got %v", surface, f)
			}
		}
		c := p.next()
		if c.op != opClose || len(c.payload) < 2 || len(c.payload) > 125 || !utf8.Valid(c.payload[2:]) {
			w.t.Fatalf("%s: got %v", surface, c)
		}
		p.frame(opClose, true, c.payload)
		p.conn.Close() // the gateway waits for it
		t := told{surface, 0, int(c.payload[0])<<8 | int(c.payload[1]), m.Code + m.Reason, m.Message + m.Content, ""}
		if m.RetryAfter > 0 {
			t.retry = fmt.Sprint(m.RetryAfter)
		}
		all = append(all, t)
	}
	return append(all, w.httpRefusalsTo(key)...)
}

// httpRefusalsTo is refusalsTo at those of the surfaces that answer in HTTP.
func (w *world) httpRefusalsTo(key string) (all []told) {
	w.t.Helper()
	http1 := func(surface, request string) {
		conn, err := w.dialIn()
		if err != nil {
			w.t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(testTimeout))
		io.WriteString(conn, request)
		resp, err := http.ReadResponse(newReader(conn), nil)
		if err != nil {
			w.t.Fatalf("%s: %v", surface, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			w.t.Fatalf("%s: %s: %v", surface, resp.Status, err)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			_, event, _ := strings.Cut(string(b), "event: error\ndata: ")
			var m struct {
				Message, Reason string
				Code            int
			}
			if err := json.Unmarshal([]byte(strings.SplitN(event, "\n", 2)[0]), &m); err != nil {
				w.t.Fatalf("%s: %q: %v", surface, b, err)
			}
			all = append(all, told{surface, 0, m.Code, m.Reason, m.Message, ""})
			return
		}
		var body struct{ Detail, Code string }
		if err := json.Unmarshal(b, &body); err != nil {
			w.t.Fatalf("%s: %s %q: %v", surface, resp.Status, b, err)
		}
		all = append(all, told{surface, resp.StatusCode, 0, body.Code, body.Detail, resp.Header.Get("Retry-After")})
	}
	head := " HTTP/1.1\r\nHost: gw.test\r\nX-API-Key: " + key + "\r\n"
	body := `{"host":"a.test","exchange":"e"}`
	http1("direct form", "GET /ws?url=ws://a.test/"+head+"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	http1("amqp", fmt.Sprintf("POST /amqp"+head+"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	http1("path form", "GET /to/-/http/a.test/"+head+"\r\n")
	http1("forward proxy", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nProxy-Authorization: "+proxyBasic("x", key)+"\r\n\r\n")
	return all
}

// TestHost_InvalidRefusal_AnswersWithinTheProtocols has each part of a host refuse
// with values that no protocol can carry, and with errors that it did not make.
func TestHost_InvalidRefusal_AnswersWithinTheProtocols(t *testing.T) {
	var none *farwire.Refusal
	long := strings.Repeat("x", 1<<20)
	internal := told{status: 500, close: 1011, code: "internal", text: "internal error"}
	for what, c := range map[string]struct {
		fail func() error
		want told
	}{
		"as it is": {func() error {
			return &farwire.Refusal{Status: 402, CloseCode: 4402, Code: "budget", Message: "budget used up", RetryAfter: time.Hour, Err: errors.New("table 7")}
		}, told{status: 402, close: 4402, code: "budget", text: "budget used up", retry: "3600"}},
		"empty":                      {func() error { return &farwire.Refusal{} }, told{status: 403, close: 1008, code: "target_forbidden", text: "refused"}},
		"status that opens a tunnel": {func() error { return &farwire.Refusal{Status: 200, CloseCode: 1005, Message: "m"} }, told{status: 403, close: 1008, code: "target_forbidden", text: "m"}},
		"status that upgrades":       {func() error { return &farwire.Refusal{Status: 101, CloseCode: 1006, Message: "m"} }, told{status: 403, close: 1008, code: "target_forbidden", text: "m"}},
		"numbers below": {func() error {
			return &farwire.Refusal{Status: -1, CloseCode: -1, Message: "m", RetryAfter: -time.Hour}
		}, told{status: 403, close: 1008, code: "target_forbidden", text: "m"}},
		"numbers above":  {func() error { return &farwire.Refusal{Status: 1000, CloseCode: 70000, Message: "m"} }, told{status: 403, close: 1008, code: "target_forbidden", text: "m"}},
		"long":           {func() error { return &farwire.Refusal{Message: long} }, told{status: 403, close: 1008, code: "target_forbidden", text: long[:1000] + "…"}},
		"control":        {func() error { return &farwire.Refusal{Message: "a\r\nb\x00\xff\u202ec", Code: "x\ny"} }, told{status: 403, close: 1008, code: "x y", text: "a  b \ufffd c"}},
		"nil *Refusal":   {func() error { return none }, internal},
		"canceled":       {func() error { return context.Canceled }, internal},
		"unauthorized":   {func() error { return farwire.ErrUnauthorized }, internal},
		"an error":       {func() error { return errors.New("table 7 at 10.0.0.7") }, internal},
		"time runs out":  {func() error { return context.DeadlineExceeded }, internal},
		"panics":         {func() error { panic("of the host") }, internal},
		"nothing at all": {func() error { return nil }, internal},
	} {
		for part, set := range hostParts {
			ofHost := c.want.code == "internal"
			switch {
			case part == "authenticator" && what == "unauthorized", part == "allow" && ofHost, what == "nothing at all" && part == "limiter",
				part == "exit" && what == "time runs out": // these say something else
				continue
			}
			t.Run(part+" "+what, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(o *farwire.Options) { set(o, c.fail) })
				for _, got := range w.refusals() {
					want := c.want
					want.surface = got.surface
					if got.status == 0 {
						want.status = 0
					} else {
						want.close = 0
					}
					if got.close != 0 && got.surface != "relay" {
						want.retry = ""
					}
					if got != want {
						t.Errorf("got  %.1200s\nwant %.1200s", fmt.Sprint(got), fmt.Sprint(want))
					}
				}
				if strings.Contains(w.log.String(), "goroutine") && what != "panics" {
					t.Errorf("a panic: %.2000s", w.log)
				}
			})
		}
	}
}
