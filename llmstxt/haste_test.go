package llmstxt_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Not every site has one status for who asks too often, or for what may be there soon.
func TestCrawl_StatusThatPasses_PageIsAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		status, refusals int
		after            string
		again            bool
	}{
		{408, 2, "", true}, {425, 1, "", true}, {420, 4, "", true}, {430, 5, "", true}, {403, 4, "2", true}, {503, 4, "", true},
		{403, 1, "", false}, {403, 1, "soon", false}, {404, 1, "1", false}, {410, 1, "", false}, {431, 1, "", false},
	} {
		for _, at := range []string{"/topic-ac", "/sitemap.xml"} {
			w := wide(5)
			w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset><url><loc>http://docs.test/listed</loc></url></urlset>"}
			w.pages["http://docs.test/listed"] = doc("Listed")
			handler := func() func(r *http.Request) (answer, bool) {
				var mu sync.Mutex
				left := c.refusals
				return func(r *http.Request) (answer, bool) {
					mu.Lock()
					defer mu.Unlock()
					if r.URL.Path == "/robots.txt" {
						left = c.refusals // another crawl
					}
					if r.URL.Path != at || left == 0 {
						return answer{}, false
					}
					left--
					return answer{status: c.status, header: map[string]string{"Retry-After": c.after}}, true
				}
			}
			w.handler = handler()
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if want := map[bool]int{true: 7, false: 6}[c.again]; len(s.Pages) != want || s.Stats.Lost != 0 {
				t.Errorf("%d at %s, Retry-After %q: %d pages, want %d; %v", c.status, at, c.after, len(s.Pages), want, s.Skipped)
			}
		}
		w := wide(5)
		w.pages["http://docs.test/topic-ac"] = answer{status: c.status, header: map[string]string{"Retry-After": c.after}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 5 || (s.Stats.Lost == 1) != c.again {
			t.Errorf("%d for ever: %d pages, lost %v", c.status, len(s.Pages), s.Lost)
		}
	}
}

// A page whose head announces more than there is has come, if its last tag has.
func TestCrawl_LengthIsWrong_WholePageIsRead(t *testing.T) {
	const text = "<html><title>Tea</title><h1>Tea</h1><p>" + gadget + "</p></body>"
	for _, c := range []struct {
		body     string
		encoding string
		read     bool
	}{
		{text + "</html>", "", true}, {text + "</HTML>\r\n\r\n", "", true}, {text + strings.Repeat("<p>More of it.", 40<<10) + "</html>", "", true},
		{text, "", false}, {text + "</html", "", false}, {text + "</html>", "gzip", false}, {"</html>", "", false},
	} {
		for _, chunked := range []bool{false, true} {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/":
					fmt.Fprint(w, "<title>Home</title><h1>Home</h1><p>All about the leaves of one bush, and how they are brewed.</p><a href=tea>Tea</a>")
				case "/tea":
					w.Header().Set("Content-Type", "text/html")
					if c.encoding != "" {
						w.Header().Set("Content-Encoding", c.encoding)
					}
					if !chunked {
						w.Header().Set("Content-Length", fmt.Sprint(len(c.body)+100))
					}
					fmt.Fprint(w, c.body)
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				default:
					http.NotFound(w, r)
				}
			}))
			site, err := llmstxt.Crawl(t.Context(), srv.URL, llmstxt.Options{Client: srv.Client()})
			srv.Close()
			if err != nil {
				t.Fatal(err)
			}
			if read := len(site.Pages) == 2; read != c.read || site.Stats.Lost+len(site.Pages) != 2 {
				t.Errorf("%d bytes, %q, chunked %t: read %t, want %t; %v", len(c.body), c.encoding, chunked, read, c.read, site.Skipped)
			}
		}
	}
}

// A Content-Type that names no type says as little as none.
func TestCrawl_ContentTypeIsNoType_BodyIsLookedAt(t *testing.T) {
	for kind, page := range map[string]bool{"html": true, "utf-8": true, "charset=utf-8": true, ";": true, "image/html": false, "application/octet-stream": false} {
		tea := doc("Tea")
		tea.header = map[string]string{"Content-Type": kind}
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/tea", "/picture"), "http://docs.test/tea": tea,
			"http://docs.test/picture": {body: "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 100), header: map[string]string{"Content-Type": kind}}}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); (len(s.Pages) == 2) != page {
			t.Errorf("%q: %v, %v", kind, urls(s), s.Skipped)
		}
	}
}
