package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// kettleManual returns a reference with a page for each of some names, made by page.
func kettleManual(t *testing.T, names []string, page func(name string) string) map[string]llmstxt.Page {
	t.Helper()
	w, list := &web{pages: map[string]answer{}}, ""
	for _, name := range names {
		w.pages["http://docs.test/"+name+".html"] = html("<title>" + name + "</title>" + page(name))
		list += "<li><a href='/" + name + ".html'>" + name + "</a></li>"
	}
	w.pages["http://docs.test/"] = html("<title>Kettle Reference</title><h1>Kettle Reference</h1><p>The kettle boils water, and this is its reference.</p><ul>" + list + "</ul>")
	pages := map[string]llmstxt.Page{}
	for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		pages[p.Title] = p
	}
	return pages
}

// What stands alone between the title and the next heading of a reference says what the page is
// about, with a full stop or without.
func TestNote_LineBelowTheTitle_IsTheNote(t *testing.T) {
	names := []string{"lid_open", "lid_close", "spout_turn", "water_boil"}
	const safe = "<h2>Safety</h2><p>The routine %s may be called by cooks of %s at once, and for %s they need not wait.</p><h2>Errors</h2><p>A kettle that is lost leads to a cup that is empty.</p>"
	for line, want := range map[string]string{
		"Lets %s turn on and off":                "Lets %s turn on and off.",
		"<p>Run the %s":                          "Run the %s.",
		"Lets the %s turn.":                      "Lets the %s turn.",
		"Kettle Reference Manual":                "",
		"Ada Doe and Eve Roe":                    "",
		"see also the lid and the spout":         "",
		"The lids of a kettle, which are these:": "",
		"Version 2 of the lid of a kettle":       "",
	} {
		for _, p := range kettleManual(t, names, func(name string) string {
			return "<h1>" + name + "</h1>" + strings.ReplaceAll(line+"<h2>Synopsis</h2><pre>int %s(kettle *k)</pre>"+safe, "%s", name)
		}) {
			if p.Depth > 0 && (want != "" && p.Note != strings.ReplaceAll(want, "%s", p.Title) || want == "" && strings.Contains(p.Note, strings.TrimPrefix(line, "<p>"))) {
				t.Errorf("%q: the note of %s is %q", line, p.Title, p.Note)
			}
		}
	}
}

// manPage is a manual page, as man2html and groff write one, with n paragraphs.
func manPage(name string, n int) string {
	body := "<h1>" + name + "</h1><h2><a name=NAME>NAME</a></h2><pre>\n       " + name + " - boil <b>water</b>\n\n</pre><h2>DESCRIPTION</h2><pre>\n"
	for i := range n {
		if i%20 == 10 {
			body += "</pre><h4>Of kettle " + word(i) + " and its cups</h4><pre>\n"
		}
		body += fmt.Sprintf("       The <em>kettle</em> of %s  boils  for  %s  what  the  %s\n       has, and %s of %s asks.\n\n", word(i), name, name, name, word(i))
	}
	return body + "</pre><p>This page was made by a program which makes such pages of others.</p>"
}

func TestNote_ManualPage_IsItsName(t *testing.T) {
	for _, n := range []int{30, 2000} {
		pages := kettleManual(t, []string{"lid", "spout", "teapot"}, func(name string) string { return manPage(name, n) })
		for _, name := range []string{"lid", "spout", "teapot"} {
			p := pages[name]
			if want := name + " - boil water."; p.Note != want || !strings.HasPrefix(p.Excerpt, want+"\n\nThe kettle of aaa boils for "+name) {
				t.Errorf("%d paragraphs: %s: %q, %q", n, name, p.Note, p.Excerpt)
			}
		}
	}
}

// A page of programs is described by its headings.
func TestNote_Programs_AreNotRead(t *testing.T) {
	const comment = "; This program boils the water of a kettle.\n;\n; It ends when the water has boiled.\n\n"
	program := strings.Repeat("StrCmp $R0 \"kettle\" 0 +3 ; (1)\n  Exec \"$BIN\\boil.exe\" = {cup}\n\n", 10)
	for _, page := range []string{
		"<h2>Is the kettle there?</h2><pre>" + comment + program + "</pre><h2>Is it hot?</h2><pre>" + comment + program + "</pre>",
		"<h2>Is the kettle there?</h2><pre>\nA name must be given to the kettle here.\n</pre><h2>Is it hot?</h2><pre>" + program + "</pre>",
	} {
		if p := one(t, "<title>Scripts</title><h1>Useful scripts</h1>"+page, llmstxt.Options{}); !strings.Contains(p.Note, "Is the kettle there?; Is it hot?") {
			t.Errorf("%.100s: %q", page, p.Note)
		}
	}
}

// An outline leaves out labels that most pages have, words of links to neighbours, and signs.
func TestNote_Outline_HasThePagesOwnWords(t *testing.T) {
	names := []string{"Lid", "Spout", "Handle", "Cup", "Tray", "Cord"}
	for label, mark := range map[string]string{"All Implemented Interfaces:": "All Implemented", "Known Subclasses.": "Known Sub", "???": "???", "Previous | Contents | Next": "Contents", "« Back · Index »": "Back"} {
		for _, p := range kettleManual(t, names, func(name string) string {
			return "<h1>" + name + "</h1><dl><dt>" + label + "</dt><dd><code>Part</code></dd><dt>open" + name + "()</dt><dt>close" + name + "()</dt><dt>clean" + name + "()</dt></dl>"
		}) {
			if p.Depth > 0 && (strings.Contains(p.Note, mark) || !strings.Contains(p.Note, "close"+p.Title)) {
				t.Errorf("%q: %q", label, p.Note)
			}
		}
	}
}

// What an iterator does has the names of links to neighbours.
func TestNote_MembersCalledAsSteps_AreInIt(t *testing.T) {
	const members = "next(); previous(); up(); Back_(); continue; more; open"
	body := ""
	for m := range strings.SplitSeq(members, "; ") {
		body += "<dt>" + m + "</dt><dd><code>int</code></dd>"
	}
	if p := one(t, "<title>Cups</title><h1>Cups</h1><dl>"+body+"</dl>", llmstxt.Options{}); p.Note != members+"." {
		t.Errorf("%q, want %q", p.Note, members)
	}
}
