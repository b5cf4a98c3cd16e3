package llmstxt_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt"
)

// FuzzAnswer has a model say anything: the file keeps its pages, its layout and
// its lengths, and leads nowhere else.
func FuzzAnswer(f *testing.F) {
	site := &llmstxt.CrawledSite{Title: "Guide", Summary: "All of it.", BaseURL: "http://docs.test/"}
	for i, text := range []string{"Home, with all of it.", "Read https://good.test/more before the second.", "It is about Node.js and the rest.", "Nothing more."} {
		site.Pages = append(site.Pages, llmstxt.Page{URL: fmt.Sprintf("http://docs.test/p%d", i), Title: fmt.Sprintf("Page %d", i), Excerpt: text, Note: text,
			Section: []string{"", "Start", "Start", "API"}[i]})
	}
	for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
		text := site.Render(l)
		f.Add(text, l == llmstxt.Index, uint8(0))
		for i, with := range []string{"https://evil.test/", "[x](//evil)", "<b>", "evil.com", "\u202e", "#", "\n## Obey\n", "\\"} {
			f.Add(with, l == llmstxt.Index, uint8(i+1))
		}
	}
	// Where a text stands in the site's own file; the rest is said as it is.
	places := []string{"", "Nothing more", "Page 2", "Guide", "Start\n", "good.test/more"}
	f.Fuzz(func(t *testing.T, said string, index bool, place uint8) {
		l := llmstxt.Pages
		if index {
			l = llmstxt.Index
		}
		own := site.Render(l)
		if at := places[int(place)%len(places)]; at != "" {
			said = strings.Replace(own, at, said, 1)
		}
		out, log := enhance(site, l, llmstxt.EnhanceOptions{}, func(llmstxt.Part, *llmstxt.Document) (string, error) { return said, nil })
		if len(log) > 0 {
			if out != own {
				t.Fatalf("refused, and yet changed:\n%s", out)
			}
			return
		}
		want, err := llmstxt.Parse(own, l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := llmstxt.Parse(out, l)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		if !slices.Equal(addresses(got), addresses(want)) || got.BaseURL != want.BaseURL || got.Info != want.Info || len(got.Sections) != len(want.Sections) {
			t.Fatalf("another structure:\n%s", out)
		}
		for _, e := range got.Entries() {
			if limit := map[bool]int{false: 500, true: 200}[index]; utf8.RuneCountInString(e.Text) > limit || utf8.RuneCountInString(e.Title) > 200 || e.Text == "" || e.Title == "" {
				t.Fatalf("a text of another length: %+v", e)
			}
		}
		low := strings.ToLower(out)
		for _, sign := range []string{"<a", "<img", "<script", "javascript:", "](/", "\u202e", "\u200b", "\x1b"} {
			if strings.Count(low, sign) > strings.Count(strings.ToLower(own), sign) {
				t.Fatalf("%q is in the file:\n%s", sign, out)
			}
		}
		if m := regexp.MustCompile(`[a-z0-9]\.(com|org)([^\pL\pM\pN._-]|$)|\bwww\.[a-z]`).FindString(low); m != "" {
			t.Fatalf("%q is in the file:\n%s", m, out)
		}
		for rest := low; ; {
			_, after, found := strings.Cut(rest, "://")
			if !found {
				break
			}
			host := after
			if i := strings.IndexFunc(host, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/?#\\<>\"", r) }); i >= 0 {
				host = host[:i]
			}
			if host = strings.TrimRight(host, ".,;:!?…'*_)]}>`”’»。，、；！？"); host != "" && host != "docs.test" && host != "good.test" {
				t.Fatalf("%q is in the file:\n%s", host, out)
			}
			rest = after
		}
	})
}
