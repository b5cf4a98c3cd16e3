package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// titled is a site with a base page and others, by their titles; each has a heading and
// what stands in its head.
func titled(base, heading, head string, titles ...string) *web {
	w := &web{pages: map[string]answer{}}
	page := func(title, heading, body string, n int) answer {
		return html(fmt.Sprintf("<html lang=en><title>%s</title>%s<main><h1>%s</h1><p>%s Page %s has %d of them in its cupboard.</p>%s</main>", title, head, heading, gadget, word(n), n+2, body))
	}
	list := ""
	for i, title := range titles {
		list += fmt.Sprintf("<li><a href=/%s>%s</a>", word(i), word(i))
		w.pages["http://docs.test/"+word(i)] = page(title, "The "+word(i)+" of it", "", i)
	}
	w.pages["http://docs.test/"] = page(base, heading, "<ul>"+list+"</ul>", 100)
	return w
}

func titlesOf(s *llmstxt.CrawledSite) string {
	var all []string
	for _, p := range s.Pages[1:] {
		all = append(all, p.Title)
	}
	return s.Title + ": " + strings.Join(all, ", ")
}

func TestTitles_BeginWithTheBasePagesTitle_LoseIt(t *testing.T) {
	for _, c := range []struct{ base, form string }{
		{"Soup – 3.0", "Soup – 3.0: %s"}, {"Erlang", "Erlang -- %s"}, {"Tea Help", "%s | Tea Help"}, {"Tea", "%s — Tea"},
	} {
		var titles []string
		for _, own := range []string{"Cookies", "Logging", "Building"} {
			titles = append(titles, fmt.Sprintf(c.form, own))
		}
		titles = append(titles, "Pot.Lid", "Pot.Spout", "Pot.Handle", "Pot.Bottom", "Pot.Filter") // without the name
		s := everyWay(t, titled(c.base, c.base, "", titles...), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), c.base+": Cookies, Logging, Building, Pot.Lid, Pot.Spout, Pot.Handle, Pot.Bottom, Pot.Filter"; got != want {
			t.Errorf("%s: %q, want %q", c.form, got, want)
		}
	}
}

// Most pages are in one part of the site, whose name is not the site's; the others lose the
// site's name as well.
func TestTitles_PartOfTheSiteInMost_AllLoseTheSitesName(t *testing.T) {
	for _, c := range []struct{ base, form, part string }{
		{"Oven - the hottest server", "%s - Oven - the hottest server", "%s - Set up - Oven - the hottest server"},
		{"Tea Pot", "%s | Tea Pot", "%s | Manual | Tea Pot"},
		{"Oven 3.1", "Oven 3.1: %s", "Oven 3.1: Manual: %s"},
	} {
		titles := []string{fmt.Sprintf(c.form, "Installing"), fmt.Sprintf(c.form, "Questions")}
		for _, own := range []string{"Doors", "Lids", "Fire", "Smoke", "Ashes"} {
			titles = append(titles, fmt.Sprintf(c.part, own))
		}
		s := everyWay(t, titled(c.base, "Welcome", "", titles...), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), c.base+": Installing, Questions, Doors, Lids, Fire, Smoke, Ashes"; got != want {
			t.Errorf("%s: %q, want %q", c.base, got, want)
		}
	}
}

// So do they where the base page has a title of its own.
func TestTitles_EndOfMostHasTheSitesName_AllLoseIt(t *testing.T) {
	for _, c := range []struct{ base, form, part string }{
		{"Welcome to Oven’s documentation! — Oven 2.8", "%s — Oven 2.8", "%s – Package — Oven 2.8"},
		{"Start | Oven 2.8", "%s | Oven 2.8", "%s | Manual | Oven 2.8"},
		{"Oven 2.8: Start", "Oven 2.8: %s", "Oven 2.8: Manual: %s"},
	} {
		titles := []string{fmt.Sprintf(c.form, "Installing"), fmt.Sprintf(c.form, "Questions")}
		for _, own := range []string{"Doors", "Lids", "Fire", "Smoke", "Ashes"} {
			titles = append(titles, fmt.Sprintf(c.part, own))
		}
		s := everyWay(t, titled(c.base, "Welcome", "", titles...), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Oven 2.8: Installing, Questions, Doors, Lids, Fire, Smoke, Ashes"; got != want {
			t.Errorf("%s: %q, want %q", c.base, got, want)
		}
	}
}

// A program that many sites are made with puts its own name behind theirs.
func TestTitles_NameOfTheProgramBehindTheSites_SiteIsNamed(t *testing.T) {
	for base, want := range map[string]string{"Tea Pots - Confluence": "Tea Pots", "Tea Pots Home - Tea Pots - Confluence": "Tea Pots", "Home - Tea Pots - Confluence": "Tea Pots", "Tea Pot Manual - Tea Pots - Confluence": "Tea Pot Manual"} {
		s := everyWay(t, titled(base, "Welcome", "", "Lids - Tea Pots - Confluence", "Spouts - Tea Pots - Confluence", "Handles - Tea Pots - Confluence"), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), want+": Lids, Spouts, Handles"; got != want {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}

func TestSite_Title_GeneratorsTitle_HeadingIsTaken(t *testing.T) {
	for _, base := range []string{"JSDoc: Home", "RDoc Documentation", "Documentation by YARD 0.9.24", "File: README — Documentation by YARD 0.9.24", "Swagger UI", "Generated Documentation"} {
		_, end, _ := strings.Cut(base, "README")
		s := everyWay(t, titled(base, "Kettle.js", "", "Pot"+end, "Lid"+end, "Cup"+end), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Kettle.js: Pot, Lid, Cup"; got != want {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}

func TestSite_Title_BasePageIsAChapter_NameOfAllPagesIsTaken(t *testing.T) {
	const name = "<meta property=og:site_name content='Teapot API'>"
	for base, want := range map[string]string{
		"Install": "Teapot API", "Teapot by example": "Teapot by example", "The API": "The API", "Quick start": "Teapot API",
	} {
		s := everyWay(t, titled(base, base, name, "Pots", "Lids", "Cups"), "http://docs.test/", llmstxt.Options{})
		if s.Title != want {
			t.Errorf("%s: %q, want %q", base, s.Title, want)
		}
	}
}

// A host of many packages names itself in all titles.
func TestSite_Title_PartOfAHost_IsItsOwn(t *testing.T) {
	w := titled("tea package - example.org/tea - Packages", "tea", "", "cup package - example.org/tea/cup - Packages", "pot package - example.org/tea/pot - Packages", "lid package - example.org/tea/lid - Packages")
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Title != "tea package - example.org/tea" {
		t.Errorf("%q", s.Title)
	}
}

func TestTitles_HeadingOfSeveralPages_IsNotTaken(t *testing.T) {
	w := titled("tea-1.0", "tea-1.0", "", "Data.Tea", "Data.Pot", "Data.Cup", "Data.Tea", "Data.Pot", "")
	for i := range 6 {
		at := "http://docs.test/" + word(i)
		a := w.pages[at]
		heading := "Synopsis"
		if i == 4 {
			heading = "Notes on pots"
		}
		a.body = strings.Replace(a.body, "The "+word(i)+" of it", heading, 1)
		w.pages[at] = a
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got, want := titlesOf(s), "tea-1.0: Data.Tea, Data.Pot, Data.Cup, Data.Tea, Notes on pots, Synopsis"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A generator's or a plugin's description that is the page's beginning, cut at so many characters.
func TestExcerpt_DescriptionCutInASentence_IsNotTaken(t *testing.T) {
	const text = "The installer copies the program into your home folder and adds it to the path. It needs no administrator and leaves nothing behind."
	for _, n := range []int{30, 37, 61, 100} {
		for _, meta := range []string{"name=description", "property=og:description"} {
			p := one(t, "<title>Install</title><meta "+meta+" content='"+text[:n]+"'><main><h1>Install</h1><p>"+text+"</p></main>", llmstxt.Options{})
			if !strings.HasPrefix(text, p.Note) || !strings.HasSuffix(p.Note, "path.") && !strings.HasSuffix(p.Note, "behind.") {
				t.Errorf("%d of %s: %q", n, meta, p.Note)
			}
		}
	}
	// What ends with the sentence lacks its full stop alone.
	p := one(t, "<title>Install</title><meta name=description content='"+text[:78]+"'><main><h1>Install</h1><p>"+text+"</p></main>", llmstxt.Options{})
	if p.Note != text[:79] {
		t.Errorf("%q, want %q", p.Note, text[:79])
	}
}

func TestExcerpt_TeasersOfOthers_AreNotTaken(t *testing.T) {
	for _, end := range []string{"…", "...", " […]", " [...]", "… »"} {
		teasers := ""
		for i := range 3 {
			teasers += fmt.Sprintf("<article><h2><a href=/%s>Pot %d</a></h2><p>Pots of sort %d are made of iron and nothing else. They keep the wa%s</p></article>", word(i), i, i, end)
		}
		p := one(t, "<title>Pots</title><main><h1>Pots</h1>"+teasers+"</main>", llmstxt.Options{})
		if strings.Contains(p.Excerpt, "iron") {
			t.Errorf("%s: %q", end, p.Excerpt)
		}
		p = one(t, "<title>Pots</title><main><h1>Pots</h1><p>"+gadget+"</p>"+teasers+"</main>", llmstxt.Options{})
		if p.Excerpt != gadget {
			t.Errorf("%s: %q", end, p.Excerpt)
		}
	}
}

func TestTitles_NameOfOneBookOfSeveral_IsTakenOff(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	book := func(folder, form string, n int) {
		for i := range n {
			l := fmt.Sprintf("/%s/%s.html", folder, word(i))
			w.pages["http://docs.test"+l] = doc(fmt.Sprintf(form, "Chapter "+word(i)))
			all = append(all, l)
		}
	}
	book("users", "%s — The Kettle Users' Guide", 5)
	book("api", "Kettle API: %s", 6) // whose chapters have the names of those of the guide
	book("small", "%s — Small", 2)
	w.pages["http://docs.test/"] = doc("Kettle Documentation", all...)
	titles := map[string]int{}
	for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:] {
		titles[p.Title]++
		switch users := strings.Contains(p.URL, "/users/"); {
		case users && strings.Contains(p.Title, "Guide"), strings.Contains(p.URL, "/small/") && !strings.HasSuffix(p.Title, " — Small"):
			t.Errorf("%s: %q", p.URL, p.Title)
		}
	}
	for title, n := range titles {
		if n > 1 {
			t.Errorf("%d pages are called %q", n, title)
		}
	}
	if titles["Chapter aaf"] != 1 {
		t.Errorf("%v", titles)
	}
}

func TestTitles_SignsOfWideScripts_PartThem(t *testing.T) {
	for _, form := range []string{"%s｜水壶使用手册", "%s_水壶使用手册", "%s-水壶使用手册", "%s|水壶使用手册", "水壶使用手册：%s"} {
		w := &web{pages: map[string]answer{}}
		var all []string
		for i, name := range []string{"安装", "加热", "清洗", "维修"} {
			l := "/" + word(i)
			w.pages["http://docs.test"+l] = doc(fmt.Sprintf(form, name))
			all = append(all, l)
		}
		w.pages["http://docs.test/"] = doc(fmt.Sprintf(form, "首页"), all...)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if s.Title != "水壶使用手册" || s.Pages[1].Title != "安装" {
			t.Errorf("%s: %q, %q", form, s.Title, s.Pages[1].Title)
		}
	}
	// A name in code is whole.
	w := &web{pages: map[string]answer{}}
	var all []string
	for i := range 4 {
		w.pages["http://docs.test/"+word(i)] = doc("kettle_" + word(i) + "_open")
		all = append(all, "/"+word(i))
	}
	w.pages["http://docs.test/"] = doc("Kettle functions", all...)
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); s.Pages[1].Title != "kettle_aaa_open" {
		t.Errorf("%q", s.Pages[1].Title)
	}
}

func TestSite_NameBehindAnotherSign_IsTheSites(t *testing.T) {
	for _, title := range []string{"News, sport and opinion | The Daily Kettle", "The Daily Kettle – News, sport and opinion", "News, sport and opinion · The Daily Kettle"} {
		w := &web{pages: map[string]answer{}}
		var all []string
		for i := range 5 {
			w.pages["http://docs.test/"+word(i)] = doc("Story " + word(i) + " - The Daily Kettle")
			all = append(all, "/"+word(i))
		}
		w.pages["http://docs.test/"] = doc(title, all...)
		if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); s.Title != "The Daily Kettle" {
			t.Errorf("%s: %q", title, s.Title)
		}
	}
}

func TestTitles_SitesNameBetweenTwoOfThePage_IsCutOff(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var all []string
	for i := range 6 {
		w.pages["http://docs.test/"+word(i)] = doc("Pot " + word(i) + " - Kettle Library 2.11 - kettle.Pot" + word(i))
		all = append(all, "/"+word(i))
	}
	for _, letter := range []string{"a", "b", "c"} {
		l := "/index/index-" + letter + ".html"
		w.pages["http://docs.test"+l] = html("<title>Kettle Library 2.11</title><div>Names with " + letter + "</div><ul><li><a href=/aaa>" + letter + "one</a></ul>")
		all = append(all, l)
	}
	w.pages["http://docs.test/"] = doc("Kettle Library 2.11", all...)
	for i, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:] {
		want := "Pot " + word(i)
		if i >= 6 {
			want = "Index " + []string{"a", "b", "c"}[i-6]
		}
		if p.Title != want || p.Secondary != (i >= 6) {
			t.Errorf("%s: %q, secondary %t", p.URL, p.Title, p.Secondary)
		}
	}
}

func TestTitles_NameInBrackets_IsTakenOff(t *testing.T) {
	for _, form := range []string{"%s [Kettle Wiki]", "%s (Kettle Wiki)", "%s【Kettle Wiki】", "[Kettle Wiki] - %s"} {
		for _, home := range []string{"start", "Home", "Kettle Wiki"} {
			w := &web{pages: map[string]answer{}}
			page := func(at, title string, links ...string) {
				a := doc(title, links...)
				a.body = strings.Replace(a.body, "<title>"+title, "<title>"+fmt.Sprintf(form, title), 1)
				w.pages["http://docs.test"+at] = a
			}
			var all []string
			for _, n := range []string{"Install", "Config", "List (old)", "Write"} {
				l := "/" + strings.ToLower(n[:4])
				page(l, n)
				all = append(all, l)
			}
			page("/", home, all...)
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			var got []string
			for _, p := range s.Pages[1:] {
				got = append(got, p.Title)
			}
			if s.Title != "Kettle Wiki" || strings.Join(got, ", ") != "Install, Config, List (old), Write" {
				t.Errorf("%s, %s: H1 %q, titles %q", form, home, s.Title, got)
			}
		}
	}
}

// Breadcrumbs lead to the page, and some of them end with it.
func TestTitles_BreadcrumbsThatEndWithThePage_LeaveItsName(t *testing.T) {
	for _, c := range []struct{ title, heading, crumbs, want string }{
		{"API - Tokens | Kettle", "Tokens", "Home/API/Tokens", "API - Tokens"},
		{"API - Tokens | Kettle", "All about tokens", "Home/API/Tokens", "API - Tokens"},
		{"The API: Tokens | Kettle", "Tokens", "Home/API/Tokens", "The API: Tokens"},
		{"Tokens - API | Kettle", "Tokens", "Home/API/Tokens", "Tokens"},
		{"Tokens - API | Kettle", "All about tokens", "Home/API/Tokens", "Tokens"},
		{"Tokens - API | Kettle", "Tokens", "Home/API", "Tokens"},
	} {
		w := titled("Kettle", "Kettle", "", c.title, "Pots | Kettle", "Lids | Kettle")
		crumbs := "<ol class=breadcrumb><li>" + strings.ReplaceAll(c.crumbs, "/", "</li><li>") + "</li></ol>"
		at := "http://docs.test/" + word(0)
		w.pages[at] = html("<html lang=en><title>" + c.title + "</title>" + crumbs + "<main><h1>" + c.heading + "</h1><p>" + gadget + "</p></main>")
		if got, want := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})), "Kettle: "+c.want+", Pots, Lids"; got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}
