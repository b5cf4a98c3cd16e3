package farwire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// ask requests a token with a body.
func askToken(t *testing.T, w *world, key, body string) (status int, token string, life int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/auth/token", strings.NewReader(body))
	r.Header.Set("X-API-Key", key)
	rec := httptest.NewRecorder()
	w.gw.Token().ServeHTTP(rec, r)
	var a struct {
		Token     string
		ExpiresIn int `json:"expires_in"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return rec.Code, a.Token, a.ExpiresIn
}

func TestToken_Body_LifeAndTypingErrors(t *testing.T) {
	w := newWorld(t, withTokenKey)
	many := `{"allow": ["a.example"` + strings.Repeat(`, "a.example"`, 32) + `]}`
	for body, want := range map[string]int{
		``: 300, ` `: 300, `{}`: 300, `{"expires_in": 1}`: 1, `{"expires_in": 86400}`: 86400, `{"kinds": ["http", "tunnel"]}`: 300,
		`{"expires_in": 0}`: 0, `{"expires_in": 86401}`: 0, `{"expires_in": 1.5}`: 0, `{"expires_in": "9"}`: 0, `{"expires_in": null}`: 0,
		`{"allow": []}`: 0, `{"allow": null}`: 0, `{"allow": [null]}`: 0, `{"allow": ["a b"]}`: 0, `{"allow": "a.example"}`: 0, many: 0,
		`{"kinds": []}`: 0, `{"kinds": ["relays"]}`: 0, `{"Kinds": ["relay"]}`: 0, `{"deny": ["a.example"]}`: 0,
		`{"kinds": ["relay"], "kinds": ["amqp"]}`: 0, `[]`: 0, `{} {}`: 0,
	} {
		switch status, _, life := askToken(t, w, testKey, body); {
		case want == 0 && status != 400:
			t.Errorf("%s: %d, want 400", body, status)
		case want != 0 && (status != 200 || life != want):
			t.Errorf("%s: %d for %d s, want 200 for %d s", body, status, life, want)
		}
	}
	// Without Lookup nobody would notice that a key is gone.
	blind := &directory{principal: farwire.Principal{Subject: "alice", KeyID: "1"}}
	w = newWorld(t, withTokenKey, func(o *farwire.Options) { o.Auth = blind })
	if status, _, _ := askToken(t, w, testKey, `{"expires_in": 301}`); status != 400 {
		t.Errorf("a long life that cannot be revoked: %d, want 400", status)
	}
	if status, _, life := askToken(t, w, testKey, `{"expires_in": 300}`); status != 200 || life != 300 {
		t.Errorf("five minutes: %d for %d s", status, life)
	}
}

func TestToken_Narrowed_OpensItsKindsAndNothingElse(t *testing.T) {
	w := newWorld(t, withTokenKey)
	target := newTarget(t, echo)
	host, _, _ := strings.Cut(strings.TrimPrefix(target, "ws://"), ":")
	relay := func(token, url string) *peer {
		p := w.open("/ws")
		p.text(`{"apiKey": "` + token + `", "url": "` + url + `"}`)
		return p
	}
	_, here, _ := askToken(t, w, testKey, `{"allow": ["`+host+`"], "kinds": ["relay"]}`)
	relay(here, target).wantConnected()
	relay(here, "ws://other.test/").wantError(1008, "not allowed to this key")
	_, crawls, _ := askToken(t, w, testKey, `{"kinds": ["crawl"]}`)
	relay(crawls, target).wantError(1008, "not for sessions of kind relay")
	_, anything, _ := askToken(t, w, testKey, `{"expires_in": 60}`)

	for name, h := range map[string]http.Handler{
		"usage": w.gw.Usage(), "network": w.gw.Network(), "sessions": w.gw.SessionsHandler(), "sites": w.gw.SitesHandler(),
	} {
		whole := 200
		if name == "network" { // this exit alone is not listed
			whole = 404
		}
		for token, want := range map[string]int{here: 403, crawls: 403, anything: whole} {
			var a struct{ Code, Detail string }
			if status := askJSON(t, h, "GET", "/"+name, token, &a); status != want || want == 403 && a.Code != "key_invalid" {
				t.Errorf("%s: %d %+v, want %d", name, status, a, want)
			}
		}
	}
	// It is no wrong credential: however often it comes, it is 403 and never 429.
	for range 15 {
		if status := askJSON(t, w.gw.Network(), "GET", "/network", here, nil); status != 403 {
			t.Fatalf("%d, want 403", status)
		}
	}
	if status, _, _ := askToken(t, w, here, ""); status != 403 {
		t.Errorf("it is changed for another one: %d", status)
	}
}

func TestReady_Require_CountsOrRefuses(t *testing.T) {
	pool := func(o *farwire.Options) {
		p, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		o.Agents = p
	}
	w := newWorld(t, pool)
	for path, want := range map[string]int{
		"/readyz": 200, "/readyz?require=stores": 200, "/readyz?require=agents": 503, "/readyz?require=stores,agents": 503,
		"/readyz?require=stores&require=agents": 503, "/readyz?require=agent": 400,
	} {
		var a struct {
			Agents       *int
			Detail, Code string
		}
		if status := askJSON(t, w.gw.Ready(), "GET", path, "", &a); status != want || want == 503 && (a.Code != "agent_unavailable" || a.Agents == nil) {
			t.Errorf("%s: %d %+v, want %d", path, status, a, want)
		}
	}
	w.gw.Unready()
	if status := askJSON(t, w.gw.Ready(), "GET", "/readyz", "", nil); status != 503 {
		t.Errorf("while it leaves: %d", status)
	}
	if status := askJSON(t, w.gw.Health(), "GET", "/healthz", "", nil); status != 200 {
		t.Errorf("/healthz while it leaves: %d", status)
	}
}
