package llmstxt_test

import (
	"fmt"
	"testing"
)

// A page with all texts of its folder does not keep their headings from the pages that have one each.
func TestTitles_PageOfAllItsFolder_PagesHaveTheirHeadings(t *testing.T) {
	for _, whole := range []string{"manual/index.html", "manual/", "manual/index.en.html"} {
		for first := range 3 {
			names, all := []string{"Boiling water", "Pouring it", "Cleaning up"}, ""
			var pages [][3]string
			for i := range names {
				name := names[(first+i)%3]
				body := fmt.Sprintf("<h1>%s</h1><p>%s is done with care and in good time. %s</p>", name, name, gadget)
				pages = append(pages, [3]string{fmt.Sprintf("manual/%d.html", i), "Manual | Kettle", body})
				all += body
			}
			pages = append(pages, [3]string{whole, "Manual | Kettle", all}, [3]string{"a.html", "Parts | Kettle", "<h1>Parts</h1><p>The parts of it are few.</p>"},
				[3]string{"b.html", "Shops | Kettle", "<h1>Shops</h1><p>The shops that have it are many.</p>"})
			s := potSite(t, "<title>Kettle</title><h1>Kettle</h1><p>Kettle is a thing for tea.</p>", pages...)
			for i := range names {
				if got := pageAt(t, s, fmt.Sprintf("manual/%d.html", i)).Title; got != names[(first+i)%3] {
					t.Errorf("%s: page %d is called %q", whole, i, got)
				}
			}
			if got := pageAt(t, s, whole).Title; got != "Manual" {
				t.Errorf("%s is called %q", whole, got)
			}
		}
	}
}
