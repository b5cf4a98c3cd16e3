package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/farwire/farwire"
)

// A bucketLog is a limiter that writes down what it is asked and lets all pass.
type bucketLog struct {
	mu    sync.Mutex
	asked []string
}

func (l *bucketLog) Take(_ context.Context, p farwire.Principal, b farwire.Bucket) (farwire.Quota, error) {
	rate, burst := p.Limits.RateOf(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, fmt.Sprintf("%s %s %v %d", p.KeyID, b, rate, burst))
	return farwire.Quota{Limit: -1, Remaining: -1}, nil
}

func TestLimiter_EachEndpoint_GetsPrincipalAndBucket(t *testing.T) {
	l := new(bucketLog)
	w := newProxyWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(o *farwire.Options) {
		o.Limiter = l
		o.Auth = keyFunc(func(string) farwire.Principal { return farwire.Principal{Subject: "alice", KeyID: "k1"} })
		o.Limits = farwire.Limits{Rate: 2, Burst: 3, HTTPRate: 5, HTTPBurst: 7}
	})
	mux := http.NewServeMux()
	for path, h := range map[string]http.Handler{"/usage": w.gw.Usage(), "/network": w.gw.Network(), "/auth/token": w.gw.Token(), "/ws": w.gw.Relay(), "/to/": w.gw.PathForm()} {
		mux.Handle(path, h)
	}
	w.server.Config.Handler = w.gw.ForwardProxy(mux)
	ask := func(method, path string, lines ...string) func() {
		return func() {
			req := w.request(method, "/", nil, append(lines, "X-API-Key: "+testKey)...)
			address, err := url.Parse(w.server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			req.URL = address
			w.fetch(req)
		}
	}
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, c := range []struct {
		way, want string
		ask       func()
	}{
		{"usage", "k1 requests 2 3", ask("GET", "/usage")},
		{"network", "k1 requests 2 3", ask("GET", "/network")},
		{"token", "k1 requests 2 3", ask("POST", "/auth/token")},
		{"direct form", "k1 requests 2 3", ask("GET", "/ws?url=ws://"+w.host()+"/", upgrade...)},
		{"path form", "k1 http 5 7", ask("GET", "/to/-/http/"+w.host()+"/")},
		{"path form, WebSocket", "k1 http 5 7", ask("GET", "/to/-/ws/"+w.host()+"/", upgrade...)},
		{"forward proxy", "k1 http 5 7", func() { get(t, w.proxied("any", testKey), w.target.URL) }},
		{"tunnel", "k1 http 5 7", func() { w.connect(w.host(), "any", testKey) }},
		{"Open", "k1 http 5 7", func() {
			conn, err := w.gw.Open(t.Context(), farwire.OpenOptions{Principal: farwire.Principal{Subject: "alice", KeyID: "k1"}, Addr: w.host()})
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}},
	} {
		l.mu.Lock()
		l.asked = nil
		l.mu.Unlock()
		c.ask()
		l.mu.Lock()
		if !slices.Equal(l.asked, []string{c.want}) {
			t.Errorf("%s: asked %q, want %q", c.way, l.asked, c.want)
		}
		l.mu.Unlock()
	}
}

func TestNewLimiter_Buckets_DoNotCountForEachOther(t *testing.T) {
	l := farwire.NewLimiter().(farwire.LeftLimiter)
	p := caller(farwire.Limits{Rate: 1e-9, Burst: 2, HTTPRate: 1e-9, HTTPBurst: 3})
	// A key whose id ends as the other bucket might be named is another key.
	other := p
	other.KeyID += "/http"
	quota := func(ask func(context.Context, farwire.Principal, farwire.Bucket) (farwire.Quota, error), p farwire.Principal, b farwire.Bucket) farwire.Quota {
		t.Helper()
		q, err := ask(t.Context(), p, b)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	for i := range 4 {
		for b, burst := range map[farwire.Bucket]int{farwire.BucketRequests: 2, farwire.BucketHTTP: 3} {
			left := max(0, burst-i-1)
			if q := quota(l.Take, p, b); q.Limit != burst || q.Remaining != left || (q.RetryAfter > 0) != (i >= burst) {
				t.Errorf("%s, request %d: %+v", b, i, q)
			}
			if q := quota(l.Left, p, b); q != (farwire.Quota{Limit: burst, Remaining: left}) {
				t.Errorf("%s, left after %d: %+v", b, i, q)
			}
		}
	}
	if q := quota(l.Left, p, ""); q != (farwire.Quota{Limit: 2}) {
		t.Errorf("the zero value: %+v", q)
	}
	if q := quota(l.Take, other, farwire.BucketRequests); q != (farwire.Quota{Limit: 2, Remaining: 1}) {
		t.Errorf("another key: %+v", q)
	}
}

// What a rate refuses stands in the usage of its key, whichever bucket it was.
func TestUsage_EitherRateRefuses_IsCounted(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(o *farwire.Options) {
		o.Limits = farwire.Limits{Rate: 1e-9, Burst: 2, HTTPRate: 1e-9, HTTPBurst: 1}
	})
	for i, want := range []int{200, 429, 429} {
		if resp, _ := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != want || want == 429 && resp.Header.Get("X-RateLimit-Limit") != "1" {
			t.Errorf("%d: %s %v", i, resp.Status, resp.Header)
		}
	}
	rec, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/usage", nil)
	r.Header.Set("X-API-Key", testKey)
	w.gw.Usage().ServeHTTP(rec, r)
	var u usage
	if err := json.Unmarshal(rec.Body.Bytes(), &u); err != nil || rec.Code != 200 || u.Rate.Refused != 2 {
		t.Errorf("%d %s, %v", rec.Code, rec.Body, err)
	}
}
