//go:build unix

package crawlbench_test

import (
	"bytes"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/yuin/goldmark"

	"github.com/farwire/farwire/llmstxt"
)

// A CommonMark parser reads titles and addresses back out of both layouts.
func TestTitles_Markdown_ReadBackAsTheyWere(t *testing.T) {
	titles := []string{
		"Getting Started", "a [b] c", "a](http://evil.test/) b", "`code` and ``more``", "*stars* and **more**", "2 * 3 * 4",
		"snake_case_name", "_under_ __score__", "<b>bold</b>", "a < b > c", "<!-- x -->", "&amp; &lt; & AT&T &#35;", `back\slash \* \\`, `ends in \`,
		"# hash", "C#", "trailing ##", "!image", "![alt](x.png)", "~~gone~~", "1. first", "- item", "+ item", "> quote", "| a | b |",
		"http://example.com/ bare", "a\tb", "ünïcödé — “quotes” 漢字", "{{ template }}", "$x^2$", "--- rule", "=== under", "a:b", "\"quoted\" 'title'", "(round) brackets",
	}
	const marks = "[]()*_`<>&\\#!~-+|. ab1;"
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		b := make([]byte, 1+random.IntN(12))
		for i := range b {
			b[i] = marks[random.IntN(len(marks))]
		}
		if s := strings.Join(strings.Fields(string(b)), " "); s != "" {
			titles = append(titles, s)
		}
	}
	const address = "https://docs.test/a_(b)/c*d_e?x=1&y=[2]&copy=3#f"
	for _, title := range titles {
		f := &llmstxt.Document{Title: title, BaseURL: address, Summary: "Summary.", Info: "Start page: x",
			Sections: []llmstxt.Section{{Name: "Part", Entries: []llmstxt.Entry{{Title: title, URL: address, Text: "Note."}}}}}
		want := strings.Join(strings.Fields(title), " ")

		pages := markdown(t, f.Render(llmstxt.Pages))
		if got := pages.Find("h1").Text(); got != want {
			t.Errorf("pages: the title %q is read as %q", want, got)
		}
		if got := pages.Find("h2").Text(); got != want {
			t.Errorf("pages: the page title %q is read as %q", want, got)
		}

		index := markdown(t, f.Render(llmstxt.Index))
		link := index.Find("li a")
		// Square brackets are round there: the reference parser knows no escapes.
		round := strings.NewReplacer("[", "(", "]", ")").Replace(want)
		if got := link.Text(); got != round {
			t.Errorf("index: the title %q is read as %q", round, got)
		}
		if href, _ := link.Attr("href"); !sameAddress(href, address) {
			t.Errorf("index: the address %q is read as %q", address, href)
		}
	}
}

func sameAddress(a, b string) bool {
	ua, err := url.PathUnescape(a)
	ub, err2 := url.PathUnescape(b)
	return err == nil && err2 == nil && ua == ub
}

func markdown(t *testing.T, text string) *goquery.Document {
	t.Helper()
	var html bytes.Buffer
	if err := goldmark.Convert([]byte(text), &html); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&html)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
