package htmlpage_test

import (
	"strings"
	"testing"
)

// The place for what a search finds is no part of a page, which may have no heading of its level.
func TestSearchResults_PlaceForThem_IsNoText(t *testing.T) {
	for _, place := range []string{
		`<div class="search-results"><div class=has-results><h1 class=search-results-title><span></span> results matching "<span></span>"</h1><ul></ul></div><div class=no-results><h1>No results matching "<span></span>"</h1></div></div>`,
		`<section class="docSearchResults"><h1>Résultats</h1><ol></ol></section>`,
		`<div class="x site-search__result"><h2>Treffer: <b>0</b></h2><p>Nichts gefunden</p></div>`,
		`<div class="search-results" id=book><div><div><h1>0 found</h1></div></div><a>Close</a></div>`,
	} {
		for _, said := range []string{"<h3>Tea</h3><p>Tea is hot when it comes out of the kettle.</p>", "<h3>Tea</h3><table><tr><td>hot</table>"} {
			page := "<title>Kettles</title><body><div class=content><div>" + said + "</div>" + place + "</div>"
			want := markdown(t, strings.Replace(page, place, "", 1))
			if got := markdown(t, page); got != want || !strings.Contains(got, "hot") {
				t.Errorf("%s:\n%s, want\n%s", place, got, want)
			}
			blocks, _ := parse(t, page).Blocks("x")
			if got := strings.Join(texts(blocks), " "); !strings.Contains(got, "hot") || strings.ContainsAny(got, `"é0`) {
				t.Errorf("%s: %s", place, got)
			}
		}
	}
}

// What was found, and what a page says of results, is its text.
func TestSearchResults_WhatAPageSays_IsKept(t *testing.T) {
	for _, part := range []string{
		`<div class="search-results"><h2>Two results</h2><ul><li><a href=/a>Pots</a><li><a href=/b>Lids</a></ul></div>`,
		`<section class="search-results"><h2>Search results</h2><p>A result names its page.</p></section>`,
		`<div class="search-noresults"><h2>Pots</h2><p>Round ones</p></div>`,
		`<div class="search-results"><h2>Markup</h2><pre>hits</pre></div>`,
		`<div class="search-results"><h2>Results</h2><p>` + strings.Repeat("Each has a rank and a name ", 10) + `</p></div>`,
		`<div id=search-results><h2>Search results</h2><p>As a list</p></div>`,
	} {
		got := markdown(t, "<title>x</title><main><h1>Search</h1>"+part+"</main>")
		if got = strings.Join(strings.Fields(strings.NewReplacer("#", "", "`", "", "- ", "", "[", "", "](http://a.test//a)", "", "](http://a.test//b)", "").Replace(got)), " "); got != "Search "+shownText(part) {
			t.Errorf("%s:\n%s", part, got)
		}
	}
}
