package htmlpage

import (
	"context"
	"testing"

	"golang.org/x/net/html"
)

func TestDescription_MarkupAndEntities_AreTaken(t *testing.T) {
	for text, want := range map[string]string{
		"<p>Learn tea</p> today":                         "Learn tea today",
		"<p>Learn tea, the hard way":                     "Learn tea, the hard way",
		"Tea,<br>coffee<br />and milk":                   "Tea, coffee and milk",
		"Learn <b>all</b> of <i>it</i>":                  "Learn all of it",
		"<div class=x><h2>Tea</h2><p>Hot.</p></div>":     "Tea Hot.",
		"See <a href=\"/x\">the guide</a>, then <a href": "See the guide, then <a href",
		"Learn tea <a href=\"http://x/":                  "Learn tea",
		"Tea &amp;amp; milk":                             "Tea & milk",
		"Tea &amp;lt;p&amp;gt;x&amp;lt;/p&amp;gt;":       "Tea x",
		"Tea&nbsp;&mdash;&#32;&#x6d;ilk":                 "Tea — milk",
		"<style>p{color:red}</style><P>Hot</P>":          "Hot",
		"<!-- wp:paragraph --><p>Hot</p>":                "Hot",
		"<script>var a = 1;</script>Hot":                 "Hot",
		"<img src=a.png> Tea <img src=b.png> Milk":       "Tea Milk",
		// What is spoken about stays.
		"Use `<script type=\"module\">` to load modules.":                 "Use `<script type=\"module\">` to load modules.",
		"Use <script type=\"module\"> to load modules.":                   "Use <script type=\"module\"> to load modules.",
		"An <iframe loading=\"lazy\"> waits.":                             "An <iframe loading=\"lazy\"> waits.",
		"What <style media=print> is for":                                 "What <style media=print> is for",
		"Between `<script defer=x>` and `</script>` stands <b>a lot</b>.": "Between `<script defer=x>` and `</script>` stands a lot.",
		"Returns a `Promise<object>`, a Map<data> or a List<option>":      "Returns a `Promise<object>`, a Map<data> or a List<option>",
		"Use the <div> element":                                           "Use the <div> element",
		"The <ul>, <ol> and <li> elements.":                               "The <ul>, <ol> and <li> elements.",
		"A Box<T> and a Map<String, List<Object>>":                        "A Box<T> and a Map<String, List<Object>>",
		"1 < 2 and 3 > 2, a <b and so on":                                 "1 < 2 and 3 > 2, a <b and so on",
		"<Button> renders a button, <my-app> an app":                      "<Button> renders a button, <my-app> an app",
		"Query ?a=1&copy=2&lt in AT&T, R&D &unknown; x":                   "Query ?a=1&copy=2&lt in AT&T, R&D &unknown; x",
		"<": "<", "a </": "a </", "": "",
	} {
		if got := WithoutMarkup(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Each source of a description is read alike.
func TestDescriptions_OfEachSource_HaveNoMarkup(t *testing.T) {
	const raw, want = "<p>Learn tea &amp;amp; milk</p> today, as we do", "Learn tea & milk today, as we do"
	attr := html.EscapeString(raw)
	for _, head := range []string{
		"<meta name=description content='" + attr + "'>", "<meta property=og:description content='" + attr + "'>", "<meta itemprop=description content='" + attr + "'>",
		"<meta name=dc.description content='" + attr + "'>", "<meta name=twitter:description content='" + attr + "'>",
		`<script type="application/ld+json">{"@type":"WebPage","description":"` + raw + `"}</script>`, `<script type="application/ld+json">{"@type":"WebSite","description":"` + raw + `"}</script>`,
	} {
		p, err := Parse(context.Background(), []byte("<title>x</title>"+head), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Descriptions(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", head, got)
		}
	}
}
