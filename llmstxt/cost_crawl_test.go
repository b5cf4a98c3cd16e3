//go:build linux

package llmstxt_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/farwire/farwire/llmstxt"
)

// onePage is a site of one page.
type onePage struct {
	kind, encoding string
	sent           []byte
}

func (p onePage) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, h := 200, p.sent, http.Header{"Content-Type": {p.kind}, "Content-Encoding": {p.encoding}}
	if r.URL.Path != "/" {
		status, body, h = 404, nil, http.Header{}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// packIn packs a body in one encoding after the other. Gzip does not make it smaller, but
// for the last time.
func packIn(t *testing.T, body []byte, encodings ...string) []byte {
	for i, name := range encodings {
		var b bytes.Buffer
		var w io.WriteCloser = brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 1, LGWin: 24})
		if name == "gzip" {
			level := gzip.NoCompression
			if i == len(encodings)-1 {
				level = gzip.BestSpeed
			}
			var err error
			if w, err = gzip.NewWriterLevel(&b, level); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = b.Bytes()
	}
	return body
}

// A body that is large in each of its encodings takes the right to be large once. With
// that right and a core in its hands it would wait for itself, and all other crawls for it.
func TestCrawl_PageLargeInEachEncoding_IsRead(t *testing.T) {
	page := fill("<title>T</title><h1>T</h1>", "<p>Words of a page. ", "")(1 << 20)
	for name, encodings := range map[string][]string{
		"one":  {"gzip"},
		"two":  {"gzip", "gzip"},
		"four": {"gzip", "gzip", "br", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			p := onePage{"text/html", strings.Join(encodings[max(0, len(encodings)-3):], ","), packIn(t, page, encodings...)}
			if len(p.sent) > 64<<10 {
				t.Fatalf("%d bytes are sent, too many for what is tried", len(p.sent))
			}
			s, err := llmstxt.Crawl(t.Context(), "http://a.test/", llmstxt.Options{Client: &http.Client{Transport: p}, MaxPages: 1, Timeout: 2 * time.Minute})
			if err != nil || len(s.Pages) != 1 || s.Stats.TimedOut {
				t.Errorf("%v, %+v", err, s)
			}
		})
	}
}

// The first large page of a process finds no memory that has been used. All that its
// crawl allocates counts: for what is sent, which is another row's, no more than twice
// the largest page.
func TestCost_FirstLargePage_StaysWithinItsMemory(t *testing.T) {
	size, limit := 8<<20-6000, bound(t, "a page of 8 MiB, read")+16<<20
	if raceDetector {
		size /= 64
	}
	foreign := strings.Repeat("é", 900)
	for name, p := range map[string]onePage{
		"letters":               {"text/html", "", letters(size)},
		"letters, packed":       {"text/html", "br", packIn(t, letters(size), "br")},
		"packed in br":          {"text/html", "br,br,br", packIn(t, letters(size), "br", "br", "br")},
		"packed in gzip":        {"text/html", "gzip,gzip,gzip", packIn(t, letters(size), "gzip", "gzip", "gzip", "gzip", "gzip")},
		"in no encoding":        {"text/html; charset=iso-8859-5", "", append([]byte("<meta charset=iso-8859-2>"), letters(size)...)},
		"links with queries":    {"text/html", "gzip", packIn(t, numbered("", "<a href=?a=%d>x</a>", "")(size), "gzip")},
		"links in other places": {"text/html", "gzip", packIn(t, numbered("", "<a href=//b.test/"+foreign+"%d>x</a>", "")(size-2000), "gzip")},
		"links of a long base":  {"text/html", "gzip", packIn(t, numbered("<base href='/"+foreign[:600]+"/'>", "<a href=x?a=%d>x</a>", "")(size), "gzip")},
		"links, Markdown":       {"text/markdown", "gzip", packIn(t, numbered("# T\n", "[x](?é=%d)\n", "")(size), "gzip")},
		"code":                  {"text/html", "gzip", packIn(t, fill("<main><pre>", "a b\r\n", "")(size), "gzip")},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC() // twice takes from a pool what was in it
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := llmstxt.Crawl(t.Context(), "http://a.test/", llmstxt.Options{Client: &http.Client{Transport: p}, MaxPages: 1, DescLength: 7000, Text: true})
			runtime.ReadMemStats(&after)
			if err != nil || len(s.Pages) != 1 {
				t.Fatalf("%v, %+v", err, s)
			}
			s.Close()
			if got := after.TotalAlloc - before.TotalAlloc; got > limit {
				t.Errorf("%d MiB, want at most %d", got>>20, limit>>20)
			}
		})
	}
}

// endless is a transport whose every page is the most hostile one.
type endless struct{ page []byte }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}}
	status, body := 200, e.page
	if r.URL.Path == "/robots.txt" || strings.Contains(r.URL.Path, "sitemap") {
		status, body, h = 404, nil, http.Header{}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// A crawl that ends while it reads costs less processor time from then on than it may
// take of any: twice the second of the contract, however many others the machine serves.
func TestCrawl_EndsWhileParsing_ReturnsWithinASecond(t *testing.T) {
	for _, name := range []string{"script that is commented out", "nested lists with links", "links", "an encoding that is found", "entities"} {
		site := endless{zip(hostile[name].make)(unlessRace(8<<20, 1<<20))}
		for _, after := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Duration
			time.AfterFunc(after, func() { ended = processCPU(t); cancel() })
			_, err := llmstxt.Crawl(ctx, "http://a.test/", llmstxt.Options{Client: &http.Client{Transport: site}})
			<-ctx.Done()
			if d := processCPU(t) - ended; d > 2*time.Second {
				t.Errorf("%s: %v of processor time after its end, %v", name, d, err)
			}
		}
	}
}

// fixed is a site of a few files.
type fixed map[string]string

func (s fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := s[r.URL.Path]
	status, kind := 200, "text/html"
	if !ok {
		status = 404
	} else if r.URL.Path != "/" {
		kind = "text/plain"
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// A site map may name a hundred forms of each page, and robots.txt is asked of all of them.
// A crawl that ends then does not ask on.
func TestCrawl_EndsWhileSiteMapsAreOffered_ReturnsWithinASecond(t *testing.T) {
	rules := numbered("User-agent: *\n", "Disallow: /"+strings.Repeat("*a*b", 8)+"*z%d$\n", "")(40 << 10)
	forms := numbered("", `<xhtml:link rel="alternate" hreflang="en-gb" href="/ababababababababababab%d"/>`, "")(8 << 10)
	site := fixed{"/": "<html lang=en><title>T</title><p>Words.", "/robots.txt": string(rules),
		"/sitemap.xml": "<urlset>" + string(numbered("", "<url><loc>http://a.test/page%d</loc>"+string(forms)+"</url>", "")(12<<20)) + "</urlset>"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended time.Duration
	progress := func(e llmstxt.Event) {
		if strings.HasPrefix(e.Message, "Site map") && ended == 0 {
			ended = processCPU(t)
			cancel()
		}
	}
	_, err := llmstxt.Crawl(ctx, "http://a.test/", llmstxt.Options{Client: &http.Client{Transport: site}, MaxPages: 1000, Progress: progress})
	if d := processCPU(t) - ended; ended == 0 || d > 2*time.Second {
		t.Errorf("%v of processor time after its end, %v", d, err)
	}
}

// processCPU is the processor time of this process.
func processCPU(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Error(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
