package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
)

// Labels that are neither headings nor items of a list name the links below them.
func TestSections_LabelsOfLinks_NameThem(t *testing.T) {
	for name, c := range map[string]struct{ before, label, between, after string }{
		"mega menu":        {"<nav>", "<div class=col><span>%s</span>", "", "</nav>"},
		"mega menu of p":   {"<nav>", "<div><p>%s</p>", "<br>", "</nav>"},
		"bold text in nav": {"<nav>", "<div><b>%s</b>", " | ", "</nav>"},
		"definitions":      {"<main><dl>", "<dt>%s<dd>", ", ", "</dl></main>"},
		"details":          {"<main>", "<details><summary>%s</summary>", "<br>", "</details></main>"},
		"bold paragraphs":  {"<main>", "<p><b>%s</b></p>", "<br>", "</main>"},
		"bold, in cells":   {"<main><table><tr><td>", "<p><strong><span>%s</span></strong></p>", "<br>", "</table></main>"},
		"rows of a header": {"<main><table>", "<tr><th colspan=2>%s</th></tr><tr><td>", "</td><td>x</td></tr><tr><td>", "</table></main>"},
		"rows without end": {"<main><table>", "<tr><th>%s<tr><td>", "<td>x<tr><td>", "</table></main>"},
		"details in nav":   {"<nav>", "<details open><summary>%s</summary><div>", " ", "</div></details></nav>"},
	} {
		w := &web{pages: map[string]answer{}}
		body := c.before
		for i, section := range []string{"Guide", "Reference", "Cookbook"} {
			var links []string
			for j := range 3 {
				at := fmt.Sprintf("/%s.html", word(10*i+j))
				w.pages["http://docs.test"+at] = doc("Page " + word(10*i+j))
				links = append(links, "<a href="+at+">Page "+word(10*i+j)+"</a>")
			}
			if i > 0 && strings.Contains(c.label, "<div") {
				body += "</div>"
			}
			if i > 0 && strings.Contains(c.label, "<details") {
				body += "</details>"
			}
			body += fmt.Sprintf(c.label, section) + strings.Join(links, c.between)
		}
		begin := "<main><h1>Tea</h1><p>" + gadget + "</p>"
		if body += c.after; strings.HasPrefix(body, "<nav>") {
			body += begin + "</main>"
		} else {
			body = strings.Replace(body, "<main>", begin, 1)
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title>" + body)
		if got, want := contents(t, w, "http://docs.test/"), "Guide 3, Reference 3, Cookbook 3"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
