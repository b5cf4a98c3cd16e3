package htmlpage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

func TestNavigation_SideBarWithoutLists_NamesItsLinks(t *testing.T) {
	for _, bar := range [][3]string{
		{"<aside>", "<div class=item><span>%s</span><svg></svg></div><div><div>%s</div></div>", "</aside>"},
		{"<aside id=nd-sidebar><div>", "<p>%s</p>%s", "</div></aside>"},
		{"<div class='docs-sidebar'>", "<p class=group>%s</p><div>%s</div>", "</div>"},
		{"<div class=sidenav>", "<h5>%s</h5>%s", "</div>"},
	} {
		body, want := "", []string{}
		for i, name := range []string{"Lids", "Pots", "Spouts"} {
			links := ""
			for j := range 2 {
				links += fmt.Sprintf("<a href=/%d%d><div><span>Page %d</span></div></a>", i, j, j)
			}
			body += fmt.Sprintf(bar[1], name, links)
			want = append(want, fmt.Sprintf("{%s [/%d0 /%d1]}", name, i, i))
		}
		page := parse(t, "<title>Tea</title><div>"+bar[0]+body+bar[2]+"</div><main><h1>Tea</h1><p>Tea is made of leaves and hot water. <a href=/x>More</a></p></main>")
		var n htmlpage.Navigation
		for _, l := range page.Links {
			n.Add(l.Href, l.Lists)
		}
		if got := fmt.Sprint(n.Groups()); got != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %s", bar[0], got, want)
		}
	}
}

func TestNavigation_DropdownOfPagesOfTheSideBar_LeavesThemThere(t *testing.T) {
	const top = "<header><nav><div><button>API</button><ul><li><a href=/b0>B0</a><li><a href=/b1>B1</a></ul></div></nav></header>"
	const again = "<nav><div><button>API</button><ul><li><a href=/b0>B0</a><li><a href=/b1>B1</a></ul></div></nav>"
	const first = "<li><p>Start</p><ul><li><a href=/a0>A0</a><li><a href=/a1>A1</a></ul>"
	const all = "<li><p>API reference</p><ul><li><a href=/b0>B0</a><li><a href=/b1>B1</a><li><a href=/b2>B2</a></ul>"
	for name, c := range map[string][2]string{
		"one part":               {top + "<aside><ul>" + first + all + "</ul></aside>", "[{Start [/a0 /a1]} {API reference [/b0 /b1 /b2]}]"},
		"with the bar once more": {top + "<aside>" + again + "<ul>" + first + all + "</ul></aside>", "[{Start [/a0 /a1]} {API reference [/b0 /b1 /b2]}]"},
		"some of its pages":      {top + "<aside><ul>" + first + "<li><p>Popular</p><ul><li><a href=/b0>B0</a></ul></ul></aside>", "[{API [/b0 /b1]} {Start [/a0 /a1]}]"},
		"two parts":              {top + "<aside><ul>" + first + "<li><p>C</p><ul><li><a href=/b0>B0</a></ul><li><p>D</p><ul><li><a href=/b1>B1</a></ul></ul></aside>", "[{API [/b0 /b1]} {Start [/a0 /a1]}]"},
		"a list, no dropdown":    {"<header><nav><div><p>API</p><ul><li><a href=/b0>B0</a><li><a href=/b1>B1</a></ul></div></nav></header><aside><ul>" + first + all + "</ul></aside>", "[{API [/b0 /b1]} {Start [/a0 /a1]} {API reference [/b2]}]"},
		"no side bar":            {top + "<footer><p>Company</p><ul><li><a href=/b0>B0</a><li><a href=/b1>B1</a></ul></footer><aside><ul>" + first + "</ul></aside>", "[{API [/b0 /b1]} {Start [/a0 /a1]}]"},
	} {
		page := parse(t, "<title>Tea</title>"+c[0]+"<main><h1>Tea</h1><p>Tea is made of leaves and hot water.</p></main>")
		slices.SortStableFunc(page.Links, func(a, b htmlpage.Link) int { return a.Place - b.Place })
		var n htmlpage.Navigation
		for _, l := range page.Links {
			n.Add(l.Href, l.Lists)
		}
		if got := fmt.Sprint(n.Groups()); got != c[1] {
			t.Errorf("%s: %s, want %s", name, got, c[1])
		}
	}
}

func TestMarkdown_BodiesOfArticles_AllCome(t *testing.T) {
	post := func(title, body string) string {
		return "<article><h1><a href=/" + title + ">" + title + "</a></h1>" + body + "</article>"
	}
	const first, second = "<div itemprop=articleBody><p>The first kettle was made of clay and leaked.</p></div>", "<div itemprop=articleBody><p>The second one is made of iron and does not.</p></div>"
	for name, page := range map[string]string{
		"posts of a blog": post("One", first) + post("Two", second),
		"one article":     "<article><h1>One</h1>" + first + "<figure></figure>" + second + "</article>",
	} {
		got := markdown(t, "<title>Kettles</title><header><p>A site of people who like kettles, whatever they are made of.</p></header><div>"+page+"</div><div class=footer>Made by hand</div>")
		if !strings.Contains(got, "leaked") || !strings.Contains(got, "does not") || strings.Contains(got, "by hand") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := markdown(t, "<title>Kettles</title><article><h1>One</h1>"+first+"<p>Write to the author of this post about it.</p></article>"); strings.Contains(got, "author") {
		t.Errorf("behind the only body: %q", got)
	}
}

func TestMarkdown_LinksInARow_AreParted(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<div><a href=a>Get started</a><a href=b>View on GitHub</a></div>":                                          "[Get started](http://a.test/a) [View on GitHub](http://a.test/b)\n",
		"<div><a href=a><span>Get started</span></a><a href=b><span>Read it</span></a></div>":                       "[Get started](http://a.test/a) [Read it](http://a.test/b)\n",
		"<span><a href=a><span class=title>Lids</span></a><span class=description>How a lid is made.</span></span>": "[Lids](http://a.test/a) How a lid is made.\n",
		"<p>two <a href=a>kettle</a><a href=b>s</a></p>":                                                            "two [kettle](http://a.test/a)[s](http://a.test/b)\n",
		"<p><a href=a>Pot</a><span>s</span> of clay</p>":                                                            "[Pot](http://a.test/a)s of clay\n",
	})
}

// What a blog's bar calls its lists of posts names no part of the site.
func TestNavigation_ListsOfPostsInASideBar_NameNothing(t *testing.T) {
	bar := ""
	for i, name := range []string{"Recent posts", "Latest Posts", "Popular posts", "Related articles"} {
		bar += fmt.Sprintf("<h4>%s</h4><a href=/%d0>One</a> <a href=/%d1>Two</a>", name, i, i)
	}
	var n htmlpage.Navigation
	for _, l := range parse(t, "<title>Tea</title><aside>"+bar+"</aside><main><h1>Tea</h1><p>Tea is made of leaves and hot water.</p></main>").Links {
		n.Add(l.Href, l.Lists)
	}
	if got := n.Groups(); got != nil {
		t.Errorf("%v, want none", got)
	}
}
