package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// barredSite is a site whose pages have a bar beside them and whose home page has none: head is what
// stands above all pages.
func barredSite(home, head string, suffix string) *web {
	w := &web{pages: map[string]answer{}}
	bar := ""
	for _, g := range []string{"Usage", "Concepts", "API"} {
		bar += "<section><h3>" + g + "</h3><ul>"
		for j := range 3 {
			bar += fmt.Sprintf("<li><a href=/%s/%d%s>%s %d</a>", strings.ToLower(g), j, suffix, g, j)
		}
		bar += "</ul></section>"
	}
	for _, g := range []string{"usage", "concepts", "api"} {
		for j := range 3 {
			p := html(fmt.Sprintf("<title>%[1]s %[2]d</title>%[3]s<nav>%[4]s</nav><main><h1>%[1]s %[2]d</h1><p>What %[1]s is about, in its part %[2]d, is told here in one sentence.</p></main>", strings.ToUpper(g), j, head, bar))
			w.pages[fmt.Sprintf("http://docs.test/%s/%d%s", g, j, suffix)] = p
			w.pages[fmt.Sprintf("http://docs.test/%s/%d", g, j)] = p
		}
	}
	w.pages["http://docs.test/"] = html("<title>Tea</title>" + head + "<main><h1>Tea</h1><p>" + gadget + "</p>" + home + "</main>")
	return w
}

func TestSections_HomeWithoutASideBar_HasTheOrderOfTheOthers(t *testing.T) {
	for _, home := range []string{
		"<a href=/usage/0>Begin</a> <a href=/api/1>API</a>",
		"<a href=/api/2>All functions</a> <a href=/usage/0>Begin</a>",
	} {
		for _, suffix := range []string{"", ".html"} {
			home := strings.NewReplacer("/0>", "/0"+suffix+">", "/1>", "/1"+suffix+">", "/2>", "/2"+suffix+">").Replace(home)
			if got, want := contents(t, barredSite(home, "", suffix), "http://docs.test/"), "Usage 3, Concepts 3, API 3"; got != want {
				t.Errorf("%s: %s, want %s", home, got, want)
			}
		}
	}
}

// A page may have two addresses, of which the home page knows one and the bar the other.
func TestSections_SamePageAtAnotherAddress_StandsInItsList(t *testing.T) {
	if got, want := contents(t, barredSite("<a href=/usage/0>Begin</a>", "", ".html"), "http://docs.test/"), "Usage 3, Concepts 3, API 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNote_TextThatRunsOn_EndsWithItsParagraph(t *testing.T) {
	const first = "A kettle boils water for tea and for nothing else."
	pages := [][3]string{
		{"code", "Code", "1npx kettle boil"},
		{"table", "Table", "Size Price Small 4 Large 9"},
		{"items", "Items", "Fill it.Boil it.Pour it."},
	}
	bodies := map[string]string{
		"code":  "<pre>npx kettle boil</pre>",
		"table": "<table><tr><th>Size<th>Price<tr><td>Small<td>4<tr><td>Large<td>9</table>",
		"items": "<ul><li>Fill it.<li>Boil it.<li>Pour it.</ul>",
	}
	var site [][3]string
	for _, p := range pages {
		sep := " "
		text := strings.Replace(first, "kettle", p[0]+" kettle", 1)
		if p[0] == "items" {
			p[2] = strings.Replace(p[2], "Fill", " Fill", 1)
		}
		site = append(site, [3]string{p[0], p[1], "<meta name=description content='" + text + sep + strings.TrimSpace(p[2]) + "'><main><h1>" + p[1] + "</h1><p>" + text + "</p>" + bodies[p[0]] + "</main>"})
	}
	own := "A whole kettle boils water for tea and for nothing else. Ours does it in a minute."
	site = append(site, [3]string{"own", "Own", "<meta name=description content='" + own + "'><main><h1>Own</h1><p>A whole kettle boils water for tea and for nothing else.</p><p>It has a lid.</p></main>"})
	s := potSite(t, "<title>Kettles</title><h1>Kettles</h1><p>Kettles hold water until somebody wants tea.</p>", site...)
	for _, p := range pages {
		want := strings.Replace(first, "kettle", p[0]+" kettle", 1)
		if got := pageAt(t, s, p[0]).Note; got != want {
			t.Errorf("%s: %q, want %q", p[0], got, want)
		}
	}
	if got := pageAt(t, s, "own").Note; got != own {
		t.Errorf("words that are not the page's: %q, want %q", got, own)
	}
}

func TestTitle_OfATemplateAlone_IsNotTheTitle(t *testing.T) {
	var pages [][3]string
	for _, name := range []string{"Lids", "Pots", "Spouts", "Handles"} {
		pages = append(pages, [3]string{name, name + " · Kettle Book", "<main><h1>" + name + "</h1><p>What is to know of " + name + ", in one sentence of its own.</p></main>"})
	}
	pages = append(pages, [3]string{"glossary.html", " · Kettle Book", "<main><h2>Steam</h2><p>Water that has become too hot to stay.</p></main>"})
	s := potSite(t, "<title>Preface · Kettle Book</title><h1>Preface</h1><p>Kettles hold water until somebody wants tea.</p>", pages...)
	if got := pageAt(t, s, "glossary.html").Title; got != "Glossary" {
		t.Errorf("%q, want %q", got, "Glossary")
	}
}

// letterSite is a site whose lists show whole posts, one to a page.
func letterSite(posts []string) *web {
	w := &web{pages: map[string]answer{}}
	post := func(i int) string {
		return fmt.Sprintf("<article>\n  <h1>\n    <a href=/posts/%s>%s</a>\n  </h1>\n<div itemprop=articleBody><p>The post on %s says what everybody asks about it.</p><h2>Why %s</h2><p>Because nobody else would write of it.</p></div></article>", word(i), posts[i], posts[i], posts[i])
	}
	pager := "<nav><span>1</span>"
	for n := 2; 2*n <= len(posts); n++ {
		pager += fmt.Sprintf("<a href=/page/%d/>%d</a>", n, n)
	}
	pager += "<a href=/page/2/>Next &raquo;</a></nav>"
	for n := 1; 2*n <= len(posts); n++ {
		at := fmt.Sprintf("http://docs.test/page/%d/", n)
		if n == 1 {
			at = "http://docs.test/"
		}
		w.pages[at] = html("<title>Notes on tea</title><meta name=description content='Letters of four people who drink too much tea.'><header><h1><a href=/>Notes on tea</a></h1></header>" + post(2*n-2) + post(2*n-1) + pager)
	}
	for i, title := range posts {
		w.pages["http://docs.test/posts/"+word(i)] = html("<title>" + title + " | Notes on tea</title><header><h1><a href=/>Notes on tea</a></h1></header>" + post(i))
	}
	return w
}

func TestBlog_ListsOfPosts_AreNotTheirFirstPost(t *testing.T) {
	s := everyWay(t, letterSite([]string{"Kettles", "Leaves", "Cups", "Milk", "Sugar", "Lemons"}), "http://docs.test/", llmstxt.Options{})
	if got, want := s.Pages[0].Note, "Letters of four people who drink too much tea."; got != want {
		t.Errorf("the home page: %q, want %q", got, want)
	}
	for path, want := range map[string]string{"posts/" + word(2): "Cups", "posts/" + word(4): "Sugar"} {
		if got := pageAt(t, s, path); got.Title != want {
			t.Errorf("%s: %q, want %q", path, got.Title, want)
		}
	}
}

func TestSections_FurtherPagesOfAList_AreNamedByTheirNumbers(t *testing.T) {
	var pages [][3]string
	for i, title := range []string{"Kettles", "Leaves", "Cups"} {
		head := "<h1><a href=/posts/" + word(i) + ">" + title + "</a></h1>"
		pages = append(pages, [3]string{"posts/" + word(i), title + " | Notes on tea", "<main>" + head + "<p>The letter on " + title + " says what everybody asks about it.</p></main>"},
			[3]string{fmt.Sprintf("part/%d/", i+2), "Notes on tea", fmt.Sprintf("<main>%s<p>An older letter, number %d of those on %s.</p><p>It was read by everybody who drinks tea, %d of them.</p></main>", head, i, title, 10*i)})
	}
	s := potSite(t, "<title>Notes on tea</title><h1>Notes on tea</h1><p>"+gadget+"</p><nav><a href=/part/2/>2</a> <a href=/part/2/>Next &raquo;</a></nav>", pages...)
	for i, title := range []string{"Kettles", "Leaves", "Cups"} {
		post, list := pageAt(t, s, "posts/"+word(i)), pageAt(t, s, fmt.Sprintf("part/%d/", i+2))
		if want := fmt.Sprintf("Part %d", i+2); post.Title != title || list.Title != want || strings.Contains(list.Section, "Next") {
			t.Errorf("%q, and %q in %q; want %q and %q", post.Title, list.Title, list.Section, title, want)
		}
	}
}
