package llmstxt_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt"
)

// rude are titles that try to be markup.
var rude = []string{
	"Plain", "array[i] and map[k]", "[link](http://evil.test/)", "*args and **kwargs", "__init__ and snake_case", "`code`", "a < b > c", "<script>",
	"&amp; & &lt;", "C#", "# Heading #", "> quote", "back\\slash\\*", "ends with \\", "~~gone~~", "日本語 タイトル", "- item", "1. first", "tab\tand\nnewline", "a | b", "!", "\\", "[]", "]", "((x))",
}

func siteOf(titles []string) *llmstxt.CrawledSite {
	s := &llmstxt.CrawledSite{Title: titles[0], Summary: "A summary of " + titles[0], BaseURL: "http://docs.test/a(b)"}
	for i, t := range titles {
		s.Pages = append(s.Pages, llmstxt.Page{URL: "http://docs.test/" + strings.Repeat("x", i) + "(y)", Title: t, Excerpt: "Excerpt.\n\nOf two paragraphs.", Note: "A note: of " + strings.Join(strings.Fields(t), " "), Section: "Part"})
	}
	return s
}

// squash is what a title may lose: white space at the ends and in a row.
func squash(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestRender_Parse_ReadsItBack(t *testing.T) {
	s := siteOf(rude)
	f, err := llmstxt.Parse(s.Render(llmstxt.Pages), llmstxt.Pages)
	if err != nil {
		t.Fatal(err)
	}
	if f.Title != s.Title || f.BaseURL != s.BaseURL || len(f.Entries()) != len(s.Pages) {
		t.Errorf("%+v", f)
	}
	for i, e := range f.Entries() {
		if p := s.Pages[i]; e.Title != squash(p.Title) || e.URL != p.URL || e.Text != p.Excerpt {
			t.Errorf("%+v of %+v", e, p)
		}
	}
	if f, err = llmstxt.Parse(s.Render(llmstxt.Index), llmstxt.Index); err != nil {
		t.Fatal(err)
	}
	if f.Title != s.Title || f.Summary != s.Summary || len(f.Entries()) != len(s.Pages)-1 {
		t.Errorf("%+v", f)
	}
	parens := strings.NewReplacer("[", "(", "]", ")")
	for i, e := range f.Entries() {
		p := s.Pages[i+1]
		if want := strings.NewReplacer("(", "%28", ")", "%29").Replace(p.URL); e.Title != squash(parens.Replace(p.Title)) || e.URL != want || e.Text != p.Note {
			t.Errorf("%+v of %+v", e, p)
		}
	}
}

// The grammar of llmstxt.org's reference parser, in its own expressions, finds
// every link and the summary.
func TestRender_ReferenceGrammar_FindsEveryLink(t *testing.T) {
	checkReference(t, siteOf(rude))
}

var (
	refSplit = regexp.MustCompile(`(?m)^##\s*(.*?$)`)
	refHead  = regexp.MustCompile(`(?ms)^#\s*(?P<title>.+?$)\n+(?:^>\s*(?P<summary>.+?$)$)?\n+(?P<info>.*)`)
	refLink  = regexp.MustCompile(`-\s*\[(?P<title>[^\]]+)\]\((?P<url>[^\)]+)\)(?::\s*(?P<desc>.*))?`)
)

func checkReference(t *testing.T, s *llmstxt.CrawledSite) {
	t.Helper()
	text := s.Render(llmstxt.Index)
	parts := refSplit.Split(text, -1)
	head := refHead.FindStringSubmatch(strings.TrimSpace(parts[0]))
	if head == nil || squash(head[2]) != squash(s.Summary) {
		t.Fatalf("head %q of %q", head, parts[0])
	}
	var got, want []string
	for _, part := range parts[1:] {
		for _, l := range strings.Split(strings.TrimSpace(part), "\n") {
			if strings.TrimSpace(l) == "" {
				continue
			}
			m := refLink.FindStringSubmatch(l)
			if m == nil {
				t.Fatalf("no link: %q", l)
			}
			got = append(got, m[2])
		}
	}
	for _, p := range s.Pages[1:] {
		want = append(want, strings.NewReplacer("(", "%28", ")", "%29").Replace(p.URL))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
}

func TestParse_InvalidFile_IsRefused(t *testing.T) {
	for _, text := range []string{
		"", "no title", "#\n\n> http://a.test/", "# T", "# T\n\nhttp://a.test/", "# T\n\n> ftp://a.test/", "# T\n\n> http://a.test/\n\n## P",
		"# T\n\n> http://a.test/\n\n## P\n\n> http://a.test/p", "# T\n\n> http://a.test/\n\n## P\n\n> http://a.test/p\n\n> quoted",
		"# T\n\n> http://a.test/\n\n## P\n\n> http://a.test/p\n\nText\n# Heading", "# T\n\n> http://a.test/\n\nText of nobody",
		"# T\n\n> javascript:alert(1)\n",
	} {
		if f, err := llmstxt.Parse(text, llmstxt.Pages); err == nil {
			t.Errorf("pages %q: %+v", text, f)
		}
	}
	for _, text := range []string{
		"", "no title", "## S\n\n- [a](http://a.test/)", "# T\n\n> S\n\n## A\n\ntext", "# T\n\n> S\n\n## A\n\n- [](http://a.test/)", "# T\n\n> S\n\n## A\n\n- [a]()",
		"# T\n\n> S\n\n## A\n\n- [a](/relative)", "# T\n\n> S\n\n## A\n\n- [a](http://a.test/) note without colon", "# T\n\n> S\n\n## A\n\n- [a](http://a.test/)\n\n## A\n\n- [b](http://a.test/b)",
		"# T\n\n> S\n\n### A\n\n- [a](http://a.test/)", "# T\n\n> S\n\n## A\n\nx - [a](http://a.test/)",
	} {
		if f, err := llmstxt.Parse(text, llmstxt.Index); err == nil {
			t.Errorf("index %q: %+v", text, f)
		}
	}
	f, err := llmstxt.Parse("# FastHTML\r\n\r\n> A library.\r\n\r\nThings to know:\n\n- one\n- two\n\n## Docs\n\n- [Start](https://a.test/s.md): Begin here\n- [Other](https://a.test/o.md)\n\n## Optional\n", llmstxt.Index)
	if err != nil || f.Summary != "A library." || !strings.HasPrefix(f.Info, "Things") || len(f.Sections) != 2 || len(f.Entries()) != 2 || f.Entries()[1].Text != "" {
		t.Errorf("%+v, %v", f, err)
	}
}

// Any title, address and text survives both layouts and both parsers.
func FuzzRender(f *testing.F) {
	for _, t := range rude {
		f.Add(t, "Section "+t, t+" is explained here.")
	}
	f.Fuzz(func(t *testing.T, title, section, text string) {
		page := "<title>" + title + "</title><h1>" + section + "</h1><p>" + text + "</p><p>" + title + "</p>"
		w := &web{pages: map[string]answer{
			"http://docs.test/":          html("<title>Home</title><a href='/(a)'>a</a><a href='/b/[c]'>c</a>"),
			"http://docs.test/(a)":       html(page),
			"http://docs.test/b/%5Bc%5D": html(page + "<p>A second page."),
			"http://docs.test/b/[c]":     html(page + "<p>A second page."),
		}}
		s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), DescLength: 100})
		if err != nil {
			t.Fatal(err)
		}
		checkSite(t, s, 100)
	})
}

// FuzzPage crawls any bytes as a page.
func FuzzPage(f *testing.F) {
	f.Add([]byte("<title>T</title><main><h1>T</h1><p>Words of the page, and more of them.</p></main>"), "text/html")
	f.Add([]byte("<p># not a heading\n> not a quotation\n<li>x"), "text/html; charset=latin1")
	f.Add([]byte(strings.Repeat("<div>", 600)+"deep words in a deep page are still words"), "text/html")
	f.Add([]byte("\xff\xfe<\x00t\x00"), "text/html; charset=utf-16")
	f.Add([]byte(`<script type="application/ld+json">{"@type":"BreadcrumbList","itemListElement":[{"item":{"name":"x"}}]}</script>`), "")
	f.Fuzz(func(t *testing.T, page []byte, kind string) {
		if strings.ContainsAny(kind, "\r\n") {
			return
		}
		w := &web{pages: map[string]answer{"http://docs.test/": {body: string(page), header: map[string]string{"Content-Type": kind}}}}
		s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), DescLength: 100, MaxRedirects: 2})
		if err != nil {
			return
		}
		checkSite(t, s, 100)
	})
}

// checkSite holds a site to what is promised of any.
func checkSite(t *testing.T, s *llmstxt.CrawledSite, limit int) {
	t.Helper()
	for _, p := range s.Pages {
		if p.Title == "" || p.Excerpt == "" || p.Note == "" || strings.ContainsAny(p.Note+p.Title, "\n\r") {
			t.Fatalf("%+v", p)
		}
		if n := utf8.RuneCountInString(p.Excerpt); n > limit {
			t.Fatalf("an excerpt of %d characters: %q", n, p.Excerpt)
		}
		if !utf8.ValidString(p.Title + p.Excerpt + p.Note) {
			t.Fatalf("not UTF-8: %+v", p)
		}
		for l := range strings.SplitSeq(p.Excerpt, "\n") {
			if strings.HasPrefix(l, "#") || strings.HasPrefix(l, ">") {
				t.Fatalf("a line %q", l)
			}
		}
	}
	f, err := llmstxt.Parse(s.Render(llmstxt.Pages), llmstxt.Pages)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Render(llmstxt.Pages))
	}
	for i, e := range f.Entries() {
		if p := s.Pages[i]; e.Title != p.Title || e.URL != p.URL {
			t.Fatalf("%+v of %+v", e, p)
		}
	}
	if len(f.Entries()) != len(s.Pages) {
		t.Fatalf("%d entries of %d pages", len(f.Entries()), len(s.Pages))
	}
	if f, err = llmstxt.Parse(s.Render(llmstxt.Index), llmstxt.Index); err != nil {
		t.Fatalf("%v\n%s", err, s.Render(llmstxt.Index))
	}
	if len(f.Entries()) != len(s.Pages)-1 {
		t.Fatalf("%d entries of %d pages", len(f.Entries()), len(s.Pages))
	}
	checkReference(t, s)
}
