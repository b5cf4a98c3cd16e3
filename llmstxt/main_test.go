package llmstxt_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/leak"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) {
	if raceDetector {
		debug.SetGCPercent(400) // a fifth of what the tests took was the collector's
	}
	leak.Main(m)
}

// answer is what a made-up web says to a request.
type answer struct {
	status int // 0: 200
	header map[string]string
	body   string
	err    error
	drip   context.Context // a byte a second, until it ends
}

// dripping is a body that comes a byte a second.
type dripping struct{ ctx context.Context }

func (d dripping) Read(b []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		b[0] = 'x'
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func html(body string) answer { return answer{body: body} }

func redirect(to string) answer {
	return answer{status: http.StatusMovedPermanently, header: map[string]string{"Location": to}}
}

// web is an http.RoundTripper over pages in memory, by URL. Everything else is
// a 404. It may take its time.
type web struct {
	pages   map[string]answer
	handler func(*http.Request) (answer, bool) // before pages; nil: none
	latency func() time.Duration               // nil: none

	mu   sync.Mutex
	hits map[string]int
	busy int
	most int // requests at the same time
	log  []*http.Request
}

func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	if w.hits == nil {
		w.hits = map[string]int{}
	}
	w.hits[req.URL.String()]++
	w.log = append(w.log, req)
	w.busy++
	w.most = max(w.most, w.busy)
	var wait time.Duration
	if w.latency != nil {
		wait = w.latency()
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.busy--
		w.mu.Unlock()
	}()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	a, ok := answer{}, false
	if w.handler != nil {
		a, ok = w.handler(req)
	}
	if !ok {
		if a, ok = w.pages[req.URL.String()]; !ok {
			a = answer{status: http.StatusNotFound, body: "no such page"}
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	h := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	body, length := io.Reader(strings.NewReader(a.body)), int64(len(a.body))
	if a.drip != nil {
		body, length = dripping{a.drip}, -1
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(body), ContentLength: length,
		Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

func (w *web) client() *http.Client { return &http.Client{Transport: w} }

func (w *web) asked(url string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits[url]
}

func (w *web) clone() *web {
	return &web{pages: maps.Clone(w.pages), handler: w.handler}
}

// doc is a page with a title, a paragraph of its own and links.
func doc(title string, links ...string) answer {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html lang=en><head><title>%s</title></head><body><main><h1>%s</h1>\n", title, title)
	fmt.Fprintf(&b, "<p>This page explains %s in one honest sentence that nobody else uses. It has a second sentence about %s too.</p>\n<ul>", title, title)
	for _, l := range links {
		fmt.Fprintf(&b, "<li><a href=%q>%s</a></li>", l, strings.Trim(l, "/"))
	}
	b.WriteString("</ul></main></body></html>")
	return html(b.String())
}

// linkGraph is a site in which much goes wrong: redirects, duplicates, canonical
// links, missing pages and refused ones, all over the place.
func linkGraph(seed uint64, n int) *web {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &web{pages: map[string]answer{}}
	at := func(i int) string { return fmt.Sprintf("/p%c%c", 'a'+i/26%26, 'a'+i%26) }
	const host = "http://docs.test"
	for i := range n {
		var links []string
		for range 1 + rng.IntN(8) {
			links = append(links, at(rng.IntN(n)))
		}
		a := doc(fmt.Sprintf("Topic %d", i), links...)
		switch rng.IntN(12) {
		case 0:
			a = redirect(at(rng.IntN(n)))
		case 1:
			a = doc("The twin", "/paa")
		case 2:
			a.body = strings.Replace(a.body, "</head>", fmt.Sprintf("<link rel=canonical href=%q></head>", at(rng.IntN(n))), 1)
		case 3:
			a = answer{status: 404, body: "gone"}
		case 4:
			a.body = strings.Replace(a.body, "</head>", "<meta name=robots content=noindex></head>", 1)
		case 5:
			a.body = strings.Replace(a.body, "</head>", fmt.Sprintf(`<meta http-equiv=refresh content="0; url=%s"></head>`, at(rng.IntN(n))), 1)
		}
		w.pages[host+at(i)] = a
	}
	var all []string
	for i := range n / 2 {
		all = append(all, at(rng.IntN(n)))
		_ = i
	}
	w.pages[host+"/"] = doc("Home", all...)
	w.pages[host+"/robots.txt"] = answer{body: "User-agent: *\nDisallow: /pab\n", header: map[string]string{"Content-Type": "text/plain"}}
	return w
}
