package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// potSite has a home page and pages of titles and bodies, by address.
func potSite(t *testing.T, home string, pages ...[3]string) *llmstxt.CrawledSite {
	t.Helper()
	w := &web{pages: map[string]answer{}}
	var links strings.Builder
	for _, p := range pages {
		title := ""
		if p[1] != "" {
			title = "<title>" + p[1] + "</title>"
		}
		w.pages["http://docs.test/"+p[0]] = html(title + p[2])
		fmt.Fprintf(&links, "<li><a href=/%s>%s</a>", p[0], p[0])
	}
	w.pages["http://docs.test/"] = html(home + "<ul>" + links.String() + "</ul>")
	return crawl(t, w, "http://docs.test/", llmstxt.Options{})
}

func pageAt(t *testing.T, s *llmstxt.CrawledSite, path string) llmstxt.Page {
	t.Helper()
	for _, p := range s.Pages {
		if p.URL == "http://docs.test/"+path {
			return p
		}
	}
	t.Fatalf("%s is not in the file", path)
	return llmstxt.Page{}
}

func TestTitle_NameInBracketsOfTheSite_KeepsItsBrackets(t *testing.T) {
	var pages [][3]string
	for _, l := range []string{"A", "B", "C", "D"} {
		pages = append(pages, [3]string{"doc-index-" + l + ".html", "pot-1.2: Pots of clay (Index - " + l + ")", "<h1>Index - " + l + "</h1><p>Where all the names with " + l + " are.</p>"})
	}
	s := potSite(t, "<title>pot-1.2: Pots of clay</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>", pages...)
	for _, l := range []string{"A", "D"} {
		if p := pageAt(t, s, "doc-index-"+l+".html"); p.Title != "Index - "+l || !p.Secondary {
			t.Errorf("%q, secondary %t", p.Title, p.Secondary)
		}
	}
}

func TestSecondary_ListsOfNamesAndSources_AreOptional(t *testing.T) {
	const prose = "<p>A pot is made of clay, on a wheel and in an oven.</p>"
	s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>",
		[3]string{"lid.html", "Lid", "<h1>Lid</h1><p>The lid keeps the steam where it belongs.</p>"},
		[3]string{"Verbs-Index.html", "Verbs Index", "<h1>Verbs Index</h1><h2>B</h2><a href=/lid.html#b>boil</a><h2>C</h2><a href=/lid.html#c>cover</a> <a href=/lid.html#d>cool</a>"},
		[3]string{"the-index.html", "How to read an index", "<h1>How to read an index</h1><p>Begin at its end, where the names with Z are.</p>"},
		[3]string{"class-use/Lid.html", "Uses of Class Lid", "<h1>Uses of Class Lid</h1>" + prose},
		[3]string{"classpot-members.html", "Member List", "<h1>Member List</h1><p>This is the list of the members of the pot.</p>"},
		[3]string{"classlid-members.html", "The Lid Member List", "<h1>The Lid Member List</h1><p>This is the list of the members of the lid.</p>"},
		[3]string{"package-use.html", "Uses of Package pot", "<h1>Uses of Package pot</h1><p>No other package uses the pot.</p>"},
		[3]string{"src-html/Lid.html", "Source code", "<pre>001 class Lid { }\n002</pre>"},
		[3]string{"src/Lid.html", "", "<pre>{-# SAFE #-}\n\nmodule Lid where\n\nboil = id\n\ncover = const\n</pre>"},
		[3]string{"src/guide.html", "The source of clay", "<h1>The source of clay</h1><p>Clay comes from the bank of the river.</p>"},
		[3]string{"file.LICENSE.html", "File: LICENSE", "<h1>Licence</h1><p>Whoever has the pot may lend it to friends.</p>"},
		[3]string{"file.Start.html", "File: Start", "<h1>Start</h1><p>Wash the pot before you use it for the first time.</p>"})
	for path, secondary := range map[string]bool{"lid.html": false, "Verbs-Index.html": true, "the-index.html": false, "class-use/Lid.html": true, "package-use.html": true, "classpot-members.html": true,
		"classlid-members.html": true,
		"src-html/Lid.html":     true, "src/Lid.html": true, "src/guide.html": false, "file.LICENSE.html": true, "file.Start.html": false} {
		if p := pageAt(t, s, path); p.Secondary != secondary {
			t.Errorf("%s: secondary %t", path, p.Secondary)
		}
	}
	if p := pageAt(t, s, "src/Lid.html"); p.Title != "Lid (src)" || p.Note != "Lid." {
		t.Errorf("the source is called %q", p.Title)
	}
	if p := pageAt(t, s, "Verbs-Index.html"); strings.HasPrefix(p.Note, "B;") || !strings.Contains(p.Note, "cover") {
		t.Errorf("the index has the note %q", p.Note)
	}
}

func TestTitle_NameOfAFile_IsNotTheSites(t *testing.T) {
	lid := [3]string{"lid.html", "Lid", "<h1>Lid</h1><p>The lid keeps the steam where it belongs.</p>"}
	for title, want := range map[string]string{"index.rst": "Pots of clay", "README.md": "Pots of clay", "Index.html": "Pots of clay", "Main Page documentation": "Pots of clay", "pot.js": "pot.js", "kettle.md": "kettle.md"} {
		if s := potSite(t, "<title>"+title+"</title><h1>Pots of clay</h1><p>Pots of clay hold water and soup.</p>", lid); s.Title != want {
			t.Errorf("%s: the site is called %q", title, s.Title)
		}
	}
}

func TestNote_ListOfFiles_IsNotProse(t *testing.T) {
	s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>",
		[3]string{"lid.html", "Lid", "<h1>Lid</h1><p>lib/pot/lid.rb, lib/pot/lid/handle.rb, lib/pot/lid/rim.rb, lib/pot/lid/vent.rb, lib/pot/steam.rb.</p><h2>Steam</h2><h2>Vent</h2>"},
		[3]string{"rim.html", "Rim", "<h1>Rim</h1><p>The rim stands in lib/pot/rim.rb and holds the lid.</p>"})
	if p := pageAt(t, s, "lid.html"); p.Note != "Steam; Vent." {
		t.Errorf("the note is %q", p.Note)
	}
	if p := pageAt(t, s, "rim.html"); p.Note != "The rim stands in lib/pot/rim.rb and holds the lid." {
		t.Errorf("the note is %q", p.Note)
	}
}

func TestTitle_GeneratorsOwn_IsTheNameInMostTitles(t *testing.T) {
	home := "<title>RDoc Documentation</title><main><p>This is the API documentation for RDoc Documentation.</p></main>"
	var pages [][3]string
	for _, n := range []string{"Lid", "Rim", "Spout", "Handle"} {
		pages = append(pages, [3]string{"Pot/" + n + ".html", "class Pot::" + n + " - RDoc Documentation", "<h1>class Pot::" + n + "</h1><p>The " + n + " is a part of every pot.</p>"})
	}
	s := potSite(t, home, append(pages, [3]string{"Array.html", "class Array - RDoc Documentation", "<h1>class Array</h1><p>An array of pots can be sorted by size.</p>"})...)
	if s.Title != "Pot" || strings.Contains(s.Summary, "RDoc") || !strings.HasPrefix(s.Summary, "Pot: ") {
		t.Errorf("%q: %q", s.Title, s.Summary)
	}
	two := potSite(t, home, pages[0], pages[1], [3]string{"Array.html", "class Array - RDoc Documentation", "<h1>class Array</h1><p>An array of pots can be sorted by size.</p>"})
	if two.Title != "Pot" {
		t.Errorf("of two in three: %q", two.Title)
	}
	few := potSite(t, home, pages[0], [3]string{"Array.html", "class Array - RDoc Documentation", "<h1>class Array</h1><p>An array of pots can be sorted by size.</p>"})
	if few.Title != "RDoc Documentation" {
		t.Errorf("%q", few.Title)
	}
}

// A site whose base page has neither title nor heading has the name that its modules' names begin with.
func TestTitle_BasePageWithoutTitle_IsTheNameOfItsModules(t *testing.T) {
	module := func(name string) [3]string {
		return [3]string{name + ".html", name, "<h1>Module " + name + "</h1><p>Here is what " + name + " does with clay.</p>"}
	}
	for want, names := range map[string][]string{
		"Kettle":       {"Kettle", "Kettle.Lid", "Kettle_rim", "Kettle2.Spout", "Array"},
		"Pot":          {"Pot.Lid", "Pot.Rim", "Pot_handle", "PotLid"},
		"org.acme.tea": {"org.acme.tea.pots", "org.acme.tea.lids", "org.acme.tea"},
		"docs.test":    {"Bowl", "Cup", "Jug", "Mug"},
	} {
		var pages [][3]string
		for _, name := range names {
			pages = append(pages, module(name))
		}
		if s := potSite(t, "", pages...); s.Title != want {
			t.Errorf("%v: %q, want %q", names, s.Title, want)
		}
	}
	var most [][3]string
	for i := range 20 {
		most = append(most, module("com.acme."+word(i)))
	}
	if s := potSite(t, "<title>Overview</title>", append(most, module("apple.sample"))...); s.Title != "com.acme" {
		t.Errorf("beside another package: %q", s.Title)
	}
}

// What a page says of its own making says nothing of what it is about.
func TestSummary_Colophon_IsNotTaken(t *testing.T) {
	lid := [3]string{"lid.html", "About the lid", "<h1>About the lid</h1><p>The lid keeps the steam where it belongs.</p>"}
	const about = "<h1>Kettles</h1>"
	for said, taken := range map[string]bool{
		"This document was translated from LaTeX by <a href=http://a.test>HEVEA and HACHA</a>.":                      false,
		"This manual was generated by Ada Doe on March, 22 2010 using <i>texi2html</i> 1.78.":                        false,
		"The page itself has been generated with Doxygen 1.9.4.":                                                     false,
		"Generated for Kettle by doxygen 1.8.20.":                                                                    false,
		"This document was generated using the LaTeX2HTML translator Version 2002.":                                  false,
		"This document was written by hand and explains how a kettle is made.":                                       true,
		"Generated by Sphinx and by hand, these pages are about the kettle and all that is in it.":                   true,
		"This document was generated from the kettle's own words, with no generator but a pen.":                      true,
		"Kettle reads what was generated by doxygen 1.9.":                                                            true,
		"This manual was produced by the people who make kettles with asciidoctor and its many friends in the town.": true,
	} {
		s := potSite(t, "<title>Kettles</title>"+about+"<p>"+said+"</p>", lid)
		if got := strings.Contains(s.Summary, plainWords(said)); got != taken {
			t.Errorf("%q: the summary is %q", said, s.Summary)
		}
	}
}

// plainWords are the first words of a text.
func plainWords(s string) string {
	s, _, _ = strings.Cut(s, "<")
	return strings.TrimSpace(strings.Join(strings.Fields(s)[:4], " "))
}
