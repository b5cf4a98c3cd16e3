package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// kept is a site's addresses, without its host, in their order.
func kept(s *llmstxt.CrawledSite) []string {
	out := urls(s)
	for i := range out {
		out[i] = strings.TrimPrefix(out[i], "http://docs.test")
	}
	slices.Sort(out)
	return out
}

// versionedSite has three pages in each of some versions, whose folders are given; in each
// page a switcher leads to the same page of the others. One page is in the last version alone.
func versionedSite(canonical string, folders ...string) *web {
	w := &web{pages: map[string]answer{}}
	names := []string{"start", "tea", "pots"}
	for i, folder := range folders {
		own := names
		if i == len(folders)-1 {
			own = append(slices.Clone(names), "cups")
		}
		for _, name := range own {
			var links []string
			for _, n := range own {
				links = append(links, folder+n)
			}
			for _, f := range folders {
				links = append(links, f+name)
			}
			if i == 0 && name == "start" {
				links = append(links, folders[len(folders)-1]+"cups")
			}
			a := doc(name+" of all kinds in "+strings.Trim(folder, "/"), links...)
			if canonical != "" {
				a.body = strings.Replace(a.body, "</head>", "<link rel=canonical href="+canonical+name+"></head>", 1)
			}
			w.pages["http://docs.test"+folder+name] = a
		}
	}
	w.pages["http://docs.test/"] = doc("Home", folders[0]+"start")
	return w
}

// The version that the caller asks for is kept, in place of one whose addresses name no
// version, and of one that the pages name as their canonical form.
func TestCrawl_VersionAskedFor_IsKept(t *testing.T) {
	for _, c := range []struct{ folders, canonical, version, want string }{
		{"/docs/ /docs/next/ /docs/1.x/", "", "1.x", "[/ /docs/1.x/cups /docs/1.x/pots /docs/1.x/start /docs/1.x/tea]"},
		{"/ /v2.1/ /v2.0/", "", "2.0", "[/ /v2.0/cups /v2.0/pots /v2.0/start /v2.0/tea]"},
		{"/guide/ /guide/beta/ /guide/3.4/", "", "beta", "[/ /guide/3.4/cups /guide/beta/pots /guide/beta/start /guide/beta/tea]"},
		{"/en/latest/ /en/stable/ /en/v1.2/", "/en/stable/", "v1.2", "[/ /en/v1.2/cups /en/v1.2/pots /en/v1.2/start /en/v1.2/tea]"},
		{"/en/latest/ /en/stable/ /en/v1.2/", "/en/stable/", "stable", "[/ /en/stable/pots /en/stable/start /en/stable/tea /en/v1.2/cups]"},
		{"/docs/ /docs/next/ /docs/1.x/", "/docs/", "1.x", "[/ /docs/1.x/cups /docs/1.x/pots /docs/1.x/start /docs/1.x/tea]"},
		{"/docs/ /docs/next/ /docs/1.x/", "", "", "[/ /docs/1.x/cups /docs/pots /docs/start /docs/tea]"},
		{"/docs/ /docs/next/ /docs/1.x/", "", "9.9", "[/ /docs/1.x/cups /docs/pots /docs/start /docs/tea]"},
	} {
		w := versionedSite(c.canonical, strings.Fields(c.folders)...)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Version: c.version})
		if got := fmt.Sprint(kept(s)); got != c.want {
			t.Errorf("%+v:\n%s; %v", c, got, reasons(s))
		}
	}
}

// The start page of the version that is asked for leads to its pages, also where another
// version's start page, with the same title, is the base page.
func TestCrawl_VersionAskedFor_BasePageIsAnotherVersion_PagesCome(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": redirect("/latest/")}}
	for _, v := range []string{"latest", "v3.1"} {
		at := "http://docs.test/" + v + "/"
		w.pages[at] = doc("Tea "+v, "/latest/", "/v3.1/", "brew", "pour")
		w.pages[at+"brew"], w.pages[at+"pour"] = doc("Brewing "+v), doc("Pouring "+v)
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Version: "3.1"})
	if got := fmt.Sprint(kept(s)); got != "[/latest/ /v3.1/ /v3.1/brew /v3.1/pour]" {
		t.Errorf("%s; %v", got, reasons(s))
	}
}

// A page that names itself in another version as its canonical form is kept in the version of
// the base page.
func TestCrawl_CanonicalIsAnotherVersion_BasePagesVersionIsKept(t *testing.T) {
	w := versionedSite("/en/stable/", "/en/latest/", "/en/stable/")
	w.pages["http://docs.test/"] = redirect("/en/latest/start")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := fmt.Sprint(kept(s)); got != "[/en/latest/pots /en/latest/start /en/latest/tea /en/stable/cups]" {
		t.Errorf("%s; %v", got, reasons(s))
	}
}

// A page in another language is a translation also of one that is left out for another
// version, or for its canonical form.
func TestCrawl_TranslationOfPageLeftOut_IsTranslation(t *testing.T) {
	german := func(a answer) answer {
		a.body = strings.Replace(strings.Replace(a.body, "lang=en", "lang=de", 1), "This page explains", "Diese Seite zeigt", 1)
		return a
	}
	for _, c := range []struct{ head, twin string }{
		{"", "/en/stable/"},
		{"<link rel=canonical href=/en/latest/tea></head>", "/en/old-tea"},
	} {
		de := strings.Replace(c.twin, "/en/", "/de/", 1)
		w := &web{pages: map[string]answer{
			"http://docs.test/": redirect("/en/latest/"), "http://docs.test/en/latest/": doc("Tea", "tea", c.twin, de),
			"http://docs.test/en/latest/tea": doc("Brewing"), "http://docs.test" + c.twin: doc("Tea"), "http://docs.test" + de: german(doc("Tee")),
		}}
		twin := w.pages["http://docs.test"+c.twin]
		twin.body = strings.Replace(twin.body, "</head>", c.head, 1)
		w.pages["http://docs.test"+c.twin] = twin
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := fmt.Sprint(kept(s)); got != "[/en/latest/ /en/latest/tea]" || reasons(s)[de] != llmstxt.SkipTranslation {
			t.Errorf("%s; %v", got, reasons(s))
		}
	}
}

// The links of pages of an earlier crawl are what the store of a host returns.
func TestCrawl_InvalidLinkOfAnEarlierCrawl_LeadsNowhere(t *testing.T) {
	w := validating(&web{pages: map[string]answer{"http://docs.test/": doc("Home", "/tea"), "http://docs.test/tea": doc("Tea of all kinds")}}, "ETag")
	before := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages
	for i := range before {
		before[i].Links = append(before[i].Links, "mailto:any@docs.test/1.0/tea")
	}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Previous: before, Version: "1.0"})
	if got := fmt.Sprint(kept(s)); got != "[/ /tea]" {
		t.Errorf("%s; %v", got, reasons(s))
	}
}
