package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/farwire/farwire"
)

// The forward proxy stands before the host's mux. A client needs nothing but the
// proxy's URL: OPTIONS as the user name, the key as the password.
func ExampleGateway_ForwardProxy() {
	keys, err := farwire.APIKeys(map[string]string{"a-key-of-16-bytes-or-more": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", gw.Relay())
	host := httptest.NewServer(gw.ForwardProxy(mux))
	defer host.Close()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer target.Close()

	proxy, err := url.Parse(host.URL)
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []*url.Userinfo{nil, url.UserPassword("geo=DE", "a-key-of-16-bytes-or-more")} {
		proxy.User = user
		client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
		resp, err := client.Get(target.URL)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(resp.StatusCode, "from", resp.Header.Get("X-Farwire-From"))
		resp.Body.Close()
	}
	// Output:
	// 407 from gateway
	// 200 from target
}

// The path form stands under a host name of its own, so that pages from elsewhere share no
// origin with the host's.
func ExampleIsPathForm() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.NotFoundHandler())
	byName := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch foreign := r.Host == "to.example.com"; {
		case foreign != farwire.IsPathForm(r):
			gw.NotFound().ServeHTTP(w, r)
		case foreign:
			gw.PathForm().ServeHTTP(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	})
	for _, at := range [][2]string{{"to.example.com", "/to/-/https/api.example.com/"}, {"www.example.com", "/to/-/https/api.example.com/"}, {"to.example.com", "/account"}} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, at[1], nil)
		r.Host = at[0]
		byName.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 401
	// 404
	// 404
}

// A host counts the connections of those who have shown no key, as a bound on them would.
func ExampleWithKeyShown() {
	keys, err := farwire.APIKeys(map[string]string{"a-key-of-16-bytes-or-more": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	var unknown atomic.Int64
	host := httptest.NewUnstartedServer(gw.Usage())
	host.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		unknown.Add(1)
		return farwire.WithKeyShown(ctx, sync.OnceFunc(func() { unknown.Add(-1) }))
	}
	host.Start()
	defer host.Close()
	for _, key := range []string{"not-a-key-of-anybody", "a-key-of-16-bytes-or-more"} {
		req, err := http.NewRequest(http.MethodGet, host.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("X-API-Key", key)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // each has a connection of its own
		resp, err := client.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, unknown.Load(), "without a key")
	}
	// Output:
	// 403 1 without a key
	// 200 1 without a key
}

// A host fetches JSON through an agent in another country, as a session of its own:
// it is counted, listed and drained like those of its callers.
func ExampleGateway_Open() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"price": 42}`) }))
	defer api.Close()

	job := farwire.Principal{Subject: "price job"}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return gw.Open(ctx, farwire.OpenOptions{Addr: addr, Principal: job, Countries: []string{"DE"}})
	}}
	client := http.Client{Transport: transport}
	resp, err := client.Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Price int }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	for s := range gw.Sessions() {
		fmt.Println(answer.Price, "in a", s.Kind, "of the", s.Subject, "by", s.Agent)
	}
	transport.CloseIdleConnections() // ends the session
	// Output:
	// 42 in a tunnel of the price job by farwire-de1
}
