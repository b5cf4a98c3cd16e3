package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Pages with one title are told apart by what their addresses add to that of the first; others stay.
func TestTitles_PartsOfAList_AreToldApart(t *testing.T) {
	long := strings.Repeat("Kettle ", 27) + "of tea" // as long as a title may be, but for some letters
	for _, c := range []struct {
		title        string
		pages, wants []string
	}{
		{"All Names", []string{"names.html", "names_func.html", "names_func_b.html", "names_~.html"}, []string{"All Names", "All Names (func)", "All Names (func, b)", "All Names (~)"}},
		{"Install", []string{"use/install", "use/install-2"}, []string{"Install", "Install (2)"}},
		{"News", []string{"news.html", "news-9.18.html"}, []string{"News", "News (9.18)"}},
		{"Install", []string{"install.html", "install-on-linux.html", "install-8f14e45f.html", "install-20240131.html"}, []string{"Install", "Install (on linux)", "Install", "Install (20240131)"}},
		{"Tea", []string{"tea.html", "tea.de.html", "tea_..html", "tea_%0A%0Acup.html", "tea_%FF.html"}, []string{"Tea", "Tea (de)", "Tea", "Tea", "Tea"}},
		{long, []string{"names.html", "names_func.html"}, []string{long, long}},
		{"Install", []string{"install-2", "install-3"}, []string{"Install", "Install"}},
		{"Overview", []string{"tea/overview.html", "pots/overview.html"}, []string{"Overview", "Overview"}},
		{"Lids", []string{"lid.html", "lids.html", "lid/large.html"}, []string{"Lids", "Lids", "Lids"}},
		{"Tea", []string{"tea", "tea-with-milk-and-sugar-and-lemon"}, []string{"Tea", "Tea"}},
	} {
		w, links := &web{pages: map[string]answer{}}, ""
		for i, p := range c.pages {
			links += "<p><a href=/" + p + ">Go to " + p + "</a>"
			w.pages["http://docs.test/"+p] = html(fmt.Sprintf("<title>%s</title><main><p>What is told in part %s of this book is told here in one sentence.</p></main>", c.title, word(i+3)))
		}
		w.pages["http://docs.test/"] = html("<title>Kettle</title><main><h1>Kettle</h1><p>" + gadget + "</p>" + links + "</main>")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		var got []string
		for _, p := range c.pages {
			got = append(got, pageAt(t, s, p).Title)
		}
		if !slices.Equal(got, c.wants) {
			t.Errorf("%q, want %q", got, c.wants)
		}
	}
}
