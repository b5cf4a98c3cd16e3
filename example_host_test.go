package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/farwire/farwire"
)

// pathHost mounts the path form alone, for a caller that the host knows, and says how a
// request to a target of its own is answered.
func pathHost(gw *farwire.Gateway, caller farwire.Principal) (answer string) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello from "+r.URL.Path) }))
	defer target.Close()
	path := gw.PathForm()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), caller)))
	}))
	defer host.Close()
	resp, err := http.Get(host.URL + "/to/geo=DE/http/" + strings.TrimPrefix(target.URL, "http://") + "/v1/items")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	return resp.Status + " " + strings.TrimSpace(string(body))
}

// Any request reaches any target by its URL alone.
func ExampleGateway_PathForm() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pathHost(gw, farwire.Principal{Subject: "alice"}))
	// Output:
	// 200 OK hello from /v1/items
}

// What a host refuses is shown as the host says it; the cause stays in its log.
func ExampleRefusal() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet,
		Allow: func(_ context.Context, p farwire.Principal, t farwire.Target) error {
			if t.Kind == farwire.KindHTTP && p.Labels["plan"] == "free" {
				return &farwire.Refusal{Status: http.StatusPaymentRequired, Code: "plan_too_small", Message: "requests need the plan small or above",
					Err: errors.New("customer 4711 has not paid")}
			}
			return nil
		}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pathHost(gw, farwire.Principal{Subject: "alice", Labels: map[string]string{"plan": "free"}}))
	// Output:
	// 402 Payment Required {"detail":"requests need the plan small or above","code":"plan_too_small"}
}

// A host is told of each session, with its own words on the caller, and of what was
// refused.
func ExampleTrace() {
	done := make(chan struct{})
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet, Trace: &farwire.Trace{
		SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			fmt.Println(i.Labels["tenant"], i.Kind, "through", r.Agent, "ended by", r.EndedBy, "with", r.BytesToClient, "bytes to the client")
			close(done)
		},
		Refused: func(_ context.Context, i farwire.RefusedInfo) { fmt.Println("refused", i.Kind, i.Status) },
	}})
	if err != nil {
		log.Fatal(err)
	}
	pathHost(gw, farwire.Principal{Subject: "alice", Labels: map[string]string{"tenant": "red"}})
	<-done
	pathHost(gw, farwire.Principal{}) // names nobody
	// Output:
	// red http through farwire-de1 ended by target with 20 bytes to the client
	// refused http 401
}

// Middleware behind the one that let somebody in finds out who it is.
func ExamplePrincipalFrom() {
	ctx := farwire.WithPrincipal(context.Background(), farwire.Principal{Subject: "alice"})
	p, ok := farwire.PrincipalFrom(ctx)
	fmt.Println(p.Subject, ok)
	_, ok = farwire.PrincipalFrom(context.Background())
	fmt.Println(ok)
	// Output:
	// alice true
	// false
}

// Keys are taken back while the gateway runs, and their sessions with them.
func ExampleKeySet() {
	alice, bob := farwire.Principal{Subject: "alice"}, farwire.Principal{Subject: "bob"}
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{"the-key-of-alice": alice, "the-key-of-bob--": bob})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Usage())
	defer host.Close()
	ask := func() {
		for _, key := range []string{"the-key-of-alice", "the-key-of-bob--"} {
			resp, err := http.Get(host.URL + "?api_key=" + key)
			if err != nil {
				log.Fatal(err)
			}
			resp.Body.Close()
			fmt.Println(key, resp.StatusCode)
		}
	}
	ask()
	if err := keys.Replace(map[string]farwire.Principal{"the-key-of-alice": alice}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended:", gw.EndRevoked(context.Background()))
	ask()
	// Output:
	// the-key-of-alice 200
	// the-key-of-bob-- 200
	// ended: 0
	// the-key-of-alice 200
	// the-key-of-bob-- 403
}

// listener is a target that takes connections and says nothing.
func listener() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return l
}

// An operator ends the sessions that it chooses.
func ExampleGateway_EndWhere() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	var conns []net.Conn
	for _, subject := range []string{"alice", "bob", "alice"} {
		c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: farwire.Principal{Subject: subject}})
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	fmt.Println(gw.EndWhere(func(s farwire.Session) bool { return s.Subject == "alice" }, "the account is closed"))
	_, err = conns[0].Read(make([]byte, 1))
	fmt.Println(strings.HasSuffix(err.Error(), ": the account is closed"))
	for s := range gw.Sessions() {
		fmt.Println(s.Subject)
	}
	// Output:
	// 2
	// true
	// bob
}

// A session that has carried what it may is ended.
func ExampleLimits() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	trial := farwire.Principal{Subject: "trial", Limits: farwire.Limits{SessionBytes: 1 << 10, SessionTime: time.Hour}}
	c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: trial})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 2<<10)); err != nil {
		log.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1)) // within a second or two
	fmt.Println(strings.HasSuffix(err.Error(), ": limit reached: the session's bytes"))
	// Output:
	// true
}

// The forward proxy as SOCKS5, on a listener of its own.
func ExampleGateway_ServeSOCKS() {
	keys, err := farwire.APIKeys(map[string]string{"a-key-of-16-bytes-or-more": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	l := listener()
	served := make(chan error, 1)
	go func() { served <- gw.ServeSOCKS(l) }()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer target.Close()

	socks, err := proxy.SOCKS5("tcp", l.Addr().String(), &proxy.Auth{User: "geo=DE", Password: "a-key-of-16-bytes-or-more"}, proxy.Direct)
	if err != nil {
		log.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: socks.(proxy.ContextDialer).DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(target.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	l.Close()
	<-served
	// Output:
	// hello
}

// A key is changed for a token that opens one kind of session to one target, as for a
// page in a browser.
func ExampleGateway_Token() {
	keys, err := farwire.APIKeys(map[string]string{"a-key-of-16-bytes-or-more": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Token())
	defer host.Close()
	body := strings.NewReader(`{"expires_in": 60, "allow": ["feed.example.com:443"], "kinds": ["relay"]}`)
	req, err := http.NewRequest(http.MethodPost, host.URL, body)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-Key", "a-key-of-16-bytes-or-more")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, strings.Contains(string(answer), `"expires_in":60`))
	// Output:
	// 200 true
}

// Behind a balancer the client is the rightmost address that is not the balancer's.
func ExampleTrustedProxies() {
	clientAddr := farwire.TrustedProxies(netip.MustParsePrefix("10.0.0.0/8")) // for Options.ClientAddr
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.RemoteAddr = "10.0.0.5:40000"
	r.Header.Set("X-Forwarded-For", "192.0.2.66, 198.51.100.7, 10.0.0.9")
	fmt.Println(clientAddr(r))
	// Output:
	// 198.51.100.7
}

// A host documents, or counts, what its callers can be told.
func ExampleErrorClasses() {
	for _, c := range farwire.ErrorClasses() {
		if c.Status == http.StatusTooManyRequests {
			fmt.Println(c.Code, c.Close, "-", c.Meaning)
		}
	}
	// Output:
	// rate_limited 1008 - too many requests; Retry-After says when to come back
	// limit_reached 1008 - the key holds or has used as much as it may
}
