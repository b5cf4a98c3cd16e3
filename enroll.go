package farwire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/llmstxt"
)

// Where a client's crawl ends when there is a place for files: a file of its
// own, or a site that is crawled again and again.

// A crawlOutcome is what a crawl came to.
type crawlOutcome struct {
	site     *llmstxt.Site
	rendered renderCost
	text     string
	url      string       // where it is hosted; empty: nowhere
	files    []hostedFile // beside it
	base     string       // of the site, when it was enrolled
	secret   string       // of the site's webhook, when it was enrolled for the first time
}

// host saves the file and enrols the site. A file that cannot be saved is worth
// sending all the same; its error ends the crawl only if the client counts on
// recrawls, and then behind the result.
func (c *crawl) host(ctx context.Context, j *crawlJob, out *crawlOutcome) error {
	if c.req.enroll {
		return c.enroll(ctx, j, out)
	}
	url, files, err := c.saveOnce(ctx, j, out)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		j.log("The file could not be hosted")
		c.g.o.Logger.WarnContext(ctx, "file not saved", "session", c.session.ID, "subject", c.session.Subject, "err", err)
	}
	out.url, out.files = url, files
	return nil
}

// saveOnce saves the file of a crawl that will not be repeated, unless the
// caller has enrolled the site: then the hosted file belongs to the recrawls,
// who would never notice that it is another, with other options perhaps.
func (c *crawl) saveOnce(ctx context.Context, j *crawlJob, out *crawlOutcome) (url string, files []hostedFile, err error) {
	if c.g.o.Sites != nil {
		enrolled, err := c.enrolled(ctx, out.site.BaseURL)
		if err != nil {
			return "", nil, err
		}
		if enrolled {
			j.log("This site is enrolled and its hosted file is kept by its recrawls; send enableAutoUpdate to replace it")
			return "", nil, nil
		}
	}
	return j.save(ctx, out.site, out.text, 0, "")
}

// enrolled reports whether the caller has enrolled the site.
func (c *crawl) enrolled(ctx context.Context, baseURL string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	sites, err := c.g.o.Sites.Enrolled(ctx, baseURL)
	if err != nil {
		return false, fmt.Errorf("looking for a site: %w", err)
	}
	return slices.ContainsFunc(sites, func(s Site) bool { return s.Subject == c.session.Subject }), nil
}

// roomForSite spares a caller that has as many sites as it may the crawl of
// one more. Which site it is shows only when the base page has arrived, because
// that may have moved; so a caller without room may begin, and the function
// returned ends the crawl at its first page if the site is not one of those
// that it has. A store that is away is met after the crawl, by enroll, when the
// caller has its result.
func (c *crawl) roomForSite(ctx context.Context, fail context.CancelCauseFunc) (arrived func(baseURL string)) {
	most := c.session.principal.Limits.Sites
	if most < 0 {
		return nil
	}
	asked, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	n, err := c.g.o.Sites.Count(asked, c.session.Subject)
	if err != nil || n < most {
		return nil
	}
	return func(baseURL string) {
		if known, err := c.enrolled(ctx, baseURL); err == nil && !known {
			fail(tooManySites(most))
		}
	}
}

func tooManySites(most int) error {
	return limited(fault.LimitReached, fmt.Sprintf("limit reached: %d enrolled sites", most), Quota{Limit: most})
}

// enrollLease is how long a site that has just been crawled may take to be
// saved before a worker crawls it again.
const enrollLease = time.Minute

// enrollTexts is the same where there is a file for each page.
const enrollTexts = 5 * time.Minute

// enroll remembers the site for recrawls, or gives the one that the caller has
// enrolled already the options of this request. The site is leased first: the
// file is saved under the lease's token, and a recrawl that was under way with
// the options of before finds itself fenced off.
func (c *crawl) enroll(ctx context.Context, j *crawlJob, out *crawlOutcome) error {
	sites, secret, now := c.g.o.Sites, rand.Text(), time.Now()
	most := c.session.principal.Limits.Sites
	patience := enrollLease
	if c.req.markdown {
		patience = enrollTexts
	}
	lease, err := sites.Enroll(ctx, Site{
		Subject: c.session.Subject,
		KeyID:   c.session.KeyID,
		BaseURL: out.site.BaseURL,
		Options: SiteOptions{
			MaxPages: c.req.maxPages, DescLength: c.req.descLength, Format: string(c.req.layout),
			Enhance: c.req.enhance, Remote: c.req.remote,
			Geo: strings.Join(c.req.query.Countries, ","), Agent: strings.Join(c.req.query.Slugs, ","),
			Include: strings.Join(c.req.choice.Include, "\n"), Exclude: strings.Join(c.req.choice.Exclude, "\n"),
			Header: joinHeader(c.req.choice.Header), Language: c.req.choice.Language, Version: c.req.choice.Version,
			Delay: c.req.choice.Delay.Seconds(), Signals: c.req.choice.Signals,
			Full: c.req.full, Markdown: c.req.markdown,
		},
		Interval:      c.req.interval,
		WebhookSecret: secret,
		Created:       now,
	}, most, patience)
	if errors.Is(err, ErrTooManySites) {
		return tooManySites(most)
	}
	if err != nil {
		return fmt.Errorf("enrolling a site: %w", err)
	}
	// From here on the site is there, whatever becomes of its file, and nobody
	// else will tell the secret.
	out.base = lease.Site.BaseURL
	if lease.Site.WebhookSecret == secret {
		out.secret = secret
	}
	url, files, err := j.save(ctx, out.site, out.text, lease.Token, lease.Site.HostedURL)
	if err != nil {
		j.log(fmt.Sprintf("The file could not be hosted; %s is enrolled and crawled again", lease.Site.BaseURL))
		// Whatever ended this context must not keep the site from its recrawls.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return errors.Join(err, sites.Release(ctx, lease))
	}
	site := lease.Site
	site.LastCrawl, site.NextCrawl = now, now.Add(c.req.interval)
	site.Failures, site.LastError = 0, ""
	if hash := hashOf(out.site, c.req.layout); hash != site.Hash {
		site.LastChange = now
	}
	site.Hash, site.Version, site.HostedURL = hashOf(out.site, c.req.layout), lease.Token, url
	site.SitemapLastmod = out.site.Newest
	if err := sites.Commit(ctx, lease, RecrawlResult{Site: site, Pages: out.site.Pages}); err != nil {
		return fmt.Errorf("enrolling a site: %w", err)
	}
	out.url, out.files = url, files
	j.log(fmt.Sprintf("Enrolled %s: it is crawled again every %v", site.BaseURL, site.Interval))
	return nil
}
