package llmstxt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What is made of a page that has arrived.

// read takes from a page what will be needed of it, and returns where a meta
// refresh leads to.
func (c *crawler) read(ctx context.Context, r *result, page []byte, noindex, nofollow bool) *url.URL {
	s := htmlpage.Parse(page, c.need)
	if s.Refresh != "" {
		base := baseOf(r.final, s)
		if u := weburl.Resolve(base, s.Refresh); u != nil && u.String() != r.final.String() {
			return u
		}
	}
	if why := s.NeedsBrowser(); why != "" && c.Render != nil {
		rendered, err := c.Render(ctx, r.final.String(), why)
		if err != nil {
			r.renderNote = fmt.Sprintf("Could not render %s (%s): %s; using its static form", r.final, why, detail(err))
		} else {
			r.renderNote = fmt.Sprintf("Rendered %s: %s", r.final, why)
			page = bytes.ToValidUTF8(rendered, []byte("\ufffd"))
			s, r.rendered = htmlpage.Parse(page, c.need), true
			// The pages of an application are one file: what they show tells
			// them apart.
			sum := sha256.Sum256(page)
			r.hash = hex.EncodeToString(sum[:])
		}
	}
	r.scan = s
	r.noindex = s.NoIndex || noindex
	if s.NoFollow || nofollow {
		s.Links = nil
	}
	blocks, anchors := s.Blocks()
	r.evidence = Evidence{Version: htmlpage.EvidenceVersion, Need: c.need, Lang: plain.Clip(s.Lang, 35), Title: plain.Clip(s.Title, 500),
		OpenTitle: plain.Clip(s.OpenTitle, 500), SiteName: plain.Clip(s.SiteName, 200), Crumbs: s.Crumbs, Edges: s.Edges, Blocks: blocks, Anchors: anchors,
		Description: plain.Clip(s.Description(), 4*c.DescLength)}
	return nil
}

// keep takes over what an earlier crawl read.
func (r *result) keep(prev *Page) {
	r.unchanged = true
	r.hash, r.etag, r.modified = prev.Hash, prev.ETag, prev.LastModified
	r.evidence, r.links = prev.Evidence, slices.Clone(prev.Links)
}

// settle resolves a result's addresses, once the scope is known.
func (c *crawler) settle(r *result) {
	s := r.scan
	if s == nil {
		return
	}
	r.scan = nil
	base := baseOf(r.final, s)
	own := r.final.String()
	inScope := func(ref string) string {
		if ref == "" {
			return ""
		}
		if u := weburl.Resolve(base, ref); u != nil && c.scope.Has(u) {
			return u.String()
		}
		return ""
	}
	r.evidence.Up = inScope(s.Up)
	if can := inScope(s.Canonical); can != own {
		r.evidence.Canonical = can
	}
	seen := make(map[string]struct{}, len(s.Links))
	var nav htmlpage.Navigation
	for _, link := range s.Links {
		if len(r.links) >= htmlpage.MaxLinks {
			break
		}
		l := inScope(link.Href)
		if l == "" || l == own {
			continue
		}
		if _, ok := seen[l]; !ok {
			seen[l] = struct{}{}
			r.links = append(r.links, l)
			nav.Add(l, link.Lists)
		}
	}
	r.evidence.Nav = nav.Groups()
}

func baseOf(page *url.URL, s *htmlpage.Page) *url.URL {
	if s.Base != "" {
		if b := weburl.Resolve(page, s.Base); b != nil {
			return b
		}
	}
	return page
}
