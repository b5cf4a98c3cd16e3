package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A wiki that gives its pages their names in addresses as titles has headings that people read.
// What only looks like such a name stays.
func TestTitles_NameInTheAddress_IsTheHeading(t *testing.T) {
	said := func(title, heading string) answer {
		return html("<html lang=en><title>" + title + " [My Wiki]</title><main><h1>" + heading + "</h1><p>" + gadget + " It is about " + heading + " alone.</p></main>")
	}
	w := &web{pages: map[string]answer{
		"http://docs.test/":                      html("<html lang=en><title>start [My Wiki]</title><main><h1>Start</h1><p>What we know of tea stands in this wiki.</p><a href='/doku.php?id=pots:lids'>a</a><a href=/pots/tea_cups>b</a><a href=/tools:brew>c</a><a href=/std/vector>d</a><a href=/other>e</a><a href=/tea/note:one>f</a></main>"),
		"http://docs.test/doku.php?id=pots:lids": said("pots:lids", "Lids of pots"),
		"http://docs.test/pots/tea_cups":         said("pots:tea_cups", "Cups for tea"),
		"http://docs.test/tools:brew":            said("tools:brew", "How we brew"),
		"http://docs.test/std/vector":            said("std::vector", "A class of vectors"),
		"http://docs.test/other":                 said("pots:other", "Something else"),
		"http://docs.test/tea/note:one":          said("Tea: a note", "The first note"),
	}}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if got, want := titlesOf(s), "My Wiki: Lids of pots, Cups for tea, How we brew, std::vector, pots:other, Tea: a note"; got != want {
		t.Errorf("titles are %q, want %q", got, want)
	}
}
