package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A reference repeats what a class is for on many pages, and what stands on one alone is the place
// of its source.
func TestNote_PlaceInTheSource_IsNotTheNote(t *testing.T) {
	for _, form := range []string{
		"Definition at line %d of file %s.h.", "Definiert in Zeile %d der Datei %s.cpp.", "The documentation for this class was generated from the following file: v%d/%s.h.",
	} {
		names := []string{"lid", "pot", "cup", "plug", "spout", "handle", "filter", "bottom"}
		list := ""
		for _, n := range names {
			list += fmt.Sprintf("<tr><td><a href=/%s>%s</a><td>Keeps the steam in, as a part named %s does.", n, n, n)
		}
		w := &web{pages: map[string]answer{}}
		for i, n := range names {
			w.pages["http://docs.test/"+n] = html(fmt.Sprintf("<html lang=en><title>Kettle: %s Class Reference</title><main><h1>%s Class Reference</h1><p>Keeps the steam in, as a part named %s does. <a href=#details>More...</a></p>"+
				"<h2>Detailed Description</h2><p>Keeps the steam in, as a part named %s does.</p><p>"+form+"</p></main>", n, n, n, n, 60+i, n))
		}
		for _, n := range []string{"", "list", "index", "tree"} {
			w.pages["http://docs.test/"+n] = html("<html lang=en><title>Kettle: " + word(len(n)) + "</title><main><h1>Kettle " + n + "</h1><p>Here are all of the parts that a kettle has, in the order of the " + word(len(n)) + ".</p><table>" + list + "</table><a href=/list>list</a> <a href=/index>index</a> <a href=/tree>tree</a></main>")
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		for _, p := range s.Pages[1:] {
			for _, n := range names {
				if strings.HasSuffix(p.URL, "/"+n) && p.Note != "Keeps the steam in, as a part named "+n+" does." {
					t.Errorf("%s: %s: %q", form, n, p.Note)
				}
			}
		}
	}
}

// The letters of an index are neither a page's title nor what it has.
func TestIndex_HeadingsAreLetters_NameNothing(t *testing.T) {
	for _, form := range []string{"- %c -", "%c"} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<html lang=en><title>Kettle</title><main><h1>Kettle</h1><p>" + gadget + "</p><a href=/all>All</a> <a href=/parts>Parts</a> <a href=/lids>Lids</a> <a href=/a>A</a> <a href=/b>B</a> <a href=/c>C</a> <a href=/d>D</a></main>")}}
		for _, name := range []string{"a", "b", "c", "d"} {
			w.pages["http://docs.test/"+name] = html("<html lang=en><title>Kettle: Part " + name + "</title><main><h1>Part " + name + "</h1><p>Of the part that is called " + name + " this page tells a story.</main>")
		}
		for i, name := range []string{"all", "parts", "lids"} {
			body := ""
			for l := 'g'; l < 'k'; l++ {
				body += fmt.Sprintf("<h3>"+form+"</h3><ul><li>%c%s() : <a href=/x.h>Kettle::%s</a></ul>", l+rune(i), l, name, name)
			}
			w.pages["http://docs.test/"+name] = html("<html lang=en><title>Kettle: Members</title><main>" + body + "</main>")
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 8 {
			t.Fatalf("%d pages", len(s.Pages))
		}
		for _, p := range s.Pages[1:4] {
			if p.Title != "Members" || strings.Contains(p.Note, "- h -") || strings.HasPrefix(p.Note, "h;") || strings.HasPrefix(p.Note, "g;") {
				t.Errorf("%s: %s: %q: %q", form, p.URL, p.Title, p.Note)
			}
		}
	}
}

// Where titles agree and headings do not, all of the pages have their headings.
func TestTitles_Agree_AllAreHeadings(t *testing.T) {
	s := everyWay(t, titled("Kettle", "Kettle", "", "Documentation - Kettle", "Lids - Kettle", "Documentation - Kettle", "Documentation - Kettle"), "http://docs.test/", llmstxt.Options{})
	if got, want := titlesOf(s), "Kettle: The "+word(0)+" of it, Lids, The "+word(2)+" of it, The "+word(3)+" of it"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSite_Title_GreetsOrIntroduces_IsTheNameBeside(t *testing.T) {
	for _, c := range []struct {
		base, form, want string
		pages            int
	}{
		{"Welcome to Kettle’s documentation! — Kettle 9 documentation", "", "Kettle 9 documentation", 0},
		{"Kettle Help | Welcome to Kettle!", "", "Kettle Help", 0},
		{"Welcome to Kettle!", "", "Kettle", 0},
		{"start [Kettle Wiki]", "", "Kettle Wiki", 0},
		{"index (kettle.index)", "%s (kettle.%[1]s)", "kettle", 4},
		{"Kettles (an index)", "", "Kettles (an index)", 0},
		{"Introduction to Kettle — Kettle 2.1 documentation", "%s — Kettle 2.1 documentation", "Kettle 2.1 documentation", 4},
		{"About Kettle - Kettle Help", "%s - Kettle Help", "Kettle Help", 4},
		{"Introduction to Kettles", "%s — Introduction to Kettles", "Introduction to Kettles", 4},
	} {
		var titles []string
		for _, own := range []string{"Lids", "Spouts", "Handles", "Cups"}[:c.pages] {
			titles = append(titles, fmt.Sprintf(c.form, own))
		}
		if s := everyWay(t, titled(c.base, "Welcome", "", titles...), "http://docs.test/", llmstxt.Options{}); s.Title != c.want {
			t.Errorf("%s: %q, want %q", c.base, s.Title, c.want)
		}
	}
}

func TestSummary_SentenceLeadsElsewhere_NextIsTaken(t *testing.T) {
	for _, first := range []string{"To get started with it, see the tour of all lids.", "Use the navigation bar at the top of each page to move about.", "If you are new to all of this, start with the tutorial."} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":  html("<html lang=en><title>Kettle</title><nav><a href=/a>A</a> <a href=/b>B</a></nav><main><h1>Kettle</h1><p>" + first + "</p><h2>More</h2><p>Boil water for tea and for coffee with a plug in the wall, as often as it takes.</p></main>"),
			"http://docs.test/a": doc("Lids"), "http://docs.test/b": doc("Handles"),
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if !strings.Contains(s.Render(llmstxt.Index), "\n> Boil water for tea and for coffee with a plug in the wall, as often as it takes.\n") {
			t.Errorf("%s:\n%.300s", first, s.Render(llmstxt.Index))
		}
	}
}
