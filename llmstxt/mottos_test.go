package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// TestExcerpt_Mottos_AreNotDescriptions: what somebody has said stands above many texts.
func TestExcerpt_Mottos_AreNotDescriptions(t *testing.T) {
	const text = "The pot boils water by itself and says when it has done so."
	for _, motto := range []string{
		`<p>"Complexity" seems to be a lot like "energy": you can move it around, but it stays about the same. -- Ada`,
		`<blockquote><p>“The road to tea is paved with good intentions.”</blockquote>`,
		`<p>"Tea with this pot is like the thrilling embrace of an exotic friend." <a href="http://other.test/">Max Poe</a></p>`,
		`<p>„Der Mensch ist doch ein Teetrinker, und das ist gut so.“ — Ada von Doe</p>`,
		`<p>« Le thé est une affaire de patience et de bonne eau. » (Eve Roe)</p>`,
		`<p>「急がば回れというのはお茶のことである。」</p>`,
	} {
		p := one(t, "<title>Pots</title><main><h1>Pots</h1>"+motto+"<p>"+text+"</main>", llmstxt.Options{})
		if p.Excerpt != text {
			t.Errorf("%s: %q", motto, p.Excerpt)
		}
	}
	// A page may be one, and sentences may have quotations in them.
	for _, own := range []string{
		`"Boil" and "steep" are words that this page explains, one by one.`,
		`"Boil" is what water does when it is hot enough, says Ada.`,
		`The pot has a lid — Most pots have one.`,
		`It prints "a long text of many words".`,
	} {
		p := one(t, "<title>Pots</title><main><h1>Pots</h1><p>"+own+"<p>"+text+"</main>", llmstxt.Options{})
		if !strings.HasPrefix(p.Excerpt, own) {
			t.Errorf("%s: %q", own, p.Excerpt)
		}
	}
	const alone = `“The road to tea is paved with good intentions.”`
	if p := one(t, "<title>Pots</title><main><h1>Pots</h1><p>"+alone+"</main>", llmstxt.Options{}); p.Excerpt != alone {
		t.Errorf("%q", p.Excerpt)
	}
}

// TestHome_Summary_SaysWhatTheSiteIs: where the base page says it, if not at first.
func TestHome_Summary_SaysWhatTheSiteIs(t *testing.T) {
	for _, c := range []struct{ title, body, want string }{
		{"Kettle Documentation", "<p>Quick start: watch a film of the installation and of the first use at film.test.</p><h2>What is KettleWare?</h2><p>KettleWare (short: Kettle) is a program that boils water. It needs a pot.</p>", "KettleWare (short: Kettle) is a program that boils water. It needs a pot."},
		{"Kettle 2.1", "<p>Download the latest version from the list of all our versions.</p><p>Kettle is a program that boils water.</p>", "Kettle is a program that boils water."},
		{"Kettle-Handbuch", "<p>Hier steht zuerst, wie man die neue Ausgabe bekommt und einbaut.</p><p>Das Kettle ist alt.</p>", "Hier steht zuerst, wie man die neue Ausgabe bekommt und einbaut."},
		{"Kettle", "<p>Kettle is a pot with a plug, for tea and for coffee.</p><p>Kettle is a word of five letters and more.</p>", "Kettle is a pot with a plug, for tea and for coffee."},
		{"Kettle", "<p>Boil water for tea and for coffee with a plug in the wall.</p><p>A pan is a pot that is flat, and Kettle is a pot that is high.</p>", "Boil water for tea and for coffee with a plug in the wall."},
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":  html("<html lang=en><title>" + c.title + "</title><nav><a href=/a>A</a> <a href=/b>B</a></nav><main><h1>" + c.title + "</h1>" + c.body + "</main>"),
			"http://docs.test/a": doc("Lids"), "http://docs.test/b": doc("Handles"),
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if !strings.Contains(s.Render(llmstxt.Index), "\n> "+c.want+"\n") {
			t.Errorf("%s: not %q:\n%.300s", c.title, c.want, s.Render(llmstxt.Index))
		}
	}
}

// TestHome_Title_OfGenerators_NamesTheSite: a title that stands twice in the base page's, and
// a base page with nothing but a heading of the second level.
func TestHome_Title_OfGenerators_NamesTheSite(t *testing.T) {
	for _, c := range []struct{ title, of, body, want string }{
		{"Tea: All of It: Tea: All of It", "%s: Tea: All of It", "<h1>Tea</h1>", "Tea: All of It"},
		{"index", "%s (pots.%s)", "<h2>Pots of all kinds</h2><ol><li><a href=/a>pots</a></ol>", "Pots of all kinds"},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<html lang=en><title>" + c.title + "</title><main>" + c.body + "<ul><li><a href=/lid>Lids</a><li><a href=/plug>Plugs</a><li><a href=/water>Water</a></ul></main>")}}
		for _, name := range []string{"lid", "plug", "water", "a"} {
			w.pages["http://docs.test/"+name] = html("<html lang=en><title>" + strings.ReplaceAll(c.of, "%s", name) + "</title><main><h1>" + name + "</h1><p>What is to be said of the " + name + " stands here in a sentence.</p></main>")
		}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if !strings.HasPrefix(s.Render(llmstxt.Index), "# "+c.want+"\n") {
			t.Errorf("%s:\n%.300s", c.title, s.Render(llmstxt.Index))
		}
		if strings.Contains(s.Render(llmstxt.Index), c.want+": "+c.want) {
			t.Errorf("the summary says its name twice:\n%.300s", s.Render(llmstxt.Index))
		}
	}
}

// TestIndex_IndexOfSomething_IsOptional: as DocBook's tools write one for each version.
func TestIndex_IndexOfSomething_IsOptional(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":        doc("Kettle", "/lids", "/new-1.2", "/finance"),
		"http://docs.test/lids":    doc("Lids"),
		"http://docs.test/new-1.2": html("<html lang=en><title>Index of new symbols in 1.2</title><main><h1>Index of new symbols in 1.2</h1><dl><dt>lid_open, <a href=/lids#o>lid_open ()</a><dt>lid_shut, <a href=/lids#s>lid_shut ()</a></dl></main>"),
		"http://docs.test/finance": html("<html lang=en><title>Index of prices</title><main><h1>Index of prices</h1><p>The index of prices tells what tea costs in each year.</main>"),
	}}
	text := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Render(llmstxt.Index)
	_, optional, _ := strings.Cut(text, "\n## Optional\n")
	if !strings.Contains(optional, "new symbols") || strings.Contains(optional, "Index of prices") {
		t.Errorf("\n%s", text)
	}
}

// TestHome_HeadingInAParagraph_IsNoSummary: it is made of words that name no page.
func TestHome_HeadingInAParagraph_IsNoSummary(t *testing.T) {
	for _, said := range []string{"Documentation Table of Contents", "Kettle Documentation Index.", "Table of contents: Overview"} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":  html("<html lang=en><title>Kettle</title><main><h1>Kettle</h1><p>" + said + "</p><ul><li><a href=/a>The readme file</a><li><a href=/b>How to use it</a></ul></main>"),
			"http://docs.test/a": html("<html lang=en><title>The readme file</title><main><h1>The readme file</h1><p>Kettle is a program that boils water.</main>"),
			"http://docs.test/b": doc("How to use it"),
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if !strings.Contains(s.Render(llmstxt.Index), "\n> Kettle is a program that boils water.\n") {
			t.Errorf("%s:\n%.300s", said, s.Render(llmstxt.Index))
		}
	}
}
