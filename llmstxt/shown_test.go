package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What of a page's words a reader sees as its text.

func TestExcerpt_TextThatALinkContinues_IsATeaser(t *testing.T) {
	for _, end := range []string{
		"&hellip; <a href=/tea>Continue reading</a>", "... <a href=/tea>Weiterlesen <span>Tea</span></a>", "[…] <a class=more-link href=/tea>続きを読む</a>", "…<a href=/tea>Read on</a>",
	} {
		p := one(t, "<title>Kettle Diaries – Notes on hot water for all</title><main><article><h2><a href=/tea>Tea</a></h2><p>Before the first use, rinse the vessel with two li"+end+
			"</p></article><article><h2><a href=/cup>Cup</a></h2><p>A cup is filled up to the line that the maker has scratched into"+end+"</p></article></main>", llmstxt.Options{})
		if p.Note != "Notes on hot water for all." {
			t.Errorf("%s: %q", end, p.Note)
		}
	}
}

func TestExcerpt_WordsForScreenReaders_AreLeftOut(t *testing.T) {
	for _, class := range []string{"sr-only", "visually-hidden", "heading screen-reader-text", "visibility-hidden"} {
		p := one(t, "<title>Help</title><main><h1 class="+class+">Kettle Help</h1><h2 class='"+class+"'>Categories of help</h2><p><span class='"+class+"'>Warning:</span> "+gadget+"</p></main>", llmstxt.Options{})
		if p.Excerpt != gadget {
			t.Errorf("%s: %q", class, p.Excerpt)
		}
		q := one(t, "<title>Help</title><main><h1 class='"+class+"'>Kettle Help</h1><h2 class='"+class+"'>Categories of help</h2><h2>Guides</h2><h2>Parts</h2></main>", llmstxt.Options{})
		if strings.Contains(q.Note, "Categories") || !strings.Contains(q.Note, "Guides; Parts") {
			t.Errorf("%s: note %q", class, q.Note)
		}
	}
}

func TestExcerpt_SpansOfACard_AreParted(t *testing.T) {
	p := one(t, "<title>Help</title><main><h1>Help</h1><ul><li><a href=/g><span class=t>Guides</span><span class=d>Answers to <b>what</b> people ask</span></a><li><a href=/p><span><b>Parts</b></span><span><i>Where</i> to buy them</span></a></ul></main>", llmstxt.Options{})
	if !strings.Contains(p.Note, "Guides Answers to what people ask") || !strings.Contains(p.Note, "Parts Where to buy them") {
		t.Errorf("%q", p.Note)
	}
	// A word, or a name in code, is one all the same.
	p = one(t, "<title>Tea</title><main><h1>Tea</h1><p><span>K</span><span>ettles</span> and <code><span>fill</span><span>Pot</span></code> make all the tea that there is in the house.</p></main>", llmstxt.Options{})
	if p.Excerpt != "Kettles and fillPot make all the tea that there is in the house." {
		t.Errorf("%q", p.Excerpt)
	}
}

func TestExcerpt_CodeOutsideOfPre_IsLeftOut(t *testing.T) {
	for _, code := range []string{
		"<div class=fragment><div class=line><span class=lineno>    4</span><span class=comment>// The kettle heats the water in a vessel of glass, and stops.</span></div></div>",
		"<p class=src><a id=v:f>makeTeaForAll</a> :: Monad m =&gt; Pot -&gt; m a, which is what the compiler says of it.</p>",
		"<div class=type-signature>public class Kettle extends Vessel implements Heatable and a few others.</div>",
		"<table><tr><td class=memItemLeft>enum &#160;<td class=memItemRight>{ HORIZONTAL = 1, VERTICAL = 2, which Is Long Enough To Be A Sentence, Or So It Seems. }</table>",
	} {
		for _, prose := range []string{"<p>" + gadget + "</p>", ""} {
			p := one(t, "<title>kettle.h</title><main><h1>kettle.h</h1>"+code+prose+"</main>", llmstxt.Options{})
			if want := map[bool]string{true: "kettle.h.", false: gadget}[prose == ""]; p.Excerpt != want && p.Excerpt != strings.TrimSuffix(want, ".") {
				t.Errorf("%s: %q", code, p.Excerpt)
			}
		}
	}
	if p := one(t, "<title>Slides</title><main><h1>Slides</h1><div class=fragment><p>"+gadget+"</p></div></main>", llmstxt.Options{}); p.Excerpt != gadget {
		t.Errorf("a slide: %q", p.Excerpt)
	}
}

func TestNote_NamesOfColumns_AreLeftOut(t *testing.T) {
	p := one(t, "<title>Kettle Forum</title><main><table><thead><tr><th>Topic<th>Replies<th>Activity</thead><tbody><tr><td><a href=/t/1>Which kettle is best?</a><td>3<td>May 1</tbody></table></main>", llmstxt.Options{})
	if strings.Contains(p.Note, "Replies") || !strings.Contains(p.Note, "Which kettle is best?") {
		t.Errorf("%q", p.Note)
	}
	// A row that has a name before its cells is not one of names.
	p = one(t, "<title>Kettle</title><main><table><tr><th>Colours<td><a href=/c>red</a><tr><th>Sizes<td>two</table></main>", llmstxt.Options{})
	if !strings.Contains(p.Note, "Colours; Sizes") {
		t.Errorf("%q", p.Note)
	}
}

func TestSummary_LineBelowTheName_BeforeSlogansOfCards(t *testing.T) {
	hero := func(line string) string {
		return "<title>Kettle Kit</title><main><h1><span>Kettle Kit</span></h1>" + line + "<div class=actions><a href=/g>Get started</a></div><article><h2>Fast</h2><p>Boils a litre in one minute.</p></article></main>"
	}
	for line, want := range map[string]string{
		"<p class=tagline>The toolkit for people who take tea seriously</p>": "The toolkit for people who take tea seriously.",
		"<p class=tagline>Tea</p>": "Boils a litre in one minute.",
		"<p><a href=/n>The toolkit for people who take tea seriously is now out</a></p>": "Boils a litre in one minute.",
		"<p>Version: 2.1</p>": "Boils a litre in one minute.",
	} {
		if p := one(t, hero(line), llmstxt.Options{}); p.Note != want {
			t.Errorf("%s: %q", line, p.Note)
		}
	}
}

func TestCrawl_PagesOfAWikiForItself_AreOptionalAndItsListsNone(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := section(w, "wiki", 4)
	for _, p := range []string{"/wiki/Kettle_Wiki:Privacy_policy", "/wiki/Kettle_Wiki:General_disclaimer"} {
		w.pages["http://docs.test"+p] = doc(strings.ReplaceAll(p[6:], "_", " "))
		links = append(links, p)
	}
	for _, p := range []string{"Category:Pots", "Kategorie:Kannen", "Cat%C3%A9gorie:Tasses"} {
		w.pages["http://docs.test/wiki/"+p] = html("<title>" + p + " - Kettle Wiki</title><main><h1>" + p + "</h1><p>The following 2 pages are in this category.</p><ul><li><a href=/wiki/only-" + p[len(p)-3:] + ">x</a></ul></main>")
		w.pages["http://docs.test/wiki/only-"+p[len(p)-3:]] = doc("Only in " + p[len(p)-3:])
		links = append(links, "/wiki/"+p)
	}
	w.pages["http://docs.test/"] = doc("Kettle Wiki", links...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	for _, p := range s.Pages[1:] {
		if special := strings.Contains(p.URL, "Kettle_Wiki:"); p.Secondary != special {
			t.Errorf("%s: secondary %t", p.URL, p.Secondary)
		}
	}
	if len(s.Pages) != 10 || s.Stats.Skipped[llmstxt.SkipTool] != 3 {
		t.Errorf("%d pages, %v", len(s.Pages), s.Stats.Skipped)
	}
}

func TestExcerpt_HeadingOfThePageInAHeader_BeginsTheText(t *testing.T) {
	for _, text := range []string{"<div><span>" + gadget + "</span></div>", "<div>" + gadget + "</div>", "<p>" + gadget + "</p>"} {
		p := one(t, "<title>Introduction - Kettle API</title><div><header id=header><div>Get Started</div><h1>Introduction</h1></header><div class=prose>"+text+
			"<h2>Setting up</h2><a href=/x><h2>Edit</h2><div><span>Edit it where you are</span></div></a></div></div>", llmstxt.Options{})
		if p.Note != gadget {
			t.Errorf("%s: %q", text, p.Note)
		}
	}
}

func TestNote_HeadingThatSaysOnlyWhatAListIs_IsLeftOut(t *testing.T) {
	for _, heading := range []string{"Table of contents", "On this page", "Inhaltsverzeichnis", "目次"} {
		p := one(t, "<title>Guides</title><main><h1>Guides</h1><h2>"+heading+"</h2><ul><li><a href=/a>Boiling</a><li><a href=/b>Pouring</a></ul></main>", llmstxt.Options{})
		if p.Note != "Boiling; Pouring." {
			t.Errorf("%q", p.Note)
		}
	}
}

func TestNote_WordsThatFewOthersLack_AreBetterThanTheTitle(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	for i := range 8 {
		l := "/" + word(i)
		all = append(all, l)
		w.pages["http://docs.test"+l] = doc("Chapter " + word(i))
		if i < 3 {
			w.pages["http://docs.test"+l] = html("<title>Long Description</title><body><pre>The mines of the kettle and all of its menus:\n\n" + strings.Repeat("+--|", i+9) + "\n</pre>")
		}
	}
	w.pages["http://docs.test/"] = doc("Kettle", all...)
	for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:4] {
		if !strings.HasPrefix(p.Note, "The mines of the kettle") {
			t.Errorf("%s: %q", p.URL, p.Note)
		}
	}
}

func TestExcerpt_NoticesOfCookiesAndBrowsers_AreNoProse(t *testing.T) {
	for _, notice := range []string{
		"We and our 812 partners store and/or access information on a device, such as cookies, and process personal data.",
		"This website uses cookies to ensure you get the best experience on our website.",
		"By clicking “Accept All Cookies”, you agree to the storing of cookies on your device to enhance site navigation.",
		"Wir verwenden Cookies, um Inhalte und Anzeigen zu personalisieren und die Zugriffe auf unsere Website zu analysieren.",
		"Nous utilisons des cookies pour vous offrir la meilleure expérience possible sur notre site.",
		"Utilizamos cookies propias y de terceros para mejorar nuestros servicios y mostrarle publicidad.",
		"You are using an outdated browser. Please upgrade your browser to improve your experience and security.",
		"Please enable JavaScript in your browser to use all features of this website.",
	} {
		p := one(t, "<title>Kettle</title><main><section><p>"+notice+"</p></section><h1>Kettle</h1><p>"+gadget+"</p></main>", llmstxt.Options{})
		if p.Excerpt != gadget || p.Note != gadget {
			t.Errorf("%s: %q, note %q", notice, p.Excerpt, p.Note)
		}
		// On a page with nothing else they are what it says.
		if p := one(t, "<title>Kettle</title><main><h1>Kettle</h1><p>"+notice+"</p></main>", llmstxt.Options{}); p.Excerpt == "" {
			t.Errorf("%s alone: nothing", notice)
		}
	}
	about := "A cookie is a small text that a site has the browser keep, and this chapter shows how the kettle reads one."
	if p := one(t, "<title>Cookies</title><main><h1>Cookies</h1><p>"+about+"</p></main>", llmstxt.Options{}); p.Excerpt != about {
		t.Errorf("%q", p.Excerpt)
	}
}
