package llmstxt_test

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/farwire/farwire/llmstxt"
)

func siteMap(links ...string) answer {
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, "<url><loc>http://docs.test%s</loc></url>", l)
	}
	return answer{body: "<urlset>" + b.String() + "</urlset>"}
}

func packed(body string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	z.Write([]byte(body))
	z.Close()
	return b.String()
}

// Site maps are found wherever they are: where robots.txt names one of another time or host,
// in the usual place, and else where the base page names one.
func TestCrawl_SitemapNamedIsNoUse_OthersAreRead(t *testing.T) {
	elsewhere := answer{body: "<urlset><url><loc>http://www.other.test/a</loc></url></urlset>"}
	for name, c := range map[string]struct {
		robots, home string
		pages        map[string]answer
	}{
		"missing":            {"Sitemap: http://docs.test/old.xml\n", "", map[string]answer{"/sitemap.xml": siteMap("/listed")}},
		"of another host":    {"Sitemap: /old.xml\n", "", map[string]answer{"/old.xml": elsewhere, "/sitemap.xml": siteMap("/listed")}},
		"in another place":   {"Sitemap: /old.xml\n", "", map[string]answer{"/old.xml": siteMap(), "/sitemap_index.xml": siteMap("/listed")}},
		"text":               {"", "", map[string]answer{"/sitemap.txt": {body: "\ufeffhttp://docs.test/listed\r\nhttp://docs.test/listed"}}},
		"packed":             {"", "", map[string]answer{"/sitemap.xml.gz": {body: packed(siteMap("/listed").body)}, "/sitemap.txt": html("<title>Nothing</title>")}},
		"link":               {"", "<link rel=sitemap type=application/xml href=/maps/all.xml>", map[string]answer{"/maps/all.xml": siteMap("/listed")}},
		"link beside robots": {"Sitemap: /old.xml\n", "<link rel='sitemap' href=maps/all.xml>", map[string]answer{"/maps/all.xml": siteMap("/listed")}},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": inHead(doc("Home"), c.home), "http://docs.test/listed": doc("Listed"), "http://docs.test/robots.txt": {body: c.robots}}}
		for p, a := range c.pages {
			w.pages["http://docs.test"+p] = a
		}
		if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/listed"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	// A header may name it, as it may name the canonical address.
	home := doc("Home")
	home.header = map[string]string{"Link": `</next>; rel=preload, <maps/all.xml>; rel="sitemap"; type="application/xml"`}
	w := &web{pages: map[string]answer{"http://docs.test/": home, "http://docs.test/listed": doc("Listed"), "http://docs.test/maps/all.xml": siteMap("/listed")}}
	if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/listed"}) {
		t.Errorf("header: %v", got)
	}
	// One for people is read as they do, and no list for programs is looked for in it.
	for _, link := range []string{"<link rel=sitemap type=text/html href=/pages.html>", "<link rel=SiteMap href=pages.html>"} {
		w = &web{pages: map[string]answer{"http://docs.test/": inHead(doc("Home"), link), "http://docs.test/listed": doc("Listed"), "http://docs.test/pages.html": doc("All pages", "/listed")}}
		if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/pages.html", "/listed"}) {
			t.Errorf("%s: %v", link, got)
		}
	}
	// One that lists pages is enough.
	w = &web{pages: map[string]answer{"http://docs.test/": inHead(doc("Home"), "<link rel=sitemap href=/maps/all.xml>"), "http://docs.test/listed": doc("Listed"),
		"http://docs.test/robots.txt": {body: "Sitemap: /now.xml\n"}, "http://docs.test/now.xml": siteMap("/listed")}}
	crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if w.asked("http://docs.test/sitemap.xml")+w.asked("http://docs.test/maps/all.xml") > 0 {
		t.Error("others are asked for, too")
	}
}

// Where there is no sitemap.xml, the other usual places are asked for at once. What the last of
// them list counts only where the others have nothing.
func TestCrawl_NoSitemapXML_OtherPlacesAreAskedForAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		maps map[string]answer
		want []string
	}{
		"none":      {nil, []string{"/"}},
		"one":       {map[string]answer{"/sitemap.txt": {body: "http://docs.test/of-text"}}, []string{"/", "/of-text"}},
		"both":      {map[string]answer{"/sitemap.txt": {body: "http://docs.test/of-text"}, "/wp-sitemap.xml": siteMap("/of-blog")}, []string{"/", "/of-blog"}},
		"one empty": {map[string]answer{"/sitemap.txt": {body: "http://docs.test/of-text"}, "/wp-sitemap.xml": siteMap()}, []string{"/"}},
		"packed":    {map[string]answer{"/sitemap.xml.gz": {body: packed(siteMap("/of-file").body)}}, []string{"/", "/of-file"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home")}, latency: func() time.Duration { return time.Second }}
			for _, p := range []string{"/of-text", "/of-blog", "/of-file"} {
				w.pages["http://docs.test"+p] = doc("Page " + p[4:])
			}
			for p, a := range c.maps {
				w.pages["http://docs.test"+p] = a
			}
			began := time.Now()
			got := urls(crawl(t, w, "http://docs.test/", llmstxt.Options{}))
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
			// robots.txt; the base page and sitemap.xml; the other places and the base page's
			// Markdown; the page that was found.
			if took, most := time.Since(began), time.Duration(2+len(c.want))*time.Second; took > most {
				t.Errorf("%s: it took %v, want at most %v", name, took, most)
			}
		})
	}
}

// A recrawl whose base page has not changed knows the site map that the page names.
func TestCrawl_BasePageUnchanged_ItsSitemapIsRead(t *testing.T) {
	home := inHead(doc("Home"), "<link rel=sitemap href=/maps/all.xml>")
	home.header = map[string]string{"ETag": `"1"`}
	w := &web{pages: map[string]answer{"http://docs.test/maps/all.xml": siteMap("/listed"), "http://docs.test/listed": doc("Listed")}}
	w.handler = func(r *http.Request) (answer, bool) {
		if r.URL.Path == "/" && r.Header.Get("If-None-Match") == `"1"` {
			return answer{status: 304}, true
		}
		return home, r.URL.Path == "/"
	}
	first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	second := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: first.Pages})
	if got := urls(second); !slices.Equal(got, []string{"/", "/listed"}) || second.Stats.Unchanged == 0 {
		t.Errorf("%v, %+v", got, second.Stats)
	}
}

// robots.txt and site maps come in any content encoding that pages come in.
func TestCrawl_RobotsAndSitemapPacked_AreRead(t *testing.T) {
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"zstd":    func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e },
		"deflate": func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"none":    nil,
	} {
		packed := func(s string) answer {
			var b strings.Builder
			encoding := "deflate" // said, and not done
			if pack != nil {
				encoding = name
				p := pack(&b)
				io.WriteString(p, s)
				p.Close()
				s = b.String()
			}
			return answer{body: s, header: map[string]string{"Content-Encoding": encoding}}
		}
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/secret"), "http://docs.test/secret": doc("Secret"), "http://docs.test/listed": doc("Listed"),
			"http://docs.test/robots.txt": packed("User-agent: *\nDisallow: /secret\n"), "http://docs.test/sitemap.xml": packed(siteMap("/listed", "/secret").body)}}
		if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/listed"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A site map or robots.txt that drips costs one try.
func TestCrawl_SitemapDrips_IsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(3)
		w.handler = func(r *http.Request) (answer, bool) {
			return answer{drip: r.Context()}, r.URL.Path == "/sitemap.xml"
		}
		began := time.Now()
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if took := time.Since(began); took != 15*time.Second || len(s.Pages) != 4 || w.asked("http://docs.test/sitemap.xml") != 1 {
			t.Errorf("%d pages after %v", len(s.Pages), took)
		}
	})
}

// An answer whose head drips costs as much as one whose body does.
func TestCrawl_HeadDrips_Costs15Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		done := make(chan struct{})
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				req, err := http.ReadRequest(bufio.NewReader(far))
				if err != nil {
					return
				}
				body := doc("Home", "/slow").body
				switch req.URL.Path {
				case "/slow":
					requests++
					defer close(done)
					for _, c := range []byte("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 300)) {
						if _, err := far.Write([]byte{c}); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				case "/":
					fmt.Fprintf(far, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				default:
					io.WriteString(far, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
				}
			}()
			return near, nil
		}}}
		began := time.Now()
		s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 15*time.Second || len(s.Lost) != 1 || requests != 1 {
			t.Errorf("%v, lost %v, asked for %d times", took, s.Lost, requests)
		}
		<-done
	})
}

// What a file begins with says more than its header; text that begins like a picture is text.
func TestCrawl_FilesThatCallThemselvesHTML_AreLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := []string{"/ranking", "/notes"}
	for name, body := range map[string]string{
		"pdf": "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nstream\nMostly words that one can read.\nendstream\n", "ps": "%!PS-Adobe-3.0\n%%Title: Words\nshowpage\n",
		"png": "\x89PNG\x0d\x0a\x1a\x0a" + strings.Repeat("abc ", 100), "gif": "GIF89a\x01\x00" + strings.Repeat("abc ", 100), "zip": "PK\x03\x04\x00\x00" + strings.Repeat("abc ", 100),
	} {
		w.pages["http://docs.test/file/"+name] = html(body)
		links = append(links, "/file/"+name)
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	w.pages["http://docs.test/ranking"] = answer{header: map[string]string{"Content-Type": "text/plain"}, body: "BM25 is a ranking\n\nIt is a function that search engines use to tell how well a document fits.\n"}
	w.pages["http://docs.test/notes"] = answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "ID3 tags\n========\n\nThe tags of music have names of their own, and these are explained in this text.\n"}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); !slices.Equal(got, []string{"/", "/ranking", "/notes"}) || s.Stats.Skipped[llmstxt.SkipType] != 5 {
		t.Errorf("%v, %v", got, s.Skipped)
	}
}
