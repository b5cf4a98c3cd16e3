package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Versions may stand in the query, where a list of versions leads to them.
func TestCrawl_VersionInQuery_OneIsKept(t *testing.T) {
	for _, c := range []struct{ field, versions, words, base, version, want string }{
		{"v", "2.0 3.0", "v2.0,v3.0 (latest)", "/", "", "[/ /cups /pots /tea]"},
		{"v", "2.0 3.0", "2.0,3.0", "/", "2.0", "[/ /?v=2.0 /cups?v=2.0 /pots?v=2.0 /tea?v=2.0]"},
		{"view", "net-7.0 net-8.0 net-9.0", "7.0,8.0,9.0", "/?view=net-8.0", "", "[/?view=net-8.0 /cups?view=net-8.0 /pots?view=net-8.0 /tea?view=net-8.0]"},
		{"version", "1.0 latest", "1.0,latest", "/", "1.0", "[/ /?version=1.0 /cups?version=1.0 /pots?version=1.0 /tea?version=1.0]"},
		// Fields that are those of something else than versions.
		{"size", "1.0 2.0", "1.0,2.0", "/", "", "[/ /?size=1.0 /?size=2.0 /cups /cups?size=1.0 /cups?size=2.0 /pots /pots?size=1.0 /pots?size=2.0 /tea /tea?size=1.0 /tea?size=2.0]"},
	} {
		w := &web{pages: map[string]answer{}}
		words := strings.Split(c.words, ",")
		for _, name := range []string{"", "tea", "pots", "cups"} {
			queries := []string{""}
			for _, v := range strings.Fields(c.versions) {
				queries = append(queries, "?"+c.field+"="+v)
			}
			for _, q := range queries {
				var list strings.Builder
				for i, o := range queries[1:] {
					fmt.Fprintf(&list, `<li><a href="/%s%s">%s</a></li>`, name, o, words[i])
				}
				a := doc(name+" of all kinds", "/tea"+q, "/pots"+q, "/cups"+q)
				a.body = strings.Replace(a.body, "</main>", "<p>What is said of it in "+q+" is said nowhere else, as of "+name+".</p></main><ul>"+list.String()+"</ul>", 1)
				w.pages["http://docs.test/"+name+q] = a
			}
		}
		s := everyWay(t, w, "http://docs.test"+c.base, llmstxt.Options{Version: c.version})
		if got := fmt.Sprint(kept(s)); got != c.want {
			t.Errorf("%+v:\n%s; %v", c, got, reasons(s))
		}
	}
}

// A language that stands in the query is kept together with a version that stands in the path.
func TestCrawl_LanguageAndVersionAskedFor_AreKept(t *testing.T) {
	for _, form := range []string{"/%[1]s/%[2]s/%[3]s", "/%[2]s/%[1]s/%[3]s", "/docs/%[2]s/%[3]s?lang=%[1]s"} {
		w := &web{pages: map[string]answer{}}
		var all []string
		for _, lang := range []string{"en", "de", "fr"} {
			for _, version := range []string{"2.0", "3.0"} {
				for _, name := range []string{"start", "tea", "pots"} {
					at := fmt.Sprintf(form, lang, version, name)
					head := ""
					for _, l := range []string{"en", "de", "fr"} {
						head += fmt.Sprintf("<link rel=alternate hreflang=%s href=%q>", l, fmt.Sprintf(form, l, version, name))
					}
					a := inHead(doc(name+" in "+lang, fmt.Sprintf(form, lang, "2.0", name), fmt.Sprintf(form, lang, "3.0", name)), head)
					a.body = strings.Replace(strings.Replace(a.body, "lang=en", "lang="+lang, 1), "</main>", "<p>This is what version "+version+" has in "+lang+" beside all that.</p></main>", 1)
					w.pages["http://docs.test"+at] = a
					all = append(all, at)
				}
			}
		}
		w.pages["http://docs.test/"] = doc("Home", all...)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Language: "de", Version: "2.0"})
		for _, u := range kept(s)[1:] {
			if !strings.Contains(u, "2.0") || !strings.Contains(u, "de") {
				t.Errorf("%s: %s is kept", form, u)
			}
		}
		if len(s.Pages) != 4 {
			t.Errorf("%s: %v; %v", form, kept(s), reasons(s))
		}
	}
}

// Another field of the query may name the page: each is a page of its own, and what one
// version has alone stays.
func TestCrawl_VersionBesideThePageInTheQuery_KeepsAllPages(t *testing.T) {
	for _, form := range []string{"/doc?page=%s&v=%s", "/doc?v=%[2]s&page=%[1]s"} {
		at := func(page, version string) string { return fmt.Sprintf(form, page, version) }
		w := &web{pages: map[string]answer{}}
		inVersions := func(a answer, name string) answer {
			a.body = strings.Replace(a.body, "</main>", "</main><ul><li><a href=\""+at(name, "3.0")+"\">3.0 (latest)</a><li><a href=\""+at(name, "2.0")+"\">2.0</a></ul>", 1)
			return a
		}
		for version, names := range map[string][]string{"2.0": {"tea", "pots", "cups"}, "3.0": {"tea", "pots"}} {
			for _, name := range names {
				links := []string{at("cups", "2.0")}
				for _, n := range names {
					links = append(links, at(n, version))
				}
				a := doc(name+" of all kinds", links...)
				a.body = strings.Replace(a.body, "</main>", "<p>What version "+version+" says of "+name+".</p></main>", 1)
				w.pages["http://docs.test"+at(name, version)] = inVersions(a, name)
			}
		}
		w.pages["http://docs.test/"] = inVersions(doc("Home"), "tea")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		want := []string{"/", at("cups", "2.0"), at("pots", "3.0"), at("tea", "3.0")}
		if got := kept(s); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s:\n%s; %v", form, got, reasons(s))
		}
	}
}

// The same where the version stands in the path.
func TestCrawl_PageInTheQuery_WhatOneVersionHasAloneStays(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	for version, names := range map[string][]string{"2.0": {"tea", "pots", "cups"}, "3.0": {"tea", "pots"}} {
		for _, name := range names {
			at := "/" + version + "/doc?page=" + name
			w.pages["http://docs.test"+at] = doc(name + " of all kinds in " + version)
			all = append(all, at)
		}
	}
	slices.Sort(all)
	w.pages["http://docs.test/"] = doc("Home", all...)
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := fmt.Sprint(kept(s)); got != "[/ /2.0/doc?page=cups /3.0/doc?page=pots /3.0/doc?page=tea]" {
		t.Errorf("%s; %v", got, reasons(s))
	}
}

// Numbers alone may be those of verses, pictures or years, each of which is a page.
func TestCrawl_NumbersInTheQuery_AreNoVersions(t *testing.T) {
	for _, c := range []struct{ field, words string }{{"v", "1 2 3 4"}, {"view", "1 2 3 4"}, {"release", "2021 2022 2023"}} {
		w := &web{pages: map[string]answer{}}
		var list strings.Builder
		words := strings.Fields(c.words)
		for _, v := range words {
			fmt.Fprintf(&list, `<li><a href="/john?%s=%s">%s</a></li>`, c.field, v, v)
		}
		menu := func(a answer) answer {
			a.body = strings.Replace(a.body, "</main>", "</main><ul>"+list.String()+"</ul>", 1)
			return a
		}
		w.pages["http://docs.test/"] = menu(doc("Home"))
		for _, v := range words {
			a := doc("John 3:" + v)
			a.body = strings.Replace(a.body, "</main>", "<p>What is said of it in "+v+" is said nowhere else, as of that.</p></main>", 1)
			w.pages["http://docs.test/john?"+c.field+"="+v] = menu(a)
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != len(words)+1 {
			t.Errorf("%+v: %v; %v", c, kept(s), reasons(s))
		}
	}
}

// What says what is new in a version is a page for each.
func TestCrawl_VersionOfAChangelogInTheQuery_IsAPage(t *testing.T) {
	for _, at := range []string{"/changelog?version=%s", "/release-notes.php?v=%s", "/docs/whats_new.html?ver=%s&lang=en", "/download?release=%s"} {
		w := &web{pages: map[string]answer{}}
		versions := []string{"1.0", "1.1", "2.0"}
		list := ""
		for _, v := range versions {
			list += fmt.Sprintf("<li><a href=\""+at+"\">%[1]s</a>", v)
		}
		inList := func(a answer) answer {
			a.body = strings.Replace(a.body, "</main>", "</main><ul>"+list+"</ul>", 1)
			return a
		}
		w.pages["http://docs.test/"] = inList(doc("Home"))
		for _, v := range versions {
			w.pages["http://docs.test"+fmt.Sprintf(at, v)] = inList(doc("Changes in " + v))
		}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 {
			t.Errorf("%s: %v; %v", at, kept(s), reasons(s))
		}
	}
}

func TestCrawl_FolderAboutAVersion_IsAPage(t *testing.T) {
	for _, c := range []struct {
		at   string // of what is about a version
		page string // below it
		docs string // of the pages in each version
	}{
		{"/changes/%s/", "breaking", "/docs/%s/"}, {"/docs/release-notes/v%s/", "fixed/bugs", "/api/v%s/"}, {"/releases/%s/", "", "/docs/%s/"}, {"/en/whats_new/%s/", "more", "/en/%s/"},
		{"/upgrading/%s.x/", "steps/", "/%s/"},
	} {
		w := &web{pages: map[string]answer{}}
		put := func(p, title string, links ...string) { w.pages["http://docs.test"+p] = doc(title, links...) }
		versions := []string{"1.0", "1.1", "2.0", "2.1"}
		var all, list []string
		for _, v := range versions {
			about, docs := fmt.Sprintf(c.at, v), fmt.Sprintf(c.docs, v)
			all, list = append(all, about, docs), append(list, fmt.Sprintf("<li><a href=%s>%s</a>", about, v))
			put(about, "Changes in "+v)
			if c.page != "" {
				put(about, "Changes in "+v, about+c.page)
				put(about+c.page, "More of "+v)
			}
			put(docs, "Manual "+v, docs+"install", docs+"use")
			put(docs+"install", "Install "+v)
			put(docs+"use", "Use "+v)
		}
		home := doc("Kettle", all...)
		home.body = strings.Replace(home.body, "</main>", "<ul>"+strings.Join(list, "")+"</ul></main>", 1)
		w.pages["http://docs.test/"] = home
		want := 1 + 4 + 3
		if c.page != "" {
			want += 4
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if docs := paths(s, fmt.Sprintf(c.docs, "2.1")); len(s.Pages) != want || docs != 3 {
			t.Errorf("%s: %d pages, %d of the manual: %v; %v", c.at, len(s.Pages), docs, urls(s), reasons(s))
		}
	}
}
