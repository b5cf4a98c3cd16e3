package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// headlined is a site whose pages all have one <title>; above and below are what stands before
// and behind the words of the n-th of them, by which it is to be named.
func headlined(above, below string) *web {
	w := &web{pages: map[string]answer{}}
	list := ""
	for n := range 5 {
		list += fmt.Sprintf("<li><a href=/%s>%s</a>", word(n), word(n))
		w.pages["http://docs.test/"+word(n)] = html(fmt.Sprintf("<title>Tea Pots - of all kinds</title><div class=menu><a href=/>Main</a></div>"+strings.ReplaceAll(above, "%d", word(n))+
			"<div class=contents><p>%s Page %s has %d of them.</p>"+strings.ReplaceAll(below, "%d", word(n))+"</div>", gadget, word(n), n+2))
	}
	w.pages["http://docs.test/"] = html("<title>Tea Pots - of all kinds</title><div class=title>Tea Pots</div><p>" + gadget + "</p><ul>" + list + "</ul>")
	return w
}

// A template gives all pages one title, and each its own above the text in no heading element.
func TestTitles_OneForAllPages_WhatStandsAboveTheTextIsTaken(t *testing.T) {
	const parts = "<h2>Public Functions</h2><p>It pours.</p>"
	for _, c := range []struct{ above, below, want string }{
		{"<div class=header><div class=title>%d Reference</div></div>", parts, "%d Reference"},
		{"<div class=summary><a href=#f>Functions</a></div><div class='headertitle'><div class='title'>%d Reference<div class=ingroups><a href=/g>Pots</a></div></div></div>", parts, "%d Reference"},
		{"<div class=title>%d Reference<span class=mlabels><span class=mlabel>abstract</span></span></div>", parts, "%d Reference"},
		{"<div class='big Page-Title'><span>The</span> <b>%d</b></div>", parts, "The %d"},
		{"<div class=doctitle>%d &amp; all of it</div><div class=title>Another</div>", parts, "%d & all of it"},
		{"<div class=title>Tea Pots</div>", "<h2>The %d of it</h2><p>It pours.</p>", "The %d of it"},                           // the site's
		{"<header><div class=title>Site %d</div></header><h2>All of %d</h2>", parts, "All of %d"},                              // of a banner
		{"<h1>All of %d</h1><div class=title>Below %d</div>", parts, "All of %d"},                                              // of something on the page
		{"<h2>All of %d</h2>", "<div class=card><div class=title>Card %d</div></div>", "All of %d"},                            // likewise
		{"<div class=title>Before %d</div><h1>All of %d</h1>", parts, "All of %d"},                                             // a heading of the first level is certain
		{"<div class=title><a href=/x>Site %d</a></div><div class=subtitle>%d</div>", "<h3>All of %d</h3><p>x</p>", "Site %d"}, // its link leads to its own place
		{"<div class=title><h2>All of %d</h2></div>", parts, "All of %d"},
	} {
		s := everyWay(t, headlined(c.above, c.below), "http://docs.test/", llmstxt.Options{})
		var want []string
		for n := range 5 {
			want = append(want, strings.ReplaceAll(c.want, "%d", word(n)))
		}
		if got := titlesOf(s); !strings.HasSuffix(got, ": "+strings.Join(want, ", ")) {
			t.Errorf("%s:\n%q, want\n%q", c.above, got, want)
		}
	}
	// Titles of their own stay.
	w := headlined("<div class=title>%d Reference</div>", parts)
	for n := range 5 {
		a := w.pages["http://docs.test/"+word(n)]
		a.body = strings.Replace(a.body, "Tea Pots - of all kinds", "Pot "+word(n)+" - Tea Pots", 1)
		w.pages["http://docs.test/"+word(n)] = a
	}
	if got := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); strings.Contains(got, "Reference") || !strings.Contains(got, "Pot "+word(1)) {
		t.Errorf("%q", got)
	}
}
