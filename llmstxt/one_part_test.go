package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// contentsOf is a site whose base page has a list of chapters below its heading, and others below names.
func contentsOf(heading string, chapters int, parts ...string) *web {
	w := &web{pages: map[string]answer{}}
	n := 0
	list := func(size int) string {
		var b strings.Builder
		for range size {
			n++
			fmt.Fprintf(&b, "<li><a href=/p%d.html>Page %d</a>", n, n)
			w.pages[fmt.Sprintf("http://docs.test/p%d.html", n)] = html(fmt.Sprintf("<title>Page %[1]d</title><main><h1>Page %[1]d</h1><p>What is told on page %[1]d is told here in one sentence.</p></main>", n))
		}
		return "<ul>" + b.String() + "</ul>"
	}
	main := list(chapters)
	side := main
	for _, name := range parts {
		of := list(3)
		main += "<p class=caption><span>" + name + "</span></p>" + of
		side += "<p class=caption><span>" + name + "</span></p>" + of
	}
	w.pages["http://docs.test/"] = html("<title>Tea Handbook</title><nav>" + side + "</nav><main><h1>" + heading + "</h1>" + main + "</main>")
	return w
}

// names are "P1, P2" and so on.
func names(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint("P", i+1))
	}
	return strings.Join(all, ", ")
}

// A contents that names its last part alone has the chapters before it in front, and the part under its name.
func TestSections_OnePartWithAName_StandsBehindTheOthers(t *testing.T) {
	for _, c := range []struct {
		w    *web
		want string
	}{
		{contentsOf("Tea Handbook", 6, "Appendices"), "General: P1, P2, P3, P4, P5, P6; Appendices: P7, P8, P9"},
		{contentsOf("Tea Handbook", 10, "API"), "General: P1, P2, P3, P4, P5, P6, P7, P8, P9, P10; API: P11, P12, P13"},
		{contentsOf("Tea", 3, "API"), "General: P1, P2, P3; API: P4, P5, P6"},
		{contentsOf("Tea Handbook", 2, "Use", "API"), "General: P1, P2; Use: P3, P4, P5; API: P6, P7, P8"},
		{contentsOf("Tea Handbook", 20, "Use", "API"), "General: " + names(20) + "; Use: P21, P22, P23; API: P24, P25, P26"},
		// Some pages of any part are no part.
		{contentsOf("Tea Handbook", 10, "Popular pages"), "Pages: P11, P12, P13, " + names(10)},
	} {
		f, err := llmstxt.Parse(everyWay(t, c.w, "http://docs.test/", llmstxt.Options{}).Render(llmstxt.Index), llmstxt.Index)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range f.Sections {
			titles := make([]string, len(s.Entries))
			for i, e := range s.Entries {
				titles[i] = e.Title
			}
			got = append(got, s.Name+": "+strings.Join(titles, ", "))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), c.want)
		}
	}
}

// A folder without another name is called as people write it, with initials in capitals.
func TestSections_FoldersOfInitials_HaveCapitals(t *testing.T) {
	for folder, want := range map[string]string{"api": "API", "rest-api": "Rest API", "cli_commands": "CLI commands", "css-in-js": "CSS in JS", "apiary": "Apiary", "clinic": "Clinic"} {
		w, links := &web{pages: map[string]answer{}}, ""
		for _, at := range []string{"/" + folder + "/a", "/" + folder + "/b", "/guides/c", "/guides/d"} {
			w.pages["http://docs.test"+at] = doc("Page " + at[len(at)-1:])
			links += "<p><a href=" + at + ">Go to " + at[len(at)-1:] + "</a>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p>" + links + "</main>")
		if got := contents(t, w, "http://docs.test/"); got != want+" 2, Guides 2" {
			t.Errorf("%s: %s, want %s", folder, got, want)
		}
	}
}
