package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Where a generator writes the project's name as the title of every page, each has the end of its
// breadcrumbs as its title, or its heading, which a namespace and its class may share.
func TestTitles_SitesNameOnAllPages_AreBreadcrumbsOrHeadings(t *testing.T) {
	for name, c := range map[string]struct {
		page func(own string) string
		want string
	}{
		"breadcrumbs": {func(own string) string {
			return "<ol class=breadcrumb><li class=breadcrumb-item>Classes</li><li class=breadcrumb-item>" + own + "</li></ol><h3>Description</h3>"
		}, "Kettle: Lid, Spout, Handle, Filter, Overview"},
		"headings": {func(own string) string { return "<h2>" + strings.ReplaceAll(own, "Filter", "Handle") + "</h2>" },
			"Kettle: Lid, Spout, Handle, Handle, Overview"},
		"addresses": {func(string) string { return "<h2>Synopsis</h2>" }, "Kettle: Lid, Spout, Handle, Filter, Overview"},
	} {
		w := &web{pages: map[string]answer{}}
		list := ""
		for i, own := range []string{"Lid", "Spout", "Handle", "Filter", "Overview"} {
			address := strings.ToLower(own) + ".html"
			list += "<li><a href=" + address + ">" + word(i) + "</a>"
			w.pages["http://docs.test/"+address] = html(fmt.Sprintf("<html lang=en><title>Kettle</title><main>%s<p>%s It has %d of them.</p></main>", c.page(own), gadget, i+2))
		}
		w.pages["http://docs.test/"] = html("<html lang=en><title>Kettle</title><main><h1>Kettle</h1><p>" + gadget + "</p><ul>" + list + "</ul></main>")
		if got := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
