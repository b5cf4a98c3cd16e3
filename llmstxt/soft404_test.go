package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// inHead puts something into a page's head.
func inHead(a answer, html string) answer {
	a.body = strings.Replace(a.body, "</head>", html+"</head>", 1)
	return a
}

func in(lang string, a answer) answer {
	a.body = strings.Replace(a.body, "<html lang=en>", "<html lang="+lang+">", 1)
	return a
}

func TestCrawl_TokensDiffer_PageIsOne(t *testing.T) {
	var n atomic.Int64
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/install", "/install/", "/install/index.html", "/install?ref=nav", "/config")}}
	w.handler = func(r *http.Request) (answer, bool) {
		switch title := ""; {
		case strings.HasPrefix(r.URL.Path, "/install"):
			title = "Install"
			fallthrough
		case r.URL.Path == "/config":
			if title == "" {
				title = "Config"
			}
			a := doc(title)
			id := n.Add(1)
			a.body = strings.Replace(a.body, "</main>", fmt.Sprintf("<form><input type=hidden value=%d></form></main><!-- %d --><script nonce=%d>x=%d</script><footer>Request %d</footer>", id, id, id, id, id), 1)
			return inHead(a, fmt.Sprintf("<meta name=csrf content=%d>", id)), true
		}
		return answer{}, false
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); !slices.Equal(got, []string{"/", "/install", "/config"}) {
		t.Errorf("%v", got)
	}
	if s.Stats.Skipped[llmstxt.SkipDuplicate] != 3 || !strings.Contains(s.Pages[1].Excerpt, "This page explains Install") {
		t.Errorf("%+v, %q", s.Stats, s.Pages[1].Excerpt)
	}
}

// What only copies share is what they are about.
func TestCrawl_FewPagesWithTheSameWords_KeepThem(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := section(w, "other", 12)
	const text = "The installer copies the program into your home folder and adds it to the path of your shell."
	for i := range 4 {
		l := "/copy-" + word(i)
		links = append(links, l)
		w.pages["http://docs.test"+l] = html("<title>Copy " + word(i) + "</title><main><h1>Copy " + word(i) + "</h1><p>" + text + "</p></main>")
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		if strings.Contains(p.URL, "/copy-") && p.Excerpt != text {
			t.Errorf("%s: %q", p.URL, p.Excerpt)
		}
	}
}

func TestCrawl_LoginPages_AreLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/open", "/members/a", "/members/b", "/signup")}}
	w.pages["http://docs.test/open"] = doc("Open")
	w.pages["http://docs.test/signup"] = html("<title>Join</title><main><h1>Join</h1><form><input name=u><input type=PASSWORD name=p></form></main>")
	w.handler = func(r *http.Request) (answer, bool) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/members/"):
			return redirect("/account/sign-in?next=" + r.URL.Path), true
		case r.URL.Path == "/account/sign-in":
			return html("<title>Welcome back</title><main><p>Enter your address to go on to " + r.URL.Query().Get("next") + ".</p></main>"), true
		}
		return answer{}, false
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got := urls(s); !slices.Equal(got, []string{"/", "/open"}) || s.Stats.Skipped[llmstxt.SkipLogin] != 3 {
		t.Errorf("%v, %v", got, s.Skipped)
	}
}

// A page whose address has the word of a login, and one with a login at its edge, are pages.
func TestCrawl_PagesThatNameLogins_AreKept(t *testing.T) {
	edge := func(form string) func(string) answer {
		return func(title string) answer {
			a := doc(title)
			a.body = strings.Replace(a.body, "<body>", "<body>"+fmt.Sprintf(form, "<form action=/in><input type=text name=u><input type=password name=p></form>"), 1)
			return a
		}
	}
	for name, c := range map[string]struct {
		from, to string
		page     func(string) answer
	}{
		"slash":           {"/api/users", "/api/users/", func(s string) answer { return doc(s) }},
		"slash, docs":     {"/docs/auth", "/docs/auth/", func(s string) answer { return doc(s) }},
		"extension":       {"/sso.html", "/sso/", func(s string) answer { return doc(s) }},
		"moved to a page": {"/old/people", "/reference/users", func(s string) answer { return doc(s) }},
		"form in header":  {"", "/a", edge("<header>%s</header>")},
		"form in nav":     {"", "/a", edge("<nav>%s</nav>")},
		"form in aside":   {"", "/a", edge("<aside>%s</aside>")},
		"form in sidebar": {"", "/a", edge("<div class=sidebar>%s</div>")},
		"form in dialog":  {"", "/a", edge("<dialog>%s</dialog>")},
		"form in footer":  {"", "/a", edge("<footer><div>%s</div></footer>")},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", c.to), "http://docs.test" + c.to: c.page("Page")}}
		if c.from != "" {
			w.pages["http://docs.test/"] = doc("Home", c.from)
			w.pages["http://docs.test"+c.from] = redirect(c.to)
		} else {
			w.pages["http://docs.test/"] = c.page("Home")
			w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset><url><loc>http://docs.test" + c.to + "</loc></url></urlset>"}
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", c.to}) {
			t.Errorf("%s: %v, %v", name, got, s.Skipped)
		}
	}
}

// Logins are named wherever they are: below the base page, beside it, on another host, and
// with a form that only a script makes.
func TestCrawl_RedirectToALogin_IsNamed(t *testing.T) {
	form := html("<title>Portal</title><main><h1>Portal</h1><p>Welcome to the portal of all the things that are made here, where everybody has a place.</p><form><input type=email name=u></form></main>")
	for _, c := range []struct {
		to   string
		page answer
	}{
		{"/login?next=/docs/a", form}, {"/docs/login", form}, {"/docs/auth?id=7", form}, {"https://auth.example.test/x", form}, {"https://login.docs.test/", form},
		{"/docs/sso?returnTo=%2Fdocs%2Fa", doc("Portal")}, {"/docs/users/sign_in", html("<title>Portal</title><noscript>This needs a browser.</noscript>")},
		{"/docs/portal", html("<title>Log in | Docs</title><main><h1>Hello</h1>" + strings.Repeat("<p>Welcome to the portal of all the things that are made here, where everybody has a place.</p>", 3) + "<form><input type=password></form></main>")},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/docs/": doc("Home", "/docs/a", "/docs/b"), "http://docs.test/docs/a": redirect(c.to), "http://docs.test/docs/b": doc("B")}}
		to := c.to
		if strings.HasPrefix(to, "/") {
			to = "http://docs.test" + to
		}
		w.pages[to] = c.page
		s := everyWay(t, w, "http://docs.test/docs/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/docs/", "/docs/b"}) || reasons(s)["/docs/a"] != llmstxt.SkipLogin {
			t.Errorf("%s: %v, %v", c.to, got, s.Skipped)
		}
	}
	// What leaves the scope for something else is said to leave it.
	w := &web{pages: map[string]answer{"http://docs.test/docs/": doc("Home", "/docs/a"), "http://docs.test/docs/a": redirect("https://www.example.test/a")}}
	if s := everyWay(t, w, "http://docs.test/docs/", llmstxt.Options{}); reasons(s)["/docs/a"] != llmstxt.SkipScope {
		t.Errorf("%v", s.Skipped)
	}
}

func TestCrawl_Soft404s_AreLeftOut(t *testing.T) {
	for name, body := range map[string]string{
		"by title":    "<title>Page not found</title><main><h1>404</h1><p>Sorry, the page %s could not be found on this site.</p></main>",
		"in German":   "<title>Seite nicht gefunden | Handbuch</title><main><h1>Seite nicht gefunden</h1><p>Die Seite %s gibt es leider nicht.</p></main>",
		"by any path": "<title>Kwaheri</title><main><h1>Samahani sana</h1><p>Hakuna kitu hapa kwenye %s kwa sasa, tafadhali rudi nyumbani.</p></main>",
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/old", "/gone", "/b"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
			w.pages["http://docs.test/robots.txt"] = answer{status: 404}
			w.pages["http://docs.test/sitemap.xml"] = answer{status: 404}
			w.handler = func(r *http.Request) (answer, bool) {
				if _, ok := w.pages[r.URL.String()]; ok {
					return answer{}, false
				}
				return html(fmt.Sprintf(body, r.URL.Path)), true
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/a", "/b"}) || s.Stats.Skipped[llmstxt.SkipNotFound] != 2 || s.Stats.Pages != 3 {
				t.Errorf("%v, %v", got, s.Skipped)
			}
		})
	}
	// A page about the status is a page.
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/errors"), "http://docs.test/errors": html("<title>404 errors</title><main><h1>404 errors</h1><p>" +
		strings.Repeat("When a page is not found the server answers with a status that says so, and here is what to do about it. ", 12) + "</p></main>")}}
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
		t.Errorf("%v", s.Skipped)
	}
}

func TestCrawl_Translations_OneIsKept(t *testing.T) {
	alternates := func(path string) string {
		return "<link rel=alternate hreflang=en href='" + path + "'><link rel=alternate hreflang=fr-FR href='/fr" + path + "'><link rel=alternate hreflang=x-default href='" + path + "'>"
	}
	build := func(head bool) *web {
		w := &web{pages: map[string]answer{}}
		for _, path := range []string{"/", "/install", "/config"} {
			en, fr := doc("Page "+path, "/install", "/config", "/fr/", "/fr/install", "/fr/seul"), in("fr", doc("Page (fr) "+path, "/fr/install", "/fr/config", "/fr/seul"))
			if head {
				en, fr = inHead(en, alternates(path)), inHead(fr, alternates(path))
			}
			w.pages["http://docs.test"+path], w.pages["http://docs.test/fr"+path] = en, fr
		}
		w.pages["http://docs.test/fr/seul"] = in("fr", doc("Seul"))
		return w
	}
	for name, head := range map[string]bool{"alternates": true, "lang and path": false} {
		t.Run(name, func(t *testing.T) {
			s := everyWay(t, build(head), "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/install", "/config", "/fr/seul"}) {
				t.Errorf("%v, %v", got, s.Skipped)
			}
			if s.Stats.Skipped[llmstxt.SkipTranslation] == 0 {
				t.Errorf("%+v", s.Stats)
			}
		})
	}
	t.Run("chosen", func(t *testing.T) {
		s := everyWay(t, build(true), "http://docs.test/", llmstxt.Options{Language: "fr"})
		if got := urls(s); got[0] != "/" || paths(s, "/fr/") < 3 || slices.Contains(got, "/install") {
			t.Errorf("%v, %v", got, s.Skipped)
		}
	})
	t.Run("site map", func(t *testing.T) {
		w := build(false)
		entry := func(loc, path string) string {
			return "<url><loc>http://docs.test" + loc + "</loc><xhtml:link rel='alternate' hreflang='en' href='http://docs.test" + path + "'/><xhtml:link rel='alternate' hreflang='fr' href='http://docs.test/fr" + path + "'/></url>"
		}
		w.pages["http://docs.test/"] = doc("Home")
		w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + entry("/fr/install", "/install") + entry("/fr/config", "/config") + entry("/install", "/install") + entry("/config", "/config") + "</urlset>"}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); slices.Contains(got, "/fr/install") || !slices.Contains(got, "/install") {
			t.Errorf("%v, %v", got, s.Skipped)
		}
	})
}

func TestCrawl_TranslationsByQuery_OneIsKept(t *testing.T) {
	for _, query := range []string{"?lang=fr", "?hl=fr", "?locale=fr_FR", "?page=1&language=fr-CA"} {
		w := &web{pages: map[string]answer{}}
		plain, _, several := strings.Cut(strings.TrimPrefix(query, "?"), "&")
		own := ""
		if several {
			own = "?" + plain
		}
		for _, p := range []string{"/", "/install", "/config"} {
			w.pages["http://docs.test"+p+own] = doc("Page "+p, "/install"+own, "/config"+own, p+query, "/seul"+query)
			w.pages["http://docs.test"+p+query] = in("fr", doc("Page (fr) "+p, "/install"+query, "/config"+query, "/seul"+query))
		}
		w.pages["http://docs.test/seul"+query] = in("fr", doc("Seul"))
		s := everyWay(t, w, "http://docs.test/"+own, llmstxt.Options{})
		want := []string{"/" + own, "/install" + own, "/config" + own, "/seul" + query}
		if got := urls(s); !slices.Equal(got, want) || s.Stats.Skipped[llmstxt.SkipTranslation] != 3 {
			t.Errorf("%v, want %v, %v", got, want, s.Skipped)
		}
	}
}

// A start page of all versions belongs to no version.
func TestCrawl_StartPageOfVersions_OneIsKept(t *testing.T) {
	for _, versions := range [][]string{{"2.x", "1.x", "3.x"}, {"v1", "v2", "stable"}, {"1.9", "1.10"}} {
		w := &web{pages: map[string]answer{}}
		var home []string
		for _, v := range versions {
			home = append(home, "/"+v+"/")
			w.pages["http://docs.test/"+v+"/"] = doc("Tea "+v, "/"+v+"/install")
			w.pages["http://docs.test/"+v+"/install"] = doc("Install " + v)
		}
		w.pages["http://docs.test/"] = doc("Choose", home...)
		best := versions[len(versions)-1]
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got, want := urls(s), []string{"/", "/" + best + "/", "/" + best + "/install"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v, %v", got, want, s.Skipped)
		}
	}
}

func TestCrawl_Versions_OneIsKept(t *testing.T) {
	build := func(unversioned bool, versions ...string) *web {
		w := &web{pages: map[string]answer{}}
		var home []string
		for _, v := range versions {
			home = append(home, "/docs/"+v+"/")
			for _, p := range []string{"install", "config"} {
				home = append(home, "/docs/"+v+"/"+p)
				w.pages["http://docs.test/docs/"+v+"/"+p] = doc(p + " in " + v)
			}
			w.pages["http://docs.test/docs/"+v+"/"] = doc("Docs "+v, "/docs/"+v+"/install")
		}
		home = append(home, "/docs/1.0/legacy")
		w.pages["http://docs.test/docs/1.0/legacy"] = doc("Legacy")
		if unversioned {
			for _, p := range []string{"install", "config"} {
				home = append(home, "/docs/"+p)
				w.pages["http://docs.test/docs/"+p] = doc(p)
			}
		}
		w.pages["http://docs.test/docs/"] = doc("Docs", home...)
		return w
	}
	for name, tt := range map[string]struct {
		w     *web
		o     llmstxt.Options
		start string
		want  []string
	}{
		"the base page has none": {build(true, "2.0", "1.0", "next"), llmstxt.Options{}, "/docs/", []string{"/docs/", "/docs/config", "/docs/install", "/docs/1.0/legacy"}},
		"the highest":            {build(false, "1.9", "1.10", "main"), llmstxt.Options{}, "/docs/", []string{"/docs/", "/docs/1.10/config", "/docs/1.10/install", "/docs/1.0/legacy"}},
		"the stable one":         {build(false, "2.0", "stable", "dev"), llmstxt.Options{}, "/docs/", []string{"/docs/", "/docs/1.0/legacy", "/docs/stable/config", "/docs/stable/install"}},
		"the chosen one":         {build(false, "2.0", "v1.5", "latest"), llmstxt.Options{Version: "1.5"}, "/docs/", []string{"/docs/", "/docs/1.0/legacy", "/docs/v1.5/config", "/docs/v1.5/install"}},
		"the base page's":        {build(true, "2.0", "1.0"), llmstxt.Options{}, "/docs/1.0/", []string{"/docs/1.0/", "/docs/1.0/install"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := everyWay(t, tt.w, "http://docs.test"+tt.start, tt.o)
			got := slices.DeleteFunc(urls(s), func(u string) bool { return u != tt.start && strings.HasSuffix(u, "/") })
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v; %v", got, tt.want, s.Skipped)
			}
		})
	}
	// Releases are not versions of a page.
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/changes", "/changes/1.0", "/changes/1.1", "/news/2024/05/x")}}
	for _, p := range []string{"/changes", "/changes/1.0", "/changes/1.1", "/news/2024/05/x"} {
		w.pages["http://docs.test"+p] = doc("Page of " + p)
	}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 5 {
		t.Errorf("%v, %v", urls(s), s.Skipped)
	}
}
