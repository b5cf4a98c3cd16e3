package llmstxt

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/mdpage"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
)

// Pages that are no HTML: Markdown and plain text.

// form is how a page is written.
type form int8

const (
	formHTML form = iota
	formMarkdown
	formPlain
)

// formOf tells it by the Content-Type, and by the address where that says little.
// It reports false for what is not a page.
func formOf(kind string, u *url.URL) (form, bool) {
	ext := strings.ToLower(path.Ext(u.Path))
	markdown := slices.Contains([]string{".md", ".markdown", ".mdx", ".mkd"}, ext)
	text := slices.Contains([]string{"", ".txt", ".text", ".rst", ".adoc", ".asciidoc", ".org"}, ext)
	switch media := decode.MediaType(kind); {
	case decode.IsHTML(kind), decode.IsXML(kind):
		return formHTML, true
	case media == "text/markdown", media == "text/x-markdown", media == "text/x-web-markdown":
		return formMarkdown, true
	case media == "text/plain" && (markdown || text), strings.HasSuffix(media, "/octet-stream") && (markdown || ext == ".txt"):
		if markdown {
			return formMarkdown, true
		}
		return formPlain, true
	}
	return formHTML, false
}

// isMarkup reports a body that is HTML whatever its header says.
func isMarkup(body []byte) bool {
	start := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(body[:min(len(body), 1024)], []byte("\ufeff")), " \t\r\n")))
	for _, sign := range []string{"<!doctype", "<html", "<head", "<body", "<?xml", "<script", "<meta"} {
		if strings.HasPrefix(start, sign) {
			return true
		}
	}
	return strings.Contains(start, "<html")
}

// xhtmlRoot is how a page begins that is sent as XML.
var xhtmlRoot = regexp.MustCompile(`^\x{feff}?\s*(?:(?:<\?[^>]*>|<!--(?:[^-]|-[^-])*-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>)\s*){0,8}<html[\s>]`)

// isXHTML reports XML that is a page.
func isXHTML(body []byte) bool { return xhtmlRoot.Match(body[:min(len(body), 8<<10)]) }

// feedRoot is how XML begins that lists pages, whatever its header calls it.
var feedRoot = regexp.MustCompile(`^\x{feff}?\s*(?:<(?:\?|!)[^>]*>\s*){0,8}<(?:rss|feed|rdf:RDF|urlset|sitemapindex)[\s>]`)

// isFeed reports a feed or a site map that was sent as a page.
func isFeed(body []byte) bool { return feedRoot.Match(body[:min(len(body), 2048)]) }

// readText takes from a page of Markdown or plain text what will be needed of it.
func (c *crawler) readText(ctx context.Context, r *result, head http.Header, text []byte) error {
	markdown := r.form == formMarkdown || r.twinOnly || bytes.HasPrefix(bytes.TrimLeft(text, "\ufeff \r\n"), []byte("# "))
	p, err := mdpage.Parse(ctx, text, markdown)
	if err != nil {
		return err
	}
	page := &htmlpage.Page{Title: safetext.Cut(p.Title, 500), Links: p.Links, Short: p.Short, Sum: p.Sum}
	if r.nofollow {
		r.unfollowed = len(page.Links)
		page.Links, r.neighbours = nil, nil
	}
	r.page = page
	r.noindex = r.noindex && !c.IgnoreRobots
	r.evidence = Evidence{Version: htmlpage.EvidenceVersion, Need: c.need, Lang: r.language(head, page), Title: page.Title, Blocks: p.Blocks, Anchors: p.Anchors,
		Description: safetext.Cut(p.Description, 4*c.DescLength), Sum: p.Sum,
		Code: slices.ContainsFunc(p.Blocks, func(b htmlpage.Block) bool { return b.Kind == htmlpage.Omitted })}
	r.said = describe.Split(&r.evidence)
	if p.Short != "" {
		r.noteSoft404Signs(p.Short+"\n"+p.Title, p.Blocks)
	}
	if p.Short != "" && notpage.SaysNotFound(page, p.Blocks, r.final) {
		return notFoundAs200
	}
	if err := c.wholeMarkdown(ctx, r, text, markdown); err != nil {
		return err
	}
	if c.scope.Host != "" {
		c.settle(r)
	}
	return nil
}
