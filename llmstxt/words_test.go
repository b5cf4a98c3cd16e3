package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

const gadget = "The gadget turns water into tea, which many people like."

func TestExcerpt_DescriptionWithoutFullStop_IsTaken(t *testing.T) {
	const said = "Everything about gadgets, from the first cup to the last"
	meta := func(attrs string) string { return "<meta " + attrs + " content='" + said + "'>" }
	linked := func(v string) string {
		return `<script type="application/ld+json">` + strings.ReplaceAll(v, "SAID", said) + "</script>"
	}
	for name, head := range map[string]string{
		"meta":            meta("name=description"),
		"Open Graph":      meta("property=og:description"),
		"Open Graph name": meta("name=og:description"),
		"Twitter":         meta("name=twitter:description"),
		"Dublin Core":     meta("name=DC.description"),
		"terms":           meta("name=dcterms.abstract"),
		"microdata":       meta("itemprop=description"),
		"type":            linked(`{"@type":"TechArticle","description":"SAID"}`),
		"type list":       linked(`{"@type":["Thing","WebPage"],"description":"SAID"}`),
		"type address":    linked(`{"@type":"https://schema.org/HowTo","description":"SAID"}`),
		"graph":           linked(`{"@context":"https://schema.org","@graph":[{"@type":"Organization","description":"Nobody in particular"},{"@type":["SoftwareApplication"],"description":"SAID"}]}`),
		"list of objects": linked(`[{"@type":"BreadcrumbList"},{"@type":"FAQPage","description":"SAID"}]`),
		"main entity":     linked(`{"@type":"WebPage","mainEntity":{"@type":"APIReference","description":"SAID"}}`),
		"second script":   linked(`{"@type":`) + linked(`{"@type":["Article"],"description":"SAID"}`),
	} {
		t.Run(name, func(t *testing.T) {
			p := one(t, "<title>Gadget</title>"+head+"<h1>Gadget</h1><h2>Tea</h2><h2>Coffee</h2><h2>Milk</h2>", llmstxt.Options{})
			if p.Excerpt != said+"." || p.Note != said+"." {
				t.Errorf("%q, note %q", p.Excerpt, p.Note)
			}
		})
	}
}

func TestExcerpt_DescriptionOfAllPages_NextSourceIsTaken(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	page := func(name string, links ...string) answer {
		a := doc(name, links...)
		a.body = strings.Replace(a.body, "</head>", "<meta name=description content='The best site about tea there is.'><meta property=og:description content='What "+name+" does with hot water'></head>", 1)
		return a
	}
	w.pages["http://docs.test/"] = page("Home", "/a", "/b")
	w.pages["http://docs.test/a"], w.pages["http://docs.test/b"] = page("Alpha"), page("Beta")
	for i, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		if want := "What " + []string{"Home", "Alpha", "Beta"}[i] + " does with hot water."; p.Note != want {
			t.Errorf("%q, want %q", p.Note, want)
		}
	}
}

func TestExcerpt_OddPages_HaveTheirText(t *testing.T) {
	toc := func(href string) string {
		return "<ul>" + strings.Repeat("<li><a href='"+href+"'>procedure of a rather long name(x: int; y: string; z: float)</a></li>", 900) + "</ul>"
	}
	for name, tt := range map[string]struct{ page, want string }{
		"short paragraph before headings":  {"<title>Tea</title><h1>Tea</h1><p>Get it with npm.</p><h2>Users</h2><h2>Orders</h2>", "Get it with npm."},
		"paragraph without full stop":      {"<title>Tea</title><main><h1>Tea</h1><p>Client libraries for three languages</p><h2>Go</h2><h2>C</h2></main>", "Client libraries for three languages."},
		"in a script without spaces":       {"<title>茶</title><main><h1>茶</h1><p>お茶をいれる機械の使い方</p><h2>一</h2></main>", "お茶をいれる機械の使い方。"},
		"headings only":                    {"<title>Tea</title><h1>Tea</h1><h2>Users</h2><h2>Orders</h2>", "Users; Orders."},
		"heading in an article's header":   {"<title>Tea.Pot</title><section><header><h3>Class</h3><h1>Tea Pot</h1></header><p>A pot holds tea until it is drunk.</p><p>" + gadget + "</p><h1>Style</h1><p>It has one spout, at its side.</p></section>", "A pot holds tea until it is drunk.\n\n" + gadget + "\n\nIt has one spout, at its side."},
		"first paragraph is short":         {"<title>Other</title><p>A pot holds tea until somebody drinks it all.</p><h2>Parts</h2><p>" + gadget + "</p>", "A pot holds tea until somebody drinks it all.\n\n" + gadget},
		"contents of 64 KiB on the page":   {"<title>Tea</title><h1>Tea</h1>" + toc("#a") + "<div id=content><p>" + gadget + "</p></div>", gadget},
		"contents of 64 KiB in main":       {"<title>Tea</title><main><h1>Tea</h1><div class=x>" + toc("/x") + "</div><p><p>" + gadget + "</p></main>", gadget},
		"contents of 64 KiB, text in no p": {"<title>Tea</title><h1>Tea</h1>" + toc("#a") + "<div>" + gadget + "</div>", gadget},
		"one pre":                          {"<title>tea(1)</title><pre>\nTEA(1)                                              TEA(1)\n\n<b>NAME</b>\n       tea - turn water into tea\n\nDESCRIPTION\n       The  gadget  turns  water\n       into tea, which many people like.\n</pre>", gadget},
		"one pre with prose at the margin": {"<title>RFC</title><pre>Abstract\n\n   The gadget turns water into tea,\n   which many people like.\n\nStatus\n\n   None.</pre>", gadget},
		"code beside prose":                {"<title>Tea</title><h1>Tea</h1><p>" + gadget + "</p><pre>tea --hot is a command that nobody reads as a sentence of text.</pre>", gadget},
		"shadow root":                      {"<title>Tea</title><main><h1>Tea</h1><my-doc><template shadowrootmode=open><style>p{}</style><p>" + gadget + "</p></template></my-doc></main>", gadget},
		"shadow root in a shadow root":     {"<title>Tea</title><my-app><template shadowrootmode=closed><nav><p>The way to other pages, which is long enough.</p></nav><my-doc><template shadowrootmode=open><h1>Tea</h1><p>" + gadget + "</p></template></my-doc></template></my-app>", gadget},
		"template without a root":          {"<title>Tea</title><h1>Tea</h1><template><p>This is a template that nobody ever gets to see.</p></template><p>" + gadget + "</p>", gadget},
		"anchor with an id":                {"<title>Tea</title><h1>Tea</h1><div><a id=x /><p>" + gadget + "</p></div>", gadget},
		"anchor with a name, never closed": {"<title>Tea</title><h1>Tea</h1><a name=intro><p>" + gadget + "</p>", gadget},
		"soft hyphens and zero width":      {"<title>Tea</title><h1>Tea</h1><p>The gad&shy;get tu\u200brns water in&#8203;to tea, which many peo\u00adple like.</p>", gadget},
		"Ethiopic full stop":               {"<title>Tea</title><h1>Tea</h1><p>ይህ ፕሮግራም ፋይሎችን በሁለት ቦታ ያስቀምጣል። ሲለያዩ ይነግርዎታል።</p>", "ይህ ፕሮግራም ፋይሎችን በሁለት ቦታ ያስቀምጣል። ሲለያዩ ይነግርዎታል።"},
		"cards":                            {"<title>Tea</title><main><h1>Tea</h1><a href=/a><h3>Green</h3><span>Learn green</span></a><a href=/b><h3>Black</h3><span>Learn black</span></a><a href=/c><div>White</div><div>Learn white</div></a></main>", "Green; Black; White Learn white."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := one(t, tt.page, llmstxt.Options{}).Excerpt; got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestExcerpt_StreamedBlocks_StandWhereTheyBelong(t *testing.T) {
	const a, b, c = "The first part says what the gadget is and where it comes from.", "The second part says how it is switched on by its owner.", "The third part says what may be done when it breaks."
	hole := func(id string) string {
		return `<!--$?--><template id="` + id + `"></template><div class=skeleton><p>Loading the text that is still to come, please wait.</p></div><!--/$-->`
	}
	block := func(id, body string) string { return `<div hidden id="` + id + `">` + body + `</div>` }
	run := func(place, content string) string {
		return `<script>$RC=function(b,c,e){};$RC("` + place + `","` + content + `")</script>`
	}
	want := a + "\n\n" + b + "\n\n" + c
	for name, page := range map[string]string{
		"main outside":     `<nav><a href=/x>X</a></nav><main><h1>Tea</h1><p>` + a + `</p>` + hole("B:0") + `<p>` + c + `</p></main><footer>Made.</footer>` + block("S:0", "<p>"+b+"</p>") + run("B:0", "S:0"),
		"main inside":      `<nav></nav>` + hole("B:0") + block("S:0", "<main><h1>Tea</h1><p>"+a+"</p><p>"+b+"</p><p>"+c+"</p></main>") + run("B:0", "S:0"),
		"out of order":     `<main><h1>Tea</h1>` + hole("B:0") + hole("B:1") + hole("B:2") + `</main>` + block("S:2", "<p>"+c+"</p>") + block("S:0", "<p>"+a+"</p>") + run("B:2", "S:2") + run("B:0", "S:0") + block("S:1", "<div><p>"+b+"</p></div>") + run("B:1", "S:1"),
		"one in another":   `<main><h1>Tea</h1><p>` + a + `</p>` + hole("B:0") + `</main>` + block("S:0", hole("B:1")+"<p>"+c+"</p>") + run("B:0", "S:0") + block("S:1", "<p>"+b+"</p>") + run("B:1", "S:1"),
		"a late part":      `<main><h1>Tea</h1>` + hole("B:0") + `</main>` + block("S:0", "<p>"+a+`</p><template id="P:1"></template><p>`+c+"</p>") + block("S:1", "<p>"+b+"</p>") + `<script>$RS=function(a,b){};$RS("S:1","P:1")</script>` + run("B:0", "S:0"),
		"hexadecimal":      `<main><h1>Tea</h1><p>` + a + `</p>` + hole("B:1f") + `<p>` + c + `</p></main>` + block("S:1f", "<p>"+b+"</p>") + run("B:1f", "S:1f"),
		"without a script": `<main></main>` + block("S:0", "<h1>Tea</h1><p>"+a+"</p><p>"+b+"</p><p>"+c+"</p>"),
	} {
		t.Run(name, func(t *testing.T) {
			if got := one(t, "<!doctype html><title>Tea</title><body>"+page, llmstxt.Options{}).Excerpt; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
	// What is hidden for another reason stays so.
	if got := one(t, "<title>Tea</title><h1>Tea</h1><p>"+a+"</p><div hidden id=s0><p>"+b+"</p></div>", llmstxt.Options{}).Excerpt; got != a {
		t.Errorf("%q", got)
	}
}

func TestSite_Frames_GiveWordsAndLinks(t *testing.T) {
	for name, none := range map[string]string{
		"words": "<noframes>Your browser has no frames. <a href=overview.html>Without</a>.</noframes>", "nothing": "", "a body": "<noframes><body><p>This page uses frames, but your browser has none.</p></body></noframes>",
		"Japanese": "<noframes><body>このページはフレーム対応のブラウザでご覧ください。</body></noframes>", "Chinese": "<noframes><p>您的浏览器不支持框架，请升级您的浏览器后再次访问本站。</p></noframes>",
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":              html("<html><head><title>Tea API</title></head><frameset cols='20%,80%'><frame src=list.html><frame src=overview.html name=main>" + none + "</frameset></html>"),
			"http://docs.test/list.html":     html("<title>All</title><ul><li><a href=a.html>A</a><li><a href=b.html>B</a></ul>"),
			"http://docs.test/overview.html": html("<title>Overview</title><h1>Tea</h1><p>" + gadget + "</p>"),
			"http://docs.test/a.html":        doc("Alpha"), "http://docs.test/b.html": doc("Beta"),
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if s.Title != "Tea API" || s.Summary != gadget || len(s.Pages) != 5 {
			t.Errorf("%s: %q, %q, %v", name, s.Title, s.Summary, urls(s))
		}
	}
}

// named crawls a site whose titles are given, the base page's first.
func named(t *testing.T, head string, titles ...string) string {
	t.Helper()
	w := &web{pages: map[string]answer{}}
	var links []string
	for i, title := range titles {
		l := "/" + string(rune('a'+i))
		if i == 0 {
			l = "/"
		} else {
			links = append(links, l)
		}
		w.pages["http://docs.test"+l] = html(fmt.Sprintf("<title>%s</title><p>Some text of page %d, long enough to be one.", title, i))
	}
	w.pages["http://docs.test/"] = html("<title>" + titles[0] + "</title>" + head + "<p>Some text of the first page, long enough.<a href=" + strings.Join(links, ">x</a><a href=") + ">x</a>")
	return crawl(t, w, "http://docs.test/", llmstxt.Options{}).Title
}

func TestSite_Title_NamesTheSite(t *testing.T) {
	for _, home := range []string{"Accueil", "Startseite", "ホーム", "Inicio", "Home", "Strona główna", "Главная страница", "首页", "홈", "처음으로", "첫 화면", "网站首页", "網站首頁", "表紙", "Ana Sayfa", "الصفحة الرئيسية",
		"דף הבית", "मुखपृष्ठ", "หน้าแรก", "Trang chủ", "Αρχική σελίδα", "Kezdőlap", "Etusivu", "Hjem", "Domů", "Top", "Redirecting...", "Welcome!", "Table of Contents", "Getting Started"} {
		for _, titles := range [][]string{
			{home + " - Exemple", "Alpha - Exemple", "Beta - Exemple", "Gamma - Exemple"},
			{"Exemple | " + home, "Alpha", "Beta", "Gamma"},
			{home + " (Exemple)", "Alpha (Exemple)", "Beta (Exemple)", "Gamma (Exemple)"},
		} {
			if got := named(t, "", titles...); got != "Exemple" {
				t.Errorf("%q: %q", titles, got)
			}
		}
		if got := named(t, "<meta property=og:site_name content=Exemple>", home, "Alpha", "Beta"); got != "Exemple" {
			t.Errorf("%s: %q by the site's name", home, got)
		}
		if got := named(t, "<h1>Exemple</h1>", home, "Alpha", "Beta"); got != "Exemple" {
			t.Errorf("%s: %q by its heading", home, got)
		}
	}
	for want, titles := range map[string][]string{
		"Foo 1.2 Manual":     {"Top (Foo 1.2 Manual)", "Numbers (Foo 1.2 Manual)", "Strings (Foo 1.2 Manual)", "Lists (Foo 1.2 Manual)"},
		"Eigen":              {"Eigen: Main Page", "Eigen: Eigen::Box&lt; T, N &gt; Class Template Reference", "Eigen: Eigen::Disc&lt; T &gt; Class Template Reference", "Eigen: Eigen::Edge&lt; T &gt; Struct Template Reference"},
		"Tea Docs (2.x)":     {"Welcome to Tea — Tea Docs (2.x)", "A — Tea Docs (2.x)", "B — Tea Docs (2.x)", "C — Tea Docs (2.x)"},
		"Acme":               {"Hello from Acme | Acme", "A | Acme", "B | Acme", "C | Acme"},
		"tea":                {"tea - Rust", "Pot in tea - Rust", "tea::cups - Rust", "Lid in tea::pots - Rust"},
		"Teapot":             {"Welcome to the Teapot!", "A", "B", "C"},
		"Teekanne":           {"Willkommen bei Teekanne", "A", "B", "C"},
		"Foo docs":           {"Quick tour | Foo docs", "A | Foo docs", "B | Foo docs", "C | Foo docs"},
		"Django manual":      {"Django manual | Django 3.2 documentation", "A | Django 3.2 documentation", "B | Django 3.2 documentation", "C | Django 3.2 documentation"},
		"Example Docs":       {"Example Docs", "A | Acme", "B | Acme", "C | Acme"},
		"Apache HTTP Server": {"Apache HTTP Server", "A - Docs", "B - Docs", "C - Docs"},
	} {
		if got := named(t, "", titles...); got != want {
			t.Errorf("%q: %q, want %q", titles, got, want)
		}
	}
}

func TestTitles_Doxygen_KeepTheirBrackets(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Eigen: Main Page", "/a", "/b", "/c")}}
	for i, l := range []string{"a", "b", "c"} {
		w.pages["http://docs.test/"+l] = doc(fmt.Sprintf("Eigen: Eigen::%s&lt; T, N &gt; Class Template Reference", []string{"Box", "Disc", "Edge"}[i]))
	}
	for i, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:] {
		if want := "Eigen::" + []string{"Box", "Disc", "Edge"}[i] + "< T, N > Class Template Reference"; p.Title != want {
			t.Errorf("%q, want %q", p.Title, want)
		}
	}
}

func TestSite_Title_CoverWithATemplatesTitle_IsNamedByItsContents(t *testing.T) {
	for title, want := range map[string]string{"figures": "Gadget", "Gadget handbook": "Gadget handbook"} {
		w := &web{pages: map[string]answer{}}
		list := ""
		for i := range 12 {
			l := "/node-" + word(i) + ".html"
			list += "<li><a href=" + l + ">" + word(i) + "</a></li>"
			w.pages["http://docs.test"+l] = html("<title>" + word(i) + "</title><p>The Gadget does " + word(i) + " with water when it is asked to.</p>")
		}
		for i, part := range []string{"Copyright", "Legal"} {
			list += fmt.Sprintf("</ul><b>%s</b><ul><li><a href=/x-%s>x</a><li><a href=/y-%s>y</a>", part, word(i), word(i))
			w.pages["http://docs.test/x-"+word(i)], w.pages["http://docs.test/y-"+word(i)] = doc(part+" one"), doc(part+" two")
		}
		w.pages["http://docs.test/"] = html("<title>" + title + "</title><p>1#1</p><b>Gadget</b><ul>" + list + "</ul>")
		if got := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Title; got != want {
			t.Errorf("%s: %q, want %q", title, got, want)
		}
	}
}

func TestExcerpt_LinksToOtherPages_AreNotTaken(t *testing.T) {
	for _, steps := range []string{
		`Next: <a href=b.html accesskey=n rel=next>Functions of the Second Kind</a>, Previous: <a href=a.html rel=prev>Functions of the First Kind</a>, Up: <a href=/ rel=up>Functions</a> &nbsp; [<a href=toc.html rel=contents>Contents</a>]`,
		`Zurück: <a rel=prev href=a.html>Die Funktionen der ersten Art und ihre Werte</a>. Weiter: <a rel=next href=b.html>Die Funktionen der dritten Art.</a>`,
	} {
		p := one(t, "<title>Tea</title><h1>Tea</h1><div class=head><p>"+steps+"</p></div><h2>Green</h2><h2>Black</h2>", llmstxt.Options{})
		if p.Excerpt != "Green; Black." {
			t.Errorf("%q", p.Excerpt)
		}
	}
}

func TestExcerpt_BannerWithALink_IsLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	const banner = "<div>Please help us to know our users better by answering this short survey: <a href=https://forms.test/x>https://forms.test/x</a></div>"
	var links []string
	for i := range 9 {
		l := "/" + word(i)
		links = append(links, l)
		a := doc("Topic " + word(i))
		if i == 4 {
			a = html("<title>Topic four</title><div><ul><li><a href=/aaa>One</a><li><a href=/aab>Two</a></ul></div>")
		}
		a.body = strings.Replace(a.body, "</title>", "</title>"+banner, 1)
		w.pages["http://docs.test"+l] = a
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		if strings.Contains(p.Excerpt, "survey") {
			t.Errorf("%s: %q", p.URL, p.Excerpt)
		}
	}
}

// A base page with the name of a file for its title leads first to the page that all others
// belong to, and they speak of that.
func TestSite_Title_NameOfAFile_FirstPageNamesIt(t *testing.T) {
	for first, want := range map[string]string{"Gadget": "Gadget", "Copying": "figures", "Table of Contents": "figures"} {
		w := &web{pages: map[string]answer{}}
		list := "<li><a href=/first>" + first + "</a>"
		for i := range 8 {
			list += "<li><a href=/" + word(i) + ">" + word(i) + "</a>"
			w.pages["http://docs.test/"+word(i)] = html("<title>Part " + word(i) + "</title><h1>Part " + word(i) + "</h1><p>" + gadget + " It has " + word(i) + " in it.</p>")
		}
		w.pages["http://docs.test/first"] = html("<title>" + first + "</title><h1>" + first + "</h1><p>This is about all of it, for those who are new here.</p>")
		w.pages["http://docs.test/"] = html("<title>figures</title><ul>" + list + "</ul>")
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Title != want {
			t.Errorf("%s: %q, want %q", first, s.Title, want)
		}
	}
}

// Who wrote a page, and what its generator says of a list, is not what the page is about.
func TestExcerpt_AuthorsAndDepths_AreNoWords(t *testing.T) {
	const item = "It draws the menu of the window that is in front."
	for _, label := range []string{"Author: Ada Doe <ada@example.org>, Eve Roe and others who came later.", "Authors: Ada Doe (with many a change by Eve Roe).", "[detail level 123]",
		"License: see the file that comes with the sources of all this.", "Copyright: 2019 by those who have written the sources."} {
		for _, form := range []string{"<ul><li>%s</li></ul><table><tr><td>menu</td><td>%s</td></tr></table>", "<p>%s</p><ul><li>%s</ul>", "<div>%s</div><table><tr><td>%s</table>"} {
			p := one(t, "<title>Menu</title><main><h1>Menu</h1>"+fmt.Sprintf(form, strings.ReplaceAll(label, "<", "&lt;"), item)+"</main>", llmstxt.Options{})
			if p.Excerpt != item {
				t.Errorf("%s, %s: %q", label, form, p.Excerpt)
			}
		}
	}
}

func TestNote_DepthOfAListAlone_IsNotTaken(t *testing.T) {
	for _, label := range []string{"[detail level 123]", "[detail level 12]"} {
		p := one(t, "<title>Menus</title><main><h1>Menus</h1><div>"+label+"</div><table><tr><td><a href=/window>Window</a><td></tr><tr><td><a href=/front>Front</a><td></tr></table></main>", llmstxt.Options{})
		if p.Note != "Window; Front." {
			t.Errorf("%s: %q", label, p.Note)
		}
	}
	// Nor is the address that a link shows for want of words.
	for _, link := range []string{"<p><a href=https://form.test/a7Q>https://form.test/a7Q</a></p>", "<h2><a href=/b>http://docs.test/b</a></h2>"} {
		p := one(t, "<title>Menus</title><main><h1>Menus</h1>"+link+"<table><tr><td><a href=/window>Window</a><td></tr><tr><td><a href=/front>Front</a><td></tr></table></main>", llmstxt.Options{})
		if p.Note != "Window; Front." {
			t.Errorf("%s: %q", link, p.Note)
		}
	}
}

// Thai has no full stop.
func TestExcerpt_Thai_GetsNoFullStop(t *testing.T) {
	const text = "กาต้มน้ำเป็นอุปกรณ์สำหรับต้มน้ำให้ร้อน มีด้ามจับทำจากไม้"
	if p := one(t, "<html lang=th><title>กา</title><main><h1>กา</h1><p>"+text+"</p></main>", llmstxt.Options{}); p.Excerpt != text || p.Note != text {
		t.Errorf("%q, %q", p.Excerpt, p.Note)
	}
}

// What most pages lead to says nothing of one of them, and neither do the marks of generators
// and the names of an index's columns.
func TestNote_LinksOfAllPages_AreNotTaken(t *testing.T) {
	menu := "<table><tr><td><font>Chapters:<br><a href=/aaa>1: Kettles</a><br><a href=/aab>2: Pots</a><br><a href=/aac>3: Lids</a></font><td>"
	w := &web{pages: map[string]answer{}}
	list := ""
	for i := range 8 {
		list += "<li><a href=/" + word(i) + ">" + word(i) + "</a>"
		body := "<p>" + gadget + " It has " + word(i) + " in it.</p>"
		switch i {
		case 0:
			body = "<ul><li><a href=/x#a>Old kettles</a>:<li><a href=/y#b>New kettles</a>:</ul>"
		case 1:
			body = "<pre>pot = 1</pre>"
		case 2:
			body = "<table><tr><th>Jump to: <td><a href=#L>L</a><tr><td><th>Index Entry<th>Section<tr><td><td><a href=/l#l>lids of iron</a><td><a href=/l>Lids</a></table>"
		}
		w.pages["http://docs.test/"+word(i)] = html("<title>Part " + word(i) + "</title>" + menu + "<h1>Part " + word(i) + "</h1>" + body + "</table><div><i>generated by <a href=http://ldoc.test/>LDoc 1.4.6</a></i></div>")
	}
	w.pages["http://docs.test/"] = html("<title>Tea</title><h1>Tea</h1><p>Tea is a drink that many people like, day by day.</p><ul>" + list + "</ul>")
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	for i, want := range []string{"Old kettles; New kettles.", "Part aab.", "Section; lids of iron; Lids."} {
		if p := s.Pages[i+1]; p.Note != want {
			t.Errorf("%s: %q, want %q", p.URL, p.Note, want)
		}
	}
}

// A quotation in a page that is laid out with a table is no description either.
func TestSite_Summary_QuotationInACell_IsNotTaken(t *testing.T) {
	for _, form := range []string{"<table><tr><td><p>%s</p><p>%s</p></table>", "<p>%s</p><p>%s</p>", "<table><tr><td>%s</td></tr><tr><td>%s</td></tr></table>"} {
		p := one(t, "<title>Tea</title><main><h1>Tea</h1>"+fmt.Sprintf(form, `"Making tea with it is like the embrace of somebody from far away whom one has never seen before." <a href=http://a.test/>Ada Doe</a>`, gadget)+"</main>", llmstxt.Options{})
		if p.Excerpt != gadget {
			t.Errorf("%s: %q", form, p.Excerpt)
		}
	}
}

// A page whose title is the generator's own has that of its heading or its address.
func TestTitles_OfTheGenerator_AddressNamesThePage(t *testing.T) {
	w := titled("Tea", "Tea", "", "Pot", "Lid", "Cup")
	w.pages["http://docs.test/"] = html("<title>Tea</title><h1>Tea</h1><p>" + gadget + "</p><a href=/aaa>a</a> <a href=/aab>b</a> <a href=/aac>c</a> <a href=/_index.html>Index</a>")
	w.pages["http://docs.test/_index.html"] = html("<title>Documentation by YARD 0.9.24</title><h1>Documentation by YARD 0.9.24</h1><ul><li><a href=/aaa>Pot</a><li><a href=/aab>Lid</a></ul>")
	if got, want := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})), "Tea: Pot, Lid, Cup, Index"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
