package htmlpage_test

import (
	"fmt"
	"strings"
	"testing"
)

// A list that is longer than a region, before the first text, is the page's content if its links lead into
// other pages, or if it stands in the main content and leads to them; contents and menus are not.
func TestMarkdown_LongListBeforeTheFirstText_IsKeptIfItIsAnIndex(t *testing.T) {
	const text = "<p>Each of these kettles boils a litre of water within two minutes, and none of them is louder than a cat."
	for frame, kept := range map[string]map[string]bool{
		"<body><div role=main><h1>Index</h1>%s%s</div>": {"pots/%d.html#lid": true, "pots/lid-%d.html": true, "#lid-%d": false},
		"<body><main><h1>Index</h1>%s%s</main>":         {"pots/%d.html#lid": true, "#lid-%d": false},
		"<body><h1>Index</h1>%s%s":                      {"pots/%d.html#lid": true, "pots/lid-%d.html": false, "#lid-%d": false},
	} {
		for href, want := range kept {
			var list strings.Builder
			for i := range 900 {
				fmt.Fprintf(&list, "<li><a class=entry title='a lid' href='"+href+"'>lid number %d of the pots</a></li>\n", i, i)
			}
			page := "<title>Index - Kettle</title>" + fmt.Sprintf(frame, "<h2>L</h2><ul>"+list.String()+"</ul>", text)
			got := markdown(t, page)
			if strings.Contains(got, "lid number 0 of") != want || !strings.Contains(got, "boils a litre") {
				t.Errorf("%s of %s: kept %v, want %v:\n%.200s", frame, href, !want, want, got)
			}
			if said := said(t, page); !strings.Contains(said, "boils a litre") {
				t.Errorf("%s of %s: blocks %.200s", frame, href, said)
			}
		}
	}
}
