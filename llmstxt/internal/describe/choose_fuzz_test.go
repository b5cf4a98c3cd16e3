package describe

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// FuzzChoose makes pages of the paragraphs of any text, each with its first line as
// title and heading. Every page has all its texts, within their lengths, and pages are
// the same when they are chosen for again.
func FuzzChoose(f *testing.F) {
	for _, seed := range []string{"Guide - Site\nWords of it. More words.\n\nTools - Site\nOthers here.", "a\n\na\n\na", " - x - x\n\n | |\nb", "T\nfoo: bar\n\nT: a\nfoo: bar", ""} {
		f.Add(seed, 300)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if !utf8.ValidString(text) || len(text) > 20_000 || limit < 100 || limit > 2000 {
			return
		}
		chosen := func() ([]Page, string) {
			votes := NewVotes()
			var pages []Page
			for i, part := range strings.Split(text, "\n\n") {
				title, body, _ := strings.Cut(part, "\n")
				e := &htmlpage.Evidence{Title: title}
				if i%7 == 6 {
					e.Parts = []string{"http://a.test/d/1"}
				}
				for _, line := range strings.Split(body, "\n") {
					e.Blocks = append(e.Blocks, htmlpage.Block{Kind: htmlpage.Paragraph, Text: line})
				}
				said := Split(e)
				votes.Add(e, said)
				pages = append(pages, Page{URL: fmt.Sprintf("http://a.test/d/%d", i), Depth: min(i, 1), Evidence: e, Said: said})
			}
			title, sections := Site{Limit: limit, Prefix: "/", Votes: votes}.Choose(t.Context(), pages)
			return pages, fmt.Sprint(title, sections)
		}
		pages, site := chosen()
		again, siteAgain := chosen()
		if site == "" || site != siteAgain {
			t.Fatalf("the site is %q, and again %q", site, siteAgain)
		}
		for i, p := range pages {
			if p.Title == "" || p.Excerpt == "" || p.Note == "" || strings.Contains(p.Note, "\n") {
				t.Fatalf("page %d: %q, %q, %q", i, p.Title, p.Excerpt, p.Note)
			}
			if utf8.RuneCountInString(p.Title) > MaxTitle || utf8.RuneCountInString(p.Excerpt) > max(limit, MaxTitle) {
				t.Fatalf("page %d: a title of %d and an excerpt of %d characters", i, utf8.RuneCountInString(p.Title), utf8.RuneCountInString(p.Excerpt))
			}
			if q := again[i]; p.Title != q.Title || p.Excerpt != q.Excerpt || p.Note != q.Note || p.Section != q.Section {
				t.Fatalf("page %d is %q, and again %q", i, p.Excerpt, q.Excerpt)
			}
		}
	})
}
