package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt"
)

// one crawls a single page and returns it.
func one(t *testing.T, body string, o llmstxt.Options) llmstxt.Page {
	t.Helper()
	return crawl(t, &web{pages: map[string]answer{"http://docs.test/": html(body)}}, "http://docs.test/", o).Pages[0]
}

func TestExcerpt_EachKindOfPage_HasItsFirstParagraph(t *testing.T) {
	const first = "<p>The gadget turns water into tea, which many people like.</p>"
	for name, tt := range map[string]struct{ page, want string }{
		"first paragraph": {"<title>Gadget</title><h1>Gadget</h1>" + first + "<p>It also makes coffee for those who do not.</p>",
			"The gadget turns water into tea, which many people like.\n\nIt also makes coffee for those who do not."},
		"navigation is left out": {"<title>Gadget</title><nav><p>This is the way to the next page, and it is a sentence.</p></nav><h1>Gadget</h1>" + first +
			"<footer><p>This footer was written by nobody in particular at all.</p></footer>", "The gadget turns water into tea, which many people like."},
		"by role and by class": {"<title>Gadget</title><div role=navigation><p>Here is the navigation that nobody wants to read.</p></div>" +
			"<div class='side-bar sidebar'><p>Here is the side bar that nobody wants to read.</p></div><h1>Gadget</h1>" + first,
			"The gadget turns water into tea, which many people like."},
		"main wins": {"<title>Gadget</title><p>This paragraph stands before the main content and is long enough to be one.</p><main>" + first + "</main>",
			"The gadget turns water into tea, which many people like."},
		"description first": {"<title>Gadget</title><meta name=description content='All about the gadget, by those who made it.'><h1>Gadget</h1>" + first,
			"All about the gadget, by those who made it.\n\nThe gadget turns water into tea, which many people like."},
		"description repeats": {"<title>Gadget</title><meta name=description content='The gadget turns water into tea, which many people like.'><h1>Gadget</h1>" + first,
			"The gadget turns water into tea, which many people like."},
		"description was cut": {"<title>Gadget</title><meta name=description content='All about the gadget, by those who...'><h1>Gadget</h1>" + first,
			"The gadget turns water into tea, which many people like."},
		"Open Graph": {"<title>Gadget</title><meta property=og:description content='All about the gadget, by those who made it.'>",
			"All about the gadget, by those who made it."},
		"JSON-LD": {`<title>Gadget</title><script type="application/ld+json">{"@graph":[{"@type":"TechArticle","description":"All about the gadget, by those who made it."}]}</script>`,
			"All about the gadget, by those who made it."},
		"code is left out": {"<title>Gadget</title><h1>Gadget</h1>" + first + "<p>Switch it on like this:</p><pre>gadget --on</pre><p>Then wait for a minute or two.</p>",
			"The gadget turns water into tea, which many people like.\n\nThen wait for a minute or two."},
		"a list that is led to": {"<title>Gadget</title><h1>Gadget</h1><p>The gadget comes in two forms:</p><ul><li>One that stands on the table.</li><li>One that hangs on the wall.</li></ul>",
			"The gadget comes in two forms:\n- One that stands on the table.\n- One that hangs on the wall."},
		"a list of labels": {"<title>Gadget</title><h1>Gadget</h1><p>There is more about the gadget here:</p><ul><li><a href=/a>Use</a></li><li><a href=/b>Repair</a></li></ul>",
			"There is more about the gadget here: Use; Repair."},
		"headings only":   {"<title>Gadget</title><h1>Gadget</h1><h2>Use</h2><h2>Care</h2><h2>Repair</h2>", "Use; Care; Repair."},
		"links only":      {"<title>Gadget</title><h1>Gadget</h1><ul><li><a href=/a>Use</a><li><a href=/b>Care</a><li><a href=/c>Repair</a></ul>", "Use; Care; Repair."},
		"nothing":         {"<title>Gadget</title>", "Gadget."},
		"not even that":   {"<p>", "docs.test."},
		"signs":           {"<title>Gadget</title><h1>Gadget</h1><p># The gadget begins with a sign, which is odd.</p><p>> So does this paragraph of the page.</p>", "\\# The gadget begins with a sign, which is odd.\n\n\\> So does this paragraph of the page."},
		"entities":        {"<title>A &amp; B</title><h1>A</h1><p>Tom &amp; Jerry&nbsp;use &lt;b&gt; and caf&eacute; in one sentence.</p>", "Tom & Jerry use <b> and café in one sentence."},
		"permalink signs": {"<title>Gadget</title><h1>Gadget<a href=#x>¶</a></h1><p>The gadget<sup>[1]</sup> turns water into tea for us all.<a href=#p>¶</a></p>", "The gadget turns water into tea for us all."},
		"in no paragraph": {"<title>Gadget</title><h1>Gadget</h1><div>The gadget turns water into tea, which many like.<br>It does.</div>", "The gadget turns water into tea, which many like. It does."},
		"banner": {"<title>Gadget | Site</title><header><h1>Site</h1><p>The slogan of the site is here for all to see, and it is far longer than it ought to be.</p></header><p>The gadget turns water into tea, which many people like.</p>",
			"The slogan of the site is here for all to see, and it is far longer than it ought to be.\n\nThe gadget turns water into tea, which many people like."},
		"table of contents": {"<title>Gadget</title><main><h1>Gadget</h1><div class=toc><ul><li><a href=/a>Use</a><li><a href=/b>Care</a><li><a href=/c>Repair</a></ul></div></main>", "Use; Care; Repair."},
		"definitions": {"<title>Gadget</title><h1>Gadget</h1><dl><dt>tea</dt><dd>What the gadget makes of water and leaves.</dd><dt>pot</dt><dd>Where the tea is kept until it is drunk.</dd></dl>",
			"What the gadget makes of water and leaves.\n\nWhere the tea is kept until it is drunk."},
		"cells": {"<title>Gadget</title><h1>Gadget</h1><table><tr><th>Part<th>Use<tr><td>Lid<td>Keeps the steam where it belongs.<tr><td>Spout<td>Lets the tea out when it is ready.</table>",
			"Keeps the steam where it belongs.\n\nLets the tea out when it is ready."},
		"hidden":      {"<title>Gadget</title><h1>Gadget</h1><p hidden>This paragraph is hidden from everyone who looks.</p><p style='display: none'>This paragraph is hidden from everyone too.</p><p aria-hidden=true>And so is this paragraph, as far as one can hear.</p>" + first, "The gadget turns water into tea, which many people like."},
		"one command": {"<title>Gadget</title><h1>Gadget</h1><p><code>gadget --make tea --for two --with milk --and sugar.</code></p>" + first, "The gadget turns water into tea, which many people like."},
		"said twice":  {"<title>Gadget</title><h1>Gadget</h1>" + first + first, "The gadget turns water into tea, which many people like."},
		"too deep":    {"<title>Gadget</title><h1>Gadget</h1>" + strings.Repeat("<div>", 2000) + "The gadget turns water into tea, which many people like.", "Gadget The gadget turns water into tea, which many people like."},
		"Chinese":     {"<title>小工具</title><h1>小工具</h1><p>这个小工具可以把水变成茶，很多人都喜欢它，因为它非常方便实用。它也可以做咖啡。</p>", "这个小工具可以把水变成茶，很多人都喜欢它，因为它非常方便实用。它也可以做咖啡。"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := one(t, tt.page, llmstxt.Options{}).Excerpt; got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestExcerpt_Cut_EndsAtASentence(t *testing.T) {
	page := func(text string) string { return "<title>T</title><h1>Other</h1><p>" + text + "</p>" }
	for name, tt := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"sentence":      {"The first sentence is here. The second one is rather too long for it.", 60, "The first sentence is here."},
		"abbreviation":  {"Use e.g. the Smith method, cf. Dr. Smith and J. R. Jones et al. for it. The rest is silence, as they say.", 75, "Use e.g. the Smith method, cf. Dr. Smith and J. R. Jones et al. for it."},
		"version":       {"This is about version 3.14 of the program, see No. 5 of the list. And then there is more to it.", 70, "This is about version 3.14 of the program, see No. 5 of the list."},
		"word":          {"One sentence that never ends and goes on and on without any stop whatsoever until it is too long", 50, "One sentence that never ends and goes on and on…"},
		"question":      {"Is this the end of it? Nobody knows, and nobody will ever know either.", 50, "Is this the end of it?"},
		"closing quote": {"He said “this is the end of it.” Then he left the room without a word.", 50, "He said “this is the end of it.”"},
		"no spaces":     {strings.Repeat("長", 200), 50, strings.Repeat("長", 49) + "…"},
		"no half signs": {"A b c d " + strings.Repeat("e\u0301", 100), 50, "A b c d " + strings.Repeat("e\u0301", 20) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			p := one(t, page(tt.text), llmstxt.Options{DescLength: tt.limit})
			if p.Excerpt != tt.want {
				t.Errorf("got  %q\nwant %q", p.Excerpt, tt.want)
			}
			if n := utf8.RuneCountInString(p.Excerpt); n > tt.limit {
				t.Errorf("%d characters", n)
			}
		})
	}
}

// What stands on a fifth of the pages is not what a page is about.
func TestDescription_RepeatedText_IsLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range 20 {
		l := fmt.Sprintf("/page-%c", 'a'+i)
		links = append(links, l)
		body := fmt.Sprintf("<title>Page %c</title><h1>Page %c</h1><p>This documentation describes an old version of the program.</p>"+
			"<p>%s</p><p>Last updated on day %d by the documentation team of the project.</p>", 'A'+i, 'A'+i, story(i), i)
		w.pages["http://docs.test"+l] = html(body)
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	for i, p := range s.Pages[1:] {
		if want := story(i); p.Excerpt != want {
			t.Errorf("%s: %q, want %q", p.URL, p.Excerpt, want)
		}
	}
}

// story is a sentence that has no five words in a row with another.
func story(i int) string {
	return fmt.Sprintf("Tale%d of item%d and hero%d ends well%d for all%d in town%d.", i, i, i, i, i, i)
}

// Pages of a template differ in a word; they still have sentences.
func TestExcerpt_PagesOfATemplate_KeepTheirSentences(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range 20 {
		l := fmt.Sprintf("/page-%c", 'a'+i)
		links = append(links, l)
		w.pages["http://docs.test"+l] = html(fmt.Sprintf("<title>Page %c</title><h1>Page %c</h1><p>This page describes the function %c of the library in all detail.</p><p>It is the same library on all of these pages.</p>", 'A'+i, 'A'+i, 'A'+i))
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	for i, p := range s.Pages[1:] {
		if want := fmt.Sprintf("This page describes the function %c of the library in all detail.", 'A'+i); p.Excerpt != want {
			t.Errorf("%s: %q, want %q", p.URL, p.Excerpt, want)
		}
	}
}

func TestDescription_SharedByManyPages_IsLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	for _, p := range []string{"/", "/a", "/b"} {
		a := doc("Topic "+p, "/a", "/b")
		a.body = strings.Replace(a.body, "</head>", "<meta name=description content='The best site of all the sites there are.'></head>", 1)
		w.pages["http://docs.test"+p] = a
	}
	for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		if strings.Contains(p.Excerpt, "best site") {
			t.Errorf("%s: %q", p.URL, p.Excerpt)
		}
	}
}

func TestTitles_NameOfTheSite_IsLeftOut(t *testing.T) {
	for name, tt := range map[string]struct {
		titles []string // of /, /a, /b, /c
		h1     []string
		want   []string
		site   string
	}{
		"suffix":        {[]string{"Start — Foo docs", "A — Foo docs", "B - the letter — Foo docs", "C"}, nil, []string{"Start", "A", "B - the letter", "C"}, "Foo docs"},
		"prefix":        {[]string{"Foo: Guide", "Foo: A", "Foo: B", "Foo: C"}, nil, []string{"Guide", "A", "B", "C"}, "Foo"},
		"two levels":    {[]string{"Foo", "A | Guide | Foo", "B | Guide | Foo", "C | Guide | Foo"}, nil, []string{"Foo", "A", "B", "C"}, "Foo"},
		"none":          {[]string{"", "", "", ""}, []string{"Start here", "Alpha", "", ""}, []string{"Start here", "Alpha", "B", "C"}, "Start here"},
		"all the same":  {[]string{"Foo", "Foo", "Foo", "Foo"}, []string{"", "Alpha", "Beta", "Gamma"}, []string{"Foo", "Alpha", "Beta", "Gamma"}, "Foo"},
		"home":          {[]string{"Home | Foo", "A | Foo", "B | Foo", "C | Foo"}, nil, []string{"Home", "A", "B", "C"}, "Foo"},
		"no separators": {[]string{"Start", "A day in May", "A day in June", "A day in July"}, nil, []string{"Start", "A day in May", "A day in June", "A day in July"}, "Start"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{}}
			for i, p := range []string{"/", "/a", "/b", "/c"} {
				h1 := ""
				if tt.h1 != nil {
					h1 = tt.h1[i]
				}
				w.pages["http://docs.test"+p] = html(fmt.Sprintf("<title>%s</title><h1>%s</h1><p>Some text of page %s.<a href=/a>a</a><a href=/b>b</a><a href=/c>c</a>", tt.titles[i], h1, p))
			}
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
			var got []string
			for _, p := range s.Pages {
				got = append(got, p.Title)
			}
			if !slices.Equal(got, tt.want) || s.Title != tt.site {
				t.Errorf("site %q, pages %q; want %q, %q", s.Title, got, tt.site, tt.want)
			}
		})
	}
}

func TestSections_PathsOrMenus_NameThem(t *testing.T) {
	sections := func(s *llmstxt.CrawledSite) string {
		f, err := llmstxt.Parse(s.Render(llmstxt.Index), llmstxt.Index)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, sec := range f.Sections {
			var titles []string
			for _, e := range sec.Entries {
				titles = append(titles, e.Title)
			}
			out = append(out, sec.Name+": "+strings.Join(titles, ", "))
		}
		return strings.Join(out, "; ")
	}
	crumb := func(a answer, crumbs string) answer {
		a.body = strings.Replace(a.body, "<main>", "<nav class=breadcrumb><a href=/>Home</a> › "+crumbs+"</nav><main>", 1)
		return a
	}
	for name, tt := range map[string]struct {
		pages map[string]answer
		want  string
	}{
		"paths": {map[string]answer{"/": doc("Home", "/guide/", "/guide/a", "/api/", "/api/b", "/license"), "/guide/": doc("Guides", "/guide/a"), "/guide/a": doc("A"),
			"/api/": doc("Reference", "/api/b"), "/api/b": doc("B"), "/license": doc("Licence")},
			"Guides: Guides, A; Reference: Reference, B; Optional: Licence"},
		"flat": {map[string]answer{"/": doc("Home", "/a.html", "/b.html", "/changelog.html"), "/a.html": doc("A"), "/b.html": doc("B"), "/changelog.html": doc("Changes in 2.0")},
			"Pages: A, B; Optional: Changes in 2.0"},
		"breadcrumbs": {map[string]answer{"/": doc("Home", "/1", "/2", "/3", "/4", "/5"), "/1": crumb(doc("One"), "<a href=/x>Odd</a>"), "/2": crumb(doc("Two"), "<a>Even</a>"),
			"/3": crumb(doc("Three"), "<a>Odd</a>"), "/4": crumb(doc("Four"), "<a>Even</a> › <a>Deep</a>"), "/5": doc("Five")},
			"Odd: One, Three; Even: Two, Four; General: Five"},
		"navigation": {map[string]answer{"/": html(`<title>Home</title><h2>For users</h2><ul><li><a href=/1.html>1</a><li><a href=/2.html>2</a></ul>` +
			`<h2>For makers</h2><ul><li><a href=/3.html>3</a><li><a href=/4.html>4</a></ul><p>► For all &amp; none</p><ul><li><a href=/5.html>5</a><li><a href=/6.html>6</a></ul><a href=/7.html>7</a>`),
			"/1.html": doc("One"), "/2.html": doc("Two"), "/3.html": doc("Three"), "/4.html": doc("Four"), "/5.html": doc("Five"), "/6.html": doc("Six"), "/7.html": doc("Seven")},
			"For users: One, Two; For makers: Three, Four; For all & none: Five, Six; General: Seven"},
		"nested lists": {map[string]answer{"/": html(`<title>Home</title><h1>Contents</h1><ul><li><a href=/1.html>Basics</a><ul><li><a href=/2.html>2</a><li><a href=/3.html>3</a></ul>` +
			`<li><a href=/4.html>Details</a><ul><li><a href=/5.html>5</a><li><a href=/6.html>6</a></ul><li><a href=/7.html>Rest</a><ul><li><a href=/8.html>8</a><li><a href=/9.html>9</a></ul></ul>`),
			"/1.html": doc("Basics"), "/2.html": doc("Two"), "/3.html": doc("Three"), "/4.html": doc("Details"), "/5.html": doc("Five"), "/6.html": doc("Six"), "/7.html": doc("The rest"), "/8.html": doc("Eight"), "/9.html": doc("Nine")},
			"Basics: Basics, Two, Three; Details: Details, Five, Six; Rest: The rest, Eight, Nine"},
		"Optional is ours": {map[string]answer{"/": doc("Home", "/optional/a", "/optional/b", "/x/a", "/x/b"), "/optional/a": doc("A"), "/optional/b": doc("B"), "/x/a": doc("C"), "/x/b": doc("D")},
			"X: C, D; More pages: A, B"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{}}
			for k, v := range tt.pages {
				w.pages["http://docs.test"+k] = v
			}
			if got := sections(crawl(t, w, "http://docs.test/", llmstxt.Options{})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCrawl_Charsets_AreDecoded(t *testing.T) {
	const text = "<h1>Caf\xe9</h1><p>Un caf\xe9 cr\xe8me, s'il vous pla\xeet, et une part de tarte."
	for name, a := range map[string]answer{
		"header":          {header: map[string]string{"Content-Type": "text/html; charset=iso-8859-1"}, body: "<title>T</title>" + text},
		"meta":            {header: map[string]string{"Content-Type": "text/html"}, body: "<meta charset=windows-1252><title>T</title>" + text},
		"http-equiv":      {header: map[string]string{"Content-Type": "text/html"}, body: "<meta http-equiv=Content-Type content='text/html; charset=latin1'><title>T</title>" + text},
		"header is wrong": {header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "<meta charset=windows-1252><title>T</title>" + text},
		"mark":            {header: map[string]string{"Content-Type": "text/html"}, body: "\xff\xfe" + utf16("<title>T</title><h1>Café</h1><p>Un café crème, s'il vous plaît, et une part de tarte.")},
		"undeclared":      {header: map[string]string{"Content-Type": "text/html"}, body: "<title>T</title>" + strings.Repeat(" ", 2000) + "<h1>Café</h1><p>Un café crème, s'il vous plaît, et une part de tarte."},
	} {
		t.Run(name, func(t *testing.T) {
			p := crawl(t, &web{pages: map[string]answer{"http://docs.test/": a}}, "http://docs.test/", llmstxt.Options{}).Pages[0]
			if p.Excerpt != "Un café crème, s'il vous plaît, et une part de tarte." {
				t.Errorf("got %q", p.Excerpt)
			}
		})
	}
}

func utf16(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

func TestCrawl_Translations_AreNotFollowed(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":   html(`<html lang=en-GB><title>Home</title><p>Words of the home page.<a href=/de hreflang=de>Deutsch</a><a href=/en hreflang=en>English</a><a href=/a>A</a>`),
		"http://docs.test/de": doc("Deutsch"), "http://docs.test/en": doc("English"), "http://docs.test/a": doc("A"),
	}}
	if got := urls(crawl(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/", "/en", "/a"}) {
		t.Errorf("pages %v", got)
	}
}
