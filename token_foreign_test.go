package farwire_test

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
)

// A token that another program has signed with the gateway's key, with rules that are a
// typing error, is an invalid credential at every endpoint. It opens nothing, and the
// answer says what is wrong with it.
func TestToken_SignedElsewhere_InvalidRules_AreRefusedEverywhere(t *testing.T) {
	w := newWorld(t, withTokenKey, fromAnywhere)
	also := w.also(with(w.gw.PathForm(), w.gw.SitesHandler(), w.gw.SessionsHandler()))
	get := func(path string) func(*world, string, string) refusal {
		return func(_ *world, credential, _ string) refusal {
			return httpRefusal(also.do("GET", strings.ReplaceAll(path, "TOKEN", credential)))
		}
	}
	crawl := func(path string) func(*world, string, string) refusal {
		return func(w *world, credential, _ string) refusal {
			f := w.open(strings.ReplaceAll(path, "TOKEN", credential)).next()
			if f.op != opClose || len(f.payload) < 2 {
				return refusal{text: f.String()}
			}
			return refusal{code: int(f.payload[0])<<8 | int(f.payload[1]), text: string(f.payload[2:])}
		}
	}
	all := []surface{
		{"path form", "", get("/to/key=TOKEN/http/127.0.0.1:1/")},
		{"sites", "", get("/sites?token=TOKEN")},
		{"sessions", "", get("/sessions?api_key=TOKEN")},
		{"crawl", "", crawl("/ws/crawl?token=TOKEN")},
		{"crawl, as a key", "", crawl("/ws/crawl?api_key=TOKEN")},
	}
	for _, s := range surfaces {
		if s.name != "crawl" && s.name != "token" { // which takes no token, whatever it says
			all = append(all, s)
		}
	}
	token := w.token(t, testKey)
	for name, c := range map[string]struct {
		claims map[string]any
		text   string
	}{
		"empty kinds":         {map[string]any{"kinds": []string{}}, "token invalid: kinds is empty"},
		"empty allow":         {map[string]any{"allow": []string{}}, "token invalid: allow is empty"},
		"a null":              {map[string]any{"allow": noList}, "token invalid or expired"},
		"a null, other case":  {map[string]any{"Kinds": noList}, "token invalid or expired"},
		"an unknown kind":     {map[string]any{"kinds": []string{"relays"}}, `token invalid: kinds: there is no kind "relays"`},
		"a kind without name": {map[string]any{"kinds": []string{"relay", ""}}, `token invalid: kinds: there is no kind ""`},
		"a CIDR too long":     {map[string]any{"allow": []string{"203.0.113.0/33"}}, `token invalid: allow: "203.0.113.0/33" is not a rule`},
		"one of several":      {map[string]any{"allow": []string{"a.test", "*"}}, `token invalid: allow: "*" is not a rule`},
		"empty of the key":    {map[string]any{"own": map[string]any{"kinds": []string{}}}, "token invalid: kinds is empty"},
		"deny of the key":     {map[string]any{"own": map[string]any{"deny": []string{"1.2.3"}}}, `token invalid: deny: "1.2.3" is not a rule`},
		"a letter too few":    {map[string]any{"alow": []string{"a.test"}}, `token invalid: there is no claim "alow"`},
		"another name":        {map[string]any{"farwire_allow": []string{"a.test"}}, `token invalid: there is no claim "farwire_allow"`},
		"deny of a token":     {map[string]any{"deny": []string{"a.test"}}, `token invalid: there is no claim "deny"`},
		"a name of the key":   {map[string]any{"own": map[string]any{"hosts": []string{"a.test"}}}, `token invalid: there is no claim "own.hosts"`},
		"a name of a limit":   {map[string]any{"limits": map[string]any{"Session": 1}}, `token invalid: limits: json: unknown field "Session"`},
		"a null of the key":   {map[string]any{"own": map[string]any{"deny": noList}}, "token invalid or expired"},
	} {
		claims := part(t, token, 1)
		for k, v := range c.claims {
			claims[k] = v
		}
		bad := forge(t, part(t, token, 0), claims, sha256.New, tokenKey)
		for _, s := range all {
			t.Run(name+", "+s.name, func(t *testing.T) {
				r := s.call(w.in(t), bad, "ws://127.0.0.1:1/")
				text := c.text
				if strings.HasPrefix(s.name, "crawl") { // its texts are fixed
					text = "Invalid or expired token"
				}
				if r.status != http.StatusForbidden && r.code != 1008 || !strings.Contains(r.text, text) {
					t.Errorf("%+v, want 403 or 1008 and %q", r, text)
				}
			})
		}
	}
}

// noList is a list that JSON has as null.
var noList []string

// with serves the path form, the sites and the sessions where the program does.
func with(path, sites, sessions http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/to/", path)
	mux.Handle("/sites", sites)
	mux.Handle("/sessions", sessions)
	return mux
}
