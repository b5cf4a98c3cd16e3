package llmstxt_test

import (
	"strings"
	"testing"
)

// A description that is the page's text in one line, headings included, is not used; one that only begins as a
// heading is.
func TestNotes_DescriptionWithHeadingsInIt_IsNotUsed(t *testing.T) {
	for _, c := range []struct{ desc, body, want string }{
		{"Changes 2.1 Water boils faster than before. 2.0 The lid is new.", "<h1>Changes</h1><h2>2.1</h2><ul><li>Water boils faster than before.</ul><h2>2.0</h2><ul><li>The lid is new.</ul>", "Water boils"},
		{"A kettle is easy to clean at home. Vinegar Take a cup of it", "<h1>Cleaning</h1><p>A kettle is easy to clean at home.</p><h2>Vinegar</h2><p>Take a cup of it and wait for an hour.</p>", "A kettle is easy to clean at home."},
		{"Cleaning is what this page tells of.", "<h1>Cleaning</h1><h2>Vinegar</h2><p>Take a cup of it and wait for an hour.</p>", "Cleaning is what this page tells of."},
		{"Pots Pro have a lid that closes well.", "<h1>Pots</h1><h2>Pro</h2><p>Take the lid and turn it to the left.</p>", "Pots Pro have a lid that closes well."},
		{"Pots Profit from it in many ways.", "<h1>Pots</h1><h2>Pro</h2><p>Take the lid and turn it to the left.</p>", "Pots Profit from it in many ways."},
		{"Cleaning Vinegar", "<h1>Cleaning</h1><h2>Vinegar</h2><p>Take a cup of it and wait for an hour.</p>", "Take a cup"},
		{"A kettle is easy to clean at home.", "<h1>Cleaning</h1><p>A kettle is easy to clean at home.</p><h2>Vinegar</h2><p>Take a cup of it and wait for an hour.</p>", "A kettle is easy to clean at home."},
	} {
		s := potSite(t, "<title>Kettle</title><h1>Kettle</h1><p>Kettle is a thing for tea.</p>",
			[3]string{"a.html", "Page", "<meta name=description content='" + c.desc + "'><main>" + c.body + "</main>"}, [3]string{"b.html", "Shops", "<h1>Shops</h1><p>The shops that have it are many.</p>"})
		if got := pageAt(t, s, "a.html").Note; !strings.HasPrefix(got, c.want) || strings.Contains(got, "Vinegar ") || strings.Contains(got, "2.0") {
			t.Errorf("%q: %q, want %q", c.desc, got, c.want)
		}
	}
}
