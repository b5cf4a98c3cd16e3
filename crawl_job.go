package farwire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt"
)

// A crawlJob is one crawl of a site, a client's or a recrawl: it fetches the
// pages, writes the file and saves it. What follows from the outcome is left to the
// caller.
type crawlJob struct {
	g        *Gateway
	session  *session // of the caller whose rules hold
	req      crawlRequest
	maxPages int            // no more than req.maxPages
	previous []llmstxt.Page // of the last crawl
	hosted   bool           // its files will be
	log      func(text string)
	page     func(llmstxt.Event)  // the outcome of a page; nil: log is told
	arrived  func(baseURL string) // called when the base page is in the file; nil: never called

	agent    string // the id of the exit used last
	requests int64  // sent in all
	rendered renderCost
	pages    atomic.Int64 // in the file so far, also when no file is written
}

// trustLastmod is how long a page is not asked for because of its date in a
// site map.
const trustLastmod = 7 * day

// crawl fetches the site, which the caller closes. Its error is also the context's cause, if that ends.
func (j *crawlJob) crawl(ctx context.Context) (*llmstxt.CrawledSite, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	working, cancel := context.WithTimeout(ctx, j.g.o.Crawl.Timeout)
	defer cancel()
	transport := egress.NewTransport(working, egress.Options{
		Egress: j.session.egress(), Query: j.req.query, RootCAs: j.g.o.RootCAs, Conns: j.g.o.Crawl.Workers, Failed: fail,
		Permit: j.session.permittedAgents().permit, Changed: func(exit agent.Exit) { j.log("The exit was lost; going on through " + exit.ID) },
	})
	defer func() {
		transport.Close()
		j.agent, j.requests = transport.ExitID(), transport.Requests()
	}()
	shown := &rendering{with: j.g.o.Crawl.Render, exits: transport, remote: j.req.remote, owner: j.session.Subject, log: j.log}
	o := j.req.choice
	o.Client = &http.Client{Transport: transport}
	o.MaxPages, o.DescLength = j.maxPages, j.req.descLength
	o.Workers, o.Timeout = j.g.o.Crawl.Workers, j.g.o.Crawl.Timeout
	o.Previous, o.TrustLastmod = j.previous, trustLastmod
	o.Owner, o.KeepRoom = j.session.Subject, true
	o.Text = j.hosted && j.req.texts()
	o.Render = shown.page
	o.Progress = func(e llmstxt.Event) {
		j.g.outcome.note(e)
		if e.Kind == llmstxt.Committed {
			j.pages.Store(int64(e.Page))
			if e.Page == 1 && j.arrived != nil {
				j.arrived(e.URL)
			}
		}
		if j.page != nil && e.URL != "" {
			j.page(e)
		} else {
			j.log(e.Message)
		}
	}
	site, err := llmstxt.Crawl(ctx, j.req.url, o)
	if err != nil {
		if site != nil {
			err = errors.Join(err, site.Close())
		}
		return nil, notFetched(err)
	}
	j.rendered = shown.end()
	return site, nil
}

// notFetched has the error of a target that no exit may reach say that this was a page.
// It is the context's cause, and no [llmstxt.FetchError].
func notFetched(err error) error {
	known := fault.Of(err)
	if known == nil || known.Class != fault.TargetForbidden || errors.As(err, new(*llmstxt.FetchError)) {
		return err
	}
	return fault.Wrap(fault.TargetForbidden, "Failed to fetch page: "+safetext.Capital(known.Short()), err)
}

// maxModelTime is how long a model may work on a file, within what is left of the crawl's
// own time.
const maxModelTime = 5 * time.Minute

// write makes the file, reworded by a model if that was asked for.
func (j *crawlJob) write(ctx context.Context, site *llmstxt.CrawledSite) string {
	model := j.g.o.Crawl.Enhance
	switch {
	case !j.req.enhance:
		return site.Render(j.req.layout)
	case model == nil:
		j.log("No language model is configured; the file keeps its own words")
		return site.Render(j.req.layout)
	}
	left := j.g.o.Crawl.Timeout - site.Stats.Duration
	if left <= 0 {
		j.log("No time is left for the language model; the file keeps its own words")
		return site.Render(j.req.layout)
	}
	o := llmstxt.EnhanceOptions{Total: min(left, maxModelTime), Progress: func(e llmstxt.Event) { j.log(e.Message) }}
	if m, ok := model.(PartSizer); ok {
		var err error
		if o.Size, err = hostcall.Get(func() (int, error) { return m.PartSize(), nil }); err != nil {
			j.g.o.Logger.WarnContext(ctx, "language model without a size of parts; they have the usual one", "session", j.session.ID, "subject", j.session.Subject, "err", err)
		}
	}
	var first error
	var failures atomic.Int64
	reword := func(ctx context.Context, p llmstxt.Part) (string, error) {
		text, err := hostcall.Get(func() (string, error) { return model.Enhance(ctx, p) })
		if err != nil && failures.Add(1) == 1 {
			first = err
		}
		return text, err
	}
	text := site.Enhance(ctx, j.req.layout, reword, o)
	if n := failures.Load(); n > 0 && ctx.Err() == nil {
		j.g.o.Logger.WarnContext(ctx, "language model without an answer", "session", j.session.ID, "subject", j.session.Subject, "parts", n, "err", first)
	}
	return text
}

// rendering shows pages of one crawl in a browser, tells the client which
// browser that is, and counts what it costs.
type rendering struct {
	with   Renderer // nil: not configured
	exits  *egress.Transport
	remote bool              // a browser service may be used
	owner  string            // whose crawl it is
	log    func(text string) // to the client, in words

	mu   sync.Mutex
	by   map[string]bool // the browsers that the client knows of
	cost renderCost
}

// renderCost is what a crawl's pages in browsers came to.
type renderCost struct {
	pages int
	time  time.Duration
	bytes int64
}

const messageNoBrowser = "No browser is configured; pages that need one keep their static form"

// ErrNoBrowser is what a Renderer without any browser returns, possibly
// wrapped. The client is told once.
var ErrNoBrowser error = noBrowser{}

type noBrowser struct{}

func (noBrowser) Error() string  { return "no browser" }
func (noBrowser) Detail() string { return "no browser" }

// page has a page rendered. Several are under way at once.
func (r *rendering) page(ctx context.Context, url, _ string) ([]byte, error) {
	if r.with == nil {
		r.tell(messageNoBrowser)
		return nil, ErrNoBrowser
	}
	exit, err := r.exits.Exit(ctx)
	if err != nil {
		return nil, err
	}
	shown, err := r.with.Render(ctx, RenderPage{URL: url, Exit: egress.LookUpsOf(url, exit), Remote: r.remote, Owner: r.owner})
	switch {
	case errors.Is(err, ErrNoBrowser):
		r.tell(messageNoBrowser)
	case shown.By != "":
		r.tell("Pages that need a browser are shown in " + shown.By)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cost.time += shown.Time
	r.cost.bytes += shown.Bytes
	if err == nil {
		r.cost.pages++
	}
	return shown.HTML, err
}

// tell says a thing once.
func (r *rendering) tell(text string) {
	r.mu.Lock()
	known := r.by[text]
	if r.by == nil {
		r.by = map[string]bool{}
	}
	r.by[text] = true
	r.mu.Unlock()
	if !known {
		r.log(text)
	}
}

// end returns the cost, which the client is told, too.
func (r *rendering) end() renderCost {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cost; c.time > 0 {
		r.log(fmt.Sprintf("Rendered %s in %.1f s of a browser's time, from %s", safetext.Count(c.pages, "page"), c.time.Seconds(), safetext.Count(c.bytes, "byte")))
	}
	return r.cost
}

// A Renderer renders a page in a browser and returns the document once the page
// has settled. Render is called concurrently, and must return when its context
// ends. Of its error a client sees only what it says as an
// [llmstxt.DetailedError]; By, Time and Bytes count even then.
type Renderer interface {
	Render(context.Context, RenderPage) (Rendered, error)
}

// RenderPage is a page that needs a browser.
type RenderPage struct {
	URL    string
	Exit   agent.Exit // the browser's own requests leave through it; look-ups are judged by the port of URL
	Remote bool       // a browser service may be used (useBrightdata)
	Owner  string     // whose crawl it is: owners take turns
}

// Rendered is a page as a browser had it in the end, and what that cost.
type Rendered struct {
	HTML  []byte
	By    string        // which browser, in words; each that a crawl uses is told to its client once
	Time  time.Duration // that a browser spent on the page
	Bytes int64         // that it took from the network for it; zero when nobody counted
}

// An Enhancer rewrites a part of a file with a language model. Its answer is
// checked strictly and used only if it is the same part reworded, so an
// Enhancer need not be trusted. Enhance is called concurrently, and must return
// when its context ends; an error is logged and shown to no client.
//
// One that is a [PartSizer] says how large a part may be.
type Enhancer interface {
	Enhance(context.Context, llmstxt.Part) (text string, err error)
}

// A PartSizer is an Enhancer that says how many bytes a part with the texts of its
// pages may have, once for each file. Zero: 48 KiB.
type PartSizer interface {
	Enhancer
	PartSize() int
}

// The files that a crawl makes: llms.txt, and beside it those with the whole
// texts of the pages, if they were asked for.

// A hostedFile is one beside llms.txt.
type hostedFile struct {
	name string // beside it: "llms-full.txt", "docs/start.md"
	url  string
}

const messageNotHosted = "full and markdown make files that are hosted beside llms.txt; those of this crawl are not hosted, so it makes none"

// texts reports whether the whole texts of the pages are wanted.
func (r *crawlRequest) texts() bool { return r.full || r.markdown }

// save hosts the files in the folder that the subject's files of this site have,
// llms.txt first: a worker whose version is an old one learns it there. before is
// where that was hosted last.
func (j *crawlJob) save(ctx context.Context, site *llmstxt.CrawledSite, text string, version uint64, before string) (url string, files []hostedFile, err error) {
	at, err := j.g.hostedSite(ctx, j.session.Subject, site.BaseURL)
	if err != nil {
		return "", nil, err
	}
	saved, err := j.g.hosted.turns.Save(ctx, at.Folder)
	if err != nil {
		return "", nil, err
	}
	defer saved()
	url, err = j.saveFile(ctx, File{Name: at.Name(before), ContentType: "text/plain; charset=utf-8", Body: []byte(text), Version: version})
	if err != nil {
		return "", nil, err
	}
	if j.req.texts() {
		if files, err = j.saveBeside(ctx, at.Folder+"/", j.beside(site, text), version); err != nil {
			return "", nil, err
		}
	}
	saved() // or two crawls would leave each other's files, and nobody would remove what is too much
	j.g.trimFiles(ctx, j.session.Subject, at)
	return url, files, nil
}

// pageGone stands in the file of a page that the site does not have any more:
// not every storage can remove a file in a way that a worker with an old one
// respects.
const pageGone = "# Page gone\n\nThis page was not among the site's pages when it was crawled last.\n"

// beside are the files with the whole texts of the pages. Those of pages that an
// earlier crawl had and this one has not say so.
func (j *crawlJob) beside(site *llmstxt.CrawledSite, text string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		made := map[string]bool{}
		for f, err := range site.TextFiles(text, j.req.full, j.req.markdown) {
			kind := "text/plain; charset=utf-8"
			if f.URL != "" {
				kind = "text/markdown; charset=utf-8"
			}
			made[f.Name] = true
			if !yield(File{Name: f.Name, ContentType: kind, Body: f.Body}, err) {
				return
			}
		}
		if !j.req.markdown {
			return
		}
		for _, name := range llmstxt.TextNames(j.previous) {
			if !made[name] && !yield(File{Name: name, ContentType: "text/markdown; charset=utf-8", Body: []byte(pageGone)}, nil) {
				return
			}
		}
	}
}

// siteOptions are what recrawls repeat of the request.
func (r *crawlRequest) siteOptions() SiteOptions {
	return SiteOptions{
		MaxPages: r.maxPages, DescLength: r.descLength, Format: string(r.layout), Enhance: r.enhance, Remote: r.remote,
		Geo: strings.Join(r.query.Countries, ","), Agent: strings.Join(r.query.Slugs, ","),
		Include: strings.Join(r.choice.Include, "\n"), Exclude: strings.Join(r.choice.Exclude, "\n"),
		Header: joinHeader(r.choice.Header), Language: r.choice.Language, Version: r.choice.Version,
		Delay: r.choice.Delay.Seconds(), Signals: r.choice.Signals,
		Full: r.full, Markdown: r.markdown,
	}
}

// repeated is the request of the crawl that enrolled the site. This gateway may allow fewer
// pages than the one that enrolled it did; the base URL was checked then.
func (s Site) repeated(maxPages int) crawlRequest {
	o := s.Options
	req := crawlRequest{
		url: s.BaseURL, maxPages: min(o.MaxPages, maxPages), descLength: o.DescLength, layout: llmstxt.Layout(o.Format),
		enhance: o.Enhance, remote: o.Remote, full: o.Full, markdown: o.Markdown,
		choice: o.choice(), query: o.exits(),
	}
	req.query.Subject = s.Subject
	req.query.Host, _ = targetOf(s.BaseURL)
	return req
}

// targetOf returns the host of a crawl's base URL, and what the log calls its target.
func targetOf(base string) (host, addr string) {
	u, err := url.Parse(base)
	if err != nil {
		return "", ""
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return host, net.JoinHostPort(host, port)
}

// crawlEndedBy says on whose side a crawl failed.
func crawlEndedBy(err error) EndedBy {
	switch {
	case agent.IsFault(err, agent.FaultAgent):
		return EndedByAgent
	case errors.As(err, new(*llmstxt.FetchError)) && fault.ClassOf(err) != fault.TargetForbidden:
		return EndedByTarget
	}
	return EndedByGateway
}
