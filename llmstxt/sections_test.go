package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// contents are the sections of a crawl's index with how many pages each has.
func contents(t *testing.T, w *web, base string) string {
	t.Helper()
	f, err := llmstxt.Parse(everyWay(t, w, base, llmstxt.Options{}).Render(llmstxt.Index), llmstxt.Index)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range f.Sections {
		out = append(out, fmt.Sprintf("%s %d", s.Name, len(s.Entries)))
	}
	return strings.Join(out, ", ")
}

// menus are ways to write a menu that opens lists of links.
var menus = map[string]func(name string, links []string) string{
	"a link that leads nowhere": func(name string, links []string) string {
		return "<li class=dropdown><a href='#' class=toggle>" + name + " <b class=caret></b></a><ul><li>" + strings.Join(links, "<li>") + "</ul></li>"
	},
	"a script": func(name string, links []string) string {
		return "<li><a href='javascript:void(0)'>" + name + "</a><ul><li>" + strings.Join(links, "<li>") + "</ul></li>"
	},
	"a place": func(name string, links []string) string {
		return "<div><a href='#menu-1'>" + name + "</a><ul><li>" + strings.Join(links, "<li>") + "</ul></div>"
	},
	"no address": func(name string, links []string) string {
		return "<div><a>" + name + "</a><ul><li>" + strings.Join(links, "<li>") + "</ul></div>"
	},
	"a button": func(name string, links []string) string {
		return "<li><button>" + name + "</button><ul><li>" + strings.Join(links, "<li>") + "</ul></li>"
	},
	"details": func(name string, links []string) string {
		return "<li><details><summary>" + name + "</summary><ul><li>" + strings.Join(links, "<li>") + "</ul></details></li>"
	},
	"soft hyphens": func(name string, links []string) string {
		r := []rune(name)
		return "<li><span>" + string(r[:1]) + "&shy;" + string(r[1:2]) + "\u200b" + string(r[2:]) + "</span><ul><li>" + strings.Join(links, "<li>") + "</ul></li>"
	},
}

func TestSections_Menus_NameWhatTheyOpen(t *testing.T) {
	for name, menu := range menus {
		for _, groups := range [][]string{{"Guide", "Developers", "About"}, {"v2.3.4", "1.0"}, {"C#", "Go (1.x)", "R & S", "Über"}} {
			w := &web{pages: map[string]answer{}}
			var nav, want []string
			for i, g := range groups {
				var links []string
				for j := range i%2 + 2 {
					l := fmt.Sprintf("/%s.html", word(10*i+j))
					links = append(links, "<a href="+l+">"+word(10*i+j)+"</a>")
					w.pages["http://docs.test"+l] = doc("Page " + word(10*i+j))
				}
				nav = append(nav, menu(strings.ReplaceAll(g, "&", "&amp;"), links))
				want = append(want, fmt.Sprintf("%s %d", g, len(links)))
			}
			w.pages["http://docs.test/"] = html("<title>Tea</title><nav><ul><li><a href=/>Home</a></li>" + strings.Join(nav, "") + "</ul></nav><main><h1>Tea</h1><p>" + gadget + "</p></main>")
			if got := contents(t, w, "http://docs.test/"); got != strings.Join(want, ", ") {
				t.Errorf("%s: %s, want %s", name, got, strings.Join(want, ", "))
			}
		}
	}
}

func TestSections_Directories_HaveTheNamesOfTheMenuInItsOrder(t *testing.T) {
	for _, c := range []struct{ menu, want string }{
		{"<a href=/api/>API reference</a><a href=/guide/>User guide</a><a href=/blog/>News</a>", "API reference 3, User guide 3, News 3"},
		{"<a href=/blog/>Blog</a><a href=/guide/>Learn</a><a href=/api/aaa>Interfaces</a>", "Blog 3, Learn 3, Interfaces 3"},
		{"<a href=/guide/><span>Guides</span></a><a href='#'>More</a>", "Guides 3, API 3, Blog 3"},
	} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for _, dir := range []string{"api", "blog", "guide"} {
			links = append(links, section(w, dir, 2)...)
			links = append(links, "/"+dir+"/")
			w.pages["http://docs.test/"+dir+"/"] = doc("Index of /" + dir)
		}
		// The pages of the directories have titles of their own, which are not names.
		for _, dir := range []string{"api", "blog"} {
			w.pages["http://docs.test/"+dir+"/"] = doc("Overview", "/"+dir+"/aaa")
		}
		base := doc("Tea", links...)
		base.body = strings.Replace(base.body, "<main>", "<nav>"+c.menu+"</nav><main>", 1)
		w.pages["http://docs.test/"] = base
		if got := contents(t, w, "http://docs.test/"); got != c.want {
			t.Errorf("%s: %s, want %s", c.menu, got, c.want)
		}
	}
}

// What a server calls the list of a folder's files is no name of a section.
func TestSections_ListsOfFolders_NameNone(t *testing.T) {
	for _, title := range []string{"Index of /%s", "Directory listing for /%s/", "listing directory /%s", "Directory: /%s/"} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for _, dir := range []string{"cups", "pots"} {
			links = append(append(links, section(w, dir, 3)...), "/"+dir+"/")
			w.pages["http://docs.test/"+dir+"/"] = doc(fmt.Sprintf(title, dir))
		}
		w.pages["http://docs.test/"] = doc("Tea", links...)
		if got, want := contents(t, w, "http://docs.test/"), "Cups 4, Pots 4"; got != want {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
}

func TestSections_Versions_KeepTheirNumbers(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for _, v := range []string{"1.0", "1.1", "v2.3.4"} {
		for i := range 2 {
			l := fmt.Sprintf("/news/%s/%s-%s", v, word(i), strings.Trim(v, "v.1234")+word(len(links)))
			links = append(links, l)
			w.pages["http://docs.test"+l] = doc(fmt.Sprintf("What is new %s in %s", word(len(links)), v))
		}
	}
	w.pages["http://docs.test/news/"] = doc("News of Tea", links...)
	if got, want := contents(t, w, "http://docs.test/news/"), "1.0 2, 1.1 2, v2.3.4 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// part is a page of a site's documentation, with the documentation's list of pages.
func part(title, list string) answer {
	return html("<html lang=en><title>" + title + " | Quill</title><nav><a href=/>Quill</a> <a href=/docs/intro>Docs</a> <a href=/blog/>Blog</a></nav>" + list +
		"<main><h1>" + title + "</h1><p>This page explains " + title + " in one honest sentence that nobody else uses.</p></main>")
}

func TestSections_DocumentationBesideABlog_HasItsOwn(t *testing.T) {
	for name, groups := range map[string][][]string{
		"begin first": {{"Getting Started", "zest", "install"}, {"Guides", "plugins", "deploy", "able"}, {"API", "server", "client", "errors"}},
		"end first":   {{"Reference", "zero", "one", "two"}, {"Learn", "three", "four", "five", "six"}},
	} {
		w := &web{pages: map[string]answer{}}
		list, want := "<nav><ul><li><a href=/docs/intro>Introduction</a>", "Docs: intro; "
		for _, g := range groups {
			list += "<li><a href='#'>" + g[0] + "</a><ul>"
			want += g[0] + ":"
			for _, p := range g[1:] {
				list += "<li><a href=/docs/" + p + ">" + p + "</a>"
				want += " " + p
			}
			list += "</ul>"
			want += "; "
		}
		list += "</ul></nav>"
		w.pages["http://docs.test/"] = part("Quill", "")
		w.pages["http://docs.test/docs/intro"] = part("Introduction", list)
		for _, g := range groups {
			for _, p := range g[1:] {
				w.pages["http://docs.test/docs/"+p] = part("On "+p, list)
			}
		}
		w.pages["http://docs.test/blog/"] = part("Blog", "<ul><li><a href=/blog/aaa>aaa</a><li><a href=/blog/bbb>bbb</a></ul>")
		w.pages["http://docs.test/blog/aaa"], w.pages["http://docs.test/blog/bbb"] = part("First post", ""), part("Second post", "")
		// A site map in another order.
		var locs []string
		for u := range w.pages {
			locs = append(locs, "<url><loc>"+u+"</loc></url>")
		}
		slices.Sort(locs)
		w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + strings.Join(locs, "") + "</urlset>", header: map[string]string{"Content-Type": "text/xml"}}
		f, err := llmstxt.Parse(everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Render(llmstxt.Index), llmstxt.Index)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, s := range f.Sections {
			got.WriteString(s.Name + ":")
			for _, e := range s.Entries {
				got.WriteString(" " + e.URL[strings.LastIndexByte(strings.TrimSuffix(e.URL, "/"), '/')+1:])
			}
			got.WriteString("; ")
		}
		if want += "Blog: blog/ aaa bbb; "; got.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got.String(), want)
		}
	}
}

func TestSections_NameOfTheSiteBeforeItsMenu_NamesNoSection(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	home := "<title>Kiln</title><header><h1><a href=/>Kiln</a></h1><nav><ul><li><a href=/goods/aaa>aaa</a><li><a href=/goods/bbb>bbb</a><li><a href=/rules/ccc>ccc</a><li><a href=/rules/eee>eee</a></ul></nav></header><main><p>" + gadget +
		"</p><h2>New here</h2><ul><li><a href=/goods/ddd>ddd</a><li><a href=/rules/fff>fff</a></ul></main>"
	for _, p := range []string{"goods/aaa", "goods/bbb", "goods/ddd", "rules/ccc", "rules/eee", "rules/fff"} {
		w.pages["http://docs.test/"+p] = doc("On " + p)
	}
	w.pages["http://docs.test/"] = html(home)
	if got, want := contents(t, w, "http://docs.test/"), "Goods 3, Rules 3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// listed is a base page with three lists of three links each, behind what names them, and
// a text before them all.
func listed(before string, names ...string) *web {
	w := &web{pages: map[string]answer{}}
	body := before
	for n, name := range names {
		body += name + "<ul>"
		for i := range 3 {
			l := word(3*n + i)
			w.pages["http://docs.test/"+l] = doc("Page " + l)
			body += "<li><a href=/" + l + ">" + l + "</a>"
		}
		body += "</ul>"
	}
	w.pages["http://docs.test/"] = html("<title>Tea</title><main><h1>Tea</h1><p>" + gadget + "</p>" + body + "</main>")
	return w
}

func TestSections_LinkInASentenceFirst_StandsInItsList(t *testing.T) {
	before := fmt.Sprintf("<p>Most people begin with <a href=/%s>this</a> and then go on to <a href=/%s>that</a>.</p>", word(0), word(4))
	if got, want := contents(t, listed(before, "<p>Guides</p>", "<p>Tools:</p>", "<p>Manuals</p>"), "http://docs.test/"), "Guides 3, Tools 3, Manuals 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSections_SentenceBeforeAList_IsNotAName(t *testing.T) {
	for _, lead := range []string{"Builtins to do a task, like:", "And here is the full list:", "Lesen Sie bitte zuerst das:"} {
		w := listed("", "<p>"+lead+"</p>", "<p>"+lead+" it:</p>", "<p>Now and then also "+lead+"</p>")
		if got := contents(t, w, "http://docs.test/"); got != "Pages 9" {
			t.Errorf("%s: %s", lead, got)
		}
	}
}
