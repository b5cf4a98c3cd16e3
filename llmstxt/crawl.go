package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/background"
	"github.com/farwire/farwire/llmstxt/internal/credentials"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/pace"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Crawl visits a site from its base URL and describes its pages.
//
// It returns ErrURL (wrapped) when base is not an http or https URL, ErrRobots
// when robots.txt forbids it, a *FetchError when the base page cannot be
// fetched, and ErrTimeout when time ran out before the first page. Later errors
// concern single pages and are in CrawledSite.Skipped. When ctx is cancelled
// after the first page, Crawl returns the context's cause and the site so far,
// whose pages may have their titles as texts. When ctx's deadline or
// Options.Timeout passes, it returns the site so far without an error, and sets
// Stats.TimedOut.
//
// When Crawl returns, none of its goroutines and requests is left. Crawl passes
// on a panic of Options.Render or the Client's transport.
func Crawl(ctx context.Context, base string, o Options) (site *CrawledSite, err error) {
	u, err := baseURL(base)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c, err := newCrawler(base, u, o)
	if err != nil {
		return nil, err
	}
	c.began = began.UTC().Truncate(time.Second) // survives JSON
	defer c.threads.Close()
	defer func() {
		if site != nil && c.KeepRoom {
			site.room = c.keepRoom()
		}
		c.giveRoom()
	}()
	defer func() {
		if site == nil {
			c.whole.release()
		}
	}()
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	newest, err := c.begin(ctx, u)
	if err != nil {
		if caller.Err() != nil && !errors.Is(caller.Err(), context.DeadlineExceeded) {
			return nil, context.Cause(caller)
		}
		if ctx.Err() != nil {
			return nil, ErrTimeout
		}
		return nil, err
	}
	c.run(ctx)
	site = c.finish(ctx, caller)
	site.Newest = newest
	site.Stats.Duration = time.Since(began)
	if err := caller.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return site, context.Cause(caller)
	}
	return site, nil
}

// HasSecrets reports whether a crawl of base with these options sends something
// meant for its origin alone: headers, cookies, a user or a password. The
// result of such a crawl is not for everybody.
func HasSecrets(base string, o Options) bool {
	return credentials.HasSecrets(base, o.Header, o.Cookies)
}

// ResolveURL is how a crawl spells an address: ref as a page at base writes it,
// made absolute and normalised, without fragment, credentials and tracking
// parameters. base may be "" when ref is absolute. It reports false for an
// address that is not a web page's.
func ResolveURL(base, ref string) (string, bool) {
	var b *url.URL
	if base != "" {
		if b = weburl.Parse(base); b == nil {
			return "", false
		}
	}
	u := weburl.Resolve(b, ref)
	if u == nil {
		return "", false
	}
	return u.String(), true
}

func baseURL(base string) (*url.URL, error) {
	u := weburl.Parse(base)
	// A page's links are read as a browser does, a caller's word as it stands.
	if given, err := url.Parse(strings.TrimSpace(base)); u == nil || err != nil || given.Host == "" {
		if strings.ContainsAny(base, "@?#") { // nobody knows where a password or a query begins
			return nil, ErrURL
		}
		return nil, fmt.Errorf("%w: %q", ErrURL, safetext.Cut(base, 200))
	}
	return u, nil
}

func newCrawler(base string, asked *url.URL, o Options) (*crawler, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &crawler{
		Options: o, client: &client, given: credentials.New(o.Header, o.Cookies, asked, base),
		pace: pace.New(o.Delay), slots: make(chan struct{}, o.Workers),
		need: 3*o.DescLength + 1000, previous: map[string]*Page{},
		addresses: newAddresses(o.MaxPages), versions: newVersions(o.Version), translations: newTranslations(),
		identities: newIdentities(), soft404s: newSoft404s(), memory: memory{strings: map[string]string{}},
		votes: describe.NewVotes(), files: newFileNames(), stats: CrawlStats{Skipped: map[Reason]int{}},
	}
	if name := c.given.UserAgent(); name != "" {
		c.UserAgent = name // robots.txt is asked by the name that is sent
	}
	c.owner = o.Owner
	if o.Owner == "" {
		c.owner = c
	}
	for _, g := range o.Include {
		c.include = append(c.include, weburl.ParseGlob(g))
	}
	for _, g := range o.Exclude {
		c.exclude = append(c.exclude, weburl.ParseGlob(g))
	}
	for i := range o.Previous {
		if p := &o.Previous[i]; !o.Text && p.Evidence.Version == htmlpage.EvidenceVersion && p.Evidence.Need == c.need && !p.Rendered {
			c.previous[p.URL] = p
		}
	}
	return c, nil
}

// crawler is one crawl.
type crawler struct {
	Options
	client           *http.Client
	given            credentials.Given
	include, exclude []*weburl.Glob
	owner            any // of what the crawl takes of the process's shares
	began            time.Time
	need             int              // bytes of prose to look for in a page
	previous         map[string]*Page // by URL; not written once the crawl runs
	pace             *pace.Pacer
	slots            chan struct{}      // one for each request under way
	threads          background.Threads // that read pages

	// What is known once the base page and the site maps were read. It is not written
	// while workers run.
	robots   *robots.Rules // of the scope's host
	scope    weburl.Scope
	baseLang string               // of the base page
	cookies  *credentials.Jar     // that came with the base page; nil: none
	settled  map[string]time.Time // what the site maps list
	complete bool                 // and that is all they list
	spared   map[string]*Page     // by URL, not to be asked for
	app      *markdownApp         // whose page the base page is; nil: none
	signals  []string             // of robots.txt and the base page

	// What workers find out.
	textsFull atomic.Bool  // there is no room for more whole texts
	twins     atomic.Int32 // whether pages have one behind their address with .md

	// What belongs to Crawl's goroutine. Each type that is embedded is described where its
	// story is told.
	addresses
	versions
	translations
	identities
	soft404s
	memory

	pages   []Page
	said    [][]describe.Said // by the pages
	votes   *describe.Votes
	whole   wholeTexts
	files   fileNames
	firsts  []firstPage // that name no twin, until it is known whether the site has any
	stats   CrawlStats
	skipped []Skip
	lost    []Skip
}

// allowed is asked by workers before every request on the way from an address.
func (c *crawler) allowed(from, u *url.URL) error {
	switch {
	case !c.scope.Has(u):
		return &skipError{Reason: SkipScope, Detail: "leads to " + u.String()}
	case weburl.IsFile(u) && !strings.EqualFold(strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(from.Path, "/")):
		return &skipError{Reason: SkipType, Detail: "leads to " + u.String()}
	case c.given.BelongTo(u) && weburl.EndsSession(u):
		return endsSession
	case c.given.BelongTo(u) && weburl.Deletes(u):
		return mayDelete
	}
	switch barred := c.barred(u); {
	case barred != nil:
		return barred
	case !c.chosen(u):
		return &skipError{Reason: SkipExcluded, Detail: "not among the pages that were chosen"}
	}
	return nil
}

// barred says why robots.txt keeps u from being read; nil: it does not.
func (c *crawler) barred(u *url.URL) *skipError {
	switch {
	case !c.robots.Allowed(u):
		return &skipError{Reason: SkipRobots, Detail: "robots.txt forbids it"}
	case c.Signals && c.robots.RefusesInput(u):
		return &skipError{Reason: SkipSignals, Detail: "robots.txt says ai-input=no for it"}
	}
	return nil
}

// lateTexts is how long a crawl that its caller has ended still chooses texts. Pages that
// are left then have their titles for them.
const lateTexts = 500 * time.Millisecond

// finish decides what depends on the whole site, on a core if one is free before ctx
// ends.
func (c *crawler) finish(ctx, caller context.Context) (site *CrawledSite) {
	choosing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(caller, func() {
		if errors.Is(caller.Err(), context.DeadlineExceeded) {
			return // the result is wanted
		}
		select {
		case <-time.After(lateTexts):
			cancel()
		case <-choosing.Done():
		}
	})()
	if release, err := share.Cores.Take(ctx, c.owner); err == nil {
		defer release()
	}
	c.threads.Do(func() { site = c.choose(choosing) })
	return site
}

// choose makes the result of the pages.
func (c *crawler) choose(ctx context.Context) *CrawledSite {
	c.withdraw()
	c.unskip()
	c.leaveButtons()
	c.stats.Pages = len(c.pages)
	c.recordLastmods()
	c.noteFiles()
	if len(c.lost) > 0 {
		c.note("", c.lostMessage())
	}
	s := &CrawledSite{Pages: c.pages, Stats: c.stats, Skipped: c.skipped, Lost: c.lost, BaseURL: c.pages[0].URL, Signals: c.signals, descLength: c.DescLength, whole: c.whole}
	pages := make([]describe.Page, len(s.Pages))
	for i := range s.Pages {
		pages[i] = describe.Page{URL: s.Pages[i].URL, Depth: s.Pages[i].Depth, Evidence: &s.Pages[i].Evidence, Said: c.said[i], Links: s.Pages[i].Links}
	}
	s.Title, s.Sections = describe.Site{Limit: c.DescLength, Alias: c.alias, Prefix: c.scope.Prefix, Votes: c.votes}.Choose(ctx, pages)
	for i, d := range pages {
		p := &s.Pages[i]
		p.Title, p.Excerpt, p.Note, p.Section, p.Secondary, p.Place = d.Title, d.Excerpt, d.Note, d.Section, d.Secondary, d.Place
	}
	s.Summary = s.Pages[0].Note
	return s
}

func (c *crawler) tell(e Event) {
	if c.Progress != nil {
		c.Progress(e)
	}
}

func (c *crawler) note(url, message string) { c.tell(Event{Kind: Note, URL: url, Message: message}) }

func (c *crawler) skip(key string, why *skipError) {
	c.holding += len(why.Detail) + 64
	c.stats.Skipped[why.Reason]++
	if why.lost {
		c.stats.Lost++
		if len(c.lost) < 10*c.MaxPages {
			c.lost = append(c.lost, Skip{key, why.Reason, why.Detail})
		}
	}
	if len(c.skipped) < 10*c.MaxPages {
		c.skipped = append(c.skipped, Skip{key, why.Reason, why.Detail})
	}
	c.tell(Event{Kind: Skipped, URL: key, Reason: why.Reason, Message: fmt.Sprintf("Skipped %s: %s", key, why.Detail)})
}

// lostMessage says how many pages are missing because the site did not answer, and
// why.
func (c *crawler) lostMessage() string {
	count := map[string]int{}
	for _, s := range c.lost {
		count[s.Detail]++
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d × %s", count[why], why))
	}
	return fmt.Sprintf("Pages lost because the site did not answer: %d (%s)", c.stats.Lost, strings.Join(parts, ", "))
}

// asSkip makes a page's reason of any error.
func asSkip(err error) *skipError {
	var skip *skipError
	if errors.As(err, &skip) {
		return skip
	}
	return &skipError{Reason: SkipError, Detail: detail(err), lost: true}
}
