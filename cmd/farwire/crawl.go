package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
)

type crawl struct {
	URL          string `arg:"" name:"url" help:"Where to begin, http:// or https://. The crawl keeps to its host and path."`
	Output       string `short:"o" placeholder:"FILE" help:"File to write. None: standard output."`
	MaxPages     int    `default:"50" placeholder:"N" help:"Pages in the file, at most."`
	DescLength   int    `default:"500" placeholder:"N" help:"Characters of each page's excerpt, at most; 100 to 2000."`
	Format       string `default:"pages" placeholder:"FORMAT" help:"pages, or index for the layout of llmstxt.org."`
	Workers      int    `default:"8" placeholder:"N" help:"Pages fetched at once."`
	AllowPrivate bool   `help:"Reach loopback, private and link-local addresses."`
}

// errPartial ends a crawl whose file was written but misses pages that there
// was no time for. What it says stands on standard error already.
var errPartial = errors.New("the file is not complete")

// Run crawls until the site is described, or until ctx or the time limit ends;
// then the file holds what was found by then.
func (c *crawl) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	out, err := openOutput(c.Output)
	if err != nil {
		return err
	}
	defer out.abandon()
	show := newProgress(os.Stderr, c.MaxPages)
	site, err := llmstxt.Crawl(ctx, c.URL, llmstxt.Options{
		Client: client, MaxPages: c.MaxPages, DescLength: c.DescLength, Workers: c.Workers, Progress: show.event,
	})
	show.end()
	if site == nil {
		return c.explain(err)
	}
	if err := out.write(site.Render(llmstxt.Layout(c.Format))); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, summary(site.Stats))
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "interrupted: the file has the pages found so far")
		return errPartial
	case site.Stats.TimedOut:
		return errPartial
	}
	return nil
}

// client checks the flags and returns the client that the crawl is made by. Its
// every dial passes the guard.
func (c *crawl) client() (*http.Client, error) {
	switch {
	case !strings.HasPrefix(c.URL, "http://") && !strings.HasPrefix(c.URL, "https://"):
		return nil, misuse("URL: not a web address; give one such as https://docs.example.com/")
	case c.MaxPages < 1:
		return nil, misusef("--max-pages: %d is no number of pages; give 1 or more", c.MaxPages)
	case c.DescLength < 100 || c.DescLength > 2000:
		return nil, misusef("--desc-length: %d is out of range; give 100 to 2000", c.DescLength)
	case c.Workers < 1:
		return nil, misusef("--workers: %d fetch nothing; give 1 or more", c.Workers)
	case c.Format != string(llmstxt.Pages) && c.Format != string(llmstxt.Index):
		return nil, misusef("--format: %q is not a format; give pages or index", c.Format)
	}
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: c.AllowPrivate})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext:         exit.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     c.Workers,
		MaxIdleConnsPerHost: c.Workers,
		ForceAttemptHTTP2:   true,
	}}, nil
}

// explain says why there is no file at all.
func (c *crawl) explain(err error) error {
	var fetch *llmstxt.FetchError
	var dial *agent.DialError
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before the first page was read")
	case errors.Is(err, llmstxt.ErrURL):
		return misuse("URL: not a web address; give one such as https://docs.example.com/")
	case errors.Is(err, llmstxt.ErrRobots):
		return fmt.Errorf("robots.txt of %s forbids crawling it", c.URL)
	case errors.As(err, &dial):
		return fmt.Errorf("cannot fetch %s: %s", c.URL, dial)
	case errors.As(err, &fetch):
		return fmt.Errorf("cannot fetch %s: %s", fetch.URL, fetch.Detail())
	}
	return err
}

// summary is the last line on standard error.
func summary(s llmstxt.Stats) string {
	skipped := 0
	for _, n := range s.Skipped {
		skipped += n
	}
	line := fmt.Sprintf("%d pages in %v", s.Pages, s.Duration.Round(100*time.Millisecond))
	if skipped > 0 {
		line += fmt.Sprintf(", %d addresses skipped", skipped)
	}
	if s.Limited {
		line += ", more are there; --max-pages says how many"
	}
	return line
}

// An output is where the file goes. One that cannot be written to is found
// before the crawl and not after it.
type output struct {
	file *os.File
	made bool // by us: removed again when nothing comes
}

func openOutput(name string) (*output, error) {
	if name == "" {
		return &output{file: os.Stdout}, nil
	}
	_, err := os.Stat(name)
	o := &output{made: errors.Is(err, fs.ErrNotExist)}
	if o.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666); err != nil {
		reason := err
		var path *fs.PathError
		if errors.As(err, &path) {
			reason = path.Err
		}
		return nil, misusef("-o: cannot write to %s: %v; give a file that this user may write to", name, reason)
	}
	return o, nil
}

// write puts the text in place of what the file held.
func (o *output) write(text string) error {
	o.made = false
	if o.file != os.Stdout {
		if info, err := o.file.Stat(); err == nil && info.Mode().IsRegular() {
			if err := o.file.Truncate(0); err != nil {
				return err
			}
		}
	}
	if _, err := io.WriteString(o.file, text); err != nil {
		return fmt.Errorf("the file was not written: %w", err)
	}
	if o.file == os.Stdout {
		return nil
	}
	return o.file.Close()
}

// abandon leaves no empty file behind.
func (o *output) abandon() {
	if o.made {
		o.file.Close()
		os.Remove(o.file.Name())
	}
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
		fmt.Fprintln(p.w, printable(e.Message))
	case e.Kind == llmstxt.Committed:
		p.bar.Set(e.Page)
	case e.Kind == llmstxt.Note:
		p.bar.Clear()
		fmt.Fprintln(p.w, printable(e.Message))
		p.bar.RenderBlank()
	}
}

func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// printable keeps what a site says from commanding the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
