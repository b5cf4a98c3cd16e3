package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// kettlePosts are the posts of a blog: address, title and first sentence.
var kettlePosts = [][3]string{
	{"tea", "Why tea needs a lid", "Heat leaves a pot by its open top more than by its sides."},
	{"iron", "Pots of iron", "Iron keeps warm for an hour, and it rusts where the glaze has cracked."},
	{"milk", "Milk first or last", "Nobody agrees on when the milk goes in, and we measured it."},
	{"spoons", "A spoon for each pot", "One spoon for each cup and one for the pot is too much for most teas."},
	{"leaves", "Leaves or bags", "Bags hold dust and leaves hold taste, as a sieve shows quickly."},
}

// postLists are ways in which themes of blogs show a post in a list: with its beginning or whole.
var postLists = map[string]func(p [3]string) string{
	"WordPress": func(p [3]string) string {
		return fmt.Sprintf("<article><header><h2><a href=/%s/ rel=bookmark>%s</a></h2><div>Posted on <time>May 3, 2024</time></div></header><div class=entry-content><p>%s</p></div></article>", p[0], p[1], p[2])
	},
	"Hexo": func(p [3]string) string {
		return fmt.Sprintf("<article><div class=meta><a href=/%s/>2024-05-03</a></div><h1><a href=/%[1]s/>%s</a></h1><div itemprop=articleBody><p>%s</p><h2>Why</h2><p>There is more of it below this heading.</p></div></article>", p[0], p[1], p[2])
	},
	"items": func(p [3]string) string {
		return fmt.Sprintf("<li><h3><a href=/%s/>%s</a></h3><p>%s</p></li>", p[0], p[1], p[2])
	},
}

// postSite is a blog without a page about it, whose lists are shown in one of these ways.
func postSite(show func(p [3]string) string, head string) *web {
	w := &web{pages: map[string]answer{}}
	list := func(posts ...[3]string) (all string) {
		for _, p := range posts {
			all += show(p)
		}
		return all
	}
	page := func(title, main string) answer {
		return html("<title>" + title + "</title>" + head + "<header><a href=/>Home</a> <a href=/category/hot/>Hot</a> <a href=/category/iron/>Iron</a></header><main>" + main + "</main>")
	}
	w.pages["http://docs.test/"] = page("Notes on kettles", list(kettlePosts...))
	w.pages["http://docs.test/category/hot/"] = page("Category: Hot | Notes on kettles", "<h1>Category: <span>Hot</span></h1>"+list(kettlePosts[:3]...))
	w.pages["http://docs.test/category/iron/"] = page("Iron Archives | Notes on kettles", "<h1>Iron</h1>"+list(kettlePosts[1:3]...))
	for _, p := range kettlePosts {
		w.pages["http://docs.test/"+p[0]+"/"] = page(p[1]+" | Notes on kettles", fmt.Sprintf("<article><h1>%s</h1><p>%s</p><h2>Why</h2><p>There is more of it below this heading.</p></article>", p[1], p[2]))
	}
	return w
}

func TestNote_ListOfPosts_IsTheirHeadings(t *testing.T) {
	for name, show := range postLists {
		s := everyWay(t, postSite(show, ""), "http://docs.test/", llmstxt.Options{})
		if want := "Notes on kettles: Why tea needs a lid; Pots of iron; Milk first or last; A spoon for each pot; Leaves or bags."; s.Summary != want {
			t.Errorf("%s: the summary is %q, want %q", name, s.Summary, want)
		}
		for path, want := range map[string][2]string{
			"category/hot/":  {"Hot", "Why tea needs a lid; Pots of iron; Milk first or last."},
			"category/iron/": {"Iron", "Pots of iron; Milk first or last."},
			"tea/":           {"Why tea needs a lid", kettlePosts[0][2]},
		} {
			if p := pageAt(t, s, path); [2]string{p.Title, p.Note} != want {
				t.Errorf("%s: /%s is %q: %q, want %q", name, path, p.Title, p.Note, want)
			}
		}
	}
}

// What a list says of itself is its note, and a site's description that of its start page.
func TestNote_ListOfPostsWithWordsOfItsOwn_HasThem(t *testing.T) {
	const said = "Letters of two people who drink too much tea and say so."
	for name, show := range postLists {
		w := postSite(show, "<meta name=description content='"+said+"'>")
		const own = "All that we have written on what is poured while it is hot."
		hot := w.pages["http://docs.test/category/hot/"]
		hot.body = strings.Replace(hot.body, "</h1>", "</h1><p>"+own+"</p>", 1)
		w.pages["http://docs.test/category/hot/"] = hot
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if s.Summary != said {
			t.Errorf("%s: the summary is %q, want %q", name, s.Summary, said)
		}
		if got := pageAt(t, s, "category/hot/").Note; got != own {
			t.Errorf("%s: %q, want %q", name, got, own)
		}
	}
}

// A page of documentation may have headings that are links, and says what it is about all the same.
func TestNote_PageWithHeadingsThatAreLinks_KeepsItsWords(t *testing.T) {
	pages := [][3]string{
		{"fill", "Fill a kettle", "<main><h1>Fill a kettle</h1><p>Water comes in by the spout or below the lid.</p></main>"},
		{"boil", "Boil water", "<main><h1>Boil water</h1><p>A whistle says that it boils, or a lamp.</p></main>"},
	}
	for name, body := range map[string]string{
		"places":        "<h2><a href='#fill'>Fill a kettle</a></h2><p>WANT</p><h2><a href='#boil'>Boil water</a></h2><p>It takes two minutes for a litre of it.</p>",
		"words first":   "<p>WANT</p><h2><a href=/fill>Fill a kettle</a></h2><p>With cold water only, if it can be had.</p><h2><a href=/boil>Boil water</a></h2><p>It takes two minutes for a litre.</p>",
		"one of them":   "<h2><a href=/fill>Fill a kettle</a></h2><p>WANT</p>",
		"other pages":   "<h2><a href=https://a.test/>Standards of kettles</a></h2><p>WANT</p><h2><a href=https://b.test/>Laws</a></h2><p>They are few where tea is drunk a lot.</p>",
		"a part of it":  "<h2><a href=/fill>Fill a kettle</a> before use</h2><p>WANT</p><h2>Then <a href=/boil>Boil water</a> for a minute</h2><p>Pour it out when it has boiled for once.</p>",
		"then its own":  "<h2><a href=/fill>Fill a kettle</a></h2><p>With cold water only, if it can be had.</p><h2><a href=/boil>Boil water</a></h2><p>It takes two minutes.</p><h2>What this is</h2><p>WANT</p>",
		"not a heading": "<p><b><a href=/fill>Fill a kettle</a></b></p><p>WANT</p><p><b><a href=/boil>Boil water</a></b></p><p>It takes two minutes for a litre of it.</p>",
	} {
		const want = "Each kettle is used in the same two steps, as told here."
		s := potSite(t, "<title>Kettles</title><h1>Kettles</h1><p>Kettles hold water until somebody wants tea.</p>",
			append(pages[:2:2], [3]string{"use", "Use", "<main><h1>Use</h1>" + strings.ReplaceAll(body, "WANT", want) + "</main>"})...)
		if got := pageAt(t, s, "use").Note; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestNote_LeadsElsewhereFirst_BeginsBehindThat(t *testing.T) {
	hats := map[string][2]string{ // what stands first, and what the page is about
		"Wikipedia": {"<div role=note class='hatnote navigation-not-searchable'>For other uses, see <a href=/b>Lid (eye)</a>.</div>", "A lid closes a kettle and keeps its heat inside."},
		"one":       {"<p>For other uses of the word in this book, see <a href=/b>Lid</a>.</p>", "Spouts pour what has boiled into a cup or a pot."},
		"about":     {"<p><i>This article is about the handle of a kettle. For that of a door, see <a href=/b>Handle</a>.</i></p>", "By its handle somebody lifts all that is full of water."},
		"redirects": {"<p><i>\"Bases\" redirects here. For the sport, see <a href=/b>Bases</a>.</i></p>", "Heat comes in from below, through copper or steel."},
		"confused":  {"<p>Not to be confused with the <a href=/b>whistles of trains</a> that blow.</p>", "Steam makes a sound when it leaves by this small part."},
		"main":      {"<div>Main article: <a href=/b>Kettles, their parts and their history</a></div>", "Old ones were made of iron and hung above open fires."},
		"German":    {"<p>Dieser Artikel behandelt den Deckel; zu anderen siehe <a href=/b>Deckel</a>.</p>", "Er liegt auf der Kanne und hält sie warm bis zum Abend."},
	}
	var pages [][3]string
	for name, hat := range hats {
		pages = append(pages, [3]string{name, "The lid: " + name, "<main><h1>The lid: " + name + "</h1>" + hat[0] + "<p>" + hat[1] + "</p></main>"})
	}
	own := map[string]string{ // of documentation
		"guide":  "<p>This article is about lids, which close a <a href=/b>kettle</a>, in four short steps.</p><p>First take it off and look below it.</p>",
		"alone":  "<p>For other uses, see what <a href=/b>the appendix</a> has to say on them.</p>",
		"for":    "<p>For the first use, fill the kettle and see that <a href=/b>its lid</a> is closed.</p><p>Then boil it once.</p>",
		"nolink": "<p>For a list of all lids that fit, see the table at the end of this page.</p><p>It has four rows and a head.</p>",
	}
	for name, body := range own {
		pages = append(pages, [3]string{name, "Book: " + name, "<main><h1>Book: " + name + "</h1>" + body + "</main>"})
	}
	s := potSite(t, "<title>Kettles</title><h1>Kettles</h1><p>Kettles hold water until somebody wants tea.</p>", pages...)
	for name, hat := range hats {
		if got := pageAt(t, s, name).Note; got != hat[1] {
			t.Errorf("%s: %q, want %q", name, got, hat[1])
		}
	}
	for name, body := range own {
		if got, want := pageAt(t, s, name).Note, shownWords(body); !strings.HasPrefix(want, got) {
			t.Errorf("%s: %q, want the beginning of %q", name, got, want)
		}
	}
}

// shownWords are those of a page outside of its tags.
func shownWords(page string) string {
	var b strings.Builder
	in := false
	for _, r := range strings.ReplaceAll(page, "</p>", " ") {
		switch {
		case r == '<':
			in = true
		case r == '>':
			in = false
		case !in:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// A start page that only leads on is described by another page, not by what it adds to its list.
func TestSummary_ListAndWhatItAdds_AnotherPageSaysIt(t *testing.T) {
	const said = "Kettle is a program that boils water for whoever wants tea."
	for _, more := range []string{"We also have manual pages of all of its commands.", "There are also <a href=/pots>pots</a> to be had for a penny.", "Additionally, all pages can be printed on paper of any size."} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":      html("<title>Kettle</title><h1>Welcome to Kettle</h1><p>From this page you have access to these documents</p><ul><li>The <a href=/news>Announcement</a> of the version.<li>An <a href=/guide>Introduction</a> to it.</ul><p>" + more + "</p>"),
			"http://docs.test/news":  html("<title>Announcing Kettle 6</title><h1>Announcing Kettle 6</h1><p>" + said + "</p><p>It has a new lid.</p>"),
			"http://docs.test/guide": html("<title>Boiling with Kettle</title><h1>Boiling with Kettle</h1><p>This document shows how water is boiled, step by step.</p>"),
		}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Summary != said {
			t.Errorf("%s: %q, want %q", more, s.Summary, said)
		}
	}
}

func TestSections_OneFolderAroundAll_NamesNone(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := ""
	add := func(path, title string) {
		w.pages["http://docs.test/"+path] = html("<title>" + title + "</title><main><h1>" + title + "</h1><p>What " + title + " holds is told here, in one sentence.</p></main>")
		links += "<a href=/" + path + ">" + title + "</a> "
	}
	for _, pkg := range []string{"pot", "lid", "tea"} {
		for i, class := range []string{"index", "One", "Two"} {
			add("org/example/"+pkg+"/"+class+".html", []string{"org.example." + pkg, strings.ToUpper(pkg) + " 1", strings.ToUpper(pkg) + " 2"}[i])
		}
	}
	add("help.html", "Using this reference")
	w.pages["http://docs.test/"] = html("<title>Kettle API</title><main><h1>Kettle API</h1><p>" + gadget + "</p>" + links + "</main>")
	if got, want := contents(t, w, "http://docs.test/"), "org.example.pot 3, org.example.lid 3, org.example.tea 3, More pages 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Folders of the same name are told apart by those around them.
	w, links = &web{pages: map[string]answer{}}, ""
	for _, dir := range []string{"core/lids", "extra/lids", "core/pots", "extra/pots"} {
		for i := range 3 {
			add(fmt.Sprintf("%s/p%d", dir, i), fmt.Sprintf("%s %d", strings.ToUpper(strings.ReplaceAll(dir, "/", " ")), i))
		}
	}
	w.pages["http://docs.test/"] = html("<title>Kettle API</title><main><h1>Kettle API</h1><p>" + gadget + "</p>" + links + "</main>")
	if got := contents(t, w, "http://docs.test/"); strings.Contains(got, "/") {
		t.Errorf("a path is a name: %s", got)
	}
}

// The entries of a list of all names say what other pages are about, and the list of all classes is no part
// of a reference that they belong to.
func TestNote_ListOfAllNames_IsTheNames(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	nav := "<ul><li><a href=/overview-tree.html>Tree</a></li><li><a href=/index-all.html>Index</a></li></ul>"
	var rows, terms, tree, packages string
	for _, pkg := range []string{"pot", "lid"} {
		classes := ""
		for i, what := range []string{"round", "square", "oval"} {
			name := strings.ToUpper(pkg[:1]) + pkg[1:] + strings.ToUpper(what[:1]) + what[1:]
			path := fmt.Sprintf("org/tea/%s/%s.html", pkg, name)
			says := fmt.Sprintf("What is %s number %d of all, which is %s.", pkg, i, what)
			w.pages["http://docs.test/"+path] = html("<title>" + name + " (Tea API)</title><nav>" + nav + "</nav><main><h1>Class " + name + "</h1><section><div class=block>" + says + " It boils in part " + what + ".</div></section></main>")
			rows += "<div><a href=/" + path + ">" + name + "</a></div><div><div class=block>" + says + "</div></div>"
			terms += "<dt><a href=/" + path + ">" + name + "</a> - Class in org.tea." + pkg + "</dt><dd><div class=block>" + says + "</div></dd>"
			tree += "<li><a href=/" + path + ">" + name + "</a></li>"
			classes += "<li><a href=/" + path + ">" + name + "</a></li>"
		}
		w.pages["http://docs.test/org/tea/"+pkg+"/package-summary.html"] = html("<title>org.tea." + pkg + " (Tea API)</title><nav>" + nav + "</nav><main><h1>Package org.tea." + pkg + "</h1><p>All that a " + pkg + " can be is in this package.</p><ul>" + classes + "</ul></main>")
		packages += "<tr><td><a href=/org/tea/" + pkg + "/package-summary.html>org.tea." + pkg + "</a></td></tr>"
	}
	w.pages["http://docs.test/"] = html("<title>Overview (Tea API)</title><nav>" + nav + "</nav><main><h1>Tea API</h1><p>" + gadget + "</p><table>" + packages + "</table></main>")
	w.pages["http://docs.test/allclasses-index.html"] = html("<title>All Classes (Tea API)</title><main><h1>All Classes</h1>" + rows + "</main>")
	w.pages["http://docs.test/index-all.html"] = html("<title>Index (Tea API)</title><main><h1>Index</h1><p><a href=/allclasses-index.html>All Classes</a></p><h2>A</h2><dl>" + terms + "</dl></main>")
	w.pages["http://docs.test/overview-tree.html"] = html("<title>Class Hierarchy (Tea API)</title><main><h1>Hierarchy For All Packages</h1><ul>" + tree + "</ul></main>")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	for _, path := range []string{"allclasses-index.html", "index-all.html", "overview-tree.html"} {
		if got := pageAt(t, s, path).Note; strings.Contains(got, "What is") || !strings.Contains(got, "PotRound") {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got, want := contents(t, w, "http://docs.test/"), "org.tea.pot 4, org.tea.lid 4, Optional 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
