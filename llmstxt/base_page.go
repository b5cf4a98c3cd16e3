package llmstxt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// How a crawl begins: robots.txt, the base page, and the scope that it fixes.

// begin reads robots.txt, the base page and the site maps, and fixes the scope.
func (c *crawler) begin(ctx context.Context, asked *url.URL) (newest time.Time, err error) {
	if err := c.awaitRoom(ctx, 2*c.Timeout); err != nil {
		return newest, err
	}
	r, early, err := c.fetchBase(ctx, asked)
	if err != nil {
		return newest, err
	}
	c.notePaceAndSignals(r)
	page := c.readBase(ctx, r)
	e := c.numberBase(asked, r)
	c.askTwins(ctx, c.late(e, r))
	c.hold(r)
	c.decide(ctx, e)
	c.uncount(e, r)
	c.noteUnfollowed(e, r)
	c.noteOutside(e, r)
	c.noteElsewhere(e, r, page)
	maps := c.orNamedSitemap(ctx, early.wait(), r.evidence.Sitemap)
	defer maps.giveRoom()
	for _, n := range maps.notes {
		c.note("", n)
	}
	c.trustLastmods(maps)
	c.offerAll(ctx, maps.pages)
	c.fillQueue()
	return maps.newest, nil
}

// fetchBase asks for the base page and fixes the scope by where it is. The site maps are
// asked for meanwhile: a base page that moves to another host is rare.
func (c *crawler) fetchBase(ctx context.Context, asked *url.URL) (*result, *sitemaps, error) {
	hosts := hostRobots{}
	allow := func(u *url.URL) error { return hosts.allow(ctx, c, u) }
	if err := allow(asked); err != nil {
		return nil, nil, baseError(asked, 0, err)
	}
	c.setCrawlDelay(hosts.of(asked))
	early := c.startSitemaps(ctx, hosts.of(asked), weburl.ScopeOf(asked), false)
	r := c.fetchPage(ctx, asked, allow, nil)
	if r.refused != nil {
		early.stop()
		return nil, nil, baseError(r.final, r.status, r.refused)
	}
	if len(r.cookies) > 0 {
		c.cookies = r.cookies[0]
	}
	// A base page that moved within its scope leaves the scope as it was asked
	// for; one that left it takes the scope along.
	c.scope = weburl.ScopeOf(asked)
	if !c.scope.Has(r.final) || r.final.Scheme != asked.Scheme {
		c.scope = weburl.ScopeOf(r.final)
		c.note(r.final.String(), "The base URL leads to "+r.final.String())
	}
	c.robots = hosts.of(r.final)
	if c.scope != weburl.ScopeOf(asked) {
		early.stop()
		c.setCrawlDelay(c.robots)
		early = c.startSitemaps(ctx, c.robots, c.scope, false)
	}
	return r, early, nil
}

// hostRobots are the rules of each host on the way to the base page, by its origin.
type hostRobots map[string]*robots.Rules

// of returns the rules of u's host, which has been asked for.
func (h hostRobots) of(u *url.URL) *robots.Rules { return h[u.Scheme+"://"+u.Host] }

// allow reads the robots.txt of u's host, once, and says why u is not to be fetched.
func (h hostRobots) allow(ctx context.Context, c *crawler, u *url.URL) error {
	if h.of(u) == nil {
		r, err := c.readRobots(ctx, u)
		if err != nil {
			return err
		}
		h[u.Scheme+"://"+u.Host] = r
	}
	switch r := h.of(u); {
	case !r.Allowed(u):
		return forbids(r)
	case c.Signals && r.RefusesInput(u):
		return ErrSignals
	}
	return nil
}

// notePaceAndSignals tells the caller what robots.txt asks for beside its rules, and what the
// base page says of the use of the site's content.
func (c *crawler) notePaceAndSignals(base *result) {
	if c.pace.Delay() > 0 {
		c.note("", fmt.Sprintf("Requests are %v apart", c.pace.Delay().Round(time.Millisecond)))
	}
	for _, s := range c.robots.Signals {
		c.note("", "robots.txt says of its content: "+safetext.Cut(plain.OneLine(s), 200))
	}
	for _, s := range base.signals {
		c.note("", "The header of the base page says of its content: "+safetext.Cut(plain.OneLine(s), 200))
	}
	c.signals = slices.Concat(c.robots.Signals, base.signals)
}

// readBase reads of the base page, once the scope is known, what the whole crawl needs of
// it, and returns the page, which the result has no more then.
func (c *crawler) readBase(ctx context.Context, r *result) *htmlpage.Page {
	c.baseLang = r.evidence.Lang
	page := r.page
	c.readMenuPage(ctx, r, page)
	c.settle(r)
	c.readMenu(r, page)
	c.readScriptMenu(ctx, r, page)
	c.readMarkdownApp(ctx, r, page)
	c.learnVersions(r)
	return page
}

// numberBase makes the base page the first of the queue.
func (c *crawler) numberBase(asked *url.URL, r *result) *entry {
	e := c.know(r.final, r.final.String(), 0)
	if c.version == "" {
		c.version = e.version
	}
	c.remember(e)
	c.number(e)
	if key := asked.String(); c.index[key] == nil {
		c.index[key] = e // links to the address that was asked for are links to it
	}
	e.res = r
	c.next, c.commit = 1, 1
	return e
}

// orNamedSitemap returns maps or, if these list nothing, what the site map lists that the
// base page names.
func (c *crawler) orNamedSitemap(ctx context.Context, maps sitemapPages, named string) sitemapPages {
	if named == "" || len(maps.pages) > 0 {
		return maps
	}
	notes := maps.notes
	maps.giveRoom()
	rules := *c.robots
	rules.Sitemaps = []string{named}
	maps = c.startSitemaps(ctx, &rules, c.scope, true).wait()
	maps.notes = append(notes, maps.notes...)
	return maps
}

// setCrawlDelay takes over what robots.txt says of the pace.
func (c *crawler) setCrawlDelay(r *robots.Rules) {
	if r.Delay > 0 && !c.IgnoreRobots {
		c.pace.SetDelay(max(c.Delay, min(r.Delay, c.MaxCrawlDelay)))
	}
}

// readRobots fetches a host's robots.txt. An error is that of the connection.
func (c *crawler) readRobots(ctx context.Context, u *url.URL) (*robots.Rules, error) {
	if c.IgnoreRobots {
		return &robots.Rules{}, nil
	}
	var large fileRoom
	defer large.free()
	body, err := c.getPlain(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}, robots.MaxBytes+1, &large, nil)
	var status *statusError
	var skip *skipError
	switch {
	case err == nil:
		text, err := io.ReadAll(io.LimitReader(body, robots.MaxBytes+1))
		if err == nil && (bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))) {
			text, err = decode.UTF8(ctx, text, "text/plain")
		}
		if err != nil && ctx.Err() != nil {
			return nil, err
		} else if err != nil {
			return nil, unreadableRobots(err.Error())
		}
		if name := notpage.Refusal(http.StatusOK, text); name != "" && isMarkup(text) {
			// A file that has no rules forbids nothing (RFC 9309, section 2.3.1.1).
			c.note("", "In place of robots.txt there is "+name)
		}
		return robots.Parse(text, c.UserAgent), nil
	case errors.As(err, &status) && status.code < 500 && !httphead.TooMany(status.code), errors.As(err, &skip) && skip.Reason == SkipError:
		return &robots.Rules{}, nil // the file is missing, or its redirects lead nowhere
	case errors.As(err, &status):
		return &robots.Rules{Refuse: true}, nil
	case isSkip(err, SkipEncoding):
		return nil, unreadableRobots(detail(err))
	}
	return nil, err
}

// forbids is the error of a robots.txt that lets the base page not be crawled.
func forbids(r *robots.Rules) error {
	if r.Refuse {
		return ErrRobotsUnreachable
	}
	return ErrRobots
}

// baseError is what the caller learns of a base page that is not to be had.
func baseError(u *url.URL, status int, err error) error {
	var skip *skipError
	switch {
	case errors.Is(err, ErrRobots), errors.Is(err, ErrSignals):
		return fmt.Errorf("%w: %s", err, u)
	case errors.As(err, &skip) && skip.Reason == SkipTimeout:
		return &FetchError{URL: u.String(), Err: context.DeadlineExceeded}
	case errors.As(err, &skip):
		return &FetchError{URL: u.String(), Status: status, Err: skip}
	}
	return &FetchError{URL: u.String(), Err: err}
}
