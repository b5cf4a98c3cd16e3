package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
)

// Versions in the bar above all pages are no names of folders.
func TestSections_VersionsInTheBar_NameNoFolder(t *testing.T) {
	for name, above := range map[string]string{
		"a version":       "%s<ul class=dropdown><li><a href=/docs/>2.0</a><li><a href=/docs/1.0/>1.0</a></ul>",
		"a version alone": "%s<a href=/docs/1.0/>1.0 (old)</a>",
	} {
		head := fmt.Sprintf(above, "<nav><a href=/>Tea</a> <a href=/docs/>Docs</a> <a href=/blog>Blog</a> <a href=/about>About</a>") + "</nav>"
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title>" + head + "<main><h1>Tea</h1><p>" + gadget + "</p></main>")}}
		page := func(at, title, crumbs, more string) {
			w.pages["http://docs.test"+at] = html("<title>" + title + "</title>" + head + crumbs + "<main><h1>" + title + "</h1><p>What " + title + " is about is told here in one sentence of its own.</p>" + more + "</main>")
		}
		var links strings.Builder
		for j := range 4 {
			at := fmt.Sprintf("/docs/use/%d", j)
			fmt.Fprintf(&links, "<a href=%s>Use %d</a> ", at, j)
			page(at, fmt.Sprintf("Use %d", j), "", "")
		}
		page("/docs/", "Introduction", "", links.String())
		page("/docs/1.0/", "Introduction", "", "")
		page("/about", "About us", "", "")
		page("/blog", "Blog", "", "<a href=/blog/a>A</a> <a href=/blog/b>B</a>")
		page("/blog/a", "Post A", "", "")
		page("/blog/b", "Post B", "", "")
		if got, want := contents(t, w, "http://docs.test/"), "Docs 5, Blog 3, More pages 1"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The breadcrumbs of JSON-LD leave out what has no page, such as a folded part of the side bar.
func TestSections_BreadcrumbsWithoutAPage_AreRead(t *testing.T) {
	for name, data := range map[string]string{
		"the page alone": `[{"@type":"ListItem","position":1,"name":"%[2]s","item":"http://docs.test/x"}]`,
		"none":           "",
		"other words":    `[{"name":"%[1]s"},{"name":"The page %[2]s"}]`,
	} {
		w := &web{pages: map[string]answer{}}
		var links strings.Builder
		for i, part := range []string{"Guides", "Reference"} {
			for j := range 3 {
				at, title := fmt.Sprintf("/%d%d", i, j), fmt.Sprintf("%s %d", []string{"Boil", "Pour"}[i], j)
				fmt.Fprintf(&links, "<a href=%s>%s</a> ", at, title)
				head := ""
				if data != "" {
					head = `<script type="application/ld+json">{"@context":"https://schema.org","@type":"BreadcrumbList","itemListElement":` + strings.NewReplacer("%[1]s", part, "%[2]s", title).Replace(data) + `}</script>`
				}
				w.pages["http://docs.test"+at] = html("<title>" + title + "</title>" + head + "<nav class=breadcrumbs aria-label=Breadcrumbs><ul><li><a href=/><svg></svg></a><li><span>" + part + "</span><li><span>" + title + "</span></ul></nav><main><h1>" + title + "</h1><p>What " + title + " is about is told here in one sentence of its own.</p></main>")
			}
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p>" + links.String() + "</main>")
		if got, want := contents(t, w, "http://docs.test/"), "Guides 3, Reference 3"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
