package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A text at the end of long pages stands on short ones too, where it is all that they say: with links in it, parted
// by a line's end, or a notice of rights.
func TestNote_EndOfLongPages_IsNotTheShortPagesNote(t *testing.T) {
	long := strings.Repeat("<p>"+gadget+" It boils, it sings and it pours, as the people of the town know well.</p>", 80)
	for _, end := range []string{
		"<p>Copyright 2008-2020 <a href=http://a.test>Ada Doe</a> (<a href=http://b.test>Townbury</a>), and Others.</p>",
		"<p>GitHub: <a href=http://a.test>source of the kettle</a> - questions in detail, reports of what may be a fault of it.</p>",
		"<table><tr><td>&copy;2003-2021 Ada D. Doe, University of Tea. All Rights Reserved.<br>Maintained by Ada D. Doe, ada at tea.test</table>",
		"<p>Help with the <code>kettle</code> is given by <a href=http://a.test>its friends</a> at any time of the day.</p>",
	} {
		w := &web{pages: map[string]answer{}}
		var links strings.Builder
		for i := range 10 {
			name := word(i)
			body := fmt.Sprintf("<p>The part %s is made of clay and of glass, by hand and with care.</p>%s", name, long)
			if i >= 8 {
				body = "<ul><li><a href=/aaa>The lid of the pot</a><li><a href=/aab>The spout of the pot</a></ul>"
			}
			w.pages["http://docs.test/"+name] = html("<title>Part " + name + "</title><div class=body><h1>Part " + name + "</h1>" + body + end + "</div>")
			fmt.Fprintf(&links, "<li><a href=/%s>%s</a>", name, name)
		}
		w.pages["http://docs.test/"] = html("<title>Kettles</title><h1>Kettles</h1><p>A kettle boils water for tea.</p><ul>" + links.String() + "</ul>")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		for _, p := range s.Pages[1:] {
			if short := p.URL >= "http://docs.test/aai"; short && !strings.HasPrefix(p.Note, "The lid of the pot") || !short && !strings.HasPrefix(p.Note, "The part") {
				t.Errorf("%s: %s: %q", end, p.URL, p.Note)
			}
		}
	}
}

// The headings that a generator puts on many pages say nothing of one of them.
func TestNote_HeadingsOfATemplate_AreLeftOut(t *testing.T) {
	for _, of := range []int{6, 30} {
		var pages [][3]string
		for i := range of {
			name := word(i)
			heads := "<h2>Member Functions</h2><h3>boil_" + name + "()</h3><h3>pour_" + name + "()</h3>"
			if i%5 == 0 {
				heads += "<h2>Additional Inherited Members</h2>"
			}
			pages = append(pages, [3]string{name + ".html", "Pot " + name, "<h1>Pot " + name + "</h1>" + heads})
		}
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>", pages...)
		for i := range of {
			want := "boil_" + word(i) + "(); pour_" + word(i) + "()."
			if of == 6 && i%5 == 0 {
				want = "boil_" + word(i) + "(); pour_" + word(i) + "(); Additional Inherited Members." // of two pages
			}
			if p := pageAt(t, s, word(i)+".html"); p.Note != want {
				t.Errorf("of %d: %q, want %q", of, p.Note, want)
			}
		}
	}
}

// Links from folder to folder that end with the page's own name are the way to it; those to other pages say what a
// page without words leads to.
func TestNote_WayToThePage_IsNotItsNote(t *testing.T) {
	page := func(links ...string) string {
		var list strings.Builder
		for _, l := range links {
			list.WriteString("<li class=navelem><a href=/dir_" + l + ".html>" + l + "</a></li>")
		}
		return "<div class=header><div class=title>lid.h File Reference</div></div><div class=contents></div><div id=nav-path class=navpath><ul>" + list.String() + "</ul></div>"
	}
	for want, links := range map[string][]string{
		"lid.h File Reference.":        {"include", "tea", "lid.h"},
		"include; tea; spout.h.":       {"include", "tea", "spout.h"},
		"rim; handle; spout; lid.hpp.": {"rim", "handle", "spout", "lid.hpp"},
	} {
		s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>", [3]string{"lid_8h.html", "lid.h File Reference", page(links...)})
		if p := pageAt(t, s, "lid_8h.html"); p.Note != want {
			t.Errorf("%v: %q, want %q", links, p.Note, want)
		}
	}
}

// What a page shows of others below a pointer is not its text.
func TestNote_TextsBelowAPointer_AreLeftOut(t *testing.T) {
	s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>",
		[3]string{"lid.html", "Lids", "<h1>Lids</h1><table><tr><td><a href=/rim.html>rim_t</a><tr><td><a href=/rim.html#a>knob_t</a><tr><td><a href=/rim.html#b>vent_t</a></table><div class=CToolTip id=tt1><div class=CType>The rim is what the lid lies on, all day long.</div></div>"},
		[3]string{"rim.html", "Rim", "<h1>Rim</h1><div class=CBody><p>The rim holds the lid, whatever the weather is.</p></div>"})
	if p := pageAt(t, s, "lid.html"); p.Note != "rim_t; knob_t; vent_t." {
		t.Errorf("%q", p.Note)
	}
	if p := pageAt(t, s, "rim.html"); p.Note != "The rim holds the lid, whatever the weather is." {
		t.Errorf("%q", p.Note)
	}
}

// Titles that pages share are told apart by the name in full that stands behind the site's, and those that only an
// address gave by the folder.
func TestTitles_SharedBySeveral_AreToldApart(t *testing.T) {
	const prose = "<p>A pot is made of clay, on a wheel and in an oven.</p>"
	pages := [][3]string{
		{"a/Pot.html", "Pot - Kettle Library - kettle.a.Pot", "<h1>Pot</h1><p>It is the pot of the first folder.</p>"},
		{"b/Pot.html", "Pot - Kettle Library - kettle.b.Pot", "<h1>Pot</h1><p>It is the pot of the second folder.</p>"},
		{"tea/start.html", "Start - Kettle Library - where to begin", "<h1>1 Start</h1><p>Tea is made of leaves, in a pot that is warm.</p>"},
		{"soup/start.html", "Start - Kettle Library - where to begin", "<h1>1 Start</h1><p>Soup is made of bones, in a pot that is large.</p>"},
		{"b/Lid.html", "Lid - Kettle Library - kettle.b.Lid", "<h1>Lid</h1>" + prose},
		{"Tea-Leaf.html", "Tea.Leaf - Kettle Library - kettle.Tea.Leaf", "<h1>Tea.Leaf</h1><p>The leaf is what tea is made of.</p>"},
		{"src/Tea.Leaf.html", "", "<pre>{-# SAFE #-}\n\nmodule Tea.Leaf where\n\nboil = id\n</pre>"},
		{"src/Tea.Cup.html", "", "<pre>{-# SAFE #-}\n\nmodule Tea.Cup where\n\nboil = id\n</pre>"},
	}
	s := potSite(t, "<title>Kettle Library</title><h1>Kettle Library</h1><p>Kettle is a library of pots.</p>", pages...)
	for path, want := range map[string]string{"a/Pot.html": "kettle.a.Pot", "b/Pot.html": "kettle.b.Pot", "b/Lid.html": "Lid", "tea/start.html": "Start", "soup/start.html": "Start", "Tea-Leaf.html": "Tea.Leaf", "src/Tea.Leaf.html": "Tea.Leaf (src)", "src/Tea.Cup.html": "Tea.Cup"} {
		if p := pageAt(t, s, path); p.Title != want {
			t.Errorf("%s: %q, want %q", path, p.Title, want)
		}
	}
}

// The signature of a module is code alone: its note does not end in the middle of it.
func TestNote_SignatureOfAModule_IsItsName(t *testing.T) {
	var code strings.Builder
	for i := range 60 {
		fmt.Fprintf(&code, "<br>&nbsp;<span class=keyword>val</span> boil_%s : unit -&gt; Tea.Pot.t", word(i))
	}
	s := potSite(t, "<title>Tea</title><h1>Tea</h1><p>Tea is a library of pots.</p>",
		[3]string{"Tea.Pot.html", "Tea.Pot", "<h1>Module Tea.Pot</h1><p>Pots of clay hold water and soup.</p>"},
		[3]string{"type_Tea.Pot.html", "Tea.Pot", "<code class=code><span class=keyword>sig</span>" + code.String() + "<br>end</code>"})
	if p := pageAt(t, s, "type_Tea.Pot.html"); !strings.Contains(p.Note, "Tea.Pot") || !strings.HasSuffix(p.Note, ".") || strings.Contains(p.Excerpt, "val") {
		t.Errorf("%q", p.Excerpt)
	}
}

// What RDoc says of each program says nothing; what somebody adds to it does.
func TestSummary_NameOfTheProgramAlone_IsNotTaken(t *testing.T) {
	lid := [3]string{"lid.html", "Lid", "<h1>Lid</h1><p>Kettle is a library that keeps steam where it belongs.</p>"}
	for said, taken := range map[string]bool{
		"This is the API documentation for Kettle Documentation (version 1.1.4).": false,
		"This is the documentation for Kettle.":                                   false,
		"This is the API documentation for Kettle, a library of pots.":            true,
	} {
		s := potSite(t, "<title>Kettle Documentation (version 1.1.4)</title><p>"+said+"</p>", lid)
		if got := s.Summary == said; got != taken {
			t.Errorf("%q: %q", said, s.Summary)
		}
	}
}
