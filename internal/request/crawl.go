package request

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upstream"
)

// A Crawl is what a client asks a crawl for.
type Crawl struct {
	URL        string
	MaxPages   int
	DescLength int
	Format     string // "pages" or "index"
	Enroll     bool
	Interval   time.Duration // between recrawls
	Enhance    bool
	Remote     bool // useBrightdata
	Full       bool // llms-full.txt too
	Markdown   bool // a file for each page too
	Query      agent.Query
	Choice     Choice
}

// A Choice says which pages are wanted, what is sent along, and how fast.
type Choice struct {
	Include, Exclude  []string // globs on paths
	Language, Version string
	Delay             time.Duration
	Signals           bool
	Header            http.Header
	Cookies           map[string]string
}

// Crawl reads a crawl request; limit is the most pages that one may ask for. Some of its
// texts are fixed.
func (f *Fields) Crawl(limit int) (*Crawl, error) {
	c := &Crawl{
		URL:        strings.TrimSpace(f.Text("url", "")),
		MaxPages:   f.Int("maxPages", min(50, limit), 1, math.MaxInt),
		DescLength: f.Int("descLength", 500, 100, 2000),
		Format:     f.Text("format", "pages"),
		Enroll:     f.Bool("enableAutoUpdate", false),
		Enhance:    f.Bool("llmEnhance", false),
		Remote:     f.Bool("useBrightdata", true),
		Full:       f.Bool("full", false),
		Markdown:   f.Bool("markdown", false),
	}
	geo, agents, sticky := f.Text("geo", ""), f.Text("agent", ""), f.Text("session", "")
	c.Choice = f.choice()
	minutes := f.Int("recrawlIntervalMinutes", 7*24*60, 1, math.MaxInt)
	if f.Err != nil {
		return nil, f.Err
	}
	c.Interval = time.Duration(min(int64(minutes), math.MaxInt64/int64(time.Minute))) * time.Minute
	if err := egress.ParseFilter(&c.Query, geo, agents); err != nil {
		return nil, err
	}
	if err := egress.ParseSession(&c.Query, "session", sticky); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", upstream.CheckHost(u) != nil:
		return nil, fault.Invalidf("Invalid URL format")
	case c.MaxPages > limit:
		return nil, fault.Invalidf("Maximum pages limit reached")
	case c.Format != "pages" && c.Format != "index":
		return nil, fault.Invalidf(`format must be "pages" or "index"`)
	}
	c.Query.Host = u.Hostname()
	return c, nil
}

// The most of each that a crawl request may have.
const (
	maxGlobs = 64
	maxGlob  = 1000 // bytes
	maxStars = 256  // of all of a list: each costs the length of every path
	maxDelay = time.Hour
)

// choice reads which pages are wanted, what is sent along, and how fast.
func (f *Fields) choice() Choice {
	o := Choice{
		Include: f.globs("include"), Exclude: f.globs("exclude"),
		Language: f.word("language"), Version: f.word("version"),
		Delay: f.Seconds("delay"), Signals: f.Bool("signals", false),
		Header: http.Header{}, Cookies: map[string]string{},
	}
	headers, cookies := f.Pairs("headers"), f.Pairs("cookies")
	switch {
	case len(headers)+len(cookies) > MaxHeaders:
		f.Refuse("headers and cookies", fmt.Sprintf("are more than %d together", MaxHeaders))
	case o.Delay > maxDelay:
		f.Refuse("delay", fmt.Sprintf("must be at most %g seconds", maxDelay.Seconds()))
	}
	for _, h := range headers {
		switch {
		case !httpguts.ValidHeaderFieldName(h.Name):
			f.Refuse("headers:", fmt.Sprintf("%q is not a header name", fault.Clip(h.Name)))
		case !httpguts.ValidHeaderFieldValue(h.Value):
			f.Refuse("headers:", fmt.Sprintf("the value of %s has a character that a header cannot hold", fault.Clip(h.Name)))
		}
		o.Header.Add(h.Name, h.Value)
	}
	for _, c := range cookies {
		if !upstream.ValidCookie(c.Name, c.Value) || strings.Contains(c.Value, ";") {
			f.Refuse("cookies:", fmt.Sprintf("%q or its value has a character that a cookie cannot hold", fault.Clip(c.Name)))
		}
		o.Cookies[c.Name] = c.Value
	}
	return o
}

// globs reads a list of globs on paths.
func (f *Fields) globs(name string) []string {
	list := f.Strings(name, maxGlobs)
	if len(list) > maxGlobs {
		f.Refuse(name, fmt.Sprintf("has more than %d globs", maxGlobs))
	}
	if strings.Count(strings.Join(list, ""), "*") > maxStars {
		f.Refuse(name, fmt.Sprintf("has more than %d stars", maxStars))
	}
	for _, glob := range list {
		if !strings.HasPrefix(glob, "/") && !strings.HasPrefix(glob, "*") || len(glob) > maxGlob || strings.ContainsFunc(glob, unicode.IsControl) {
			f.Refuse(name, fmt.Sprintf("has %q, which is not a glob on paths; write it as /docs/**", fault.Clip(glob)))
		}
	}
	return list
}

// word reads a language or a version.
func (f *Fields) word(name string) string {
	s := strings.TrimSpace(f.Text(name, ""))
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '/' }) {
		f.Refuse(name, "must be a word of at most 64 bytes")
	}
	return s
}
