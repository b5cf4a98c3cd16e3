package farwire_test

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// A changing site is in memory and may be another at any time. It has entity
// tags, and a sitemap when dated is set.
type changing struct {
	mu     sync.Mutex
	pages  map[string]string
	status map[string]int    // of paths; of "" for all that have none
	dated  map[string]string // lastmod by path; nil: there is no sitemap
	robots string
	hits   map[string]int // answers with a body
	asked  map[string]int // requests
	hang   map[string]chan struct{}
	header http.Header // of the newest request
}

func (c *changing) set(change func(c *changing)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// counts returns how many requests there were since it was called last, and
// how many of them were answered with a body.
func (c *changing) counts() (asked, sent map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, sent = c.asked, c.hits
	c.asked, c.hits = map[string]int{}, map[string]int{}
	return asked, sent
}

func (c *changing) answer(path, tag string) (status int, etag, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[path]++
	status = http.StatusOK
	switch {
	case path == "/robots.txt":
		if c.robots == "" {
			return http.StatusNotFound, "", ""
		}
		return status, "", c.robots
	case path == "/sitemap.xml" && c.dated != nil:
		body = `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`
		for _, p := range slices.Sorted(maps.Keys(c.dated)) {
			body += "<url><loc>http://site.test" + p + "</loc><lastmod>" + c.dated[p] + "</lastmod></url>"
		}
		return status, "", body + "</urlset>"
	}
	if s := c.status[path] + c.status[""]; s != 0 {
		return s, "", "trouble"
	}
	body, ok := c.pages[path]
	if !ok {
		return http.StatusNotFound, "", "no such page"
	}
	h := fnv.New64()
	h.Write([]byte(body))
	if etag = fmt.Sprintf(`"%x"`, h.Sum64()); etag == tag {
		return http.StatusNotModified, etag, ""
	}
	c.hits[path]++
	return status, etag, body
}

// serve answers the requests of one connection.
func (c *changing) serve(conn net.Conn) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		c.mu.Lock()
		hang := c.hang[req.URL.Path]
		c.header = req.Header
		c.mu.Unlock()
		if hang != nil {
			<-hang
		}
		status, etag, body := c.answer(req.URL.Path, req.Header.Get("If-None-Match"))
		if etag != "" {
			etag = "ETag: " + etag + "\r\n"
		}
		length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
		if status == http.StatusNotModified {
			length = ""
		}
		kind := "text/html"
		if strings.HasSuffix(req.URL.Path, ".xml") {
			kind = "text/xml"
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Type: %s\r\n%s%s\r\n%s", status, kind, length, etag, body); err != nil {
			return
		}
	}
}

// memoryFiles is a Storage in memory that is as strict as one has to be.
type memoryFiles struct {
	mu     sync.Mutex
	files  map[string]farwire.File
	saves  int
	before func(ctx context.Context, f farwire.File) error // called first, outside the lock; nil: nothing
}

func (m *memoryFiles) Save(ctx context.Context, f farwire.File) (string, error) {
	if m.before != nil {
		if err := m.before(ctx, f); err != nil {
			return "", err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves++
	have := m.files[f.Name]
	switch {
	case f.Version == 0:
		f.Version = have.Version
	case f.Version < have.Version:
		return "", fmt.Errorf("version %d of %d: %w", f.Version, have.Version, farwire.ErrStale)
	}
	if m.files == nil {
		m.files = map[string]farwire.File{}
	}
	m.files[f.Name] = f
	return "https://files.test/" + f.Name, nil
}

func (m *memoryFiles) saved() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.saves
}

// A recrawlWorld is a gateway with an enrolled site in a bubble.
type recrawlWorld struct {
	*world
	t     *testing.T
	site  *changing
	sites *memorySites
	files *memoryFiles
	seen  int // commits that next has returned
}

// tenPages is a site whose base page links to nine others.
func tenPages() map[string]string {
	pages := map[string]string{}
	var links []string
	for i := range 9 {
		path := fmt.Sprintf("/%c", 'a'+i)
		links = append(links, path)
		pages[path] = page("Page "+path, "What is said on page "+path+" is said nowhere else, and it takes a sentence.")
	}
	pages["/"] = page("Home of Examples", "This site shows what a recrawl makes of ten small pages with a little prose.", links...)
	return pages
}

const enrolHourly = `{"url":"http://site.test/","enableAutoUpdate":true,"recrawlIntervalMinutes":60}`

// inRecrawlWorld enrols a site of ten pages for every hour and runs the test.
func inRecrawlWorld(t *testing.T, test func(*recrawlWorld), edit ...func(*farwire.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &recrawlWorld{t: t, sites: &memorySites{}, files: &memoryFiles{},
			site: &changing{pages: tenPages(), status: map[string]int{}, hits: map[string]int{}, asked: map[string]int{}, hang: map[string]chan struct{}{}}}
		edit = append([]func(*farwire.Options){func(o *farwire.Options) { o.Sites, o.Storage = c.sites, c.files }}, edit...)
		c.world = newBubble(t, c.site.serve, edit...)
		defer time.Sleep(10 * time.Minute) // for everything that still waits for something
		if h := c.crawled(testKey, enrolHourly); h.code != 1000 {
			t.Fatalf("enrolled: %+v", h)
		}
		c.site.counts()
		c.seen = len(c.sites.committed())
		test(c)
	})
}

// recrawls runs the recrawls of a gateway until the function returned is
// called.
func recrawls(t *testing.T, gw *farwire.Gateway) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- gw.Recrawl(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("recrawl: %v", err)
		}
	})
}

// fresh is the file that a crawl without records makes of the site.
func (c *recrawlWorld) fresh() string {
	c.t.Helper()
	defer c.site.counts()
	return c.crawled(otherKey, `{"url":"http://site.test/"}`).one(c.t, "result").Content
}

func (c *recrawlWorld) hosted() string { c.t.Helper(); return string(c.ofAlice().Body) }

// ofAlice returns the file of the enrolled site. That of fresh is another's.
func (c *recrawlWorld) ofAlice() farwire.File {
	c.t.Helper()
	c.files.mu.Lock()
	defer c.files.mu.Unlock()
	name, _ := strings.CutPrefix(c.sites.only(c.t).HostedURL, "https://files.test/")
	return c.files.files[name]
}

// next waits for the commit of the next recrawl and returns it.
func (c *recrawlWorld) next() commit {
	c.t.Helper()
	for range 12 * 120 {
		if all := c.sites.committed(); len(all) > c.seen {
			c.seen++
			return all[c.seen-1]
		}
		time.Sleep(30 * time.Second)
	}
	c.t.Fatal("half a day goes by without a recrawl")
	panic("unreachable")
}

func TestRecrawl_SiteChanged_ReplacesTheFile(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		original := c.hosted()
		first := c.sites.only(t)
		// Nothing has changed: one conditional request a page, and no file.
		done := c.next()
		if c.hosted() != original || c.files.saved() != 1 {
			c.t.Errorf("an unchanged site was saved %d times", c.files.saved())
		}
		asked, sent := c.site.counts()
		if len(sent) != 0 || asked["/"] != 1 || asked["/c"] != 1 {
			c.t.Errorf("asked for %v, was sent %v", asked, sent)
		}
		if late := done.at.Sub(first.NextCrawl); late < 0 || late > 12*time.Second {
			c.t.Errorf("worked %v after it was due", late)
		}
		if s := done.Site; s.Hash != first.Hash || s.Version != 2 || !s.NextCrawl.Equal(first.NextCrawl.Add(time.Hour)) || done.Pages != nil {
			c.t.Errorf("committed %+v after %+v", s, first)
		}
		c.wantLog(`kind=recrawl subject=alice key_id=\S+ client="" agent=farwire-de1 target=site.test:80 ended_by=gateway code=1000 .*site=http://site.test/ token=2 .*outcome=unchanged pages=10 requests=1[0-9]`)
		// Pages are changed, added and removed.
		c.site.set(func(s *changing) {
			s.pages["/a"] = page("Another Page", "Now there is something else to read on this page.", "/new")
			s.pages["/new"] = page("A New Page", "This page was not there before and is there now.")
			delete(s.pages, "/i")
		})
		c.next()
		if got := c.hosted(); got != c.fresh() || !strings.Contains(got, "A New Page") || strings.Contains(got, "Page /i") {
			c.t.Errorf("hosted:\n%s", got)
		}
		if f := c.ofAlice(); f.Version != 3 || f.ContentType != "text/plain; charset=utf-8" {
			c.t.Errorf("version %d, %s", f.Version, f.ContentType)
		}
		c.wantLog(`kind=recrawl .* outcome=changed pages=10`)
		if s := c.gw.Stats().Kinds[farwire.KindRecrawl]; s.Started != 2 || s.Failed != 0 || s.Active != 0 {
			c.t.Errorf("stats: %+v", s)
		}
	})
}

func TestRecrawl_SiteFails_KeepsTheFile(t *testing.T) {
	for name, trouble := range map[string]struct {
		change func(*changing)
		text   string
		by     string // whose the log says it is
	}{
		"all of it fails":  {func(s *changing) { s.status[""] = 500 }, "Failed to fetch page: HTTP 500 Internal Server Error", "target"},
		"the base is gone": {func(s *changing) { s.status["/"] = 410 }, "Failed to fetch page: HTTP 410 Gone", "target"},
		"the base is lost": {func(s *changing) { delete(s.pages, "/") }, "Failed to fetch page: HTTP 404 Not Found", "target"},
		"forbidden":        {func(s *changing) { s.robots = "User-agent: *\nDisallow: /\n" }, "robots.txt forbids crawling this site", "gateway"},
		"half is missing": {func(s *changing) {
			for _, p := range []string{"/b", "/c", "/d", "/e", "/f", "/g"} {
				delete(s.pages, p)
			}
		}, "More than half of the pages are missing: 4 of 10 left", "gateway"},
		"half fails": {func(s *changing) {
			for _, p := range []string{"/b", "/c", "/d", "/e", "/f", "/g"} {
				s.status[p] = 404
			}
		}, "More than half of the pages are missing: 4 of 10 left", "gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				defer recrawls(c.t, c.gw)()
				original, pages := c.hosted(), maps.Clone(c.site.pages)
				c.site.set(trouble.change)
				due := c.sites.only(c.t).NextCrawl
				for n := 1; n <= 8; n++ {
					done := c.next()
					if s := done.Site; s.Failures != n || s.LastError != trouble.text {
						c.t.Errorf("failure %d: %+v", n, s)
					}
					if late := done.at.Sub(due); late < 0 || late > 30*time.Second {
						c.t.Errorf("try %d came %v after it was due", n, late)
					}
					due = done.Site.NextCrawl
					wait := due.Sub(done.at)
					if low, high := time.Minute<<(n-1)*3/4, time.Minute<<(n-1)*5/4; wait < min(low, 45*time.Minute)-time.Second || wait > min(high, 75*time.Minute) {
						c.t.Errorf("after failure %d the next try is %v away", n, wait)
					}
				}
				if c.hosted() != original || c.files.saved() != 1 {
					c.t.Errorf("the file was replaced:\n%s", c.hosted())
				}
				c.wantLog(`kind=recrawl .* ended_by=` + trouble.by + ` code=1011 .* outcome=failed`)
				// It comes back as it was, and all is well.
				c.site.set(func(s *changing) { s.pages, s.status, s.robots = pages, map[string]int{}, "" })
				if s := c.next().Site; s.Failures != 0 || s.LastError != "" || s.NextCrawl.Sub(s.LastCrawl) > time.Hour {
					c.t.Errorf("recovered: %+v", s)
				}
				if c.hosted() != original {
					c.t.Errorf("the file is another:\n%s", c.hosted())
				}
			})
		})
	}
}

// Pages that answer 410 leave the file, even when they are most of it.
func TestRecrawl_PagesGone410_LeaveTheFile(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		c.site.set(func(s *changing) {
			for _, p := range []string{"/b", "/c", "/d", "/e", "/f", "/g"} {
				s.status[p] = 410
			}
		})
		if s := c.next().Site; s.Failures != 0 || s.LastError != "" {
			c.t.Errorf("committed %+v", s)
		}
		if got := c.hosted(); strings.Contains(got, "/b\n") || got != c.fresh() {
			c.t.Errorf("hosted:\n%s", got)
		}
	})
}

func TestRecrawl_StoresMissing_IsRefused(t *testing.T) {
	for field, o := range map[string]farwire.Options{
		"Options.Sites":   {Storage: &memoryFiles{}},
		"Options.Storage": {Sites: &memorySites{}},
	} {
		gw, err := farwire.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := gw.Recrawl(t.Context()); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("without %s: %v", field, err)
		}
	}
}
