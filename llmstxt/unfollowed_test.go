package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A wiki that is new asks robots to leave its links alone.
func TestCrawl_BasePageForbidsItsLinks_IsSaid(t *testing.T) {
	const want = "Not crawled, because the base page asks that its links not be followed (robots nofollow): 2 links\n"
	links := doc("Kettle", "/a", "/b")
	text := answer{header: map[string]string{"X-Robots-Tag": "nofollow", "Content-Type": "text/markdown"}, body: "# Kettle\n\n" + gadget + "\n\n[A](/a) and [B](/b)\n"}
	for name, c := range map[string]struct {
		base answer
		said bool
	}{
		"meta": {inHead(links, "<meta name=robots content='noindex,nofollow'>"), true}, "header": {answer{header: map[string]string{"X-Robots-Tag": "none"}, body: links.body}, true},
		"Markdown": {text, true}, "another robot": {inHead(links, "<meta name=otherbot content=nofollow>"), false}, "nothing": {links, false},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": c.base, "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
		notes := ""
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
		if strings.Contains(notes, want) != c.said || (len(s.Pages) == 1) != c.said {
			t.Errorf("%s: %d pages: %s", name, len(s.Pages), notes)
		}
	}
}
