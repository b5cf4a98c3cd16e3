package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// welcome is a site whose base page names it in no title and no heading, but in its head or
// its header.
func welcome(head, header string) *web {
	w := titled("Home", "Welcome", head, "Pots", "Lids", "Cups")
	a := w.pages["http://docs.test/"]
	a.body = strings.Replace(a.body, "<main>", "<body>"+header+"<main>", 1)
	a.body = strings.Replace(a.body, "</main>", "<h2>Latest news</h2><p>There is a new pot for those who like it large.</p></main>", 1)
	w.pages["http://docs.test/"] = a
	return w
}

func TestSite_Title_BasePageNamesNothing_SignOfTheSiteIsTaken(t *testing.T) {
	for _, header := range []string{
		"<header><a class=brand href='/'>Kettle Works</a><nav><a href='/a'>Pots</a></nav></header>",
		"<header><a href='/'><img src=/l.svg alt='Kettle Works logo'></a></header>",
		"<header><a href='/'><img src=/l.svg alt='Logo of Kettle Works'></a><nav><a href='/'>Home</a></nav></header>",
		"<nav><a href='http://docs.test'><img src=l.png alt='Kettle Works'> </a><a href='/'>Home</a></nav>",
		"<div class='navbar'><a class='navbar-brand' href='/'><span>Kettle</span> Works</a></div>",
		"<p class='site-title'><a class='site-title-link' href='/' rel=home>Kettle Works</a></p>",
		"<header><a href='/'>Kettle Works</a></header><footer><a href='/'>Somebody Else</a></footer>",
		"<header><a class=logo href='/'><img alt='a kettle'>Kettle Works</a></header>",
	} {
		if s := everyWay(t, welcome("", header), "http://docs.test/", llmstxt.Options{}); s.Title != "Kettle Works" {
			t.Errorf("%s: %q", header, s.Title)
		}
	}
	// What leads elsewhere, or says nothing, is no name.
	for _, header := range []string{"<header><a href='/pots'>All pots</a></header>", "<header><a href='/'><img alt=logo></a><a href='/'>Home</a></header>", "<footer><a href='/'>Somebody Else</a></footer>", ""} {
		if s := everyWay(t, welcome("", header), "http://docs.test/", llmstxt.Options{}); s.Title != "Home" {
			t.Errorf("%s: %q", header, s.Title)
		}
	}
}

func TestSite_Title_NamesInTheHead_AreTakenInOrder(t *testing.T) {
	const sign = "<header><a class=brand href='/'>Sign</a></header>"
	linked := func(v string) string { return `<script type="application/ld+json">` + v + "</script>" }
	heads := []string{ // the most trusted last
		linked(`{"@type":"WebPage","publisher":{"@type":"Organization","name":"Name 0"}}`),
		"", // the sign
		"<meta name=apple-mobile-web-app-title content='Name 2'>",
		"<meta name=application-name content='Name 3'>",
		linked(`{"@type":"WebSite","name":"Name 4"}`),
		"<meta property=og:site_name content='Name &amp;amp; 5'>",
	}
	for i := range heads {
		header := ""
		want := fmt.Sprintf("Name %d", i)
		if i > 0 {
			header = sign
		}
		if i == 1 {
			want = "Sign"
		}
		if i == 5 {
			want = "Name & 5"
		}
		head := ""
		for k := i; k >= 0; k-- { // the order in the page does not count
			head = heads[k] + head
		}
		if s := everyWay(t, welcome(head, header), "http://docs.test/", llmstxt.Options{}); s.Title != want {
			t.Errorf("%d: %q, want %q", i, s.Title, want)
		}
	}
}

// Any sign between spaces parts the site's name from a title, and a long dash without them.
func TestTitles_AnySignBeforeTheSitesName_IsTakenOff(t *testing.T) {
	for _, sign := range []string{" // ", "—", " ― ", " ⋅ ", " → ", " ▸ ", " ❯ ", " ¦ ", " @ ", " ★ ", " \\ ", " ** ", " |> ", " ◆◆ ", " ・ "} {
		var titles []string
		for _, own := range []string{"Install", "A * B & C", "Pots + lids"} {
			titles = append(titles, own+sign+"Acme Tools")
		}
		s := everyWay(t, titled("Home"+sign+"Acme Tools", "Welcome", "", titles...), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Acme Tools: Install, A * B & C, Pots + lids"; got != want {
			t.Errorf("%q: %q, want %q", sign, got, want)
		}
		// What no other title has stays.
		s = everyWay(t, titled("Acme Tools", "Acme Tools", "", "Install"+sign+"Linux", "Install"+sign+"Plan 9", "Other things"), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Acme Tools: Install"+sign+"Linux, Install"+sign+"Plan 9, Other things"; got != want {
			t.Errorf("%q: %q, want %q", sign, got, want)
		}
	}
	// Signs that stand between words do not.
	for _, sign := range []string{" & ", " + ", " “", " (", " 'n' "} {
		titles := []string{"Pots" + sign + "tea", "Lids" + sign + "tea", "Cups" + sign + "tea", "Other things"}
		s := everyWay(t, titled("Acme Tools", "Acme Tools", "", titles...), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Acme Tools: "+strings.Join(titles, ", "); got != want {
			t.Errorf("%q: %q, want %q", sign, got, want)
		}
	}
}
