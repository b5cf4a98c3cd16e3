package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A listener that serves the proxy and nothing else.
func Example() {
	const key = "a-key-of-16-bytes-or-more"
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer target.Close()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	if err != nil {
		panic(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exit, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := proxy(gw)
	defer server.Close()
	go server.Serve(l)

	for _, user := range []*url.Userinfo{nil, url.UserPassword("geo=DE", key)} {
		transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String(), User: user})}
		client := http.Client{Transport: transport}
		resp, err := client.Get(target.URL)
		if err != nil {
			panic(err)
		}
		fmt.Println(resp.StatusCode, "from the", resp.Header.Get("X-Farwire-From"))
		resp.Body.Close()
		transport.CloseIdleConnections()
	}
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode)
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 407 from the gateway
	// 200 from the target
	// 404
}
