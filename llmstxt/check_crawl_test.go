package llmstxt_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// TestCheck_OfWhatACrawlWrites_FindsNothing: whatever a site's titles and texts
// are, and with one page too.
func TestCheck_OfWhatACrawlWrites_FindsNothing(t *testing.T) {
	odd := &web{pages: map[string]answer{}}
	var links []string
	for i, title := range []string{"A [b] (c)", "# Hash", "## Two", "> Quote", "- item: note", "1. one", "`code` *x* _y_", "Optional", "a: b", "https://x.test/", "|", "\\", "Ünï \u200bcode \U000e0041", "</title>", "   "} {
		path := fmt.Sprintf("/odd-%c?x=(%d)&y=[z]", 'a'+i, i)
		links = append(links, path)
		odd.pages["http://docs.test"+path] = html("<html lang=en><title>" + title + "</title><main><h1>" + title + "</h1><p>" + title + "</p><p>&gt; quoted words of page " + word(i) + "</p><ul><li>## listed</ul><pre># code</pre></main>")
	}
	odd.pages["http://docs.test/"] = doc("[Home] # of > odd", links...)
	sites := map[string]*web{"odd": odd, "one page": {pages: map[string]answer{"http://docs.test/": doc("Alone")}}, "whole": wholeSite()}
	for seed := range uint64(6) {
		sites[fmt.Sprintf("tangle %d", seed)] = linkGraph(seed, 40)
	}
	for name, w := range sites {
		base := "http://docs.test/"
		if _, ok := w.pages[base]; !ok {
			base = "http://docs.test/paa"
		}
		s, err := llmstxt.Crawl(t.Context(), base, llmstxt.Options{Client: w.client()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, layout := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
			text := s.Render(layout)
			got, links, problems := llmstxt.Check(text)
			if len(problems) > 0 || len(links) != len(s.Pages) || got != layout {
				t.Errorf("%s: layout %s read as %s, %d links of %d pages, problems %v in\n%s", name, layout, got, len(links), len(s.Pages), problems, text)
			}
			if layout == llmstxt.Index {
				grammar(t, name, text)
			}
		}
	}
}

var (
	sectionLine = regexp.MustCompile(`^## \S`)
	linkLine    = regexp.MustCompile(`^- \[[^\[\]]+\]\(https?://[^\s()]+\): \S`)
)

// grammar holds a file to llmstxt.org: one H1, a blockquote, notes without
// headings, H2 sections that are lists of links, Optional last.
func grammar(t *testing.T, name, text string) {
	t.Helper()
	const (
		title = iota
		summary
		notes
		sections
	)
	at, optional := title, false
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		ok := line == ""
		switch {
		case ok:
		case at == title:
			ok, at = strings.HasPrefix(line, "# "), summary
		case at == summary:
			ok, at = strings.HasPrefix(line, "> "), notes
		case sectionLine.MatchString(line):
			ok, at = !optional, sections
			optional = line == "## Optional"
		case at == notes:
			ok = !strings.HasPrefix(line, "#")
		default:
			ok = linkLine.MatchString(line)
		}
		if !ok {
			t.Errorf("%s: line %d is out of place: %s", name, i+1, line)
		}
	}
	if at < notes {
		t.Errorf("%s: there is no summary", name)
	}
}
