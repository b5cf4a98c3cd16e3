package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A list that leads from version to version tells what the paths do not.
func TestCrawl_SwitcherOfVersions_OneIsKept(t *testing.T) {
	for name, switcher := range map[string]string{
		"list":   "<ul><li><a href=/docs/15/>15</a><li><a href=/docs/16/>16 (current)</a><li><a href=/docs/devel/>dev</a></ul>",
		"select": "<select><option value=/docs/15/>15</option><option value=/docs/16/ selected>16 (current)</option><option value='/docs/devel/'>dev</select>",
	} {
		for base, want := range map[string][]string{"/docs/16/": {"/docs/16/", "/docs/16/a", "/docs/16/b"}, "/docs/15/": {"/docs/15/", "/docs/15/a", "/docs/15/b"}, "/docs/": {"/docs/", "/docs/16/", "/docs/16/a", "/docs/16/b"}} {
			w := &web{pages: map[string]answer{}}
			page := func(v, p string, links ...string) {
				a := doc(strings.TrimSpace("Tea "+strings.Trim(v, "/")+" "+p), links...)
				if v == "" {
					a = doc("All there is", links...)
				}
				a.body = strings.Replace(a.body, "<main>", switcher+"<main>", 1)
				w.pages["http://docs.test/docs/"+v+p] = a
			}
			page("", "", "/docs/15/", "/docs/16/", "/docs/devel/")
			for _, v := range []string{"15/", "16/", "devel/"} {
				page(v, "", "/docs/"+v+"a", "/docs/"+v+"b", "/docs/15/a", "/docs/16/a")
				page(v, "a", "/docs/15/b", "/docs/16/b")
				page(v, "b")
			}
			start := llmstxt.Options{Include: []string{"/docs/**"}}
			w.pages["http://docs.test/"] = redirect(base)
			s := everyWay(t, w, "http://docs.test/", start)
			got := urls(s)
			slices.Sort(got[1:])
			if !slices.Equal(got, want) {
				t.Errorf("%s, from %s: %v, want %v; %v", name, base, got, want, reasons(s))
			}
		}
	}
}

// Lists of chapters, years and pages have numbers for words, too: nothing of them is a version.
func TestCrawl_NumberedListOfPages_AllAreKept(t *testing.T) {
	for name, c := range map[string]struct{ list, folders string }{
		"chapters": {"<a href=/course/1/>1 - Introduction</a><a href=/course/2/>2 - Setup</a><a href=/course/3/>3 - First steps</a>", "/course/"},
		"years":    {"<a href=/1/>2001 (7)</a><a href=/2002/>2002 (12)</a><a href=/2003/>2003 (3)</a>", "/200"},
		"pages":    {"<a href=/list/1/>1 <span class=sr-only>(current)</span></a><a href=/list/2/>2</a><a href=/list/3/>3</a>", "/list/"},
	} {
		w := &web{pages: map[string]answer{}}
		add := func(p string, links ...string) {
			a := doc("Page of "+strings.Trim(p, "/"), links...)
			a.body = strings.Replace(a.body, "<main>", "<nav>"+c.list+"</nav><main>", 1)
			w.pages["http://docs.test"+p] = a
		}
		add("/")
		for _, n := range []string{"1", "2", "3"} {
			add(c.folders+n+"/", c.folders+n+"/exercise/")
			add(c.folders + n + "/exercise/")
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if want := map[bool]int{true: 5, false: 7}[name == "years"]; len(s.Pages) != want || s.Stats.Skipped[llmstxt.SkipVersion] != 0 {
			t.Errorf("%s: %d pages, want %d; %v", name, len(s.Pages), want, reasons(s))
		}
	}
}

// What only the start page of another version leads to is found, where links alone showed
// that it is one.
func TestCrawl_StartPageOfASwitchedVersion_IsFollowed(t *testing.T) {
	const switcher = "<ul><li><a href=/docs/15/>15</a><li><a href=/docs/16/>16 (stable)</a></ul>"
	w := &web{pages: map[string]answer{}}
	add := func(p, title string, links ...string) {
		a := doc(title, links...)
		a.body = strings.Replace(a.body, "<main>", switcher+"<main>", 1)
		w.pages["http://docs.test"+p] = a
	}
	add("/", "All there is", "/docs/15/", "/docs/16/")
	add("/docs/16/", "Tea 16", "/docs/16/pots")
	add("/docs/16/pots", "Pots")
	add("/docs/15/", "Tea 15", "/docs/15/pots", "/docs/15/kettles")
	add("/docs/15/pots", "Pots of 15")
	add("/docs/15/kettles", "Kettles")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); len(got) != 4 || !slices.Contains(got, "/docs/15/kettles") || reasons(s)["/docs/15/"] != llmstxt.SkipVersion {
		t.Errorf("%v; %v", got, reasons(s))
	}
}
