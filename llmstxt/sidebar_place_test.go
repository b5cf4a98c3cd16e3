package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// The bar beside a page has no link to the page itself, and the other pages lead to more pages than
// their bars do.
func TestSections_PageWhoseBarGivesTheOrder_KeepsItsOwnPlace(t *testing.T) {
	names := []string{"fill", "boil", "pour", "clean"}
	for quiet, want := range names {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p><a href=/use/fill>Begin</a> <a href=/api/0>API</a></main>")}}
		page := func(at, title, own, more string) {
			bar := ""
			for _, n := range names {
				if n != own {
					bar += "<li><a href=/use/" + n + ">" + n + "</a>"
				} else {
					bar += "<li>" + n
				}
			}
			more += "<p>What " + title + " is about is told here in one sentence of its own.</p>"
			w.pages["http://docs.test"+at] = html("<title>" + title + "</title><nav><h3>Use</h3><ul>" + bar + "</ul><h3>API</h3><ul><li><a href=/api/0>0</a><li><a href=/api/1>1</a></ul></nav><main><h1>" + title + "</h1>" + more + "</main>")
		}
		words := ""
		for j := range 12 {
			words += fmt.Sprintf("<p><a href=/words/%d>Word</a> is a term that is explained on a page apart.</p>", j)
			w.pages[fmt.Sprintf("http://docs.test/words/%d", j)] = doc(fmt.Sprintf("Word %d", j))
		}
		for i, n := range names {
			more := words
			if i == quiet {
				more = ""
			}
			page("/use/"+n, n, n, more)
		}
		page("/api/0", "call 0", "", words)
		page("/api/1", "call 1", "", words)
		f := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		out := f.Render(llmstxt.Index)
		at := -1
		for _, n := range names {
			i := strings.Index(out, "(http://docs.test/use/"+n+")")
			if i < at || i < 0 {
				t.Errorf("%s alone has few links: %s", want, out)
				break
			}
			at = i
		}
	}
}

// Links to the page before and the next one, above that to the section, say nothing of its place: it
// stands in front of its pages.
func TestSections_LinksToNeighboursAboveTheSection_SectionComesFirst(t *testing.T) {
	names := []string{"fill", "boil", "pour", "clean", "store"}
	for n := 2; n <= len(names); n++ {
		list := ""
		for _, name := range names[:n] {
			list += "<li><a href=/use/" + name + ">The way to " + name + "</a></li>"
		}
		w := &web{pages: map[string]answer{
			"http://docs.test/":      html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p><p><a href=/use/>The use of it</a> <a href=/api/>The API</a></p></main>"),
			"http://docs.test/use/":  html("<title>The use of it</title><main><h1>The use of it</h1><ul>" + list + "</ul></main>"),
			"http://docs.test/api/":  html("<title>The API</title><main><h1>The API</h1><ul><li><a href=/api/0>Call</a></li></ul></main>"),
			"http://docs.test/api/0": doc("Call"),
		}}
		for i, name := range names[:n] {
			near := ""
			if i+1 < n {
				near = "<li><a href=/use/" + names[i+1] + ">next</a></li>"
			}
			if i > 0 {
				near += "<li><a href=/use/" + names[i-1] + ">previous</a></li>"
			}
			title := "The way to " + name
			w.pages["http://docs.test/use/"+name] = html("<title>" + title + "</title><div class=related><ul>" + near + "<li><a href=/>Tea</a></li><li><a href=/use/>The use of it</a></li></ul></div><main><h1>" + title + "</h1><p>What one does to " + name + " it is told here in one sentence of its own.</p></main>")
		}
		out := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Render(llmstxt.Index)
		at := strings.Index(out, "(http://docs.test/use/)")
		for _, name := range names[:n] {
			if i := strings.Index(out, "(http://docs.test/use/"+name+")"); at < 0 || i < at {
				t.Errorf("%d pages: %s comes before its section:\n%s", n, name, out)
				break
			}
		}
	}
}
