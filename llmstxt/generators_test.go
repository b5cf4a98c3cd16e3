package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// How sites of many generators show what belongs together.

// parts are three sections of four pages each, at flat addresses.
func parts() (names []string, links [][]string, w *web) {
	names, w = []string{"Getting Started", "Guides", "C++ interface"}, &web{pages: map[string]answer{}}
	for i := range names {
		var in []string
		for j := range 4 {
			l := "/" + word(100*i+7*j) + ".html"
			w.pages["http://docs.test"+l] = doc("Topic " + word(100*i+7*j))
			in = append(in, l)
		}
		links = append(links, in)
	}
	return names, links, w
}

const threeParts = "Getting Started 4, Guides 4, C++ interface 4"

// around has every page of a site stand in a layout; body is what the page says.
func around(w *web, layout func(title, body string) string) {
	for url, a := range w.pages {
		_, title, _ := strings.Cut(a.body, "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		_, body, _ := strings.Cut(a.body, "<main>")
		body, _, _ = strings.Cut(body, "</main>")
		w.pages[url] = html(layout(title, body))
	}
}

func TestSections_SideBarOfHeadings_HasThePageThatTheTopBarNames(t *testing.T) {
	for _, heading := range []string{"<h2>%s</h2>", "<section><div class=item role=button><h2 class=text>%s</h2></div></section>", "<h3><span>%s</span></h3>"} {
		names, links, w := parts()
		side := "<span>Here is the navigation of the whole side bar:</span>"
		for i, name := range names {
			side += fmt.Sprintf(heading, name)
			for _, l := range links[i] {
				side += "<div><a href=" + l + "><p>" + strings.Trim(l, "/") + "</p></a></div>"
			}
		}
		around(w, func(title, body string) string {
			return "<title>" + title + " | Kettle</title><header><nav><a href=/>Home</a><a href=" + links[0][0] + ">Guide</a></nav></header><aside><nav>" + side + "</nav></aside><main>" + body + "</main>"
		})
		w.pages["http://docs.test/"] = html("<title>Kettle</title><header><nav><a href=/>Home</a><a href=" + links[0][0] + ">Guide</a></nav></header><main><h1>Kettle</h1><p>" + gadget + "</p></main>")
		if got := contents(t, w, "http://docs.test/"); got != threeParts {
			t.Errorf("%s: %s", heading, got)
		}
	}
}

func TestSections_LinksInTheSentencesOfAList_AreNotItsPages(t *testing.T) {
	for _, list := range []string{
		"<h2>OPTIONS</h2><dl><dt>--version<dd><p>Prints the version and ends, much as the command does that has this name: %s.</p><dt>--all<dd>Prints all that there is to print, page by page, as %s and %s do.</dl>",
		"<h2>OPTIONS</h2><ul><li>Whoever wants to have all of it at once reads first %s<li>and then, if there is time left on that day, %s and also %s</ul>",
	} {
		names, links, w := parts()
		a := func(l string) string { return "<a href=" + l + ">it</a>" }
		body := "<title>Kettle</title><h1>Kettle</h1><p>" + gadget + "</p>" + fmt.Sprintf(list, a(links[0][1]), a(links[1][2]), a(links[2][0]))
		for i, name := range names {
			body += "<h2>" + name + "</h2><dl>"
			for _, l := range links[i] {
				body += "<dt><a href=" + l + ">" + l + "</a><dd>What it does, in a few words of its own."
			}
			body += "</dl>"
		}
		w.pages["http://docs.test/"] = html(body)
		if got := contents(t, w, "http://docs.test/"); got != threeParts {
			t.Errorf("%s", got)
		}
	}
}

func TestSections_HeadingsOverBareLinks_AreSections(t *testing.T) {
	for _, link := range []string{"<figure class=link-to-page><a href=%s><span>X</span>%s</a></figure>", "<p><a href=%s>%s</a></p>", "<div class=card><a href=%s>%s</a><p>What it is about.</p></div>"} {
		names, links, w := parts()
		body := "<title>Handbook</title><article><h1>Handbook</h1><p>" + gadget + " It says so in more than one sentence, to be sure.</p>"
		for i, name := range names {
			body += "<h2>" + name + "</h2>"
			for _, l := range links[i] {
				body += fmt.Sprintf(link, l, strings.Trim(l, "/"))
			}
		}
		w.pages["http://docs.test/"] = html(body + "</article>")
		if got := contents(t, w, "http://docs.test/"); got != threeParts {
			t.Errorf("%s: %s", link, got)
		}
	}
}

func TestSections_PlaceOfAPage_AsItsMarkupTellsIt(t *testing.T) {
	for form, place := range map[string]string{
		"class":       "<ol class=breadcrumbs><li><a href=/>Home</a><li><a href=/x>%s</a></ol>",
		"microdata":   "<div itemscope itemtype='http://schema.org/BreadcrumbList'><span itemprop=itemListElement><a href=/x><span itemprop=name>%s</span></a></span></div>",
		"rel":         "<p class=cat-links>Filed under <a href=/x rel='category tag'>%s</a></p>",
		"beside tags": "<p>Filed under <a href=/x rel='category tag'>%s</a>, tagged <a href=/t rel=tag>hot</a>, <a href=/u rel=tag>cold</a>, <a href=/v rel=tag>old</a></p>",
		"before tags": "<p><a href=/t rel=tag>hot</a> <a href=/u rel='tag'>cold</a> in <a href=/x rel='tag category'>%s</a></p>",
		"tag":         "<p>Labels: <a href=/x rel=tag>%s</a></p>",
		"meta":        "<meta property='article:section' content='%s'>",
		"linked data": `<script type="application/ld+json">{"@type":"NewsArticle","articleSection":"%s"}</script>`,
	} {
		names, links, w := parts()
		var all []string
		for i, name := range names {
			for _, l := range links[i] {
				a := w.pages["http://docs.test"+l]
				at := "<main>"
				if form == "meta" || form == "linked data" {
					at = "</head>"
				}
				a.body = strings.Replace(a.body, at, strings.Replace(at+fmt.Sprintf(place, name), "</head>", "", 1)+strings.Repeat("</head>", strings.Count(at, "/head")), 1)
				a.body = strings.Replace(a.body, "</title>", " - "+name+" - Kettle</title>", 1)
				w.pages["http://docs.test"+l] = a
			}
			// The list of a part stands in the part of its name.
			hub := fmt.Sprintf("/list-%d.html", i)
			w.pages["http://docs.test"+hub] = doc(name, links[i]...)
			all = append(all, hub)
		}
		w.pages["http://docs.test/"] = doc("Kettle", all...)
		if got, want := contents(t, w, "http://docs.test/"), strings.ReplaceAll(threeParts, "4", "5"); got != want {
			t.Errorf("%s: %s", form, got)
		}
		for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages[4:] {
			if strings.Contains(p.Title, " - ") {
				t.Errorf("%s: title %q", form, p.Title)
			}
		}
	}
}

func TestSections_FoldersBelowOneFolder_AreSections(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	for _, pack := range []string{"org/kettle", "org/kettle/heat", "org/kettle/pour"} {
		head := "/" + pack + "/package-summary.html"
		w.pages["http://docs.test"+head] = doc(strings.ReplaceAll(pack, "/", "."))
		all = append(all, head)
		for i := range 3 {
			l := fmt.Sprintf("/%s/%s.html", pack, word(i))
			w.pages["http://docs.test"+l] = doc(pack + " " + word(i))
			all = append(all, l)
		}
	}
	w.pages["http://docs.test/"] = doc("Kettle", all...)
	if got := contents(t, w, "http://docs.test/"); got != "org.kettle 4, org.kettle.heat 4, org.kettle.pour 4" {
		t.Error(got)
	}
	// One folder, beside what stands in none.
	w = &web{pages: map[string]answer{}}
	man := section(w, "man", 6)
	for _, l := range []string{"/news.html", "/tour.html", "/hacking.html"} {
		w.pages["http://docs.test"+l] = doc(strings.Trim(l, "/"))
		man = append(man, l)
	}
	w.pages["http://docs.test/"] = doc("Kettle", man...)
	if got := contents(t, w, "http://docs.test/"); got != "Man 6, General 3" {
		t.Error(got)
	}
}

// doxygen is a project whose menu is written by a script of that name.
func doxygen(script, text string) *web {
	w := &web{pages: map[string]answer{}}
	page := func(file, title, body string) {
		w.pages["http://docs.test/"+file] = html("<title>Kettle: " + title + "</title><script src='" + script + "'></script><script src=menu.js></script><div id=main-nav></div><div class=title>" +
			title + "</div><div class=contents>" + body + "</div>")
	}
	list := func(file, title string, names ...string) {
		body := "<table class=directory>"
		for _, n := range names {
			page(strings.ToLower(n)+".html", n, "<p>"+n+" heats the water of whoever asks for "+n+", and stops.</p>")
			body += "<tr><td class=entry><a class=el href=" + strings.ToLower(n) + ".html>" + n + "</a></td></tr>"
		}
		page(file, title, body+"</table>")
	}
	page("index.html", "Main Page", "<p>"+gadget+"</p>")
	w.pages["http://docs.test/"] = w.pages["http://docs.test/index.html"]
	list("pages.html", "Related Pages", "Porting", "Building", "Testing")
	list("classes.html", "Classes", "Boiler", "Lid", "Spout", "Plate", "Sensor")
	w.pages["http://docs.test/"+script] = answer{body: text, header: map[string]string{"Content-Type": "text/javascript"}}
	return w
}

func TestCrawl_MenuThatAScriptWrites_IsRead(t *testing.T) {
	for script, text := range map[string]string{
		"menudata.js": "/* a licence */\nvar menudata={children:[\n{text:\"Main Page\",url:\"index.html\"},\n{text:\"Related \\u0050ages\",url:\"pages.html\"},\n" +
			"{text:\"Classes\",url:\"classes.html\",children:[\n{text:\"Class List\",url:\"classes.html#x\"},\n{text:\"Elsewhere\",url:\"http://other.test/\"}]}]}\n",
		"navtreedata.js?v=2": "var NAVTREE =\n[\n  [ \"Kettle\", \"index.html\", [\n    [ \"Related Pages\", \"pages.html\", null ],\n    [ \"Classes\", \"classes.html\", [\n      [ \"All\", \"classes.html#all\", null ] ] ],\n    [ \"Away\", \"^http://other.test/\", null ]\n  ] ]\n];\nvar NAVTREEINDEX =\n[\n\"annotated.html\"\n];",
	} {
		w := doxygen(script, text)
		if got := contents(t, w, "http://docs.test/"); got != "Related Pages 4, Classes 6" {
			t.Errorf("%s: %s", script, got)
		}
		if n := w.asked("http://other.test/"); n != 0 {
			t.Errorf("%s: another site was asked %d times", script, n)
		}
	}
}

func TestCrawl_MenuScriptThatIsMissingOrForbidden_IsDoneWithout(t *testing.T) {
	for name, spoil := range map[string]func(*web){
		"missing":   func(w *web) { delete(w.pages, "http://docs.test/menudata.js") },
		"forbidden": func(w *web) { w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nDisallow: /*.js"} },
		"garbage":   func(w *web) { w.pages["http://docs.test/menudata.js"] = answer{body: "{text:\"\\u\",url:\"x\"}[[[["} },
	} {
		w := doxygen("menudata.js", "var menudata={children:[{text:\"Classes\",url:\"classes.html\"}]}")
		spoil(w)
		if got := urls(everyWay(t, w, "http://docs.test/", llmstxt.Options{})); !slices.Equal(got, []string{"/"}) {
			t.Errorf("%s: %v", name, got)
		}
		if n := w.asked("http://docs.test/menudata.js"); name == "forbidden" && n != 0 {
			t.Errorf("asked %d times", n)
		}
	}
}

func TestCrawl_MenuScriptThatIsRedirected_IsReadInScopeAlone(t *testing.T) {
	const text = "var menudata={children:[{text:\"Classes\",url:\"classes.html\"}]}"
	for to, want := range map[string]int{"http://docs.test/v2/menudata.js": 7, "http://other.test/menudata.js": 1, "http://docs.test/closed/menudata.js": 1} {
		for _, hops := range []int{1, 2} {
			w := doxygen("menudata.js", text)
			w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nDisallow: /closed/"}
			w.pages[to] = w.pages["http://docs.test/menudata.js"]
			w.pages["http://docs.test/menudata.js"] = redirect(to)
			if hops == 2 {
				w.pages["http://docs.test/menudata.js"], w.pages["http://docs.test/hop.js"] = redirect("/hop.js"), redirect(to)
			}
			if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != want || (w.asked(to) > 0) != (want > 1) {
				t.Errorf("%s after %d hops: %d pages, want %d; asked %d times", to, hops, len(s.Pages), want, w.asked(to))
			}
		}
	}
}

func TestSections_LinksAtTheFoot_ComeLast(t *testing.T) {
	for _, foot := range []string{"<footer>%s</footer>", "<div role=contentinfo>%s</div>", "<div class='site-footer footer'>%s</div>"} {
		w := &web{pages: map[string]answer{}}
		docs, about := section(w, "docs", 4), section(w, "about", 4)
		a := func(links []string) (s string) {
			for _, l := range links {
				s += "<a href=" + l + ">" + strings.ReplaceAll(strings.Trim(l, "/"), "/", " ") + "</a> "
			}
			return s
		}
		w.pages["http://docs.test/"] = html("<title>Kettle</title>" + fmt.Sprintf(foot, a(about)) + "<nav>" + a(docs) + "</nav><main><h1>Kettle</h1><p>" + gadget + "</p></main>")
		if got := contents(t, w, "http://docs.test/"); got != "Docs 4, About 4" {
			t.Errorf("%s: %s", foot, got)
		}
	}
}

func TestSections_ListsThatSentencesNameFirst_KeepTheirOrder(t *testing.T) {
	names, links, w := parts()
	body := "<title>Kettle</title><ul><li><h3>Navigation</h3></ul><h3>Navigation</h3><ul><li><a href=" + links[2][3] + ">next</a></ul>" +
		"<main><h1>Kettle</h1><p>" + gadget + " See <a href=" + links[2][1] + ">this</a> and <a href=" + links[1][0] + ">that</a> before all else.</p>"
	for i, name := range names {
		body += "<h2>" + name + "</h2><ul>"
		for _, l := range links[i] {
			body += "<li><a href=" + l + ">" + l + "</a>"
		}
		body += "</ul>"
	}
	for _, bar := range []string{"", "<nav><a href=" + links[2][0] + ">API</a></nav>"} {
		w.pages["http://docs.test/"] = html(bar + body + "</main>")
		if got := contents(t, w, "http://docs.test/"); got != threeParts {
			t.Errorf("%q: %s", bar, got)
		}
		var got []string
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		f, err := llmstxt.Parse(s.Render(llmstxt.Index), llmstxt.Index)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range f.Sections {
			for _, e := range section.Entries {
				got = append(got, strings.TrimPrefix(e.URL, "http://docs.test"))
			}
		}
		if want := slices.Concat(links...); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", bar, got, want)
		}
	}
}

func TestSections_FoldersThatOnlySpreadFiles_NameNothing(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	for i, folder := range []string{"d0", "d0", "d3", "d3", "da", "da", "db", "db", "de", "de"} {
		l := fmt.Sprintf("/%s/d%02d/%s.html", folder, i/2, word(i))
		w.pages["http://docs.test"+l] = doc("Class " + word(i))
		all = append(all, l)
	}
	w.pages["http://docs.test/"] = doc("Kettle", all...)
	if got := contents(t, w, "http://docs.test/"); got != "Pages 10" {
		t.Error(got)
	}
}

func TestSections_MinorHeadingsOverTablesOfLinks_AreSections(t *testing.T) {
	names, links, w := parts()
	body := "<title>Kettle – 4.0</title><section><h3>Namespace</h3><h1>Kettle – 4.0</h1><div class=description><p>The kettle toolkit</p></div>"
	for i, name := range names {
		body += "<h4 style='display:flex'> " + name + " <a href='#x' class=anchor></a></h4><table>"
		for _, l := range links[i] {
			body += "<tr><td><a href=" + l + ">" + l + "</a><td><p>The " + l + " offers a simple way to show what the water of a kettle does.</p>"
		}
		body += "</table>"
	}
	w.pages["http://docs.test/"] = html(body + "</section>")
	if got := contents(t, w, "http://docs.test/"); got != threeParts {
		t.Error(got)
	}
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); s.Summary != "The kettle toolkit." {
		t.Errorf("%q", s.Summary)
	}
}

func TestSections_ItemsWithoutLinks_NameThoseBehindThem(t *testing.T) {
	for form, list := range map[string][3]string{
		"Nextra":    {"<aside class=nextra-sidebar-container><ul><li><a href=/>Introduction</a>", "<li class=separator>%s</li>", "</ul></aside>"},
		"Bootstrap": {"<nav><ul><li class=dropdown><a href='#'>Documents<b class=caret></b></a><ul class=dropdown-menu>", "<li role=separator class=divider></li><li class=dropdown-header>%s</li>", "</ul></ul></nav>"},
		"AdminLTE":  {"<div class=sidebar><ul class=sidebar-menu>", "<li class=header><i class=icon></i><span>%s</span></li>", "</ul></div>"},
		"Webflow":   {"<div role=banner><nav role=navigation>", "</nav></div><div class=w-dropdown><div class=toggle><div class=icon></div><div>%s</div></div><nav class=w-dropdown-list>", "</nav></div></nav></div>"},
	} {
		names, links, w := parts()
		menu := list[0]
		if form == "Webflow" {
			menu += "<div><nav>"
		}
		for i, name := range names {
			menu += fmt.Sprintf(list[1], name)
			for _, l := range links[i] {
				if form == "Webflow" {
					menu += "<a href=" + l + ">" + l + "</a>"
				} else {
					menu += "<li><a href=" + l + ">" + l + "</a></li>"
				}
			}
		}
		menu += list[2]
		around(w, func(title, body string) string {
			return "<title>" + title + " | Kettle</title>" + menu + "<main>" + body + "</main>"
		})
		w.pages["http://docs.test/"] = html("<title>Kettle</title>" + menu + "<main><h1>Kettle</h1><p>" + gadget + "</p></main>")
		if got := contents(t, w, "http://docs.test/"); got != threeParts {
			t.Errorf("%s: %s", form, got)
		}
	}
	// The item of the page itself, which has no link, names nothing.
	_, links, w := parts()
	menu := "<nav><ul>"
	for i, l := range slices.Concat(links...) {
		if menu += "<li><a href=" + l + ">" + l + "</a>"; i == 3 {
			menu += "<li class=active>Welcome<li class=active><b>This page</b>"
		}
	}
	w.pages["http://docs.test/"] = html("<title>Kettle</title>" + menu + "</ul></nav><main><h1>Kettle</h1><p>" + gadget + "</p></main>")
	if got := contents(t, w, "http://docs.test/"); got != "Pages 12" {
		t.Error(got)
	}
}
