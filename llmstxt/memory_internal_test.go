package llmstxt

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/frontier"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

type onePage string

func (p onePage) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/html"}}, ContentLength: -1, Request: r, Body: io.NopCloser(strings.NewReader(string(p)))}, nil
}

// What is kept of a page, whatever it is made of, is no more than what is taken of the
// process's share for it.
func TestResult_HostilePages_TakeOnePieceAtMost(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	long := strings.Repeat("long-", 90)
	for name, page := range map[string]string{
		"links":        repeat(9000, "<li><a href=/%d>Link</a>"),
		"long links":   repeat(2000, "<p><a href=/"+long+"%d>Link "+long+"</a>"),
		"menus":        "<nav>" + repeat(4000, "<h3>Menu %[1]d "+long+"</h3><ul><li><a href=/%[1]d>Link %[1]d "+long+"</a></ul>") + "</nav>",
		"words":        repeat(3000, "<p>A. B. C. D. E. Paragraph %d. It has words. "+long+". And more."),
		"few words":    repeat(9000, "<p>A.%d"),
		"translations": repeat(9000, "<link rel=alternate hreflang=de href=/"+long+"%d>") + "<p>A page.",
		"next":         repeat(9000, "<a rel=next href=/"+long+"%d>Next</a>"),
		"linked data":  repeat(20, `<script type="application/ld+json">{"@type":"Article","description":"`+strings.Repeat("word ", 9000)+`%d"}</script>`) + "<p>A page.",
		"crumbs":       "<nav class=breadcrumb>" + repeat(9000, "<a href=/%d>"+long+"</a>") + "</nav><p>A page.",
		"frames":       "<frameset>" + repeat(9000, "<frame src=/"+long+"%d>") + "</frameset>",
	} {
		u := weburl.Parse("http://docs.test/")
		c, err := newCrawler(u.String(), u, Options{Client: &http.Client{Transport: onePage("<title>T</title><h1>T</h1>" + page)}})
		if err != nil {
			t.Fatal(err)
		}
		c.scope, c.robots = weburl.ScopeOf(u), &robots.Rules{}
		r := c.fetchPage(t.Context(), u, func(*url.URL) error { return nil }, nil)
		c.threads.Close()
		if r.refused != nil {
			t.Errorf("%s: %v", name, r.refused)
		}
		if n := r.size(); n > share.ResultPiece {
			t.Errorf("%s: %d bytes are kept, %d taken: %d of evidence, %d links", name, n, share.ResultPiece, r.evidence.Size(), len(r.links))
		}
	}
}

// What the site maps of one crawl list takes 32 MiB at most, though there is more room.
func TestSitemapPages_ListMuch_Take32MiB(t *testing.T) {
	m := sitemapPages{settled: map[string]time.Time{}}
	defer m.giveRoom()
	key := strings.Repeat("x", 2000)
	for i := 0; m.add("one", fmt.Sprint(key, i), listed{}, time.Time{}); i++ {
		if i > 100_000 {
			t.Fatal("there is no end")
		}
	}
	if taken := len(m.room) * share.ResultPiece; taken != 32<<20 || share.Results.Held("one") != len(m.room) || !m.full {
		t.Errorf("%d bytes are taken, %d pieces are held", taken, share.Results.Held("one"))
	}
	give, ok := share.Results.Try("one")
	if !ok {
		t.Fatal("there is no more room")
	}
	give()
}

// What is noted of short pages, to tell them from what every address gets, is short, and
// counted.
func TestNoteSoft404Signs_ManyShortPages_TakeWhatIsCounted(t *testing.T) {
	u := weburl.Parse("http://docs.test/")
	c, err := newCrawler(u.String(), u, Options{MaxPages: 50})
	if err != nil {
		t.Fatal(err)
	}
	const before = 1000
	c.holding = before
	for i := range 100 {
		e := &entry{url: u, key: u.String()}
		r := &result{final: weburl.Parse(fmt.Sprintf("http://docs.test/tea%d", i))}
		size := r.size()
		r.noteSoft404Signs(fmt.Sprintf("%d tea%d %s", i, i, strings.Repeat("word ", 400)), nil)
		r.namesPath = false
		if len(r.generic) > 100 || r.size() != size+len(r.generic) {
			t.Fatalf("%d bytes are noted, %d of them counted", len(r.generic), r.size()-size)
		}
		c.isGenericAnswer(t.Context(), e, r)
	}
	kept := 0
	for g := range c.generic {
		kept += len(g)
	}
	if len(c.generic) != 100 || c.holding-before < kept {
		t.Errorf("%d are kept with %d bytes, %d are counted", len(c.generic), kept, c.holding-before)
	}
}

// What a full list has no room for makes the result a limited one. It may be offered again and
// counts for its shape once at most: what is offered in vain takes no share from others.
func TestOffer_ListIsFull_IsNotedAndNotCounted(t *testing.T) {
	u := weburl.Parse("http://docs.test/")
	c, err := newCrawler(u.String(), u, Options{MaxPages: 2000})
	if err != nil {
		t.Fatal(err)
	}
	c.scope, c.robots = weburl.ScopeOf(u), &robots.Rules{}
	offer := func(path string, f found) {
		u := weburl.Parse("http://docs.test/docs/" + path)
		c.offer(u, u.String(), f)
	}
	word := func(i int) string { return fmt.Sprintf("%c%c%c", 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26) }
	n := 0
	for ; !c.forgot && n < 10_000; n++ {
		offer(word(n), found{parent: "map", depth: 1})
	}
	if waits := c.waiting.Len(); waits < 1000 || waits != n-1 || c.full || len(c.index) != waits {
		t.Fatalf("%d are offered, %d wait, %d are known, full %v", n, waits, len(c.index), c.full)
	}
	waits := c.waiting.Len()
	for range 3 * c.perShape {
		offer("day/7", found{parent: "map", depth: 1})
	}
	if c.waiting.Len() != waits || c.waiting.Deferred(frontier.AtTheEnd) != 0 {
		t.Errorf("%d wait, %d are put off", c.waiting.Len(), c.waiting.Deferred(frontier.AtTheEnd))
	}
	for i := range c.perShape {
		offer(fmt.Sprintf("day/%d", i), found{parent: "page", depth: 1})
	}
	if c.waiting.Len() != waits+c.perShape || c.waiting.Deferred(frontier.AtTheEnd) != 0 {
		t.Errorf("%d wait of %d, %d are put off", c.waiting.Len()-waits, c.perShape, c.waiting.Deferred(frontier.AtTheEnd))
	}
}
