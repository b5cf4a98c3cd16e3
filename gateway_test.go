package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// TestRelay_HoldHandler_ReturnsAtTheSessionsEnd: a host may want its middleware to see the whole session.
func TestRelay_HoldHandler_ReturnsAtTheSessionsEnd(t *testing.T) {
	url := newTarget(t, echo)
	for _, hold := range []bool{false, true} {
		w := newWorld(t, func(o *farwire.Options) { o.Relay.HoldHandler = hold })
		returned := make(chan struct{}, 1)
		p := w.also(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.gw.Relay().ServeHTTP(rw, r)
			returned <- struct{}{}
		})).connected(url, "")
		if !hold {
			<-returned
		}
		p.text("x")
		p.wantText("x")
		select {
		case <-returned:
			t.Errorf("hold %v: returned during the session", hold)
		default:
		}
		p.close(1000, "")
		p.wantClose(1000, "")
		if hold {
			<-returned
		}
	}
}

func TestHealth_Draining_Answers503(t *testing.T) {
	w := newWorld(t)
	resp := w.do("GET", "/healthz")
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != `{"ok":true}` {
		t.Errorf("got %s %s", resp.Status, body)
	}
	if err := w.gw.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	resp = w.do("GET", "/healthz")
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantDetail(t, resp, 503, "draining")
}

func TestMethods_NotAllowed_IsRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		handler       http.Handler
		method, allow string
	}{
		"relay":         {w.gw.Relay(), "POST", "GET"},
		"relay by HEAD": {w.gw.Relay(), "HEAD", "GET"},
		"token":         {w.gw.Token(), "GET", "POST"},
		"health":        {w.gw.Health(), "POST", "GET, HEAD"},
		"network":       {w.gw.Network(), "DELETE", "GET, HEAD"},
		"usage":         {w.gw.Usage(), "PUT", "GET, HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			r.Header.Set("X-API-Key", testKey)
			answer := httptest.NewRecorder()
			c.handler.ServeHTTP(answer, r)
			if allow := answer.Header().Get("Allow"); allow != c.allow {
				t.Errorf("Allow is %q, want %q", allow, c.allow)
			}
			wantDetail(t, answer.Result(), http.StatusMethodNotAllowed, c.allow)
		})
	}
}

func TestStats_SessionsOfTwoRelays_AreInUsageToo(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Limits = farwire.Limits{Rate: 0.01, Burst: 7, Sessions: 3} })
	url := newTarget(t, echo)
	p := w.connected(url, "")
	q := w.connected(url, "")
	q.text("12345")
	q.wantText("12345")
	q.close(1000, "")
	q.wantClose(1000, "")
	q.wantEnd()
	waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindRelay].Active == 1 })
	s := w.gw.Stats().Kinds[farwire.KindRelay]
	if s.Started != 2 || s.Failed != 0 || s.BytesToTarget != 5+2 || s.BytesToClient != 5+2 {
		t.Errorf("stats %+v", s)
	}
	var u struct {
		Subject string
		Rate    struct {
			PerSecond float64 `json:"per_second"`
			Burst     int
			Remaining int
		}
		HTTPRate struct {
			PerSecond float64 `json:"per_second"`
			Burst     int
			Remaining int
		} `json:"http_rate"`
		Relay         struct{ Active, Total, Limit int }
		AMQP          struct{ Limit *int }
		BytesToTarget int64 `json:"bytes_to_target"`
	}
	resp := w.do("GET", "/usage", "X-API-Key: "+testKey)
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
		t.Fatal(err)
	}
	if u.Subject != "alice" || u.Rate.PerSecond != 0.01 || u.Rate.Burst != 7 || u.Rate.Remaining != 4 ||
		u.HTTPRate.PerSecond != farwire.DefaultHTTPRate || u.HTTPRate.Burst != farwire.DefaultHTTPBurst || u.HTTPRate.Remaining != farwire.DefaultHTTPBurst || u.Relay.Active != 1 || u.Relay.Total != 2 ||
		u.Relay.Limit != 3 || u.AMQP.Limit != nil || u.BytesToTarget != s.BytesToTarget {
		t.Errorf("usage %+v", u)
	}
	wantDetail(t, w.do("GET", "/usage"), 401, "API key missing")
	p.close(1000, "")
	p.wantClose(1000, "") // else the target's answer meets a closed connection
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestNetwork_PoolOrOtherSelector_ListsAgentsOr404(t *testing.T) {
	w := newWorld(t)
	wantDetail(t, w.do("GET", "/network"), 401, "API key missing")
	wantDetail(t, w.do("GET", "/network", "X-API-Key: "+testKey), 404, "does not list")
	pool, err := agent.NewPool(agent.PoolOptions{Secret: "a secret of agents"})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Shutdown(context.Background())
	if err := pool.Add(direct(t, agent.DirectOptions{Slug: "de1", Country: "DE"})); err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, func(o *farwire.Options) { o.Agents = pool })
	resp := w.do("GET", "/network", "X-API-Key: "+testKey)
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), `{"agents":[{"id":"farwire-de1","slug":"de1","country":"DE","state":"available","sessions":0,"rtt_ms":0,"version":"`) {
		t.Errorf("got %s, %v", body, err)
	}
}

// TestLog_SecretsEverywhere_AreLeftOut plants secrets everywhere and looks for them.
func TestLog_SecretsEverywhere_AreLeftOut(t *testing.T) {
	w := newWorld(t)
	secrets := []string{testKey, "header-canary", "cookie-canary", "proxy-canary", "user-canary", "query-canary", "wrong-key-canary-0123"}
	url := newTarget(t, echo)
	host := strings.TrimPrefix(url, "ws://")
	var heard strings.Builder
	fields := `"headers":{"Authorization":"Bearer header-canary"},"cookies":{"s":"cookie-canary"}`
	for _, ask := range []string{
		fmt.Sprintf(`{"apiKey":%q,"url":"ws://u:user-canary@%s?token=query-canary",%s}`, testKey, host, fields),
		fmt.Sprintf(`{"apiKey":%q,"url":"ws://u:user-canary@%s/?token=query-canary",%s}`, testKey, harness.FreeAddr(t), fields),
		fmt.Sprintf(`{"apiKey":%q,"url":"wss://u:user-canary@%s?token=query-canary",%s}`, testKey, host, fields),
		fmt.Sprintf(`{"apiKey":%q,"url":"ws://u:user-canary@%%zz%s",%s}`, testKey, host, fields),
		fmt.Sprintf(`{"apiKey":%q,"url":%q,"proxy":"http://u:proxy-canary@%s",%s}`, testKey, url, harness.FreeAddr(t), fields),
		fmt.Sprintf(`{"apiKey":%q,"url":%q,"proxy":"socks5://u:proxy-canary@%s",%s}`, testKey, url, harness.FreeAddr(t), fields),
		fmt.Sprintf(`{"apiKey":%q,"url":%q,"proxy":"http://u:proxy-canary@%%zz",%s}`, testKey, url, fields),
		fmt.Sprintf(`{"apiKey":"wrong-key-canary-0123","url":%q,%s}`, url, fields),
		fmt.Sprintf(`{"apiKey":%q,"url":%q,"headers":{"A":"header-canary\n"}}`, testKey, url),
		fmt.Sprintf(`{"apiKey":%q,"url":%q,"cookies":{"A":"cookie-canary;"}}`, testKey, url),
	} {
		p := w.open("/ws")
		p.text(ask)
		heard.Write(p.next().payload)
		p.close(1000, "")
		for {
			f, err := p.nextWithin(testTimeout)
			if err != nil {
				break
			}
			heard.Write(f.payload)
		}
		p.conn.Close()
	}
	for _, query := range []string{"&header=A:header-canary", "&proxy=http://u:proxy-canary@" + harness.FreeAddr(t), "&token=query-canary&api_key=wrong-key-canary-0123", "&header=A:%0aheader-canary"} {
		p := w.try("/ws?url="+escape("ws://u:user-canary@"+harness.FreeAddr(t)+"/?t=query-canary")+query, "X-API-Key: "+testKey)
		body, err := io.ReadAll(p.resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		heard.Write(body)
	}
	if err := w.gw.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("%s is in the log:\n%s", s, w.log)
		}
		if strings.Contains(heard.String(), s) {
			t.Errorf("%s is in an answer:\n%s", s, heard.String())
		}
	}
}

// Back-pressure reaches the target, and
// neither memory nor a neighbour notices.
func TestRelay_ClientStalls_TargetIsHeldBack(t *testing.T) {
	w := newWorld(t)
	const chunk, most = 64 << 10, 64 << 20
	const stalled = 20
	sent := make(chan int, stalled) // by each target, when it gets no other byte out
	flood := newTarget(t, func(p *peer) {
		b, sum := p.encode(opBinary, true, make([]byte, chunk)), 0
		for err := error(nil); err == nil && sum < most; {
			var n int
			p.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			n, err = p.conn.Write(b)
			sum += n
		}
		sent <- sum
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range stalled {
		w.connected(flood, "")
	}
	neighbour := w.connected(newTarget(t, echo), "")
	for range 100 {
		neighbour.text("still quick")
		neighbour.wantText("still quick")
	}
	for range stalled {
		if n := <-sent; n >= most {
			t.Errorf("a target got rid of %d bytes although its client reads none", n)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > stalled*256<<10 {
		t.Errorf("%d stalled sessions hold %d KiB", stalled, grown>>10)
	}
}

// A session that something else carries only after a drain has cut what ran is cut, too.
func TestShutdown_SessionTakenOverLate_IsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		g := must(farwire.New(farwire.Options{Logger: slog.New(slog.DiscardHandler)}))
		told, err := g.CarryAfter(func() {})
		if err != nil || told != nil {
			t.Errorf("without a drain the carrier is told %q, %v", told, err)
		}
		told, err = g.CarryAfter(func() { g.Shutdown(gone) })
		if want := []string{"shutdown: the gateway is draining", "abort"}; err != nil || !slices.Equal(told, want) {
			t.Errorf("after the cut the carrier is told %q, %v, want %q", told, err, want)
		}
	})
}

// A relay that reaches its pipe only after a drain began is told, and only after the drain
// has cut what ran is cut, too.
func TestShutdown_RelayHandedOverLate_EndsAsTheOthersDo(t *testing.T) {
	told := string([]byte{0x88, 10, 1001 >> 8, 1001 & 0xff}) + "draining"
	for _, c := range []struct {
		name   string
		cut    bool
		client string // what the client gets
	}{
		{"the drain goes on", false, told},
		{"the drain is over", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := must(farwire.New(farwire.Options{Logger: slog.New(slog.DiscardHandler)}))
				client, clientEnd := net.Pipe()
				target, targetEnd := net.Pipe()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended, err := g.HandOverAfter(func() {
					if c.cut {
						cancel()
					}
					go g.Shutdown(ctx)
					synctest.Wait()
				}, clientEnd, targetEnd)
				if err != nil {
					t.Fatal(err)
				}
				go io.Copy(io.Discard, target)
				b := make([]byte, len(told))
				client.SetReadDeadline(time.Now().Add(time.Minute))
				if n, err := io.ReadFull(client, b); string(b[:n]) != c.client || c.cut && !errors.Is(err, io.EOF) {
					t.Errorf("the client gets %q, %v; want %q", b[:n], err, c.client)
				}
				client.Close()
				target.Close()
				<-ended
			})
		})
	}
}
