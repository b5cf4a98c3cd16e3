package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// twinSite is a site of pages whose Markdown says something else than their HTML.
func twinSite(n int, named func(i int) (link, header string), at func(i int) string, kind string) *web {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range n {
		path := "/" + word(i)
		links = append(links, path)
		link, header := named(i)
		w.pages["http://docs.test"+path] = answer{header: map[string]string{"Link": header},
			body: fmt.Sprintf("<html lang=en><title>Part %[1]s</title>%[2]s<main><h1>Part %[1]s</h1><p>The rendered words about %[1]s stand in the page as people see it.</p></main>", word(i), link)}
		if t := at(i); t != "" {
			w.pages["http://docs.test"+t] = answer{header: map[string]string{"Content-Type": kind},
				body: fmt.Sprintf("---\ntitle: Part %[1]s\n---\n\n# Part %[1]s\n\nThe written words about %[1]s stand in its *source* and in [more](/more-%[1]s).\n", word(i))}
			w.pages["http://docs.test/more-"+word(i)] = doc("More about " + word(i))
		}
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	return w
}

func TestTwin_OfEachKind_IsRead(t *testing.T) {
	plain := func(i int) string { return "/" + word(i) + ".md" }
	none := func(int) (string, string) { return "", "" }
	for name, w := range map[string]*web{
		"link": twinSite(6, func(i int) (string, string) {
			return `<link rel=alternate type="text/markdown" href="` + "/md/" + word(i) + `.txt">`, ""
		}, func(i int) string { return "/md/" + word(i) + ".txt" }, "text/plain"),
		"header": twinSite(6, func(i int) (string, string) {
			return "", `</style.css>; rel=preload; title="a, <b>; \"c", </x,y.md>; rel=next, <raw/` + word(i) + `>; title="a,b;c"; rel="alternate nofollow"; type="text/markdown"`
		}, func(i int) string { return "/raw/" + word(i) }, "text/markdown; charset=utf-8"),
		"probe": twinSite(6, none, plain, "text/markdown"),
		"probe, not all": twinSite(6, none, func(i int) string {
			return map[bool]string{true: plain(i)}[i != 0 && i != 3]
		}, "application/octet-stream"),
	} {
		t.Run(name, func(t *testing.T) {
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			read := 0
			for _, p := range s.Pages {
				u := strings.TrimPrefix(p.URL, "http://docs.test/")
				if strings.Contains(u, ".md") || strings.HasPrefix(u, "raw/") || strings.HasPrefix(u, "md/") {
					t.Errorf("the twin %s is a page of its own", p.URL)
				}
				if strings.Contains(p.Excerpt, "The written words") && p.Evidence.Twin != "" {
					read++
				}
				if p.Evidence.Twin == "" && strings.Contains(p.Excerpt, "written") || p.Evidence.Twin != "" && strings.Contains(p.Excerpt, "rendered") || strings.Contains(p.Excerpt, "title:") || strings.Contains(p.Excerpt, "*") {
					t.Errorf("%s: %s", p.URL, p.Excerpt)
				}
			}
			want := 6
			if name == "probe, not all" {
				want = 4
			}
			if read != want || len(s.Pages) != 7+want {
				t.Errorf("%d twins were read, of %d; pages %v", read, want, urls(s))
			}
		})
	}
}

// TestTwin_NotMarkdown_IsIgnored: HTML in place of Markdown, errors that come with
// a status of 200, one text for all pages, a text about something else, and one
// that is too large.
// A page may wait for another that turns out to be none: it is in the file then, and has the
// words of its Markdown as each other page.
func TestTwin_PageThatWaited_IsRead(t *testing.T) {
	for name, other := range map[string]struct {
		page   string
		answer answer
	}{
		"for the address without a slash": {"http://docs.test/a/one", answer{status: 301, header: map[string]string{"Location": "/a/one/"}}},
		"for its canonical form":          {"http://docs.test/a/first", answer{status: 404}},
		"for the page without its form":   {"http://docs.test/a/one", answer{status: 500}},
	} {
		t.Run(name, func(t *testing.T) {
			own, canonical := "/a/one/", ""
			switch name {
			case "for its canonical form":
				canonical = `<link rel=canonical href="/a/first">`
			case "for the page without its form":
				own = "/a/one/print"
			}
			w := &web{pages: map[string]answer{
				"http://docs.test/": doc("Home", own, strings.TrimPrefix(other.page, "http://docs.test")),
				other.page:          other.answer,
				"http://docs.test" + own: html(`<title>One</title><link rel=alternate type="text/markdown" href="/one.md">` + canonical +
					`<main><h1>One</h1><p>The rendered words about one stand in the page as people see it.</p></main>`),
				"http://docs.test/one.md": {body: "# One\n\nThe written words about one stand in its source.\n", header: map[string]string{"Content-Type": "text/markdown"}},
			}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Retries: -1})
			if len(s.Pages) != 2 || !strings.Contains(s.Pages[1].Excerpt, "written") {
				t.Errorf("%+v", s.Pages)
			}
		})
	}
}

func TestTwin_NotMarkdown_IsIgnored(t *testing.T) {
	named := func(i int) (string, string) {
		return `<link rel=alternate type="text/markdown" href="/` + word(i) + `.md">`, ""
	}
	for name, body := range map[string]func(path string) answer{
		"HTML": func(string) answer {
			return answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "\n<!DOCTYPE html><html><body><h1>Part</h1><p>The written words of an application.</p></body></html>"}
		},
		"as HTML": func(path string) answer { return html("# Part\n\nThe written words of " + path) },
		"soft 404": func(path string) answer {
			return answer{header: map[string]string{"Content-Type": "text/plain"}, body: "# Page not found\n\nThe written words " + path + " are not there.\n"}
		},
		"one for all": func(string) answer {
			return answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "# Part\n\nThe written words are the same for every page of this site.\n"}
		},
		"empty": func(string) answer {
			return answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "---\ntitle: x\n---\n<!-- The written words -->\n"}
		},
		"too large": func(string) answer {
			return answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "# The written words\n\n" + strings.Repeat("word ", 20000)}
		},
		"gone": func(string) answer { return answer{status: 410} },
	} {
		for _, how := range []string{"named", "probed"} {
			t.Run(name+", "+how, func(t *testing.T) {
				link := named
				if how == "probed" {
					link = func(int) (string, string) { return "", "" }
				}
				w := twinSite(8, link, func(int) string { return "" }, "")
				for i := range 8 {
					w.pages["http://docs.test/"+word(i)+".md"] = body("/" + word(i))
				}
				s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPageBytes: 20000})
				taken := strings.Count(s.Render(llmstxt.Pages), "written words")
				most := 0
				if name == "one for all" {
					most = 1 // the first page that has it
				}
				if taken > most || len(s.Pages) != 9 {
					t.Errorf("taken %d times, %d pages:\n%s", taken, len(s.Pages), s.Render(llmstxt.Pages))
				}
			})
		}
	}
}

// TestTwin_SiteWithout_IsAskedThreeTimes: by its first three pages alone.
func TestTwin_SiteWithout_IsAskedThreeTimes(t *testing.T) {
	w := twinSite(40, func(int) (string, string) { return "", "" }, func(int) string { return "" }, "")
	crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 32})
	var asked []string
	for u := range w.hits {
		if strings.HasSuffix(u, ".md") {
			asked = append(asked, u)
		}
	}
	if len(asked) == 0 || len(asked) > 4 {
		t.Errorf("asked for %v", asked)
	}
}

// TestTwin_LinkedBesideItsPage_IsNotListed, as where pages have a link to their
// source.
func TestTwin_LinkedBesideItsPage_IsNotListed(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a.md", "/a", "/b/", "/b/index.html.md", "/c.md")}}
	for _, p := range []string{"/a", "/b/"} {
		w.pages["http://docs.test"+p] = doc("Page " + p)
	}
	md := func(s string) answer {
		return answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "# Source " + s + "\n\nWhat is said of " + s + " in its source and nowhere else.\n"}
	}
	for _, p := range []string{"/a.md", "/b/index.html.md", "/c.md"} {
		w.pages["http://docs.test"+p] = md(p)
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := fmt.Sprint(urls(s)); got != "[/ /a /b/ /c.md]" {
		t.Errorf("pages %s", got)
	}
}

// TestTwin_Changed_IsReadByTheNextCrawl though the page itself has not changed.
func TestTwin_Changed_IsReadByTheNextCrawl(t *testing.T) {
	w := twinSite(4, func(int) (string, string) { return "", "" }, func(i int) string { return "/" + word(i) + ".md" }, "text/markdown")
	for u, a := range w.pages {
		if !strings.HasSuffix(u, ".md") {
			a.header = map[string]string{"ETag": `"1"`}
			w.pages[u] = a
		}
	}
	handler := w.pages
	w.handler = notModified(handler)
	first := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	w.pages["http://docs.test/"+word(2)+".md"] = answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "# Part " + word(2) + "\n\nThe newer words of this part are these.\n"}
	again := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: first.Pages})
	fresh := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if again.Render(llmstxt.Pages) != fresh.Render(llmstxt.Pages) || !strings.Contains(again.Render(llmstxt.Pages), "The newer words") {
		t.Errorf("the next crawl has\n%s\nwant\n%s", again.Render(llmstxt.Pages), fresh.Render(llmstxt.Pages))
	}
}
