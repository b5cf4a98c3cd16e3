package farwire_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/farwire/farwire"
)

// A crawl in a host's own mux, and a client that prints what it is sent.
func ExampleGateway_Crawl() {
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws/crawl", gw.Crawl())
	mux.Handle("POST /auth/token", gw.Token())
	host := httptest.NewServer(mux)
	defer host.Close()
	defer gw.Shutdown(context.Background())

	site := twoPages()
	defer site.Close()

	ctx := context.Background()
	ws, _, err := websocket.Dial(ctx, host.URL+"/ws/crawl?api_key=a-key-for-alice-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(64 << 20) // a result may be large
	if err := wsjson.Write(ctx, ws, map[string]any{"url": site.URL, "maxPages": 10}); err != nil {
		log.Fatal(err)
	}
	for {
		var m struct{ Type, Content string }
		if err := wsjson.Read(ctx, ws, &m); err != nil {
			fmt.Println("closed with", int(websocket.CloseStatus(err)))
			break
		}
		fmt.Printf("%s: %s\n", m.Type, strings.ReplaceAll(m.Content, site.URL, "https://docs.example.com"))
	}
	// Output:
	// log: Crawling page 1/10...
	// log: Crawling page 2/10...
	// result: # Example Documentation
	//
	// > https://docs.example.com/
	//
	// ## Example Documentation
	//
	// > https://docs.example.com/
	//
	// All that there is to know about the example, in two pages.
	//
	// ## Getting Started
	//
	// > https://docs.example.com/start
	//
	// Learn how to use the example in a few short steps.
	//
	// closed with 1000
}

// twoPages is a small site.
func twoPages() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>Example Documentation</title>
			<main><h1>Example Documentation</h1><p>All that there is to know about the example, in two pages.</p>
			<a href="/start">Getting Started</a></main>`)
	})
	mux.HandleFunc("GET /start", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>Getting Started</title>
			<main><h1>Getting Started</h1><p>Learn how to use the example in a few short steps.</p></main>`)
	})
	return httptest.NewServer(mux)
}
