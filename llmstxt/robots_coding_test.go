package llmstxt_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/llmstxt"
)

// A robots.txt that the server sends in a broken coding is unreachable: everything counts as
// forbidden, and the error says why. One that says a coding and has none is read.
func TestCrawl_RobotsInABrokenCoding_IsUnreachable(t *testing.T) {
	rules := "User-agent: *\nDisallow: /secret\n" + strings.Repeat("# a comment\n", 100)
	noise := "\x00\x01\xff\xfe\x9d\x02" + strings.Repeat("\x9d\x02\x03", 300)
	for coding, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"x-gzip":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd":    func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e },
		"pack200": nil, "": nil,
	} {
		whole := noise
		if pack != nil {
			var b bytes.Buffer
			w := pack(&b)
			io.WriteString(w, rules)
			w.Close()
			whole = b.String()
		}
		for name, c := range map[string]struct {
			body   string
			broken bool
		}{
			"whole": {whole, coding == "pack200"}, "noise": {noise, coding != ""}, "cut": {whole[:len(whole)*2/3], coding != ""}, "no coding": {rules, false},
			"gzip in it": {"\x1f\x8b\x08" + noise, true}, "UTF-16": {"\xff\xfeA\x00\x00\xd8", coding != ""}, "empty": {"", false},
		} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": doc("A"),
				"http://docs.test/robots.txt": {header: map[string]string{"Content-Encoding": coding}, body: c.body}}}
			s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()})
			if !c.broken {
				if err != nil || len(s.Pages) != 2 {
					t.Errorf("%s, %s: %v", coding, name, err)
				}
				continue
			}
			public := fault.Of(err)
			if !errors.Is(err, llmstxt.ErrRobotsUnreachable) || !errors.Is(err, llmstxt.ErrRobots) || public == nil || public.Class != fault.TargetRefused {
				t.Errorf("%s, %s: %v", coding, name, err)
				continue
			}
			for _, text := range []string{err.Error(), public.Text} {
				if !strings.Contains(text, "robots.txt") || !strings.Contains(text, "cannot be read: it") {
					t.Errorf("%s, %s: %q", coding, name, text)
				}
			}
			if w.asked("http://docs.test/") > 0 {
				t.Errorf("%s, %s: the base page was asked for", coding, name)
			}
			if s := crawl(t, w, "http://docs.test/", llmstxt.Options{IgnoreRobots: true}); len(s.Pages) != 2 {
				t.Errorf("%s, %s: %d pages without robots.txt", coding, name, len(s.Pages))
			}
		}
	}
}

// A site map in a broken coding is named in the log with its reason.
func TestCrawl_SiteMapInABrokenCoding_IsNamed(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd", "compress"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home"),
			"http://docs.test/robots.txt": {body: "Sitemap: /map.xml\n"},
			"http://docs.test/map.xml":    {header: map[string]string{"Content-Encoding": coding}, body: "\x00\x01\xff\xfe" + strings.Repeat("\x9d", 300)}}}
		var log []string
		crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { log = append(log, e.Message) }})
		if all := strings.Join(log, "\n"); !strings.Contains(all, "Site map http://docs.test/map.xml ") || !strings.Contains(all, coding) {
			t.Errorf("%s: %s", coding, all)
		}
	}
}

// A coding that is unknown is no reason to lose what is gzip: a server says what another one
// took off, or the encoding of the text.
func TestCrawl_GzipWithAnUnknownCoding_IsRead(t *testing.T) {
	packed := func(s string, layers int) string {
		for range layers {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			io.WriteString(w, s)
			w.Close()
			s = b.String()
		}
		return s
	}
	for _, coding := range []string{"aws-chunked", "utf-8", "binary", "AWS-Chunked, gzip", "gzip,aws-chunked", "binary, utf-8"} {
		for layers := 1; layers <= 2; layers++ {
			a := answer{header: map[string]string{"Content-Encoding": coding}, body: packed(siteMap("/a").body, layers)}
			page := doc("A")
			page.body = packed(page.body, layers)
			page.header = map[string]string{"Content-Encoding": coding, "Content-Type": "text/html"}
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home"), "http://docs.test/a": page,
				"http://docs.test/robots.txt": {body: "Sitemap: /sitemap.xml.gz\n"}, "http://docs.test/sitemap.xml.gz": a}}
			if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
				t.Errorf("%s, %d: %d pages, %v", coding, layers, len(s.Pages), s.Skipped)
			}
		}
	}
}

func TestCrawl_RobotsAndSiteMapOfOtherSuccess_AreRead(t *testing.T) {
	for _, status := range []int{200, 203, 206} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/a", "/secret"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B"),
			"http://docs.test/robots.txt":  {status: status, body: "User-agent: *\nDisallow: /secret\n"},
			"http://docs.test/sitemap.xml": {status: status, body: "<urlset><url><loc>http://docs.test/b</loc></url></urlset>"}}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", "/a", "/b"}) || s.Stats.Skipped[llmstxt.SkipRobots] != 1 {
			t.Errorf("%d: %v, %v", status, got, s.Skipped)
		}
	}
	// An answer without a file has no rules, as has one that leads nowhere.
	for _, a := range []answer{{status: 204}, {status: 205}, {status: 304}, {status: 302, header: map[string]string{"Location": "mailto:a@docs.test"}}} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/a"), "http://docs.test/a": doc("A"), "http://docs.test/robots.txt": a}}
		if s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()}); err != nil || len(s.Pages) != 2 {
			t.Errorf("%d: %v", a.status, err)
		}
	}
}

// An answer that is a part, to a request that asked for none, is a page where the part is all
// there is; a real part is not.
func TestCrawl_PartialContent_IsAPageWhenWhole(t *testing.T) {
	for header, want := range map[string]bool{
		"bytes 0-%d/%d": true, "BYTES 0-%d/%d": true, "bytes 0-%d/9%d": false, "bytes 1-%d/%d": false, "bytes 0-%d/*": false,
		"lines 0-%d/%d": false, "bytes %d/%d": false, "bytes 00-%d/%d": false, "": false,
	} {
		part := doc("Part")
		part.status = 206
		if part.header = map[string]string{"Content-Type": "text/html"}; header != "" {
			n := []any{len(part.body) - 1, len(part.body)}
			part.header["Content-Range"] = fmt.Sprintf(header, n[:strings.Count(header, "%d")]...)
		}
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/a"), "http://docs.test/a": part}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := len(s.Pages) == 2; got != want || !want && reasons(s)["/a"] != llmstxt.SkipStatus {
			t.Errorf("%q: is a page: %t, want %t; %v", header, got, want, s.Skipped)
		}
	}
}
