package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What generators of documentation make of a program by itself, beside its pages.

// program is one of 4 packages of 12 classes, with a listing of each class's uses and of its
// source, and indexes of all; use and source are their addresses, %s being the class.
func program(index string, use, source string) *web {
	w := &web{pages: map[string]answer{}}
	var all, packages []string
	for p := range 4 {
		dir := "/org/" + word(p) + "/"
		var in []string
		for i := range 12 {
			class := "Class" + word(100*p+i)
			listings := []string{dir + fmt.Sprintf(use, class), dir + fmt.Sprintf(source, class)}
			w.pages["http://docs.test"+dir+class+".html"] = doc(class, append(listings, index)...)
			for _, l := range listings {
				w.pages["http://docs.test"+l] = doc("Listing "+l, dir+class+".html")
			}
			in = append(append(in, listings...), dir+class+".html")
			all = append(all, dir+class+".html")
		}
		w.pages["http://docs.test"+dir+"package-summary.html"] = doc("Package "+word(p), in...)
		packages = append(packages, dir+"package-summary.html")
	}
	w.pages["http://docs.test"+index] = doc("All names", all...)
	w.pages["http://docs.test/"] = doc("Program", append([]string{index}, packages...)...)
	return w
}

func TestCrawl_ListingsOfAProgram_ComeBehindItsPages(t *testing.T) {
	for index, of := range map[string][2]string{
		"/index-all.html":     {"class-use/%s.html", "src-html/%s.html"}, // Javadoc
		"/overview-tree.html": {"package-use.html?%s", "package-tree.html?%s"},
		"/genindex.html":      {"_modules/%s.html", "src/%s.rs.html"},        // Sphinx, rustdoc
		"/functions_a.html":   {"class%s-members.html", "%s_8h_source.html"}, // Doxygen
		"/doc-index-All.html": {"src/Data.%s.html", "%s-pysrc.html"},         // Haddock, Epydoc
	} {
		w := program(index, of[0], of[1])
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 30})
		classes, folders := 0, map[string]int{}
		for _, u := range urls(s) {
			if strings.Contains(u, "/Class") && !strings.Contains(u, "/src") && !strings.Contains(u, "class-use") && !strings.Contains(u, "_") && !strings.Contains(u, "pysrc") {
				classes++
				folders[u[:strings.LastIndexByte(u, '/')]]++
			}
		}
		if classes != 24 || len(folders) != 4 {
			t.Errorf("%s: %d classes in 30 pages: %v", index, classes, urls(s))
		}
		for folder, n := range folders {
			if n != 6 {
				t.Errorf("%s: %d classes of %s, which take turns", index, n, folder)
			}
		}
		if s.Stats.Skipped[llmstxt.SkipPattern] > 0 {
			t.Errorf("%s: %v", index, s.Skipped)
		}
		// With room for all, all are there, each once.
		if s = everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 400}); len(s.Pages) != 6+3*48 {
			t.Errorf("%s: %d pages", index, len(s.Pages))
		}
	}
}

func TestCrawl_PagesThatAListingAloneNames_ComeAtTheEnd(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	hidden := section(w, "hidden", 8)
	w.pages["http://docs.test/genindex.html"] = doc("Index", append([]string{"/guide/late"}, hidden...)...)
	w.pages["http://docs.test/guide/late"] = doc("Late")
	w.pages["http://docs.test/guide"] = doc("Guide", "/guide/more", "/guide/late")
	w.pages["http://docs.test/guide/more"] = doc("More")
	w.pages["http://docs.test/"] = doc("Start", "/genindex.html", "/guide")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got, want := urls(s), append([]string{"/", "/genindex.html", "/guide", "/guide/more", "/guide/late"}, hidden...); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// A start page that is a listing is what its reader has.
	w.pages["http://docs.test/"] = redirect("/genindex.html")
	s = everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 6})
	if got, want := urls(s), append([]string{"/genindex.html", "/guide/late"}, hidden[:4]...); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The list of a class's members comes behind the pages, as qdoc names it: by the page of the class.
func TestCrawl_MembersOfAClass_ComeBehindThePages(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var classes, members []string
	for i := range 6 {
		class, last := "/q"+word(i), "/team"
		classes, members = append(classes, class+".html"), append(members, class+"-members.html")
		if i < 5 {
			last = "/guide-" + word(i+1)
			w.pages["http://docs.test"+last] = doc("Guide to " + last)
		}
		w.pages["http://docs.test"+class+".html"] = doc("Class "+class, class+"-members.html", last)
		w.pages["http://docs.test"+class+"-members.html"] = html("<title>List of All Members for " + class[1:] + "</title><h1>List of All Members for " + class[1:] + "</h1><ul><li>boil()<li>" + word(i) + "()</ul>")
	}
	w.pages["http://docs.test/team"] = doc("Team", "/team-members.html", "/qa.html")
	w.pages["http://docs.test/team-members.html"] = doc("Members of the team")
	w.pages["http://docs.test/"] = doc("Program", append([]string{"/classes.html"}, classes...)...)
	w.pages["http://docs.test/classes.html"] = doc("Classes", classes...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 15})
	if got := urls(s); slices.ContainsFunc(got, func(u string) bool { return strings.HasPrefix(u, "/q") && strings.HasSuffix(u, "-members.html") }) || !slices.Contains(got, "/team-members.html") {
		t.Errorf("%v", got)
	}
	s = everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	for _, m := range members {
		if p := pageAt(t, s, m[1:]); !p.Secondary {
			t.Errorf("%s is not optional", m)
		}
	}
	if pageAt(t, s, "team-members.html").Secondary {
		t.Error("the members of the team are optional")
	}
}
