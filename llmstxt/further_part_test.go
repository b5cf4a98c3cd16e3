package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// The further parts of a list name its beginning as their canonical form. What they list is
// linked from nowhere else.
func TestCrawl_PartsNameTheListAsCanonical_WhatTheyListIsFound(t *testing.T) {
	for _, c := range []struct{ list, part string }{
		{"/news", "/news?page=%d"}, {"/news/", "/news/page/%d/"}, {"/", "/?paged=%d"}, {"/", "/page/%d"}, {"/news", "/news?tx_news_pi1%%5BcurrentPage%%5D=%d&cHash=a%[1]d"},
		{"/docs", "/docs?b_start:int=%d0"}, {"/index.php?id=7", "/index.php?id=7&start=%d5"}, {"/blog", "/blog?offset=17146452%d0000"}, {"/board.php?f=2", "/board.php?start=%d0&f=2"},
		{"/", "/?query-12-page=%d"}, {"/blog", "/blog?3f2a91_page=%d"},
	} {
		for _, header := range []bool{false, true} {
			w := &web{pages: map[string]answer{}}
			canonical := func(a answer) answer {
				if header {
					return inHeader(a, "Link", "<http://docs.test"+c.list+">; rel=canonical")
				}
				return inHead(a, "<link rel=canonical href='"+strings.ReplaceAll(c.list, "&", "&amp;")+"'>")
			}
			part := func(n int) string { return fmt.Sprintf(c.part, n) }
			var all []string
			for n := 1; n <= 5; n++ {
				var links []string
				for i := range 4 {
					item := fmt.Sprintf("/item/%s-%s", word(n), word(i))
					links = append(links, item)
					w.pages["http://docs.test"+item] = doc("Item " + item)
				}
				all = append(all, links...)
				// Orders and filters of a list lead to others of theirs, and never to an item of its own.
				links = append(links, part(2), part(n+1), c.list+filter(c.list, fmt.Sprint("colour=", n)))
				at := c.list
				if n > 1 {
					at = part(n)
					links = append(links, at+filter(at, "colour=red"))
				}
				w.pages["http://docs.test"+at] = canonical(doc("News", links...))
			}
			filtered := 0
			w.handler = func(r *http.Request) (answer, bool) {
				if !strings.Contains(r.URL.RawQuery, "colour=") {
					return answer{}, false
				}
				filtered++
				return canonical(doc("News", r.URL.Path+"?colour=green&size=9", "/item/never")), true
			}
			if c.list != "/" {
				w.pages["http://docs.test/"] = doc("Start", c.list)
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			for _, item := range all {
				if !slices.Contains(urls(s), item) {
					t.Errorf("%s, header %t: %s is missing: %v, %v", c.part, header, item, urls(s), s.Skipped)
				}
			}
			if want := len(all) + 1 + min(1, len(c.list)-1); len(s.Pages) != want || slices.Contains(urls(s), "/item/never") || filtered > 4*2 {
				t.Errorf("%s, header %t: %d pages, want %d: %v; %d filters were asked for", c.part, header, len(s.Pages), want, urls(s), filtered)
			}
		}
	}
}

// filter is what a query is when it has a field more.
func filter(address, field string) string {
	if strings.Contains(address, "?") {
		return "&" + field
	}
	return "?" + field
}

// A calendar has no last month, and each names the calendar as its canonical form.
func TestCrawl_MonthsNameTheCalendarAsCanonical_AreNotFollowed(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/events")}}
	asked := 0
	w.handler = func(r *http.Request) (answer, bool) {
		if r.URL.Path != "/events" {
			return answer{}, false
		}
		asked++
		var n int
		fmt.Sscanf(r.URL.RawQuery, "month=%d", &n)
		return inHead(doc("Events", fmt.Sprint("/events?month=", n+1)), "<link rel=canonical href=/events>"), true
	}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 || asked > 4*2 {
		t.Errorf("%v, %d requests", urls(s), asked)
	}
}

// A template names the form in the page's language without the query that tells its pages apart.
func TestCrawl_HreflangLacksTheQuery_PagesAreKept(t *testing.T) {
	for _, c := range []struct {
		list, item string
		found      int
	}{
		{"/list", "/list?product=%d", 6}, {"/list.php", "/list.php?show=item&amp;id=%d", 6},
		{"/list", "/list?lang=en-US", 2}, // which is in fact the same page
	} {
		w := &web{pages: map[string]answer{}}
		head := "<link rel=alternate hreflang=en-US href=" + c.list + "><link rel=alternate hreflang=de href=/de" + c.list + ">"
		var links []string
		for i := range 4 {
			item := c.item
			if strings.Contains(item, "%") {
				item = fmt.Sprintf(item, i)
			}
			links = append(links, item)
			title := "Product " + word(i)
			if c.found == 2 {
				title = "List of products"
			}
			w.pages["http://docs.test"+strings.ReplaceAll(item, "&amp;", "&")] = inHead(doc(title), head)
		}
		w.pages["http://docs.test"+c.list] = inHead(doc("List", links...), head)
		w.pages["http://docs.test/"] = inHead(doc("Start", c.list), "<link rel=alternate hreflang=en-US href=/><link rel=alternate hreflang=de href=/de>")
		for l, a := range w.pages {
			a.body = strings.ReplaceAll(a.body, "&amp;amp;", "&amp;")
			w.pages[l] = a
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != c.found {
			t.Errorf("%s: %v, %v", c.item, urls(s), s.Skipped)
		}
	}
}
