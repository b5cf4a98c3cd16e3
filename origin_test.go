package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestTrustedProxies_ForwardedFor_RightmostUntrusted(t *testing.T) {
	of := farwire.TrustedProxies(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"))
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"}, // an untrusted client says so
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6", "198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"10.1.1.1, 10.2.2.2"}, "10.1.1.1"},
		{"10.0.0.1:5", []string{"198.51.100.1, nonsense, 10.2.2.2"}, "10.2.2.2"},
		{"10.0.0.1:5", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"[2001:470::1]"}, "2001:470::1"},
		{"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[2001:db8::1]:5", []string{"2001:470::1%eth0"}, "2001:470::1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := of(r); got.String() != c.want {
			t.Errorf("%s %q: %v, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestWrongCredentials_TenAMinute_Then429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(harness.Log)
		gw, err := farwire.New(farwire.Options{Auth: mustKeys(t, map[string]string{testKey: "alice"}), Logger: log.Logger(),
			Limits: farwire.Limits{Rate: -1}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(from, key string) (int, http.Header) {
			r := httptest.NewRequest("GET", "/usage", nil)
			r.RemoteAddr = from
			r.Header.Set("X-API-Key", key)
			w := httptest.NewRecorder()
			gw.Usage().ServeHTTP(w, r)
			return w.Code, w.Header()
		}
		for i := range 12 {
			want := 403
			if i >= 10 {
				want = 429
			}
			code, h := ask("192.0.2.1:1", "wrong-key-0123456789")
			if code != want || want == 429 && h.Get("Retry-After") != "60" {
				t.Errorf("wrong key %d: %d, Retry-After %q", i+1, code, h.Get("Retry-After"))
			}
		}
		if code, _ := ask("192.0.2.1:1", testKey); code != 200 {
			t.Errorf("the right key from there: %d", code)
		}
		if code, _ := ask("192.0.2.2:1", "wrong-key-0123456789"); code != 403 {
			t.Errorf("a wrong key from elsewhere: %d", code)
		}
		if n := strings.Count(log.String(), `msg="credentials refused" client=192.0.2.1`); n != 1 {
			t.Errorf("%d lines in a second:\n%s", n, log)
		}
		if strings.Contains(log.String(), "wrong-key") {
			t.Errorf("the log has the credential:\n%s", log)
		}
		// An IPv6 client has a /64.
		for i := range 11 {
			code, _ := ask("[2001:db8::"+string(rune('1'+i%9))+"]:1", "wrong-key-0123456789")
			if (code == 429) != (i == 10) {
				t.Errorf("IPv6 %d: %d", i+1, code)
			}
		}
		time.Sleep(time.Minute)
		if code, _ := ask("192.0.2.1:1", "wrong-key-0123456789"); code != 403 {
			t.Errorf("a minute later: %d", code)
		}
	})
}

type authFunc func(context.Context, farwire.Credentials) (farwire.Principal, error)

func (f authFunc) Authenticate(ctx context.Context, c farwire.Credentials) (farwire.Principal, error) {
	return f(ctx, c)
}

type selectorFunc func(context.Context, agent.Query) (agent.Exit, error)

func (f selectorFunc) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	return f(ctx, q)
}

func TestHost_EmptyPrincipalOrExit_InternalErrorThatNamesIt(t *testing.T) {
	t.Run("principal", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) {
			o.Auth = authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) { return farwire.Principal{}, nil })
		})
		p := w.open("/ws")
		p.ask("ws://a.test/", "")
		p.wantError(1011, "internal error")
		w.wantLog(`authFunc returned a principal without a subject`)
	})
	t.Run("exit", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) {
			o.Agents = selectorFunc(func(context.Context, agent.Query) (agent.Exit, error) { return agent.Exit{}, nil })
		})
		p := w.open("/ws")
		p.ask("ws://a.test/", "")
		p.wantError(1011, "internal error")
		w.wantLog(`selectorFunc returned an exit without a DialContext`)
	})
	t.Run("refusal", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) {
			o.Agents = selectorFunc(func(context.Context, agent.Query) (agent.Exit, error) {
				return agent.Exit{}, &farwire.Refusal{Status: 402, CloseCode: 4402, Code: "budget", Message: "budget used up",
					RetryAfter: time.Hour, Err: errors.New("table 7")}
			})
		})
		p := w.open("/ws")
		p.ask("ws://a.test/", "")
		p.wantError(4402, "budget used up")
		resp := w.try("/ws?url=ws://a.test/", "X-API-Key: "+testKey).resp
		b, err := io.ReadAll(resp.Body)
		var body map[string]string
		if err != nil || json.Unmarshal(b, &body) != nil || resp.StatusCode != 402 || body["code"] != "budget" || body["detail"] != "budget used up" ||
			resp.Header.Get("Retry-After") != "3600" {
			t.Errorf("%s %v %s", resp.Status, resp.Header, b)
		}
	})
}

func TestOrigin_SchemeKnown_Compared(t *testing.T) {
	gw, err := farwire.New(farwire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scheme, origin, site string
		status               int
	}{
		{"", "https://host.test", "", 200}, // not known
		{"", "http://host.test", "", 200},
		{"https", "https://host.test", "", 200},
		{"https", "http://host.test", "", 403},
		{"http", "https://host.test", "", 403},
		{"", "https://evil.test", "", 403},
		{"", "", "cross-site", 403},
		{"", "", "same-site", 403},
		{"", "", "same-origin", 200},
		{"", "", "none", 200},
	} {
		r := httptest.NewRequest("GET", "http://host.test/usage", nil)
		ctx := farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"})
		if c.scheme != "" {
			ctx = farwire.WithScheme(ctx, c.scheme)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		gw.Usage().ServeHTTP(w, r.WithContext(ctx))
		if w.Code != c.status {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

// In a host a Gateway and an agent.Pool count wrong credentials each for itself.
func TestWrongCredentials_GatewayAndPool_CountApart(t *testing.T) {
	for _, gatewayFirst := range []bool{true, false} {
		log := new(harness.Log)
		pool, err := agent.NewPool(agent.PoolOptions{Secret: "an-agent-secret-0123456789", Logger: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		gw, err := farwire.New(farwire.Options{Auth: mustKeys(t, map[string]string{testKey: "alice"}), Logger: log.Logger(), Limits: farwire.Limits{Rate: -1}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(h http.Handler) int {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("Authorization", "Bearer wrong-key-0123456789")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		first, second, want := gw.Usage(), http.Handler(pool), 401
		if !gatewayFirst {
			first, second, want = pool, gw.Usage(), 403
		}
		for range 11 {
			ask(first)
		}
		if code := ask(first); code != 429 {
			t.Errorf("gateway first %v: after eleven wrong ones %d, want 429", gatewayFirst, code)
		}
		if code := ask(second); code != want {
			t.Errorf("gateway first %v: the other one answers %d, want %d", gatewayFirst, code, want)
		}
		// The line names what the credentials were for, but for keys.
		keys, agents := strings.Contains(log.String(), `msg="credentials refused" client=192.0.2.1`+"\n"), strings.Contains(log.String(), `client=192.0.2.1 of=agent`+"\n")
		if !keys || !agents {
			t.Errorf("the log:\n%s", log)
		}
	}
}
