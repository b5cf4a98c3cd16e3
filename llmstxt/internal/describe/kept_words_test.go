package describe

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// What only gives a thing another name begins a text.
func TestAdds_SentenceWithAlso_AddsToAnother(t *testing.T) {
	for s, want := range map[string]bool{
		"We also have manual pages.": true, "There are also pots.": true, "Additionally, all of it can be printed.": true, "Wir haben auch Töpfe.": true, "Il y a aussi des pots.": false,
		"Nous avons aussi des pots.": true, "También hay ollas.": true,

		"Kettle, also known as Pot, boils water.": false, "Kettle, also called Pot, boils water.": false, "Kettle (also Pot) boils water.": false, "Kettle is also known as Pot and boils water.": false,
		"Kettle, auch Topf genannt, kocht Wasser.": false, "Kettle, aussi appelé pot, fait bouillir de l’eau.": false, "Kettle est aussi appelé pot.": false, "Kettle, también llamado olla, hierve agua.": false,
		"Kettle, anche detto pentola, bolle l’acqua.": false, "Kettle è anche noto come pentola.": false, "Чайник, также известный как пот, кипятит воду.": false, "Чайник также называемый пот.": false,
	} {
		if adds([]string{s}) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

// An article that says what it is about and where to read on does not tell namesakes from each other.
func TestIsHatnote_ArticleAboutItsSubject_IsNone(t *testing.T) {
	for s, want := range map[string]bool{
		"This article is about the lid of a pot. For that of the eye, see Eyelid.": true, "For other uses, see Pot.": true, "Dieser Artikel behandelt den Deckel; zum Augenlid siehe Lid.": true,
		"Dieser Artikel beschreibt den Topf. Zur Stadt siehe Topf (Stadt).": true, "Cet article concerne le couvercle. Pour la paupière, voir Paupière.": true, "Este artículo trata sobre la olla. Para la ciudad, véase Olla (ciudad).": true,

		"This page is about lids that do not fit; you will see why in Pots.": false, "Dieser Artikel beschreibt, wie man Deckel einbaut; Weiteres siehe Töpfe.": false,
		"Dieser Artikel behandelt Deckel; Töpfe kommen danach.": false, "Cet article décrit la pose du couvercle, voir aussi Pots.": false, "Este artículo explica cómo hervir agua; véase también Ollas.": false,
	} {
		if got := isHatnote(htmlpage.Block{Kind: htmlpage.Paragraph, Text: s, Links: 5}); got != want {
			t.Errorf("%q: %t", s, got)
		}
	}
}

func TestIsNotice_WordsAboutNewsletters_AskForNothing(t *testing.T) {
	for s, want := range map[string]bool{
		"Jetzt Newsletter abonnieren und nichts verpassen.": true, "Sie können unseren Newsletter abonnieren.": true, "Subscribe to our newsletter.": true,
		"Mit Kettle können Leser einen Newsletter abonnieren und wieder abbestellen.": false,
	} {
		if IsNotice(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

// A page of a topic that is about archives keeps its title.
func TestOfLists_TitleIsOfASubject_Stays(t *testing.T) {
	for _, c := range []struct{ url, title, want string }{
		{"http://docs.test/category/tea/", "Tea Archives", "Tea"}, {"http://docs.test/2024/05/", "May 2024 Archives", "May 2024"}, {"http://docs.test/tag/tea/", "Tag: Tea", "Tea"},
		{"http://docs.test/topics/java-archives", "Working with Java Archives", "Working with Java Archives"}, {"http://docs.test/topics/archives.html", "Tar Archives", "Tar Archives"},
	} {
		pages := []Page{{}, {URL: c.url, Title: c.title}}
		if ofLists(pages, map[string]int{c.title: 1}); pages[1].Title != c.want {
			t.Errorf("%s: %q, want %q", c.url, pages[1].Title, c.want)
		}
	}
}

func TestSecondary_ChangesWithCode_StayOptional(t *testing.T) {
	page := func(title string, headings ...string) *Page {
		p := &Page{URL: "http://docs.test/" + strings.ToLower(title) + ".html", Title: title}
		p.Evidence = &htmlpage.Evidence{Code: true, Blocks: []htmlpage.Block{{Kind: htmlpage.Title, Text: title}}}
		for _, h := range headings {
			p.Evidence.Blocks = append(p.Evidence.Blocks, htmlpage.Block{Kind: htmlpage.Heading, Text: h})
		}
		return p
	}
	for _, headings := range [][]string{{"Version 2.0", "Version 1.1"}, {"1.0.0 (2024-05-01)", "0.9.0", "Thanks"}, {"Unreleased", "v1.2"}, {"2024-05-01", "2024/04"}} {
		for _, title := range []string{"Changes", "History"} {
			if !secondary(page(title, headings...)) {
				t.Errorf("%s with %q counts as a page of its own", title, headings)
			}
		}
	}
	for _, headings := range [][]string{nil, {"The list", "Go back"}, {"TLS 1.2", "How it works", "Errors"}} {
		if secondary(page("History", headings...)) {
			t.Errorf("a page on the history of a client with %q is optional", headings)
		}
	}
}

func TestListsNames_PageBeginsWithProse_IsWritten(t *testing.T) {
	const says = "What is deprecated will be removed with the next version, and each entry names what comes in its place."
	title := htmlpage.Block{Kind: htmlpage.Title, Text: "Deprecated list"}
	for _, c := range []struct {
		second htmlpage.Block
		want   bool
	}{
		{htmlpage.Block{Kind: htmlpage.Paragraph, Text: says}, false}, {htmlpage.Block{Kind: htmlpage.Paragraph, Text: says, Links: 90}, true},
		{htmlpage.Block{Kind: htmlpage.Paragraph, Text: "Contents"}, true}, {htmlpage.Block{Kind: htmlpage.Item, Text: says}, true}, {htmlpage.Block{Kind: htmlpage.Heading, Text: "A"}, true},
	} {
		p := &Page{URL: "http://docs.test/api/deprecated-list.html", Evidence: &htmlpage.Evidence{Blocks: []htmlpage.Block{title, c.second, {Kind: htmlpage.Paragraph, Text: says}}}}
		if listsNames(p) != c.want {
			t.Errorf("%q of kind %v: %t", c.second.Text, c.second.Kind, !c.want)
		}
	}
}

// The heading of a page that leads to it, or to the site's start, is its own, whatever others are called.
func TestPosts_OwnHeadingIsALink_IsAboutThePage(t *testing.T) {
	of := func(url, title string) Page {
		return Page{URL: url, Title: title, Evidence: &htmlpage.Evidence{Blocks: []htmlpage.Block{
			{Kind: htmlpage.Title, Text: title, Links: 100}, {Kind: htmlpage.Paragraph, Text: "It boils water for tea and coffee, as often as it takes and as hot as you like."},
		}}}
	}
	for _, url := range []string{"http://docs.test/", "http://docs.test/topics/kettle"} {
		pages := []Page{of("http://docs.test/", "Kettle"), of("http://docs.test/readme", "Kettle"), of("http://docs.test/topics/kettle", "Kettle")}
		setAbout(pages)
		for i := range pages {
			if pages[i].URL == url && pages[i].quotes(1) {
				t.Errorf("%s: its text is about another page", url)
			}
		}
	}
}
