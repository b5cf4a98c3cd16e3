package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
)

// What a host program is asked says by which scheme the target is spoken to, where
// that is known.
func TestAllow_Target_SaysTheScheme(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	var dialled dialList
	w := newWorld(t, func(o *farwire.Options) {
		o.Agents = exitBy("127.0.0.1:1", nil, &dialled)
		o.Allow = func(_ context.Context, _ farwire.Principal, target farwire.Target) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s %s://%s:%d", target.Kind, target.Scheme, target.Host, target.Port))
			return nil
		}
	})
	forms := w.also(w.gw.ForwardProxy(w.gw.PathForm()))
	relay := func(message string) func() {
		return func() {
			p := w.open("/ws")
			p.text(`{"apiKey":"` + testKey + `",` + message + `}`)
			p.refusal()
		}
	}
	for want, ask := range map[string]func(){
		"relay ws://a.test:80":       relay(`"url":"ws://a.test/"`),
		"relay wss://a.test:8443":    relay(`"url":"wss://a.test:8443/"`),
		"relay wss://in.test:443":    relay(`"url":"wss://a.test/","server_name":"in.test"`),
		"relay ws://in.test:80":      relay(`"url":"ws://a.test/","headers":{"Host":"In.test:99"}`),
		"relay ws://behind.test:81":  relay(`"url":"ws://behind.test:81/","proxy":"http://hop.test:3128"`),
		"relay http://hop.test:3128": relay(`"url":"ws://a.test/","proxy":"http://hop.test:3128"`),
		"amqp amqp://broker.test:5672": func() {
			httpRefusal(w.subscribe(`{"apiKey":"` + testKey + `","host":"broker.test","exchange":"e"}`).resp)
		},
		"amqp amqps://broker.test:5671": func() {
			httpRefusal(w.subscribe(`{"apiKey":"` + testKey + `","host":"broker.test","exchange":"e","ssl":true,"port":5671}`).resp)
		},
		"crawl https://site.test:443": func() { w.crawled(testKey, `{"url":"https://site.test/"}`) },
		"http https://site.test:443":  func() { forms.do("GET", "/to/-/https/site.test/", "X-API-Key: "+testKey).Body.Close() },
		"tunnel ://site.test:443": func() {
			forms.do("CONNECT", "site.test:443", "Proxy-Authorization: "+proxyBasic("any", testKey)).Body.Close()
		},
	} {
		mu.Lock()
		asked = nil
		mu.Unlock()
		ask()
		waitFor(t, func() bool { // an AMQP stream is answered before its broker is dialled
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(asked, want)
		})
	}
}

// A Host header or a server name other than the target is judged as a host of its
// own, before anything is dialled.
func TestRules_HostHeaderAndServerName_JudgedAsHosts(t *testing.T) {
	for message, refused := range map[string]bool{
		`"url":"ws://a.test/"`:                                                     false,
		`"url":"ws://a.test/","headers":{"Host":"A.TEST:80"}`:                      false,
		`"url":"ws://a.test/","headers":{"host":"b.test"}`:                         true,
		`"url":"ws://a.test/","headers":{"Host":"b.test:1"}`:                       true,
		`"url":"wss://a.test/","server_name":"a.test"`:                             false,
		`"url":"wss://a.test/","server_name":"b.test"`:                             true,
		`"url":"wss://a.test/","headers":{"Host":"[2001:db8::1]:443"}`:             true,
		`"url":"wss://a.test/","headers":{"Host":"a.test.evil.test"}`:              true,
		`"url":"wss://a.test/","headers":{"Host":"c.test"}`:                        false,
		`"url":"wss://a.test/","server_name":"c.test","headers":{"Host":"b.test"}`: true,
	} {
		var dialled dialList
		w := newWorld(t, func(o *farwire.Options) {
			o.Auth = keyed(t, farwire.Principal{Allow: []string{"a.test", "c.test"}})
			o.Agents = exitBy("127.0.0.1:1", nil, &dialled)
		})
		p := w.open("/ws")
		p.text(`{"apiKey":"` + testKey + `",` + message + `}`)
		r := p.refusal()
		if got := strings.Contains(r.text, "is not allowed to this key"); got != refused || got != (len(dialled.all()) == 0) {
			t.Errorf("%s: %+v, dialled %q", message, r, dialled.all())
		}
	}
}

// Rules on addresses hold for what is dialled. For a Host header or a server name they
// hold when it is written as an address.
func TestRules_HostHeaderAsAnAddress_JudgedByRulesOnAddresses(t *testing.T) {
	for message, refused := range map[string]bool{
		`"headers":{"Host":"198.51.100.7"}`:          false,
		`"headers":{"Host":"198.51.100.9"}`:          true,
		`"headers":{"Host":"198.51.100.9:8443"}`:     true,
		`"headers":{"Host":"[::ffff:198.51.100.9]"}`: true,
		`"headers":{"Host":"203.0.113.7"}`:           true,
		`"headers":{"Host":"name.test"}`:             false,
		`"headers":{"Host":"198.51.100.9."}`:         true,
		`"headers":{"Host":"[::ffff:c633:6409]:80"}`: true,
		`"server_name":"198.51.100.7"`:               false,
		`"server_name":"198.51.100.9"`:               true,
		`"server_name":"203.0.113.7"`:                true,
		`"server_name":"name.test"`:                  false,
		`"server_name":"denied.test"`:                true,
	} {
		var dialled dialList
		w := newWorld(t, func(o *farwire.Options) {
			o.Auth = keyed(t, farwire.Principal{Allow: []string{"198.51.100.0/24"}, Deny: []string{"198.51.100.9", "denied.test"}})
			o.Agents = exitBy("127.0.0.1:1", nil, &dialled)
		})
		p := w.open("/ws")
		p.text(`{"apiKey":"` + testKey + `","url":"wss://198.51.100.1/",` + message + `}`)
		r := p.refusal()
		if got := strings.Contains(r.text, "is not allowed to this key"); got != refused || refused && len(dialled.all()) != 0 {
			t.Errorf("%s: %+v, dialled %q", message, r, dialled.all())
		}
	}
}

// What a broker's TLS is asked for is judged as the relay's is: as a name, and by rules
// on addresses when it is written as one. Nothing is dialled for one that is refused.
func TestRules_AMQPServerName_JudgedAsAHost(t *testing.T) {
	for name, rules := range map[string]farwire.Principal{
		"CIDRs": {Allow: []string{"198.51.100.0/24", "broker.test"}, Deny: []string{"198.51.100.9", "denied.test", "2001:db8::/32"}},
		"deny":  {Deny: []string{"198.51.100.9:5671", "denied.test", "2001:db8::/32"}},
	} {
		for serverName, refused := range map[string]bool{
			"198.51.100.7": false, "198.51.100.9": true, "::ffff:198.51.100.9": true, "2001:db8::9": true, "2001:DB8:0::9": true,
			"denied.test": true, "DENIED.test.": true, "broker.test": false,
		} {
			var dialled dialList
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth, o.Agents = keyed(t, rules), exitBy("127.0.0.1:1", map[string][]string{"broker.test": {"198.51.100.7"}}, &dialled)
			})
			s := w.subscribe(strings.Replace(subscription, "}", `, "port": 5671, "ssl": true, "server_name": "`+serverName+`"}`, 1))
			e := s.event()
			if got := strings.Contains(e, `"code": 1008, "reason": "target_forbidden"`); got != refused || got != (len(dialled.all()) == 0) {
				t.Errorf("%s, %s: %s, dialled %q", name, serverName, e, dialled.all())
			}
		}
	}
}

// Each hop of a relay that follows redirects is judged as a target is: by its name, its
// port and its address, by the rules of the key and of a token that was narrowed.
func TestRules_FollowedRedirect_EachHopIsJudged(t *testing.T) {
	target := newTarget(t, echo)
	listener := strings.TrimSuffix(strings.TrimPrefix(target, "ws://"), "/")
	location := make(chan string, 2)
	first := newTCPTarget(t, func(c *net.TCPConn) {
		readHead(t, c)
		fmt.Fprintf(c, "HTTP/1.1 307 x\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", <-location)
	})
	names := map[string][]string{"out.test": {"203.0.113.9"}, "in.test": {"10.0.0.1"}, "first.test": {"203.0.113.7"}, "second.test": {"203.0.113.7"}}
	for name, rules := range map[string]struct {
		own   farwire.Principal
		token string // what it is narrowed by; empty: the key is used
	}{
		"allow":        {farwire.Principal{Allow: []string{"first.test", "second.test", "out.test:80"}}, ""},
		"deny":         {farwire.Principal{Deny: []string{"in.test"}}, ""},
		"addresses":    {farwire.Principal{Allow: []string{"203.0.113.0/24"}}, ""},
		"denied CIDR":  {farwire.Principal{Deny: []string{"10.0.0.0/8"}}, ""},
		"token":        {farwire.Principal{}, `{"allow": ["first.test", "second.test", "out.test:80"]}`},
		"token, CIDR":  {farwire.Principal{Allow: []string{"*.test"}}, `{"allow": ["203.0.113.0/24"]}`},
		"token, names": {farwire.Principal{Allow: []string{"203.0.113.0/24"}}, `{"allow": ["first.test", "second.test", "out.test", "in.test"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled dialList
			last := exitBy(listener, names, &dialled)
			exit := last
			exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if host, _, _ := net.SplitHostPort(addr); host == "first.test" || host == "second.test" || host == "203.0.113.7" {
					return new(net.Dialer).DialContext(ctx, network, first)
				}
				return last.DialContext(ctx, network, addr)
			}
			w := newWorld(t, withTokenKey, func(o *farwire.Options) { o.Auth, o.Agents = keyed(t, rules.own), exit })
			credential := testKey
			if rules.token != "" {
				_, credential, _ = askToken(t, w, testKey, rules.token)
			}
			ask := func(hops ...string) *peer {
				for _, hop := range hops {
					location <- hop
				}
				p := w.open("/ws")
				p.text(fmt.Sprintf(`{"apiKey":%q,"url":"ws://first.test/","follow_redirects":5}`, credential))
				return p
			}
			ask("ws://out.test/").wantConnected()
			ask("http://second.test/x", "//out.test/").wantConnected()
			for _, hops := range [][]string{{"ws://in.test/"}, {"ws://second.test/", "http://IN.test./x"}} {
				before := len(dialled.all())
				ask(hops...).wantError(1008, "is not allowed to this key")
				if list := dialled.all()[before:]; len(list) > 0 {
					t.Errorf("%q: dialled %q", hops, list)
				}
			}
		})
	}
}

// The host program's function is asked last, and what it says for the log stays there.
func TestAllow_AfterTheKeysRules_PlainErrorStaysInTheLog(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = keyed(t, farwire.Principal{Deny: []string{"denied.test"}})
		o.Agents = exitBy("127.0.0.1:1", nil, new(dialList))
		o.Allow = func(_ context.Context, _ farwire.Principal, target farwire.Target) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, target.Host)
			return errors.New("row 17 forbids it")
		}
	})
	for _, host := range []string{"denied.test", "other.test"} {
		p := w.open("/ws")
		p.ask("ws://"+host+"/", "")
		if r := p.refusal(); r.code != 1008 || !strings.Contains(r.text, host+`" is not allowed to this key`) || strings.Contains(r.text, "row 17") {
			t.Errorf("%s: %+v", host, r)
		}
	}
	waitFor(t, func() bool { return strings.Contains(w.log.String(), "row 17 forbids it") })
	mu.Lock()
	defer mu.Unlock()
	if slices.Contains(asked, "denied.test") || !slices.Contains(asked, "other.test") {
		t.Errorf("asked for %q", asked)
	}
}

// A page that comes over a kept connection is asked for as one whose connection is dialled:
// what the host's function refuses meanwhile is not reached.
func TestAllow_CrawlOverAKeptConnection_EachPageIsAsked(t *testing.T) {
	for pages := range 4 { // behind the first
		t.Run(fmt.Sprint(pages), func(t *testing.T) {
			var reached dialList
			pagesReached := func() []string {
				return slices.DeleteFunc(reached.all(), func(path string) bool { return len(path) != 2 })
			}
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached.add(r.URL.Path)
				switch name := strings.TrimPrefix(r.URL.Path, "/"); {
				case name == "":
					fmt.Fprint(w, page("Home", "The base page leads to all the others, which have words.", "/a", "/b", "/c", "/d", "/e"))
				case len(name) == 1:
					fmt.Fprint(w, page("Page "+name, "What page "+name+" says is a sentence of its own, and no other page has it."))
				default:
					http.NotFound(w, r)
				}
			}))
			t.Cleanup(site.Close)
			w := newWorld(t, func(o *farwire.Options) {
				o.Crawl.Workers = 1
				o.Allow = func(context.Context, farwire.Principal, farwire.Target) error {
					if len(pagesReached()) > pages {
						return &farwire.Refusal{Message: "not today"}
					}
					return nil
				}
			})
			w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":10}`, site.URL))
			if got := pagesReached(); len(got) != pages+1 {
				t.Errorf("reached %q, want %d", got, pages+1)
			}
		})
	}
}

// Rules with a port hold for the target's port behind a client's proxy, as they do
// without one.
func TestRules_BehindProxy_PortsAreTheTargets(t *testing.T) {
	const hop = "203.0.113.99:3128"
	for name, c := range map[string]struct {
		allow, deny []string
		url         string
		refused     bool
	}{
		"allowed by name":          {[]string{"*.a.test:443", hop}, nil, "wss://x.a.test/", false},
		"another port, by name":    {[]string{"*.a.test:443", hop}, nil, "wss://x.a.test:8443/", true},
		"allowed by address":       {[]string{"203.0.113.0/24:443", hop}, nil, "wss://x.a.test/", false},
		"another port, by address": {[]string{"203.0.113.7:25", hop}, nil, "wss://x.a.test/", true},
		"denied":                   {nil, []string{"x.a.test:443"}, "wss://x.a.test/", true},
		"denied at another port":   {nil, []string{"x.a.test:25"}, "wss://x.a.test/", false},
		"address denied elsewhere": {nil, []string{"203.0.113.7:25"}, "wss://x.a.test/", false},
		"address denied there":     {nil, []string{"203.0.113.7:443"}, "wss://x.a.test/", true},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled dialList
			exit := exitBy("127.0.0.1:1", map[string][]string{"x.a.test": {"203.0.113.7"}}, &dialled)
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth, o.Agents = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny}), exit
			})
			p := w.open("/ws")
			p.ask(c.url, `"proxy":"http://`+hop+`"`)
			if c.refused {
				p.wantError(1008, "is not allowed to this key")
			} else {
				p.wantError(1011, "")
			}
			if reached := slices.Contains(dialled.all(), hop); reached == c.refused {
				t.Errorf("dialled %q", dialled.all())
			}
		})
	}
}

type lookedUp struct{}

// What a Renderer looks up is judged by the scheme and the port of its page.
func TestRules_RendererLooksUp_PortIsThePages(t *testing.T) {
	site := strings.TrimPrefix(newSite(t, map[string]string{"/": fmt.Sprintf(shell, "/")}).URL, "http://")
	for name, c := range map[string]struct {
		allow, deny []string
		url, asked  string
	}{
		"allowed there":    {[]string{"*.a.test:8080"}, nil, "http://x.a.test:8080/", "http://x.a.test:8080"},
		"the usual port":   {[]string{"*.a.test:80"}, nil, "http://x.a.test/", "http://x.a.test:80"},
		"denied elsewhere": {nil, []string{"x.a.test:8443"}, "http://x.a.test:8080/", "http://x.a.test:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled, asked dialList
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny})
				o.Agents = exitBy(site, map[string][]string{"x.a.test": {"203.0.113.7"}}, &dialled)
				o.Allow = func(ctx context.Context, _ farwire.Principal, target farwire.Target) error {
					if ctx.Value(lookedUp{}) != nil {
						asked.add(fmt.Sprintf("%s://%s:%d", target.Scheme, target.Host, target.Port))
					}
					return nil
				}
				o.Crawl.Render = browser(func(p farwire.RenderPage) (farwire.Rendered, error) {
					ctx := context.WithValue(t.Context(), lookedUp{}, true)
					if addrs, err := p.Exit.Resolve(ctx, "x.a.test"); err != nil || len(addrs) != 1 {
						t.Errorf("looked up: %v, %v", addrs, err)
					}
					if _, err := p.Exit.Resolve(ctx, "b.test"); (err == nil) || (c.allow != nil) != strings.Contains(err.Error(), "not allowed") {
						t.Errorf("another host: %v", err)
					}
					return farwire.Rendered{HTML: []byte(page("App", "What the app says once its scripts have run is this sentence."))}, nil
				})
			})
			h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":1}`, c.url))
			if h.code != 1000 || !strings.Contains(h.one(t, "result").Content, "once its scripts have run") {
				t.Errorf("got %+v", h)
			}
			if got := asked.all(); len(got) == 0 || got[0] != c.asked {
				t.Errorf("asked for %q, want %s", got, c.asked)
			}
		})
	}
}
