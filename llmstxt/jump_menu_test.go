package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Sites of some age have menus that are select elements, and nothing else.
func TestCrawl_SelectThatLeadsToPages_IsAMenu(t *testing.T) {
	options := "<option value='' selected>Choose…<option value='#'>Top<option value=intro.html>Introduction<option value='/guide/pots/'>Pots<option value='http://docs.test/cups.php?a=1&amp;b=2'>Cups" +
		"<option value='javascript:void(0)'>-<option value=12>Twelve<option value='/docs/1.0/'>1.0<option value='http://elsewhere.test/'>Elsewhere</select>"
	for _, menu := range []string{"<select onchange='window.location.href=this.value'>", `<select name="menu1" onChange="MM_jumpMenu('parent',this,0)">`, `<select onchange="if (this.value) document.location = this.options[this.selectedIndex].value">`,
		"<select ONCHANGE=\"window.open(this.value,'_self')\">", "<form><select id=x onchange='goTo(this)'>", "<nav><select onchange=location=this.value>"} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Start</title><h1>Start</h1><p>" + gadget + "</p>" + menu + options)}}
		for _, p := range []string{"/intro.html", "/guide/pots/", "/cups.php?a=1&b=2", "/docs/1.0/"} {
			w.pages["http://docs.test"+p] = doc("Page " + p)
		}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", "/intro.html", "/guide/pots/", "/cups.php?a=1&b=2"}) || len(s.Skipped) > 0 {
			t.Errorf("%s: %v, %v", menu, got, s.Skipped)
		}
	}
	// Of others a script elsewhere does so, or a server, and each option is an address.
	addresses := "<option value=''>Choose…<option value='#'>Top<option value=/intro.html selected>Introduction<option value='/guide/pots/'>Pots<option value='http://docs.test/cups.php?a=1&amp;b=2'>Cups<option value='javascript:void(0)'>-" +
		"<option value='/docs/1.0/'>1.0<option value='/?sort=name'>By name<option value='http://elsewhere.test/'>Elsewhere</select>"
	for menu, follows := range map[string]bool{
		"<select id=menu>": true, "<form action=/go.php method=get><select name=u>": true, "<select onchange='relocate(this)'>": true, `<select x-on:change="visit($event.target.value)">`: true, "<nav><form><select name=url>": true,
		"<form method=post action=/go.php></form><select name=u>": true,
		"<form method=post action=/jump.php><select name=jump>":   false, "<form METHOD=Post><p><select name=jump>": false, "<select onchange='this.form.submit()'>": false, "<datalist>": false, "<select></select>": false,
		"<select><option value=12>Twelve": false, "<select><option value='/a b'>A b": false, "<select><option value='/'>Root": false, "<select><option value='Europe/Berlin'>Berlin": false, "<select><option value=any.thing>Any": false,
	} {
		for _, cookies := range []map[string]string{nil, {"session": "mine"}} {
			w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Start</title><h1>Start</h1><p>" + gadget + "</p>" + menu + addresses)}}
			for _, p := range []string{"/intro.html", "/guide/pots/", "/cups.php?a=1&b=2", "/docs/1.0/"} {
				w.pages["http://docs.test"+p] = doc("Page " + p)
			}
			want := []string{"/"}
			if follows && cookies == nil {
				want = append(want, "/intro.html", "/guide/pots/", "/cups.php?a=1&b=2")
			}
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Cookies: cookies}); !slices.Equal(urls(s), want) {
				t.Errorf("%s, %v: %v, %v", menu, cookies, urls(s), s.Skipped)
			}
		}
	}
	// What one chooses in a form is not an address.
	for _, form := range []string{"<select name=to>", "<select onchange='this.form.submit()'>", "<select onchange='relocate(this)'>", "<select onchange='window.location=this.value'></select><select>",
		"<select onchange='window.location=this.value'></select><datalist>"} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Start</title><h1>Start</h1><p>" + gadget + "</p>" + form + options)}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 1 || len(s.Skipped) > 0 {
			t.Errorf("%s: %v, %v", form, urls(s), s.Skipped)
		}
	}
	// Neither is a list in another order a page beside it.
	orders := "<option value='/?orderby=price'>Price<option value='?order=name&amp;dir=asc'>Name<option value='/?c=7&sortBy=-date#list'>Date<option value='?product_list_order=price'>Price" +
		"<option value='/?per_page=50'>50<option value='/?filter[sort]=a'>A<option value='?currency=EUR'>EUR<option value='/?c=8'>Pots</select>"
	w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title><h1>Tea</h1><p>" + gadget + "</p><select onchange='location=this.value'>" + orders), "http://docs.test/?c=8": doc("Pots")}}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 || len(s.Skipped) > 0 {
		t.Errorf("orders: %v, %v", urls(s), s.Skipped)
	}
}

// A select element of languages or countries leads to the same pages in these, which must not
// take the place of others; unless the page is in none of them.
func TestCrawl_SelectOfLanguages_IsNotAMenu(t *testing.T) {
	for options, want := range map[string][]string{
		"<option value=/>English<option value=/de/>Deutsch<option value='/pt-br/'>Português":                                          {"/", "/a"},
		"<option value='?lang=en'>English<option value='?lang=de'>Deutsch<option value='?lang=fr'>Français":                           {"/", "/?lang=en", "/a"},
		"<option value=/us/en/>USA<option value=/de/de/>Deutschland<option value='http://docs.test/ca/fr/'>Canada":                    {"/", "/us/en/", "/a"},
		"<option value=/js/>JavaScript<option value=/guide.html>Guide<option value=/faq/>FAQ<option value=/api.html>API":              {"/", "/js/", "/guide.html", "/faq/", "/api.html", "/a"},
		"<option value=/fr/>Français<option value=/it/>Italiano</select><select onchange='location=this.value'><option value=/go/>Go": {"/", "/go/", "/a"},
		"<option value=/fr/>Français<option value=/it/>Italiano</select><a href=/it/>Italy</a>":                                       {"/", "/it/", "/a"},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<html lang=en><title>Start</title><h1>Start</h1><p>" + gadget + "</p><select onchange='location=this.value'>" + options + "</select><a href=/a>A</a>")}}
		for _, p := range strings.Fields("/a /de/ /pt-br/ /fr/ /it/ /?lang=en /?lang=de /?lang=fr /us/en/ /de/de/ /ca/fr/ /js/ /guide.html /faq/ /api.html /go/") {
			w.pages["http://docs.test"+p] = doc("Page " + p)
		}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); !slices.Equal(urls(s), want) || len(s.Skipped) > 0 {
			t.Errorf("%s: %v, %v", options, urls(s), s.Skipped)
		}
	}
}
