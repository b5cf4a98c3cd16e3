package farwire_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

func TestAPIKeys_BadKeys_AreRefused(t *testing.T) {
	for name, keys := range map[string]map[string]string{
		"none":        nil,
		"empty key":   {"": "alice"},
		"short key":   {"fifteen-bytes--": "alice"},
		"one of two":  {testKey: "alice", "short": "bob"},
		"no subject":  {testKey: ""},
		"blank is 16": {strings.Repeat("x", 15): "alice"},
	} {
		_, err := farwire.APIKeys(keys)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for key := range keys {
			if key != "" && strings.Contains(err.Error(), key) {
				t.Errorf("%s: the error holds the key: %v", name, err)
			}
		}
	}
	for key, accepted := range map[string]bool{"": false, "x": true, testKey: true} { // of a hash nobody knows more
		record := farwire.KeyRecord{Hash: sha256.Sum256([]byte(key)), Principal: farwire.Principal{Subject: "alice"}}
		if err := new(farwire.KeySet).ReplaceRecords([]farwire.KeyRecord{record}); (err == nil) != accepted {
			t.Errorf("the hash of %q: %v", key, err)
		}
	}
	a := mustKeys(t, map[string]string{"sixteen-bytes---": "alice"})
	for _, key := range []string{"sixteen-bytes--", "sixteen-bytes--- ", "SIXTEEN-BYTES---", "x"} {
		if _, err := a.Authenticate(context.Background(), farwire.Credentials{Key: key}); !errors.Is(err, farwire.ErrUnauthorized) {
			t.Errorf("%q: %v", key, err)
		}
	}
	p, err := a.Authenticate(context.Background(), farwire.Credentials{Key: "sixteen-bytes---"})
	if err != nil || p.Subject != "alice" || p.KeyID == "" || strings.Contains(p.KeyID, "sixteen") {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestNew_BadOptions_NamesTheField(t *testing.T) {
	for field, o := range map[string]farwire.Options{
		"TokenKey":           {TokenKey: make([]byte, 31)},
		"TokenKey: 0":        {TokenKey: []byte{}},
		"Origins":            {Origins: []string{"app.example.com"}},
		"Relay.StallTimeout": {Relay: farwire.RelayOptions{StallTimeout: -1}},
		"AMQP.Budget":        {AMQP: farwire.AMQPOptions{Budget: -1}},
		"AMQP.BodyLimit":     {AMQP: farwire.AMQPOptions{BodyLimit: -1}},
		"Crawl.Timeout":      {Crawl: farwire.CrawlOptions{Timeout: -1}},
		"Crawl.MaxPages":     {Crawl: farwire.CrawlOptions{MaxPages: -1}},
	} {
		if _, err := farwire.New(o); err == nil || !strings.Contains(err.Error(), "farwire: Options."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := farwire.New(farwire.Options{}); err != nil {
		t.Errorf("the zero Options: %v", err)
	}
}

// TestAuth_KeysInSeveralPlaces_FirstCounts puts a right key in one place and a wrong one in all
// that come after it.
func TestAuth_KeysInSeveralPlaces_FirstCounts(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	const wrong = "wrong-wrong-wrong-wrong"
	for _, tt := range []struct {
		name, path, message string
		header              []string
		ok                  bool
	}{
		{"message", "/ws?api_key=" + wrong, `"apiKey":"` + testKey + `",`, []string{"X-API-Key: " + wrong, "Authorization: Bearer " + wrong}, true},
		{"message, other name", "/ws?api_key=" + wrong, `"key":"` + testKey + `",`, []string{"X-API-Key: " + wrong}, true},
		{"apiKey beats key", "/ws", `"key":"` + wrong + `","apiKey":"` + testKey + `",`, nil, true},
		{"X-API-Key", "/ws?api_key=" + wrong, ``, []string{"X-API-Key: " + testKey, "Authorization: Bearer " + wrong}, true},
		{"Bearer", "/ws?api_key=" + wrong, ``, []string{"Authorization: bearer " + testKey}, true},
		{"api_key", "/ws?token=" + wrong + "&api_key=" + testKey, ``, nil, true},
		{"token", "/ws?token=" + testKey, ``, nil, true},
		{"Basic holds no key", "/ws", ``, []string{"Authorization: Basic " + testKey}, false},
		{"wrong in the message beats right in the header", "/ws", `"apiKey":"` + wrong + `",`, []string{"X-API-Key: " + testKey}, false},
		{"an empty key in the message does not count", "/ws", `"apiKey":"",`, []string{"X-API-Key: " + testKey}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.in(t).open(tt.path, tt.header...)
			p.text(fmt.Sprintf(`{%s"url":%q}`, tt.message, url))
			if tt.ok {
				p.wantConnected()
			} else {
				p.wantError(1008, "API key")
			}
		})
	}
}

// TestAuth_CallerNamedByTheHost_NeedsNoKey lets middleware name the caller.
func TestAuth_CallerNamedByTheHost_NeedsNoKey(t *testing.T) {
	url := newTarget(t, echo)
	named := func(o *farwire.Options) { o.Origins = []string{"https://app.example"} }
	w := newWorld(t, named)
	ask := fmt.Sprintf(`{"url":%q}`, url)
	host := http.NewServeMux()
	host.Handle("GET /ws", nameCaller(w.gw.Relay()))
	w = w.also(host)
	for _, tt := range []struct {
		name    string
		header  []string
		message string
		ok      bool
		want    string
	}{
		{"no origin", nil, ask, true, ""},
		{"own origin", []string{"Origin: https://gateway.test"}, ask, true, ""},
		{"listed origin", []string{"Origin: https://app.example"}, ask, true, ""},
		{"foreign origin", []string{"Origin: https://evil.example"}, ask, false, "origin not allowed"},
		{"null origin", []string{"Origin: null"}, ask, false, "origin not allowed"},
		{"origin with the host inside", []string{"Origin: https://gateway.test.evil.example"}, ask, false, "origin not allowed"},
		{"foreign origin with a key", []string{"Origin: https://evil.example", "X-API-Key: " + testKey}, ask, true, ""},
		{"a wrong key is refused all the same", []string{"X-API-Key: wrong-wrong-wrong"}, ask, false, "API key invalid"},
		{"a wrong bearer too", []string{"Authorization: Bearer wrong-wrong-wrong"}, ask, false, "API key invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.in(t).open("/ws", tt.header...)
			p.text(tt.message)
			if tt.ok {
				p.wantConnected()
			} else {
				p.wantError(1008, tt.want)
			}
			d := w.in(t).try("/ws?url="+escape(url), tt.header...)
			if tt.ok != (d.resp.StatusCode == 101) || !tt.ok && d.resp.StatusCode != 403 {
				t.Errorf("the direct form got %s", d.resp.Status)
			}
		})
	}
	t.Run("without an Authenticator the bearer is the host's", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Auth = nil })
		host := http.NewServeMux()
		host.Handle("GET /ws", nameCaller(w.gw.Relay()))
		p := w.also(host).open("/ws", "Authorization: Bearer of-the-host")
		p.text(ask)
		p.wantConnected()
		if p := w.open("/ws"); true {
			p.text(ask)
			p.wantError(1008, "API key missing")
		}
	})
	t.Run("no origin is the own one of a host without a name", func(t *testing.T) {
		inner := nameCaller(w.gw.Relay())
		host := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			r.Host = "" // as a proxy may do that sends none on
			inner.ServeHTTP(rw, r)
		})
		p := w.also(host).open("/ws", "Origin: null")
		p.text(ask)
		p.wantError(1008, "origin not allowed")
	})
	t.Run("a principal without a subject does not count", func(t *testing.T) {
		ctx := farwire.WithPrincipal(context.Background(), farwire.Principal{})
		host := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.gw.Relay().ServeHTTP(rw, r.WithContext(ctx)) })
		p := w.also(host).open("/ws")
		p.text(ask)
		p.wantError(1008, "API key missing")
	})
}

func nameCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "host-user"})))
	})
}

// TestRate_BurstSpent_Refuses: ten a second and a burst of ten, for each key.
func TestRate_BurstSpent_Refuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, nil, func(o *farwire.Options) { o.Limits = farwire.Limits{} })
		try := func(key string) *http.Response { return w.try("/ws?url=wss://&api_key=" + key).resp }
		for i := range 10 {
			if r := try(testKey); r.StatusCode != 400 {
				t.Fatalf("request %d: %s", i, r.Status)
			}
		}
		r := try(testKey)
		if r.StatusCode != 429 || r.Header.Get("Retry-After") != "1" || r.Header.Get("X-RateLimit-Limit") != "10" || r.Header.Get("X-RateLimit-Remaining") != "0" {
			t.Errorf("got %s, %v", r.Status, r.Header)
		}
		p := w.open("/ws")
		p.ask("ws://target.test/", "")
		p.wantError(1008, "rate limit exceeded")
		if r := try(otherKey); r.StatusCode != 400 {
			t.Errorf("another key: %s", r.Status)
		}
		time.Sleep(100 * time.Millisecond)
		if r := try(testKey); r.StatusCode != 400 {
			t.Errorf("a tenth of a second later: %s", r.Status)
		}
		if r := try(testKey); r.StatusCode != 429 {
			t.Errorf("and another: %s", r.Status)
		}
	})
}

// TestConcurrency_TwoRelaysOpen_RefusesAThird lets a key have two relays at a time.
func TestConcurrency_TwoRelaysOpen_RefusesAThird(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Limits.Sessions = 2 })
	url := newTarget(t, echo)
	first := w.connected(url, "")
	w.connected(url, "")
	p := w.open("/ws")
	p.ask(url, "")
	p.wantError(1008, "2 relay sessions at a time")
	wantDetail(t, w.try("/ws?url="+escape(url), "X-API-Key: "+testKey).resp, 429, "2 relay sessions at a time")
	first.close(1000, "")
	first.wantClose(1000, "")
	first.wantEnd()
	deadline := time.Now().Add(testTimeout)
	for {
		p := w.open("/ws")
		p.ask(url, "")
		if f := p.next(); strings.Contains(string(f.payload), "connected") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a session that ended still counts")
		}
	}
}

// TestToken_ChangedForAKey_WorksEverywhere changes a key for a token and uses it everywhere.
func TestToken_ChangedForAKey_WorksEverywhere(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	token := w.token(t, testKey)
	for _, path := range []string{"/ws?token=" + token, "/ws?api_key=" + token} {
		p := w.open(path)
		p.text(fmt.Sprintf(`{"url":%q}`, url))
		p.wantConnected()
	}
	p := w.open("/ws")
	p.text(fmt.Sprintf(`{"url":%q,"apiKey":%q}`, url, token))
	p.wantConnected()
	w.open("/ws?url=" + escape(url) + "&token=" + token)
	if resp := w.post("/auth/token", "X-API-Key: "+token); resp.StatusCode != 403 {
		t.Errorf("a token for a token: %s", resp.Status)
	}
	wantDetail(t, w.post("/auth/token"), 401, "API key missing")
	wantDetail(t, w.post("/auth/token", "X-API-Key: wrong-wrong-wrong"), 403, "API key invalid")
	for _, bad := range []string{token + "x", token[:len(token)-4] + "AAAA", strings.Replace(token, ".", ".e30", 1)} {
		if d := w.try("/ws?url=" + escape(url) + "&token=" + bad); d.resp.StatusCode != 403 {
			t.Errorf("%s: %s", bad, d.resp.Status)
		}
	}
}

// post sends an empty POST.
func (w *world) post(path string, lines ...string) *http.Response {
	w.t.Helper()
	return w.do("POST", path, lines...)
}

func (w *world) do(method, path string, lines ...string) *http.Response {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	p := &peer{t: w.t, conn: conn, br: newReader(conn)}
	head := method + " " + path + " HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	p.raw([]byte(head + "\r\n"))
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

func (w *world) token(t *testing.T, key string) string {
	t.Helper()
	resp := w.post("/auth/token", "X-API-Key: "+key)
	var answer struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expires_in"`
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(body, &answer) != nil || resp.StatusCode != 200 || answer.ExpiresIn != 300 || answer.Token == "" {
		t.Fatalf("POST /auth/token: %s %s", resp.Status, body)
	}
	return answer.Token
}
