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
