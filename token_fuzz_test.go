package farwire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

// FuzzTokenBody asks for a token with anything as a body. A typing error never opens: one
// that is answered has none but the names that there are, and narrows where it says so.
func FuzzTokenBody(f *testing.F) {
	for _, seed := range []string{"", " ", "{}", `{"expires_in":60}`, `{"allow":["a.test:443","*.b.test","192.0.2.0/24"],"kinds":["relay","http"]}`,
		`{"allow":[]}`, `{"kinds":null}`, `{"Kinds":["relay"]}`, `{"kinds":["relay"],"kinds":["amqp"]}`, `{"expires_in":1e2}`, `{"deny":["a"]}`, "[]"} {
		f.Add([]byte(seed))
	}
	keys, err := farwire.APIKeys(map[string]string{testKey: "alice"})
	if err != nil {
		f.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, TokenKey: tokenKey, Limits: farwire.Limits{Rate: -1}})
	if err != nil {
		f.Fatal(err)
	}
	call := func(h http.Handler, method, key, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := call(gw.Token(), http.MethodPost, testKey, string(body))
		var told struct {
			Token, Detail string
			ExpiresIn     int `json:"expires_in"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusOK {
			if (w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge) || told.Detail == "" || len(told.Detail) > 1000 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			return
		}
		fields := map[string]json.RawMessage{}
		if len(strings.TrimSpace(string(body))) > 0 {
			if err := json.Unmarshal(body, &fields); err != nil {
				t.Fatalf("a token for a body that is no object: %v", err)
			}
		}
		life, narrow := 300, false
		for name, raw := range fields {
			var err error
			var list []string
			switch name {
			case "expires_in":
				err = json.Unmarshal(raw, &life)
			case "allow", "kinds":
				err = json.Unmarshal(raw, &list)
				if narrow = true; len(list) == 0 {
					t.Fatalf("a token for an empty %s", name)
				}
			default:
				t.Fatalf("a token for the unknown name %q", name)
			}
			if err != nil || string(raw) == "null" {
				t.Fatalf("a token for %s of %s", name, raw)
			}
		}
		if told.ExpiresIn != life || life < 1 || life > 86400 {
			t.Fatalf("it lives for %d s, want %d", told.ExpiresIn, life)
		}
		want := http.StatusOK
		if narrow {
			want = http.StatusForbidden
		}
		if got := call(gw.Usage(), http.MethodGet, told.Token, "").Code; got != want {
			t.Fatalf("the token of %s opens /usage with %d, want %d", body, got, want)
		}
	})
}
