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
