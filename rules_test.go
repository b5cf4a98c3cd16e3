package farwire_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A dialList notes what an exit dials, from several goroutines.
type dialList struct {
	mu   sync.Mutex
	list []string
}

func (d *dialList) add(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, addr)
}

func (d *dialList) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

// exitBy returns an exit that knows the addresses of names and connects all of
// them to one listener. It notes what it dials.
func exitBy(listener string, names map[string][]string, dialled *dialList) agent.Exit {
	return agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE",
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled.add(addr)
			return new(net.Dialer).DialContext(ctx, network, listener)
		},
		Resolve: func(_ context.Context, host string) (addrs []netip.Addr, err error) {
			for _, a := range names[strings.ToLower(strings.TrimSuffix(host, "."))] {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			if len(addrs) == 0 {
				return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("no such host")}
			}
			return addrs, nil
		}}
}

func TestRules_RelayTarget_DialledOrRefused(t *testing.T) {
	target := newTarget(t, echo)
	listener := strings.TrimSuffix(strings.TrimPrefix(target, "ws://"), "/")
	names := map[string][]string{"pub.test": {"203.0.113.7"}, "mixed.test": {"10.0.0.1", "203.0.113.7"}, "in.test": {"10.0.0.1"}}
	for name, c := range map[string]struct {
		allow, deny []string
		url         string
		dialled     string // empty: refused
	}{
		"no rules":                  {nil, nil, "ws://pub.test/", "pub.test:80"},
		"name allowed":              {[]string{"pub.test"}, nil, "ws://pub.test/", "pub.test:80"},
		"another name":              {[]string{"pub.test"}, nil, "ws://other.test/", ""},
		"upper case, final dot":     {[]string{"PUB.test."}, nil, "ws://Pub.TEST./", "*"},
		"below, not itself":         {[]string{"*.test"}, nil, "ws://test/", ""},
		"below":                     {[]string{"*.test"}, nil, "ws://pub.test/", "pub.test:80"},
		"port":                      {[]string{"pub.test:80"}, nil, "ws://pub.test/", "pub.test:80"},
		"another port":              {[]string{"pub.test:443"}, nil, "ws://pub.test/", ""},
		"address allowed":           {[]string{"203.0.113.0/24"}, nil, "ws://pub.test/", "203.0.113.7:80"},
		"one address of two":        {[]string{"203.0.113.0/24"}, nil, "ws://mixed.test/", "203.0.113.7:80"},
		"address not allowed":       {[]string{"203.0.113.0/24"}, nil, "ws://in.test/", ""},
		"name that has no address":  {[]string{"203.0.113.0/24"}, nil, "ws://unknown.test/", ""},
		"literal allowed":           {[]string{"203.0.113.0/24"}, nil, "ws://203.0.113.9/", "203.0.113.9:80"},
		"literal not allowed":       {[]string{"203.0.113.0/24"}, nil, "ws://203.0.114.9/", ""},
		"literal in IPv6":           {nil, []string{"10.0.0.0/8"}, "ws://[::ffff:10.0.0.1]/", ""},
		"name denied":               {nil, []string{"pub.test"}, "ws://pub.test/", ""},
		"deny wins":                 {[]string{"pub.test"}, []string{"*.test"}, "ws://pub.test/", ""},
		"address denied":            {nil, []string{"10.0.0.0/8"}, "ws://in.test/", ""},
		"address denied with name":  {[]string{"in.test"}, []string{"10.0.0.0/8"}, "ws://in.test/", ""},
		"one of two denied":         {nil, []string{"10.0.0.0/8"}, "ws://mixed.test/", "203.0.113.7:80"},
		"address denied elsewhere":  {nil, []string{"10.0.0.0/8:443"}, "ws://in.test/", "in.test:80"},
		"punycode":                  {[]string{"bücher.test"}, nil, "ws://xn--bcher-kva.test/", "xn--bcher-kva.test:80"},
		"name or address":           {[]string{"in.test", "203.0.113.0/24"}, nil, "ws://in.test/", "in.test:80"},
		"suffix without a dot":      {[]string{"*.b.test"}, nil, "ws://ab.test/", ""},
		"any port of an IPv6 block": {nil, []string{"[2001:db8::/32]:80"}, "ws://[2001:db8::1]/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled dialList
			w := newWorld(t, func(o *farwire.Options) {
				keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Allow: c.allow, Deny: c.deny}})
				if err != nil {
					t.Fatal(err)
				}
				o.Auth, o.Agents = keys, exitBy(listener, names, &dialled)
			})
			p := w.open("/ws")
			p.ask(c.url, "")
			if c.dialled == "" {
				p.wantError(1008, "is not allowed to this key")
				if got := dialled.all(); len(got) > 0 {
					t.Errorf("dialled %q", got)
				}
				return
			}
			p.wantConnected()
			if got := dialled.all(); c.dialled != "*" && (len(got) != 1 || got[0] != c.dialled) {
				t.Errorf("dialled %q, want %q", got, c.dialled)
			}
		})
	}
}

// The first host passes the selector's and the key's list; where it leads to does
// not.
func TestRules_CrawlRedirect_OtherHostRefused(t *testing.T) {
	reached := make(chan string, 10)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r.Host
		if r.Host == "allowed.test" && r.URL.Path == "/" {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(site.Close)
	var mu sync.Mutex // guards asked
	var asked []farwire.Target
	for name, edit := range map[string]func(*farwire.Options){
		"the key's rules": func(o *farwire.Options) {
			keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Allow: []string{"allowed.test"}}})
			if err != nil {
				t.Fatal(err)
			}
			o.Auth = keys
		},
		"the host's function": func(o *farwire.Options) {
			o.Allow = func(_ context.Context, p farwire.Principal, target farwire.Target) error {
				mu.Lock()
				asked = append(asked, target)
				mu.Unlock()
				if p.Subject == "alice" && target.Host == "allowed.test" {
					return nil
				}
				return errors.New("the price list has no such host")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled dialList
			w := newWorld(t, edit, func(o *farwire.Options) {
				o.Agents = exitBy(strings.TrimPrefix(site.URL, "http://"), nil, &dialled)
			})
			h := w.crawled(testKey, `{"url":"http://allowed.test/"}`)
			if h.code != 1008 || !strings.Contains(h.reason, "not allowed to this key") {
				t.Errorf("closed with %d %q", h.code, h.reason)
			}
			for len(reached) > 0 {
				if host := <-reached; host != "allowed.test" {
					t.Errorf("%s was reached", host)
				}
			}
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) < 2 || asked[0].Kind != farwire.KindCrawl || asked[0].Host != "allowed.test" || asked[0].Port != 80 {
		t.Errorf("the host's function was asked for %+v", asked)
	}
}

func TestRules_Kinds_OthersRefused(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = keyed(t, farwire.Principal{Kinds: []farwire.Kind{farwire.KindTunnel}})
	})
	for _, s := range surfaces {
		if s.kind == "" {
			continue
		}
		r := s.call(w.in(t), testKey, "ws://a.test/")
		if !strings.Contains(r.text, "not for sessions of kind "+s.kind) || r.status != 403 && r.code != 1008 {
			t.Errorf("%s: %+v", s.name, r)
		}
	}
	forms := w.also(w.gw.ForwardProxy(w.gw.PathForm()))
	r := httpRefusal(forms.do("GET", "/to/-/https/a.test/", "X-API-Key: "+testKey))
	if r.status != 403 || !strings.Contains(r.text, "not for sessions of kind http") {
		t.Errorf("path form: %+v", r)
	}
}

func TestKeySet_InvalidRules_Refused(t *testing.T) {
	for _, p := range []farwire.Principal{
		{Subject: "a", Allow: []string{}},
		{Subject: "a", Kinds: []farwire.Kind{}},
		{Subject: "a", Kinds: []farwire.Kind{"Relay"}},
		{Subject: "a", Allow: []string{""}},
		{Subject: "a", Allow: []string{"https://a.test"}},
		{Subject: "a", Deny: []string{"a.test:0"}},
		{Subject: "a", Deny: []string{"a.test:https"}},
		{Subject: "a", Deny: []string{"10.0.0.0/33"}},
		{Subject: "a", Deny: []string{"10.0.0.256"}},
		{Subject: "a", Deny: []string{"a b"}},
		{Subject: "a", Deny: []string{"*"}},
		{Subject: "a", Deny: []string{"a.*.test"}},
		{Subject: ""},
	} {
		if _, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: p}); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

func hashOfKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func TestParseKeysFile_TypingErrors_RefuseTheFile(t *testing.T) {
	good := hashOfKey(testKey)
	entry := func(more string) string { return fmt.Sprintf(`[{"name":"alice","key_sha256":%q%s}]`, good, more) }
	records, err := farwire.ParseKeysFile([]byte(entry(`,"limits":{"rate":0.5,"burst":3,"http_rate":7,"http_burst":8,"sessions":-1,"streams":2,"crawls":1,"pages_per_day":5,"sites":6,"bytes_per_day":9},"allow":["*.a.test:443"],"deny":["10.0.0.0/8"],"kinds":["relay","tunnel"]`)))
	if err != nil {
		t.Fatal(err)
	}
	want := farwire.Limits{Rate: .5, Burst: 3, HTTPRate: 7, HTTPBurst: 8, Sessions: -1, Streams: 2, Crawls: 1, PagesPerDay: 5, Sites: 6, BytesPerDay: 9}
	if p := records[0].Principal; p.Subject != "alice" || p.Limits != want || len(p.Allow) != 1 || len(p.Deny) != 1 || len(p.Kinds) != 2 {
		t.Errorf("read %+v", p)
	}
	for text, says := range map[string]string{
		`[]`:                               "empty",
		`{}`:                               "list",
		`[1]`:                              "entry 1",
		`null`:                             "empty",
		entry(`,"limts":{}`):               `"limts"`,
		entry(`,"Allow":["a.test"]`):       `"Allow"`,
		entry(`,"allow":null`):             "allow is null",
		entry(`,"allow":[null]`):           "null",
		entry(`,"allow":[]`):               "allow is empty",
		entry(`,"kinds":[]`):               "kinds is empty",
		entry(`,"kinds":["relays"]`):       `"relays"`,
		entry(`,"deny":["10.0.0.0/99"]`):   "deny",
		entry(`,"limits":{"sessions":0}`):  "sessions is 0",
		entry(`,"limits":{"sessions":-2}`): "sessions is -2",
		entry(`,"limits":{"rate":0}`):      "rate is 0",
		entry(`,"limits":{"seesions":1}`):  `"seesions"`,
		entry(`,"limits":null`):            "limits is null",
		entry(`,"name":"bob"`):             "given twice",
		`[{"key_sha256":"` + good + `"}]`:  "name is missing",
		`[{"name":"a"}]`:                   "64 lower-case hex digits",
		`[{"name":"a","key_sha256":"` + strings.ToUpper(good) + `"}]`:                         "64 lower-case hex digits",
		`[{"name":"a","key_sha256":"` + testKey + `"}]`:                                       "64 lower-case hex digits",
		`[{"name":"a","key_sha256":"` + good + `"},{"name":"b","key_sha256":"` + good + `"}]`: "entry 2: key_sha256 is that of entry 1",
		`[{"name":"a","key_sha256":"` + good + `"}] x`:                                        "list",
	} {
		if _, err := farwire.ParseKeysFile([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error with %q", text, err, says)
		}
	}
}

func TestKeySet_HashOrClear_SameKeyID(t *testing.T) {
	clear, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	records, err := farwire.ParseKeysFile([]byte(`[{"name":"alice","key_sha256":"` + hashOfKey(testKey) + `"}]`))
	if err != nil {
		t.Fatal(err)
	}
	hashed := new(farwire.KeySet)
	if err := hashed.ReplaceRecords(records); err != nil {
		t.Fatal(err)
	}
	a, errA := clear.Authenticate(t.Context(), farwire.Credentials{Key: testKey})
	b, errB := hashed.Authenticate(t.Context(), farwire.Credentials{Key: testKey})
	if errA != nil || errB != nil || a.KeyID == "" || a.KeyID != b.KeyID {
		t.Errorf("%+v, %v and %+v, %v", a, errA, b, errB)
	}
}

func TestEndRevoked_KeyGone_SessionEnds(t *testing.T) {
	const other = "key-of-bob-0123456789"
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}, other: {Subject: "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *farwire.Options) { o.Auth = keys })
	p := w.connected(newTarget(t, echo), "")
	token := w.token(t, testKey)
	if n := w.gw.EndRevoked(t.Context()); n != 0 {
		t.Errorf("%d sessions of valid keys end", n)
	}
	if err := keys.Replace(map[string]farwire.Principal{"short": {Subject: "alice"}}); err == nil {
		t.Error("a short key is accepted")
	}
	p.text("still")
	p.wantText("still")
	if err := keys.Replace(map[string]farwire.Principal{other: {Subject: "bob"}}); err != nil {
		t.Fatal(err)
	}
	if n := w.gw.EndRevoked(t.Context()); n != 1 {
		t.Errorf("%d sessions end", n)
	}
	p.wantClose(1008, "key revoked")
	if status, _ := w.uses(token); status != 403 {
		t.Errorf("a token of the key: %d", status)
	}
	if status, _ := w.uses(other); status != 200 {
		t.Errorf("another key: %d", status)
	}
}

func TestWeakKey_RepeatedText_IsWeak(t *testing.T) {
	for key, weak := range map[string]bool{
		strings.Repeat("a", 32):            true,
		"abcabcabcabcabcabc":               true,
		"0123456789abcdef0123456789abcdef": false,
		"3f9c1a77e05b4d2286c1f0e9ab34d570": false,
		testKey:                            false,
	} {
		if farwire.WeakKey(key) != weak {
			t.Errorf("WeakKey(%q) is %v", key, !weak)
		}
	}
}
