package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A book in parts, as DocBook writes one. A chapter with sections is a list in the contents,
// one without is a link.

type partOfBook struct {
	name     string
	chapters []chapter
}

type chapter struct {
	name     string
	sections []string
}

// bookPart is a part of some chapters, each with some sections.
func bookPart(name, key string, chapters, sections int) partOfBook {
	p := partOfBook{name: name}
	for i := range chapters {
		c := chapter{name: fmt.Sprintf("Chapter %s%s", key, word(i))}
		for j := range sections {
			c.sections = append(c.sections, fmt.Sprintf("Section %s%s%s", key, word(i), word(j)))
		}
		p.chapters = append(p.chapters, c)
	}
	return p
}

// book is its site. bar stands above its contents, and each address is one that at makes of
// a page's name.
func book(bar string, at func(name string) string, parts ...partOfBook) *web {
	w := &web{pages: map[string]answer{}}
	page := func(name, up string) string {
		w.pages["http://docs.test"+at(name)] = html(fmt.Sprintf(`<title>%s</title><link rel="up" href="%s"><h1>%s</h1><p>What is said of %s is long enough to be a page of its own.</p>`, name, up, name, name))
		return fmt.Sprintf(`<dt><a href="%s">%s</a></dt>`, at(name), name)
	}
	var toc strings.Builder
	for _, p := range parts {
		toc.WriteString(page(p.name, "/") + "<dd><dl>")
		for _, c := range p.chapters {
			toc.WriteString(page(c.name, at(p.name)))
			if c.sections == nil {
				continue
			}
			toc.WriteString("<dd><dl>")
			for _, s := range c.sections {
				toc.WriteString(page(s, at(c.name)))
			}
			toc.WriteString("</dl></dd>")
		}
		toc.WriteString("</dl></dd>")
	}
	w.pages["http://docs.test/"] = html(`<title>The Kettle Book</title>` + bar + `<h1>The Kettle Book</h1><p>Kettles and how to boil water in them, from the first cup to the last.</p><div class="toc"><dl>` + toc.String() + `</dl></div>`)
	return w
}

func slugOf(name string) string { return "/" + strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// partsOf is the order in which the file has the pages of some parts.
func partsOf(s *llmstxt.CrawledSite, parts ...partOfBook) (order []string) {
	for line := range strings.Lines(s.Render(llmstxt.Index)) {
		for _, p := range parts {
			if strings.HasPrefix(line, "- [") && strings.Contains(line, slugOf(p.name)+")") {
				order = append(order, p.name)
			}
		}
	}
	return order
}

func TestCrawl_BookInParts_HasTheOrderOfItsContents(t *testing.T) {
	plainPart, deep := func(name string) partOfBook { return bookPart(name, "p", 9, 0) }, func(name string) partOfBook { return bookPart(name, "d", 3, 4) }
	for name, parts := range map[string][]partOfBook{
		"the later part has the lists":     {plainPart("Part I. Water"), deep("Part II. Heat")},
		"as it stands, not as it counts":   {plainPart("Part II. Heat"), deep("Part I. Water")},
		"the first part has the lists":     {deep("1. Water"), plainPart("2. Heat")},
		"between two":                      {bookPart("I. Water", "a", 7, 0), deep("II. Heat"), bookPart("III. Tea", "c", 6, 0)},
		"names without numbers":            {plainPart("Water"), deep("Heat")},
		"lists in two, none in the middle": {bookPart("A. Water", "a", 2, 4), bookPart("B. Heat", "b", 6, 0), bookPart("C. Tea", "c", 3, 4)},
	} {
		var want []string
		for _, p := range parts {
			want = append(want, p.name)
		}
		for _, bar := range []string{"", `<nav><a href="/appendix">Appendix</a></nav>`} {
			w := book(bar, slugOf, parts...)
			w.pages["http://docs.test/appendix"] = doc("Appendix")
			if got := partsOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{}), parts...); !slices.Equal(got, want) {
				t.Errorf("%s, bar %q: %q, want %q", name, bar, got, want)
			}
		}
	}
}

// A navigation names pages by addresses that leave their place to their canonical one.
func TestCrawl_LinksThatAreNotCanonical_HaveTheirPlaceInTheOrder(t *testing.T) {
	for _, spelling := range []string{"/%s", "/%s/index.html", "/%s?from=contents", "/old/%s"} {
		w := &web{pages: map[string]answer{}}
		var toc strings.Builder
		for _, dir := range []string{"water", "heat", "alloys"} {
			link, canonical := fmt.Sprintf(spelling, dir), "/"+dir+"/"
			page := doc("All of "+dir, section(w, dir, 4)...)
			page.header = map[string]string{"Link": "<" + canonical + `>; rel="canonical"`}
			w.pages["http://docs.test"+link], w.pages["http://docs.test"+canonical] = page, page
			if strings.HasPrefix(link, "/old/") { // it redirects to an address that is not canonical
				w.pages["http://docs.test"+link], w.pages["http://docs.test"+canonical+"?from=old"] = redirect(canonical+"?from=old"), page
			}
			fmt.Fprintf(&toc, `<p><a href="%s">All of %s</a></p>`, link, dir)
		}
		w.pages["http://docs.test/"] = html(`<title>Kettles</title><h1>Kettles</h1><p>Kettles and how to boil water in them, from the first cup to the last.</p>` + toc.String())
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if want := []string{"All of water", "All of heat", "All of alloys"}; !slices.Equal(s.Sections, want) {
			t.Errorf("%q: %q, want %q", spelling, s.Sections, want)
		}
	}
}

// Servers lead from /docs to /docs/ and from /docs/index.html there.
func TestCrawl_LinksThatRedirect_HaveTheirPlaceInTheOrder(t *testing.T) {
	for _, link := range []string{"index.html", "", "?from=contents"} {
		w := &web{pages: map[string]answer{}}
		var toc strings.Builder
		for _, dir := range []string{"water", "heat", "alloys"} {
			from, to := "/"+dir+"/"+link, "/"+dir+"/"
			if link == "" {
				from = "/" + dir
			}
			w.pages["http://docs.test"+from] = redirect(to)
			all := section(w, dir, 4)
			w.pages["http://docs.test"+to] = doc("All of "+dir, all...)
			fmt.Fprintf(&toc, `<p><a href="%s">All of %s</a></p>`, from, dir)
		}
		// Names and addresses are in no order of the alphabet.
		w.pages["http://docs.test/"] = html(`<title>Kettles</title><h1>Kettles</h1><p>Kettles and how to boil water in them, from the first cup to the last.</p>` + toc.String())
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if want := []string{"All of water", "All of heat", "All of alloys"}; !slices.Equal(s.Sections, want) {
			t.Errorf("%q: %q, want %q", link, s.Sections, want)
		}
	}
}

func TestCrawl_ListWithListsInIt_KeepsTheOrderOfItsPages(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/appendix": doc("Appendix")}}
	item := func(name, up string) string {
		w.pages["http://docs.test"+slugOf(name)] = html(fmt.Sprintf(`<title>%s</title><link rel="up" href="%s"><h1>%s</h1><p>What is said of %s is long enough to be a page of its own.</p>`, name, up, name, name))
		return fmt.Sprintf(`<li><a href="%s">%s</a>`, slugOf(name), name)
	}
	var toc strings.Builder
	var want []string
	for n, p := range []string{"4. Water", "2. Heat", "3. Tea"} {
		toc.WriteString(item(p, "/") + "<ul>")
		want = append(want, p)
		for i, chapters := range []int{3, 0, 3, 2, 0, 2} {
			c := fmt.Sprintf("%d.%d Chapter %s", n+1, i+1, word(5*i%7))
			toc.WriteString(item(c, slugOf(p)))
			want = append(want, c)
			if chapters > 0 {
				toc.WriteString("<ul>")
				for j := range chapters {
					s := fmt.Sprintf("%d.%d.%d Section %s", n+1, i+1, j+1, word(i+j))
					toc.WriteString(item(s, slugOf(c)) + "</li>")
					want = append(want, s)
				}
				toc.WriteString("</ul>")
			}
			toc.WriteString("</li>")
		}
		toc.WriteString("</ul></li>")
	}
	w.pages["http://docs.test/"] = html(`<title>Kettles</title><h1>Kettles</h1><p>Kettles and how to boil water in them, from the first cup to the last.</p><ul>` + toc.String() + `</ul>`)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100})
	var got []string
	for line := range strings.Lines(s.Render(llmstxt.Index)) {
		if name, ok := strings.CutPrefix(line, "- ["); ok {
			name, _, _ = strings.Cut(name, "]")
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// A list longer than what counts of a page's links belongs to its heading as a short one does.
func TestSections_ListsOfHundreds_HaveTheirHeadings(t *testing.T) {
	for _, n := range []int{30, 900} {
		w := &web{pages: map[string]answer{}}
		body := ""
		for _, list := range []struct {
			name, dir string
			links     int
		}{{"Commands", "www1", 3}, {"Routines and constants", "www3", n}} {
			body += "<h2>" + list.name + "</h2><table>"
			for i := range list.links {
				at := "/" + list.dir + "/" + word(i) + ".html"
				w.pages["http://docs.test"+at] = doc(list.dir + word(i))
				body += "<tr><td><a href=" + at + ">" + list.dir + word(i) + "</a></td></tr>"
			}
			body += "</table>"
		}
		w.pages["http://docs.test/"] = html("<title>Kettle Reference</title><h1>Kettle Reference</h1>" + body)
		f := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 20})
		if got, want := strings.Join(f.Sections, ", "), "Commands, Routines and constants"; got != want {
			t.Errorf("%d links: %q, want %q", n, got, want)
		}
	}
}
