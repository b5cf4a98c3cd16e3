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
