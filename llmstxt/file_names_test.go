package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Beside pages whose names have dots an address that ends like a file may be a page: the
// first answers say so, and what is not asked for is told.
func TestCrawl_PagesThatEndLikeFiles_AreFound(t *testing.T) {
	names := []string{"system.text.json", "system.xml", "foo.zip", "foo.png", "System.Net.Http.Json", "system.runtime.serialization.json"}
	siblings := []string{"system.linq", "system.io", "microsoft.csharp", "system.net"}
	for _, from := range []string{"links", "site map"} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for _, n := range append(slices.Clone(names), siblings...) {
			links = append(links, "/api/"+n)
			w.pages["http://docs.test/api/"+n] = doc("Names of " + n)
		}
		// A server that spells them in one way only, and files among them.
		w.pages["http://docs.test/api/System.Net.Http.Json"] = redirect("/api/system.net.http.json")
		w.pages["http://docs.test/api/system.net.http.json"] = doc("Names of HTTP")
		for i := range 9 {
			at := fmt.Sprintf("/api/tea-%c.pdf", 'a'+i)
			links = append(links, at)
			w.pages["http://docs.test"+at] = answer{header: map[string]string{"Content-Type": "application/pdf"}, body: "%PDF-1.4"}
		}
		if from == "links" {
			w.pages["http://docs.test/"] = doc("Home", links...)
		} else {
			w.pages["http://docs.test/"] = doc("Home")
			w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset><url><loc>http://docs.test" + strings.Join(links, "</loc></url><url><loc>http://docs.test") + "</loc></url></urlset>"}
		}
		var notes []string
		o := llmstxt.Options{Progress: func(e llmstxt.Event) {
			if e.Kind == llmstxt.Note {
				notes = append(notes, e.Message)
			}
		}}
		s := crawl(t, w, "http://docs.test/", o)
		if len(s.Pages) != 1+len(names)+len(siblings) || s.Stats.Skipped[llmstxt.SkipType] != 2 {
			t.Errorf("%s: %v; %v", from, kept(s), reasons(s))
		}
		if want := "Links that end like files were not asked for: 7 (7 × .pdf)"; !slices.Contains(notes, want) {
			t.Errorf("%s: %q", from, notes)
		}
		everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 8})
	}
}

// Where no pages have such names nothing that ends like a file is asked for, and where they
// have, a text file does not become a page.
func TestCrawl_FilesBesidePages_AreNotAskedFor(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := []string{"/tea.html", "/pots", "/cups.php", "/v1.2", "/a.b", "/a.zip", "/b.json", "/c.png", "/d/e.xml", "/n/api.one", "/n/api.two", "/n/api.three"}
	for i := range 40 {
		links = append(links, fmt.Sprintf("/n/%s/api.yaml", word(i)), fmt.Sprintf("/n/%s.yaml", word(i)))
	}
	for _, l := range links {
		w.pages["http://docs.test"+l] = doc("About " + l)
		if strings.HasSuffix(l, ".yaml") {
			w.pages["http://docs.test"+l] = answer{header: map[string]string{"Content-Type": "text/plain"}, body: "name: tea of all kinds\n"}
		}
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 200})
	if len(s.Pages) != 9 || s.Stats.Skipped[llmstxt.SkipType] != 2 || s.Stats.Fetched != 11 {
		t.Errorf("%v; %v; %d", kept(s), reasons(s), s.Stats.Fetched)
	}
}
