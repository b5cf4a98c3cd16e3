package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// acorns are the pages of a site whose home page only leads to them.
var acorns = []struct{ path, title, text string }{
	{"foo", "Foo", "Foo turns a page into a longer page, and takes its time over it."},
	{"bar", "Bar", "Bar is what stands between two pages, so that nobody mixes them up."},
	{"baz", "Baz", "Baz counts the pages and tells you when there are enough of them."},
	{"qux", "Qux", "Qux hides a page for as long as you like and brings it back again."},
}

// acornHomes are home pages without words of their own, as lists write them.
var acornHomes = map[string]func(links []string, texts []string) string{
	"list":        func(l, _ []string) string { return "<ul><li>" + strings.Join(l, "<li>") + "</ul>" },
	"paragraph":   func(l, _ []string) string { return "<p>" + strings.Join(l, " ") + "</p>" },
	"lines":       func(l, _ []string) string { return strings.Join(l, "<br>") },
	"navigation":  func(l, _ []string) string { return "<nav><ul><li>" + strings.Join(l, "<li>") + "</ul></nav>" },
	"bars":        func(l, _ []string) string { return "<div>" + strings.Join(l, " | ") + "</div>" },
	"table":       pairs("<table>", "<tr><td>%s</td><td>%s</td></tr>", "</table>"),
	"table heads": pairs("<table>", "<tr><th>%s</th><td>%s</td></tr>", "</table>"),
	"definitions": pairs("<dl>", "<dt>%s</dt><dd>%s</dd>", "</dl>"),
	"items":       pairs("<ul>", "<li>%s: %s</li>", "</ul>"),
	"teasers":     pairs("", "<h2>%s</h2><p>%s</p>", ""),
	"headed":      pairs("<h1>Acorn Tools</h1>", "<div>%s<p>%s</p></div>", ""),
}

func pairs(begin, each, end string) func(l, t []string) string {
	return func(l, t []string) string {
		out := begin
		for i := range l {
			out += fmt.Sprintf(each, l[i], t[i])
		}
		return out + end
	}
}

// acornSite crawls the site with one more page, if it has a title.
func acornSite(t *testing.T, home func(l, t []string) string, title, text string) *llmstxt.CrawledSite {
	t.Helper()
	w := &web{pages: map[string]answer{}}
	pages := acorns
	if title != "" {
		pages = append(pages[:2:2], append([]struct{ path, title, text string }{{"more", title, text}}, acorns[2:]...)...)
	}
	var links, texts []string
	for _, p := range pages {
		links, texts = append(links, fmt.Sprintf("<a href=/%s>%s</a>", p.path, p.title)), append(texts, p.text)
		w.pages["http://docs.test/"+p.path] = html(fmt.Sprintf("<title>%s</title><main><h1>%s</h1><p>%s</p></main>", p.title, p.title, p.text))
	}
	w.pages["http://docs.test/"] = html("<title>Acorn Tools</title>" + home(links, texts))
	return crawl(t, w, "http://docs.test/", llmstxt.Options{})
}

func TestSummary_HomePageOfLinks_NamesTheSiteAndWhatItHas(t *testing.T) {
	for name, home := range acornHomes {
		t.Run(name, func(t *testing.T) {
			s := acornSite(t, home, "", "")
			if list := "Foo; Bar; Baz; Qux."; s.Summary != "Acorn Tools: "+list || s.Pages[0].Excerpt != list {
				t.Errorf("the summary is %q and the excerpt %q", s.Summary, s.Pages[0].Excerpt)
			}
		})
	}
}

func TestSummary_HomePageOfLinks_IsWhatAnotherPageSaysOfTheSite(t *testing.T) {
	const school = "These programs were made for the library of a small school."
	for name, tt := range map[string]struct{ title, text, want string }{
		"introduction":     {"Introduction", "Acorn Tools are four small programs that work on pages.", "Acorn Tools are four small programs that work on pages."},
		"not its start":    {"Overview", "Read this first, whoever you are. Acorn Tools is a set of four programs.", "Acorn Tools is a set of four programs."},
		"about":            {"About", school, school},
		"what it is":       {"What is Acorn?", school, school},
		"in German":        {"Einführung", "Diese Programme wurden für die Bücherei einer kleinen Schule gemacht.", "Diese Programme wurden für die Bücherei einer kleinen Schule gemacht."},
		"any page":         {"First steps", "Acorn Tools is a set of four programs. Begin with Foo.", "Acorn Tools is a set of four programs."},
		"no definition":    {"First steps", "Begin with Foo, which is the smallest of them all.", "Acorn Tools: Foo; Bar; First steps; Baz; Qux."},
		"praise":           {"First steps", "Acorn Tools are supposed to be easy to use.", "Acorn Tools: Foo; Bar; First steps; Baz; Qux."},
		"of another thing": {"About oak trees", "Oaks are large trees that stand in the wood.", "Acorn Tools: Foo; Bar; About oak trees; Baz; Qux."},
	} {
		t.Run(name, func(t *testing.T) {
			for _, home := range []string{"list", "table", "teasers"} {
				if s := acornSite(t, acornHomes[home], tt.title, tt.text); s.Summary != tt.want || !strings.HasPrefix(s.Pages[0].Excerpt, "Foo; Bar; ") {
					t.Errorf("%s: the summary is %q and the excerpt %q", home, s.Summary, s.Pages[0].Excerpt)
				}
			}
		})
	}
}

func TestSummary_HomePageWithSections_NamesThem(t *testing.T) {
	s := acornSite(t, func(l, _ []string) string {
		return "<h1>Acorn Tools</h1><h2>Guides</h2><ul><li>" + strings.Join(l[:2], "<li>") + "</ul><h2>Reference</h2><ul><li>" + strings.Join(l[2:], "<li>") + "</ul>"
	}, "", "")
	if want := "Acorn Tools: Guides; Reference."; s.Summary != want {
		t.Errorf("the summary is %q", s.Summary)
	}
}

func TestSummary_HomePageWithWordsOfItsOwn_IsThese(t *testing.T) {
	const own = "Everything that a forest of pages needs is collected here by us."
	for name, home := range acornHomes {
		for where, page := range map[string]func(l, t []string) string{
			"before": func(l, t []string) string { return "<p>" + own + "</p>" + home(l, t) },
			"behind": func(l, t []string) string { return home(l, t) + "<h1>Acorn Tools</h1><p>" + own + "</p>" },
		} {
			if name == "headed" && where == "before" {
				continue // what stands before the page's heading is a banner
			}
			if s := acornSite(t, page, "About", "These programs were made for the library of a small school."); s.Summary != own {
				t.Errorf("%s %s: the summary is %q", where, name, s.Summary)
			}
		}
		described := func(l, t []string) string {
			return "<meta name=description content='A chest of tools for pages.'>" + home(l, t)
		}
		if s := acornSite(t, described, "About", "These programs were made for the library of a small school."); s.Summary != "A chest of tools for pages." {
			t.Errorf("with a description, %s: the summary is %q", name, s.Summary)
		}
	}
}

func TestSummary_PortalOfSeveralIntroductions_IsNoneOfThem(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var l []string
	for i, name := range []string{"Kettle", "Spoon", "Saucer"} {
		for page, text := range map[string]string{"Introduction": "It stands on the table all day, number %d of them.", "Use": "Take it into your hand and lift it, number %d of them."} {
			at := fmt.Sprintf("http://docs.test/%s/%s", name, page)
			w.pages[at] = html(fmt.Sprintf("<title>%s</title><h1>%s</h1><p>"+text+"</p>", page, page, i))
			l = append(l, fmt.Sprintf("<li><a href=/%s/%s>%s</a>", name, page, page))
		}
	}
	w.pages["http://docs.test/"] = html("<title>Tea House</title><ul>" + strings.Join(l, "") + "</ul>")
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); !strings.HasPrefix(s.Summary, "Tea House: ") {
		t.Errorf("the summary is %q", s.Summary)
	}
}
