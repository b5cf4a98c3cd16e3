package farwire_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

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
