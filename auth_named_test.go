package farwire_test

import (
	"crypto/sha256"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

// issued returns a token of a gateway's, as a handler around Token hands it out.
func issued(t *testing.T, gw *farwire.Gateway, caller func(*http.Request) *http.Request, body string) string {
	t.Helper()
	w := httptest.NewRecorder()
	gw.Token().ServeHTTP(w, caller(httptest.NewRequest("POST", "/auth/token", strings.NewReader(body))))
	_, rest, _ := strings.Cut(w.Body.String(), `"token":"`)
	token, _, found := strings.Cut(rest, `"`)
	if w.Code != 200 || !found {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return token
}

func withKey(r *http.Request) *http.Request { r.Header.Set("X-API-Key", testKey); return r }

func asCarol(r *http.Request) *http.Request {
	return r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"}))
}

// A token of ours in Authorization opens the gateway to whoever reads it: no target sees
// one, also where another key is the caller's.
func TestPathForm_TokenBesideAKey_NeverReachesTheTarget(t *testing.T) {
	auth := make(chan string, 1)
	w := newPathWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { auth <- r.Header.Get("Authorization") }))
	token := issued(t, w.gw, withKey, "")
	for _, c := range []struct {
		options, key, bearer string
		sent                 string
	}{
		{"-", "", token, ""},
		{"-", testKey, token, ""},
		{"key=" + testKey, "", token, ""},
		{"key=" + token, "", testKey, "Bearer " + testKey}, // with a key in the options the headers are the target's
		{"-", token, "theirs", "Bearer theirs"},
	} {
		req := w.request("GET", "/", nil, "X-API-Key: "+c.key, "Authorization: Bearer "+c.bearer)
		if c.key == "" {
			req.Header.Del("X-API-Key")
		}
		req.URL.Opaque = "/to/" + c.options + "/http/" + w.host() + "/"
		resp, body := w.fetch(req)
		if resp.StatusCode != 200 {
			t.Errorf("%+v: %d %s", c, resp.StatusCode, body)
		} else if got := <-auth; got != c.sent {
			t.Errorf("%+v: the target sees %q", c, got)
		}
	}
}

// Of a caller whom the host names, a token of ours counts wherever a key does, so that what it
// was narrowed to holds; other credentials are the host's affair where there are no keys,
// and are checked where there are.
func TestNamedCaller_Credentials_CountWhereTheyAreOurs(t *testing.T) {
	for _, keys := range []bool{false, true} {
		w := newPathWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(o *farwire.Options) {
			if !keys {
				o.Auth = nil
			}
		})
		whole, narrow := issued(t, w.gw, asCarol, ""), issued(t, w.gw, asCarol, `{"kinds":["relay"]}`)
		other := 200
		if keys {
			other = 403
		}
		for _, c := range []struct {
			bearer string
			status int
		}{{"", 200}, {whole, 200}, {narrow, 403}, {"of-the-host", other}} {
			for form, proxied := range map[string]bool{"usage": false, "proxy": true} {
				r, h := httptest.NewRequest("GET", "/usage", nil), w.gw.Usage()
				if c.bearer != "" {
					r.Header.Set("Authorization", "Bearer "+c.bearer)
				}
				want := c.status
				if proxied {
					r, h = httptest.NewRequest("GET", w.target.URL, nil), w.gw.ForwardProxy(http.NotFoundHandler())
					r.RequestURI = w.target.URL + "/"
					if c.bearer != "" {
						r.Header.Set("Proxy-Authorization", proxyBasic("x", c.bearer))
					}
					if want == 403 && c.bearer != narrow {
						want = 407
					}
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, asCarol(r))
				if rec.Code != want {
					t.Errorf("keys %v, %s, %q: %d %s, want %d", keys, form, c.bearer, rec.Code, rec.Body, want)
				}
			}
		}
	}
}

// Over HTTP/2 a page may have asked for what looks proxied: a caller that only the host knows
// needs an origin that may rely on that. No page asks for an absolute URL or a CONNECT.
func TestForwardProxy_NamedCallerOverHTTP2_OriginIsChecked(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(o *farwire.Options) { o.Auth = nil })
	for _, c := range []struct {
		major  int
		origin string
		status int
	}{{1, "https://evil.test", 200}, {2, "https://evil.test", 403}, {3, "https://evil.test", 403}, {2, "", 200}} {
		r := httptest.NewRequest("GET", w.target.URL, nil)
		r.ProtoMajor = c.major
		if r.RequestURI = w.target.URL + "/"; c.major > 1 {
			r.RequestURI = "/"
			r.Header.Set("Proxy-Authorization", proxyBasic("x", "of-the-host"))
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		rec := httptest.NewRecorder()
		w.gw.ForwardProxy(http.NotFoundHandler()).ServeHTTP(rec, asCarol(r))
		if rec.Code != c.status {
			t.Errorf("%+v: %d %s", c, rec.Code, rec.Body)
		}
	}
}

// A principal of the host's whose rules cannot be read may have been meant to be kept from
// much: it opens nothing, and the log says whose rules they are.
func TestNamedCaller_RulesInvalid_OpensNothing(t *testing.T) {
	for name, p := range map[string]farwire.Principal{
		"allow": {Subject: "carol", Allow: []string{"a..b"}},
		"deny":  {Subject: "carol", Deny: []string{"10.0.0.0/99"}},
		"kinds": {Subject: "carol", Kinds: []farwire.Kind{}},
	} {
		w := newGatewayWorld(t)
		rec, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/usage", nil)
		w.gw.Usage().ServeHTTP(rec, r.WithContext(farwire.WithPrincipal(r.Context(), p)))
		if rec.Code != 500 || !strings.Contains(rec.Body.String(), "internal error") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		w.wantLog(`the principal \\"carol\\" has rules that are not valid`)
	}
}

// Two keys of one id, and one key twice, are refused, and what was there before stays.
func TestKeySet_KeyTwice_IsRefused(t *testing.T) {
	hash := func(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }
	record := func(key, id string) farwire.KeyRecord {
		return farwire.KeyRecord{Hash: hash(key), Principal: farwire.Principal{Subject: "alice", KeyID: id}}
	}
	set := must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}}))
	for name, records := range map[string][]farwire.KeyRecord{
		"one key":               {record(otherKey, ""), record(otherKey, "")},
		"one key, of two ids":   {record(otherKey, "a"), record(otherKey, "b")},
		"one id, of two keys":   {record(testKey, "a"), record(otherKey, "a")},
		"an id that is made up": {record(testKey, set.KeyIDs()[0]), record(testKey+"x", ""), record(otherKey, set.KeyIDs()[0])},
	} {
		if err := set.ReplaceRecords(records); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", name, err)
		}
		if p, err := set.Authenticate(t.Context(), farwire.Credentials{Key: testKey}); err != nil || p.Subject != "alice" {
			t.Errorf("%s: then %+v, %v", name, p, err)
		}
	}
	if err := set.Replace(map[string]farwire.Principal{"short": {Subject: "bob"}}); err == nil {
		t.Error("a short key is taken")
	}
	if p, err := set.Authenticate(t.Context(), farwire.Credentials{Key: testKey}); err != nil || p.Subject != "alice" {
		t.Errorf("after a short key: %+v, %v", p, err)
	}
}

// SetTokenKeys replaces all keys or none.
func TestSetTokenKeys_Replaced_OldTokensEnd(t *testing.T) {
	first, second := []byte("the first key of thirty-two bytes"), []byte("the second key of thirty-two byte")
	w := newGatewayWorld(t, func(o *farwire.Options) { o.TokenKeys = [][]byte{first} })
	uses := func(token string) int {
		r := httptest.NewRequest("GET", "/usage", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		w.gw.Usage().ServeHTTP(rec, r)
		return rec.Code
	}
	old := issued(t, w.gw, withKey, "")
	for _, step := range []struct {
		keys        [][]byte
		taken       bool
		old, issued int
	}{
		{nil, false, 200, 200},
		{[][]byte{second, []byte("short")}, false, 200, 200},
		{[][]byte{second, first}, true, 200, 200},
		{[][]byte{second}, true, 403, 200},
		{[][]byte{first}, true, 200, 200},
	} {
		if err := w.gw.SetTokenKeys(step.keys); (err == nil) != step.taken {
			t.Errorf("%q: %v", step.keys, err)
		}
		if got := uses(old); got != step.old {
			t.Errorf("%q: an old token: %d, want %d", step.keys, got, step.old)
		}
		if got := uses(issued(t, w.gw, withKey, "")); got != step.issued {
			t.Errorf("%q: a new token: %d, want %d", step.keys, got, step.issued)
		}
	}
}

// A body that is too large, announced or not, or cut gets no token: it may have narrowed it.
func TestToken_BodyNotRead_NoTokenIsGiven(t *testing.T) {
	w := newGatewayWorld(t)
	large := `{"kinds":["relay"]}` + strings.Repeat(" ", 64<<10)
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		status int
	}{
		"announced":     {strings.NewReader(large), int64(len(large)), 413},
		"not announced": {strings.NewReader(large), -1, 413},
		"cut":           {io.MultiReader(strings.NewReader(`{"kinds":[`), failingReader{}), 30, 400},
		"cut at once":   {failingReader{}, 30, 400},
	} {
		r := withKey(httptest.NewRequest("POST", "/auth/token", c.body))
		r.ContentLength = c.length
		rec := httptest.NewRecorder()
		w.gw.Token().ServeHTTP(rec, r)
		if rec.Code != c.status || strings.Contains(rec.Body.String(), "token\":") {
			t.Errorf("%s: %d %s, want %d", name, rec.Code, rec.Body, c.status)
		}
	}
	if err := w.gw.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	w.gw.Token().ServeHTTP(rec, withKey(httptest.NewRequest("POST", "/auth/token", nil)))
	if rec.Code != 503 {
		t.Errorf("while it drains: %d %s", rec.Code, rec.Body)
	}
}

// A rate that is infinite is no limit, also for a token, which holds its key's limits.
func TestToken_InfiniteRate_IsNoLimit(t *testing.T) {
	for name, l := range map[string]farwire.Limits{"requests": {Rate: math.Inf(1)}, "negative": {Rate: math.Inf(-1)}, "http": {HTTPRate: math.Inf(1), HTTPBurst: 3}} {
		w := newGatewayWorld(t, func(o *farwire.Options) {
			o.Auth = must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Limits: l}}))
		})
		token := issued(t, w.gw, withKey, "")
		for range 30 {
			r := httptest.NewRequest("GET", "/usage", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			rec := httptest.NewRecorder()
			w.gw.Usage().ServeHTTP(rec, r)
			if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"per_second":null`) {
				t.Fatalf("%s: %d %s", name, rec.Code, rec.Body)
			}
		}
	}
}

// failingReader is a body whose client is lost.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
