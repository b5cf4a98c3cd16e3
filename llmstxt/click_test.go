package llmstxt_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What leads to a page when somebody clicks on it is a link.
func TestCrawl_ElementThatLeadsAtAClick_IsALink(t *testing.T) {
	for _, element := range []string{
		`<svg><a xlink:href="/tea"><text>Tea</text></a></svg>`, `<svg><a xlink:href="http://docs.test/tea"><rect/></a></svg>`,
		`<td onclick="location.href='/tea'">Tea</td>`, `<div onClick="window.location = '/tea';">Tea</div>`, `<TR ONCLICK='document.location.href="tea"'><TD>Tea`, `<button type=button onclick="location.assign('/tea')">Tea</button>`,
		`<input type=button value=Tea onclick="window.open('/tea', '_self'); return false;">`, `<li onclick="self.location='\/tea'">Tea`, `<div onclick = "location.href=&quot;/tea&quot;">Tea</div>`, `<x-card onclick="top.location.replace(&quot;/tea&quot;)">Tea</x-card>`, `<img src=tea.png onclick="window.open('tea','w','width=400,height=300')">`,
		`<a href="#" onclick="location='/tea';return false">Tea</a>`, `<a onclick="location.href='/tea'">Tea</a>`, `<a href="javascript:location.href='/tea'">Tea</a>`, `<a href="JavaScript:void(window.open('/tea'))">Tea</a>`, `<a href="javascript:void(0)" onclick="location.href='/tea'">Tea</a>`, `<area href="#" onclick="location.href='/tea'">`,
		`<a href=/tea data-method=get>Tea</a>`, `<a href=/tea data-turbo-method=GET data-method>Tea</a>`, `<a href=/tea data-method=list>Tea</a>`, `<a href=/tea data-methods=post data-Xmethod=post>Tea</a>`,
		`<a href=/tea data-method=post>Make tea</a><a href="#x" data-method="GET">Get tea</a>`, `<a href=/cups data-method=Get>Cups</a><a data-method=DELETE href="/tea">Spill tea</a>`,
		`<tr class=clickable-row data-href="/tea"><td>Tea</td></tr>`, `<div class=card data-href=tea>Tea</div>`,
		`<form action="/tea"><input type=submit value=Tea></form>`, `<form method=GET action=tea><p><button>Tea</button></p></form>`, `<form action="/tea"><input type=image src=tea.png></form>`,
		`<object type="text/html" data="/tea"></object>`, `<embed type="text/html; charset=utf-8" src="/tea">`,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p>" + element), "http://docs.test/tea": doc("Tea")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", element, urls(s))
		}
	}
}

// What does something else leads nowhere.
func TestCrawl_ElementThatDoesMoreAtAClick_IsNoLink(t *testing.T) {
	for _, element := range []string{
		`<button onclick="if (confirm('Sure?')) location.href='/tea'">Tea</button>`, `<div onclick="location.href='/tea' + id">Tea</div>`, `<div onclick="location.href='/'+'tea'">Tea</div>`, `<div onclick="remove(1); location.href='/tea'">Tea</div>`, `<div onclick="show('/tea')">Tea</div>`,
		`<a href="#tea" onclick="location.href='/tea'">Tea</a>`, `<a href="mailto:a@docs.test" onclick="location.href='/tea'">Tea</a>`, `<th onclick="location.href='/tea?sort=name'">Name</th>`, `<div onclick="location.reload()">Tea</div>`, `<div onclick="window.open(tea)">Tea</div>`,
		`<form method=post action="/tea"><button>Tea</button></form>`, `<form action="/tea"><input name=q><button>Tea</button></form>`, `<form action="/tea"><input type=hidden name=id value=5><button>Tea</button></form>`, `<form action="/tea"><button name=go>Tea</button></form>`, `<form action="/tea" onsubmit="return false"><button>Tea</button></form>`,
		`<form action="/tea"><select name=s><option>1</select><button>Tea</button></form>`, `<form><button>Tea</button></form>`, `<form action="/tea"></form>`, `<form action="/tea"><button type=button>Tea</button></form>`, `<form action="/tea"><button>Tea</button><button>No</button></form>`,
		`<span data-href="/tea" data-remote=true data-method=put>Yes</span>`, `<a href="/tea" data-method="post">Vote</a>`, `<a data-turbo-method=DELETE href="/tea">Remove</a>`, `<td data-href=/tea data-method=patch>`, `<a href=/tea data-confirm="Sure?" DATA-METHOD='delete'>x</a>`,
		`<object type="image/svg+xml" data="/tea"></object>`, `<style data-href="/tea"></style>`, `<div data-href="#tea">Tea</div>`, `<link data-href="/tea" rel=stylesheet>`,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p>" + element), "http://docs.test/tea": doc("Tea"), "http://docs.test/tea?sort=name": doc("Teas by name")}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 1 || w.asked("http://docs.test/tea") > 0 {
			t.Errorf("%s: %v", element, urls(s))
		}
	}
}

// A menu of an API has the method of each call beside its page, which may stand where another site
// has its scripts send that.
func TestCrawl_MethodsAsLabels_AreLinks(t *testing.T) {
	for at, want := range map[string]bool{
		"/reference/make-tea": true, "/api-reference/tea/make": true, "http://docs.test/docs/tea-make": true, "/v2/docs/delete-tea.html": true, "endpoints/tea": true,
		"/teas/make": false, "/docs/12": false, "/docs/4f0c2a9d8e7b6a5c/tea": false, "/docs/tea/delete": false, "/docs/make?id=1": false, "/docs": false, "/logout": false,
	} {
		for _, more := range []string{"", ` rel=nofollow`, ` data-confirm="Sure?"`} {
			w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p><nav><ul><li><a href=/a>A</a><li><a data-method=post href='" + at + "'" + more + ">Tea</a></ul></nav>"), "http://docs.test/a": doc("A")}}
			u, _ := url.Parse("http://docs.test/")
			u, _ = u.Parse(at)
			w.pages[u.String()] = doc("Tea")
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); (len(s.Pages) == 3) != (want && more == "") {
				t.Errorf("%s%s: %v", at, more, urls(s))
			}
		}
	}
}

// Where another link is labelled with GET, so are those of calls, but none that is of a record.
func TestCrawl_MethodsBesideGET_AreLabelsOfPages(t *testing.T) {
	for at, want := range map[string]bool{"/teas/make": true, "/calls/delete-tea": true, "/users/1/activate": false, "/posts/5": false, "/teas/make?id=1": false, "/teas/delete": false} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p><a data-method=get href=/a>A</a><a data-method=post href='" + at + "'>Tea</a>"), "http://docs.test/a": doc("A"), "http://docs.test" + at: doc("Tea")}}
		if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); (len(s.Pages) == 3) != want || (w.asked("http://docs.test"+at) > 0) != want {
			t.Errorf("%s: %v", at, urls(s))
		}
	}
}

// Who is logged in clicks on nothing that would end that or delete something.
func TestCrawl_WithCredentials_ClicksDeleteNothing(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p><button onclick=\"location.href='/posts/5/delete'\">x</button><form action=/logout><button>Log out</button></form><tr data-href=/tea>"), "http://docs.test/tea": doc("Tea")}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Cookies: map[string]string{"session": "mine"}})
	if len(s.Pages) != 2 || w.asked("http://docs.test/posts/5/delete")+w.asked("http://docs.test/logout") > 0 {
		t.Errorf("%v, %v", urls(s), w.hits)
	}
}

// A button may do anything for who is logged in: it restarts, approves or pays. A link to the
// same page leads there, and so does a row.
func TestCrawl_WithCredentials_ClicksNoButton(t *testing.T) {
	for element, leads := range map[string]bool{
		`<button onclick="location.href='/tea'">Brew</button>`: false, `<input type=button value=Brew onclick="location.href='/tea'">`: false, `<form action=/tea><button>Brew</button></form>`: false,
		`<span class="btn btn-primary" onclick="location.href='/tea'">Brew</span>`: false, `<div role=button data-href=/tea>Brew</div>`: false,
		`<button data-href=/tea>Brew</button><form action=/tea><button>Brew</button></form>`: false, `<form action=/tea><button>Brew</button></form><a href=/tea>Tea</a>`: true, `<a href=/tea>Tea</a><button data-href=/tea>Brew</button>`: true, `<td onclick="location.href='/tea'">Tea</td>`: true, `<a href="#" onclick="location.href='/tea'">Tea</a>`: true,
	} {
		for cookies, want := range map[string]bool{"": true, "session": leads} {
			w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Home</title><h1>Home</h1><p>" + gadget + "</p>" + element), "http://docs.test/tea": doc("Tea")}}
			o := llmstxt.Options{}
			if cookies != "" {
				o.Cookies = map[string]string{cookies: "mine"}
			}
			s := crawl(t, w, "http://docs.test/", o)
			if told := slices.ContainsFunc(s.Skipped, func(k llmstxt.Skip) bool { return strings.HasSuffix(k.URL, "/tea") && k.Reason == llmstxt.SkipTool }); told == want || len(s.Skipped) > 1 {
				t.Errorf("%s with %q: what is left out is not told: %v", element, cookies, s.Skipped)
			}
			if (w.asked("http://docs.test/tea") > 0) != want || (len(s.Pages) == 2) != want {
				t.Errorf("%s with %q: %v, want it followed: %v", element, cookies, urls(s), want)
			}
		}
	}
}
