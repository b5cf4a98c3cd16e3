package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/sitemap"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// listed is a page that a site map lists.
type listed struct {
	u          *url.URL
	file       string // that lists it
	alternates []string
}

// sitemapPages is what all the site maps of a site list in its scope.
type sitemapPages struct {
	pages    []listed
	settled  map[string]time.Time // of each of them, zero if it cannot be told
	newest   time.Time
	complete bool     // there was something to read, and nothing was left out
	notes    []string // for the log
	panicked error

	size int      // bytes of what is listed, about
	room []func() // give back what was taken for it of the process's share
	full bool     // there was no room for more
}

// maxListed is how many bytes all that a site's site maps list may take.
const maxListed = 32 << 20

// add takes an address in, if there is room for it. It waits for none: whoever has it
// may wait for this crawl.
func (m *sitemapPages) add(owner any, key string, p listed, settled time.Time) bool {
	size := 3*len(key) + 500
	for _, s := range p.alternates {
		size += len(s) + 16
	}
	for m.size+size > len(m.room)*share.ResultPiece {
		give, ok := share.Results.Try(owner)
		if !ok || m.size+size > maxListed {
			if ok {
				give()
			}
			if !m.full {
				m.full = true
				m.notes = append(m.notes, "There is no room for more of what the site maps list")
			}
			return false
		}
		m.room = append(m.room, give)
	}
	m.size += size
	m.settled[key] = settled
	m.pages = append(m.pages, p)
	return true
}

// giveRoom gives back what was taken, when the pages are in the frontier or not wanted.
func (m *sitemapPages) giveRoom() {
	for _, give := range m.room {
		give()
	}
	m.room = nil
}

// places are where site maps are that robots.txt does not name, beside /sitemap.xml. All are
// asked for at once; lastPlaces are of use where no other has something to read.
var (
	places     = []string{"/sitemap_index.xml", "/sitemap-index.xml", "/wp-sitemap.xml", "/sitemap.txt", "/sitemap.xml.gz"}
	lastPlaces = places[3:]
)

// sitemapsInTurn reads a site's site maps when not too many other crawls do. A crawl holds
// up to five small ones at once.
func (c *crawler) sitemapsInTurn(ctx context.Context, rules *robots.Rules, s weburl.Scope, alone bool) sitemapPages {
	release, err := share.SiteMaps.Take(ctx, c.owner)
	if err != nil {
		return sitemapPages{notes: []string{"The site maps are not read: other crawls have been reading theirs all the while"}}
	}
	defer release()
	return c.readSitemaps(ctx, rules, s, 3*c.MaxPages, alone)
}

// readSitemaps reads those that robots.txt names and, if these list nothing or there are
// none, those in the usual places, until it has room pages in scope. alone says that no
// others are wanted than those that are named.
func (c *crawler) readSitemaps(ctx context.Context, rules *robots.Rules, s weburl.Scope, room int, alone bool) sitemapPages {
	out := sitemapPages{settled: map[string]time.Time{}}
	returned := false
	defer func() {
		if !returned { // but panicked
			out.giveRoom()
		}
	}()
	q := &sitemapQueue{c: c, rules: rules, scope: s, room: room, root: &url.URL{Scheme: s.Scheme, Host: s.Host, Path: "/"}, asked: map[string]bool{}, whole: true}
	defer q.large.free()
	q.add(q.root, 1, rules.Sitemaps)
	q.usual = len(q.files) == 0 || !alone
	for len(q.asked) < sitemap.MaxFiles && len(out.pages) < room && !out.full {
		f, ok := q.next(ctx, len(out.pages) > 0)
		if !ok {
			break
		}
		q.read(ctx, f, &out)
	}
	out.complete = q.whole && len(q.files) == 0 && len(out.pages) > 0 && ctx.Err() == nil
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		out.notes = append(out.notes, "Reading the site maps took too long; going on with what they gave")
	}
	returned = true
	return out
}

// A sitemapQueue has the site maps that are to be read.
type sitemapQueue struct {
	c        *crawler
	rules    *robots.Rules
	scope    weburl.Scope
	room     int // pages that are wanted
	root     *url.URL
	files    []sitemapFile
	asked    map[string]bool // those that have been read, by URL
	usual    bool            // the usual places may be asked for
	others   bool            // and places then, if there was nothing to read
	readable int             // how many of the present guesses, or of those that are named, could be read
	whole    bool            // all that was read was read to its end
	large    fileRoom        // of one at a time
}

// next takes the first file that has not been read. When there are no more it guesses:
// first at the usual places if there are no pages yet, and then at others, if there was
// nothing to read there.
func (q *sitemapQueue) next(ctx context.Context, havePages bool) (sitemapFile, bool) {
	for ctx.Err() == nil {
		if len(q.files) == 0 && q.usual && !havePages {
			q.usual, q.others, q.readable = false, true, 0
			q.guessUsual(ctx) // those that robots.txt names are of another time, or host
		}
		if len(q.files) == 0 && q.others && q.readable == 0 {
			q.others = false
			q.guess(ctx, places...)
		}
		if len(q.files) == 0 {
			break
		}
		f := q.files[0]
		q.files = q.files[1:]
		if f.u != nil && !q.asked[f.u.String()] && !(f.last && q.readable > 0) {
			q.asked[f.u.String()] = true
			return f, true
		}
	}
	return sitemapFile{}, false
}

// read reads a file, adds its pages to out and queues the site maps that it names.
func (q *sitemapQueue) read(ctx context.Context, f sitemapFile, out *sitemapPages) {
	body, err := q.open(ctx, f)
	if err != nil {
		q.whole = q.whole && f.isMissing(err)
		if f.isUnreadable(err) {
			out.notes = append(out.notes, fmt.Sprintf("Site map %s could not be read: %s", f.u, detail(err)))
		}
		return
	}
	read, found, err := q.c.readSitemap(ctx, f.u, body, q.scope, q.room, out)
	if err != nil || found.cut {
		q.whole = false
	}
	if err != nil && (!f.guess || read.Pages > 0) {
		out.notes = append(out.notes, fmt.Sprintf("Site map %s is not well formed: %v", f.u, err))
	}
	if read.Pages > 0 {
		out.notes = append(out.notes, fmt.Sprintf("Site map %s lists %s, %d of them new and in scope", f.u, safetext.Count(read.Pages, "page"), found.fresh))
	}
	if err == nil {
		q.readable++
	}
	if f.depth < sitemap.MaxDepth {
		q.add(f.u, f.depth+1, read.Children)
	}
}

type sitemapFile struct {
	u     *url.URL
	depth int
	guess bool
	last  bool      // of lastPlaces
	body  io.Reader // of a guess
	err   error
}

// add queues the site maps that a file names.
func (q *sitemapQueue) add(base *url.URL, depth int, locs []string) {
	for _, loc := range locs {
		if u := weburl.Resolve(base, loc); u != nil {
			q.files = append(q.files, sitemapFile{u: u, depth: depth})
		}
	}
}

// guessUsual asks for the files that most sites have.
func (q *sitemapQueue) guessUsual(ctx context.Context) {
	if dir := q.scope.Dir(); dir != "/" {
		q.guess(ctx, dir+"sitemap.xml", "/sitemap.xml")
	} else {
		q.guess(ctx, "/sitemap.xml")
	}
}

// guess asks for the files at these paths at once, and queues them.
func (q *sitemapQueue) guess(ctx context.Context, paths ...string) {
	q.large.free()
	// Of several that are held at once each is small, or asked for again in its turn.
	var alone *fileRoom
	if len(paths) == 1 {
		alone = &q.large
	}
	files := make([]sitemapFile, len(paths))
	var all tasks
	for i, p := range paths {
		f := &files[i]
		f.guess, f.last, f.depth = true, slices.Contains(lastPlaces, p), 1
		if f.u = weburl.Resolve(q.root, p); f.u != nil && !q.asked[f.u.String()] && q.rules.Allowed(f.u) {
			all.Go(func() { f.body, f.err = q.c.getPlain(ctx, f.u, sitemap.MaxSent, alone, nil) })
		} else {
			f.u = nil
		}
	}
	all.Wait()
	q.files = append(q.files, files...)
}

// open returns a file's body.
func (q *sitemapQueue) open(ctx context.Context, f sitemapFile) (io.Reader, error) {
	if f.guess && f.err != errLargeFile {
		return f.body, f.err
	}
	q.large.free()
	return q.c.getPlain(ctx, f.u, sitemap.MaxSent, &q.large, nil)
}

// isMissing reports whether a guess was wrong.
func (f sitemapFile) isMissing(err error) bool {
	var status *statusError
	return f.guess && errors.As(err, &status) && status.code < 500
}

// isUnreadable reports whether there is a file, as far as one can know.
func (f sitemapFile) isUnreadable(err error) bool {
	var status *statusError
	return !f.guess || errors.As(err, &status) && (status.code == http.StatusTooManyRequests || status.code >= 500)
}

// added is what one site map added to the pages to fetch.
type added struct {
	fresh int
	cut   bool // there was more
}

// readSitemap reads one file on a core of the process's.
func (c *crawler) readSitemap(ctx context.Context, u *url.URL, body io.Reader, s weburl.Scope, room int, out *sitemapPages) (read sitemap.File, g added, err error) {
	release, err := share.Cores.Take(ctx, c.owner)
	if err != nil {
		return read, g, err
	}
	defer func() { release() }()
	count, file := 0, u.String()
	entry := func(e sitemap.Entry) bool {
		if count++; count%512 == 0 && share.Cores.Busy() {
			release()
			var err error
			if release, err = share.Cores.Take(ctx, c.owner); err != nil {
				release = func() {}
				return false
			}
		}
		to := weburl.Resolve(u, e.Loc)
		if to == nil || !s.Has(to) {
			return true
		}
		if e.Lastmod.After(out.newest) {
			out.newest = e.Lastmod
		}
		k := to.String()
		at, seen := out.settled[k]
		switch {
		case !seen && len(out.pages) < room && out.add(c.owner, k, listed{to, file, e.Alternates}, e.Settled):
			g.fresh++
		case !seen:
			g.cut = true
		case e.Settled.After(at) && !at.IsZero() || e.Settled.IsZero():
			out.settled[k] = e.Settled // the later word of two, and none at all before any
		}
		return true
	}
	c.threads.Do(func() { read, err = sitemap.Parse(ctx, body, sitemap.MaxBytes, entry) })
	g.cut = g.cut || read.Pages >= sitemap.MaxPages
	if errors.Is(err, sitemap.ErrLimit) {
		err = nil
	}
	return read, g, err
}

// sitemaps are being read in the background.
type sitemaps struct {
	cancel context.CancelFunc
	done   chan sitemapPages
}

func (c *crawler) startSitemaps(ctx context.Context, r *robots.Rules, s weburl.Scope, alone bool) *sitemaps {
	// A list of pages is worth a part of the time, not all of it.
	ctx, cancel := context.WithTimeout(ctx, c.Timeout/4)
	m := &sitemaps{cancel: cancel, done: make(chan sitemapPages, 1)}
	go func() {
		var pages sitemapPages
		pages.panicked = recovered(func() { pages = c.sitemapsInTurn(ctx, r, s, alone) })
		m.done <- pages
	}()
	return m
}

func (m *sitemaps) wait() sitemapPages {
	defer m.cancel()
	pages := <-m.done
	if pages.panicked != nil {
		panic(pages.panicked)
	}
	return pages
}

func (m *sitemaps) stop() {
	m.cancel()
	pages := <-m.done
	pages.giveRoom()
}

// Newest is the latest lastmod that a site's sitemaps give for a page in the
// scope of base, read without fetching any page: a site that has not changed
// since CrawledSite.Newest need not be crawled again. It is zero when they give
// none, which says nothing. Of Options it uses Client, UserAgent, the limits of
// time and IgnoreRobots; its errors are those of Crawl.
func Newest(ctx context.Context, base string, o Options) (time.Time, error) {
	u, err := baseURL(base)
	if err != nil {
		return time.Time{}, err
	}
	c, err := newCrawler(base, u, o)
	if err != nil {
		return time.Time{}, err
	}
	defer c.threads.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	rules, err := c.readRobots(ctx, u)
	if err != nil {
		return time.Time{}, baseError(u, 0, err)
	}
	if !rules.Allowed(u) {
		return time.Time{}, baseError(u, 0, forbids(rules))
	}
	c.setCrawlDelay(rules)
	maps := c.sitemapsInTurn(ctx, rules, weburl.ScopeOf(u), false)
	maps.giveRoom()
	return maps.newest, ctx.Err()
}
