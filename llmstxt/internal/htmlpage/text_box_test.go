package htmlpage_test

import (
	"strings"
	"testing"
)

// A box of text is called a side bar in DocBook and docutils, as navigation is elsewhere.
func TestMarkdown_BoxesNamedSidebar_Stay(t *testing.T) {
	for page, want := range map[string]string{
		"<div class=sidebar><div class=titlepage><div><div><p class=title><strong>Pots</strong></p></div></div></div><p>They hold tea.</p></div>":                              "**Pots**\n\nThey hold tea.\n",
		"<div class=\"sidebar\"><a id=\"x\" shape=\"rect\"> </a><div class=\"titlepage\"/><p>They hold <a href=tea>tea</a>.</p><div class=x><pre>pour\nwait</pre></div></div>": "They hold [tea](http://a.test/tea).\n\n```\npour\nwait\n```\n",
		"<div class='sidebar' id=pots><p class='first sidebar-title'>Pots</p><p>They hold tea.</p></div>":                                                                      "**Pots**\n\nThey hold tea.\n",
		"<aside class='sidebar'><p class=sidebar-title>Pots</p><p>They hold <em>tea</em>.</p></aside>":                                                                         "**Pots**\n\nThey hold *tea*.\n",
		"<aside class=topic><p class=topic-title>Pots</p><ul><li>They hold tea.</ul></aside>":                                                                                  "**Pots**\n\n- They hold tea.\n",
		"<div class=sidebar><p class=title>Pots</p><p>" + strings.Repeat("They hold tea. ", 2000) + "</p></div>":                                                               "**Pots**\n\n" + strings.TrimSpace(strings.Repeat("They hold tea. ", 2000)) + "\n",
	} {
		if got := markdown(t, "<title>x</title><main><p>Tea is hot.</p>"+page+"<p>Lids.</p></main>"); got != "Tea is hot.\n\n"+want+"\nLids.\n" {
			t.Errorf("%.200s:\n%.400s", page, got)
		}
	}
	for _, page := range []string{
		"<div class=sidebar><p>They hold tea.</p></div>",
		"<div class=sidebar>Menu <p class=title>Pots</p><p>They hold tea.</p></div>",
		"<div class=sidebar><h3 class=title>Pots</h3><p>They hold tea.</p></div>",
		"<div class=sidebar><p class=title>Pots</p><nav><a href=a>a</a></nav><p>They hold tea.</p></div>",
		"<div class=sidebar><p class=title>Pots</p><form><input></form><p>They hold tea.</p></div>",
		"<div class=sidebar><p class=title>Pots</p><ul><li><a href=a>Big pots</a><li><a href=b>Small pots</a></ul></div>",
		"<div class=site-sidebar><p class=title>Pots</p><p>They hold tea.</p></div>",
		"<div class=sidebar hidden><p class=title>Pots</p><p>They hold tea.</p></div>",
		"<aside class=topic><p>They hold tea.</p></aside>",
		"<aside class=promo><p class=title>Pots</p><p>They hold tea.</p></aside>",
		"<aside class='card related'><p class=title>Pots</p><p>They hold tea.</p></aside>",
		"<div class='sidebar newsletter'><p class=title>Pots</p><p>They hold tea.</p></div>",
		"<div class=sidebar><div class=titlepage></div><div class=sidebar><p class=x>They hold tea.</p></div></div>",
	} {
		if got := markdown(t, "<title>x</title><main><p>Tea is hot.</p>"+page+"<p>Lids.</p></main>"); got != "Tea is hot.\n\nLids.\n" {
			t.Errorf("%s:\n%s", page, got)
		}
	}
}

func TestMarkdown_FirstPageOfABook_KeepsItsNotices(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<h1>Pots</h1><div class=legalnotice><a id=x></a><p>You may copy this book.</p></div><p>Tea.</p>":                             "# Pots\n\nYou may copy this book.\n\nTea.\n",
		"<p class=releaseinfo>Third edition</p><div class=authorgroup><p>Ada Doe</p></div><div class=copyright>1999</div><p>Tea.</p>": "Third edition\n\nAda Doe\n\nTea.\n",
	})
}

// What leads to other pages is all that a page of contents has to say; what leads to its
// neighbours is not.
func TestMarkdown_PageOfContents_HasNothingElse(t *testing.T) {
	const list = "<dl><dt><a href=a>Pots</a></dt><dt><a href=b>Lids</a></dt></dl>"
	for _, class := range []string{"toc", "tableofcontents", "page-toc"} {
		page := "<title>Tea</title><body><div class=navheader><a href=p>Back</a></div><h1>Tea</h1><div class='" + class + "'>" + list + "</div><div class=navfooter><hr><table><tr><td><a href=p><img src=p.png alt=Back></a><td>Cups</table></div>"
		if got, want := markdown(t, page), "# Tea\n\n**[Pots](http://a.test/a)**\n\n**[Lids](http://a.test/b)**\n"; got != want {
			t.Errorf("%s:\n%q, want\n%q", class, got, want)
		}
	}
	// Where there is nothing but navigation, that is what the page says.
	if got := markdown(t, "<title>Tea</title><body><h1>Tea</h1><div class=menu><a href=a>Pots</a></div>"); !strings.Contains(got, "Pots") {
		t.Errorf("a page of navigation:\n%s", got)
	}
}
