package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Pages at which a wiki, a forum or a shop has work done are not asked for.
func TestCrawl_ToolsOfASite_AreNotAskedFor(t *testing.T) {
	for _, tool := range []string{
		"/index.php?title=Tea&action=edit", "/index.php?title=Tea&action=history", "/w/index.php?title=Tea&oldid=12", "/wiki/Special:WhatLinksHere/Tea",
		"/wiki/Spezial:Letzte_%C3%84nderungen", "/wiki/%E7%89%B9%E5%88%A5:%E6%9C%80%E8%BF%91", "/wiki/Talk:Tea", "/wiki/User_talk:Ann", "/wiki/Benutzer_Diskussion:Ann",
		"/index.php?title=Special:UserLogin&returnto=Tea", "/wiki/%D0%9E%D0%B1%D1%81%D1%83%D0%B6%D0%B4%D0%B5%D0%BD%D0%B8%D0%B5:Tea",
		"/doku.php?id=tea&do=edit", "/doku.php?id=tea&do=revisions", "/posting.php?mode=reply&t=4", "/ucp.php?mode=login", "/tea/?replytocom=12", "/tea/?add-to-cart=7", "/wp-login.php", "/cdn-cgi/l/email-protection", "/index.php?action=profile;u=1",
		"/docs/tea/sendto_form", "/viewtopic.php?t=4&view=next", "/viewtopic.php?f=2&t=4&view=unread", "/index.php/component/users/reset?Itemid=101", "/component/users/remind.html", "/index.php?option=com_users&view=login", "/component/mailto/?tmpl=component&link=a1", "/de/component/users/login", "/shop/index.php/component/users/profile", "/shop/index.php/de/component/users/remind", "/index.php?option=com_mailto&link=b",
		"/org/kiln/commit/0123abcdef", "/org/kiln/-/commit/5f2b8c1e9d3a4b6c7d8e9f00112233445566778899", "/org/kiln/commits/branch/main", "/org/kiln/raw/branch/main/README.md", "/org/kiln/blame/tag/v1/a.go", "/org/kiln/_edit/branch/main/a.md", "/org/kiln/-/blame/main/a.go", "/org/kiln/-/compare/a...b", "/org/kiln/wiki/Tea?action=_edit",
		"/?p=kiln.git;a=commitdiff;h=abc1", "/gitweb/?p=kiln.git&a=shortlog", "/kiln.git/commit/?id=5f2b8c1e9d3a4b6c7d8e9f001122334455667788", "/kiln.git/diff/a.c?h=main&id=5f2b8c1e9d3a4b6c7d8e9f001122334455667788", "/twiki/bin/edit/Main/WebHome", "/xwiki/bin/login/XWiki/XWikiLogin?xredirect=x",
		"/doku.php?do=export_xhtml&id=tea", "/doku.php?idx=wiki", "/lib/exe/detail.php?id=tea&media=a.png", "/book/export/html/12", "/comment/reply/node/2/comment_node_book", "/de/comment/reply/12/4", "/wiki/bin/attach/Main/", "/xwiki/bin/edit/%E4%B8%BB%E9%A1%B5/WebHome", "/viewonline.php", "/memberlist.php?mode=team", "/Tea?action=RenderAsDocbook",
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":         doc("Tea wiki", tool, "/wiki/Tea", "/wiki/Help:Contents", "/doku.php?id=tea"),
			"http://docs.test/wiki/Tea": doc("Tea"), "http://docs.test/wiki/Help:Contents": doc("Help on tea"), "http://docs.test/doku.php?id=tea": doc("A tea"),
			"http://docs.test" + tool: doc("A tool for tea"),
		}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 4 || w.asked("http://docs.test"+tool) != 0 || s.Stats.Skipped[llmstxt.SkipTool] != 1 {
			t.Errorf("%s: %d pages, want 4; skipped %v", tool, len(s.Pages), s.Stats.Skipped)
		}
	}
}

// Pages that are named like what a forge or a wiki does are read.
func TestCrawl_PagesNamedLikeWorkOfSoftware_AreKept(t *testing.T) {
	for _, page := range []string{"/component/users/", "/component/users/avatar", "/docs/component/users/profile", "/design/component/mailto/", "/api/v2/component/users/login.html", "/docs/users/reset", "/component/mailto", "/docs/sendto_forms", "/viewtopic.php?t=4&view=top", "/list?view=next", "/index.php?option=com_content&id=4", "/git/commit/amend", "/docs/commit/defaced", "/docs/commit/1234", "/reference/commit/", "/docs/raw/branch", "/guides/compare/branch", "/org/kiln/src/branch/main/README.md", "/org/kiln/-/blob/main/a.md", "/org/kiln/-/wikis/home", "/org/kiln/-/releases",
		"/man/bin/edit", "/bin/view/Main/WebHome", "/docs/bin/login", "/?p=kiln&a=log", "/?p=kiln.git;a=tree", "/api?a=search&p=tea", "/news?id=5f2b8c1e9d3a4b6c7d8e9f001122334455667788", "/diff/?id=12", "/patch/?id=5f2b8c1e9d3a4b6c7d8e", "/lib/exec/a", "/book/export/", "/comment/reply", "/list.php?idx=5", "/tea?do=exports", "/docs/edit/branch/names",
		"/docs/raw/branch/", "/media/tag/tea", "/docs/media/tag/", "/news/compare/branch/", "/docs/bin/login/", "/docs/bin/login/options/", "/api/comment/reply/", "/docs/comment/reply/create", "/manual/book/export/html/", "/manual/book/export/html/chapters", "/crate/lib/exe/", "/crate/lib/exe/build.html", "/about/-/jobs/baker"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Kiln", page), "http://docs.test" + page: doc("A page about it")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", page, reasons(s))
		}
	}
}

// A cart or a list of tags that has no sentence is left out and its links are followed;
// one that says something is a page.
func TestCrawl_ToolWithoutWords_IsLeftOut(t *testing.T) {
	const empty = "<title>Nothing here | Kiln</title><main><h1>Nothing here</h1><p>Your list is empty.</p><a href=/mugs>Mugs</a></main>"
	for _, tool := range []string{"/cart", "/checkout/", "/search?q=", "/tags", "/blog/tags/news", "/my-account", "/warenkorb"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Kiln", tool, "/bowls"), "http://docs.test/bowls": doc("Bowls"), "http://docs.test/mugs": doc("Mugs"),
			"http://docs.test" + tool: html(empty)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 3 || reasons(s)[tool] != llmstxt.SkipTool {
			t.Errorf("%s: %d pages, want 3; %v", tool, len(s.Pages), reasons(s))
		}
		w.pages["http://docs.test"+tool] = doc("How this part of the shop works", "/mugs")
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 {
			t.Errorf("%s with words: %d pages, want 4; %v", tool, len(s.Pages), reasons(s))
		}
	}
}

// The further pages of a list are no pages of the file where they have teasers alone.
func TestCrawl_FurtherPagesOfAList_AreLeftOutAndFollowed(t *testing.T) {
	teaser := func(p string) string {
		return "<h2><a href=/" + p + ">On " + p + "</a></h2><p>This page explains " + p + " in one honest sentence that nobody else has ever used and that goes on [&hellip;]</p>"
	}
	for _, second := range []string{"/page/2/", "/?paged=2", "/news/page/2", "/news?page=2", "/board.php?f=2&start=25", "/list?tea=green&page=2", "/tea?p=2", "/?m=202403", "/?m=20240301", "/?author=1", "/?tag=green", "/news?after=b64f9", "/news?cursor=a1%3D",
		"/city?sort=name&p=3", "/list?pageNo=2", "/list?tx_news%5Bpage%5D=2", "/folder?b_start:int=20", "/shop?PAGEN_1=2", "/list?limit=4&skip=8", "/api?page[number]=2", "/liste?seite=2", "/blog?limitstart=10"} {
		w := &web{pages: map[string]answer{"http://docs.test/first": doc("The first"), "http://docs.test/next": doc("The next"), "http://docs.test/last": doc("The last")}}
		w.pages["http://docs.test/"] = html("<title>Daily - News of the quiet town by the sea</title><main>" + teaser("first") + teaser("next") + "<a href=" + second + ">Older</a></main>")
		w.pages["http://docs.test"+second] = html("<title>Daily - Page 2</title><main>" + teaser("last") + "</main>")
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 4 || reasons(s)[second] != llmstxt.SkipTool {
			t.Errorf("%s: %d pages, want 4; %v", second, len(s.Pages), reasons(s))
		}
		if s.Summary != "News of the quiet town by the sea." {
			t.Errorf("%s: %q", second, s.Summary)
		}
	}
}

// A short post is a page, whose number is not that of a page of a list.
func TestCrawl_PostWithNumber_IsAPage(t *testing.T) {
	for _, post := range []string{"/?p=20", "/viewtopic.php?p=30", "/index.php?p=7", "/?page_id=2", "/?author=", "/?m=7", "/list?page=about", "/release?tag=v1.0", "/glossary.php?m=202501", "/works?author=ada", "/diff?before=green&after=black"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Daily", post), "http://docs.test" + post: html("<title>Closed | Daily</title><main><h1>Closed</h1><p>We are closed on Monday for the fair.</p></main>")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", post, reasons(s))
		}
	}
}

// A list that is sorted otherwise, at an address with another query, is the same page; other
// rows are another one.
func TestCrawl_ListSortedOtherwise_IsTheSamePage(t *testing.T) {
	rows := func(names string) (out string) {
		for name := range strings.FieldsSeq(names) {
			out += "<tr><td><a href=/files/" + name + ">" + name + "</a><td>" + name + " has a size"
		}
		return out
	}
	list := func(names string) answer {
		return html("<title>Index of /files</title><h1>Index of /files</h1><table><tr><th><a href='?C=N;O=D'>Name</a><th><a href='?C=S;O=A'>Size</a>" + rows(names) + "</table><p><a href='/files/?more=1'>More</a>")
	}
	w := &web{pages: map[string]answer{"http://docs.test/files/": list("tea pots cups"), "http://docs.test/files/?C=N;O=D": list("tea pots cups"), "http://docs.test/files/?C=S;O=A": list("cups tea pots"), "http://docs.test/files/?more=1": list("cups tea tins"),
		"http://docs.test/files/tea": doc("Tea"), "http://docs.test/files/pots": doc("Pots"), "http://docs.test/files/cups": doc("Cups"), "http://docs.test/files/tins": doc("Tins")}}
	s := everyWay(t, w, "http://docs.test/files/", llmstxt.Options{})
	if got := strings.ReplaceAll(strings.Join(kept(s), " "), "/files/", "/"); got != "/ /?more=1 /cups /pots /tea /tins" {
		t.Errorf("%s; %v", got, reasons(s))
	}
}

func TestCrawl_LandingPage_HasTheDescriptionOfTheSite(t *testing.T) {
	const says = "A maker of sites that is quick to start and small to ship."
	page := func(title, body string) answer {
		return html("<title>" + title + "</title><meta name=description content='" + says + "'><main>" + body + "</main>")
	}
	w := &web{pages: map[string]answer{
		"http://docs.test/":  page("Drift", "<h1>Drift</h1><p>Starts at once and stays quick with many pages.</p><a href=/a>a</a><a href=/b>b</a><a href=/c>c</a>"),
		"http://docs.test/a": page("A | Drift", "<p>"+gadget+" First.</p>"), "http://docs.test/b": page("B | Drift", "<p>All that is said of the second page stands here.</p>"),
		"http://docs.test/c": page("C | Drift", "<p>What there is to know of the third one stands here.</p>"),
	}}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Summary != says || s.Pages[2].Note == says {
		t.Errorf("summary %q, note %q", s.Summary, s.Pages[2].Note)
	}
}

// A description without a full stop ends with that of its script.
func TestDescription_WithoutFullStop_GetsThatOfItsScript(t *testing.T) {
	for says, want := range map[string]string{
		"这是一个关于茶叶和茶壶的网站": "。", "यह पृष्ठ चाय और बर्तनों के बारे में सब कुछ बताता है": "।", "ဤစာမျက်နှာသည် လက်ဖက်ရည်အကြောင်း ဖော်ပြသည်": "။",
		"ይህ ገጽ ስለ ሻይ እና ስለ ጀበና ሁሉንም ይናገራል": "።", "Այս էջը պատմում է թեյի և թեյնիկների մասին": "։", "هذه الصفحة تشرح كل شيء عن الشاي والأباريق": ".",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title><meta name=description content='" + says + "'><main><h1>Tea</h1></main>")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Summary != says+want {
			t.Errorf("%q, want %q", s.Summary, says+want)
		}
	}
}

// What a calendar links to says only what was written on a day.
func TestCrawl_DaysOfACalendar_AreLeftOutAndFollowed(t *testing.T) {
	for _, day := range []string{"/2025/03/", "/2025/03/07/", "/news/2024/11", "/news/2024/1/9/"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Daily", day), "http://docs.test/2025/03/07/kettle": doc("A kettle")}}
		list := "<title>A day | Daily</title><main><h1>A day</h1><h2><a href=/2025/03/07/kettle>A kettle</a></h2><p>This page explains a kettle in one [&hellip;]</p></main>"
		w.pages["http://docs.test"+day] = html(list)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 2 || reasons(s)[day] != llmstxt.SkipTool {
			t.Errorf("%s: %d pages, want 2; %v", day, len(s.Pages), reasons(s))
		}
		// A letter that is written once a day is a page.
		w.pages["http://docs.test"+day] = html("<title>A day | Daily</title><main><h1>A day</h1><p>On this day the council of the town has agreed at last on how large a kettle may be.</p><a href=/2025/03/07/kettle>A kettle</a></main>")
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 3 {
			t.Errorf("%s with words: %d pages, want 3; %v", day, len(s.Pages), reasons(s))
		}
	}
	for _, page := range []string{"/2025/", "/2025/03/kettle", "/rfc/9110/3", "/2025/03/07/2"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Daily", page), "http://docs.test" + page: html("<title>Short | Daily</title><main><h1>Short</h1><p>Nothing much.</p></main>")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %d pages, want 2; %v", page, len(s.Pages), reasons(s))
		}
	}
}

// Pages about commands and calls have names of tools.
func TestCrawl_CommandsNamedLikeTools_ArePages(t *testing.T) {
	const login = "<title>login | Kiln</title><main><h1>kiln login</h1><p>Log in to a registry.</p>"
	bare := login + "</main>"
	code := login + "<pre>kiln login [SERVER]</pre></main>"
	headings := login + "<h2>Options</h2><p>None yet.</p><h2>Examples</h2><p>See above.</p></main>"
	cart := "<title>Cart | Kiln</title><main><h1>Cart</h1><p>Your cart is empty.</p><h2>Order summary</h2><p>Nothing to pay yet.</p><h2>You may like</h2></main>"
	linked := "<title>login | Kiln</title><main><h1>All posts</h1><h2><a href=/bowls>Bowls</a></h2><h2><a href=/bowls>More</a></h2><h3><a href=/bowls>Last</a></h3></main>"
	beside := []string{"/build", "/push", "/pull", "/run", "/stop", "/rm"}
	for _, c := range []struct {
		path, body string
		siblings   int // others in its folder
		page       bool
	}{
		{"/cli/login", code, 0, true}, {"/git/checkout", code, 1, true}, {"/docs/search", code, 0, true}, {"/api/users/create", code, 0, true}, {"/user/install", code, 0, true},
		{"/users/list", headings, 0, true}, {"/cli/tag", headings, 2, true}, {"/reference/commands/logout/", bare, 5, true}, {"/cli/login", bare, 4, false}, {"/login", bare, 0, false},
		{"/users/list", bare, 5, false}, {"/shop/cart", bare, 5, false}, {"/tags/pots", linked, 0, false}, {"/cli/login", linked, 5, false}, {"/docs/search", bare, 5, false},
		{"/checkout", bare, 6, false}, {"/login", bare, 6, false}, {"/register/", bare, 6, false}, {"/compare", bare, 6, false}, {"/login", headings, 6, false}, {"/login", code, 6, true},
		{"/en/signup", bare, 6, false}, {"/en-GB/signup", bare, 6, false}, {"/gh/login", bare, 6, true}, {"/cart", cart, 6, false}, {"/shop/cart", cart, 6, false}, {"/docs/search", cart, 6, false},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/bowls": doc("Bowls")}}
		links := []string{"/bowls"}
		folder := strings.TrimSuffix(c.path, "/")
		folder = folder[:strings.LastIndexByte(folder, '/')]
		for _, b := range beside[:c.siblings] {
			links = append(links, folder+b)
			w.pages["http://docs.test"+folder+b] = doc("kiln " + b)
		}
		w.pages["http://docs.test/"] = doc("Kiln", append(links, c.path)...)
		w.pages["http://docs.test"+c.path] = html(c.body)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if page := reasons(s)[c.path] == ""; page != c.page || len(s.Pages) != 2+c.siblings+map[bool]int{true: 1}[c.page] {
			t.Errorf("%s beside %d: %v, want %v (%v)", c.path, c.siblings, page, c.page, reasons(s))
		}
	}
}

// The folder at which a crawl starts is the root of its site.
func TestCrawl_LoginBesideTheBasePage_IsLeftOut(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	links := []string{"/shop/checkout"}
	for _, b := range []string{"bowls", "cups", "jars", "mugs", "pots", "trays"} {
		links = append(links, "/shop/"+b)
		w.pages["http://docs.test/shop/"+b] = doc("All " + b)
	}
	w.pages["http://docs.test/shop/"] = doc("Kiln", links...)
	w.pages["http://docs.test/shop/checkout"] = html("<title>Checkout</title><main><h1>Checkout</h1><p>Your cart is empty.</p></main>")
	s := everyWay(t, w, "http://docs.test/shop/", llmstxt.Options{})
	if len(s.Pages) != 7 || reasons(s)["/shop/checkout"] != llmstxt.SkipTool {
		t.Errorf("%d pages, want 7; %v", len(s.Pages), reasons(s))
	}
}

// An address that leads to another one beside it is no second page of their folder.
func TestCrawl_CommandsBehindRedirects_CountOnce(t *testing.T) {
	for n, want := range map[int]bool{3: false, 5: true} {
		w := &web{pages: map[string]answer{"http://docs.test/cli/login/": html("<title>login | Kiln</title><main><h1>kiln login</h1><p>Log in to a registry.</p></main>")}}
		var links []string
		for _, b := range []string{"build", "push", "pull", "run", "stop"}[:n] {
			links = append(links, "/cli/"+b)
			w.pages["http://docs.test/cli/"+b] = redirect("/cli/" + b + "/")
			w.pages["http://docs.test/cli/"+b+"/"] = doc("kiln " + b)
		}
		w.pages["http://docs.test/cli/login"] = redirect("/cli/login/")
		w.pages["http://docs.test/"] = doc("Kiln", append(links, "/cli/login")...)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if page := slices.Contains(urls(s), "/cli/login/"); page != want || len(s.Pages) < n+1 {
			t.Errorf("beside %d: %v, want %v; %v, %v", n, page, want, urls(s), reasons(s))
		}
	}
}
