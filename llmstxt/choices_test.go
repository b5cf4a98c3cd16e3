package llmstxt_test

import (
	"slices"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A server that has an address in several forms, or several that are spelt like it, answers 300 with
// links to them: it is no page, but they are.
func TestCrawl_MultipleChoices_LeadToPages(t *testing.T) {
	list := func(links string) string {
		return "<title>300 Multiple Choices</title><h1>Multiple Choices</h1>The document name you requested could not be found on this server. However, we found documents with names similar to it.<ul>" + links + "</ul>"
	}
	w := &web{pages: map[string]answer{
		"http://docs.test/":           doc("Home", "/a", "/tea", "/pots", "/lids"),
		"http://docs.test/a":          doc("A"),
		"http://docs.test/tea":        {status: 300, body: list(`<li><a href="/tea.html">/tea.html</a> (common basename)<li><a href="/teas.html">/teas.html</a>`)},
		"http://docs.test/pots":       {status: 300, header: map[string]string{"Location": "/pots.html"}, body: list(`<li><a href="/pots.htm">x</a>`)},
		"http://docs.test/lids":       {status: 300, header: map[string]string{"Content-Type": "text/css"}, body: list(`<li><a href="/lids.html">x</a>`)},
		"http://docs.test/tea.html":   doc("Tea", "/cups.html"),
		"http://docs.test/teas.html":  doc("Teas"),
		"http://docs.test/pots.html":  doc("Pots"),
		"http://docs.test/pots.htm":   doc("Other pots"),
		"http://docs.test/lids.html":  doc("Lids"),
		"http://docs.test/cups.html":  doc("Cups"),
		"http://docs.test/robots.txt": {status: 404},
	}}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	got := urls(s)
	slices.Sort(got)
	if want := []string{"/", "/a", "/cups.html", "/pots.html", "/tea.html", "/teas.html"}; !slices.Equal(got, want) || s.Stats.Skipped[llmstxt.SkipStatus] != 1 || s.Stats.Skipped[llmstxt.SkipType] != 1 {
		t.Errorf("%v, want %v: %v", got, want, s.Skipped)
	}
	w = &web{pages: map[string]answer{"http://docs.test/": {status: 300, body: list("<li><a href=/a>a</a>")}, "http://docs.test/a": doc("A")}}
	if s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), Retries: -1}); err == nil {
		t.Errorf("the choices are a site's: %v", urls(s))
	}
}
