package llmstxt_test

import (
	"fmt"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// fileListSite is a reference that Doxygen makes of some structures and some files, whose base page leads to
// its lists of them.
func fileListSite(structures, files int) *web {
	w := &web{pages: map[string]answer{}}
	page := func(at, title, body string) {
		w.pages["http://docs.test/"+at] = html("<title>Kettle: " + title + "</title><main><h1>" + title + "</h1>" + body + "</main>")
	}
	list := func(n int, form, title, said string) (rows string) {
		for i := range n {
			at, name := fmt.Sprintf(form, word(i)), fmt.Sprintf(title, word(i))
			rows += "<tr><td><a href=/" + at + ">" + name + "</a><td>"
			page(at, name+" Reference", "<p>"+fmt.Sprintf(said, word(i))+"</p>")
		}
		return "<table>" + rows + "</table>"
	}
	page("annotated.html", "Data Structures", list(structures, "struct%s.html", "%s_t Struct", "The %s is a part of every pot."))
	page("files.html", "File List", list(files, "%s_8c.html", "%s.c File", "It boils the water of the %s in a pot."))
	page("globals_func.html", "Globals", "<p>boil(), which makes tea hot, of all that a pot has : <a href=/a_8c.html>a.c</a>, <a href=/b_8c.html>b.c</a>.</p>")
	w.pages["http://docs.test/"] = html("<title>Kettle: Main Page</title><nav><ul><li><a href=/annotated.html>Data Structures</a><li><a href=/files.html>Files</a><li><a href=/globals_func.html>Functions</a></ul></nav><main><h1>Kettle Documentation</h1></main>")
	return w
}

// The list of a program's files is of use to few, and names the section of their pages.
func TestSections_ListOfFiles_NamesTheirPages(t *testing.T) {
	for _, n := range [][2]int{{10, 4}, {4, 10}, {20, 20}, {24, 12}} {
		s := crawl(t, fileListSite(n[0], n[1]), "http://docs.test/", llmstxt.Options{})
		count := map[string]int{}
		for _, p := range s.Pages[1:] {
			if !p.Secondary {
				count[p.Section]++
			}
		}
		if got, want := fmt.Sprint(count), fmt.Sprintf("map[Data Structures:%d Files:%d]", n[0]+1, n[1]); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		if want := "Kettle: Data Structures; Files."; s.Summary != want {
			t.Errorf("%d: %q, want %q", n, s.Summary, want)
		}
		for _, list := range []string{"files.html", "globals_func.html"} {
			if !pageAt(t, s, list).Secondary {
				t.Errorf("%d: %s is not optional", n, list)
			}
		}
	}
}
