package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What Doxygen writes around its pictures, and its links to the rest of a text, say nothing of a class.
func TestNote_WordsOfPictures_AreLeftOut(t *testing.T) {
	const pictures = "<div>Inheritance diagram for Lid:</div><div>Include dependency graph for lid.h:</div><img src=lid.png><center><span>[<a href=/legend>legend</a>]</span></center><div><a href='#details'>More...</a></div>"
	for body, want := range map[string]string{
		"<h2>Fields</h2>" + pictures + "<a href=/lid.py>lid.py</a>":               "Fields; lid.py.",
		pictures + "<ul><li><a href=/a>boil()</a><li><a href=/b>Legends</a></ul>": "boil(); Legends.",
		"<h2>Legend</h2><h2>Axes</h2><h2>Inheritance diagram, for all</h2>":       "Legend; Axes; Inheritance diagram, for all.",
	} {
		p := one(t, "<title>Lid</title><main><h1>Lid</h1>"+body+"</main>", llmstxt.Options{})
		if p.Note != want {
			t.Errorf("%s: %q, want %q", body, p.Note, want)
		}
	}
}

// A list of all globals is of use to few; a page about globals is not one.
func TestSecondary_GlobalsOfAllFiles_AreOptional(t *testing.T) {
	list := "<h1>Globals</h1><ul><li>boil() : <a href=/lid.html>lid.h</a><li>cool() : <a href=/lid.html#c>lid.h</a></ul>"
	s := potSite(t, "<title>Kettle: Main Page</title><h1>Kettle</h1><p>"+gadget+"</p>",
		[3]string{"globals.html", "Kettle: Globals", list}, [3]string{"globals_func.html", "Kettle: Globals", list + "<p>b</p>"},
		[3]string{"lid.html", "Kettle: lid.h File Reference", "<h1>lid.h</h1><p>The lid keeps the steam where it belongs.</p>"},
		[3]string{"globals_guide.html", "Kettle: Globals", "<h1>Globals of a pot</h1><p>A global is what all the parts of a pot can see, at any time.</p>"})
	for path, want := range map[string]bool{"globals.html": true, "globals_func.html": true, "lid.html": false, "globals_guide.html": false} {
		if p := pageAt(t, s, path); p.Secondary != want {
			t.Errorf("%s: secondary %t, %q", path, p.Secondary, p.Note)
		}
	}
}

// A name above a list of terms is no summary, in whatever language.
func TestSummary_NameOfAListOfTerms_IsNotTaken(t *testing.T) {
	for _, name := range []string{"Liste des illustrations", "Lijst van afbeeldingen", "Seznam obrázků v knize"} {
		list := "<main><h1>Pots</h1><div><p><b>" + name + "</b></p><dl><dt>1. <a href=/lid#a>Lid on</a><dt>2. <a href=/lid#b>Lid off</a></dl></div></main>"
		s := potSite(t, "<title>Pots</title>"+list, [3]string{"lid", "Lids", "<h1>Lids</h1><p>A lid keeps the steam where it belongs.</p>"}, [3]string{"pots", "About pots", "<h1>About pots</h1><p>Pots is a book of all that holds water and soup.</p>"})
		if s.Summary != "Pots is a book of all that holds water and soup." {
			t.Errorf("%s: %q", name, s.Summary)
		}
	}
	s := potSite(t, "<title>Pots</title><main><h1>Pots</h1><p>All that holds water and soup</p><p>Made of clay and of iron.</p></main>", [3]string{"lid", "Lids", "<h1>Lids</h1><p>A lid keeps the steam where it belongs.</p>"})
	if !strings.HasPrefix(s.Summary, "All that holds water and soup") {
		t.Errorf("%q", s.Summary)
	}
}

// Words of a page's own that lead to code are its note, without those that all pages have.
func TestNote_WordsThatLeadToCode_AreNotJoinedByNavigation(t *testing.T) {
	var pages [][3]string
	for _, n := range []string{"usage", "install", "lids", "spouts", "rims", "feet"} {
		pages = append(pages, [3]string{n, "Kettle: " + n, "<div><h1>" + n + "</h1><p>To use the " + n + " in a project:</p><pre>import " + n + "</pre></div><div><a href=/><h4>Kettle</h4></a><ul><li><a href=/install>Installation</a><li><a href=/rims>Rims of it</a></ul></div>"})
	}
	s := potSite(t, "<title>Kettle</title><h1>Kettle</h1><p>"+gadget+"</p>", pages...)
	for _, n := range []string{"usage", "spouts"} {
		if p := pageAt(t, s, n); p.Note != "To use the "+n+" in a project." {
			t.Errorf("%s: %q", n, p.Note)
		}
	}
}

// What leads to items that have no room is no sentence of a note that says more.
func TestNote_LeadToLongItems_IsLeftOut(t *testing.T) {
	long := "Pour the water on the leaves" + strings.Repeat(" of the tea in the pot and wait", 6) + "."
	for text, want := range map[string]string{
		"Tea is made of leaves. It is hot. When you make tea:":                               "Tea is made of leaves. It is hot.",
		"There are now four modular authentication frameworks. The following are supported:": "There are now four modular authentication frameworks.",
		"Hello! This page explains how to make tea on:":                                      "Hello! This page explains how to make tea on.",
		"Tea is made of leaves that grow on hills:":                                          "Tea is made of leaves that grow on hills.",
		"Tea is made of leaves, which grow on hills. 淹れ方は：":                                  "Tea is made of leaves, which grow on hills.",
	} {
		page := "<title>Tea</title><main><h1>Tea</h1><p>" + text + "</p><ul><li>%s<li>Wait for a while, then drink it.</ul></main>"
		if p := one(t, strings.Replace(page, "%s", long, 1), llmstxt.Options{}); p.Note != want {
			t.Errorf("%s: %q, want %q", text, p.Note, want)
		}
		if p := one(t, strings.Replace(page, "%s", "Boil a cup of water from a well.", 1), llmstxt.Options{}); !strings.Contains(p.Note, "a cup of water") {
			t.Errorf("%s: %q", text, p.Note)
		}
	}
}

// A licence says that it is one; what a page says of all but some cases is its own.
func TestNote_OtherwiseNoted_IsNoLicence(t *testing.T) {
	const next = "<p>The second paragraph goes on about how tea is made.</p>"
	for text, want := range map[string]string{
		"Unless otherwise noted, this guide assumes that your kettle is on.":                          "Unless otherwise noted, this guide assumes that your kettle is on.",
		"Except where otherwise noted, content types are those of the kettle.":                        "Except where otherwise noted, content types are those of the kettle.",
		"Except where otherwise noted, this work is under the licence of all kettles.":                "The second paragraph goes on about how tea is made.",
		"Except as otherwise noted, the content of this page is licensed under its own terms of use.": "The second paragraph goes on about how tea is made.",
	} {
		if p := one(t, "<title>Tea</title><main><h1>Tea</h1><p>"+text+"</p>"+next+"</main>", llmstxt.Options{}); !strings.HasPrefix(p.Note, want) {
			t.Errorf("%s: %q, want %q", text, p.Note, want)
		}
	}
}

// What a reference says of a thing first is its note, however short and wherever a generator writes it: behind
// "Description:" in a list of definitions, below a title that stands outside of the text, or in a list that is the page.
func TestNote_WhatAGeneratorDescribes_IsTaken(t *testing.T) {
	const dry = "<h3>Methods</h3><h4>dry(hours)</h4><dl><dt>Description:<dd><ul><li><p>Dries the leaves on a table.</p></ul><dt>Source:<dd>tea.js</dl><h5>Returns:</h5><div><p>The leaves of before, but dry.</p></div>"
	const table = "<h3>Types</h3><table><tr><th>Name<th>Description<tr><td>watch<td><p>Whether to watch the water.</p></table>"
	for body, want := range map[string]string{
		"<main><h1>Leaves</h1><h4>new Leaves(kind)</h4><dl><dt>Description:<dd><ul><li><p>Leaves of a plant.</p></ul><dt>Source:<dd><ul><li>tea.js</ul></dl>" + dry + "</main>":                    "Leaves of a plant.",
		"<main><h1>Leaves</h1><dl><dt>Description<dd>Leaves of a plant in the garden. They are green.</dl>" + dry + "</main>":                                                                      "Leaves of a plant in the garden. They are green.",
		"<main><h1>Leaves</h1><dl><dt>Source:<dd><ul><li>Copied from a book on tea.</ul></dl>" + dry + "</main>":                                                                                   "The leaves of before, but dry.",
		"<div><header class=page-title><p>Module</p><h1>Leaves</h1></header><section><article><div><p>Dries and brews.</p></div>" + table + "</article></section></div>":                           "Dries and brews.",
		"<div><header class=page-title><p>Module</p><h1>Leaves</h1></header><section><article><div><p>Leaves of tea</p></div>" + table + "</article></section></div>":                              "Whether to watch the water.",
		"<ul><li><h1>Leaves</h1><li><p>Tea is made of leaves. They stay in the water for some time.</p><pre>const leaves = 2</pre><li><p>Brew them in a pot.</p><pre>function brew() {</pre></ul>": "Tea is made of leaves. They stay in the water for some time.",
	} {
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>"+gadget+"</p>", [3]string{"leaves.html", "Leaves", body}, [3]string{"lid.html", "Lid", "<h1>Lid</h1><p>The lid keeps the steam where it belongs.</p>"})
		if p := pageAt(t, s, "leaves.html"); !strings.HasPrefix(p.Note, want) {
			t.Errorf("%s: %q, want %q", body, p.Note, want)
		}
	}
}
