package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// packagesSite is a reference in Java of some packages, with a class in each.
func packagesSite(t *testing.T, home string, packages ...string) *llmstxt.CrawledSite {
	t.Helper()
	var pages [][3]string
	for i, name := range packages {
		folder := strings.ReplaceAll(name, ".", "/")
		class := []string{"Lid", "Spout", "Handle", "Rim", "Foot", "Glaze"}[i]
		pages = append(pages,
			[3]string{folder + "/package-summary.html", name, "<main><h1>Package " + name + "</h1><p>All that has to do with the " + class + " of a pot is in it.</p></main>"},
			[3]string{folder + "/" + class + ".html", class, "<main><h1>Class " + class + "</h1><p>A " + class + " is made of clay, on a wheel and in an oven.</p></main>"})
	}
	return potSite(t, home, pages...)
}

// A reference without a title is called by the package that all others are in.
func TestSite_Title_OverviewOfPackages_IsTheirPackage(t *testing.T) {
	const home = "<title>Overview</title><main><h2>Packages</h2></main>"
	for want, names := range map[string][]string{
		"pots":               {"pots.core", "pots.lids", "pots.core.clay"},
		"com.example":        {"com.example.lids", "com.example.spouts"},
		"org.example.tea":    {"org.example.tea", "org.example.tea.lids"},
		"Overview":           {"org.example.tea", "org.pots.lids"},
		"Overview: not this": {"com.example.lids", "com.example.spouts"},
	} {
		page := home
		if want == "Overview: not this" {
			want, page = "Kettle API", strings.Replace(home, "Overview", "Kettle API", 1)
		}
		if s := packagesSite(t, page, names...); s.Title != want {
			t.Errorf("%q: %q, want %q", names, s.Title, want)
		}
	}
}

// A folder without a page is called by the package that its packages are in, and not by its own name.
func TestSections_FolderOfPackages_HasTheirPackagesName(t *testing.T) {
	s := packagesSite(t, "<title>Kettle API</title><main><h1>Kettle API</h1></main>", "org.kettle.lids", "org.kettle.lids.clay", "com.pots.handle", "net.one", "net.two.a")
	sections := fmt.Sprintf("%q", s.Sections)
	for _, want := range []string{`"org.kettle.lids"`, `"com.pots.handle"`, `"Net"`} {
		if !strings.Contains(sections, want) {
			t.Errorf("%s: no %s", sections, want)
		}
	}
	var pages [][3]string
	for _, name := range []string{"guide/a", "guide/b", "tools/x.y", "tools/z"} {
		pages = append(pages, [3]string{name, "pots.of.clay", "<h1>The " + name + "</h1><p>What is to be said of " + name + " stands here in a sentence.</p>"})
	}
	if got := fmt.Sprintf("%q", potSite(t, "<title>Kettle</title><h1>Kettle</h1>", pages...).Sections); strings.Contains(got, "pots.of") {
		t.Errorf("%s", got) // of no package
	}
}

// Doxygen's name for a project without one is not the site's.
func TestSite_Title_ProjectWithoutAName_IsWhatItsPageIsCalled(t *testing.T) {
	pages := [][3]string{}
	for _, class := range []string{"Pot::Lid", "Pot::Spout", "Pot::Handle", "Pot::Rim"} {
		pages = append(pages, [3]string{strings.ReplaceAll(class, "::", "_") + ".html", "My Project: " + class + " Class Reference", "<h1>" + class + " Class Reference</h1><p>The " + class + " is a part of every pot.</p>"})
	}
	for _, c := range []struct{ title, heading, want string }{
		{"My Project: Pots of clay", "Pots of clay", "Pots of clay"},
		{"My Project: Main Page", "My Project Documentation", "Pot"},
		{"My Project: Main Page", "Clay pots for all", "Clay pots for all"},
		{"Kettle: Main Page", "Kettle Documentation", "Kettle"},
	} {
		mine := pages
		if c.want == "Kettle" {
			mine = nil
			for _, p := range pages {
				mine = append(mine, [3]string{p[0], strings.Replace(p[1], "My Project", "Kettle", 1), p[2]})
			}
		}
		if s := potSite(t, "<title>"+c.title+"</title><main><h1>"+c.heading+"</h1></main>", mine...); s.Title != c.want {
			t.Errorf("%s, %s: %q", c.title, c.heading, s.Title)
		} else if p := pageAt(t, s, "Pot_Lid.html"); p.Title != "Pot::Lid Class Reference" {
			t.Errorf("%q", p.Title)
		}
	}
	alone := crawl(t, &web{pages: map[string]answer{"http://docs.test/": html("<title>My Project: Main Page</title><main><p>Pots of clay hold water and soup.</p></main>")}}, "http://docs.test/", llmstxt.Options{})
	if alone.Title != "My Project" {
		t.Errorf("%q", alone.Title)
	}
}

// A title that says the site's name twice says it once.
func TestSite_Title_SaidTwice_StandsOnce(t *testing.T) {
	for title, want := range map[string]string{"Tea Pots - Tea Pots": "Tea Pots", "Tea | Tea": "Tea", "Tea - Tea Pots": "Tea - Tea Pots", "Yo-Yo": "Yo-Yo"} {
		if s := potSite(t, "<title>"+title+"</title><h1>Welcome</h1>", [3]string{"lid", "Lids", "<p>" + gadget + "</p>"}, [3]string{"rim", "Rims", "<p>A rim is made of clay, on a wheel.</p>"}, [3]string{"foot", "Feet", "<p>A foot is made of clay, in an oven.</p>"}); s.Title != want {
			t.Errorf("%s: %q", title, s.Title)
		}
	}
}
