package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// outerMenus are the ways in which generators keep a menu in a file of its own: the file's name, what
// a page says of it, and the menu made of named lists of links.
var outerMenus = map[string]struct {
	file, page string
	menu       func(names []string, lists map[string][]string) string
}{
	"DocFX":                    {"toc.html", `<meta property="docfx:navrel" content="toc.html"><meta property="docfx:tocrel" content="toc.html">`, nested},
	"DocFX, in its other form": {"toc.html", `<meta name="docfx:tocrel" content=".\toc.html">`, nested},
	"mdBook": {"toc.html", `<nav id=sidebar><noscript><iframe class=outer src="toc.html"></iframe></noscript></nav>`, func(names []string, lists map[string][]string) string {
		body := "<!DOCTYPE html><html><head><meta name=robots content=noindex></head><body class=inner><ol class=chapter>"
		for _, n := range names {
			body += "<li class=part-title>" + n + "</li>"
			for _, l := range lists[n] {
				body += "<li class=chapter-item><a href='" + l + "' target=_parent><strong aria-hidden=true>1.</strong> The " + l + "</a></li>"
			}
		}
		return body + "</ol></body></html>"
	}},
	"Compodoc": {"js/menu-wc.js", `<compodoc-menu></compodoc-menu><script src="./js/menu-wc.js"></script>`, func(names []string, lists map[string][]string) string {
		return "customElements.define('compodoc-menu', class extends HTMLElement {\n render(isNormalMode) { let tp = lithtml.html(`" +
			strings.ReplaceAll(nested(names, lists), "<form>", "${ isNormalMode ? `<div id=\"search\" role='search'></div>` : '' }") + "`); this.innerHTML = tp.strings; } });"
	}},
}

func nested(names []string, lists map[string][]string) string {
	body := "\ufeff<div id=sidetoggle><nav><form><input placeholder='Enter here to filter...'></form><ul class=level1>"
	for _, n := range names {
		body += "<li><span class=stub></span><a>" + n + "</a><ul class=level2>"
		for _, l := range lists[n] {
			body += "<li><a href='" + l + "'>The " + l + "</a></li>"
		}
		body += "</ul></li>"
	}
	return body + "</ul></nav></div>"
}

// withOuterMenu is a site whose navigation is in a file of its own alone.
func withOuterMenu(file, head, menu string, lists map[string][]string) *web {
	w := &web{pages: map[string]answer{}}
	page := func(path, title, body string) {
		up := strings.Repeat("../", strings.Count(path, "/"))
		h := strings.NewReplacer(`"`+file, `"`+up+file, `"./`, `"./`+up, `".\`, `".\`+strings.ReplaceAll(up, "/", `\`)).Replace(head)
		w.pages["http://docs.test/"+path] = html("<html lang=en><head><title>" + title + "</title>" + h + "</head><body><article><h1>" + title + "</h1>" + body + "</article></body></html>")
	}
	n := 0
	for _, links := range lists {
		for _, l := range links {
			page(l, "On "+l, fmt.Sprintf("<p>%s This is what %s does with the %d of them.", gadget, l, len(l)+n))
			n++
		}
	}
	page("", "Kettle", "<p>"+gadget)
	w.pages["http://docs.test/"+file] = html(menu)
	return w
}

func TestSections_MenuInAFileOfItsOwn_AreItsLists(t *testing.T) {
	names, lists := []string{"Zeroth Steps", "Design & Shape", "Appendix of It"}, map[string][]string{
		"Zeroth Steps":   {"start/one.html", "start/two.html"},
		"Design & Shape": {"arch/lid.html", "arch/spout.html", "arch/handle.html"},
		"Appendix of It": {"more/tea.html", "more/coffee.html"},
	}
	for kind, m := range outerMenus {
		w := withOuterMenu(m.file, m.page, m.menu(names, lists), lists)
		if got := contents(t, w, "http://docs.test/"); got != "Zeroth Steps 2, Design & Shape 3, Appendix of It 2" {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestCrawl_MenuOfAPart_IsFollowedAndNoPage(t *testing.T) {
	lists := map[string][]string{"Parts": {"api/index.html", "api/lid.html", "api/spout.html", "api/handle.html"}}
	m := outerMenus["DocFX"]
	w := withOuterMenu(m.file, m.page, "<ul><li><a href='api/index.html'>API</a></ul>", lists)
	for url, a := range w.pages {
		if strings.Contains(url, "/api/") {
			a.body = strings.ReplaceAll(a.body, `tocrel" content="../`, `tocrel" content="`)
			w.pages[url] = a
		}
	}
	w.pages["http://docs.test/api/toc.html"] = html(nested([]string{"Parts"}, map[string][]string{"Parts": {"index.html", "lid.html", "spout.html", "handle.html"}}))
	got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{}))
	if slices.Sort(got); !slices.Equal(got, []string{"/", "/api/handle.html", "/api/index.html", "/api/lid.html", "/api/spout.html"}) {
		t.Error(got)
	}
}

// A page of links alone counts as a page if it is a whole document or has other words.
func TestCrawl_ListOfLinks_IsAPage(t *testing.T) {
	for name, page := range map[string]string{
		"document": "<title>Links</title><ul>%s</ul>",
		"heading":  "<h2>Links</h2><ul>%s</ul>",
		"doctype":  "<!DOCTYPE HTML><ul>%s</ul><p>The lid.</p>",
		"head":     "<head><meta charset=utf-8></head><ul>%s</ul><p>The lid.</p>",
		"code":     "<pre>kettle boil --cups 2</pre><ul>%s</ul>",
		"words":    "<p>These are the pages that are worth a look, whatever the kettle of yours is made of.</p><ul>%s</ul>",
	} {
		lists := map[string][]string{"": {"lid.html", "spout.html", "links.html"}}
		m := outerMenus["DocFX"]
		w := withOuterMenu(m.file, m.page, nested([]string{""}, lists), lists)
		w.pages["http://docs.test/links.html"] = html(fmt.Sprintf(page, "<li><a href=lid.html>The lid</a><li><a href=spout.html>The spout</a>"))
		if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Contains(got, "/links.html") || len(got) != 4 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCrawl_MenuFileMissingOrForbiddenOrElsewhere_GoesOn(t *testing.T) {
	lists := map[string][]string{"Parts": {"lid.html", "spout.html"}}
	for kind, m := range outerMenus {
		for name, spoil := range map[string]func(*web, string){
			"missing": func(w *web, menu string) { delete(w.pages, menu) },
			"forbidden": func(w *web, menu string) {
				w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nDisallow: /" + m.file}
			},
			"elsewhere": func(w *web, menu string) { w.pages[menu] = redirect("http://other.test/toc.html") },
			"garbage":   func(w *web, menu string) { w.pages[menu] = html("<nav><a href='http://[::1'>x</a><<<nav") },
		} {
			menu := "http://docs.test/" + m.file
			w := withOuterMenu(m.file, m.page, m.menu([]string{"Parts"}, lists), lists)
			w.pages["http://other.test/toc.html"] = w.pages[menu]
			spoil(w, menu)
			if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/"}) {
				t.Errorf("%s, %s: %v", kind, name, got)
			}
			if n := w.asked("http://other.test/toc.html"); n != 0 {
				t.Errorf("%s, %s: another site was asked %d times", kind, name, n)
			}
			if n := w.asked(menu); name == "forbidden" && n != 0 {
				t.Errorf("%s: a forbidden menu was asked for", kind)
			}
		}
		w := withOuterMenu(m.file, m.page, m.menu([]string{"Parts"}, lists), lists)
		w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nContent-Signal: /" + m.file + " ai-input=no"}
		if got := urls(crawl(t, w, "http://docs.test/", llmstxt.Options{Signals: true})); !slices.Equal(got, []string{"/"}) || w.asked("http://docs.test/"+m.file) != 0 {
			t.Errorf("%s: a menu that no model may be given was read: %v", kind, got)
		}
	}
}
