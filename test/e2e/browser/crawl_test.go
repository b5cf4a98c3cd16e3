//go:build unix

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/test/crawlbench/docs"
)

const key = "key-of-the-test-0123456789"

// crawl has a gateway crawl site.test, which is the server given, in a browser.
func crawl(t *testing.T, site *httptest.Server, o browser.Options, request string) (result string, stats map[string]any, logs []string) {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	pages, err := browser.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exitTo(site.Listener.Addr().String()), Crawl: farwire.CrawlOptions{Render: pages}, Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gw.Crawl())
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // many pages on a busy machine
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http")+"?api_key="+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	if err := c.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
		t.Fatal(err)
	}
	for {
		_, text, err := c.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return result, stats, logs
		}
		if err != nil {
			t.Fatalf("%v; logs:\n%s", err, strings.Join(logs, "\n"))
		}
		var m struct {
			Type, Content string
			Stats         map[string]any
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		switch m.Type {
		case "log":
			logs = append(logs, m.Content)
		case "result":
			result, stats = m.Content, m.Stats
		default:
			t.Errorf("got %s", text)
		}
	}
}

func count(logs []string, text string) (n int) {
	for _, l := range logs {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

// TestCrawl_ApplicationOfOnePage_FindsItsWords crawls docsify over npm's Markdown and compares the
// file with the HTML that npm ships.
func TestCrawl_ApplicationOfOnePage_FindsItsWords(t *testing.T) {
	app, err := docs.NPMDocs()
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(app.Handler)
	defer site.Close()
	result, stats, logs := crawl(t, site, browser.Options{Timeout: time.Minute}, `{"url":"http://site.test/","maxPages":20}`)
	good, bad := 0, 0
	for _, part := range strings.Split(result, "\n> http://site.test")[1:] {
		at, text, _ := strings.Cut(part, "\n\n")
		want := app.Key[at]
		if want == "" {
			continue // the start page
		}
		if begin := letters(want); strings.Contains(letters(text), begin[:min(40, len(begin))]) {
			good++
		} else {
			bad++
			t.Logf("%s: %.100q, want %.100q", at, text, want)
		}
	}
	if good < 4*bad || good < 10 { // what share it is of all pages, make quality says
		t.Errorf("%d excerpts have the first paragraph of npm's own, %d do not", good, bad)
	}
	if n := count(logs, "Pages that need a browser are shown in a local Chromium"); n != 1 {
		t.Errorf("the browser was named %d times", n)
	}
	if n := count(logs, ": score "); n < 20 {
		t.Errorf("%d pages with a score in the log", n)
	}
	if stats["rendered"].(float64) < 20 || stats["render_seconds"].(float64) <= 0 || stats["render_bytes"].(float64) < 100_000 {
		t.Errorf("stats: %v", stats)
	}
	if t.Failed() {
		t.Logf("%s\n%s", strings.Join(logs, "\n"), result)
	}
}

// letters keeps what no rendering changes.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

const api = `{"openapi":"3.0.3","info":{"title":"The Observatory","version":"1.2.3","description":"This interface tells when each of the telescopes of the observatory looks at what, and lets you ask for an hour of your own."},
	"paths":{"/telescopes":{"get":{"summary":"List the telescopes that are open tonight","responses":{"200":{"description":"ok"}}}}}}`

// TestCrawl_SwaggerUI_FindsItsWords crawls an application of one page, built by a bundler.
func TestCrawl_SwaggerUI_FindsItsWords(t *testing.T) {
	handler, err := docs.SwaggerUI(api)
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(handler)
	defer site.Close()
	var result string
	var stats map[string]any
	var logs []string
	shown := false
	for tries := 0; tries < 3 && !shown; tries++ { // on a busy machine the page may seem to have settled before it has its words
		result, stats, logs = crawl(t, site, browser.Options{Timeout: time.Minute}, `{"url":"http://site.test/","maxPages":2}`)
		shown = strings.Contains(result, "tells when each of the telescopes") && stats["rendered"] == 1.0
	}
	if !shown {
		t.Errorf("%s\n%v\n%s", result, stats, strings.Join(logs, "\n"))
	}
	// Without a browser its description has them.
	result, stats, logs = crawl(t, site, browser.Options{Path: browser.None}, `{"url":"http://site.test/","maxPages":2}`)
	if !strings.Contains(result, "tells when each of the telescopes") || stats["rendered"] != 0.0 || count(logs, "No browser is configured") != 1 {
		t.Errorf("%s\n%v\n%s", result, stats, strings.Join(logs, "\n"))
	}
}

// TestCrawl_ServiceDies_FallsBack has a service that accepts and dies.
func TestCrawl_ServiceDies_FallsBack(t *testing.T) {
	app, err := docs.NPMDocs()
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(app.Handler)
	defer site.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan int, 1)
	go func() {
		n := 0
		defer func() { accepted <- n }()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			n++
			conn.Close()
		}
	}()
	// The guard is asked for the page's name first.
	for _, remote := range []bool{false, true} {
		request := fmt.Sprintf(`{"url":"http://site.test/","maxPages":3,"useBrightdata":%t}`, remote)
		_, stats, logs := crawl(t, site, browser.Options{RemoteURL: "ws://user:secret@" + ln.Addr().String(), Timeout: time.Minute}, request)
		want := "Pages that need a browser are shown in a local Chromium"
		if remote {
			want += ", because the browser service does not answer"
		}
		if stats["rendered"].(float64) < 3 || count(logs, want) != 1 || count(logs, "are shown in") != 1 {
			t.Errorf("remote %t: %v\n%s", remote, stats, strings.Join(logs, "\n"))
		}
	}
	ln.Close()
	if n := <-accepted; n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
}
