package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
)

// Of a table of pages a single one may have words beside its link; they say nothing of the site.
func TestSummary_TableOfPagesWithWordsBesideOne_IsNotOfThatOne(t *testing.T) {
	const words = "Holds the classes that nobody outside of the library may use."
	for _, cell := range []string{"th", "td"} {
		for _, rows := range []int{2, 4, 7} {
			var table strings.Builder
			var pages [][3]string
			for i := range rows {
				name := "org.acme." + word(i)
				said := ""
				if i == rows-1 {
					said = words
				}
				fmt.Fprintf(&table, "<tr><%s><a href=/%s.html>%s</a></%s><td>%s</td></tr>", cell, name, name, cell, said)
				pages = append(pages, [3]string{name + ".html", name, "<h1>Package " + name + "</h1><p>Here is what " + name + " does with clay.</p>"})
			}
			s := potSite(t, "<title>Pots 2.0 API</title><h1>Pots 2.0 API</h1><table><tr><th>Package<th>Description</tr>"+table.String()+"</table>", pages...)
			if s.Title != "Pots 2.0 API" || rows >= 4 && strings.Contains(s.Summary, "nobody") {
				t.Errorf("%d rows of %s: %q: %q", rows, cell, s.Title, s.Summary)
			}
		}
	}
}
