package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// A surface is one way to call the gateway with a key or a token. An answer
// that is not a refusal has status 200 or 101 and leaves what it began running.
type surface struct {
	name string
	kind string // of the sessions that it begins; empty: none
	call func(w *world, credential, target string) refusal
}

// A refusal is what a caller is told: over HTTP, or by an error message and a
// close code.
type refusal struct {
	status, code int
	text         string
	header       http.Header
}

var surfaces = []surface{
	{"relay, message", "relay", func(w *world, credential, target string) refusal {
		p := w.open("/ws")
		p.text(fmt.Sprintf(`{"apiKey":%q,"url":%q}`, credential, target))
		return p.refusal()
	}},
	{"relay, direct", "relay", func(w *world, credential, target string) refusal {
		return httpRefusal(w.try("/ws?url=" + escape(target) + "&api_key=" + credential).resp)
	}},
	{"amqp", "amqp", func(w *world, credential, _ string) refusal {
		return httpRefusal(w.subscribe(fmt.Sprintf(`{"apiKey":%q,"host":"broker.test","exchange":"e"}`, credential)).resp)
	}},
	{"crawl", "crawl", func(w *world, credential, _ string) refusal {
		p := w.open("/ws/crawl?token=" + credential)
		p.text(`{"url":"http://slow.test/"}`)
		return p.refusal()
	}},
	{"token", "", func(w *world, credential, _ string) refusal {
		return httpRefusal(w.post("/auth/token", "X-API-Key: "+credential))
	}},
	{"usage", "", func(w *world, credential, _ string) refusal {
		return httpRefusal(w.do("GET", "/usage", "X-API-Key: "+credential))
	}},
	{"network", "", func(w *world, credential, _ string) refusal {
		return httpRefusal(w.do("GET", "/network", "X-API-Key: "+credential))
	}},
}

func httpRefusal(resp *http.Response) refusal {
	r := refusal{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode < 300 {
		return r
	}
	defer resp.Body.Close()
	var body struct{ Detail string }
	if json.NewDecoder(resp.Body).Decode(&body) == nil {
		r.text = body.Detail
	}
	return r
}

// refusal reads messages up to one that says how it went.
func (p *peer) refusal() refusal {
	p.t.Helper()
	for {
		var m struct{ Type, Message, Content string }
		f := p.next()
		if err := json.Unmarshal(f.payload, &m); f.op != opText || err != nil {
			p.t.Fatalf("got %v, %v", f, err)
		}
		switch m.Type {
		case "connected", "log":
			return refusal{status: 101}
		case "error":
			c := p.next()
			if c.op != opClose || len(c.payload) < 2 {
				p.t.Fatalf("got %v, want a close", c)
			}
			p.frame(opClose, true, c.payload)
			p.conn.Close()
			return refusal{code: int(c.payload[0])<<8 | int(c.payload[1]), text: m.Message + m.Content}
		}
	}
}

// wantLimit checks every part of a refusal by a limit.
func (r refusal) wantLimit(t *testing.T, text, limit, retryAfter string) {
	t.Helper()
	// The time since the request before is taken off what was to be waited.
	want, _ := strconv.Atoi(retryAfter)
	wait, _ := strconv.Atoi(r.header.Get("Retry-After"))
	switch {
	case r.text != text:
		t.Errorf("got %+v, want %q", r, text)
	case r.status == 0 && r.code != 1008:
		t.Errorf("closed with %d", r.code)
	case r.status != 0 && r.status != http.StatusTooManyRequests:
		t.Errorf("status %d", r.status)
	case r.status != 0 && (r.header.Get("X-RateLimit-Limit") != limit || r.header.Get("X-RateLimit-Remaining") != "0" || wait > want || wait < want-10 || wait < 1):
		t.Errorf("headers %v, want a limit of %s, none remaining and %s s to wait", r.header, limit, retryAfter)
	}
}

// newLimited starts a gateway whose one caller has the limits; its exit reaches
// relay targets on loopback, a broker, and a site whose second page takes its
// time.
func newLimited(t *testing.T, limits farwire.Limits, edit ...func(*farwire.Options)) (w *world, d *directory, target string) {
	d = &directory{principal: caller(limits)}
	broker := brokerExit(&brokertest.Broker{})
	slow := newSite(t, map[string]string{"/": page("Home", "A page with a link to one that never comes.", "/slow"), "/slow": "hang"})
	exit := agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		switch host {
		case "broker.test":
			return broker.DialContext(ctx, network, addr)
		case "slow.test":
			addr = strings.TrimPrefix(slow.URL, "http://")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	w = newWorld(t, append([]func(*farwire.Options){func(o *farwire.Options) {
		o.Auth, o.Agents = lookupDirectory{d}, exit
	}}, edit...)...)
	return w, d, newTarget(t, echo)
}

// TestRate_EveryEndpoint_IsHeld spends the only request and asks again, with a key and
// with a token whose owner's limits were lowered meanwhile.
func TestRate_EveryEndpoint_IsHeld(t *testing.T) {
	for _, s := range surfaces {
		for _, by := range []string{"key", "token"} {
			if s.name == "token" && by == "token" {
				continue // it takes no tokens
			}
			t.Run(s.name+" by "+by, func(t *testing.T) {
				w, d, target := newLimited(t, farwire.Limits{Rate: -1})
				credential := testKey
				if by == "token" {
					credential = w.token(t, testKey)
				}
				if r := s.call(w, credential, target); r.text != "" && r.status != http.StatusNotFound {
					t.Fatalf("without a limit: %+v", r)
				}
				d.set(caller(farwire.Limits{Rate: 0.01, Burst: 1}), nil)
				if resp := w.do("GET", "/usage", "X-API-Key: "+credential); resp.StatusCode != 200 {
					t.Fatalf("the first request: %s", resp.Status)
				}
				s.call(w, credential, target).wantLimit(t, "rate limit exceeded", "1", "100")
				d.set(caller(farwire.Limits{Rate: 1e-300, Burst: 1}), nil)
				s.call(w, credential, target).wantLimit(t, "rate limit exceeded", "1", "9223372037")
				d.set(caller(farwire.Limits{Rate: 0.01, Burst: -1}), nil)
				if r := s.call(w, credential, target); r.text != "" && r.status != http.StatusNotFound {
					t.Errorf("with a burst of any size: %+v", r)
				}
			})
		}
	}
}

// TestConcurrency_EveryEndpoint_IsHeld has one session of a kind run and begins
// another, by each way there is. Sessions of other kinds do not count.
func TestConcurrency_EveryEndpoint_IsHeld(t *testing.T) {
	for _, first := range surfaces {
		var limits farwire.Limits
		switch first.kind {
		case "relay":
			limits.Sessions = 1
		case "amqp":
			limits.Streams = 1
		case "crawl":
			limits.Crawls = 1
		default:
			continue
		}
		t.Run(first.name, func(t *testing.T) {
			w, d, target := newLimited(t, limits)
			token := w.token(t, testKey)
			if r := first.call(w, testKey, target); r.text != "" {
				t.Fatalf("the first: %+v", r)
			}
			for _, s := range surfaces {
				for _, credential := range []string{testKey, token} {
					r := s.call(w, credential, target)
					if s.kind == first.kind {
						r.wantLimit(t, fmt.Sprintf("limit reached: 1 %s session at a time", s.kind), "1", "1")
					} else if r.text != "" && s.kind != "" {
						t.Errorf("%s: %+v", s.name, r)
					}
				}
			}
			d.set(caller(farwire.Limits{Sessions: -1, Streams: -1, Crawls: -1}), nil)
			if r := first.call(w, token, target); r.text != "" {
				t.Errorf("without a limit: %+v", r)
			}
		})
	}
}

// TestLimits_OfThePrincipal_ComeFirst reads back what holds for a caller: its own
// limit, else the gateway's, else none.
func TestLimits_OfThePrincipal_ComeFirst(t *testing.T) {
	type all = farwire.Limits
	for name, c := range map[string]struct {
		own, gateway all
		want         string
	}{
		"nothing is said": {all{}, all{}, "10 10 - - - -"},
		"the gateway's":   {all{}, all{Rate: 2.5, Burst: 4, Sessions: 3, Streams: 4, Crawls: 5, PagesPerDay: 6}, "2.5 4 3 4 5 6"},
		"the caller's own": {all{Rate: 7, Burst: 8, Sessions: 9, Streams: 10, Crawls: 11, PagesPerDay: 12},
			all{Rate: 2.5, Burst: 4, Sessions: 3, Streams: 4, Crawls: 5, PagesPerDay: 6}, "7 8 9 10 11 12"},
		"none for the caller": {all{Rate: -1, Sessions: -1, Streams: -1, Crawls: -1, PagesPerDay: -1},
			all{Rate: 2.5, Burst: 4, Sessions: 3, Streams: 4, Crawls: 5, PagesPerDay: 6}, "- - - - - -"},
		"a rate alone":                {all{Rate: 3.2}, all{Rate: 1, Burst: 50}, "3.2 4 - - - -"},
		"a burst alone":               {all{Burst: 3}, all{Rate: 1, Burst: 50}, "1 3 - - - -"},
		"a burst of any size":         {all{Rate: 3, Burst: -1}, all{}, "- - - - - -"},
		"a very small rate":           {all{Rate: 1e-9}, all{}, "1e-09 1 - - - -"},
		"a rate beyond all numbers":   {all{Rate: math.Inf(1)}, all{}, "- - - - - -"},
		"a rate larger than integers": {all{Rate: 1e30}, all{}, "1e+30 2147483647 - - - -"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &directory{principal: caller(c.own)}
			w := newWorld(t, func(o *farwire.Options) { o.Auth, o.Limits = d, c.gateway })
			u := w.usage(t)
			got := strings.Join([]string{or(u.Rate.PerSecond), or(u.Rate.Burst), or(u.Relay.Limit), or(u.AMQP.Limit), or(u.Crawl.Limit), or(u.Pages.Limit)}, " ")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	_, err := farwire.New(farwire.Options{Limits: all{Rate: math.NaN()}})
	if err == nil || !strings.Contains(err.Error(), "Options.Limits.Rate") {
		t.Errorf("a rate that is no number: %v", err)
	}
	w, _, target := newLimited(t, all{Rate: math.NaN()})
	if r := surfaces[1].call(w, testKey, target); r.status != 500 || r.text != "internal error" {
		t.Errorf("a caller's rate that is no number: %+v", r)
	}
}

type usage struct {
	Rate struct {
		PerSecond *float64 `json:"per_second"`
		Burst     *int
		Refused   int
	}
	Relay, AMQP, Crawl struct{ Limit *int }
	Pages              struct{ Today, Limit *int }
}

func (w *world) usage(t *testing.T) (u usage) {
	t.Helper()
	resp := w.do("GET", "/usage", "X-API-Key: "+testKey)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return u
}

// or returns what is pointed at, or a dash.
func or[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}

// A waiting limiter answers when its caller gives up.
type waiting struct{ asked chan struct{} }

func (l waiting) Take(ctx context.Context, _ farwire.Principal, _ farwire.Bucket) (farwire.Quota, error) {
	l.asked <- struct{}{}
	<-ctx.Done()
	return farwire.Quota{}, ctx.Err()
}

// TestLimiter_SessionEndsMeanwhile_IsNoFailure has clients leave, and the gateway drain, while
// a limiter takes its time. Nobody is to blame.
func TestLimiter_SessionEndsMeanwhile_IsNoFailure(t *testing.T) {
	for _, s := range surfaces[:2] {
		t.Run("drained: "+s.name, func(t *testing.T) {
			l := waiting{make(chan struct{}, 1)}
			w, _, target := newLimited(t, farwire.Limits{}, func(o *farwire.Options) { o.Limiter = l })
			told := make(chan refusal, 1)
			go func() { told <- s.call(w, testKey, target) }()
			<-l.asked
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			if err := w.gw.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if r := <-told; r.text != "the gateway is draining" || r.status != 503 && r.code != 1001 {
				t.Errorf("told %+v", r)
			}
		})
	}
	for name, request := range map[string]string{
		"relay": "GET /ws?url=ws://target.test/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		"amqp":  "POST /amqp HTTP/1.1\r\nContent-Length: 22\r\n",
		"usage": "GET /usage HTTP/1.1\r\n",
		"crawl": "GET /ws/crawl HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
	} {
		t.Run("left: "+name, func(t *testing.T) {
			l := waiting{make(chan struct{}, 1)}
			w, _, _ := newLimited(t, farwire.Limits{}, func(o *farwire.Options) { o.Limiter = l })
			conn, err := w.dialIn()
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, request+"Host: gateway.test\r\nX-API-Key: "+testKey+"\r\n\r\n"+`{"host":"broker.test"}`[:22])
			<-l.asked
			conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			if err := w.gw.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if log := w.log.String(); strings.Contains(log, "internal error") {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
}
