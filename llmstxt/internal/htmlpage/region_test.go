package htmlpage_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// parse reads a page.
func parse(t testing.TB, page string) *htmlpage.Page {
	t.Helper()
	p, err := htmlpage.Parse(t.Context(), []byte(page), 7000)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// said is a page's main content as blocks in one line.
func said(t testing.TB, page string) string {
	blocks, _ := parse(t, page).Blocks("")
	return fmt.Sprint(blocks)
}

// Letters whose small form has another length, and bytes that are no text, stand in the tag
// before the first paragraph.
func TestRegion_LettersOfAnotherLengthInLowerCase_EntryIsWhole(t *testing.T) {
	const text = "A paragraph that is longer than forty bytes, surely."
	for _, letter := range []string{"a", "A", "Ⱥ", "İ", "K", "\xff", "ẞ"} {
		for n := range 130 {
			attribute := strings.Repeat(letter, n)
			for _, page := range []string{"<LI title='%s'>The lid<p>" + text, "<dl><dt title='%s'>The lid<p>" + text, "<p title='%s'>" + text} {
				got := said(t, fmt.Sprintf(page, attribute))
				if !strings.Contains(got, text) || strings.Contains(page, "lid") && n*len(letter) < 400 && !strings.Contains(got, "The lid") {
					t.Fatalf("%d of %q: %s", n, letter, got)
				}
			}
		}
	}
}

// A section's heading goes on after the words of the page's title.
func TestRegion_SectionBeginsWithTheTitle_KeepsWhatStandsAboveIt(t *testing.T) {
	const first = "<p>Lids keep the steam in, and the tea hot for as long as an hour, or two.</p>"
	const second = "<p>A lid of steel weighs more than one of glass, and it never breaks in use.</p>"
	for _, title := range []string{"Lids", "Lids - Kettle", "LIDS | Kettle"} {
		for _, top := range []string{"<h1>Lids</h1>", "<h2 class=title><a id=x></a>Lids</h2>", "<h3>Lids:</h3>", "<h1>Kettle's Lids</h1>", "<h1>About lids</h1>"} {
			for _, section := range []string{"<h2>Lids and Pots</h2>", "<h2>Lids - The down side</h2>", "<h3>Lids, of steel</h3>"} {
				page := "<title>" + title + "</title><body><div>" + top + "<h2>What they do</h2>" + first + section + second + "</div>"
				if got := markdown(t, page); !strings.Contains(got, "## What they do\n\nLids keep") || !strings.Contains(got, "A lid of steel") {
					t.Errorf("%s, %s, %s:\n%s", title, top, section, got)
				}
			}
		}
	}
	// Below a menu, a heading of the same level or a higher one may say more than the title.
	for _, menu := range []string{"", "<h2>Menu</h2><p>Tea, cups and spoons are sold in each of our shops, all year.</p>", "<h3>Menu</h3><p>Tea, cups and spoons are sold in each of our shops, all year.</p>"} {
		page := "<title>Lids</title><body>" + menu + "<h2>Lids of kettles</h2>" + first + "<h2>Lids and more</h2>" + second
		if got := markdown(t, page); !strings.Contains(got, "Lids keep") || !strings.Contains(got, "A lid of steel") || strings.Contains(got, "shops") {
			t.Errorf("%s:\n%s", menu, got)
		}
	}
}

// A page is a list of links that is longer than what becomes a tree.
func TestRegion_LineBelowALongList_IsNotThePagesText(t *testing.T) {
	footers := []string{"<p>Copyright © 1991-2026 <a href=//maker>The makers of kettles</a>", "<hr><p>&copy; 2026 The makers of kettles, and of pots, in Leiden.",
		"<p><small>Made in 2026. COPYRIGHT by the makers of kettles and of pots.</small>"}
	const text = "<p>Each of these kettles boils a litre of water within two minutes, and none of them is louder than a cat. They are sold in all of our shops, and some of them with two lids."
	rows := map[string]string{
		"<table>%s</table>": "<tr><td><a href=/pots/%d/doc/index.html>pot number %[1]d</a></td><td><a href=/makers/%[1]d/doc/index.html>maker number %[1]d</a></td></tr>\n",
		"<ul>%s</ul>":       "<li class=entry><a class=entry href=/pots/%d/doc/index.html title='a pot of ours'>pot number %[1]d</a></li>\n",
	}
	for list, row := range rows {
		var items strings.Builder
		for i := range 900 {
			fmt.Fprintf(&items, row, i)
		}
		page := "<title>Pots of Kettle</title><body><h1>All Pots</h1>" + fmt.Sprintf(list, items.String())
		for _, footer := range footers {
			got, blocks := markdown(t, page+footer), said(t, page+footer)
			if !strings.Contains(got, "pot number 0]") || !strings.Contains(got, "pot number 899]") || !strings.Contains(blocks, "pot number 0") {
				t.Errorf("%s, %s:\n%.300s\n%.300s", list, footer, got, blocks)
			}
			if got := said(t, page+text+footer); strings.Contains(got, "pot number 0") || !strings.Contains(got, "boils a litre") {
				t.Errorf("%s, a text and %s:\n%.300s", list, footer, got)
			}
		}
	}
}
