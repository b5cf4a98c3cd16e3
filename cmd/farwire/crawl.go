package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/term"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/llmstxt"
)

type crawl struct {
	URL          string `arg:"" name:"url" help:"Where to begin, http:// or https://. The crawl keeps to its host and path. user:password@ is sent there."`
	Output       string `short:"o" placeholder:"FILE" help:"File to write, or a folder for llms.txt: one that exists, or a name that ends with /; - is standard output, the default."`
	MaxPages     int    `default:"50" placeholder:"N" help:"Pages in the file, at most; at least 1."`
	DescLength   int    `default:"500" placeholder:"N" help:"Characters of each page's excerpt, at most; 100 to 2000."`
	Format       string `default:"pages" placeholder:"FORMAT" help:"pages, or index for the layout of llmstxt.org."`
	Workers      int    `default:"8" placeholder:"N" help:"Pages fetched at once, at least 1."`
	AllowPrivate bool   `help:"Reach loopback, private and link-local addresses."`

	crawlChoice  `embed:""`
	crawlReport  `embed:""`
	crawlFiles   `embed:""`
	crawlBrowser `embed:""`
}

// crawlChoice says which pages are wanted, what is sent along, and how fast.
type crawlChoice struct {
	Include      list   `placeholder:"GLOB,..." help:"Fetch only pages whose path matches, such as /docs/**; * stays within a segment."`
	Exclude      list   `placeholder:"GLOB,..." help:"Leave out pages whose path matches; beats --include."`
	Header       lines  `placeholder:"'N: V'" help:"Header for the URL's own host. May be given more than once; the variable has one a line."`
	Cookie       lines  `placeholder:"N=V" help:"Cookie for the URL's own host. May be given more than once; the variable has one a line."`
	Language     string `placeholder:"LANG" help:"Which of a page's translations to keep. Default: the first page's."`
	DocsVersion  string `placeholder:"VERSION" help:"Which of a page's versions to keep. Default: the first page's, else the latest."`
	Delay        pause  `default:"0" placeholder:"SECONDS" help:"Time between requests; 0.5 or 500ms."`
	Signals      bool   `help:"Obey ai-input=no in Content-Signal."`
	IgnoreRobots bool   `help:"Ignore robots.txt and noindex, for a site of your own."`
}

// A pause is a number of seconds, or a time with its unit.
type pause time.Duration

// UnmarshalText reads one.
func (p *pause) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if n, number := strconv.ParseFloat(string(text), 64); number == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < 0 || d > time.Hour {
		return fmt.Errorf("%q is not a number of seconds from 0 to 3600", text)
	}
	*p = pause(d)
	return nil
}

// options checks the flags.
func (c *crawlChoice) options() (o llmstxt.Options, err error) {
	o = llmstxt.Options{
		Include: c.Include, Exclude: c.Exclude, Header: http.Header{}, Cookies: map[string]string{},
		Language: c.Language, Version: c.DocsVersion, Delay: time.Duration(c.Delay), Signals: c.Signals, IgnoreRobots: c.IgnoreRobots,
	}
	for _, flag := range []struct {
		name  string
		globs []string
	}{{"--include", c.Include}, {"--exclude", c.Exclude}} {
		for _, glob := range flag.globs {
			if !strings.HasPrefix(glob, "/") && !strings.HasPrefix(glob, "*") {
				return o, misusef("%s: %q is not a glob on paths; write it as /docs/**", flag.name, glob)
			}
		}
	}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return o, misuse("--header: not a header; write it as 'Name: value'")
		}
		o.Header.Add(name, value)
	}
	for _, pair := range c.Cookie {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !upstream.ValidCookie(name, value) || strings.Contains(value, ";") {
			return o, misuse("--cookie: not a cookie; write it as name=value")
		}
		o.Cookies[name] = value
	}
	return o, nil
}

// errPartial ends a crawl whose file was written but misses pages that there
// was no time for. What it says stands on standard error already.
var errPartial = errors.New("the file is not complete")

// Run crawls until the site is described, or until ctx or the time limit ends;
// then the file holds what was found by then.
func (c *crawl) Run(ctx context.Context) error {
	o, err := c.crawlChoice.options()
	if err != nil {
		return err
	}
	exit, err := c.exit()
	if err != nil {
		return err
	}
	client := c.client(exit)
	defer client.CloseIdleConnections()
	if o.Render, err = c.crawlBrowser.open(exit); err != nil {
		return err
	}
	defer c.crawlBrowser.close()
	old, err := c.readOld()
	if err != nil {
		return err
	}
	if c.Output == "-" {
		if c.JSON {
			return misuse("-o: standard output has what --json prints; give a file")
		}
		c.Output = ""
	}
	if err := c.crawlFiles.check(c.Output); err != nil {
		return err
	}
	out, err := openOutput("-o", c.target(), c.JSON)
	if err != nil {
		return err
	}
	page, err := openOutput("--report", c.Report, c.Report == "")
	if err != nil {
		return err
	}
	show := newProgress(os.Stderr, c.MaxPages)
	o.Client, o.MaxPages, o.DescLength, o.Workers, o.Progress = client, c.MaxPages, c.DescLength, c.Workers, show.event
	o.Text = c.crawlFiles.any()
	site, err := llmstxt.Crawl(ctx, c.URL, o)
	show.end()
	if site == nil {
		return c.explain(err)
	}
	defer site.Close()
	text := site.Render(llmstxt.Layout(c.Format))
	if err := out.write(text); err != nil {
		return err
	}
	if err := c.crawlFiles.write(site, text, c.target()); err != nil {
		return err
	}
	if err := c.report(site, old, page); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, summary(site.Stats))
	switch {
	case len(site.Pages) < c.FailBelow:
		fmt.Fprintf(os.Stderr, "the file has %s; --fail-below asks for %d\n", safetext.Count(len(site.Pages), "page"), c.FailBelow)
		return errTooFew
	case err != nil:
		fmt.Fprintln(os.Stderr, "interrupted: the file has the pages found so far")
		return errPartial
	case site.Stats.TimedOut, site.Stats.Lost > 0:
		return errPartial
	}
	return nil
}

// target is the file to write. A folder is made when its name ends with a
// slash.
func (c *crawl) target() string {
	info, err := os.Stat(c.Output)
	if strings.HasSuffix(c.Output, "/") || err == nil && info.IsDir() {
		return filepath.Join(c.Output, "llms.txt")
	}
	return c.Output
}

// exit checks the flags and returns the exit of the crawl, whose every dial passes the
// guard.
func (c *crawl) exit() (agent.Exit, error) {
	switch {
	case !isWebAddress(c.URL):
		return agent.Exit{}, misuse("URL: not a web address; give one such as https://docs.example.com/")
	case c.MaxPages < 1:
		return agent.Exit{}, misusef("--max-pages: %d pages cannot be crawled; give 1 or more", c.MaxPages)
	case c.DescLength < 100 || c.DescLength > 2000:
		return agent.Exit{}, misusef("--desc-length: %d is out of range; give 100 to 2000", c.DescLength)
	case c.Workers < 1:
		return agent.Exit{}, misusef("--workers: %d workers cannot fetch a page; give 1 or more", c.Workers)
	case c.Format != string(llmstxt.Pages) && c.Format != string(llmstxt.Index):
		return agent.Exit{}, misusef("--format: %q is not a format; give pages or index", c.Format)
	}
	return agent.Direct(agent.DirectOptions{AllowPrivate: c.AllowPrivate, Listeners: c.crawlBrowser.listeners})
}

// client is the client that the crawl is made by.
func (c *crawl) client(exit agent.Exit) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         exit.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     c.Workers,
		MaxIdleConnsPerHost: c.Workers,
		ForceAttemptHTTP2:   true,
	}}
}

// isWebAddress reports an address by its scheme, which a keyboard may begin with a capital.
func isWebAddress(s string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(s), "://")
	return ok && (scheme == "http" || scheme == "https")
}

// explain says why there is no file at all.
func (c *crawl) explain(err error) error {
	said := fault.Of(err)
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before the first page was read")
	case errors.Is(err, llmstxt.ErrURL):
		return misuse("URL: not a web address; give one such as https://docs.example.com/")
	case errors.Is(err, llmstxt.ErrRobotsUnreachable):
		return fmt.Errorf("cannot crawl %s: %s, so nothing may be crawled (RFC 9309); --ignore-robots is for a site of your own", withoutUser(c.URL), said.Text)
	case said != nil:
		return fmt.Errorf("cannot crawl %s: %s", withoutUser(c.URL), said.Short())
	}
	return err
}

// withoutUser leaves out the user and the password of a URL.
func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return raw
	}
	u.User = nil
	return u.String()
}

// summary is the last line on standard error.
func summary(s llmstxt.CrawlStats) string {
	skipped := 0
	for _, n := range s.Skipped {
		skipped += n
	}
	line := fmt.Sprintf("%s in %v", safetext.Count(s.Pages, "page"), s.Duration.Round(100*time.Millisecond))
	if skipped > 0 {
		line += fmt.Sprintf(", %s skipped", safetext.Count(skipped, "address"))
	}
	if s.Lost > 0 {
		line += fmt.Sprintf(", %s lost because the site did not answer", safetext.Count(s.Lost, "page"))
	}
	if s.Unrendered > 0 {
		line += fmt.Sprintf(", %s with next to no words without a browser; --browser shows them in one", safetext.Count(s.Unrendered, "page"))
	}
	if s.Limited {
		line += ", more are there; --max-pages says how many"
	}
	return line
}

// A progress shows on a terminal a bar, elsewhere a line for each event.
type progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar // nil: lines
}

func newProgress(f *os.File, pages int) *progress {
	if !term.IsTerminal(int(f.Fd())) {
		return &progress{w: f}
	}
	return &progress{w: f, bar: progressbar.NewOptions(pages,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription("crawling"),
		progressbar.OptionShowCount(),
		progressbar.OptionSetItsString("pages"),
		progressbar.OptionShowIts(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// event shows one event of the crawl. On a terminal, what was skipped is left
// to the summary.
func (p *progress) event(e llmstxt.Event) {
	switch {
	case p.bar == nil:
		fmt.Fprintln(p.w, safetext.Printable(e.Message))
	case e.Kind == llmstxt.Committed:
		p.bar.Set(e.Page)
	case e.Kind == llmstxt.Note:
		p.bar.Clear()
		fmt.Fprintln(p.w, safetext.Printable(e.Message))
		p.bar.RenderBlank()
	}
}

func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
