package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What generators of references and manuals put around and between their words.

func TestExcerpt_LinkToTheRestOfThePage_IsNoText(t *testing.T) {
	for _, link := range []string{
		"<a href='pot.html#details'>More...</a>", "<a href='#details'>More...</a>", "<a href='#rest'>Weiterlesen…</a>", "<a href='pot.html#x'>Plus de détails...</a>",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/pot.html": html("<title>Pot</title><main><div>Pot Class Reference</div><p>" + gadget + " " + link +
			"</p><p><code>#include &lt;pot.h&gt;</code></p><table><tr><td>void<td><a href='#fill'>fill</a> ()</table></main>")}}
		if p := crawl(t, w, "http://docs.test/pot.html", llmstxt.Options{}).Pages[0]; p.Excerpt != gadget || p.Note != gadget {
			t.Errorf("%s: %q, note %q", link, p.Excerpt, p.Note)
		}
	}
	// What is said without a full stop is no sentence, and "More..." makes none of it.
	for _, more := range []string{"<a href='pot.html#details'>More...</a>", "<a href=#details>More…</a>"} {
		w := &web{pages: map[string]answer{"http://docs.test/pot.html": html("<title>Pot</title><main><p>A pot holds the tea (or the soup) " + more + "</p><p>" + gadget + "</p></main>")}}
		if p := crawl(t, w, "http://docs.test/pot.html", llmstxt.Options{}).Pages[0]; strings.Contains(p.Excerpt, "More") {
			t.Errorf("%s: %q", more, p.Excerpt)
		}
	}
	// What another page says is a teaser there and no text here.
	p := one(t, "<title>News</title><main><p>"+gadget+" <a href='/other#more-1'>More...</a></p><p>"+gadget[:40]+" and so on <a href='/third'>More...</a></p></main>", llmstxt.Options{})
	if strings.HasPrefix(p.Excerpt, gadget) {
		t.Errorf("a teaser is the page's own text: %q", p.Excerpt)
	}
}

func TestExcerpt_CodeInManualPages_IsLeftOut(t *testing.T) {
	for _, synopsis := range []string{
		"#include <pot.h>\n\n       int fill_pot(POT *pot, int cups);\n       POT *pour_pot(const POT *pot, CUP **cups);",
		"pot [-aBc] [-n cups] [-s size|all] [--lid=on|off] [--help] [name...]",
		"// Fills a pot before it is too late, and\n       // empties it again afterwards.",
	} {
		page := "<title>pot</title><h1>pot</h1><pre>\n</pre><h2>SYNOPSIS</h2><pre>\n       " + strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(synopsis) +
			"\n\n</pre><h2>DESCRIPTION</h2><pre>\n       " + gadget + "\n       " + gadget + "\n\n</pre>"
		if p := one(t, page, llmstxt.Options{}); !strings.HasPrefix(p.Excerpt, gadget) {
			t.Errorf("%q from %s", p.Excerpt, synopsis)
		}
	}
	// A listing has a few lines without signs; they say no more than the others.
	listing := strings.Repeat("if (pot == NULL) { fill(&pot, cups[0]); }\n\nreturn and pour the tea into a cup\n\n", 20)
	if p := one(t, "<title>pot.c</title><h1>A. The source of pot.c</h1><pre>"+strings.ReplaceAll(listing, "&", "&amp;")+"</pre>", llmstxt.Options{}); strings.Contains(p.Excerpt+p.Note, "pour the tea") {
		t.Errorf("%q, note %q", p.Excerpt, p.Note)
	}
}

func TestExcerpt_RestOfASentenceBehindCode_IsLeftOut(t *testing.T) {
	const lead = "A rule of the kettle always has this form:"
	for rest, want := range map[string]bool{
		"where the pattern is one line and the action of the kettle begins on the same line.": false,
		"wobei das Muster in einer Zeile steht und die Handlung in derselben Zeile beginnt.":  false,
		"kettle reads its rules when it begins, and never again until somebody restarts it.":  true, // a name
	} {
		p := one(t, "<title>Rules</title><main><h1>Rules</h1><p>"+lead+"</p><pre>water tea</pre><p>"+rest+"</p><p>"+gadget+"</p></main>", llmstxt.Options{})
		if got := strings.HasPrefix(p.Excerpt, rest); got != want || !strings.Contains(p.Excerpt, gadget) {
			t.Errorf("%q", p.Excerpt)
		}
	}
	const alone = "where nothing else is said on the whole page but these few words of it."
	if p := one(t, "<title>Rules</title><main><h1>Rules</h1><p>"+lead+"</p><pre>water tea</pre><p>"+alone+"</p></main>", llmstxt.Options{}); !strings.Contains(p.Excerpt, alone) {
		t.Errorf("%q", p.Excerpt)
	}
}

func TestExcerpt_NamesAndLicenceOfAManual_AreNoSummary(t *testing.T) {
	for _, said := range []string{
		"Revision 9.8 by F. Costa, D. Gibbs, M. Melrose, A. Schloss, B. Spitz and M. Sweet.", "by Eric T. Raydon and Zeyd N. Halm updates since release 1.9.9e by Thomas Dick",
		"Permission is granted to make and distribute verbatim copies of this manual.", "Permission is granted to reproduce this manual for any purpose.",
		"Copyright 1998-2021 by Bill Spitz and others who have helped.", "Jane Doe, John Roe, Max Poe, Ann Lee and Ludwig van Beethoven.",
	} {
		for _, behind := range []string{"<p>" + gadget + "</p>", ""} {
			p := one(t, "<title>Kettle Manual</title><main><h1>Kettle Manual</h1><p>"+said+"</p>"+behind+"<ul><li><a href=a.html>Filling the kettle</a><li><a href=b.html>Pouring</a></ul></main>", llmstxt.Options{})
			if strings.Contains(p.Excerpt, said) || behind != "" && p.Excerpt != gadget {
				t.Errorf("%q", p.Excerpt)
			}
		}
	}
	for _, said := range []string{
		"Ada Lovelace, Charles Babbage and George Boole met Alan Turing.", "Ada Lovelace and Charles Babbage wrote the first program.",
		"Kettle Pro, Kettle Air and Kettle Max run Windows, Linux, Android and Haiku.",
		"By default, the kettle reads the file kettle.conf and then the one in your folder:", "Kettle Pro supports Windows, Linux, Android and many other systems of today.",
	} {
		if p := one(t, "<title>Kettle</title><main><h1>Kettle</h1><p>"+said+"</p><ul><li>one<li>two</ul></main>", llmstxt.Options{}); !strings.HasPrefix(p.Excerpt, said[:len(said)-1]) {
			t.Errorf("%q, want %q", p.Excerpt, said)
		}
	}
}

// Dates say nothing of a page without prose; names with a number do.
func TestNote_HeadingsWithNumbers_AreNamesOrDates(t *testing.T) {
	for heading, want := range map[string]bool{
		"RFC 9110": true, "HTTP 404": true, "C++17": true, "v2": true, "S3": true, "Day 10": true, "UTF-16": true, "ISO 8601-1": true, "3.40.1": true, "CVE-2024-12345": true,
		"17": false, "[12]": false, "2024-03-17": false, "2024/03": false, "17.3.2024": false, "Fri 2024-03-17": false, "17 March 2024": false, "Mar 17, 2024": false,
		"17. Mai 2024": false, "2024年3月17日": false, "17 марта 2024": false,
	} {
		p := one(t, "<title>Tea</title><main><h1>Tea</h1><h2>"+heading+"</h2></main>", llmstxt.Options{})
		if got := strings.Contains(p.Note, heading); got != want || !want && p.Note != "Tea." {
			t.Errorf("%s: note %q", heading, p.Note)
		}
	}
}

func TestIndex_ContentsOfABook_GiveTheOrder(t *testing.T) {
	// The contents stand in no list with a name; an index page links to all chapters in
	// another order, in lists that have one.
	w := &web{pages: map[string]answer{}}
	var chapters, want []string
	for i := range 12 {
		at := word((i*7 + 3) % 12)
		name := fmt.Sprintf("%d. Chapter %s", i+1, at)
		w.pages["http://docs.test/"+at+".html"] = doc(name)
		chapters = append(chapters, "<li><a href="+at+".html>"+name+"</a>")
		want = append(want, "http://docs.test/"+at+".html")
	}
	index := ""
	for i := range 4 {
		index += fmt.Sprintf("<h2>Letter %c</h2><ul>", 'a'+i)
		for j := range 3 {
			index += "<li><a href=" + word(i*3+j) + ".html>" + word(i*3+j) + "</a>"
		}
		index += "</ul>"
	}
	w.pages["http://docs.test/index-of-it.html"] = html("<title>13. Concept Index</title><main><h1>13. Concept Index</h1>" + index + "</main>")
	w.pages["http://docs.test/"] = html("<title>Kettles</title><main><h1>Kettles</h1><p>" + gadget + "</p><ul>" + strings.Join(chapters, "") + "<li><a href=index-of-it.html>Index</a></ul></main>")
	f, err := llmstxt.Parse(everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Render(llmstxt.Index), llmstxt.Index)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range f.Entries() {
		got = append(got, e.URL)
	}
	if want = append(want, "http://docs.test/index-of-it.html"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if last := f.Sections[len(f.Sections)-1]; last.Name != "Optional" || len(last.Entries) != 1 {
		t.Errorf("the index is not in the last section: %v", last)
	}
}

func TestSections_HeadingOfTheMenuItself_NamesNone(t *testing.T) {
	for _, heading := range []string{"Navigation", "Table of Contents", "On this page", "Inhalt", "导航", "Quick links"} {
		w := &web{pages: map[string]answer{}}
		var nav string
		for i, name := range []string{heading, "Kettles", "Cups"} {
			nav += "<h3>" + name + "</h3><ul>"
			for j := range 3 {
				l := "/" + word(10*i+j) + ".html"
				nav += "<li><a href=" + l + ">" + word(10*i+j) + "</a>"
				w.pages["http://docs.test"+l] = doc("Page " + word(10*i+j))
			}
			nav += "</ul>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p></main><div>" + nav + "</div>")
		if got := contents(t, w, "http://docs.test/"); got != "General 3, Kettles 3, Cups 3" {
			t.Errorf("%s: %s", heading, got)
		}
	}
}
