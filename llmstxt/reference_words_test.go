package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
)

// What a reference says of a thing first is the page's note, however short it is.
func TestNote_ShortSentenceBelowTheHeading_IsTaken(t *testing.T) {
	const later = "<h2>boil</h2><p>Boils the water in the kettle and waits until it is hot.</p>"
	for name, c := range map[string][2]string{
		"docstring":        {"<h1>Kettle</h1><p>A kettle with a lid.</p>" + later, "A kettle with a lid."},
		"behind a heading": {"<h1>Kettle</h1><h2>tea ~ Kettle</h2><div class=text><p>Holds hot <a href=/w>water</a>.</p></div>" + later, "Holds hot water."},
		"behind code":      {"<h1>Kettle</h1><pre>class Kettle</pre><p>Holds hot water.</p>" + later, "Holds hot water."},
		"alone":            {"<h1>Kettle</h1><p>Holds hot water.</p><h2>Methods</h2><h2>Fields</h2>", "Holds hot water."},
		"not a sentence":   {"<h1>Kettle</h1><p>Since version 2</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a name":           {"<h1>Kettle</h1><p>Kettle.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a datum":          {"<h1>Kettle</h1><p>Since: version 2.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a link":           {"<h1>Kettle</h1><p>See <a href=/w>the other kettle</a>.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"further down":     {"<h1>Kettle</h1><ul><li>boil</ul><p>Holds hot water.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a reader":         {"<h1>Kettle</h1><p>Let’s boil some.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"another page":     {"<h1>Kettle</h1><p>See this <a href=/w>page</a>.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a kind of page":   {"<h1>Kettle</h1><p>A detailed guide.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a version":        {"<h1>Kettle</h1><p>New in version two.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"a time":           {"<h1>Kettle</h1><p>Takes 5 minutes.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"seen":             {"<h1>Kettle</h1><p>Seen by guides.</p>" + later, "Seen by guides."},
		"no heading":       {"<p>Holds hot water.</p>" + later, "Boils the water in the kettle and waits until it is hot."},
		"its lists":        {"<h1>Kettle</h1><p>Holds hot water.</p><ul><li>kettle.js<li>EventEmitter</ul>", "Holds hot water."},
	} {
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>", [3]string{"kettle", "Kettle", c[0]})
		p := pageAt(t, s, "kettle")
		if p.Note != c[1] {
			t.Errorf("%s: %q, want %q", name, p.Note, c[1])
		}
		if name == "its lists" && p.Excerpt != c[1] {
			t.Errorf("%s: %q", name, p.Excerpt)
		}
	}
}

// Links to the pages before and behind, whose words stand on lines of their own, are no words of a page.
func TestExcerpt_LinksToNeighbours_AreNoText(t *testing.T) {
	for name, around := range map[string]string{
		"area":  "<div class=prev-next-area><a class=left-prev href=/%s><div><p class=subtitle>previous</p><p class=title>Glossary of pots</p></div></a><a class=right-next href=/b><div><p>next</p><p>Contributing to pots</p></div></a></div>",
		"links": "<div><a class=left-prev href=/%s><div><p>previous</p><p>Glossary of pots</p></div></a><a class=right-next href=/b><div><p>next</p><p>Contributing to pots</p></div></a></div>",
		"class": "<div class=prev-next-area><a href=/%s><div><p>previous</p><p>Glossary of pots</p></div></a><a href=/b><div><p>next</p><p>Contributing to pots</p></div></a></div>",
		"rel":   "<div><a rel=prev href=/%s><div><p>previous</p><p>Glossary of pots</p></div></a><a rel=next href=/b><div><p>next</p><p>Contributing to pots</p></div></a></div>",
	} {
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>",
			[3]string{"changes", "Changes", "<main><h1>Changes</h1><h2>2.1.0</h2><ul><li>Faster boiling</ul>" + fmt.Sprintf(around, "a") + "</main>"})
		if p := pageAt(t, s, "changes"); strings.Contains(p.Note, "previous") || !strings.Contains(p.Note, "Faster boiling") {
			t.Errorf("%s: %q", name, p.Note)
		}
	}
}

// "index.en.html" stands for its folder, "index.Kettle.html" does not.
func TestSections_FilesThatBeginWithIndex_NameTheirFolder(t *testing.T) {
	lang := map[string]string{"index.is.html": "en", "index.of_x.html": "en", "index.job.html": "en-US", "index.EN.html": "en-US", "index.en_GB.html": "en"}
	for file, named := range map[string]bool{"index.html": true, "index.en.html": true, "index.pt-br.html": true, "index.Kettle.html": false, "index.boil.html": false,
		"index.job.html": false, "index.map.html": false, "index.is.html": false, "index.of_x.html": false, "index.EN.html": true, "index.en_GB.html": true} {
		var pages [][3]string
		for _, p := range []string{"kinds/" + file, "kinds/Pot.html", "kinds/Pan.html", "calls/index.wash.html", "calls/dry.html", "calls/heat.html"} {
			title := strings.TrimSuffix(p[strings.LastIndexByte(p, '/')+1:], ".html")
			if p == "kinds/"+file {
				title = "Sorts of things"
			}
			pages = append(pages, [3]string{p, title, "<meta http-equiv=content-language content=" + lang[file] + "><h1>" + title + "</h1><p>" + title + " is a thing that every good kitchen has in it.</p>"})
		}
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>", pages...)
		want := "Kinds"
		if named {
			want = "Sorts of things"
		}
		if p := pageAt(t, s, "kinds/Pan.html"); p.Section != want {
			t.Errorf("%s: %q, want %q", file, p.Section, want)
		}
		if p := pageAt(t, s, "calls/dry.html"); p.Section != "Calls" {
			t.Errorf("%s: %q, want Calls", file, p.Section)
		}
	}
}

// A directory has the name of the list in the base page's navigation that holds its pages, and no other.
func TestSections_ListOfADirectory_NamesIt(t *testing.T) {
	list := func(name string, pages ...string) string {
		s := "<li><a href=/" + pages[0] + ">" + name + "</a><label>" + name + "</label><nav><label>" + name + "</label><ul>"
		for _, p := range pages {
			s += "<li><a href=/" + p + ">" + p + "</a>"
		}
		return s + "</ul></nav>"
	}
	for name, c := range map[string][2]string{
		"its pages":      {list("Tea and pots", "tea/a", "tea/b", "tea/c") + list("Reference", "ref/cli", "ref/conf", "ref/env"), "Tea and pots, Reference"},
		"half of them":   {list("Tea and pots", "tea/a", "tea/b") + list("Reference", "ref/cli", "ref/conf", "ref/env"), "All of tea, Reference"},
		"some of any":    {list("Popular posts", "tea/a", "tea/b", "tea/c") + list("What’s new", "ref/cli", "ref/conf", "ref/env") + list("Other", "tea/index.html", "ref/cli"), "All of tea, Ref"},
		"others as well": {list("Tea and pots", "tea/a", "tea/b", "ref/cli") + list("Reference", "ref/conf", "ref/env"), "All of tea, Reference"},
	} {
		home := "<title>Kettle</title><nav aria-label=Navigation><ul>" + c[0] + "</ul></nav><main><h1>Kettle</h1><p>" + gadget + "</p></main>"
		var pages [][3]string
		for i, p := range []string{"tea/index.html", "tea/a", "tea/b", "tea/c", "ref/cli", "ref/conf", "ref/env"} {
			title := "Topic " + word(7*i+3)
			if p == "tea/index.html" {
				title = "All of tea"
			}
			pages = append(pages, [3]string{p, title, "<main><h1>" + title + "</h1><p>" + title + " is a thing that every good kitchen has in it.</p></main>"})
		}
		s := potSite(t, home, pages...)
		if got := pageAt(t, s, "tea/c").Section + ", " + pageAt(t, s, "ref/env").Section; got != c[1] {
			t.Errorf("%s: %s, want %s", name, got, c[1])
		}
	}
}
