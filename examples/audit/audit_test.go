package audit_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/examples/audit"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Two customers reach a target, each in its own way, and each has its own record.
func Example() {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer target.Close()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	keys, err := farwire.APIKeys(map[string]string{"key-of-alice-at-acme": "acme/alice", "key-of-bob-at-initech": "initech/bob"})
	if err != nil {
		panic(err)
	}
	entries := new(audit.AuditLog)
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exit, Trace: entries.Trace(), Logger: slog.New(slog.DiscardHandler),
		RootCAs: target.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if err != nil {
		panic(err)
	}
	gateway := httptest.NewServer(audit.Handler(gw))
	defer gateway.Close()
	get := func(client *http.Client, url string) {
		resp, err := client.Get(url)
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			panic(err)
		}
		client.CloseIdleConnections()
	}

	get(new(http.Client), gateway.URL+"/to/key=key-of-alice-at-acme/https/"+strings.TrimPrefix(target.URL, "https://")+"/")
	proxy, err := url.Parse(gateway.URL)
	if err != nil {
		panic(err)
	}
	proxy.User = url.UserPassword("any", "key-of-bob-at-initech")
	bob := target.Client()
	bob.Transport.(*http.Transport).Proxy = http.ProxyURL(proxy)
	get(bob, target.URL)

	if err := gw.Shutdown(context.Background()); err != nil { // all have ended
		panic(err)
	}
	for _, tenant := range []string{"acme", "initech"} {
		for _, e := range entries.Of(tenant) {
			fmt.Println(tenant, e.Who, e.Kind, e.Agent, e.Code, e.Target == strings.TrimPrefix(target.URL, "https://"), e.Bytes >= 5)
		}
	}
	// Output:
	// acme alice http farwire-de1 200 true true
	// initech bob tunnel farwire-de1 200 true true
}
